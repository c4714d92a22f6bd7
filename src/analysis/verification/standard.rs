//! What a probe looks like, and what the standards let one see in packets.

use super::{Case, Measure, Outcome, RuleId, RuleVerdict};
use crate::analysis::ProbeRecord;
use crate::stack::value::{ProbeOptions, SeqRule};
use crate::time::Span;
use crate::track::event::{Basis, Start};

/// Judges the form of the probes and the requirements.
pub(super) fn judge(case: &Case<'_>) -> Vec<RuleVerdict> {
    vec![
        form(case),
        case.unseen(RuleId::Must24, "that it can be turned off shows in no packet"),
        case.unseen(RuleId::Must25, "whether somebody turned it on shows in no packet"),
        outstanding(case),
        case.unseen(RuleId::Must27, "that it can be configured shows in no packet"),
        two_hours(case),
        one_probe(case),
        no_data(case),
        one_octet(case),
    ]
}

fn probes<'a>(case: &Case<'a>) -> &'a [ProbeRecord] {
    &case.record.prober(case.party).probes
}

fn form(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::ProbeForm;
    let row = &case.expectation.model.stack.probe;
    let Some(octets) = row.octets.value else {
        return case.unseen(rule, "nobody knows how this stack probes");
    };
    let seq = row.seq.value.map_or("below SND.NXT", |seq| match seq {
        SeqRule::BelowSndUna => "SND.UNA-1",
        SeqRule::BelowSndNxt => "SND.NXT-1",
    });
    let wrong_length: Vec<&ProbeRecord> =
        probes(case).iter().filter(|probe| probe.segment.octets != octets).collect();
    let wrong_options: Vec<&ProbeRecord> =
        probes(case).iter().filter(|probe| has_wrong_timestamps(probe, row.options.trusted())).collect();
    let expected = Measure::Text(format!("{octets} octets at {seq}"));
    let finish = |outcome: Outcome, chosen: Vec<&ProbeRecord>, reason: String| {
        let frames = chosen.iter().map(|probe| probe.segment.at.frame).collect();
        let mut verdict = case.verdict(rule, outcome, frames, reason);
        let lengths: Vec<u8> = chosen.iter().map(|probe| probe.segment.octets).collect();
        verdict.observed = match (lengths.iter().min(), lengths.iter().max()) {
            (Some(least), Some(most)) if least == most => Some(Measure::Text(format!("{least} octets"))),
            (Some(least), Some(most)) => Some(Measure::Text(format!("{least} or {most} octets"))),
            _ => None,
        };
        verdict.expected = Some(expected.clone());
        verdict
    };
    match (wrong_length.is_empty(), wrong_options.is_empty()) {
        (false, _) if row.octets.trusted().is_none() => finish(
            Outcome::NotObservable,
            wrong_length,
            "nobody has verified how long its probes are".to_owned(),
        ),
        (false, _) => finish(Outcome::Fail, wrong_length, "not as long as this stack's probes".to_owned()),
        (true, false) => {
            let reason = "timestamps are there or missing, unlike on this stack's probes".to_owned();
            finish(Outcome::Fail, wrong_options, reason)
        }
        (true, true) => {
            finish(Outcome::Pass, probes(case).iter().collect(), "as this stack sends them".to_owned())
        }
    }
}

/// Whether a probe lacks the timestamps that its answer bears, or bears what this stack leaves out.
fn has_wrong_timestamps(probe: &ProbeRecord, options: Option<ProbeOptions>) -> bool {
    let negotiated = probe.answer.is_some_and(|answer| answer.timestamps.is_some());
    match options {
        Some(ProbeOptions::Nothing) => probe.segment.timestamps.is_some(),
        Some(ProbeOptions::AsEstablished | ProbeOptions::Timestamps) => {
            negotiated && probe.segment.timestamps.is_none() && probe.is_answered_by_peer()
        }
        None => false,
    }
}

/// MUST-26: a probe stands right below SND.UNA; data that was sent beyond it was outstanding then.
fn outstanding(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::Must26;
    let summary = &case.record.summary;
    if summary.side(case.party.peer()).segments == 0 {
        return case.unseen(rule, "only the prober's direction was captured");
    }
    let is_beyond = |probe: &&ProbeRecord| {
        let moments =
            case.history.moments.iter().take_while(|moment| moment.at.frame != probe.segment.at.frame);
        let mut own = moments.filter(|moment| moment.from == case.party && moment.octets > 0);
        own.any(|moment| moment.end.distance_from(probe.segment.seq.plus(1)) > 0)
    };
    let known = |probe: &&ProbeRecord| probe.basis == Basis::Outstanding;
    let certain: Vec<&ProbeRecord> = probes(case).iter().filter(known).filter(is_beyond).collect();
    let doubtful = probes(case).iter().filter(known).count();
    if !certain.is_empty() {
        let frames = certain.iter().map(|probe| probe.segment.at.frame).collect();
        return case.verdict(
            rule,
            Outcome::Fail,
            frames,
            "probes while sent data was outstanding".to_owned(),
        );
    }
    if doubtful > 0 {
        let reason = "an acknowledgment of what was sent before may be missing from the capture";
        return case.unseen(rule, reason);
    }
    if case.record.opened.start == Start::Midstream && summary.side(case.party).data_segments == 0 {
        return case.unseen(rule, "the capture shows nothing that the prober sent before");
    }
    case.verdict(rule, Outcome::Pass, case.frames(), "all that was sent had been acknowledged".to_owned())
}

/// MUST-28, if the settings are claimed to be the defaults.
fn two_hours(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::Must28;
    if !case.expectation.defaults {
        return case.unseen(rule, "the settings are not claimed to be the defaults (--defaults)");
    }
    let limit = Span::from_secs(7200);
    let silences: Vec<(&ProbeRecord, Span)> = probes(case)
        .iter()
        .filter(|probe| probe.segment.run == 1)
        .filter_map(|probe| Some((probe, probe.segment.silence?)))
        .collect();
    let Some(shortest) = silences.iter().map(|(_, silence)| *silence).min() else {
        return case.unseen(rule, "no silence before a probe began in the capture");
    };
    let short = |silence: Span| silence.plus(case.expectation.tolerance(limit)) < limit;
    let failed = short(shortest);
    let chosen = silences.iter().filter(|(_, silence)| !failed || short(*silence));
    let frames = chosen.map(|(probe, _)| probe.segment.at.frame).collect();
    let (outcome, reason) =
        if failed { (Outcome::Fail, "less than two hours") } else { (Outcome::Pass, "two hours or more") };
    let mut verdict = case.verdict(rule, outcome, frames, reason.to_owned());
    verdict.observed = Some(Measure::Times(shortest, shortest));
    verdict.expected = Some(Measure::Times(limit, limit));
    verdict
}

/// MUST-29, from how many probes there were before the connection was given up.
fn one_probe(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::Must29;
    let count = super::until::given_up_after(case);
    let Some((count, frames)) = count else {
        return lived_on(case);
    };
    let timeout = case.expectation.user_timeout.is_some_and(|timeout| timeout > Span::ZERO);
    let (outcome, reason) = match count {
        1 if timeout => (
            Outcome::NotObservable,
            "given up after one unanswered probe, by the user timeout that was asked for and not by keepalives",
        ),
        1 => (Outcome::Fail, "given up after one unanswered probe"),
        _ => (Outcome::Pass, "not given up before several probes were unanswered"),
    };
    let mut verdict = case.verdict(rule, outcome, frames, reason.to_owned());
    verdict.observed = Some(Measure::Number(count));
    verdict
}

/// Without an end, a second probe after an unanswered one shows as much.
fn lived_on(case: &Case<'_>) -> RuleVerdict {
    let again =
        case.steps.iter().find(|step| step.from.is_some() && step.probe.is_some() && !step.after_receipt);
    match again {
        Some(step) => {
            let frames = step.from.into_iter().chain(step.probe).map(|mark| mark.frame).collect();
            let reason = "it went on probing after an unanswered probe".to_owned();
            case.verdict(RuleId::Must29, Outcome::Pass, frames, reason)
        }
        None => case.unseen(RuleId::Must29, "no probe stayed without an answer"),
    }
}

fn no_data(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::Shld12;
    let with_data: Vec<&ProbeRecord> = probes(case).iter().filter(|probe| probe.segment.octets > 0).collect();
    if probes(case).is_empty() {
        return case.unseen(rule, "no probe was seen");
    }
    if with_data.is_empty() {
        return case.verdict(rule, Outcome::Pass, case.frames(), "no probe carries data".to_owned());
    }
    let frames = with_data.iter().map(|probe| probe.segment.at.frame).collect();
    if case.expectation.model.stack.probe.octets.value == Some(1) {
        let reason = "probes carry one octet, as those of this stack do; it should not, but MAY-6 allows it";
        return case.verdict(rule, Outcome::NotObservable, frames, reason.to_owned());
    }
    case.verdict(rule, Outcome::Fail, frames, "probes carry data".to_owned())
}

fn one_octet(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::May6;
    let with_data: Vec<_> = probes(case)
        .iter()
        .filter(|probe| probe.segment.octets > 0)
        .map(|probe| probe.segment.at.frame)
        .collect();
    if with_data.is_empty() {
        return case.unseen(rule, "no probe carries an octet");
    }
    case.verdict(rule, Outcome::Pass, with_data, "one octet, which is allowed".to_owned())
}
