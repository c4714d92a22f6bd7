//! What the probed end answers.
//!
//! Pure functions over [`Tcb`] and a small memory of when the last answer left. Sources stand at each rule;
//! Linux was measured on 6.18.

use super::tcb::{Incoming, Outgoing, Purpose, Tcb};
use crate::segment::{Flags, SackBlock, SeqNum};
use crate::time::{Span, Timestamp};

/// Which stack's habits the probed end has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Habits {
    /// At most one answer to zero-length probes in this time (Linux `tcp_invalid_ratelimit`: 500 ms).
    pub rate_limit: Option<Span>,
    /// Whether zero-length probes are answered at all (uIP answers only those with an octet).
    pub answers_empty: bool,
    /// Whether one-octet probes are answered (every known stack does).
    pub answers_octet: bool,
    /// Whether the answer to a one-octet probe reports it as a duplicate.
    pub dsack: bool,
    /// Whether a zero-length probe with an old TSval is dropped without an answer (Linux 6.18).
    pub drops_old_timestamps: bool,
}

/// The probed end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Responder {
    habits: Habits,
    last_limited: Option<Timestamp>,
}

impl Responder {
    pub(super) fn new(habits: Habits) -> Self {
        Self { habits, last_limited: None }
    }

    /// When the last answer left that is limited in number.
    pub(super) fn last_limited(&self) -> Option<Timestamp> {
        self.last_limited
    }

    pub(super) fn set_last_limited(&mut self, last: Option<Timestamp>) {
        self.last_limited = last;
    }

    /// The answer to a probe, if one leaves.
    pub(super) fn answer(&mut self, now: Timestamp, tcb: &mut Tcb, probe: &Incoming) -> Option<Outgoing> {
        if probe.octets > 0 {
            return self.answer_octet(tcb, probe);
        }
        let old = fails_paws(tcb, probe);
        if !self.habits.answers_empty || (old && self.habits.drops_old_timestamps) {
            return None;
        }
        if let Some(limit) = self.habits.rate_limit {
            if self.last_limited.is_some_and(|last| now.since(last) < limit) {
                return None;
            }
            self.last_limited = Some(now);
        }
        Some(answer(tcb, None))
    }

    /// An octet below the window is a retransmission: it passes the sequence test where that looks at the
    /// segment's end (Linux `tcp_sequence`), so its TSval is taken, and it is acknowledged without limit.
    fn answer_octet(&self, tcb: &mut Tcb, probe: &Incoming) -> Option<Outgoing> {
        if !self.habits.answers_octet {
            return None;
        }
        if let (Some(value), Some(_), false) = (probe.tsval, tcb.ts_recent, is_old(tcb, probe)) {
            tcb.ts_recent = Some(value);
        }
        let duplicate = SackBlock { left: probe.seq, right: probe.seq.plus(probe.octets) };
        Some(answer(tcb, (self.habits.dsack && tcb.sack).then_some(duplicate)))
    }
}

/// Whether PAWS discards the segment. Linux forgives one tick (`TCP_PAWS_WINDOW`).
pub(super) fn fails_paws(tcb: &Tcb, segment: &Incoming) -> bool {
    match (segment.tsval, tcb.ts_recent) {
        (Some(value), Some(recent)) => SeqNum(value).distance_from(SeqNum(recent)) < -1,
        _ => false,
    }
}

/// Whether PAWS (RFC 7323 §5) finds the segment's TSval old.
pub(super) fn is_old(tcb: &Tcb, segment: &Incoming) -> bool {
    match (segment.tsval, tcb.ts_recent) {
        (Some(value), Some(recent)) => SeqNum(value).distance_from(SeqNum(recent)) < 0,
        _ => false,
    }
}

/// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>` (RFC 9293 §3.10.7.4). The TSecr of the answer to an empty probe is
/// the older TSval, since that probe was not acceptable and its TSval was not taken.
fn answer(tcb: &Tcb, dsack: Option<SackBlock>) -> Outgoing {
    Outgoing {
        purpose: Purpose::Answer,
        seq: tcb.snd_nxt,
        ack: tcb.rcv_nxt,
        flags: Flags::ACK,
        octets: 0,
        timestamps: tcb.ts_recent.is_some(),
        echo: tcb.ts_recent,
        dsack,
    }
}

/// What a host answers that knows no such connection (RFC 9293 §3.10.7.1): the SEQ is what the segment
/// acknowledged. A RST is never answered.
pub fn answer_without_connection(segment: &Incoming) -> Option<Outgoing> {
    if segment.flags.rst() {
        return None;
    }
    let syn_or_fin = u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
    let (seq, ack, flags) = if segment.flags.ack() {
        (segment.ack, SeqNum(0), Flags::RST)
    } else {
        let end = segment.seq.plus(segment.octets).plus(syn_or_fin);
        (SeqNum(0), end, Flags::RST.with(Flags::ACK))
    };
    Some(Outgoing {
        purpose: Purpose::Reset,
        seq,
        ack,
        flags,
        octets: 0,
        timestamps: false,
        echo: None,
        dsack: None,
    })
}
