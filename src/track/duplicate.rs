//! Captured copies of one packet: two taps, `-i any` at a router, a mirror port that sees both ways.
//!
//! Owns a small memory of recent packets, of fixed size. A copy equals its original in everything that no
//! router changes. Uses [`crate::segment`] and [`crate::time`].

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

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
    #[inline]
    pub(super) fn is_copy(&mut self, segment: &Segment) -> bool {
        let mut hasher = self.hasher.build_hasher();
        mix_invariant(segment, &mut hasher);
        let fingerprint = hasher.finish();
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

/// Mixes what no router changes: everything but TTL, addresses of the link and checksums.
#[inline]
fn mix_invariant(segment: &Segment, hasher: &mut impl Hasher) {
    // Few wide numbers instead of many narrow ones: this is done for every segment.
    let wide = |[a, b, c, d]: [u32; 4]| {
        (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32) | u128::from(d)
    };
    let Segment { source, destination, flags, options, .. } = segment;
    let stamps = options.timestamps.map_or([0; 2], |stamps| [stamps.value, stamps.echo]);
    let present = [
        segment.ip_id.is_some(),
        segment.first_octet.is_some(),
        options.timestamps.is_some(),
        options.sack.is_some(),
    ];
    let present = present.iter().fold(0, |bits, present| (bits << 1) | u32::from(*present));
    let small = (u32::from(flags.0) << 16) | (u32::from(segment.first_octet.unwrap_or(0)) << 8) | present;
    let ports = (u32::from(source.port) << 16) | u32::from(destination.port);
    let mut ends = [0; 2];
    match (source.address, destination.address) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ends = [source.into(), destination.into()],
        (source, destination) => (source, destination).hash(hasher),
    }
    hasher.write_u128(wide([ends[0], ends[1], segment.seq.0, segment.ack.0]));
    hasher.write_u128(wide([stamps[0], stamps[1], segment.len, ports]));
    let window = (u32::from(segment.window) << 16) | u32::from(segment.ip_id.unwrap_or(0));
    match options.sack {
        None => hasher.write_u64((u64::from(window) << 32) | u64::from(small)),
        Some(sack) => hasher.write_u128(wide([sack.left.0, sack.right.0, window, small])),
    }
}
