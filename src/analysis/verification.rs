//! Whether keepalives were sent as promised: each rule by itself, with the frames that show it.
//!
//! Owns what can be promised ([`Expectation`]), the rules ([`RuleId`]) and their outcomes. The times at which
//! probes may come are not worked out here: the keepalive machine of the stack is run over what the prober
//! heard, in every phase of its timer. Pure. Uses [`crate::keepalive`], [`crate::stack`] and the
//! records of [`crate::analysis`].
//!
//! What cannot be seen at the point of capture is never called a failure: a silence whose beginning was not
//! captured, an answer that may not have reached the prober, a count that the capture does not see the end of.

mod history;
mod presence;
mod quiet;
mod replay;
mod standard;
mod timing;
mod until;

pub use history::{Histories, History, Moment};
pub use replay::ALL_HZ;

use super::ConnectionRecord;
use crate::frame::FrameId;
use crate::keepalive::Model;
use crate::stack::value::{Datum, IntervalShape, Rounding, Value as _};
use crate::stack::{Requirement, Source};
use crate::time::{Span, Timestamp};
use crate::track::event::{Mark, Party};

/// How far the clock of the capture may run from that of the prober: one part in so many.
pub const DRIFT: i64 = 10_000;

/// What is promised of one end of a connection. What is not promised is not judged.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The stack, with its rules.
    pub model: Model,
    /// CONFIG_HZ of a Linux kernel; if it is not said, one of the usual ones must explain all.
    pub hz: Option<u32>,
    /// Silence before the first probe.
    pub idle: Option<Span>,
    /// Time between unanswered probes.
    pub interval: Option<Span>,
    /// Unanswered probes before the connection is given up.
    pub count: Option<u32>,
    /// TCP_USER_TIMEOUT, which replaces the count on Linux.
    pub user_timeout: Option<Span>,
    /// How much earlier or later than the machine a probe may be seen.
    pub jitter: Span,
    /// The settings are claimed to be the stack's defaults.
    pub defaults: bool,
}

impl Expectation {
    /// The jitter that is allowed unless another one is stated.
    pub const JITTER: Span = Span::from_millis(15);

    /// What is allowed at the end of a time of this length: the jitter, and clocks that run apart.
    pub fn tolerance(&self, length: Span) -> Span {
        self.jitter.plus(Span::from_nanos(length.as_nanos().max(0) / DRIFT))
    }

    /// Whether gaps grow because no interval was set.
    pub fn backs_off(&self) -> bool {
        let shape = self.model.stack.timing.shape.value;
        self.interval.is_none() && matches!(shape, Some(IntervalShape::BackOffFromRto { .. }))
    }

    /// Whether no HZ was said although the stack's rounding depends on it.
    pub fn allows_every_hz(&self) -> bool {
        self.hz.is_none() && matches!(self.model.rounding, Rounding::TimerWheel { .. })
    }
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was kept wherever it could be seen.
    Pass,
    /// It was broken.
    Fail,
    /// These packets cannot show it.
    NotObservable,
}

impl Outcome {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::NotObservable => "not_observable",
        }
    }
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleId {
    /// A probe at all, where a silence was long enough.
    ProbeSent,
    /// No probe before the idle time is over.
    IdleNotEarly,
    /// A probe when the idle time and the rounding of the timer are over.
    IdleNotLate,
    /// No probe before the interval is over.
    IntervalNotEarly,
    /// A probe when the interval and the rounding of the timer are over.
    IntervalNotLate,
    /// As many probes without an answer as were promised.
    Count,
    /// The connection is then given up as the stack does it, one interval after the last probe.
    GiveUp,
    /// A probe looks as the stack sends it.
    ProbeForm,
    /// Can be turned on and off.
    Must24,
    /// Off by default.
    Must25,
    /// No probe while data is outstanding.
    Must26,
    /// The interval can be configured.
    Must27,
    /// Two hours by default.
    Must28,
    /// One unanswered probe does not end a connection.
    Must29,
    /// No data in a probe.
    Shld12,
    /// One octet at most.
    May6,
}

impl RuleId {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            RuleId::ProbeSent => "probe_sent",
            RuleId::IdleNotEarly => "idle_not_early",
            RuleId::IdleNotLate => "idle_not_late",
            RuleId::IntervalNotEarly => "interval_not_early",
            RuleId::IntervalNotLate => "interval_not_late",
            RuleId::Count => "count",
            RuleId::GiveUp => "give_up",
            RuleId::ProbeForm => "probe_form",
            RuleId::Must24 => "rfc9293_must_24",
            RuleId::Must25 => "rfc9293_must_25",
            RuleId::Must26 => "rfc9293_must_26",
            RuleId::Must27 => "rfc9293_must_27",
            RuleId::Must28 => "rfc9293_must_28",
            RuleId::Must29 => "rfc9293_must_29",
            RuleId::Shld12 => "rfc9293_shld_12",
            RuleId::May6 => "rfc9293_may_6",
        }
    }

    /// Whether it depends on how late the timer fires.
    pub fn is_about_times(self) -> bool {
        matches!(
            self,
            RuleId::IdleNotEarly
                | RuleId::IdleNotLate
                | RuleId::IntervalNotEarly
                | RuleId::IntervalNotLate
                | RuleId::GiveUp
        )
    }

    /// The requirement of the standard that it is, if it is one.
    pub fn requirement(self) -> Option<&'static Requirement> {
        let id = match self {
            RuleId::Must24 => "MUST-24",
            RuleId::Must25 => "MUST-25",
            RuleId::Must26 => "MUST-26",
            RuleId::Must27 => "MUST-27",
            RuleId::Must28 => "MUST-28",
            RuleId::Must29 => "MUST-29",
            RuleId::Shld12 => "SHLD-12",
            RuleId::May6 => "MAY-6",
            _ => return None,
        };
        Requirement::named(id)
    }

    /// Where the rule comes from: the section of the standard, or the sources of the stack's row.
    pub fn source(self, model: &Model) -> String {
        if let Some(requirement) = self.requirement() {
            return format!("{} {} (RFC 1122 section 4.2.3.6)", requirement.source, requirement.id);
        }
        let stack = model.stack;
        let (cell, sources): (&str, &[Source]) = match self {
            RuleId::IdleNotEarly => ("idle_clock.reset_by", stack.idle_clock.reset_by.sources),
            RuleId::ProbeSent | RuleId::IdleNotLate => ("timing.rounding", stack.timing.rounding.sources),
            RuleId::IntervalNotEarly | RuleId::IntervalNotLate => {
                ("timing.shape", stack.timing.shape.sources)
            }
            RuleId::Count => ("giving_up.rule", stack.giving_up.rule.sources),
            RuleId::GiveUp => ("giving_up.moment", stack.giving_up.moment.sources),
            _ => ("probe", stack.probe.octets.sources),
        };
        let tags: Vec<&str> = sources.iter().map(|source| source.reference).collect();
        let named = if tags.is_empty() { "nobody knows".to_owned() } else { tags.join("; ") };
        format!("{} {cell}: {named}", stack.name)
    }
}

/// What was seen, or what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Times from the shortest to the longest.
    Times(Span, Span),
    /// A number.
    Number(u64),
    /// Something else.
    Text(String),
}

/// The outcome of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVerdict {
    /// The rule.
    pub rule: RuleId,
    /// Where it comes from.
    pub source: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The frames that show it, in order.
    pub frames: Vec<FrameId>,
    /// What was seen.
    pub observed: Option<Measure>,
    /// What was expected.
    pub expected: Option<Measure>,
    /// One sentence that says why.
    pub reason: String,
}

/// What rules are judged from.
struct Case<'a> {
    record: &'a ConnectionRecord,
    history: &'a History,
    party: Party,
    expectation: &'a Expectation,
    steps: Vec<replay::Step>,
    /// The round trip from the point of capture to the prober.
    trip: Span,
    /// What became of trying each HZ, if none was said.
    rates: Option<&'a Rates>,
}

impl Case<'_> {
    fn verdict(&self, rule: RuleId, outcome: Outcome, frames: Vec<FrameId>, reason: String) -> RuleVerdict {
        let mut ordered = frames;
        ordered.sort_unstable();
        ordered.dedup();
        let source = rule.source(&self.expectation.model);
        RuleVerdict { rule, source, outcome, frames: ordered, observed: None, expected: None, reason }
    }

    fn unseen(&self, rule: RuleId, reason: &str) -> RuleVerdict {
        self.verdict(rule, Outcome::NotObservable, Vec::new(), reason.to_owned())
    }

    /// Whether the prober gave the connection up, so that answers seen here did not reach it.
    fn gave_up(&self) -> bool {
        let by = self.record.summary.reset.map(|(by, _)| by);
        by == Some(self.party) && self.record.verdict.outcome == super::Outcome::TimedOut
    }

    /// The frames of all probes.
    fn frames(&self) -> Vec<FrameId> {
        self.record.prober(self.party).probes.iter().map(|probe| probe.segment.at.frame).collect()
    }

    /// What the rounding of the timer allows, in words.
    fn rounding(&self) -> String {
        let expectation = self.expectation;
        match (expectation.model.rounding, expectation.hz) {
            (Rounding::TimerWheel { .. }, hz) => match (self.rates, hz) {
                (Some(rates), _) => rates.sentence(),
                (None, Some(hz)) => format!("timer wheel, HZ={hz}"),
                (None, None) => "timer wheel".to_owned(),
            },
            (rounding, _) => match (rounding.datum(), expectation.model.stack.timing.rounding.value) {
                (_, None) => "nobody knows how this stack rounds".to_owned(),
                (Datum::Fields(_, text, _), _) => text,
                _ => String::new(),
            },
        }
    }
}

/// Numbers for people.
fn listed(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => numbers.join(""),
    }
}

/// The verdicts on one end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// One for each rule.
    pub rules: Vec<RuleVerdict>,
    /// The HZ values by which the rules about times are all kept, if each was allowed.
    pub hz_fits: Vec<u32>,
}

/// When a probe was due, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The probe; nothing for what should come after the last one.
    pub probe: Option<Mark>,
    /// Earliest and latest time at which some phase of the timer sends it, tolerance not added.
    pub window: (Timestamp, Timestamp),
    /// How far outside of the window it may be seen.
    pub tolerance: Span,
}

impl Due {
    /// Whether a probe at this time is in time.
    pub fn holds(&self, at: Timestamp) -> bool {
        at.plus(self.tolerance) >= self.window.0 && at <= self.window.1.plus(self.tolerance)
    }
}

/// When each probe of one end was due, and when the next one is.
pub fn due(
    record: &ConnectionRecord,
    history: &History,
    party: Party,
    expectation: &Expectation,
) -> Vec<Due> {
    let steps = replay::Replay::new(record, history, party, expectation).steps();
    let of = |step: &replay::Step| {
        step.window.map(|window| Due { probe: step.probe, window, tolerance: step.tolerance })
    };
    steps.iter().filter_map(of).collect()
}

/// Judges every rule for one end of a connection that may have sent probes.
///
/// Where no HZ was said, one of the usual ones must explain all of it: the connection is judged by each, and
/// the verdicts are those by the one that explains most, of several by the first.
pub fn verify(
    record: &ConnectionRecord,
    history: &History,
    party: Party,
    expectation: &Expectation,
) -> Verdicts {
    if !expectation.allows_every_hz() {
        return Verdicts { rules: judge(record, history, party, expectation, None), hz_fits: Vec::new() };
    }
    let by_rate = ALL_HZ.map(|hz| {
        let one = Expectation { hz: Some(hz), ..expectation.clone() };
        let faults = Faults::of(&judge(record, history, party, &one, None));
        (hz, one, faults)
    });
    let fewest = by_rate.iter().map(|(.., faults)| *faults).min().unwrap_or_default();
    let mut best = by_rate.iter().filter(|(.., faults)| *faults == fewest).peekable();
    let Some((_, by, _)) = best.peek() else {
        return Verdicts { rules: Vec::new(), hz_fits: Vec::new() };
    };
    let fits = fewest.times == 0;
    let rates = Rates { best: best.map(|(hz, ..)| *hz).collect(), fits };
    let rules = judge(record, history, party, by, Some(&rates));
    let seen = !record.prober(party).probes.is_empty();
    Verdicts { rules, hz_fits: if fits && seen { rates.best } else { Vec::new() } }
}

/// What speaks against a rate, the weightiest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Faults {
    /// Rules about times that it breaks.
    times: usize,
    /// Those that it does not explain: by another, a RST may be in step with the probes.
    unexplained: usize,
    /// All rules that it breaks.
    all: usize,
}

impl Faults {
    fn of(rules: &[RuleVerdict]) -> Self {
        let count = |is: &dyn Fn(&RuleVerdict) -> bool| rules.iter().filter(|verdict| is(verdict)).count();
        Self {
            times: count(&|verdict| verdict.outcome == Outcome::Fail && verdict.rule.is_about_times()),
            unexplained: count(&|verdict| verdict.outcome != Outcome::Pass && verdict.rule.is_about_times()),
            all: count(&|verdict| verdict.outcome == Outcome::Fail),
        }
    }
}

/// What became of trying each HZ.
struct Rates {
    /// Those by which fewest rules are broken.
    best: Vec<u32>,
    /// No rule about times is broken then.
    fits: bool,
}

impl Rates {
    /// In words.
    fn sentence(&self) -> String {
        match self.fits {
            true => format!("HZ not given, {} fits", listed(&self.best)),
            false => format!("HZ not given, none of {} fits throughout", listed(&ALL_HZ)),
        }
    }
}

/// Judges every rule; where each HZ was tried, `rates` says what became of it.
fn judge(
    record: &ConnectionRecord,
    history: &History,
    party: Party,
    expectation: &Expectation,
    rates: Option<&Rates>,
) -> Vec<RuleVerdict> {
    let replay = replay::Replay::new(record, history, party, expectation);
    let (steps, trip) = (replay.steps(), replay.trip());
    let case = Case { record, history, party, expectation, steps, trip, rates };
    let mut verdicts = vec![presence::judge(&case)];
    verdicts.extend(timing::judge(&case));
    verdicts.extend(until::judge(&case));
    verdicts.extend(standard::judge(&case));
    verdicts
}
