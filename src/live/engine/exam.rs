//! Probes in quick succession at the end of a connection, for a guess at the peer's stack.
//!
//! Owns their times. Linux answers probes without data at most once in 500 ms and those with an octet always
//! (`tcp_invalid_ratelimit`), so of two in quick succession the second tells. Pure.

use crate::time::{Span, Timestamp};

/// Longer than the limit after which Linux answers again.
const REST: Span = Span::from_millis(700);

/// Between the two of a pair at least.
const LEAST_GAP: Span = Span::from_millis(100);

/// Between the two of a pair at most: well below the limit, with time for a slow sender.
const MOST_GAP: Span = Span::from_millis(240);

/// The octets of each probe. Those with an octet come last, since they are always answered: the connection ends
/// with a sign of life.
const ROUND: [u8; 4] = [0, 0, 1, 1];

/// A lost packet looks like a limit; twice in the same place it hardly is one.
const ROUNDS: usize = 2;

/// The probes that are still to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exam {
    gap: Span,
    next: usize,
    due: Option<Timestamp>,
}

impl Exam {
    /// Probes that begin after a rest; none where a round trip takes so long that answers could not be told apart.
    pub(super) fn after(now: Timestamp, round_trip: Span) -> Option<Self> {
        let gap = round_trip.times(2).max(LEAST_GAP);
        (gap <= MOST_GAP).then_some(Self { gap, next: 0, due: Some(now.plus(REST)) })
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// The octets of the probe that is due now; none if it is not time, or if the last one had its time.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<u8> {
        self.due.filter(|due| *due <= now)?;
        let octets = ROUND.get(self.next % ROUND.len()).copied().filter(|_| self.next < ROUND.len() * ROUNDS);
        self.next += 1;
        let wait = if self.next.is_multiple_of(ROUND.len()) { REST } else { self.gap };
        // The last one gets as long as the others.
        let wait = if self.next >= ROUND.len() * ROUNDS { self.gap } else { wait };
        self.due = octets.map(|_| now.plus(wait));
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_closer_than_the_limit_and_rounds_further_apart() {
        let mut exam = Exam::after(Timestamp::from_nanos(0), Span::from_millis(60)).unwrap();
        let mut sent = Vec::new();
        while let Some(due) = exam.due() {
            sent.extend(exam.take(due).map(|octets| (due.as_nanos() / 1_000_000, octets)));
        }
        let expected = [(700, 0), (820, 0), (940, 1), (1060, 1), (1760, 0), (1880, 0), (2000, 1), (2120, 1)];
        assert_eq!(sent, expected);
        assert!(Exam::after(Timestamp::from_nanos(0), Span::from_millis(121)).is_none());
    }
}
