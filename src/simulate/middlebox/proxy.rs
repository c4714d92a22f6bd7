//! A proxy: the other end for both ends. Keepalives are answered where they arrive and get no further.
//!
//! Owns the two connections of each client and the timers of inactivity. Only data starts these anew, from
//! either side, as in HAProxy without `option independent-streams`. Uses [`crate::simulate::end`], the same TCP
//! that hosts have.

use std::collections::VecDeque;

use super::description::{Input, Ports, Proxy, ProxyClose, Router, Service, SourceTranslation};
use super::forward::{Forwarder, ends};
use super::table::{Key, Table};
use super::{
    BoxAction, BoxEvent, DropReason, Ends, Mapping, Middlebox, NotCounted, OwnPacket, Removal, Side, TcpState,
};
use crate::keepalive::{Clock, Model, Settings};
use crate::segment::{Endpoint, SeqNum};
use crate::simulate::chance::{Chance, Stream};
use crate::simulate::end::{Config, End, EndEvent, Role, StampClock};
use crate::simulate::packet::{Packet, TcpPacket};
use crate::simulate::profile::Profile;
use crate::stack::Stack;
use crate::time::{Span, Timestamp};

/// Longer than anything lasts.
const FOR_EVER: Span = Span::from_secs(1 << 32);

/// Both connections of a client.
#[derive(Debug)]
struct Pair {
    client: End,
    server: Option<End>,
    /// When data was seen last, on either side.
    data: Timestamp,
    /// Nothing is passed on any more.
    closing: bool,
}

impl Pair {
    fn end_mut(&mut self, side: Side) -> Option<&mut End> {
        match side {
            Side::Inside => Some(&mut self.client),
            Side::Outside => self.server.as_mut(),
        }
    }

    fn is_over(&self) -> bool {
        self.client.is_closed() && self.server.as_ref().is_none_or(End::is_closed)
    }

    /// When the first timer of inactivity runs out, and whose.
    fn silence_ends(&self, rules: &Proxy) -> Option<(Timestamp, Side)> {
        if self.closing {
            return None;
        }
        let client = rules.timeout_client.map(|timeout| (self.data.plus(timeout), Side::Inside));
        let server = rules.timeout_server.map(|timeout| (self.data.plus(timeout), Side::Outside));
        // Where both run out at once, it is the server that was too slow.
        [server, client].into_iter().flatten().min_by_key(|(time, _)| *time)
    }

    fn next_timeout(&self, rules: &Proxy) -> Option<Timestamp> {
        let silence = self.silence_ends(rules).map(|(time, _)| time);
        let server = self.server.as_ref().and_then(End::next_timeout);
        [self.client.next_timeout(), server, silence].into_iter().flatten().min()
    }
}

/// A proxy.
#[derive(Debug)]
pub(super) struct ProxyBox {
    rules: Proxy,
    model: Model,
    profile: Profile,
    chance: Chance,
    /// When the counter of ticks of its kernel stood at 0.
    boot: Timestamp,
    /// For RSTs to strangers, and to tell what happens.
    out: Forwarder,
    table: Table<Pair>,
    transmits: VecDeque<(Side, Packet)>,
}

impl ProxyBox {
    /// `seed` decides on ports, first sequence numbers and the phase of its timers.
    pub(super) fn new(rules: Proxy, linux: Model, seed: u64) -> Self {
        let router = Router {
            inside_address: None,
            outside_address: None,
            decrements_ttl: false,
            own_ttl: 64,
            source: Some(SourceTranslation { address: rules.address, ports: Ports::Random }),
            service: Some(Service { endpoint: rules.listen, backends: rules.backends.clone() }),
            input: Input::Reset,
            inside_is_routed: false,
        };
        let mut chance = Chance::new(seed, Stream::Middlebox { index: 0 });
        let uptime = i64::from(chance.word()).saturating_mul(1_000_000);
        Self {
            rules,
            profile: Profile::of(linux.stack),
            model: linux,
            chance,
            boot: Timestamp::from_nanos(-uptime),
            out: Forwarder::new(router),
            table: Table::new(seed, false),
            transmits: VecDeque::new(),
        }
    }

    /// The stack that a proxy runs on.
    pub(super) fn stack() -> Option<Model> {
        Stack::named("linux").ok().and_then(Model::of)
    }

    fn config(&mut self, (local, remote): (Endpoint, Endpoint), keepalive: Option<Settings>) -> Config {
        Config {
            local,
            remote,
            profile: self.profile,
            rules: self.model.rules,
            settings: keepalive.unwrap_or(self.model.settings),
            on: keepalive.is_some(),
            clock: Clock::new(self.model.rounding, self.boot),
            initial: SeqNum(self.chance.word()),
            stamps: StampClock { zero: self.boot, offset: self.chance.word() },
            close_when_idle: None,
            stays_half_open: true,
        }
    }

    fn on_stranger(&mut self, now: Timestamp, from: Side, packet: &TcpPacket) {
        let ours = match from {
            Side::Inside => self.rules.listen.address,
            Side::Outside => self.rules.address,
        };
        let syn = packet.flags.syn() && !packet.flags.ack() && !packet.flags.rst();
        if from == Side::Inside && packet.destination == self.rules.listen && syn {
            self.accept(now, packet);
        } else if packet.destination.address == ours {
            self.out.dropped(now, None, from, DropReason::Input);
            self.out.refuse(now, from, packet);
        } else {
            self.out.dropped(now, None, from, DropReason::NoMapping);
        }
    }

    fn accept(&mut self, now: Timestamp, syn: &TcpPacket) {
        let Some(both) = self.table.translate(&self.out.router, Side::Inside, ends(Side::Inside, syn)) else {
            self.out.dropped(now, None, Side::Inside, DropReason::NoPort);
            return;
        };
        let config = self.config((syn.destination, syn.source), self.rules.keepalive_client);
        let pair = Pair { client: End::accept(config, now, syn), server: None, data: now, closing: false };
        let key = self.table.insert(now, both, Side::Inside, FOR_EVER, pair);
        let Some(entry) = self.table.get(key) else { return };
        let timeout = self.timeout();
        let what = BoxAction::Created { state: TcpState::SynReceived, midstream: false, timeout };
        self.out.tell(now, Some(entry.mapping), what);
        self.settle(now, key);
    }

    /// After so much silence it closes.
    fn timeout(&self) -> Span {
        let both = [self.rules.timeout_client, self.rules.timeout_server];
        both.into_iter().flatten().min().unwrap_or(FOR_EVER)
    }

    fn on_segment(&mut self, now: Timestamp, from: Side, key: Key, packet: &TcpPacket) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let mapping = entry.mapping;
        if let Some(end) = entry.state.end_mut(from) {
            end.on_packet(now, packet);
        }
        if !self.settle(now, key) {
            let what = BoxAction::Unrefreshed { from, why: NotCounted::NoData, state: None };
            self.out.tell(now, Some(mapping), what);
        }
    }

    fn wake(&mut self, now: Timestamp, key: Key) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let mapping = entry.mapping;
        entry.state.client.on_timeout(now);
        if let Some(server) = &mut entry.state.server {
            server.on_timeout(now);
        }
        if let Some((_, silent)) = entry.state.silence_ends(&self.rules).filter(|(due, _)| *due <= now) {
            self.out.tell(now, Some(mapping), BoxAction::Closed { silent: Some(silent) });
            self.close(now, key, Some(silent));
        }
        self.settle(now, key);
    }

    /// Closes both connections, each in its way.
    fn close(&mut self, now: Timestamp, key: Key, silent: Option<Side>) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let pair = &mut entry.state;
        pair.closing = true;
        for (side, how) in [(Side::Inside, self.rules.close_client), (Side::Outside, self.rules.close_server)]
        {
            let Some(end) = pair.end_mut(side) else { continue };
            match how {
                ProxyClose::Finish => end.close(now),
                ProxyClose::Reset => end.abort(now),
                ProxyClose::FinishThenReset => {
                    end.close(now);
                    if silent == Some(side) {
                        end.abort(now);
                    }
                }
            }
        }
    }

    /// One end broke off: a client's RST goes on to the server, a server's makes an end for the client.
    fn break_off(&mut self, now: Timestamp, key: Key, from: Side) {
        let Some(entry) = self.table.get_mut(key).filter(|entry| !entry.state.closing) else { return };
        let mapping = entry.mapping;
        self.out.tell(now, Some(mapping), BoxAction::Closed { silent: None });
        if from == Side::Inside {
            entry.state.closing = true;
            if let Some(server) = &mut entry.state.server {
                server.abort(now);
            }
        } else {
            self.close(now, key, None);
        }
    }

    /// Passes on what each end tells until none has anything to tell, sends what they have to send, and sets
    /// the timer. Whether data came.
    fn settle(&mut self, now: Timestamp, key: Key) -> bool {
        let mut data = false;
        while let Some((from, event)) = self.next_event(key) {
            data |= matches!(event, EndEvent::Delivered(_));
            self.on_event(now, key, from, event);
        }
        let Some(entry) = self.table.get_mut(key) else { return data };
        let mapping = entry.mapping;
        for side in [Side::Inside, Side::Outside] {
            let Some(end) = entry.state.end_mut(side) else { continue };
            while let Some((packet, role)) = end.poll_transmit() {
                self.transmits.push_back((side, Packet::Tcp(packet)));
                self.out.tell(now, Some(mapping), BoxAction::Sent { on: side, what: own_packet(role) });
            }
        }
        if entry.state.is_over() {
            self.table.remove(key);
            self.out.tell(now, Some(mapping), BoxAction::Removed { why: Removal::Closed });
            return data;
        }
        let next = entry.state.next_timeout(&self.rules);
        let wait = next.map_or(FOR_EVER, |next| next.since(now).max(Span::from_nanos(1)));
        self.table.refresh(now, key, wait);
        data
    }

    fn next_event(&mut self, key: Key) -> Option<(Side, EndEvent)> {
        let pair = &mut self.table.get_mut(key)?.state;
        let client = pair.client.poll_event().map(|event| (Side::Inside, event));
        client.or_else(|| Some((Side::Outside, pair.server.as_mut()?.poll_event()?)))
    }

    fn on_event(&mut self, now: Timestamp, key: Key, from: Side, event: EndEvent) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let mapping = entry.mapping;
        match event {
            EndEvent::Opened if from == Side::Inside => self.connect(now, key, &mapping),
            EndEvent::Delivered(octets) => {
                entry.state.data = now;
                let timeout = self.timeout();
                let what = BoxAction::Refreshed { from, state: TcpState::Established, timeout };
                self.out.tell(now, Some(mapping), what);
                self.pass_on(key, from, |end| end.send(now, octets));
            }
            EndEvent::PeerClosed => self.pass_on(key, from, |end| end.close(now)),
            EndEvent::Closed(how) if !how.is_in_order() => self.break_off(now, key, from),
            EndEvent::Opened | EndEvent::Keepalive(_) | EndEvent::Closed(_) => {}
        }
    }

    /// Does with the other end what one end did, unless both are being closed.
    fn pass_on(&mut self, key: Key, from: Side, what: impl FnOnce(&mut End)) {
        let Some(entry) = self.table.get_mut(key) else { return };
        if entry.state.closing {
            return;
        }
        if let Some(end) = entry.state.end_mut(from.other()) {
            what(end);
        }
    }

    /// The client is there: now for the server. What the client sends meanwhile waits for it.
    fn connect(&mut self, now: Timestamp, key: Key, mapping: &Mapping) {
        let Ends { client, server } = mapping.outside;
        let config = self.config((client, server), self.rules.keepalive_server);
        if let Some(entry) = self.table.get_mut(key).filter(|entry| entry.state.server.is_none()) {
            entry.state.server = Some(End::connect(config, now));
        }
    }

    fn look(&mut self, now: Timestamp) {
        while let Some(key) = self.table.pop_due(now) {
            self.wake(now, key);
        }
    }
}

fn own_packet(role: Role) -> OwnPacket {
    match role {
        Role::Probe(_) => OwnPacket::Probe,
        Role::Reset => OwnPacket::Reset,
        Role::Fin => OwnPacket::Finish,
        _ => OwnPacket::Segment,
    }
}

impl Middlebox for ProxyBox {
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet) {
        self.look(now);
        match packet {
            // What the kernel does with errors shows nowhere else.
            Packet::Icmp(_) => self.out.dropped(now, None, from, DropReason::Input),
            Packet::Tcp(segment) => match self.table.find(from, &ends(from, &segment)) {
                Some(key) => self.on_segment(now, from, key, &segment),
                None => self.on_stranger(now, from, &segment),
            },
        }
    }

    fn on_timeout(&mut self, now: Timestamp) {
        self.look(now);
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.table.next_due()
    }

    fn poll_transmit(&mut self) -> Option<(Side, Packet)> {
        self.transmits.pop_front().or_else(|| self.out.poll_transmit())
    }

    fn poll_event(&mut self) -> Option<BoxEvent> {
        self.out.poll_event()
    }
}
