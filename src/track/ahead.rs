//! Looking some segments ahead.
//!
//! Owns [`Hint`] and the order of looking up: what is known of the connections of several segments comes from
//! memory at the same time, where one after another each would have to be waited for. Uses [`super::table`].

use std::hint::black_box;

use super::Tracker;
use super::table::Slot;
use crate::segment::Segment;

/// How many segments are looked up together: their connections stay in the cache until they are read.
pub const AHEAD: usize = 64;

/// Where a connection seemed to be. It may have gone since, or come: what is found with it is the same as
/// without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint {
    pub(super) hash: u32,
    pub(super) slot: Option<Slot>,
}

impl Tracker {
    /// Looks up the connections of up to [`AHEAD`] segments that will be read next; nothing where something else
    /// stands between them.
    #[inline]
    pub fn look_ahead<'a>(&self, segments: impl Iterator<Item = Option<&'a Segment>>) -> [Hint; AHEAD] {
        let mut hints = [Hint::default(); AHEAD];
        for (hint, segment) in hints.iter_mut().zip(segments) {
            if let Some(segment) = segment {
                *hint = self.table.hint(segment.source, segment.destination);
            }
        }
        // In a second turn: nothing of it has to be known before the next is asked for.
        let touched = hints.iter().fold(0, |sum, hint| sum ^ self.table.touch(*hint));
        black_box(touched);
        hints
    }
}
