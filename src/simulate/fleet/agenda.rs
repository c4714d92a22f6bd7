//! When connections are to be woken: a queue for hundreds of thousands of entries.
//!
//! Owns [`Agenda`]. Entries far off lie unsorted in bins of a quarter of a second; only the bin at hand is in order,
//! and small enough for the processor's cache. Uses [`crate::time`] only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::time::Timestamp;

/// A bin is 2 to this many nanoseconds long.
const BIN: u32 = 28;

/// Entries by time, then by number, so that the order is always the same.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// All entries up to the end of the bin at hand.
    near: BinaryHeap<Reverse<(Timestamp, u32)>>,
    /// Which bin that is.
    bin: i64,
    /// The others by bin; none is empty.
    far: BTreeMap<i64, Vec<(Timestamp, u32)>>,
}

/// What an entry takes in memory.
pub(super) const ENTRY: usize = size_of::<(Timestamp, u32)>();

fn bin_of(time: Timestamp) -> i64 {
    time.as_nanos() >> BIN
}

impl Agenda {
    /// An agenda for times from `start` on.
    pub(super) fn new(start: Timestamp) -> Self {
        Self { near: BinaryHeap::new(), bin: bin_of(start), far: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, time: Timestamp, number: u32) {
        let bin = bin_of(time);
        if bin <= self.bin {
            self.near.push(Reverse((time, number)));
        } else {
            self.far.entry(bin).or_default().push((time, number));
        }
    }

    /// The time of the next entry.
    pub(super) fn next_time(&mut self) -> Option<Timestamp> {
        if self.near.is_empty() {
            let (bin, entries) = self.far.pop_first()?;
            self.bin = bin;
            self.near.extend(entries.into_iter().map(Reverse));
        }
        self.near.peek().map(|entry| entry.0.0)
    }

    /// Takes out the next entry.
    pub(super) fn pop(&mut self) -> Option<(Timestamp, u32)> {
        self.next_time()?;
        self.near.pop().map(|entry| entry.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::chance::{Chance, Stream};

    #[test]
    fn entries_come_out_in_the_order_of_their_times() {
        let mut chance = Chance::new(5, Stream::Fleet);
        let mut agenda = Agenda::new(Timestamp::default());
        let mut sorted = BinaryHeap::new();
        let mut now = 0;
        for number in 0..20_000 {
            let range = if number % 3 == 0 { 1 << 20 } else { 1 << 36 };
            let time = Timestamp::from_nanos(now + i64::try_from(chance.below(range)).unwrap());
            agenda.push(time, number);
            sorted.push(Reverse((time, number)));
            if number % 2 == 0 {
                let Reverse(next) = sorted.pop().unwrap();
                now = next.0.as_nanos();
                assert_eq!(agenda.next_time(), Some(next.0));
                assert_eq!(agenda.pop(), Some(next));
            }
        }
        while let Some(Reverse(next)) = sorted.pop() {
            assert_eq!(agenda.pop(), Some(next));
        }
        assert_eq!(agenda.pop(), None);
    }
}
