//! The rules of trackers one by one, on a virtual clock.

use std::net::{IpAddr, Ipv4Addr};

use keepscope::segment::{IcmpKind, SeqNum};
use keepscope::simulate::middlebox::description::{
    Adaptive, AtExpiry, Direction, Input, Ports, Refresh, Service, Stray, Table, Towards, Tracker, WhenFull,
};
use keepscope::simulate::middlebox::{
    BoxAction, Description, DescriptionError, DropReason, NotCounted, OwnPacket, Removal, Side,
};
use keepscope::simulate::packet::{IcmpPacket, Packet, TcpPacket};
use keepscope::time::{Span, Timestamp};

use crate::kit::{
    CLIENT, Driven, ROUTER_INSIDE, ROUTER_OUTSIDE, SERVER, at, end, nat, only, router, secs, tcp, tracker,
};

/// A packet of the client's connection from that port.
fn c(port: u16, flags: &str, seq: u32, ack: u32) -> TcpPacket {
    tcp(end(CLIENT, port), end(SERVER, 443), flags, seq, ack)
}

/// A packet of the server to the client's port.
fn s(port: u16, flags: &str, seq: u32, ack: u32) -> TcpPacket {
    tcp(end(SERVER, 443), end(CLIENT, port), flags, seq, ack)
}

fn tracked(rules: Tracker) -> Driven {
    Driven::new(&Description::Tracker(rules))
}

/// Opens a connection within three milliseconds from `seconds` on: the client is at 1001, the server at 5001.
fn open(driven: &mut Driven, seconds: f64, port: u16) {
    driven.give(at(seconds), Side::Inside, c(port, "S", 1000, 0));
    driven.give(at(seconds + 0.001), Side::Outside, s(port, "SA", 5000, 1001));
    driven.give(at(seconds + 0.002), Side::Inside, c(port, "A", 1001, 5001));
    assert!(matches!(driven.last(), BoxAction::Refreshed { .. }), "{:?}", driven.last());
}

fn keepalive(port: u16) -> TcpPacket {
    c(port, "A", 1000, 5001)
}

fn passes(driven: &mut Driven, seconds: f64, from: Side, packet: TcpPacket) -> bool {
    let left = driven.give(at(seconds), from, packet);
    left.iter().any(|(side, packet)| *side == from.other() && matches!(packet, Packet::Tcp(_)))
}

#[test]
fn an_idle_connection_is_forgotten_at_its_time_and_not_before() {
    let mut driven = tracked(tracker(router()));
    open(&mut driven, 0.0, 4000);
    assert!(passes(&mut driven, 350.0, Side::Inside, keepalive(4000)));
    assert!(passes(&mut driven, 699.999, Side::Outside, s(4000, "A", 5000, 1001)));
    assert!(!passes(&mut driven, 699.999 + 350.0, Side::Inside, keepalive(4000)));
    assert_eq!(driven.last(), BoxAction::Dropped { from: Side::Inside, why: DropReason::NoMapping });
    let expired = driven.events.iter().find_map(|event| match event.what {
        BoxAction::Expired { idle } => Some((event.time, idle)),
        _ => None,
    });
    assert_eq!(expired, Some((at(1049.999), secs(350))));
}

#[test]
fn only_packets_from_one_side_may_count() {
    for (direction, counts) in [(Direction::Outward, Side::Inside), (Direction::Inward, Side::Outside)] {
        let refresh = Refresh { direction, only_data: false };
        let mut driven = tracked(Tracker { refresh, ..tracker(router()) });
        open(&mut driven, 0.0, 4000);
        let probe = |side| match side {
            Side::Inside => keepalive(4000),
            Side::Outside => s(4000, "A", 5000, 1001),
        };
        assert!(passes(&mut driven, 200.0, counts, probe(counts)));
        assert!(passes(&mut driven, 400.0, counts.other(), probe(counts.other())));
        let why = NotCounted::Direction;
        assert!(matches!(driven.last(), BoxAction::Unrefreshed { why: last, .. } if last == why));
        assert!(!passes(&mut driven, 551.0, counts, probe(counts)), "{direction:?}");
    }
}

#[test]
fn only_data_may_count() {
    let refresh = Refresh { direction: Direction::Both, only_data: true };
    let mut driven = tracked(Tracker { refresh, ..tracker(router()) });
    open(&mut driven, 0.0, 4000);
    let octet = TcpPacket { octets: 1, ..keepalive(4000) };
    assert!(passes(&mut driven, 200.0, Side::Inside, keepalive(4000)));
    // An octet that was acknowledged long ago is no data.
    assert!(passes(&mut driven, 210.0, Side::Inside, octet));
    assert!(matches!(driven.last(), BoxAction::Unrefreshed { why: NotCounted::NoData, .. }));
    let data = TcpPacket { octets: 10, ..c(4000, "PA", 1001, 5001) };
    assert!(passes(&mut driven, 300.0, Side::Inside, data));
    assert!(passes(&mut driven, 301.0, Side::Outside, s(4000, "A", 5001, 1011)));
    // Unacknowledged data has its own timer, and its acknowledgment is no data.
    assert!(passes(&mut driven, 599.0, Side::Inside, keepalive(4000)));
    assert!(!passes(&mut driven, 600.0, Side::Inside, keepalive(4000)));
}

#[test]
fn what_is_sent_at_expiry_stands_where_each_end_expects_it() {
    for (at_expiry, flags) in [
        (AtExpiry::Reset(Towards::Both), "RA"),
        (AtExpiry::Reset(Towards::Inside), "RA"),
        (AtExpiry::Finish(Towards::Outside), "FA"),
    ] {
        let mut driven = tracked(Tracker { at_expiry, ..tracker(nat(Ports::Preserved)) });
        driven.give(at(0.0), Side::Inside, c(4000, "S", 1000, 0));
        let back = |flags, seq, ack| tcp(end(SERVER, 443), end(ROUTER_OUTSIDE, 4000), flags, seq, ack);
        driven.give(at(0.1), Side::Outside, back("SA", 5000, 1001));
        driven.give(at(0.2), Side::Inside, c(4000, "A", 1001, 5001));
        driven.give(at(0.3), Side::Inside, TcpPacket { octets: 9, ..c(4000, "PA", 1001, 5001) });
        driven.give(at(0.4), Side::Outside, back("A", 5001, 1010));
        let left = driven.until(at(350.4));
        let (towards_inside, towards_outside) = match at_expiry {
            AtExpiry::Reset(Towards::Both) => (true, true),
            AtExpiry::Reset(_) => (true, false),
            _ => (false, true),
        };
        let mut expected = Vec::new();
        if towards_inside {
            expected.push((Side::Inside, s(4000, flags, 5001, 1010)));
        }
        if towards_outside {
            let packet = tcp(end(ROUTER_OUTSIDE, 4000), end(SERVER, 443), flags, 1010, 5001);
            expected.push((Side::Outside, packet));
        }
        let expected: Vec<(Side, Packet)> = expected
            .into_iter()
            .map(|(side, packet)| (side, Packet::Tcp(TcpPacket { window: 0, ip_id: 0, ..packet })))
            .collect();
        assert_eq!(left, expected, "{at_expiry:?}");
        let what = if flags == "RA" { OwnPacket::Reset } else { OwnPacket::Finish };
        assert!(matches!(driven.last(), BoxAction::Sent { what: last, .. } if last == what));
    }
}

#[test]
fn nothing_is_sent_when_a_connection_that_never_opened_is_forgotten() {
    let at_expiry = AtExpiry::Reset(Towards::Both);
    let mut driven = tracked(Tracker { at_expiry, ..tracker(router()) });
    driven.give(at(0.0), Side::Inside, c(4000, "S", 1000, 0));
    assert_eq!(driven.until(at(30.0)), vec![]);
    assert!(matches!(driven.last(), BoxAction::Expired { .. }));
}

#[test]
fn a_stray_packet_meets_what_is_said_of_it() {
    let stray = |stray| {
        let mut driven = tracked(Tracker { stray_from_inside: stray, ..tracker(router()) });
        let left = driven.give(at(1.0), Side::Inside, keepalive(4000));
        (driven, left)
    };
    assert_eq!(stray(Stray::Drop).1, vec![]);
    let (_, left) = stray(Stray::Reset);
    let (side, reset) = only(left);
    assert_eq!((side, reset.source, reset.destination), (Side::Inside, end(SERVER, 443), end(CLIENT, 4000)));
    assert_eq!((reset.seq, reset.flags, reset.ttl), (SeqNum(5001), crate::kit::flags("R"), 64));
    let kind = IcmpKind::Unreachable(13);
    let (_, left) = stray(Stray::Icmp(kind));
    let [(Side::Inside, Packet::Icmp(error))] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((error.kind, error.reporter), (kind, IpAddr::V4(ROUTER_INSIDE)));
    assert_eq!(error.about, keepalive(4000));
    let (_, left) = stray(Stray::Pass);
    assert_eq!(only(left), (Side::Outside, TcpPacket { ttl: 63, ..keepalive(4000) }));
    let (mut driven, left) = stray(Stray::Create);
    assert_eq!(only(left), (Side::Outside, TcpPacket { ttl: 63, ..keepalive(4000) }));
    assert!(matches!(driven.last(), BoxAction::Created { midstream: true, .. }));
    assert!(passes(&mut driven, 2.0, Side::Outside, s(4000, "A", 5001, 1001)));
    // Neither a RST nor a FIN makes a mapping, and nothing answers a RST.
    for (flags, rule) in
        [("R", Stray::Create), ("FA", Stray::Create), ("SA", Stray::Create), ("R", Stray::Reset)]
    {
        let mut driven = tracked(Tracker { stray_from_inside: rule, ..tracker(router()) });
        assert_eq!(driven.give(at(1.0), Side::Inside, c(4000, flags, 1001, 5001)), vec![], "{flags}");
    }
}

#[test]
fn a_mapping_made_anew_has_the_same_port_or_another() {
    for (ports, same) in [(Ports::Preserved, true), (Ports::Random, false)] {
        let rules = Tracker { stray_from_inside: Stray::Create, ..tracker(nat(ports)) };
        let mut driven = tracked(rules);
        let (_, first) = only(driven.give(at(0.0), Side::Inside, c(4000, "S", 1000, 0)));
        assert_eq!(first.source.address, IpAddr::V4(ROUTER_OUTSIDE));
        assert_eq!(first.source.port == 4000, same);
        let (_, again) = only(driven.give(at(1000.0), Side::Inside, keepalive(4000)));
        assert_eq!(again.source.port == first.source.port, same);
        // Another client with the same port is told apart.
        let other = end(Ipv4Addr::new(192, 0, 2, 3), 4000);
        let (_, other) = only(driven.give(at(1001.0), Side::Inside, tcp(other, end(SERVER, 443), "S", 1, 0)));
        assert_ne!(other.source, again.source);
    }
}

#[test]
fn a_nat_answers_for_itself_what_no_mapping_wants() {
    for (input, answers) in [(Input::Reset, true), (Input::Drop, false)] {
        let mut rules = tracker(nat(Ports::Preserved));
        rules.router.input = input;
        let mut driven = tracked(rules);
        let lost = tcp(end(SERVER, 443), end(ROUTER_OUTSIDE, 4000), "A", 5000, 1001);
        let left = driven.give(at(0.0), Side::Outside, lost);
        if answers {
            let (side, reset) = only(left);
            assert_eq!((side, reset.source), (Side::Outside, end(ROUTER_OUTSIDE, 4000)));
            assert_eq!((reset.seq, reset.ttl), (SeqNum(1001), 64));
        } else {
            assert_eq!(left, vec![]);
        }
    }
}

#[test]
fn a_sweep_forgets_late_and_what_comes_before_it_still_counts() {
    let mut rules = tracker(router());
    rules.sweep = Some(secs(10));
    let mut driven = tracked(rules.clone());
    open(&mut driven, 0.0, 4000);
    let expired = |driven: &Driven| {
        let expired = driven.events.iter().find(|event| matches!(event.what, BoxAction::Expired { .. }));
        expired.map(|event| event.time)
    };
    while expired(&driven).is_none() {
        let next = driven.next_timeout().expect("a sweep");
        driven.until(next);
    }
    let due = expired(&driven).expect("an expiry");
    assert!(due >= at(350.002) && due < at(360.002), "{due}");
    // Until the sweep comes by, the connection is as good as ever.
    let mut driven = tracked(rules);
    open(&mut driven, 0.0, 4000);
    let just_before = due.plus(Span::from_nanos(-1));
    assert_eq!(driven.give(just_before, Side::Inside, keepalive(4000)).len(), 1);
    assert_eq!(driven.until(due), vec![]);
    assert_eq!(expired(&driven), None);
}

#[test]
fn timers_shrink_as_the_table_fills() {
    // With 15 of 10 to 20 connections half of each timer is left.
    let expiry = |connections: u16| {
        let mut rules = tracker(router());
        rules.sweep = Some(secs(1));
        rules.adaptive = Some(Adaptive { start: 10, end: 20 });
        let mut driven = tracked(rules);
        for port in 0..connections {
            open(&mut driven, 0.0, 4000 + port);
        }
        while !driven.events.iter().any(|event| matches!(event.what, BoxAction::Expired { .. })) {
            let due = driven.next_timeout().expect("a timer");
            driven.until(due);
        }
        let expired = driven.events.iter().find(|event| matches!(event.what, BoxAction::Expired { .. }));
        expired.expect("one").time.since(Timestamp::default()).as_nanos() / 1_000_000_000
    };
    assert!((350..=351).contains(&expiry(10)), "{}", expiry(10));
    assert!((175..=176).contains(&expiry(15)), "{}", expiry(15));
    assert!(expiry(20) <= 1, "{}", expiry(20));
    let mut rules = tracker(router());
    rules.adaptive = Some(Adaptive { start: 10, end: 10 });
    assert!(matches!(
        Description::Tracker(rules.clone()).check(),
        Err(DescriptionError::Adaptive { start: 10, end: 10 })
    ));
    rules.adaptive = Some(Adaptive { start: 10, end: 11 });
    assert_eq!(Description::Tracker(rules).check(), Err(DescriptionError::AdaptiveWithoutSweep));
}

#[test]
fn a_full_table_refuses_or_forgets_the_longest_silent() {
    for when_full in [WhenFull::Refuse, WhenFull::EvictLongestSilent] {
        let table = Some(Table { limit: 3, when_full });
        let mut driven = tracked(Tracker { table, ..tracker(router()) });
        for port in 0..3 {
            open(&mut driven, f64::from(port), 4000 + port);
        }
        // The oldest is not the one that was silent longest.
        assert!(passes(&mut driven, 10.0, Side::Inside, keepalive(4000)));
        let opened = passes(&mut driven, 11.0, Side::Inside, c(4003, "S", 1000, 0));
        assert_eq!(opened, when_full == WhenFull::EvictLongestSilent);
        let evicted: Vec<u16> = driven
            .events
            .iter()
            .filter(|event| event.what == BoxAction::Removed { why: Removal::Evicted })
            .filter_map(|event| event.mapping)
            .map(|mapping| mapping.inside.client.port)
            .collect();
        assert_eq!(evicted, if opened { vec![4001] } else { vec![] });
        assert!(passes(&mut driven, 12.0, Side::Inside, keepalive(4000)));
    }
}

#[test]
fn a_service_hands_its_connections_to_its_backends_in_turn() {
    let backends = vec![end(SERVER, 8001), end(SERVER, 8002)];
    let endpoint = end(ROUTER_INSIDE, 443);
    let mut rules = tracker(router());
    rules.router.service = Some(Service { endpoint, backends: backends.clone() });
    let mut driven = tracked(rules.clone());
    for (port, backend) in [(4000, backends[0]), (4001, backends[1]), (4002, backends[0])] {
        let syn = tcp(end(CLIENT, port), endpoint, "S", 1000, 0);
        let (_, forwarded) = only(driven.give(at(0.0), Side::Inside, syn));
        assert_eq!((forwarded.source, forwarded.destination), (end(CLIENT, port), backend));
        let answer = tcp(backend, end(CLIENT, port), "SA", 5000, 1001);
        let (_, answer) = only(driven.give(at(0.1), Side::Outside, answer));
        assert_eq!((answer.source, answer.destination), (endpoint, end(CLIENT, port)));
    }
    rules.router.service = Some(Service { endpoint, backends: vec![] });
    assert!(matches!(Description::Tracker(rules).check(), Err(DescriptionError::NoBackend(_))));
}

#[test]
fn the_end_of_a_connection_has_its_own_timers() {
    let closing = |steps: &[(Side, &str, u32, u32)]| {
        let mut driven = tracked(tracker(router()));
        open(&mut driven, 0.0, 4000);
        for (side, flags, seq, ack) in steps {
            let packet = match side {
                Side::Inside => c(4000, flags, *seq, *ack),
                Side::Outside => s(4000, flags, *seq, *ack),
            };
            driven.give(at(1.0), *side, packet);
        }
        match driven.last() {
            BoxAction::Refreshed { timeout, .. } => timeout,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closing(&[(Side::Inside, "FA", 1001, 5001)]), secs(120));
    assert_eq!(closing(&[(Side::Outside, "FA", 5001, 1001)]), secs(60));
    let both = [(Side::Inside, "FA", 1001, 5001), (Side::Outside, "FA", 5001, 1002)];
    assert_eq!(closing(&both), secs(10));
    assert_eq!(closing(&[(Side::Outside, "R", 5001, 0)]), secs(5));
}

#[test]
fn an_icmp_error_finds_the_end_whose_packet_it_is_about() {
    let mut driven = tracked(tracker(nat(Ports::Random)));
    let (_, syn) = only(driven.give(at(0.0), Side::Inside, c(4000, "S", 1000, 0)));
    let error = IcmpPacket {
        reporter: IpAddr::V4(SERVER),
        destination: IpAddr::V4(ROUTER_OUTSIDE),
        kind: IcmpKind::Unreachable(3),
        about: TcpPacket { ttl: 1, ..syn },
        ttl: 60,
        ip_id: 9,
    };
    let left = driven.give_any(at(0.1), Side::Outside, Packet::Icmp(Box::new(error.clone())));
    let [(Side::Inside, Packet::Icmp(told))] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((told.destination, told.ttl), (IpAddr::V4(CLIENT), 59));
    assert_eq!((told.about.source, told.about.destination), (end(CLIENT, 4000), end(SERVER, 443)));
    // One about nothing that is known goes nowhere.
    let about = TcpPacket { source: end(ROUTER_OUTSIDE, 1), ..error.about };
    let lost = Packet::Icmp(Box::new(IcmpPacket { about, ..error }));
    assert_eq!(driven.give_any(at(0.2), Side::Outside, lost), vec![]);
}

#[test]
fn a_packet_whose_ttl_ends_makes_no_mapping_but_keeps_one() {
    let mut driven = tracked(tracker(router()));
    let dying = |packet: TcpPacket| TcpPacket { ttl: 1, ..packet };
    let left = driven.give(at(0.0), Side::Inside, dying(c(4000, "S", 1000, 0)));
    assert!(matches!(left.as_slice(), [(Side::Inside, Packet::Icmp(_))]), "{left:?}");
    assert_eq!(driven.next_timeout(), None);
    open(&mut driven, 1.0, 4000);
    driven.give(at(300.0), Side::Inside, dying(keepalive(4000)));
    assert!(passes(&mut driven, 600.0, Side::Inside, keepalive(4000)));
}
