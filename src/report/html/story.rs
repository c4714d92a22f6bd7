//! What happened in a connection, moment by moment, as its record tells: what the ladder and the timeline draw.
//!
//! Owns [`Story`]: the moments in order with what lay between them, and which of many are worth showing. Pure.

use std::collections::HashSet;

use crate::analysis::{ConnectionRecord, Outcome, ProbeRecord};
use crate::frame::FrameId;
use crate::time::{Span, Timestamp};
use crate::track::event::{AnswerKind, LookAlike, Mark, Party, ProbeSegment, Start};

/// Moments at the beginning that stay where some are left out.
const HEAD: usize = 5;

/// The same at the end.
const TAIL: usize = 30;

/// The moments of a connection.
pub(super) struct Story {
    pub(super) moments: Vec<Moment>,
    /// When its first frame was captured.
    pub(super) from: Timestamp,
    /// The latest time of the capture where the connection was still there, otherwise its last moment.
    pub(super) until: Timestamp,
    /// The capture went on in silence after the last moment, to `until`.
    pub(super) ends_in_silence: bool,
}

/// Something that a frame shows.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Mark,
    pub(super) what: What,
    pub(super) before: Before,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The first frame.
    Opened(Start),
    Probe {
        by: Party,
        run: u32,
        octets: u8,
        /// Time since the last segment either way.
        quiet: Option<Span>,
        fate: Fate,
    },
    Answer {
        by: Party,
        kind: AnswerKind,
        rtt: Span,
        to: FrameId,
    },
    LookAlike {
        by: Party,
        kind: LookAlike,
    },
    /// Octets that were sent again and had no answer.
    Again {
        by: Party,
        times: u32,
    },
    Fin {
        by: Party,
    },
    Reset {
        by: Party,
    },
    /// The last frame, where it is nothing of the above.
    Last,
}

/// What became of a probe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// An ICMP error came back.
    Refused,
    Lost,
}

/// What lay between a moment and the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing was sent either way for so long.
    Silence(Span),
    /// Other segments, and after them a silence.
    Traffic { elapsed: Span, silence: Span },
    /// So much time; the record does not tell whether other segments went by.
    Elapsed(Span),
    /// It is the first.
    Nothing,
}

impl Before {
    /// The silence right before the moment.
    pub(super) fn silence(self) -> Option<Span> {
        match self {
            Before::Silence(silence) | Before::Traffic { silence, .. } => Some(silence),
            Before::Elapsed(_) | Before::Nothing => None,
        }
    }
}

impl Moment {
    fn new(at: Mark, what: What) -> Self {
        Self { at, what, before: Before::Nothing }
    }

    fn order(&self) -> (Timestamp, FrameId) {
        (self.at.time, self.at.frame)
    }

    /// Whether it is worth a line of its own where others are left out.
    fn is_notable(&self) -> bool {
        match self.what {
            What::Probe { fate, .. } => fate != Fate::Answered,
            What::Answer { kind, .. } => !matches!(kind, AnswerKind::Ack | AnswerKind::Data),
            What::LookAlike { .. } | What::Last => false,
            What::Opened(_) | What::Again { .. } | What::Fin { .. } | What::Reset { .. } => true,
        }
    }
}

/// A line of the ladder.
pub(super) enum Item<'a> {
    Moment(&'a Moment),
    /// Moments that are not shown, in order.
    LeftOut(&'a [Moment]),
}

impl Story {
    pub(super) fn of(record: &ConnectionRecord) -> Self {
        let mut moments = gather(record);
        moments.sort_by_key(Moment::order);
        let mut earlier: Option<Moment> = None;
        for moment in &mut moments {
            moment.before = earlier.map_or(Before::Nothing, |earlier| between(&earlier, moment));
            earlier = Some(*moment);
        }
        let from = record.opened.first.time;
        let last = moments.last().map_or(from, |moment| moment.at.time);
        let goes_on =
            matches!(record.verdict.outcome, Outcome::Unanswered | Outcome::Inconclusive | Outcome::Alive);
        let until = if goes_on { last.max(record.summary.seen_until) } else { last };
        Self { moments, from, until, ends_in_silence: until > last }
    }

    /// The moments, with those left out that matter least where there are more than `most`: the middle of long
    /// runs of answered probes before anything else, the later before the earlier.
    pub(super) fn items(&self, most: usize) -> Vec<Item<'_>> {
        let count = self.moments.len();
        let mut shown = vec![count <= most; count];
        if count > most {
            let ends = (0..HEAD).chain(count.saturating_sub(TAIL)..count);
            let mut left = most.saturating_sub(HEAD + TAIL);
            ends.for_each(|index| shown.get_mut(index).into_iter().for_each(|flag| *flag = true));
            for (moment, flag) in self.moments.iter().zip(&mut shown).rev() {
                if left > 0 && !*flag && moment.is_notable() {
                    *flag = true;
                    left -= 1;
                }
            }
        }
        let mut items = Vec::new();
        let mut rest = self.moments.as_slice();
        for run in shown.chunk_by(|one, other| one == other) {
            let (these, after) = rest.split_at_checked(run.len()).unwrap_or((rest, &[]));
            rest = after;
            if run.first() == Some(&true) {
                items.extend(these.iter().map(Item::Moment));
            } else {
                items.push(Item::LeftOut(these));
            }
        }
        items
    }
}

/// The moments of a record, in no order.
fn gather(record: &ConnectionRecord) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (party, prober) in record.probers() {
        for probe in &prober.probes {
            moments.push(Moment::new(probe.segment.at, probe_of(party, probe)));
            if let Some(answer) = probe.answer {
                let (kind, rtt, to) = (answer.kind, answer.rtt, probe.segment.at.frame);
                moments.push(Moment::new(answer.at, What::Answer { by: party.peer(), kind, rtt, to }));
            }
        }
    }
    let mut others = Vec::new();
    for seen in &record.lookalikes {
        others.push(Moment::new(seen.at, What::LookAlike { by: seen.sender, kind: seen.kind }));
    }
    for by in [Party::Client, Party::Server] {
        let side = record.summary.side(by);
        others.extend(side.fin.map(|fin| Moment::new(fin, What::Fin { by })));
        if let Some(repeated) = side.repeated
            && record.verdict.evidence.contains(&repeated.last.frame)
        {
            others.push(Moment::new(repeated.last, What::Again { by, times: repeated.times }));
        }
    }
    others.extend(record.summary.reset.map(|(by, at)| Moment::new(at, What::Reset { by })));
    others.push(Moment::new(record.opened.first, What::Opened(record.opened.start)));
    others.push(Moment::new(record.summary.last, What::Last));
    // What a frame is said to be first stands: a RST that answers a probe is an answer.
    let mut known: HashSet<FrameId> = moments.iter().map(|moment| moment.at.frame).collect();
    others.retain(|other| known.insert(other.at.frame));
    moments.extend(others);
    moments
}

fn probe_of(by: Party, probe: &ProbeRecord) -> What {
    let fate = match (probe.is_answered_by_peer(), probe.answer) {
        (true, _) => Fate::Answered,
        (false, Some(_)) => Fate::Refused,
        (false, None) => Fate::Lost,
    };
    let ProbeSegment { run, octets, quiet, .. } = probe.segment;
    What::Probe { by, run, octets, quiet, fate }
}

/// What lay between two moments. A probe knows how long it had been quiet before it; other frames do not.
fn between(earlier: &Moment, later: &Moment) -> Before {
    let elapsed = later.at.time.since(earlier.at.time);
    match later.what {
        What::Probe { quiet: Some(quiet), .. } if quiet >= elapsed => Before::Silence(elapsed),
        What::Probe { quiet: Some(silence), .. } => Before::Traffic { elapsed, silence },
        _ => Before::Elapsed(elapsed),
    }
}

impl Fate {
    /// What a label adds.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Fate::Answered => "",
            Fate::Refused => ": refused",
            Fate::Lost => ": no answer",
        }
    }
}
