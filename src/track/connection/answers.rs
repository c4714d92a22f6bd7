//! Which probe a segment or an ICMP error answers.
//!
//! Part of [`Connection`]; owns what counts as an arrival, not the choice among several probes, which is in
//! [`Probes`](crate::track::probes::Probes).

use super::{Connection, Step};
use crate::segment::{IcmpError, Segment};
use crate::track::event::{Answer, AnswerKind, EventKind, Mark};
use crate::track::probes::{Arrival, Log, Pending, answer_to, bare_answer};
use crate::track::side::LastSegment;

impl Connection {
    /// Finds the probe that this segment answers, if any, and says so.
    pub(super) fn match_answer(
        &mut self,
        segment: &Segment,
        step: &Step,
        kind: AnswerKind,
        log: &mut Log,
    ) -> Option<u32> {
        // Without the flag the field says nothing, and nobody takes such a segment in (RFC 9293 §3.10.7.4).
        if kind != AnswerKind::Reset && !segment.flags.ack() {
            return None;
        }
        let prober = step.from.peer();
        let (asked, answerer, more) = self.both(prober);
        let probes = more.as_mut()?.probes.as_deref_mut()?;
        if answerer.goes_back_in_time(segment) {
            return None;
        }
        let arrival = Arrival {
            time: segment.time,
            acknowledged: (kind != AnswerKind::Reset).then(|| asked.position(segment.ack)),
            repeats: kind == AnswerKind::Ack
                && !segment.flags.fin()
                && !answerer.provoked()
                && !step.ack_is_news
                && answerer.window() == Some(segment.window),
            min_rtt: asked.min_rtt(),
        };
        let made = |probe: &Pending| answer_to(probe, segment, kind, answerer.window());
        let answer = probes.answered_by(prober, arrival, made, log)?;
        // A RST or data need not be an answer: they may have been sent at about that time on their own.
        asked.learn_rtt(answer.rtt, kind == AnswerKind::Ack);
        Some(answer.probe)
    }

    /// Some captures write an answer before its probe; their times tell.
    pub(super) fn match_answer_written_before(&mut self, probed: &Segment, step: &Step, log: &mut Log) {
        let answerer = self.side(step.from.peer());
        let answers = |last: &LastSegment| last.told_nothing && last.mark.time > probed.time;
        let Some(LastSegment { mark: at, ttl, .. }) = answerer.last().filter(answers) else { return };
        let prober = self.side(step.from);
        let (acknowledged, min_rtt) = (prober.next(), prober.min_rtt());
        let arrival = Arrival { time: at.time, acknowledged, repeats: false, min_rtt };
        let made = |probe: &Pending| Answer { ttl, ..bare_answer(probe, AnswerKind::Ack, at) };
        let Some(probes) = self.probes_mut() else { return };
        if probes.answered_by(step.from, arrival, made, log).is_some() {
            probes.end_run(step.from);
        }
    }

    /// Reads an ICMP error that quotes a segment of this connection.
    pub(in crate::track) fn on_icmp(&mut self, error: &IcmpError, log: &mut Log) -> bool {
        let prober = self.party_of(error.source);
        let position = self.side(prober).position(error.seq);
        self.keep_icmp(Mark { frame: error.id, time: error.time });
        let Some(probes) = self.probes_mut() else { return false };
        let Some(probe) = probes.quoted_by(prober, position, error.quoted_ip_id, error.time) else {
            return false;
        };
        let at = Mark { frame: error.id, time: error.time };
        let answer = Answer {
            ttl: error.ttl,
            reporter: Some(error.reporter),
            ..bare_answer(&probe, AnswerKind::Icmp(error.kind), at)
        };
        probes.emit(log, EventKind::Answer(answer));
        true
    }
}
