//! Damaged captures: nothing before the damage is lost, and it is told once.

use std::io::{self, Cursor};

use keepscope::capture::{Captures, ProblemKind};

use crate::bytes::*;

/// Cuts `whole` everywhere. `ends` are the places after the header and after each frame or block; with each
/// comes the number of frames up to there.
fn cut_everywhere(whole: &[u8], ends: &[(usize, usize)], header: usize) {
    let all = read(whole).frames;
    for cut in 0..whole.len() {
        let read = read(&whole[..cut]);
        let complete = ends.iter().rev().find(|(end, _)| *end <= cut).map_or(0, |(_, frames)| *frames);
        assert_eq!(read.frames, all[..complete], "cut at {cut}");
        let clean = ends.iter().any(|(end, _)| *end == cut);
        let wanted = match cut {
            0 => vec![ProblemKind::Empty],
            1..4 => vec![ProblemKind::NotACapture],
            _ if clean && cut >= header => vec![],
            _ => vec![ProblemKind::CutOff],
        };
        assert_eq!(read.kinds(), wanted, "cut at {cut}");
        assert!(read.problems.iter().all(|problem| problem.is_damage() && problem.count == 1));
        if let [problem] = &read.problems[..]
            && problem.kind == ProblemKind::CutOff
        {
            let start = ends.iter().rev().find(|(end, _)| *end <= cut).map_or(0, |(end, _)| *end);
            assert_eq!(problem.offset, Some(start as u64), "cut at {cut}");
        }
    }
}

#[test]
fn a_pcap_cut_anywhere() {
    for order in ORDERS {
        let whole = small_pcap(order, 3);
        let ends = [(24, 0), (100, 1), (177, 2), (255, 3)];
        assert_eq!(whole.len(), 255);
        cut_everywhere(&whole, &ends, 24);
    }
}

#[test]
fn a_pcapng_cut_anywhere() {
    for order in ORDERS {
        let whole = small_pcapng(order, 3);
        // The interface block has its name and the end of its options.
        let ends = [(28, 0), (60, 0), (152, 1), (248, 2), (344, 3)];
        assert_eq!(whole.len(), 344);
        cut_everywhere(&whole, &ends, 28);
    }
}

#[test]
fn a_compressed_capture_cut_anywhere() {
    let plain = small_pcap(Order::Little, 20);
    let all = read(&plain).frames;
    let in_two = [zstd(&plain[..900]), zstd(&plain[900..])].concat();
    for packed in [gzip(&plain), zstd(&plain), in_two, xz(&plain)] {
        let mut most = 0;
        for cut in 4..packed.len() {
            let read = read(&packed[..cut]);
            assert_eq!(read.frames, all[..read.frames.len()], "cut at {cut}");
            assert!(read.frames.len() >= most, "a longer part gives as many frames");
            most = read.frames.len();
            assert_eq!(read.kinds(), [ProblemKind::CutOff], "cut at {cut}: {:?}", read.problems);
        }
    }
}

/// What zstd decoded of a good block is not lost with the header behind it (RFC 8878 §3.1.1.2).
#[test]
fn a_bad_block_header_of_zstd_keeps_the_block_before_it() {
    let plain = small_pcap(Order::Little, 3);
    let size = u32::try_from(plain.len()).expect("short") << 3;
    // A window of 1 KiB, a block as it is, and one of the reserved type.
    let start = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0][..], &size.to_le_bytes()[..3], &plain].concat();
    for bad in [[0xff, 0xff, 0xff], [0x06, 0, 0]] {
        let read = read(&[&start[..], &bad, &[0; 40]].concat());
        assert_eq!(read.frames.len(), 3);
        assert_eq!(read.kinds(), [ProblemKind::DecompressionFailed]);
    }
}

#[test]
fn corrupt_compressed_data_keeps_what_came_before() {
    let mut plain = small_pcap(Order::Little, 5);
    let mut out = Out::new(Order::Little);
    let mut octet = 1u32;
    for index in 0..2_000 {
        let data: Vec<u8> = (0..500)
            .map(|_| {
                octet = octet.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (octet >> 28) as u8
            })
            .collect();
        out.pcap_record(1_700_000_100 + index, 0, 500, &data);
    }
    plain.extend(out.octets);
    for mut packed in [gzip(&plain), zstd(&plain), xz(&plain)] {
        let middle = packed.len() / 2;
        packed[middle..middle + 40].fill(0xff);
        let read = read(&packed);
        assert!(read.problems.iter().any(|problem| problem.is_damage()), "{:?}", read.problems);
        assert!(read.frames.len() > 700, "{}", read.frames.len());
    }
}

#[test]
fn a_wrong_gzip_checksum_is_told() {
    let plain = small_pcap(Order::Little, 5);
    let mut packed = gzip(&plain);
    let at = packed.len() - 6;
    packed[at] ^= 1;
    let read = read(&packed);
    assert_eq!(read.frames.len(), 5);
    assert_eq!(read.kinds(), [ProblemKind::DecompressionFailed]);
    let problem = &read.problems[0];
    assert_eq!((problem.offset, problem.decompressed), (Some(plain.len() as u64), true));
    assert!(problem.to_string().contains("of the decompressed stream"), "{problem}");
}

#[test]
fn what_follows_the_compressed_data_is_told() {
    for packed in [gzip(&small_pcap(Order::Big, 5)), zstd(&small_pcap(Order::Big, 5))] {
        let read = read(&[packed, b"rubbish".to_vec()].concat());
        assert_eq!(read.frames.len(), 5);
        assert_eq!(read.kinds(), [ProblemKind::DecompressionFailed]);
    }
}

#[test]
fn what_follows_xz_data_is_told() {
    let packed = xz(&small_pcap(Order::Big, 5));
    // No stream; padding of a wrong length; too little for either.
    for (more, kind) in [
        (&b"rubbish rubbish"[..], ProblemKind::DecompressionFailed),
        (&[0; 3], ProblemKind::DecompressionFailed),
        (b"rubbish", ProblemKind::CutOff),
    ] {
        let read = read(&[&packed, more].concat());
        assert_eq!((read.frames.len(), read.kinds()), (5, vec![kind]), "{:?}", read.problems);
    }
}

#[test]
fn a_wrong_xz_checksum_is_told() {
    let plain = small_pcap(Order::Little, 5);
    let packed = xz(&plain);
    // The check stands right before the index, which ends with the 12 octets of the footer.
    for from_end in [30, 14, 6] {
        let mut packed = packed.clone();
        let at = packed.len() - from_end;
        packed[at] ^= 1;
        let read = read(&packed);
        assert_eq!(
            (read.frames.len(), read.kinds()),
            (5, vec![ProblemKind::DecompressionFailed]),
            "{from_end}"
        );
    }
}

#[test]
fn xz_that_takes_too_much_memory_is_told_with_a_remedy() {
    let mut packed = xz(&small_pcap(Order::Little, 5));
    // Stream header 12, then of the block header: size, flags, filter 0x21, size of its properties, window.
    assert_eq!(packed[14..16], [0x21, 1]);
    packed[16] = 36; // 1 GiB
    let mut crc = flate2::Crc::new();
    crc.update(&packed[12..20]);
    packed[20..24].copy_from_slice(&crc.sum().to_le_bytes());
    let read = read(&packed);
    assert_eq!(read.kinds(), [ProblemKind::DecompressionFailed]);
    assert!(read.problems[0].to_string().contains("more than 128 MiB"), "{}", read.problems[0]);
}

#[test]
fn an_impossible_record_length_ends_a_pcap() {
    for length in [262_145u32, u32::MAX, 0x7fff_ffff] {
        let mut out = Out::new(Order::Big);
        out.raw(&small_pcap(Order::Big, 2)).u32(1).u32(0).u32(length).u32(60).raw(&[0; 500]);
        let read = read(&out.octets);
        assert_eq!(read.frames.len(), 2);
        assert_eq!(read.kinds(), [ProblemKind::ImpossibleLength]);
        assert_eq!((read.problems[0].packet, read.problems[0].offset), (Some(3), Some(177)));
    }
}

#[test]
fn zeros_instead_of_records_are_no_frames() {
    for whole in [small_pcap(Order::Little, 2), small_pcapng(Order::Big, 2)] {
        let read = read(&[whole, vec![0; 5_000]].concat());
        assert_eq!(read.frames.len(), 2);
        assert_eq!(read.kinds(), [ProblemKind::ZeroFilled]);
    }
}

#[test]
fn an_impossible_block_length_ends_a_pcapng() {
    for length in [0u32, 8, (16 << 20) + 4, u32::MAX] {
        let mut out = Out::new(Order::Little);
        out.raw(&small_pcapng(Order::Little, 2)).u32(6).u32(length).raw(&[0; 100]);
        let read = read(&out.octets);
        assert_eq!(read.frames.len(), 2);
        assert_eq!(read.kinds(), [ProblemKind::ImpossibleLength]);
        assert_eq!((read.problems[0].packet, read.problems[0].offset), (Some(3), Some(248)));
    }
}

#[test]
fn a_block_of_sane_length_with_bad_content_is_passed() {
    let mut out = Out::new(Order::Little);
    out.section().interface(1, 0, &[]).packet(0, 1, &[1; 10]);
    // Too much captured for the block, too short for a packet, more than a packet can have.
    out.block(6, |out| {
        out.u32(0).u32(0).u32(2).u32(5_000).u32(5_000).raw(&[0; 40]);
    });
    out.block(6, |out| {
        out.u32(0).u32(0);
    });
    out.block(3, |_| {});
    out.block(6, |out| {
        out.u32(0).u32(0).u32(2).u32(262_148).u32(262_148).raw(&vec![0; 262_148]);
    });
    out.packet(0, 3, &[3; 10]);
    let read = read(&out.octets);
    assert_eq!(read.numbers(), [1, 6]);
    assert_eq!(read.frames[1].data, [3; 10]);
    assert_eq!(read.kinds(), [ProblemKind::BadRecord]);
    assert_eq!((read.problems[0].packet, read.problems[0].count), (Some(2), 4));
    assert!(read.problems[0].is_damage());
}

#[test]
fn a_bad_interface_description_keeps_the_numbers_of_the_others() {
    let mut out = Out::new(Order::Big);
    out.section();
    out.block(1, |out| {
        out.u32(0);
    });
    out.interface(1, 0, &[(9, &[9, 9])]).interface(1, 0, &[(9, &[9])]).packet(2, 5, &[1]).packet(1, 5, &[1]);
    let read = read(&out.octets);
    assert_eq!(read.nanos(), [5, 5_000]);
    assert_eq!(read.kinds(), [ProblemKind::BadRecord]);
    assert_eq!(read.problems[0].count, 2);
}

#[test]
fn a_wrong_length_at_the_end_of_a_block() {
    for order in ORDERS {
        let mut whole = small_pcapng(order, 3);
        whole[60 + 92 - 1] ^= 0x55;
        let read = read(&whole);
        assert_eq!(read.numbers(), [1, 2, 3]);
        assert_eq!(read.kinds(), [ProblemKind::TrailerMismatch]);
        assert_eq!((read.problems[0].packet, read.problems[0].offset), (Some(1), Some(60)));
    }
}

#[test]
fn a_section_without_its_magic() {
    let mut second = small_pcapng(Order::Big, 1);
    second[8] = 0;
    let whole = [small_pcapng(Order::Big, 2), second.clone()].concat();
    let read_both = read(&whole);
    assert_eq!(read_both.frames.len(), 2);
    assert_eq!(read_both.kinds(), [ProblemKind::BadSectionHeader]);
    assert_eq!(read(&second).kinds(), [ProblemKind::NotACapture]);
}

#[test]
fn unknown_versions_are_read_all_the_same() {
    let mut pcap = small_pcap(Order::Little, 2);
    pcap[4] = 3;
    let mut pcapng = small_pcapng(Order::Little, 2);
    pcapng[12] = 2;
    for whole in [pcap, pcapng] {
        let read = read(&whole);
        assert_eq!((read.frames.len(), read.kinds()), (2, vec![ProblemKind::UnknownVersion]));
    }
}

#[test]
fn time_going_back_is_told_once() {
    let mut out = Out::new(Order::Little);
    out.pcap_header(MICROS, 0, 1);
    for second in [10, 20, 15, 30, 10, 40] {
        out.pcap_record(second, 0, 1, &[0]);
    }
    let read = read(&out.octets);
    assert_eq!(read.numbers(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(read.kinds(), [ProblemKind::TimeGoesBack]);
    let problem = &read.problems[0];
    assert_eq!((problem.packet, problem.count), (Some(3), 2));
    assert!(problem.detail.contains("20.000000000 s at packet 5"), "{problem}");
}

#[test]
fn what_is_no_capture_is_told_with_a_remedy() {
    for (octets, remedy) in [
        (&b""[..], "it is empty"),
        (b"ab", "too few"),
        (b"1  0.000 10.0.0.1 -> 10.0.0.2 TCP 54 [TCP Keep-Alive]\n", "text"),
        (b"\xfd7zXZ\x00\x00\x04", "the xz data ends early"),
        (b"\x04\x22\x4d\x18\x64", "`lz4 -dc FILE | keepscope analyze -`"),
        (b"\x00\x01\x02\x03\x04", "00 01 02 03"),
    ] {
        let read = read(octets);
        assert!(read.frames.is_empty());
        assert_eq!(read.problems.len(), 1);
        assert!(read.problems[0].is_damage());
        assert!(read.problems[0].to_string().contains(remedy), "{}", read.problems[0]);
    }
    assert_eq!(read(&gzip(b"")).kinds(), [ProblemKind::Empty]);
    assert_eq!(read(&zstd(b"hello, world")).kinds(), [ProblemKind::NotACapture]);
    for twice in [gzip(&gzip(b"x")), zstd(&xz(b"x"))] {
        assert!(read(&twice).problems[0].to_string().contains("compressed twice"));
    }
}

#[test]
fn an_error_in_mid_stream_is_told_once() {
    struct Failing(Cursor<Vec<u8>>, u32);
    impl io::Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => {
                    self.1 += 1;
                    assert_eq!(self.1, 1, "not asked again after an error");
                    Err(io::Error::other("Stale\nfile handle"))
                }
                read => Ok(read),
            }
        }
    }
    let whole = small_pcap(Order::Little, 3);
    for keep in [whole.len(), whole.len() - 1, 10, 2, 0] {
        let mut captures = Captures::from_reader("net", Failing(Cursor::new(whole[..keep].to_vec()), 0));
        let read = drain(&mut captures);
        assert_eq!(read.kinds(), [ProblemKind::ReadFailed], "{keep}");
        assert_eq!(
            read.frames.len(),
            if keep == whole.len() {
                3
            } else if keep > 20 {
                2
            } else {
                0
            }
        );
        assert!(read.problems[0].detail.contains("Stale file handle"));
    }
}
