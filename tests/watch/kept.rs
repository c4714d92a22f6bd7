//! A watch without an end keeps no more than it says; no rights and no clock are needed to see that.

use std::net::{IpAddr, Ipv4Addr};

use keepscope::analysis::Recorded;
use keepscope::analysis::filter::Filter;
use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::live::watch::{Limits, Told, Watch};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Endpoint, Flags, Options, SeqNum};
use keepscope::time::Timestamp;

const LIMITS: Limits = Limits { connections: 2_000, probes: 1_000 };

const MILLISECOND: i64 = 1_000_000;

/// Packets of made-up connections, each a little later than the one before.
struct Traffic {
    watch: Watch,
    now: i64,
    frames: u64,
    told: u64,
}

impl Traffic {
    fn new() -> Traffic {
        let watch = Watch::new(Filter::default(), 1, LIMITS);
        Traffic { watch, now: 1_700_000_000_000_000_000, frames: 0, told: 0 }
    }

    /// A segment of a connection, from the client or the server.
    fn segment(&mut self, connection: u32, from_client: bool, seq: u32, ack: u32, flags: Flags) {
        let [_, second, third, fourth] = connection.to_be_bytes();
        let client = Endpoint { address: IpAddr::V4(Ipv4Addr::new(10, second, third, fourth)), port: 40_000 };
        let server = Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port: 80 };
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        self.frames += 1;
        let outbound = Outbound {
            source,
            destination,
            seq: SeqNum(seq),
            ack: SeqNum(ack),
            flags,
            window: 1000,
            options: Options::default(),
            payload: &[],
            ttl: 64,
            ip_id: self.frames as u16,
            dont_fragment: true,
        };
        let mut packet = Vec::new();
        outbound.packet(&mut packet).expect("a packet");
        self.now += MILLISECOND;
        self.watch.frame(&Frame {
            id: FrameId { capture: 0, number: self.frames },
            time: Timestamp::from_nanos(self.now),
            interface: 0,
            link: LinkType::Raw,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: packet.len() as u32,
            data: &packet,
        });
        while let Some(told) = self.watch.poll() {
            self.told += u64::from(!matches!(told, Told::Final { .. }));
        }
    }

    fn open(&mut self, connection: u32) {
        self.segment(connection, true, 1000, 0, Flags::SYN);
        self.segment(connection, false, 5000, 1001, Flags::SYN.with(Flags::ACK));
        self.segment(connection, true, 1001, 5001, Flags::ACK);
    }

    /// A probe and its answer, long after what was before.
    fn probe(&mut self, connection: u32) {
        self.now += 10_000 * MILLISECOND;
        self.segment(connection, true, 1000, 5001, Flags::ACK);
        self.segment(connection, false, 5001, 1001, Flags::ACK);
    }
}

#[test]
fn connections_without_keepalives_are_let_go_first() {
    let mut traffic = Traffic::new();
    traffic.open(0);
    traffic.probe(0);
    let more = LIMITS.connections as u32 * 2;
    (1..=more).for_each(|connection| traffic.open(connection));
    let tally = traffic.watch.tally();
    let followed = traffic.watch.connections() - tally.let_go;
    assert_eq!(traffic.watch.connections(), u64::from(more) + 1);
    assert!(followed <= LIMITS.connections as u64, "{tally:?}");
    assert!(followed >= LIMITS.connections as u64 * 8 / 10, "{tally:?}");
    // The one that is probed was quiet longest, and is still followed.
    traffic.probe(0);
    traffic.watch.finish(Timestamp::from_nanos(traffic.now));
    let finished: Vec<_> = traffic.watch.finished().collect();
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0].record().client.probes.len(), 2);
    assert_eq!(traffic.watch.tally().with_keepalives, 1);
}

#[test]
fn the_earliest_probes_are_forgotten_and_counted() {
    let mut traffic = Traffic::new();
    let sent = LIMITS.probes as u64 * 11 / 4;
    (0..2).for_each(|connection| traffic.open(connection));
    // One probes without end, the other once.
    traffic.probe(1);
    (0..sent).for_each(|_| traffic.probe(0));
    traffic.watch.finish(Timestamp::from_nanos(traffic.now));
    let of = |port: u8| {
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, port));
        let found = traffic.watch.finished().find(|one| one.opened().client.address == address);
        found.expect("it is kept").record()
    };
    let (busy, other) = (of(0), of(1));
    assert!(busy.client.probes.len() <= LIMITS.probes);
    assert!(busy.client.probes.len() >= LIMITS.probes / 3);
    assert_eq!(busy.client.probes.len() as u64 + busy.forgotten, sent);
    assert_eq!((other.client.probes.len(), other.forgotten), (1, 0));
    // Everything was told when it happened.
    assert!(traffic.told > 2 * sent, "{}", traffic.told);
}
