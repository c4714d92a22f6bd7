//! What a watch tells while it goes on, as lines for people and for programs.
//!
//! As JSON lines it is the stream of [`super::jsonl`], `keepscope.events/1`, with two more types:
//!
//! ```text
//! {"type": "settings", "connection", "endpoint", "time", "inference": as in keepscope.analysis/1}
//! {"type": "silence", "connection", "endpoint", "time", "unanswered", "quiet_s": seconds | null}
//! ```
//!
//! `settings` is told when the settings that explain the probes of an endpoint are first known, and when they change;
//! `silence` when its probes are no longer answered, and with `unanswered` 0 when they are again.

use std::io::{self, Write};

use serde::Serialize;

use super::jsonl;
use super::model::inference::Inferred;
use super::number::Seconds;
use super::text::{inference, plural, round_trip, silence};
use crate::live::watch::{Tally, Told};
use crate::segment::Endpoint;
use crate::track::event::{AnswerKind, Event, EventKind, Opened, Party};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Settings {
        connection: u64,
        endpoint: &'static str,
        time: Seconds,
        inference: Inferred,
    },
    Silence {
        connection: u64,
        endpoint: &'static str,
        time: Seconds,
        unanswered: u32,
        quiet_s: Option<Seconds>,
    },
}

/// Writes something as a line for programs.
///
/// # Errors
/// If `out` cannot be written to.
pub fn line_json(out: &mut dyn Write, told: &Told) -> io::Result<()> {
    let line = match told {
        Told::Event { event, .. } => return jsonl::event(out, event),
        Told::Final { record, number } => return jsonl::last(out, record.id, *number, record),
        Told::Settings { connection, party, inference, at, .. } => Line::Settings {
            connection: connection.0,
            endpoint: party.name(),
            time: (*at).into(),
            inference: inference.as_ref().into(),
        },
        Told::Silence { connection, party, unanswered, quiet, at, .. } => Line::Silence {
            connection: connection.0,
            endpoint: party.name(),
            time: (*at).into(),
            unanswered: *unanswered,
            quiet_s: quiet.map(Seconds::from),
        },
    };
    crate::report::plain::compact(&mut *out, &line)?;
    writeln!(out)
}

/// Something in words, after its time; nothing where it is no news for people.
pub fn line_text(told: &Told) -> Option<String> {
    match told {
        Told::Event { opened, event } => event_text(opened, event),
        Told::Settings { connection, opened, party, inference, .. } => {
            let line = inference::line(inference)?;
            Some(format!("#{connection} {} {line}", end(opened, *party)))
        }
        Told::Silence { connection, opened, party, unanswered: 0, .. } => {
            Some(format!("#{connection} {} answers again", end(opened, party.peer())))
        }
        Told::Silence { connection, opened, party, quiet, .. } => {
            let since = quiet.map_or(String::new(), |quiet| format!(", silent for {}", silence(quiet)));
            Some(format!("#{connection} {} NO LONGER ANSWERS{since}", end(opened, party.peer())))
        }
        Told::Final { .. } => None,
    }
}

fn end(opened: &Opened, party: Party) -> Endpoint {
    match party {
        Party::Client => opened.client,
        Party::Server => opened.server,
    }
}

fn event_text(opened: &Opened, event: &Event) -> Option<String> {
    let said = match &event.kind {
        EventKind::Probe(probe) => {
            let segment = &probe.segment;
            let (from, to) = (end(opened, segment.prober), end(opened, segment.prober.peer()));
            let octets = if segment.octets == 0 { "" } else { ", 1 octet" };
            let after = segment.silence.map_or(String::new(), |quiet| format!(" after {}", silence(quiet)));
            let run = match segment.run {
                0 | 1 => String::new(),
                run => format!(", {} before it not answered", run - 1),
            };
            format!("{from} -> {to} probe{octets}{after}{run}")
        }
        EventKind::Answer(answer) => {
            let by = match answer.kind {
                AnswerKind::Ack => "answered".to_owned(),
                AnswerKind::Data => "answered by data".to_owned(),
                AnswerKind::Reset => "answered by a RST".to_owned(),
                AnswerKind::Icmp { .. } => {
                    let reporter =
                        answer.reporter.map_or(String::new(), |reporter| format!(" from {reporter}"));
                    format!("answered by an ICMP error{reporter}")
                }
            };
            format!("{by} in {}", round_trip(answer.rtt))
        }
        EventKind::Retracted { kind, .. } => {
            format!("was no probe after all: {}", kind.name().replace('_', " "))
        }
        EventKind::Reset { by, .. } => format!("RST by the {}", by.name()),
        EventKind::ResetIgnored { .. } => "the RST was ignored".to_owned(),
        EventKind::Fin { by, .. } => format!("FIN by the {}", by.name()),
        EventKind::Opened(_)
        | EventKind::Unanswered { .. }
        | EventKind::Candidate(_)
        | EventKind::Dismissed { .. }
        | EventKind::LookAlike(_)
        | EventKind::Final(_) => return None,
    };
    Some(format!("#{} {said}", event.connection))
}

/// What is no longer kept of a long watch, in words.
pub fn no_longer_kept(tally: &Tally) -> Vec<String> {
    let mut said = Vec::new();
    if tally.let_go > 0 {
        said.push(format!("{} let go, as more were open than are kept", plural(tally.let_go, "connection")));
    }
    if tally.left_out > 0 {
        said.push(format!(
            "{} that ended earlier left out of the summary",
            plural(tally.left_out, "connection")
        ));
    }
    said
}
