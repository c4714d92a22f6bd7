//! The order in which several captures are read.
//!
//! Owns [`Schedule`]. Uses [`crate::time`] only: it knows captures by their index.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;

/// When a capture is due, and which; captures of the same time go by index.
pub(super) type Turn = (Timestamp, usize);

/// After every turn there is.
pub(super) const LAST: Turn = (Timestamp::from_nanos(i64::MAX), usize::MAX);

/// Who is next: captures that wait to be opened, and open ones with a packet ready.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Latest first, so that the next one can be popped.
    waiting: Vec<Turn>,
    ready: BinaryHeap<Reverse<Turn>>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This capture must be opened before anything can be handed out.
    Open(usize),
    /// The packet of this capture is next.
    Take(usize),
    /// There is nothing left.
    Nothing,
}

impl Schedule {
    /// A schedule of captures to open at these times.
    pub(super) fn new(mut waiting: Vec<Turn>) -> Self {
        waiting.sort_unstable_by_key(|turn| Reverse(*turn));
        Self { waiting, ready: BinaryHeap::new() }
    }

    /// This capture has a packet ready.
    pub(super) fn push(&mut self, turn: Turn) {
        self.ready.push(Reverse(turn));
    }

    /// Who is next; what is said is taken out of the schedule.
    pub(super) fn next(&mut self) -> Next {
        let ready = self.ready.peek().map(|Reverse(turn)| *turn);
        if let Some(waiting) = self.waiting.pop_if(|waiting| ready.is_none_or(|ready| *waiting <= ready)) {
            return Next::Open(waiting.1);
        }
        match self.ready.pop() {
            Some(Reverse(turn)) => Next::Take(turn.1),
            None => Next::Nothing,
        }
    }

    /// Up to this turn, a capture that is being read stays the next one.
    pub(super) fn bound(&self) -> Turn {
        let ready = self.ready.peek().map_or(LAST, |Reverse(turn)| *turn);
        self.waiting.last().map_or(ready, |waiting| ready.min(*waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64, index: usize) -> Turn {
        (Timestamp::from_nanos(nanos), index)
    }

    #[test]
    fn captures_are_opened_only_when_due() {
        let mut schedule = Schedule::new(vec![at(50, 0), at(10, 1), at(30, 2)]);
        assert_eq!(schedule.next(), Next::Open(1));
        schedule.push(at(10, 1));
        assert_eq!(schedule.next(), Next::Take(1));
        assert_eq!(schedule.bound(), at(30, 2));
        schedule.push(at(40, 1));
        assert_eq!(schedule.next(), Next::Open(2));
        schedule.push(at(30, 2));
        assert_eq!(schedule.next(), Next::Take(2));
        assert_eq!(schedule.bound(), at(40, 1));
        assert_eq!(schedule.next(), Next::Take(1));
        assert_eq!(schedule.next(), Next::Open(0));
        assert_eq!(schedule.next(), Next::Nothing);
    }

    #[test]
    fn the_same_time_goes_by_index() {
        let mut schedule = Schedule::new(vec![at(5, 1), at(5, 0)]);
        assert_eq!(schedule.next(), Next::Open(0));
        schedule.push(at(5, 0));
        assert_eq!(schedule.next(), Next::Take(0));
    }
}
