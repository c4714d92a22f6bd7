//! Every form of capture that is read.

use keepscope::capture::ProblemKind;
use keepscope::frame::LinkType;

use crate::bytes::*;

const SECOND: i64 = 1_000_000_000;

#[test]
fn pcap_in_both_orders_and_resolutions() {
    for order in ORDERS {
        for (magic, fraction, nanos) in [(MICROS, 123_456, 123_456_000), (NANOS, 123_456_789, 123_456_789)] {
            let mut out = Out::new(order);
            out.pcap_header(magic, 65_535, 1)
                .pcap_record(1_700_000_000, fraction, 1514, &[7; 54])
                .pcap_record(u32::MAX, 0, 0, &[]);
            let read = read(&out.octets);
            assert_eq!(read.kinds(), []);
            assert_eq!(read.frames.len(), 2);
            let first = &read.frames[0];
            assert_eq!((first.capture, first.number, first.interface), (0, 1, 0));
            assert_eq!(first.nanos, 1_700_000_000 * SECOND + nanos);
            assert_eq!((first.link, first.fcs_len, first.wire_len), (LinkType::Ethernet, 0, 1514));
            assert_eq!(first.data, [7; 54]);
            assert_eq!(read.frames[1].nanos, i64::from(u32::MAX) * SECOND);
        }
    }
}

#[test]
fn the_modified_pcap_form() {
    for order in ORDERS {
        let mut out = Out::new(order);
        out.pcap_header(0xa1b2_cd34, 65_535, 1);
        for index in 0..3u32 {
            out.u32(10 + index).u32(1).u32(5).u32(5).u32(2).u16(0x800).raw(&[0, 0]).raw(&[index as u8; 5]);
        }
        let read = read(&out.octets);
        assert_eq!(read.kinds(), []);
        assert_eq!(read.nanos(), [10, 11, 12].map(|second| second * SECOND + 1_000));
        assert_eq!(read.frames[2].data, [2; 5]);
    }
}

#[test]
fn link_type_and_check_sequence_of_pcap() {
    for (field, link, fcs) in [
        (0x1400_0001, LinkType::Ethernet, 2),
        (0x2400_0001, LinkType::Ethernet, 4),
        (0x2000_0071, LinkType::LinuxSll, 0),
        (0x03ff_0114, LinkType::LinuxSll2, 0),
        (101, LinkType::Raw, 0),
        (12, LinkType::Raw, 0),
        (147, LinkType::Other(147), 0),
    ] {
        let mut out = Out::new(Order::Little);
        out.pcap_header(MICROS, 0, field).pcap_record(1, 0, 4, &[0; 4]);
        let read = read(&out.octets);
        assert_eq!((read.frames[0].link, read.frames[0].fcs_len), (link, fcs));
    }
}

#[test]
fn odd_but_readable_pcap_records() {
    let mut out = Out::new(Order::Big);
    out.pcap_header(MICROS, 96, 1)
        .pcap_record(1, 2_500_000, 60, &[0; 60])
        .pcap_record(5, 0, 40, &[0; 60])
        .pcap_record(6, 0, 300_000, &vec![1; 262_144]);
    let read = read(&out.octets);
    assert_eq!(read.nanos(), [3 * SECOND + SECOND / 2, 5 * SECOND, 6 * SECOND]);
    assert_eq!(read.frames[1].wire_len, 60);
    assert_eq!((read.frames[2].data.len(), read.frames[2].wire_len), (262_144, 300_000));
    assert_eq!(read.kinds(), [ProblemKind::FractionCarried, ProblemKind::LengthBelowCaptured]);
    assert!(read.problems.iter().all(|problem| !problem.is_damage()));
    assert_eq!((read.problems[1].packet, read.problems[1].offset), (Some(2), Some(24 + 16 + 60)));
}

#[test]
fn a_huge_fraction_does_not_overflow() {
    let mut out = Out::new(Order::Little);
    out.pcap_header(MICROS, 96, 1).pcap_record(u32::MAX, u32::MAX, 1, &[0]);
    let read = read(&out.octets);
    assert_eq!(read.nanos(), [i64::from(u32::MAX) * SECOND + i64::from(u32::MAX) * 1_000]);
}

#[test]
fn pcapng_in_both_orders() {
    for order in ORDERS {
        let read = read(&small_pcapng(order, 3));
        assert_eq!(read.kinds(), []);
        assert_eq!(read.numbers(), [1, 2, 3]);
        assert_eq!(read.nanos(), [0, 1, 2].map(|index| (1_700_000_000 + index) * SECOND + 5_000));
        assert_eq!(read.frames[1].data, [1; 61]);
        assert_eq!(read.frames[1].wire_len, 61);
    }
}

#[test]
fn units_and_offsets_of_time() {
    let offset_le = 1_700_000_000i64.to_le_bytes();
    let offset_be = 1_700_000_000i64.to_be_bytes();
    for order in ORDERS {
        let offset = if order == Order::Little { &offset_le } else { &offset_be };
        let mut out = Out::new(order);
        out.section()
            .interface(1, 0, &[(9, &[9])])
            .interface(1, 0, &[(9, &[3])])
            .interface(1, 0, &[(9, &[0x94])])
            .interface(1, 0, &[(9, &[0x8a]), (14, offset)])
            .interface(1, 0, &[(9, &[20])])
            .interface(1, 0, &[(9, &[0xff])])
            .packet(0, 1_700_000_000_000_000_001, &[0])
            .packet(1, 1_700_000_000_001, &[0])
            .packet(2, (1_700_000_000 << 20) | (1 << 18), &[0])
            .packet(3, 512, &[0])
            .packet(4, 700_000_000_000, &[0])
            .packet(5, u64::MAX, &[0]);
        let read = read(&out.octets);
        let base = 1_700_000_000 * SECOND;
        assert_eq!(read.nanos(), [base + 1, base + 1_000_000, base + SECOND / 4, base + SECOND / 2, 7, 0]);
        assert_eq!(read.frames.iter().map(|frame| frame.interface).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_time_out_of_range_is_clamped() {
    let mut out = Out::new(Order::Little);
    out.section().interface(1, 0, &[(9, &[0])]).packet(0, u64::MAX, &[0]).packet(0, 7, &[0]);
    let read = read(&out.octets);
    assert_eq!(read.nanos(), [i64::MAX, 7 * SECOND]);
    assert_eq!(read.kinds(), [ProblemKind::TimeOutOfRange, ProblemKind::TimeGoesBack]);
}

#[test]
fn simple_packets_have_no_padding_and_no_time() {
    for (snaplen, wire_len, kept) in [(0, 54, 54), (65_535, 54, 54), (51, 54, 51), (56, 2000, 56)] {
        let mut out = Out::new(Order::Little);
        out.section().interface(1, snaplen, &[]).packet(0, 9_000_000, &[1]).block(3, |out| {
            out.u32(wire_len).raw(&[2; 54]).raw(&[0xee; 2]);
        });
        let read = read(&out.octets);
        assert_eq!(read.kinds(), [ProblemKind::NoTimestamp]);
        assert_eq!(read.nanos(), [9 * SECOND; 2]);
        assert_eq!((read.frames[1].data.len(), read.frames[1].wire_len), (kept, wire_len));
    }
}

#[test]
fn the_obsolete_packet_block() {
    for order in ORDERS {
        let mut out = Out::new(order);
        out.section().interface(0, 0, &[]).interface(1, 0, &[]).block(2, |out| {
            out.u16(1).u16(0xffff).u32(0).u32(3_000_000).u32(5).u32(9).padded(&[4; 5]);
        });
        let read = read(&out.octets);
        assert_eq!(read.kinds(), []);
        let frame = &read.frames[0];
        assert_eq!((frame.interface, frame.link, frame.nanos), (1, LinkType::Ethernet, 3 * SECOND));
        assert_eq!((frame.wire_len, &frame.data[..]), (9, &[4; 5][..]));
    }
}

#[test]
fn sections_have_their_own_order_and_interfaces() {
    for (first, second) in [(Order::Little, Order::Big), (Order::Big, Order::Little)] {
        let mut one = Out::new(first);
        one.section().interface(1, 0, &[]).interface(113, 0, &[]).packet(1, 1_000_000, &[1; 3]);
        let mut two = Out::new(second);
        two.section().interface(101, 0, &[(9, &[9])]).packet(0, 2_000_000_000, &[2; 5]);
        let read = read(&[one.octets, two.octets].concat());
        assert_eq!(read.kinds(), []);
        assert_eq!(read.nanos(), [SECOND, 2 * SECOND]);
        assert_eq!((read.frames[0].interface, read.frames[0].link), (1, LinkType::LinuxSll));
        assert_eq!((read.frames[1].interface, read.frames[1].link), (2, LinkType::Raw));
        assert_eq!(read.numbers(), [1, 2]);
    }
}

#[test]
fn blocks_that_are_no_packets_are_no_frames() {
    let mut out = Out::new(Order::Big);
    out.section().interface(1, 0, &[(2, b"\xff\xfe\x80"), (3, b"caf\xe9")]);
    for kind in [4, 5, 9, 10, 0x204, 0x216, 0x221, 0xbad, 0x4000_0bad, 0x7777_7777] {
        out.block(kind, |out| {
            out.raw(&[0xff; 20]);
        });
        out.packet(0, u64::from(kind), &[1]);
    }
    let read = read(&out.octets);
    // Wireshark lists journal entries, custom blocks and events of system calls, and so gives them numbers.
    assert_eq!(read.numbers(), [1, 2, 4, 5, 7, 9, 11, 13, 15, 16]);
    assert_eq!(read.kinds(), []);
}

#[test]
fn check_sequences_of_pcapng() {
    let mut out = Out::new(Order::Little);
    out.section().interface(1, 0, &[(13, &[4])]).interface(1, 0, &[(13, &[32])]);
    for interface in [0, 1] {
        out.packet(interface, 1, &[1]);
        out.block(6, |out| {
            out.u32(interface).u32(0).u32(1).u32(2).u32(2).padded(&[1, 2]);
            out.u16(1).u16(3).padded(b"\xff\xff\xff").u16(2).u16(4).u32(2 << 5 | 1).u16(0).u16(0);
        });
    }
    let read = read(&out.octets);
    assert_eq!(read.kinds(), []);
    assert_eq!(read.frames.iter().map(|frame| frame.fcs_len).collect::<Vec<_>>(), [4, 2, 4, 2]);
}

#[test]
fn a_packet_on_an_undeclared_interface_is_counted() {
    let mut out = Out::new(Order::Little);
    out.section().packet(0, 1_000_000, &[1]).interface(1, 0, &[]).packet(7, 2_000_000, &[2]).packet(
        0,
        3_000_000,
        &[3],
    );
    let read = read(&out.octets);
    assert_eq!(read.kinds(), [ProblemKind::UndeclaredInterface]);
    assert_eq!(read.problems[0].count, 2);
    assert_eq!(read.numbers(), [1, 2, 3]);
    assert_eq!(read.frames[0].link, LinkType::Other(u16::MAX));
    assert_eq!(read.frames[1].interface, u32::MAX);
    assert_eq!(read.frames[2].link, LinkType::Ethernet);
}

#[test]
fn an_unaligned_block_length_is_rounded_up() {
    let mut out = Out::new(Order::Little);
    out.section().interface(1, 0, &[]);
    out.u32(6).u32(34).u32(0).u32(0).u32(5).u32(2).u32(2).padded(&[1, 2]).u32(34);
    out.packet(0, 6, &[3]);
    let read = read(&out.octets);
    assert_eq!(read.kinds(), [ProblemKind::UnalignedBlock]);
    assert_eq!(read.frames[0].data, [1, 2]);
    assert_eq!(read.numbers(), [1, 2]);
}

#[test]
fn compressed_captures_are_known_by_their_content() {
    for plain in [small_pcap(Order::Big, 9), small_pcapng(Order::Little, 9)] {
        let wanted = read(&plain).frames;
        let (head, tail) = plain.split_at(plain.len() / 2);
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for packed in [
            gzip(&plain),
            [gzip(head), gzip(b""), gzip(tail)].concat(),
            [gzip(&plain), vec![0; 100]].concat(),
            zstd(&plain),
            [zstd(head), skippable.clone(), zstd(tail), skippable.clone()].concat(),
            [skippable.clone(), zstd(&plain)].concat(),
            xz(&plain),
            [xz(head), vec![0; 8], xz(tail), vec![0; 4]].concat(),
        ] {
            let read = read(&packed);
            assert_eq!(read.kinds(), []);
            assert_eq!(read.frames, wanted);
        }
    }
}

#[test]
fn large_compressed_captures_are_streamed() {
    let mut out = Out::new(Order::Little);
    out.pcap_header(MICROS, 65_535, 1);
    let mut octet = 1u32;
    for index in 0..3_000u32 {
        let data: Vec<u8> = (0..1_000)
            .map(|_| {
                octet = octet.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (octet >> 28) as u8
            })
            .collect();
        out.pcap_record(index, 0, 1_000, &data);
    }
    let wanted = read(&out.octets).frames;
    assert_eq!(wanted.len(), 3_000);
    for packed in [gzip(&out.octets), zstd(&out.octets), xz(&out.octets)] {
        let read = read(&packed);
        assert_eq!(read.kinds(), []);
        assert!(read.frames == wanted);
    }
}

#[test]
fn a_gzip_header_with_everything_in_it() {
    let plain = small_pcap(Order::Little, 2);
    let mut encoder = flate2::GzBuilder::new()
        .extra(vec![9; 300])
        .filename("a.pcap")
        .comment("why not")
        .write(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &plain).unwrap();
    let read = read(&encoder.finish().unwrap());
    assert_eq!((read.frames.len(), read.kinds()), (2, vec![]));
}
