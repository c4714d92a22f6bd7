//! Connections that the kernel holds: how they open, how they end, and that the end is orderly.

use std::io::Write;
use std::net::SocketAddr;

use keepscope::live::sys::tcp_info;
use keepscope::live::wire::{Connect, Ended, Handle, Wire, WireError};
use keepscope::time::Span;
use socket2::SockRef;

use crate::net::{CLIENT, Net, SERVER, apart};
use crate::world::{Told, World, options};

/// What became of a connection that cannot be opened.
fn attempt(world: &mut World, peer: SocketAddr) -> Ended {
    let handle = world.system.connect(&Connect { peer, source: None }).expect("an attempt");
    match world.told() {
        Told::Ended(ended, how) => {
            assert_eq!(ended, handle);
            how
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let Some(net) = Net::new() else { return };
    net.ip(&net.client, "route add unreachable 203.0.113.0/24");
    // Two SYNs and then the end: three seconds.
    net.on(&net.client, || std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").expect("a setting"))
        .result();
    net.ip(&net.server, "route add blackhole 192.0.2.1/32");
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let v6 = format!("[{}]:9", SERVER[1]).parse().expect("an address");
        assert_eq!(attempt(&mut world, v6), Ended::Refused);
        assert!(world.frames(2)[1].segment().flags.rst());
        assert_eq!(attempt(&mut world, "203.0.113.7:9".parse().expect("an address")), Ended::Unreachable);
        assert_eq!(attempt(&mut world, "192.0.2.2:9".parse().expect("an address")), Ended::TimedOut);
        // No route at all.
        assert_eq!(attempt(&mut world, "198.51.100.9:9".parse().expect("an address")), Ended::Unreachable);
        // An address that is not ours.
        let connect = Connect { peer: v6, source: Some("2001:db8:1::77".parse().expect("an address")) };
        let refused = world.system.connect(&connect).expect_err("no such address").to_string();
        assert!(refused.starts_with("choosing the source address: "), "{refused}");
    });
}

#[test]
fn the_source_is_the_one_that_is_asked_for() {
    let Some(net) = Net::new() else { return };
    net.ip(&net.client, "addr add 192.0.2.99/24 dev c0");
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let source = "192.0.2.99".parse().expect("an address");
        world.system.connect(&Connect { peer: address, source: Some(source) }).expect("an attempt");
        match world.told() {
            Told::Opened(_, local, _) => assert_eq!(local.address, source),
            other => panic!("{other:?}"),
        }
        assert_eq!(accepting.one().peer_addr().expect("an address").ip(), source);
    });
}

#[test]
fn ends_by_the_peer_are_told_apart() {
    let Some(net) = Net::new() else { return };
    for server in SERVER {
        let (address, accepting) = net.listen_for(&net.server, server, 2);
        apart(|| {
            let mut world = World::open(&options(&net.client));
            let (first, ..) = world.connect(address);
            let (second, ..) = world.connect(address);
            let mut peers = accepting.result();
            let resetting = peers.pop().expect("two connections");
            // Closing it then sends a RST.
            SockRef::from(&resetting).set_linger(Some(std::time::Duration::ZERO)).expect("an option");
            drop(resetting);
            assert_eq!(world.told(), Told::Ended(second, Ended::Reset));
            drop(peers);
            assert_eq!(world.told(), Told::Ended(first, Ended::ClosedByPeer));
            world.system.close(first);
            // A handle that is gone is no trouble.
            world.system.close(second);
            world.quiet(Span::from_millis(100));
            let ours = world.frames.iter().map(crate::world::Seen::segment);
            let resets =
                ours.filter(|segment| segment.destination.port == address.port() && segment.flags.rst());
            assert_eq!(resets.count(), 0);
        });
    }
}

/// A peer that talks: our window stays open, and closing with its data around sends a FIN and no RST.
#[test]
fn what_the_peer_says_is_read_and_thrown_away() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let (handle, ..) = world.connect(address);
        let mut peer = accepting.one();
        let talking = std::thread::spawn(move || {
            peer.write_all(&vec![7; 8 << 20]).expect("a window that stays open");
            peer
        });
        while !talking.is_finished() {
            world.quiet(Span::from_millis(20));
        }
        let mut peer = talking.join().expect("a peer that could say all");
        peer.write_all(b"and this just before the end").expect("a peer that talks on");
        world.system.close(handle);
        drop(peer);
        world.until_closed();
        world.ended_in_order(address.port());
        assert_eq!(world.system.closing(), 0);
    });
}

/// Hundreds at once, each with its own socket to look into; and the end of the system is orderly for all.
#[test]
fn two_hundred_connections_open_and_close_in_order() {
    const COUNT: usize = 200;
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen_for(&net.server, SERVER[1], COUNT);
    let mut witness = crate::net::Tcpdump::on(&net.server, "s0", "tcp[13] & 5 != 0 or ip6[53] & 5 != 0");
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let connect = Connect { peer: address, source: CLIENT[1].parse().ok() };
        for _ in 0..COUNT {
            world.system.connect(&connect).expect("an attempt");
        }
        let mut open = Vec::new();
        while open.len() < COUNT {
            match world.told() {
                Told::Opened(handle, ..) => open.push(handle),
                other => panic!("{other:?}"),
            }
        }
        let peers = accepting.result();
        for handle in &open {
            let info = tcp_info(world.system.socket(*handle).expect("a socket")).expect("TCP_INFO");
            assert_eq!((info.state, info.probes, info.unacked), (1, 0, 0));
            assert!(info.options & 3 == 3 && info.rtt > 0 && info.rto >= 200_000, "{info:?}");
        }
        for handle in &open[..COUNT / 2] {
            world.system.close(*handle);
        }
        assert_eq!(world.system.closing(), COUNT / 2);
        drop(world);
        drop(peers);
    });
    // A FIN from each end of each connection, and no RST of ours. (A peer whose FIN was acknowledged twice may
    // answer the second time by RST.)
    let mut ended = std::collections::BTreeSet::new();
    while ended.len() < 2 * COUNT {
        let tcp = &witness.packets(1)[0].octets[54..];
        let ports = [u16::from_be_bytes([tcp[0], tcp[1]]), u16::from_be_bytes([tcp[2], tcp[3]])];
        assert!(ports[1] != address.port() || tcp[13] & 4 == 0, "a RST of ours: {ports:?}");
        if tcp[13] & 1 != 0 {
            ended.insert(ports);
        }
    }
}

/// A device that came later is not listened to; that is said instead of waiting for packets that never come.
#[test]
fn a_peer_behind_an_interface_that_came_later_is_refused() {
    let Some(net) = Net::new() else { return };
    apart(|| {
        let mut world = World::open(&options(&net.client));
        net.ip(&net.client, "link add later0 type veth peer name later1");
        net.ip(&net.client, "addr add 203.0.113.1/24 dev later0");
        net.ip(&net.client, "link set later0 up");
        let peer = "203.0.113.2:80".parse().expect("an address");
        match world.system.connect(&Connect { peer, source: None }) {
            Err(WireError::NoInterface(address)) => assert_eq!(address, peer.ip()),
            other => panic!("{other:?}"),
        }
        // An address that came later to an interface that was there is fine.
        net.ip(&net.client, "addr add 198.51.100.1/24 dev c0");
        net.ip(&net.server, "addr add 198.51.100.2/24 dev s0");
        let (address, accepting) = net.listen(&net.server, "198.51.100.2");
        world.connect(address);
        accepting.one();
    });
}

/// What the peer says on a connection that is heard, until it has said so much.
fn heard(world: &mut World, from: Handle, length: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < length {
        match world.told() {
            Told::Octets(handle, octets) => {
                assert_eq!(handle, from);
                heard.extend(octets);
            }
            other => panic!("{other:?} after {} octets", heard.len()),
        }
    }
    heard
}

#[test]
fn a_connection_that_is_heard_speaks_and_is_spoken_to() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen_for(&net.server, SERVER[1], 2);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let (deaf, _, _) = world.connect(address);
        let (handle, _, _) = world.connect(address);
        let mut peers = accepting.result();
        world.system.hear(handle);
        world.system.write(handle, b"hello").expect("room for it");
        let mut said = [0; 5];
        std::io::Read::read_exact(&mut peers[1], &mut said).expect("what was said");
        assert_eq!(&said, b"hello");
        // More than is handed over at once; nothing of it is lost, nor of what comes before an end.
        let much: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let mut peer = peers.pop().expect("a connection");
        peers[0].write_all(b"nobody hears it").expect("room");
        let talks = much.clone();
        let talking = std::thread::spawn(move || peer.write_all(&talks).map(|()| drop(peer)));
        assert!(heard(&mut world, handle, much.len()) == much);
        talking.join().expect("a thread").expect("room");
        match world.told() {
            Told::Ended(ended, Ended::ClosedByPeer) => assert_eq!(ended, handle),
            other => panic!("{other:?}"),
        }
        world.system.close(handle);
        world.system.write(handle, b"x").expect_err("it is closed");
        world.system.close(deaf);
        drop(peers);
        world.until_closed();
        world.ended_in_order(address.port());
    });
}
