//! Programs run in an interpreter, over packets and over noise.

use proptest::prelude::*;

use super::*;
use crate::analysis::filter::Filter as Expression;
use crate::segment::encode::{IcmpOutbound, Outbound};
use crate::segment::{Endpoint, Flags, IcmpKind, Options, SeqNum, TcpTimestamps};
use crate::time::Timestamp;
use crate::track::event::{Mark, Opened, Start};

/// Runs a program as the kernel would (Documentation/networking/filter.rst): on the packet from its network
/// header on, and the way it goes. Any fault is a panic; a load behind the end drops the packet.
fn run(program: &[Instruction], packet: &[u8], packet_type: u8) -> bool {
    let (mut a, mut x, mut memory) = (0_u32, 0_u32, [None; 16]);
    let mut at = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let offset = |base: u32| usize::try_from(base.wrapping_sub(NETWORK_HEADER)).unwrap();
        let octets = |from: usize, length: usize| -> Option<u32> {
            let octets = packet.get(from..from + length)?;
            Some(octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
        };
        let mut jump = |holds: bool| at += usize::from(if holds { jt } else { jf });
        let loaded = match code {
            0x30 if k == PACKET_TYPE => Some(u32::from(packet_type)),
            0x30 => octets(offset(k), 1),
            0x28 => octets(offset(k), 2),
            0x20 => octets(offset(k), 4),
            0x50 => octets(offset(k.wrapping_add(x)), 1),
            0x48 => octets(offset(k.wrapping_add(x)), 2),
            0x00 => Some(k),
            0x60 => Some(memory[k as usize].expect("read before it was written")),
            0x61 => {
                x = memory[k as usize].expect("read before it was written");
                continue;
            }
            0xb1 => match octets(offset(k), 1) {
                Some(octet) => {
                    x = (octet & 15) * 4;
                    continue;
                }
                None => None,
            },
            0x02 => {
                memory[k as usize] = Some(a);
                continue;
            }
            0x1c => Some(a.wrapping_sub(x)),
            0x54 => Some(a & k),
            0x74 => Some(a >> k),
            0x87 => Some(x),
            0x07 => {
                x = a;
                continue;
            }
            0x05 => {
                at += k as usize;
                continue;
            }
            0x15 => {
                jump(a == k);
                continue;
            }
            0x25 => {
                jump(a > k);
                continue;
            }
            0x35 => {
                jump(a >= k);
                continue;
            }
            0x45 => {
                jump(a & k != 0);
                continue;
            }
            0x06 => return k != 0,
            other => panic!("instruction {other:#x}"),
        };
        match loaded {
            Some(value) => a = value,
            None => return false,
        }
    }
}

fn passes(filter: &Filter, packet: &[u8]) -> bool {
    run(&filter.program(false), packet, 0)
}

fn end(text: &str) -> Endpoint {
    let address: SocketAddr = text.parse().unwrap();
    Endpoint { address: address.ip(), port: address.port() }
}

fn segment(source: &str, destination: &str, flags: Flags, options: Options, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let outbound = Outbound {
        source: end(source),
        destination: end(destination),
        seq: SeqNum(1),
        ack: SeqNum(2),
        flags,
        window: 500,
        options,
        payload,
        ttl: 64,
        ip_id: 1,
        dont_fragment: true,
    };
    outbound.packet(&mut packet).unwrap();
    packet
}

fn ack(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
    segment(source, destination, Flags::ACK, Options::default(), payload)
}

const US: [&str; 2] = ["192.0.2.1:40000", "[2001:db8::1]:40000"];
const PEER: [&str; 2] = ["198.51.100.2:443", "[2001:db8::2]:443"];
const OTHERS: [[&str; 3]; 2] = [
    ["198.51.100.2:444", "198.51.100.3:443", "198.51.101.2:443"],
    ["[2001:db8::2]:444", "[2001:db8::3]:443", "[2001:db9::2]:443"],
];

fn peers(peers: &[&str]) -> Filter {
    Filter::Peers(peers.iter().map(|peer| peer.parse().unwrap()).collect())
}

#[test]
fn only_the_peers_pass_in_both_directions() {
    let both = peers(&PEER);
    for family in 0..2 {
        let (us, peer) = (US[family], PEER[family]);
        assert!(passes(&both, &ack(us, peer, &[])));
        assert!(passes(&both, &ack(peer, us, &[0; 1000])));
        for other in OTHERS[family] {
            assert!(!passes(&both, &ack(us, other, &[])), "{other}");
            assert!(!passes(&both, &ack(other, us, &[])), "{other}");
        }
        // A peer of one IP version lets nothing of the other through.
        assert!(!passes(&peers(&[PEER[1 - family]]), &ack(us, peer, &[])));
        assert!(!passes(&Filter::Nothing, &ack(us, peer, &[])));
        assert!(passes(&Filter::Tcp, &ack(us, OTHERS[family][0], &[0; 1000])));
    }
}

#[test]
fn as_many_peers_as_there_are_do_not_interfere() {
    let all = |count: usize| -> Vec<SocketAddr> {
        (0..count)
            .map(|number| {
                let number = u16::try_from(number).unwrap();
                SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 9, number).into(), 1000 + number)
            })
            .collect()
    };
    for count in [1, 2, MAX_PEERS, MAX_PEERS + 1] {
        let program = Filter::Peers(all(count)).program(true);
        assert!(program.len() <= 4096, "{} instructions for {count} peers", program.len());
    }
    let peers = all(MAX_PEERS);
    let program = Filter::Peers(peers.clone()).program(false);
    for peer in &peers {
        assert!(run(&program, &ack(US[1], &peer.to_string(), &[]), 0));
        let port = SocketAddr::new(peer.ip(), peer.port() + 1).to_string();
        assert!(!run(&program, &ack(US[1], &port, &[]), 0));
    }
    // More than a program can name: everything passes, and nobody is missed.
    assert!(passes(&Filter::Peers(all(MAX_PEERS + 1)), &ack(US[0], PEER[0], &[])));
}

#[test]
fn small_segments_and_events_pass_and_data_does_not() {
    let stamped = Options { timestamps: Some(TcpTimestamps { value: 1, echo: 2 }), ..Options::default() };
    for family in 0..2 {
        for options in [Options::default(), stamped] {
            for (flags, payload, wanted) in [
                (Flags::ACK, 0, true),
                (Flags::ACK, 1, true),
                (Flags::ACK, 2, false),
                (Flags::ACK.with(Flags::PSH), 1400, false),
                (Flags::SYN, 0, true),
                (Flags::FIN.with(Flags::ACK), 1400, true),
                (Flags::RST, 5, true),
            ] {
                let packet = segment(US[family], PEER[family], flags, options, &vec![0; payload]);
                assert_eq!(passes(&Filter::SmallTcp, &packet), wanted, "{flags:?} with {payload}");
                assert!(passes(&Filter::Tcp, &packet));
            }
        }
    }
}

#[test]
fn errors_about_tcp_pass_and_other_icmp_does_not() {
    for family in 0..2 {
        let quoted = ack(US[family], PEER[family], &[]);
        for kind in [IcmpKind::Unreachable(1), IcmpKind::TimeExceeded(0), IcmpKind::PacketTooBig] {
            let error = IcmpOutbound {
                reporter: end(PEER[family]).address,
                destination: end(US[family]).address,
                kind,
                quoted: &quoted,
                ttl: 63,
                ip_id: 1,
            };
            let mut packet = Vec::new();
            error.packet(&mut packet).unwrap();
            for filter in [peers(&PEER), Filter::Tcp, Filter::SmallTcp] {
                assert!(passes(&filter, &packet), "{kind:?}");
            }
            // An echo request, and an error about UDP.
            let icmp = if family == 0 { 20 } else { 40 };
            let mut echo = packet.clone();
            echo[icmp] = if family == 0 { 8 } else { 128 };
            assert!(!passes(&Filter::Tcp, &echo));
            packet[icmp + 8 + if family == 0 { 9 } else { 6 }] = 17;
            assert!(!passes(&Filter::Tcp, &packet));
        }
    }
}

#[test]
fn fragments_and_extension_headers_are_kept_by_their_addresses() {
    let mut later = ack(US[0], PEER[0], &[0; 40]);
    later[6] = 0;
    later[7] = 5;
    assert!(passes(&peers(&PEER), &later));
    assert!(!passes(&peers(&["198.51.100.3:443"]), &later));
    let mut extended = ack(US[1], PEER[1], &[0; 40]);
    extended[6] = 60;
    extended[40] = 6;
    assert!(passes(&peers(&PEER), &extended));
    for other in [17, 58] {
        extended[40] = other;
        assert!(!passes(&peers(&PEER), &extended));
    }
    extended[40] = 44;
    assert!(!passes(&peers(&["[2001:db8::3]:443"]), &extended));
}

#[test]
fn options_of_ipv4_move_the_ports() {
    let plain = ack(US[0], PEER[0], &[]);
    let mut long = plain[..20].to_vec();
    long[0] = 0x46;
    long[3] += 4;
    long.extend_from_slice(&[1, 1, 1, 0]);
    long.extend_from_slice(&plain[20..]);
    assert!(passes(&peers(&PEER), &long));
    assert!(!passes(&peers(&["198.51.100.2:444"]), &long));
    assert!(passes(&Filter::SmallTcp, &long));
}

#[test]
fn a_packet_that_leaves_is_left_out_where_it_comes_again() {
    let packet = ack(US[0], PEER[0], &[]);
    let program = Filter::Tcp.program(true);
    assert!(run(&program, &packet, 0));
    assert!(!run(&program, &packet, 4));
}

fn ends(expression: &str) -> Filter {
    Filter::ends(expression.parse::<Expression>().unwrap().conditions())
}

#[test]
fn ends_narrow_what_passes() {
    for family in 0..2 {
        let (us, peer) = (US[family], PEER[family]);
        let address = end(peer).address;
        for (expression, wanted) in [
            ("port:443", true),
            ("port:444", false),
            ("port:1,40000", true),
            ("port:443 port:40000", true),
            ("port:443 port:40001", false),
            ("!port:443", false),
            ("!port:444", true),
            ("192.0.2.0/24,2001:db8::/32", true),
            ("192.0.2.0/32,2001:db9::/32", false),
            ("0.0.0.0/0,::/0", true),
            (peer, true),
            (&format!("server:{us}"), true),
            (&format!("addr:{address} !server:443"), true),
            (&format!("addr:{address} !port:443"), false),
            ("443 alive", true),
            ("444 alive", false),
            ("444,alive", true),
            ("!443,alive", false),
        ] {
            let filter = ends(expression);
            assert_eq!(passes(&filter, &ack(us, peer, &[0; 100])), wanted, "{expression} {peer}");
            assert_eq!(passes(&filter, &ack(peer, us, &[])), wanted, "{expression} {peer}");
        }
    }
    // An expression that says nothing of ends, and one that is too long.
    assert_eq!(ends("alive !client:443"), Filter::Tcp);
    let many: Vec<String> = (1..=400).map(|port| port.to_string()).collect();
    let filter = Filter::Ends(many.join(",").parse::<Expression>().unwrap().conditions());
    assert_eq!(ends(&many.join(",")), Filter::Tcp);
    assert_eq!(filter.program(true), Filter::Tcp.program(true));
    assert!(ends(&many[..40].join(",")).program(true).len() <= LONGEST);
    assert!(!passes(&ends(&many[..40].join(",")), &ack(US[0], PEER[0], &[])));
}

/// A packet of a connection, in one of the shapes in which it may come.
fn shaped(shape: u8, packet: Vec<u8>) -> Vec<u8> {
    let is_v4 = packet[0] >> 4 == 4;
    let mut packet = packet;
    match shape {
        0 => {}
        1 if is_v4 => {
            // With options.
            packet[0] = 0x46;
            packet[3] += 4;
            packet.splice(20..20, [1, 1, 1, 0]);
        }
        // A first fragment, and a later one.
        2 if is_v4 => packet[6] = 0x20,
        3 if is_v4 => packet[7] = 5,
        _ if is_v4 => return error_about(&packet),
        // Destination options; a first and a later fragment.
        1..=3 => {
            let header = match shape {
                1 => [6, 0, 1, 4, 0, 0, 0, 0],
                2 => [6, 0, 0, 1, 0, 0, 0, 9],
                _ => [6, 0, 1, 0x70, 0, 0, 0, 9],
            };
            packet[6] = if shape == 1 { 60 } else { 44 };
            packet[5] += 8;
            packet.splice(40..40, header);
        }
        _ => return error_about(&packet),
    }
    packet
}

/// An error by a router between.
fn error_about(quoted: &[u8]) -> Vec<u8> {
    let family = usize::from(quoted[0] >> 4 == 6);
    let error = IcmpOutbound {
        reporter: end(["203.0.113.1:0", "[2001:db8:ff::1]:0"][family]).address,
        destination: end(US[family]).address,
        kind: IcmpKind::Unreachable(1),
        quoted,
        ttl: 63,
        ip_id: 1,
    };
    let mut packet = Vec::new();
    error.packet(&mut packet).unwrap();
    packet
}

fn hosts() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("192.0.2.1"),
        Just("192.0.2.129"),
        Just("198.51.100.1"),
        Just("2001:db8::1"),
        Just("2001:db8::8000:0:0:1"),
        Just("2001:db8:8000::1"),
    ]
}

fn port_numbers() -> impl Strategy<Value = u16> {
    prop_oneof![Just(22_u16), Just(443), Just(40_000)]
}

fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Expressions over a few hosts and ports, so that many fit.
fn expressions() -> impl Strategy<Value = String> {
    let network = |(host, bits): (&str, u8)| {
        let bits = if host.contains(':') { bits } else { bits % 33 };
        format!("{host}/{bits}")
    };
    let places = prop_oneof![
        hosts().prop_map(str::to_owned),
        (hosts(), 0_u8..=128).prop_map(network),
        (hosts(), port_numbers()).prop_map(|(host, port)| with_port(host, port)),
    ]
    .boxed();
    let ports = port_numbers().prop_map(|port| port.to_string()).boxed();
    let ends = prop_oneof![places.clone(), ports.clone()].boxed();
    let outcomes = prop_oneof![Just("alive"), Just("reset")].prop_map(str::to_owned);
    let some = |value: BoxedStrategy<String>| {
        proptest::collection::vec(value, 1..4).prop_map(|values| values.join(","))
    };
    let parties = prop_oneof![Just("client"), Just("server")];
    let terms = prop_oneof![
        4 => some(ends.clone()),
        2 => some(ports).prop_map(|any| format!("port:{any}")),
        2 => some(places).prop_map(|any| format!("addr:{any}")),
        1 => (some(ends.clone()), parties).prop_map(|(any, party)| format!("{party}:{any}")),
        1 => some(prop_oneof![ends, outcomes].boxed()),
    ];
    let signs = prop_oneof![Just(""), Just("!")];
    let terms = (signs, terms).prop_map(|(sign, term)| format!("{sign}{term}"));
    let measured = prop_oneof![Just("ka.lost>0"), Just("/x/"), Just("not alive")].prop_map(str::to_owned);
    let plain = proptest::collection::vec(terms.clone(), 0..4).prop_map(|terms| terms.join(" ")).boxed();
    let some = proptest::collection::vec(prop_oneof![4 => terms, 1 => measured], 1..4);
    let joined = (some, any::<bool>()).prop_map(|(terms, or)| terms.join(if or { " or " } else { " and " }));
    let groups =
        (prop_oneof![Just(""), Just("!")], joined).prop_map(|(sign, joined)| format!("{sign}({joined})"));
    let nested = proptest::collection::vec(groups, 1..3).prop_map(|groups| groups.join(" "));
    prop_oneof![2 => plain, 1 => nested]
}

/// What could belong to a connection that an expression may let pass is never left out; and a whole segment of one
/// that it cannot let pass is, where the expression speaks of nothing but either end.
#[test]
fn whatever_an_expression_may_show_passes() {
    use std::cell::Cell;

    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

    let config = ProptestConfig { cases: 4000, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (left_out, shown) = (Cell::new(0), Cell::new(0));
    let pairs = (hosts(), hosts())
        .prop_filter("one version", |(one, other)| one.contains(':') == other.contains(':'));
    let ports = (port_numbers(), port_numbers());
    runner
        .run(&(expressions(), pairs, ports, any::<bool>()), |(text, hosts, ports, client_sends)| {
            let expression: Expression = text.parse().unwrap();
            let (source, destination) = (with_port(hosts.0, ports.0), with_port(hosts.1, ports.1));
            let (mut client, mut server) = (end(&source), end(&destination));
            if !client_sends {
                std::mem::swap(&mut client, &mut server);
            }
            let first = Mark { frame: Default::default(), time: Timestamp::default() };
            let opened = Opened { client, server, start: Start::Seen, first };
            let filter = Filter::ends(expression.conditions());
            let packet = ack(&source, &destination, &[0; 24]);
            if expression.may_pass(&opened) {
                shown.set(shown.get() + 1);
                for shape in 0..=4 {
                    prop_assert!(
                        passes(&filter, &shaped(shape, packet.clone())),
                        "{}: shape {}",
                        text,
                        shape
                    );
                }
            } else if !["client:", "server:", "("].into_iter().any(|part| text.contains(part)) {
                left_out.set(left_out.get() + 1);
                prop_assert!(!passes(&filter, &packet), "{}: {} -> {}", text, source, destination);
            }
            Ok(())
        })
        .unwrap();
    let (left_out, shown) = (left_out.get(), shown.get());
    assert!(left_out > 500 && shown > 500, "{left_out} left out, {shown} shown");
}

#[test]
fn no_packet_makes_a_program_fail() {
    let chosen = ends("443,192.0.2.0/24,2001:db8::1 !addr:198.51.100.0/24");
    let filters = [Filter::Nothing, peers(&PEER), Filter::Tcp, Filter::SmallTcp, chosen];
    let programs: Vec<_> = filters.iter().map(|filter| filter.program(true)).collect();
    let start =
        prop_oneof![Just(None), Just(Some((0x45_u8, 6_u8))), Just(Some((0x60, 6))), Just(Some((0x4f, 1)))];
    let octets = proptest::collection::vec(any::<u8>(), 0..120);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&(start, octets, any::<u8>()), |(start, mut octets, kind)| {
            if let (Some((first, protocol)), true) = (start, octets.len() > 10) {
                octets[0] = first;
                octets[if first == 0x60 { 6 } else { 9 }] = protocol;
            }
            for program in &programs {
                run(program, &octets, kind);
            }
            Ok(())
        })
        .unwrap();
}
