//! What few connections need, made when it is needed.
//!
//! Owns [`More`], which stands beside a connection, and [`Rare`], which stands beside one of its sides. Most
//! connections of a capture have neither.

use super::event::{LookAlikes, Mark, Party};
use super::packed::NEVER;
use super::probes::Probes;
use super::repeated::Repeated;
use crate::segment::Segment;
use crate::time::{Span, Timestamp};

/// What happens to few connections.
#[derive(Debug, Default)]
pub(super) struct More {
    /// The RST that ended it, where it is not the last segment of its sender.
    pub(super) reset: Option<Mark>,
    /// The other end sent something else than a RST after the one that ended it.
    pub(super) went_on: bool,
    /// The latest ICMP error about it, and how many segments had been seen by then.
    pub(super) icmp: Option<(Mark, u64)>,
    /// Captured copies that were set aside.
    pub(super) duplicates: u64,
    /// A SYN with another initial sequence number than this life of the connection has.
    pub(super) foreign_syn: Option<Box<Segment>>,
    /// What only connections with keepalives, or with something like them, need.
    pub(super) probes: Option<Box<Probes>>,
    client: Option<Box<Rare>>,
    server: Option<Box<Rare>>,
}

/// What happens to few sides.
#[derive(Debug)]
pub(super) struct Rare {
    /// When the first FIN was sent, where that is no longer told by the segment that last carried something new.
    pub(super) fin: Timestamp,
    /// When the advertised window last became 0.
    pub(super) window_closed: Timestamp,
    pub(super) lookalikes: LookAlikes,
    /// Positions that were skipped, from the first to after the last; filled where they come later.
    pub(super) hole: Option<(u64, u64)>,
    /// What lay in an earlier hole was acknowledged and never came.
    pub(super) missing: bool,
    /// The last RST of its address that had no effect, and what counts in its place as its last sign of life.
    pub(super) stale: Option<(Mark, Option<Mark>)>,
    /// The latest octets, or FIN, that it sent again.
    pub(super) repeated: Option<Repeated>,
    /// Where relative sequence numbers count from, where that is not the first position of its number.
    pub(super) origin: Option<u64>,
    /// How often 2³² segments, and segments with data, were seen.
    pub(super) rounds: [u32; 2],
    pub(super) again: Again,
}

/// Copies of a lone octet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    /// Where that octet is.
    pub(super) position: u64,
    /// Time between its last two transmissions.
    pub(super) gap: Span,
    /// How many of its gaps in a row did not grow, as those of retransmissions do.
    pub(super) even_gaps: u8,
}

impl Default for Rare {
    fn default() -> Self {
        Self {
            fin: NEVER,
            window_closed: NEVER,
            lookalikes: LookAlikes::default(),
            hole: None,
            missing: false,
            stale: None,
            repeated: None,
            origin: None,
            rounds: [0; 2],
            again: Again { position: 0, gap: Span::ZERO, even_gaps: 0 },
        }
    }
}

impl More {
    /// What is rare of one side, if anything is.
    #[inline]
    pub(super) fn side(&self, party: Party) -> Option<&Rare> {
        match party {
            Party::Client => self.client.as_deref(),
            Party::Server => self.server.as_deref(),
        }
    }

    fn side_mut(&mut self, party: Party) -> &mut Option<Box<Rare>> {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }
}

/// Where the rare things of one side are, or will be.
#[derive(Debug)]
pub(super) struct RareOf<'a> {
    pub(super) more: &'a mut Option<Box<More>>,
    pub(super) party: Party,
}

impl RareOf<'_> {
    #[inline]
    pub(super) fn get(&self) -> Option<&Rare> {
        self.more.as_deref()?.side(self.party)
    }

    /// Makes them.
    #[cold]
    pub(super) fn make(&mut self) -> &mut Rare {
        self.more.get_or_insert_default().side_mut(self.party).get_or_insert_default()
    }
}
