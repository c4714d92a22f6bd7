//! From what the tap saw to segments, and to frames of real octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepscope::frame::FrameId;
use keepscope::segment::{
    Endpoint, Flags, IcmpError, IcmpKind, Options, SackBlock, Segment, SeqNum, TcpTimestamps,
};
use keepscope::time::Timestamp;

use crate::model::{Packet, SYN, Seen};

pub const EPOCH: i64 = 1_700_000_000_000_000_000;

pub fn endpoint(host: usize, ipv6: bool) -> Endpoint {
    let last = 1 + host as u8;
    let address = if ipv6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)))
    } else {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    };
    Endpoint { address, port: if host == 0 { 40_000 } else { 80 } }
}

pub fn segment(seen: &Seen, packet: &Packet, number: u64, ipv6: bool) -> Segment {
    let (source, destination) = (endpoint(packet.from, ipv6), endpoint(1 - packet.from, ipv6));
    let syn = packet.flags & SYN != 0;
    Segment {
        id: FrameId { capture: 0, number },
        time: Timestamp::from_nanos(EPOCH + seen.time),
        interface: seen.interface,
        source,
        destination,
        seq: SeqNum(packet.seq),
        ack: SeqNum(packet.ack),
        flags: Flags(packet.flags),
        window: packet.window,
        len: packet.len,
        first_octet: (packet.len > 0).then_some(packet.octet),
        options: Options {
            timestamps: packet.stamps.map(|(value, echo)| TcpTimestamps { value, echo }),
            sack: packet.dsack.map(|(left, right)| SackBlock { left: SeqNum(left), right: SeqNum(right) }),
            window_scale: None,
            mss: syn.then_some(1460),
            sack_permitted: syn,
            incomplete: false,
        },
        ttl: seen.ttl,
        ip_id: (!ipv6).then_some(packet.ip_id),
        dont_fragment: ipv6 || packet.dont_fragment,
    }
}

pub fn icmp(seen: &Seen, quoted: &Packet, number: u64, ipv6: bool) -> IcmpError {
    IcmpError {
        id: FrameId { capture: 0, number },
        time: Timestamp::from_nanos(EPOCH + seen.time),
        reporter: endpoint(7, ipv6).address,
        kind: IcmpKind::Unreachable(if ipv6 { 3 } else { 1 }),
        source: endpoint(quoted.from, ipv6),
        destination: endpoint(1 - quoted.from, ipv6),
        seq: SeqNum(quoted.seq),
        quoted_ip_id: (!ipv6).then_some(quoted.ip_id),
        ttl: seen.ttl,
    }
}

fn sum(parts: &[&[u8]]) -> u16 {
    let mut total = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn address(host: usize, ipv6: bool) -> Vec<u8> {
    match endpoint(host, ipv6).address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ip(from: Vec<u8>, to: Vec<u8>, protocol: u8, ttl: u8, id: u16, df: bool, payload: &[u8]) -> Vec<u8> {
    let mut made = Vec::new();
    if from.len() == 16 {
        made.extend([0x60, 0, 0, 0]);
        made.extend((payload.len() as u16).to_be_bytes());
        made.extend([protocol, ttl]);
        made.extend(&from);
        made.extend(&to);
    } else {
        made.extend([0x45, 0]);
        made.extend((20 + payload.len() as u16).to_be_bytes());
        made.extend(id.to_be_bytes());
        made.extend([if df { 0x40 } else { 0 }, 0, ttl, protocol, 0, 0]);
        made.extend(&from);
        made.extend(&to);
        let check = sum(&[&made]);
        made[10..12].copy_from_slice(&check.to_be_bytes());
    }
    made.extend(payload);
    made
}

fn tcp(packet: &Packet, ipv6: bool) -> Vec<u8> {
    let mut options = Vec::new();
    if packet.flags & SYN != 0 {
        options.extend([2, 4, 5, 0xb4, 4, 2, 1, 1]);
    }
    if let Some((value, echo)) = packet.stamps {
        options.extend([1, 1, 8, 10]);
        options.extend(value.to_be_bytes());
        options.extend(echo.to_be_bytes());
    }
    if let Some((left, right)) = packet.dsack {
        options.extend([1, 1, 5, 10]);
        options.extend(left.to_be_bytes());
        options.extend(right.to_be_bytes());
    }
    let mut made = Vec::new();
    made.extend(endpoint(packet.from, ipv6).port.to_be_bytes());
    made.extend(endpoint(1 - packet.from, ipv6).port.to_be_bytes());
    made.extend(packet.seq.to_be_bytes());
    made.extend(packet.ack.to_be_bytes());
    made.push(((20 + options.len()) as u8 / 4) << 4);
    made.push(packet.flags);
    made.extend(packet.window.to_be_bytes());
    made.extend([0, 0, 0, 0]);
    made.extend(&options);
    made.extend(std::iter::repeat_n(packet.octet, packet.len as usize));
    let (from, to) = (address(packet.from, ipv6), address(1 - packet.from, ipv6));
    let length = (made.len() as u32).to_be_bytes();
    let check = sum(&[&from, &to, &[0, 0, 0, 6], &length, &made]);
    made[16..18].copy_from_slice(&check.to_be_bytes());
    made
}

/// The IP packet of what the tap saw.
pub fn octets(seen: &Seen, packet: &Packet, ipv6: bool) -> Vec<u8> {
    let segment = tcp(packet, ipv6);
    let (from, to) = (address(packet.from, ipv6), address(1 - packet.from, ipv6));
    let quoted = ip(from.clone(), to, 6, seen.ttl, packet.ip_id, packet.dont_fragment, &segment);
    if !seen.icmp {
        return quoted;
    }
    let mut error = if ipv6 { vec![1, 3, 0, 0, 0, 0, 0, 0] } else { vec![3, 1, 0, 0, 0, 0, 0, 0] };
    error.extend(&quoted);
    ip(address(7, ipv6), from, if ipv6 { 58 } else { 1 }, seen.ttl, 1, false, &error)
}

/// A pcap file of nanoseconds with raw IP packets.
pub fn pcap(packets: impl Iterator<Item = (i64, Vec<u8>)>) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend(word.to_le_bytes());
    }
    for (time, octets) in packets {
        let nanos = EPOCH + time;
        let (seconds, rest) = ((nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32);
        for word in [seconds, rest, octets.len() as u32, octets.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(octets);
    }
    file
}
