//! What the next segment in its order changes about one side: far less than any segment may.
//!
//! Part of [`Side`]; owns the conditions under which so little changes, and says and learns then what
//! [`Side::on_ack`], [`Side::learn_sent`] and [`Side::learn_header`] would.

use std::hint::select_unpredictable;

use super::bits::Bits;
use super::{MAX_JUMP, Side};
use crate::frame::FrameId;
use crate::segment::{Brief, Has, SeqNum};
use crate::track::packed::PackedFrame;

/// What such a segment acknowledges.
#[derive(Clone, Copy, Debug)]
pub(in crate::track) struct Acked {
    /// This position.
    pub(in crate::track) position: u64,
    /// It was not acknowledged before.
    pub(in crate::track) is_news: bool,
}

impl Side {
    /// SND.NXT, or 0 while nothing is known.
    #[inline(always)]
    pub(in crate::track) fn next_position(&self) -> u64 {
        self.next
    }

    /// Whether a segment stands at SND.NXT, all below was seen, and neither its window nor any count makes it special.
    #[inline(always)]
    pub(in crate::track) fn is_step(&self, brief: &Brief) -> bool {
        const KNOWN: u32 = Bits::END | Bits::ORIGIN | Bits::WINDOW;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED | Bits::FINISHED | Bits::HOLE | Bits::FAR;
        // SND.NXT moves away from nothing that would be forgotten, and no count passes what it can hold.
        let open = (self.next as u32).wrapping_sub(self.lower);
        self.bits.are(KNOWN | NOT, KNOWN)
            && brief.seq.0 == self.next as u32
            && u64::from(open) + u64::from(brief.len) <= MAX_JUMP
            && self.segments.max(self.data_segments) < u32::MAX
            && brief.window != 0
    }

    /// What a segment of the other side with an acknowledgment acknowledges, if that is neither below what was
    /// acknowledged nor above SND.NXT, and all up to there was seen.
    #[inline(always)]
    pub(in crate::track) fn step_acked(&self, brief: &Brief) -> Option<Acked> {
        const KNOWN: u32 = Bits::END | Bits::ACKED | Bits::ORIGIN;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED;
        // What was acknowledged is `lower` here, and so near to SND.NXT that nothing between them is far off.
        let news = brief.ack.0.wrapping_sub(self.lower);
        let open = (self.next as u32).wrapping_sub(self.lower);
        if !self.bits.are(KNOWN | NOT, KNOWN) || news > open {
            return None;
        }
        Some(Acked { position: self.next - u64::from(open - news), is_news: news != 0 })
    }

    /// Learns such an acknowledgment. Whether it is of something new cannot be foretold, so nothing branches on it.
    #[inline(always)]
    pub(in crate::track) fn step_on_ack(&mut self, brief: &Brief, acked: Acked) {
        let [first, second, third] = self.acked_before;
        let [before, after] = [[first, second, third], [self.lower, first, second]];
        self.acked_before = select_unpredictable(acked.is_news, after, before);
        // What is acknowledged again is `lower` already.
        self.lower = brief.ack.0;
    }

    /// Learns such a brief.
    #[inline(always)]
    pub(in crate::track) fn step_on(&mut self, brief: &Brief) {
        // Read before anything beside it is written: a processor waits long for what was just written in pieces.
        let (lowest, highest) = self.ttl_range;
        let mut bits = self.bits.with_and_without(Bits::SPOKE, Bits::TOLD_NOTHING);
        if brief.len != 0 {
            let end = self.next + u64::from(brief.len);
            if !bits.has(Bits::ACKED) {
                self.lower = end as u32;
            }
            self.tail_start = self.next as u32;
            self.tail_span = brief.len;
            self.tail_octet = brief.first_octet;
            self.tail_sent = brief.time;
            self.next = end;
            bits = bits
                .with_data_packet(brief.has.any(Has::DONT_FRAGMENT))
                .with_and_without(0, Bits::PROBES_WINDOW);
            bits.set_tail(brief.flags.psh(), brief.has.any(Has::OCTET), false);
            self.data_segments += 1;
        }
        if brief.has.any(Has::STAMPS) {
            let moved = SeqNum(brief.stamps.value).distance_from(SeqNum(self.timestamp));
            if moved >= 0 || !bits.has(Bits::TIMESTAMP) {
                self.timestamp = brief.stamps.value;
            }
            bits = bits.with_and_without(Bits::TIMESTAMP, 0);
        }
        self.bits = bits;
        self.segments += 1;
        self.last_time = brief.time;
        self.last_frame = PackedFrame::new(FrameId { capture: brief.capture, number: brief.number });
        self.window = brief.window;
        self.ip_id = brief.ip_id;
        self.ttl = brief.ttl;
        self.ttl_range = (lowest.min(brief.ttl), highest.max(brief.ttl));
    }
}
