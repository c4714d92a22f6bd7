//! A segment in as few octets as nearly all of them need.
//!
//! Owns [`Brief`]. There is one for every frame on its way from who reads to who follows, so it is small, and whichever IP
//! version and options a segment has it is read without asking which: that cannot be foretold, and a processor that
//! guesses wrong waits longer than all the rest takes.

use super::ends::{Ends, words_v4, words_v6};
use super::{Flags, Options, SackBlock, Segment, SeqNum, TcpTimestamps};
use crate::frame::{Frame, FrameId};
use crate::time::Timestamp;

/// What most segments have, in 96 octets. What is absent is 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Brief {
    /// The sender first.
    pub(crate) ends: Ends,
    pub(crate) has: Has,
    pub(crate) flags: Flags,
    pub(crate) ttl: u8,
    pub(crate) first_octet: u8,
    pub(crate) seq: SeqNum,
    pub(crate) ack: SeqNum,
    pub(crate) stamps: TcpTimestamps,
    pub(crate) sack: SackBlock,
    pub(crate) len: u32,
    pub(crate) window: u16,
    pub(crate) ip_id: u16,
    pub(crate) capture: u32,
    pub(crate) interface: u32,
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
}

/// Yes and no about a segment, in one octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Has(pub(crate) u8);

impl Has {
    pub(crate) const V6: u8 = 1;
    pub(crate) const DONT_FRAGMENT: u8 = 1 << 1;
    pub(crate) const OCTET: u8 = 1 << 2;
    pub(crate) const STAMPS: u8 = 1 << 3;
    pub(crate) const SACK: u8 = 1 << 4;
    /// There is more to it than stands here.
    pub(crate) const MORE: u8 = 1 << 5;
    /// It is no segment at all.
    pub(crate) const NOTHING: u8 = 1 << 6;

    #[inline(always)]
    pub(crate) const fn any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

impl Brief {
    /// A place for a segment.
    pub(crate) const BLANK: Self = Self {
        ends: Ends::NONE,
        has: Has(Has::NOTHING),
        flags: Flags(0),
        ttl: 0,
        first_octet: 0,
        seq: SeqNum(0),
        ack: SeqNum(0),
        stamps: TcpTimestamps { value: 0, echo: 0 },
        sack: SackBlock { left: SeqNum(0), right: SeqNum(0) },
        len: 0,
        window: 0,
        ip_id: 0,
        capture: 0,
        interface: 0,
        number: 0,
        time: Timestamp::from_nanos(0),
    };

    /// What is brief of a segment; [`Has::MORE`] where that is not all.
    pub(crate) fn of(segment: &Segment) -> Self {
        let bit = |is: bool, bit: u8| if is { bit } else { 0 };
        let six = segment.source.address.is_ipv6();
        let mut brief = Self {
            ends: Ends::new(segment.source, segment.destination),
            has: Has(bit(six, Has::V6) | bit(segment.dont_fragment, Has::DONT_FRAGMENT)),
            flags: segment.flags,
            ttl: segment.ttl,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            window: segment.window,
            ip_id: segment.ip_id.unwrap_or(0),
            capture: segment.id.capture,
            interface: segment.interface,
            number: segment.id.number,
            time: segment.time,
            ..Self::BLANK
        };
        brief.set_first_octet(segment.first_octet);
        brief.set_options(&segment.options);
        let is_odd = segment.destination.address.is_ipv6() != six || segment.ip_id.is_none() != six;
        brief.has.0 |= bit(is_odd, Has::MORE);
        brief
    }

    /// Sets where and when it was captured.
    #[inline(always)]
    pub(super) fn set_frame(&mut self, frame: &Frame<'_>) {
        self.capture = frame.id.capture;
        self.number = frame.id.number;
        self.interface = frame.interface;
        self.time = frame.time;
    }

    /// Sets what the header of an IPv4 packet says, and that nothing else is known.
    #[inline(always)]
    pub(super) fn set_v4(
        &mut self,
        source: [u8; 4],
        destination: [u8; 4],
        ttl: u8,
        ip_id: u16,
        dont_fragment: bool,
    ) {
        (self.ends.first, self.ends.second) = (words_v4(source), words_v4(destination));
        (self.ttl, self.ip_id) = (ttl, ip_id);
        self.has = Has(u8::from(dont_fragment) * Has::DONT_FRAGMENT);
    }

    /// The same of an IPv6 packet.
    #[inline(always)]
    pub(super) fn set_v6(&mut self, source: [u8; 16], destination: [u8; 16], hop_limit: u8) {
        (self.ends.first, self.ends.second) = (words_v6(source), words_v6(destination));
        (self.ttl, self.ip_id) = (hop_limit, 0);
        self.has = Has(Has::V6 | Has::DONT_FRAGMENT);
    }

    #[inline(always)]
    pub(super) fn set_ports(&mut self, source: u16, destination: u16) {
        (self.ends.first_port, self.ends.second_port) = (source, destination);
    }

    #[inline(always)]
    pub(super) fn set_first_octet(&mut self, octet: Option<u8>) {
        self.has.0 = (self.has.0 & !Has::OCTET) | (u8::from(octet.is_some()) * Has::OCTET);
        self.first_octet = octet.unwrap_or(0);
    }

    /// Sets that there is no option but this one, if that.
    #[inline(always)]
    pub(super) fn set_stamps(&mut self, stamps: Option<TcpTimestamps>) {
        self.has.0 |= u8::from(stamps.is_some()) * Has::STAMPS;
        self.stamps = stamps.unwrap_or(Self::BLANK.stamps);
        self.sack = Self::BLANK.sack;
    }

    /// Sets what is brief of options.
    pub(super) fn set_options(&mut self, options: &Options) {
        let Options { timestamps, sack, window_scale, mss, sack_permitted, incomplete } = *options;
        let more = window_scale.is_some() || mss.is_some() || sack_permitted || incomplete;
        let bit = |is: bool, bit: u8| if is { bit } else { 0 };
        self.has.0 = (self.has.0 & !(Has::STAMPS | Has::SACK | Has::MORE))
            | bit(timestamps.is_some(), Has::STAMPS)
            | bit(sack.is_some(), Has::SACK)
            | bit(more, Has::MORE);
        self.stamps = timestamps.unwrap_or(Self::BLANK.stamps);
        self.sack = sack.unwrap_or(Self::BLANK.sack);
    }

    /// All that no router changes, but for the addresses, in five words.
    #[inline(always)]
    pub(crate) fn words(&self) -> [u64; 5] {
        // Each pair lies in memory as it is read here, so that it is read at once.
        let pair = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
        let marks = u32::from(self.window) | (u32::from(self.ip_id) << 16);
        let told = self.has.0 & (Has::OCTET | Has::STAMPS | Has::SACK);
        let small = u32::from_le_bytes([told, self.flags.0, 0, self.first_octet]);
        [
            pair(self.seq.0, self.ack.0),
            pair(self.stamps.value, self.stamps.echo),
            pair(self.sack.left.0, self.sack.right.0),
            pair(self.len, marks),
            pair(self.ends.ports(), small),
        ]
    }

    /// Whether this is all there is to a segment.
    #[inline(always)]
    pub(crate) const fn is_whole(&self) -> bool {
        !self.has.any(Has::MORE | Has::NOTHING)
    }

    /// The segment, if this is all there is to it.
    pub(crate) fn segment(&self) -> Segment {
        let has = |bit: u8| self.has.any(bit);
        Segment {
            id: FrameId { capture: self.capture, number: self.number },
            time: self.time,
            interface: self.interface,
            source: self.ends.first(has(Has::V6)),
            destination: self.ends.second(has(Has::V6)),
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            len: self.len,
            first_octet: has(Has::OCTET).then_some(self.first_octet),
            options: Options {
                timestamps: has(Has::STAMPS).then_some(self.stamps),
                sack: has(Has::SACK).then_some(self.sack),
                ..Options::default()
            },
            ttl: self.ttl,
            ip_id: (!has(Has::V6)).then_some(self.ip_id),
            dont_fragment: has(Has::DONT_FRAGMENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::segment::Endpoint;

    proptest! {
        /// A brief segment is the segment, or says that there is more.
        #[test]
        fn nothing_is_lost(
            (source, destination) in any::<(IpAddr, IpAddr)>(),
            (seq, ack, len, interface, number, time) in any::<(u32, u32, u32, u32, u64, i64)>(),
            (source_port, port, window, capture, flags, ttl) in any::<(u16, u16, u16, u32, u8, u8)>(),
            (first_octet, ip_id, dont_fragment) in any::<(Option<u8>, Option<u16>, bool)>(),
            (stamps, sack) in any::<(Option<(u32, u32)>, Option<(u32, u32)>)>(),
            (window_scale, mss) in (option::weighted(0.1, 0..15_u8), option::weighted(0.1, any::<u16>())),
            (sack_permitted, incomplete) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        ) {
            let segment = Segment {
                id: FrameId { capture, number },
                time: Timestamp::from_nanos(time),
                interface,
                source: Endpoint { address: source, port: source_port },
                destination: Endpoint { address: destination, port },
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: Flags(flags),
                window,
                len,
                first_octet,
                options: Options {
                    timestamps: stamps.map(|(value, echo)| TcpTimestamps { value, echo }),
                    sack: sack.map(|(left, right)| SackBlock { left: SeqNum(left), right: SeqNum(right) }),
                    window_scale,
                    mss,
                    sack_permitted,
                    incomplete,
                },
                ttl,
                ip_id,
                dont_fragment,
            };
            let brief = Brief::of(&segment);
            let of_syn = window_scale.is_some() || mss.is_some() || sack_permitted || incomplete;
            let odd = source.is_ipv6() != destination.is_ipv6() || source.is_ipv6() != ip_id.is_none();
            prop_assert_eq!(brief.is_whole(), !of_syn && !odd);
            if brief.is_whole() {
                prop_assert_eq!(format!("{:?}", brief.segment()), format!("{segment:?}"));
            }
        }
    }
}
