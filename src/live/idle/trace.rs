//! What the packets of one connection show: when it was last used, whether all was acknowledged, what its peer's
//! packets look like.
//!
//! Owns [`Trace`]. Pure: segments go in, in the order in which they were seen. What a probe beside the kernel looks
//! like is learnt by [`Learner`].

use crate::live::engine::learn::{Dress, Learner};
use crate::segment::{Endpoint, Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Our end and the peer's.
pub(super) type Tuple = (Endpoint, Endpoint);

/// What packets from the peer's address look like while nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Baseline {
    /// The lowest and the highest TTL or hop limit.
    pub(super) ttl: (u8, u8),
    /// The shortest time from a packet of ours to its answer.
    pub(super) round_trip: Option<Span>,
    /// They have timestamps (RFC 7323).
    pub(super) timestamps: bool,
}

/// What a segment from the peer's address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FromPeer {
    /// Part of the handshake.
    Handshake,
    /// It acknowledges something for the first time.
    Acknowledges,
    /// New data.
    Data,
    /// A keepalive probe: at most one octet, below what is expected next.
    Keepalive,
    /// A bare acknowledgment of nothing new: an answer to a probe, as a rule.
    Bare,
    /// Something sent before.
    Again,
    /// A FIN.
    Fin,
    /// A RST.
    Reset,
}

/// What a segment from our address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FromUs {
    /// Part of the handshake.
    Handshake,
    /// New data or a FIN.
    New,
    /// Data or a FIN that was sent before.
    Again,
    /// An acknowledgment, or a probe.
    Bare,
}

/// The packets of one connection, from its SYN on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    learner: Learner,
    /// The last packet either way.
    last: Timestamp,
    /// The last packet from us.
    own_last: Timestamp,
    /// SND.NXT, as far as packets show.
    sent: SeqNum,
    /// SND.UNA.
    acknowledged: SeqNum,
    /// The end of what came, and of what we acknowledged of it.
    came: Option<(SeqNum, SeqNum)>,
    baseline: Option<Baseline>,
}

impl Trace {
    /// Begins with our SYN.
    pub(super) fn new(syn: &Segment) -> Self {
        Self {
            learner: Learner::new(syn),
            last: syn.time,
            own_last: syn.time,
            sent: syn.seq.plus(1),
            acknowledged: syn.seq,
            came: None,
            baseline: None,
        }
    }

    /// When a packet of it was last seen, either way.
    pub(super) fn last(&self) -> Timestamp {
        self.last
    }

    /// When a packet of ours was last seen.
    pub(super) fn own_last(&self) -> Timestamp {
        self.own_last
    }

    /// What the peer's packets look like.
    pub(super) fn baseline(&self) -> Option<Baseline> {
        self.baseline
    }

    /// Whether the handshake is complete and everything said is acknowledged, both ways.
    pub(super) fn is_settled(&self) -> bool {
        let theirs = self.came.is_some_and(|(end, acknowledged)| end == acknowledged);
        self.learner.is_complete() && self.acknowledged == self.sent && theirs
    }

    /// Whether the peer said anything.
    pub(super) fn has_spoken(&self) -> bool {
        let first = self.learner.first_numbers().map(|(_, irs)| irs.plus(1));
        self.came.map(|(end, _)| end) != first
    }

    /// SEG.SEQ, SEG.ACK, TSecr and the dress of a keepalive probe that leaves now; none before the handshake is known.
    pub(super) fn keepalive(&self, now: Timestamp) -> Option<(SeqNum, SeqNum, Option<u32>, Dress)> {
        let (tcb, _) = self.learner.established()?;
        Some((self.sent.plus(u32::MAX), tcb.rcv_nxt, tcb.ts_recent, self.learner.dress(now)))
    }

    /// A segment from our address was seen.
    pub(super) fn on_own(&mut self, segment: &Segment) -> FromUs {
        self.saw(segment.time);
        self.own_last = self.own_last.max(segment.time);
        self.learner.on_own(segment);
        if let Some((end, acknowledged)) = &mut self.came
            && segment.flags.ack()
            && segment.ack.distance_from(*acknowledged) > 0
            && segment.ack.distance_from(*end) <= 0
        {
            *acknowledged = segment.ack;
        }
        if segment.flags.syn() {
            return FromUs::Handshake;
        }
        let length = segment.len + u32::from(segment.flags.fin());
        let end = segment.seq.plus(length);
        if end.distance_from(self.sent) > 0 {
            self.sent = end;
            FromUs::New
        } else if length > 0 && end.distance_from(self.acknowledged) > 0 {
            FromUs::Again
        } else {
            FromUs::Bare
        }
    }

    /// A segment from the peer's address was seen.
    pub(super) fn on_peer(&mut self, segment: &Segment) -> FromPeer {
        if segment.flags.rst() {
            // Whoever sent it, it is no packet of a living connection.
            return FromPeer::Reset;
        }
        let before = self.own_last;
        self.saw(segment.time);
        self.learner.on_peer(segment);
        self.see_look(segment);
        let end = segment.seq.plus(segment.len + u32::from(segment.flags.fin()));
        if segment.flags.syn() {
            let first = segment.seq.plus(1);
            self.came.get_or_insert((first, first));
            self.acknowledge(segment, before);
            return FromPeer::Handshake;
        }
        let acknowledges = self.acknowledge(segment, before);
        let Some((came, _)) = &mut self.came else { return FromPeer::Again };
        let new = end.distance_from(*came) > 0;
        let begins = segment.seq.distance_from(*came);
        if new {
            *came = end;
        }
        match (segment.flags.fin(), new) {
            (true, _) => FromPeer::Fin,
            (false, true) => FromPeer::Data,
            _ if acknowledges => FromPeer::Acknowledges,
            _ if begins == -1 && segment.len <= 1 => FromPeer::Keepalive,
            _ if segment.len == 0 => FromPeer::Bare,
            _ => FromPeer::Again,
        }
    }

    fn saw(&mut self, time: Timestamp) {
        self.last = self.last.max(time);
    }

    /// Takes an acknowledgment; returns whether it was of something new.
    fn acknowledge(&mut self, segment: &Segment, sent: Timestamp) -> bool {
        let new = segment.flags.ack()
            && segment.ack.distance_from(self.acknowledged) > 0
            && segment.ack.distance_from(self.sent) <= 0;
        if new {
            self.acknowledged = segment.ack;
            self.see_round_trip(segment.time.since(sent));
        }
        new
    }

    /// An answer came after this long.
    pub(super) fn see_round_trip(&mut self, span: Span) {
        if let Some(baseline) = &mut self.baseline
            && span >= Span::ZERO
        {
            baseline.round_trip = Some(baseline.round_trip.map_or(span, |shortest| shortest.min(span)));
        }
    }

    fn see_look(&mut self, segment: &Segment) {
        let timestamps = segment.options.timestamps.is_some();
        match &mut self.baseline {
            None => {
                let ttl = (segment.ttl, segment.ttl);
                self.baseline = Some(Baseline { ttl, round_trip: None, timestamps });
            }
            Some(Baseline { ttl: (low, high), .. }) => {
                (*low, *high) = ((*low).min(segment.ttl), (*high).max(segment.ttl));
            }
        }
    }
}
