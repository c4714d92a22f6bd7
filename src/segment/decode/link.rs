//! Link layers: from a frame to the IP packet it carries.
//!
//! Owns [`strip`], [`Carried`] and where a tunnel on the link layer begins ([`tunnel_at`]). Uses
//! [`crate::frame`] and the skip reasons only. etherparse knows neither Linux cooked captures version 2 nor BSD
//! loopbacks and takes at most three VLAN tags; the headers are a few fixed fields, so all of them are read
//! here alike.

use super::skip::{Layer, Skip, Tunnel};
use super::{u16_at, u32_at};
use crate::frame::{Frame, LinkType};

const ETHERNET_HEADER: usize = 14;
const SLL_HEADER: usize = 16;
const SLL2_HEADER: usize = 20;
const FAMILY_HEADER: usize = 4;

/// Linux's own protocol numbers in cooked captures for frames without an ethertype.
const SLL_802_3: u16 = 0x0001;
const SLL_802_2: u16 = 0x0004;

/// The version a link header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// An IP packet and how much of it was on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried<'a> {
    pub(super) version: Version,
    /// What was captured from the first octet of the IP header on, padding and frame check sequence included.
    pub(super) data: &'a [u8],
    /// How long `data` was on the wire.
    pub(super) wire_len: usize,
    /// How much of `wire_len` the file says is frame check sequence.
    pub(super) fcs_len: usize,
}

impl Carried<'_> {
    /// Why `layer` cannot be read when it needs `octets` from the start of the packet.
    pub(super) fn short(&self, octets: usize, layer: Layer) -> Skip {
        short(self.wire_len, octets, layer)
    }
}

/// Not captured, or never there?
fn short(wire_len: usize, octets: usize, layer: Layer) -> Skip {
    if octets > wire_len { Skip::Malformed(layer) } else { Skip::Cut(layer) }
}

/// Takes the link layer off a frame.
#[inline(always)]
pub(super) fn strip<'a>(frame: &Frame<'a>) -> Result<Carried<'a>, Skip> {
    let data = frame.data;
    let (version, rest) = match frame.link {
        LinkType::Ethernet => by_ethertype(frame, field(frame, 12)?, ETHERNET_HEADER)?,
        LinkType::LinuxSll => by_ethertype(frame, field(frame, 14)?, SLL_HEADER)?,
        LinkType::LinuxSll2 => by_ethertype(frame, field(frame, 0)?, SLL2_HEADER)?,
        LinkType::Ppp | LinkType::PppHdlc | LinkType::PppPppd => ppp(frame)?,
        LinkType::PppEther => return Err(Skip::Tunnel(Tunnel::Pppoe)),
        LinkType::Null => by_family(frame, either_order(family(frame)?))?,
        LinkType::Loop => by_family(frame, family(frame)?)?,
        LinkType::Raw => (by_nibble(frame)?, data),
        LinkType::Ipv4 => (Version::V4, data),
        LinkType::Ipv6 => (Version::V6, data),
        LinkType::Other(number) => return Err(Skip::LinkType(number)),
    };
    let wire_len = wire_len(frame) - (data.len() - rest.len());
    Ok(Carried { version, data: rest, wire_len, fcs_len: usize::from(frame.fcs_len) })
}

/// Where the tunnel begins that [`strip`] met on the link layer.
pub(super) fn tunnel_at(frame: &Frame<'_>) -> Result<usize, Skip> {
    let (ethertype, at) = match frame.link {
        LinkType::Ethernet => (field(frame, 12)?, ETHERNET_HEADER),
        LinkType::LinuxSll => (field(frame, 14)?, SLL_HEADER),
        LinkType::LinuxSll2 => (field(frame, 0)?, SLL2_HEADER),
        _ => return Ok(0),
    };
    Ok(through_tags(frame, ethertype, at)?.1)
}

/// Length on the wire. Some writers give one below the captured length; what was captured was there.
#[inline]
pub(super) fn wire_len(frame: &Frame<'_>) -> usize {
    usize::try_from(frame.wire_len).unwrap_or(usize::MAX).max(frame.data.len())
}

/// The rest of the frame behind its first `at` octets.
#[inline]
fn behind<'a>(frame: &Frame<'a>, at: usize) -> Result<&'a [u8], Skip> {
    frame.data.get(at..).ok_or_else(|| short(wire_len(frame), at, Layer::Link))
}

/// The 16-bit number at `at`.
#[inline]
fn field(frame: &Frame<'_>, at: usize) -> Result<u16, Skip> {
    u16_at(frame.data, at).ok_or_else(|| short(wire_len(frame), at + 2, Layer::Link))
}

/// Finds the packet behind a header of `at` octets that ended with, or held, this ethertype.
#[inline(always)]
fn by_ethertype<'a>(frame: &Frame<'a>, ethertype: u16, at: usize) -> Result<(Version, &'a [u8]), Skip> {
    match through_tags(frame, ethertype, at)? {
        (0x0800, at) => Ok((Version::V4, behind(frame, at)?)),
        (0x86dd, at) => Ok((Version::V6, behind(frame, at)?)),
        (other, _) => Err(Skip::of_ethertype(other)),
    }
}

/// Passes VLAN tags and an 802.2 header; answers the ethertype behind them and where what it names begins.
#[inline(always)]
fn through_tags(frame: &Frame<'_>, mut ethertype: u16, mut at: usize) -> Result<(u16, usize), Skip> {
    loop {
        match ethertype {
            0x0800 | 0x86dd => return Ok((ethertype, at)),
            // A VLAN tag: 2 octets of tag, then the ethertype of what follows. Every turn moves on by 4
            // octets, so the frame's end bounds the loop.
            0x8100 | 0x88a8 | 0x9100 => {
                ethertype = field(frame, at + 2)?;
                at += 4;
            }
            // Below 0x600 the field of an Ethernet frame is its length, and 802.2 follows. In cooked
            // captures two of these numbers mean the same and the others are protocols without IP.
            length if length < 0x0600 && is_802_2(frame.link, length) => {
                ethertype = through_llc(frame, &mut at)?;
            }
            other => return Ok((other, at)),
        }
    }
}

fn is_802_2(link: LinkType, number: u16) -> bool {
    link == LinkType::Ethernet || matches!(number, SLL_802_3 | SLL_802_2)
}

/// Reads the 802.2 header at `at` and moves behind it; answers the ethertype it stands for.
fn through_llc(frame: &Frame<'_>, at: &mut usize) -> Result<u16, Skip> {
    const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
    const IP_SAP: [u8; 3] = [0x06, 0x06, 0x03];
    let llc = behind(frame, *at)?;
    if llc.starts_with(&SNAP) {
        let ethertype = field(frame, *at + SNAP.len())?;
        *at += SNAP.len() + 2;
        // Behind SNAP a length has no meaning, and reading it as one would allow a chain of headers.
        if ethertype < 0x0600 { Err(Skip::Llc) } else { Ok(ethertype) }
    } else if llc.starts_with(&IP_SAP) {
        *at += IP_SAP.len();
        Ok(0x0800)
    } else if llc.len() < SNAP.len() && (SNAP.starts_with(llc) || IP_SAP.starts_with(llc)) {
        Err(short(wire_len(frame), *at + SNAP.len(), Layer::Link))
    } else {
        Err(Skip::Llc)
    }
}

/// The address family of a BSD loopback, read in network order.
fn family(frame: &Frame<'_>) -> Result<u32, Skip> {
    u32_at(frame.data, 0).ok_or_else(|| short(wire_len(frame), FAMILY_HEADER, Layer::Link))
}

/// Turns a family that was written in the other byte order. All families are small numbers.
const fn either_order(family: u32) -> u32 {
    if family > 0xffff { family.swap_bytes() } else { family }
}

fn by_family<'a>(frame: &Frame<'a>, family: u32) -> Result<(Version, &'a [u8]), Skip> {
    let version = match family {
        2 => Version::V4,
        // AF_INET6 of Linux, Windows, NetBSD/OpenBSD (and Npcap), FreeBSD, macOS.
        10 | 23 | 24 | 28 | 30 => Version::V6,
        other => return Err(Skip::AddressFamily(other)),
    };
    Ok((version, behind(frame, FAMILY_HEADER)?))
}

/// PPP in its forms (RFC 1661, RFC 1662) and Cisco's own framing on the same lines.
#[cold]
#[inline(never)]
fn ppp<'a>(frame: &Frame<'a>) -> Result<(Version, &'a [u8]), Skip> {
    const CONTROL: u8 = 0x03;
    let mut at = 0;
    match (frame.link, frame.data) {
        // Address (Cisco: unicast, broadcast), control 0, ethertype.
        (LinkType::PppHdlc, [0x0f | 0x8f, ..]) => return by_ethertype(frame, field(frame, 2)?, 4),
        // pppd writes a direction where the address was.
        (LinkType::PppPppd, [0x00 | 0x01, CONTROL, ..]) | (_, [0xff, CONTROL, ..]) => at = 2,
        // The same, cut behind its first octet.
        (LinkType::PppPppd, [0x00 | 0x01]) | (_, [0xff]) => at = 2,
        _ => {}
    }
    let first = *behind(frame, at)?.first().ok_or_else(|| short(wire_len(frame), at + 1, Layer::Link))?;
    // A protocol may be sent as one octet; only the last octet of a protocol is odd.
    let protocol = if first & 1 == 1 { u16::from(first) } else { field(frame, at)? };
    at += if first & 1 == 1 { 1 } else { 2 };
    match protocol {
        0x0021 => Ok((Version::V4, behind(frame, at)?)),
        0x0057 => Ok((Version::V6, behind(frame, at)?)),
        other => Err(Skip::Ppp(other)),
    }
}

fn by_nibble(frame: &Frame<'_>) -> Result<Version, Skip> {
    match frame.data.first().map(|octet| octet >> 4) {
        Some(4) => Ok(Version::V4),
        Some(6) => Ok(Version::V6),
        Some(_) => Err(Skip::Malformed(Layer::Ip)),
        None => Err(short(wire_len(frame), 1, Layer::Ip)),
    }
}
