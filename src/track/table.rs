//! The table of connections: from a 4-tuple, in either direction, to the connection.
//!
//! Owns the places where connections are kept, and on which shelf each stands; what finds a place by hash is in
//! [`super::index`]. Connections are kept in pieces of memory of one size, as one that grows by doubling would waste up
//! to half of it.

use super::ahead::Hint;
use super::connection::Connection;
use super::event::{ConnectionId, Party};
use super::hash::TupleHash;
use super::index::Index;
use super::shelf::{Linked, Links, Shelf, Shelves};
use crate::segment::{Endpoint, Ends};

/// Where a connection is kept. Memory ends long before these numbers do.
pub(super) type Slot = u32;

/// All connections that may still be spoken of.
#[derive(Debug)]
pub(super) struct Table {
    hash: TupleHash,
    index: Index,
    places: Places,
    shelves: Shelves,
}

/// Where connections are kept.
#[derive(Debug, Default)]
struct Places {
    /// Where none is, one that is vacant: so it is known where its parts lie before any of it was read.
    pieces: Vec<Box<[Connection; Places::PIECE]>>,
    /// The vacant ones.
    free: Vec<Slot>,
}

impl Places {
    /// How many places one piece of memory has.
    const PIECE: usize = 256;

    #[inline(always)]
    fn get(&self, slot: Slot) -> Option<&Connection> {
        self.place(slot).filter(|connection| !connection.is_vacant())
    }

    #[inline(always)]
    fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.place_mut(slot).filter(|connection| !connection.is_vacant())
    }

    /// A place, whoever is there.
    #[inline(always)]
    fn place(&self, slot: Slot) -> Option<&Connection> {
        let slot = slot as usize;
        self.pieces.get(slot / Self::PIECE)?.get(slot % Self::PIECE)
    }

    #[inline(always)]
    fn place_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        let slot = slot as usize;
        self.pieces.get_mut(slot / Self::PIECE)?.get_mut(slot % Self::PIECE)
    }

    /// Finds a place for a connection.
    fn put(&mut self, connection: Connection) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| self.add_piece());
        if let Some(place) = self.place_mut(slot) {
            *place = connection;
        }
        slot
    }

    /// Makes room for more; returns the first place of it.
    #[cold]
    fn add_piece(&mut self) -> Slot {
        let first = self.pieces.len() * Self::PIECE;
        let piece: Box<[Connection]> = (0..Self::PIECE).map(|_| Connection::vacant()).collect();
        // It has that many, so it is one.
        self.pieces.extend(piece.try_into().ok());
        let others = first + 1..first + Self::PIECE;
        self.free.extend(others.rev().map(|slot| slot as Slot));
        first as Slot
    }

    fn take(&mut self, slot: Slot) -> Option<Connection> {
        let connection = self.take_for_good(slot)?;
        self.free.push(slot);
        Some(connection)
    }

    /// The same where nothing will be put in again.
    fn take_for_good(&mut self, slot: Slot) -> Option<Connection> {
        self.get_mut(slot).map(|connection| std::mem::replace(connection, Connection::vacant()))
    }

    fn all(&self) -> impl Iterator<Item = (Slot, &Connection)> {
        let places = self.pieces.iter().flat_map(|piece| piece.iter()).enumerate();
        let taken = places.filter(|(_, connection)| !connection.is_vacant());
        taken.map(|(slot, connection)| (slot as Slot, connection))
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
            hash: TupleHash::new(hash_seed),
            index: Index::default(),
            places: Places::default(),
            shelves: Shelves::default(),
        }
    }

    #[inline]
    pub(super) fn find(&self, one: Endpoint, other: Endpoint) -> Option<Slot> {
        let ends = Ends::new(one, other);
        self.find_hashed(&ends, one.address.is_ipv6(), self.hash.of(&ends))
    }

    /// Where a connection between ends with this hash seems to be, without looking at it.
    #[inline(always)]
    pub(super) fn slot_seeming(&self, hash: u32) -> Slot {
        self.index.find(hash, |_| true).unwrap_or(Hint::NOWHERE)
    }

    /// Has what [`Table::slot_seeming`] will read brought to the processor's cache, without waiting for it.
    #[inline(always)]
    pub(super) fn ask_index(&self, hash: u32) {
        self.index.ask(hash);
    }

    /// The same of what is at a place.
    #[inline(always)]
    pub(super) fn ask(&self, slot: Slot) {
        if let Some(connection) = self.places.place(slot) {
            connection.ask();
        }
    }

    /// The connection between these ends and who of them sends, if it is at this place, whatever became of the table
    /// since that was looked up. There are never two with the same ends, so one that is found is the right one.
    #[inline(always)]
    pub(super) fn at_place(
        &mut self,
        slot: Slot,
        ends: &Ends,
        is_v6: bool,
    ) -> Option<(&mut Connection, Party)> {
        let connection = self.places.get_mut(slot)?;
        let sender = connection.sender_of(ends, is_v6)?;
        Some((connection, sender))
    }

    /// The same as [`Table::find`] for ends with this hash.
    #[inline]
    pub(super) fn find_hashed(&self, ends: &Ends, is_v6: bool, hash: u32) -> Option<Slot> {
        self.index.find(hash, |slot| {
            self.places.get(slot).is_some_and(|connection| connection.sender_of(ends, is_v6).is_some())
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

    /// Takes all of them out, in the order in which they began; those that are not `wanted` are dropped.
    pub(super) fn drain(&mut self, wanted: impl Fn(&Connection) -> bool) -> Drain {
        let count = self.len();
        // Let go of before the order takes its room.
        self.index = Index::default();
        let mut order = Vec::with_capacity(count);
        self.shelves = Shelves::default();
        let places = std::mem::take(&mut self.places);
        let all = places.all().filter(|(_, connection)| wanted(connection));
        order.extend(all.map(|(slot, connection)| (connection.id(), slot)));
        order.sort_unstable();
        Drain { places, order: order.into_iter() }
    }

    fn hash_of(&self, connection: &Connection) -> u32 {
        self.hash.of(connection.ends())
    }
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
        self.order.find_map(|(_, slot)| places.take_for_good(slot))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::frame::FrameId;
    use crate::segment::{Endpoint, Flags, Options, Segment, SeqNum};
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
                let ends = Ends::new(client, server);
                assert_eq!(table.find_hashed(&ends, false, 7), expected);
                assert_eq!(table.find_hashed(&ends.reversed(), false, 7), expected);
            }
            assert_eq!(table.drain(|_| true).count(), 2);
        }
    }
}
