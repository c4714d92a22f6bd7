//! What a segment changes about one side.
//!
//! Part of [`Side`]; owns the order of what is learnt of SEQ, of ACK and of the header.

use super::bits::Bits;
use super::{FAR, MAX_JUMP, Side};
use crate::segment::{Flags, Segment, SeqNum};
use crate::time::{Span, Timestamp};
use crate::track::event::Mark;
use crate::track::packed::{NEVER, PackedFrame};
use crate::track::rare::{Again, RareOf};
use crate::track::repeated::Repeated;

impl Side {
    /// Sets what was seen sent and what was acknowledged.
    #[inline]
    fn set_bounds(&mut self, mut end: Option<u64>, mut acked: Option<u64>, rare: &mut RareOf<'_>) {
        let next = end.max(acked).unwrap_or(0);
        let mut lower = end.min(acked).unwrap_or(next);
        // Neither was far before, and nothing moves SND.NXT so far that the distance needs more than 32 bits.
        let tail_is_far =
            u64::from((next as u32).wrapping_sub(self.tail_start)) > FAR && self.tail_sent != NEVER;
        if next - lower > FAR || tail_is_far {
            self.leave_behind(next, &mut end, &mut acked, rare);
            lower = end.min(acked).unwrap_or(next);
        }
        self.bits.set(Bits::END, end.is_some());
        self.bits.set(Bits::ACKED, acked.is_some());
        self.bits.set(Bits::END_IS_LOWER, end.is_some_and(|end| end < next));
        self.lower = lower as u32;
        self.next = next;
    }

    /// SND.NXT comes to lie at `next`: forgets what is far below.
    #[cold]
    fn leave_behind(
        &mut self,
        next: u64,
        end: &mut Option<u64>,
        acked: &mut Option<u64>,
        rare: &mut RareOf<'_>,
    ) {
        let is_far = |position: u64| next.saturating_sub(position) > FAR;
        // There is no window of that size: these acknowledgments are of another time of the connection.
        *acked = acked.filter(|acked| !is_far(*acked));
        if end.is_some_and(is_far) {
            if self.acks_beyond_tail(acked.unwrap_or(0)) && !self.unanchored() {
                rare.make().missing = true;
            }
            *end = Some(next - FAR);
        }
        if self.tail().is_some_and(|(start, _)| is_far(start)) {
            self.keep_fin_time(rare);
            self.tail_sent = NEVER;
            self.bits.set_tail(false, false, false);
        }
    }

    /// Relative numbers count from here if they count from nowhere yet.
    #[inline]
    fn count_from(&mut self, origin: u64, rare: &mut RareOf<'_>) {
        if !self.bits.has(Bits::ORIGIN) {
            self.set_origin(origin, rare);
        }
    }

    /// Sets where relative numbers count from.
    #[inline]
    fn set_origin(&mut self, origin: u64, rare: &mut RareOf<'_>) {
        self.bits.set(Bits::ORIGIN, true);
        let number = SeqNum::at_position(origin);
        self.origin = number.0;
        let is_first = number.first_position() == origin;
        if !is_first || rare.get().is_some() {
            rare.make().origin = (!is_first).then_some(origin);
        }
    }

    /// Learns an acknowledgment from the peer; returns the position that it acknowledges.
    #[inline]
    pub(in crate::track) fn on_ack(&mut self, ack: SeqNum, mut rare: RareOf<'_>) -> u64 {
        let position = self.position(ack);
        let (end, acked) = (self.end(), self.acked());
        if end.is_some_and(|end| position >= end) {
            self.bits.set(Bits::UNANCHORED, false);
        }
        let plausible = self.next().is_none_or(|next| position <= next.saturating_add(MAX_JUMP));
        if plausible && acked.is_none_or(|acked| position > acked) {
            let [first, second, _] = self.acked_before;
            // Where there was none before, the same one stands for it.
            self.acked_before = match acked {
                Some(acked) => [acked as u32, first, second],
                None => [position as u32; 3],
            };
            self.set_bounds(end, Some(position), &mut rare);
            self.count_from(position.saturating_sub(1), &mut rare);
        }
        position
    }

    /// Learns from a probe: it carries nothing new.
    pub(in crate::track) fn learn_probe(&mut self, position: u64, octet: bool, mut rare: RareOf<'_>) {
        self.bits.set(Bits::TAIL_PROBED, true);
        if octet {
            self.bits.set(Bits::TAIL_PROBED_WITH_OCTET, true);
        }
        if self.end().is_none() {
            self.set_bounds(Some(position), self.acked(), &mut rare);
        }
    }

    /// Learns that one of its earlier segments was a probe.
    pub(in crate::track) fn learn_earlier_probe(&mut self) {
        self.bits.set(Bits::TAIL_PROBED, true);
        self.bits.set(Bits::TAIL_PROBED_WITH_OCTET, true);
    }

    /// Learns that its last segment was one octet into a closed window.
    pub(in crate::track) fn learn_window_probe(&mut self) {
        self.bits.set(Bits::TAIL_PROBES_WINDOW, true);
    }

    /// Learns whether it probes a closed window.
    pub(in crate::track) fn set_probes_window(&mut self, is: bool) {
        self.bits.set(Bits::PROBES_WINDOW, is);
    }

    /// Learns whether it was sent a SYN or RST that RFC 5961 answers with a challenge ACK.
    pub(in crate::track) fn set_provoked(&mut self, is: bool) {
        self.bits.set(Bits::PROVOKED, is);
    }

    /// Learns whether SND.NXT is only bounded from below.
    #[inline]
    pub(in crate::track) fn set_unanchored(&mut self, is: bool) {
        self.bits.set(Bits::UNANCHORED, is);
    }

    /// Learns that it goes on at `position`, so that everything below was sent.
    pub(in crate::track) fn learn_continued(&mut self, position: u64, mut rare: RareOf<'_>) {
        self.set_bounds(self.end().max(Some(position)), self.acked(), &mut rare);
    }

    /// Learns what a segment that is no probe shows of SEQ.
    #[inline]
    pub(in crate::track) fn learn_sent(&mut self, segment: &Segment, position: u64, mut rare: RareOf<'_>) {
        let syn = u64::from(segment.flags.syn());
        let fin = u64::from(segment.flags.fin());
        let end = position + syn + u64::from(segment.len) + fin;
        if segment.flags.syn() {
            self.bits.set(Bits::SYN_SEEN, true);
            self.set_origin(position, &mut rare);
        }
        self.count_from(position.saturating_sub(1), &mut rare);
        let ahead = self.next().is_none_or(|next| end > next && end <= next.saturating_add(MAX_JUMP));
        // An empty segment may have come before the octets that it was sent after.
        let fills = self.next == end && !self.tail_is_captured();
        let carries = end > position;
        if carries {
            self.learn_hole(position, end, &mut rare);
        }
        let known = self.end();
        if ahead || known.is_none() {
            self.set_bounds(Some(end), self.acked(), &mut rare);
        }
        if carries && (ahead || fills) {
            if self.finished() {
                self.keep_fin_time(&mut rare);
            }
            self.bits.set(Bits::PROBES_WINDOW, false);
            self.tail_start = position as u32;
            self.tail_span = (end - position) as u32;
            self.tail_octet = segment.first_octet.unwrap_or(0);
            self.tail_sent = segment.time;
            let is_octet = segment.len == 1 && end - position == 1;
            self.bits.set_tail(segment.flags.psh(), segment.first_octet.is_some(), is_octet);
        } else if carries && self.tail_begins_at(position) {
            self.tail_sent_again(segment.time, &mut rare);
        }
        if segment.flags.fin() && !self.finished() {
            self.bits.set(Bits::FINISHED, true);
            self.fin_frame = PackedFrame::new(segment.id);
            if self.tail_sent != segment.time {
                rare.make().fin = segment.time;
            }
        }
    }

    /// Keeps the time of the first FIN, before something else is sent.
    #[cold]
    fn keep_fin_time(&mut self, rare: &mut RareOf<'_>) {
        let time = self.tail_sent;
        if self.finished() {
            let rare = rare.make();
            rare.fin = if rare.fin == NEVER { time } else { rare.fin };
        }
    }

    /// A copy of the segment that last carried something new was sent.
    #[cold]
    fn tail_sent_again(&mut self, time: Timestamp, rare: &mut RareOf<'_>) {
        if self.finished() {
            self.keep_fin_time(rare);
        }
        if let Some((position, _)) = self.tail().filter(|_| self.tail_is_octet()) {
            let gap = time.since(self.tail_sent);
            let again = &mut rare.make().again;
            let before = Some(*again).filter(|before| before.position == position);
            let even_gaps = match before {
                Some(before) if before.is_even(gap) => before.even_gaps.saturating_add(1),
                _ => 0,
            };
            *again = Again { position, gap, even_gaps };
        }
        self.tail_sent = time;
    }

    /// Learns whether octets were left out between what was sent last and these, or whether these fill a hole.
    #[inline]
    fn learn_hole(&mut self, position: u64, end: u64, rare: &mut RareOf<'_>) {
        let known = self.end();
        let skips = known.is_some_and(|last| position > last) && known == self.tail_end();
        if skips || self.bits.has(Bits::HOLE) {
            self.note_hole(position, end, skips, rare);
        }
    }

    #[cold]
    fn note_hole(&mut self, position: u64, end: u64, skips: bool, rare: &mut RareOf<'_>) {
        let (last, acked) = (self.tail_end().unwrap_or(0), self.acked().unwrap_or(0));
        let rare = rare.make();
        if let Some((from, to)) = rare.hole
            && position <= from
            && from < end
        {
            rare.hole = (end < to).then_some((end, to));
        }
        if skips && position - last <= MAX_JUMP {
            rare.missing |= rare.hole.is_some_and(|(from, _)| acked > from);
            rare.hole = Some((last, position));
        }
        self.bits.set(Bits::HOLE, rare.hole.is_some());
    }

    /// Learns what every segment shows besides SEQ and ACK, and whether it told anything new. One that was
    /// overtaken, as its ACK shows, is `late`: its window is not the latest (RFC 9293 §3.10.7.4).
    #[inline]
    pub(in crate::track) fn learn_header(
        &mut self,
        segment: &Segment,
        told_nothing: bool,
        late: bool,
        mut rare: RareOf<'_>,
    ) {
        if let Some(stamps) = segment.options.timestamps
            && !self.goes_back_in_time(segment)
        {
            self.bits.set(Bits::TIMESTAMP, true);
            self.timestamp = stamps.value;
        }
        if !segment.flags.rst() {
            if !late {
                // The SYN of a client may say 0: nothing was sent to it yet.
                let opens = segment.flags.syn() && !segment.flags.ack();
                if segment.window == 0 && self.window() != Some(0) && !opens {
                    rare.make().window_closed = segment.time;
                }
                self.bits.set(Bits::WINDOW, true);
                self.window = segment.window;
            }
            let (lowest, highest) = self.ttl_range;
            self.ttl_range = (lowest.min(segment.ttl), highest.max(segment.ttl));
        }
        self.last_time = segment.time;
        self.last_frame = PackedFrame::new(segment.id);
        self.ip_id = segment.ip_id.unwrap_or(0);
        self.ttl = segment.ttl;
        self.bits.set(Bits::TOLD_NOTHING, told_nothing);
        self.bits.learn_looks(segment);
        if !segment.flags.any(Flags::SYN.with(Flags::RST)) {
            self.bits.set(Bits::SPOKE, true);
        }
        self.count(segment, rare);
    }

    /// Counts a segment.
    #[inline]
    pub(in crate::track) fn count(&mut self, segment: &Segment, mut rare: RareOf<'_>) {
        self.segments = self.segments.wrapping_add(1);
        self.data_segments = self.data_segments.wrapping_add(u32::from(segment.len > 0));
        if self.segments == 0 || (self.data_segments == 0 && segment.len > 0) {
            self.begin_round(segment, &mut rare);
        }
    }

    /// Learns whether its last segment lay far off.
    #[inline]
    pub(in crate::track) fn set_far_off(&mut self, is: bool) {
        self.bits.set(Bits::FAR, is);
    }

    /// One more time as many segments as its counts hold.
    #[cold]
    fn begin_round(&mut self, segment: &Segment, rare: &mut RareOf<'_>) {
        let [rounds, data_rounds] = &mut rare.make().rounds;
        *rounds += u32::from(self.segments == 0);
        *data_rounds += u32::from(self.data_segments == 0 && segment.len > 0);
    }

    /// Takes a round trip into account; if it was not `measured`, something lost may be in it.
    pub(in crate::track) fn learn_rtt(&mut self, rtt: Span, measured: bool) {
        if rtt >= Span::ZERO {
            self.min_rtt.learn(rtt);
            self.bits.set(Bits::RTT_MEASURED, self.bits.has(Bits::RTT_MEASURED) || measured);
        }
    }

    /// Learns that it sent octets, or a FIN, again, when the last segment of its peer was `heard`.
    #[cold]
    pub(in crate::track) fn learn_repeated(
        &mut self,
        segment: &Segment,
        heard: Option<Mark>,
        mut rare: RareOf<'_>,
    ) {
        let at = Mark { frame: segment.id, time: segment.time };
        let rare = rare.make();
        rare.repeated = Some(Repeated::once_more(rare.repeated, segment.seq, at, heard));
    }

    /// Learns that its last segment is a RST that does not fit, and what its last sign of life was before.
    #[cold]
    pub(in crate::track) fn learn_stale(&mut self, before: Option<Mark>, mut rare: RareOf<'_>) {
        let last = self.last_mark();
        rare.make().stale = last.map(|stale| (stale, before));
    }
}
