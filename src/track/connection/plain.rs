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
            None if segment.len > 1 => Some(self.on_plain_data(segment)),
            seen => seen,
        }
    }

    /// Reads a segment that stands at SND.NXT and acknowledges no less than the one before it and no more than was
    /// sent, where no octet is missing from the capture. Of one octet it may be a probe, and is not read here; nor is
    /// an empty one that acknowledges nothing new.
    #[inline(always)]
    fn on_step(&mut self, segment: &Segment) -> Option<Seen> {
        let from = self.party_of(segment.source);
        let in_order = self.rare(from).is_none_or(|rare| rare.hole.is_none());
        let (sender, receiver) = match from {
            Party::Client => (&mut self.client, &mut self.server),
            Party::Server => (&mut self.server, &mut self.client),
        };
        let end = sender.step_end(segment).filter(|_| in_order)?;
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
