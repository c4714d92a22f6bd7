//! Packets: seen once, stamped as tcpdump stamps them, sent as they were meant.

use keepscope::frame::LinkType;
use keepscope::live::filter::Filter;
use keepscope::live::wire::Wire;
use keepscope::segment::Flags;
use keepscope::time::Span;
use pnet::datalink::{Channel, Config};

use crate::net::{Net, SERVER, TUN_SERVER, Tcpdump, Witnessed, apart};
use crate::world::{World, options};

/// Handshake, probe, answer and close over veth, in both IP versions: what we see is what tcpdump sees, at the
/// same times, and the probe is on the peer's wire as it was meant.
#[test]
fn what_is_seen_over_veth_is_what_tcpdump_sees() {
    for server in SERVER {
        let Some(net) = Net::new() else { return };
        let mut near = Tcpdump::on(&net.client, "c0", "tcp");
        let mut far = Tcpdump::on(&net.server, "s0", "tcp");
        let (address, accepting) = net.listen(&net.server, server);
        apart(|| {
            let mut world = World::open(&options(&net.client));
            let (handle, local, remote) = world.connect(address);
            let peer = accepting.one();
            assert_eq!(peer.peer_addr().expect("an address").port(), local.port);
            world.probe(0, b"\0");
            world.frames(5);
            let [syn, _, _, probe, answer] = [0, 1, 2, 3, 4].map(|number| world.frames[number].segment());
            assert!(syn.flags.syn() && syn.source == local && syn.destination == remote);
            assert_eq!((probe.seq, probe.len, probe.ttl), (syn.seq, 1, 57));
            assert_eq!((answer.source, answer.ack, answer.len), (remote, syn.seq.plus(1), 0));
            assert!(answer.time > probe.time);
            agree(&world, &near.packets(5));

            // On the peer's side the same octets arrive, with right checksums: its kernel computed none.
            let there = far.packets(5);
            assert_eq!(there[3].octets[14..], world.frames[3].octets[14..]);
            assert!(checksums_are_right(&there[3].octets[14..]));

            world.system.close(handle);
            drop(peer);
            // FIN, ACK or FIN and ACK, FIN, ACK: the end is orderly.
            world.quiet(Span::from_millis(200));
            let flags: Vec<Flags> = world.frames[5..].iter().map(|seen| seen.segment().flags).collect();
            assert_eq!(flags.iter().filter(|flags| flags.fin()).count(), 2, "{flags:?}");
            assert!(!flags.iter().any(|flags| flags.rst()), "{flags:?}");
            assert_eq!(world.system.closing(), 0);
            let received = world.system.received();
            assert_eq!((received.seen, received.dropped), (world.frames.len() as u64, 0));
        });
    }
}

/// The loopback shows every packet leaving and coming; we show it once, as tcpdump does.
#[test]
fn the_double_view_of_the_loopback_is_folded() {
    for here in ["127.0.0.1", "::1", SERVER[0]] {
        let Some(net) = Net::new() else { return };
        let mut witness = Tcpdump::on(&net.server, "lo", "tcp");
        let (address, accepting) = net.listen(&net.server, here);
        apart(|| {
            let mut world = World::open(&options(&net.server));
            world.connect(address);
            let _peer = accepting.one();
            world.probe(0, b"\0");
            world.frames(5);
            world.quiet(Span::from_millis(100));
            assert_eq!(world.frames.len(), 5, "{:#?}", world.frames);
            assert_eq!(world.frames[4].segment().ack, world.frames[0].segment().seq.plus(1));
            agree(&world, &witness.packets(5));
        });
    }
}

/// A device without a link layer: frames begin with their IP header.
#[test]
fn packets_of_a_tun_device_begin_with_ip() {
    for server in TUN_SERVER {
        let Some(net) = Net::new() else { return };
        let Some(_tun) = net.tun() else { return };
        let mut witness = Tcpdump::on(&net.client, "t0", "tcp");
        let (address, accepting) = net.listen(&net.server, server);
        apart(|| {
            let mut world = World::open(&options(&net.client));
            world.connect(address);
            let _peer = accepting.one();
            world.probe(0, b"");
            world.frames(5);
            assert!(world.frames.iter().all(|seen| seen.link == LinkType::Raw));
            assert_eq!(world.frames[3].segment().len, 0);
            assert_eq!(world.frames[4].segment().ack, world.frames[0].segment().seq.plus(1));
            agree(&world, &witness.packets(5));
        });
    }
}

/// Only the peers of connections are seen at first; another filter can be put in place when all rights are gone.
#[test]
fn unrelated_packets_are_not_even_delivered() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    let (other, other_accepting) = net.listen(&net.server, SERVER[0]);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let unrelated = net.connect(&net.client, other);
        let _unrelated = (other_accepting.one(), unrelated);
        world.quiet(Span::from_millis(50));
        assert!(world.frames.is_empty());
        assert_eq!(world.system.received().seen, 0);
        world.connect(address);
        let _peer = accepting.one();
        assert_eq!(world.frames.len(), 3);

        world.system.set_filter(Filter::Tcp).expect("a filter");
        let (another, another_accepting) = net.listen(&net.server, SERVER[1]);
        let stream = net.connect(&net.client, another);
        world.frames(6);
        drop((another_accepting, stream));
    });
}

/// A frame with a VLAN tag: the kernel takes it off, the filter and the decoder find what is in it.
#[test]
fn a_tagged_frame_is_read_through_its_tag() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        world.connect(address);
        let _peer = accepting.one();
        // The SYN and ACK of the peer once more, from its side, in VLAN 7.
        let plain = world.frames[1].octets.clone();
        let tagged = [&plain[..12], &[0x81, 0, 0, 7], &plain[12..]].concat();
        let inject = move || {
            let interfaces = pnet::datalink::interfaces();
            let device = interfaces.iter().find(|interface| interface.name == "s0").expect("s0");
            match pnet::datalink::channel(device, Config::default()).expect("a channel") {
                Channel::Ethernet(mut sender, _) => {
                    sender.send_to(&tagged, None).expect("room").expect("a frame that leaves");
                }
                _ => panic!("no Ethernet"),
            }
        };
        net.on(&net.server, inject).result();
        world.frames(4);
        let (first, again) = (world.frames[1].segment(), world.frames[3].segment());
        assert_eq!((first.seq, first.source, first.flags), (again.seq, again.source, again.flags));
        assert_eq!(world.frames[3].octets, plain);
    });
}

/// What does not fit in the buffer is counted.
#[test]
fn what_the_kernel_had_to_drop_is_counted() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    apart(|| {
        let mut wanted = options(&net.client);
        wanted.filter = Filter::Tcp;
        let mut world = World::open(&wanted);
        let mut stream = net.connect(&net.client, address);
        let mut peer = accepting.one();
        let reading = std::thread::spawn(move || std::io::copy(&mut peer, &mut std::io::sink()));
        // More than any buffer that is asked for holds, while nobody looks.
        std::io::Write::write_all(&mut stream, &vec![0; 64 << 20]).expect("a peer that reads");
        drop(stream);
        assert_eq!(reading.join().expect("no panic").expect("an end"), 64 << 20);
        world.quiet(Span::from_millis(500));
        let received = world.system.received();
        assert!(received.dropped > 0, "{received:?}");
        assert_eq!(world.frames.len() as u64, received.seen - received.dropped);
    });
}

/// Every frame is the same, in the same order, and at the same time. The kernel's stamp is one and the same but
/// where tcpdump's ring takes its own as the packet comes by, half a microsecond later; something else may run
/// between these two, so one frame of a test may be further off.
fn agree(world: &World, witnessed: &[Witnessed]) {
    assert_eq!(witnessed.len(), world.frames.len());
    let mut apart = Vec::new();
    for (ours, theirs) in world.frames.iter().zip(witnessed) {
        assert_eq!(ours.octets, theirs.octets);
        apart.push((ours.time.as_nanos() - theirs.nanos).abs());
    }
    let far = apart.iter().filter(|apart| **apart > 5_000).count();
    assert!(far <= 1, "ns between our stamps and tcpdump's: {apart:?}");
}

/// Whether the checksums of an IP packet with a TCP segment are right (RFC 1071).
fn checksums_are_right(packet: &[u8]) -> bool {
    let sum = |octets: &[u8], start: u32| {
        let words = octets
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
        let mut sum = words.sum::<u32>() + start;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum == 0xffff
    };
    let (addresses, segment, header) = match packet[0] >> 4 {
        4 => (&packet[12..20], &packet[20..], sum(&packet[..20], 0)),
        _ => (&packet[8..40], &packet[40..], true),
    };
    let pseudo = [addresses, segment].concat();
    header && sum(&pseudo, 6 + u32::try_from(segment.len()).expect("a short packet"))
}
