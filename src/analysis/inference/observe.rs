//! What the probes of one side tell about its timer: each probe as a step from the one before.
//!
//! Owns the question what the prober had heard before a probe, which depends on the stack: a probe of the
//! peer is a sign of life to some and not to others. Uses [`crate::track`] and [`crate::stack`].

use crate::analysis::prober::{ProbeRecord, ProberRecord};
use crate::analysis::{Outcome, Verdict};
use crate::stack::value::InboundProbes;
use crate::time::{Span, Timestamp};
use crate::track::event::{Party, Summary};

/// Steps that are looked at; a steady prober tells no more after that.
const MOST_STEPS: usize = 256;

/// Two gaps of the same timer differ by no more.
const STEADY: i64 = 25_000_000;

/// A first probe that comes sooner was sent because keepalives were turned on.
const AT_ONCE: i64 = 50_000_000;

/// No stack waits as long: a hundred days.
const LONGEST: i64 = 100 * 86_400 * 1_000_000_000;

/// How a probe came about, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The prober heard nothing since its probe before.
    Run {
        gap: i64,
        /// The probe before came about so too: its timer stood where this delay leaves it.
        steady: bool,
    },
    /// The last that the prober heard came `offset` after its probe before.
    After {
        gap: i64,
        offset: i64,
        /// The gap before was the same.
        steady: bool,
    },
    /// The first of its probes that was captured.
    Fresh { silence: i64 },
}

impl Step {
    /// The silence that the idle time had to cover.
    pub(super) fn silence(self) -> Option<i64> {
        match self {
            Step::Run { .. } => None,
            Step::After { gap, offset, .. } => Some(gap - offset),
            Step::Fresh { silence } => Some(silence),
        }
    }

    /// The time between probes of one run.
    pub(super) fn run_gap(self) -> Option<i64> {
        match self {
            Step::Run { gap, .. } => Some(gap),
            _ => None,
        }
    }
}

/// The steps of a prober, and their times alone.
pub(super) struct Steps {
    /// In their order.
    pub(super) all: Vec<Step>,
    /// The gaps within runs, in their order.
    pub(super) runs: Vec<i64>,
    /// The same, shortest first.
    pub(super) sorted_runs: Vec<i64>,
    /// The silences, shortest first.
    pub(super) sorted_silences: Vec<i64>,
}

impl Steps {
    pub(super) fn of(all: Vec<Step>) -> Self {
        let runs: Vec<i64> = all.iter().filter_map(|step| step.run_gap()).collect();
        let (mut sorted_runs, mut sorted_silences) = (runs.clone(), Vec::with_capacity(all.len()));
        sorted_silences.extend(all.iter().filter_map(|step| step.silence()));
        sorted_runs.sort_unstable();
        sorted_silences.sort_unstable();
        Self { all, runs, sorted_runs, sorted_silences }
    }
}

/// One side as a prober, with what else was captured.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) prober: &'a ProberRecord,
    pub(super) other: &'a ProberRecord,
    pub(super) party: Party,
    pub(super) summary: &'a Summary,
    pub(super) verdict: &'a Verdict,
}

impl Subject<'_> {
    /// Whether it gave up: it was seen to reset in step with its probes.
    pub(super) fn gave_up(&self) -> bool {
        let by_it = self.summary.reset.is_some_and(|(by, _)| by == self.party);
        self.verdict.outcome == Outcome::TimedOut && by_it
    }

    /// Whether a probe is one of those after which it gave up.
    pub(super) fn is_last_run(&self, probe: &ProbeRecord) -> bool {
        self.gave_up() && self.verdict.evidence.contains(&probe.segment.at.frame)
    }

    /// Whether nothing of the peer was captured although there may have been something.
    fn is_one_way(&self) -> bool {
        self.summary.side(self.party.peer()).segments == 0 && !self.gave_up()
    }

    /// The round trip between the point of capture and the prober, if the answers to its peer's probes show it:
    /// as captured, each of its silences is longer by that.
    fn way_there(&self) -> i64 {
        self.other.round_trip_range().map_or(0, |(shortest, _)| shortest.as_nanos().max(0))
    }

    /// When the prober last heard something that counts, before a probe.
    pub(super) fn heard(&self, probe: &ProbeRecord, rule: InboundProbes) -> Option<Timestamp> {
        let at = probe.segment.at.time;
        let last = at.plus(Span::from_nanos(probe.segment.silence?.as_nanos().saturating_neg()));
        let counts = |octets: u8| match rule {
            InboundProbes::Both => true,
            InboundProbes::OneOctet => octets == 1,
            InboundProbes::None => false,
        };
        let theirs = |time: Timestamp| self.other.probes.iter().find(|other| other.segment.at.time == time);
        if theirs(last).is_none_or(|other| counts(other.segment.octets)) {
            return Some(last);
        }
        // What else is known to have been received: answers, and what earlier probes show.
        let before = self.prober.probes.iter().filter(|other| other.segment.at.time < at);
        let answers = before.clone().filter(|other| other.is_answered_by_peer());
        let answers = answers.filter_map(|other| other.answer.map(|answer| answer.at.time));
        let earlier = before.filter_map(|other| {
            let span = other.segment.silence?;
            let time = other.segment.at.time.plus(Span::from_nanos(span.as_nanos().saturating_neg()));
            theirs(time).is_none_or(|probe| counts(probe.segment.octets)).then_some(time)
        });
        answers.chain(earlier).filter(|time| *time < at).max()
    }

    /// Probes that left although an empty probe of the peer had just come: the silence since that is less than
    /// half of what was kept otherwise.
    pub(super) fn not_put_off(&self) -> Option<impl Iterator<Item = &ProbeRecord>> {
        let kept = |probe: &ProbeRecord, rule| {
            Some(probe.segment.at.time.since(self.heard(probe, rule)?).as_nanos())
        };
        self.other.probes.iter().find(|other| other.segment.octets == 0)?;
        let probes = || self.prober.probes.iter().take(MOST_STEPS);
        let firsts = probes().filter(|probe| probe.segment.run == 1);
        let idle = firsts.filter_map(|probe| kept(probe, InboundProbes::None)).min()?;
        let went_on = probes().filter(move |probe| {
            let after_any = kept(probe, InboundProbes::Both).unwrap_or(i64::MAX);
            let after_other = kept(probe, InboundProbes::None).unwrap_or(0);
            after_any.saturating_mul(2) < idle && after_other >= idle
        });
        let mut went_on = went_on.peekable();
        went_on.peek()?;
        Some(went_on)
    }

    /// The steps, as a stack sees them to which probes of the peer count as `rule` says and, with `sends`,
    /// what it sends itself counts too.
    pub(super) fn steps(&self, rule: InboundProbes, sends: bool) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::with_capacity(self.prober.probes.len().min(MOST_STEPS));
        let mut before: Option<&ProbeRecord> = None;
        for probe in self.prober.probes.iter().take(MOST_STEPS) {
            let step = match before {
                None => self.first(probe, rule, sends),
                Some(earlier) => Some(self.next(earlier, probe, rule, steps.last().copied())),
            };
            steps.extend(step.filter(|step| is_forward(*step)));
            before = Some(probe);
        }
        steps
    }

    fn first(&self, probe: &ProbeRecord, rule: InboundProbes, sends: bool) -> Option<Step> {
        let shown = &probe.segment;
        let silence = match self.heard(probe, rule) {
            _ if sends || self.is_one_way() => shown.quiet,
            Some(heard) => Some(shown.at.time.since(heard)),
            None => None,
        };
        Some(Step::Fresh { silence: silence?.as_nanos().saturating_sub(self.way_there()) })
    }

    fn next(
        &self,
        earlier: &ProbeRecord,
        probe: &ProbeRecord,
        rule: InboundProbes,
        last: Option<Step>,
    ) -> Step {
        let start = earlier.segment.at.time;
        let gap = probe.segment.at.time.since(start).as_nanos();
        let heard = self.heard(probe, rule).filter(|time| *time >= start);
        let offset = match heard {
            _ if self.is_last_run(earlier) && self.is_last_run(probe) => None,
            None if self.is_one_way() => Some(0),
            Some(time) => Some(time.since(start).as_nanos().saturating_add(self.way_there())),
            None => None,
        };
        match offset {
            None => Step::Run { gap, steady: matches!(last, Some(Step::Run { .. })) },
            Some(offset) => {
                let quick = |offset: i64, gap: i64| offset.saturating_mul(2) < gap;
                let same = matches!(last, Some(Step::After { gap: other, offset, .. })
                    if quick(offset, other) && gap.abs_diff(other) <= STEADY.unsigned_abs());
                Step::After { gap, offset, steady: same && quick(offset, gap) }
            }
        }
    }

    /// How many probes it sent at most without hearing anything, and whether it gave up then.
    pub(super) fn longest_run(&self, steps: &[Step]) -> Option<(u32, bool)> {
        let last = self.prober.probes.iter().filter(|probe| self.is_last_run(probe)).count();
        if last > 0 {
            return Some((u32::try_from(last).unwrap_or(u32::MAX), true));
        }
        let (mut longest, mut run) = (0_u32, 1_u32);
        for step in steps {
            run = if matches!(step, Step::Run { .. }) { run.saturating_add(1) } else { 1 };
            longest = longest.max(run);
        }
        let tail = u32::try_from(self.prober.unanswered_tail().len()).unwrap_or(u32::MAX);
        let unanswered = if self.is_one_way() { 0 } else { tail.min(longest) };
        let seen = if longest > 1 { longest } else { unanswered };
        (seen > 0).then_some((seen, false))
    }
}

/// Clocks of captures go back now and then, or are set years ahead; such a step tells nothing.
fn is_forward(step: Step) -> bool {
    match step {
        Step::Run { gap, .. } => gap > 0 && gap < LONGEST,
        Step::After { gap, offset, .. } => offset >= 0 && gap > offset && gap < LONGEST,
        Step::Fresh { silence } => silence > AT_ONCE && silence < LONGEST,
    }
}
