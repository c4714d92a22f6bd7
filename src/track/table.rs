//! The table of connections: from a 4-tuple, in either direction, to the connection.
//!
//! Owns the hashing. Uses the connection type as a value only.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use slab::Slab;

use super::connection::Connection;
use crate::segment::Endpoint;

/// Where a connection is kept.
pub(super) type Slot = usize;

/// A 4-tuple without direction: the lower end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    low: u128,
    high: u128,
    ports: u32,
    ipv6: bool,
}

impl Key {
    fn new(one: Endpoint, other: Endpoint) -> Self {
        let (one, other) = ((number(one.address), one.port), (number(other.address), other.port));
        let ipv6 = one.0.1;
        let ((low, low_port), (high, high_port)) = if one <= other { (one, other) } else { (other, one) };
        let ports = (u32::from(low_port) << 16) | u32::from(high_port);
        Key { low: low.0, high: high.0, ports, ipv6 }
    }
}

/// An address as a number, and whether it is IPv6.
fn number(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), false),
        IpAddr::V6(address) => (u128::from(address), true),
    }
}

/// All connections that may still be spoken of.
#[derive(Debug)]
pub(super) struct Table {
    slots: HashMap<Key, Slot, SeedableRandomState>,
    connections: Slab<(Key, Connection)>,
}

impl Table {
    pub(super) fn new(hash_seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(hash_seed, SharedSeed::global_fixed());
        Self { slots: HashMap::with_hasher(hasher), connections: Slab::new() }
    }

    pub(super) fn find(&self, one: Endpoint, other: Endpoint) -> Option<Slot> {
        self.slots.get(&Key::new(one, other)).copied()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.connections.get_mut(slot).map(|(_, connection)| connection)
    }

    pub(super) fn insert(&mut self, one: Endpoint, other: Endpoint, connection: Connection) -> Slot {
        let key = Key::new(one, other);
        let slot = self.connections.insert((key, connection));
        self.slots.insert(key, slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Connection> {
        let (key, connection) = self.connections.try_remove(slot)?;
        self.slots.remove(&key);
        Some(connection)
    }

    /// Takes all of them out, in the order in which they began.
    pub(super) fn drain(&mut self) -> Vec<Connection> {
        self.slots.clear();
        let mut all: Vec<Connection> = std::mem::take(&mut self.connections)
            .into_iter()
            .map(|(_, (_, connection))| connection)
            .collect();
        all.sort_by_key(|connection| connection.id);
        all
    }
}
