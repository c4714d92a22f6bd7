//! The ladder: which silences are tried, and when the first connections begin them.

use super::wanted::{Mode, QUICK_LIMIT, Wanted};
use crate::product::Product;
use crate::time::Span;

/// A negative result is to be there after this share of the longest silence.
const LATEST_START: f64 = 0.015;

/// How far below and above a value that products come with it is tried, where nothing else is.
const BESIDE: f64 = 0.02;

/// What is tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// The silences, shortest first; at least one. Several connections may try the same.
    pub(super) rungs: Vec<Span>,
    /// The silence of a rung as a share by which its connection begins later than the search; so the connections
    /// that wait for long silences are always of many ages.
    pub(super) stagger: f64,
    /// The longest that is tried; beyond there are no rungs, only reserves.
    pub(super) max: Span,
    /// A connection that is silent before this time after the start is kept for `max`.
    pub(super) pin_by: Option<Span>,
}

/// How long the tries and the answers of one trial take, with room.
const TRIAL: Span = Span::from_secs(10);

impl Plan {
    pub(super) fn new(wanted: &Wanted) -> Self {
        match wanted.mode {
            Mode::Full => Self::full(wanted),
            Mode::Quick => Self::quick(wanted),
            Mode::Confirm(idle) => Self::confirm(wanted, idle),
        }
    }

    /// A ladder of steps `r` whose rung of silence `d` begins at `(c-1) d` and ends at `c d`. As many as
    /// ln(c/(c-1)) / ln r are silent at any time; a timeout just above one rung is seen at the next, after `c r`
    /// of it. Of all pairs that n connections can do, `r = (n+1)^(1/n)` and `c = (n+1)/n` see it first. A
    /// connection that was answered begins the n-th rung from there in the same moment.
    fn full(wanted: &Wanted) -> Self {
        let n = f64::from(wanted.connections);
        let stagger = 1.0 / n;
        let max = within_budget(wanted);
        let ratio = (n + 1.0).powf(1.0 / n);
        // A range so small that all rungs can be tried at once takes smaller steps.
        let at_once = (nanos(max) / nanos(wanted.min)).max(1.0).powf(1.0 / n);
        let ratio = ratio.min(at_once.max(1.0 + wanted.precision.share));
        let mut rungs = vec![wanted.min];
        let mut last = wanted.min;
        // No step is smaller than the bracket may be.
        while let next = times(last, ratio).max(last.plus(wanted.precision.width(last)))
            && next < times(max, 0.995)
        {
            rungs.push(next);
            last = next;
        }
        if last < max {
            rungs.push(max);
        }
        let pin = wanted.connections >= 4 && stagger > LATEST_START;
        Self { rungs, stagger, max, pin_by: pin.then(|| times(max, LATEST_START)) }
    }

    /// Below and above each value of the catalogue.
    fn quick(wanted: &Wanted) -> Self {
        let max = within_budget(wanted).min(times(QUICK_LIMIT, 1.0 + BESIDE));
        let mut rungs: Vec<Span> = Product::idle_timeouts()
            .iter()
            .flat_map(|(idle, _)| [times(*idle, 1.0 - BESIDE), times(*idle, 1.0 + BESIDE)])
            .filter(|idle| *idle >= wanted.min && *idle <= max)
            .collect();
        rungs.sort();
        // Neighbours such as 350 s and 360 s would have one rung above the other's lower one.
        rungs.dedup_by(|next, before| nanos(*next) < nanos(*before) * 1.005);
        if rungs.last().is_none_or(|last| *last < max) {
            rungs.push(max);
        }
        Self { rungs, stagger: 0.0, max, pin_by: None }
    }

    /// Half of the connections at the silence itself, a quarter below and above each.
    fn confirm(wanted: &Wanted, idle: Span) -> Self {
        let n = usize::from(wanted.connections).min(CONFIRMING);
        let beside = n / 4;
        let mut rungs = vec![times(idle, 1.0 - BESIDE); beside];
        rungs.extend(std::iter::repeat_n(idle, (n - 2 * beside).max(1)));
        rungs.extend(std::iter::repeat_n(times(idle, 1.0 + BESIDE), beside));
        let max = rungs.last().copied().unwrap_or(idle);
        Self { rungs, stagger: 0.0, max, pin_by: None }
    }

    /// When the `index`-th connection is wanted, after the start.
    pub(super) fn begins(&self, index: usize) -> Span {
        if self.stagger == 0.0 {
            return Span::ZERO;
        }
        self.rungs.get(index).map_or(Span::ZERO, |rung| times(*rung, self.stagger))
    }
}

/// Connections of [`Mode::Confirm`].
pub(super) const CONFIRMING: usize = 20;

/// The longest silence that can still be tried within the time for the search.
fn within_budget(wanted: &Wanted) -> Span {
    let Some(budget) = wanted.budget else { return wanted.max };
    let room = Span::from_nanos(budget.as_nanos().saturating_sub(TRIAL.as_nanos()));
    wanted.max.min(times(room, 1.0 / (1.0 + LATEST_START))).max(wanted.min)
}

/// A span as nanoseconds to calculate with.
pub(super) fn nanos(span: Span) -> f64 {
    span.as_nanos() as f64
}

/// This share of a span.
pub(super) fn times(span: Span, share: f64) -> Span {
    Span::from_nanos((nanos(span) * share) as i64)
}

/// The difference of two spans, never negative.
pub(super) fn minus(span: Span, less: Span) -> Span {
    Span::from_nanos(span.as_nanos().saturating_sub(less.as_nanos()).max(0))
}

#[cfg(test)]
mod tests {
    use super::super::wanted::Way;
    use super::*;

    fn plan(connections: u16) -> Plan {
        Plan::new(&Wanted { connections, ..Wanted::new(Way::In, true) })
    }

    #[test]
    fn rungs_rise_to_the_longest_silence_and_steps_are_no_finer_than_the_bracket() {
        for connections in [1, 2, 7, 8, 32, 64, 300, 1024] {
            let plan = plan(connections);
            assert_eq!(plan.rungs.first(), Some(&Span::from_secs(10)));
            assert_eq!(plan.rungs.last(), Some(&Span::from_secs(7440)));
            assert!(plan.rungs.windows(2).all(|pair| pair[0] < pair[1]), "{connections}");
            let most = (f64::from(connections) + 1.0).powf(1.0 / f64::from(connections));
            for pair in plan.rungs.windows(2) {
                let step = nanos(pair[1]) / nanos(pair[0]);
                assert!(step <= most.max(1.21), "{connections}: {step}");
            }
        }
    }

    #[test]
    fn a_budget_shortens_the_ladder() {
        let wanted = Wanted::new(Way::Out, false);
        let plan = Plan::new(&wanted);
        assert!(plan.max > Span::from_secs(850) && plan.max < Span::from_secs(890), "{}", plan.max);
    }

    #[test]
    fn the_quick_ladder_stands_around_what_products_have() {
        let plan = Plan::new(&Wanted { mode: Mode::Quick, ..Wanted::new(Way::In, true) });
        for (idle, _) in Product::idle_timeouts() {
            if idle <= QUICK_LIMIT && idle > Span::from_secs(11) {
                let below = plan.rungs.iter().rev().find(|rung| **rung < idle).expect("below");
                let above = plan.rungs.iter().find(|rung| **rung > idle).expect("above");
                assert!(nanos(*above) / nanos(*below) < 1.05, "{idle}: {below} {above}");
            }
        }
        assert!(plan.max < Span::from_secs(930));
    }
}
