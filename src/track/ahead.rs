//! Looking some segments ahead.
//!
//! Owns [`Ahead`] and the order of looking up: where connections are many, a segment waits longer for what is known of
//! its connection to come from memory than all the rest takes; so that is asked for while segments before it are
//! read. Uses [`super::scan`] and [`super::table`].

use std::slice::{self, Chunks};

use prefetch_index::prefetch_index;

use super::Tracker;
use super::scan::Scan;
use super::table::Slot;

/// How many segments are looked up together: their connections and those of the ones before stay in the cache until
/// they are read.
pub const AHEAD: usize = 32;

/// Has the part of a structure that this is in brought to the processor's cache, without waiting for it.
#[inline(always)]
pub(super) fn ask_for<T>(part: &T) {
    prefetch_index(slice::from_ref(part), 0);
}

/// What was told of a segment, and where its connection seemed to be. It may have gone since, or come: what is found
/// with it is the same as without.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    pub(super) scan: Scan,
    pub(super) slot: Slot,
}

impl Hint {
    /// No connection is ever there.
    pub(super) const NOWHERE: Slot = Slot::MAX;

    /// What was told of the segment.
    pub const fn scan(self) -> Scan {
        self.scan
    }

    pub(super) const fn new(scan: Scan) -> Self {
        Self { scan, slot: Self::NOWHERE }
    }
}

/// Goes through segments, [`AHEAD`] of them at a time, and has what will be read of their connections brought near: of
/// those that come next the connections, of those behind them what tells where these are.
#[derive(Debug)]
pub struct Ahead<'a> {
    rest: Chunks<'a, Scan>,
    behind: &'a [Scan],
    /// Of those that come next, and of those now: which is which changes, so that none is moved.
    hints: [[Hint; AHEAD]; 2],
    /// The second ones are those of what comes next.
    second: bool,
}

impl<'a> Ahead<'a> {
    /// Begins with the first of these.
    #[inline]
    pub fn new(tracker: &Tracker, scans: &'a [Scan]) -> Self {
        let none = Hint::new(Scan { hash: 0, is_copy: false });
        let (rest, hints) = (scans.chunks(AHEAD), [[none; AHEAD]; 2]);
        let mut ahead = Self { rest, behind: &[], hints, second: false };
        ahead.advance(tracker);
        ahead.advance(tracker);
        ahead
    }

    /// What is to be handed in with the next segments, up to [`AHEAD`] of them.
    #[inline]
    pub fn hints(&mut self, tracker: &Tracker) -> &[Hint; AHEAD] {
        self.advance(tracker);
        let [first, second] = &self.hints;
        if self.second { first } else { second }
    }

    #[inline]
    fn advance(&mut self, tracker: &Tracker) {
        self.second = !self.second;
        let [first, second] = &mut self.hints;
        let next = if self.second { second } else { first };
        for (hint, &scan) in next.iter_mut().zip(self.behind) {
            let slot = tracker.table.slot_seeming(scan.hash);
            tracker.table.ask(slot);
            *hint = Hint { scan, slot };
        }
        self.behind = self.rest.next().unwrap_or_default();
        self.behind.iter().for_each(|scan| tracker.table.ask_index(scan.hash));
    }
}
