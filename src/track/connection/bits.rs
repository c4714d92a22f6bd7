//! Yes and no about a connection, in one octet.

use crate::track::event::Party;

/// What is so has its bit set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(u8);

impl Bits {
    /// Its addresses are of IPv6.
    pub(super) const V6: u8 = 1;
    /// Its SYN was captured.
    pub(super) const START_SEEN: u8 = 1 << 1;
    /// A RST ended it.
    pub(super) const IS_RESET: u8 = 1 << 2;
    /// The server sent that RST.
    pub(super) const RESET_BY_SERVER: u8 = 1 << 3;
    /// The SEQ of that RST was SND.NXT, as far as is known.
    pub(super) const RESET_EXACT: u8 = 1 << 4;
    /// Its last segment came from the server.
    pub(super) const LAST_BY_SERVER: u8 = 1 << 5;
    /// What comes next may decide something about what came before.
    pub(super) const WAITS: u8 = 1 << 6;
    /// A segment of it was read since this was last looked at.
    pub(super) const TOUCHED: u8 = 1 << 7;

    #[inline]
    pub(super) fn has(self, bit: u8) -> bool {
        self.has_any(bit)
    }

    #[inline]
    pub(super) fn has_any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    #[inline]
    pub(super) fn set(&mut self, bit: u8, is: bool) {
        self.0 = if is { self.0 | bit } else { self.0 & !bit };
    }

    #[inline]
    pub(super) fn set_last_by(&mut self, party: Party) {
        self.set(Self::LAST_BY_SERVER, party == Party::Server);
    }

    /// A segment of it was read, and this party sent it.
    #[inline]
    pub(super) fn set_touched_by(&mut self, party: Party) {
        let by_server = if party == Party::Server { Self::LAST_BY_SERVER } else { 0 };
        self.0 = (self.0 & !Self::LAST_BY_SERVER) | Self::TOUCHED | by_server;
    }

    pub(super) fn set_reset(&mut self, by: Party, exact: bool) {
        self.set(Self::IS_RESET, true);
        self.set(Self::RESET_BY_SERVER, by == Party::Server);
        self.set(Self::RESET_EXACT, exact);
    }
}
