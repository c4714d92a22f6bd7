//! What the next segment in its order changes about one side: far less than any segment may.
//!
//! Part of [`Side`]; owns the conditions under which so little changes, and says and learns then what
//! [`Side::on_ack`], [`Side::learn_sent`] and [`Side::learn_header`] would.

use super::bits::Bits;
use super::{MAX_JUMP, Side};
use crate::segment::Segment;
use crate::track::packed::PackedFrame;

/// How far a segment acknowledges what the other side sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::track) enum Acked {
    /// As far as before: to this position.
    Same(u64),
    /// Farther than before.
    More(u64),
}

impl Acked {
    #[inline(always)]
    pub(in crate::track) fn position(self) -> u64 {
        match self {
            Self::Same(position) | Self::More(position) => position,
        }
    }
}

impl Side {
    /// SND.NXT, or 0 while nothing is known.
    #[inline(always)]
    pub(in crate::track) fn next_position(&self) -> u64 {
        self.next
    }

    /// The position after a segment, if it stands at SND.NXT, all below was seen, and neither its window nor any count
    /// makes it special.
    #[inline(always)]
    pub(in crate::track) fn step_end(&self, segment: &Segment) -> Option<u64> {
        const KNOWN: u32 = Bits::END | Bits::ORIGIN | Bits::WINDOW;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED | Bits::FINISHED | Bits::HOLE | Bits::FAR;
        let end = self.next + u64::from(segment.len);
        let fits = self.bits.are(KNOWN | NOT, KNOWN) && segment.seq.0 == self.next as u32;
        // SND.NXT moves away from nothing that would be forgotten, and no count passes what it can hold.
        let open = (self.next as u32).wrapping_sub(self.lower);
        let near = u64::from(open) + u64::from(segment.len) <= MAX_JUMP;
        let counts = self.segments < u32::MAX && self.data_segments < u32::MAX;
        (fits && near && counts && segment.window != 0).then_some(end)
    }

    /// What a segment of the other side acknowledges, if that is neither below what was acknowledged nor above
    /// SND.NXT, and all up to there was seen.
    #[inline(always)]
    pub(in crate::track) fn step_acked(&self, segment: &Segment) -> Option<Acked> {
        const KNOWN: u32 = Bits::END | Bits::ACKED | Bits::ORIGIN;
        const NOT: u32 = Bits::END_IS_LOWER | Bits::UNANCHORED;
        // What was acknowledged is `lower` here, and so near to SND.NXT that nothing between them is far off.
        let news = segment.ack.0.wrapping_sub(self.lower);
        let open = (self.next as u32).wrapping_sub(self.lower);
        if !self.bits.are(KNOWN | NOT, KNOWN) || news > open || !segment.flags.ack() {
            return None;
        }
        let position = self.next - u64::from(open - news);
        Some(if news == 0 { Acked::Same(position) } else { Acked::More(position) })
    }

    /// Learns such an acknowledgment.
    #[inline(always)]
    pub(in crate::track) fn step_on_ack(&mut self, acked: Acked) {
        if let Acked::More(position) = acked {
            let [first, second, _] = self.acked_before;
            self.acked_before = [self.lower, first, second];
            self.lower = position as u32;
        }
    }

    /// Learns such a segment, which ends at `end`.
    #[inline(always)]
    pub(in crate::track) fn step_on(&mut self, segment: &Segment, end: u64) {
        // Read before anything beside it is written: a processor waits long for what was just written in pieces.
        let (lowest, highest) = self.ttl_range;
        if end != self.next {
            if !self.bits.has(Bits::ACKED) {
                self.lower = end as u32;
            }
            self.tail_start = self.next as u32;
            self.tail_span = segment.len;
            self.tail_octet = segment.first_octet.unwrap_or(0);
            self.tail_sent = segment.time;
            self.next = end;
            self.bits.set(Bits::PROBES_WINDOW, false);
            self.bits.set_tail(segment.flags.psh(), segment.first_octet.is_some(), false);
            self.data_segments += 1;
        }
        if let Some(stamps) = segment.options.timestamps
            && !self.goes_back_in_time(segment)
        {
            self.bits.set(Bits::TIMESTAMP, true);
            self.timestamp = stamps.value;
        }
        self.window = segment.window;
        self.ttl_range = (lowest.min(segment.ttl), highest.max(segment.ttl));
        self.last_time = segment.time;
        self.last_frame = PackedFrame::new(segment.id);
        self.ip_id = segment.ip_id.unwrap_or(0);
        self.ttl = segment.ttl;
        self.bits.set(Bits::TOLD_NOTHING, false);
        self.bits.set(Bits::SPOKE, true);
        self.bits.learn_looks(segment);
        self.segments += 1;
    }
}
