//! What a kernel did with its keepalives, for people and for programs (`keepscope.kernel/1`).
//!
//! ```text
//! {"schema": "keepscope.kernel/1", "peer", "local": "addr:port" | null, "hz", "established": time | null,
//!  "settings": [{"option", "asked", "refused": text | null, "in_force"}],   values are seconds, numbers or booleans
//!  "verdict", "reason", "error": text | null, "ended_s", "granularity_s",
//!  "probes", "answers", "outstanding",
//!  "seen": [{"what": "probe"|"answer"|"data", "probe", "outstanding", "after_s", "by_s"}],
//!  "prediction": {"peer", "outcome", "compared_until_s": seconds | null, "because": text | null,
//!                 "steps": [{"what", "probe", "earliest_s", "latest_s", "after_s", "by_s", "outcome"}]} | null,
//!  "limits": [text],
//!  "verification": keepscope.verify/1 | null, "analysis": keepscope.analysis/1 | null}
//! ```
//!
//! Times in seconds count from when the connection was established. As lines, the first names the schema, then each
//! setting, each thing seen and the end stand alone by their `type`, and the document is the last, of type `final`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::number::Seconds;
use super::text::{plural, silence};
use super::verify::Judged;
use super::{CaptureReport, json as analysis, verify};
use crate::analysis::ConnectionRecord;
use crate::analysis::verification::Outcome;
use crate::keepalive::predict::{Peer, What};
use crate::live::kernel::{Comparison, End, Event, Held, LOOK, Run, Seen, Setting, Value, Verdict};
use crate::stack::value::seconds;
use crate::time::{Span, Timestamp};

const SCHEMA: &str = "keepscope.kernel/1";

/// Everything a run showed.
#[derive(Debug)]
pub struct Findings<'a> {
    /// The run.
    pub run: &'a Run,
    /// CONFIG_HZ of this kernel.
    pub hz: u32,
    /// Whether packets could be seen.
    pub sees_packets: bool,
    /// What was seen beside what was predicted.
    pub comparison: Option<&'a Comparison>,
    /// What its packets showed, where they were seen.
    pub packets: Option<&'a Packets>,
}

/// What the packets showed.
#[derive(Debug)]
pub struct Packets {
    /// How many there were.
    pub captures: Vec<CaptureReport>,
    /// The connection.
    pub records: Vec<ConnectionRecord>,
    /// Whether it was as promised by the settings in force.
    pub judged: Vec<Judged>,
}

impl Findings<'_> {
    /// Fail if anything was not as promised.
    pub fn outcome(&self) -> Outcome {
        let predicted = self.comparison.map_or(Outcome::NotObservable, Comparison::outcome);
        // Packets tell more, and to the microsecond; looks that came late say nothing beside them.
        let verified =
            self.packets.map_or(Outcome::NotObservable, |packets| verify::overall(&packets.judged));
        if verified == Outcome::NotObservable { predicted } else { verified }
    }

    fn limits(&self) -> Vec<String> {
        let looks =
            format!("the connection is looked at every {}; times lie between two looks", seconds(LOOK));
        let blind = "no packet is seen: what is known of a probe comes from the kernel's counters (TCP_INFO), and a \
                     peer's own probe of one octet passes for an answer";
        if self.sees_packets { vec![looks] } else { vec![looks, blind.to_owned()] }
    }
}

/// Writes what happens as lines for people; `established` is known once the connection is.
///
/// # Errors
/// If `out` cannot be written to.
pub fn event_text(out: &mut dyn Write, event: &Event<'_>, established: Option<Timestamp>) -> io::Result<()> {
    let since = |time: Timestamp| silence(time.since(established.unwrap_or(time)));
    match event {
        Event::Set(settings) => settings_text(out, settings),
        Event::Opened { local, .. } => writeln!(out, "  {:>12}  connected from {local}", since_zero()),
        Event::Seen(Seen::Probe { number, outstanding, by, .. }) => {
            writeln!(out, "  {:>12}  probe {number}, {outstanding} without an answer", since(*by))
        }
        Event::Seen(Seen::Answer { probe, at }) => {
            writeln!(out, "  {:>12}  answer to probe {probe}", since(*at))
        }
        Event::Seen(Seen::Data { at }) => writeln!(out, "  {:>12}  data from the peer", since(*at)),
        Event::InterfaceLost(name) => writeln!(out, "  {name}: this interface went down or away"),
        Event::Ended { at, end: End::Connection(_) } => {
            writeln!(out, "  {:>12}  the connection ended", since(*at))
        }
        Event::Ended { .. } | Event::Frame(_) => Ok(()),
    }
}

fn since_zero() -> String {
    silence(Span::ZERO)
}

fn settings_text(out: &mut dyn Write, settings: &[Setting]) -> io::Result<()> {
    writeln!(out, "  {:<18} {:<12} in force", "option", "asked")?;
    for setting in settings {
        let words = |value: Option<Value>, none: &str| value.map_or(none.to_owned(), value_words);
        let (asked, in_force) = (words(setting.asked, "-"), words(setting.in_force, "unknown"));
        write!(out, "  {:<18} {asked:<12} {in_force}", setting.option)?;
        writeln!(out, "{}", if setting.refused.is_some() { "  (refused)" } else { "" })?;
    }
    Ok(())
}

fn value_words(value: Value) -> String {
    match value {
        Value::Flag(true) => "on".to_owned(),
        Value::Flag(false) => "off".to_owned(),
        Value::Time(Span::ZERO) => "none".to_owned(),
        Value::Time(span) => seconds(span),
        Value::Number(number) => number.to_string(),
    }
}

/// Writes the end for people: prediction, rules, verdict.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, findings: &Findings<'_>) -> io::Result<()> {
    if let Some(comparison) = findings.comparison {
        writeln!(out)?;
        comparison_text(out, comparison, findings)?;
    }
    if let Some(packets) = findings.packets {
        writeln!(out)?;
        verify::text(out, &packets.captures, &packets.judged, 0)?;
    }
    writeln!(out)?;
    for limit in findings.limits() {
        writeln!(out, "mind: {limit}")?;
    }
    writeln!(
        out,
        "{}: {}",
        findings.run.verdict().name().to_uppercase().replace('_', " "),
        reason(findings.run)
    )
}

fn comparison_text(out: &mut dyn Write, comparison: &Comparison, findings: &Findings<'_>) -> io::Result<()> {
    writeln!(
        out,
        "  {:<18} {:<26} seen (Linux, HZ={}, every phase of its timer)",
        "step", "predicted", findings.hz
    )?;
    for step in &comparison.steps {
        let predicted = format!("{} to {}", silence(step.earliest), silence(step.latest));
        let (mark, seen) = match (step.outcome, step.observed) {
            (Outcome::Pass, Some((_, by))) => ("ok", silence(by)),
            (Outcome::Fail, Some((_, by))) => ("NOT AS PREDICTED", silence(by)),
            (Outcome::Fail, None) => ("NOT SEEN", "-".to_owned()),
            (_, Some((_, by))) => ("", silence(by)),
            (_, None) => ("", "-".to_owned()),
        };
        writeln!(out, "  {:<18} {predicted:<26} {seen:<12} {mark}", step_words(step.what))?;
    }
    if let (Some((at, because)), Some(established)) = (comparison.until, findings.run.established) {
        writeln!(out, "  compared up to {} only: {because}", silence(at.since(established)))?;
    }
    Ok(())
}

fn step_words(what: What) -> String {
    match what {
        What::Probe(number) => format!("probe {number}"),
        What::GiveUp { .. } => "gives up".to_owned(),
        What::Report => "tells the app".to_owned(),
        What::ResetByPeer => "RST arrives".to_owned(),
    }
}

/// Why the verdict is what it is.
fn reason(run: &Run) -> String {
    let probes = plural(u64::from(run.probes()), "probe");
    let (answers, outstanding) = (run.answers(), run.outstanding());
    let since = |time: Timestamp| silence(time.since(run.established.unwrap_or(run.begun)));
    let ended = since(run.ended);
    let error = run.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    match run.verdict() {
        Verdict::Alive => format!("{probes} sent, the last one answered"),
        Verdict::Silent => {
            format!("{outstanding} of {probes} wait for an answer, the kernel has not given up")
        }
        Verdict::TimedOut if run.established.is_none() => format!("no answer to the SYN in {ended}{error}"),
        Verdict::TimedOut => {
            format!("{probes} sent, {answers} answered; given up {ended} after the start{error}")
        }
        Verdict::Reset => format!("a RST ended the connection {ended} after the start, {probes} sent{error}"),
        Verdict::Unreachable => format!("no way to the peer, {ended} after the start, {probes} sent{error}"),
        Verdict::Refused => format!("a RST answered the SYN{error}"),
        Verdict::Closed => format!("the peer closed in order {ended} after the start, {probes} sent"),
        Verdict::Failed => format!("the socket failed {ended} after the start{error}"),
        Verdict::NoProbe => format!("no probe was due in {ended}"),
        Verdict::CutOff => {
            let why = run.cut_off.as_ref().map(ToString::to_string).unwrap_or_default();
            format!(
                "{probes} by the kernel's count, {answers} answered, but this end has no way to the peer any more: {why}"
            )
        }
    }
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    peer: String,
    local: Option<String>,
    hz: u32,
    established: Option<Seconds>,
    settings: Vec<SettingLine>,
    verdict: &'static str,
    reason: String,
    error: Option<String>,
    ended_s: Seconds,
    granularity_s: Seconds,
    probes: u32,
    answers: u32,
    outstanding: u32,
    seen: Vec<SeenLine>,
    prediction: Option<PredictionPart>,
    limits: Vec<String>,
    verification: Option<Box<RawValue>>,
    analysis: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct SettingLine {
    option: &'static str,
    asked: Option<ValueLine>,
    refused: Option<String>,
    in_force: Option<ValueLine>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueLine {
    Flag(bool),
    Time(Seconds),
    Number(u32),
}

#[derive(Serialize)]
struct SeenLine {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outstanding: Option<u32>,
    after_s: Seconds,
    by_s: Seconds,
}

#[derive(Serialize)]
struct PredictionPart {
    peer: &'static str,
    outcome: &'static str,
    compared_until_s: Option<Seconds>,
    because: Option<&'static str>,
    steps: Vec<StepLine>,
}

#[derive(Serialize)]
struct StepLine {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<u32>,
    earliest_s: Seconds,
    latest_s: Seconds,
    after_s: Option<Seconds>,
    by_s: Option<Seconds>,
    outcome: &'static str,
}

impl From<Value> for ValueLine {
    fn from(value: Value) -> Self {
        match value {
            Value::Flag(on) => ValueLine::Flag(on),
            Value::Time(span) => ValueLine::Time(span.into()),
            Value::Number(number) => ValueLine::Number(number),
        }
    }
}

impl From<&Setting> for SettingLine {
    fn from(setting: &Setting) -> Self {
        Self {
            option: setting.option,
            asked: setting.asked.map(ValueLine::from),
            refused: setting.refused.as_ref().map(ToString::to_string),
            in_force: setting.in_force.map(ValueLine::from),
        }
    }
}

impl From<&Held> for StepLine {
    fn from(held: &Held) -> Self {
        let (what, probe) = match held.what {
            What::Probe(number) => ("probe", Some(number)),
            What::GiveUp { .. } => ("give_up", None),
            What::Report => ("report", None),
            What::ResetByPeer => ("reset_by_peer", None),
        };
        Self {
            what,
            probe,
            earliest_s: held.earliest.into(),
            latest_s: held.latest.into(),
            after_s: held.observed.map(|(after, _)| after.into()),
            by_s: held.observed.map(|(_, by)| by.into()),
            outcome: held.outcome.name(),
        }
    }
}

fn seen_line(seen: Seen, established: Timestamp) -> SeenLine {
    let since = |time: Timestamp| Seconds::from(time.since(established));
    match seen {
        Seen::Probe { number, outstanding, after, by } => SeenLine {
            what: "probe",
            probe: Some(number),
            outstanding: Some(outstanding),
            after_s: since(after),
            by_s: since(by),
        },
        Seen::Answer { probe, at } => SeenLine {
            what: "answer",
            probe: Some(probe),
            outstanding: None,
            after_s: since(at),
            by_s: since(at),
        },
        Seen::Data { at } => {
            SeenLine { what: "data", probe: None, outstanding: None, after_s: since(at), by_s: since(at) }
        }
    }
}

fn document(findings: &Findings<'_>) -> io::Result<Document> {
    let run = findings.run;
    let start = run.established.unwrap_or(run.begun);
    let raw = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| -> io::Result<Box<RawValue>> {
        let mut octets = Vec::new();
        write(&mut octets)?;
        // On one line, for the sake of JSON lines; a line break is never part of a string.
        let line: String = String::from_utf8_lossy(&octets).lines().map(str::trim_start).collect();
        Ok(serde_json::from_str(&line)?)
    };
    let part = |comparison: &Comparison| PredictionPart {
        peer: match comparison.question.peer {
            Peer::Alive => "alive",
            Peer::Silent | Peer::SilentAfter(_) => "silent",
            Peer::Gone | Peer::GoneAfter(_) => "gone",
        },
        outcome: comparison.outcome().name(),
        compared_until_s: comparison.until.map(|(at, _)| at.since(start).into()),
        because: comparison.until.map(|(_, because)| because),
        steps: comparison.steps.iter().map(StepLine::from).collect(),
    };
    let verification = findings
        .packets
        .map(|packets| raw(&|out| verify::json(out, &packets.captures, &packets.judged, 0)))
        .transpose()?;
    let analysis =
        findings.packets.map(|packets| raw(&|out| analysis::write(out, &packets.captures, &packets.records)));
    Ok(Document {
        schema: SCHEMA,
        peer: run.peer.to_string(),
        local: run.local.map(|local| local.to_string()),
        hz: findings.hz,
        established: run.established.map(Seconds::from),
        settings: run.settings.iter().map(SettingLine::from).collect(),
        verdict: run.verdict().name(),
        reason: reason(run),
        error: run.error.as_ref().map(ToString::to_string),
        ended_s: run.ended.since(start).into(),
        granularity_s: LOOK.into(),
        probes: run.probes(),
        answers: run.answers(),
        outstanding: run.outstanding(),
        seen: run.seen.iter().map(|seen| seen_line(*seen, start)).collect(),
        prediction: findings.comparison.map(part),
        limits: findings.limits(),
        verification,
        analysis: analysis.transpose()?,
    })
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, findings: &Findings<'_>) -> io::Result<()> {
    crate::report::plain::pretty(&mut *out, &document(findings)?)?;
    writeln!(out)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Schema { schema: &'static str },
    Setting(SettingLine),
    Opened { local: String, established: Seconds },
    Seen(SeenLine),
    InterfaceLost { name: String },
    Final(Box<Document>),
}

fn line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    crate::report::plain::compact(&mut *out, line)?;
    writeln!(out)
}

/// Writes the line that names the schema.
///
/// # Errors
/// If `out` cannot be written to.
pub fn header_jsonl(out: &mut dyn Write) -> io::Result<()> {
    line(out, &Line::Schema { schema: SCHEMA })
}

/// Writes what happens as lines for programs.
///
/// # Errors
/// If `out` cannot be written to.
pub fn event_jsonl(out: &mut dyn Write, event: &Event<'_>, established: Option<Timestamp>) -> io::Result<()> {
    match event {
        Event::Set(settings) => {
            settings.iter().try_for_each(|setting| line(out, &Line::Setting(SettingLine::from(setting))))
        }
        Event::Opened { local, at } => {
            line(out, &Line::Opened { local: local.to_string(), established: (*at).into() })
        }
        Event::Seen(seen) => {
            established.map_or(Ok(()), |start| line(out, &Line::Seen(seen_line(*seen, start))))
        }
        Event::InterfaceLost(name) => line(out, &Line::InterfaceLost { name: (*name).to_owned() }),
        Event::Frame(_) | Event::Ended { .. } => Ok(()),
    }
}

/// Writes the last line.
///
/// # Errors
/// If `out` cannot be written to.
pub fn final_jsonl(out: &mut dyn Write, findings: &Findings<'_>) -> io::Result<()> {
    line(out, &Line::Final(Box::new(document(findings)?)))
}
