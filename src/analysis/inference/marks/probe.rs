//! Marks of the probes themselves: payload, header fields, options.

use super::{Mark, Seen, Worth, against};
use crate::analysis::inference::observe::Subject;
use crate::analysis::prober::ProbeRecord;
use crate::frame::FrameId;
use crate::stack::Stack;
use crate::stack::value::{
    AckRule, DontFragment, IpId, OctetValue, Outstanding, ProbeFlags, ProbeOptions, SeqRule, TimeToLive,
    WindowField,
};
use crate::track::event::SynOffer;

/// An identification that is no more above the one before is still one of a counter.
const COUNTS_ON: u16 = 64;

/// The shift count that Windows offers.
const SHIFT_OF_WINDOWS: u8 = 8;

/// Adds the marks of the probes of one side to those `found` so far.
pub(super) fn marks(subject: &Subject<'_>, found: &mut Vec<Mark>) {
    let all = [
        payload,
        octet,
        flags,
        acknowledgment,
        outstanding,
        timestamps,
        window,
        identification,
        dont_fragment,
        time_to_live,
        syn,
        peer_probes,
    ];
    found.extend(all.into_iter().filter_map(|mark| mark(subject)));
}

fn probes<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a ProbeRecord> + Clone + use<'a> {
    subject.prober.probes.iter()
}

fn frames<'a>(probes: impl IntoIterator<Item = &'a ProbeRecord>) -> impl Iterator<Item = FrameId> {
    probes.into_iter().map(|probe| probe.segment.at.frame)
}

/// 4.2BSD did not answer empty probes, so some stacks can be told to acknowledge an octet less and send one.
fn speaks_to_42bsd(stack: &Stack) -> bool {
    stack.name == "netbsd"
}

fn payload(subject: &Subject<'_>) -> Option<Mark> {
    let empty = probes(subject).any(|probe| probe.segment.octets == 0);
    let filled = probes(subject).find(|probe| probe.segment.octets == 1);
    let seen = match (empty, filled) {
        (true, None) => "0 octets",
        (false, Some(_)) => "1 octet",
        _ => "0 and 1 octets",
    };
    let shown = frames(probes(subject).take(1).chain(filled.filter(|_| empty)));
    let lags = lags(subject) == Some(1);
    Some(Mark::new("payload", seen, shown, |stack| {
        let fits = |octets: u8| if octets == 0 { filled.is_none() } else { !empty };
        let told_to = lags && speaks_to_42bsd(stack);
        let otherwise = if told_to { Worth::Doubtful } else { Worth::Refutes };
        against(stack.probe.octets, fits, otherwise)
    }))
}

/// What the octet holds.
fn octet(subject: &Subject<'_>) -> Option<Mark> {
    let mut octets = probes(subject).filter_map(|probe| probe.segment.octet);
    let first = octets.next()?;
    let same = octets.all(|octet| octet == first);
    let seen = if same { format!("0x{first:02x}").into() } else { Seen::from("not always the same") };
    let shown = frames(probes(subject).filter(|probe| probe.segment.octet.is_some()));
    Some(Mark::new("octet", seen, shown, |stack| {
        let fits = |value: OctetValue| match value {
            OctetValue::Zero => same && first == 0,
            OctetValue::Random => !same,
            OctetValue::NotSent => false,
        };
        // Those that send none have been refuted by the payload.
        let sends = stack.probe.octet_value.value != Some(OctetValue::NotSent);
        against(stack.probe.octet_value, fits, Worth::Unlikely).filter(|_| sends)
    }))
}

fn flags(subject: &Subject<'_>) -> Option<Mark> {
    let pushed = |probe: &&ProbeRecord| probe.segment.psh;
    let all = probes(subject).count();
    let pushes = probes(subject).filter(pushed).count();
    let (seen, chosen) = match pushes {
        0 => ("ACK", false),
        some if some == all => ("PSH|ACK", true),
        _ => ("ACK, and PSH|ACK now and then", true),
    };
    let shown = frames(probes(subject).filter(|probe| probe.segment.psh == chosen));
    Some(Mark::new("flags", seen, shown, |stack| {
        let fits = |flags: ProbeFlags| match flags {
            ProbeFlags::Ack => !chosen,
            ProbeFlags::PshAck => pushes == all,
        };
        against(stack.probe.flags, fits, Worth::Unlikely)
    }))
}

/// By how much the ACK field of every probe lies below RCV.NXT, if it is the same for all.
fn lags(subject: &Subject<'_>) -> Option<i64> {
    let first = probes(subject).find_map(|probe| probe.segment.ack_lag)?;
    probes(subject).filter_map(|probe| probe.segment.ack_lag).all(|lag| lag == first).then_some(first)
}

fn acknowledgment(subject: &Subject<'_>) -> Option<Mark> {
    let lag = lags(subject)?;
    let seen = match lag {
        0 => "RCV.NXT",
        1 => "RCV.NXT-1",
        // Something of the peer that did not reach the prober.
        _ => return None,
    };
    let shown = frames(probes(subject).filter(|probe| probe.segment.ack_lag.is_some()));
    Some(Mark::new("ack_field", seen, shown, |stack| {
        if lag == 1 && speaks_to_42bsd(stack) {
            return Some(Worth::Supports);
        }
        let fits = |rule: AckRule| (rule == AckRule::RcvNxt) == (lag == 0);
        // The peer's last octet may be lost on its way to the prober.
        against(stack.probe.ack, fits, Worth::Doubtful)
    }))
}

/// Probes that left with octets in flight, and where they stood.
fn outstanding(subject: &Subject<'_>) -> Option<Mark> {
    let one_way = subject.summary.side(subject.party.peer()).segments == 0;
    let mut during = probes(subject).filter(|probe| probe.segment.in_flight.is_some()).peekable();
    let first = during.peek().filter(|_| !one_way)?.segment.in_flight?;
    let place = if first.below_una { "SND.UNA-1" } else { "SND.NXT-1" };
    let seen = format!("a probe at {place} with {} octets in flight", first.octets);
    Some(Mark::new("data_in_flight", seen, frames(during), |stack| {
        let checks = stack.idle_clock.outstanding.trusted()?;
        if checks != Outstanding::NotChecked {
            return Some(Worth::Unlikely);
        }
        let fits = |rule: SeqRule| (rule == SeqRule::BelowSndUna) == first.below_una;
        against(stack.probe.seq, fits, Worth::Unlikely)
    }))
}

/// A frame that shows that timestamps were negotiated: one of the peer's that has them. Each side has them
/// only if both offered.
pub(super) fn negotiated(subject: &Subject<'_>) -> Option<Option<FrameId>> {
    let answers = probes(subject).filter(|probe| probe.is_answered_by_peer());
    let mut answers = answers.filter_map(|probe| probe.answer);
    let by_answer = answers.find(|answer| answer.timestamps.is_some()).map(|answer| answer.at.frame);
    let mut theirs = subject.other.probes.iter().filter(|probe| probe.segment.timestamps.is_some());
    let shown = by_answer.or_else(|| theirs.next().map(|probe| probe.segment.at.frame));
    let both = subject.summary.client.timestamps && subject.summary.server.timestamps;
    shown.map(Some).or_else(|| both.then_some(None))
}

/// Timestamps on the probes, against whether they were negotiated.
fn timestamps(subject: &Subject<'_>) -> Option<Mark> {
    let carried = probes(subject).find(|probe| probe.segment.timestamps.is_some());
    let negotiated = negotiated(subject);
    let (seen, probe, shows) = match (carried, negotiated) {
        (Some(probe), _) => ("carried", Some(probe), None),
        (None, Some(shows)) => ("missing, though negotiated", probes(subject).next(), shows),
        (None, None) => return None,
    };
    let shown = frames(probe).chain(shows);
    Some(Mark::new("timestamps", seen, shown, |stack| {
        let known = stack.probe.options.trusted();
        match (carried, known) {
            // Windows as a rule does not offer them.
            (Some(_), None) => stack.name.starts_with("windows").then_some(Worth::Doubtful),
            (Some(_), Some(ProbeOptions::Nothing)) => Some(Worth::Refutes),
            (Some(_), Some(_)) | (None, Some(ProbeOptions::Nothing)) => Some(Worth::Supports),
            // A box on the path may take them off.
            (None, Some(_)) => Some(Worth::Improbable),
            (None, None) => None,
        }
    }))
}

/// The window field against the one announced before.
fn window(subject: &Subject<'_>) -> Option<Mark> {
    let known = probes(subject).filter_map(|probe| Some((probe, probe.segment.window_before?)));
    let mut changed = known.filter(|(probe, before)| probe.segment.window != *before);
    let (probe, before) = changed.next()?;
    let now = probe.segment.window;
    let shift = subject.summary.side(subject.party).syn.and_then(|syn| syn.window_scale).unwrap_or(0);
    let unscaled = shift > 0 && before > 0 && (now >> shift == before || (now == u16::MAX && before < now));
    let note = if unscaled { ", as if not scaled" } else { "" };
    let seen = format!("{now} after {before}{note}");
    Some(Mark::new("window", seen, frames([probe]), |stack| match stack.probe.window.trusted()? {
        WindowField::LastAnnounced => Some(Worth::Doubtful),
        WindowField::Raw => unscaled.then_some(Worth::Supports),
        WindowField::Current | WindowField::CurrentScaled => unscaled.then_some(Worth::Doubtful),
    }))
}

/// How the IPv4 identifications of the probes follow from the packets before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    Constant(u16),
    Next,
    Rising,
    Unordered,
}

fn numbering(subject: &Subject<'_>) -> Option<Numbering> {
    let mut all = probes(subject).filter_map(|probe| probe.segment.ip_id);
    let first = all.next()?;
    let several = all.clone().next().is_some();
    if several && all.all(|id| id == first) {
        return Some(Numbering::Constant(first));
    }
    let ids = |probe: &ProbeRecord| probe.segment.ip_id.zip(probe.segment.ip_id_before);
    // A packet after one that was cut up by the network card is ahead by more than one.
    let mut steps = probes(subject).filter_map(ids).map(|(id, before)| id.wrapping_sub(before));
    steps.clone().next()?;
    if steps.clone().all(|step| step == 1) {
        return Some(Numbering::Next);
    }
    if steps.all(|step| (1..=COUNTS_ON).contains(&step)) {
        return Some(Numbering::Rising);
    }
    // With one only, zero may be a constant that was not seen twice.
    (several || first != 0).then_some(Numbering::Unordered)
}

fn identification(subject: &Subject<'_>) -> Option<Mark> {
    let numbering = numbering(subject)?;
    let seen = match numbering {
        Numbering::Constant(id) => format!("always {id}").into(),
        Numbering::Next => Seen::from("counting on"),
        Numbering::Rising => Seen::from("rising in small steps"),
        Numbering::Unordered => Seen::from("in no order"),
    };
    let several = probes(subject).count() > 1;
    let shown = frames(probes(subject));
    Some(Mark::new("ip_id", seen, shown, |stack| match (stack.probe.ip_id.trusted()?, numbering) {
        (IpId::NextOfConnection, Numbering::Next) => Some(Worth::Supports),
        (IpId::NextOfConnection, Numbering::Rising) => None,
        (IpId::NextOfConnection, _) => Some(Worth::Doubtful),
        (IpId::Random, Numbering::Unordered) => Some(Worth::Supports),
        (IpId::Random, Numbering::Constant(_)) => Some(Worth::Unlikely),
        (IpId::Random, _) => several.then_some(Worth::Unlikely),
        (IpId::OfTheSystem, _) => None,
    }))
}

/// The don't-fragment bit, and that of the packets with data.
fn dont_fragment(subject: &Subject<'_>) -> Option<Mark> {
    let over_ipv4 = probes(subject).filter(|probe| probe.segment.ip_id.is_some());
    let set = over_ipv4.clone().filter(|probe| probe.segment.dont_fragment).count();
    let all = over_ipv4.clone().count();
    if all == 0 || (set > 0 && set < all) {
        return None;
    }
    let data = subject.summary.side(subject.party).data_packets;
    let only_there = set == 0 && data.dont_fragment && !data.may_fragment;
    let seen = match (set > 0, only_there) {
        (true, _) => "set",
        (false, false) => "clear",
        (false, true) => "clear, though set where it sends data",
    };
    Some(Mark::new("dont_fragment", seen, frames(over_ipv4), |stack| {
        match stack.probe.dont_fragment.trusted()? {
            DontFragment::Set if set > 0 => Some(Worth::Supports),
            DontFragment::Set if only_there => Some(Worth::Unlikely),
            // Path MTU discovery can be turned off.
            DontFragment::Set => Some(Worth::Doubtful),
            DontFragment::Clear if set == 0 => Some(Worth::Supports),
            DontFragment::Clear => Some(Worth::Unlikely),
            DontFragment::WithPathMtuDiscovery => only_there.then_some(Worth::Unlikely),
        }
    }))
}

/// The TTL that a packet left with: hosts begin with one of few.
fn left_with(ttl: u8) -> u8 {
    [32, 64, 128].into_iter().find(|start| ttl <= *start).unwrap_or(255)
}

fn time_to_live(subject: &Subject<'_>) -> Option<Mark> {
    let probe = probes(subject).next()?;
    let ttl = left_with(probe.segment.ttl);
    let seen = Seen::TimeToLive(probe.segment.ttl, ttl);
    Some(Mark::new("ttl", seen, frames([probe]), |stack| match stack.probe.ttl.value {
        Some(TimeToLive::System64 | TimeToLive::Socket64) if ttl == 64 => Some(Worth::Supports),
        Some(TimeToLive::System64 | TimeToLive::Socket64) => Some(Worth::Doubtful),
        // Believed, and so worth little.
        None if stack.name.starts_with("windows") && ttl == 128 => Some(Worth::Supports),
        None if stack.name.starts_with("windows") => Some(Worth::Doubtful),
        _ => None,
    }))
}

/// What the SYN of a prober that opened the connection offered. An answering SYN offers what it was offered.
fn syn(subject: &Subject<'_>) -> Option<Mark> {
    let opens = subject.party == crate::track::event::Party::Client;
    let offer = subject.summary.side(subject.party).syn.filter(|_| opens)?;
    let SynOffer { timestamps, sack_permitted, window_scale } = offer;
    let like_windows = !timestamps && sack_permitted && window_scale == Some(SHIFT_OF_WINDOWS);
    let shown = [subject.summary.opened.first.frame];
    Some(Mark::new("syn", Seen::Offer(offer), shown, |stack| {
        (stack.name.starts_with("windows") && like_windows).then_some(Worth::Supports)
    }))
}

/// Whether empty probes of the peer put off its own.
fn peer_probes(subject: &Subject<'_>) -> Option<Mark> {
    use crate::stack::value::InboundProbes;
    let went_on = subject.not_put_off()?;
    Some(Mark::new("peer_probes", "empty ones do not put off its own", frames(went_on), |stack| {
        let fits = |rule: InboundProbes| rule != InboundProbes::Both;
        against(stack.idle_clock.reset_by_probes, fits, Worth::Unlikely)
    }))
}
