//! Looking some segments ahead.
//!
//! Owns [`Hint`] and the order of looking up: what is known of the connections of several segments comes from
//! memory at the same time, where one after another each would have to be waited for. Uses [`super::table`].

use std::hint::black_box;

use super::Tracker;
use super::connection::Connection;
use super::hash::TupleHash;
use super::table::{Slot, VACANT};
use crate::segment::Segment;

/// How many segments are looked up together: their connections stay in the cache until they are read.
pub const AHEAD: usize = 64;

/// Where a connection seemed to be. It may have gone since, or come: what is found with it is the same as
/// without.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    pub(super) hash: u32,
    pub(super) slot: Slot,
}

impl Hint {
    /// No connection is ever there.
    pub(super) const NOWHERE: Slot = Slot::MAX;
    const NONE: Self = Self { hash: 0, slot: Self::NOWHERE };
}

impl Tracker {
    /// How segments are hashed for [`Tracker::look_ahead`].
    pub fn hash(&self) -> &TupleHash {
        self.table.hash()
    }

    /// Looks up the connections of up to [`AHEAD`] segments that will be read next, each by the hash of its ends.
    ///
    /// In several turns over all of them, each as short as can be: nothing in a turn has to be known before the next
    /// segment's is asked for, and the fewer instructions lie between, the more of them are asked for at once.
    #[inline]
    pub fn look_ahead(&self, hashes: &[u32]) -> [Hint; AHEAD] {
        black_box(hashes.iter().fold(0, |sum, hash| sum ^ self.table.touch_index(*hash)));
        let mut hints = [Hint::NONE; AHEAD];
        for (hint, &hash) in hints.iter_mut().zip(hashes) {
            *hint = Hint { hash, slot: self.table.slot_seeming(hash) };
        }
        let mut places = [VACANT; AHEAD];
        for (place, hint) in places.iter_mut().zip(&hints) {
            *place = self.table.place(hint.slot);
        }
        let places = places.get(..hashes.len()).unwrap_or_default();
        for part in Connection::PARTS {
            black_box(
                places
                    .iter()
                    .flat_map(|place| place.as_ref())
                    .fold(0, |sum, connection| sum ^ part(connection)),
            );
        }
        hints
    }

    /// Looks up the connection of one segment.
    #[inline]
    pub(super) fn look_up(&self, segment: &Segment) -> Hint {
        let hash = self.table.hash().of(segment.source, segment.destination);
        Hint { hash, slot: self.table.slot_seeming(hash) }
    }
}
