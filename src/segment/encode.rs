//! From a segment to the octets of an IP packet, with right lengths and checksums.
//!
//! Owns [`Outbound`] and [`IcmpOutbound`], the ways back of [`super::decode`]. What a packet says is decided by
//! whoever sends it: the live engine and the simulator. Uses etherparse for the headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header,
    Ipv4Options, Ipv6FlowLabel, Ipv6Header, TcpHeader, TcpOptions,
};

use super::{Endpoint, Flags, IcmpKind, Options, SackBlock, SeqNum};

/// Octets of a quoted packet that an ICMP error carries: the IP header and more than the eight octets behind it
/// that RFC 792 asks for, within what RFC 1812 §4.3.2.3 allows.
const QUOTED: usize = 128;

/// Why a packet cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// One end is IPv4 and the other IPv6.
    #[error("the two ends are not of one IP version")]
    MixedFamilies,
    /// More data than one packet carries.
    #[error("{0} octets of data do not fit in one packet")]
    TooLong(usize),
}

/// A TCP segment that is to leave.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'a> {
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; written as it is, whether or not [`Flags::ACK`] is set.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as on the wire, scaled already.
    pub window: u16,
    /// Options; `incomplete` is not looked at.
    pub options: Options,
    /// Data.
    pub payload: &'a [u8],
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification; not looked at for IPv6.
    pub ip_id: u16,
    /// IPv4 "don't fragment"; not looked at for IPv6.
    pub dont_fragment: bool,
}

impl Outbound<'_> {
    /// Appends the IP packet to `out`.
    ///
    /// # Errors
    /// If the ends are of different IP versions, or the data is too long for a packet. `out` is then as before.
    pub fn packet(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let length = self.tcp_len();
        let too_long = EncodeError::TooLong(self.payload.len());
        match (self.source.address, self.destination.address) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let ip = Ipv4Packet { ttl: self.ttl, ip_id: self.ip_id, dont_fragment: self.dont_fragment };
                ip.header(IpNumber::TCP, source, destination, length, out).ok_or(too_long)?;
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ipv6_header(IpNumber::TCP, source, destination, self.ttl, length, out).ok_or(too_long)?;
            }
            _ => return Err(EncodeError::MixedFamilies),
        }
        let done = self.tcp(out);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    /// Appends the TCP segment alone to `out`, its checksum right for the addresses.
    ///
    /// # Errors
    /// As [`Outbound::packet`].
    pub fn tcp(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut header = TcpHeader::new(self.source.port, self.destination.port, self.seq.0, self.window);
        header.acknowledgment_number = self.ack.0;
        header.fin = self.flags.fin();
        header.syn = self.flags.syn();
        header.rst = self.flags.rst();
        header.psh = self.flags.psh();
        header.ack = self.flags.ack();
        header.urg = self.flags.any(Flags::URG);
        header.ece = self.flags.any(Flags(0x40));
        header.cwr = self.flags.any(Flags(0x80));
        // They always fit: what is written has at most 36 octets.
        header.options = TcpOptions::try_from_slice(&written(&self.options)).unwrap_or_default();
        let checksum = match (self.source.address, self.destination.address) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), self.payload)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                header.calc_checksum_ipv6_raw(source.octets(), destination.octets(), self.payload)
            }
            _ => return Err(EncodeError::MixedFamilies),
        };
        header.checksum = checksum.map_err(|_| EncodeError::TooLong(self.payload.len()))?;
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(self.payload);
        Ok(())
    }

    /// Octets of the TCP header and the data.
    fn tcp_len(&self) -> usize {
        20 + written(&self.options).len() + self.payload.len()
    }
}

/// Options in the order and padding in which Linux writes them (net/ipv4/tcp_output.c, `tcp_options_write`);
/// everything starts on a multiple of four octets.
fn written(options: &Options) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    if let Some(mss) = options.mss {
        out.extend_from_slice(&[2, 4]);
        out.extend_from_slice(&mss.to_be_bytes());
    }
    if let Some(timestamps) = options.timestamps {
        // SACK permitted takes the place of the padding.
        out.extend_from_slice(if options.sack_permitted { &[4, 2] } else { &[1, 1] });
        out.extend_from_slice(&[8, 10]);
        out.extend_from_slice(&timestamps.value.to_be_bytes());
        out.extend_from_slice(&timestamps.echo.to_be_bytes());
    } else if options.sack_permitted {
        out.extend_from_slice(&[1, 1, 4, 2]);
    }
    if let Some(shift) = options.window_scale {
        out.extend_from_slice(&[1, 3, 3, shift]);
    }
    if let Some(SackBlock { left, right }) = options.sack {
        out.extend_from_slice(&[1, 1, 5, 10]);
        out.extend_from_slice(&left.0.to_be_bytes());
        out.extend_from_slice(&right.0.to_be_bytes());
    }
    out
}

/// An ICMP or ICMPv6 error about a packet.
#[derive(Clone, Copy, Debug)]
pub struct IcmpOutbound<'a> {
    /// Who reports it.
    pub reporter: IpAddr,
    /// Who is told: the sender of the quoted packet.
    pub destination: IpAddr,
    /// What it says.
    pub kind: IcmpKind,
    /// The IP packet it is about; its beginning is quoted.
    pub quoted: &'a [u8],
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification; not looked at for IPv6.
    pub ip_id: u16,
}

impl IcmpOutbound<'_> {
    /// Appends the IP packet to `out`.
    ///
    /// # Errors
    /// If reporter and destination are of different IP versions. `out` is then as before.
    pub fn packet(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let quoted = self.quoted.get(..QUOTED).unwrap_or(self.quoted);
        let too_long = EncodeError::TooLong(quoted.len());
        match (self.reporter, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Icmpv4Header::with_checksum(icmpv4(self.kind), quoted);
                let ip = Ipv4Packet { ttl: self.ttl, ip_id: self.ip_id, dont_fragment: false };
                let length = header.header_len() + quoted.len();
                ip.header(IpNumber::ICMP, source, destination, length, out).ok_or(too_long)?;
                out.extend_from_slice(&header.to_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (from, to) = (source.octets(), destination.octets());
                let header =
                    Icmpv6Header::with_checksum(icmpv6(self.kind), from, to, quoted).map_err(|_| too_long)?;
                let length = header.header_len() + quoted.len();
                ipv6_header(IpNumber::IPV6_ICMP, source, destination, self.ttl, length, out)
                    .ok_or(too_long)?;
                out.extend_from_slice(&header.to_bytes());
            }
            _ => return Err(EncodeError::MixedFamilies),
        }
        out.extend_from_slice(quoted);
        Ok(())
    }
}

fn icmpv4(kind: IcmpKind) -> Icmpv4Type {
    let (type_u8, code_u8) = match kind {
        IcmpKind::Unreachable(code) => (3, code),
        IcmpKind::TimeExceeded(code) => (11, code),
        IcmpKind::PacketTooBig => (3, 4),
        IcmpKind::ParameterProblem(code) => (12, code),
    };
    Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8: [0; 4] }
}

fn icmpv6(kind: IcmpKind) -> Icmpv6Type {
    let (type_u8, code_u8) = match kind {
        IcmpKind::Unreachable(code) => (1, code),
        IcmpKind::TimeExceeded(code) => (3, code),
        IcmpKind::PacketTooBig => (2, 0),
        IcmpKind::ParameterProblem(code) => (4, code),
    };
    Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8: [0; 4] }
}

/// The fields of an IPv4 header that a sender chooses.
struct Ipv4Packet {
    ttl: u8,
    ip_id: u16,
    dont_fragment: bool,
}

impl Ipv4Packet {
    /// Appends a header for `length` octets behind it; nothing if those are too many.
    fn header(
        &self,
        protocol: IpNumber,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        length: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let mut header = Ipv4Header {
            dscp: IpDscp::default(),
            ecn: IpEcn::default(),
            total_len: u16::try_from(length.checked_add(Ipv4Header::MIN_LEN)?).ok()?,
            identification: self.ip_id,
            dont_fragment: self.dont_fragment,
            more_fragments: false,
            fragment_offset: IpFragOffset::default(),
            time_to_live: self.ttl,
            protocol,
            header_checksum: 0,
            source: source.octets(),
            destination: destination.octets(),
            options: Ipv4Options::default(),
        };
        header.header_checksum = header.calc_header_checksum();
        out.extend_from_slice(&header.to_bytes());
        Some(())
    }
}

/// Appends an IPv6 header for `length` octets behind it; nothing if those are too many.
fn ipv6_header(
    next_header: IpNumber,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    length: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::default(),
        payload_length: u16::try_from(length).ok()?,
        next_header,
        hop_limit,
        source: source.octets(),
        destination: destination.octets(),
    };
    out.extend_from_slice(&header.to_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, FrameId, LinkType};
    use crate::segment::TcpTimestamps;
    use crate::segment::decode::{Decoded, decode};
    use crate::time::Timestamp;

    fn ends(v6: bool) -> (Endpoint, Endpoint) {
        let [one, other] = if v6 { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "198.51.100.2"] };
        let end = |address: &str, port| Endpoint { address: address.parse().unwrap(), port };
        (end(one, 40_000), end(other, 443))
    }

    fn read(octets: &[u8]) -> Decoded {
        decode(&Frame {
            id: FrameId { capture: 0, number: 1 },
            time: Timestamp::from_nanos(1),
            interface: 0,
            link: LinkType::Raw,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(octets.len()).unwrap(),
            data: octets,
        })
    }

    /// The ones' complement sum over some octets; all ones if they hold a right checksum.
    fn sum(octets: &[u8], mut sum: u32) -> u16 {
        for pair in octets.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    #[test]
    fn a_segment_reads_back_as_it_was_written() {
        let block = SackBlock { left: SeqNum(u32::MAX), right: SeqNum(0) };
        let all = [
            Options::default(),
            Options { timestamps: Some(TcpTimestamps { value: 7, echo: 9 }), ..Options::default() },
            Options { sack: Some(block), ..Options::default() },
            Options {
                mss: Some(1460),
                sack_permitted: true,
                window_scale: Some(7),
                timestamps: Some(TcpTimestamps { value: 1, echo: 0 }),
                ..Options::default()
            },
            Options { mss: Some(1440), sack_permitted: true, sack: Some(block), ..Options::default() },
        ];
        for (options, v6, payload) in all
            .iter()
            .flat_map(|options| [false, true].map(|v6| (options, v6)))
            .flat_map(|(options, v6)| [&b""[..], b"\0", b"abc"].map(|payload| (options, v6, payload)))
        {
            let (source, destination) = ends(v6);
            let outbound = Outbound {
                source,
                destination,
                seq: SeqNum(u32::MAX),
                ack: SeqNum(77),
                flags: Flags::ACK.with(Flags::PSH),
                window: 501,
                options: *options,
                payload,
                ttl: 64,
                ip_id: 4711,
                dont_fragment: true,
            };
            let mut octets = vec![1, 2];
            outbound.packet(&mut octets).unwrap();
            let octets = &octets[2..];
            let Decoded::Segment(read) = read(octets) else { panic!("{octets:?}") };
            assert_eq!((read.source, read.destination), (source, destination));
            assert_eq!((read.seq, read.ack, read.flags), (outbound.seq, outbound.ack, outbound.flags));
            assert_eq!((read.window, read.options), (501, *options));
            assert_eq!(usize::try_from(read.len).unwrap(), payload.len());
            assert_eq!((read.ttl, read.ip_id), (64, (!v6).then_some(4711)));
            assert!(read.dont_fragment);
            let (pseudo, tcp) =
                if v6 { (&octets[8..40], &octets[40..]) } else { (&octets[12..20], &octets[20..]) };
            let start = u32::from(sum(pseudo, 6 + u32::try_from(tcp.len()).unwrap()));
            assert_eq!(sum(tcp, start), 0xffff);
            assert!(v6 || sum(&octets[..20], 0) == 0xffff);
        }
    }

    #[test]
    fn an_error_names_the_segment_it_is_about() {
        for v6 in [false, true] {
            let (source, destination) = ends(v6);
            let mut quoted = Vec::new();
            let outbound = Outbound {
                source,
                destination,
                seq: SeqNum(5),
                ack: SeqNum(6),
                flags: Flags::ACK,
                window: 1,
                options: Options::default(),
                payload: &[0; 400],
                ttl: 3,
                ip_id: 12,
                dont_fragment: false,
            };
            outbound.packet(&mut quoted).unwrap();
            let kinds = [IcmpKind::Unreachable(1), IcmpKind::TimeExceeded(0), IcmpKind::PacketTooBig];
            for kind in kinds.into_iter().chain([IcmpKind::ParameterProblem(2)]) {
                let error = IcmpOutbound {
                    reporter: destination.address,
                    destination: source.address,
                    kind,
                    quoted: &quoted,
                    ttl: 60,
                    ip_id: 1,
                };
                let mut octets = Vec::new();
                error.packet(&mut octets).unwrap();
                let Decoded::Icmp(read) = read(&octets) else { panic!("{kind:?} {octets:?}") };
                assert_eq!((read.kind, read.reporter, read.ttl), (kind, destination.address, 60));
                assert_eq!((read.source, read.destination, read.seq), (source, destination, SeqNum(5)));
                assert_eq!(read.quoted_ip_id, (!v6).then_some(12));
            }
        }
    }

    #[test]
    fn what_no_packet_can_hold_is_refused_and_leaves_nothing() {
        let (v4, v6) = (ends(false).0, ends(true).0);
        let outbound = Outbound {
            source: v4,
            destination: v6,
            seq: SeqNum(0),
            ack: SeqNum(0),
            flags: Flags::ACK,
            window: 0,
            options: Options::default(),
            payload: &[],
            ttl: 64,
            ip_id: 0,
            dont_fragment: true,
        };
        let mut octets = Vec::new();
        assert_eq!(outbound.packet(&mut octets), Err(EncodeError::MixedFamilies));
        let long = vec![0; 70_000];
        let too_long = Outbound { destination: ends(false).1, payload: &long, ..outbound };
        assert_eq!(too_long.packet(&mut octets), Err(EncodeError::TooLong(70_000)));
        assert!(octets.is_empty());
    }
}
