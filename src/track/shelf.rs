//! The order in which connections are let go.
//!
//! Owns the shelves: every connection stands on one, by how much it would be missed and by how far it has come;
//! each is a list through the connections themselves, which costs no memory beside their [`Links`]. Where room is
//! needed, the first one of the first shelf that is not empty goes. Uses nothing of the connection but where it
//! stands.

use super::table::Slot;

/// How much a connection would be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Care {
    /// Nothing was like a keepalive.
    Little,
    /// Something was like one.
    Some,
    /// It had one.
    Most,
}

/// How far a connection has come, that which is missed least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing but SYNs was seen.
    HalfOpen,
    /// Both FINs were acknowledged.
    Closed,
    /// It was reset.
    Reset,
    /// Everything else.
    Open,
}

/// A shelf. The lower ones are let go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shelf(u8);

impl Shelf {
    /// None: whoever stands there is listed nowhere.
    pub(super) const NOWHERE: Self = Self(0);

    const STAGES: u8 = Stage::Open as u8 + 1;
    const COUNT: usize = (Care::Most as usize + 1) * Self::STAGES as usize;

    #[inline]
    pub(super) const fn new(care: Care, stage: Stage) -> Self {
        Self(1 + care as u8 * Self::STAGES + stage as u8)
    }

    /// All of them, in the order in which they are let go.
    pub(super) fn all() -> impl Iterator<Item = Shelf> {
        (1..=Self::COUNT as u8).map(Self)
    }

    /// Those of connections that are closed or reset.
    pub(super) fn ended() -> impl Iterator<Item = Shelf> {
        [Care::Little, Care::Some, Care::Most]
            .into_iter()
            .flat_map(|care| [Stage::Closed, Stage::Reset].map(|stage| Shelf::new(care, stage)))
    }

    pub(super) fn care(self) -> Care {
        match self.index() as u8 / Self::STAGES {
            0 => Care::Little,
            1 => Care::Some,
            _ => Care::Most,
        }
    }

    pub(super) fn stage(self) -> Stage {
        match self.index() as u8 % Self::STAGES {
            0 => Stage::HalfOpen,
            1 => Stage::Closed,
            2 => Stage::Reset,
            _ => Stage::Open,
        }
    }

    /// Whether its stage is [`Stage::HalfOpen`].
    #[inline(always)]
    pub(super) const fn is_half_open(self) -> bool {
        self.0 % Self::STAGES == 1 + Stage::HalfOpen as u8
    }

    #[inline]
    fn index(self) -> usize {
        usize::from(self.0).wrapping_sub(1)
    }
}

/// The neighbours of a connection on its shelf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    before: Slot,
    after: Slot,
}

/// No connection.
const NONE: Slot = Slot::MAX;

impl Default for Links {
    fn default() -> Self {
        Self { before: NONE, after: NONE }
    }
}

/// Where the links of a connection are.
pub(super) trait Linked {
    /// The links of the connection at this place, if there is one.
    fn links(&mut self, slot: Slot) -> Option<&mut Links>;
}

/// The ends of all shelves.
#[derive(Debug)]
pub(super) struct Shelves([Links; Shelf::COUNT]);

impl Default for Shelves {
    fn default() -> Self {
        Self([Links::default(); Shelf::COUNT])
    }
}

impl Shelves {
    /// The connection that has been longest on a shelf. (The links of the shelf lead to its two ends.)
    pub(super) fn first(&self, shelf: Shelf) -> Option<Slot> {
        let Links { after: first, .. } = self.0.get(shelf.index())?;
        (*first != NONE).then_some(*first)
    }

    /// Puts a connection that stands nowhere at the end of a shelf.
    pub(super) fn put(&mut self, shelf: Shelf, slot: Slot, connections: &mut impl Linked) {
        let Some(ends) = self.0.get_mut(shelf.index()) else { return };
        let last = std::mem::replace(&mut ends.before, slot);
        match connections.links(last) {
            Some(links) => links.after = slot,
            None => ends.after = slot,
        }
        if let Some(links) = connections.links(slot) {
            *links = Links { before: last, after: NONE };
        }
    }

    /// Takes a connection from its shelf.
    pub(super) fn take(&mut self, shelf: Shelf, slot: Slot, connections: &mut impl Linked) {
        let Some(ends) = self.0.get_mut(shelf.index()) else { return };
        let Some(Links { before, after }) = connections.links(slot).map(std::mem::take) else { return };
        match connections.links(before) {
            Some(links) => links.after = after,
            None => ends.after = after,
        }
        match connections.links(after) {
            Some(links) => links.before = before,
            None => ends.before = before,
        }
    }
}
