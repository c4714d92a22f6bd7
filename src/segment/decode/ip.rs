//! IPv4 and IPv6: from a packet to what it carries and how long that was on the wire.
//!
//! Owns [`read`], [`Packet`], fragments of one ([`piece`]) and the walk over IPv6 extension headers ([`walk`]). Uses the link layer's
//! [`Carried`], the skip reasons and etherparse's header slices only.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::err::{ipv4, ipv6};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::link::{Carried, Version};
use super::skip::{Layer, Skip};
use super::{u16_at, u32_at};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

const IPV6_HEADER: usize = 40;

/// A checked IP header. Its fields are read where they are used: handing addresses on by value, in an
/// `IpAddr` with its odd alignment, costs more than all the rest of reading a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Header<'a> {
    V4(Ipv4HeaderSlice<'a>),
    /// With the destination of the whole way, if a routing header has stations left.
    V6(Ipv6HeaderSlice<'a>, Option<&'a [u8; 16]>),
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) header: Header<'a>,
    /// The protocol behind all extension headers.
    pub(super) protocol: u8,
    /// Octets of `protocol` on the wire, header included.
    pub(super) len: usize,
    /// Those of them that were captured.
    pub(super) data: &'a [u8],
}

impl Header<'_> {
    pub(super) const fn is_ipv4(&self) -> bool {
        matches!(self, Header::V4(_))
    }

    #[inline]
    pub(super) fn source(&self) -> IpAddr {
        match self {
            Header::V4(header) => IpAddr::V4(header.source_addr()),
            Header::V6(header, _) => IpAddr::V6(header.source_addr()),
        }
    }

    #[inline]
    pub(super) fn destination(&self) -> IpAddr {
        match self {
            Header::V4(header) => IpAddr::V4(header.destination_addr()),
            Header::V6(_, Some(last)) => IpAddr::V6(Ipv6Addr::from(**last)),
            Header::V6(header, None) => IpAddr::V6(header.destination_addr()),
        }
    }

    /// Time to live or hop limit.
    #[inline]
    pub(super) fn ttl(&self) -> u8 {
        match self {
            Header::V4(header) => header.ttl(),
            Header::V6(header, _) => header.hop_limit(),
        }
    }
}

/// Reads the IP header and everything in front of the transport protocol.
#[inline(always)]
pub(super) fn read<'a>(carried: &Carried<'a>) -> Result<Packet<'a>, Skip> {
    match carried.version {
        Version::V4 => read_v4(carried),
        Version::V6 => read_v6(carried),
    }
}

#[inline(always)]
fn read_v4<'a>(carried: &Carried<'a>) -> Result<Packet<'a>, Skip> {
    let header = Ipv4HeaderSlice::from_slice(carried.data).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(len) => carried.short(len.required_len, Layer::Ip),
        ipv4::HeaderSliceError::Content(_) => Skip::Malformed(Layer::Ip),
    })?;
    let header_len = header.slice().len();
    let total = match header.total_len() {
        0 => unstated(carried),
        total => usize::from(total),
    };
    let (len, data) = payload(carried, header_len, total)?;
    let protocol = header.protocol().0;
    if header.is_fragmenting_payload() {
        return Err(of_fragment(protocol));
    }
    if protocol != AUTHENTICATION {
        return Ok(Packet { header: Header::V4(header), protocol, len, data });
    }
    let end = extensions(protocol, len, data)?;
    Ok(end.packet(Header::V4(header), len, data))
}

#[inline(always)]
fn read_v6<'a>(carried: &Carried<'a>) -> Result<Packet<'a>, Skip> {
    let header = Ipv6HeaderSlice::from_slice(carried.data).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(len) => carried.short(len.required_len, Layer::Ip),
        ipv6::HeaderSliceError::Content(_) => Skip::Malformed(Layer::Ip),
    })?;
    let protocol = header.next_header().0;
    let total = match header.payload_length() {
        0 => match jumbo_len(protocol, carried.data) {
            Some(len) => IPV6_HEADER.saturating_add(len),
            None => unstated(carried),
        },
        len => IPV6_HEADER + usize::from(len),
    };
    let (len, data) = payload(carried, IPV6_HEADER, total)?;
    if !is_extension(protocol) {
        return Ok(Packet { header: Header::V6(header, None), protocol, len, data });
    }
    let end = extensions(protocol, len, data)?;
    Ok(end.packet(Header::V6(header, end.final_destination), len, data))
}

/// The length of a packet whose header states 0: a network card that cuts large segments up itself (TSO)
/// gets them with no length, and so does a capture on that host. Padding cannot be told from data then, but
/// such a packet is far longer than the shortest frame.
fn unstated(carried: &Carried<'_>) -> usize {
    carried.wire_len.saturating_sub(carried.fcs_len)
}

/// How long what follows the header was, and what of it was captured. The stated length also takes padding
/// and frame check sequence off.
///
/// A packet that states more than the frame had on the wire contradicts it, cut or not, and nothing says
/// which of the two is wrong. The frame check sequence is left in the comparison on purpose: files declare
/// one that their frames do not have.
#[inline(always)]
fn payload<'a>(carried: &Carried<'a>, header_len: usize, total: usize) -> Result<(usize, &'a [u8]), Skip> {
    let malformed = Skip::Malformed(Layer::Ip);
    if total > carried.wire_len {
        return Err(malformed);
    }
    let len = total.checked_sub(header_len).ok_or(malformed)?;
    let captured = carried.data.len().min(total);
    Ok((len, carried.data.get(header_len..captured).unwrap_or_default()))
}

/// A fragment of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) header: Header<'a>,
    /// What the packet begins with; in IPv6 only the first fragment can be believed.
    pub(super) protocol: u8,
    pub(super) id: u32,
    /// Where in what the packet carries the fragment begins.
    pub(super) offset: usize,
    /// Whether it is not the last one.
    pub(super) more: bool,
    /// Octets it had on the wire.
    pub(super) len: usize,
    /// Those of them that were captured.
    pub(super) data: &'a [u8],
}

/// Reads a packet again that [`read`] skipped as a fragment; `None` if it does not state its length.
pub(super) fn piece<'a>(carried: &Carried<'a>) -> Option<Piece<'a>> {
    match carried.version {
        Version::V4 => piece_v4(carried),
        Version::V6 => piece_v6(carried),
    }
}

fn piece_v4<'a>(carried: &Carried<'a>) -> Option<Piece<'a>> {
    let header = Ipv4HeaderSlice::from_slice(carried.data).ok()?;
    let total = Some(usize::from(header.total_len())).filter(|total| *total > 0)?;
    let (len, data) = payload(carried, header.slice().len(), total).ok()?;
    let offset = usize::from(header.fragments_offset().value()) * 8;
    let (id, more) = (u32::from(header.identification()), header.more_fragments());
    Some(Piece { protocol: header.protocol().0, header: Header::V4(header), id, offset, more, len, data })
}

fn piece_v6<'a>(carried: &Carried<'a>) -> Option<Piece<'a>> {
    let header = Ipv6HeaderSlice::from_slice(carried.data).ok()?;
    let stated = Some(usize::from(header.payload_length())).filter(|stated| *stated > 0)?;
    let (len, data) = payload(carried, IPV6_HEADER, IPV6_HEADER + stated).ok()?;
    let before = |protocol| is_extension(protocol) && protocol != FRAGMENT;
    let end = walk_while(header.next_header().0, data, before)?;
    let &[protocol, _, o0, o1, i0, i1, i2, i3] = data.get(end.at..)?.first_chunk::<8>()?;
    let field = u16::from_be_bytes([o0, o1]);
    Some(Piece {
        header: Header::V6(header, end.final_destination),
        protocol,
        id: u32::from_be_bytes([i0, i1, i2, i3]),
        offset: usize::from(field & !7),
        more: field & 1 != 0,
        len: len.checked_sub(end.at + 8)?,
        data: data.get(end.at + 8..)?,
    })
}

/// A fragment has a part of a segment at most, and no way to tell the segment's length. Its protocol tells
/// whether TCP can be in it at all.
const fn of_fragment(protocol: u8) -> Skip {
    match protocol {
        TCP => Skip::Fragment,
        other if is_extension(other) => Skip::Fragment,
        other => Skip::of_protocol(other),
    }
}

const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6
    )
}

/// The jumbo payload length (RFC 2675): an option of type 0xc2 in the hop-by-hop header, which then is the
/// first one. `packet` begins with the IPv6 header.
fn jumbo_len(protocol: u8, packet: &[u8]) -> Option<usize> {
    const PAD1: u8 = 0;
    const JUMBO: u8 = 0xc2;
    if protocol != HOP_BY_HOP {
        return None;
    }
    let header = packet.get(IPV6_HEADER..)?;
    let len = (usize::from(*header.get(1)?) + 1) * 8;
    let mut options = header.get(2..len.min(header.len()))?;
    while let Some(&kind) = options.first() {
        let option_len = match (kind, options.get(1)) {
            (PAD1, _) => 1,
            (JUMBO, Some(4)) => return u32_at(options, 2).and_then(|len| usize::try_from(len).ok()),
            (_, Some(&len)) => 2 + usize::from(len),
            (_, None) => return None,
        };
        options = options.get(option_len..)?;
    }
    None
}

/// Finds the end of the extension headers, or says why what is there cannot be read. It works on parts of a
/// packet so that the whole can stay in registers when there are none.
fn extensions(protocol: u8, len: usize, data: &[u8]) -> Result<End<'_>, Skip> {
    let Some(end) = walk(protocol, data) else {
        return Err(if data.len() < len { Skip::Cut(Layer::Ip) } else { Skip::Malformed(Layer::Ip) });
    };
    if end.part == Part::Whole { Ok(end) } else { Err(of_fragment(end.protocol)) }
}

/// Passes the extension headers that a packet put together from fragments begins with.
pub(super) fn behind_extensions(packet: Packet<'_>) -> Result<Packet<'_>, Skip> {
    if !is_extension(packet.protocol) {
        return Ok(packet);
    }
    let end = extensions(packet.protocol, packet.len, packet.data)?;
    Ok(end.packet(packet.header, packet.len, packet.data))
}

/// Which part of its packet a fragment header leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// No fragment header, or one of an atomic fragment (RFC 6946), which is the whole packet.
    Whole,
    /// The first fragment.
    First,
    /// Another; what it begins with is no header.
    Later,
}

/// Where a walk over extension headers ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) protocol: u8,
    /// Where `protocol` begins.
    pub(super) at: usize,
    pub(super) part: Part,
    /// Where a routing header that is not used up yet sends the packet in the end: the connection is with
    /// this address, not with the next station in the IPv6 header.
    pub(super) final_destination: Option<&'a [u8; 16]>,
}

impl End<'_> {
    /// The packet of `len` octets, `data` of them captured, that begins with the extension headers.
    fn packet<'a>(&self, header: Header<'a>, len: usize, data: &'a [u8]) -> Packet<'a> {
        let data = data.get(self.at..).unwrap_or_default();
        Packet { header, protocol: self.protocol, len: len.saturating_sub(self.at), data }
    }
}

/// Walks over the extension headers that `data` begins with. `None`: they go beyond `data`.
///
/// Our own walk, as etherparse's refuses a cut chain as a whole and headers in an unusual order. Every
/// header has at least 8 octets, so the data's end bounds the loop.
pub(super) fn walk(first: u8, data: &[u8]) -> Option<End<'_>> {
    walk_while(first, data, is_extension)
}

/// [`walk`], as far as the headers are of these kinds.
#[inline]
fn walk_while(first: u8, data: &[u8], goes_on: impl Fn(u8) -> bool) -> Option<End<'_>> {
    let mut end = End { protocol: first, at: 0, part: Part::Whole, final_destination: None };
    while goes_on(end.protocol) {
        let header = data.get(end.at..)?;
        let &[next, len_field, ..] = header else { return None };
        let len = match end.protocol {
            FRAGMENT => 8,
            // The only one that counts in 4 octets, and from the third on.
            AUTHENTICATION => ((usize::from(len_field) + 2) * 4).max(8),
            _ => (usize::from(len_field) + 1) * 8,
        };
        let header = header.get(..len)?;
        match end.protocol {
            // A second fragment header does not make the first one undone.
            FRAGMENT => end.part = end.part.max(part(u16_at(header, 2)?)),
            ROUTING => end.final_destination = end.final_destination.or(final_destination(header)),
            _ => {}
        }
        end.protocol = next;
        end.at += len;
        if end.part == Part::Later {
            break;
        }
    }
    Some(end)
}

const fn part(offset_and_flags: u16) -> Part {
    match (offset_and_flags >> 3, offset_and_flags & 1) {
        (0, 0) => Part::Whole,
        (0, _) => Part::First,
        _ => Part::Later,
    }
}

/// The last station of a routing header, while there are stations left.
fn final_destination(header: &[u8]) -> Option<&[u8; 16]> {
    const SOURCE_ROUTE: u8 = 0;
    const HOME_ADDRESS: u8 = 2;
    const SEGMENT_ROUTING: u8 = 4;
    let (&kind, &left) = (header.get(2)?, header.get(3)?);
    match kind {
        _ if left == 0 => None,
        // The stations in the order of travel.
        SOURCE_ROUTE | HOME_ADDRESS => header.get(8..)?.last_chunk(),
        // Backwards, so the first is the last (RFC 8754 §2).
        SEGMENT_ROUTING => header.get(8..)?.first_chunk(),
        _ => None,
    }
}
