//! A frame: the octets that a capture file, a wire or the simulator hands to the pipeline.
//!
//! Owns [`Frame`], [`FrameId`] and [`LinkType`]; uses only [`crate::time`]. Whoever makes frames has already
//! normalised their time and their link type, so nobody downstream can tell the sources apart.

use std::fmt;

use crate::time::Timestamp;

/// Which frame of which capture: the address of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FrameId {
    /// Index of the capture in the order it was given, from 0.
    pub capture: u32,
    /// Number of the frame in its capture, from 1, as Wireshark counts.
    pub number: u64,
}

impl fmt::Display for FrameId {
    /// As people name it: its number, and from the second capture on which file it is in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.capture {
            0 => write!(f, "{}", self.number),
            later => write!(f, "{} of file {}", self.number, u64::from(later) + 1),
        }
    }
}

/// One frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Where it stands.
    pub id: FrameId,
    /// When it was captured.
    pub time: Timestamp,
    /// Which interface of its capture saw it, from 0; 0 where the format knows none.
    pub interface: u32,
    /// What the first octet of `data` begins.
    pub link: LinkType,
    /// Octets of frame check sequence at the end of an uncut frame, as the file declares it.
    pub fcs_len: u8,
    /// Length on the wire, in octets; more than `data.len()` when the capture cut the frame.
    pub wire_len: u32,
    /// The packet flags of a pcapng file (`epb_flags`), if it has any.
    pub flags: Option<u32>,
    /// What a pcapng file calls the interface.
    pub names: Option<&'a InterfaceNames>,
    /// The captured octets.
    pub data: &'a [u8],
}

/// What a capture calls one of its interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceNames {
    /// As the system does.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
}

/// The link layer a frame begins with (numbers: the tcpdump.org link-type registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// 0: BSD loopback, a 4-octet address family in the byte order of the capturing host.
    Null,
    /// 1: Ethernet.
    Ethernet,
    /// 9: PPP, with or without the octets ff 03 in front.
    Ppp,
    /// 12, 14 or 101: an IPv4 or IPv6 packet, told apart by its version field.
    Raw,
    /// 50: PPP in HDLC-like framing, or Cisco's HDLC framing.
    PppHdlc,
    /// 51: a PPPoE session without its Ethernet header.
    PppEther,
    /// 108: OpenBSD loopback, a 4-octet address family in network byte order.
    Loop,
    /// 113: Linux cooked capture, version 1.
    LinuxSll,
    /// 166: PPP as Linux's pppd sees it, with a direction for the address.
    PppPppd,
    /// 228: an IPv4 packet.
    Ipv4,
    /// 229: an IPv6 packet.
    Ipv6,
    /// 276: Linux cooked capture, version 2.
    LinuxSll2,
    /// Any other number; its frames are counted, not read.
    Other(u16),
}

impl LinkType {
    /// The link type with this registry number.
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            9 => LinkType::Ppp,
            12 | 14 | 101 => LinkType::Raw,
            50 => LinkType::PppHdlc,
            51 => LinkType::PppEther,
            108 => LinkType::Loop,
            113 => LinkType::LinuxSll,
            166 => LinkType::PppPppd,
            228 => LinkType::Ipv4,
            229 => LinkType::Ipv6,
            276 => LinkType::LinuxSll2,
            other => LinkType::Other(other),
        }
    }
}
