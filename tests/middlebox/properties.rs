//! Packets that nobody in his senses sends.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use keepscope::segment::{Flags, IcmpKind};
use keepscope::simulate::middlebox::description::{
    Adaptive, AtExpiry, Direction, Input, Ports, Proxy, ProxyClose, Refresh, Router, Stray, Table, Towards,
    Tracker, WhenFull,
};
use keepscope::simulate::middlebox::{BoxAction, BoxEvent, Description, Ends, Mapping, MappingId, Side};
use keepscope::simulate::packet::{Packet, TcpPacket};
use keepscope::time::{Span, Timestamp};
use proptest::prelude::*;

use crate::conntrack::{from, with_syn_options};
use crate::flows::{Plan, Sent};
use crate::kit::{CLIENT, Driven, ROUTER_OUTSIDE, SERVER, end, linux, nat, router, secs, tcp, tracker};

/// Flows by chance: mostly a handshake, then whatever comes near the window or not near it at all.
pub fn random_plan(name: &'static str, seed: u64) -> Plan {
    let mut random = Random(seed.max(1));
    let rounds = 14;
    let flows: Vec<Vec<Option<Sent>>> = (0..120).map(|_| random.flow(rounds)).collect();
    let names = (0..flows.len()).map(|index| format!("flow {index}")).collect();
    let mut sysctls: BTreeMap<String, i64> = BTreeMap::from([("net.ipv4.icmp_ratelimit".to_owned(), 0)]);
    for (timeout, seconds) in [
        ("timeout_established", 9000),
        ("timeout_syn_sent", 610),
        ("timeout_syn_recv", 550),
        ("timeout_fin_wait", 500),
        ("timeout_close_wait", 470),
        ("timeout_last_ack", 440),
        ("timeout_time_wait", 390),
        ("timeout_close", 320),
        ("timeout_max_retrans", 290),
        ("timeout_unacknowledged", 280),
        ("loose", 1),
    ] {
        sysctls.insert(format!("net.netfilter.nf_conntrack_tcp_{timeout}"), seconds);
    }
    Plan {
        name,
        sysctls,
        nat: Some("masquerade"),
        input: None,
        invalid: None,
        opens: None,
        rounds: vec![0.0; rounds],
        names,
        flows,
    }
}

/// A generator that is the same everywhere (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn flow(&mut self, rounds: usize) -> Vec<Option<Sent>> {
        // What each end sends next.
        let mut next = [1000_u32, 5000];
        let opens = self.below(10) < 8;
        let mut flow = Vec::new();
        if opens {
            let mut syn = from("client", "S", 1000, 0);
            let mut answer = from("server", "SA", 5000, 1001);
            with_syn_options(&mut syn);
            with_syn_options(&mut answer);
            flow.extend([Some(syn), Some(answer)]);
            next = [1001, 5001];
        }
        while flow.len() < rounds {
            let packet = (self.below(10) > 0).then(|| self.packet(&mut next, opens || !flow.is_empty()));
            flow.push(packet);
        }
        flow
    }

    /// Only the client begins, so that no two connections want the same ends.
    fn packet(&mut self, next: &mut [u32; 2], begun: bool) -> Sent {
        let who = if begun { self.below(2) as usize } else { 0 };
        let (own, peer) = (next[who], next[1 - who]);
        let seq = own
            .wrapping_add_signed(self.of(&[0, 0, 0, 0, -1, -1, -1, 1, -100, -100_000, 70_000, 10_000_000]));
        let ack = peer.wrapping_add_signed(self.of(&[0, 0, 0, 0, 0, 0, -1, 1, 1000, -100_000]));
        let flags = self
            .of(&["A", "A", "A", "A", "A", "PA", "PA", "FA", "FA", "R", "RA", "S", "SA", "P", "SF", "FAU"]);
        let mut sent = from(["client", "server"][who], flags, seq, ack);
        sent.window = self.of(&[502, 502, 502, 0, 64_240]);
        if flags == "PA" {
            sent.octets = self.of(&[1, 10, 100]);
        }
        if flags == "S" || flags == "SA" {
            with_syn_options(&mut sent);
        }
        if self.below(20) == 0 {
            sent.ttl = 1;
        }
        // Most of what lies at its place was meant.
        if seq == own && self.below(4) > 0 {
            let numbers = u32::from(flags.contains('F')) + u32::from(flags.contains('S'));
            next[who] = own.wrapping_add(u32::from(sent.octets) + numbers);
        }
        sent
    }
}

/// A packet for a box in the middle, from some of a few ends, at some time after the one before.
fn any_packet() -> impl Strategy<Value = (i64, Side, TcpPacket)> {
    let ends = (0_u16..3, 0_u16..3, 0_u8..4);
    let numbers = (0_u32..12, 0_u32..12, prop_oneof![Just(0_u16), Just(1), Just(100)]);
    let wait = prop_oneof![
        0_i64..2_000_000_000,
        Just(0_i64),
        Just(30_000_000_000),
        Just(350_000_000_000),
        0_i64..400_000_000_000
    ];
    (wait, any::<bool>(), ends, 0_u8..64, numbers, prop_oneof![Just(64_u8), Just(1), Just(0)]).prop_map(
        |(wait, inward, (client, server, to), bits, (seq, ack, octets), ttl)| {
            let client = match to {
                // The NAT's own address, or one that nobody has.
                0 if inward => end(ROUTER_OUTSIDE, 4000 + client),
                1 if inward => end(Ipv4Addr::new(203, 0, 113, 1), 4000 + client),
                _ => end(CLIENT, 4000 + client),
            };
            let server = end(SERVER, 443 + server);
            let (side, source, destination) =
                if inward { (Side::Outside, server, client) } else { (Side::Inside, client, server) };
            // Numbers near those of a handshake, and a few far away.
            let near = |number: u32, base: u32| match number {
                10 => base.wrapping_add(1 << 31),
                11 => 0,
                _ => base.wrapping_add(number).wrapping_sub(3),
            };
            let (seq, ack) =
                if inward { (near(seq, 5000), near(ack, 1000)) } else { (near(seq, 1000), near(ack, 5000)) };
            let packet =
                TcpPacket { flags: Flags(bits), octets, ttl, ..tcp(source, destination, "A", seq, ack) };
            (wait, side, packet)
        },
    )
}

fn any_description() -> impl Strategy<Value = Description> {
    let router = prop_oneof![
        Just(router()),
        Just(nat(Ports::Preserved)),
        Just(nat(Ports::Random)),
        Just(Router { inside_is_routed: false, input: Input::Drop, ..nat(Ports::Preserved) }),
    ];
    let stray = || {
        prop_oneof![
            Just(Stray::Drop),
            Just(Stray::Reset),
            Just(Stray::Create),
            Just(Stray::Pass),
            Just(Stray::Icmp(IcmpKind::Unreachable(13)))
        ]
    };
    let refresh = prop_oneof![Just(Direction::Both), Just(Direction::Outward), Just(Direction::Inward)];
    let sweep = prop_oneof![Just(None), Just(Some(secs(10)))];
    let expiry = prop_oneof![Just(AtExpiry::Nothing), Just(AtExpiry::Reset(Towards::Both))];
    let table = prop_oneof![
        Just(None),
        Just(Some(Table { limit: 2, when_full: WhenFull::Refuse })),
        Just(Some(Table { limit: 2, when_full: WhenFull::EvictLongestSilent })),
    ];
    let kind = 0..3;
    (kind, router, (stray(), stray()), refresh, any::<bool>(), sweep, expiry, table, any::<bool>()).prop_map(
        |(kind, router, (inside, outside), direction, flag, sweep, at_expiry, table, adaptive)| match kind {
            0 => {
                let mut rules = linux(router);
                rules.tcp_loose = flag;
                rules.drop_invalid = adaptive;
                rules.max = table.map(|table| table.limit);
                rules.opens = direction;
                Description::Conntrack(rules)
            }
            1 => Description::Proxy(Proxy {
                listen: end(SERVER, 443),
                backends: vec![end(SERVER, 443), end(SERVER, 444)],
                address: IpAddr::V4(ROUTER_OUTSIDE),
                timeout_client: flag.then_some(secs(50)),
                timeout_server: adaptive.then_some(secs(350)),
                close_client: ProxyClose::Finish,
                close_server: if flag { ProxyClose::FinishThenReset } else { ProxyClose::Reset },
                keepalive_client: None,
                keepalive_server: None,
            }),
            _ => Description::Tracker(Tracker {
                stray_from_inside: inside,
                stray_from_outside: outside,
                refresh: Refresh { direction, only_data: flag },
                sweep,
                adaptive: sweep.filter(|_| adaptive).map(|_| Adaptive { start: 2, end: 6 }),
                at_expiry,
                table,
                ..tracker(router)
            }),
        },
    )
}

/// Mappings as events tell of them.
#[derive(Default)]
struct Live {
    mappings: BTreeMap<MappingId, (Mapping, Timestamp)>,
    told: usize,
}

impl Live {
    fn read(&mut self, driven: &Driven) {
        for BoxEvent { time, mapping, what } in driven.events.iter().skip(self.told) {
            let Some(mapping) = mapping else { continue };
            match *what {
                BoxAction::Created { timeout, .. } => {
                    for (other, _) in self.mappings.values() {
                        assert_ne!(other.inside, mapping.inside, "two mappings of the same ends inside");
                        assert_ne!(other.outside, mapping.outside, "two mappings of the same ends outside");
                    }
                    let before = self.mappings.insert(mapping.id, (*mapping, time.plus(timeout)));
                    assert!(before.is_none(), "a number is used again");
                }
                BoxAction::Refreshed { timeout, .. } => {
                    let known = self.mappings.get_mut(&mapping.id);
                    let (_, deadline) = known.expect("a mapping that is refreshed is known");
                    *deadline = time.plus(timeout);
                }
                BoxAction::Expired { .. } | BoxAction::Removed { .. } => {
                    assert!(self.mappings.remove(&mapping.id).is_some(), "what is forgotten was known");
                }
                _ => {}
            }
        }
        self.told = driven.events.len();
    }
}

/// What passed must be what came, with one hop less and the ends of one and the same mapping.
fn check_passed(mappings: &[Mapping], from: Side, packet: &TcpPacket, left: &[(Side, Packet)]) {
    let passed = left.iter().filter_map(|(side, left)| match left {
        Packet::Tcp(left) if *side == from.other() && left.ip_id == packet.ip_id => Some(left),
        _ => None,
    });
    for left in passed {
        let ends = |side: Side, packet: &TcpPacket| match side {
            Side::Inside => Ends { client: packet.source, server: packet.destination },
            Side::Outside => Ends { client: packet.destination, server: packet.source },
        };
        // Seen from the side it came from, and from the side it left on.
        let (came, went) = match from {
            Side::Inside => (ends(Side::Inside, packet), ends(Side::Inside, left)),
            Side::Outside => (ends(Side::Outside, packet), ends(Side::Outside, left)),
        };
        let mapped = mappings.iter().any(|mapping| match from {
            Side::Inside => (mapping.inside, mapping.outside) == (came, went),
            Side::Outside => (mapping.outside, mapping.inside) == (came, went),
        });
        assert!(mapped || came == went, "{came:?} became {went:?}");
        assert_eq!(left.ttl + 1, packet.ttl, "one hop");
        let same =
            TcpPacket { source: packet.source, destination: packet.destination, ttl: packet.ttl, ..*left };
        assert_eq!(same, *packet, "nothing else is touched");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_mappings_are_one_to_one_and_do_not_outlive_their_timers(
        description in any_description(),
        packets in proptest::collection::vec(any_packet(), 1..60),
    ) {
        let mut driven = Driven::new(&description);
        let mut live = Live::default();
        let mut now = Timestamp::default();
        let slack = match &description {
            Description::Tracker(rules) => rules.sweep.unwrap_or(Span::ZERO),
            _ => Span::ZERO,
        };
        let is_proxy = matches!(description, Description::Proxy(_));
        for (wait, side, packet) in packets {
            now = now.plus(Span::from_nanos(wait));
            driven.until(now);
            live.read(&driven);
            // A RST may be the last that its mapping translates.
            let mut mappings: Vec<Mapping> = live.mappings.values().map(|(mapping, _)| *mapping).collect();
            let left = driven.give(now, side, packet);
            live.read(&driven);
            if is_proxy {
                continue;
            }
            mappings.extend(live.mappings.values().map(|(mapping, _)| *mapping));
            check_passed(&mappings, side, &packet, &left);
            for (mapping, deadline) in live.mappings.values() {
                prop_assert!(deadline.plus(slack) > now, "{mapping:?} should be gone since {deadline}");
            }
            prop_assert!(live.mappings.is_empty() || driven.next_timeout().is_some());
        }
        // All is forgotten some time, and then nothing is left to wait for.
        let end = now.plus(secs(1_000_000));
        driven.until(end);
        live.read(&driven);
        prop_assert!(is_proxy || live.mappings.is_empty());
        prop_assert!(is_proxy || driven.next_timeout().is_none());
    }
}
