//! The table of connections: from a 4-tuple, in either direction, to the connection.
//!
//! Owns the hashing, the places where connections are kept, and on which shelf each stands. The index holds 32 bits
//! of hash and the place, not the ends: so it stays small enough for the cache when there are many connections, and
//! the connection, which has the ends, is looked at anyway. Connections are kept in pieces of memory of one size, as
//! one that grows by doubling would waste up to half of it.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;

use super::ahead::Hint;
use super::connection::Connection;
use super::event::ConnectionId;
use super::shelf::{Linked, Links, Shelf, Shelves};
use crate::segment::Endpoint;

/// Where a connection is kept. Memory ends long before these numbers do.
pub(super) type Slot = u32;

/// All connections that may still be spoken of.
#[derive(Debug)]
pub(super) struct Table {
    hasher: SeedableRandomState,
    index: Index,
    places: Places,
    shelves: Shelves,
}

/// Lower half of the hash, and where the connection is. It comes in parts, so that never the whole of it is there
/// twice while it grows.
#[derive(Debug, Default)]
struct Index([HashTable<(u32, Slot)>; Index::PARTS]);

impl Index {
    /// How many parts (a power of two).
    const PARTS: usize = 16;

    /// The highest bits choose the part, as the lowest choose the place in it.
    #[inline]
    fn which(hash: u32) -> usize {
        (hash >> (u32::BITS - Self::PARTS.ilog2())) as usize
    }

    #[inline]
    fn part(&self, hash: u32) -> Option<&HashTable<(u32, Slot)>> {
        self.0.get(Self::which(hash))
    }

    #[inline]
    fn part_mut(&mut self, hash: u32) -> Option<&mut HashTable<(u32, Slot)>> {
        self.0.get_mut(Self::which(hash))
    }

    #[inline]
    fn find(&self, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let found = |&(other, slot): &(u32, Slot)| other == hash && is_it(slot);
        self.part(hash)?.find(spread(hash), found).map(|(_, slot)| *slot)
    }

    fn insert(&mut self, hash: u32, slot: Slot) {
        if let Some(part) = self.part_mut(hash) {
            part.insert_unique(spread(hash), (hash, slot), |(hash, _)| spread(*hash));
        }
    }

    fn remove(&mut self, hash: u32, slot: Slot) {
        let part = self.part_mut(hash);
        if let Some(Ok(found)) = part.map(|part| part.find_entry(spread(hash), |(_, other)| *other == slot)) {
            found.remove();
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(HashTable::len).sum()
    }
}

/// Where connections are kept.
#[derive(Debug, Default)]
struct Places {
    pieces: Vec<Box<[Option<Connection>]>>,
    /// Places that were left.
    free: Vec<Slot>,
}

impl Places {
    /// How many places one piece of memory has.
    const PIECE: usize = 256;

    #[inline]
    fn get(&self, slot: Slot) -> Option<&Connection> {
        let slot = slot as usize;
        self.pieces.get(slot / Self::PIECE)?.get(slot % Self::PIECE)?.as_ref()
    }

    #[inline]
    fn place(&mut self, slot: Slot) -> Option<&mut Option<Connection>> {
        let slot = slot as usize;
        self.pieces.get_mut(slot / Self::PIECE)?.get_mut(slot % Self::PIECE)
    }

    #[inline]
    fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.place(slot)?.as_mut()
    }

    /// Finds a place for a connection.
    fn put(&mut self, connection: Connection) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| self.add_piece());
        if let Some(place) = self.place(slot) {
            *place = Some(connection);
        }
        slot
    }

    /// Makes room for more; returns the first place of it.
    #[cold]
    fn add_piece(&mut self) -> Slot {
        let first = self.pieces.len() * Self::PIECE;
        self.pieces.push((0..Self::PIECE).map(|_| None).collect());
        let others = first + 1..first + Self::PIECE;
        self.free.extend(others.rev().map(|slot| slot as Slot));
        first as Slot
    }

    fn take(&mut self, slot: Slot) -> Option<Connection> {
        let connection = self.place(slot)?.take()?;
        self.free.push(slot);
        Some(connection)
    }

    fn all(&self) -> impl Iterator<Item = (Slot, &Connection)> {
        let places = self.pieces.iter().flat_map(|piece| piece.iter()).enumerate();
        places.filter_map(|(slot, place)| Some((slot as Slot, place.as_ref()?)))
    }
}

impl Linked for Places {
    fn links(&mut self, slot: Slot) -> Option<&mut Links> {
        self.get_mut(slot).map(|connection| &mut connection.links)
    }
}

impl Table {
    pub(super) fn new(hash_seed: u64) -> Self {
        Self {
            hasher: SeedableRandomState::with_seed(hash_seed, SharedSeed::global_fixed()),
            index: Index::default(),
            places: Places::default(),
            shelves: Shelves::default(),
        }
    }

    #[inline]
    pub(super) fn find(&self, one: Endpoint, other: Endpoint) -> Option<Slot> {
        self.find_hashed(one, other, self.hash(one, other))
    }

    /// Where the connection between two ends seems to be, without looking at it.
    #[inline(always)]
    pub(super) fn hint(&self, one: Endpoint, other: Endpoint) -> Hint {
        let hash = self.hash(one, other);
        let slot = self.index.find(hash, |_| true);
        Hint { hash, slot }
    }

    /// The same as [`Table::find`] for these ends, whatever became of the table since the hint was taken.
    #[inline(always)]
    pub(super) fn find_hinted(&self, one: Endpoint, other: Endpoint, hint: Hint) -> Option<Slot> {
        let connection = hint.slot.and_then(|slot| self.places.get(slot));
        // There are never two connections with the same ends, so one that is found is the right one.
        if connection.is_some_and(|connection| connection.is_between(one, other)) {
            return hint.slot;
        }
        self.find_hashed(one, other, hint.hash)
    }

    /// Reads a little of all that is known of a connection, so that it is at hand; returns something of it.
    #[inline(always)]
    pub(super) fn touch(&self, hint: Hint) -> u64 {
        hint.slot.and_then(|slot| self.places.get(slot)).map_or(0, Connection::touch)
    }

    #[inline(always)]
    fn find_hashed(&self, one: Endpoint, other: Endpoint, hash: u32) -> Option<Slot> {
        self.index.find(hash, |slot| {
            self.places.get(slot).is_some_and(|connection| connection.is_between(one, other))
        })
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.places.get_mut(slot)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Connection> {
        self.places.get(slot)
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The connection that has been longest on a shelf.
    pub(super) fn first(&self, shelf: Shelf) -> Option<Slot> {
        self.shelves.first(shelf)
    }

    /// Puts a connection at the end of a shelf.
    pub(super) fn move_to(&mut self, slot: Slot, shelf: Shelf) {
        let Some(connection) = self.places.get_mut(slot) else { return };
        let before = std::mem::replace(&mut connection.shelf, shelf);
        self.shelves.take(before, slot, &mut self.places);
        self.shelves.put(shelf, slot, &mut self.places);
    }

    pub(super) fn insert(&mut self, connection: Connection) -> Slot {
        let hash = self.hash_of(&connection);
        self.insert_hashed(connection, hash)
    }

    fn insert_hashed(&mut self, connection: Connection, hash: u32) -> Slot {
        let shelf = connection.shelf;
        let slot = self.places.put(connection);
        self.index.insert(hash, slot);
        self.shelves.put(shelf, slot, &mut self.places);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Connection> {
        let hash = self.hash_of(self.places.get(slot)?);
        self.remove_hashed(slot, hash)
    }

    fn remove_hashed(&mut self, slot: Slot, hash: u32) -> Option<Connection> {
        let shelf = self.places.get(slot)?.shelf;
        self.shelves.take(shelf, slot, &mut self.places);
        self.index.remove(hash, slot);
        self.places.take(slot)
    }

    /// Takes all of them out, in the order in which they began.
    pub(super) fn drain(&mut self) -> Drain {
        let count = self.len();
        self.index = Index::default();
        let mut order = Vec::with_capacity(count);
        self.shelves = Shelves::default();
        let places = std::mem::take(&mut self.places);
        order.extend(places.all().map(|(slot, connection)| (connection.id(), slot)));
        order.sort_unstable();
        Drain { places, order: order.into_iter() }
    }

    fn hash_of(&self, connection: &Connection) -> u32 {
        let (tuple, is_v6) = (connection.tuple(), connection.is_v6());
        self.hash(tuple.client(is_v6), tuple.server(is_v6))
    }

    /// The hash of two ends, the same for either order.
    #[inline(always)]
    fn hash(&self, one: Endpoint, other: Endpoint) -> u32 {
        let (first, second) = match (one.address, other.address) {
            (IpAddr::V4(first), IpAddr::V4(second)) => {
                let first = (u64::from(u32::from(first)) << 16) | u64::from(one.port);
                let second = (u64::from(u32::from(second)) << 16) | u64::from(other.port);
                (first, second)
            }
            _ => (self.hasher.hash_one(one), self.hasher.hash_one(other)),
        };
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128((u128::from(first.max(second)) << 64) | u128::from(first.min(second)));
        hasher.finish() as u32
    }
}

/// Spreads what is a hash over 64 bits, as the index wants them all different.
#[inline(always)]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Connections on their way out of the table.
#[derive(Debug)]
pub(super) struct Drain {
    places: Places,
    order: std::vec::IntoIter<(ConnectionId, Slot)>,
}

impl Iterator for Drain {
    type Item = Connection;

    fn next(&mut self) -> Option<Connection> {
        let places = &mut self.places;
        self.order.find_map(|(_, slot)| places.place(slot)?.take())
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
            let slots = ids.map(|id| table.insert_hashed(connection(id), 7));
            assert_eq!(table.remove_hashed(slots[removed], 7).unwrap().id(), ConnectionId(ids[removed]));
            for (id, slot) in ids.into_iter().zip(slots) {
                let Opened { client, server, .. } = connection(id).opened();
                let expected = (slot != slots[removed]).then_some(slot);
                assert_eq!(table.find_hashed(client, server, 7), expected);
                assert_eq!(table.find_hashed(server, client, 7), expected);
            }
            assert_eq!(table.drain().count(), 2);
        }
    }
}
