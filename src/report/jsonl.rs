//! One JSON object per line, `keepscope.events/1`: each event as soon as it is known.
//!
//! The first line names the schema; lines of `"type": "capture"` with what was read come last. An event is
//! named by its connection and its number there; `corrects`, `probe` and `candidate` hold numbers of the
//! same connection. What was said stands until a later event corrects it; with the `final` event of a
//! connection everything about it is final.

use std::io::{self, Write};

use serde::Serialize;

use super::CaptureReport;
use super::let_go::LetGoLine;
use super::model::{AnswerLine, Capture, Connection, Moment, Probe as ProbeLine, Seen};
use crate::analysis::{ConnectionRecord, ProbeRecord};
use crate::track::LetGo;
use crate::track::event::{ConnectionId, Event, EventKind, Probe};

/// Name and version of the stream.
const EVENTS_SCHEMA: &str = "keepscope.events/1";

#[derive(Serialize)]
struct Line<'a> {
    connection: u64,
    event: u32,
    #[serde(flatten)]
    said: Said<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said<'a> {
    Opened {
        client: String,
        server: String,
        start: &'static str,
        first: Moment,
    },
    Probe {
        endpoint: &'static str,
        #[serde(flatten)]
        probe: ProbeLine,
    },
    Candidate {
        endpoint: &'static str,
        #[serde(flatten)]
        probe: ProbeLine,
    },
    Answer {
        probe: u32,
        answer: AnswerLine,
    },
    Unanswered {
        probe: u32,
    },
    Dismissed {
        candidate: u32,
        because: &'static str,
    },
    LookAlike {
        #[serde(flatten)]
        seen: Seen,
    },
    Retracted {
        probe: u32,
        kind: &'static str,
        evidence: Moment,
    },
    Reset {
        endpoint: &'static str,
        at: Moment,
        ttl: u8,
        timestamps: bool,
        ack: bool,
        seq_offset: Option<i64>,
    },
    ResetIgnored {
        reset: Moment,
        evidence: Moment,
    },
    Fin {
        endpoint: &'static str,
        at: Moment,
    },
    Final(&'a Connection<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    Schema { schema: &'static str },
    Capture(Capture<'a>),
    LetGo(LetGoLine),
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    crate::report::escaped::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Writes the line that names the schema.
///
/// # Errors
/// If `out` cannot be written to.
pub fn header(out: &mut dyn Write) -> io::Result<()> {
    line(out, &Frame::Schema { schema: EVENTS_SCHEMA })
}

/// Writes the lines about what was read.
///
/// # Errors
/// If `out` cannot be written to.
pub fn captures(out: &mut dyn Write, reports: &[CaptureReport]) -> io::Result<()> {
    reports.iter().try_for_each(|report| line(out, &Frame::Capture(Capture::from(report))))
}

/// Writes a line about connections that were let go early, if there were any.
///
/// # Errors
/// If `out` cannot be written to.
pub fn let_go(out: &mut dyn Write, let_go: LetGo) -> io::Result<()> {
    LetGoLine::of(let_go).map_or(Ok(()), |let_go| line(out, &Frame::LetGo(let_go)))
}

/// Writes an event; the last one of a connection is written by [`last`] instead.
///
/// # Errors
/// If `out` cannot be written to.
pub fn event(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    match said(event) {
        Some(said) => line(out, &Line { connection: event.connection.0, event: event.number, said }),
        None => Ok(()),
    }
}

/// Writes the last event of a connection, with everything known of it but the probes, which had lines of
/// their own.
///
/// # Errors
/// If `out` cannot be written to.
pub fn last(out: &mut dyn Write, id: ConnectionId, number: u32, record: &ConnectionRecord) -> io::Result<()> {
    let connection = Connection::new(record, false);
    line(out, &Line { connection: id.0, event: number, said: Said::Final(&connection) })
}

fn said(event: &Event) -> Option<Said<'static>> {
    Some(match &event.kind {
        EventKind::Opened(opened) => Said::Opened {
            client: opened.client.to_string(),
            server: opened.server.to_string(),
            start: opened.start.name(),
            first: opened.first.into(),
        },
        EventKind::Probe(probe) => {
            let (number, corrects) = (event.number, probe.corrects);
            let Probe { segment, basis, .. } = *probe;
            let record = ProbeRecord { event: number, segment, basis, answer: None };
            let mut probe = ProbeLine::from(&record);
            probe.corrects = corrects;
            Said::Probe { endpoint: segment.prober.name(), probe }
        }
        EventKind::Candidate(candidate) => {
            let probe = ProbeLine::from(&candidate.segment);
            Said::Candidate { endpoint: candidate.segment.prober.name(), probe }
        }
        EventKind::Answer(answer) => {
            let mut line = AnswerLine::from(answer);
            line.corrects = answer.corrects;
            Said::Answer { probe: answer.probe, answer: line }
        }
        EventKind::Unanswered { probe } => Said::Unanswered { probe: *probe },
        EventKind::Dismissed { candidate, because } => {
            Said::Dismissed { candidate: *candidate, because: because.name() }
        }
        EventKind::LookAlike(seen) => Said::LookAlike { seen: seen.into() },
        EventKind::Retracted { probe, kind, evidence } => {
            Said::Retracted { probe: *probe, kind: kind.name(), evidence: (*evidence).into() }
        }
        EventKind::Reset { by, at, marks } => Said::Reset {
            endpoint: by.name(),
            at: (*at).into(),
            ttl: marks.ttl,
            timestamps: marks.timestamps,
            ack: marks.ack,
            seq_offset: marks.seq_offset,
        },
        EventKind::ResetIgnored { reset, evidence } => {
            Said::ResetIgnored { reset: (*reset).into(), evidence: (*evidence).into() }
        }
        EventKind::Fin { by, at, .. } => Said::Fin { endpoint: by.name(), at: (*at).into() },
        EventKind::Final(_) => return None,
    })
}
