//! What TCP stack the peer may be, from how it answers probes of both kinds.
//!
//! Owns the signs and the guess. It is a guess: what answers may be a middlebox or a proxy, and stacks copy each
//! other's habits. Pure. Uses [`crate::analysis`] (the probes with their answers) and [`super::Terms`].

use super::Terms;
use super::plan::{Octets, Order};
use crate::analysis::{ConnectionRecord, ProbeRecord};
use crate::frame::FrameId;
use crate::time::Span;

/// Linux answers probes without data at most once in this time (`net.ipv4.tcp_invalid_ratelimit`).
const LIMIT: Span = Span::from_millis(500);

const OTHER: &str = "a stack other than Linux, such as that of a BSD, macOS or Windows";

/// How much a sign is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worth {
    /// Many stacks share it.
    Weak,
    /// Few stacks share it.
    Fair,
    /// One stack is known to do it.
    Strong,
}

impl Worth {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Worth::Weak => "weak",
            Worth::Fair => "fair",
            Worth::Strong => "strong",
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignKind {
    /// Whether probes without data are answered.
    EmptyProbes,
    /// Whether a D-SACK reports the octet.
    Dsack,
    /// Whether answers to probes without data are limited.
    Limit,
    /// What answers echo in their timestamps.
    Echo,
    /// From which time to live its packets seem to have set out.
    TimeToLive,
}

impl SignKind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            SignKind::EmptyProbes => "zero_length_probes",
            SignKind::Dsack => "dsack",
            SignKind::Limit => "answer_limit",
            SignKind::Echo => "timestamp_echo",
            SignKind::TimeToLive => "ttl",
        }
    }
}

/// One sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What was looked at.
    pub kind: SignKind,
    /// What was seen, and what it speaks for.
    pub text: String,
    /// How much it is worth.
    pub worth: Worth,
    /// Whether it speaks for Linux; absent where it speaks neither way.
    pub linux: Option<bool>,
    /// The packets that show it.
    pub evidence: Vec<FrameId>,
}

/// What the peer may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// A stack or a family of them.
    pub stack: &'static str,
    /// How well the signs bear it.
    pub worth: Worth,
    /// The signs, strongest first.
    pub signs: Vec<Sign>,
}

impl Guess {
    /// It as a sentence that says how much it is worth.
    pub fn sentence(&self) -> String {
        let how = match self.worth {
            Worth::Strong => "answers as only",
            Worth::Fair => "answers much as",
            Worth::Weak => "may be",
        };
        match self.worth {
            Worth::Strong => format!("{how} {} is known to", self.stack),
            Worth::Fair => format!("{how} {} does", self.stack),
            Worth::Weak => format!("{how} {}", self.stack),
        }
    }
}

/// Guesses from a connection that was probed both ways; nothing where it was not, or where nothing was answered.
pub(super) fn guess(order: &Order, record: Option<&ConnectionRecord>, terms: Option<Terms>) -> Option<Guess> {
    let (record, terms) = (record.filter(|_| order.octets == Octets::Both)?, terms?);
    let probes = &record.client.probes;
    let answered = |octets: u8| {
        let of_kind = probes.iter().filter(move |probe| probe.segment.octets == octets);
        of_kind.filter(|probe| probe.is_answered_by_peer()).count()
    };
    let (empty, octet) = (answered(0), answered(1));
    if empty + octet == 0 {
        return None;
    }
    let mut signs: Vec<Sign> =
        [empty_probes(probes, empty, octet), dsack(probes, terms), limit(probes), echo(probes), ttl(record)]
            .into_iter()
            .flatten()
            .collect();
    signs.sort_by_key(|sign| std::cmp::Reverse(sign.worth));
    let votes =
        |linux: bool| signs.iter().filter(|sign| sign.linux == Some(linux)).map(|sign| sign.worth).max();
    let (stack, worth) = if empty == 0 {
        ("a uIP-class embedded stack, which ignores probes without data", Worth::Fair)
    } else {
        match (votes(true), votes(false)) {
            (Some(worth), None) => ("Linux", worth),
            (None, Some(_)) => (OTHER, Worth::Weak),
            (Some(yes), Some(no)) if yes > no => ("Linux", Worth::Weak),
            (Some(yes), Some(no)) if yes < no => (OTHER, Worth::Weak),
            _ => ("one of many: the signs do not tell", Worth::Weak),
        }
    };
    Some(Guess { stack, worth, signs })
}

fn frames<'a>(probes: impl Iterator<Item = &'a ProbeRecord>) -> Vec<FrameId> {
    probes
        .flat_map(|probe| {
            std::iter::once(probe.segment.at.frame).chain(probe.answer.map(|answer| answer.at.frame))
        })
        .collect()
}

/// uIP takes no notice of a segment without data that is below its window.
fn empty_probes(probes: &[ProbeRecord], empty: usize, octet: usize) -> Option<Sign> {
    let sent = probes.iter().filter(|probe| probe.segment.octets == 0).count();
    if empty > 0 || octet == 0 || sent == 0 {
        return None;
    }
    Some(Sign {
        kind: SignKind::EmptyProbes,
        text: format!("none of {sent} probes without data was answered, {octet} with an octet were"),
        worth: if sent > 1 { Worth::Fair } else { Worth::Weak },
        linux: Some(false),
        evidence: frames(probes.iter()),
    })
}

/// Of the stacks whose source was read only Linux reports one octet below its window by D-SACK.
fn dsack(probes: &[ProbeRecord], terms: Terms) -> Option<Sign> {
    let octets = || {
        let of_kind = probes.iter().filter(|probe| probe.segment.octets == 1);
        of_kind.filter(|probe| probe.is_answered_by_peer())
    };
    let all = octets().count();
    let reported = octets().filter(|probe| probe.answer.is_some_and(|answer| answer.dsack)).count();
    if all == 0 || !terms.sack {
        return None;
    }
    let evidence = frames(octets());
    let kind = SignKind::Dsack;
    Some(if reported == all {
        let text = format!("a D-SACK reported the octet in each of {all} answers, as Linux does");
        Sign { kind, text, worth: Worth::Strong, linux: Some(true), evidence }
    } else if reported == 0 {
        let text =
            format!("none of {all} answers reported the octet by D-SACK although SACK is on, as Linux would");
        Sign { kind, text, worth: Worth::Fair, linux: Some(false), evidence }
    } else {
        let text = format!("{reported} of {all} answers reported the octet by D-SACK");
        Sign { kind, text, worth: Worth::Weak, linux: None, evidence }
    })
}

/// Pairs of probes with the same octets in quick succession, the first of each answered.
fn pairs(probes: &[ProbeRecord], octets: u8) -> impl Iterator<Item = (&ProbeRecord, &ProbeRecord)> {
    probes.iter().zip(probes.iter().skip(1)).filter(move |(first, second)| {
        let same = first.segment.octets == octets && second.segment.octets == octets;
        let gap = second.segment.at.time.since(first.segment.at.time);
        same && gap < LIMIT && first.is_answered_by_peer()
    })
}

/// Linux leaves the second of two quick probes without data unanswered, and answers both with an octet.
fn limit(probes: &[ProbeRecord]) -> Option<Sign> {
    let seconds = |octets: u8| {
        let answered = pairs(probes, octets).filter(|(_, second)| second.is_answered_by_peer()).count();
        (pairs(probes, octets).count(), answered)
    };
    let ((empty, empty_answered), (octet, octet_answered)) = (seconds(0), seconds(1));
    if empty == 0 {
        return None;
    }
    let evidence = frames(pairs(probes, 0).chain(pairs(probes, 1)).flat_map(|(one, two)| [one, two]));
    let kind = SignKind::Limit;
    Some(if empty_answered == 0 && octet > 0 && octet_answered == octet {
        let text = format!(
            "of {empty} pairs of probes without data less than 500 ms apart the second was not answered, of {octet} \
             with an octet it was: the limit of Linux (gVisor has one too)"
        );
        Sign {
            kind,
            text,
            worth: if empty > 1 { Worth::Fair } else { Worth::Weak },
            linux: Some(true),
            evidence,
        }
    } else if empty_answered == empty {
        let text = format!(
            "of {empty} pairs of probes without data less than 500 ms apart both were answered: no limit as Linux has \
             it by default"
        );
        Sign { kind, text, worth: Worth::Fair, linux: Some(false), evidence }
    } else {
        let text = "answers to quick probes came now and then, which loss explains as well".to_owned();
        Sign { kind, text, worth: Worth::Weak, linux: None, evidence }
    })
}

/// Linux takes the TSval of a probe with an octet and not that of one without, and so echoes an older one to that.
/// So may any stack that looks at the end of a segment, where the rule of RFC 7323 §4.3 looks at its beginning.
fn echo(probes: &[ProbeRecord]) -> Option<Sign> {
    let own = |octets: u8| {
        let stamps = probes.iter().filter(move |probe| probe.segment.octets == octets).filter_map(|probe| {
            let answer = probe.answer?.timestamps?;
            Some((probe, answer.echo == probe.segment.timestamps?.value))
        });
        stamps.collect::<Vec<_>>()
    };
    let (empty, octet) = (own(0), own(1));
    if empty.is_empty() || octet.is_empty() {
        return None;
    }
    let older = empty.iter().filter(|(_, own)| !own).count();
    let taken = octet.iter().filter(|(_, own)| *own).count();
    let evidence = frames(empty.iter().chain(&octet).map(|(probe, _)| *probe));
    let kind = SignKind::Echo;
    Some(if older == empty.len() && taken == octet.len() {
        let text = "answers echo the TSval of a probe with an octet but an older one to a probe without, as Linux does"
            .to_owned();
        Sign { kind, text, worth: Worth::Weak, linux: Some(true), evidence }
    } else if older == 0 {
        let text = "answers echo the TSval of probes without data, which Linux does not".to_owned();
        Sign { kind, text, worth: Worth::Fair, linux: Some(false), evidence }
    } else {
        let text = "what answers echo follows no rule that is known here".to_owned();
        Sign { kind, text, worth: Worth::Weak, linux: None, evidence }
    })
}

/// Hosts set out with 64, 128 or 255, and paths are hardly ever longer than 32 hops.
fn ttl(record: &ConnectionRecord) -> Option<Sign> {
    let (_, highest) = record.summary.server.ttl?;
    let (start, whose, linux) = match highest {
        33..=64 => (64, "Linux, the BSDs and macOS", None),
        97..=128 => (128, "Windows", Some(false)),
        224..=255 => (255, "Solaris and network devices", Some(false)),
        _ => return None,
    };
    let text = format!(
        "TTL {highest}, {} below the {start} with which {whose} set out by default",
        start - u16::from(highest)
    );
    Some(Sign {
        kind: SignKind::TimeToLive,
        text,
        worth: Worth::Weak,
        linux,
        evidence: vec![record.summary.server.last?.frame],
    })
}
