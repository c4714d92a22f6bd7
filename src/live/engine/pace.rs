//! How fast packets may leave.
//!
//! Owns the time of the next free slot. Pure.

use crate::time::{Span, Timestamp};

/// Slots of equal length; a packet takes one. Slots that nobody took are lost, so there are no bursts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    slot: Span,
    next: Option<Timestamp>,
}

impl Pace {
    /// So many packets a second at most; 0 counts as 1.
    pub(super) fn new(max_rate: u32) -> Self {
        Self { slot: Span::from_nanos(1_000_000_000 / i64::from(max_rate.max(1))), next: None }
    }

    /// Whether a packet may leave.
    pub(super) fn is_free(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// From when on a packet may leave; not before `now`.
    pub(super) fn free_from(&self, now: Timestamp) -> Timestamp {
        self.next.map_or(now, |next| next.max(now))
    }

    /// A packet leaves.
    pub(super) fn take(&mut self, now: Timestamp) {
        self.next = Some(self.free_from(now).plus(self.slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_packets_than_allowed_whoever_waited_before() {
        let mut pace = Pace::new(100);
        let start = Timestamp::from_nanos(5_000_000_000);
        pace.take(start);
        let mut now = start.plus(Span::from_secs(10));
        let mut sent = Vec::new();
        while sent.len() < 250 {
            if pace.is_free(now) {
                pace.take(now);
                sent.push(now);
            }
            now = now.plus(Span::from_millis(1));
        }
        for (earlier, later) in sent.iter().zip(&sent[100..]) {
            assert!(later.since(*earlier) >= Span::from_secs(1));
        }
    }
}
