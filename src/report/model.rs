//! The output model of `keepscope.analysis/1`: fields may be added, those here stay.

pub(super) mod inference;
mod marks;

use serde::{Serialize, Serializer};

use super::CaptureReport;
use super::number::{Micros, Seconds};
use crate::analysis::confounder::Confounder;
use crate::analysis::inference::Mark;
use crate::analysis::{ConnectionRecord, ProbeRecord, ResetOrigin};
use crate::capture::Problem;
use crate::frame::FrameId;
use crate::pipeline::Counts;
use crate::segment::IcmpKind;
use crate::segment::decode::Skip;
use crate::track::event::{
    Answer, AnswerKind, LookAlike, LookAlikeSeen, Mark as FrameMark, Party, ProbeSegment, SideSummary,
};

/// Name and version of the document.
pub(super) const ANALYSIS_SCHEMA: &str = "keepscope.analysis/1";

#[derive(Serialize)]
pub(super) struct Capture<'a> {
    path: &'a str,
    packets: u64,
    tcp_segments: u64,
    copies: u64,
    icmp_errors: u64,
    /// Packets that the capture says were dropped before they could be written.
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragments: Option<Fragments>,
    skipped: Vec<Skipped>,
    problems: Vec<ProblemLine<'a>>,
}

/// Frames that hold a part of an IP packet.
#[derive(Serialize)]
struct Fragments {
    /// Those put together to a segment, which counts in the frame that completed it, beside that frame.
    put_together: u64,
    /// Those that waited for others in vain.
    incomplete: u64,
}

impl Fragments {
    fn of(counts: &Counts) -> Option<Self> {
        let incomplete = counts.skipped.get(&Skip::Fragment).copied().unwrap_or(0);
        let some = counts.fragments > 0 || incomplete > 0;
        some.then_some(Self { put_together: counts.fragments, incomplete })
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Skipped {
    reason: String,
    packets: u64,
    may_hide_tcp: bool,
}

#[derive(Serialize)]
struct ProblemLine<'a> {
    kind: &'static str,
    damage: bool,
    packet: Option<u64>,
    offset: Option<u64>,
    count: u64,
    detail: &'a str,
    message: String,
}

impl<'a> From<&'a CaptureReport> for Capture<'a> {
    fn from(report: &'a CaptureReport) -> Self {
        let counts = &report.counts;
        Self {
            path: &report.path,
            packets: report.packets,
            tcp_segments: counts.segments,
            copies: counts.copies,
            icmp_errors: counts.icmp_errors,
            dropped: report.dropped,
            fragments: Fragments::of(counts),
            skipped: counts
                .skipped
                .iter()
                .map(|(skip, &packets)| Skipped {
                    reason: skip.name(),
                    packets,
                    may_hide_tcp: skip.may_hide_tcp(),
                })
                .collect(),
            problems: report.problems.iter().map(ProblemLine::from).collect(),
        }
    }
}

impl<'a> From<&'a Problem> for ProblemLine<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            kind: problem.kind.name(),
            damage: problem.is_damage(),
            packet: problem.packet,
            offset: problem.offset,
            count: problem.count,
            detail: &problem.detail,
            message: problem.to_string(),
        }
    }
}

/// A frame of one of the captures.
#[derive(Serialize)]
pub(super) struct At {
    pub(super) capture: u32,
    pub(super) frame: u64,
}

impl From<FrameId> for At {
    fn from(id: FrameId) -> Self {
        Self { capture: id.capture, frame: id.number }
    }
}

#[derive(Serialize)]
pub(super) struct Connection<'a> {
    pub(super) id: u64,
    pub(super) client: String,
    pub(super) server: String,
    pub(super) start: &'static str,
    outcome: &'static str,
    evidence: Vec<u64>,
    evidence_at: Vec<At>,
    reason: String,
    last_life: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<ResetLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    confounders: Vec<ConfounderLine>,
    first: Moment,
    last: Moment,
    copies: u64,
    sides: Sides,
    /// It was followed no longer, to make room for others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    let_go: bool,
    /// Earlier probes that a watch without an end did not keep.
    #[serde(skip_serializing_if = "is_zero")]
    forgotten_probes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lookalikes: Vec<Seen>,
    probers: Vec<Prober<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<Responder>,
}

/// An end that was probed.
#[derive(Serialize)]
struct Responder {
    endpoint: &'static str,
    marks: Vec<marks::MarkLine>,
}

/// What may mislead whoever reads the connection.
#[derive(Serialize)]
struct ConfounderLine {
    kind: &'static str,
    meaning: &'static str,
    frames: Vec<At>,
}

impl From<&Confounder> for ConfounderLine {
    fn from(confounder: &Confounder) -> Self {
        Self {
            kind: confounder.kind.name(),
            meaning: confounder.kind.sentence(),
            frames: confounder.frames.iter().copied().map(At::from).collect(),
        }
    }
}

/// Who sent the RST that ended the connection.
#[derive(Serialize)]
pub(super) struct ResetLine {
    by: &'static str,
    cues: Vec<String>,
}

impl From<&ResetOrigin> for ResetLine {
    fn from(origin: &ResetOrigin) -> Self {
        Self { by: origin.by.name(), cues: origin.cues.clone() }
    }
}

/// A frame with its time.
#[derive(Serialize)]
pub(super) struct Moment {
    #[serde(flatten)]
    at: At,
    time_s: Seconds,
}

impl From<FrameMark> for Moment {
    fn from(mark: FrameMark) -> Self {
        Self { at: mark.frame.into(), time_s: mark.time.into() }
    }
}

#[derive(Serialize)]
struct Sides {
    client: Side,
    server: Side,
}

#[derive(Serialize)]
struct Side {
    segments: u64,
    data_segments: u64,
    lookalikes: Lookalikes,
}

#[derive(Serialize)]
struct Lookalikes {
    retransmitted_octet: u32,
    zero_window_probe: u32,
    reordered_ack: u32,
    window_update: u32,
    duplicate_ack: u32,
    challenge_ack: u32,
}

impl From<&SideSummary> for Side {
    fn from(side: &SideSummary) -> Self {
        let count = |kind| side.lookalikes.count(kind);
        Self {
            segments: side.segments,
            data_segments: side.data_segments,
            lookalikes: Lookalikes {
                retransmitted_octet: count(LookAlike::RetransmittedOctet),
                zero_window_probe: count(LookAlike::ZeroWindowProbe),
                reordered_ack: count(LookAlike::ReorderedAck),
                window_update: count(LookAlike::WindowUpdate),
                duplicate_ack: count(LookAlike::DuplicateAck),
                challenge_ack: count(LookAlike::ChallengeAck),
            },
        }
    }
}

/// A segment that resembles a probe and is none.
#[derive(Serialize)]
pub(super) struct Seen {
    endpoint: &'static str,
    #[serde(flatten)]
    at: At,
    time_s: Seconds,
    kind: &'static str,
    rule: &'static str,
}

impl From<&LookAlikeSeen> for Seen {
    fn from(seen: &LookAlikeSeen) -> Self {
        Self {
            endpoint: seen.sender.name(),
            at: seen.at.frame.into(),
            time_s: seen.at.time.into(),
            kind: seen.kind.name(),
            rule: seen.rule,
        }
    }
}

#[derive(Serialize)]
struct Prober<'a> {
    endpoint: &'static str,
    sent: usize,
    answered: usize,
    #[serde(flatten)]
    inference: inference::Inferred,
    /// Left out where each was written before on a line of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<Probes<'a>>,
}

/// Probes, each made when it is written.
struct Probes<'a>(&'a [ProbeRecord]);

impl Serialize for Probes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Probe::from))
    }
}

#[derive(Serialize)]
pub(super) struct Probe {
    #[serde(flatten)]
    at: At,
    time_s: Seconds,
    octets: u8,
    silence_s: Option<Seconds>,
    quiet_s: Option<Seconds>,
    run: u32,
    seq: u32,
    ack: u32,
    ttl: u8,
    timestamps: Option<Timestamps>,
    window: u16,
    psh: bool,
    dont_fragment: bool,
    ip_id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) corrects: Option<u32>,
    answer: Option<AnswerLine>,
}

#[derive(Serialize)]
struct Timestamps {
    value: u32,
    echo: u32,
}

impl From<crate::segment::TcpTimestamps> for Timestamps {
    fn from(stamps: crate::segment::TcpTimestamps) -> Self {
        Self { value: stamps.value, echo: stamps.echo }
    }
}

#[derive(Serialize)]
pub(super) struct AnswerLine {
    kind: &'static str,
    #[serde(flatten)]
    at: At,
    time_s: Seconds,
    rtt_us: Micros,
    ttl: Option<u8>,
    dsack: bool,
    window_changed: bool,
    timestamps: Option<Timestamps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<Icmp>,
    /// Only in the stream of events; in a document the last word has been said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) corrects: Option<u32>,
}

#[derive(Serialize)]
struct Icmp {
    error: &'static str,
    code: Option<u8>,
    reporter: Option<String>,
}

impl From<&Answer> for AnswerLine {
    fn from(answer: &Answer) -> Self {
        let icmp = match answer.kind {
            AnswerKind::Icmp(kind) => {
                let (error, code) = icmp_name(kind);
                Some(Icmp { error, code, reporter: answer.reporter.map(|address| address.to_string()) })
            }
            _ => None,
        };
        Self {
            kind: answer.kind.name(),
            at: answer.at.frame.into(),
            time_s: answer.at.time.into(),
            rtt_us: Micros(answer.rtt),
            ttl: (answer.ttl > 0).then_some(answer.ttl),
            dsack: answer.dsack,
            window_changed: answer.window_changed,
            timestamps: answer.timestamps.map(Timestamps::from),
            icmp,
            corrects: None,
        }
    }
}

/// The name of an ICMP error and its code, where the code says more.
pub(super) fn icmp_name(kind: IcmpKind) -> (&'static str, Option<u8>) {
    match kind {
        IcmpKind::Unreachable(code) => ("unreachable", Some(code)),
        IcmpKind::TimeExceeded(code) => ("time_exceeded", Some(code)),
        IcmpKind::PacketTooBig => ("packet_too_big", None),
        IcmpKind::ParameterProblem(code) => ("parameter_problem", Some(code)),
    }
}

impl From<&ProbeRecord> for Probe {
    fn from(probe: &ProbeRecord) -> Self {
        let answer = probe.answer.as_ref().map(AnswerLine::from);
        Self { basis: Some(probe.basis.name()), answer, ..Self::from(&probe.segment) }
    }
}

impl From<&ProbeSegment> for Probe {
    fn from(shown: &ProbeSegment) -> Self {
        Self {
            at: shown.at.frame.into(),
            time_s: shown.at.time.into(),
            octets: shown.octets,
            silence_s: shown.silence.map(Seconds::from),
            quiet_s: shown.quiet.map(Seconds::from),
            run: shown.run,
            seq: shown.seq.0,
            ack: shown.ack.0,
            ttl: shown.ttl,
            timestamps: shown.timestamps.map(Timestamps::from),
            window: shown.window,
            psh: shown.psh,
            dont_fragment: shown.dont_fragment,
            ip_id: shown.ip_id,
            basis: None,
            corrects: None,
            answer: None,
        }
    }
}

impl<'a> Connection<'a> {
    /// Everything about a connection, its probes only if asked for.
    pub(super) fn new(record: &'a ConnectionRecord, with_probes: bool) -> Self {
        let prober = |party: Party| {
            let prober = record.prober(party);
            Prober {
                endpoint: party.name(),
                sent: prober.probes.len(),
                answered: prober.answered(),
                inference: record.inference(party).into(),
                probes: with_probes.then_some(Probes(&prober.probes)),
            }
        };
        let responder = |(party, marks): (Party, &[Mark])| Responder {
            endpoint: party.name(),
            marks: marks.iter().map(marks::MarkLine::from).collect(),
        };
        let evidence = &record.verdict.evidence;
        Self {
            id: record.id.0,
            client: record.opened.client.to_string(),
            server: record.opened.server.to_string(),
            start: record.opened.start.name(),
            outcome: record.verdict.outcome.name(),
            evidence: evidence.iter().map(|id| id.number).collect(),
            evidence_at: evidence.iter().copied().map(At::from).collect(),
            reason: record.verdict.reason.clone(),
            last_life: record.verdict.last_life.map(Moment::from),
            reset: record.verdict.origin.as_ref().map(ResetLine::from),
            confounders: record.confounders.iter().map(ConfounderLine::from).collect(),
            first: record.opened.first.into(),
            last: record.summary.last.into(),
            copies: record.summary.duplicates,
            sides: Sides {
                client: Side::from(&record.summary.client),
                server: Side::from(&record.summary.server),
            },
            let_go: record.summary.let_go,
            forgotten_probes: record.forgotten,
            lookalikes: record.lookalikes.iter().map(Seen::from).collect(),
            probers: record.probers().map(|(party, _)| prober(party)).collect(),
            responders: record.responders().map(responder).collect(),
        }
    }
}
