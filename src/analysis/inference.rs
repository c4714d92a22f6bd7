//! Which settings, of which stack, explain the probes of one side.
//!
//! Owns [`Inference`]: what was observed, and the settings that would have shown as that. Pure. Uses
//! [`crate::stack`] (how late each stack's timer fires, what its probes look like, what applications ask for)
//! and [`crate::keepalive`] (the timer wheel of Linux).
//!
//! # What is observed
//! - *idle*: the silence before probes that came after something the prober heard. On Linux an empty probe of
//!   the peer is not heard.
//! - *interval*: the time between probes with nothing heard between them, also where answers were captured
//!   that did not reach the prober, as its giving up shows.
//! - *count*: the probes before the prober gave up or, if that was not seen, the longest run of probes.
//!
//! # The score
//! `score = fit² × roundness × precision × end × marks`, each from 0 to 1:
//! - *fit*: the share of the steps from probe to probe that the settings predict within 12 ms (and one jiffy
//!   where a silence is measured); a step predicted to the jiffy counts 1 down to ½ as it is 0 to 12 ms off, a
//!   first silence that is longer than it had to be ½ (keepalives were turned on late). Less than 0.6 refutes.
//! - *roundness*: the geometric mean over idle and interval: 1 for a default, a preset or 1, 2, 5, 10, 15, 20,
//!   30, 45, 60, 75, 90, 100, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600, 7200 s; 0.95 for another
//!   multiple of 60 s, 0.92 of 50 s, 0.9 of 10 s, 0.85 of 5 s, 0.75 of 1 s, 0.5 of 500 ms, 0.3 of 100 ms, 0.1
//!   of 10 ms, 0.03 of 1 ms.
//! - *precision*: `1 / (1 + log10(1 + width / 12 ms) / 8)`, where width is how late the first probe may be.
//! - *end*, where the prober gave up: what the better explanation of it is worth. A count that is a default, a
//!   preset or 3, 4, 5, 6, 8, 9 or 10 is worth 1, another 0.8, two probes 0.4, one 0.3; a user timeout, on
//!   stacks that have one, half of how round the roundest in its range is, or 1 if an application asks for it.
//! - *marks*: the product of what each of its [marks](Inference::marks) is [worth](Worth::factor) to the
//!   stack: 0 refutes, 0.05, 0.3 and 0.6 weaken, 1 supports; 0.9 if how its timer rounds is not verified, 0.8
//!   for stacks that are seldom met (all but Linux, Windows and macOS).
//!
//! Of the rates of a Linux kernel that give the same settings, the one that makes what was seen most likely
//! stands first: a gap that lies on its grid is likelier than one that a wide window merely holds, and a first
//! silence may be longer than any. If it is not 8 times likelier than another, no rate is told; one that is
//! so much less likely loses half of its score.

mod ending;
mod marks;
mod observe;
mod plain;
mod round;
mod wheel;

pub use marks::{Frames, Mark, Places, Seen, Worth};

use super::outcome::Verdict;
use super::prober::{ProberRecord, median};
use crate::stack::preset::Asked;
use crate::stack::value::{InboundProbes, Rounding};
use crate::stack::{Preset, Stack, Status};
use crate::time::Span;
use crate::track::event::{Party, ResetMarks, Summary};
use ending::Ending;
use marks::Marks;
use observe::{Step, Steps, Subject};
use wheel::Solution;

/// Explanations kept, best first.
const KEPT: usize = 16;

/// Explanations that most probers have at most.
const USUAL: usize = 5;

/// Worse scores are not reported.
const LEAST_SCORE: f64 = 0.02;

/// Explanations that are as likely as the best have at least this share of its score.
const COMES_NEAR: f64 = 0.8;

/// What an explanation is worth by which the idle time shows nowhere.
const HIDDEN_IDLE: f64 = 0.5;

/// A rate is told if it makes what was seen so many times likelier than the others that give the same settings.
const TELLS_RATE: f64 = 8.0;

/// What the same settings are worth at a rate that is so much less likely.
const LESS_LIKELY_RATE: f64 = 0.5;

/// What a stack is worth that is seldom met.
const SELDOM: f64 = 0.8;

/// What is believed of a stack whose timer nobody looked at.
const UNVERIFIED_TIMER: f64 = 0.9;

/// Silences and gaps as they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The middle one (the lower of two).
    pub value: Span,
    /// The shortest.
    pub low: Span,
    /// The longest.
    pub high: Span,
    /// How many.
    pub samples: usize,
}

/// How many probes without an answer it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub value: u32,
    /// The prober was seen to give up after them, and hardly for a user timeout; otherwise it takes at least so
    /// many, or a user timeout ended it.
    pub exact: bool,
}

/// A setting with the range of all that explain what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The roundest in the range.
    pub value: Span,
    /// The least.
    pub low: Span,
    /// The greatest.
    pub high: Span,
}

/// Settings of one stack that explain a prober.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// The name of the stack.
    pub stack: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Linux: `CONFIG_HZ`, where the gaps tell it.
    pub hz: Option<u32>,
    /// The name of an application that asks for just this.
    pub application: Option<&'static str>,
    /// Silence before the first probe, if one was seen.
    pub idle: Option<Setting>,
    /// Time between unanswered probes, if it shows.
    pub interval: Option<Setting>,
    /// Unanswered probes before giving up, if that was seen and the stack counts them.
    pub count: Option<u32>,
    /// The user timeouts that explain when it gave up, where the stack has such a thing.
    pub user_timeout: Option<Setting>,
    /// A user timeout explains that as well as the count.
    pub count_in_doubt: bool,
    /// From 0 to 1; see [the module](self).
    pub score: f64,
}

/// What the probes of one side tell of its settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inference {
    /// The silence before probes after something heard.
    pub idle: Option<Estimate>,
    /// The time between unanswered probes.
    pub interval: Option<Estimate>,
    /// How many unanswered probes it takes.
    pub count: Option<Count>,
    /// The settings that explain them, best first.
    pub settings: Vec<Explanation>,
    /// What its probes, and how they ended, look like.
    pub marks: Vec<Mark>,
    /// What its answers to the probes of its peer look like.
    pub answering: Vec<Mark>,
}

/// Infers the settings of `prober`, the probes of `party`, from them, from the probes of the `other` side and
/// from what became of the connection and, if it was reset, what the packet of the `reset` shows.
pub fn infer(
    prober: &ProberRecord,
    other: &ProberRecord,
    party: Party,
    summary: &Summary,
    verdict: &Verdict,
    reset: Option<ResetMarks>,
) -> Inference {
    if prober.probes.is_empty() && other.probes.is_empty() {
        return Inference::default();
    }
    let subject = Subject { prober, other, party, summary, verdict };
    if prober.probes.is_empty() {
        let answering = Marks::of(&subject, reset, None).answering;
        return Inference { answering, ..Inference::default() };
    }
    // As most stacks see it: an octet of the peer is heard, an empty probe is not where only that one counts.
    let rules = [InboundProbes::OneOctet, InboundProbes::Both, InboundProbes::None];
    // Where it sent none, they say the same.
    let apart = if other.probes.is_empty() { 1 } else { rules.len() };
    let [one_octet, ..] = rules;
    let seen = Steps::of(subject.steps(one_octet, false));
    let by_others = rules.iter().take(apart).skip(1);
    let by_others: Vec<Steps> = by_others.map(|rule| Steps::of(subject.steps(*rule, false))).collect();
    let count = subject.longest_run(&seen.all).map(|(value, exact)| Count { value, exact });
    let exact = count.filter(|count| count.exact).map(|count| count.value);
    let mut marks = Marks::of(&subject, reset, exact);
    let mut settings: Vec<Explanation> = Vec::with_capacity(USUAL);
    let (mut timely, mut untimely) = (Places::default(), Places::default());
    for (place, weight) in marks.possible() {
        let Some(stack) = Stack::all().get(place) else { continue };
        let rule = stack.idle_clock.reset_by_probes.value_or(InboundProbes::Both);
        let view = rules.iter().position(|known| *known == rule).unwrap_or(0);
        let sends = stack.idle_clock.reset_by_sending.value_or(false);
        let sending = sends.then(|| Steps::of(subject.steps(rule, true)));
        let other = view.checked_sub(1).and_then(|view| by_others.get(view));
        let steps = sending.as_ref().or(other).unwrap_or(&seen);
        if steps.all.is_empty() {
            continue;
        }
        let ending = exact.and_then(|exact| Ending::of(&subject, rule, exact));
        let before = settings.len();
        explain(stack, steps, (count, ending), weight, &mut settings);
        if settings.len() == before { &mut untimely } else { &mut timely }.insert(place);
    }
    marks.probing.extend(marks::spacing(&subject, &seen.all, timely, untimely));
    settings.retain(|explanation| explanation.score >= LEAST_SCORE);
    // Stable: of equals the first in the table of stacks stays first.
    settings.sort_by(|one, other| other.score.total_cmp(&one.score));
    settings.truncate(KEPT);
    let count = count.map(|count| Count { exact: count.exact && !in_doubt(&settings), ..count });
    let shows_interval = settings.first().is_some_and(|best| best.interval.is_some());
    let (idle, interval) = estimates(&seen.all, shows_interval);
    Inference { idle, interval, count, settings, marks: marks.probing, answering: marks.answering }
}

/// Whether any of the settings that explain about as much as the best leaves the count in doubt.
fn in_doubt(settings: &[Explanation]) -> bool {
    let Some(best) = settings.first() else { return false };
    let mut near = settings.iter().take_while(|one| one.score >= best.score * COMES_NEAR);
    near.any(|one| one.count_in_doubt)
}

/// What was seen of either time. Silences much longer than the shortest are the interval's: a timer that keeps
/// running found the idle time over when it fired.
fn estimates(steps: &[Step], shows_interval: bool) -> (Option<Estimate>, Option<Estimate>) {
    let shortest = steps.iter().filter_map(|step| step.silence()).min().unwrap_or(0);
    let longest = shortest.saturating_add(shortest / 4).saturating_add(50_000_000);
    let silences = sorted(steps.iter().filter_map(|step| step.silence()).filter(|nanos| *nanos <= longest));
    let mut gaps = sorted(steps.iter().filter_map(|step| step.run_gap()));
    if gaps.is_empty() && shows_interval {
        gaps = sorted(steps.iter().filter_map(|step| match *step {
            Step::After { gap, offset, .. } if gap - offset > longest => Some(gap),
            _ => None,
        }));
    }
    (estimate(&silences), estimate(&gaps))
}

fn sorted(nanos: impl Iterator<Item = i64>) -> Vec<Span> {
    let mut spans: Vec<Span> = nanos.map(Span::from_nanos).collect();
    spans.sort_unstable();
    spans
}

fn estimate(sorted: &[Span]) -> Option<Estimate> {
    Some(Estimate {
        value: median(sorted)?,
        low: *sorted.first()?,
        high: *sorted.last()?,
        samples: sorted.len(),
    })
}

/// Adds the explanations by one stack to the `settings` found so far.
fn explain(
    stack: &'static Stack,
    steps: &Steps,
    (count, ending): (Option<Count>, Option<Ending>),
    marks: f64,
    settings: &mut Vec<Explanation>,
) {
    let exact = count.filter(|count| count.exact).map(|count| count.value);
    let rounding = stack.timing.rounding;
    let verified = if rounding.status == Status::Unverified { UNVERIFIED_TIMER } else { 1.0 };
    let common = ["linux", "windows", "macos"].iter().any(|name| stack.name.starts_with(name));
    let verified = if common { verified } else { verified * SELDOM };
    let judge = |solution: Solution, hz: Option<u32>, worth: f64| {
        let reason = ending.map(|ending| ending.reason(stack, solution.idle, solution.interval));
        let timeout = reason.and_then(|reason| reason.user_timeout);
        let application = application(&solution, count, timeout);
        Explanation {
            stack: stack.name,
            title: stack.title,
            hz,
            application: application.map(|preset| preset.name),
            idle: solution.idle.map(setting),
            interval: solution.interval.map(setting),
            count: reason.map_or(exact, |reason| reason.count),
            user_timeout: timeout.map(setting),
            count_in_doubt: reason.is_some_and(|reason| reason.in_doubt),
            score: score(stack, &solution)
                * marks
                * verified
                * worth
                * reason.map_or(1.0, |reason| reason.worth),
        }
    };
    if !matches!(rounding.value, Some(Rounding::TimerWheel { .. })) {
        settings.extend(plain::solve(stack, steps).map(|solution| judge(solution, None, 1.0)));
        return;
    }
    let mut found: Vec<Rated> = Vec::new();
    for hz in wheel::RATES {
        let mut take = |solution: Solution, worth: f64| {
            found.push(Rated {
                explanation: judge(solution, Some(hz), worth),
                evidence: solution.evidence,
                hidden: worth < 1.0,
            });
        };
        wheel::solve(stack, hz, &steps.all).into_iter().flatten().for_each(|solution| take(solution, 1.0));
        let hidden = wheel::solve_by_interval(stack, hz, &steps.all);
        hidden.into_iter().for_each(|solution| take(solution, HIDDEN_IDLE));
    }
    match found.as_slice() {
        [] => {}
        [only] => settings.push(only.explanation),
        _ => settings.extend(tell_rates(found)),
    }
}

/// An explanation at one rate.
struct Rated {
    explanation: Explanation,
    /// How likely it makes what was seen, as a logarithm.
    evidence: f64,
    /// Its idle time shows nowhere.
    hidden: bool,
}

impl Rated {
    /// Whether these are the same settings at two rates.
    fn is_same(&self, other: &Rated) -> bool {
        let values = |one: &Explanation| (one.idle.map(|idle| idle.value), one.interval.map(|it| it.value));
        self.hidden == other.hidden && values(&self.explanation) == values(&other.explanation)
    }
}

/// Where several rates give the same settings, the one whose grid is hit stands before those that merely hold
/// what was seen; where it is not much more likely than another, no rate is told.
fn tell_rates(mut found: Vec<Rated>) -> Vec<Explanation> {
    found.sort_by(|one, other| other.evidence.total_cmp(&one.evidence));
    let mut told: Vec<Rated> = Vec::new();
    for mut rated in found {
        let Some(best) = told.iter_mut().find(|best| best.is_same(&rated)) else {
            told.push(rated);
            continue;
        };
        if best.evidence - rated.evidence < TELLS_RATE.ln() {
            best.explanation = joined(&best.explanation, &rated.explanation);
        } else {
            rated.explanation.score *= LESS_LIKELY_RATE;
            told.push(rated);
        }
    }
    told.into_iter().map(|rated| rated.explanation).collect()
}

/// The same settings at two rates, of which none is told.
fn joined(one: &Explanation, other: &Explanation) -> Explanation {
    let both = |one: Option<Setting>, other: Option<Setting>| {
        let (one, other) = (one?, other?);
        Some(Setting { low: one.low.min(other.low), high: one.high.max(other.high), ..one })
    };
    Explanation {
        hz: None,
        idle: both(one.idle, other.idle),
        interval: both(one.interval, other.interval),
        score: one.score.max(other.score),
        ..*one
    }
}

fn setting(choice: round::Choice) -> Setting {
    let (value, (low, high)) = choice.spans();
    Setting { value, low, high }
}

fn score(stack: &Stack, solution: &Solution) -> f64 {
    let idle = solution.idle.map(|choice| round::on_stack(stack, round::Which::Idle, choice.best));
    let interval =
        solution.interval.map(|choice| round::on_stack(stack, round::Which::Interval, choice.best));
    let roundness = match (idle, interval) {
        (Some(idle), Some(interval)) => (idle * interval).sqrt(),
        (one, other) => one.or(other).unwrap_or(0.0),
    };
    let width = solution.width.max(0) as f64 / 12_000_000.0;
    let precision = 1.0 / (1.0 + (1.0 + width).log10() / 8.0);
    solution.fit * solution.fit * roundness * precision
}

/// The first application of the table whose idle time and interval are these, and whose count agrees; or whose
/// user timeout does, which ends it before the count.
fn application(
    solution: &Solution,
    count: Option<Count>,
    timeouts: Option<round::Choice>,
) -> Option<&'static Preset> {
    Preset::all().iter().find(|preset| {
        let asked = preset.count.value.and_then(Asked::get);
        let timeout = preset.user_timeout.value.and_then(Asked::get);
        let agrees = match (timeout, asked, count) {
            (Some(timeout), _, Some(seen)) if seen.exact => {
                timeouts.is_some_and(|range| (range.low..=range.high).contains(&timeout.as_nanos()))
            }
            (Some(_), ..) => true,
            (None, Some(asked), Some(seen)) if seen.exact => asked == seen.value,
            (None, Some(asked), Some(seen)) => asked >= seen.value,
            _ => true,
        };
        agrees && asks(preset, solution.idle, solution.interval)
    })
}

/// Whether an application asks for this idle time and interval.
fn asks(preset: &Preset, idle: Option<round::Choice>, interval: Option<round::Choice>) -> bool {
    let is = |asked: Option<Asked<Span>>, choice: Option<round::Choice>| {
        let asked = asked.and_then(Asked::get).map(Span::as_nanos);
        asked.is_some() && asked == choice.map(|choice| choice.best)
    };
    is(preset.idle.value, idle) && is(preset.interval.value, interval)
}
