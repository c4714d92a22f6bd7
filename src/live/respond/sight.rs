//! What is seen of the packets of a responder, where that is allowed: sequence numbers, and segments that belong to no
//! connection.
//!
//! Owns [`Sight`]. Uses [`crate::segment`].

use std::collections::{HashMap, HashSet, VecDeque};

use crate::partner::Tuple;
use crate::partner::server::Token;
use crate::segment::encode::Outbound;
use crate::segment::{Flags, Options, Segment, SeqNum, TcpTimestamps};

/// Connections that are remembered after their handshake or their end.
const REMEMBERED: usize = 4096;

/// What was seen of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The last segment of ours.
    own: Option<Own>,
    /// The highest acknowledgment of the peer.
    acknowledged: Option<SeqNum>,
    /// The last TSval of the peer.
    tsval: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Own {
    /// What follows its last octet.
    end: SeqNum,
    ack: SeqNum,
    window: u16,
    tsval: Option<u32>,
    ttl: u8,
    ip_id: u16,
    dont_fragment: bool,
}

/// What a segment is to a responder.
pub(super) enum Look {
    /// Nothing new.
    Known,
    /// The peer's end of no connection that there is, or was lately.
    Stray(Tuple),
}

/// What was seen of all connections.
#[derive(Default)]
pub(super) struct Sight {
    tokens: HashMap<Tuple, Token>,
    seen: HashMap<Token, (Tuple, Seen)>,
    remembered: HashSet<Tuple>,
    order: VecDeque<Tuple>,
}

impl Sight {
    /// A connection was accepted.
    pub(super) fn enter(&mut self, token: Token, tuple: Tuple) {
        self.tokens.insert(tuple, token);
        self.seen.insert(token, (tuple, Seen::default()));
        self.remember(tuple);
    }

    /// It is gone.
    pub(super) fn leave(&mut self, token: Token) {
        let Some((tuple, _)) = self.seen.remove(&token) else { return };
        // Its ports may be those of another one already.
        if self.tokens.get(&tuple) == Some(&token) {
            self.tokens.remove(&tuple);
        }
        self.remember(tuple);
    }

    /// A segment was seen. `is_ours` tells whether an end is one that is listened on.
    pub(super) fn on_segment(&mut self, segment: &Segment, is_ours: impl Fn(&Tuple) -> bool) -> Look {
        let outward = Tuple { local: segment.source, remote: segment.destination };
        if let Some((_, seen)) = self.tokens.get(&outward).and_then(|token| self.seen.get_mut(token)) {
            seen.on_own(segment);
            return Look::Known;
        }
        let inward = Tuple { local: segment.destination, remote: segment.source };
        if let Some((_, seen)) = self.tokens.get(&inward).and_then(|token| self.seen.get_mut(token)) {
            seen.on_peer(segment);
            return Look::Known;
        }
        if !is_ours(&inward) || segment.flags.rst() {
            return Look::Known;
        }
        // The rest of a handshake may be seen before the connection is accepted.
        if segment.flags.syn() {
            self.remember(inward);
        }
        if self.remembered.contains(&inward) { Look::Known } else { Look::Stray(inward) }
    }

    /// A keepalive probe with one octet of no meaning, at SND.NXT-1. None unless it is certain what SND.NXT is: the
    /// end of what we sent last, and all of it acknowledged.
    pub(super) fn probe(&self, token: Token) -> Option<Outbound<'static>> {
        let (tuple, seen) = self.seen.get(&token)?;
        let own = seen.own.filter(|own| Some(own.end) == seen.acknowledged)?;
        let timestamps = own.tsval.zip(seen.tsval);
        Some(Outbound {
            source: tuple.local,
            destination: tuple.remote,
            seq: own.end.plus(u32::MAX),
            ack: own.ack,
            flags: Flags::ACK,
            window: own.window,
            // The TSval that was used last: a later one might be ahead of the kernel's own.
            options: Options {
                timestamps: timestamps.map(|(value, echo)| TcpTimestamps { value, echo }),
                ..Options::default()
            },
            payload: &[0],
            ttl: own.ttl,
            ip_id: own.ip_id.wrapping_add(1),
            dont_fragment: own.dont_fragment,
        })
    }

    fn remember(&mut self, tuple: Tuple) {
        if self.remembered.insert(tuple) {
            self.order.push_back(tuple);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.remembered.remove(&oldest);
        }
    }
}

impl Seen {
    fn on_own(&mut self, segment: &Segment) {
        // A probe of ours has no new octet, and its header is a copy.
        let end = segment.seq.plus(segment.len).plus(u32::from(segment.flags.fin()));
        let goes_on = self.own.is_none_or(|own| end.distance_from(own.end) >= 0);
        if segment.flags.rst() || segment.flags.syn() || !segment.flags.ack() || !goes_on {
            return;
        }
        self.own = Some(Own {
            end,
            ack: segment.ack,
            window: segment.window,
            tsval: segment.options.timestamps.map(|stamps| stamps.value),
            ttl: segment.ttl,
            ip_id: segment.ip_id.unwrap_or(0),
            dont_fragment: segment.dont_fragment,
        });
    }

    fn on_peer(&mut self, segment: &Segment) {
        if segment.flags.rst() || segment.flags.syn() || !segment.flags.ack() {
            return;
        }
        if self.acknowledged.is_none_or(|known| segment.ack.distance_from(known) > 0) {
            self.acknowledged = Some(segment.ack);
        }
        self.tsval = segment.options.timestamps.map(|stamps| stamps.value).or(self.tsval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameId;
    use crate::segment::Endpoint;
    use crate::time::Timestamp;

    fn end(last: u8, port: u16) -> Endpoint {
        Endpoint { address: [192, 0, 2, last].into(), port }
    }

    fn segment(from: Endpoint, to: Endpoint, flags: Flags, (seq, ack, len): (u32, u32, u32)) -> Segment {
        Segment {
            id: FrameId::default(),
            time: Timestamp::from_nanos(0),
            interface: 0,
            source: from,
            destination: to,
            seq: SeqNum(seq),
            ack: SeqNum(ack),
            flags,
            window: 500,
            len,
            first_octet: None,
            options: Options::default(),
            ttl: 64,
            ip_id: Some(7),
            dont_fragment: true,
        }
    }

    #[test]
    fn a_probe_is_never_at_or_above_what_is_sent_next() {
        let (us, peer) = (end(1, 7440), end(2, 40_000));
        let mut sight = Sight::default();
        sight.enter(Token(1), Tuple { local: us, remote: peer });
        assert!(sight.probe(Token(1)).is_none());
        let mut see = |segment: &Segment| {
            sight.on_segment(segment, |_| true);
            sight.probe(Token(1)).map(|probe| (probe.seq.0, probe.ack.0))
        };
        // Across the wrap. Nothing as long as the peer has not acknowledged the end of what we sent.
        assert_eq!(see(&segment(us, peer, Flags::ACK, (u32::MAX - 4, 9, 5))), None);
        assert_eq!(see(&segment(peer, us, Flags::ACK, (9, u32::MAX, 0))), None);
        assert_eq!(see(&segment(peer, us, Flags::ACK, (9, 0, 0))), Some((u32::MAX, 9)));
        // A probe, its answer and an older acknowledgment change nothing; new octets do.
        assert_eq!(see(&segment(us, peer, Flags::ACK, (u32::MAX, 9, 1))), Some((u32::MAX, 9)));
        assert_eq!(see(&segment(peer, us, Flags::ACK, (9, u32::MAX, 0))), Some((u32::MAX, 9)));
        assert_eq!(see(&segment(us, peer, Flags::ACK, (0, 10, 1))), None);
        assert_eq!(see(&segment(peer, us, Flags::ACK, (10, 1, 0))), Some((0, 10)));
    }

    #[test]
    fn strays_are_segments_of_connections_that_never_were() {
        let (us, peer, other) = (end(1, 7440), end(2, 40_000), end(2, 40_001));
        let mut sight = Sight::default();
        let known = Tuple { local: us, remote: peer };
        sight.enter(Token(1), known);
        let is_stray = |sight: &mut Sight, from: Endpoint, flags: Flags| {
            let segment = segment(from, us, flags, (1, 1, 0));
            matches!(sight.on_segment(&segment, |tuple| tuple.local == us), Look::Stray(_))
        };
        assert!(!is_stray(&mut sight, peer, Flags::ACK));
        sight.leave(Token(1));
        assert!(!is_stray(&mut sight, peer, Flags::ACK), "its last words");
        assert!(is_stray(&mut sight, other, Flags::ACK));
        assert!(!is_stray(&mut sight, other, Flags::RST));
        assert!(!is_stray(&mut sight, other, Flags::SYN));
        assert!(!is_stray(&mut sight, other, Flags::ACK), "a handshake that goes on");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sight = Sight::default();
        for port in 0..10_000 {
            sight.remember(Tuple { local: end(1, 7440), remote: end(2, port) });
        }
        assert_eq!((sight.remembered.len(), sight.order.len()), (REMEMBERED, REMEMBERED));
    }
}
