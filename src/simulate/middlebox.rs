//! Boxes between the hosts: what they do with a packet, and what they forget.
//!
//! Owns [`Middlebox`], the grammar of every box, and [`BoxEvent`], the truth about what a box did. What a box is
//! built from stands in [`description`]. Uses [`crate::segment`] and [`crate::time`].

mod build;
mod conntrack;
pub mod description;
mod forward;
mod parallel;
mod proxy;
mod table;
mod tracker;

use std::fmt;

use super::packet::Packet;
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

pub use build::DescriptionError;
pub use description::Description;
pub use parallel::Parallel;

/// A side of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Towards the client.
    Inside,
    /// Towards the server.
    Outside,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::Inside => Side::Outside,
            Side::Outside => Side::Inside,
        }
    }

    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Inside => "inside",
            Side::Outside => "outside",
        }
    }
}

/// A box on the path: packets and time in, packets and events out.
///
/// Whatever comes in, everything it causes is there at once: `poll_transmit` and `poll_event` are asked until
/// they give nothing.
pub trait Middlebox: Send + fmt::Debug {
    /// Takes a packet that came in on the side `from`.
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet);

    /// Does what is due. Nothing may be due.
    fn on_timeout(&mut self, now: Timestamp);

    /// When [`Middlebox::on_timeout`] wants to be called next; never later than something is due.
    fn next_timeout(&self) -> Option<Timestamp>;

    /// A packet that leaves, and on which side.
    fn poll_transmit(&mut self) -> Option<(Side, Packet)>;

    /// What happened, in its order.
    fn poll_event(&mut self) -> Option<BoxEvent>;
}

/// Which mapping of a box; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingId(pub u64);

/// The two ends of a connection as they stand in packets on one side of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The end that lies inside, or the address that stands for it.
    pub client: Endpoint,
    /// The end that lies outside, or the address that stands for it.
    pub server: Endpoint,
}

/// A connection that a box knows, as seen from both its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// Which one.
    pub id: MappingId,
    /// On packets inside.
    pub inside: Ends,
    /// On packets outside.
    pub outside: Ends,
}

/// How far a box believes a connection to be; the words are those of Linux conntrack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// A SYN was seen.
    SynSent,
    /// Both ends sent a SYN and neither acknowledged one.
    SynSent2,
    /// A SYN and its answer were seen.
    SynReceived,
    /// The handshake is over, or the connection was picked up in its middle.
    Established,
    /// One end sent FIN.
    FinWait,
    /// That FIN was acknowledged.
    CloseWait,
    /// Both ends sent FIN.
    LastAck,
    /// The last FIN was acknowledged.
    TimeWait,
    /// A RST was seen.
    Close,
}

impl TcpState {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            TcpState::SynSent => "syn_sent",
            TcpState::SynSent2 => "syn_sent2",
            TcpState::SynReceived => "syn_recv",
            TcpState::Established => "established",
            TcpState::FinWait => "fin_wait",
            TcpState::CloseWait => "close_wait",
            TcpState::LastAck => "last_ack",
            TcpState::TimeWait => "time_wait",
            TcpState::Close => "close",
        }
    }
}

/// What a box did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxEvent {
    /// When.
    pub time: Timestamp,
    /// About which connection, if it knows one.
    pub mapping: Option<Mapping>,
    /// What.
    pub what: BoxAction,
}

/// What a box did with a packet or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxAction {
    /// It made a mapping.
    Created {
        /// Its state.
        state: TcpState,
        /// Whether a packet from the middle of a connection made it.
        midstream: bool,
        /// It is forgotten after so much silence.
        timeout: Span,
    },
    /// A packet started the timer of the mapping anew.
    Refreshed {
        /// The side that the packet came from.
        from: Side,
        /// The state now.
        state: TcpState,
        /// The timer now; it may be shorter than what was left before.
        timeout: Span,
    },
    /// A packet came, and the timer of its connection, if it has one, runs on.
    Unrefreshed {
        /// The side that the packet came from.
        from: Side,
        /// Why it does not count.
        why: NotCounted,
        /// The state now, if there is a mapping.
        state: Option<TcpState>,
    },
    /// The timer of the mapping ran out.
    Expired {
        /// Silence since the last packet that counted.
        idle: Span,
    },
    /// The mapping went away before its time.
    Removed {
        /// Why.
        why: Removal,
    },
    /// It dropped a packet.
    Dropped {
        /// The side that the packet came from.
        from: Side,
        /// Why.
        why: DropReason,
    },
    /// It sent a packet of its own.
    Sent {
        /// On which side.
        on: Side,
        /// Which.
        what: OwnPacket,
    },
    /// A proxy begins to close both its connections.
    Closed {
        /// The side whose silence lasted too long, if that was the reason.
        silent: Option<Side>,
    },
}

/// Why a packet did not start the timer anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotCounted {
    /// Packets from that side do not count.
    Direction,
    /// It has no data, and only data counts.
    NoData,
    /// The tracker cannot tell whether it belongs there (below the window, a SYN in the middle).
    Ignored,
    /// The tracker finds it impossible; it passes without translation.
    Invalid,
    /// Nobody tracks it.
    Untracked,
}

/// Why a mapping went away before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removal {
    /// The table was full, and another connection needed the place.
    Evicted,
    /// A RST ended a connection that had never been answered.
    Reset,
    /// A new connection took the same ends.
    Reopened,
    /// Both connections of a proxy are over.
    Closed,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// No mapping fits, and none is made from such a packet.
    NoMapping,
    /// It cannot be part of the connection.
    Invalid,
    /// The table is full.
    TableFull,
    /// No port is left to translate to.
    NoPort,
    /// Its time to live ended here.
    TimeToLive,
    /// It was for the box itself, which did not want it.
    Input,
}

/// A packet that a box made itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnPacket {
    /// A RST.
    Reset,
    /// A FIN.
    Finish,
    /// An ICMP error.
    Icmp,
    /// A segment of a proxy's own connection: its handshake, data, acknowledgements, answers to keepalives.
    Segment,
    /// A keepalive probe.
    Probe,
}
