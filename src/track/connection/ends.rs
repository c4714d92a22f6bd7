//! Segments that begin or end a connection: SYN, FIN, RST.
//!
//! Part of [`Connection`]; owns what a RST ends and what shows that it did not.

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
        // A RST below what was acknowledged is dropped by its receiver (RFC 5961 §3.2).
        let stale = sender.acked().is_some_and(|acked| step.position < acked)
            || known.is_some_and(|next| step.position > next + MAX_JUMP);
        if stale {
            return Class::StaleReset;
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
        let at = Mark { frame: segment.id, time: segment.time };
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

    /// A RST that was not exact had no effect if anything follows that is no RST.
    pub(super) fn doubt_reset(&mut self, segment: &Segment, log: &mut Log) {
        let Some(doubtful) = self.reset().filter(|reset| !reset.exact) else { return };
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
    pub(super) fn learn_round_trip(&mut self, segment: &Segment, of: Party) {
        let side = self.side_mut(of);
        let answers_syn =
            segment.flags.ack() && side.isn().is_some_and(|isn| side.position(segment.ack) == isn + 1);
        if answers_syn
            && side.is_seen_once()
            && let Some(sent) = side.last_time()
        {
            let rtt = segment.time.since(sent);
            side.learn_rtt(rtt, rtt < SETTLED);
        }
    }
}
