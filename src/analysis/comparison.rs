//! Two captures, connection by connection: the same packets seen at two places, or two runs.
//!
//! Owns [`compare`] and what it finds. Pure. Uses the records of [`super::ConnectionRecord`].
//!
//! Which of the two it is, the packets decide. Probes with the same SEQ, ACK, length and timestamps (or, without
//! those, IPv4 identification) are the same packet if their times agree but for one offset of the clocks. Then
//! every probe and answer can be looked for on the other side. Otherwise only what was measured in each run can
//! be held against the other: how many probes, after how much silence, at which gaps, how fast the answers.

mod pairing;
mod runs;
mod views;

use super::{ConnectionRecord, Outcome};
use crate::time::Span;
use crate::track::event::{Mark, Party};

pub use runs::{Change, ProberChanges, Value};
pub use views::{Clocks, Fate, Late, Missing, Views};

/// Which of the two captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    /// `a` or `b`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::A => "a",
            Side::B => "b",
        }
    }
}

/// How far two times may be apart and count as equal: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// This long.
    pub absolute: Span,
    /// This part of the time in the first capture, in percent.
    pub percent: i64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { absolute: Span::from_millis(20), percent: 2 }
    }
}

impl Tolerance {
    /// Whether the second time is another than the first.
    pub fn is_exceeded(self, first: Span, second: Span) -> bool {
        let apart = second.as_nanos().saturating_sub(first.as_nanos()).saturating_abs();
        let relative = (first.as_nanos() / 100).saturating_mul(self.percent);
        apart > self.absolute.as_nanos().max(relative)
    }
}

/// How to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// What counts as equal.
    pub tolerance: Tolerance,
    /// The client's address and port may differ: connections are told by server and sequence numbers.
    pub nat: bool,
    /// The first capture says itself that it dropped packets; the second.
    pub dropped: (bool, bool),
}

/// How two connections were found to belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairedBy {
    /// The same addresses and ports; lives of the same ports by their sequence numbers, else by their order.
    Ports,
    /// The same server and sequence numbers.
    Numbers,
    /// The same client address and server, in the order in which they began: only between runs.
    Addresses,
}

impl PairedBy {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            PairedBy::Ports => "ports",
            PairedBy::Numbers => "numbers",
            PairedBy::Addresses => "addresses",
        }
    }
}

/// What two captures are to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// The same packets, seen at two places.
    SamePackets(Clocks),
    /// Different packets of the same ends.
    DifferentRuns,
    /// They have no connection with keepalives in common.
    NothingInCommon,
}

impl Relation {
    /// The name used in output.
    pub const fn name(&self) -> &'static str {
        match self {
            Relation::SamePackets(_) => "same_packets",
            Relation::DifferentRuns => "different_runs",
            Relation::NothingInCommon => "nothing_in_common",
        }
    }
}

/// A connection that is in both captures.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<'a> {
    /// In the first.
    pub a: &'a ConnectionRecord,
    /// In the second.
    pub b: &'a ConnectionRecord,
    /// Why they belong together.
    pub by: PairedBy,
    /// What the first has as client the second has as server; parties are named as in the first.
    pub swapped: bool,
    /// What differs.
    pub found: Found,
}

/// What was found of a pair.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// For the same packets.
    Views(Views),
    /// For different runs: each side that probed.
    Runs(Vec<ProberChanges>),
}

impl Pair<'_> {
    /// The outcomes, if they differ.
    pub fn outcomes_differ(&self) -> Option<(Outcome, Outcome)> {
        let (a, b) = (self.a.verdict.outcome, self.b.verdict.outcome);
        (a != b).then_some((a, b))
    }

    /// How many differences there are.
    pub fn differences(&self) -> usize {
        let found = match &self.found {
            Found::Views(views) => views.missing.len() + views.late.len(),
            Found::Runs(probers) => {
                probers.iter().flat_map(|prober| &prober.changes).filter(|change| change.differs).count()
            }
        };
        found + usize::from(self.outcomes_differ().is_some())
    }
}

/// All that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// What the captures are to each other.
    pub relation: Relation,
    /// The connections in both of which at least one has keepalives.
    pub pairs: Vec<Pair<'a>>,
    /// Connections with keepalives in the first only.
    pub only_in_a: Vec<&'a ConnectionRecord>,
    /// Connections with keepalives in the second only.
    pub only_in_b: Vec<&'a ConnectionRecord>,
}

impl Comparison<'_> {
    /// How many differences there are; a connection that is in one capture only is one.
    pub fn differences(&self) -> usize {
        let pairs: usize = self.pairs.iter().map(Pair::differences).sum();
        pairs + self.only_in_a.len() + self.only_in_b.len()
    }
}

/// Compares the connections of two captures; pairs of which neither is wanted are left out.
pub fn compare<'a>(
    a: &'a [ConnectionRecord],
    b: &'a [ConnectionRecord],
    settings: Settings,
    wanted: impl Fn(&ConnectionRecord) -> bool,
) -> Comparison<'a> {
    let mut drafts = pairing::pair(a, b, settings.nat);
    let agreement = views::agreement(&drafts.pairs);
    if agreement.is_none() && !settings.nat {
        drafts.pair_by_addresses();
    }
    let (only_in_a, only_in_b) = (drafts.only_in_a, drafts.only_in_b);
    let shown = |record: &&ConnectionRecord| record.has_keepalives() && wanted(record);
    let drafts = drafts.pairs.into_iter().filter(|draft| {
        (draft.a.has_keepalives() || draft.b.has_keepalives()) && (wanted(draft.a) || wanted(draft.b))
    });
    let mut comparison = Comparison {
        relation: Relation::NothingInCommon,
        pairs: Vec::new(),
        only_in_a: only_in_a.into_iter().filter(shown).collect(),
        only_in_b: only_in_b.into_iter().filter(shown).collect(),
    };
    match agreement {
        Some(agreement) => {
            let drafts: Vec<_> = drafts.collect();
            let (clocks, found) = views::look(&drafts, &agreement, (a, b), settings);
            let pairs = drafts.into_iter().zip(found);
            comparison.pairs = pairs.map(|(draft, views)| draft.with(Found::Views(views))).collect();
            comparison.relation = Relation::SamePackets(clocks);
        }
        None => {
            let changes = |draft: pairing::Draft<'a>| {
                let probers = runs::changes(&draft, settings.tolerance);
                draft.with(Found::Runs(probers))
            };
            comparison.pairs = drafts.map(changes).collect();
            if !comparison.pairs.is_empty() {
                comparison.relation = Relation::DifferentRuns;
            }
        }
    }
    if comparison.pairs.is_empty() {
        comparison.relation = Relation::NothingInCommon;
    }
    comparison
}
