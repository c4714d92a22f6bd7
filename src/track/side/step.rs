//! What the next segment in its order changes about one side: far less than any segment may.
//!
//! Part of [`Side`]; owns the conditions under which so little changes, and says and learns then what
//! [`Side::on_ack`], [`Side::learn_sent`] and [`Side::learn_header`] would.

use super::bits::Bits;
use super::{MAX_JUMP, Side};
use crate::segment::{Segment, SeqNum};
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
    pub(in crate::track) fn is_step(&self, segment: &Segment) -> bool {
        const KNOWN: u32 = Bits::END | Bits::ORIGIN | Bits::WINDOW;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED | Bits::FINISHED | Bits::HOLE | Bits::FAR;
        // SND.NXT moves away from nothing that would be forgotten, and no count passes what it can hold.
        let open = (self.next as u32).wrapping_sub(self.lower);
        self.bits.are(KNOWN | NOT, KNOWN)
            && segment.seq.0 == self.next as u32
            && u64::from(open) + u64::from(segment.len) <= MAX_JUMP
            && self.segments.max(self.data_segments) < u32::MAX
            && segment.window != 0
    }

    /// What a segment of the other side with an acknowledgment acknowledges, if that is neither below what was
    /// acknowledged nor above SND.NXT, and all up to there was seen.
    #[inline(always)]
    pub(in crate::track) fn step_acked(&self, segment: &Segment) -> Option<Acked> {
        const KNOWN: u32 = Bits::END | Bits::ACKED | Bits::ORIGIN;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED;
        // What was acknowledged is `lower` here, and so near to SND.NXT that nothing between them is far off.
        let news = segment.ack.0.wrapping_sub(self.lower);
        let open = (self.next as u32).wrapping_sub(self.lower);
        if !self.bits.are(KNOWN | NOT, KNOWN) || news > open {
            return None;
        }
        Some(Acked { position: self.next - u64::from(open - news), is_news: news != 0 })
    }

    /// Learns such an acknowledgment of something new.
    #[inline(always)]
    pub(in crate::track) fn step_on_ack(&mut self, segment: &Segment) {
        let [first, second, _] = self.acked_before;
        self.acked_before = [self.lower, first, second];
        self.lower = segment.ack.0;
    }

    /// Learns such a segment.
    #[inline(always)]
    pub(in crate::track) fn step_on(&mut self, segment: &Segment) {
        // Read before anything beside it is written: a processor waits long for what was just written in pieces.
        let (lowest, highest) = self.ttl_range;
        let mut bits = self.bits.with_and_without(Bits::SPOKE, Bits::TOLD_NOTHING);
        if segment.len != 0 {
            let end = self.next + u64::from(segment.len);
            if !bits.has(Bits::ACKED) {
                self.lower = end as u32;
            }
            self.tail_start = self.next as u32;
            self.tail_span = segment.len;
            self.tail_octet = segment.first_octet.unwrap_or(0);
            self.tail_sent = segment.time;
            self.next = end;
            bits = bits.with_data_packet(segment).with_and_without(0, Bits::PROBES_WINDOW);
            bits.set_tail(segment.flags.psh(), segment.first_octet.is_some(), false);
            self.data_segments += 1;
        }
        if let Some(stamps) = segment.options.timestamps {
            let moved = SeqNum(stamps.value).distance_from(SeqNum(self.timestamp));
            if moved >= 0 || !bits.has(Bits::TIMESTAMP) {
                self.timestamp = stamps.value;
            }
            bits = bits.with_and_without(Bits::TIMESTAMP, 0);
        }
        self.bits = bits;
        self.segments += 1;
        self.last_time = segment.time;
        self.last_frame = PackedFrame::new(segment.id);
        self.window = segment.window;
        self.ip_id = segment.ip_id.unwrap_or(0);
        self.ttl = segment.ttl;
        self.ttl_range = (lowest.min(segment.ttl), highest.max(segment.ttl));
    }
}
