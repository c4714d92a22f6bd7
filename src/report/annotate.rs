//! Comments on packets: what each probe, answer and look-alike is, and what became of the connection.
//!
//! Owns [`Annotations`], the words and the frames they belong to. They name frames by their numbers in the
//! captures that were read, as those in the written file count anew; each comment therefore ends with the
//! original number of its own frame.

use std::collections::HashMap;

use super::model::icmp_name;
use super::text::{plural, round_trip, silence};
use crate::analysis::{ConnectionRecord, ProbeRecord, Recorded};
use crate::frame::FrameId;
use crate::track::event::{Answer, AnswerKind, LookAlike, LookAlikeSeen};

/// What every comment begins with, to search for.
const MARK: &str = "keepscope:";

/// The comments of some connections, by frame.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    comments: HashMap<FrameId, Vec<String>>,
}

impl Annotations {
    /// What there is to say about these connections.
    pub fn of(connections: &[impl Recorded]) -> Self {
        let mut annotations = Self::default();
        for connection in connections {
            annotations.connection(&connection.record());
        }
        annotations
    }

    /// The comments on a frame, in the order in which they should be read.
    pub fn on(&self, frame: FrameId) -> &[String] {
        self.comments.get(&frame).map_or(&[], Vec::as_slice)
    }

    /// How many frames have comments.
    pub fn frames(&self) -> usize {
        self.comments.len()
    }

    fn connection(&mut self, record: &ConnectionRecord) {
        for (_, prober) in record.probers() {
            let before = std::iter::once(None).chain(prober.probes.iter().map(Some));
            for (probe, before) in prober.probes.iter().zip(before) {
                self.add(probe.segment.at.frame, &probe_words(probe, before));
                if let Some(answer) = &probe.answer {
                    self.add(answer.at.frame, &answer_words(probe, answer));
                }
            }
        }
        for seen in &record.lookalikes {
            self.add(seen.at.frame, &lookalike_words(seen));
        }
        self.add(record.summary.last.frame, &verdict_words(record));
    }

    fn add(&mut self, frame: FrameId, words: &str) {
        self.comments.entry(frame).or_default().push(format!("{MARK} {words} [original frame {frame}]"));
    }
}

/// What a capture with comments is, for whoever opens it.
pub fn about(connections: &[impl Recorded], captures: &[&str]) -> String {
    let files = match captures {
        [only] => (*only).to_owned(),
        several => {
            let numbered =
                several.iter().zip(1..).map(|(name, number): (_, u64)| format!("{name} (file {number})"));
            numbered.collect::<Vec<_>>().join(", ")
        }
    };
    format!(
        "{MARK} {} with keepalive probes, answers and verdicts as packet comments, from {files}. \
         Frame numbers in comments are those of the original, not of this file.",
        plural(connections.len() as u64, "connection")
    )
}

fn probe_words(probe: &ProbeRecord, before: Option<&ProbeRecord>) -> String {
    let shown = &probe.segment;
    let since = match (before, shown.silence) {
        (Some(before), _) if shown.run > 1 => {
            format!(", {} after the one before", silence(shown.at.time.since(before.segment.at.time)))
        }
        (_, Some(quiet)) => format!(", after {} of silence", silence(quiet)),
        _ => String::new(),
    };
    let answer = match &probe.answer {
        None => "no answer".to_owned(),
        Some(answer) => {
            let (kind, frame) = (answer_kind(answer), answer.at.frame);
            format!("answer ({kind}) in original frame {frame} after {}", round_trip(answer.rtt))
        }
    };
    format!("keepalive probe {} of the run{since}, {answer}", shown.run)
}

fn answer_words(probe: &ProbeRecord, answer: &Answer) -> String {
    let reporter = answer.reporter.map(|address| format!(" from {address}")).unwrap_or_default();
    let dsack = if answer.dsack { ", D-SACK" } else { "" };
    format!(
        "answer ({}){reporter} to the probe in original frame {}, {}{dsack}",
        answer_kind(answer),
        probe.segment.at.frame,
        round_trip(answer.rtt)
    )
}

fn answer_kind(answer: &Answer) -> String {
    match answer.kind {
        AnswerKind::Icmp(kind) => {
            let (name, code) = icmp_name(kind);
            let code = code.map(|code| format!(" code {code}")).unwrap_or_default();
            format!("icmp {}{code}", name.replace('_', " "))
        }
        kind => kind.name().to_owned(),
    }
}

fn lookalike_words(seen: &LookAlikeSeen) -> String {
    let name = match seen.kind {
        LookAlike::ZeroWindowProbe => "zero-window probe".to_owned(),
        kind => kind.name().replace('_', " "),
    };
    format!("{name}, no keepalive: {}", seen.rule)
}

fn verdict_words(record: &ConnectionRecord) -> String {
    let outcome = record.verdict.outcome.name().replace('_', " ").to_uppercase();
    let reason = &record.verdict.reason;
    let reason = reason.replace("frame ", "original frame ").replace("frames ", "original frames ");
    format!("#{} {outcome}: {reason}", record.id)
}
