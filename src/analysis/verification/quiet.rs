//! Silences in which nothing kept a keepalive back: nothing waited for its acknowledgment, the connection was
//! open, and nothing at all was captured. One that is long enough must have had a probe.
//!
//! Owns the longest such silence of each end. Uses [`crate::segment`] and [`crate::track`].

use crate::segment::{Segment, SeqNum};
use crate::time::Timestamp;
use crate::track::Class;
use crate::track::event::{Mark, Party};

/// From one segment to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) from: Mark,
    pub(super) to: Mark,
}

/// What one end has sent and said, as far as a silence is about it.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// After its highest octet.
    sent: Option<SeqNum>,
    /// The highest that it acknowledged.
    acked: Option<SeqNum>,
    /// The last window that it advertised was 0.
    closed: bool,
    /// It sent something else than a SYN.
    spoke: bool,
    longest: Option<Silence>,
}

/// The silences of one connection so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silences {
    client: End,
    server: End,
    last: Option<Mark>,
    /// A SYN of the server was captured, which the client has acknowledged if it spoke.
    answered: bool,
    /// A FIN was sent.
    closing: bool,
}

impl Silences {
    fn end(&self, party: Party) -> &End {
        match party {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }

    fn end_mut(&mut self, party: Party) -> &mut End {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    /// Reads a segment.
    pub(super) fn segment(&mut self, segment: &Segment, from: Party, class: Class) {
        let to = Mark { frame: segment.id, time: segment.time };
        if let Some(last) = self.last {
            let silence = Silence { from: last, to };
            let quiet = [Party::Client, Party::Server].map(|party| (party, self.nothing_waits(party)));
            for (party, _) in quiet.into_iter().filter(|(_, nothing)| *nothing) {
                let longest = &mut self.end_mut(party).longest;
                let length = |silence: &Silence| silence.to.time.since(silence.from.time);
                if longest.as_ref().is_none_or(|known| length(known) < length(&silence)) {
                    *longest = Some(silence);
                }
            }
        }
        self.last = Some(to);
        self.answered |= segment.flags.syn() && segment.flags.ack();
        self.closing |= segment.flags.fin();
        // A probe lies below what was sent, and says nothing new.
        if matches!(class, Class::StaleReset) {
            return;
        }
        let space = segment.len + u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
        let higher = |old: Option<SeqNum>, new: SeqNum| match old {
            Some(old) if new.distance_from(old) <= 0 => Some(old),
            _ => Some(new),
        };
        let end = self.end_mut(from);
        end.sent = higher(end.sent, segment.seq.plus(space));
        if segment.flags.ack() {
            end.acked = higher(end.acked, segment.ack);
        }
        end.closed = segment.window == 0;
        end.spoke |= !segment.flags.syn();
    }

    /// Whether a timer of this end, and nothing else, decides when the next segment leaves: the connection is
    /// open, all that it sent is acknowledged, and its peer takes more.
    fn nothing_waits(&self, party: Party) -> bool {
        let (own, peer) = (self.end(party), self.end(party.peer()));
        let open = self.client.spoke && (self.server.spoke || self.answered) && !self.closing;
        let acked = |end: &End, by: &End| {
            let (sent, acked) = (end.sent, by.acked);
            sent.zip(acked).is_some_and(|(sent, acked)| acked.distance_from(sent) >= 0)
        };
        open && acked(own, peer) && acked(peer, own) && !peer.closed
    }

    /// The longest silence in which this end should have probed, with the last one, which lasts until nothing
    /// more was read of the connection.
    pub(super) fn longest(&self, party: Party, until: Timestamp) -> Option<Silence> {
        let last = self.last.filter(|_| self.nothing_waits(party));
        let open = last
            .filter(|last| until > last.time)
            .map(|from| Silence { from, to: Mark { time: until, ..from } });
        let all = self.end(party).longest.into_iter().chain(open);
        all.max_by_key(|silence| silence.to.time.since(silence.from.time))
    }
}
