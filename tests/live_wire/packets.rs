//! Packets: seen once, stamped as tcpdump stamps them, sent as they were meant.

use keepscope::live::wire::Wire;
use keepscope::segment::Flags;
use keepscope::time::Span;

use crate::net::{Net, SERVER, Tcpdump, Witnessed, apart};
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
            let peer = accepting.join().expect("a peer");
            assert_eq!(peer.peer_addr().expect("an address").port(), local.port);
            world.probe(0, b"\0");
            world.frames(5);
            let [syn, _, _, probe, answer] = [0, 1, 2, 3, 4].map(|number| world.frames[number].segment());
            assert!(syn.flags.syn() && syn.source == local && syn.destination == remote);
            assert_eq!((probe.seq, probe.len, probe.ttl), (syn.seq, 1, 57));
            assert_eq!((answer.source, answer.ack, answer.len), (remote, syn.seq.plus(1), 0));
            assert!(answer.time > probe.time);
            wire_agrees(&world, &near.packets(5));

            // The peer's own view: the same octets behind the link header, with right checksums.
            let there = far.packets(5);
            assert_eq!(there[3].octets[14..], world.frames[3].octets[14..]);

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

/// Every frame is the same, in the same order, and at the same time: the kernel's stamp is one and the same but
/// where tcpdump's ring takes its own as the packet comes by, half a microsecond later.
fn wire_agrees(world: &World, witnessed: &[Witnessed]) {
    assert_eq!(witnessed.len(), world.frames.len());
    for (ours, theirs) in world.frames.iter().zip(witnessed) {
        assert_eq!(ours.octets, theirs.octets);
        let apart = (ours.time.as_nanos() - theirs.nanos).abs();
        assert!(apart <= 5_000, "{apart} ns between our stamp and tcpdump's");
    }
}
