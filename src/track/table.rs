//! The table of connections: from a 4-tuple, in either direction, to the connection.
//!
//! Owns the hashing. Of the connection it needs the two ends only. The index holds 32 bits of hash and the
//! place, not the ends: so it stays small enough for the cache when there are many connections, and the
//! connection, which has the ends, is looked at anyway.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use slab::Slab;

use super::ahead::Hint;
use super::connection::Connection;
use super::event::ConnectionId;
use crate::segment::Endpoint;

/// Where a connection is kept. Memory ends long before these numbers do.
pub(super) type Slot = u32;

/// All connections that may still be spoken of.
#[derive(Debug)]
pub(super) struct Table {
    hasher: SeedableRandomState,
    /// The latest entry with this hash; it knows the one before it.
    latest: HashMap<u32, Slot, BuildHasherDefault<Spread>>,
    entries: Slab<Entry>,
}

/// A 4-tuple in two numbers, the lower first: for IPv4 addresses and ports themselves, so that comparing them
/// is all there is to compare; for IPv6 hashes of each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    low: u64,
    high: u64,
    exact: bool,
}

#[derive(Debug)]
struct Entry {
    ends: Ends,
    connection: Connection,
    hash: u32,
    /// An earlier entry with the same hash.
    earlier: Option<Slot>,
}

impl Table {
    pub(super) fn new(hash_seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(hash_seed, SharedSeed::global_fixed());
        Self { hasher, latest: HashMap::default(), entries: Slab::new() }
    }

    #[inline]
    pub(super) fn find(&self, one: Endpoint, other: Endpoint) -> Option<Slot> {
        let ends = self.ends(one, other);
        self.find_hashed(one, other, ends, self.hash(ends))
    }

    /// Where the connection between two ends seems to be, without looking at it.
    #[inline(always)]
    pub(super) fn hint(&self, one: Endpoint, other: Endpoint) -> Hint {
        let ends = self.ends(one, other);
        let hash = self.hash(ends);
        Hint { ends, hash, slot: self.latest.get(&hash).copied() }
    }

    /// The same as [`Table::find`] for these ends, whatever became of the table since the hint was taken.
    #[inline(always)]
    pub(super) fn find_hinted(&self, one: Endpoint, other: Endpoint, hint: Hint) -> Option<Slot> {
        let Hint { ends, hash, slot } = hint;
        let entry = slot.and_then(|slot| self.entries.get(slot as usize));
        // There is never a second entry for the same ends, so one that is found is the right one.
        if entry.is_some_and(|entry| {
            entry.ends == ends && (ends.exact || entry.connection.is_between(one, other))
        }) {
            return slot;
        }
        self.find_hashed(one, other, ends, hash)
    }

    /// Reads a little of all that is known of a connection, so that it is at hand; returns something of it.
    #[inline(always)]
    pub(super) fn touch(&self, hint: Hint) -> u64 {
        let entry = hint.slot.and_then(|slot| self.entries.get(slot as usize));
        entry.map_or(0, |entry| entry.ends.low ^ u64::from(entry.hash) ^ entry.connection.touch())
    }

    #[inline(always)]
    fn find_hashed(&self, one: Endpoint, other: Endpoint, ends: Ends, hash: u32) -> Option<Slot> {
        let mut next = self.latest.get(&hash).copied();
        while let Some(slot) = next {
            let entry = self.entries.get(slot as usize)?;
            if entry.ends == ends && (ends.exact || entry.connection.is_between(one, other)) {
                return next;
            }
            next = entry.earlier;
        }
        None
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.entries.get_mut(slot as usize).map(|entry| &mut entry.connection)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Connection> {
        self.entries.get(slot as usize).map(|entry| &entry.connection)
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All of them, in no particular order.
    pub(super) fn all(&self) -> impl Iterator<Item = (Slot, &Connection)> {
        self.entries.iter().map(|(index, entry)| (index as Slot, &entry.connection))
    }

    pub(super) fn insert(&mut self, connection: Connection) -> Slot {
        let ends = self.ends(connection.opened.client, connection.opened.server);
        self.insert_hashed(connection, ends, self.hash(ends))
    }

    fn insert_hashed(&mut self, connection: Connection, ends: Ends, hash: u32) -> Slot {
        let slot = self.entries.insert(Entry { connection, ends, hash, earlier: None }) as Slot;
        let earlier = self.latest.insert(hash, slot);
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.earlier = earlier;
        }
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Connection> {
        let Entry { connection, hash, earlier, .. } = self.entries.try_remove(slot as usize)?;
        let mut next = *self.latest.get(&hash)?;
        if next == slot {
            match earlier {
                Some(earlier) => self.latest.insert(hash, earlier),
                None => self.latest.remove(&hash),
            };
            return Some(connection);
        }
        while let Some(entry) = self.entries.get_mut(next as usize) {
            match entry.earlier {
                Some(found) if found == slot => {
                    entry.earlier = earlier;
                    break;
                }
                Some(other) => next = other,
                None => break,
            }
        }
        Some(connection)
    }

    /// Takes all of them out, in the order in which they began.
    pub(super) fn drain(&mut self) -> Drain {
        self.latest = HashMap::default();
        let entries = std::mem::take(&mut self.entries);
        let mut order: Vec<_> =
            entries.iter().map(|(index, entry)| (entry.connection.id, index as Slot)).collect();
        order.sort_unstable();
        Drain { entries, order: order.into_iter() }
    }

    /// Two ends as numbers, the same for either order.
    #[inline(always)]
    fn ends(&self, one: Endpoint, other: Endpoint) -> Ends {
        let (first, second, exact) = match (one.address, other.address) {
            (IpAddr::V4(first), IpAddr::V4(second)) => {
                let first = (u64::from(u32::from(first)) << 16) | u64::from(one.port);
                let second = (u64::from(u32::from(second)) << 16) | u64::from(other.port);
                (first, second, true)
            }
            _ => (self.hasher.hash_one(one), self.hasher.hash_one(other), false),
        };
        Ends { low: first.min(second), high: first.max(second), exact }
    }

    #[inline(always)]
    fn hash(&self, ends: Ends) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128((u128::from(ends.high) << 64) | u128::from(ends.low));
        hasher.finish() as u32
    }
}

/// Connections on their way out of the table.
#[derive(Debug)]
pub(super) struct Drain {
    entries: Slab<Entry>,
    order: std::vec::IntoIter<(ConnectionId, Slot)>,
}

impl Iterator for Drain {
    type Item = Connection;

    fn next(&mut self) -> Option<Connection> {
        self.order.find_map(|(_, slot)| self.entries.try_remove(slot as usize)).map(|entry| entry.connection)
    }
}

/// Hashes what is a hash: the map wants its 64 bits all different.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    #[inline]
    fn write_u32(&mut self, hash: u32) {
        self.0 = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u32(self.0 as u32 ^ u32::from(*octet));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameId;
    use crate::segment::{Flags, Options, Segment, SeqNum};
    use crate::time::Timestamp;
    use crate::track::event::Opened;

    fn connection(id: u64) -> Connection {
        let end = |port| Endpoint { address: IpAddr::from([192, 0, 2, 1]), port };
        let segment = Segment {
            id: FrameId::default(),
            time: Timestamp::default(),
            interface: 0,
            source: end(id as u16),
            destination: end(80),
            seq: SeqNum(0),
            ack: SeqNum(0),
            flags: Flags::ACK,
            window: 0,
            len: 0,
            first_octet: None,
            options: Options::default(),
            ttl: 64,
            ip_id: None,
            dont_fragment: false,
        };
        Connection::new(ConnectionId(id), &segment, true)
    }

    /// Whatever is removed, the others with the same hash are still found.
    #[test]
    fn equal_hashes_keep_connections_apart() {
        for removed in 0..3 {
            let mut table = Table::new(0);
            let ids = [1000, 1001, 1002];
            let slots = ids.map(|id| {
                let connection = connection(id);
                let ends = table.ends(connection.opened.client, connection.opened.server);
                table.insert_hashed(connection, ends, 7)
            });
            assert_eq!(table.remove(slots[removed]).unwrap().id, ConnectionId(ids[removed]));
            for (id, slot) in ids.into_iter().zip(slots) {
                let Opened { client, server, .. } = connection(id).opened;
                let expected = (slot != slots[removed]).then_some(slot);
                let ends = table.ends(server, client);
                assert_eq!(table.find_hashed(client, server, ends, 7), expected);
                assert_eq!(table.find_hashed(server, client, ends, 7), expected);
            }
            assert_eq!(table.drain().count(), 2);
        }
    }
}
