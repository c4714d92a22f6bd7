//! Captured copies of one packet: two taps, `-i any` at a router, a mirror port that sees both ways.
//!
//! Owns a small memory of recent packets, of fixed size. A copy equals its original in everything that no
//! router changes. Uses [`crate::segment`] and [`crate::time`].

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use super::hash::salt_of;
use crate::segment::{Brief, Has};
use crate::time::{Span, Timestamp};

/// How many packets share one place of the memory: an original is forgotten once that many others came to its place. One
/// that comes again and again counts once.
const WAYS: usize = 8;

/// How many such places there are (a power of two): 288 KiB in all, of which most packets read only the 32 KiB of tags. With
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

/// A little of what some recent packets were: enough to see that nearly every packet is none of them.
type Tags = [u16; WAYS];

/// Some recent packets.
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
    /// The bits that tell where; the others tell what.
    const PLACE_BITS: u32 = 24;

    #[inline]
    fn new(fingerprint: u64, brief: &Brief) -> Self {
        // Captures and interfaces are counted from 0, so that they differ in their low bits.
        let tap = brief.capture.wrapping_mul(0x0101).wrapping_add(brief.interface) & 0xffff;
        let place = (tap << 8) | u32::from(brief.ttl);
        Self((fingerprint >> Self::PLACE_BITS << Self::PLACE_BITS) | u64::from(place))
    }

    #[inline]
    fn tag(self) -> u16 {
        (self.0 >> (u64::BITS - u16::BITS)) as u16
    }

    #[inline]
    fn is_same_packet(self, other: Self) -> bool {
        (self.0 ^ other.0) >> Self::PLACE_BITS == 0
    }
}

/// The memory of recent packets.
#[derive(Debug)]
pub(super) struct Duplicates {
    hasher: SeedableRandomState,
    salt: u64,
    tags: Box<[Tags; SETS]>,
    recent: Box<[Set; SETS]>,
    /// For each set, which of its packets came first.
    first: Box<[u8; SETS]>,
}

impl Duplicates {
    /// With a `seed` that nobody can know, no packet can be made to pass for a copy of another.
    pub(super) fn new(seed: u64) -> Self {
        let never = Set { labels: [Label(0); WAYS], times: [Timestamp::from_nanos(i64::MIN); WAYS] };
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            salt: salt_of(seed),
            tags: Box::new([[0; WAYS]; SETS]),
            recent: Box::new([never; SETS]),
            first: Box::new([0; SETS]),
        }
    }

    /// Whether a segment is a copy of one seen shortly before; remembers it if not. `ends` is a hash of its
    /// addresses and ports with the same seed.
    #[inline]
    pub(super) fn is_copy(&mut self, brief: &Brief, ends: u32) -> bool {
        let words = brief.words();
        let label = Label::new(self.fingerprint(&words, ends), brief);
        let place = place_of(&words);
        let memory = (self.tags.get_mut(place), self.recent.get_mut(place), self.first.get_mut(place));
        let (Some(tags), Some(set), Some(first)) = memory else { return false };
        let mut seen = false;
        for tag in *tags {
            seen |= tag == label.tag();
        }
        if seen {
            if set.holds_original(label, brief) {
                return true;
            }
            if set.renew(label, brief.time) {
                return false;
            }
        }
        let at = usize::from(*first) % WAYS;
        *first = first.wrapping_add(1);
        let oldest = (tags.get_mut(at), set.labels.get_mut(at), set.times.get_mut(at));
        if let (Some(tag), Some(old), Some(time)) = oldest {
            (*tag, *old, *time) = (label.tag(), label, brief.time);
        }
        false
    }

    /// Mixes what no router changes: everything but TTL, addresses of the link and checksums.
    #[inline]
    fn fingerprint(&self, words: &[u64; 5], ends: u32) -> u64 {
        let [numbers, stamps, sack, sizes, small] = *words;
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(wide(numbers ^ self.salt, stamps));
        hasher.write_u128(wide(sack ^ self.salt, sizes));
        hasher.write_u128(wide(small ^ self.salt, ends.into()));
        hasher.finish()
    }
}

#[inline(always)]
fn wide(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

/// In which set a packet is looked for. Not by the seed: which originals are forgotten too soon does not depend on it.
#[inline(always)]
fn place_of(words: &[u64; 5]) -> usize {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let [numbers, stamps, _, sizes, small] = *words;
    let mixed = (numbers ^ small.rotate_left(16)).wrapping_mul(SPREAD) ^ stamps ^ sizes;
    (mixed.wrapping_mul(SPREAD) >> (u64::BITS - SETS.ilog2())) as usize
}

impl Set {
    /// Whether one of these packets is close enough in time to be the original.
    #[cold]
    fn holds_original(&self, label: Label, brief: &Brief) -> bool {
        let marked = brief.ip_id != 0 || brief.has.any(Has::STAMPS);
        self.labels.iter().zip(self.times).filter(|(seen, _)| label.is_same_packet(**seen)).any(
            |(seen, time)| {
                let limit = match (*seen == label, marked) {
                    (true, _) => SAME_PLACE,
                    (false, true) => ELSEWHERE_MARKED,
                    (false, false) => ELSEWHERE,
                };
                brief.time.since(time).abs() <= limit
            },
        )
    }

    /// Remembers this time of a packet that is here already, if it is.
    #[cold]
    fn renew(&mut self, label: Label, time: Timestamp) -> bool {
        let known = self.labels.iter().zip(&mut self.times).find(|(seen, _)| **seen == label);
        known.map(|(_, last)| *last = time).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{SackBlock, SeqNum, TcpTimestamps};

    /// A packet of which copies are told by its identification.
    fn packet(seq: u32) -> Brief {
        Brief { seq: SeqNum(seq), ip_id: 7, ..Brief::BLANK }
    }

    fn place(brief: &Brief) -> usize {
        place_of(&brief.words())
    }

    /// The same numbers as foldhash multiplies with: packets that differ in anything beside them are no copies.
    #[test]
    fn no_chosen_number_makes_one_packet_pass_for_another() {
        const KNOWN: u64 = 0xc0ac_29b7_c97c_50dd;
        let (low, high) = (SeqNum(KNOWN as u32), SeqNum((KNOWN >> 32) as u32));
        let sack = SackBlock { left: low, right: high };
        let chosen = Brief { seq: low, ack: high, sack, has: Has(Has::STAMPS | Has::SACK), ..packet(1) };
        for stamp in 1..200 {
            let mut memory = Duplicates::new(0);
            let other = Brief { stamps: TcpTimestamps { value: stamp, echo: 0 }, ..chosen };
            let fingerprints = [chosen, other].map(|brief| memory.fingerprint(&brief.words(), 0));
            assert_ne!(fingerprints[0], fingerprints[1], "stamp {stamp}");
            assert!(!memory.is_copy(&chosen, 0));
            assert!(memory.is_copy(&chosen, 0) && !memory.is_copy(&other, 0));
        }
    }

    #[test]
    fn a_packet_that_comes_again_and_again_displaces_no_other() {
        let one = packet(1);
        let in_its_place = (2..).map(packet).find(|other| place(other) == place(&one));
        let again = in_its_place.expect("another number with this place");
        let mut memory = Duplicates::new(0);
        assert!(!memory.is_copy(&one, 0));
        for count in 1..=20 {
            // Too late for a copy at the same place.
            let time = Timestamp::from_nanos(count * 2_000_000);
            assert!(!memory.is_copy(&Brief { time, ..again }, 0), "time {count}");
        }
        let late = Timestamp::from_nanos(60_000_000);
        assert!(memory.is_copy(&Brief { time: late, interface: 1, ..one }, 0));
        assert!(memory.is_copy(&Brief { time: late, interface: 1, ..again }, 0));
    }
}
