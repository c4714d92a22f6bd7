//! Verdicts on promised settings, for people and as JSON (`keepscope.verify/1`).
//!
//! ```text
//! {"schema": "keepscope.verify/1",
//!  "outcome": "pass"|"fail"|"not_observable",
//!  "captures": [as in keepscope.analysis/1],
//!  "unmatched": connections with keepalives that no table of the file of expectations is about,
//!  "connections": [{
//!    "id", "client": "addr:port", "server": "addr:port", "start": "seen"|"midstream",
//!    "prober": "client"|"server", "outcome",
//!    "expected": {"table": null or its number in the file from 1, "stack", "hz": null or a number, "hz_allowed": [],
//!                 "idle_s", "interval_s", "count", "user_timeout_s": null where not promised, "jitter_s",
//!                 "drift_ppm", "defaults", "unverified": [what nobody has verified of the stack]},
//!    "hz_fits": [HZ values of which each explains every time, where none was promised],
//!    "rules": [{"rule", "source", "outcome", "frames": [numbers], "frames_at": [{"capture", "frame"}],
//!               "observed", "expected": null | {"least_s", "most_s"} | {"number"} | {"text"}, "reason"}]}]}
//! ```
//!
//! Times are decimal literals with nine digits. Fields may be added; these stay.

use std::io::{self, Write};

use serde::Serialize;

use super::CaptureReport;
use super::model::{At, Capture};
use super::number::Seconds;
use super::text::{captures_read, plural, silence};
use crate::analysis::verification::{ALL_HZ, DRIFT, Expectation, Measure, Outcome, RuleId, RuleVerdict};
use crate::frame::FrameId;
use crate::stack::value::{Rounding, seconds};
use crate::track::event::{ConnectionId, Opened, Party};

/// The verdicts on one end of one connection.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The connection.
    pub connection: ConnectionId,
    /// Its ends.
    pub opened: Opened,
    /// The end that was judged.
    pub party: Party,
    /// What was promised.
    pub expectation: Expectation,
    /// The number of the table that promised it, from 1.
    pub table: Option<usize>,
    /// A verdict for each rule.
    pub rules: Vec<RuleVerdict>,
    /// The HZ values that explain every time, if none was promised.
    pub hz_fits: Vec<u32>,
}

impl Judged {
    /// Fail if a rule was broken, pass if one that was promised could be seen to be kept.
    pub fn outcome(&self) -> Outcome {
        let any = |outcome: Outcome, which: &dyn Fn(&RuleVerdict) -> bool| {
            self.rules.iter().any(|verdict| verdict.outcome == outcome && which(verdict))
        };
        if any(Outcome::Fail, &|_| true) {
            Outcome::Fail
        } else if any(Outcome::Pass, &|verdict| is_promised(verdict.rule)) {
            Outcome::Pass
        } else {
            Outcome::NotObservable
        }
    }
}

/// Whether a rule is about the settings; the form of a probe alone says nothing of them.
fn is_promised(rule: RuleId) -> bool {
    matches!(
        rule,
        RuleId::IdleNotEarly
            | RuleId::IdleNotLate
            | RuleId::IntervalNotEarly
            | RuleId::IntervalNotLate
            | RuleId::Count
            | RuleId::GiveUp
            | RuleId::Must28
    )
}

/// The outcome of all.
pub fn overall(judged: &[Judged]) -> Outcome {
    let outcomes: Vec<Outcome> = judged.iter().map(Judged::outcome).collect();
    let worst = [Outcome::Fail, Outcome::Pass].into_iter().find(|outcome| outcomes.contains(outcome));
    worst.unwrap_or(Outcome::NotObservable)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    outcome: &'static str,
    captures: Vec<Capture<'a>>,
    unmatched: u64,
    connections: Vec<Connection<'a>>,
}

#[derive(Serialize)]
struct Connection<'a> {
    id: u64,
    client: String,
    server: String,
    start: &'static str,
    prober: &'static str,
    outcome: &'static str,
    expected: Expected,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hz_fits: &'a Vec<u32>,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct Expected {
    table: Option<usize>,
    stack: &'static str,
    hz: Option<u32>,
    hz_allowed: Vec<u32>,
    idle_s: Option<Seconds>,
    interval_s: Option<Seconds>,
    count: Option<u32>,
    user_timeout_s: Option<Seconds>,
    jitter_s: Seconds,
    drift_ppm: i64,
    defaults: bool,
    unverified: Vec<&'static str>,
}

#[derive(Serialize)]
struct Rule<'a> {
    rule: &'static str,
    source: &'a str,
    outcome: &'static str,
    frames: Vec<u64>,
    frames_at: Vec<At>,
    observed: Option<Value<'a>>,
    expected: Option<Value<'a>>,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Times { least_s: Seconds, most_s: Seconds },
    Number { number: u64 },
    Text { text: &'a str },
}

impl<'a> From<&'a Measure> for Value<'a> {
    fn from(measure: &'a Measure) -> Self {
        match measure {
            Measure::Times(least, most) => Value::Times { least_s: (*least).into(), most_s: (*most).into() },
            Measure::Number(number) => Value::Number { number: *number },
            Measure::Text(text) => Value::Text { text },
        }
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    judged: &[Judged],
    unmatched: u64,
) -> io::Result<()> {
    let document = Document {
        schema: "keepscope.verify/1",
        outcome: overall(judged).name(),
        captures: captures.iter().map(Capture::from).collect(),
        unmatched,
        connections: judged.iter().map(connection).collect(),
    };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}

fn connection(judged: &Judged) -> Connection<'_> {
    Connection {
        id: judged.connection.0,
        client: judged.opened.client.to_string(),
        server: judged.opened.server.to_string(),
        start: judged.opened.start.name(),
        prober: judged.party.name(),
        outcome: judged.outcome().name(),
        expected: expected(judged),
        hz_fits: &judged.hz_fits,
        rules: judged.rules.iter().map(rule).collect(),
    }
}

fn expected(judged: &Judged) -> Expected {
    let expectation = &judged.expectation;
    let wheel = matches!(expectation.model.rounding, Rounding::TimerWheel { .. });
    Expected {
        table: judged.table,
        stack: expectation.model.stack.name,
        hz: expectation.hz,
        hz_allowed: match expectation.hz {
            _ if !wheel => Vec::new(),
            Some(hz) => vec![hz],
            None => ALL_HZ.to_vec(),
        },
        idle_s: expectation.idle.map(Seconds::from),
        interval_s: expectation.interval.map(Seconds::from),
        count: expectation.count,
        user_timeout_s: expectation.user_timeout.map(Seconds::from),
        jitter_s: expectation.jitter.into(),
        drift_ppm: 1_000_000 / DRIFT,
        defaults: expectation.defaults,
        unverified: expectation.model.assumptions.iter().map(|assumption| assumption.about).collect(),
    }
}

fn rule(verdict: &RuleVerdict) -> Rule<'_> {
    Rule {
        rule: verdict.rule.name(),
        source: &verdict.source,
        outcome: verdict.outcome.name(),
        frames: verdict.frames.iter().map(|frame| frame.number).collect(),
        frames_at: verdict.frames.iter().map(|frame| At::from(*frame)).collect(),
        observed: verdict.observed.as_ref().map(Value::from),
        expected: verdict.expected.as_ref().map(Value::from),
        reason: &verdict.reason,
    }
}

/// Writes the verdicts for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    judged: &[Judged],
    unmatched: u64,
) -> io::Result<()> {
    captures_read(out, captures)?;
    for one in judged {
        writeln!(out)?;
        let (client, server) = (one.opened.client, one.opened.server);
        writeln!(out, "#{} {client} -> {server}, probes of the {}", one.connection, one.party.name())?;
        writeln!(out, "    promised: {}", promised(one))?;
        for verdict in &one.rules {
            line(out, verdict)?;
        }
        let unverified = &one.expectation.model.assumptions;
        if !unverified.is_empty() {
            let about: Vec<&str> = unverified.iter().map(|assumption| assumption.about).collect();
            writeln!(out, "    nobody has verified of this stack: {}", about.join(", "))?;
        }
    }
    writeln!(out)?;
    summary(out, judged, unmatched)
}

fn promised(judged: &Judged) -> String {
    let expectation = &judged.expectation;
    let mut parts = vec![expectation.model.stack.title.to_owned()];
    if let Some(hz) = expectation.hz {
        parts.push(format!("HZ={hz}"));
    } else if expectation.allows_every_hz() {
        parts.push("HZ not given (one of 100, 250, 300 and 1000)".to_owned());
    }
    let times = [
        ("idle", expectation.idle),
        ("interval", expectation.interval),
        ("user timeout", expectation.user_timeout),
    ];
    parts
        .extend(times.iter().filter_map(|(name, span)| span.map(|span| format!("{name} {}", seconds(span)))));
    parts.extend(expectation.count.map(|count| format!("count {count}")));
    parts.push(format!("jitter {}", seconds(expectation.jitter)));
    if let Some(table) = judged.table {
        parts.push(format!("by table {table}"));
    }
    parts.join(", ")
}

fn line(out: &mut dyn Write, verdict: &RuleVerdict) -> io::Result<()> {
    let mark = match verdict.outcome {
        Outcome::Pass => "ok",
        Outcome::Fail => "FAIL",
        Outcome::NotObservable => "--",
    };
    write!(out, "    {mark:<4} {:<18} {}", verdict.rule.name(), verdict.reason)?;
    if let Some(observed) = &verdict.observed {
        write!(out, "; seen {}", words(observed))?;
    }
    if let Some(expected) = &verdict.expected {
        let bound = match verdict.rule {
            RuleId::IdleNotEarly | RuleId::IntervalNotEarly | RuleId::Must28 => "from ",
            RuleId::ProbeSent => "a probe within ",
            RuleId::IdleNotLate | RuleId::IntervalNotLate => "up to ",
            _ => "",
        };
        write!(out, "; expected {bound}{}", words(expected))?;
    }
    match frames(&verdict.frames) {
        named if named.is_empty() => writeln!(out),
        named => writeln!(out, "; {named}"),
    }
}

fn words(measure: &Measure) -> String {
    match measure {
        Measure::Times(least, most) if silence(*least) == silence(*most) => silence(*least),
        Measure::Times(least, most) => format!("{} to {}", silence(*least), silence(*most)),
        Measure::Number(number) => number.to_string(),
        Measure::Text(text) => text.clone(),
    }
}

/// Most frames that are named in a line.
const NAMED: usize = 8;

fn frames(frames: &[FrameId]) -> String {
    let named: Vec<String> = frames.iter().take(NAMED).map(ToString::to_string).collect();
    match frames.len() {
        0 => String::new(),
        1 => format!("frame {}", named.join("")),
        all if all > NAMED => format!("frames {} and {} more", named.join(", "), all - NAMED),
        _ => format!("frames {}", named.join(", ")),
    }
}

fn summary(out: &mut dyn Write, judged: &[Judged], unmatched: u64) -> io::Result<()> {
    let with = |outcome: Outcome| judged.iter().filter(|one| one.outcome() == outcome).count();
    let broken = judged.iter().flat_map(|one| &one.rules).filter(|verdict| verdict.outcome == Outcome::Fail);
    let (pass, fail, unseen) = (with(Outcome::Pass), with(Outcome::Fail), with(Outcome::NotObservable));
    let word = match overall(judged) {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::NotObservable => "NOT OBSERVABLE",
    };
    write!(out, "{word}: {} judged, ", plural(judged.len() as u64, "prober"))?;
    write!(out, "{pass} as promised, {fail} not ({} broken), ", plural(broken.count() as u64, "rule"))?;
    write!(out, "{unseen} not observable")?;
    if unmatched > 0 {
        write!(out, "; no table is about {} with keepalives", plural(unmatched, "connection"))?;
    }
    writeln!(out)
}
