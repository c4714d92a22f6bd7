//! One direction of a connection: what a sender has sent and what of it was acknowledged.
//!
//! Owns the sequence state in 64-bit positions (so wrap and zero are ordinary values). Uses
//! [`crate::segment`], [`crate::time`] and the event types.

use super::event::{LookAlikes, Mark, SideSummary};
use crate::segment::{Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Farthest that one segment may move SND.NXT or SND.UNA ahead: the largest window there is (RFC 7323 §2.3).
/// What lies farther is not of this connection, or not of this life of it.
pub(super) const MAX_JUMP: u64 = 1 << 30;

/// Sequence state of one sender.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// Position after the highest octet (SYN and FIN count) that this side was seen sending.
    end: Option<u64>,
    /// Highest position that the peer acknowledged: SND.UNA as far as the capture shows.
    acked: Option<u64>,
    /// Where relative sequence numbers count from.
    origin: Option<u64>,
    /// Position of the SYN, if captured.
    pub(super) isn: Option<u64>,
    /// Position of the FIN and its frame.
    pub(super) fin: Option<(u64, Mark)>,
    /// The segment that last carried something new.
    pub(super) tail: Tail,
    /// The largest TSval sent.
    timestamp: Option<u32>,
    /// The last window advertised, not scaled.
    pub(super) window: Option<u16>,
    /// When the advertised window last became 0.
    pub(super) window_closed: Option<Timestamp>,
    /// Its last segment.
    pub(super) last: Option<Mark>,
    /// Its last segment was an acknowledgment that told nothing new (an answer that may have been written
    /// to the file before its probe).
    pub(super) told_nothing: bool,
    /// Time to live of its last segment.
    pub(super) ttl: u8,
    /// SND.NXT is only bounded from below: all that was seen are empty segments nobody acknowledged.
    pub(super) unanchored: bool,
    /// It probes a closed window, as far as is known; the window update may have been lost behind the capture.
    pub(super) probes_window: bool,
    /// It was sent a SYN or RST that RFC 5961 answers with a challenge ACK.
    pub(super) provoked: bool,
    /// Probes sent since the peer was last heard.
    pub(super) run: u32,
    /// Shortest round trip seen for its segments at the point of capture.
    pub(super) min_rtt: Option<Span>,
    pub(super) segments: u64,
    pub(super) data_segments: u64,
    pub(super) lookalikes: LookAlikes,
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
    /// How many of its gaps in a row did not grow, as those of retransmissions do.
    pub(super) even_gaps: u8,
    /// Position after it.
    end: u64,
    /// It is one octet into a closed window. 4.4BSD then sets SND.NXT back to it, so that the empty segments
    /// that follow stand there and are ordinary (`tcp_output` in persist mode).
    window_probe: bool,
}

impl Tail {
    /// A copy of it was sent.
    fn sent_again(&mut self, time: Timestamp) {
        let gap = self.sent.map(|sent| time.since(sent));
        let even = gap
            .zip(self.gap)
            .is_some_and(|(now, before)| now >= Span::from_secs(1) && now.times(2) < before.times(3));
        self.even_gaps = if even { self.even_gaps.saturating_add(1) } else { 0 };
        self.gap = gap;
        self.sent = Some(time);
    }
}

impl Side {
    /// SND.NXT as far as the capture shows; a lower bound while [`Side::unanchored`].
    pub(super) fn next(&self) -> Option<u64> {
        self.end.max(self.acked)
    }

    /// SND.UNA as far as the capture shows.
    pub(super) fn acked(&self) -> Option<u64> {
        self.acked
    }

    /// Position after the highest octet it was seen sending.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// Whether its FIN was sent and acknowledged.
    pub(super) fn fin_acked(&self) -> bool {
        self.fin.is_some_and(|(position, _)| self.acked.is_some_and(|acked| acked > position))
    }

    /// Whether every octet below SND.NXT has been acknowledged.
    pub(super) fn all_acked(&self) -> bool {
        self.acked.is_some() && self.acked >= self.end
    }

    /// The position of a sequence number of this direction.
    pub(super) fn position(&self, seq: SeqNum) -> u64 {
        match self.next() {
            Some(next) => seq.unwrap_near(next),
            None => seq.first_position(),
        }
    }

    /// The sequence number relative to the first one, as Wireshark counts it.
    pub(super) fn relative(&self, position: u64) -> i64 {
        let origin = self.origin.unwrap_or(position.saturating_sub(1));
        position.wrapping_sub(origin).cast_signed()
    }

    /// Sets where relative numbers count from, the first time.
    pub(super) fn set_origin(&mut self, origin: u64) {
        self.origin.get_or_insert(origin);
    }

    /// Whether a segment's TSval lies before one already sent: it was overtaken on its way.
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
            self.end == Some(next) && self.tail.start + 1 == next && self.isn != Some(self.tail.start)
        })
    }

    /// Learns an acknowledgment from the peer; returns whether it acknowledges something new.
    pub(super) fn learn_ack(&mut self, position: u64) -> bool {
        let plausible = self.next().is_none_or(|next| position <= next.saturating_add(MAX_JUMP));
        let news = plausible && self.acked.is_none_or(|acked| position > acked);
        if news {
            self.acked = Some(position);
            self.set_origin(position.saturating_sub(1));
        }
        news
    }

    /// Learns from a probe: it carries nothing new.
    pub(super) fn learn_probe(&mut self, position: u64) {
        self.tail.probed = true;
        self.run = self.run.saturating_add(1);
        if self.end.is_none() {
            self.end = Some(position);
        }
    }

    /// Whether an empty segment at this position stands at SND.NXT of a sender that probes a closed window.
    pub(super) fn stands_at_window_probe(&self, position: u64) -> bool {
        self.tail.window_probe && position == self.tail.start && !self.all_acked()
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
        self.end = self.end.max(Some(position));
    }

    /// Learns what a segment that is no probe shows of SEQ.
    pub(super) fn learn_sent(&mut self, segment: &Segment, position: u64) {
        let syn = u64::from(segment.flags.syn());
        let fin = u64::from(segment.flags.fin());
        let end = position + syn + u64::from(segment.len) + fin;
        if segment.flags.syn() {
            self.isn = Some(position);
            self.origin = Some(position);
        }
        self.set_origin(position.saturating_sub(1));
        let ahead = self.next().is_none_or(|next| end > next && end <= next.saturating_add(MAX_JUMP));
        // An empty segment may have come before the octets that it was sent after.
        let fills = self.next() == Some(end) && !self.tail_is_captured();
        let carries = end > position;
        if ahead || self.end.is_none() {
            self.end = Some(end);
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
                even_gaps: 0,
                end,
                window_probe: false,
            };
        } else if carries && position == self.tail.start {
            self.tail.sent_again(segment.time);
        }
        if segment.flags.fin() && self.fin.is_none() {
            self.fin = Some((end - 1, Mark { frame: segment.id, time: segment.time }));
        }
    }

    /// Learns what every segment shows besides SEQ and ACK.
    pub(super) fn learn_header(&mut self, segment: &Segment) {
        if let Some(stamps) = segment.options.timestamps
            && !self.goes_back_in_time(segment)
        {
            self.timestamp = Some(stamps.value);
        }
        if !segment.flags.rst() {
            if segment.window == 0 && self.window != Some(0) {
                self.window_closed = Some(segment.time);
            }
            self.window = Some(segment.window);
        }
        self.last = Some(Mark { frame: segment.id, time: segment.time });
        self.ttl = segment.ttl;
        self.segments += 1;
        self.data_segments += u64::from(segment.len > 0);
    }

    /// Takes a round trip into account.
    pub(super) fn learn_rtt(&mut self, rtt: Span) {
        if rtt >= Span::ZERO {
            self.min_rtt = Some(self.min_rtt.map_or(rtt, |shortest| shortest.min(rtt)));
        }
    }

    /// Totals for the summary.
    pub(super) fn summary(&self) -> SideSummary {
        SideSummary {
            segments: self.segments,
            data_segments: self.data_segments,
            last: self.last,
            fin: self.fin.map(|(_, mark)| mark),
            lookalikes: self.lookalikes,
        }
    }
}
