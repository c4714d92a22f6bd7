//! ICMP and ICMPv6 errors that quote a TCP segment.
//!
//! Owns [`read_v4`] and [`read_v6`]. Uses [`crate::frame`], the types of [`crate::segment`], the IP layer and
//! the skip reasons only.

use etherparse::err::{ipv4, ipv6};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::ip::{self, Header, Packet, Part};
use super::skip::{Layer, Skip};
use super::{u16_at, u32_at};
use crate::frame::Frame;
use crate::segment::{Endpoint, IcmpError, IcmpKind, SeqNum};

/// Type, code, checksum and 4 octets that depend on the type; the quote follows.
const ICMP_HEADER: usize = 8;

const CUT: Skip = Skip::Cut(Layer::IcmpQuote);
const MALFORMED: Skip = Skip::Malformed(Layer::IcmpQuote);

/// Reads ICMP in an IPv4 packet.
pub(super) fn read_v4(frame: &Frame<'_>, packet: &Packet<'_>) -> Result<IcmpError, Skip> {
    let kind = match type_and_code(packet)? {
        (3, 4) => IcmpKind::PacketTooBig,
        (3, code) => IcmpKind::Unreachable(code),
        (11, code) => IcmpKind::TimeExceeded(code),
        (12, code) => IcmpKind::ParameterProblem(code),
        _ => return Err(Skip::NotTcp(packet.protocol)),
    };
    let quote = packet.data.get(ICMP_HEADER..).ok_or(CUT)?;
    // The lengths in a quoted header are those of the whole packet, and some routers change them.
    let header = Ipv4HeaderSlice::from_slice(quote).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => CUT,
        ipv4::HeaderSliceError::Content(_) => MALFORMED,
    })?;
    let behind = quote.get(header.slice().len()..).unwrap_or_default();
    let first = header.fragments_offset().value() == 0;
    let protocol = header.protocol().0;
    error(frame, packet, kind, Quote { header: Header::V4(header), protocol, first, behind })
}

/// Reads ICMPv6 in an IPv6 packet.
pub(super) fn read_v6(frame: &Frame<'_>, packet: &Packet<'_>) -> Result<IcmpError, Skip> {
    let kind = match type_and_code(packet)? {
        (1, code) => IcmpKind::Unreachable(code),
        (2, _) => IcmpKind::PacketTooBig,
        (3, code) => IcmpKind::TimeExceeded(code),
        (4, code) => IcmpKind::ParameterProblem(code),
        _ => return Err(Skip::NotTcp(packet.protocol)),
    };
    let quote = packet.data.get(ICMP_HEADER..).ok_or(CUT)?;
    let header = Ipv6HeaderSlice::from_slice(quote).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => CUT,
        ipv6::HeaderSliceError::Content(_) => MALFORMED,
    })?;
    let behind = quote.get(header.slice().len()..).unwrap_or_default();
    let end = ip::walk(header.next_header().0, behind).ok_or(CUT)?;
    let quote = Quote {
        header: Header::V6(header, end.final_destination),
        protocol: end.protocol,
        first: end.part != Part::Later,
        behind: behind.get(end.at..).unwrap_or_default(),
    };
    error(frame, packet, kind, quote)
}

fn type_and_code(packet: &Packet<'_>) -> Result<(u8, u8), Skip> {
    match *packet.data {
        [kind, code, ..] => Ok((kind, code)),
        _ => Err(CUT),
    }
}

/// The packet an error is about, as far as it is quoted.
struct Quote<'a> {
    header: Header<'a>,
    protocol: u8,
    /// Whether `behind` begins with a header, not with a later fragment of a packet.
    first: bool,
    behind: &'a [u8],
}

fn error(
    frame: &Frame<'_>,
    packet: &Packet<'_>,
    kind: IcmpKind,
    quote: Quote<'_>,
) -> Result<IcmpError, Skip> {
    if quote.protocol != ip::TCP {
        return Err(Skip::NotTcp(packet.protocol));
    }
    if !quote.first {
        return Err(Skip::Fragment);
    }
    // The 8 octets every quote has to have (RFC 792): ports and sequence number.
    let source_port = u16_at(quote.behind, 0).ok_or(CUT)?;
    let destination_port = u16_at(quote.behind, 2).ok_or(CUT)?;
    let seq = u32_at(quote.behind, 4).ok_or(CUT)?;
    Ok(IcmpError {
        id: frame.id,
        time: frame.time,
        reporter: packet.header.source(),
        kind,
        source: Endpoint { address: quote.header.source(), port: source_port },
        destination: Endpoint { address: quote.header.destination(), port: destination_port },
        seq: SeqNum(seq),
        quoted_ip_id: match &quote.header {
            Header::V4(header) => Some(header.identification()),
            Header::V6(..) => None,
        },
        ttl: packet.header.ttl(),
    })
}
