//! What came of a fleet: counts, rates and how long it took to find dead peers.

use super::{FleetSpec, sizes};
use crate::time::{Span, Timestamp};

/// What came of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetReport {
    /// How much virtual time has passed.
    pub lasted: Span,
    /// Events: timers that fired, segments that were delivered, connections opened, peers that died.
    pub events: u64,
    /// Keepalive probes sent.
    pub probes_sent: u64,
    /// The most probes sent in one second.
    pub probes_peak: u32,
    /// Segments sent, handshakes included.
    pub segments: u64,
    /// Octets of all IP packets sent.
    pub octets: u64,
    /// The most octets sent in one second.
    pub octets_peak: u64,
    /// Segments lost.
    pub lost: u64,
    /// Connections that the clients hold open: what a table on the path has to hold.
    pub open: u32,
    /// The most of them at once.
    pub open_peak: u32,
    /// Of those open, the ones whose peer is dead.
    pub half_open: u32,
    /// The most of them at once.
    pub half_open_peak: u32,
    /// Everybody.
    pub total: GroupReport,
    /// Each group, in the order in which they were given.
    pub groups: Vec<GroupReport>,
    /// Octets that a connection takes in memory.
    pub state_octets: usize,
}

/// What came of the connections of one kind, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupReport {
    /// What it is called.
    pub name: String,
    /// How many there are.
    pub connections: u32,
    /// Keepalive probes sent.
    pub probes: u64,
    /// Probes that were answered, or runs of them.
    pub answered: u64,
    /// Peers that died.
    pub deaths: u32,
    /// Dead peers found by keepalives.
    pub found_by_keepalive: u32,
    /// Dead peers found because data was not acknowledged.
    pub found_by_data: u32,
    /// Connections given up whose peer was alive.
    pub given_up_alive: u32,
    /// From a peer's death until its client gave up.
    pub detection: Distribution,
}

/// How some spans are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// In order.
    sorted: Vec<Span>,
}

impl Distribution {
    fn of(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        Self { sorted: spans }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The least span that at least so many of a hundred do not exceed (nearest rank): 50 for the median, 0 for the
    /// least, 100 for the greatest; nothing if there are none.
    pub fn percentile(&self, percent: u32) -> Option<Span> {
        let len = self.sorted.len() as u64;
        let rank = (len * u64::from(percent.min(100))).div_ceil(100).max(1) - 1;
        self.sorted.get(usize::try_from(rank).unwrap_or(usize::MAX)).copied()
    }

    /// The mean.
    pub fn mean(&self) -> Option<Span> {
        let sum: i128 = self.sorted.iter().map(|span| i128::from(span.as_nanos())).sum();
        let len = i128::try_from(self.sorted.len()).ok().filter(|len| *len > 0)?;
        Some(Span::from_nanos(i64::try_from(sum / len).unwrap_or(i64::MAX)))
    }

    /// All of them, the least first.
    pub fn spans(&self) -> &[Span] {
        &self.sorted
    }
}

/// What is counted while a fleet runs.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) lost: u64,
    pub(super) segments: u64,
    pub(super) octets: u64,
    pub(super) groups: Vec<GroupTally>,
    second: i64,
    probes_now: u32,
    probes_peak: u32,
    octets_now: u64,
    octets_peak: u64,
    open: u32,
    open_peak: u32,
    half_open: u32,
    half_open_peak: u32,
}

/// What is counted for one group.
#[derive(Debug, Default)]
pub(super) struct GroupTally {
    name: String,
    connections: u32,
    pub(super) probes: u64,
    pub(super) answered: u64,
    pub(super) deaths: u32,
    pub(super) by_keepalive: u32,
    pub(super) by_data: u32,
    pub(super) alive: u32,
    pub(super) detection: Vec<Span>,
}

impl Tally {
    pub(super) fn new(spec: &FleetSpec) -> Self {
        let groups = spec.groups.iter().zip(sizes(spec)).map(|(group, connections)| GroupTally {
            name: group.name.clone(),
            connections,
            ..GroupTally::default()
        });
        Self {
            events: 0,
            lost: 0,
            segments: 0,
            octets: 0,
            groups: groups.collect(),
            second: i64::MIN,
            probes_now: 0,
            probes_peak: 0,
            octets_now: 0,
            octets_peak: 0,
            open: 0,
            open_peak: 0,
            half_open: 0,
            half_open_peak: 0,
        }
    }

    pub(super) fn group(&mut self, group: u8) -> Option<&mut GroupTally> {
        self.groups.get_mut(usize::from(group))
    }

    /// A segment leaves.
    pub(super) fn sent(&mut self, now: Timestamp, octets: u64, is_probe: bool) {
        let second = now.as_nanos().div_euclid(1_000_000_000);
        if second != self.second {
            self.second = second;
            (self.probes_now, self.octets_now) = (0, 0);
        }
        self.segments += 1;
        self.octets += octets;
        self.octets_now += octets;
        self.octets_peak = self.octets_peak.max(self.octets_now);
        self.probes_now += u32::from(is_probe);
        self.probes_peak = self.probes_peak.max(self.probes_now);
    }

    pub(super) fn opened(&mut self) {
        self.open += 1;
        self.open_peak = self.open_peak.max(self.open);
    }

    pub(super) fn closed(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    pub(super) fn half_opened(&mut self) {
        self.half_open += 1;
        self.half_open_peak = self.half_open_peak.max(self.half_open);
    }

    pub(super) fn half_open_found(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    pub(super) fn report(&self, lasted: Span, state_octets: usize) -> FleetReport {
        let groups: Vec<GroupReport> = self.groups.iter().map(GroupTally::report).collect();
        let mut total = GroupReport { name: "total".to_owned(), ..GroupReport::default() };
        let mut detection = Vec::new();
        for group in &groups {
            total.connections += group.connections;
            total.probes += group.probes;
            total.answered += group.answered;
            total.deaths += group.deaths;
            total.found_by_keepalive += group.found_by_keepalive;
            total.found_by_data += group.found_by_data;
            total.given_up_alive += group.given_up_alive;
            detection.extend_from_slice(group.detection.spans());
        }
        total.detection = Distribution::of(detection);
        FleetReport {
            lasted,
            events: self.events,
            probes_sent: total.probes,
            probes_peak: self.probes_peak,
            segments: self.segments,
            octets: self.octets,
            octets_peak: self.octets_peak,
            lost: self.lost,
            open: self.open,
            open_peak: self.open_peak,
            half_open: self.half_open,
            half_open_peak: self.half_open_peak,
            total,
            groups,
            state_octets,
        }
    }
}

impl GroupTally {
    fn report(&self) -> GroupReport {
        GroupReport {
            name: self.name.clone(),
            connections: self.connections,
            probes: self.probes,
            answered: self.answered,
            deaths: self.deaths,
            found_by_keepalive: self.by_keepalive,
            found_by_data: self.by_data,
            given_up_alive: self.alive,
            detection: Distribution::of(self.detection.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let of = |seconds: &[i64]| Distribution::of(seconds.iter().copied().map(Span::from_secs).collect());
        let four = of(&[4, 1, 3, 2]);
        let at = |percent| four.percentile(percent).map(|span| span.as_nanos() / 1_000_000_000);
        assert_eq!([0, 25, 26, 50, 75, 99, 100].map(at), [1, 1, 2, 2, 3, 4, 4].map(Some));
        assert_eq!(four.mean(), Some(Span::from_millis(2500)));
        assert_eq!((of(&[]).percentile(50), of(&[]).mean()), (None, None));
    }
}
