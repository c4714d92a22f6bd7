//! A box that watches packets and keeps one timer for each connection, with every rule a setting.
//!
//! Owns the rules of [`super::description::Tracker`] in motion. NATs, firewalls and load balancers that pass
//! packets on are this with other settings; for Linux see [`super::conntrack`].

use super::description::{AtExpiry, Input, Refresh, Stray, Towards, Tracker, WhenFull};
use super::forward::{Forwarder, ends, quoted_ends};
use super::table::{Key, Table};
use super::{BoxAction, BoxEvent, DropReason, Mapping, Middlebox, NotCounted, Removal, Side, TcpState};
use crate::segment::{Flags, SeqNum};
use crate::simulate::packet::{IcmpPacket, Packet, TcpPacket};
use crate::time::{Span, Timestamp};

/// What a tracker knows of one end.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The end of what it sent: one above its highest octet.
    end: Option<SeqNum>,
    /// The highest number it acknowledged.
    acked: Option<SeqNum>,
    syn: bool,
    fin: bool,
}

impl Seen {
    /// Whether the segment ends above everything that this end sent before.
    fn is_advanced_by(&self, packet: &TcpPacket) -> bool {
        self.end.is_none_or(|end| end_of(packet).distance_from(end) > 0)
    }

    fn note(&mut self, packet: &TcpPacket) {
        if self.is_advanced_by(packet) {
            self.end = Some(end_of(packet));
        }
        if packet.flags.ack() && self.acked.is_none_or(|acked| packet.ack.distance_from(acked) > 0) {
            self.acked = Some(packet.ack);
        }
        self.syn |= packet.flags.syn();
        self.fin |= packet.flags.fin();
    }

    /// Whether the other end has yet to acknowledge something of this one.
    fn is_waiting(&self, other: &Seen) -> bool {
        match (self.end, other.acked) {
            (Some(end), Some(acked)) => end.distance_from(acked) > 0,
            _ => false,
        }
    }
}

fn end_of(packet: &TcpPacket) -> SeqNum {
    let numbers = u32::from(packet.flags.syn()) + u32::from(packet.flags.fin());
    packet.seq.plus(u32::from(packet.octets)).plus(numbers)
}

/// What a tracker knows of one connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    state: TcpState,
    inside: Seen,
    outside: Seen,
}

impl Connection {
    fn seen(&self, side: Side) -> &Seen {
        match side {
            Side::Inside => &self.inside,
            Side::Outside => &self.outside,
        }
    }

    fn seen_mut(&mut self, side: Side) -> &mut Seen {
        match side {
            Side::Inside => &mut self.inside,
            Side::Outside => &mut self.outside,
        }
    }

    fn has_unacknowledged(&self) -> bool {
        self.inside.is_waiting(&self.outside) || self.outside.is_waiting(&self.inside)
    }

    /// Takes a segment in; the state is then what the segment made it.
    fn note(&mut self, from: Side, packet: &TcpPacket) {
        self.seen_mut(from).note(packet);
        let [one, other] = [self.seen(from), self.seen(from.other())];
        self.state = if packet.flags.rst() {
            TcpState::Close
        } else if one.fin && other.fin {
            let all = !self.has_unacknowledged() && packet.flags.ack() && !packet.flags.fin();
            if all || self.state == TcpState::TimeWait { TcpState::TimeWait } else { TcpState::LastAck }
        } else if one.fin || other.fin {
            TcpState::FinWait
        } else {
            match self.state {
                TcpState::SynSent if packet.flags.syn() && packet.flags.ack() => TcpState::SynReceived,
                TcpState::SynReceived if packet.flags.ack() && !packet.flags.syn() => TcpState::Established,
                state => state,
            }
        };
    }
}

/// A box that watches packets.
#[derive(Debug)]
pub(super) struct TrackerBox {
    rules: Tracker,
    out: Forwarder,
    table: Table<Connection>,
    /// When it last looked for connections to forget, if it does so only now and then.
    swept: Timestamp,
    /// When within a sweep's length it looks.
    phase: Span,
}

impl TrackerBox {
    /// `seed` decides on ports and on the moments of sweeps.
    pub(super) fn new(rules: Tracker, seed: u64) -> Self {
        let by_silence = rules.table.is_some_and(|table| table.when_full == WhenFull::EvictLongestSilent);
        let sweep = rules.sweep.map_or(1, |sweep| sweep.as_nanos().max(1));
        // The odd multiplier spreads seeds that lie close together (Knuth, TAOCP 6.4).
        let spread = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1;
        let phase = Span::from_nanos(spread.cast_signed() % sweep);
        Self {
            out: Forwarder::new(rules.router.clone()),
            rules,
            table: Table::new(seed, by_silence),
            swept: Timestamp::from_nanos(i64::MIN),
            phase,
        }
    }

    /// The last moment up to `now` at which it looks for connections to forget.
    fn last_look(&self, now: Timestamp) -> Timestamp {
        let Some(sweep) = self.rules.sweep else { return now };
        let zero = Timestamp::from_nanos(self.phase.as_nanos());
        let late = now.since(zero).as_nanos().rem_euclid(sweep.as_nanos().max(1));
        now.plus(Span::from_nanos(-late))
    }

    /// The first moment from `due` on at which it looks.
    fn first_look(&self, due: Timestamp) -> Timestamp {
        let last = self.last_look(due);
        match self.rules.sweep {
            Some(sweep) if last < due => last.plus(sweep),
            _ => last,
        }
    }

    /// How many of `end − start` parts of each timer are left, if the table is so full that they shrink.
    fn shrunk(&self) -> Option<(i64, i64)> {
        let adaptive = self.rules.adaptive?;
        let count = i64::try_from(self.table.len()).unwrap_or(i64::MAX);
        let (start, end) = (i64::from(adaptive.start), i64::from(adaptive.end));
        (count > start).then_some(((end - count).max(0), (end - start).max(1)))
    }

    /// Forgets what is due.
    fn look(&mut self, now: Timestamp) {
        let look = self.last_look(now);
        if self.rules.sweep.is_some() && look <= self.swept {
            return;
        }
        self.swept = look;
        for key in if self.shrunk().is_some() { self.table.keys() } else { Vec::new() } {
            let (Some((left, whole)), Some(entry)) = (self.shrunk(), self.table.get(key)) else { continue };
            let timeout = i128::from(entry.timeout.as_nanos()) * i128::from(left) / i128::from(whole);
            let deadline = entry.counted.plus(Span::from_nanos(i64::try_from(timeout).unwrap_or(i64::MAX)));
            if deadline <= look {
                self.expire(look, key);
            }
        }
        while let Some(key) = self.table.pop_due(look) {
            self.expire(look, key);
        }
    }

    fn expire(&mut self, now: Timestamp, key: Key) {
        let Some(entry) = self.table.remove(key) else { return };
        let idle = now.since(entry.counted);
        self.out.tell(now, Some(entry.mapping), BoxAction::Expired { idle });
        if entry.state.state != TcpState::Established {
            return;
        }
        let (towards, flags) = match self.rules.at_expiry {
            AtExpiry::Nothing => return,
            AtExpiry::Reset(towards) => (towards, Flags::RST.with(Flags::ACK)),
            AtExpiry::Finish(towards) => (towards, Flags::FIN.with(Flags::ACK)),
        };
        if matches!(towards, Towards::Inside | Towards::Both) {
            self.end(now, &entry.mapping, &entry.state, Side::Inside, flags);
        }
        if matches!(towards, Towards::Outside | Towards::Both) {
            self.end(now, &entry.mapping, &entry.state, Side::Outside, flags);
        }
    }

    /// Sends the end on that side a segment in the other end's name, at the number it expects.
    fn end(&mut self, now: Timestamp, mapping: &Mapping, known: &Connection, on: Side, flags: Flags) {
        let (its, others) = (known.seen(on), known.seen(on.other()));
        let (Some(seq), Some(ack)) = (its.acked.or(others.end), its.end) else { return };
        let between = match on {
            Side::Inside => (mapping.inside.server, mapping.inside.client),
            Side::Outside => (mapping.outside.client, mapping.outside.server),
        };
        self.out.send(now, Some(*mapping), on, between, seq, ack, flags);
    }

    fn timer(&self, known: &Connection) -> Span {
        let timers = &self.rules.timers;
        match known.state {
            TcpState::SynSent | TcpState::SynSent2 => timers.syn,
            TcpState::SynReceived => timers.handshake,
            TcpState::Established if known.has_unacknowledged() => timers.unacknowledged,
            TcpState::Established => timers.established,
            TcpState::FinWait | TcpState::CloseWait if known.inside.fin => timers.closed_by_client,
            TcpState::FinWait | TcpState::CloseWait => timers.closed_by_server,
            TcpState::LastAck | TcpState::TimeWait => timers.closing,
            TcpState::Close => timers.reset,
        }
    }

    fn on_known(&mut self, now: Timestamp, from: Side, key: Key, packet: TcpPacket) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let mapping = entry.mapping;
        let before = entry.state.state;
        let opens = packet.flags.syn() && !packet.flags.ack();
        if opens && before >= TcpState::LastAck {
            self.table.remove(key);
            self.out.tell(now, Some(mapping), BoxAction::Removed { why: Removal::Reopened });
            self.on_unknown(now, from, packet);
            return;
        }
        let counts = if opens && before >= TcpState::Established {
            Err(NotCounted::Ignored)
        } else {
            let news = entry.state.seen(from).is_advanced_by(&packet);
            entry.state.note(from, &packet);
            let known = entry.state;
            let counts = self.rules.refresh.counts(from, known.state != before, news);
            counts.map(|()| known)
        };
        let what = match counts {
            Ok(known) => {
                let timeout = self.timer(&known);
                self.table.refresh(now, key, timeout);
                BoxAction::Refreshed { from, state: known.state, timeout }
            }
            Err(why) => BoxAction::Unrefreshed { from, why, state: Some(before) },
        };
        self.out.tell(now, Some(mapping), what);
        self.out.pass(now, from, Some(&mapping), packet);
    }

    fn on_unknown(&mut self, now: Timestamp, from: Side, packet: TcpPacket) {
        if self.out.is_for_us(from, packet.destination.address) {
            self.out.dropped(now, None, from, DropReason::Input);
            if self.out.router.input == Input::Reset {
                self.out.refuse(now, from, &packet);
            }
            return;
        }
        if from == Side::Outside && !self.out.finds_inside() {
            self.out.dropped(now, None, from, DropReason::NoMapping);
            return;
        }
        let Flags(bits) = packet.flags;
        let kind = Flags(bits & Flags::SYN.with(Flags::ACK).with(Flags::FIN).with(Flags::RST).0);
        if kind == Flags::SYN && self.rules.opens.includes(from) {
            self.create(now, from, packet, TcpState::SynSent);
            return;
        }
        let stray = match from {
            Side::Inside => self.rules.stray_from_inside,
            Side::Outside => self.rules.stray_from_outside,
        };
        match stray {
            Stray::Create if kind == Flags::ACK => self.create(now, from, packet, TcpState::Established),
            Stray::Pass => {
                self.out.tell(
                    now,
                    None,
                    BoxAction::Unrefreshed { from, why: NotCounted::Untracked, state: None },
                );
                self.out.pass(now, from, None, packet);
            }
            Stray::Drop | Stray::Create => self.out.dropped(now, None, from, DropReason::NoMapping),
            Stray::Reset => {
                self.out.dropped(now, None, from, DropReason::NoMapping);
                self.out.refuse(now, from, &packet);
            }
            Stray::Icmp(kind) => {
                self.out.dropped(now, None, from, DropReason::NoMapping);
                if !packet.flags.rst() {
                    self.out.report(now, from, kind, packet);
                }
            }
        }
    }

    fn create(&mut self, now: Timestamp, from: Side, packet: TcpPacket, state: TcpState) {
        // What does not get through makes no mapping.
        if self.out.dies(now, from, None, &packet) {
            return;
        }
        if !self.has_room(now) {
            self.out.dropped(now, None, from, DropReason::TableFull);
            return;
        }
        let ends = ends(from, &packet);
        let Some(both) = self.table.translate(&self.out.router, from, ends) else {
            self.out.dropped(now, None, from, DropReason::NoPort);
            return;
        };
        let mut known = Connection { state, inside: Seen::default(), outside: Seen::default() };
        known.note(from, &packet);
        let timeout = self.timer(&known);
        let key = self.table.insert(now, both, from, timeout, known);
        let Some(mapping) = self.table.get(key).map(|entry| entry.mapping) else { return };
        let midstream = state == TcpState::Established;
        self.out.tell(now, Some(mapping), BoxAction::Created { state: known.state, midstream, timeout });
        self.out.pass(now, from, Some(&mapping), packet);
    }

    /// Whether there is room for one more connection, after making some if that is the rule.
    fn has_room(&mut self, now: Timestamp) -> bool {
        let Some(limits) = self.rules.table else { return true };
        if self.table.len() < usize::try_from(limits.limit).unwrap_or(usize::MAX) {
            return true;
        }
        if limits.when_full == WhenFull::Refuse {
            return false;
        }
        let Some(key) = self.table.longest_silent() else { return false };
        if let Some(entry) = self.table.remove(key) {
            self.out.tell(now, Some(entry.mapping), BoxAction::Removed { why: Removal::Evicted });
        }
        true
    }

    fn on_icmp(&mut self, now: Timestamp, from: Side, error: IcmpPacket) {
        let found = self.table.find(from, &quoted_ends(from, &error)).and_then(|key| self.table.get(key));
        match found.map(|entry| entry.mapping) {
            Some(mapping) => self.out.pass_icmp(now, from, &mapping, error),
            None => self.out.dropped(now, None, from, DropReason::NoMapping),
        }
    }
}

impl Refresh {
    /// Whether a packet from that side starts the timer anew: one that changes the state always does.
    fn counts(&self, from: Side, changes: bool, news: bool) -> Result<(), NotCounted> {
        if changes {
            Ok(())
        } else if !self.direction.includes(from) {
            Err(NotCounted::Direction)
        } else if self.only_data && !news {
            Err(NotCounted::NoData)
        } else {
            Ok(())
        }
    }
}

impl Middlebox for TrackerBox {
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet) {
        self.look(now);
        match packet {
            Packet::Icmp(error) => self.on_icmp(now, from, *error),
            Packet::Tcp(segment) => match self.table.find(from, &ends(from, &segment)) {
                Some(key) => self.on_known(now, from, key, segment),
                None => self.on_unknown(now, from, segment),
            },
        }
    }

    fn on_timeout(&mut self, now: Timestamp) {
        self.look(now);
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let due = self.table.next_due()?;
        match (self.shrunk(), self.rules.sweep) {
            // Timers are not what they were, so each sweep looks at all.
            (Some(_), Some(sweep)) => Some(self.swept.plus(sweep)),
            _ => Some(self.first_look(due)),
        }
    }

    fn poll_transmit(&mut self) -> Option<(Side, Packet)> {
        self.out.poll_transmit()
    }

    fn poll_event(&mut self) -> Option<BoxEvent> {
        self.out.poll_event()
    }
}
