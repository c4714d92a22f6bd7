//! Settings of Linux from what its timer wheel made of them: whole seconds that fit every step, for one HZ.
//!
//! Uses [`crate::keepalive`] for the granule of a delay.

mod matching;

use matching::Match;

use super::observe::Step;
use super::round::{Choice, SECOND, Which, on_stack};
use crate::keepalive::wheel::Wheel;
use crate::stack::Stack;

/// Kernels as distributed.
pub(super) const RATES: [u32; 4] = [250, 1000, 100, 300];

/// The greatest idle time and interval that can be set, in seconds.
const MOST: i64 = 32_767;

/// What capture and scheduling add to a gap: measured up to 12 ms.
const JITTER: i64 = 12 * MILLISECOND;

const MILLISECOND: i64 = 1_000_000;

/// Work on one prober and rate; steps beyond are not looked at.
const BUDGET: usize = 40_000;

/// Steps that are looked at in any case.
const FEW: usize = 16;

/// Steps that are evidence for one rate against another.
const MOST_EVIDENCE: usize = 64;

/// How unlikely a step is that a rate does not explain: something else may have come between.
const LEAST_DENSITY: f64 = 1e-4;

/// What a granule that is only guessed is worth as evidence.
const GUESSED: f64 = 0.2;

/// Pairs of settings that are all tried.
const MOST_PAIRS: usize = 1000;

/// How well an idle time and an interval fit.
type Fit = (f64, Option<i64>, Option<i64>);

/// What the fit of an interval is worth that shows in no run, only in periods that the idle time alone does not
/// explain: with one more value more can be explained.
pub(super) const DERIVED: f64 = 0.85;

/// Settings that explain less are refuted.
const LEAST_FIT: f64 = 0.6;

/// What explains less is not looked at to the end. A little below, so that no rounding matters.
const HOPELESS: f64 = LEAST_FIT - 0.01;

/// Settings that explain about as much as the best are as good; but not those that miss half a step more.
const AS_GOOD: (f64, f64) = (0.1, 0.4);

/// What fits, for one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Solution {
    pub(super) idle: Option<Choice>,
    pub(super) interval: Option<Choice>,
    /// How much of what was seen it explains, from 0 to 1.
    pub(super) fit: f64,
    /// The width of the windows that it predicts, in nanoseconds.
    pub(super) width: i64,
    /// How likely it makes what was seen, as a logarithm; to be compared between rates only.
    pub(super) evidence: f64,
}

/// The wheel at one rate, in nanoseconds and whole seconds.
#[derive(Clone, Copy)]
struct Rate {
    hz: i64,
    /// How far a silence may seem off: heard and fired are each counted in whole jiffies.
    slack: i64,
}

/// A delay, and what the wheel makes of it, in nanoseconds.
#[derive(Clone, Copy)]
struct Delay {
    span: i64,
    granule: i64,
    /// What it becomes when the timer is armed on a multiple of its granule.
    aligned: i64,
}

impl Rate {
    fn of(hz: u32) -> Self {
        let mut rate = Self { hz: i64::from(hz.max(1)), slack: 0 };
        rate.slack = JITTER + rate.nanos(1);
        rate
    }

    fn nanos(self, jiffies: i64) -> i64 {
        // All that can be set fits.
        if let Some(nanos) = jiffies.checked_mul(SECOND) {
            return nanos / self.hz;
        }
        let nanos = i128::from(jiffies) * i128::from(SECOND) / i128::from(self.hz);
        i64::try_from(nanos).unwrap_or(i64::MAX)
    }

    fn jiffies(self, nanos: i64) -> i64 {
        if let Some(jiffies) = nanos.checked_mul(self.hz) {
            return jiffies / SECOND;
        }
        let jiffies = i128::from(nanos) * i128::from(self.hz) / i128::from(SECOND);
        i64::try_from(jiffies).unwrap_or(i64::MAX)
    }

    /// The granule of a delay, both in nanoseconds.
    fn granule(self, delay: i64) -> i64 {
        self.nanos(Wheel::granule(self.jiffies(delay.max(0))))
    }

    fn delay(self, span: i64) -> Delay {
        let granule = self.granule(span);
        Delay { span, granule, aligned: aligned(span, granule) }
    }

    /// How well a gap between probes that nothing came between fits an interval.
    fn run(self, interval: Delay, gap: i64, steady: bool) -> Match {
        let Delay { span, granule, aligned } = interval;
        if steady {
            return Match::exact(closeness(gap - aligned));
        }
        Match::within(is_within(gap, span, span.saturating_add(granule), JITTER), granule)
    }

    /// How well a silence fits an idle time alone, whatever the interval is.
    fn silence(self, idle: Delay, silence: i64) -> Match {
        let Delay { span, granule, .. } = idle;
        Match::within(is_within(silence, span, span.saturating_add(granule), self.slack), granule)
    }

    /// How well a gap fits that ends on the granule after `due`, a time known no better than the receipt it
    /// counts from.
    fn rest(self, due: i64, granule: i64, gap: i64) -> Match {
        let (first, last) = (due - self.slack, due + self.slack);
        // What ends on a granule ends later than it is due, and by no more than that.
        let soonest = first.saturating_sub(JITTER);
        let latest = last.saturating_add(granule).saturating_add(JITTER);
        if !(soonest..=latest).contains(&gap) {
            return Match::NONE;
        }
        let close = [first, due, last].into_iter().map(|due| closeness(gap - aligned(due, granule)));
        Match::exact(close.fold(0.0, f64::max))
    }

    /// The same for one of several equal gaps, whose ends lie on the granule of the delay that was left when
    /// the timer first fired. That is not known without the interval; a finer granule is less likely.
    fn steady_silence(self, idle: i64, gap: i64, offset: i64) -> Match {
        let mut granule = Wheel::granule(self.jiffies(idle));
        let mut likely = 1.0;
        let mut best = Match::NONE;
        while granule > 0 {
            let one = self.rest(idle.saturating_add(offset), self.nanos(granule), gap);
            best = best.or(one.less(likely, likely * GUESSED));
            likely *= 0.93;
            granule /= 8;
        }
        best
    }

    /// How well a probe after something heard fits: at the first firing if the idle time was over by then,
    /// else when the rest of it was.
    fn after(self, idle: Delay, interval: Option<Delay>, step: (i64, i64), steady: bool) -> Match {
        let (gap, offset) = step;
        let alone = |steady: bool| {
            if steady {
                self.steady_silence(idle.span, gap, offset)
            } else {
                self.silence(idle, gap - offset)
            }
        };
        let Some(interval) = interval else { return alone(steady) };
        let direct = if gap - offset >= idle.span - self.slack {
            self.run(interval, gap, steady)
        } else {
            Match::NONE
        };
        let rest = if gap >= interval.span - JITTER { alone(false) } else { Match::NONE };
        let fired = interval.aligned;
        if !steady {
            return direct.or(rest);
        }
        if fired - offset >= idle.span {
            // The idle time is over when the timer fires, so there is no rest to wait for.
            return direct.or(rest.less(0.6, 0.6));
        }
        let rest_granule = self.granule(idle.span - (fired - offset));
        let exact = self.rest(idle.span.saturating_add(offset), rest_granule, gap);
        // Steps whose first firing was not on a granule of its own.
        direct.or(exact).or(rest.less(0.6, 0.6))
    }

    fn explains(self, idle: Option<Delay>, interval: Option<Delay>, step: Step) -> Match {
        match (step, idle, interval) {
            (Step::Run { gap, steady }, _, Some(interval)) => self.run(interval, gap, steady),
            (Step::After { gap, offset, steady }, Some(idle), interval) => {
                self.after(idle, interval, (gap, offset), steady)
            }
            (Step::Fresh { silence }, Some(idle), _) => {
                // Turned on late, a whole idle time begins then: longer is no contradiction.
                let late = if silence >= idle.span { Match::late() } else { Match::NONE };
                self.silence(idle, silence).or(late)
            }
            _ => Match::NONE,
        }
    }

    /// How much of the steps is explained; 0 where that is less than [`HOPELESS`].
    fn fit(self, idle: Option<Delay>, interval: Option<Delay>, steps: &[Step]) -> f64 {
        let all = f64::from(u32::try_from(steps.len().max(1)).unwrap_or(u32::MAX));
        let (mut sum, mut left) = (0.0, all);
        for step in steps {
            sum += self.explains(idle, interval, *step).fit;
            left -= 1.0;
            // Too little, however well the others fit.
            if sum + left < all * HOPELESS {
                return 0.0;
            }
        }
        sum / all
    }

    /// How likely the steps were to be seen, as a logarithm.
    fn evidence(self, idle: Option<Delay>, interval: Option<Delay>, steps: &[Step]) -> f64 {
        let first = steps.iter().take(MOST_EVIDENCE);
        first.map(|step| self.explains(idle, interval, *step).density.max(LEAST_DENSITY).ln()).sum()
    }

    /// Whole seconds that can become this span.
    fn candidates(self, span: i64) -> impl Iterator<Item = i64> + Clone {
        let slack = self.slack;
        let low = (span - self.granule(span) - slack).div_euclid(SECOND);
        let high = (span + slack).div_euclid(SECOND);
        (low.max(1)..=high.min(MOST)).map(|seconds| seconds * SECOND)
    }

    /// Intervals that fit the gaps within runs or, where there are none, the periods that an idle time alone
    /// does not explain; `None` stands for any.
    fn intervals(self, idle: Option<i64>, steps: &[Step]) -> Vec<Option<i64>> {
        let runs = || steps.iter().filter_map(|step| step.run_gap());
        let idle = idle.map(|idle| self.delay(idle));
        let longer = |least: Option<i64>, step: &Step| match (*step, idle) {
            // What is no shorter than one that was found need not be looked at.
            (Step::After { gap, steady, .. }, Some(idle))
                if least.is_none_or(|least| gap < least)
                    && gap > idle.span
                    && (steady || steps.len() < 4)
                    && self.explains(Some(idle), None, *step).fit < 0.5 =>
            {
                Some(gap)
            }
            _ => least,
        };
        let Some(shortest) = runs().min().or_else(|| steps.iter().fold(None, longer)) else {
            return vec![None];
        };
        let runs_fit = |interval: &i64| {
            let (interval, mut sum, mut count) = (self.delay(*interval), 0.0, 0.0);
            for step in steps.iter().take(FEW) {
                if let Step::Run { gap, steady } = *step {
                    sum += self.run(interval, gap, steady).fit;
                    count += 1.0;
                }
            }
            sum >= count * 0.4
        };
        self.candidates(shortest).filter(runs_fit).map(Some).collect()
    }
}

/// Finds what fits; nothing if nothing does. Where no run shows the interval, that may be an idle time alone,
/// or an idle time with an interval that shows in the periods.
pub(super) fn solve(stack: &Stack, hz: u32, steps: &[Step]) -> [Option<Solution>; 2] {
    let rate = Rate::of(hz);
    match *steps {
        [step @ Step::Fresh { silence }] => [solve_first(stack, rate, step, silence), None],
        _ => solve_all(stack, rate, steps),
    }
}

/// The same of one silence alone, which is what most probers show: nothing bears on the interval, and few idle times
/// come into question.
fn solve_first(stack: &Stack, rate: Rate, step: Step, silence: i64) -> Option<Solution> {
    let candidates = rate.candidates(silence);
    let fits = candidates.map(|idle| (rate.fit(Some(rate.delay(idle)), None, &[step]), Some(idle), None));
    let best = fits.clone().map(|(fit, ..)| fit).fold(0.0, f64::max);
    let fits = fits.filter(|(fit, ..)| is_as_good(*fit, best, 1));
    let found = chosen(stack, rate, best, fits)?;
    Some(weighed(rate, found, &[step]))
}

fn solve_all(stack: &Stack, rate: Rate, steps: &[Step]) -> [Option<Solution>; 2] {
    let shortest = steps.iter().filter_map(|step| step.silence()).min();
    let idles: Vec<Option<i64>> = match shortest {
        Some(silence) => rate.candidates(silence).map(Some).collect(),
        None => vec![None],
    };
    let mut fits: Vec<Fit> = Vec::new();
    let any_run = steps.iter().any(|step| step.run_gap().is_some());
    let shared = any_run.then(|| rate.intervals(None, steps));
    let pairs = idles.len() * shared.as_ref().map_or(1, Vec::len);
    let all = steps;
    let steps = all.get(..all.len().min((BUDGET / pairs.max(1)).max(FEW))).unwrap_or_default();
    let delay = |span: Option<i64>| span.map(|span| rate.delay(span));
    let fit = |idle, interval| (rate.fit(delay(idle), delay(interval), steps), idle, interval);
    match shared {
        // Too many to try each with each: each with some.
        Some(intervals) if pairs > MOST_PAIRS => {
            let some = (spread(&idles), spread(&intervals));
            fits.extend(idles.iter().flat_map(|idle| some.1.iter().map(|interval| fit(*idle, *interval))));
            fits.extend(
                intervals.iter().flat_map(|interval| some.0.iter().map(|idle| fit(*idle, *interval))),
            );
        }
        Some(intervals) => {
            fits.extend(idles.iter().flat_map(|idle| intervals.iter().map(|interval| fit(*idle, *interval))));
        }
        None => {
            let many = |intervals: &[Option<i64>]| idles.len() * intervals.len() > MOST_PAIRS;
            for idle in &idles {
                let intervals = rate.intervals(*idle, steps);
                // As above: each idle time with some intervals, some with each.
                let thin = many(&intervals) && !spread(&idles).contains(idle);
                for interval in if thin { spread(&intervals) } else { intervals } {
                    let (fit, ..) = fit(*idle, interval);
                    let derived = if interval.is_some() { DERIVED } else { 1.0 };
                    fits.push((fit * derived, *idle, interval));
                }
            }
        }
    }
    let (derived, plain): (Vec<Fit>, Vec<Fit>) =
        fits.into_iter().partition(|(.., interval)| interval.is_some() && !any_run);
    [plain, derived].map(|mut fits| {
        let best = retain_best(&mut fits, steps.len());
        chosen(stack, rate, best, fits.iter().copied()).map(|found| weighed(rate, found, all))
    })
}

/// The other reading of a prober of which every probe was answered and the first not captured: the period is
/// the interval, and the idle time any that is not longer.
pub(super) fn solve_by_interval(stack: &Stack, hz: u32, steps: &[Step]) -> Option<Solution> {
    let rate = Rate::of(hz);
    let shortest = steps.iter().filter_map(|step| step.silence()).min()?;
    if steps.iter().any(|step| !matches!(step, Step::After { .. })) {
        return None;
    }
    let period = steps.iter().filter_map(|step| match step {
        Step::After { gap, .. } => Some(*gap),
        _ => None,
    });
    let period = period.min()?;
    let idle = rate.delay(SECOND);
    let fit = |interval: i64| rate.fit(Some(idle), Some(rate.delay(interval)), steps);
    let mut fits: Vec<_> =
        rate.candidates(period).map(|interval| (fit(interval), Some(idle.span), Some(interval))).collect();
    let best = retain_best(&mut fits, steps.len());
    let found = chosen(stack, rate, best, fits.iter().copied())?;
    let most = (shortest + rate.slack).div_euclid(SECOND).min(MOST) * SECOND;
    let idle = Choice { best: found.interval?.best.min(most), low: SECOND, high: most };
    let found = weighed(rate, found, steps);
    (most >= SECOND).then_some(Solution { idle: Some(idle), ..found })
}

/// The same with its evidence.
fn weighed(rate: Rate, found: Solution, steps: &[Step]) -> Solution {
    let delay = |choice: Option<Choice>| choice.map(|choice| rate.delay(choice.best));
    let (idle, interval) = (delay(found.idle), delay(found.interval));
    Solution { evidence: rate.evidence(idle, interval, steps), ..found }
}

/// Keeps what fits about as well as the best; returns how well that does.
fn retain_best(fits: &mut Vec<Fit>, steps: usize) -> f64 {
    let best = fits.iter().map(|(fit, ..)| *fit).fold(0.0, f64::max);
    fits.retain(|(fit, ..)| is_as_good(*fit, best, steps));
    best
}

/// Whether what fits so well fits about as well as the best.
fn is_as_good(fit: f64, best: f64, steps: usize) -> bool {
    let as_good = AS_GOOD.0.min(AS_GOOD.1 / steps.max(1) as f64);
    fit >= LEAST_FIT && fit >= best - as_good
}

/// The first, the last and some between.
fn spread(all: &[Option<i64>]) -> Vec<Option<i64>> {
    let last = all.len().saturating_sub(1);
    (0..=4).filter_map(|part| all.get(last * part / 4).copied()).collect()
}

fn chosen(stack: &Stack, rate: Rate, fit: f64, fits: impl Iterator<Item = Fit> + Clone) -> Option<Solution> {
    let worth = |idle: Option<i64>, interval: Option<i64>| {
        idle.map_or(1.0, |idle| on_stack(stack, Which::Idle, idle))
            * interval.map_or(1.0, |interval| on_stack(stack, Which::Interval, interval))
    };
    let mut best: Option<Fit> = None;
    for (fit, idle, interval) in fits.clone() {
        let value = worth(idle, interval) * fit;
        if best.is_none_or(|(most, ..)| value >= most) {
            best = Some((value, idle, interval));
        }
    }
    let (_, idle, interval) = best?;
    let range = |best: Option<i64>, value: fn(Fit) -> Option<i64>| {
        let values = || fits.clone().filter_map(value);
        Some(Choice { best: best?, low: values().min()?, high: values().max()? })
    };
    let idle = range(idle, |(_, idle, _)| idle);
    let interval = range(interval, |(.., interval)| interval);
    let width = idle.or(interval).map_or(0, |choice| rate.granule(choice.best));
    Some(Solution { idle, interval, fit, width, evidence: 0.0 })
}

/// What a delay becomes when the timer is armed on a multiple of `granule`.
fn aligned(delay: i64, granule: i64) -> i64 {
    (delay.div_euclid(granule.max(1)) + 1).saturating_mul(granule)
}

/// Whether a span lies inside a window, or beyond its edges by no more than `slack`.
fn is_within(span: i64, low: i64, high: i64, slack: i64) -> bool {
    span >= low - slack && span <= high.saturating_add(slack)
}

/// 1 at the predicted time, half at the edge of what jitter explains, 0 beyond.
pub(super) fn closeness(off: i64) -> f64 {
    if off.unsigned_abs() > JITTER.unsigned_abs() {
        return 0.0;
    }
    let share = off as f64 / JITTER as f64;
    1.0 - 0.5 * share * share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left off early is what would have been refuted; everything else is worth the same.
    #[test]
    fn fits_that_are_left_off_were_hopeless() {
        let (mut left_off, mut kept) = (0, 0);
        for rate in RATES.map(Rate::of) {
            for idle in (1..90).map(|seconds| seconds * SECOND) {
                let delay = rate.delay(idle);
                for wrong in 0..=12 {
                    let gap = |step: i64| if step < wrong { delay.aligned } else { delay.aligned * 3 };
                    let steps: Vec<Step> = (0..12).map(|step| Step::Fresh { silence: gap(step) }).collect();
                    let all: f64 = steps.iter().map(|step| rate.explains(Some(delay), None, *step).fit).sum();
                    let whole = all / 12.0;
                    match rate.fit(Some(delay), None, &steps) {
                        0.0 => {
                            assert!(whole < LEAST_FIT, "{whole} of {idle} at HZ={}", rate.hz);
                            left_off += 1;
                        }
                        fit => {
                            assert_eq!(fit, whole);
                            kept += 1;
                        }
                    }
                }
            }
        }
        assert!(left_off > 100 && kept > 100, "{left_off} and {kept}");
    }

    #[test]
    fn one_silence_alone_is_solved_as_several_steps_are() {
        let linux = Stack::named("linux").unwrap();
        for rate in RATES.map(Rate::of) {
            let whole =
                (1..130).chain([300, 900, 7_200, 20_000, MOST, 40_000]).map(|seconds| seconds * SECOND);
            let off = [0, -900, -30, 5, 40, 170, 333, 4_000, 33_000];
            for silence in whole.flat_map(|whole| off.map(|millis| whole + millis * MILLISECOND)) {
                let step = Step::Fresh { silence };
                let short = [solve_first(linux, rate, step, silence), None];
                assert_eq!(short, solve_all(linux, rate, &[step]), "{silence} at HZ={}", rate.hz);
            }
        }
    }
}
