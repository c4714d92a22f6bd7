//! Segments that begin or end a connection: SYN, FIN, RST.
//!
//! Part of [`Connection`]; owns what a RST ends, what shows that it did not, and that it ends nothing behind a
//! complete close.

use super::{Connection, Step};
use crate::segment::Segment;
use crate::track::Class;
use crate::track::classify::SETTLED;
use crate::track::event::{AnswerKind, EventKind, Mark, Party, ResetMarks};
use crate::track::probes::Log;
use crate::track::side::MAX_JUMP;

impl Connection {
    pub(super) fn on_syn(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        // In a connection whose SYN was not captured any SYN is foreign.
        let foreign = self.is_other_life(segment, step.from);
        let side = self.side(step.from);
        let established = side.acked().is_some_and(|acked| acked > step.position);
        if foreign || established {
            self.side_mut(step.from.peer()).set_provoked(true);
        }
        if foreign {
            // Whichever life it is of, its sender lives.
            self.end_run(step.from.peer());
            return Class::Syn;
        }
        if segment.flags.ack() {
            self.learn_ack(segment, step, log);
            self.learn_round_trip(segment, step.from.peer());
            self.end_run(step.from.peer());
        }
        let (sender, rare) = self.with_rare(step.from);
        sender.learn_sent(segment, step.position, rare);
        Class::Syn
    }

    pub(super) fn on_rst(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let sender = self.side(step.from);
        let known = sender.next();
        let at = Mark { frame: segment.id, time: segment.time };
        // A RST outside of the window is dropped by its receiver (RFC 5961 §3.2): below what was acknowledged,
        // or beyond what its receiver allowed.
        let stale = sender.acked().is_some_and(|acked| step.position < acked)
            || known.is_some_and(|next| step.position > next + self.room(step.from));
        if stale {
            if !self.is_closed()
                && let Some(probes) = self.probes_mut()
                && probes.spoken_of()
            {
                probes.emit(log, EventKind::ResetIgnored { reset: at, evidence: at });
            }
            return Class::StaleReset;
        }
        // Both FINs were acknowledged, so every octet arrived and nothing is left to be ended: a RST can only make
        // its receiver forget sooner (RFC 9293 §3.10.7.4, LAST-ACK and TIME-WAIT).
        if self.is_closed() && !self.is_reset() {
            return match self.match_answer(segment, step, AnswerKind::Reset, log) {
                Some(probe) => Class::Answer { probe, kind: AnswerKind::Reset },
                None => Class::StaleReset,
            };
        }
        // One ahead of what was captured is taken, since octets may be missing from the capture; if none are,
        // its receiver challenges it and the connection goes on.
        // So does one below it where the direction that acknowledges was not captured.
        let all_seen = sender.acked().is_some();
        let exact = sender.unanchored()
            || known.is_none_or(|next| step.position == next || (all_seen && step.position < next));
        let seq_offset = known
            .filter(|_| !sender.unanchored())
            .map(|next| step.position.cast_signed().wrapping_sub(next.cast_signed()));
        self.decide_candidates(segment, step, log);
        let answered = self.match_answer(segment, step, AnswerKind::Reset, log);
        let again = self.is_reset();
        if !again {
            // From now on it is the last segment of its sender.
            self.bits.set_reset(step.from, exact);
            if let Some(probes) = self.probes_mut() {
                if exact {
                    probes.on_reset(log);
                }
                if probes.spoken_of() {
                    let marks = ResetMarks {
                        ttl: segment.ttl,
                        timestamps: segment.options.timestamps.is_some(),
                        ack: segment.flags.ack(),
                        prompted: step.silence,
                        seq_offset,
                        ip_id: segment.ip_id,
                        dont_fragment: segment.dont_fragment,
                    };
                    probes.emit(log, EventKind::Reset { by: step.from, at, marks });
                }
            }
        }
        if !exact {
            self.side_mut(step.from.peer()).set_provoked(true);
        }
        self.end_run(step.from.peer());
        match answered {
            Some(probe) => Class::Answer { probe, kind: AnswerKind::Reset },
            None if again => Class::StaleReset,
            None => Class::Reset,
        }
    }

    /// How far beyond SND.NXT a segment of this party may lie: as far as its peer's window allows, seen from
    /// what was sent rather than from what was acknowledged, since acknowledgments may still be on their way.
    /// Where the capture lacks octets, what was sent is not known, so anything that can be is allowed.
    fn room(&self, party: Party) -> u64 {
        const LARGEST_SHIFT: u8 = 14;
        let (sender, receiver) = (self.side(party), self.side(party.peer()));
        let is_known = !sender.is_missing_octets(self.rare(party)) && !sender.unanchored();
        let Some(window) = receiver.window().filter(|_| is_known) else { return MAX_JUMP };
        let shift = match (sender.offered_scale(), receiver.offered_scale()) {
            (Some(sender), Some(receiver)) => sender.and(receiver).unwrap_or(0),
            _ => LARGEST_SHIFT,
        };
        MAX_JUMP.min(u64::from(window) << shift.min(LARGEST_SHIFT))
    }

    /// A RST that was not exact had no effect if anything follows that is no RST. An exact one did not come
    /// from its sender if both ends go on: the other first, and then, later than anything that was on its way
    /// can come, its sender.
    pub(super) fn doubt_reset(&mut self, segment: &Segment, from: Party, log: &mut Log) {
        let Some(doubtful) = self.reset() else { return };
        if doubtful.exact {
            let other = from != doubtful.by;
            let settled = segment.time.since(doubtful.at.time) >= SETTLED;
            let went_on = self.more.as_ref().is_some_and(|more| more.went_on);
            if other || !went_on || !settled {
                if other {
                    self.more().went_on = true;
                }
                return;
            }
        }
        self.forget_reset();
        if let Some(probes) = self.probes_mut()
            && probes.spoken_of()
        {
            let evidence = Mark { frame: segment.id, time: segment.time };
            probes.emit(log, EventKind::ResetIgnored { reset: doubtful.at, evidence });
        }
    }

    pub(super) fn on_first_fin(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let at = Mark { frame: segment.id, time: segment.time };
        if let Some(probes) = self.probes_mut()
            && probes.spoken_of()
        {
            probes.emit(log, EventKind::Fin { by: step.from, at, quiet: step.quiet });
        }
    }

    /// Takes the handshake as a measure of the round trip.
    ///
    /// Not if it was sent again (Karn, RFC 6298 §3), nor if one of the two may have been lost before the
    /// capture: its sender then waits for 1 s at least (RFC 6298 §2.1).
    #[inline]
    pub(super) fn learn_round_trip(&mut self, segment: &Segment, of: Party) {
        let side = self.side(of);
        if !segment.flags.ack() || !side.is_seen_once() {
            return;
        }
        let answers_syn = self.view(of).isn().is_some_and(|isn| side.position(segment.ack) == isn + 1);
        if let Some(sent) = side.last_time().filter(|_| answers_syn) {
            let rtt = segment.time.since(sent);
            self.side_mut(of).learn_rtt(rtt, rtt < SETTLED);
        }
    }
}
