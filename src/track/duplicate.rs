//! Captured copies of one packet: two taps, `-i any` at a router, a mirror port that sees both ways.
//!
//! Owns a small memory of recent packets, of fixed size. A copy equals its original in everything that no
//! router changes. Uses [`crate::segment`] and [`crate::time`].

use std::hash::BuildHasher;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::segment::Segment;
use crate::time::{Span, Timestamp};

/// How many recent packets are remembered (a power of two).
const MEMORY: usize = 4096;

/// A copy seen at another interface, capture or hop may come this much later if the packet carries a mark of
/// its own (IPv4 identification or TCP timestamps): the longest delay between two taps on one path.
const ELSEWHERE_MARKED: Span = Span::from_millis(200);

/// The same without such a mark, where equal packets may be two packets.
const ELSEWHERE: Span = Span::from_millis(5);

/// A copy seen at the same place (a mirror port that sends both ways).
const SAME_PLACE: Span = Span::from_millis(1);

/// A packet that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: u64,
    time: Timestamp,
    place: Place,
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Place {
    capture: u32,
    interface: u32,
    ttl: u8,
}

/// The memory of recent packets.
#[derive(Debug)]
pub(super) struct Duplicates {
    hasher: SeedableRandomState,
    recent: Vec<Seen>,
}

impl Default for Duplicates {
    fn default() -> Self {
        let never = Seen { fingerprint: 0, time: Timestamp::from_nanos(i64::MIN), place: Place::default() };
        Self {
            hasher: SeedableRandomState::with_seed(0, SharedSeed::global_fixed()),
            recent: vec![never; MEMORY],
        }
    }
}

impl Duplicates {
    /// Whether a segment is a copy of one seen shortly before; remembers it if not.
    pub(super) fn is_copy(&mut self, segment: &Segment) -> bool {
        let fingerprint = self.hasher.hash_one(Invariant::of(segment));
        let place = Place { capture: segment.id.capture, interface: segment.interface, ttl: segment.ttl };
        let index = (fingerprint as usize) & (MEMORY - 1);
        let Some(seen) = self.recent.get_mut(index) else { return false };
        if seen.fingerprint == fingerprint {
            let marked = segment.ip_id.is_some_and(|id| id != 0) || segment.options.timestamps.is_some();
            let limit = match (seen.place == place, marked) {
                (true, _) => SAME_PLACE,
                (false, true) => ELSEWHERE_MARKED,
                (false, false) => ELSEWHERE,
            };
            if segment.time.since(seen.time).abs() <= limit {
                return true;
            }
        }
        *seen = Seen { fingerprint, time: segment.time, place };
        false
    }
}

/// What no router changes: everything but TTL, addresses of the link and checksums.
#[derive(Hash)]
struct Invariant {
    ends: (crate::segment::Endpoint, crate::segment::Endpoint),
    numbers: (u32, u32, u32),
    header: (u8, u16, Option<u16>),
    options: (Option<crate::segment::TcpTimestamps>, Option<crate::segment::SackBlock>),
    octet: Option<u8>,
}

impl Invariant {
    fn of(segment: &Segment) -> Self {
        Self {
            ends: (segment.source, segment.destination),
            numbers: (segment.seq.0, segment.ack.0, segment.len),
            header: (segment.flags.0, segment.window, segment.ip_id),
            options: (segment.options.timestamps, segment.options.sack),
            octet: segment.first_octet,
        }
    }
}
