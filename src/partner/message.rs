//! What can be said after the handshake of a session, and what opens one.
//!
//! Owns the messages as values; their octets are in [`super::codec`]. Uses [`crate::time`].

use super::Tuple;
use crate::time::{Span, Timestamp};

/// Most octets that one question may ask for.
pub const MOST_OCTETS: u8 = 16;

/// Random octets of one side of a handshake.
pub type Nonce = [u8; 32];

/// A test connection of a session. Chosen by the client, and never used again in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u32);

/// A question of a session. Chosen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u32);

/// A session. Chosen by the server, never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

/// What is to be sent towards the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// So many octets of data, 1 to [`MOST_OCTETS`]; the kernel sends them again until they are acknowledged.
    Data(u8),
    /// A keepalive probe at SND.NXT-1 with so many octets of no meaning, 0 or 1. Only where
    /// [`Abilities`] say so.
    Keepalive(u8),
}

impl Form {
    /// Octets that it carries.
    pub const fn octets(self) -> u8 {
        match self {
            Form::Data(octets) | Form::Keepalive(octets) => octets,
        }
    }

    /// Whether it is in its range.
    pub const fn is_valid(self) -> bool {
        match self {
            Form::Data(octets) => octets >= 1 && octets <= MOST_OCTETS,
            Form::Keepalive(octets) => octets <= 1,
        }
    }
}

/// Something to be sent on a test connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The name of this question in what is reported.
    pub id: AskId,
    /// The connection.
    pub number: Number,
    /// What to send.
    pub form: Form,
    /// How long after this was received; zero for now. Never negative.
    pub after: Span,
    /// How long to look for what comes back before it is called silence. Never negative; the server may cut it
    /// ([`Limits::watch`](super::server::Limits)).
    pub watch: Span,
}

/// From the client on a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Send something towards me.
    Ask(Ask),
    /// Close a test connection: in order (FIN), or at once (RST). Nothing more is reported of it.
    Close {
        /// Which.
        number: Number,
        /// By a RST.
        abort: bool,
    },
    /// I am here; are you?
    Ping(u64),
    /// This was all.
    Bye,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotSent {
    /// There is no such test connection, or it has ended.
    NoConnection,
    /// It would be more than the limits allow.
    Limit,
    /// It takes rights that the server does not have, or SND.NXT is not known.
    NotAble,
    /// The system refused it, or what was asked before has not left yet.
    Refused,
}

/// What came back after something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Back {
    /// The peer's kernel acknowledged it (TCP_INFO).
    Acknowledged {
        /// How long after it was sent, at most: the server's kernel is asked half a millisecond after the sending, and
        /// then less often, every 50 ms in the end; its own ticks (1 to 10 ms) narrow that.
        after: Span,
    },
    /// The connection ended.
    Ended {
        /// How.
        how: Ending,
        /// How long after it was sent.
        after: Span,
    },
    /// Nothing, for as long as was asked.
    Silence {
        /// How often it left, the first time included.
        tries: u16,
        /// When it left for the last time, after the first.
        last: Span,
    },
}

/// How a test connection ended, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A RST came.
    Reset,
    /// A FIN came.
    Fin,
    /// Nothing was acknowledged for so long that the kernel gave up.
    TimedOut,
    /// An ICMP error (EHOSTUNREACH, ENETUNREACH).
    Unreachable,
    /// Octets came that are no part of the protocol; it was closed.
    Strange,
    /// It went beyond a limit; it was closed.
    Limit,
    /// Another errno of the server's system.
    Other(u16),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverReason {
    /// Nothing was heard of the client for too long.
    Expired,
    /// It lasted as long as a session may.
    Lasted,
    /// The server stops.
    Stopped,
    /// The client said something that makes no sense, or whose tag is wrong.
    Nonsense,
    /// Too many messages.
    TooMany,
    /// The client said bye.
    Bye,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The server speaks another version only.
    Version,
    /// The secret is another one, or there is none on one side.
    Secret,
    /// As many sessions as may be, or as many connections in this one.
    Full,
    /// There is no such session, or the number was used in it before.
    NoSession,
}

/// What a server can do beside data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Abilities {
    /// Keepalive probes without data.
    pub keepalive: bool,
    /// Keepalive probes with one octet.
    pub garbage: bool,
    /// Segments of connections that are not known are seen and told.
    pub strays: bool,
}

/// What a server allows each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Allowance {
    /// Test connections at once.
    pub connections: u16,
    /// Messages a second.
    pub messages: u16,
    /// Octets a second towards the client on all test connections together, echoes not counted.
    pub octets: u32,
    /// A session is over when nothing was heard for so long.
    pub expire: Span,
    /// A session lasts no longer.
    pub lasts: Span,
    /// What comes back is looked for no longer.
    pub watch: Span,
}

/// The session is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// Its name.
    pub session: SessionId,
    /// What is allowed in it.
    pub allowance: Allowance,
    /// What the server can do.
    pub abilities: Abilities,
    /// The server's time.
    pub now: Timestamp,
    /// The control connection as the server sees it.
    pub seen: Tuple,
}

/// A test connection was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Joined {
    /// It as the server sees it: whether the client's address and port were translated.
    pub seen: Tuple,
    /// The server's time.
    pub now: Timestamp,
}

/// From the server on a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// It has left.
    Sent {
        /// What was asked.
        id: AskId,
        /// When.
        at: Timestamp,
        /// How long the connection had been idle as far as the server's kernel knows: since data was sent or anything
        /// came, to the tick of the kernel.
        idle: Span,
    },
    /// It could not be sent.
    NotSent {
        /// What was asked.
        id: AskId,
        /// Why.
        why: NotSent,
    },
    /// What came back.
    Back {
        /// What was asked.
        id: AskId,
        /// When that was known.
        at: Timestamp,
        /// What.
        back: Back,
    },
    /// A test connection ended without a close.
    Ended {
        /// Which.
        number: Number,
        /// When.
        at: Timestamp,
        /// How.
        how: Ending,
        /// How long it had been idle.
        idle: Span,
    },
    /// A segment came from the client's address that belongs to no connection that the server knows: the path has
    /// given one of them a new port, perhaps. Only where [`Abilities::strays`].
    Stray {
        /// When.
        at: Timestamp,
        /// Its ends.
        seen: Tuple,
    },
    /// The answer to a ping.
    Pong {
        /// What the ping said.
        token: u64,
        /// The server's time.
        at: Timestamp,
    },
    /// The session is over; the server closes all of it.
    Over(OverReason),
}

impl Refusal {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Version => "version",
            Refusal::Secret => "secret",
            Refusal::Full => "full",
            Refusal::NoSession => "no_session",
        }
    }
}

impl OverReason {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            OverReason::Expired => "expired",
            OverReason::Lasted => "lasted",
            OverReason::Stopped => "stopped",
            OverReason::Nonsense => "nonsense",
            OverReason::TooMany => "too_many",
            OverReason::Bye => "bye",
        }
    }
}

impl NotSent {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            NotSent::NoConnection => "no_connection",
            NotSent::Limit => "limit",
            NotSent::NotAble => "not_able",
            NotSent::Refused => "refused",
        }
    }
}

impl Ending {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Ending::Reset => "reset",
            Ending::Fin => "fin",
            Ending::TimedOut => "timed_out",
            Ending::Unreachable => "unreachable",
            Ending::Strange => "strange",
            Ending::Limit => "limit",
            Ending::Other(_) => "other",
        }
    }
}
