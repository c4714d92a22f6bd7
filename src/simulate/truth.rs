//! What really happened: the record that a capture can be held against.
//!
//! Owns [`Truth`]. Only the simulation knows it; what a host or a capture can see of it is less.

use std::net::IpAddr;

use super::end::{Closing, Role};
use super::host::{HostChange, HostSide};
use super::link::LossCause;
use super::middlebox::BoxEvent;
use super::packet::Packet;
use super::windows::WindowsCall;
use crate::keepalive::Event as Keepalive;
use crate::time::Timestamp;
use crate::winsock::WsaResult;

/// A packet on its whole way: boxes that pass it on do not change it, copies that a link makes share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u64);

/// Something that happened. Its number is its place in the record, from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Its number.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub what: What,
}

/// What happened. Connections and links are counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A host sent a packet.
    Sent {
        /// Which host.
        host: HostSide,
        /// For which connection; none for a RST to a connection that it does not know.
        connection: Option<usize>,
        /// Which packet.
        packet: PacketId,
        /// Why.
        role: Role,
        /// The packet that came and made it send this one, if one did.
        because: Option<PacketId>,
        /// As it left.
        content: Packet,
    },
    /// A packet reached a host that was there to take it.
    Received {
        /// Which host.
        host: HostSide,
        /// For which connection; none if it knows no such.
        connection: Option<usize>,
        /// Which packet.
        packet: PacketId,
        /// Why it was sent.
        role: Role,
        /// As it came.
        content: Packet,
    },
    /// A packet was lost at a host: it was off, or cut from its link.
    LostAtHost {
        /// Which host.
        host: HostSide,
        /// Which packet.
        packet: PacketId,
        /// Why it was sent.
        role: Role,
    },
    /// A link lost a packet.
    LostOnLink {
        /// Which link.
        link: usize,
        /// Whether on the way to the server.
        up: bool,
        /// Which packet.
        packet: PacketId,
        /// Why it was sent.
        role: Role,
        /// Why it was lost.
        cause: LossCause,
    },
    /// The time to live of a packet ended at a router of a link.
    TtlEnded {
        /// Which link.
        link: usize,
        /// Which router.
        router: IpAddr,
        /// Which packet.
        packet: PacketId,
        /// Why it was sent.
        role: Role,
    },
    /// An end opened its side.
    Opened {
        /// Which host.
        host: HostSide,
        /// Which connection.
        connection: usize,
    },
    /// What the keepalive machine of an end told.
    Keepalive {
        /// Which host.
        host: HostSide,
        /// Which connection.
        connection: usize,
        /// What.
        event: Keepalive,
    },
    /// An application got data.
    Delivered {
        /// Which host.
        host: HostSide,
        /// Of which connection.
        connection: usize,
        /// How many octets.
        octets: u32,
    },
    /// An end learnt that its peer closed.
    PeerClosed {
        /// Which host.
        host: HostSide,
        /// Which connection.
        connection: usize,
    },
    /// A connection ended for one of its ends, or was not made.
    Closed {
        /// Which host.
        host: HostSide,
        /// Which connection.
        connection: usize,
        /// How.
        how: Closing,
    },
    /// A host changed.
    Host {
        /// Which.
        host: HostSide,
        /// How.
        change: HostChange,
    },
    /// A Windows application made a call.
    Windows {
        /// On which host.
        host: HostSide,
        /// For which connection.
        connection: usize,
        /// Which call.
        call: WindowsCall,
        /// What it came to.
        result: WsaResult,
    },
    /// A box told something of itself.
    Middlebox {
        /// Which box, from the client on, from 0.
        index: usize,
        /// What.
        event: BoxEvent,
    },
}
