//! What holds for every frame.

use keepscope::frame::{Frame, LinkType};
use keepscope::segment::Segment;
use keepscope::segment::decode::{Decoded, Layer, Skip, decode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::frames::*;

fn any_link() -> impl Strategy<Value = LinkType> {
    prop_oneof![
        Just(LinkType::Null),
        Just(LinkType::Ethernet),
        Just(LinkType::Raw),
        Just(LinkType::Loop),
        Just(LinkType::LinuxSll),
        Just(LinkType::Ipv4),
        Just(LinkType::Ipv6),
        Just(LinkType::LinuxSll2),
        Just(LinkType::Ppp),
        Just(LinkType::PppHdlc),
        Just(LinkType::PppEther),
        Just(LinkType::PppPppd),
        any::<u16>().prop_map(LinkType::Other),
    ]
}

/// TCP options as stacks write them: each well-formed, filled up with NOPs.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let option = prop_oneof![
        Just(vec![1]),
        any::<[u8; 2]>().prop_map(|v| [&[2, 4][..], &v].concat()),
        (0u8..=14).prop_map(|v| vec![3, 3, v]),
        Just(vec![4, 2]),
        any::<[u8; 8]>().prop_map(|v| [&[8, 10][..], &v].concat()),
        any::<[u8; 16]>().prop_map(|v| [&[5, 18][..], &v].concat()),
        vec(any::<u8>(), 0..12).prop_map(|v| [&[34, 2 + v.len() as u8][..], &v].concat()),
    ];
    vec(option, 0..4).prop_map(|parts| {
        let mut options = parts.concat();
        if options.len() > 40 {
            options = TIMESTAMPS.to_vec();
        }
        options.resize(options.len().next_multiple_of(4), 1);
        options
    })
}

/// A packet with a segment, and the link types that can carry it.
fn built() -> impl Strategy<Value = (LinkType, Vec<u8>)> {
    let tags = 0usize..4;
    (any::<bool>(), any::<u8>(), options(), vec(any::<u8>(), 0..200), tags, 0usize..4).prop_map(
        |(six, flags, options, data, tags, kind)| {
            let segment = tcp(flags, &options, &data);
            let (mut ethertype, mut packet) = if six {
                let chain = join(&[&[60, 0, 1, 4, 0, 0, 0, 0], &[6, 0, 1, 4, 0, 0, 0, 0], &segment]);
                (0x86dd, if tags % 2 == 0 { ipv6(6, &segment) } else { ipv6(0, &chain) })
            } else {
                let ip_options = vec![1; tags * 4];
                let total = 20 + ip_options.len() + segment.len();
                (0x0800, ipv4_stating(total, 6, 0x4000, &ip_options, &segment))
            };
            match kind {
                0 => (LinkType::Raw, packet),
                1 => (LinkType::Null, join(&[&[if six { 30 } else { 2 }, 0, 0, 0], &packet])),
                2 => {
                    let sll2 = [0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0];
                    let protocol = u16::to_be_bytes(ethertype);
                    (LinkType::LinuxSll2, join(&[&protocol, &sll2, &packet]))
                }
                _ => {
                    for _ in 0..tags {
                        packet = vlan(ethertype, &packet);
                        ethertype = 0x8100;
                    }
                    (LinkType::Ethernet, ethernet(ethertype, &packet))
                }
            }
        },
    )
}

fn read_as(link: LinkType, data: &[u8], captured: usize) -> Decoded {
    decode(&Frame { data: &data[..captured], ..frame(link, data) })
}

/// What a cut may not change.
fn always_there(segment: &Segment) -> impl PartialEq + std::fmt::Debug + use<> {
    let ip = (segment.ttl, segment.ip_id, segment.dont_fragment);
    let ends = (segment.source, segment.destination);
    (ends, segment.seq, segment.ack, segment.flags, segment.window, segment.len, ip)
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(
        link in any_link(),
        data in vec(any::<u8>(), 0..200),
        wire_len in any::<u32>(),
        fcs_len in any::<u8>(),
    ) {
        let frame = Frame { wire_len, fcs_len, ..frame(link, &data) };
        if let Decoded::Skipped(skip) = decode(&frame) {
            prop_assert!(skip.name().bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_'));
        }
    }

    /// Damaged frames get further into the decoder than noise does.
    #[test]
    fn a_damaged_frame_is_read_without_panic(
        (link, mut data) in built(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        wire_len in any::<u32>(),
    ) {
        for (at, octet) in damage {
            let at = at.index(data.len());
            data[at] = octet;
        }
        for captured in [data.len() / 2, data.len()] {
            let data = &data[..captured];
            let _ = decode(&Frame { wire_len, ..frame(link, data) });
            let _ = decode(&frame(link, data));
        }
    }

    #[test]
    fn a_cut_frame_is_skipped_or_is_the_same_segment((link, data) in built()) {
        let whole = segment(read_as(link, &data, data.len()));
        prop_assert!(!whole.options.incomplete);
        for captured in 0..data.len() {
            match read_as(link, &data, captured) {
                Decoded::Segment(cut) => {
                    prop_assert_eq!(always_there(&cut), always_there(&whole));
                    prop_assert!(cut.first_octet.is_none() || cut.first_octet == whole.first_octet);
                    prop_assert!(cut.options.incomplete || cut.options == whole.options);
                }
                Decoded::Skipped(Skip::Cut(Layer::Link | Layer::Ip | Layer::Tcp)) => {}
                other => prop_assert!(false, "{} octets: {:?}", captured, other),
            }
        }
    }
}
