//! One connection of a search, as packets show it at one place: what came, what left, and how long it was silent.
//!
//! Owns [`Line`]. It knows nothing but the segments that it was shown, in their order. Uses [`crate::segment`] and
//! [`crate::time`].

use crate::segment::{Endpoint, Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// What a segment is to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first of the handshake, or the second.
    Syn,
    /// Data that was not sent before.
    Data,
    /// Data that was sent before.
    DataAgain,
    /// A keepalive probe: one number below what comes next, with an octet at most.
    Probe,
    /// Nothing but an acknowledgment.
    Ack,
    /// No more data.
    Fin,
    /// A RST.
    Reset,
}

/// A segment as the line saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// When.
    pub(super) at: Timestamp,
    /// It left the host at which we look.
    pub(super) left: bool,
    /// What it is.
    pub(super) kind: Kind,
    /// Its time to live.
    pub(super) ttl: u8,
    /// It lacks timestamps although both ends offered them.
    pub(super) lacks_timestamps: bool,
}

/// What the handshake showed of the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    /// The time to live of its SYN.
    pub(super) ttl: Option<u8>,
    /// From our SYN to the answer; nothing if it was not us who opened.
    pub(super) round_trip: Option<Span>,
}

/// One connection at one place.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The end at which we look.
    ours: Endpoint,
    /// When the last packet passed, either way.
    last: Option<Timestamp>,
    /// The number behind everything that we, and they, sent.
    ends: [Option<SeqNum>; 2],
    /// Both their SYN and ours offered timestamps.
    offered: [bool; 2],
    our_syn: Option<Timestamp>,
    base: Baseline,
}

impl Line {
    /// A connection with this end here.
    pub(super) fn new(ours: Endpoint) -> Self {
        let base = Baseline::default();
        Self { ours, last: None, ends: [None; 2], offered: [false; 2], our_syn: None, base }
    }

    /// When the last packet passed.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// What the handshake showed.
    pub(super) fn base(&self) -> Baseline {
        self.base
    }

    /// The number behind everything that we sent.
    pub(super) fn our_end(&self) -> Option<SeqNum> {
        self.ends.first().copied().flatten()
    }

    /// The number behind everything that they sent.
    pub(super) fn their_end(&self) -> Option<SeqNum> {
        self.ends.last().copied().flatten()
    }

    /// Takes a segment of it.
    pub(super) fn on_segment(&mut self, segment: &Segment) -> Seen {
        let left = segment.source == self.ours;
        let at = segment.time;
        let kind = self.kind(segment, left);
        let stamped = segment.options.timestamps.is_some();
        if segment.flags.syn() {
            self.on_syn(segment, left, stamped);
        }
        // A RST is outside of the silence that it ends: what it refuses is what broke it.
        self.last = Some(at);
        if !matches!(kind, Kind::Reset) {
            self.advance(segment, left);
        }
        let both = self.offered.iter().all(|offered| *offered);
        Seen { at, left, kind, ttl: segment.ttl, lacks_timestamps: both && !stamped }
    }

    fn kind(&self, segment: &Segment, left: bool) -> Kind {
        let end = if left { self.our_end() } else { self.their_end() };
        let is_below = |end: SeqNum| segment.seq.plus(1) == end;
        let is_new = |end: SeqNum| segment.seq.plus(segment.len).distance_from(end) > 0;
        match segment.flags {
            flags if flags.rst() => Kind::Reset,
            flags if flags.syn() => Kind::Syn,
            flags if flags.fin() => Kind::Fin,
            _ if segment.len == 0 && end.is_some_and(is_below) => Kind::Probe,
            _ if segment.len == 0 => Kind::Ack,
            _ if end.is_none_or(is_new) => Kind::Data,
            _ => Kind::DataAgain,
        }
    }

    fn on_syn(&mut self, segment: &Segment, left: bool, stamped: bool) {
        let [ours, theirs] = &mut self.offered;
        if left {
            *ours = stamped;
            // Sent again, it measures nothing.
            self.our_syn = if self.our_syn.is_none() { Some(segment.time) } else { None };
        } else {
            *theirs = stamped;
            self.base.ttl = self.base.ttl.or(Some(segment.ttl));
            let sent = self.our_syn.filter(|_| segment.flags.ack() && self.base.round_trip.is_none());
            self.base.round_trip = self.base.round_trip.or(sent.map(|sent| segment.time.since(sent)));
        }
    }

    fn advance(&mut self, segment: &Segment, left: bool) {
        let numbers = u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
        let end = segment.seq.plus(segment.len).plus(numbers);
        let [ours, theirs] = &mut self.ends;
        let known = if left { ours } else { theirs };
        if known.is_none_or(|known| end.distance_from(known) > 0) {
            *known = Some(end);
        }
    }
}
