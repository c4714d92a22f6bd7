//! What is to happen, in the order in which it happens.
//!
//! Owns [`Queue`]. Uses [`crate::time`] only.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;

/// A queue of things with their times. What was put in for the same time comes out in the order in which it
/// was put in, so that a run does not depend on how the queue is built.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: Reverse<(Timestamp, u64)>,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts something in.
    pub fn push(&mut self, time: Timestamp, what: T) {
        self.heap.push(Entry { due: Reverse((time, self.next)), what });
        self.next += 1;
    }

    /// When the next thing happens.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.heap.peek().map(|entry| entry.due.0.0)
    }

    /// Takes out the next thing.
    pub fn pop(&mut self) -> Option<(Timestamp, T)> {
        self.heap.pop().map(|entry| (entry.due.0.0, entry.what))
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_of_one_time_come_out_as_they_went_in() {
        let mut queue = Queue::default();
        for (time, what) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd'), (4, 'e'), (5, 'f')] {
            queue.push(Timestamp::from_nanos(time), what);
        }
        let order: String = std::iter::from_fn(|| queue.pop().map(|(_, what)| what)).collect();
        assert_eq!(order, "bdeacf");
    }
}
