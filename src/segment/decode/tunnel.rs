//! Tunnels: from the frame or packet that wraps another to the frame inside.
//!
//! Owns [`behind_link`], [`in_packet`] and what they give ([`Held`]). Uses [`crate::frame`], the link and IP layers and the skip reasons
//! only. What is inside is handed on as a frame of its own, with the identity and time of the outer one: so
//! every layer inside is read by the same rules as outside, and its length on the wire comes from the layer
//! around it, never from what was captured.
//!
//! A header that does not promise plain IP or Ethernet inside (other protocols, versions, encryption) leaves
//! the frame as a tunnel that was not opened. Nothing here runs for a packet without a tunnel.

use super::ip::{self, Packet};
use super::link;
use super::skip::{Layer, Skip, Tunnel};
use super::u16_at;
use crate::frame::{Frame, LinkType};

/// How many tunnels are opened one inside the other. Provider networks nest two or three; more is a loop or
/// made to cost time.
const MAX_DEPTH: u8 = 4;

const UDP_HEADER: usize = 8;
const VXLAN_HEADER: usize = 8;
const GENEVE_HEADER: usize = 8;
const PPPOE_HEADER: usize = 6;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const BRIDGED_ETHERNET: u16 = 0x6558;

/// Octets inside a tunnel: what was captured of them, and how many there were.
#[derive(Clone, Copy)]
struct Inside<'a> {
    tunnel: Tunnel,
    data: &'a [u8],
    wire_len: usize,
}

impl<'a> Inside<'a> {
    /// Passes over a header of `octets`, which must be there on the wire.
    fn behind(self, octets: usize) -> Result<Self, Skip> {
        let wire_len = self.wire_len.checked_sub(octets).ok_or(Skip::Tunnel(self.tunnel))?;
        Ok(Self { data: self.data.get(octets..).ok_or(Skip::Cut(Layer::Tunnel))?, wire_len, ..self })
    }

    /// Why something at the start that needs `octets` is not there.
    fn short(&self, octets: usize) -> Skip {
        if octets > self.wire_len { Skip::Tunnel(self.tunnel) } else { Skip::Cut(Layer::Tunnel) }
    }

    /// The octet at `at`.
    fn octet(&self, at: usize) -> Result<u8, Skip> {
        self.data.get(at).copied().ok_or_else(|| self.short(at + 1))
    }

    /// The 16-bit number at `at`.
    fn field(&self, at: usize) -> Result<u16, Skip> {
        u16_at(self.data, at).ok_or_else(|| self.short(at + 2))
    }

    /// The frame that begins here.
    fn frame(self, link: LinkType, outer: &Frame<'a>) -> Frame<'a> {
        let wire_len = u32::try_from(self.wire_len).unwrap_or(u32::MAX);
        Frame { link, fcs_len: 0, wire_len, data: self.data, ..*outer }
    }

    /// The frame that begins here, of which the tunnel's header has this ethertype.
    fn frame_of(self, ethertype: u16, outer: &Frame<'a>) -> Result<Frame<'a>, Skip> {
        match ethertype {
            IPV4 => Ok(self.frame(LinkType::Ipv4, outer)),
            IPV6 => Ok(self.frame(LinkType::Ipv6, outer)),
            BRIDGED_ETHERNET => Ok(self.frame(LinkType::Ethernet, outer)),
            _ => Err(Skip::Tunnel(self.tunnel)),
        }
    }
}

/// The frame that a tunnel holds.
pub(super) struct Held<'a> {
    frame: Frame<'a>,
    tunnel: Tunnel,
}

impl<'a> Held<'a> {
    /// The frame, unless the tunnel itself stood in as many others as are opened.
    pub(super) fn within(self, depth: u8) -> Result<Frame<'a>, Skip> {
        if depth < MAX_DEPTH { Ok(self.frame) } else { Err(Skip::Tunnel(self.tunnel)) }
    }
}

/// Opens a tunnel directly on the link layer: MPLS or a PPPoE session. `skip` is why the link layer could not
/// read the frame; it comes back if there is no such tunnel.
pub(super) fn behind_link<'a>(frame: &Frame<'a>, skip: Skip) -> Result<Held<'a>, Skip> {
    // The IP layer names tunnels as well, but none of these two.
    let Skip::Tunnel(tunnel @ (Tunnel::Mpls | Tunnel::Pppoe)) = skip else { return Err(skip) };
    let at = link::tunnel_at(frame)?;
    let inside = Inside { tunnel, data: frame.data, wire_len: link::wire_len(frame) }.behind(at)?;
    let frame = if tunnel == Tunnel::Mpls { mpls(frame, inside) } else { pppoe(frame, inside) }?;
    Ok(Held { frame, tunnel })
}

/// Opens the tunnel in an IP packet that carries neither TCP nor ICMP, or says what else it is.
pub(super) fn in_packet<'a>(frame: &Frame<'a>, packet: &Packet<'a>) -> Result<Held<'a>, Skip> {
    let skip = if packet.protocol == ip::UDP {
        Skip::of_udp(u16_at(packet.data, 2))
    } else {
        Skip::of_protocol(packet.protocol)
    };
    let Skip::Tunnel(tunnel) = skip else { return Err(skip) };
    let inside = Inside { tunnel, data: packet.data, wire_len: packet.len };
    let frame = match tunnel {
        Tunnel::IpInIp => bare_ip(frame, inside, 4),
        Tunnel::Ipv6InIp => bare_ip(frame, inside, 6),
        Tunnel::Gre => gre(frame, inside),
        Tunnel::Vxlan => vxlan(frame, inside.behind(UDP_HEADER)?),
        Tunnel::Geneve => geneve(frame, inside.behind(UDP_HEADER)?),
        Tunnel::Esp | Tunnel::Pppoe | Tunnel::Mpls | Tunnel::Macsec => Err(skip),
    }?;
    Ok(Held { frame, tunnel })
}

/// An IP packet of this version directly in another.
fn bare_ip<'a>(frame: &Frame<'a>, inside: Inside<'a>, version: u8) -> Result<Frame<'a>, Skip> {
    if inside.octet(0)? >> 4 != version {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    Ok(inside.frame(LinkType::Raw, frame))
}

/// RFC 2784 with the key and the sequence number of RFC 2890. Version 1 (PPTP) and routing are not read.
fn gre<'a>(frame: &Frame<'a>, inside: Inside<'a>) -> Result<Frame<'a>, Skip> {
    const ROUTING: u16 = 0x4000;
    const VERSION: u16 = 0x0007;
    // Checksum, key and sequence number; each adds 4 octets.
    const OPTIONAL: u16 = 0x8000 | 0x2000 | 0x1000;
    let flags = inside.field(0)?;
    let protocol = inside.field(2)?;
    if flags & (ROUTING | VERSION) != 0 {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    let optional = usize::try_from((flags & OPTIONAL).count_ones()).unwrap_or_default();
    inside.behind(4 + 4 * optional)?.frame_of(protocol, frame)
}

/// RFC 7348.
fn vxlan<'a>(frame: &Frame<'a>, inside: Inside<'a>) -> Result<Frame<'a>, Skip> {
    const HAS_NETWORK: u8 = 0x08;
    if inside.octet(0)? & HAS_NETWORK == 0 {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    Ok(inside.behind(VXLAN_HEADER)?.frame(LinkType::Ethernet, frame))
}

/// RFC 8926. Its options say nothing about how to read what follows.
fn geneve<'a>(frame: &Frame<'a>, inside: Inside<'a>) -> Result<Frame<'a>, Skip> {
    let first = inside.octet(0)?;
    let protocol = inside.field(2)?;
    if first >> 6 != 0 {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    let options = usize::from(first & 0x3f) * 4;
    inside.behind(GENEVE_HEADER + options)?.frame_of(protocol, frame)
}

/// RFC 3032. No label says what follows the last one, so it has to look like IP.
fn mpls<'a>(frame: &Frame<'a>, mut inside: Inside<'a>) -> Result<Frame<'a>, Skip> {
    loop {
        let bottom = inside.octet(2)? & 1 != 0;
        inside = inside.behind(4)?;
        if bottom {
            break;
        }
    }
    if !matches!(inside.octet(0)? >> 4, 4 | 6) {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    // The end of the frame is the end of the packet: the file's word on a frame check sequence still counts.
    Ok(Frame { fcs_len: frame.fcs_len, ..inside.frame(LinkType::Raw, frame) })
}

/// RFC 2516: version 1, type 1, code 0 for a session, its number, a length, then PPP.
fn pppoe<'a>(frame: &Frame<'a>, inside: Inside<'a>) -> Result<Frame<'a>, Skip> {
    if inside.field(0)? != 0x1100 {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    let len = usize::from(inside.field(4)?);
    let inside = inside.behind(PPPOE_HEADER)?;
    if len > inside.wire_len {
        return Err(Skip::Tunnel(inside.tunnel));
    }
    let data = inside.data.get(..len).unwrap_or(inside.data);
    Ok(Inside { data, wire_len: len, ..inside }.frame(LinkType::Ppp, frame))
}
