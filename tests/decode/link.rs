//! Link layers.

use keepscope::frame::{Frame, LinkType};
use keepscope::segment::decode::{Layer, Skip, Tunnel, decode};

use crate::frames::*;

fn packet() -> Vec<u8> {
    ipv4(6, &tcp(0x10, &TIMESTAMPS, b"abc"))
}

fn packet6() -> Vec<u8> {
    ipv6(6, &tcp(0x10, &TIMESTAMPS, b"abc"))
}

#[track_caller]
fn assert_read(link: LinkType, data: &[u8]) {
    assert_built(&segment(decode(&frame(link, data))), 3);
}

#[test]
fn ethernet_with_any_number_of_tags() {
    assert_read(LinkType::Ethernet, &ethernet(0x0800, &packet()));
    assert_read(LinkType::Ethernet, &ethernet(0x86dd, &packet6()));
    for outer in [0x8100, 0x88a8, 0x9100] {
        let mut payload = vlan(0x0800, &packet());
        assert_read(LinkType::Ethernet, &ethernet(outer, &payload));
        for _ in 0..4 {
            payload = vlan(0x8100, &payload);
            assert_read(LinkType::Ethernet, &ethernet(outer, &payload));
        }
        assert_read(LinkType::Ethernet, &ethernet(outer, &vlan(0x86dd, &packet6())));
    }
    assert_eq!(skip(read(&ethernet(0x8100, &vlan(0x0806, &[0; 46])))), Skip::NotIp(0x0806));
}

#[test]
fn ethernet_with_802_2() {
    let snap = |oui: u8, ethertype: u16, payload: &[u8]| {
        join(&[&[0xaa, 0xaa, 3, 0, 0, oui], &ethertype.to_be_bytes(), payload])
    };
    let with_length = |payload: &[u8]| ethernet(u16::try_from(payload.len()).unwrap(), payload);
    assert_read(LinkType::Ethernet, &with_length(&snap(0, 0x0800, &packet())));
    assert_read(LinkType::Ethernet, &with_length(&snap(0, 0x86dd, &packet6())));
    assert_read(LinkType::Ethernet, &with_length(&join(&[&[6, 6, 3], &packet()])));
    // Spanning tree; SNAP of another organisation (Cisco, 0x0c); SNAP with a length for an ethertype.
    assert_eq!(skip(read(&with_length(&[0x42, 0x42, 3, 0, 0, 0, 0, 0]))), Skip::Llc);
    assert_eq!(skip(read(&with_length(&snap(0x0c, 0x0800, &packet())))), Skip::Llc);
    let chain = snap(0, 0x0020, &snap(0, 0x0800, &packet()));
    assert_eq!(skip(read(&with_length(&chain))), Skip::Llc);
    // Cut in the middle of SNAP.
    let whole = with_length(&snap(0, 0x0800, &packet()));
    assert_eq!(skip(read_cut(&whole, 14 + 4)), Skip::Cut(Layer::Link));
    assert_eq!(skip(read_cut(&whole, 14 + 7)), Skip::Cut(Layer::Link));
}

#[test]
fn linux_cooked_captures() {
    // Packet type, ARPHRD type, address length, address, protocol.
    let sll = |protocol: u16, payload: &[u8]| {
        join(&[&[0, 4], &[0, 1], &[0, 6], &[2, 0, 0, 0, 0, 1, 0, 0], &protocol.to_be_bytes(), payload])
    };
    // Protocol, reserved, interface index, ARPHRD type, packet type, address length, address.
    let sll2 = |protocol: u16, payload: &[u8]| {
        let protocol = protocol.to_be_bytes();
        let rest = [0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        join(&[&protocol, &rest, payload])
    };
    assert_read(LinkType::LinuxSll, &sll(0x0800, &packet()));
    assert_read(LinkType::LinuxSll, &sll(0x86dd, &packet6()));
    assert_read(LinkType::LinuxSll, &sll(0x8100, &vlan(0x0800, &packet())));
    assert_read(LinkType::LinuxSll2, &sll2(0x0800, &packet()));
    assert_read(LinkType::LinuxSll2, &sll2(0x86dd, &packet6()));
    assert_read(LinkType::LinuxSll2, &sll2(0x88a8, &vlan(0x8100, &vlan(0x86dd, &packet6()))));
    for (link, data) in [
        (LinkType::LinuxSll, sll(0x0004, &[0x42, 0x42, 3, 0, 0, 0, 0])),
        (LinkType::LinuxSll2, sll2(0x0004, &[0x42, 0x42, 3, 0, 0, 0, 0])),
    ] {
        assert_eq!(skip(decode(&frame(link, &data))), Skip::Llc);
    }
    // 0x000c is CAN here, not the length of an 802.2 frame.
    assert_eq!(skip(decode(&frame(LinkType::LinuxSll, &sll(0x000c, &[0; 16])))), Skip::NotIp(0x000c));
    assert_eq!(skip(decode(&frame(LinkType::LinuxSll2, &sll2(0x0806, &[0; 28])))).name(), "arp");
}

#[test]
fn bsd_loopback_in_either_byte_order() {
    for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        assert_read(LinkType::Null, &join(&[&family, &packet()]));
    }
    for inet6 in [10, 24, 28, 30] {
        assert_read(LinkType::Null, &join(&[&[inet6, 0, 0, 0], &packet6()]));
        assert_read(LinkType::Null, &join(&[&[0, 0, 0, inet6], &packet6()]));
        assert_read(LinkType::Loop, &join(&[&[0, 0, 0, inet6], &packet6()]));
    }
    assert_read(LinkType::Loop, &join(&[&[0, 0, 0, 2], &packet()]));
    let appletalk = join(&[&[16, 0, 0, 0], &packet()]);
    assert_eq!(skip(decode(&frame(LinkType::Null, &appletalk))), Skip::AddressFamily(16));
    assert_eq!(skip(decode(&frame(LinkType::Null, &[2, 0, 0]))), Skip::Malformed(Layer::Link));
}

#[test]
fn packets_without_a_link_layer() {
    assert_read(LinkType::Raw, &packet());
    assert_read(LinkType::Raw, &packet6());
    assert_read(LinkType::Ipv4, &packet());
    assert_read(LinkType::Ipv6, &packet6());
    for (link, data) in
        [(LinkType::Ipv4, packet6()), (LinkType::Ipv6, packet()), (LinkType::Raw, vec![0x50; 60])]
    {
        assert_eq!(skip(decode(&frame(link, &data))), Skip::Malformed(Layer::Ip));
    }
    let cut = Frame { wire_len: 60, ..frame(LinkType::Raw, &[]) };
    assert_eq!(skip(decode(&cut)), Skip::Cut(Layer::Ip));
}

#[test]
fn other_link_types_and_ethertypes_are_counted_by_name() {
    let name = |skip: Skip| (skip.name(), skip.may_hide_tcp());
    assert_eq!(skip(decode(&frame(LinkType::Other(147), &packet()))).name(), "link_type_147");
    for (ethertype, expected, may_hide) in [
        (0x0806, "arp", false),
        (0x88cc, "lldp", false),
        (0x88b5, "ethertype_88b5", false),
        (0x8864, "tunnel_pppoe", true),
        (0x8847, "tunnel_mpls", true),
        (0x8848, "tunnel_mpls", true),
        (0x88e5, "tunnel_macsec", true),
    ] {
        assert_eq!(name(skip(read(&ethernet(ethertype, &[0; 46])))), (expected.to_owned(), may_hide));
    }
    assert_eq!(skip(read(&ethernet(0x8847, &[0; 46]))), Skip::Tunnel(Tunnel::Mpls));
}

#[test]
fn a_frame_shorter_than_its_link_header() {
    assert_eq!(skip(read(&[0; 13])), Skip::Malformed(Layer::Link));
    assert_eq!(skip(read_cut(&[0; 14], 13)), Skip::Cut(Layer::Link));
    assert_eq!(skip(read_cut(&ethernet(0x0800, &packet()), 13)), Skip::Cut(Layer::Link));
    assert_eq!(skip(read_cut(&ethernet(0x8100, &vlan(0x0800, &packet())), 17)), Skip::Cut(Layer::Link));
}

#[test]
fn where_and_when_come_from_the_frame() {
    let segment = segment(read(&ethernet(0x0800, &packet())));
    assert_eq!((segment.id.capture, segment.id.number, segment.interface), (3, 17, 5));
    assert_eq!(segment.time.as_nanos(), 1_700_000_000_000_000_001);
}
