//! The partner: what `keepscope middlebox` and `keepscope respond` say to each other.
//!
//! A packet that comes from inside may open again what a box on the path has forgotten, so only a packet from
//! outside shows whether it has. Somebody on the other side has to send it: the partner. Owns the messages
//! ([`message`]), their octets ([`codec`]), the secret and what is made of it ([`secret`]), and both machines: the
//! one of the side that asks ([`client`]) and the one of the side that is asked ([`server`]). Both are sans-IO:
//! octets and times go in, octets and news come out. Uses [`crate::segment`] (an [`Endpoint`]) and [`crate::time`].
//!
//! # The protocol, version 1
//!
//! TCP. One *control connection*, and any number of *test connections* to the same port. Who accepted a connection
//! says nothing on it before the other side has spoken, and until that side is known to hold the secret never more
//! octets than it has received.
//!
//! Everything on a control connection, and the first message each way on a test connection, is a frame; numbers are
//! big-endian:
//!
//! ```text
//! length u16     octets that follow, 1 to 510, so that a frame has at most 512
//! type   u8
//! body
//! tag            16 octets, in all frames of a session: from the welcome on
//! ```
//!
//! | type | name | from | body |
//! |---|---|---|---|
//! | 0x01 | hello | client | magic `KSPARTNR`, version u16, nonce (32 octets) |
//! | 0x81 | challenge | server | version u16, u8 (1: there is a secret), nonce (32 octets) |
//! | 0x02 | proof | client | HMAC (32 octets) |
//! | 0x82 | welcome | server | session (16 octets), limits, abilities u8, its time, ends |
//! | 0x03 | join | client | magic, version u16, session (16 octets), number u32, HMAC (32 octets) |
//! | 0x83 | joined | server | ends, its time, HMAC (16 octets) |
//! | 0x8f | refused | server | reason u8 (1 version, 2 secret, 3 full, 4 no session), version u16; then it closes |
//! | 0x10 … 0x13 | [`Request`](message::Request) | client | see `codec/request.rs` |
//! | 0x90 … 0x96 | [`Report`](message::Report) | server | see `codec/report.rs` |
//!
//! A time is an i64, nanoseconds since 1970; a duration an i64, nanoseconds, not negative. Ends are the server's and
//! the client's as the server sees them, each as IP version u8 (4 or 6), address, port u16. Limits are connections u16,
//! messages a second u16, octets a second u32, and three durations: [`Limits::expire`](server::Limits), `lasts` and
//! `watch`. Abilities: bit 0 keepalive probes without data, bit 1 with one octet, bit 2 strays.
//!
//! **Authentication.** With T the octets of hello and challenge, the proof is HMAC-SHA-256(secret, "keepscope
//! partner 1: proof" 0 T). Three keys are made the same way with other words: "to server" and "to client" for the
//! directions of the control connection, "join" for joining. Each frame of the session, from the welcome on, carries the
//! first 16 octets of HMAC-SHA-256(key of its direction, counter u64 from 0, frame before the tag); so the welcome
//! proves that the server knows the secret too, and nothing can be put in, left out or repeated. The secret itself is never sent. Nothing is
//! encrypted: there is nothing to hide in it. Without a secret (only between programs on one host) the key is empty.
//!
//! **Test connections.** The join has HMAC-SHA-256(join key, frame so far), the joined the first 16 octets of the
//! same over its own frame so far, the number u32 and the session. A number joins once in a session, so that a
//! recorded join opens nothing. After that there are no frames but single octets:
//!
//! | octet | from | meaning |
//! |---|---|---|
//! | `E` | client | answer this one with `e` |
//! | `S` | client | do not answer; the kernel acknowledges it |
//! | `e` | server | the answer to one `E` |
//! | `p` | server | asked for on the control connection |
//!
//! The server closes a test connection on which it is told anything else. Between octets it is silent: SO_KEEPALIVE
//! is off.
//!
//! **Control.** The client asks for octets (or a keepalive probe) towards it on a test connection, now or later; the
//! server reports when they left, how long the connection was idle before, and what came back. Times are the
//! server's own, in nanoseconds since 1970; a ping tells how they relate to the client's. Both ends notice a silence:
//! the client pings, and a session of which nothing is heard for [`Limits::expire`](server::Limits) is over. The end
//! of a session closes all its test connections.
//!
//! **Limits** are the server's ([`server::Limits`]) and told in the welcome. Asking for more is answered by `not_sent`
//! where it is about one question, and ends the session where it is about messages.
//!
//! **Versions.** A server that does not speak the version of a hello or join says `refused` with the one it speaks.

pub mod client;
pub mod codec;
pub mod message;
pub mod secret;
pub mod server;

use std::fmt;

use crate::segment::Endpoint;

/// The version spoken here.
pub const VERSION: u16 = 1;

/// The port on which `keepscope respond` listens where none is given: 7440, the seconds that RFC 5382 REQ-5 wants an
/// idle connection to be kept. Not assigned by IANA.
pub const PORT: u16 = 7440;

/// The environment variable that holds the secret.
pub const TOKEN_VARIABLE: &str = "KEEPSCOPE_TOKEN";

/// What is said on a test connection after it has joined.
pub mod octet {
    /// From the client: answer this with [`ECHOED`].
    pub const ECHO: u8 = b'E';
    /// From the client: say nothing.
    pub const SILENT: u8 = b'S';
    /// From the server: the answer to one [`ECHO`].
    pub const ECHOED: u8 = b'e';
    /// From the server: was asked for on the control connection.
    pub const PROBE: u8 = b'p';
}

/// A connection's two ends as one of them sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The end of who says this.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <- {}", self.local, self.remote)
    }
}
