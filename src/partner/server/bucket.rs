//! A rate with a burst.
//!
//! Owns [`Bucket`]. Uses [`crate::time`].

use crate::time::Timestamp;

const SECOND: i128 = 1_000_000_000;

/// So many a second, and two seconds' worth at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_second: i128,
    /// In units of which [`SECOND`] are one.
    level: i128,
    at: Timestamp,
}

impl Bucket {
    /// Full.
    pub(super) fn new(per_second: u32, now: Timestamp) -> Self {
        let per_second = i128::from(per_second);
        Self { per_second, level: 2 * per_second * SECOND, at: now }
    }

    /// Takes so many, if there are.
    pub(super) fn take(&mut self, count: u32, now: Timestamp) -> bool {
        let elapsed = i128::from(now.since(self.at).as_nanos().max(0));
        self.at = self.at.max(now);
        self.level = (self.level + elapsed * self.per_second).min(2 * self.per_second * SECOND);
        let wanted = i128::from(count) * SECOND;
        if wanted > self.level {
            return false;
        }
        self.level -= wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Timestamp::from_nanos(0);
        let mut bucket = Bucket::new(10, start);
        assert!(bucket.take(20, start) && !bucket.take(1, start));
        assert!(!bucket.take(2, start.plus(Span::from_millis(199))));
        assert!(bucket.take(2, start.plus(Span::from_millis(200))));
        // Time that goes back gives nothing, a long one no more than a burst.
        assert!(!bucket.take(1, start));
        let later = start.plus(Span::from_secs(3600));
        assert!(!bucket.take(21, later) && bucket.take(20, later));
    }
}
