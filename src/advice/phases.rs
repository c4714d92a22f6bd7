//! Where a stack's timer can stand when a connection falls silent.
//!
//! Owns the choice of the phases that are run. Uses [`crate::keepalive::wheel`].

use crate::keepalive::Settings;
use crate::keepalive::wheel::Wheel;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// Which phases are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// Those between which nothing can be earlier or later, and some from between them.
    Edges,
    /// So many, evenly: for the share of phases in which something happens.
    Even(u32),
}

/// Phases beside the edges.
const BETWEEN: i64 = 8;

/// Phases of a clock without a wheel.
const OF_A_TICK: i64 = 16;

/// The times for which the host has been up when the simulation begins. The connection is opened then, and its timer
/// starts a round trip later.
///
/// Linux: the first timer is armed for the idle time, and fires at a multiple of its granule; all that follows counts
/// from there, whatever the phase was. From phase to phase it fires a jiffy earlier after the start, until its expiry
/// crosses such a multiple. So the earliest and the latest of every step fall in the phases on both sides of a crossing,
/// and there are as many crossings as granules of the idle time in one of the interval, if that is the coarser one.
pub(super) fn uptimes(rounding: Rounding, settings: &Settings, rtt: Span, phases: Phases) -> Vec<Span> {
    let (period, edges) = match rounding {
        Rounding::Exact => return vec![Span::ZERO],
        Rounding::TimerWheel { hz } => wheel(hz, settings, rtt),
        Rounding::Coalesced { window: tick }
        | Rounding::Ticks { tick, .. }
        | Rounding::Polled { period: tick, .. } => {
            let period = tick.as_nanos().max(1);
            (period, (0..OF_A_TICK).map(|part| period * part / OF_A_TICK).chain([period - 1]).collect())
        }
    };
    let even = |parts: i64| {
        let part =
            move |index: i64| i128::from(period) * i128::from(2 * index + 1) / i128::from(2 * parts.max(1));
        (0..parts).map(move |index| i64::try_from(part(index)).unwrap_or(0))
    };
    let nanos: Vec<i64> = match phases {
        Phases::Even(parts) => even(i64::from(parts)).collect(),
        Phases::Edges => edges.into_iter().chain(even(BETWEEN)).collect(),
    };
    nanos.into_iter().map(Span::from_nanos).collect()
}

/// After how long the wheel stands as before, and the uptimes on both sides of each crossing, in nanoseconds.
fn wheel(hz: u32, settings: &Settings, rtt: Span) -> (i64, Vec<i64>) {
    let wheel = Wheel::new(hz, Timestamp::default());
    let [idle, interval] = [settings.idle, settings.interval].map(|span| wheel.to_jiffies(span));
    let (fine, coarse) = (Wheel::granule(idle), Wheel::granule(idle).max(Wheel::granule(interval)));
    let period = wheel.time_at(coarse).as_nanos();
    // As many whole periods more as make the uptime one.
    let more = wheel.to_jiffies(rtt).div_euclid(coarse).saturating_add(1).saturating_mul(coarse);
    let edges = (0..coarse / fine).flat_map(|multiple| {
        let crossing = (multiple * fine - idle).rem_euclid(coarse).saturating_add(more);
        let uptime = wheel.time_at(crossing).as_nanos().saturating_sub(rtt.as_nanos());
        // The counter has just reached the crossing, and is just about to.
        [uptime, uptime.saturating_sub(1)]
    });
    (period, edges.collect())
}
