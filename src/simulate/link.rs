//! Links: what a wire, or a provider, does to packets between two places.
//!
//! Owns [`LinkSpec`], its [`Lane`]s and how a packet fares on one. Every packet draws the same number of random
//! numbers whatever the lane is like, so that two runs of one seed differ only by what was changed. Uses
//! [`super::chance`] and [`super::packet`].

use std::net::IpAddr;

use super::chance::Chance;
use super::packet::Packet;
use crate::time::{Span, Timestamp};

/// A link between two places on the path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkSpec {
    /// Towards the server.
    pub up: Lane,
    /// Towards the client.
    pub down: Lane,
    /// The routers on it, from the client on. Each takes one from the TTL, and says so when that ends there.
    pub routers: Vec<IpAddr>,
}

impl LinkSpec {
    /// A link that is the same in both directions, with no router on it.
    pub fn both(lane: Lane) -> Self {
        Self { up: lane.clone(), down: lane, routers: Vec::new() }
    }
}

/// One direction of a link. The default is a perfect wire without length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lane {
    /// How long every packet takes at least, behind the serialisation.
    pub delay: Span,
    /// Up to this much longer, evenly; the order of packets stays.
    pub jitter: Span,
    /// How packets are lost.
    pub loss: Loss,
    /// The share of packets that arrive twice, 0 to 1; the second comes right behind the first.
    pub duplicate: f64,
    /// The share of packets that let others overtake them, 0 to 1.
    pub reorder: f64,
    /// How much longer those take.
    pub reorder_by: Span,
    /// Bits a second; a packet waits until those before it have left. Absent: as many as there are.
    pub rate: Option<u64>,
    /// Times, from the start of the simulation on, during which nothing gets in.
    pub outages: Vec<Outage>,
    /// Packets that are lost whatever chance says, counted from 1.
    pub lose_packets: Vec<u64>,
    /// Keepalive probes that are lost whatever chance says, counted from 1.
    pub lose_probes: Vec<u64>,
}

/// A time without link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// From here, since the start of the simulation.
    pub from: Span,
    /// Up to, not including, here; for good if absent.
    pub until: Option<Span>,
}

/// How packets are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// Not by chance.
    #[default]
    Never,
    /// Each for itself.
    Independent {
        /// The share of packets, 0 to 1.
        share: f64,
    },
    /// In bursts (Gilbert and Elliott): the lane is good or bad, and may change before each packet.
    Bursts {
        /// How likely a good lane turns bad, 0 to 1.
        begin: f64,
        /// How likely a bad lane turns good, 0 to 1.
        end: f64,
        /// The share lost while it is good, 0 to 1.
        good: f64,
        /// The share lost while it is bad, 0 to 1.
        bad: f64,
    },
}

/// Why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossCause {
    /// By chance.
    Chance,
    /// By chance, in a burst.
    Burst,
    /// The link was out.
    Outage,
    /// It was chosen.
    Chosen,
}

impl LossCause {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            LossCause::Chance => "chance",
            LossCause::Burst => "burst",
            LossCause::Outage => "outage",
            LossCause::Chosen => "chosen",
        }
    }
}

/// What became of a packet on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Lost(LossCause),
    Arrives { at: Timestamp, again: Option<Timestamp> },
}

/// A lane in use.
#[derive(Debug)]
pub(super) struct LaneState {
    lane: Lane,
    start: Timestamp,
    chance: Chance,
    bad: bool,
    free_at: Timestamp,
    last_arrival: Timestamp,
    packets: u64,
    probes: u64,
}

/// How long a second copy of a packet is behind the first.
const COPY_GAP: Span = Span::from_micros(1);

impl LaneState {
    pub(super) fn new(lane: Lane, start: Timestamp, chance: Chance) -> Self {
        Self { lane, start, chance, bad: false, free_at: start, last_arrival: start, packets: 0, probes: 0 }
    }

    pub(super) fn delay(&self) -> Span {
        self.lane.delay
    }

    /// A packet gets on the lane.
    pub(super) fn send(&mut self, now: Timestamp, packet: &Packet, is_probe: bool) -> Fate {
        self.packets += 1;
        self.probes += u64::from(is_probe);
        // The order of these draws, and that all are made, is part of what a seed means.
        let turn = self.chance.share();
        let lost = self.chance.share();
        let late = self.chance.span(self.lane.jitter.max(Span::from_nanos(1)));
        let held_back = self.chance.share() < self.lane.reorder;
        let twice = self.chance.share() < self.lane.duplicate;
        if let Some(cause) = self.loses(now, turn, lost, is_probe) {
            return Fate::Lost(cause);
        }
        let mut left = now;
        if let Some(rate) = self.lane.rate {
            left = now.max(self.free_at).plus(serialisation(wire_len(packet), rate));
            self.free_at = left;
        }
        let arrival = left.plus(self.lane.delay).plus(late);
        let at = if held_back {
            arrival.plus(self.lane.reorder_by)
        } else {
            self.last_arrival = self.last_arrival.max(arrival);
            self.last_arrival
        };
        Fate::Arrives { at, again: twice.then(|| at.plus(COPY_GAP)) }
    }

    fn loses(&mut self, now: Timestamp, turn: f64, lost: f64, is_probe: bool) -> Option<LossCause> {
        let by_chance = match self.lane.loss {
            Loss::Never => None,
            Loss::Independent { share } => (lost < share).then_some(LossCause::Chance),
            Loss::Bursts { begin, end, good, bad } => {
                self.bad = if self.bad { turn >= end } else { turn < begin };
                let (share, cause) =
                    if self.bad { (bad, LossCause::Burst) } else { (good, LossCause::Chance) };
                (lost < share).then_some(cause)
            }
        };
        let since = now.since(self.start);
        let is_out = |outage: &Outage| since >= outage.from && outage.until.is_none_or(|until| since < until);
        if self.lane.outages.iter().any(is_out) {
            return Some(LossCause::Outage);
        }
        let chosen = self.lane.lose_packets.contains(&self.packets)
            || (is_probe && self.lane.lose_probes.contains(&self.probes));
        if chosen { Some(LossCause::Chosen) } else { by_chance }
    }
}

fn serialisation(octets: u64, rate: u64) -> Span {
    let nanos = u128::from(octets) * 8 * 1_000_000_000 / u128::from(rate.max(1));
    Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Octets of the IP packet.
pub(super) fn wire_len(packet: &Packet) -> u64 {
    match packet {
        Packet::Tcp(segment) => segment.wire_len(),
        Packet::Icmp(error) => 28 + error.about.wire_len().min(128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{Endpoint, Flags, Options, SeqNum};
    use crate::simulate::chance::Stream;
    use crate::simulate::packet::TcpPacket;

    fn packet(octets: u16) -> Packet {
        let end = |address: &str| Endpoint { address: address.parse().unwrap(), port: 1 };
        Packet::Tcp(TcpPacket {
            source: end("192.0.2.1"),
            destination: end("198.51.100.1"),
            seq: SeqNum(1),
            ack: SeqNum(1),
            flags: Flags::ACK,
            window: 1,
            octets,
            ttl: 64,
            dont_fragment: true,
            ip_id: 1,
            options: Options::default(),
        })
    }

    fn state(lane: Lane) -> LaneState {
        LaneState::new(lane, Timestamp::default(), Chance::new(3, Stream::Link { index: 0, up: true }))
    }

    #[test]
    fn a_rate_makes_packets_wait_for_one_another() {
        let mut lane = state(Lane { rate: Some(8_000), delay: Span::from_millis(10), ..Lane::default() });
        let at = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
        // 40 octets at 8 kbit/s take 40 ms.
        for arrival in [50, 90, 130] {
            let fate = lane.send(at(0), &packet(0), false);
            assert_eq!(fate, Fate::Arrives { at: at(arrival), again: None });
        }
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let arrivals = |lane: Lane| {
            let mut lane = state(lane);
            let times =
                (0..1000).map(|step| lane.send(Timestamp::from_nanos(step * 1000), &packet(0), false));
            times
                .map(|fate| match fate {
                    Fate::Arrives { at, .. } => at,
                    Fate::Lost(cause) => panic!("{cause:?}"),
                })
                .collect::<Vec<_>>()
        };
        let jitter = Span::from_millis(5);
        assert!(arrivals(Lane { jitter, ..Lane::default() }).is_sorted());
        let late = Lane { reorder: 0.1, reorder_by: jitter, ..Lane::default() };
        assert!(!arrivals(late).is_sorted());
    }

    #[test]
    fn losses_come_in_the_share_and_the_bursts_that_were_asked_for() {
        let lost = |loss| {
            let mut lane = state(Lane { loss, ..Lane::default() });
            let run = (0..100_000).map(|_| lane.send(Timestamp::default(), &packet(0), false));
            run.map(|fate| matches!(fate, Fate::Lost(_))).collect::<Vec<_>>()
        };
        let count = |run: &[bool]| run.iter().filter(|lost| **lost).count();
        let alone = lost(Loss::Independent { share: 0.1 });
        assert!((9_000..11_000).contains(&count(&alone)), "{}", count(&alone));
        // Bad one time in ten, for ten packets at a time.
        let bursts = lost(Loss::Bursts { begin: 1.0 / 90.0, end: 0.1, good: 0.0, bad: 1.0 });
        assert!((8_000..12_000).contains(&count(&bursts)), "{}", count(&bursts));
        let pairs = |run: &[bool]| run.windows(2).filter(|pair| pair == &[true, true]).count();
        assert!(pairs(&bursts) > 5 * pairs(&alone));
    }

    #[test]
    fn what_is_chosen_is_lost() {
        let lane = Lane {
            outages: vec![Outage { from: Span::from_secs(5), until: Some(Span::from_secs(6)) }],
            lose_packets: vec![2],
            lose_probes: vec![2],
            ..Lane::default()
        };
        let mut lane = state(lane);
        let mut send = |seconds: i64, probe| match lane.send(
            Timestamp::from_nanos(seconds * 1_000_000_000),
            &packet(0),
            probe,
        ) {
            Fate::Lost(cause) => Some(cause),
            Fate::Arrives { .. } => None,
        };
        assert_eq!(
            [send(0, true), send(1, false), send(2, true)],
            [None, Some(LossCause::Chosen), Some(LossCause::Chosen)]
        );
        assert_eq!([send(4, false), send(5, false), send(6, true)], [None, Some(LossCause::Outage), None]);
    }
}
