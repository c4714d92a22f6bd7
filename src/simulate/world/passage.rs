//! How packets pass: over links with their routers, through boxes, to a host, and by the taps.

use super::{Entry, Tracked, World};
use crate::segment::IcmpKind;
use crate::simulate::end::Role;
use crate::simulate::host::HostSide;
use crate::simulate::link::Fate;
use crate::simulate::middlebox::Side;
use crate::simulate::packet::{IcmpPacket, Packet, TcpPacket};
use crate::simulate::tap::{TapFrame, TapPlace, octets};
use crate::simulate::truth::What;
use crate::time::Span;

/// The TTL that a router gives its own packets.
const ROUTER_TTL: u8 = 64;

impl World {
    /// A packet leaves a place (0 for the client, then the boxes, then the server) onto the link there.
    pub(super) fn launch(&mut self, place: usize, up: bool, mut tracked: Tracked) {
        let link = if up { place } else { place.saturating_sub(1) };
        let there = if up { place + 1 } else { place.saturating_sub(1) };
        let now = self.now;
        let is_probe = tracked.role.is_probe();
        let Some([way_up, way_down]) = self.lanes.get_mut(link) else { return };
        let lane = if up { way_up } else { way_down };
        let delay = lane.delay();
        match lane.send(now, &tracked.packet, is_probe) {
            Fate::Lost(cause) => {
                let (packet, role) = (tracked.id, tracked.role);
                self.tell(What::LostOnLink { link, up, packet, role, cause });
            }
            Fate::Arrives { at, again } => {
                if self.expires(link, up, delay, &mut tracked) {
                    return;
                }
                let side = if up { Side::Inside } else { Side::Outside };
                if let Some(again) = again {
                    let entry = Entry::Arrival { place: there, side, tracked: tracked.clone() };
                    self.queue.push(again, entry);
                }
                self.queue.push(at, Entry::Arrival { place: there, side, tracked });
            }
        }
    }

    /// Takes the routers of a link from a packet's time to live. Where that ends, the router says so to the
    /// sender.
    fn expires(&mut self, link: usize, up: bool, delay: Span, tracked: &mut Tracked) -> bool {
        let Some(routers) = self.links.get(link).map(|link| &link.routers) else { return false };
        let hops = u8::try_from(routers.len()).unwrap_or(u8::MAX);
        let ttl = match &mut tracked.packet {
            Packet::Tcp(segment) => &mut segment.ttl,
            Packet::Icmp(error) => &mut error.ttl,
        };
        if *ttl > hops {
            *ttl -= hops;
            return false;
        }
        // The router that takes the last one does not pass it on.
        let nth = usize::from((*ttl).max(1)) - 1;
        let index = if up { nth } else { routers.len().saturating_sub(nth + 1) };
        let Some(router) = routers.get(index).copied() else { return false };
        let parts = i64::try_from(routers.len() + 1).unwrap_or(i64::MAX);
        let way = i64::try_from(nth + 1).unwrap_or(1);
        self.tell(What::TtlEnded { link, router, packet: tracked.id, role: tracked.role });
        if let Packet::Tcp(about) = &tracked.packet {
            let about = TcpPacket { ttl: 1, ..*about };
            let error = IcmpPacket {
                reporter: router,
                destination: about.source.address,
                kind: IcmpKind::TimeExceeded(0),
                about,
                ttl: ROUTER_TTL.saturating_sub(u8::try_from(nth).unwrap_or(u8::MAX)),
                ip_id: 0,
            };
            let packet = Packet::Icmp(Box::new(error));
            let tracked = Tracked { id: self.next_packet(), role: Role::Path, connection: None, packet };
            let place = if up { link } else { link + 1 };
            let side = if up { Side::Outside } else { Side::Inside };
            let there_and_back = delay.times(2).as_nanos() / parts * way;
            let at = self.now.plus(Span::from_nanos(there_and_back));
            self.queue.push(at, Entry::Arrival { place, side, tracked });
        }
        true
    }

    /// A packet arrives somewhere.
    pub(super) fn arrive(&mut self, place: usize, side: Side, tracked: Tracked) {
        if place == 0 {
            self.reach(HostSide::Client, tracked);
        } else if place == self.boxes.len() + 1 {
            self.reach(HostSide::Server, tracked);
        } else {
            let index = place - 1;
            self.capture(TapPlace::Middlebox(index, side), &tracked, side == Side::Inside);
            let now = self.now;
            if let Some(middlebox) = self.boxes.get_mut(index) {
                middlebox.on_packet(now, side, tracked.packet.clone());
            }
            self.settle_box(index, Some((side, tracked)));
        }
    }

    /// Takes what a box has to send and to tell, and sees to its timer. What it passes on of a packet that came
    /// is still that packet.
    pub(super) fn settle_box(&mut self, index: usize, mut came: Option<(Side, Tracked)>) {
        loop {
            let Some(middlebox) = self.boxes.get_mut(index) else { return };
            if let Some(event) = middlebox.poll_event() {
                self.tell(What::Middlebox { index, event });
                continue;
            }
            let Some((side, packet)) = middlebox.poll_transmit() else {
                let next = middlebox.next_timeout();
                self.set_alarm(2 + index, next, Entry::BoxTimer(index));
                return;
            };
            let up = side == Side::Outside;
            let passed = came.take_if(|(from, tracked)| *from != side && is_same(&tracked.packet, &packet));
            let tracked = match passed {
                Some((_, tracked)) => Tracked { packet, ..tracked },
                None => Tracked { id: self.next_packet(), role: Role::Path, connection: None, packet },
            };
            self.capture(TapPlace::Middlebox(index, side), &tracked, !up);
            self.launch(index + 1, up, tracked);
        }
    }

    /// A packet reaches a host.
    fn reach(&mut self, host: HostSide, tracked: Tracked) {
        let (powered, plugged) = (self.host(host).powered, self.host(host).plugged);
        if !powered || !plugged {
            self.tell(What::LostAtHost { host, packet: tracked.id, role: tracked.role });
            return;
        }
        self.capture(TapPlace::Host(host), &tracked, host == HostSide::Server);
        let Tracked { id, role, connection, packet } = tracked;
        let now = self.now;
        let known = match &packet {
            Packet::Tcp(segment) => self.host(host).connection_of(segment),
            Packet::Icmp(_) => None,
        };
        let content = packet.clone();
        self.tell(What::Received { host, connection: known, packet: id, role, content });
        if let Packet::Tcp(segment) = &packet {
            match known {
                Some(known) => self.host_mut(host).on_packet(now, known, segment),
                None => self.on_stranger(host, connection, segment),
            }
        }
        self.because = Some(id);
        self.settle_host(host);
        self.because = None;
    }

    /// A segment comes for no connection that there is: it may be the first of one that is waited for.
    fn on_stranger(&mut self, host: HostSide, connection: Option<usize>, segment: &TcpPacket) {
        let now = self.now;
        let is_first = host == HostSide::Server && segment.flags.syn() && !segment.flags.ack();
        let waits = |world: &World, index: usize| {
            let spec = world.connections.get(index);
            spec.is_some_and(|spec| spec.server_port == segment.destination.port && !spec.refused)
                && world.host(host).is_free(index)
        };
        let wanted = connection
            .filter(|index| waits(self, *index))
            .or_else(|| (0..self.connections.len()).find(|index| waits(self, *index)));
        match wanted.filter(|_| is_first) {
            Some(index) => self.host_mut(host).accept(now, index, segment),
            None => self.host_mut(host).on_stranger(segment),
        }
    }

    /// A packet passes a place; whoever has a tap there gets a frame.
    pub(super) fn capture(&mut self, place: TapPlace, tracked: &Tracked, towards_server: bool) {
        let Tracked { id, role, packet, .. } = tracked;
        for (tap, spec) in (0..).zip(&self.taps) {
            if spec.place != place {
                continue;
            }
            let Some((link, data)) = octets(packet, spec.link, towards_server) else { continue };
            self.captured += 1;
            let (number, time) = (self.captured, self.now);
            self.frames.push_back(TapFrame { tap, number, time, link, data, packet: *id, role: *role });
        }
    }
}

/// Whether what left a box is what came to it, addresses and hops aside.
fn is_same(came: &Packet, left: &Packet) -> bool {
    match (came, left) {
        (Packet::Tcp(came), Packet::Tcp(left)) => {
            (came.seq, came.ack, came.flags, came.octets) == (left.seq, left.ack, left.flags, left.octets)
        }
        (Packet::Icmp(came), Packet::Icmp(left)) => came.kind == left.kind,
        _ => false,
    }
}
