//! What nearly every segment is: data, or an acknowledgment of something new, where nothing waits for it.
//!
//! Part of [`Connection`]; owns the short ways, which learn and say what the long one ([`Connection::on_any`]) would.

use super::bits::Bits;
use super::{Connection, Seen};
use crate::segment::{Flags, Segment};
use crate::track::Class;
use crate::track::event::Party;
use crate::track::rare::RareOf;
use crate::track::side::Acked;

/// Segments with one of these change more than SEQ and ACK.
const SPECIAL: Flags = Flags::SYN.with(Flags::FIN).with(Flags::RST);

impl Connection {
    /// Reads a segment if it is of that kind; nothing if it is not, and then nothing has been learnt.
    #[inline(always)]
    pub(in crate::track) fn on_plain(&mut self, segment: &Segment) -> Option<Seen> {
        if segment.flags.any(SPECIAL) || self.bits.has_any(Bits::WAITS | Bits::IS_RESET) {
            return None;
        }
        match self.on_step(segment) {
            None if segment.len > 1 && !self.is_far_off(segment) => Some(self.on_plain_data(segment)),
            seen => seen,
        }
    }

    /// Reads a segment that stands at SND.NXT and acknowledges no less than the one before it and no more than was
    /// sent, where no octet is missing from the capture. Of one octet it may be a probe, and is not read here; nor is
    /// an empty one that acknowledges nothing new.
    #[inline(always)]
    fn on_step(&mut self, segment: &Segment) -> Option<Seen> {
        let from = self.party_of(segment.source);
        let (sender, receiver) = match from {
            Party::Client => (&mut self.client, &mut self.server),
            Party::Server => (&mut self.server, &mut self.client),
        };
        let end = sender.step_end(segment)?;
        let acked = receiver.step_acked(segment)?;
        let (position, ack) = (sender.next_position(), acked.position());
        let class = match segment.len {
            // The only segment of the other side may be a SYN, whose round trip this measures.
            0 if matches!(acked, Acked::More(_)) && !receiver.is_seen_once() => Class::Ack,
            0 | 1 => return None,
            _ => Class::Data,
        };
        receiver.step_on_ack(acked);
        sender.step_on(segment, end);
        self.bits.set_touched_by(from);
        Some(Seen { sender: from, class, position, ack: Some(ack) })
    }

    /// It is no probe, answers none, and no candidate depends on it.
    #[inline(never)]
    fn on_plain_data(&mut self, segment: &Segment) -> Seen {
        let from = self.party_of(segment.source);
        self.bits.set_touched_by(from);
        let (sender, receiver, more) = self.both(from);
        let ack = segment.flags.ack().then(|| {
            let rare = RareOf { more: &mut *more, party: from.peer() };
            receiver.on_ack(segment.ack, rare)
        });
        let position = sender.position(segment.seq);
        let old = sender.next().is_some_and(|next| position < next);
        sender.set_unanchored(false);
        sender.set_far_off(false);
        sender.learn_sent(segment, position, RareOf { more: &mut *more, party: from });
        let late = ack.is_some_and(|ack| receiver.acked().is_some_and(|acked| ack < acked));
        sender.learn_header(segment, false, late, RareOf { more: &mut *more, party: from });
        if old {
            sender.learn_repeated(segment, receiver.last_mark(), RareOf { more, party: from });
        }
        let class = if old { Class::Retransmission } else { Class::Data };
        Seen { sender: from, class, position, ack }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::frame::FrameId;
    use crate::segment::{Endpoint, SeqNum, TcpTimestamps};
    use crate::time::Timestamp;
    use crate::track::event::ConnectionId;
    use crate::track::probes::Log;

    /// A segment, in numbers relative to what both sides sent so far.
    #[derive(Clone, Copy, Debug)]
    struct Step {
        by_client: bool,
        flags: Flags,
        /// From SND.NXT.
        seq: i32,
        len: u32,
        /// From the SND.NXT of the other side.
        ack: i32,
        window: u16,
        clock: Option<i32>,
        ttl: u8,
        wait: i64,
    }

    fn step() -> impl Strategy<Value = Step> {
        let psh = Flags::ACK.with(Flags::PSH);
        let flags = prop_oneof![
            20 => Just(Flags::ACK),
            20 => Just(psh),
            1 => Just(Flags::SYN),
            1 => Just(Flags::SYN.with(Flags::ACK)),
            1 => Just(Flags::FIN.with(Flags::ACK)),
            1 => Just(Flags::RST),
            1 => Just(Flags::default()),
        ];
        let seq = prop_oneof![30 => Just(0), 4 => Just(-1), 4 => -200..200, 1 => any::<i32>()];
        let ack = prop_oneof![30 => Just(0), 8 => -300..1, 2 => 0..300, 1 => any::<i32>()];
        let len = prop_oneof![8 => Just(0), 20 => 2..1500_u32, 3 => Just(1), 1 => Just(1 << 30)];
        let window = prop_oneof![20 => Just(1000), 5 => 1..2000_u16, 2 => Just(0)];
        let clock = prop_oneof![10 => (0..3).prop_map(Some), 2 => (-3..3).prop_map(Some), 4 => Just(None)];
        let wait = select(vec![0, 1_000, 1_000_000, 200_000_000, 3_000_000_000, 7_200_000_000_000]);
        (any::<bool>(), flags, (seq, len, ack), (window, clock, select(vec![64, 64, 63, 255]), wait))
            .prop_map(|(by_client, flags, (seq, len, ack), (window, clock, ttl, wait))| Step {
                by_client,
                flags,
                seq,
                len,
                ack,
                window,
                clock,
                ttl,
                wait,
            })
    }

    /// What the steps are in full, when the sides begin at these numbers.
    fn segments(steps: &[Step], mut next: [u32; 2]) -> Vec<Segment> {
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
                ..Segment::BLANK
            };
            segment.options.timestamps = step.clock.map(|_| TcpTimestamps { value: clocks[own], echo: 0 });
            segment
        };
        steps.iter().enumerate().map(make).collect()
    }

    proptest! {
        /// Whatever comes, the short ways say and learn what the long one would.
        #[test]
        fn short_and_long_ways_agree(
            steps in vec(step(), 1..60),
            begin in (select(vec![1, u32::MAX - 900, (1 << 31) - 700, (1 << 30) - 500]), any::<u32>()),
        ) {
            let segments = segments(&steps, [begin.0, begin.1]);
            let begun = || Connection::new(ConnectionId(1), &segments[0], true);
            let (mut short, mut long) = (begun(), begun());
            let (mut short_log, mut long_log) = (Log::new(), Log::new());
            for segment in &segments {
                let seen = short.on_plain(segment).unwrap_or_else(|| short.on_any(segment, &mut short_log));
                let expected = long.on_any(segment, &mut long_log);
                prop_assert_eq!(format!("{seen:?}"), format!("{expected:?}"), "{:?}", segment);
                prop_assert_eq!(format!("{short:?}"), format!("{long:?}"), "after {:?}", segment);
            }
            prop_assert_eq!(format!("{short_log:?}"), format!("{long_log:?}"));
        }
    }

    /// The shortest way is the usual one.
    #[test]
    fn segments_in_order_take_it() {
        let data = |by_client| Step {
            by_client,
            flags: Flags::ACK,
            seq: 0,
            len: 100,
            ack: 0,
            window: 1000,
            clock: Some(1),
            ttl: 64,
            wait: 1_000_000,
        };
        let ack = Step { len: 0, ..data(true) };
        let steps =
            [data(true), data(false), data(true), data(false), ack, data(false), data(true), data(true)];
        let segments = segments(&steps, [1, 1]);
        let mut connection = Connection::new(ConnectionId(1), &segments[0], true);
        let taken: Vec<bool> = segments
            .iter()
            .map(|segment| {
                let step = connection.on_step(segment).is_some();
                step || {
                    connection.on_any(segment, &mut Log::new());
                    false
                }
            })
            .collect();
        assert_eq!(taken, [false, false, true, true, true, true, true, true]);
    }
}
