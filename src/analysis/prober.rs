//! The probes of one side, with their answers.

use crate::time::Span;
use crate::track::event::{Answer, AnswerKind, Basis, ProbeSegment};

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

    fn trips(&self) -> impl Iterator<Item = Span> {
        let answered = self.probes.iter().filter(|probe| probe.is_answered_by_peer());
        answered.filter_map(|probe| probe.answer.map(|answer| answer.rtt))
    }

    fn silences(&self) -> impl Iterator<Item = Span> {
        let firsts = self.probes.iter().filter(|probe| probe.segment.run == 1);
        firsts.filter_map(|probe| probe.segment.silence)
    }

    fn gaps(&self) -> impl Iterator<Item = Span> {
        let pairs = self.probes.iter().zip(self.probes.iter().skip(1));
        let within = pairs.filter(|(_, later)| later.segment.run > 1);
        within.map(|(earlier, later)| later.segment.at.time.since(earlier.segment.at.time))
    }

    /// Round trips of the probes that the peer answered, shortest first.
    pub fn round_trips(&self) -> Vec<Span> {
        sorted(self.trips())
    }

    /// The silence before each probe that was the first of its run, shortest first.
    pub fn first_silences(&self) -> Vec<Span> {
        sorted(self.silences())
    }

    /// The gaps between the probes of one run, shortest first.
    pub fn run_gaps(&self) -> Vec<Span> {
        sorted(self.gaps())
    }

    /// The shortest and the longest of the round trips.
    pub fn round_trip_range(&self) -> Option<(Span, Span)> {
        range(self.trips())
    }

    /// The shortest and the longest of the first silences.
    pub fn first_silence_range(&self) -> Option<(Span, Span)> {
        range(self.silences())
    }

    /// The shortest and the longest of the gaps within runs.
    pub fn run_gap_range(&self) -> Option<(Span, Span)> {
        range(self.gaps())
    }

    /// The middle one of the round trips (the lower of two).
    pub fn median_round_trip(&self) -> Option<Span> {
        let mut trips = self.trips();
        let first = trips.next()?;
        // Most have one, and need no list for it.
        if trips.next().is_none() { Some(first) } else { median(&self.round_trips()) }
    }
}

fn sorted(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut sorted: Vec<Span> = spans.collect();
    sorted.sort_unstable();
    sorted
}

fn range(mut spans: impl Iterator<Item = Span>) -> Option<(Span, Span)> {
    let first = spans.next()?;
    Some(spans.fold((first, first), |(low, high), span| (low.min(span), high.max(span))))
}

/// The middle one of sorted values (the lower of two).
pub(crate) fn median(sorted: &[Span]) -> Option<Span> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}
