//! Sets of stacks, and lists of few frames: what a mark has of each, without memory of its own.

use std::ops::Deref;

use crate::frame::FrameId;
use crate::stack::Stack;

/// Stacks of the table.
const STACKS: usize = Stack::all().len();

/// Frames that are named for a mark; more of the same tell no more.
const MOST_FRAMES: usize = 4;

/// Some stacks by their places in the table, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places(u32);

const _: () = assert!(STACKS <= u32::BITS as usize, "a bit for each stack of the table");

impl Places {
    /// Those stacks of which enough is known to run them.
    pub const RUNNING: Self = {
        let (mut left, mut running, mut bit) = (Stack::all(), 0, 1);
        while let [stack, rest @ ..] = left {
            running |= if stack.runs { bit } else { 0 };
            (left, bit) = (rest, bit << 1);
        }
        Self(running)
    };

    /// Adds a stack.
    pub fn insert(&mut self, place: usize) {
        self.0 |= 1_u32.checked_shl(place as u32).unwrap_or(0);
    }

    /// Whether a stack is one of them.
    pub const fn contains(self, place: usize) -> bool {
        (self.0 >> (place as u32 % u32::BITS)) & 1 != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Their places, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let place = left.trailing_zeros();
            // Without its lowest bit.
            left &= left.checked_sub(1)?;
            Some(place as usize)
        })
    }
}

/// The first frames that show a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    frames: [FrameId; MOST_FRAMES],
    count: usize,
}

impl FromIterator<FrameId> for Frames {
    /// Those that come first, each once.
    fn from_iter<I: IntoIterator<Item = FrameId>>(frames: I) -> Self {
        let mut few = Self { frames: [FrameId { capture: 0, number: 0 }; MOST_FRAMES], count: 0 };
        for frame in frames {
            if !few.contains(&frame)
                && let Some(place) = few.frames.get_mut(few.count)
            {
                *place = frame;
                few.count += 1;
            }
            if few.count == MOST_FRAMES {
                break;
            }
        }
        few
    }
}

impl Deref for Frames {
    type Target = [FrameId];

    fn deref(&self) -> &[FrameId] {
        self.frames.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frames_are_kept_each_once() {
        let frames = |numbers: &[u64]| -> Frames {
            numbers.iter().map(|number| FrameId { capture: 0, number: *number }).collect()
        };
        let kept = |numbers: &[u64]| frames(numbers).iter().map(|frame| frame.number).collect::<Vec<_>>();
        assert!(kept(&[]).is_empty());
        assert_eq!(kept(&[7, 7, 3, 7]), [7, 3]);
        assert_eq!(kept(&[1, 2, 2, 3, 4, 5]), [1, 2, 3, 4]);
    }

    #[test]
    fn places_come_in_the_order_of_the_table() {
        let mut places = Places::default();
        assert!(places.is_empty() && places.iter().next().is_none());
        [STACKS - 1, 3, 0].into_iter().for_each(|place| places.insert(place));
        assert_eq!(places.iter().collect::<Vec<_>>(), [0, 3, STACKS - 1]);
        assert!(places.contains(3) && !places.contains(4));
        let running = Stack::all().iter().enumerate().filter(|(_, stack)| stack.runs);
        assert!(Places::RUNNING.iter().eq(running.map(|(place, _)| place)));
    }
}
