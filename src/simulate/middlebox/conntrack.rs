//! Linux netfilter as a box: connection tracking, address translation and the rules that go with them.
//!
//! Owns the order in which a packet meets them: tracking first, then translation, then the TTL, so that a
//! packet which dies of its TTL here has started the timer anew. A connection is forgotten at its time to the
//! nanosecond, since the kernel compares the time with each packet and never waits for its sweep; only there
//! the time counts in jiffies.
//!
//! A full table gives up a connection that was never assured. The kernel looks for one in some places of its
//! table only, so that it may find none where this does.

mod connection;
mod state;
mod window;

use super::description::{Conntrack, Input};
use super::forward::{Forwarder, ends, quoted_ends};
use super::table::{Key, Table};
use super::{BoxAction, BoxEvent, DropReason, Mapping, Middlebox, NotCounted, Removal, Side, TcpState};
use crate::simulate::packet::{IcmpPacket, Packet, TcpPacket};
use crate::time::Timestamp;
use connection::{Connection, Outcome};

/// Linux netfilter.
#[derive(Debug)]
pub(super) struct ConntrackBox {
    rules: Conntrack,
    out: Forwarder,
    table: Table<Connection>,
}

impl ConntrackBox {
    /// `seed` decides on random ports.
    pub(super) fn new(rules: Conntrack, seed: u64) -> Self {
        Self { out: Forwarder::new(rules.router.clone()), rules, table: Table::new(seed, false) }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(key) = self.table.pop_due(now) {
            if let Some(entry) = self.table.remove(key) {
                let idle = now.since(entry.counted);
                self.out.tell(now, Some(entry.mapping), BoxAction::Expired { idle });
            }
        }
    }

    fn on_known(&mut self, now: Timestamp, from: Side, key: Key, packet: TcpPacket) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let mapping = entry.mapping;
        let remaining = entry.deadline().since(now);
        let outcome = entry.state.take(entry.opener == from, &packet, remaining, &self.rules);
        let state = entry.state.state;
        match outcome {
            Outcome::Refresh(timeout) => {
                self.table.refresh(now, key, timeout);
                self.out.tell(now, Some(mapping), BoxAction::Refreshed { from, state, timeout });
                self.out.pass(now, from, Some(&mapping), packet);
            }
            Outcome::Pass => {
                let what = BoxAction::Unrefreshed { from, why: NotCounted::Ignored, state: Some(state) };
                self.out.tell(now, Some(mapping), what);
                self.out.pass(now, from, Some(&mapping), packet);
            }
            Outcome::Forget => {
                self.table.remove(key);
                self.out.tell(now, Some(mapping), BoxAction::Removed { why: Removal::Reset });
                self.out.pass(now, from, Some(&mapping), packet);
            }
            Outcome::Again => {
                self.table.remove(key);
                self.out.tell(now, Some(mapping), BoxAction::Removed { why: Removal::Reopened });
                self.on_unknown(now, from, packet);
            }
            Outcome::Invalid => self.invalid(now, from, Some(&mapping), packet),
            Outcome::InvalidShortened(timeout) => {
                self.table.refresh(now, key, timeout);
                self.out.tell(now, Some(mapping), BoxAction::Refreshed { from, state, timeout });
                self.invalid(now, from, Some(&mapping), packet);
            }
        }
    }

    /// A packet that conntrack calls invalid: nobody translates it, and so one from outside reaches nobody
    /// but the box itself.
    fn invalid(&mut self, now: Timestamp, from: Side, mapping: Option<&Mapping>, packet: TcpPacket) {
        if self.out.is_for_us(from, packet.destination.address) {
            self.input(now, from, &packet);
        } else if from == Side::Outside && !self.out.finds_inside() {
            self.out.dropped(now, mapping.copied(), from, DropReason::NoMapping);
        } else if self.out.dies(now, from, mapping, &packet) {
            // Rules for what is forwarded come after the TTL.
        } else if self.rules.drop_invalid {
            self.out.dropped(now, mapping.copied(), from, DropReason::Invalid);
        } else {
            let what = BoxAction::Unrefreshed { from, why: NotCounted::Invalid, state: None };
            self.out.tell(now, mapping.copied(), what);
            self.out.pass(now, from, None, packet);
        }
    }

    fn input(&mut self, now: Timestamp, from: Side, packet: &TcpPacket) {
        self.out.dropped(now, None, from, DropReason::Input);
        if self.out.router.input == Input::Reset {
            self.out.refuse(now, from, packet);
        }
    }

    fn on_unknown(&mut self, now: Timestamp, from: Side, packet: TcpPacket) {
        // The kernel tracks what is for itself too; its own RST, or the rule that drops it, undoes that.
        if self.out.is_for_us(from, packet.destination.address) {
            self.input(now, from, &packet);
            return;
        }
        let Some(known) = Connection::begin(&packet, self.rules.tcp_loose) else {
            self.invalid(now, from, None, packet);
            return;
        };
        let unreachable = from == Side::Outside && !self.out.finds_inside();
        // What does not get through makes no mapping.
        if unreachable {
            self.out.dropped(now, None, from, DropReason::NoMapping);
        } else if self.out.dies(now, from, None, &packet) {
        } else if !self.rules.opens.includes(from) {
            self.out.dropped(now, None, from, DropReason::NoMapping);
        } else {
            self.create(now, from, packet, known);
        }
    }

    fn create(&mut self, now: Timestamp, from: Side, packet: TcpPacket, mut known: Connection) {
        if !self.has_room(now) {
            self.out.dropped(now, None, from, DropReason::TableFull);
            return;
        }
        let Some(both) = self.table.translate(&self.out.router, from, ends(from, &packet)) else {
            self.out.dropped(now, None, from, DropReason::NoPort);
            return;
        };
        let midstream = known.state != TcpState::SynSent;
        let timeout = self.rules.timeouts.syn_sent;
        let Outcome::Refresh(timeout) = known.take(true, &packet, timeout, &self.rules) else {
            self.invalid(now, from, None, packet);
            return;
        };
        let key = self.table.insert(now, both, from, timeout, known);
        let Some(mapping) = self.table.get(key).map(|entry| entry.mapping) else { return };
        self.out.tell(now, Some(mapping), BoxAction::Created { state: known.state, midstream, timeout });
        self.out.pass(now, from, Some(&mapping), packet);
    }

    /// Whether there is room for one more connection, after giving up one that was never assured.
    fn has_room(&mut self, now: Timestamp) -> bool {
        let Some(max) = self.rules.max else { return true };
        if self.table.len() < usize::try_from(max).unwrap_or(usize::MAX) {
            return true;
        }
        let keys = self.table.keys();
        let unassured = keys.into_iter().filter_map(|key| self.table.get(key).map(|entry| (key, entry)));
        let oldest = unassured
            .filter(|(_, entry)| !entry.state.assured)
            .min_by_key(|(_, entry)| (entry.counted, entry.mapping.id))
            .map(|(key, _)| key);
        let Some(entry) = oldest.and_then(|key| self.table.remove(key)) else { return false };
        self.out.tell(now, Some(entry.mapping), BoxAction::Removed { why: Removal::Evicted });
        true
    }

    /// An ICMP error belongs to the connection whose packet it quotes, and starts no timer.
    fn on_icmp(&mut self, now: Timestamp, from: Side, error: IcmpPacket) {
        let found = self.table.find(from, &quoted_ends(from, &error)).and_then(|key| self.table.get(key));
        match found.map(|entry| entry.mapping) {
            Some(mapping) => self.out.pass_icmp(now, from, &mapping, error),
            None => self.out.dropped(now, None, from, DropReason::NoMapping),
        }
    }
}

impl Middlebox for ConntrackBox {
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet) {
        self.expire(now);
        match packet {
            Packet::Icmp(error) => self.on_icmp(now, from, *error),
            Packet::Tcp(segment) => match self.table.find(from, &ends(from, &segment)) {
                Some(key) => self.on_known(now, from, key, segment),
                None => self.on_unknown(now, from, segment),
            },
        }
    }

    fn on_timeout(&mut self, now: Timestamp) {
        self.expire(now);
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.table.next_due()
    }

    fn poll_transmit(&mut self) -> Option<(Side, Packet)> {
        self.out.poll_transmit()
    }

    fn poll_event(&mut self) -> Option<BoxEvent> {
        self.out.poll_event()
    }
}
