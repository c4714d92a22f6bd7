//! TCP sequence numbers: 32 bits that wrap (RFC 9293 §3.4).

use std::fmt;

/// A sequence number. There is no order on it, since numbers on a circle have none; ask for the
/// [`distance_from`](SeqNum::distance_from) another instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// The number `octets` further on.
    #[must_use]
    pub const fn plus(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(octets))
    }

    /// How far this lies after `other`, in -2³¹ … 2³¹-1.
    pub const fn distance_from(self, other: SeqNum) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The 64-bit position of this number that lies nearest to `near`.
    ///
    /// Positions start at 2³² for the first number seen (see [`SeqNum::first_position`]), so wrap and zero
    /// are ordinary values and a position below the first one can be told.
    pub const fn unwrap_near(self, near: u64) -> u64 {
        let distance = self.0.wrapping_sub(near as u32).cast_signed();
        near.wrapping_add_signed(distance as i64)
    }

    /// The position given to the first number seen in a direction.
    pub const fn first_position(self) -> u64 {
        (1 << 32) + self.0 as u64
    }

    /// The sequence number at a 64-bit position.
    pub const fn at_position(position: u64) -> SeqNum {
        SeqNum(position as u32)
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_cross_the_wrap() {
        assert_eq!(SeqNum(0).distance_from(SeqNum(u32::MAX)), 1);
        assert_eq!(SeqNum(u32::MAX).distance_from(SeqNum(0)), -1);
        assert_eq!(SeqNum(u32::MAX).plus(1), SeqNum(0));
    }

    #[test]
    fn positions_cross_the_wrap_both_ways() {
        let end = SeqNum(u32::MAX).first_position();
        assert_eq!(SeqNum(0).unwrap_near(end), end + 1);
        assert_eq!(SeqNum(u32::MAX).unwrap_near(end + 1), end);
        let zero = SeqNum(0).first_position();
        assert_eq!(SeqNum(u32::MAX).unwrap_near(zero), zero - 1);
        assert_eq!(SeqNum::at_position(zero - 1), SeqNum(u32::MAX));
    }
}
