//! A probe run as JSON: the document of an analysis with what was asked and the verdicts beside it, and the lines
//! that end a stream of events.

use std::io::{self, Write};

use serde::Serialize;

use super::{Asked, overall};
use crate::analysis::Recorded;
use crate::live::engine::guess::{Guess, Sign};
use crate::live::engine::plan::Until;
use crate::live::engine::verdict::Icmp;
use crate::live::engine::{Probed, Report};
use crate::report::CaptureReport;
use crate::report::json;
use crate::report::model::{At, Moment, ResetLine, icmp_name};
use crate::report::number::Seconds;

#[derive(Serialize)]
struct Run<'a> {
    target: Target<'a>,
    settings: Settings<'a>,
    recording: Option<&'a str>,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    received: Received,
    verdict: &'static str,
    verdicts: Vec<VerdictLine<'a>>,
}

#[derive(Serialize)]
struct Target<'a> {
    host: &'a str,
    address: String,
    port: u16,
}

#[derive(Serialize)]
struct Settings<'a> {
    idle_s: Seconds,
    interval_s: Seconds,
    count: u32,
    octets: &'static str,
    rounds: Option<u32>,
    for_s: Option<Seconds>,
    connections: usize,
    max_rate: u32,
    source: Option<String>,
    interface: Option<&'a str>,
    netns: Option<&'a str>,
}

#[derive(Serialize)]
struct Received {
    seen: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct VerdictLine<'a> {
    /// From 1, in the order in which connections were opened.
    number: usize,
    /// The connection of the analysis, if its packets were seen.
    connection: Option<u64>,
    local: Option<String>,
    remote: String,
    verdict: &'static str,
    reason: &'a str,
    rule: &'static str,
    evidence: Vec<u64>,
    evidence_at: Vec<At>,
    last_life: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<ResetLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<IcmpLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    negotiated: Option<Negotiated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guess: Option<GuessLine<'a>>,
}

#[derive(Serialize)]
struct IcmpLine {
    error: &'static str,
    code: Option<u8>,
    reporter: String,
}

impl From<Icmp> for IcmpLine {
    fn from(icmp: Icmp) -> Self {
        let (error, code) = icmp_name(icmp.kind);
        Self { error, code, reporter: icmp.reporter.to_string() }
    }
}

#[derive(Serialize)]
struct Negotiated {
    timestamps: bool,
    sack: bool,
    /// First sequence numbers, which relative ones count from.
    client_isn: u32,
    server_isn: u32,
}

#[derive(Serialize)]
struct GuessLine<'a> {
    stack: &'static str,
    worth: &'static str,
    signs: Vec<SignLine<'a>>,
}

#[derive(Serialize)]
struct SignLine<'a> {
    kind: &'static str,
    worth: &'static str,
    text: &'a str,
    evidence: Vec<u64>,
}

impl<'a> From<&'a Guess> for GuessLine<'a> {
    fn from(guess: &'a Guess) -> Self {
        let sign = |sign: &'a Sign| SignLine {
            kind: sign.kind.name(),
            worth: sign.worth.name(),
            text: &sign.text,
            evidence: sign.evidence.iter().map(|frame| frame.number).collect(),
        };
        let signs = guess.signs.iter().map(sign).collect();
        Self { stack: guess.stack, worth: guess.worth.name(), signs }
    }
}

fn verdict_line((index, probed): (usize, &Probed)) -> VerdictLine<'_> {
    let verdict = &probed.verdict;
    VerdictLine {
        number: index + 1,
        connection: probed.record.as_ref().map(|record| record.id().0),
        local: probed.ends.map(|(local, _)| local.to_string()),
        remote: probed.order.connect.peer.to_string(),
        verdict: verdict.state.name(),
        reason: &verdict.reason,
        rule: verdict.rule,
        evidence: verdict.evidence.iter().map(|frame| frame.number).collect(),
        evidence_at: verdict.evidence.iter().copied().map(At::from).collect(),
        last_life: verdict.last_life.map(Moment::from),
        reset: verdict.origin.as_ref().map(ResetLine::from),
        icmp: verdict.icmp.map(IcmpLine::from),
        negotiated: probed.terms.map(|terms| Negotiated {
            timestamps: terms.timestamps,
            sack: terms.sack,
            client_isn: terms.iss.0,
            server_isn: terms.irs.0,
        }),
        guess: probed.guess.as_ref().map(GuessLine::from),
    }
}

fn run<'a>(asked: &'a Asked, report: &'a Report) -> Run<'a> {
    let settings = asked.order.settings;
    let (rounds, for_s) = match asked.order.until {
        Until::Rounds(rounds) => (Some(rounds), None),
        Until::For(span) => (None, Some(Seconds::from(span))),
        Until::Stopped => (None, None),
    };
    Run {
        target: Target {
            host: &asked.host,
            address: asked.address.ip().to_string(),
            port: asked.address.port(),
        },
        settings: Settings {
            idle_s: settings.idle.into(),
            interval_s: settings.interval.into(),
            count: settings.count,
            octets: asked.order.octets.name(),
            rounds,
            for_s,
            connections: asked.connections,
            max_rate: asked.max_rate,
            source: asked.source.map(|source| source.to_string()),
            interface: asked.interface.as_deref(),
            netns: asked.netns.as_deref(),
        },
        recording: asked.recording.as_deref(),
        interrupted: report.interrupted,
        error: report.broken.as_ref().map(ToString::to_string),
        received: Received { seen: report.received.seen, dropped: report.received.dropped },
        verdict: overall(report).name(),
        verdicts: report.connections.iter().enumerate().map(verdict_line).collect(),
    }
}

/// Writes the document: that of an analysis, with `probe` beside it.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    asked: &Asked,
    report: &Report,
) -> io::Result<()> {
    let records: Vec<_> = report.connections.iter().filter_map(|probed| probed.record.as_ref()).collect();
    json::write_with(out, captures, &records, Some(run(asked, report)))
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Verdict(VerdictLine<'a>),
}

/// Writes the lines that end a stream of events: the verdicts.
///
/// # Errors
/// If `out` cannot be written to.
pub fn verdicts(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    report.connections.iter().enumerate().try_for_each(|probed| {
        crate::report::escaped::to_writer(&mut *out, &Line::Verdict(verdict_line(probed)))?;
        writeln!(out)
    })
}
