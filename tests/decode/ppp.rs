//! PPP as a link layer.

use keepscope::frame::{Frame, LinkType};
use keepscope::segment::decode::{Decoded, Layer, Skip, decode};

use crate::frames::*;
use crate::tunnel::{inner4, inner6, pppoe, vxlan};

fn packets() -> [(&'static [u8], Vec<u8>); 2] {
    [(&[0x00, 0x21], inner4(b"abc")), (&[0x00, 0x57], inner6(b"abc"))]
}

#[track_caller]
fn assert_read(link: LinkType, data: &[u8]) {
    assert_built(&segment(decode(&frame(link, data))), 3);
    // What follows the packet is no data.
    assert_built(&segment(decode(&frame(link, &join(&[data, &[0; 12]])))), 3);
    for captured in 0..data.len() {
        match decode(&Frame { data: &data[..captured], ..frame(link, data) }) {
            Decoded::Segment(segment) => assert_built(&segment, 3),
            Decoded::Skipped(Skip::Cut(_)) => {}
            other => panic!("{captured}: {other:?}"),
        }
    }
}

#[test]
fn link_types_have_the_numbers_of_the_registry() {
    for (number, link) in
        [(9, LinkType::Ppp), (50, LinkType::PppHdlc), (51, LinkType::PppEther), (166, LinkType::PppPppd)]
    {
        assert_eq!(LinkType::from_number(number), link);
    }
}

#[test]
fn ip_in_every_framing() {
    for (protocol, packet) in packets() {
        let bare = join(&[protocol, &packet]);
        let framed = join(&[&[0xff, 3], &bare]);
        for link in [LinkType::Ppp, LinkType::PppHdlc, LinkType::PppPppd] {
            assert_read(link, &bare);
            assert_read(link, &framed);
            // The protocol in one octet.
            assert_read(link, &bare[1..]);
        }
        for direction in [0, 1] {
            assert_read(LinkType::PppPppd, &join(&[&[direction, 3], &bare]));
        }
        let number = u16::from_be_bytes([protocol[0], protocol[1]]);
        assert_read(LinkType::PppEther, &pppoe(number, &packet));
    }
}

#[test]
fn cisco_framing_has_ethertypes() {
    for address in [0x0f, 0x8f] {
        assert_read(LinkType::PppHdlc, &join(&[&[address, 0, 8, 0], &inner4(b"abc")]));
        assert_read(LinkType::PppHdlc, &join(&[&[address, 0, 0x86, 0xdd], &inner6(b"abc")]));
    }
    let slarp = join(&[&[0x8f, 0, 0x80, 0x35], &[0; 18]]);
    assert_eq!(skip(decode(&frame(LinkType::PppHdlc, &slarp))), Skip::NotIp(0x8035));
}

#[test]
fn tunnels_inside_are_opened() {
    let outer = ipv4(17, &vxlan(&ethernet(0x0800, &inner4(b"abc"))));
    let data = join(&[&[0xff, 3, 0, 0x21], &outer]);
    assert_built(&segment(decode(&frame(LinkType::Ppp, &data))), 3);
}

#[test]
fn other_protocols_are_counted_by_number() {
    for (protocol, name, may_hide) in [
        ([0xc0, 0x21], "ppp_c021", false),
        ([0x80, 0x57], "ppp_8057", false),
        ([0x00, 0x2d], "ppp_002d", true),
    ] {
        let skip = skip(decode(&frame(LinkType::Ppp, &join(&[&[0xff, 3], &protocol, &[1; 20]]))));
        assert_eq!((skip.name().as_str(), skip.may_hide_tcp()), (name, may_hide));
    }
    assert_eq!(skip(decode(&frame(LinkType::Ppp, &[0xff, 3]))), Skip::Malformed(Layer::Link));
    assert_eq!(skip(decode(&frame(LinkType::Ppp, &[]))), Skip::Malformed(Layer::Link));
    assert_eq!(skip(decode(&frame(LinkType::PppEther, &[0x11, 0]))).name(), "tunnel_pppoe");
}
