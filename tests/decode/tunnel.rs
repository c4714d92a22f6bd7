//! Tunnels: what is inside is read as if it had come alone.

use keepscope::frame::{Frame, LinkType};
use keepscope::segment::decode::{Decoded, Layer, Skip, decode};
use proptest::prelude::*;

use crate::frames::*;

/// Data of the segment inside, long enough that no padding plays a part.
const DATA: [u8; 60] = [0x5a; 60];

/// The packet inside: other addresses, time to live and identification than [`ipv4`] has.
pub fn inner4(data: &[u8]) -> Vec<u8> {
    let segment = tcp(0x10, &TIMESTAMPS, data);
    let mut packet = ipv4(6, &segment);
    packet[4..6].copy_from_slice(&[0x12, 0x34]);
    packet[8] = 17;
    packet[12..20].copy_from_slice(&[192, 168, 0, 1, 192, 168, 0, 2]);
    packet
}

pub fn inner6(data: &[u8]) -> Vec<u8> {
    ipv6(6, &tcp(0x10, &TIMESTAMPS, data))
}

pub fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    join(&[&[0xc0, 1], &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload])
}

pub fn vxlan(payload: &[u8]) -> Vec<u8> {
    udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], payload]))
}

/// With `words` of options.
pub fn geneve(words: u8, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let options = vec![0xee; usize::from(words) * 4];
    udp(6081, &join(&[&[words, 0], &protocol.to_be_bytes(), &[0, 0, 42, 0], &options, payload]))
}

pub fn gre(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let optional = vec![0xdd; (flags & 0xb000).count_ones() as usize * 4];
    join(&[&flags.to_be_bytes(), &protocol.to_be_bytes(), &optional, payload])
}

/// A PPPoE session header and the PPP protocol.
pub fn pppoe(protocol: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(2 + payload.len()).unwrap();
    join(&[&[0x11, 0, 0, 7], &len.to_be_bytes(), &protocol.to_be_bytes(), payload])
}

/// Two labels.
pub fn mpls(payload: &[u8]) -> Vec<u8> {
    join(&[&[0, 1, 0, 64], &[0, 2, 1, 64], payload])
}

fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(protocol, payload))
}

/// Frames with [`inner4`] or [`inner6`] inside, by name.
fn tunnels(data: &[u8]) -> Vec<(&'static str, Vec<u8>, bool)> {
    let (four, six) = (inner4(data), inner6(data));
    let inner = ethernet(0x0800, &four);
    let tagged = ethernet(0x8100, &vlan(0x86dd, &six));
    vec![
        ("gre", v4(47, &gre(0, 0x0800, &four)), true),
        ("gre with a checksum", v4(47, &gre(0x8000, 0x86dd, &six)), false),
        ("gre with all", v4(47, &gre(0xb000, 0x0800, &four)), true),
        ("gre with a key", v4(47, &gre(0x2000, 0x6558, &inner)), true),
        ("gre over IPv6", ethernet(0x86dd, &ipv6(47, &gre(0x1000, 0x6558, &tagged))), false),
        ("IP in IP", v4(4, &four), true),
        ("IPv6 in IP", v4(41, &six), false),
        ("IPv6 in IPv6", ethernet(0x86dd, &ipv6(41, &six)), false),
        ("IP in IPv6", ethernet(0x86dd, &ipv6(4, &four)), true),
        ("VXLAN", v4(17, &vxlan(&inner)), true),
        ("VXLAN over IPv6", ethernet(0x86dd, &ipv6(17, &vxlan(&tagged))), false),
        ("GENEVE", v4(17, &geneve(0, 0x6558, &inner)), true),
        ("GENEVE with options", v4(17, &geneve(63, 0x6558, &tagged)), false),
        ("GENEVE with bare IP", v4(17, &geneve(1, 0x0800, &four)), true),
        ("MPLS", ethernet(0x8847, &mpls(&four)), true),
        ("MPLS multicast", ethernet(0x8848, &mpls(&six)), false),
        ("MPLS in a VLAN", ethernet(0x8100, &vlan(0x8847, &mpls(&four))), true),
        ("PPPoE", ethernet(0x8864, &pppoe(0x0021, &four)), true),
        ("PPPoE with IPv6", ethernet(0x88a8, &vlan(0x8864, &pppoe(0x0057, &six))), false),
        ("VXLAN in PPPoE", ethernet(0x8864, &pppoe(0x0021, &ipv4(17, &vxlan(&inner)))), true),
    ]
}

#[test]
fn the_segment_inside_is_read() {
    for (name, data, four) in tunnels(&DATA) {
        let Decoded::Segment(segment) = read(&data) else { panic!("{name}: {:?}", read(&data)) };
        assert_built(&segment, 60);
        assert_eq!((segment.id.number, segment.first_octet), (17, Some(0x5a)), "{name}");
        assert_eq!(segment.options.timestamps.map(|stamps| stamps.echo), Some(0x0102_0304));
        if four {
            assert_eq!(segment.source.address, address("192.168.0.1"), "{name}");
            assert_eq!((segment.ttl, segment.ip_id), (17, Some(0x1234)), "{name}");
        } else {
            assert_eq!(segment.destination.address, address("2001:db8::2"), "{name}");
            assert_eq!((segment.ttl, segment.ip_id), (62, None), "{name}");
        }
    }
}

#[test]
fn a_probe_inside_is_not_longer_by_padding() {
    for (name, mut data, _) in tunnels(b"") {
        data.resize(data.len() + 20, 0);
        let Decoded::Segment(segment) = read(&data) else { panic!("{name}: {:?}", read(&data)) };
        assert_eq!((segment.len, segment.first_octet), (0, None), "{name}");
    }
}

#[test]
fn every_cut_is_a_skip_or_the_same_segment() {
    for (name, data, _) in tunnels(&DATA) {
        let mut read_at = None;
        for captured in 0..data.len() {
            match read_cut(&data, captured) {
                Decoded::Segment(segment) => {
                    assert_built(&segment, 60);
                    read_at.get_or_insert(captured);
                }
                Decoded::Skipped(Skip::Cut(_)) => assert_eq!(read_at, None, "{name} at {captured}"),
                // Not even the ports of the outer UDP header.
                Decoded::Skipped(Skip::NotTcp(17)) => assert!(captured < 62, "{name} at {captured}"),
                other => panic!("{name} at {captured}: {other:?}"),
            }
        }
        assert_eq!(read_at, Some(data.len() - 60 - 12 - 4), "{name}");
        // Shorter without having been cut: the layers contradict each other.
        for len in 60..data.len() {
            assert!(matches!(read(&data[..len]), Decoded::Skipped(_)), "{name} at {len}");
        }
    }
}

#[test]
fn a_length_that_is_not_stated_comes_from_the_layer_around() {
    let payload = tcp(0x10, &[], &[7; 3000]);
    let four = ipv4_stating(0, 6, 0x4000, &[], &payload);
    let inner = ethernet(0x0800, &four);
    for data in [
        v4(47, &gre(0x2000, 0x0800, &four)),
        v4(17, &vxlan(&inner)),
        v4(17, &geneve(2, 0x6558, &inner)),
        v4(4, &four),
        ethernet(0x8864, &pppoe(0x0021, &four)),
    ] {
        let padded = join(&[&data, &[0; 9]]);
        for captured in [200, padded.len()] {
            assert_built(&segment(read_cut(&padded, captured)), 3000);
        }
    }
    // MPLS has no length of its own; the file's word on a frame check sequence counts.
    let labelled = join(&[&ethernet(0x8847, &mpls(&four)), &[1, 2, 3, 4]]);
    assert_built(&segment(decode(&Frame { fcs_len: 4, ..frame(LinkType::Ethernet, &labelled) })), 3000);
    // Outside nothing is stated either.
    let nothing = ethernet(0x0800, &ipv4_stating(0, 4, 0x4000, &[], &four));
    assert_built(&segment(read(&nothing)), 3000);
}

#[test]
fn more_than_four_tunnels_are_not_opened() {
    let mut packet = inner4(&DATA);
    for depth in 1..=8 {
        packet = ipv4(4, &packet);
        let decoded = read(&ethernet(0x0800, &packet));
        if depth <= 4 {
            assert_built(&segment(decoded), 60);
        } else {
            assert_eq!(skip(decoded).name(), "tunnel_ip_in_ip");
        }
    }
    // Made to nest: as many headers as fit.
    let mut many = Vec::new();
    for _ in 0..3000 {
        many.extend([0x45, 0, 0, 0, 0, 0, 0x40, 0, 63, 4, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    }
    assert_eq!(skip(read(&ethernet(0x0800, &many))).name(), "tunnel_ip_in_ip");
}

#[test]
fn what_promises_no_packet_stays_a_tunnel() {
    let (four, inner) = (inner4(&DATA), ethernet(0x0800, &inner4(&DATA)));
    let mut unmarked = vxlan(&inner);
    unmarked[8] = 0;
    let mut version_1 = geneve(0, 0x6558, &inner);
    version_1[8] = 0x40;
    for (data, name) in [
        (v4(4, &inner6(&DATA)), "tunnel_ip_in_ip"),
        (v4(41, &four), "tunnel_ipv6_in_ip"),
        (v4(47, &gre(0, 0x88be, &inner)), "tunnel_gre"),
        (v4(47, &gre(1, 0x880b, &four)), "tunnel_gre"),
        (v4(47, &gre(0x4000, 0x0800, &four)), "tunnel_gre"),
        (v4(47, &[0]), "tunnel_gre"),
        (v4(50, &four), "tunnel_esp"),
        (v4(17, &unmarked), "tunnel_vxlan"),
        (v4(17, &version_1), "tunnel_geneve"),
        (v4(17, &geneve(0, 0x0806, &inner)), "tunnel_geneve"),
        (ethernet(0x8847, &mpls(&inner)), "tunnel_mpls"),
        (ethernet(0x8847, &[0; 46]), "tunnel_mpls"),
        (ethernet(0x8864, &join(&[&[0x11, 0xa7], &pppoe(0x0021, &four)[2..]])), "tunnel_pppoe"),
        (
            ethernet(0x8864, &join(&[&[0x11, 0, 0, 7, 0xff, 0xff], &pppoe(0x0021, &four)[6..]])),
            "tunnel_pppoe",
        ),
        (ethernet(0x8864, &pppoe(0xc021, &[1; 40])), "ppp_c021"),
        (ethernet(0x88e5, &four), "tunnel_macsec"),
        (v4(17, &vxlan(&ethernet(0x0806, &[0; 46]))), "arp"),
        (v4(17, &vxlan(&v4(17, &udp(53, &[0; 30])))), "udp"),
    ] {
        assert_eq!(skip(read(&data)).name(), name);
    }
    // An outer fragment has no whole packet inside.
    let outer = ipv4_stating(20 + 4 + four.len(), 47, 0x2000, &[], &gre(0, 0x0800, &four));
    assert_eq!(skip(read(&ethernet(0x0800, &outer))).name(), "tunnel_gre");
}

#[test]
fn a_packet_inside_may_not_be_longer_than_the_one_around() {
    let mut four = inner4(&DATA);
    four[3] += 1;
    for data in [v4(4, &four), v4(47, &gre(0, 0x0800, &four)), ethernet(0x8864, &pppoe(0x0021, &four))] {
        let padded = join(&[&data, &[0; 30]]);
        assert_eq!(skip(read(&padded)), Skip::Malformed(Layer::Ip));
    }
}

#[test]
fn an_icmp_error_inside_is_read() {
    let quote = inner4(&DATA);
    let icmp = join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &quote[..28]]);
    let error = error(read(&v4(47, &gre(0, 0x0800, &ipv4(1, &icmp)))));
    assert_eq!((error.seq.0, error.ttl), (SEQ, 63));
}

proptest! {
    /// Whatever stands in the tunnels' headers.
    #[test]
    fn damaged_tunnels_are_read_without_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        captured in any::<prop::sample::Index>(),
        wire_len in any::<u32>(),
    ) {
        let all = tunnels(&DATA);
        let mut data = all[which.index(all.len())].1.clone();
        for (at, octet) in damage {
            let at = at.index(data.len());
            data[at] = octet;
        }
        let data = &data[..captured.index(data.len() + 1)];
        let _ = decode(&Frame { wire_len, ..frame(LinkType::Ethernet, data) });
        if let Decoded::Segment(segment) = decode(&frame(LinkType::Ethernet, data)) {
            prop_assert!(segment.len as usize <= data.len());
        }
    }

    #[test]
    fn any_octets_in_a_tunnel_are_read_without_panic(
        which in 0usize..8,
        noise in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let data = match which {
            0 => v4(47, &noise),
            1 => v4(4, &noise),
            2 => v4(41, &noise),
            3 => v4(17, &udp(4789, &noise)),
            4 => v4(17, &vxlan(&noise)),
            5 => v4(17, &udp(6081, &noise)),
            6 => ethernet(0x8847, &noise),
            _ => ethernet(0x8864, &noise),
        };
        let _ = read(&data);
    }
}
