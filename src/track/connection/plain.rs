//! What nearly every segment is: data, or an acknowledgment of something new, where nothing waits for it.
//!
//! Part of [`Connection`]; owns the short ways, which learn and say what the long one ([`Connection::on_any`]) would.

use super::bits::Bits;
use super::{Connection, Seen};
use crate::segment::{Brief, Flags, Segment};
use crate::track::Class;
use crate::track::event::Party;
use crate::track::rare::RareOf;

/// Segments with one of these change more than SEQ and ACK.
const SPECIAL: Flags = Flags::SYN.with(Flags::FIN).with(Flags::RST);

impl Connection {
    /// Reads a segment if it is of that kind; nothing if it is not, and then nothing has been learnt.
    #[inline]
    pub(in crate::track) fn on_plain(&mut self, segment: &Segment) -> Option<Seen> {
        let (brief, from) = (Brief::of(segment), self.party_of(segment.source));
        if brief.is_whole()
            && let Some(seen) = self.on_step(&brief, from)
        {
            return Some(seen);
        }
        let special = segment.flags.any(SPECIAL) || self.bits.has_any(Bits::WAITS | Bits::IS_RESET);
        let plain = !special && segment.len > 1 && !self.is_far_off(segment);
        plain.then(|| self.on_plain_data(segment))
    }

    /// Reads a segment of this party that stands at SND.NXT and acknowledges no less than the one before it and no more
    /// than was sent, where no octet is missing from the capture. Of one octet it may be a probe, and is not read
    /// here; nor is an empty one that acknowledges nothing new. Afterwards the connection is open.
    #[inline(always)]
    pub(in crate::track) fn on_step(&mut self, brief: &Brief, from: Party) -> Option<Seen> {
        let Flags(flags) = brief.flags;
        let is_ordinary = flags & SPECIAL.with(Flags::ACK).0 == Flags::ACK.0;
        if !is_ordinary || self.bits.has_any(Bits::WAITS | Bits::IS_RESET) {
            return None;
        }
        // By number, as whose turn it is cannot be foretold.
        let which = usize::from(from == Party::Server);
        let Ok([sender, receiver]) = self.sides.get_disjoint_mut([which, which ^ 1]) else { return None };
        if !sender.is_step(brief) {
            return None;
        }
        let acked = receiver.step_acked(brief)?;
        let class = match brief.len {
            // The only segment of the other side may be a SYN, whose round trip this measures.
            0 if acked.is_news && !receiver.is_seen_once() => Class::Ack,
            0 | 1 => return None,
            _ => Class::Data,
        };
        let position = sender.next_position();
        receiver.step_on_ack(brief, acked);
        sender.step_on(brief);
        self.bits.set_touched_by(from);
        Some(Seen { sender: from, class, position, ack: Some(acked.position) })
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
    use crate::track::event::ConnectionId;
    use crate::track::probes::Log;
    use crate::track::shelf::Stage;
    use crate::track::tests::steps::{Step, segments, step};

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
                let from = short.party_of(segment.source);
                let step = short.on_step(&Brief::of(segment), from);
                prop_assert!(step.is_none() || short.stage() == Stage::Open);
                let plain = step.or_else(|| short.on_plain(segment));
                let seen = plain.unwrap_or_else(|| short.on_any(segment, &mut short_log));
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
                let from = connection.party_of(segment.source);
                let step = connection.on_step(&Brief::of(segment), from).is_some();
                step || {
                    connection.on_any(segment, &mut Log::new());
                    false
                }
            })
            .collect();
        assert_eq!(taken, [false, false, true, true, true, true, true, true]);
    }
}
