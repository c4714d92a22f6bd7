//! What a connection of a fleet keeps, and what those of one kind share.

use std::net::{IpAddr, Ipv4Addr};

use super::FIRST_PORT;
use crate::keepalive::{Clock, Machine, Rules, Settings, Snapshot};
use crate::segment::{Endpoint, Flags, SackBlock, SeqNum};
use crate::simulate::profile::Profile;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// No timer stands in the queue.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) client: Snapshot,
    pub(super) server: Snapshot,
    /// For when the client's timer stands in the queue.
    pub(super) alarm: Timestamp,
    pub(super) ip_ids: [u16; 2],
    pub(super) group: u8,
    pub(super) client_state: EndState,
    pub(super) server_state: EndState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    Closed,
    Opening,
    Open,
    /// Without power: nothing comes of what reaches it.
    Dead,
}

impl Slot {
    pub(super) fn new(group: u8, client: Snapshot, server: Snapshot) -> Self {
        let (client_state, server_state) = (EndState::Closed, EndState::Closed);
        Self { client, server, alarm: NEVER, ip_ids: [0; 2], group, client_state, server_state }
    }
}

/// What the connections of one kind share.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) client: Machine,
    pub(super) server: Machine,
    /// Of the client and of the server; so for what follows.
    pub(super) rules: [Rules; 2],
    pub(super) settings: [Settings; 2],
    pub(super) profiles: [Profile; 2],
    pub(super) rounding: Rounding,
    pub(super) keepalive: bool,
    pub(super) timestamps: bool,
    pub(super) sack: bool,
    pub(super) scaled: bool,
    pub(super) first: u32,
    pub(super) first_host: u32,
    pub(super) hosts: u32,
    pub(super) server_end: Endpoint,
    pub(super) data_share: f64,
    pub(super) data_every: Span,
    pub(super) data_octets: u16,
}

impl Kind {
    /// Which client host a connection is on, among all.
    pub(super) fn host(&self, connection: u32) -> u32 {
        self.first_host + (connection - self.first) % self.hosts
    }

    pub(super) fn clock(&self, zero: Timestamp) -> Clock {
        Clock::new(self.rounding, zero)
    }

    pub(super) fn client_end(&self, connection: u32) -> Endpoint {
        let host = self.host(connection);
        let first = u32::from(Ipv4Addr::new(198, 18, 0, 0));
        let nth = u16::try_from((connection - self.first) / self.hosts).unwrap_or(u16::MAX);
        Endpoint { address: IpAddr::V4(Ipv4Addr::from(first + host)), port: FIRST_PORT.saturating_add(nth) }
    }
}

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) arrives: Timestamp,
    pub(super) connection: u32,
    pub(super) to_server: bool,
    pub(super) flags: Flags,
    pub(super) octets: u16,
    pub(super) ip_id: u16,
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    /// TSval and TSecr.
    pub(super) stamps: Option<(u32, u32)>,
    pub(super) dsack: Option<SackBlock>,
}

impl Flight {
    /// Octets of the IP packet.
    pub(super) fn wire_len(&self) -> u64 {
        let on = |is_there: bool, octets: u64| if is_there { octets } else { 0 };
        // The options of a SYN: MSS and window scale beside what is counted here.
        40 + on(self.flags.syn(), 8)
            + on(self.stamps.is_some(), 12)
            + on(self.dsack.is_some(), 12)
            + u64::from(self.octets)
    }
}

/// The data of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Writer {
    /// How often what waits was sent.
    pub(super) attempts: u8,
    /// When it was sent first.
    pub(super) since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_little() {
        assert!(size_of::<Snapshot>() <= 72);
        assert!(size_of::<Slot>() <= 168, "{}", size_of::<Slot>());
    }
}
