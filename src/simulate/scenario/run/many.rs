//! One scenario many times: over seeds, or over the phases of the client's timer.

use std::collections::BTreeMap;

use super::{Plan, Run};
use crate::keepalive::Model;
use crate::keepalive::wheel::Wheel;
use crate::simulate::scenario::expect::EndOutcome;
use crate::simulate::scenario::happening::{EventKind, Happening};
use crate::simulate::scenario::problem::Wrong;
use crate::simulate::scenario::text::Word;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// What differs between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// The seed: each run has the next one.
    Seeds,
    /// Where the client's timer stands when the simulation begins: evenly over all its phases.
    Phases {
        /// After this long the timer stands as before.
        period: Span,
    },
}

/// The little of a run that many are compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What became of the client's end.
    pub outcome: EndOutcome,
    /// Both ends are open, or closed in order.
    pub survived: bool,
    /// When the client sent its first probe.
    pub first_probe: Option<Span>,
    /// A box had forgotten the connection before the first probe came to it.
    pub too_late: bool,
    /// From the moment in which the connection was lost until the client knew.
    pub detected_after: Option<Span>,
    /// Whether all that was expected of events and ends came about; captures are not taken.
    pub as_expected: bool,
}

/// A box forgets what a probe does not reach in time; one that reaches it keeps it for much longer than any way
/// there takes.
const LONGEST_WAY: Span = Span::from_secs(1);

impl Summary {
    /// What a run comes to.
    pub fn of(run: &Run) -> Self {
        let first = |kind: EventKind, by: &str| {
            run.happenings
                .iter()
                .find(|happening| happening.kind == kind && (by.is_empty() || happening.by == by))
        };
        let forgotten = first(EventKind::Expired, "").map(|happening| happening.time);
        let first_probe = first(EventKind::Probe, "client").map(|happening| happening.time);
        let too_late = match (forgotten, first_probe) {
            (Some(forgotten), Some(probe)) => forgotten <= probe.plus(LONGEST_WAY),
            (forgotten, None) => forgotten.is_some(),
            (None, Some(_)) => false,
        };
        let is_loss = |happening: &&Happening| match happening.kind {
            EventKind::PowerOff | EventKind::Unplugged => happening.by == "server",
            EventKind::Expired | EventKind::Removed => true,
            _ => false,
        };
        let lost = run.happenings.iter().find(is_loss).map(|happening| happening.time);
        let [client, server] = &run.ends;
        let ended = client.at.filter(|_| !is_in_order(client.outcome));
        let detected_after = lost
            .zip(ended)
            .filter(|(lost, ended)| ended >= lost)
            .map(|(lost, ended)| Span::from_nanos(ended.as_nanos().saturating_sub(lost.as_nanos())));
        let lives = |outcome| outcome == EndOutcome::Open || is_in_order(outcome);
        Summary {
            outcome: client.outcome,
            survived: lives(client.outcome) && lives(server.outcome),
            first_probe,
            too_late,
            detected_after,
            as_expected: run.verdicts.iter().all(|verdict| verdict.met),
        }
    }
}

fn is_in_order(outcome: EndOutcome) -> bool {
    outcome == EndOutcome::Ended(crate::simulate::end::Closing::InOrder)
}

impl Plan {
    /// What differs between runs over the phases of the client's timer, whatever the scenario says of that.
    ///
    /// # Errors
    /// If its timer has none.
    pub fn phases(&self) -> Result<Spread, Wrong> {
        let host = &self.world.client;
        let refuse = |problem: String| Wrong::new("client", problem);
        let model = Model::of(host.stack)
            .ok_or_else(|| refuse(format!("too little is known of {} to run it", host.stack.title)))?;
        let ends = self.world.connections.first().map(|connection| &connection.client);
        let idle = ends.and_then(|end| end.idle).unwrap_or(model.settings.idle);
        let interval = ends.and_then(|end| end.interval).unwrap_or(model.settings.interval);
        let period = match (model.rounding, host.hz) {
            (Rounding::TimerWheel { hz }, said) => {
                let wheel = Wheel::new(said.unwrap_or(hz), Timestamp::default());
                let granule = |delay| Wheel::granule(wheel.to_jiffies(delay));
                let coarsest = granule(idle).max(granule(interval));
                wheel.time_at(coarsest).since(wheel.time_at(0))
            }
            (
                Rounding::Coalesced { window: tick }
                | Rounding::Ticks { tick, .. }
                | Rounding::Polled { period: tick, .. },
                _,
            ) => tick,
            (Rounding::Exact, _) => {
                return Err(refuse(format!("the timers of {} have no phase", host.stack.title)));
            }
        };
        Ok(Spread::Phases { period })
    }

    /// Simulates it for the n-th time of so many.
    ///
    /// # Errors
    /// As [`Plan::run`], and if there is no end of events.
    pub fn run_of_many(&self, spread: Spread, index: u64, runs: u64) -> Result<Summary, Wrong> {
        let first = self.scenario.seed;
        let run = match spread {
            Spread::Seeds => self.run_with(first.wrapping_add(index), None, &[], &|| true)?,
            Spread::Phases { period } => {
                let part = i128::from(period.as_nanos()) * (2 * i128::from(index) + 1)
                    / (2 * i128::from(runs.max(1)));
                let uptime = Span::from_nanos(i64::try_from(part).unwrap_or(i64::MAX));
                self.run_with(first, Some(uptime), &[], &|| true)?
            }
        };
        match run.trouble() {
            Some(trouble) => Err(Wrong::new("", trouble)),
            None => Ok(Summary::of(&run)),
        }
    }
}

/// How many runs came to what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// How many runs.
    pub runs: u64,
    /// In how many the connection survived.
    pub survived: u64,
    /// In how many the client's first probe came too late for a box on the path.
    pub too_late: u64,
    /// In how many something expected did not come about.
    pub unexpected: u64,
    /// How many came to which outcome of the client's end.
    pub outcomes: BTreeMap<&'static str, u64>,
    first_probes: Vec<Span>,
    detections: Vec<Span>,
}

impl Distribution {
    /// Adds a run.
    pub fn add(&mut self, summary: &Summary) {
        self.runs += 1;
        self.survived += u64::from(summary.survived);
        self.too_late += u64::from(summary.too_late);
        self.unexpected += u64::from(!summary.as_expected);
        *self.outcomes.entry(Word(summary.outcome).name()).or_default() += 1;
        self.first_probes.extend(summary.first_probe);
        self.detections.extend(summary.detected_after);
    }

    /// When the first probe was sent.
    pub fn first_probe(&self) -> Option<Quantiles> {
        Quantiles::of(&self.first_probes)
    }

    /// How long it took to notice that the connection was lost.
    pub fn detection(&self) -> Option<Quantiles> {
        Quantiles::of(&self.detections)
    }
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Of how many.
    pub count: u64,
    /// The least.
    pub least: Span,
    /// A tenth is no more than this.
    pub p10: Span,
    /// Half is no more than this.
    pub p50: Span,
    /// Nine tenths are no more than this.
    pub p90: Span,
    /// 99 of 100 are no more than this.
    pub p99: Span,
    /// The most.
    pub most: Span,
}

impl Quantiles {
    /// The quantiles of these times; nothing if there are none.
    pub fn of(times: &[Span]) -> Option<Quantiles> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        // The nearest rank.
        let rank =
            |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Quantiles {
            count: sorted.len() as u64,
            least: *sorted.first()?,
            p10: rank(10)?,
            p50: rank(50)?,
            p90: rank(90)?,
            p99: rank(99)?,
            most: *sorted.last()?,
        })
    }
}
