//! A recommendation as one JSON document.

use std::io::{self, Write};

use serde::Serialize;

use super::super::audit::SettingsDocument;
use super::super::number::Seconds;
use crate::advice::Evidence;
use crate::advice::path::Dial;
use crate::advice::recommend::{Part, Recommendation};
use crate::advice::snippets::{Parameter, Values};
use crate::stack::Cell;
use crate::time::Span;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    path: PathDocument,
    keepalive_helps: bool,
    stack: &'static str,
    lost_probes: u32,
    rtt_s: Seconds,
    notice_within_s: Option<Seconds>,
    settings: Option<SettingsDocument>,
    evidence: Option<EvidenceDocument>,
    problem: Option<String>,
    just_below: Option<JustBelow>,
    heartbeat_s: Option<Seconds>,
    raise: Option<Fact>,
    snippets: Vec<SnippetDocument>,
}

#[derive(Serialize)]
struct PathDocument {
    silence_s: Seconds,
    class: &'static str,
    product: Option<&'static str>,
    learnt: String,
}

#[derive(Serialize)]
struct EvidenceDocument {
    noticed_s: Option<Seconds>,
    by_hz: Vec<KeptDocument>,
}

#[derive(Serialize)]
struct KeptDocument {
    hz: Option<u32>,
    phases: u64,
    kept_without_loss: u64,
    kept_with_loss: u64,
    first_probe_s: Option<[Seconds; 2]>,
    longest_silence_s: Seconds,
    runs: u64,
}

#[derive(Serialize)]
struct JustBelow {
    idle_s: Seconds,
    by_hz: Vec<TooLate>,
}

#[derive(Serialize)]
struct TooLate {
    hz: Option<u32>,
    phases: u32,
    first_probe_too_late: u32,
}

#[derive(Serialize)]
struct SnippetDocument {
    name: &'static str,
    title: &'static str,
    language: &'static str,
    place: &'static str,
    problem: Option<String>,
    settings: Option<SettingsDocument>,
    heartbeat_s: Option<Seconds>,
    evidence: Option<EvidenceDocument>,
    parameters: Vec<ParameterDocument>,
    note: &'static str,
    text: Option<String>,
}

#[derive(Serialize)]
struct ParameterDocument {
    name: &'static str,
    sets: &'static str,
    unit: Fact,
    default: Fact,
}

#[derive(Serialize)]
struct Fact {
    value: Option<&'static str>,
    status: &'static str,
    sources: Vec<&'static str>,
    note: &'static str,
}

impl Fact {
    fn of<T: Copy>(cell: &Cell<T>, name: impl Fn(T) -> &'static str) -> Fact {
        Fact {
            value: cell.value.map(name),
            status: cell.status.name(),
            sources: cell.sources.iter().map(|source| source.reference).collect(),
            note: cell.note,
        }
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, found: &Recommendation) -> io::Result<()> {
    let path = &found.path;
    let advice = found.keepalive.as_ref().ok().filter(|_| found.counts());
    let too_late = |(hz, late, phases): &(Option<u32>, u32, u32)| TooLate {
        hz: *hz,
        phases: *phases,
        first_probe_too_late: *late,
    };
    let document = Document {
        schema: "keepscope.advice/1",
        path: PathDocument {
            silence_s: path.silence.into(),
            class: path.owner.name(),
            product: path.product.map(|product| product.name),
            learnt: path.learnt.clone(),
        },
        keepalive_helps: found.counts() && found.keepalive.is_ok(),
        stack: found.wish.stack.name,
        lost_probes: found.wish.lost,
        rtt_s: found.wish.rtt.into(),
        notice_within_s: found.wish.notice_within.map(Seconds::from),
        settings: advice.map(|advice| advice.settings.into()),
        evidence: advice.map(|advice| evidence(&advice.evidence)),
        problem: found.keepalive.as_ref().err().filter(|_| found.counts()).map(ToString::to_string),
        just_below: found.naive.as_ref().map(|naive| JustBelow {
            idle_s: naive.idle.into(),
            by_hz: naive.too_late.iter().map(too_late).collect(),
        }),
        heartbeat_s: found.heartbeat.map(Seconds::from),
        raise: path.product.and_then(Dial::of).map(|dial| Fact::of(&dial.parameter, |value| value)),
        snippets: found.parts.iter().map(snippet).collect(),
    };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}

fn evidence(found: &Evidence) -> EvidenceDocument {
    let kept = |(hz, kept): &(Option<u32>, crate::advice::Kept)| KeptDocument {
        hz: *hz,
        phases: kept.phases,
        kept_without_loss: kept.without_loss,
        kept_with_loss: kept.with_loss,
        first_probe_s: kept.first_probe.map(|(least, most): (Span, Span)| [least.into(), most.into()]),
        longest_silence_s: kept.longest_silence.into(),
        runs: kept.runs,
    };
    EvidenceDocument {
        noticed_s: found.noticed.map(Seconds::from),
        by_hz: found.kept.iter().map(kept).collect(),
    }
}

fn snippet(part: &Part) -> SnippetDocument {
    let snippet = part.snippet;
    let values = part.values.as_ref().ok();
    let parameter = |parameter: &Parameter| ParameterDocument {
        name: parameter.name,
        sets: parameter.sets.name(),
        unit: Fact::of(&parameter.unit, |unit| unit.name()),
        default: Fact::of(&parameter.default, |value| value),
    };
    let (settings, heartbeat) = match values.map(|(values, _)| values) {
        Some(Values::Keepalive(settings)) => (Some((*settings).into()), None),
        Some(Values::Heartbeat(every)) => (None, Some((*every).into())),
        None => (None, None),
    };
    SnippetDocument {
        name: snippet.name,
        title: snippet.title,
        language: snippet.language.name(),
        place: snippet.place,
        problem: part.values.as_ref().err().map(ToString::to_string),
        settings,
        heartbeat_s: heartbeat,
        evidence: values.and_then(|(_, found)| found.as_ref()).map(evidence),
        parameters: snippet.parameters.iter().map(parameter).collect(),
        note: snippet.note,
        text: values.map(|(values, _)| snippet.text(values)),
    }
}
