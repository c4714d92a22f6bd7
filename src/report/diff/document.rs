//! The output model of `keepscope.diff/1`: fields may be added, those here stay.

use serde::Serialize;

use super::super::CaptureReport;
use super::super::model::{Capture, Moment};
use super::super::number::{Micros, Seconds};
use crate::analysis::ConnectionRecord;
use crate::analysis::comparison::{
    Change, Clocks, Comparison, Found, Late, Missing, Pair, Relation, Tolerance, Value, Views,
};

const DIFF_SCHEMA: &str = "keepscope.diff/1";

#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    relation: &'static str,
    differences: usize,
    tolerance: ToleranceLine,
    captures: Captures<'a>,
    clocks: Option<ClocksLine>,
    pairs: Vec<PairLine>,
    only_in_a: Vec<Alone>,
    only_in_b: Vec<Alone>,
}

#[derive(Serialize)]
struct ToleranceLine {
    absolute_s: Seconds,
    percent: i64,
}

#[derive(Serialize)]
struct Captures<'a> {
    a: Capture<'a>,
    b: Capture<'a>,
}

#[derive(Serialize)]
struct ClocksLine {
    matched: usize,
    offset_s: Seconds,
    there_and_back_us: Option<Micros>,
    ahead_at_least_s: Option<Seconds>,
    ahead_at_most_s: Option<Seconds>,
}

#[derive(Serialize)]
struct PairLine {
    paired_by: &'static str,
    swapped: bool,
    differences: usize,
    a: Alone,
    b: Alone,
    outcome_differs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    views: Option<ViewsLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Vec<RunLine>>,
}

#[derive(Serialize)]
struct Alone {
    id: u64,
    client: String,
    server: String,
    outcome: &'static str,
    reason: String,
    probes: usize,
}

#[derive(Serialize)]
struct ViewsLine {
    nearer_to_a: Option<&'static str>,
    probes: usize,
    answers: usize,
    missing: Vec<MissingLine>,
    late: Vec<LateLine>,
}

#[derive(Serialize)]
struct MissingLine {
    prober: &'static str,
    what: &'static str,
    seen_in: &'static str,
    at: Moment,
    probe_in_a: Option<Moment>,
    probe_in_b: Option<Moment>,
    answered: bool,
    fate: &'static str,
    unsure: bool,
    capture_left_out_packets: bool,
}

#[derive(Serialize)]
struct LateLine {
    prober: &'static str,
    a: Moment,
    b: Moment,
    by_us: Micros,
}

#[derive(Serialize)]
struct RunLine {
    prober: &'static str,
    changes: Vec<ChangeLine>,
}

#[derive(Serialize)]
struct ChangeLine {
    what: &'static str,
    a: Option<Measured>,
    b: Option<Measured>,
    differs: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
    Count(u64),
    Seconds(Seconds),
    Micros(Micros),
}

pub(super) fn of<'a>(
    captures: &'a [CaptureReport; 2],
    comparison: &Comparison<'_>,
    tolerance: Tolerance,
) -> Document<'a> {
    let [a, b] = captures;
    let clocks = match &comparison.relation {
        Relation::SamePackets(clocks) => Some(ClocksLine::from(clocks)),
        _ => None,
    };
    Document {
        schema: DIFF_SCHEMA,
        relation: comparison.relation.name(),
        differences: comparison.differences(),
        tolerance: ToleranceLine { absolute_s: tolerance.absolute.into(), percent: tolerance.percent },
        captures: Captures { a: a.into(), b: b.into() },
        clocks,
        pairs: comparison.pairs.iter().map(PairLine::from).collect(),
        only_in_a: comparison.only_in_a.iter().copied().map(Alone::from).collect(),
        only_in_b: comparison.only_in_b.iter().copied().map(Alone::from).collect(),
    }
}

impl From<&Clocks> for ClocksLine {
    fn from(clocks: &Clocks) -> Self {
        Self {
            matched: clocks.matched,
            offset_s: clocks.offset.into(),
            there_and_back_us: clocks.there_and_back.map(Micros),
            ahead_at_least_s: clocks.ahead.map(|(least, _)| least.into()),
            ahead_at_most_s: clocks.ahead.map(|(_, most)| most.into()),
        }
    }
}

impl From<&Pair<'_>> for PairLine {
    fn from(pair: &Pair<'_>) -> Self {
        let (views, runs) = match &pair.found {
            Found::Views(views) => (Some(ViewsLine::from(views)), None),
            Found::Runs(probers) => {
                let line = |prober: &crate::analysis::comparison::ProberChanges| RunLine {
                    prober: prober.prober.name(),
                    changes: prober.changes.iter().map(ChangeLine::from).collect(),
                };
                (None, Some(probers.iter().map(line).collect()))
            }
        };
        Self {
            paired_by: pair.by.name(),
            swapped: pair.swapped,
            differences: pair.differences(),
            a: pair.a.into(),
            b: pair.b.into(),
            outcome_differs: pair.outcomes_differ().is_some(),
            views,
            runs,
        }
    }
}

impl From<&ConnectionRecord> for Alone {
    fn from(record: &ConnectionRecord) -> Self {
        Self {
            id: record.id.0,
            client: record.opened.client.to_string(),
            server: record.opened.server.to_string(),
            outcome: record.verdict.outcome.name(),
            reason: record.verdict.reason.clone(),
            probes: record.probers().map(|(_, prober)| prober.probes.len()).sum(),
        }
    }
}

impl From<&Views> for ViewsLine {
    fn from(views: &Views) -> Self {
        Self {
            nearer_to_a: views.nearer_to_a.map(|party| party.name()),
            probes: views.probes,
            answers: views.answers,
            missing: views.missing.iter().map(MissingLine::from).collect(),
            late: views.late.iter().map(LateLine::from).collect(),
        }
    }
}

impl From<&Missing> for MissingLine {
    fn from(missing: &Missing) -> Self {
        Self {
            prober: missing.prober.name(),
            what: if missing.is_answer { "answer" } else { "probe" },
            seen_in: missing.seen_in.name(),
            at: missing.at.into(),
            probe_in_a: missing.probe.map(|(a, _)| a.into()),
            probe_in_b: missing.probe.map(|(_, b)| b.into()),
            answered: missing.answered,
            fate: missing.fate.name(),
            unsure: missing.unsure,
            capture_left_out_packets: missing.left_out,
        }
    }
}

impl From<&Late> for LateLine {
    fn from(late: &Late) -> Self {
        Self { prober: late.prober.name(), a: late.a.into(), b: late.b.into(), by_us: Micros(late.by) }
    }
}

impl From<&Change> for ChangeLine {
    fn from(change: &Change) -> Self {
        let short = change.what == "round_trip";
        let measured = |value: Value| match value {
            Value::Count(count) => Measured::Count(count),
            Value::Time(time) if short => Measured::Micros(Micros(time)),
            Value::Time(time) => Measured::Seconds(time.into()),
        };
        let what = match change.what {
            "first_silence" => "first_silence_s",
            "gap" => "gap_s",
            "round_trip" => "round_trip_us",
            other => other,
        };
        Self { what, a: change.a.map(measured), b: change.b.map(measured), differs: change.differs }
    }
}
