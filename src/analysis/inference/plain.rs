//! Settings of stacks whose timers are on time, on ticks or gathered: ranges that fit every step.
//!
//! Uses [`crate::stack`] for how late each fires.

use super::observe::{Step, Steps};
use super::round::{Choice, SECOND, Which, roundest, unit};
use super::wheel::{DERIVED, Solution, closeness};
use crate::stack::Stack;
use crate::stack::value::{IntervalShape, OnReceipt, Rounding};

/// What capture and scheduling add to a gap.
const JITTER: i64 = 12_000_000;

/// Ticks at least this long show in the gaps.
const COARSE: i64 = 100_000_000;

/// What a silence is worth that is longer than it had to be.
const LATE: f64 = 0.5;

/// Settings that explain less are refuted.
const LEAST_FIT: f64 = 0.6;

/// Gaps that grow by half or more back off.
const GROWS: (i64, i64) = (3, 2);

/// How early and how late a timer may fire.
#[derive(Clone, Copy)]
struct Lateness {
    least: i64,
    most: i64,
    /// Gaps are multiples of this, if it is long enough to show.
    tick: Option<i64>,
}

impl Lateness {
    /// Of the first probe after a silence.
    fn of_silence(rounding: Rounding) -> Self {
        let (least, most) = match rounding {
            Rounding::Exact | Rounding::TimerWheel { .. } => (0, 0),
            Rounding::Coalesced { window } => (0, window.as_nanos()),
            Rounding::Ticks { tick, strict: false } => (-tick.as_nanos(), 0),
            Rounding::Ticks { tick, strict: true } => (0, tick.as_nanos()),
            Rounding::Polled { period, .. } => (0, period.as_nanos()),
        };
        Self { least, most, tick: None }
    }

    /// Of a probe after another, which left on a tick.
    fn of_gap(rounding: Rounding) -> Self {
        let coarse = |tick: i64| (tick >= COARSE).then_some(tick);
        let same = Self::of_silence(rounding);
        match rounding {
            Rounding::Ticks { tick, strict: true } | Rounding::Polled { period: tick, .. } => {
                // Each is counted from the last receipt, and as late as it happens to be.
                let tick = tick.as_nanos();
                Self { least: -tick, most: tick, tick: coarse(tick) }
            }
            Rounding::Ticks { tick, .. } => Self { tick: coarse(tick.as_nanos()), ..same },
            _ => same,
        }
    }

    fn low(self, span: i64) -> i64 {
        span.saturating_sub(self.most).saturating_sub(JITTER)
    }

    fn high(self, span: i64) -> i64 {
        span.saturating_sub(self.least).saturating_add(JITTER)
    }

    /// How well a span fits a setting: 1 where the timer may fire, half at the edge of what jitter explains.
    fn fits(self, setting: i64, span: i64) -> f64 {
        let on_tick = self.tick.is_none_or(|tick| {
            let over = span.rem_euclid(tick);
            over.min(tick - over) <= JITTER
        });
        let (early, late) = (setting + self.least - span, span - setting - self.most);
        let off = early.max(late).max(0);
        if on_tick && off <= JITTER { closeness(off) } else { 0.0 }
    }
}

/// The value that most of the spans agree on: each allows a range, and the range that most hold wins. The spans come
/// shortest first, and so do the ends of their ranges.
fn agreed(sorted: &[i64], late: Lateness) -> Option<(i64, i64)> {
    let mut best: Option<(usize, (i64, i64))> = None;
    let mut holding = sorted.iter().enumerate().peekable();
    for (last, span) in sorted.iter().enumerate() {
        let low = late.low(*span);
        while holding.next_if(|(_, span)| late.high(**span) < low).is_some() {}
        let (first, shortest) = holding.peek()?;
        let count = last + 1 - first;
        // Of equally good ranges the lowest: whatever delays a probe, nothing hastens it.
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, (low, late.high(**shortest))));
        }
    }
    best.map(|(_, range)| range)
}

fn choose(stack: &Stack, which: Which, range: (i64, i64)) -> Option<Choice> {
    let unit = unit(stack, which);
    let low = -(-range.0).div_euclid(unit) * unit;
    let high = range.1.div_euclid(unit) * unit;
    let low = low.max(unit);
    let best = roundest(stack, which, low, high, unit)?;
    Some(Choice { best, low, high })
}

/// What a stack does with the two times.
#[derive(Clone, Copy)]
struct Rules {
    first: Lateness,
    then: Lateness,
    /// The timer starts again with every receipt.
    restarts: bool,
    /// Gaps grow, as nothing sets them.
    growing: bool,
}

impl Rules {
    fn explains(self, idle: Option<Choice>, interval: Option<Choice>, step: Step) -> f64 {
        let gap_fits = |gap: i64| interval.map(|choice| self.then.fits(choice.best, gap));
        let silence_fits = |silence: i64| idle.map_or(0.0, |choice| self.first.fits(choice.best, silence));
        let over = |silence: i64| idle.is_some_and(|choice| silence >= choice.best);
        match step {
            Step::Run { .. } if self.growing => 1.0,
            Step::Run { gap, .. } => gap_fits(gap).unwrap_or(0.0),
            // Turned on late, a whole idle time begins then: longer is no contradiction.
            Step::Fresh { silence } => silence_fits(silence).max(if over(silence) { LATE } else { 0.0 }),
            Step::After { gap, offset, .. } => {
                // A timer that keeps running fires one interval after the probe, and finds the idle time over.
                let late =
                    if self.restarts || !over(gap - offset) { 0.0 } else { gap_fits(gap).unwrap_or(LATE) };
                silence_fits(gap - offset).max(late)
            }
        }
    }
}

/// Periods of a live peer that are longer than the idle time, shortest first: a timer that keeps running shows the
/// interval.
fn periods(steps: &[Step], idle: Option<(i64, i64)>, first: Lateness) -> Vec<i64> {
    let Some((_, idle)) = idle else { return Vec::new() };
    let longest = idle.saturating_add(first.most).saturating_add(JITTER);
    let longer = |step: &Step| match *step {
        Step::After { gap, offset, .. } => (gap - offset > longest).then_some(gap),
        _ => None,
    };
    let mut periods: Vec<i64> = steps.iter().filter_map(longer).collect();
    periods.sort_unstable();
    periods
}

/// Finds what fits; nothing if nothing does.
pub(super) fn solve(stack: &Stack, seen: &Steps) -> Option<Solution> {
    let steps = seen.all.as_slice();
    let rounding = stack.timing.rounding.value_or(Rounding::Exact);
    let (first, then) = (Lateness::of_silence(rounding), Lateness::of_gap(rounding));
    let one_value = stack.option(crate::stack::value::Role::IdleAndInterval).is_some();
    let restarts = stack.idle_clock.on_receipt.value == Some(OnReceipt::Restarted);
    let idle_range = match seen.sorted_silences.first() {
        _ if one_value => {
            let mut all = [seen.sorted_silences.as_slice(), &seen.sorted_runs].concat();
            all.sort_unstable();
            Some(agreed(&all, first)?)
        }
        None => None,
        Some(shortest) => Some((first.low(*shortest), first.high(*shortest))),
    };
    let idle = match idle_range {
        Some(range) => Some(choose(stack, Which::Idle, range)?),
        None => None,
    };
    let derived = seen.runs.is_empty() && !restarts;
    let periods = if derived { periods(steps, idle_range, first) } else { Vec::new() };
    let gaps = if derived { &periods } else { &seen.sorted_runs };
    let backs_off = matches!(stack.timing.shape.value, Some(IntervalShape::BackOffFromRto { .. }));
    let growing = backs_off && !derived && grows(&seen.runs);
    let interval = if one_value {
        idle
    } else if gaps.is_empty() || growing {
        None
    } else {
        Some(choose(stack, Which::Interval, agreed(gaps, then)?)?)
    };
    let rules = Rules { first, then, restarts, growing };
    let sum: f64 = steps.iter().map(|step| rules.explains(idle, interval, *step)).sum();
    let derived = if derived && interval.is_some() { DERIVED } else { 1.0 };
    let fit = derived * sum / steps.len().max(1) as f64;
    let width = first.most - first.least;
    (fit >= LEAST_FIT).then_some(Solution { idle, interval, fit, width, evidence: 0.0 })
}

/// Whether each gap is longer than the one before, up to where it no longer grows.
fn grows(gaps: &[i64]) -> bool {
    let pairs = || gaps.iter().zip(gaps.iter().skip(1));
    let longer =
        pairs().take_while(|(one, next)| next.saturating_mul(GROWS.1) >= one.saturating_mul(GROWS.0));
    let grown = longer.count();
    let even = pairs().skip(grown).all(|(one, next)| (next - one).abs() <= one / 4);
    gaps.len() < 2 || (grown > 0 && even) || gaps.iter().all(|gap| *gap >= 60 * SECOND - JITTER)
}
