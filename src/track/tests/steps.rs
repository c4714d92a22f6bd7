//! Segments made of steps: numbers relative to what both sides sent so far, mostly those of a transfer in order.

use proptest::prelude::*;
use proptest::sample::select;

use crate::frame::FrameId;
use crate::segment::{Brief, Endpoint, Flags, Segment, SeqNum, TcpTimestamps};
use crate::time::Timestamp;

/// A segment, in numbers relative to what both sides sent so far.
#[derive(Clone, Copy, Debug)]
pub(in crate::track) struct Step {
    pub(in crate::track) by_client: bool,
    pub(in crate::track) flags: Flags,
    /// From SND.NXT.
    pub(in crate::track) seq: i32,
    pub(in crate::track) len: u32,
    /// From the SND.NXT of the other side.
    pub(in crate::track) ack: i32,
    pub(in crate::track) window: u16,
    pub(in crate::track) clock: Option<i32>,
    pub(in crate::track) ttl: u8,
    pub(in crate::track) wait: i64,
}

pub(in crate::track) fn step() -> impl Strategy<Value = Step> {
    let psh = Flags::ACK.with(Flags::PSH);
    let flags = prop_oneof![
        20 => Just(Flags::ACK),
        20 => Just(psh),
        1 => Just(Flags::SYN),
        1 => Just(Flags::SYN.with(Flags::ACK)),
        1 => Just(Flags::FIN.with(Flags::ACK)),
        2 => Just(Flags::RST),
        1 => Just(Flags::default()),
    ];
    let seq = prop_oneof![30 => Just(0), 4 => Just(-1), 4 => -200..200, 1 => any::<i32>()];
    // As far as something may move at once, or half of it: some such steps lead to where things are forgotten.
    let far = || (select(vec![1 << 29, 1 << 30]), 0..2_000).prop_map(|(far, less)| far - less);
    let ack = prop_oneof![30 => Just(0), 8 => -300..1, 2 => 0..300, 1 => far(), 1 => any::<i32>()];
    let len = prop_oneof![
        8 => Just(0), 20 => 2..1500_u32, 3 => Just(1), 1 => Just(1 << 30), 2 => far().prop_map(|far| far as u32)
    ];
    let window = prop_oneof![20 => Just(1000), 5 => 1..2000_u16, 2 => Just(0)];
    let clock = prop_oneof![10 => (0..3).prop_map(Some), 2 => (-3..3).prop_map(Some), 4 => Just(None)];
    let wait = select(vec![0, 1_000, 1_000_000, 200_000_000, 3_000_000_000, 7_200_000_000_000]);
    (any::<bool>(), flags, (seq, len, ack), (window, clock, select(vec![64, 64, 63, 255]), wait)).prop_map(
        |(by_client, flags, (seq, len, ack), (window, clock, ttl, wait))| Step {
            by_client,
            flags,
            seq,
            len,
            ack,
            window,
            clock,
            ttl,
            wait,
        },
    )
}

/// What the steps are in full, when the sides begin at these numbers.
pub(in crate::track) fn segments(steps: &[Step], mut next: [u32; 2]) -> Vec<Segment> {
    let end = |port| Endpoint { address: [192, 0, 2, 1].into(), port };
    let (mut now, mut clocks) = (0, [5_u32, u32::MAX]);
    let make = |(number, step): (usize, &Step)| {
        let (own, other) = if step.by_client { (0, 1) } else { (1, 0) };
        now += step.wait;
        clocks[own] = clocks[own].wrapping_add_signed(step.clock.unwrap_or(0));
        let seq = next[own].wrapping_add_signed(step.seq);
        if step.seq == 0 {
            next[own] = seq.wrapping_add(step.len);
        }
        let mut segment = Segment {
            id: FrameId { capture: 0, number: number as u64 + 1 },
            time: Timestamp::from_nanos(now),
            source: end([40_000, 80][own]),
            destination: end([40_000, 80][other]),
            seq: SeqNum(seq),
            ack: SeqNum(next[other].wrapping_add_signed(step.ack)),
            flags: step.flags,
            window: step.window,
            len: step.len,
            first_octet: (step.len > 0).then_some(b'x'),
            ttl: step.ttl,
            ip_id: Some(number as u16),
            dont_fragment: step.ttl != 63,
            ..Brief::BLANK.segment()
        };
        segment.options.timestamps = step.clock.map(|_| TcpTimestamps { value: clocks[own], echo: 0 });
        segment
    };
    steps.iter().enumerate().map(make).collect()
}
