//! Which of the values that fit somebody would have set.
//!
//! Owns how round a value is. Uses [`crate::stack`] for defaults and presets, [`crate::time`].

use crate::stack::preset::Asked;
use crate::stack::value::{Amount, Role, Unit};
use crate::stack::{Cell, Preset, Stack};
use crate::time::Span;

pub(super) const SECOND: i64 = 1_000_000_000;
const MILLISECOND: i64 = 1_000_000;

/// Seconds that people set.
const LIKED: [i64; 22] =
    [1, 2, 5, 10, 15, 20, 30, 45, 60, 75, 90, 100, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600, 7200];

/// Steps of a value that is not liked in itself, with what it is worth then.
const STEPS: [(i64, f64); 9] = [
    (60 * SECOND, 0.95),
    (50 * SECOND, 0.92),
    (10 * SECOND, 0.9),
    (5 * SECOND, 0.85),
    (SECOND, 0.75),
    (500 * MILLISECOND, 0.5),
    (100 * MILLISECOND, 0.3),
    (10 * MILLISECOND, 0.1),
    (MILLISECOND, 0.03),
];

/// Which of the two times of a prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Idle,
    Interval,
}

/// How likely somebody set this, from 0 to 1.
pub(super) fn roundness(nanos: i64) -> f64 {
    if is_liked(nanos) { 1.0 } else { stepped(nanos) }
}

/// The same of a value that is not liked in itself.
fn stepped(nanos: i64) -> f64 {
    STEPS.iter().find(|(step, _)| nanos % step == 0).map_or(0.02, |(_, worth)| *worth)
}

fn is_liked(nanos: i64) -> bool {
    LIKED.iter().any(|liked| liked * SECOND == nanos)
}

/// How likely somebody set this on that stack: its default is as good as any.
pub(super) fn on_stack(stack: &Stack, which: Which, nanos: i64) -> f64 {
    let is_default = || default(stack, which) == Some(nanos);
    if is_liked(nanos) || is_default() || is_asked(which, nanos) { 1.0 } else { stepped(nanos) }
}

/// What nobody set on a stack.
fn default(stack: &Stack, which: Which) -> Option<i64> {
    let cell = match which {
        Which::Idle => stack.timing.idle,
        Which::Interval => stack.timing.interval,
    };
    cell.value.and_then(Amount::get).map(Span::as_nanos)
}

/// Stands for no time where applications are listed.
const NOT_ASKED: i64 = i64::MIN;

/// Whether an application asks for this.
fn is_asked(which: Which, nanos: i64) -> bool {
    // Looked at for each of many values.
    const ASKED: [[i64; Preset::all().len()]; 2] = asked();
    let [idles, intervals] = &ASKED;
    let times = match which {
        Which::Idle => idles,
        Which::Interval => intervals,
    };
    nanos != NOT_ASKED && times.contains(&nanos)
}

/// The idle times and the intervals that applications ask for, in nanoseconds.
const fn asked() -> [[i64; Preset::all().len()]; 2] {
    const fn nanos(cell: &Cell<Asked<Span>>) -> i64 {
        match cell.value {
            Some(Asked::For(span)) => span.as_nanos(),
            _ => NOT_ASKED,
        }
    }
    let (mut idles, mut intervals) = ([NOT_ASKED; Preset::all().len()], [NOT_ASKED; Preset::all().len()]);
    let (mut presets, mut left) = (Preset::all(), (idles.as_mut_slice(), intervals.as_mut_slice()));
    while let ([preset, rest @ ..], ([idle, idles @ ..], [interval, intervals @ ..])) = (presets, left) {
        (*idle, *interval) = (nanos(&preset.idle), nanos(&preset.interval));
        (presets, left) = (rest, (idles, intervals));
    }
    [idles, intervals]
}

/// The least step in which a time can be set on a stack, in nanoseconds.
pub(super) fn unit(stack: &Stack, which: Which) -> i64 {
    let role = match which {
        Which::Idle => Role::Idle,
        Which::Interval => Role::Interval,
    };
    let options = stack.options.value.unwrap_or_default().iter();
    let fine = options
        .filter(|option| {
            option.role == role || matches!(option.role, Role::IdleAndInterval | Role::EnableIdleInterval)
        })
        .any(|option| matches!(option.unit.value, Some(Unit::Milliseconds | Unit::Duration)));
    if fine { MILLISECOND } else { SECOND }
}

/// The roundest multiple of `unit` from `low` to `high`; of those the one nearest to the upper end, where
/// timers that are late put it.
pub(super) fn roundest(stack: &Stack, which: Which, low: i64, high: i64, unit: i64) -> Option<i64> {
    let fits = |value: i64| value > 0 && (low..=high).contains(&value);
    // What is worth 1 is not surpassed: the default first, then the greatest that is liked.
    if let Some(default) = default(stack, which).filter(|default| fits(*default)) {
        return Some(default);
    }
    let liked = LIKED.partition_point(|liked| liked * SECOND <= high);
    let liked = liked.checked_sub(1).and_then(|last| LIKED.get(last)).map(|liked| liked * SECOND);
    if let Some(liked) = liked.filter(|liked| fits(*liked)) {
        return Some(liked);
    }
    let mut best: Option<(f64, i64)> = None;
    for (step, _) in STEPS.iter().filter(|(step, _)| step % unit == 0) {
        let value = high.div_euclid(*step) * step;
        if !fits(value) || best.is_some_and(|(most, best)| most >= 1.0 || best == value) {
            continue;
        }
        let worth = if is_asked(which, value) { 1.0 } else { stepped(value) };
        if best.is_none_or(|(most, _)| worth > most) {
            best = Some((worth, value));
        }
    }
    best.map(|(_, value)| value)
}

/// The roundest user timeout from `low` to `high`, with the whole range; what an application asks for first.
pub(super) fn roundest_timeout(low: i64, high: i64) -> Option<Choice> {
    let whole = |nanos: i64| nanos.div_euclid(MILLISECOND) * MILLISECOND;
    let (low, high) = (whole(low.saturating_add(MILLISECOND - 1)), whole(high));
    let asked = Preset::all().iter().filter_map(|preset| preset.user_timeout.value?.get());
    let asked = asked.map(|span| span.as_nanos());
    let liked = LIKED.iter().rev().map(|liked| liked * SECOND);
    let stepped = STEPS.iter().map(|(step, _)| high.div_euclid(*step) * step);
    let best = asked.chain(liked).chain(stepped).find(|value| *value > 0 && (low..=high).contains(value))?;
    Some(Choice { best, low, high })
}

/// A value with the range of all that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) best: i64,
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Choice {
    /// As spans: the value, and the range.
    pub(super) fn spans(self) -> (Span, (Span, Span)) {
        (Span::from_nanos(self.best), (Span::from_nanos(self.low), Span::from_nanos(self.high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by trying all that comes into question.
    fn of_all(stack: &Stack, which: Which, (low, high): (i64, i64), unit: i64) -> Option<i64> {
        let liked = LIKED.iter().rev().map(|liked| liked * SECOND);
        let steps = STEPS.iter().filter(|(step, _)| step % unit == 0);
        let steps = steps.map(|(step, _)| high.div_euclid(*step) * step);
        let mut best: Option<(f64, i64)> = None;
        for value in default(stack, which).into_iter().chain(liked).chain(steps) {
            if value <= 0 || !(low..=high).contains(&value) {
                continue;
            }
            let worth = on_stack(stack, which, value);
            if best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, value));
            }
        }
        best.map(|(_, value)| value)
    }

    #[test]
    fn the_roundest_is_the_best_of_all_that_come_into_question() {
        let widths = [0, MILLISECOND, 24 * MILLISECOND, 523 * MILLISECOND, SECOND, 30 * SECOND];
        let starts = (0..80).map(|step: i64| step * step * step * 15 * MILLISECOND - SECOND);
        let ranges: Vec<_> = starts.flat_map(|low| widths.map(|width| (low, low + width))).collect();
        for stack in Stack::all() {
            for which in [Which::Idle, Which::Interval] {
                for unit in [MILLISECOND, SECOND] {
                    for (low, high) in ranges.iter().copied() {
                        let best = roundest(stack, which, low, high, unit);
                        assert_eq!(best, of_all(stack, which, (low, high), unit), "{low} to {high}");
                    }
                }
            }
        }
    }
}
