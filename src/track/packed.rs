//! Numbers in as few octets as they need, for what is remembered of every connection.
//!
//! Owns the packing; nothing it packs is rounded but round trips of more than two seconds. Uses
//! [`crate::frame`], [`crate::time`] and the event types.

use super::event::{ConnectionId, Mark};
use crate::frame::FrameId;
use crate::time::{Span, Timestamp};

/// A time before all others, where there is none.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(i64::MIN);

/// A frame in eight octets: more captures than a command line holds, and in each of them as many frames as come in
/// half a year with a million a second. What is beyond that is told as the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PackedFrame(u64);

impl PackedFrame {
    const NUMBER_BITS: u32 = 44;
    const LAST_CAPTURE: u32 = (1 << (u64::BITS - Self::NUMBER_BITS)) - 1;
    const LAST_NUMBER: u64 = (1 << Self::NUMBER_BITS) - 1;

    #[inline]
    pub(super) fn new(frame: FrameId) -> Self {
        let capture = u64::from(frame.capture.min(Self::LAST_CAPTURE));
        Self((capture << Self::NUMBER_BITS) | frame.number.min(Self::LAST_NUMBER))
    }

    #[inline]
    pub(super) fn get(self) -> FrameId {
        FrameId { capture: (self.0 >> Self::NUMBER_BITS) as u32, number: self.0 & Self::LAST_NUMBER }
    }

    /// With the time at which it was captured.
    #[inline]
    pub(super) fn at(self, time: Timestamp) -> Mark {
        Mark { frame: self.get(), time }
    }
}

/// The number of a connection in six octets: they last nine years with a million connections a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedId([u16; 3]);

impl PackedId {
    pub(super) fn new(ConnectionId(id): ConnectionId) -> Self {
        Self([(id >> 32) as u16, (id >> 16) as u16, id as u16])
    }

    #[inline]
    pub(super) fn get(self) -> ConnectionId {
        let Self([high, middle, low]) = self;
        ConnectionId((u64::from(high) << 32) | (u64::from(middle) << 16) | u64::from(low))
    }
}

/// The shortest of some round trips, in four octets: exact below two seconds, then rounded up to microseconds, and
/// no more than half an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortestTrip(u32);

impl ShortestTrip {
    /// None was seen.
    pub(super) const NONE: Self = Self(u32::MAX);
    const MICROS: u32 = 1 << 31;

    fn new(trip: Span) -> Self {
        let nanos = trip.as_nanos().unsigned_abs();
        Self(match u32::try_from(nanos) {
            Ok(nanos) if nanos < Self::MICROS => nanos,
            _ => {
                let micros = nanos.div_ceil(1_000).min(u64::from(Self::MICROS - 2));
                Self::MICROS | micros as u32
            }
        })
    }

    /// Takes one more into account; it may not be negative.
    pub(super) fn learn(&mut self, trip: Span) {
        self.0 = self.0.min(Self::new(trip).0);
    }

    pub(super) fn get(self) -> Option<Span> {
        let micros = i64::from(self.0 & !Self::MICROS);
        match self {
            Self::NONE => None,
            Self(packed) if packed & Self::MICROS != 0 => Some(Span::from_micros(micros)),
            Self(nanos) => Some(Span::from_nanos(i64::from(nanos))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_connections_come_back_as_they_were() {
        for frame in [(0, 1), (0, (1 << 44) - 1), (7, 1 << 33), ((1 << 20) - 1, 0)] {
            let frame = FrameId { capture: frame.0, number: frame.1 };
            assert_eq!(PackedFrame::new(frame).get(), frame);
        }
        for id in [1, 0xffff, 0x1_0000, 0xffff_ffff_ffff] {
            assert_eq!(PackedId::new(ConnectionId(id)).get(), ConnectionId(id));
        }
    }

    #[test]
    fn the_shortest_trip_stays_and_long_ones_are_rounded_up() {
        let mut trip = ShortestTrip::NONE;
        assert_eq!(trip.get(), None);
        let steps = [
            (i64::MAX, Span::from_micros(i64::from(ShortestTrip::MICROS) - 2)),
            (5_000_000_001, Span::from_nanos(5_000_001_000)),
            (2_147_483_647, Span::from_nanos(2_147_483_647)),
            (3_000_000_000, Span::from_nanos(2_147_483_647)),
            (0, Span::ZERO),
        ];
        for (nanos, expected) in steps {
            trip.learn(Span::from_nanos(nanos));
            assert_eq!(trip.get(), Some(expected), "after {nanos} ns");
        }
    }
}
