//! Builds frames from the inside out: data, TCP, IP, link. Every header is written as its octets.

use std::net::IpAddr;

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::segment::decode::{Decoded, Skip, decode};
use keepscope::segment::{IcmpError, Segment};
use keepscope::time::Timestamp;

pub const SEQ: u32 = 0x1122_3344;
pub const ACK: u32 = 0x5566_7788;
pub const WINDOW: u16 = 0x01f5;
pub const CLIENT: u16 = 40_000;
pub const SERVER: u16 = 443;

/// NOP, NOP, timestamps 0x0a0b0c0d / 0x01020304.
pub const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 0x0a, 0x0b, 0x0c, 0x0d, 1, 2, 3, 4];

pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A segment from port 40000 to port 443.
pub fn tcp(flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0, "options fill 32-bit words");
    let mut out = Vec::new();
    out.extend(CLIENT.to_be_bytes());
    out.extend(SERVER.to_be_bytes());
    out.extend(SEQ.to_be_bytes());
    out.extend(ACK.to_be_bytes());
    out.push(u8::try_from((20 + options.len()) / 4 * 16).unwrap());
    out.push(flags);
    out.extend(WINDOW.to_be_bytes());
    out.extend([0xde, 0xad]); // checksum, wrong on purpose
    out.extend([0, 0]); // urgent pointer
    out.extend(options);
    out.extend(data);
    out
}

/// An IPv4 header from 10.0.0.1 to 10.0.0.2 that states `total` octets.
pub fn ipv4_stating(total: usize, protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0, "options fill 32-bit words");
    let mut out = vec![0x40 | u8::try_from((20 + options.len()) / 4).unwrap(), 0];
    out.extend(u16::try_from(total).unwrap().to_be_bytes());
    out.extend([0xbe, 0xef]); // identification
    out.extend(fragment.to_be_bytes());
    out.extend([63, protocol]); // time to live
    out.extend([0, 0]); // header checksum
    out.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    out.extend(options);
    out.extend(payload);
    out
}

/// The same with its true length, "don't fragment" and no options.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_stating(20 + payload.len(), protocol, 0x4000, &[], payload)
}

/// An IPv6 header from 2001:db8::1 to 2001:db8::2 that states `len` octets of payload.
pub fn ipv6_stating(len: usize, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend(u16::try_from(len).unwrap().to_be_bytes());
    out.extend([next, 62]); // hop limit
    for last in [1, 2] {
        out.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    out.extend(payload);
    out
}

/// The same with its true length.
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    ipv6_stating(payload.len(), next, payload)
}

/// Ethernet II.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 2], &[2, 0, 0, 0, 0, 1], &ethertype.to_be_bytes(), payload])
}

/// A VLAN tag for VLAN 7 and what it says follows; stands behind its own ethertype.
pub fn vlan(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[0x60, 7], &ethertype.to_be_bytes(), payload])
}

/// A whole frame of this link type.
pub fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame {
        id: FrameId { capture: 3, number: 17 },
        time: Timestamp::from_nanos(1_700_000_000_000_000_001),
        interface: 5,
        link,
        fcs_len: 0,
        flags: None,
        names: None,
        wire_len: u32::try_from(data.len()).unwrap(),
        data,
    }
}

/// A whole Ethernet frame.
pub fn read(data: &[u8]) -> Decoded {
    decode(&frame(LinkType::Ethernet, data))
}

/// An Ethernet frame of which `captured` octets are there.
pub fn read_cut(data: &[u8], captured: usize) -> Decoded {
    decode(&Frame { data: &data[..captured], ..frame(LinkType::Ethernet, data) })
}

#[track_caller]
pub fn segment(decoded: Decoded) -> Segment {
    match decoded {
        Decoded::Segment(segment) => segment,
        other => panic!("no segment: {other:?}"),
    }
}

#[track_caller]
pub fn error(decoded: Decoded) -> IcmpError {
    match decoded {
        Decoded::Icmp(error) => error,
        other => panic!("no ICMP error: {other:?}"),
    }
}

#[track_caller]
pub fn skip(decoded: Decoded) -> Skip {
    match decoded {
        Decoded::Skipped(skip) => skip,
        other => panic!("not skipped: {other:?}"),
    }
}

/// Panics unless the segment is the one [`tcp`] builds, with `len` octets of data.
#[track_caller]
pub fn assert_built(segment: &Segment, len: u32) {
    assert_eq!((segment.source.port, segment.destination.port), (CLIENT, SERVER));
    assert_eq!((segment.seq.0, segment.ack.0, segment.window), (SEQ, ACK, WINDOW));
    assert_eq!(segment.len, len);
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
