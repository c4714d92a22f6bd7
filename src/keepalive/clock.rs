//! When a stack's timer fires: its rounding, as arithmetic on ticks.
//!
//! Uses [`super::wheel`] for Linux, [`crate::stack`] for what kinds of rounding there are.

use super::wheel::Wheel;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// A stack's clock: counts ticks of its own length and fires timers on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Linux: jiffies, and the timer wheel.
    Wheel(Wheel),
    /// Ticks of `tick` since `zero`; a timer fires on a tick.
    Ticks {
        /// Length of a tick.
        tick: Span,
        /// A time at which a tick fell.
        zero: Timestamp,
        /// Whether more ticks than a delay must have passed, not as many.
        strict: bool,
    },
    /// On time, in nanoseconds, but fired only at multiples of `window` since `zero`.
    Coalesced {
        /// At most this late.
        window: Span,
        /// A time at which timers are looked at.
        zero: Timestamp,
    },
    /// On time.
    Exact,
}

impl Clock {
    /// The clock of a stack that rounds so. `zero` is its phase: when its jiffies counter stood at 0, or a
    /// time at which one of its ticks fell.
    pub fn new(rounding: Rounding, zero: Timestamp) -> Self {
        match rounding {
            Rounding::Exact => Clock::Exact,
            Rounding::TimerWheel { hz } => Clock::Wheel(Wheel::new(hz, zero)),
            Rounding::Coalesced { window } => Clock::Coalesced { window: at_least_one(window), zero },
            Rounding::Ticks { tick, strict } | Rounding::Polled { period: tick, strict } => {
                Clock::Ticks { tick: at_least_one(tick), zero, strict }
            }
        }
    }

    /// The counter at a time.
    pub(super) fn units_at(&self, time: Timestamp) -> i64 {
        match self {
            Clock::Wheel(wheel) => wheel.jiffies_at(time),
            Clock::Ticks { tick, zero, .. } => time.since(*zero).as_nanos().div_euclid(tick.as_nanos()),
            Clock::Coalesced { .. } | Clock::Exact => time.as_nanos(),
        }
    }

    /// A span in units of the counter.
    pub(super) fn units(&self, span: Span) -> i64 {
        match self {
            Clock::Wheel(wheel) => wheel.to_jiffies(span),
            Clock::Ticks { tick, .. } => span.as_nanos().max(0) / tick.as_nanos(),
            Clock::Coalesced { .. } | Clock::Exact => span.as_nanos().max(0),
        }
    }

    /// Whether `elapsed` units have used up `limit` units.
    pub(super) fn is_past(&self, elapsed: i64, limit: i64) -> bool {
        match self {
            Clock::Ticks { strict: true, .. } => elapsed > limit,
            _ => elapsed >= limit,
        }
    }

    /// When a timer fires that was started when the counter stood at `base`, for `delay` units; not before
    /// `now`.
    pub(super) fn fires(&self, now: Timestamp, base: i64, delay: i64) -> Timestamp {
        let due = base.saturating_add(delay);
        let fires = match self {
            Clock::Wheel(wheel) => wheel.time_at(wheel.fires_at(base, delay)),
            Clock::Ticks { tick, zero, strict } => {
                // A timer is looked at once in a tick.
                let next = self.units_at(now).saturating_add(1);
                let ticks = due.saturating_add(i64::from(*strict)).max(next);
                Timestamp::from_nanos(zero.as_nanos().saturating_add(ticks.saturating_mul(tick.as_nanos())))
            }
            Clock::Coalesced { window, zero } => {
                let late = Timestamp::from_nanos(due).since(*zero).as_nanos();
                let windows =
                    late.div_euclid(window.as_nanos()) + i64::from(late.rem_euclid(window.as_nanos()) > 0);
                Timestamp::from_nanos(
                    zero.as_nanos().saturating_add(windows.saturating_mul(window.as_nanos())),
                )
            }
            Clock::Exact => Timestamp::from_nanos(due),
        };
        // Never in the moment in which it is armed: a delay of nothing would never end.
        fires.max(now.plus(Span::from_nanos(1)))
    }
}

/// A tick of no length would never end.
fn at_least_one(span: Span) -> Span {
    span.max(Span::from_nanos(1))
}
