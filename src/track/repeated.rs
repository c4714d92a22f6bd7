//! Octets, or a FIN, that their sender sent again and again: it had no acknowledgment of them.
//!
//! Owns what counts as one more time. Uses the event types and [`crate::segment`].

use super::Class;
use super::event::{LookAlike, Mark};
use crate::segment::SeqNum;

/// Retransmissions of the same octets with nothing of the peer in between. A sender waits for its
/// retransmission time-out, which is longer than the round trip, before each but the first (RFC 6298 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// SEQ of all of them.
    seq: SeqNum,
    /// How many times they were sent again: the first transmission is not counted.
    pub times: u32,
    /// The first retransmission.
    pub first: Mark,
    /// The last one. Its peer may have been heard since.
    pub last: Mark,
}

impl Repeated {
    /// What is known after one more retransmission, when the last segment of the peer was `heard`.
    pub(crate) fn once_more(before: Option<Self>, seq: SeqNum, at: Mark, heard: Option<Mark>) -> Self {
        match before.filter(|before| before.seq == seq && before.is_unheard(heard)) {
            Some(before) => Self { times: before.times.saturating_add(1), last: at, ..before },
            None => Self { seq, times: 1, first: at, last: at },
        }
    }

    /// Whether nothing came from the peer since the first of them, when its last segment was `heard`. With the
    /// same time the order is not known.
    pub fn is_unheard(&self, heard: Option<Mark>) -> bool {
        heard.is_none_or(|heard| heard.time < self.first.time)
    }
}

impl Class {
    /// Whether it is octets, or a FIN, that were sent before; `finished` if a FIN of its side came before it.
    pub(crate) fn sends_again(self, finished: bool) -> bool {
        match self {
            Class::Retransmission | Class::LookAlike(LookAlike::RetransmittedOctet) => true,
            Class::Fin => finished,
            _ => false,
        }
    }
}
