//! IP fragments put together.

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::pipeline::Pipeline;
use keepscope::segment::Segment;
use keepscope::segment::decode::{Decoded, Fragments, GivenUp, Layer, Skip, decode_with};
use keepscope::time::Timestamp;
use proptest::prelude::*;

use crate::frames::*;
use crate::tunnel::{gre, vxlan};

const SECOND: i64 = 1_000_000_000;

fn payload() -> Vec<u8> {
    let data: Vec<u8> = (0..200).collect();
    tcp(0x18, &TIMESTAMPS, &data)
}

/// The part `start..end` of `payload` as an IPv4 fragment.
fn four(id: u8, payload: &[u8], start: usize, end: usize) -> Vec<u8> {
    let more = if end < payload.len() { 0x2000 } else { 0 };
    let field = more | u16::try_from(start / 8).unwrap();
    let mut packet = ipv4_stating(20 + end - start, 6, field, &[], &payload[start..end]);
    packet[5] = id;
    ethernet(0x0800, &packet)
}

/// The same as IPv6, with this protocol.
fn six(id: u8, next: u8, payload: &[u8], start: usize, end: usize) -> Vec<u8> {
    let field = u16::try_from(start).unwrap() | u16::from(end < payload.len());
    let header = join(&[&[next, 0], &field.to_be_bytes(), &[0, 0, 0, id]]);
    // A hop-by-hop header in front, as every fragment repeats it.
    let chain = join(&[&[44, 0, 1, 4, 0, 0, 0, 0], &header, &payload[start..end]]);
    ethernet(0x86dd, &ipv6(0, &chain))
}

/// Fragments at these places.
fn parts(fragment: impl Fn(usize, usize) -> Vec<u8>, places: &[usize]) -> Vec<Vec<u8>> {
    places.windows(2).map(|pair| fragment(pair[0], pair[1])).collect()
}

fn numbered(number: u64, data: &[u8]) -> Frame<'_> {
    let time = Timestamp::from_nanos(i64::try_from(number).unwrap() * 1000);
    Frame { id: FrameId { capture: 0, number }, time, ..frame(LinkType::Ethernet, data) }
}

/// Reads these frames, numbered from 1.
fn run(frames: &[Vec<u8>]) -> (Vec<Segment>, Vec<Skip>, Vec<GivenUp>) {
    let (mut fragments, mut segments, mut skips) = (Fragments::default(), Vec::new(), Vec::new());
    for (number, data) in (1..).zip(frames) {
        match decode_with(&numbered(number, data), &mut fragments) {
            Decoded::Segment(segment) => segments.push(segment),
            Decoded::Skipped(skip) => skips.push(skip),
            Decoded::Waiting => {}
            Decoded::Icmp(error) => panic!("{error:?}"),
        }
    }
    fragments.finish();
    let given_up = std::iter::from_fn(|| fragments.take_given_up()).collect();
    (segments, skips, given_up)
}

fn held(given_up: &[GivenUp]) -> u64 {
    given_up.iter().map(|given_up| given_up.frames).sum()
}

#[track_caller]
fn assert_whole(frames: &[Vec<u8>], number: u64) {
    let (segments, skips, given_up) = run(frames);
    assert_eq!((segments.len(), skips.len(), given_up.len()), (1, 0, 0), "{skips:?} {given_up:?}");
    assert_built(&segments[0], 200);
    assert_eq!((segments[0].id.number, segments[0].time.as_nanos()), (number, number as i64 * 1000));
    assert_eq!(segments[0].first_octet, Some(0));
    assert!(segments[0].options.timestamps.is_some());
}

#[test]
fn in_order_and_out_of_order() {
    let payload = payload();
    for places in [&[0, 80, 160, 232][..], &[0, 8, 16, 24, 32, 232], &[0, 224, 232]] {
        let fours = parts(|start, end| four(1, &payload, start, end), places);
        let sixes = parts(|start, end| six(1, 6, &payload, start, end), places);
        for mut frames in [fours, sixes] {
            assert_whole(&frames, frames.len() as u64);
            frames.reverse();
            assert_whole(&frames, frames.len() as u64);
            frames.rotate_left(1);
            assert_whole(&frames, frames.len() as u64);
        }
    }
}

#[test]
fn the_ip_fields_are_those_of_the_first_fragment() {
    let payload = payload();
    let mut last = four(1, &payload, 80, 232);
    last[14 + 8] = 9; // time to live
    let (segments, ..) = run(&[four(1, &payload, 0, 80), last]);
    assert_eq!((segments[0].ttl, segments[0].ip_id), (63, Some(0xbe01)));
    assert!(!segments[0].dont_fragment);
}

#[test]
fn behind_extension_headers() {
    let chain = join(&[&[6, 0, 1, 4, 0, 0, 0, 0], &payload()]);
    assert_whole(&parts(|start, end| six(1, 60, &chain, start, end), &[0, 8, 80, 240]), 3);
}

#[test]
fn interleaved_packets_are_told_apart() {
    let payload = payload();
    let mut frames = Vec::new();
    for (start, end) in [(0, 80), (80, 160), (160, 232)] {
        for id in 1..=3 {
            frames.push(four(id, &payload, start, end));
            frames.push(six(id, 6, &payload, start, end));
        }
    }
    let (segments, skips, given_up) = run(&frames);
    assert_eq!((segments.len(), skips.len(), given_up.len()), (6, 0, 0));
    assert!(segments.iter().all(|segment| segment.len == 200 && segment.id.number > 12));
}

#[test]
fn a_missing_piece_is_counted() {
    let payload = payload();
    let all = parts(|start, end| four(1, &payload, start, end), &[0, 80, 160, 232]);
    for missing in 0..3 {
        let mut frames = all.clone();
        frames.remove(missing);
        let (segments, skips, given_up) = run(&frames);
        assert_eq!((segments.len(), skips.len()), (0, 0));
        assert_eq!(given_up, [GivenUp { capture: 0, reason: Skip::Fragment, frames: 2 }]);
    }
}

#[test]
fn copies_change_nothing_and_contradictions_spoil() {
    let payload = payload();
    let piece = |start, end| four(1, &payload, start, end);
    assert_whole(&[piece(0, 80), piece(0, 80), piece(160, 232), piece(160, 232), piece(80, 160)], 5);
    let mut other = payload.clone();
    other[4] ^= 1; // another sequence number
    for second in [
        four(1, &other, 0, 80),          // the same place, other octets
        piece(0, 88),                    // longer
        piece(72, 160),                  // overlapping
        piece(8, 16),                    // within
        four(1, &payload[..80], 40, 80), // an end within
    ] {
        let frames = [piece(0, 80), second, piece(80, 160), piece(160, 232), piece(0, 80)];
        let (segments, skips, given_up) = run(&frames);
        assert_eq!(segments.len(), 0);
        assert_eq!(skips, [Skip::Fragment; 4]);
        assert_eq!(held(&given_up), 1);
    }
    // Beyond the end, and two ends.
    for (first, second) in [(piece(80, 232), four(1, &[0; 500], 232, 240)), (piece(80, 232), piece(88, 232))]
    {
        assert_eq!(run(&[first, second, piece(0, 80)]).0.len(), 0);
    }
}

#[test]
fn fragments_that_no_packet_has() {
    let malformed = Skip::Malformed(Layer::Ip);
    for packet in [
        ipv4_stating(20 + 12, 6, 0x2000, &[], &[0; 12]), // not in units of 8 octets
        ipv4_stating(20, 6, 0x2000, &[], &[]),           // empty
        ipv4_stating(20 + 80, 6, 0x1fff, &[], &[0; 80]), // beyond the longest packet
    ] {
        assert_eq!(run(&[ethernet(0x0800, &packet)]).1, [malformed]);
    }
    // An offloaded packet states no length; none of those is a fragment.
    assert_eq!(run(&[ethernet(0x0800, &ipv4_stating(0, 6, 0x2000, &[], &[0; 80]))]).1, [Skip::Fragment]);
    // Not TCP behind the extension header in the first fragment; the second one does not tell.
    let chain = join(&[&[17, 0, 1, 4, 0, 0, 0, 0], &[0; 72]]);
    let (_, skips, given_up) = run(&parts(|start, end| six(1, 60, &chain, start, end), &[0, 40, 80]));
    assert_eq!(skips, [Skip::NotTcp(17)]);
    assert_eq!(given_up, [GivenUp { capture: 0, reason: Skip::Fragment, frames: 1 }]);
}

#[test]
fn patience_and_memory_have_an_end() {
    let payload = payload();
    let (first, last) = (four(1, &payload, 0, 80), four(1, &payload, 80, 232));
    for (later, whole) in [(29 * SECOND, true), (31 * SECOND, false), (-31 * SECOND, false)] {
        let mut fragments = Fragments::default();
        decode_with(&numbered(1, &first), &mut fragments);
        let late = Frame { time: Timestamp::from_nanos(later), ..numbered(2, &last) };
        assert_eq!(matches!(decode_with(&late, &mut fragments), Decoded::Segment(_)), whole, "{later}");
    }
    // The 65th packet takes the place of the first.
    let mut frames: Vec<Vec<u8>> = (0..65).map(|id| four(id, &payload, 0, 80)).collect();
    frames.extend((0..65).rev().map(|id| four(id, &payload, 80, 232)));
    let (segments, skips, given_up) = run(&frames);
    assert_eq!((segments.len(), skips.len(), held(&given_up)), (64, 0, 2));
    // More pieces than are kept.
    let long = tcp(0x10, &[], &[0; 2000]);
    let places: Vec<usize> = (0..=252).map(|place| place * 8).collect();
    let (segments, skips, given_up) = run(&parts(|start, end| four(1, &long, start, end), &places));
    assert_eq!((segments.len(), skips.len() as u64 + held(&given_up)), (0, 252));
}

#[test]
fn a_cut_fragment_has_its_length_all_the_same() {
    let payload = payload();
    let frames = parts(|start, end| four(1, &payload, start, end), &[0, 16, 80, 232]);
    for cut in 0..3 {
        let whole = &frames[cut];
        for captured in 34..whole.len() {
            let mut fragments = Fragments::default();
            let mut last = None;
            for (index, data) in frames.iter().enumerate() {
                let data = if index == cut { &whole[..captured] } else { &data[..] };
                let wire_len = u32::try_from(frames[index].len()).unwrap();
                last = Some(decode_with(&Frame { wire_len, ..numbered(1, data) }, &mut fragments));
            }
            match last.unwrap() {
                Decoded::Segment(segment) => assert_built(&segment, 200),
                Decoded::Skipped(Skip::Cut(Layer::Tcp)) => assert!(cut == 0, "{cut} at {captured}"),
                other => panic!("{cut} at {captured}: {other:?}"),
            }
        }
    }
}

#[test]
fn inside_tunnels() {
    let payload = payload();
    let frames: Vec<Vec<u8>> = parts(|start, end| four(1, &payload, start, end), &[0, 80, 232]);
    let in_vxlan: Vec<_> = frames.iter().map(|data| ethernet(0x0800, &ipv4(17, &vxlan(data)))).collect();
    assert_whole(&in_vxlan, 2);
    let in_gre: Vec<_> =
        frames.iter().map(|data| ethernet(0x0800, &ipv4(47, &gre(0, 0x0800, &data[14..])))).collect();
    assert_whole(&in_gre, 2);
}

#[test]
fn interfaces_and_captures_are_kept_apart() {
    let payload = payload();
    let (first, last) = (four(1, &payload, 0, 80), four(1, &payload, 80, 232));
    let mut fragments = Fragments::default();
    decode_with(&numbered(1, &first), &mut fragments);
    let elsewhere = Frame { interface: 6, ..numbered(2, &last) };
    assert!(matches!(decode_with(&elsewhere, &mut fragments), Decoded::Waiting));
    let later = Frame { id: FrameId { capture: 1, number: 1 }, ..numbered(1, &last) };
    assert!(matches!(decode_with(&later, &mut fragments), Decoded::Waiting));
    assert!(matches!(decode_with(&numbered(3, &last), &mut fragments), Decoded::Segment(_)));
}

#[test]
fn every_frame_is_counted_once() {
    let payload = payload();
    let mut pipeline = Pipeline::new(0);
    let frames = [
        four(1, &payload, 0, 80),
        four(2, &payload, 0, 80),
        four(1, &payload, 80, 232),
        four(2, &payload, 72, 232),
        four(3, &payload, 0, 80),
    ];
    for (number, data) in (1..).zip(&frames) {
        pipeline.frame(&numbered(number, data));
    }
    assert_eq!(pipeline.counts(0).fragments, 2); // 1 was put together, 3 waits
    pipeline.finish();
    let counts = pipeline.counts(0);
    assert_eq!((counts.segments, counts.fragments), (1, 1));
    assert_eq!(counts.skipped.into_iter().collect::<Vec<_>>(), [(Skip::Fragment, 3)]);
}

proptest! {
    #[test]
    fn any_order_of_any_pieces_gives_the_segment(
        cuts in prop::collection::btree_set(1usize..29, 0..10),
        order in any::<prop::sample::Index>(),
        is_four in any::<bool>(),
    ) {
        prop_assume!(!cuts.is_empty());
        let payload = payload();
        let places: Vec<usize> =
            [0].into_iter().chain(cuts.into_iter().map(|cut| cut * 8)).chain([232]).collect();
        let piece = |start, end| {
            if is_four { four(1, &payload, start, end) } else { six(1, 6, &payload, start, end) }
        };
        let mut frames = parts(piece, &places);
        let count = frames.len();
        for index in 0..count {
            frames.swap(index, (index + order.index(count)) % count);
        }
        assert_whole(&frames, count as u64);
    }

    /// Whatever comes: no panic, every frame accounted for, and no segment longer than its pieces.
    #[test]
    fn damaged_fragments(
        pieces in prop::collection::vec((0usize..29, 1usize..29, 0u8..3, any::<bool>()), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 14usize..60, any::<u8>()), 0..6),
    ) {
        let payload = payload();
        let mut frames: Vec<Vec<u8>> = pieces.into_iter().map(|(start, len, id, is_four)| {
            let (start, end) = (start * 8, (start * 8 + len * 8).min(232));
            if is_four { four(id, &payload, start, end) } else { six(id, 6, &payload, start, end) }
        }).collect();
        for (which, at, octet) in damage {
            let which = which.index(frames.len());
            if let Some(place) = frames[which].get_mut(at) {
                *place = octet;
            }
        }
        let mut pipeline = Pipeline::new(0);
        for (number, data) in (1..).zip(&frames) {
            pipeline.frame_shown(&numbered(number, data), |segment, _| assert!(segment.len < 65_536));
        }
        pipeline.finish();
        let counts = pipeline.counts(0);
        let skipped: u64 = counts.skipped.values().sum();
        prop_assert_eq!(counts.segments + counts.icmp_errors + counts.fragments + skipped, frames.len() as u64);
    }
}
