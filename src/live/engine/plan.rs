//! What is to be done: which connections, how they are probed, and until when.
//!
//! Owns the plan. Uses [`crate::live::wire`] for the ends, [`crate::keepalive`] for the settings and
//! [`crate::time`].

use crate::keepalive::Settings;
use crate::live::wire::Connect;
use crate::time::Span;

/// Which data probes carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Octets {
    /// None: what Linux, the BSDs and macOS send.
    Zero,
    /// One octet: what Windows and illumos send.
    One,
    /// None and one in turn, then pairs in quick succession, for a guess at the peer's stack.
    Both,
}

impl Octets {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Octets::Zero => "0",
            Octets::One => "1",
            Octets::Both => "both",
        }
    }

    /// The octets of the n-th probe of a connection, from 0.
    pub(super) const fn of(self, number: u32) -> u8 {
        match self {
            Octets::Zero => 0,
            Octets::One => 1,
            Octets::Both => (number % 2) as u8,
        }
    }
}

/// When a connection has been probed enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// After so many silences that ended with an answer.
    Rounds(u32),
    /// So long after it was opened.
    For(Span),
    /// Until somebody ends it.
    Stopped,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its ends.
    pub connect: Connect,
    /// When it is probed, and given up.
    pub settings: Settings,
    /// With what.
    pub octets: Octets,
    /// How long.
    pub until: Until,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The connections.
    pub orders: Vec<Order>,
    /// Packets that are sent in a second at most, SYNs and probes together; 0 counts as 1.
    pub max_rate: u32,
    /// How long to wait for the answer to a SYN.
    pub open_within: Span,
    /// Seed of hash tables: unpredictable where strangers can choose what comes; no result depends on it.
    pub hash_seed: u64,
}
