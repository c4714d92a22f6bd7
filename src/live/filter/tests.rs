//! Programs run in an interpreter, over packets and over noise.

use super::*;
use crate::segment::encode::{IcmpOutbound, Outbound};
use crate::segment::{Endpoint, Flags, IcmpKind, Options, SeqNum, TcpTimestamps};

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

#[test]
fn no_packet_makes_a_program_fail() {
    use proptest::prelude::*;
    let filters = [Filter::Nothing, peers(&PEER), Filter::Tcp, Filter::SmallTcp];
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
