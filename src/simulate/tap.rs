//! Taps: where packets become frames, as a capture there would have them.
//!
//! Owns [`TapSpec`] and [`TapFrame`]. Uses [`super::packet`] and [`crate::frame`].

use std::net::IpAddr;

use super::end::Role;
use super::host::HostSide;
use super::middlebox::Side;
use super::packet::Packet;
use super::truth::PacketId;
use crate::frame::{Frame, FrameId, LinkType};
use crate::time::Timestamp;

/// A place where packets are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapSpec {
    /// Where.
    pub place: TapPlace,
    /// What its frames begin with.
    pub link: TapLink,
}

impl TapSpec {
    /// A tap at a host, with bare IP packets.
    pub fn at(host: HostSide) -> Self {
        Self { place: TapPlace::Host(host), link: TapLink::Raw }
    }
}

/// Where packets can be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapPlace {
    /// At a host: what it sends, whether or not it gets out, and what reaches it.
    Host(HostSide),
    /// At a box, counted from the client from 0, on one of its sides.
    Middlebox(usize, Side),
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapLink {
    /// The IP packet.
    Raw,
    /// An Ethernet header.
    Ethernet,
}

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// Which tap, in the order in which they were given, from 0.
    pub tap: u32,
    /// Its number among the frames of all taps, from 1.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// What the octets begin with.
    pub link: LinkType,
    /// The octets.
    pub data: Vec<u8>,
    /// Which packet it is.
    pub packet: PacketId,
    /// Why it was sent.
    pub role: Role,
}

impl TapFrame {
    /// As the pipeline and the capture writer take it: one capture, with an interface for each tap.
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            id: FrameId { capture: 0, number: self.number },
            time: self.time,
            interface: self.tap,
            link: self.link,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(self.data.len()).unwrap_or(u32::MAX),
            data: &self.data,
        }
    }
}

/// Octets of a locally administered MAC address: of who is towards the client, and of who is towards the server.
const MAC: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// The octets of a packet at a tap; nothing if it cannot be written.
pub(super) fn octets(packet: &Packet, link: TapLink, towards_server: bool) -> Option<(LinkType, Vec<u8>)> {
    let mut data = Vec::with_capacity(96);
    let link_type = match link {
        TapLink::Raw => LinkType::Raw,
        TapLink::Ethernet => {
            let [client, server] = MAC;
            let (from, to) = if towards_server { (client, server) } else { (server, client) };
            data.extend_from_slice(&to);
            data.extend_from_slice(&from);
            let kind: u16 = match packet.destination() {
                IpAddr::V4(_) => 0x0800,
                IpAddr::V6(_) => 0x86dd,
            };
            data.extend_from_slice(&kind.to_be_bytes());
            LinkType::Ethernet
        }
    };
    packet.write(&mut data).ok()?;
    Some((link_type, data))
}
