//! Who sent a RST: the end whose address it bears, or something on the path.
//!
//! Its SEQ does not tell, since both take it from the segment that they answer; its time to live and how soon
//! it came may.

use super::prober::{ProbeRecord, ProberRecord};
use crate::time::Span;
use crate::track::event::{AnswerKind, ResetMarks, SideSummary};

/// A RST must come sooner by this much to come from nearer: round trips on one link differ by less.
const NEARER_BY: Span = Span::from_millis(1);

/// Who sent a RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The end itself, as far as the packet tells: nothing speaks against it.
    Peer,
    /// Something on the path.
    Path,
    /// There is nothing to compare it with, or the signs disagree.
    Unknown,
}

impl Origin {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Peer => "peer",
            Origin::Path => "path",
            Origin::Unknown => "unknown",
        }
    }
}

/// Who sent a RST, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetOrigin {
    /// Who.
    pub by: Origin,
    /// The signs, each a short sentence.
    pub cues: Vec<String>,
}

impl ResetOrigin {
    /// Draws it from the RST, from the other segments of its address, and from the round trips of the probes
    /// of the side that was reset.
    pub(super) fn of(
        marks: ResetMarks,
        sender: &SideSummary,
        answered: Option<&ProbeRecord>,
        asked: Option<&ProberRecord>,
    ) -> Self {
        let mut cues = Vec::new();
        let hops = hops(marks, sender, &mut cues);
        let sooner = sooner(answered, asked, &mut cues);
        let ahead = marks.seq_offset.filter(|offset| *offset > 0 && !sender.octets_missing);
        let by = match (hops, sooner) {
            (Some(true), _) | (None, Some(true)) => Origin::Path,
            (Some(false), Some(true)) => Origin::Unknown,
            (Some(false), _) if ahead.is_some() => Origin::Unknown,
            (Some(false), _) => Origin::Peer,
            (None, _) => Origin::Unknown,
        };
        if let Some(offset) = ahead {
            cues.push(format!(
                "its SEQ lies {offset} above what that end was seen to send, and its receiver heeds only an exact \
                 one (RFC 5961)"
            ));
        }
        if !marks.ack {
            cues.push("it does not acknowledge, as the RST of a host without the connection".to_owned());
        } else if sender.timestamps && !marks.timestamps {
            cues.push("it has no timestamps, though the connection has".to_owned());
        }
        if answered.is_none() && marks.prompted.is_some_and(|wait| wait >= Span::from_secs(1)) {
            cues.push("nothing had been sent that it answers".to_owned());
        }
        Self { by, cues }
    }

    /// Whether its packet came over another number of hops than the segments of the end whose address it bears.
    pub(super) fn is_from_elsewhere(marks: ResetMarks, sender: &SideSummary) -> bool {
        hops(marks, sender, &mut Vec::new()).unwrap_or(false)
    }

    /// It as part of a sentence.
    pub(super) fn sentence(&self) -> String {
        let who = match self.by {
            Origin::Peer => "by that end, as it seems",
            Origin::Path => "not by that end but by something on the path",
            Origin::Unknown => "it is not clear by whom",
        };
        if self.cues.is_empty() { who.to_owned() } else { format!("{who} ({})", self.cues.join("; ")) }
    }
}

/// Whether it came over another number of hops than the other segments of its address.
fn hops(marks: ResetMarks, sender: &SideSummary, cues: &mut Vec<String>) -> Option<bool> {
    let (lowest, highest) = sender.ttl?;
    let others = if lowest == highest { lowest.to_string() } else { format!("{lowest} to {highest}") };
    let differs = !(lowest..=highest).contains(&marks.ttl);
    let where_ = if differs { "where its other segments have" } else { "as its other segments" };
    cues.push(format!(
        "TTL {} {where_}{}",
        marks.ttl,
        if differs { format!(" {others}") } else { String::new() }
    ));
    Some(differs)
}

/// Whether it came sooner after the probe than anything from that end could.
fn sooner(
    answered: Option<&ProbeRecord>,
    asked: Option<&ProberRecord>,
    cues: &mut Vec<String>,
) -> Option<bool> {
    let rtt = answered?.answer?.rtt;
    let real = |probe: &&ProbeRecord| {
        probe.answer.is_some_and(|answer| matches!(answer.kind, AnswerKind::Ack | AnswerKind::Data))
    };
    let trips = asked?.probes.iter().filter(real).filter_map(|probe| probe.answer.map(|answer| answer.rtt));
    let shortest = trips.min()?;
    let nearer = rtt.times(2) < shortest && rtt.plus(NEARER_BY) < shortest;
    if nearer {
        cues.push(format!(
            "it came after {} us where the shortest round trip is {} us",
            rtt.as_nanos() / 1000,
            shortest.as_nanos() / 1000
        ));
    }
    Some(nearer)
}
