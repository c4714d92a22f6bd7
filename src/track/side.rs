//! One direction of a connection: what a sender has sent and what of it was acknowledged.
//!
//! Owns the sequence state in 64-bit positions (so wrap and zero are ordinary values), kept in 96 octets: a
//! capture may have hundreds of thousands of sides, and what lies close together is read at once. What few sides
//! need is in [`super::rare`]. Uses [`crate::segment`], [`crate::time`] and the event types.

mod bits;
mod learn;
mod step;

use std::ops::Deref;

use self::bits::Bits;
use super::ahead::ask_for;
use super::event::{InFlight, LookAlikes, Mark, SideSummary};
use super::packed::{NEVER, PackedFrame, ShortestTrip};
use super::rare::{Again, Rare};
use crate::segment::{Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Farthest that one segment may move SND.NXT or SND.UNA ahead: the largest window there is (RFC 7323 §2.3).
/// What lies farther is not of this connection, or not of this life of it.
pub(super) const MAX_JUMP: u64 = 1 << 30;

/// What lies farther from SND.NXT than this lies outside of every window, even if something forged moved SND.NXT as far
/// as can be. It is forgotten when SND.NXT moves away from it, so that the low 32 bits are enough of what is kept.
const FAR: u64 = MAX_JUMP + MAX_JUMP / 2;

/// Sequence state of one sender; last what few segments need.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Side {
    /// SND.NXT as far as the capture shows: the higher of what was sent and what was acknowledged. 0 while
    /// nothing is known.
    next: u64,
    bits: Bits,
    /// The lower of what was sent and what was acknowledged.
    lower: u32,
    /// What was acknowledged before: if the last acknowledgments captured did not arrive, one of these is SND.UNA.
    acked_before: [u32; 3],
    /// The largest TSval sent.
    timestamp: u32,
    segments: u32,
    data_segments: u32,
    /// When its last segment was captured.
    last_time: Timestamp,
    last_frame: PackedFrame,
    /// When the segment that last carried something new, or a copy of it, was last sent.
    tail_sent: Timestamp,
    /// First position of the segment that last carried something new.
    tail_start: u32,
    /// How much sequence space that took.
    tail_span: u32,
    /// The last window advertised, not scaled.
    window: u16,
    /// IPv4 identification of its last segment; 0 for IPv6 too.
    ip_id: u16,
    /// Time to live of its last segment.
    ttl: u8,
    /// Lowest and highest time to live of its segments, RSTs not counted.
    ttl_range: (u8, u8),
    /// First octet of the segment that last carried something new, if captured.
    tail_octet: u8,
    min_rtt: ShortestTrip,
    /// Where relative sequence numbers count from: the SYN, if captured. It is kept in [`Rare`] where it is not
    /// the first position of this number.
    origin: u32,
    /// The first FIN. Its time is `tail_sent` until something else is sent.
    fin_frame: PackedFrame,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            next: 0,
            tail_sent: NEVER,
            last_time: NEVER,
            last_frame: PackedFrame::default(),
            fin_frame: PackedFrame::default(),
            lower: 0,
            acked_before: [0; 3],
            origin: 0,
            tail_start: 0,
            tail_span: 0,
            timestamp: 0,
            min_rtt: ShortestTrip::NONE,
            segments: 0,
            data_segments: 0,
            bits: Bits::default(),
            window: 0,
            ip_id: 0,
            ttl: 0,
            ttl_range: (u8::MAX, 0),
            tail_octet: 0,
        }
    }
}

/// The last segment of a side.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastSegment {
    /// Its frame and time.
    pub(super) mark: Mark,
    /// Its IPv4 identification; 0 for IPv6 too.
    pub(super) ip_id: u16,
    /// Its time to live.
    pub(super) ttl: u8,
    /// It was an acknowledgment that told nothing new (an answer that may have been written to the file
    /// before its probe).
    pub(super) told_nothing: bool,
}

/// A side with what is rare of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) side: &'a Side,
    pub(super) rare: Option<&'a Rare>,
}

impl Deref for View<'_> {
    type Target = Side;

    fn deref(&self) -> &Side {
        self.side
    }
}

impl Side {
    /// Has what nearly every segment needs of it brought to the processor's cache, without waiting for it: its first
    /// octets, and the last of these.
    #[inline(always)]
    pub(super) fn ask(&self) {
        ask_for(&self.next);
        ask_for(&self.tail_octet);
    }

    /// SND.NXT as far as the capture shows; a lower bound while [`Side::unanchored`].
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        (self.next != 0).then_some(self.next)
    }

    /// SND.UNA as far as the capture shows.
    #[inline]
    pub(super) fn acked(&self) -> Option<u64> {
        let is_lower = self.bits.has(Bits::END) && !self.bits.has(Bits::END_IS_LOWER);
        let acked = if is_lower { self.below(self.lower) } else { self.next };
        self.bits.has(Bits::ACKED).then_some(acked)
    }

    /// Position after the highest octet (SYN and FIN count) that it was seen sending.
    #[inline]
    pub(super) fn end(&self) -> Option<u64> {
        let end = if self.bits.has(Bits::END_IS_LOWER) { self.below(self.lower) } else { self.next };
        self.bits.has(Bits::END).then_some(end)
    }

    /// The position at or below SND.NXT with these low bits.
    #[inline]
    fn below(&self, low: u32) -> u64 {
        self.next.saturating_sub(u64::from((self.next as u32).wrapping_sub(low)))
    }

    /// Where the segment that last carried something new begins, and the position after it.
    #[inline]
    fn tail(&self) -> Option<(u64, u64)> {
        let start = self.below(self.tail_start);
        (self.tail_sent != NEVER).then_some((start, start + u64::from(self.tail_span)))
    }

    fn tail_end(&self) -> Option<u64> {
        self.tail().map(|(_, end)| end)
    }

    /// When the segment that last carried something new, or a copy of it, was last sent.
    pub(super) fn tail_sent(&self) -> Option<Timestamp> {
        (self.tail_sent != NEVER).then_some(self.tail_sent)
    }

    /// Whether the segment that last carried something new begins at `position`.
    pub(super) fn tail_begins_at(&self, position: u64) -> bool {
        self.tail().is_some_and(|(start, _)| start == position)
    }

    /// First octet of that segment, if captured.
    pub(super) fn tail_octet(&self) -> Option<u8> {
        self.bits.has(Bits::TAIL_OCTET_KNOWN).then_some(self.tail_octet)
    }

    /// Its PSH bit.
    pub(super) fn tail_psh(&self) -> bool {
        self.bits.has(Bits::TAIL_PSH)
    }

    /// Whether it is one octet of data and nothing else.
    pub(super) fn tail_is_octet(&self) -> bool {
        self.bits.has(Bits::TAIL_IS_OCTET)
    }

    /// Whether a probe was seen at its last octet.
    pub(super) fn tail_probed(&self) -> bool {
        self.bits.has(Bits::TAIL_PROBED)
    }

    /// The same of one that bore an octet: what looks like it is no retransmission.
    pub(super) fn tail_probed_with_octet(&self) -> bool {
        self.bits.has(Bits::TAIL_PROBED_WITH_OCTET)
    }

    /// Whether it is one octet into a closed window. 4.4BSD then sets SND.NXT back to it, so that the empty segments
    /// that follow stand there and are ordinary (`tcp_output` in persist mode).
    pub(super) fn tail_probes_window(&self) -> bool {
        self.bits.has(Bits::TAIL_PROBES_WINDOW)
    }

    /// Position of the SYN, if captured; nothing where that is far below SND.NXT, since its number may be that of
    /// another one there.
    fn isn(&self, rare: Option<&Rare>) -> Option<u64> {
        let is_near = |isn: &u64| self.next.saturating_sub(*isn) <= FAR;
        self.origin(rare).filter(|_| self.bits.has(Bits::SYN_SEEN)).filter(is_near)
    }

    /// Where relative sequence numbers count from.
    #[inline]
    fn origin(&self, rare: Option<&Rare>) -> Option<u64> {
        let elsewhere = rare.and_then(|rare| rare.origin);
        elsewhere.or_else(|| self.bits.has(Bits::ORIGIN).then_some(SeqNum(self.origin).first_position()))
    }

    /// The last window advertised, not scaled.
    pub(super) fn window(&self) -> Option<u16> {
        self.bits.has(Bits::WINDOW).then_some(self.window)
    }

    /// Its last segment.
    #[inline]
    pub(super) fn last(&self) -> Option<LastSegment> {
        self.is_seen().then(|| LastSegment {
            mark: self.last_frame.at(self.last_time),
            ip_id: self.ip_id,
            ttl: self.ttl,
            told_nothing: self.bits.has(Bits::TOLD_NOTHING),
        })
    }

    /// Frame and time of its last segment.
    #[inline]
    pub(super) fn last_mark(&self) -> Option<Mark> {
        self.is_seen().then(|| self.last_frame.at(self.last_time))
    }

    /// When its last segment was captured.
    #[inline]
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.is_seen().then_some(self.last_time)
    }

    /// Whether any segment of it is in the capture.
    #[inline]
    pub(super) fn is_seen(&self) -> bool {
        self.last_time != NEVER
    }

    /// Whether only one segment of it is in the capture.
    pub(super) fn is_seen_once(&self) -> bool {
        self.segments == 1
    }

    /// Whether it sent data.
    pub(super) fn has_data(&self) -> bool {
        let data = self.bits.looks().data_packets();
        data.dont_fragment || data.may_fragment
    }

    /// Whether SND.NXT is only bounded from below: all that was seen are empty segments nobody acknowledged.
    pub(super) fn unanchored(&self) -> bool {
        self.bits.has(Bits::UNANCHORED)
    }

    /// Whether it probes a closed window, as far as is known; the window update may have been lost behind the
    /// capture.
    pub(super) fn probes_window(&self) -> bool {
        self.bits.has(Bits::PROBES_WINDOW)
    }

    /// Whether its last segment lay [far off](Side::is_far_off), or acknowledged what does.
    pub(super) fn was_far_off(&self) -> bool {
        self.bits.has(Bits::FAR)
    }

    /// Whether a sequence number of this direction lies farther from SND.NXT than any window allows, even if something
    /// forged moved that as far as can be.
    #[inline]
    pub(super) fn is_far_off(&self, number: SeqNum) -> bool {
        self.next().is_some_and(|next| self.position(number).abs_diff(next) > FAR)
    }

    /// Whether it was sent a SYN or RST that RFC 5961 answers with a challenge ACK.
    pub(super) fn provoked(&self) -> bool {
        self.bits.has(Bits::PROVOKED)
    }

    /// Whether it sent something else than a SYN or RST.
    #[inline]
    pub(super) fn spoke(&self) -> bool {
        self.bits.has(Bits::SPOKE)
    }

    /// Whether it sent a FIN.
    #[inline]
    pub(super) fn finished(&self) -> bool {
        self.bits.has(Bits::FINISHED)
    }

    /// Whether a position is SND.UNA, or was until one of the last acknowledgments.
    pub(super) fn may_be_una(&self, position: u64) -> bool {
        let Some(acked) = self.acked() else { return false };
        position == acked
            || self.acked_before.iter().any(|before| SeqNum(*before).unwrap_near(acked) == position)
    }

    /// What is in flight when a probe stands at `position`, if anything is.
    pub(super) fn in_flight(&self, position: u64) -> Option<InFlight> {
        let (acked, next) = (self.acked()?, self.next()?);
        (acked < next).then(|| InFlight { octets: next - acked, below_una: position + 1 == acked })
    }

    /// Whether its FIN was sent and acknowledged.
    #[inline]
    pub(super) fn fin_acked(&self) -> bool {
        self.finished() && self.all_acked()
    }

    /// Whether every octet below SND.NXT has been acknowledged.
    #[inline]
    pub(super) fn all_acked(&self) -> bool {
        self.acked().is_some_and(|acked| acked == self.next)
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
    pub(super) fn relative(&self, position: u64, rare: Option<&Rare>) -> i64 {
        let origin = self.origin(rare).unwrap_or(position.saturating_sub(1));
        position.wrapping_sub(origin).cast_signed()
    }

    /// Whether a segment's TSval lies before one already sent: it was overtaken on its way.
    #[inline]
    pub(super) fn goes_back_in_time(&self, segment: &Segment) -> bool {
        self.clock_moved(segment).is_some_and(|moved| moved < 0)
    }

    /// Whether a segment's TSval lies after every one already sent.
    pub(super) fn moves_on_in_time(&self, segment: &Segment) -> bool {
        self.clock_moved(segment).is_some_and(|moved| moved > 0)
    }

    #[inline]
    fn clock_moved(&self, segment: &Segment) -> Option<i64> {
        let now = segment.options.timestamps.filter(|_| self.bits.has(Bits::TIMESTAMP))?;
        Some(i64::from(SeqNum(now.value).distance_from(SeqNum(self.timestamp))))
    }

    /// Whether an empty segment at this position stands at SND.NXT of a sender that probes a closed window. If
    /// the octet was acknowledged its sender may not have heard so; then only what it sends `prompt`ly, in
    /// response to something, is no probe.
    pub(super) fn stands_at_window_probe(&self, position: u64, prompt: bool) -> bool {
        self.tail_probes_window() && self.tail_begins_at(position) && (prompt || !self.all_acked())
    }

    /// Whether the octet below SND.NXT is in the capture.
    pub(super) fn tail_is_captured(&self) -> bool {
        self.tail_end().is_some_and(|end| end == self.next)
    }

    /// Whether octets of it were acknowledged that are not in the capture.
    #[inline]
    pub(super) fn is_missing_octets(&self, rare: Option<&Rare>) -> bool {
        let acked = self.acked().unwrap_or(0);
        let hole = rare.is_some_and(|rare| rare.missing || rare.hole.is_some_and(|(from, _)| acked > from));
        hole || (self.acks_beyond_tail(acked) && !self.unanchored())
    }

    /// Whether the last octet that it was seen sending is in the capture, and one above it was acknowledged.
    #[inline]
    fn acks_beyond_tail(&self, acked: u64) -> bool {
        let end = self.end();
        end.is_some_and(|end| acked > end) && end == self.tail_end()
    }

    /// The round trip of its segments at the point of capture is no longer than this.
    pub(super) fn longest_rtt(&self) -> Option<Span> {
        self.min_rtt.get()
    }

    /// Shortest round trip measured for its segments at the point of capture; otherwise what is known is no more
    /// than an upper bound.
    pub(super) fn min_rtt(&self) -> Option<Span> {
        self.longest_rtt().filter(|_| self.bits.has(Bits::RTT_MEASURED))
    }

    /// The window scale of its SYN, if that was captured; nothing in it where the SYN had none.
    pub(super) fn offered_scale(&self) -> Option<Option<u8>> {
        self.bits.looks().syn().map(|offer| offer.window_scale)
    }

    /// Its last segment that shows it alive: anybody can send a RST that does not fit the connection.
    pub(super) fn life(&self, rare: Option<&Rare>) -> Option<Mark> {
        let last = self.last_mark();
        match rare.and_then(|rare| rare.stale) {
            Some((stale, before)) if last == Some(stale) => before,
            _ => last,
        }
    }

    /// Totals for the summary.
    pub(super) fn summary(&self, rare: Option<&Rare>) -> SideSummary {
        let [rounds, data_rounds] = rare.map_or([0; 2], |rare| rare.rounds);
        let (lowest, highest) = self.ttl_range;
        let looks = self.bits.looks();
        SideSummary {
            segments: (u64::from(rounds) << 32) | u64::from(self.segments),
            data_segments: (u64::from(data_rounds) << 32) | u64::from(self.data_segments),
            last: self.life(rare),
            fin: self.fin(rare),
            ttl: (lowest <= highest).then_some((lowest, highest)),
            timestamps: self.bits.has(Bits::TIMESTAMP),
            syn: looks.syn(),
            data_packets: looks.data_packets(),
            octets_missing: self.is_missing_octets(rare),
            repeated: rare.and_then(|rare| rare.repeated),
            lookalikes: rare.map_or_else(LookAlikes::default, |rare| rare.lookalikes),
        }
    }

    /// The first FIN.
    fn fin(&self, rare: Option<&Rare>) -> Option<Mark> {
        let elsewhere = rare.map(|rare| rare.fin).filter(|time| *time != NEVER);
        self.finished().then(|| self.fin_frame.at(elsewhere.unwrap_or(self.tail_sent)))
    }
}

impl View<'_> {
    /// Position of the SYN, if captured not too far below SND.NXT.
    pub(super) fn isn(&self) -> Option<u64> {
        self.side.isn(self.rare)
    }

    /// Whether the segment that last carried something new was a single octet of sequence space, so that an
    /// ordinary acknowledgment sent before it had SEQ = SND.NXT-1. (Nothing is sent before a SYN.)
    pub(super) fn tail_is_single(&self) -> bool {
        let Some((start, _)) = self.tail() else { return false };
        self.end() == Some(self.next) && start + 1 == self.next && self.isn() != Some(start)
    }

    /// When the advertised window last became 0.
    pub(super) fn window_closed(&self) -> Option<Timestamp> {
        self.rare.map(|rare| rare.window_closed).filter(|time| *time != NEVER)
    }

    /// The copies of the lone octet that it sent last.
    fn again(&self) -> Option<&Again> {
        let (start, _) = self.tail().filter(|_| self.tail_is_octet())?;
        self.rare.map(|rare| &rare.again).filter(|again| again.position == start)
    }

    /// Time between the last two transmissions of the lone octet that it sent last.
    pub(super) fn gap(&self) -> Option<Span> {
        self.again().map(|again| again.gap)
    }

    /// Whether a copy of that octet sent now comes about as long after the one before it as that one did, as did
    /// that one already.
    pub(super) fn is_steady(&self, time: Timestamp) -> bool {
        self.again().is_some_and(|again| again.even_gaps > 0 && again.is_even(time.since(self.tail_sent)))
    }
}

impl Again {
    /// Whether one more gap is about as long as the last one.
    fn is_even(&self, gap: Span) -> bool {
        gap >= Span::from_secs(1) && gap.times(2) < self.gap.times(3)
    }
}
