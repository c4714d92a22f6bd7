//! IPv4 and IPv6: lengths, options, extension headers, fragments, tunnels.

use keepscope::frame::{Frame, LinkType};
use keepscope::segment::decode::{Decoded, Layer, Skip, decode};

use crate::frames::*;

const DATA: [u8; 100] = [0x5a; 100];

fn v4(packet: &[u8]) -> Decoded {
    read(&ethernet(0x0800, packet))
}

fn v6(packet: &[u8]) -> Decoded {
    read(&ethernet(0x86dd, packet))
}

/// An extension header of 8 octets: next header, length 0, padding.
fn extension(next: u8, payload: &[u8]) -> Vec<u8> {
    join(&[&[next, 0, 1, 4, 0, 0, 0, 0], payload])
}

/// A fragment header with this offset (in 8 octets) and "more fragments".
fn fragment(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let field = offset << 3 | u16::from(more);
    join(&[&[next, 0], &field.to_be_bytes(), &[0, 0, 0, 9], payload])
}

#[test]
fn ipv4_fields() {
    let segment = segment(v4(&ipv4(6, &tcp(0x18, &[], &DATA))));
    assert_built(&segment, 100);
    assert_eq!(segment.source.address, address("10.0.0.1"));
    assert_eq!(segment.destination.address, address("10.0.0.2"));
    assert_eq!((segment.ttl, segment.ip_id, segment.dont_fragment), (63, Some(0xbeef), true));
    assert_eq!((segment.flags.0, segment.first_octet), (0x18, Some(0x5a)));
}

#[test]
fn ipv6_fields() {
    let segment = segment(v6(&ipv6(6, &tcp(0x18, &[], &DATA))));
    assert_built(&segment, 100);
    assert_eq!(segment.source.address, address("2001:db8::1"));
    assert_eq!(segment.destination.address, address("2001:db8::2"));
    assert_eq!((segment.ttl, segment.ip_id, segment.dont_fragment), (62, None, true));
    assert_eq!(segment.first_octet, Some(0x5a));
}

#[test]
fn ipv4_options_are_stepped_over() {
    let payload = tcp(0x10, &TIMESTAMPS, &DATA);
    for words in 1..=10 {
        let options = vec![1; words * 4];
        let packet = ipv4_stating(20 + options.len() + payload.len(), 6, 0, &options, &payload);
        let segment = segment(v4(&packet));
        assert_built(&segment, 100);
        assert!(!segment.dont_fragment);
    }
}

#[test]
fn padding_is_not_data() {
    for data in [&b""[..], b"x", b"xyz"] {
        let mut short = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[], data)));
        short.resize(60, 0);
        let segment = segment(read(&short));
        assert_built(&segment, u32::try_from(data.len()).unwrap());
        assert_eq!(segment.first_octet, data.first().copied());
    }
}

#[test]
fn a_length_on_the_wire_below_the_captured_one_is_not_believed() {
    let data = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[], &DATA)));
    let odd = Frame { wire_len: 10, ..frame(LinkType::Ethernet, &data) };
    assert_built(&segment(decode(&odd)), 100);
}

#[test]
fn an_offloaded_segment_states_no_length() {
    let payload = tcp(0x10, &TIMESTAMPS, &[7; 5000]);
    let v4 = ethernet(0x0800, &ipv4_stating(0, 6, 0x4000, &[], &payload));
    let v6 = ethernet(0x86dd, &ipv6_stating(0, 6, &payload));
    for whole in [v4, v6] {
        assert_built(&segment(read(&whole)), 5000);
        for captured in [90, 200, 1500] {
            assert_built(&segment(read_cut(&whole, captured)), 5000);
        }
        // A frame check sequence that the file declares is no data.
        let checked = join(&[&whole, &[1, 2, 3, 4]]);
        let checked = Frame { fcs_len: 4, ..frame(LinkType::Ethernet, &checked) };
        assert_built(&segment(decode(&checked)), 5000);
    }
}

#[test]
fn a_frame_check_sequence_is_no_data_and_may_be_declared_without_being_there() {
    let bare = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[], b"")));
    let checked = join(&[&bare, &[1, 2, 3, 4]]);
    for data in [bare, checked] {
        let segment = segment(decode(&Frame { fcs_len: 4, ..frame(LinkType::Ethernet, &data) }));
        assert_built(&segment, 0);
        assert_eq!(segment.first_octet, None);
    }
}

#[test]
fn a_jumbogram_states_its_length_in_an_option() {
    let payload = tcp(0x10, &TIMESTAMPS, &vec![7; 70_000]);
    let len = u32::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let whole = ethernet(0x86dd, &ipv6_stating(0, 0, &join(&[&[6, 0, 0xc2, 4], &len, &payload])));
    assert_built(&segment(read(&whole)), 70_000);
    assert_built(&segment(read_cut(&whole, 120)), 70_000);
    // Pad1 and PadN (with an octet that is no option) in front of it, and trailing octets it does not count.
    let options = join(&[&[6, 1, 0, 1, 1, 0xaa, 0xc2, 4], &(len_plus(8, &payload)), &[1, 2, 0, 0]]);
    let padded = ethernet(0x86dd, &ipv6_stating(0, 0, &join(&[&options, &payload, &[9; 6]])));
    assert_built(&segment(read(&padded)), 70_000);
    // More than the frame had.
    let wrong = ethernet(0x86dd, &ipv6_stating(0, 0, &join(&[&[6, 0, 0xc2, 4, 1, 0, 0, 0], &payload])));
    assert_eq!(skip(read(&wrong)), Skip::Malformed(Layer::Ip));
}

fn len_plus(more: usize, payload: &[u8]) -> [u8; 4] {
    u32::try_from(8 + more + payload.len()).unwrap().to_be_bytes()
}

#[test]
fn extension_headers_are_stepped_over() {
    let segment_octets = tcp(0x10, &TIMESTAMPS, &DATA);
    // Authentication counts its length in 4 octets less 2: 4 for 24 octets.
    let authentication = join(&[&[6, 4], &[0; 22], &segment_octets]);
    let destination = extension(51, &authentication);
    let routing = join(&[&[60, 2, 0, 0], &[0; 20], &destination]); // no station left
    let hop_by_hop = extension(43, &routing);
    assert_built(&segment(v6(&ipv6(51, &authentication))), 100);
    assert_built(&segment(v6(&ipv6(60, &destination))), 100);
    assert_built(&segment(v6(&ipv6(43, &routing))), 100);
    assert_built(&segment(v6(&ipv6(0, &hop_by_hop))), 100);
    assert_built(&segment(v4(&ipv4(51, &authentication))), 100);
    assert_eq!(skip(v6(&ipv6(60, &extension(17, &[0; 20])))), Skip::NotTcp(17));
    assert_eq!(skip(v6(&ipv6(59, &[]))), Skip::NotTcp(59));
    // A chain beyond the end of the packet.
    assert_eq!(skip(v6(&ipv6(0, &[6, 9, 0, 0, 0, 0, 0, 0]))), Skip::Malformed(Layer::Ip));
    assert_eq!(skip(v6(&ipv6(0, &[6]))), Skip::Malformed(Layer::Ip));
}

#[test]
fn a_routing_header_names_the_other_end() {
    let last = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let other = [0xfe; 16];
    let payload = tcp(0x10, &[], &DATA);
    // Next header, length, type, stations left, 4 octets of the type's own, stations.
    let by_type = [
        join(&[&[6, 4, 0, 1, 0, 0, 0, 0], &other, &last, &payload]),
        join(&[&[6, 2, 2, 1, 0, 0, 0, 0], &last, &payload]),
        join(&[&[6, 4, 4, 1, 1, 0, 0, 0], &last, &other, &payload]),
    ];
    for routed in by_type {
        let segment = segment(v6(&ipv6(43, &routed)));
        assert_built(&segment, 100);
        assert_eq!(segment.destination.address, address("2001:db8::9"));
    }
    let arrived = join(&[&[6, 4, 4, 0, 1, 0, 0, 0], &last, &other, &payload]);
    assert_eq!(segment(v6(&ipv6(43, &arrived))).destination.address, address("2001:db8::2"));
}

#[test]
fn fragments_are_counted_and_atomic_ones_read() {
    let payload = tcp(0x10, &TIMESTAMPS, &DATA);
    let v4_fragment = |field, protocol| v4(&ipv4_stating(20 + payload.len(), protocol, field, &[], &payload));
    assert_eq!(skip(v4_fragment(0x2000, 6)), Skip::Fragment); // more fragments
    assert_eq!(skip(v4_fragment(0x0001, 6)), Skip::Fragment); // the last one
    assert_eq!(skip(v4_fragment(0x2001, 6)), Skip::Fragment);
    assert_eq!(skip(v4_fragment(0x2000, 17)), Skip::NotTcp(17)); // cannot hide TCP
    assert_eq!(skip(v4_fragment(0x2000, 47)).name(), "tunnel_gre");
    assert_built(&segment(v4_fragment(0x8000, 6)), 100); // the reserved bit is no fragment

    assert_built(&segment(v6(&ipv6(44, &fragment(6, 0, false, &payload)))), 100);
    assert_eq!(skip(v6(&ipv6(44, &fragment(6, 0, true, &payload)))), Skip::Fragment);
    assert_eq!(skip(v6(&ipv6(44, &fragment(6, 3, false, &payload)))), Skip::Fragment);
    assert_eq!(skip(v6(&ipv6(44, &fragment(60, 3, true, &payload)))), Skip::Fragment);
    assert_eq!(skip(v6(&ipv6(44, &fragment(17, 3, true, &payload)))), Skip::NotTcp(17));
    let twice = fragment(44, 0, true, &fragment(6, 0, false, &payload));
    assert_eq!(skip(v6(&ipv6(44, &twice))), Skip::Fragment);
    let behind_atomic = fragment(60, 0, false, &extension(6, &payload));
    assert_built(&segment(v6(&ipv6(0, &extension(44, &behind_atomic)))), 100);
}

#[test]
fn tunnels_and_other_protocols_are_counted_by_name() {
    for (protocol, name) in [
        (4, "tunnel_ip_in_ip"),
        (41, "tunnel_ipv6_in_ip"),
        (47, "tunnel_gre"),
        (50, "tunnel_esp"),
        (17, "udp"),
        (132, "sctp"),
        (200, "ip_protocol_200"),
    ] {
        assert_eq!(skip(v4(&ipv4(protocol, &[0; 40]))).name(), name);
        assert_eq!(skip(v6(&ipv6(protocol, &[0; 40]))).name(), name);
    }
    // ICMP belongs to IPv4 and ICMPv6 to IPv6.
    assert_eq!(skip(v4(&ipv4(58, &[1; 80]))), Skip::NotTcp(58));
    assert_eq!(skip(v6(&ipv6(1, &[3; 80]))), Skip::NotTcp(1));
    let udp = |from: u16, to: u16| join(&[&from.to_be_bytes(), &to.to_be_bytes(), &[0, 60, 0, 0], &[0; 52]]);
    assert_eq!(skip(v4(&ipv4(17, &udp(50_000, 4789)))).name(), "tunnel_vxlan");
    assert_eq!(skip(v6(&ipv6(17, &udp(50_000, 6081)))).name(), "tunnel_geneve");
    assert_eq!(skip(v4(&ipv4(17, &udp(4789, 53)))).name(), "udp");
}

#[test]
fn headers_that_contradict_themselves() {
    let malformed = Skip::Malformed(Layer::Ip);
    let payload = tcp(0x10, &[], &DATA);
    // More than the frame had on the wire; less than the header.
    assert_eq!(skip(v4(&ipv4_stating(20 + payload.len() + 1, 6, 0, &[], &payload))), malformed);
    assert_eq!(skip(v6(&ipv6_stating(payload.len() + 1, 6, &payload))), malformed);
    assert_eq!(skip(v4(&ipv4_stating(19, 6, 0, &[], &payload))), malformed);
    // Header length 4 words, header length beyond the frame, wrong version.
    for first in [0x44, 0x55] {
        let mut packet = ipv4(6, &payload);
        packet[0] = first;
        assert_eq!(skip(v4(&packet)), malformed);
    }
    assert_eq!(skip(v4(&[0x4f; 30])), malformed);
    assert_eq!(skip(v6(&ipv4(6, &payload))), malformed);
    // A frame that is too short without having been cut.
    assert_eq!(skip(v4(&ipv4(6, &payload)[..19])), malformed);
    assert_eq!(skip(v6(&ipv6(6, &payload)[..39])), malformed);
}
