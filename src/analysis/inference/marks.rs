//! What probes look like beside their times, held against what each stack sends.
//!
//! Owns what each mark is worth. A mark that the table of stacks knows for certain refutes; what is only
//! reported, or what a host can be told to do otherwise, weakens. Uses [`crate::stack`].

use super::observe::Subject;
use crate::analysis::prober::ProbeRecord;
use crate::stack::value::{GiveUp, IpId, ProbeOptions, Reset, Role, TimeToLive};
use crate::stack::{Stack, Status};

/// What a mark against a stack leaves of its score.
const UNLIKELY: f64 = 0.3;
/// What a mark leaves that a setting or something on the path explains as well.
const DOUBTFUL: f64 = 0.6;

/// What the marks leave of a score: 1 if none speaks against the stack, 0 if one refutes it.
pub(super) fn weigh(stack: &Stack, subject: &Subject<'_>, given_up_after: Option<u32>) -> f64 {
    payload(stack, subject)
        * timestamps(stack, subject)
        * identification(stack, subject)
        * time_to_live(stack, subject)
        * end(stack, subject, given_up_after)
        * answers(stack, subject)
}

fn probes<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a ProbeRecord> {
    subject.prober.probes.iter()
}

fn payload(stack: &Stack, subject: &Subject<'_>) -> f64 {
    let cell = stack.probe.octets;
    match cell.value {
        Some(octets) if probes(subject).any(|probe| probe.segment.octets != octets) => {
            if cell.status == Status::Unverified { UNLIKELY } else { 0.0 }
        }
        Some(_) => 1.0,
        None => DOUBTFUL,
    }
}

/// Timestamps on the probes, against whether they were negotiated: then the peer's segments have them.
fn timestamps(stack: &Stack, subject: &Subject<'_>) -> f64 {
    let carried = probes(subject).any(|probe| probe.segment.timestamps.is_some());
    let by_peer = probes(subject)
        .filter(|probe| probe.is_answered_by_peer())
        .any(|probe| probe.answer.is_some_and(|answer| answer.timestamps.is_some()))
        || subject.other.probes.iter().any(|probe| probe.segment.timestamps.is_some());
    match (carried, stack.probe.options.trusted()) {
        (true, Some(ProbeOptions::Nothing)) => 0.0,
        // Windows as a rule does not offer them.
        (true, None) => DOUBTFUL,
        (false, Some(ProbeOptions::AsEstablished | ProbeOptions::Timestamps)) if by_peer => 0.05,
        _ => 1.0,
    }
}

/// The IPv4 identifications of probes with nothing of the connection between them.
fn identification(stack: &Stack, subject: &Subject<'_>) -> f64 {
    let all: Vec<u16> = probes(subject).filter_map(|probe| probe.segment.ip_id).collect();
    if all.len() < 2 {
        return 1.0;
    }
    let constant = all.iter().all(|id| Some(id) == all.first());
    let pairs = subject.prober.probes.iter().zip(subject.prober.probes.iter().skip(1));
    let quiet = pairs.filter(|(_, later)| later.segment.run > 1);
    let next = |one: &ProbeRecord, later: &ProbeRecord| {
        one.segment.ip_id.zip(later.segment.ip_id).is_some_and(|(one, later)| later == one.wrapping_add(1))
    };
    let (mut counted, mut following) = (0_u32, 0_u32);
    for (one, later) in quiet {
        counted += 1;
        following += u32::from(next(one, later));
    }
    match stack.probe.ip_id.trusted() {
        Some(IpId::NextOfConnection) if constant || following < counted => DOUBTFUL,
        Some(IpId::Random) if constant || (counted > 1 && following == counted) => UNLIKELY,
        _ => 1.0,
    }
}

/// The TTL that a packet left with: hosts begin with one of few.
fn left_with(ttl: u8) -> u8 {
    [32, 64, 128].into_iter().find(|start| ttl <= *start).unwrap_or(255)
}

fn time_to_live(stack: &Stack, subject: &Subject<'_>) -> f64 {
    let Some(ttl) = probes(subject).map(|probe| left_with(probe.segment.ttl)).next() else { return 1.0 };
    let is_windows = stack.name.starts_with("windows");
    match stack.probe.ttl.value {
        Some(TimeToLive::System64 | TimeToLive::Socket64) if ttl != 64 => DOUBTFUL,
        // Believed, and so worth little.
        None if is_windows && ttl != 128 => DOUBTFUL,
        _ => 1.0,
    }
}

/// The RST with which it gave up, and after how many probes.
fn end(stack: &Stack, subject: &Subject<'_>, given_up_after: Option<u32>) -> f64 {
    if !subject.gave_up() {
        return 1.0;
    }
    let never = matches!(stack.giving_up.rule.trusted(), Some(GiveUp::Never | GiveUp::ReportsOnly));
    if never || stack.giving_up.reset.trusted() == Some(Reset::Nothing) {
        return 0.0;
    }
    let by_user_timeout = stack.giving_up.rule.trusted() == Some(GiveUp::UserTimeoutOnly);
    let default = stack.timing.count.value.and_then(|amount| amount.get());
    let fixed = stack.option(Role::Count).is_none() && stack.options.status != Status::Unverified;
    let counts = matches!(stack.giving_up.rule.value, Some(GiveUp::Counted { .. } | GiveUp::Elapsed { .. }));
    let differs = given_up_after.is_some() && default != given_up_after;
    if by_user_timeout || (fixed && counts && differs) { UNLIKELY } else { 1.0 }
}

/// How it answered the probes of its peer.
fn answers(stack: &Stack, subject: &Subject<'_>) -> f64 {
    let octets = subject.other.probes.iter().filter(|probe| probe.segment.octets == 1);
    let dsack = octets.filter_map(|probe| probe.answer).any(|answer| answer.dsack);
    if dsack && stack.responder.dsack.trusted() == Some(false) { UNLIKELY } else { 1.0 }
}
