//! The record of one connection: its probes with their answers, in order.

use std::collections::HashMap;

use super::outcome::{self, Verdict};
use crate::time::Span;
use crate::track::event::{
    Answer, AnswerKind, Basis, ConnectionId, Event, EventKind, LookAlikeSeen, Mark, Opened, Party,
    ProbeSegment, Summary,
};

/// One probe and what came back.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRecord {
    /// Its event number in the connection.
    pub event: u32,
    /// What the packet shows.
    pub segment: ProbeSegment,
    /// How it was recognised.
    pub basis: Basis,
    /// What came back.
    pub answer: Option<Answer>,
}

impl ProbeRecord {
    /// Whether the peer itself answered: an ICMP error comes from the path.
    pub fn is_answered_by_peer(&self) -> bool {
        self.answer.is_some_and(|answer| !matches!(answer.kind, AnswerKind::Icmp(_)))
    }
}

/// The probes of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProberRecord {
    /// In the order of their frames.
    pub probes: Vec<ProbeRecord>,
}

impl ProberRecord {
    /// How many were answered, by whatever kind of answer.
    pub fn answered(&self) -> usize {
        self.probes.iter().filter(|probe| probe.answer.is_some()).count()
    }

    /// How many met an ICMP error, which the path sent and not the peer.
    pub fn refused(&self) -> usize {
        self.answered() - self.probes.iter().filter(|probe| probe.is_answered_by_peer()).count()
    }

    /// The probes at the end that the peer did not answer.
    pub fn unanswered_tail(&self) -> &[ProbeRecord] {
        let answered = self.probes.iter().rposition(ProbeRecord::is_answered_by_peer);
        self.probes.get(answered.map_or(0, |index| index + 1)..).unwrap_or_default()
    }

    /// Round trips of the probes that the peer answered, shortest first.
    pub fn round_trips(&self) -> Vec<Span> {
        let mut trips: Vec<Span> = self
            .probes
            .iter()
            .filter(|probe| probe.is_answered_by_peer())
            .filter_map(|probe| probe.answer.map(|answer| answer.rtt))
            .collect();
        trips.sort_unstable();
        trips
    }

    /// The silence before each probe that was the first of its run, shortest first.
    pub fn first_silences(&self) -> Vec<Span> {
        let firsts = self.probes.iter().filter(|probe| probe.segment.run == 1);
        let mut silences: Vec<Span> = firsts.filter_map(|probe| probe.segment.silence).collect();
        silences.sort_unstable();
        silences
    }

    /// The gaps between the probes of one run, shortest first.
    pub fn run_gaps(&self) -> Vec<Span> {
        let pairs = self.probes.iter().zip(self.probes.iter().skip(1));
        let mut gaps: Vec<Span> = pairs
            .filter(|(_, later)| later.segment.run > 1)
            .map(|(earlier, later)| later.segment.at.time.since(earlier.segment.at.time))
            .collect();
        gaps.sort_unstable();
        gaps
    }
}

/// The middle one of sorted values (the lower of two).
pub(crate) fn median(sorted: &[Span]) -> Option<Span> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// Everything known of one connection when its last word was said.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRecord {
    /// Its number.
    pub id: ConnectionId,
    /// Its ends and its first frame.
    pub opened: Opened,
    /// The client's probes.
    pub client: ProberRecord,
    /// The server's probes.
    pub server: ProberRecord,
    /// Segments that share SEQ and length with a probe and are something else.
    pub lookalikes: Vec<LookAlikeSeen>,
    /// Totals.
    pub summary: Summary,
    /// What became of it.
    pub verdict: Verdict,
}

impl ConnectionRecord {
    /// The probes of one side.
    pub fn prober(&self, party: Party) -> &ProberRecord {
        match party {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }

    /// The sides that probed.
    pub fn probers(&self) -> impl Iterator<Item = (Party, &ProberRecord)> {
        [Party::Client, Party::Server]
            .map(|party| (party, self.prober(party)))
            .into_iter()
            .filter(|(_, prober)| !prober.probes.is_empty())
    }

    /// Whether a keepalive was seen.
    pub fn has_keepalives(&self) -> bool {
        self.probers().next().is_some()
    }
}

/// Whether a frame was read after another: by number within a capture, where times may go back; by time
/// between captures, which were given in any order.
fn comes_after(one: Mark, other: Mark) -> bool {
    if one.frame.capture == other.frame.capture {
        one.frame.number > other.frame.number
    } else {
        (one.time, one.frame) > (other.time, other.frame)
    }
}

/// What was gathered of a connection so far.
#[derive(Debug, Default)]
struct Draft {
    client: Vec<ProbeRecord>,
    server: Vec<ProbeRecord>,
    lookalikes: Vec<LookAlikeSeen>,
}

impl Draft {
    fn probes(&mut self, party: Party) -> &mut Vec<ProbeRecord> {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    fn on_event(&mut self, kind: &EventKind, number: u32) {
        match kind {
            EventKind::Probe(probe) => {
                let record =
                    ProbeRecord { event: number, segment: probe.segment, basis: probe.basis, answer: None };
                let probes = self.probes(probe.segment.prober);
                // A probe that was recognised late stands before those after it.
                let later = |other: &ProbeRecord| comes_after(other.segment.at, record.segment.at);
                let index = probes.iter().rposition(|other| !later(other)).map_or(0, |index| index + 1);
                probes.insert(index, record);
            }
            EventKind::Answer(answer) => {
                let all = self.client.iter_mut().chain(&mut self.server);
                if let Some(probe) = all.rev().find(|probe| probe.event == answer.probe) {
                    probe.answer = Some(*answer);
                }
            }
            EventKind::Retracted { probe, .. } => {
                self.client.retain(|other| other.event != *probe);
                self.server.retain(|other| other.event != *probe);
            }
            EventKind::LookAlike(seen) => self.lookalikes.push(*seen),
            _ => {}
        }
    }
}

/// Gathers events into records.
#[derive(Debug, Default)]
pub struct Collector {
    drafts: HashMap<ConnectionId, Draft>,
}

impl Collector {
    /// Takes one event; returns the record when it was the last of its connection.
    pub fn on_event(&mut self, event: &Event) -> Option<ConnectionRecord> {
        let EventKind::Final(summary) = &event.kind else {
            self.drafts.entry(event.connection).or_default().on_event(&event.kind, event.number);
            return None;
        };
        let draft = self.drafts.remove(&event.connection).unwrap_or_default();
        let client = ProberRecord { probes: draft.client };
        let server = ProberRecord { probes: draft.server };
        let verdict = outcome::judge(&client, &server, summary);
        Some(ConnectionRecord {
            id: event.connection,
            opened: summary.opened,
            client,
            server,
            lookalikes: draft.lookalikes,
            summary: **summary,
            verdict,
        })
    }
}
