//! Marks of how a side answers the probes of its peer.

use super::{Mark, Seen, Worth, against};
use crate::analysis::inference::observe::Subject;
use crate::analysis::prober::ProbeRecord;
use crate::stack::value::{Answer, RateLimit, TimestampEcho};
use crate::time::Span;
use crate::track::event::{self, AnswerKind};

/// The limit that is known to show: Linux answers no more often (`tcp_invalid_ratelimit`).
const LIMIT: Span = Span::from_millis(500);

/// The marks of the answers of one side.
pub(super) fn marks(subject: &Subject<'_>) -> Vec<Mark> {
    let found = [dsack(subject), empty_probes(subject), limit(subject), echo(subject)];
    found.into_iter().flatten().collect()
}

fn asked<'a>(subject: &Subject<'a>, octets: u8) -> impl Iterator<Item = &'a ProbeRecord> + Clone + use<'a> {
    subject.other.probes.iter().filter(move |probe| probe.segment.octets == octets)
}

/// The bare acknowledgment that a probe got.
fn acknowledgment(probe: &ProbeRecord) -> Option<event::Answer> {
    probe.answer.filter(|answer| answer.kind == AnswerKind::Ack)
}

/// Whether the answers to an octet report it as a duplicate, where they could.
fn dsack(subject: &Subject<'_>) -> Option<Mark> {
    let answers = asked(subject, 1).filter_map(acknowledgment);
    let reported = answers.clone().find(|answer| answer.dsack);
    let sacks = |party| subject.summary.side(party).syn.is_some_and(|syn| syn.sack_permitted);
    let negotiated = sacks(subject.party) && sacks(subject.party.peer());
    let (seen, shown) = match (reported, answers.clone().next()) {
        (Some(answer), _) => ("of just the probe's octet", answer),
        (None, Some(answer)) if negotiated => ("none, though SACK was negotiated", answer),
        _ => return None,
    };
    Some(Mark::new("dsack", seen, [shown.at.frame], |stack| {
        against(stack.responder.dsack, |sends| sends == reported.is_some(), Worth::Unlikely)
    }))
}

/// Whether empty probes are answered at all.
fn empty_probes(subject: &Subject<'_>) -> Option<Mark> {
    let all = asked(subject, 0).count();
    let answered = asked(subject, 0).find_map(acknowledgment);
    let octet_answered = asked(subject, 1).find_map(acknowledgment);
    let (seen, unanswered, answer) = match (answered, octet_answered) {
        (Some(answer), _) => (Seen::from("answered"), 0, answer),
        (None, Some(answer)) if all > 0 => {
            (format!("none of {all} answered, though those of one octet are").into(), 2, answer)
        }
        _ => return None,
    };
    let frames = asked(subject, 0).map(|probe| probe.segment.at.frame).take(unanswered);
    let frames = frames.chain([answer.at.frame]);
    Some(Mark::new("empty_probes", seen, frames, |stack| {
        let fits = |answer: Answer| (answer != Answer::Silence) == answered.is_some();
        let otherwise = if answered.is_some() { Worth::Refutes } else { Worth::Unlikely };
        against(stack.responder.zero_octets, fits, otherwise)
    }))
}

/// Empty probes that are answered unless they come soon after one that was: a limit, and no loss.
fn limit(subject: &Subject<'_>) -> Option<Mark> {
    let mut missing = Vec::new();
    let mut last = None;
    for probe in asked(subject, 0) {
        let at = probe.segment.at.time;
        let soon = last.is_some_and(|last| at.since(last) < LIMIT);
        if probe.is_answered_by_peer() {
            last = Some(at);
        } else if soon {
            missing.push(probe.segment.at.frame);
        } else {
            // Lost, or there is nobody any more.
            return None;
        }
    }
    let first = *missing.first()?;
    let seen = format!("{} unanswered, each less than 0.5 s after one that was answered", missing.len());
    let shown = missing.into_iter().chain([first]);
    Some(Mark::new("answer_limit", seen, shown, |stack| match stack.responder.rate_limit.trusted()? {
        RateLimit::PerSocket { .. } => Some(Worth::Supports),
        RateLimit::Some => None,
        RateLimit::Unlimited => Some(Worth::Unlikely),
    }))
}

/// Which timestamp the answers echo, where that of the probe is not the one before.
fn echo(subject: &Subject<'_>) -> Option<Mark> {
    let pairs = subject.other.probes.iter().filter_map(|probe| {
        let (asked, answer) = (probe.segment.timestamps?, acknowledgment(probe)?);
        Some((probe, asked.value, answer, answer.timestamps?.echo))
    });
    let empty = |probe: &ProbeRecord| probe.segment.octets == 0;
    let older = pairs.clone().find(|(probe, asked, _, echoed)| empty(probe) && asked != echoed);
    let first = pairs.clone().find(|(probe, ..)| empty(probe));
    let (seen, (_, _, answer, _)) = match (older, first) {
        (Some(pair), _) => ("older than the probe's", pair),
        (None, Some(pair)) => ("the probe's", pair),
        (None, None) => return None,
    };
    Some(Mark::new("echo", seen, [answer.at.frame], |stack| {
        let fits = |echo: TimestampEcho| (echo == TimestampEcho::Older) == older.is_some();
        against(stack.responder.echo_zero_octets, fits, Worth::Unlikely)
    }))
}
