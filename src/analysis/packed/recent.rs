//! The last probes of the few connections of which one was seen last.
//!
//! Owns [`Recent`]. An answer comes a round trip after its probe, and in between come probes of few other connections.

use super::Tail;
use crate::track::event::{ConnectionId, Party};

/// How many. Few enough to cost nothing beside the probes of a few connections.
const MOST: usize = 32;

/// Whose last probe it is, and the probe.
#[derive(Debug, Default)]
pub(in crate::analysis) struct Slot {
    of: Option<(ConnectionId, Party)>,
    tail: Option<Tail>,
}

impl Slot {
    /// That of a side: nothing if it is not known.
    pub(in crate::analysis) fn tail(&mut self, connection: ConnectionId, party: Party) -> &mut Option<Tail> {
        if self.of != Some((connection, party)) {
            *self = Self { of: Some((connection, party)), tail: None };
        }
        &mut self.tail
    }

    /// The side of a connection of which it is.
    pub(in crate::analysis) fn party(&self, connection: ConnectionId) -> Option<Party> {
        self.of.filter(|(of, _)| *of == connection).map(|(_, party)| party)
    }

    /// Nothing is known any more, if it was of this connection.
    pub(in crate::analysis) fn forget(&mut self, connection: ConnectionId) {
        if self.party(connection).is_some() {
            *self = Self::default();
        }
    }
}

/// The last probes of a few sides.
#[derive(Debug, Default)]
pub(in crate::analysis) struct Recent {
    /// None before there are probes.
    slots: Vec<Slot>,
    /// Where there is no other.
    spare: Slot,
}

impl Recent {
    /// Where the last probe of a connection's side is, if it is anywhere.
    pub(in crate::analysis) fn slot(&mut self, connection: ConnectionId) -> &mut Slot {
        let index = connection.0 % MOST as u64;
        self.slots.get_mut(index as usize).unwrap_or(&mut self.spare)
    }

    /// Makes room for them.
    pub(in crate::analysis) fn make_room(&mut self) {
        if self.slots.is_empty() {
            self.spare = Slot::default();
            self.slots.resize_with(MOST, Slot::default);
        }
    }

    /// Nothing is known any more.
    pub(in crate::analysis) fn clear(&mut self) {
        self.slots.clear();
        self.spare = Slot::default();
    }
}
