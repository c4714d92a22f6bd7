//! What was sent and not acknowledged yet, and when it is sent again (RFC 6298, without congestion control).
//!
//! Owns [`Unacknowledged`]. Uses [`crate::segment`] and [`crate::time`].

use std::collections::VecDeque;

use crate::segment::{Flags, SeqNum};
use crate::time::{Span, Timestamp};

/// The longest time-out (RFC 6298 §2.5 asks for 60 s or more; Linux: `TCP_RTO_MAX`).
const LONGEST: Span = Span::from_secs(120);

/// The time-out before anything was measured (RFC 6298 §2.1).
const FIRST: Span = Span::from_secs(1);

/// A segment that waits for its acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) seq: SeqNum,
    pub(super) octets: u16,
    pub(super) flags: Flags,
    sent: Timestamp,
    again: bool,
}

impl Piece {
    /// The sequence number after it.
    fn end(&self) -> SeqNum {
        let syn_or_fin = u32::from(self.flags.syn()) + u32::from(self.flags.fin());
        self.seq.plus(u32::from(self.octets) + syn_or_fin)
    }
}

/// What is to be done when the time-out is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Again(Piece),
    GiveUp,
}

/// The retransmission queue of one end, with its timer.
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    pieces: VecDeque<Piece>,
    timer: Option<Timestamp>,
    least: Span,
    smoothed: Option<(Span, Span)>,
    /// How often the time-out was over since the last new acknowledgment.
    attempts: u32,
    /// The time-out was over, and not all of what was on the way then is acknowledged.
    recovering: bool,
}

impl Unacknowledged {
    pub(super) fn new(least: Span) -> Self {
        Self { pieces: VecDeque::new(), timer: None, least, smoothed: None, attempts: 0, recovering: false }
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.timer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.timer = None;
    }

    pub(super) fn sent(&mut self, now: Timestamp, seq: SeqNum, octets: u16, flags: Flags) {
        self.pieces.push_back(Piece { seq, octets, flags, sent: now, again: false });
        if self.timer.is_none() {
            self.timer = Some(now.plus(self.timeout()));
        }
    }

    /// The time-out as it stands, backed off.
    fn timeout(&self) -> Span {
        self.measured().times(1 << self.attempts.min(16)).min(LONGEST)
    }

    /// The time-out from what was measured.
    pub(super) fn measured(&self) -> Span {
        match self.smoothed {
            None => FIRST,
            Some((smoothed, variation)) => smoothed.plus(variation.times(4).max(self.least)).min(LONGEST),
        }
    }

    /// Takes out what an acknowledgment covers. In recovery, returns what is to be sent again at once.
    pub(super) fn acknowledged(&mut self, now: Timestamp, up_to: SeqNum) -> Option<Piece> {
        let before = self.pieces.len();
        while let Some(piece) = self.pieces.front() {
            if piece.end().distance_from(up_to) > 0 {
                break;
            }
            // A segment that was sent twice measures nothing (Karn).
            if !piece.again {
                let sample = now.since(piece.sent);
                self.measure(sample);
            }
            self.pieces.pop_front();
        }
        if self.pieces.len() == before {
            return None;
        }
        self.attempts = 0;
        self.recovering &= !self.pieces.is_empty();
        self.timer = (!self.pieces.is_empty()).then(|| now.plus(self.timeout()));
        if !self.recovering {
            return None;
        }
        let head = self.pieces.front_mut()?;
        head.again = true;
        Some(*head)
    }

    fn measure(&mut self, sample: Span) {
        let nanos = sample.as_nanos();
        self.smoothed = Some(match self.smoothed {
            None => (sample, Span::from_nanos(nanos / 2)),
            Some((smoothed, variation)) => {
                let off = (smoothed.as_nanos() - nanos).abs();
                let variation = (3 * variation.as_nanos() + off) / 4;
                let smoothed = (7 * smoothed.as_nanos() + nanos) / 8;
                (Span::from_nanos(smoothed), Span::from_nanos(variation))
            }
        });
    }

    /// The time-out is over, if it is.
    pub(super) fn on_timeout(&mut self, now: Timestamp, retries: u32, patience: Option<Span>) -> Option<Due> {
        if self.timer.is_none_or(|timer| timer > now) {
            return None;
        }
        let head = self.pieces.front_mut()?;
        let impatient = patience.is_some_and(|patience| now.since(head.sent) >= patience);
        if self.attempts >= retries || impatient {
            self.clear();
            return Some(Due::GiveUp);
        }
        head.again = true;
        let piece = *head;
        self.attempts += 1;
        self.recovering = true;
        let mut next = now.plus(self.timeout());
        if let Some(patience) = patience {
            next = next.min(piece.sent.plus(patience).max(now.plus(Span::from_nanos(1))));
        }
        self.timer = Some(next);
        Some(Due::Again(piece))
    }
}
