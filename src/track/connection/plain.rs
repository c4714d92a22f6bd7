//! What nearly every segment is: data or an acknowledgment where nothing waits for it.
//!
//! Part of [`Connection`]; owns the short way, which learns and says what the long one ([`Connection::on_any`]) would.

use super::{Connection, told_nothing};
use crate::segment::Segment;
use crate::track::event::{Mark, Party};
use crate::track::{Class, Observed};

impl Connection {
    /// An acknowledgment of something new by a side that stands where it did, where nothing waits for it: nearly
    /// every other segment there is. Nothing if it is not that; then nothing has been learnt.
    #[inline]
    pub(super) fn on_plain_ack(&mut self, segment: &Segment) -> Option<Observed> {
        let from = self.party_of(segment.source);
        let (sender, receiver) = match from {
            Party::Client => (&mut self.client, &mut self.server),
            Party::Server => (&mut self.server, &mut self.client),
        };
        let position = sender.position(segment.seq);
        let at_next = sender.next() == Some(position) && sender.end().is_some() && !sender.unanchored;
        let ack = receiver.position(segment.ack);
        let news = segment.flags.ack() && receiver.acked().is_none_or(|acked| ack > acked);
        // The first segment of the other side may be a SYN, whose round trip this measures.
        if !at_next || !news || receiver.segments < 2 {
            return None;
        }
        receiver.on_ack(segment.ack);
        sender.set_origin(position.saturating_sub(1));
        sender.learn_header(segment, false, false);
        receiver.run = 0;
        self.last = Mark { frame: segment.id, time: segment.time };
        let (class, seq, ack) = (Class::Ack, sender.relative(position), Some(receiver.relative(ack)));
        Some(Observed {
            connection: self.id,
            sender: from,
            class,
            seq,
            ack,
            octets_missing: self.octets_missing(),
        })
    }

    /// Data where nothing waits for it: nearly every segment there is. It is no probe, answers none, and no
    /// candidate depends on it; so this is the part of [`Connection::on_any`] that remains.
    #[inline]
    pub(super) fn on_plain_data(&mut self, segment: &Segment) -> Observed {
        let from = self.party_of(segment.source);
        let (sender, receiver) = match from {
            Party::Client => (&mut self.client, &mut self.server),
            Party::Server => (&mut self.server, &mut self.client),
        };
        let ack = segment.flags.ack().then(|| receiver.on_ack(segment.ack));
        let position = sender.position(segment.seq);
        let old = sender.next().is_some_and(|next| position < next);
        let class = if old { Class::Retransmission } else { Class::Data };
        sender.unanchored = false;
        sender.learn_sent(segment, position);
        let late = ack.is_some_and(|ack| receiver.acked().is_some_and(|acked| ack < acked));
        sender.learn_header(segment, told_nothing(class), late);
        if old {
            sender.learn_repeated(segment, receiver.last.map(|last| last.mark()));
        }
        receiver.run = 0;
        self.last = Mark { frame: segment.id, time: segment.time };
        let seq = sender.relative(position);
        let ack = ack.map(|position| receiver.relative(position));
        Observed { connection: self.id, sender: from, class, seq, ack, octets_missing: self.octets_missing() }
    }
}
