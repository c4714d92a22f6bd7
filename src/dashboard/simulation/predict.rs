//! From a plan to what the screen shows of it: the run, its packets through the one pipeline, and the answer.
//!
//! Owns [`Prediction`] and the numbers by which two are compared, [`Figures`]. Pure; whoever calls says by a
//! closure whether anybody still wants to know.

use crate::dashboard::store::feed::{Batch, Feed};
use crate::keepalive::Model;
use crate::keepalive::predict::{self, Detection, Peer, Question};
use crate::simulate::scenario::expect::EndOutcome;
use crate::simulate::scenario::happening::EventKind;
use crate::simulate::scenario::run::{Distribution, End, Run, Spread, Summary};
use crate::simulate::scenario::{Plan, Scenario};
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

use super::asides::Asides;

/// Phases of the client's timer that are run beside the one that is shown.
const PHASES: u64 = 64;

/// Events that running those may take; a scenario of which so many would be too slow is not run in phases.
const MOST_EVENTS: u64 = 1_000_000;

/// What was predicted of a scenario.
#[derive(Debug)]
pub struct Prediction {
    /// What was simulated.
    pub plan: Plan,
    /// What happened.
    pub run: Run,
    /// What it comes to.
    pub figures: Figures,
    /// The same in other phases of the client's timer, once that is known.
    pub phases: Option<Distribution>,
}

/// The numbers by which predictions are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// What the connection was lost by, and when.
    pub loss: Option<(Span, String)>,
    /// How long after that the client knew.
    pub noticed: Option<Span>,
    /// When the client sent its first probe.
    pub first_probe: Option<Span>,
    /// Probes that the client sent.
    pub probes: u64,
    /// Those that got no answer.
    pub unanswered: u64,
    /// Each box on the path, and when it forgot the connection without being asked to.
    pub boxes: Vec<(String, Option<Span>)>,
    /// Both ends are open, or closed in order.
    pub survived: bool,
    /// A box had forgotten the connection before the first probe came.
    pub too_late: bool,
    /// What became of the client's end.
    pub client: End,
    /// How long a dead peer goes unnoticed, whenever it dies.
    pub detection: Option<Detection>,
    /// How many of the scenario's expectations came about, and how many there are.
    pub expected: (usize, usize),
}

/// Simulates a plan. Nothing if nobody wants to know any more.
///
/// # Errors
/// If it cannot be put together, or never ends; in words.
pub fn predict(
    plan: Plan,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<(Prediction, Batch, Asides)>, String> {
    let run = plan.run_while(&[0], goes_on).map_err(|wrong| wrong.to_string())?;
    if !goes_on() {
        return Ok(None);
    }
    if let Some(trouble) = run.trouble() {
        return Err(trouble);
    }
    let mut feed = Feed::new(0);
    let captured = run.captures.iter().find(|captured| captured.tap.name == "client");
    for frame in captured.iter().flat_map(|captured| captured.frames()) {
        feed.frame(&frame);
    }
    feed.finish();
    let mut batch = feed.take();
    batch.covers = Some((run.start, until(&run, &batch)));
    let asides = Asides::of(&run, &plan.box_names, &batch.rows);
    let figures = figures(&plan, &run, &batch);
    Ok(Some((Prediction { plan, run, figures, phases: None }, batch, asides)))
}

/// Up to where there is something to show: when the client's end is closed, until nothing happens any more.
fn until(run: &Run, batch: &Batch) -> Timestamp {
    if run.ends.first().is_some_and(|client| client.outcome == EndOutcome::Open) {
        return run.end;
    }
    let told = run.happenings.last().map(|last| run.start.plus(last.time));
    let packet = batch.rows.last().map(|row| row.time);
    told.max(packet).unwrap_or(run.end)
}

fn figures(plan: &Plan, run: &Run, batch: &Batch) -> Figures {
    let summary = Summary::of(run);
    let loss = run.happenings.iter().find_map(|happening| {
        let by = &happening.by;
        let words = match happening.kind {
            EventKind::PowerOff if by == "server" => "the server loses its power".to_owned(),
            EventKind::Unplugged if by == "server" => "the server is unplugged".to_owned(),
            EventKind::Expired | EventKind::Removed => format!("{by} forgets the connection"),
            _ => return None,
        };
        Some((happening.time, words))
    });
    let count = |kind: EventKind| {
        let of_client = run.happenings.iter().filter(move |happening| happening.kind == kind);
        of_client.filter(|happening| happening.by == "client").count() as u64
    };
    let answered: u64 = batch.records.iter().map(|(_, record)| record.client.answered() as u64).sum();
    let probes = count(EventKind::Probe);
    let forgot = |name: &String| {
        let expired = run.happenings.iter().find(|happening| {
            happening.by == *name && matches!(happening.kind, EventKind::Expired | EventKind::BoxClosed)
        });
        (name.clone(), expired.map(|expired| expired.time))
    };
    let met = run.verdicts.iter().filter(|verdict| verdict.met).count();
    let [client, _] = &run.ends;
    Figures {
        loss,
        noticed: summary.detected_after,
        first_probe: summary.first_probe,
        probes,
        unanswered: probes.saturating_sub(answered),
        boxes: plan.box_names.iter().map(forgot).collect(),
        survived: summary.survived,
        too_late: summary.too_late,
        detection: detection(&plan.scenario, client),
        client: client.clone(),
        expected: (met, run.verdicts.len()),
    }
}

/// How long a dead peer goes unnoticed by the client's keepalives, whenever it dies and whatever its timer's phase.
fn detection(scenario: &Scenario, client: &End) -> Option<Detection> {
    let settings = client.settings?;
    let host = &scenario.client;
    // Calls of an application may turn keepalives off; the settings say nothing of that.
    let on = host.windows.as_ref().map_or(host.keepalive, |windows| Some(!windows.calls.is_empty()));
    if on == Some(false) {
        return None;
    }
    let mut model = Model::of(Stack::named(super::edit::stack_name(host)).ok()?)?;
    if let (Rounding::TimerWheel { .. }, Some(hz)) = (model.rounding, host.hz) {
        model.rounding = Rounding::TimerWheel { hz };
    }
    let steps = Question::enough_steps(&model, &settings, Peer::Silent);
    let question = Question { model, settings, peer: Peer::Silent, rtt: super::path::rtt(scenario), steps };
    predict::predict(&question).detection
}

/// Runs the plan in phases of the client's timer. Nothing if that has none, if it would take too long, or if nobody
/// wants to know any more.
pub fn phases(plan: &Plan, events: u64, goes_on: &dyn Fn() -> bool) -> Option<Distribution> {
    let spread = plan.phases().ok()?;
    if events.saturating_mul(PHASES) > MOST_EVENTS {
        return None;
    }
    let mut distribution = Distribution::default();
    for index in 0..PHASES {
        if !goes_on() {
            return None;
        }
        distribution.add(&plan.run_of_many(spread, index, PHASES).ok()?);
    }
    Some(distribution)
}

/// Runs the plan many times, and tells now and then how far that is: `tell` says whether to go on.
///
/// # Errors
/// If it cannot be put together, has no end, or its timer no phases; in words.
pub fn many(
    plan: &Plan,
    over_phases: bool,
    runs: u64,
    goes_on: &dyn Fn() -> bool,
    mut tell: impl FnMut(&Distribution, Spread) -> bool,
) -> Result<(), String> {
    let spread = if over_phases { plan.phases().map_err(|wrong| wrong.to_string())? } else { Spread::Seeds };
    let mut distribution = Distribution::default();
    let step = (runs / 20).max(1);
    for index in 0..runs {
        if !goes_on() {
            return Ok(());
        }
        distribution.add(&plan.run_of_many(spread, index, runs).map_err(|wrong| wrong.to_string())?);
        let due = distribution.runs.is_multiple_of(step) || distribution.runs == runs;
        if due && !tell(&distribution, spread) {
            return Ok(());
        }
    }
    Ok(())
}
