//! One direction of a connection: what a sender has sent and what of it was acknowledged.
//!
//! Owns the sequence state in 64-bit positions (so wrap and zero are ordinary values). Uses
//! [`crate::segment`], [`crate::time`] and the event types.

use std::num::NonZeroU64;

use super::event::{InFlight, LookAlike, LookAlikes, Mark, SideSummary};
use super::looks::Looks;
use super::repeated::Repeated;
use crate::frame::FrameId;
use crate::segment::{Flags, Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Farthest that one segment may move SND.NXT or SND.UNA ahead: the largest window there is (RFC 7323 §2.3).
/// What lies farther is not of this connection, or not of this life of it.
pub(super) const MAX_JUMP: u64 = 1 << 30;

/// A position, or none: 0 is below every position there can be (see [`SeqNum::first_position`]), so nothing
/// takes as little room as something.
type Position = Option<NonZeroU64>;

/// Sequence state of one sender. Kept small: a capture may have hundreds of thousands of them, and what lies
/// close together is read at once.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Position after the highest octet (SYN and FIN count) that this side was seen sending.
    end: Position,
    /// Highest position that the peer acknowledged: SND.UNA as far as the capture shows.
    acked: Position,
    /// What it was before: if the last acknowledgments captured did not arrive, one of these is SND.UNA.
    acked_before: [Position; 3],
    /// Where relative sequence numbers count from.
    origin: Position,
    /// Position of the SYN, if captured.
    pub(super) isn: Option<u64>,
    /// The segment that last carried something new.
    pub(super) tail: Tail,
    /// The largest TSval sent.
    timestamp: Option<u32>,
    /// The last window advertised, not scaled.
    pub(super) window: Option<u16>,
    /// Its last segment.
    pub(super) last: Option<LastSegment>,
    /// SND.NXT is only bounded from below: all that was seen are empty segments nobody acknowledged.
    pub(super) unanchored: bool,
    /// It probes a closed window, as far as is known; the window update may have been lost behind the capture.
    pub(super) probes_window: bool,
    /// It was sent a SYN or RST that RFC 5961 answers with a challenge ACK.
    pub(super) provoked: bool,
    /// It sent something else than a SYN or RST.
    pub(super) spoke: bool,
    /// It sent a FIN.
    pub(super) finished: bool,
    /// What its packets look like.
    looks: Looks,
    /// Lowest and highest time to live of its segments, RSTs not counted.
    ttl: Option<(u8, u8)>,
    /// Probes sent since the peer was last heard.
    pub(super) run: u32,
    min_rtt: Shortest,
    /// That round trip was measured; otherwise it is no more than an upper bound.
    rtt_measured: bool,
    pub(super) segments: u64,
    pub(super) data_segments: u64,
    /// What most sides never need.
    rare: Option<Box<Rare>>,
}

/// What happens to few sides, or only at their end.
#[derive(Debug, Default)]
struct Rare {
    /// The first FIN.
    fin: Option<Mark>,
    /// When the advertised window last became 0.
    window_closed: Option<Timestamp>,
    lookalikes: LookAlikes,
    /// Positions that were skipped, from the first to after the last; filled where they come later.
    hole: Option<(u64, u64)>,
    /// What lay in an earlier hole was acknowledged and never came.
    missing: bool,
    /// The latest octets, or FIN, that it sent again.
    repeated: Option<Repeated>,
}

/// The last segment of a side.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastSegment {
    number: u64,
    /// When it was captured.
    pub(super) time: Timestamp,
    capture: u32,
    /// Its IPv4 identification; 0 for IPv6 too.
    pub(super) ip_id: u16,
    /// Its time to live.
    pub(super) ttl: u8,
    /// It was an acknowledgment that told nothing new (an answer that may have been written to the file
    /// before its probe).
    pub(super) told_nothing: bool,
}

impl LastSegment {
    /// Its frame and time.
    pub(super) fn mark(&self) -> Mark {
        Mark { frame: FrameId { capture: self.capture, number: self.number }, time: self.time }
    }
}

/// The shortest of some spans.
#[derive(Clone, Copy, Debug)]
struct Shortest(Span);

impl Shortest {
    const NONE: Span = Span::from_nanos(i64::MAX);
}

impl Default for Shortest {
    fn default() -> Self {
        Self(Self::NONE)
    }
}

/// The segment that last carried something new: where it began and what a copy of it would look like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// Its first position.
    pub(super) start: u64,
    /// Octets of data in it.
    pub(super) len: u32,
    /// Its first octet, if captured.
    pub(super) octet: Option<u8>,
    /// Its PSH bit.
    pub(super) psh: bool,
    /// When it, or a copy of it, was last sent.
    pub(super) sent: Option<Timestamp>,
    /// Time between its last two transmissions.
    pub(super) gap: Option<Span>,
    /// A probe was seen at its last octet.
    pub(super) probed: bool,
    /// One that bore an octet: what looks like it is no retransmission.
    pub(super) probed_with_octet: bool,
    /// How many of its gaps in a row did not grow, as those of retransmissions do.
    pub(super) even_gaps: u8,
    /// Position after it.
    end: u64,
    /// It is one octet into a closed window. 4.4BSD then sets SND.NXT back to it, so that the empty segments
    /// that follow stand there and are ordinary (`tcp_output` in persist mode).
    pub(super) window_probe: bool,
}

impl Tail {
    /// Whether a copy sent now comes about as long after the one before it as that one did.
    pub(super) fn even_gap(&self, time: Timestamp) -> bool {
        let gap = self.sent.map(|sent| time.since(sent));
        gap.zip(self.gap)
            .is_some_and(|(now, before)| now >= Span::from_secs(1) && now.times(2) < before.times(3))
    }

    /// A copy of it was sent.
    fn sent_again(&mut self, time: Timestamp) {
        self.even_gaps = if self.even_gap(time) { self.even_gaps.saturating_add(1) } else { 0 };
        self.gap = self.sent.map(|sent| time.since(sent));
        self.sent = Some(time);
    }
}

impl Side {
    /// Reads a little of every part, so that all of it is at hand; returns something of it. Only numbers that are
    /// always there: where something has to be decided first, the processor may have to wait for it.
    #[inline(always)]
    pub(super) fn touch(&self) -> u64 {
        let Self { end, acked_before, tail, run, segments, data_segments, .. } = self;
        let [end, before] = [*end, acked_before[2]].map(|position| position.map_or(0, NonZeroU64::get));
        let tail = tail.start ^ tail.end ^ u64::from(tail.len);
        end ^ before ^ tail ^ u64::from(*run) ^ segments ^ data_segments
    }

    /// SND.NXT as far as the capture shows; a lower bound while [`Side::unanchored`].
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        self.end.max(self.acked).map(NonZeroU64::get)
    }

    /// SND.UNA as far as the capture shows.
    #[inline]
    pub(super) fn acked(&self) -> Option<u64> {
        self.acked.map(NonZeroU64::get)
    }

    /// Position after the highest octet it was seen sending.
    #[inline]
    pub(super) fn end(&self) -> Option<u64> {
        self.end.map(NonZeroU64::get)
    }

    /// Whether a position is SND.UNA, or was until one of the last acknowledgments.
    pub(super) fn may_be_una(&self, position: u64) -> bool {
        let before = self.acked_before.into_iter().flatten();
        self.acked.into_iter().chain(before).any(|acked| acked.get() == position)
    }

    /// What is in flight when a probe stands at `position`, if anything is.
    pub(super) fn in_flight(&self, position: u64) -> Option<InFlight> {
        let (acked, next) = (self.acked()?, self.next()?);
        (acked < next).then(|| InFlight { octets: next - acked, below_una: position + 1 == acked })
    }

    /// Whether its FIN was sent and acknowledged.
    pub(super) fn fin_acked(&self) -> bool {
        self.finished && self.all_acked()
    }

    /// Whether every octet below SND.NXT has been acknowledged.
    #[inline]
    pub(super) fn all_acked(&self) -> bool {
        self.acked.is_some() && self.acked >= self.end
    }

    /// The position of a sequence number of this direction.
    #[inline]
    pub(super) fn position(&self, seq: SeqNum) -> u64 {
        match self.next() {
            Some(next) => seq.unwrap_near(next),
            None => seq.first_position(),
        }
    }

    /// The sequence number relative to the first one, as Wireshark counts it.
    #[inline]
    pub(super) fn relative(&self, position: u64) -> i64 {
        let origin = self.origin.map_or(position.saturating_sub(1), NonZeroU64::get);
        position.wrapping_sub(origin).cast_signed()
    }

    /// Sets where relative numbers count from, the first time.
    #[inline]
    pub(super) fn set_origin(&mut self, origin: u64) {
        self.origin = self.origin.or(NonZeroU64::new(origin));
    }

    /// Whether a segment's TSval lies before one already sent: it was overtaken on its way.
    #[inline]
    pub(super) fn goes_back_in_time(&self, segment: &Segment) -> bool {
        match (segment.options.timestamps, self.timestamp) {
            (Some(now), Some(latest)) => SeqNum(now.value).distance_from(SeqNum(latest)) < 0,
            _ => false,
        }
    }

    /// Whether a segment's TSval lies after every one already sent.
    pub(super) fn moves_on_in_time(&self, segment: &Segment) -> bool {
        match (segment.options.timestamps, self.timestamp) {
            (Some(now), Some(latest)) => SeqNum(now.value).distance_from(SeqNum(latest)) > 0,
            _ => false,
        }
    }

    /// Whether the segment that last carried something new was a single octet of sequence space, so that an
    /// ordinary acknowledgment sent before it had SEQ = SND.NXT-1. (Nothing is sent before a SYN.)
    pub(super) fn tail_is_single(&self) -> bool {
        self.next().is_some_and(|next| {
            self.end() == Some(next) && self.tail.start + 1 == next && self.isn != Some(self.tail.start)
        })
    }

    /// Learns an acknowledgment from the peer; returns the position that it acknowledges.
    #[inline]
    pub(super) fn on_ack(&mut self, ack: SeqNum) -> u64 {
        let position = self.position(ack);
        if self.end().is_some_and(|end| position >= end) {
            self.unanchored = false;
        }
        let plausible = self.next().is_none_or(|next| position <= next.saturating_add(MAX_JUMP));
        if plausible && self.acked().is_none_or(|acked| position > acked) {
            let [first, second, _] = self.acked_before;
            self.acked_before = [self.acked, first, second];
            self.acked = NonZeroU64::new(position);
            self.set_origin(position.saturating_sub(1));
        }
        position
    }

    /// Learns from a probe: it carries nothing new.
    pub(super) fn learn_probe(&mut self, position: u64, octet: bool) {
        self.tail.probed = true;
        self.tail.probed_with_octet |= octet;
        self.run = self.run.saturating_add(1);
        if self.end.is_none() {
            self.end = NonZeroU64::new(position);
        }
    }

    /// Whether an empty segment at this position stands at SND.NXT of a sender that probes a closed window. If
    /// the octet was acknowledged its sender may not have heard so; then only what it sends `prompt`ly, in
    /// response to something, is no probe.
    pub(super) fn stands_at_window_probe(&self, position: u64, prompt: bool) -> bool {
        self.tail.window_probe && position == self.tail.start && (prompt || !self.all_acked())
    }

    /// Whether the octet below SND.NXT is in the capture.
    pub(super) fn tail_is_captured(&self) -> bool {
        self.next() == Some(self.tail.end)
    }

    /// Learns that its last segment was one octet into a closed window.
    pub(super) fn learn_window_probe(&mut self) {
        self.tail.window_probe = true;
    }

    /// Learns that it goes on at `position`, so that everything below was sent.
    pub(super) fn learn_continued(&mut self, position: u64) {
        self.end = self.end.max(NonZeroU64::new(position));
    }

    /// Learns what a segment that is no probe shows of SEQ.
    #[inline]
    pub(super) fn learn_sent(&mut self, segment: &Segment, position: u64) {
        let syn = u64::from(segment.flags.syn());
        let fin = u64::from(segment.flags.fin());
        let end = position + syn + u64::from(segment.len) + fin;
        if segment.flags.syn() {
            self.isn = Some(position);
            self.origin = NonZeroU64::new(position);
        }
        self.set_origin(position.saturating_sub(1));
        let ahead = self.next().is_none_or(|next| end > next && end <= next.saturating_add(MAX_JUMP));
        // An empty segment may have come before the octets that it was sent after.
        let fills = self.next() == Some(end) && !self.tail_is_captured();
        let carries = end > position;
        if carries {
            self.learn_hole(position, end);
        }
        if ahead || self.end.is_none() {
            self.end = NonZeroU64::new(end);
        }
        if carries && (ahead || fills) {
            self.probes_window = false;
            self.tail = Tail {
                start: position,
                len: segment.len,
                octet: segment.first_octet,
                psh: segment.flags.psh(),
                sent: Some(segment.time),
                gap: None,
                probed: false,
                probed_with_octet: false,
                even_gaps: 0,
                end,
                window_probe: false,
            };
        } else if carries && position == self.tail.start {
            self.tail.sent_again(segment.time);
        }
        if segment.flags.fin() && !self.finished {
            self.finished = true;
            self.rare().fin = Some(Mark { frame: segment.id, time: segment.time });
        }
    }

    /// Learns whether octets were left out between what was sent last and these, or whether these fill a hole.
    #[inline]
    fn learn_hole(&mut self, position: u64, end: u64) {
        let skips = self.end().is_some_and(|last| last == self.tail.end && position > last);
        if skips || self.rare.as_ref().is_some_and(|rare| rare.hole.is_some()) {
            self.note_hole(position, end, skips);
        }
    }

    #[cold]
    fn note_hole(&mut self, position: u64, end: u64, skips: bool) {
        let (last, acked) = (self.tail.end, self.acked().unwrap_or(0));
        let rare = self.rare();
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
    }

    /// Whether octets of it were acknowledged that are not in the capture.
    #[inline]
    pub(super) fn is_missing_octets(&self) -> bool {
        let acked = self.acked().unwrap_or(0);
        let rare = self.rare.as_ref();
        let hole = rare.is_some_and(|rare| rare.missing || rare.hole.is_some_and(|(from, _)| acked > from));
        let beyond = self.end().is_some_and(|end| end == self.tail.end && acked > end);
        hole || (beyond && !self.unanchored)
    }

    /// Learns what every segment shows besides SEQ and ACK, and whether it told anything new. One that was
    /// overtaken, as its ACK shows, is `late`: its window is not the latest (RFC 9293 §3.10.7.4).
    #[inline]
    pub(super) fn learn_header(&mut self, segment: &Segment, told_nothing: bool, late: bool) {
        if let Some(stamps) = segment.options.timestamps
            && !self.goes_back_in_time(segment)
        {
            self.timestamp = Some(stamps.value);
        }
        if !segment.flags.rst() && !late {
            if segment.window == 0 && self.window != Some(0) {
                self.rare().window_closed = Some(segment.time);
            }
            self.window = Some(segment.window);
        }
        self.last = Some(LastSegment {
            number: segment.id.number,
            time: segment.time,
            capture: segment.id.capture,
            ip_id: segment.ip_id.unwrap_or(0),
            ttl: segment.ttl,
            told_nothing,
        });
        self.looks.learn(segment);
        if !segment.flags.rst() {
            let (lowest, highest) = self.ttl.unwrap_or((segment.ttl, segment.ttl));
            self.ttl = Some((lowest.min(segment.ttl), highest.max(segment.ttl)));
        }
        self.spoke |= !segment.flags.any(Flags::SYN.with(Flags::RST));
        self.segments += 1;
        self.data_segments += u64::from(segment.len > 0);
    }

    /// The round trip of its segments at the point of capture is no longer than this.
    pub(super) fn longest_rtt(&self) -> Option<Span> {
        Some(self.min_rtt.0).filter(|rtt| *rtt != Shortest::NONE)
    }

    /// Shortest round trip measured for its segments at the point of capture.
    pub(super) fn min_rtt(&self) -> Option<Span> {
        self.longest_rtt().filter(|_| self.rtt_measured)
    }

    /// Takes a round trip into account; if it was not `measured`, something lost may be in it.
    pub(super) fn learn_rtt(&mut self, rtt: Span, measured: bool) {
        if rtt >= Span::ZERO {
            self.min_rtt.0 = self.min_rtt.0.min(rtt);
            self.rtt_measured |= measured;
        }
    }

    /// When the advertised window last became 0.
    pub(super) fn window_closed(&self) -> Option<Timestamp> {
        self.rare.as_ref()?.window_closed
    }

    /// Learns that it sent octets, or a FIN, again, when the last segment of its peer was `heard`.
    #[cold]
    pub(super) fn learn_repeated(&mut self, segment: &Segment, heard: Option<Mark>) {
        let at = Mark { frame: segment.id, time: segment.time };
        let rare = self.rare();
        rare.repeated = Some(Repeated::once_more(rare.repeated, segment.seq, at, heard));
    }

    /// Counts a look-alike that it sent.
    pub(super) fn count(&mut self, kind: LookAlike) {
        self.rare().lookalikes.add(kind);
    }

    #[cold]
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Totals for the summary.
    pub(super) fn summary(&self) -> SideSummary {
        SideSummary {
            segments: self.segments,
            data_segments: self.data_segments,
            last: self.last.map(|last| last.mark()),
            fin: self.rare.as_ref().and_then(|rare| rare.fin),
            ttl: self.ttl,
            timestamps: self.timestamp.is_some(),
            syn: self.looks.syn(),
            data_packets: self.looks.data_packets(),
            octets_missing: self.is_missing_octets(),
            repeated: self.rare.as_ref().and_then(|rare| rare.repeated),
            lookalikes: self.rare.as_ref().map(|rare| rare.lookalikes).unwrap_or_default(),
        }
    }
}
