//! Which of the probes that wait gets an answer.
//!
//! Part of [`Probes`]; owns the choice, and its correction when one more answer comes than probes were left.

use super::{Hopeless, Log, Pending, Probes};
use crate::segment::{Segment, SeqNum};
use crate::time::{Span, Timestamp};
use crate::track::classify::SETTLED;
use crate::track::event::{Answer, AnswerKind, EventKind, Mark, Party};

/// What comes later than this after a probe, and later than ten round trips, is not its answer.
const ANSWER_LIMIT: Span = Span::from_secs(10);

/// How much the round trips of a burst may differ, beside a quarter, for its answers to be paired anew.
const PAIRING_SLACK: Span = Span::from_millis(20);

/// Longest burst whose answers are paired anew.
const MAX_PAIRING: usize = 256;

/// A probe of a burst whose answers may have been given to the wrong ones: more were sent than answered when
/// the first answer came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paired {
    probe: Pending,
    /// The event that last said what became of it.
    said: u32,
    answer: Option<Answer>,
}

impl Probes {
    /// Gives a segment of the peer to the probe that it answers, if any, and says so. `made` turns that probe
    /// into its answer. Probes sent before it are lost, and all are if the segment acknowledges what was sent
    /// after them.
    pub(in crate::track) fn answered_by(
        &mut self,
        prober: Party,
        arrival: Arrival,
        made: impl Fn(&Pending) -> Answer,
        log: &mut Log,
    ) -> Option<Answer> {
        let pending = &self.waiting(prober).pending;
        let Some(last) = pending.last() else {
            return self.paired_anew(prober, arrival, made, log);
        };
        if arrival.acknowledged.is_some_and(|acknowledged| acknowledged > last.acknowledged.1) {
            self.lose_pending(prober, usize::MAX, log);
            self.waiting(prober).pairing.clear();
            return None;
        }
        let index = answered_index(pending, arrival)?;
        let lost = self.lose_pending(prober, index, log);
        let waiting = self.waiting(prober);
        if waiting.pending.is_empty() {
            return None;
        }
        let probe = waiting.pending.remove(0);
        let answer = made(&probe);
        let said = self.emit(log, EventKind::Answer(answer));
        self.remember_pairing(prober, lost, Paired { probe, said, answer: Some(answer) });
        Some(answer)
    }

    /// Remembers which answer went to which probe while that may turn out wrong.
    pub(super) fn remember_pairing(&mut self, prober: Party, lost: Vec<Paired>, answered: Paired) {
        let pairing = &mut self.waiting(prober).pairing;
        let stale = |paired: &Paired| answered.probe.time.since(paired.probe.time) > ANSWER_LIMIT;
        if pairing.len() >= MAX_PAIRING || pairing.last().is_some_and(stale) {
            pairing.clear();
        }
        pairing.extend(lost.into_iter().filter(|paired| !stale(paired)));
        if !pairing.is_empty() {
            pairing.push(answered);
        }
    }

    /// One more acknowledgment than there were probes without an answer: an answer before it had been given
    /// to too late a probe. Each of the last probes gets the answer that came in its turn.
    pub(super) fn paired_anew(
        &mut self,
        prober: Party,
        arrival: Arrival,
        made: impl Fn(&Pending) -> Answer,
        log: &mut Log,
    ) -> Option<Answer> {
        let pairing = &self.waiting(prober).pairing;
        let last = *pairing.last()?;
        let timely = arrival.time.since(last.probe.time) <= ANSWER_LIMIT;
        if !timely || !arrival.repeats || arrival.acknowledged != Some(last.probe.end) {
            return None;
        }
        let mut answers: Vec<Answer> = pairing.iter().filter_map(|paired| paired.answer).collect();
        let first = pairing.len().checked_sub(answers.len() + 1)?;
        answers.push(made(&last.probe));
        let probes = pairing.iter().skip(first).map(|paired| paired.probe);
        let trips = probes.zip(&answers).map(|(probe, answer)| answer.at.time.since(probe.time));
        let (shortest, longest) = (trips.clone().min()?, trips.max()?);
        let disagree = longest > Span::from_nanos(shortest.times(5).as_nanos() / 4).plus(PAIRING_SLACK);
        if disagree || shortest < Span::ZERO {
            return None;
        }
        let mut given = None;
        for (offset, answer) in answers.into_iter().enumerate() {
            let Some(&Paired { probe, said, .. }) = self.waiting(prober).pairing.get(first + offset) else {
                break;
            };
            let rtt = answer.at.time.since(probe.time);
            if self.has_answer(prober, first + offset, answer.at) {
                continue;
            }
            let answer = Answer { probe: probe.event, rtt, corrects: Some(said), ..answer };
            let said = self.emit(log, EventKind::Answer(answer));
            if let Some(paired) = self.waiting(prober).pairing.get_mut(first + offset) {
                *paired = Paired { probe, said, answer: Some(answer) };
            }
            given = Some(answer);
        }
        // Once every probe of the burst has its answer, nothing can shift any more.
        let pairing = &mut self.waiting(prober).pairing;
        if pairing.iter().all(|paired| paired.answer.is_some()) {
            pairing.clear();
        }
        given
    }

    /// Whether this frame was given to that probe of the burst already.
    pub(super) fn has_answer(&mut self, prober: Party, index: usize, at: Mark) -> bool {
        let paired = self.waiting(prober).pairing.get(index);
        paired.and_then(|paired| paired.answer).is_some_and(|answer| answer.at == at)
    }

    /// Takes the probe that an ICMP error quotes: the one with the quoted identification, otherwise the
    /// oldest, since each error quotes one packet, in their order.
    pub(in crate::track) fn quoted_by(
        &mut self,
        prober: Party,
        position: u64,
        quoted_ip_id: Option<u16>,
        time: Timestamp,
    ) -> Option<Pending> {
        let pending = &mut self.waiting(prober).pending;
        let eligible = |probe: &Pending| {
            let age = time.since(probe.time);
            probe.end == position.wrapping_add(1) && age >= Span::ZERO && age <= ANSWER_LIMIT
        };
        let marked = quoted_ip_id.is_some_and(|id| id != 0);
        let same = |probe: &Pending| marked && probe.ip_id == quoted_ip_id && eligible(probe);
        let index = pending.iter().position(same).or_else(|| pending.iter().position(eligible))?;
        Some(pending.remove(index))
    }

    /// The oldest `count` probes of a side get no answer any more.
    pub(super) fn lose_pending(&mut self, party: Party, count: usize, log: &mut Log) -> Vec<Paired> {
        if let Some(hopeless) = self.waiting(party).hopeless.take() {
            let Hopeless(events) = *hopeless;
            for probe in events {
                self.emit(log, EventKind::Unanswered { probe });
            }
        }
        let pending = &mut self.waiting(party).pending;
        let count = count.min(pending.len());
        let lost: Vec<Pending> = pending.drain(..count).collect();
        let mut said = |probe: Pending| {
            let said = self.emit(log, EventKind::Unanswered { probe: probe.event });
            Paired { probe, said, answer: None }
        };
        lost.into_iter().map(&mut said).collect()
    }
}

/// A segment of the peer that may answer a probe.
#[derive(Clone, Copy, Debug)]
pub(in crate::track) struct Arrival {
    /// When it came.
    pub(in crate::track) time: Timestamp,
    /// What it acknowledges; nothing for a RST.
    pub(in crate::track) acknowledged: Option<u64>,
    /// It repeats an acknowledgment and tells nothing new.
    pub(in crate::track) repeats: bool,
    /// The shortest round trip seen.
    pub(in crate::track) min_rtt: Option<Span>,
}

/// Which of the pending probes a segment answers.
///
/// Where a round trip is known, the one whose own would come nearest to it. Otherwise the latest, since the
/// ones before it were most likely lost; only probes less than a second apart are answered in their order.
fn answered_index(pending: &[Pending], arrival: Arrival) -> Option<usize> {
    let limit = arrival.min_rtt.map_or(ANSWER_LIMIT, |rtt| rtt.times(10).max(ANSWER_LIMIT));
    let eligible = |probe: &Pending| {
        let age = arrival.time.since(probe.time);
        age >= Span::ZERO
            && age <= limit
            && arrival.acknowledged.is_none_or(|ack| probe.is_acknowledged_by(ack))
    };
    let indices = pending.iter().enumerate().filter(|(_, probe)| eligible(probe));
    if let Some(rtt) = arrival.min_rtt {
        let distance = |probe: &Pending| {
            Span::from_nanos(arrival.time.since(probe.time).as_nanos() - rtt.as_nanos()).abs()
        };
        return indices.min_by_key(|(_, probe)| distance(probe)).map(|(index, _)| index);
    }
    let mut chosen: Option<(usize, Timestamp)> = None;
    for (index, probe) in indices.rev() {
        if chosen.is_none_or(|(_, later)| later.since(probe.time) < SETTLED) {
            chosen = Some((index, probe.time));
        }
    }
    chosen.map(|(index, _)| index)
}

/// The answer that `segment` gives to a probe; `window_before` is what its sender advertised last.
pub(in crate::track) fn answer_to(
    probe: &Pending,
    segment: &Segment,
    kind: AnswerKind,
    window_before: Option<u16>,
) -> Answer {
    Answer {
        ttl: segment.ttl,
        dsack: segment.options.sack.is_some_and(|block| {
            block.right == SeqNum::at_position(probe.end) && block.left.plus(1) == block.right
        }),
        window_changed: window_before.is_some_and(|window| window != segment.window),
        timestamps: segment.options.timestamps,
        ..bare_answer(probe, kind, Mark { frame: segment.id, time: segment.time })
    }
}

/// An answer of which only its frame and time are known.
pub(in crate::track) fn bare_answer(probe: &Pending, kind: AnswerKind, at: Mark) -> Answer {
    Answer {
        probe: probe.event,
        kind,
        at,
        rtt: at.time.since(probe.time).max(Span::ZERO),
        ttl: 0,
        dsack: false,
        window_changed: false,
        timestamps: None,
        reporter: None,
        corrects: None,
    }
}
