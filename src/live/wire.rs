//! What the engine asks of the world: connections, packets, the time.
//!
//! Owns [`Wire`] and what goes through it. The operating system is one such world; a test or the simulator can
//! be another. Uses [`crate::frame`], [`crate::segment`] and [`crate::time`].

use std::net::{IpAddr, SocketAddr};

use super::filter::Filter;
use crate::frame::Frame;
use crate::segment::Endpoint;
use crate::segment::encode::Outbound;
use crate::time::{Span, Timestamp};

/// A connection that the world holds open for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// A connection that is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Whereto.
    pub peer: SocketAddr,
    /// From which address; the system chooses where it is absent.
    pub source: Option<IpAddr>,
}

/// Why a connection could not be opened, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// ECONNREFUSED: a RST answered the SYN.
    Refused,
    /// ECONNRESET: a RST ended it.
    Reset,
    /// ETIMEDOUT: nothing answered.
    TimedOut,
    /// EHOSTUNREACH or ENETUNREACH: an ICMP error, or no route.
    Unreachable,
    /// The peer closed its side in order.
    ClosedByPeer,
    /// Anything else; the number is the system's errno.
    Other(i32),
}

/// What the world reports.
#[derive(Debug)]
pub enum Arrival<'a> {
    /// A packet left or came, with the time at which the kernel saw it.
    Frame(Frame<'a>),
    /// A connection was opened.
    Opened {
        /// Which.
        handle: Handle,
        /// Our end.
        local: Endpoint,
        /// The peer's end.
        remote: Endpoint,
    },
    /// A connection could not be opened, or ended.
    Ended {
        /// Which.
        handle: Handle,
        /// How.
        how: Ended,
    },
    /// The peer of a connection that is [heard](Wire::hear) said something.
    Octets {
        /// Which.
        handle: Handle,
        /// What.
        octets: Vec<u8>,
    },
    /// An interface went down or away, or could not be listened to.
    InterfaceLost {
        /// Its name.
        name: String,
    },
    /// The system's clock was set; the times of packets go on without a step.
    ClockStepped {
        /// By how many nanoseconds.
        nanos: i64,
    },
    /// The time that was waited for has come.
    Deadline,
    /// Another thread has something to say.
    Woken,
    /// The user wants an end.
    Interrupted,
}

/// Why the world cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A system call failed.
    #[error("{operation}: {error}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is no interface to listen on for an address.
    #[error(
        "packets to {0} leave through an interface that is not being listened to; start again now that it is there"
    )]
    NoInterface(IpAddr),
}

/// Frames that the kernel had to drop because we were too slow, or that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Frames that passed the filter.
    pub seen: u64,
    /// Frames of those that were lost.
    pub dropped: u64,
}

/// The world.
///
/// Its time never goes back; it is the time of the packets it reports.
pub trait Wire {
    /// Now.
    fn now(&mut self) -> Timestamp;

    /// Begins to open a connection; [`Arrival::Opened`] or [`Arrival::Ended`] follows. Its packets are reported
    /// from the SYN on.
    ///
    /// # Errors
    /// If not even that can be tried.
    fn connect(&mut self, connect: &Connect) -> Result<Handle, WireError>;

    /// Sends a packet beside a connection that it holds.
    ///
    /// # Errors
    /// If the system refuses it.
    fn send(&mut self, segment: &Outbound<'_>) -> Result<(), WireError>;

    /// Reports what the peer of a connection says from now on; of others it is read and thrown away.
    fn hear(&mut self, handle: Handle);

    /// Says something on an open connection; it leaves at once (no Nagle), and the world sends it again until it is
    /// acknowledged.
    ///
    /// # Errors
    /// If the connection is not open, or the world has no room for all of it. Nothing more can be said then.
    fn write(&mut self, handle: Handle, octets: &[u8]) -> Result<(), WireError>;

    /// Keeps whatever comes on a connection with a TTL below 255 from its holder, who then answers nothing, or does so no
    /// more. Its packets are reported all the same.
    ///
    /// # Errors
    /// If the connection is not there, or the world cannot do so.
    fn deafen(&mut self, _handle: Handle, _deaf: bool) -> Result<(), WireError> {
        Err(WireError::System {
            operation: "keeping segments from a connection",
            error: std::io::ErrorKind::Unsupported.into(),
        })
    }

    /// Closes a connection in order (FIN).
    fn close(&mut self, handle: Handle);

    /// Waits for what comes next, until a time at most.
    ///
    /// # Errors
    /// If nothing can be waited for any more.
    fn next(&mut self, until: Option<Timestamp>) -> Result<Arrival<'_>, WireError>;

    /// Reports the packets that pass this filter from now on, as far as that is up to it.
    ///
    /// # Errors
    /// If the system refuses it.
    fn see(&mut self, _filter: &Filter) -> Result<(), WireError> {
        Ok(())
    }

    /// How long the world stood still for us since this was last asked, as in suspend: what came meanwhile was not
    /// seen.
    fn slept(&mut self) -> Option<Span> {
        None
    }

    /// What was received and lost so far.
    fn received(&mut self) -> Received;
}
