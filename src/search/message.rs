//! What goes in and out of the machine: what happened to a connection, what is to be done, what became known.

use super::{Trial, Verdict};
use crate::time::{Span, Timestamp};

/// A connection of the search. Numbers are never used again, as no pair of ports is: a box may remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect, from a port not used before; to a partner also authenticate. Answered by [`Input::Opened`] or
    /// [`Input::NotOpened`].
    Open(Id),
    /// Exchange something, so that the silence begins anew. Answered by [`Input::Armed`], or by nothing.
    Arm(Id),
    /// End the silence. Answered by [`Input::Sent`] or [`Input::NotSent`], and then by [`Input::Answered`],
    /// [`Input::Ended`] or nothing.
    Probe {
        /// Which connection.
        id: Id,
        /// Who sends.
        way: super::Way,
        /// 0 for the first try; the same octet or number again in the tries 1 and 2.
        attempt: u8,
    },
    /// Close. Whatever still comes for it is of no interest.
    Close(Id),
}

impl Command {
    /// Which connection.
    pub const fn id(self) -> Id {
        match self {
            Command::Open(id) | Command::Arm(id) | Command::Probe { id, .. } | Command::Close(id) => id,
        }
    }
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// It is open, with everything acknowledged.
    Opened {
        /// Its last packet of either direction.
        since: Timestamp,
    },
    /// It could not be opened.
    NotOpened(NotOpened),
    /// Something was exchanged, and everything is acknowledged.
    Armed {
        /// Its last packet of either direction.
        since: Timestamp,
    },
    /// A try left.
    Sent {
        /// Which.
        attempt: u8,
        /// When.
        at: Timestamp,
        /// How long there had been silence, the other tries of the same probe not counted.
        idle: Span,
    },
    /// A try could not be sent.
    NotSent {
        /// Which.
        attempt: u8,
    },
    /// It was answered through this connection.
    Answered {
        /// The last try before it.
        attempt: u8,
        /// When.
        at: Timestamp,
        /// What else the answer shows.
        sign: Sign,
    },
    /// It was ended by the other side or on the way, asked or not.
    Ended {
        /// When.
        at: Timestamp,
        /// By what.
        how: End,
        /// By whom.
        origin: Origin,
    },
    /// A packet that we did not ask for: the silence begins anew.
    Disturbed {
        /// When.
        at: Timestamp,
        /// What it was.
        by: Disturbance,
    },
}

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// RST to the SYN. No further one is tried.
    Refused,
    /// No answer to the SYNs.
    TimedOut,
    /// ICMP.
    Unreachable,
    /// Ended before it was usable.
    Reset,
    /// The partner said no, or is none. No further one is tried.
    Partner,
    /// Something on this host.
    Other,
}

impl NotOpened {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            NotOpened::Refused => "refused",
            NotOpened::TimedOut => "timed_out",
            NotOpened::Unreachable => "unreachable",
            NotOpened::Reset => "reset",
            NotOpened::Partner => "partner",
            NotOpened::Other => "other",
        }
    }
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// RST.
    Reset,
    /// FIN.
    Fin,
    /// An ICMP error.
    Icmp,
}

impl End {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            End::Reset => "reset",
            End::Fin => "fin",
            End::Icmp => "icmp",
        }
    }
}

/// What tells who sent a packet: against the same of the packets of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cue {
    /// Its TTL or hop limit, if it was seen.
    pub ttl: Option<u8>,
    /// That of the peer's packets before.
    pub usual_ttl: Option<u8>,
    /// How long it came after what prompted it, if anything did.
    pub delay: Option<Span>,
    /// How long the peer takes.
    pub usual_delay: Option<Span>,
    /// It lacks the timestamps that the connection agreed on.
    pub without_timestamps: bool,
    /// Its sender is not the address that the connection is with (ICMP).
    pub other_address: bool,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A box on the way.
    Path(Cue),
    /// The far end.
    Peer(Cue),
    /// It does not show.
    Unknown,
}

/// What an answer shows besides that one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sign {
    /// The far end saw it come from another address or port than before: the box made a new mapping, so the old
    /// one was gone.
    pub new_port: Option<bool>,
    /// How long it took.
    pub round_trip: Option<Span>,
    /// The far end reset what it did not know.
    pub reset: bool,
}

/// What broke a silence without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disturbance {
    /// A keepalive probe of the far end.
    PeerKeepalive,
    /// Data of the far end.
    PeerData,
    /// Something else of the far end, such as an acknowledgement.
    PeerOther,
    /// Something that had passed before, sent again by either end because a packet was lost; or an
    /// acknowledgement that was overtaken.
    Repeated,
    /// A packet of our own kernel.
    OwnKernel,
}

impl Disturbance {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Disturbance::PeerKeepalive => "peer_keepalive",
            Disturbance::PeerData => "peer_data",
            Disturbance::PeerOther => "peer_other",
            Disturbance::Repeated => "repeated",
            Disturbance::OwnKernel => "own_kernel",
        }
    }

    /// Whether the far end did it.
    pub const fn is_peer(self) -> bool {
        !matches!(self, Disturbance::Repeated | Disturbance::OwnKernel)
    }
}

/// What the search is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Longer and longer silences, until one kills.
    Ladder,
    /// Something died: is it the silence, and which exactly?
    Refining,
    /// Over.
    Done,
}

impl Phase {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Ladder => "ladder",
            Phase::Refining => "refining",
            Phase::Done => "done",
        }
    }
}

/// What became known.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A trial ended.
    Trial(Trial),
    /// The bounds moved.
    Bracket {
        /// The longest silence that was survived.
        longest_alive: Option<Span>,
        /// The shortest that was not.
        shortest_dead: Option<Span>,
    },
    /// Something that may mislead was seen for the first time.
    Confounder(super::Confounder),
    /// The search turned to something else.
    Phase(Phase),
    /// It is over.
    Done(Verdict),
}
