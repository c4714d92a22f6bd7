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

/// How many packets share one place of the memory, as many as two cache lines hold: an original is forgotten
/// once that many others came to its place.
const WAYS: usize = 8;

/// How many such places there are (a power of two): 256 KiB in all, which stay in a core's cache. With
/// 25,000 packets a second and two taps 200 ms apart, one original in 250 is forgotten too soon; with 12,500 one
/// in 20,000.
const SETS: usize = 2048;

/// A copy seen at another interface, capture or hop may come this much later if the packet carries a mark of
/// its own (IPv4 identification or TCP timestamps): the longest delay between two taps on one path.
const ELSEWHERE_MARKED: Span = Span::from_millis(200);

/// The same without such a mark, where equal packets may be two packets.
const ELSEWHERE: Span = Span::from_millis(5);

/// A copy seen at the same place (a mirror port that sends both ways).
const SAME_PLACE: Span = Span::from_millis(1);

/// Some recent packets, the latest first.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
struct Set {
    labels: [Label; WAYS],
    times: [Timestamp; WAYS],
}

/// What a packet was and where it was seen, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label(u64);

impl Label {
    /// The bits that tell where; the others tell what. (The lowest of the fingerprint choose the set.)
    const PLACE_BITS: u32 = 24;

    fn new(fingerprint: u64, segment: &Segment) -> Self {
        // Captures and interfaces are counted from 0, so that they differ in their low bits.
        let tap = segment.id.capture.wrapping_mul(0x0101).wrapping_add(segment.interface) & 0xffff;
        let place = (tap << 8) | u32::from(segment.ttl);
        Self((fingerprint >> Self::PLACE_BITS << Self::PLACE_BITS) | u64::from(place))
    }

    fn is_same_packet(self, other: Self) -> bool {
        (self.0 ^ other.0) >> Self::PLACE_BITS == 0
    }
}

/// The memory of recent packets.
#[derive(Debug)]
pub(super) struct Duplicates {
    hasher: SeedableRandomState,
    recent: Vec<Set>,
}

impl Default for Duplicates {
    fn default() -> Self {
        let never = Set { labels: [Label(0); WAYS], times: [Timestamp::from_nanos(i64::MIN); WAYS] };
        Self {
            hasher: SeedableRandomState::with_seed(0, SharedSeed::global_fixed()),
            recent: vec![never; SETS],
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
        let label = Label::new(fingerprint, segment);
        let Some(set) = self.recent.get_mut((fingerprint as usize) & (SETS - 1)) else { return false };
        let mut seen = false;
        for other in set.labels {
            seen |= label.is_same_packet(other);
        }
        if seen && set.holds_original(label, segment) {
            return true;
        }
        set.remember(label, segment.time);
        false
    }
}

impl Set {
    /// Whether one of these packets is close enough in time to be the original.
    #[cold]
    fn holds_original(&self, label: Label, segment: &Segment) -> bool {
        let marked = segment.ip_id.is_some_and(|id| id != 0) || segment.options.timestamps.is_some();
        self.labels.iter().zip(self.times).filter(|(seen, _)| label.is_same_packet(**seen)).any(
            |(seen, time)| {
                let limit = match (*seen == label, marked) {
                    (true, _) => SAME_PLACE,
                    (false, true) => ELSEWHERE_MARKED,
                    (false, false) => ELSEWHERE,
                };
                segment.time.since(time).abs() <= limit
            },
        )
    }

    /// Puts a packet in the place of the one that came first.
    #[inline]
    fn remember(&mut self, label: Label, time: Timestamp) {
        self.labels.copy_within(..WAYS - 1, 1);
        self.times.copy_within(..WAYS - 1, 1);
        self.labels[0] = label;
        self.times[0] = time;
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
