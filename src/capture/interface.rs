//! pcapng interfaces: link type, frame check sequence and above all the unit of time.
//!
//! Owns [`Interface`] and [`Options`]. Uses [`crate::time`], [`crate::frame`]. Written by hand because
//! pcap-file 2.0 reads times of the default resolution a thousand times too small, wants an 8-octet `if_tzone`
//! where the format has 4, and refuses a whole file for a name that is not UTF-8.

use std::marker::PhantomData;

use byteorder_slice::ByteOrder;

use crate::frame::{InterfaceNames, LinkType};
use crate::time::Timestamp;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Octets of an interface description before its options.
const FIXED: usize = 8;
/// Octets that are kept of a name or description; Linux allows 15 in a name, and Windows writes a GUID.
const MAX_NAME: usize = 256;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;

/// How units of time become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Units of a nanosecond or more: this many nanoseconds each.
    Times(u64),
    /// Units below a nanosecond: this many make one.
    Per(u128),
    /// Units of 2^-n seconds.
    PowerOfTwo(u8),
}

impl Scale {
    /// The meaning of an `if_tsresol` octet.
    fn from_octet(octet: u8) -> Self {
        let exponent = octet & 0x7f;
        if octet & 0x80 != 0 {
            return Scale::PowerOfTwo(exponent);
        }
        match exponent {
            0..=9 => Scale::Times(10u64.pow(9 - u32::from(exponent))),
            // 64 bits of a unit that small do not make a nanosecond, whatever the unit is exactly.
            _ => Scale::Per(10u128.checked_pow(u32::from(exponent) - 9).unwrap_or(u128::MAX)),
        }
    }

    /// Nanoseconds, rounded down: always less than 2^64 * 10^9, which fits many times.
    fn nanos(self, units: u64) -> u128 {
        let units = u128::from(units);
        match self {
            Scale::Times(nanos) => units * u128::from(nanos),
            Scale::Per(units_per_nano) => units / units_per_nano,
            Scale::PowerOfTwo(exponent) => (units * NANOS_PER_SECOND) >> exponent,
        }
    }
}

/// What a section says about one of its interfaces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// Octets of frame check sequence.
    pub(super) fcs_len: u8,
    /// Longest capture of a packet; 0 for no limit.
    pub(super) snaplen: u32,
    scale: Scale,
    offset_seconds: i64,
}

impl Interface {
    /// Stands in where a packet's interface is not declared: such a frame is counted, not read. The number is
    /// not assigned to any link type.
    pub(super) const UNDECLARED: Interface = Interface {
        link: LinkType::Other(u16::MAX),
        fcs_len: 0,
        snaplen: 0,
        scale: Scale::Times(1_000),
        offset_seconds: 0,
    };

    /// Reads the body of an interface description block. The error says what is wrong with it; with it comes
    /// what can be used all the same.
    pub(super) fn parse<B: ByteOrder>(body: &[u8]) -> (Self, InterfaceNames, Result<(), String>) {
        let mut interface = Self::UNDECLARED;
        let Some((fixed, options)) = body.split_first_chunk::<FIXED>() else {
            let what = format!("an interface description of {} octets", body.len());
            return (interface, InterfaceNames::default(), Err(what));
        };
        let [link @ .., _, _, _, _, _, _] = fixed;
        let [_, _, _, _, snaplen @ ..] = fixed;
        interface.link = LinkType::from_number(B::read_u16(link));
        interface.snaplen = B::read_u32(snaplen);
        let (mut problem, mut names) = (Ok(()), InterfaceNames::default());
        let mut options = Options::<B>::new(options);
        for (code, value) in options.by_ref() {
            let kept = value.get(..MAX_NAME).unwrap_or(value);
            let text = || Some(String::from_utf8_lossy(kept).trim_end_matches('\0').to_owned());
            match (code, value) {
                (IF_NAME, _) => names.name = text(),
                (IF_DESCRIPTION, _) => names.description = text(),
                (IF_TSRESOL, [octet]) => interface.scale = Scale::from_octet(*octet),
                (IF_FCSLEN, [length]) => interface.fcs_len = fcs_octets(*length),
                (IF_TSOFFSET, [_, _, _, _, _, _, _, _]) => interface.offset_seconds = B::read_i64(value),
                (IF_TSRESOL | IF_FCSLEN | IF_TSOFFSET, _) => {
                    problem = Err(format!("an interface option {code} of {} octets", value.len()));
                }
                _ => {}
            }
        }
        if options.broken {
            problem = Err("an interface option that is longer than its block".to_owned());
        }
        (interface, names, problem)
    }

    /// The time of `units` of this interface, rounded down to the nanosecond, and whether it had to be forced
    /// into the range there is.
    #[inline]
    pub(super) fn time(&self, units: u64) -> (Timestamp, bool) {
        if self.offset_seconds == 0
            && let Scale::Times(nanos) = self.scale
            && let Some(nanos) = units.checked_mul(nanos)
            && let Ok(nanos) = i64::try_from(nanos)
        {
            return (Timestamp::from_nanos(nanos), false);
        }
        self.time_at_length(units)
    }

    fn time_at_length(&self, units: u64) -> (Timestamp, bool) {
        let offset = i128::from(self.offset_seconds) * 1_000_000_000;
        let nanos = i128::try_from(self.scale.nanos(units)).unwrap_or(i128::MAX).saturating_add(offset);
        match i64::try_from(nanos) {
            Ok(nanos) => (Timestamp::from_nanos(nanos), false),
            Err(_) if nanos < 0 => (Timestamp::from_nanos(i64::MIN), true),
            Err(_) => (Timestamp::from_nanos(i64::MAX), true),
        }
    }
}

/// The format did not say whether it counts octets or bits, and writers disagree: no frame check sequence has
/// sixteen octets, and none that matters fewer than sixteen bits.
fn fcs_octets(length: u8) -> u8 {
    if length >= 16 && length.is_multiple_of(8) { length / 8 } else { length }
}

/// The options at the end of a pcapng block.
pub(super) struct Options<'a, B> {
    rest: &'a [u8],
    /// The list does not end where it should.
    pub(super) broken: bool,
    order: PhantomData<B>,
}

impl<'a, B: ByteOrder> Options<'a, B> {
    pub(super) fn new(options: &'a [u8]) -> Self {
        Self { rest: options, broken: false, order: PhantomData }
    }
}

impl<'a, B: ByteOrder> Iterator for Options<'a, B> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let Some((head, rest)) = self.rest.split_first_chunk::<4>() else {
            self.broken |= !self.rest.is_empty();
            self.rest = &[];
            return None;
        };
        let [code @ .., _, _] = head;
        let [_, _, length @ ..] = head;
        let (code, length) = (B::read_u16(code), usize::from(B::read_u16(length)));
        if code == 0 {
            self.rest = &[];
            return None;
        }
        let Some(value) = rest.get(..length) else {
            self.broken = true;
            self.rest = &[];
            return None;
        };
        // The last option may lack its padding.
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

#[cfg(test)]
mod tests {
    use byteorder_slice::{BigEndian, LittleEndian};

    use super::*;

    fn with(octet: u8, offset_seconds: i64) -> Interface {
        Interface { scale: Scale::from_octet(octet), offset_seconds, ..Interface::UNDECLARED }
    }

    fn nanos(octet: u8, offset: i64, units: u64) -> (i64, bool) {
        let (time, clamped) = with(octet, offset).time(units);
        (time.as_nanos(), clamped)
    }

    #[test]
    fn decimal_resolutions() {
        assert_eq!(nanos(0, 0, 1_700_000_000), (1_700_000_000_000_000_000, false));
        assert_eq!(nanos(3, 0, 1_700_000_000_123), (1_700_000_000_123_000_000, false));
        assert_eq!(nanos(6, 0, 1_700_000_000_123_456), (1_700_000_000_123_456_000, false));
        assert_eq!(nanos(9, 0, 1_700_000_000_123_456_789), (1_700_000_000_123_456_789, false));
        assert_eq!(nanos(12, 0, 1_999), (1, false));
        assert_eq!(nanos(20, 0, u64::MAX), (184_467_440, false));
        assert_eq!(nanos(127, 0, u64::MAX), (0, false));
    }

    #[test]
    fn binary_resolutions() {
        assert_eq!(nanos(0x80, 0, 7), (7_000_000_000, false));
        assert_eq!(nanos(0x8a, 0, 1_536), (1_500_000_000, false));
        assert_eq!(nanos(0x94, 0, (1_700_000_000 << 20) + (1 << 19)), (1_700_000_000_500_000_000, false));
        assert_eq!(nanos(0xa0, 0, 3), (0, false));
        assert_eq!(nanos(0xff, 0, u64::MAX), (0, false));
    }

    #[test]
    fn offsets_add_and_what_does_not_fit_is_clamped() {
        assert_eq!(nanos(6, 1_700_000_000, 5), (1_700_000_000_000_005_000, false));
        assert_eq!(nanos(6, -10, 1_000_000), (-9_000_000_000, false));
        assert_eq!(nanos(0, 0, u64::MAX), (i64::MAX, true));
        assert_eq!(nanos(6, i64::MIN, 0), (i64::MIN, true));
        assert_eq!(nanos(0, i64::MAX, u64::MAX), (i64::MAX, true));
        // Out of range on the way, in range at the end.
        assert_eq!(nanos(0, -10_000_000_000, 10_000_000_001), (1_000_000_000, false));
    }

    #[test]
    fn every_resolution_octet_can_be_used() {
        for octet in 0..=u8::MAX {
            for units in [0, 1, u64::MAX] {
                for offset in [0, i64::MIN, i64::MAX] {
                    let _ = nanos(octet, offset, units);
                }
            }
        }
    }

    #[test]
    fn options_are_read_in_the_order_of_the_section() {
        let body = [
            0, 1, 0, 0, 0, 0, 0, 96, 0, 2, 0, 3, 0xff, 0xfe, 0x80, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0, 13, 0, 1,
            32, 0, 0, 0,
        ];
        let (interface, _, problem) = Interface::parse::<BigEndian>(&body);
        assert_eq!(problem, Ok(()));
        assert_eq!((interface.link, interface.snaplen, interface.fcs_len), (LinkType::Ethernet, 96, 4));
        assert_eq!(interface.scale, Scale::Times(1));
    }

    #[test]
    fn what_is_wrong_with_options_is_told_and_the_rest_is_used() {
        let body = [113, 0, 0, 0, 0, 0, 0, 0, 13, 0, 1, 0, 4, 0, 0, 0, 9, 0, 2, 0, 9, 9, 0, 0];
        let (interface, _, problem) = Interface::parse::<LittleEndian>(&body);
        assert_eq!(problem, Err("an interface option 9 of 2 octets".to_owned()));
        assert_eq!((interface.link, interface.fcs_len), (LinkType::LinuxSll, 4));
        let (_, _, problem) = Interface::parse::<LittleEndian>(&[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 200, 0, 6]);
        assert!(problem.is_err());
        let (interface, _, problem) = Interface::parse::<LittleEndian>(&[1, 0, 0]);
        assert!(problem.is_err());
        assert_eq!(interface.link, LinkType::Other(u16::MAX));
    }
}
