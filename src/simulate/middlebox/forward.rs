//! What every box that passes packets on does alike: translation, TTL, ICMP errors, packets of its own.
//!
//! Owns [`Forwarder`]: what leaves, and what happened. Which connection a packet belongs to is decided by the
//! tracker that has one of these.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::description::Router;
use super::{BoxAction, BoxEvent, DropReason, Ends, Mapping, OwnPacket, Side};
use crate::keepalive::{Incoming, answer_without_connection};
use crate::segment::{Endpoint, Flags, IcmpKind, Options, SeqNum};
use crate::simulate::packet::{IcmpPacket, Packet, TcpPacket};
use crate::time::Timestamp;

/// ICMP time exceeded in transit.
const TIME_EXCEEDED: IcmpKind = IcmpKind::TimeExceeded(0);

/// The ends of a packet that came in, or is to go out, on that side.
pub(super) fn ends(side: Side, packet: &TcpPacket) -> Ends {
    match side {
        Side::Inside => Ends { client: packet.source, server: packet.destination },
        Side::Outside => Ends { client: packet.destination, server: packet.source },
    }
}

/// The same packet with the ends that it has on the side where it leaves, coming from `from`.
fn translated(from: Side, mapping: &Mapping, packet: TcpPacket) -> TcpPacket {
    match from {
        Side::Inside => {
            let Ends { client, server } = mapping.outside;
            TcpPacket { source: client, destination: server, ..packet }
        }
        Side::Outside => {
            let Ends { client, server } = mapping.inside;
            TcpPacket { source: server, destination: client, ..packet }
        }
    }
}

/// What leaves a box, and what happened in it.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub(super) router: Router,
    transmits: VecDeque<(Side, Packet)>,
    events: VecDeque<BoxEvent>,
    /// Of its last ICMP error; its TCP segments have "don't fragment" and 0.
    ip_id: u16,
}

impl Forwarder {
    pub(super) fn new(router: Router) -> Self {
        Self { router, transmits: VecDeque::new(), events: VecDeque::new(), ip_id: 0 }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(Side, Packet)> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<BoxEvent> {
        self.events.pop_front()
    }

    pub(super) fn tell(&mut self, time: Timestamp, mapping: Option<Mapping>, what: BoxAction) {
        self.events.push_back(BoxEvent { time, mapping, what });
    }

    pub(super) fn dropped(&mut self, time: Timestamp, mapping: Option<Mapping>, from: Side, why: DropReason) {
        self.tell(time, mapping, BoxAction::Dropped { from, why });
    }

    /// Passes a packet on, translated if there is a mapping for it. The TTL is looked at here, which is after
    /// whatever a tracker did with the packet.
    pub(super) fn pass(&mut self, now: Timestamp, from: Side, mapping: Option<&Mapping>, packet: TcpPacket) {
        if self.dies(now, from, mapping, &packet) {
            return;
        }
        let ttl = self.hop(packet.ttl).unwrap_or(packet.ttl);
        let packet = mapping.map_or(packet, |mapping| translated(from, mapping, packet));
        self.transmits.push_back((from.other(), Packet::Tcp(TcpPacket { ttl, ..packet })));
    }

    /// Whether the TTL of a packet ends here; its sender was told if so.
    pub(super) fn dies(
        &mut self,
        now: Timestamp,
        from: Side,
        mapping: Option<&Mapping>,
        packet: &TcpPacket,
    ) -> bool {
        let dies = self.hop(packet.ttl).is_none();
        if dies {
            self.dropped(now, mapping.copied(), from, DropReason::TimeToLive);
            self.report(now, from, TIME_EXCEEDED, *packet);
        }
        dies
    }

    /// The TTL with which something leaves that came with `ttl`.
    fn hop(&self, ttl: u8) -> Option<u8> {
        if self.router.decrements_ttl { ttl.checked_sub(1).filter(|left| *left > 0) } else { Some(ttl) }
    }

    /// Passes an ICMP error on to the end whose packet it quotes; the quoted packet becomes what that end had
    /// sent.
    pub(super) fn pass_icmp(&mut self, now: Timestamp, from: Side, mapping: &Mapping, error: IcmpPacket) {
        let Some(ttl) = self.hop(error.ttl) else {
            self.dropped(now, Some(*mapping), from, DropReason::TimeToLive);
            return;
        };
        let (source, destination) = match from {
            Side::Outside => (mapping.inside.client, mapping.inside.server),
            Side::Inside => (mapping.outside.server, mapping.outside.client),
        };
        let about = TcpPacket { source, destination, ..error.about };
        // What comes from behind a NAT comes from its address, whoever reports it.
        let hidden = self.router.source.filter(|_| from == Side::Inside);
        let reporter = hidden.map_or(error.reporter, |source| source.address);
        let error = IcmpPacket { reporter, destination: source.address, about, ttl, ..error };
        self.transmits.push_back((from.other(), Packet::Icmp(Box::new(error))));
    }

    /// Sends an ICMP error to the sender of a packet that came from `from`, if the box has an address there.
    pub(super) fn report(&mut self, now: Timestamp, from: Side, kind: IcmpKind, about: TcpPacket) {
        let address = match from {
            Side::Inside => self.router.inside_address,
            Side::Outside => self.router.outside_address,
        };
        let Some(reporter) = address.filter(|address| same_family(*address, about.source.address)) else {
            return;
        };
        self.ip_id = self.ip_id.wrapping_add(1);
        let error = IcmpPacket {
            reporter,
            destination: about.source.address,
            kind,
            about,
            ttl: self.router.own_ttl,
            ip_id: self.ip_id,
        };
        self.transmits.push_back((from, Packet::Icmp(Box::new(error))));
        self.tell(now, None, BoxAction::Sent { on: from, what: OwnPacket::Icmp });
    }

    /// Answers a packet that came from `from` with the RST of a host that knows no such connection
    /// (RFC 9293 §3.10.7.1); nothing answers a RST.
    pub(super) fn refuse(&mut self, now: Timestamp, from: Side, packet: &TcpPacket) {
        let incoming = Incoming {
            seq: packet.seq,
            ack: packet.ack,
            flags: packet.flags,
            octets: u32::from(packet.octets),
            tsval: packet.options.timestamps.map(|timestamps| timestamps.value),
        };
        if let Some(answer) = answer_without_connection(&incoming) {
            let ends = (packet.destination, packet.source);
            self.send(now, None, from, ends, answer.seq, answer.ack, answer.flags);
        }
    }

    /// Sends a segment without data that the box made itself, between (source, destination).
    #[expect(clippy::too_many_arguments)]
    pub(super) fn send(
        &mut self,
        now: Timestamp,
        mapping: Option<Mapping>,
        on: Side,
        (source, destination): (Endpoint, Endpoint),
        seq: SeqNum,
        ack: SeqNum,
        flags: Flags,
    ) {
        let packet = TcpPacket {
            source,
            destination,
            seq,
            ack,
            flags,
            window: 0,
            octets: 0,
            ttl: self.router.own_ttl,
            dont_fragment: true,
            ip_id: 0,
            options: Options::default(),
        };
        self.transmits.push_back((on, Packet::Tcp(packet)));
        let what = if flags.rst() { OwnPacket::Reset } else { OwnPacket::Finish };
        self.tell(now, mapping, BoxAction::Sent { on, what });
    }

    /// Whether a packet from outside is for the box itself.
    pub(super) fn is_for_us(&self, from: Side, destination: IpAddr) -> bool {
        from == Side::Outside && self.router.source.is_some_and(|source| source.address == destination)
    }

    /// Whether a packet from outside for an end inside gets there without a mapping.
    pub(super) fn finds_inside(&self) -> bool {
        self.router.source.is_none() || self.router.inside_is_routed
    }
}

/// The ends of the connection that an ICMP error from that side is about, as they stand on that side. The
/// quoted packet went the other way.
pub(super) fn quoted_ends(from: Side, error: &IcmpPacket) -> Ends {
    ends(from.other(), &error.about)
}

fn same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}
