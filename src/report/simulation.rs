//! A simulation: what really happened, what a capture of it shows, and whether that was expected; for people, as
//! JSON and as JSON lines (`keepscope.simulation/1`).
//!
//! ```text
//! {"schema": "keepscope.simulation/1",
//!  "title", "question", "seed", "length_s", "path": ["client", names of links and boxes, "server"],
//!  "outcome": "as_expected"|"unexpected", "cut_short": whether it was stopped after too many events,
//!  "assumed": [what is not known of a product on the path and is assumed],
//!  "ends": [{"end": "client"|"server", "outcome", "at_s": null while open, "error": null or its name,
//!            "settings": null | {"idle_s", "interval_s", "count", "user_timeout_s"}}],
//!  "expectations": [{"key", "expected", "found", "met"}],
//!  "captures": [{"at", "packets", "connections": [as in keepscope.analysis/1]}],
//!  "events": [{"time_s", "what", "by", "how": null or a word, "number": null or a number}]}
//! ```
//!
//! As JSON lines the first names the schema, lines of `"type": "event"` come as they happened, then one for each
//! end, expectation and connection, and the last of `"type": "simulation"` has the rest. A scenario that was run
//! many times has `"runs"` in place of the outcome, ends, expectations, captures and events. Times are decimal literals with
//! nine digits, counted from the start. Fields may be added; these stay.

mod many;

use std::io::{self, Write};

use serde::Serialize;

use super::ladder::Ladder;
use super::model::Connection;
use super::number::Seconds;
use super::text::{Style, plural, silence};
use crate::keepalive::Settings;
use crate::pipeline::Pipeline;
use crate::printable::printable;
use crate::simulate::scenario::expect::Verdict;
use crate::simulate::scenario::happening::{EventKind, Happening};
use crate::simulate::scenario::run::{Captured, End, Run};
use crate::simulate::scenario::{Plan, Scenario, Word};
use crate::time::{Span, duration};

pub use many::{Many, json as json_of_many, text as text_of_many};

/// Name and version of the documents.
const SCHEMA: &str = "keepscope.simulation/1";

/// Most lines of what happened that are shown to people.
const MOST_LINES: usize = 60;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    ends: Vec<EndLine>,
    expectations: Vec<VerdictLine<'a>>,
    captures: Vec<CaptureLine<'a>>,
    events: Vec<EventLine<'a>>,
}

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    title: &'a str,
    question: &'a str,
    seed: u64,
    length_s: Seconds,
    path: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_short: Option<bool>,
    assumed: &'a [String],
}

#[derive(Serialize)]
struct EndLine {
    end: &'static str,
    outcome: &'static str,
    at_s: Option<Seconds>,
    error: Option<&'static str>,
    settings: Option<SettingsLine>,
}

#[derive(Serialize)]
struct SettingsLine {
    idle_s: Seconds,
    interval_s: Seconds,
    count: u32,
    user_timeout_s: Option<Seconds>,
}

#[derive(Serialize)]
struct VerdictLine<'a> {
    key: &'a str,
    expected: &'a str,
    found: &'a str,
    met: bool,
}

#[derive(Serialize)]
struct CaptureLine<'a> {
    at: &'a str,
    packets: usize,
    connections: Vec<Connection<'a>>,
}

#[derive(Serialize)]
struct EventLine<'a> {
    time_s: Seconds,
    what: &'static str,
    by: &'a str,
    how: Option<&'a str>,
    number: Option<u64>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Schema { schema: &'static str },
    Event(EventLine<'a>),
    End(EndLine),
    Expectation(VerdictLine<'a>),
    Connection { at: &'a str, connection: Box<Connection<'a>> },
    Simulation(Head<'a>),
}

/// What all documents begin with; `run` where there is a single one.
fn head<'a>(plan: &'a Plan, run: Option<&Run>) -> Head<'a> {
    let scenario = &plan.scenario;
    let path = scenario.path.iter().map(String::as_str);
    Head {
        schema: SCHEMA,
        title: &scenario.title,
        question: &scenario.question,
        seed: scenario.seed,
        length_s: scenario.length.into(),
        path: ["client"].into_iter().chain(path).chain(["server"]).collect(),
        outcome: run.map(|run| if is_unexpected(run) { "unexpected" } else { "as_expected" }),
        cut_short: run.map(|run| run.cut_short),
        assumed: &plan.assumed,
    }
}

impl From<&Settings> for SettingsLine {
    fn from(settings: &Settings) -> Self {
        Self {
            idle_s: settings.idle.into(),
            interval_s: settings.interval.into(),
            count: settings.count,
            user_timeout_s: settings.user_timeout_in_force().map(Seconds::from),
        }
    }
}

fn end_line((name, end): (&'static str, &End)) -> EndLine {
    EndLine {
        end: name,
        outcome: Word(end.outcome).name(),
        at_s: end.at.map(Seconds::from),
        error: end.error,
        settings: end.settings.as_ref().map(SettingsLine::from),
    }
}

impl<'a> From<&'a Verdict> for VerdictLine<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let Verdict { key, expected, found, met } = verdict;
        Self { key, expected, found, met: *met }
    }
}

impl<'a> From<&'a Happening> for EventLine<'a> {
    fn from(happening: &'a Happening) -> Self {
        Self {
            time_s: happening.time.into(),
            what: Word(happening.kind).name(),
            by: &happening.by,
            how: Some(happening.how).filter(|how| !how.is_empty()),
            number: happening.number,
        }
    }
}

fn ends(run: &Run) -> impl Iterator<Item = (&'static str, &End)> {
    ["client", "server"].into_iter().zip(&run.ends)
}

/// Whether something that was expected did not come about.
pub fn is_unexpected(run: &Run) -> bool {
    run.verdicts.iter().any(|verdict| !verdict.met)
}

fn captures<'a>(run: &'a Run, at: &'a [String]) -> impl Iterator<Item = &'a Captured> {
    run.captures.iter().filter(move |captured| at.contains(&captured.tap.name))
}

/// Writes the document, with the captures at the places `at`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, plan: &Plan, run: &Run, at: &[String]) -> io::Result<()> {
    let document = Document {
        head: head(plan, Some(run)),
        ends: ends(run).map(end_line).collect(),
        expectations: run.verdicts.iter().map(VerdictLine::from).collect(),
        captures: captures(run, at)
            .map(|captured| CaptureLine {
                at: &captured.tap.name,
                packets: captured.frames.len(),
                connections: captured.records.iter().map(|record| Connection::new(record, true)).collect(),
            })
            .collect(),
        events: run.happenings.iter().map(EventLine::from).collect(),
    };
    crate::report::escaped::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes the lines.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl(out: &mut dyn Write, plan: &Plan, run: &Run, at: &[String]) -> io::Result<()> {
    let mut line = |line: &Line<'_>| {
        crate::report::escaped::to_writer(&mut *out, line)?;
        writeln!(out)
    };
    line(&Line::Schema { schema: SCHEMA })?;
    for happening in &run.happenings {
        line(&Line::Event(happening.into()))?;
    }
    for end in ends(run) {
        line(&Line::End(end_line(end)))?;
    }
    for verdict in &run.verdicts {
        line(&Line::Expectation(verdict.into()))?;
    }
    for captured in captures(run, at) {
        for record in &captured.records {
            let connection = Box::new(Connection::new(record, true));
            line(&Line::Connection { at: &captured.tap.name, connection })?;
        }
    }
    line(&Line::Simulation(head(plan, Some(run))))
}

/// Writes the simulation for people: what happened, the ladder of a capture at each of the places `at`, what
/// became of both ends, and whether that was expected.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, plan: &Plan, run: &Run, at: &[String], style: Style) -> io::Result<()> {
    headline(out, &plan.scenario)?;
    let length = duration::format(plan.scenario.length);
    writeln!(out, "simulated {length} with seed {}; no packet was sent", plan.scenario.seed)?;
    for assumed in &plan.assumed {
        writeln!(out, "not known, assumed of {}", plain(assumed))?;
    }
    if run.cut_short {
        writeln!(out, "stopped after {} events, long before the end", run.events)?;
    }
    writeln!(out, "\nWhat happened, besides the packets below (seconds after the start):")?;
    happened(out, run)?;
    for captured in captures(run, at) {
        writeln!(
            out,
            "\nA capture at {} shows {}:",
            plain(&captured.tap.name),
            plural(captured.frames.len() as u64, "packet")
        )?;
        ladders(out, captured, style)?;
    }
    writeln!(out, "\nWhat became of it:")?;
    for (name, end) in ends(run) {
        writeln!(out, "  {}", end_sentence(name, end))?;
    }
    expectations(out, &run.verdicts)
}

/// What the scenario is and what it asks.
fn headline(out: &mut dyn Write, scenario: &Scenario) -> io::Result<()> {
    writeln!(out, "{}", plain(&scenario.title))?;
    if !scenario.question.is_empty() {
        writeln!(out, "  {}", plain(&scenario.question))?;
    }
    let path: Vec<String> = scenario
        .path
        .iter()
        .map(
            |name| if scenario.boxes.contains_key(name) { format!("[{}]", plain(name)) } else { plain(name) },
        )
        .collect();
    let middle = if path.is_empty() { "--".to_owned() } else { format!("-- {} --", path.join(" -- ")) };
    writeln!(out, "  client {middle} server")
}

/// Text of a file without what a terminal might obey.
fn plain(text: &str) -> String {
    printable(text.trim(), ' ').into_owned()
}

/// Whether the ladder shows it, or something near tells the same.
pub fn is_of_packets(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Syn
            | EventKind::Data
            | EventKind::Ack
            | EventKind::Probe
            | EventKind::Answer
            | EventKind::Fin
            | EventKind::Reset
            | EventKind::Retransmission
            | EventKind::ProbeAnswered
            | EventKind::Delivered
            | EventKind::Refreshed
            | EventKind::Unrefreshed
            | EventKind::BoxSegment
    )
}

fn happened(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let told: Vec<&Happening> =
        run.happenings.iter().filter(|happening| !is_of_packets(happening.kind)).collect();
    let runs: Vec<&[&Happening]> =
        told.chunk_by(|one, next| one.kind == next.kind && one.by == next.by).collect();
    for same in runs.iter().take(MOST_LINES) {
        let [first, rest @ ..] = same else { continue };
        let Happening { time, kind, by, how, number } = first;
        let how = if how.is_empty() { String::new() } else { format!(" ({})", how.replace('_', " ")) };
        let number = number.map(|number| format!(" after {number}")).unwrap_or_default();
        let what = Word(*kind).name().replace('_', " ");
        let more = match rest {
            [] => String::new(),
            [.., last] => format!(", {} more times until {}", rest.len(), silence(last.time)),
        };
        let more = more.replace(" 1 more times until", " and once more at");
        writeln!(out, "{:>14}  {:<10} {what}{number}{how}{more}", silence(*time), plain(by))?;
    }
    if runs.len() > MOST_LINES {
        writeln!(out, "  and {} more; --format json has them all", runs.len() - MOST_LINES)?;
    }
    Ok(())
}

/// The ladder of each connection of a capture.
fn ladders(out: &mut dyn Write, captured: &Captured, style: Style) -> io::Result<()> {
    for record in &captured.records {
        let mut ladder = Ladder::new(record.id).folding_probes();
        let mut pipeline = Pipeline::new(0);
        for frame in captured.frames() {
            pipeline.frame_shown(&frame, |segment, observed| ladder.segment(segment, observed));
            while let Some(event) = pipeline.poll_event() {
                ladder.event(&event);
            }
        }
        pipeline.finish();
        while let Some(event) = pipeline.poll_event() {
            ladder.event(&event);
        }
        writeln!(out)?;
        ladder.write(out, record, style)?;
    }
    Ok(())
}

/// What became of an end, in a sentence.
pub fn end_sentence(name: &str, end: &End) -> String {
    let outcome = Word(end.outcome).name().replace('_', " ");
    let at = end.at.map(|at| format!(" at {}", silence(at))).unwrap_or_default();
    let error = end.error.map(|error| format!("; its application gets {error}")).unwrap_or_default();
    format!("{name}: {outcome}{at}{error}")
}

/// Whether each expectation was met.
fn expectations(out: &mut dyn Write, verdicts: &[Verdict]) -> io::Result<()> {
    if verdicts.is_empty() {
        return Ok(());
    }
    let met = verdicts.iter().filter(|verdict| verdict.met).count();
    writeln!(out, "\nExpected: {met} of {} met", verdicts.len())?;
    for verdict in verdicts {
        let Verdict { expected, found, met, .. } = verdict;
        if *met {
            writeln!(out, "  ok      {}", plain(expected))?;
        } else {
            writeln!(out, "  FAILED  {}; found: {}", plain(expected), plain(found))?;
        }
    }
    Ok(())
}

/// The answer of a scenario that was simulated as it stands.
///
/// # Errors
/// If `out` cannot be written to.
pub fn answer(out: &mut dyn Write, scenario: &Scenario) -> io::Result<()> {
    if scenario.answer.trim().is_empty() {
        return Ok(());
    }
    writeln!(out, "\nAnswer:")?;
    scenario.answer.trim().lines().try_for_each(|line| writeln!(out, "  {}", plain(line)))
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    title: &'a str,
    question: &'a str,
    answer: &'a str,
}

/// Writes scenarios with their names as a JSON document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn list<'a>(out: &mut dyn Write, scenarios: impl Iterator<Item = (&'a str, Scenario)>) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        scenarios: Vec<Listed<'a>>,
    }
    let scenarios: Vec<(&str, Scenario)> = scenarios.collect();
    let listed = scenarios.iter().map(|(name, scenario)| Listed {
        name,
        title: &scenario.title,
        question: &scenario.question,
        answer: scenario.answer.trim(),
    });
    crate::report::escaped::to_writer_pretty(
        &mut *out,
        &Document { schema: "keepscope.scenarios/1", scenarios: listed.collect() },
    )?;
    writeln!(out)
}

/// Part of a whole, with one digit.
fn percent(part: u64, whole: u64) -> String {
    let thousandths = (part * 1000 + whole / 2).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// A time for people.
fn time(span: Span) -> String {
    silence(span)
}
