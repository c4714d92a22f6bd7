//! What became of a probed connection, with the evidence.
//!
//! Owns the verdict. Who sent a RST is judged as for captures ([`crate::analysis`]). Pure. Uses the story of the
//! connection beside its packets, since a system call knows what no packet shows.

use super::link::Story;
use crate::analysis::{ConnectionRecord, Origin, ProbeRecord, ResetOrigin};
use crate::frame::FrameId;
use crate::live::wire::{Ended, WireError};
use crate::segment::IcmpKind;
use crate::track::event::{AnswerKind, Mark, Party};

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// A RST ended it.
    Reset(Origin),
    /// A RST answered the SYN.
    Refused,
    /// ICMP errors came, or there is no way to the peer.
    Unreachable,
    /// Nothing came back.
    Silent,
    /// The peer closed its side in order.
    ClosedByPeer,
    /// What happened does not tell.
    Inconclusive,
    /// The last probe was answered by the peer.
    Alive,
}

impl State {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            State::Reset(Origin::Peer) => "reset_by_peer",
            State::Reset(Origin::Path) => "reset_on_path",
            State::Reset(Origin::Unknown) => "reset",
            State::Refused => "refused",
            State::Unreachable => "unreachable",
            State::Silent => "silent",
            State::ClosedByPeer => "closed_by_peer",
            State::Inconclusive => "inconclusive",
            State::Alive => "alive",
        }
    }

    /// Whether the connection can no longer be used.
    pub const fn is_dead(self) -> bool {
        !matches!(self, State::Inconclusive | State::Alive)
    }
}

/// An ICMP error and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// What it says.
    pub kind: IcmpKind,
    /// Who says it.
    pub reporter: std::net::IpAddr,
}

/// What became of a connection, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What became of it.
    pub state: State,
    /// The packets that show it, in order.
    pub evidence: Vec<FrameId>,
    /// One sentence that says what was seen.
    pub reason: String,
    /// The rule that makes this of it.
    pub rule: &'static str,
    /// The last packet of the peer before it.
    pub last_life: Option<Mark>,
    /// For a RST: who sent it, as far as its packet tells.
    pub origin: Option<ResetOrigin>,
    /// For an unreachable peer: the ICMP error, if one came.
    pub icmp: Option<Icmp>,
}

fn verdict(state: State, rule: &'static str, mut evidence: Vec<FrameId>, reason: String) -> Verdict {
    evidence.sort_unstable();
    evidence.dedup();
    Verdict { state, evidence, reason, rule, last_life: None, origin: None, icmp: None }
}

/// Draws the verdict from what happened and from the packets.
pub(super) fn judge(story: &Story, record: Option<&ConnectionRecord>, broken: Option<&WireError>) -> Verdict {
    let drawn = match (story.opened, record) {
        (None, record) => not_opened(story, record, broken),
        (Some(_), None) => verdict(
            State::Inconclusive,
            "what was not seen cannot be judged",
            vec![],
            "it was opened, but none of its packets were seen".to_owned(),
        ),
        (Some(_), Some(record)) => opened(story, record, broken),
    };
    Verdict { last_life: story.heard, ..drawn }
}

fn not_opened(story: &Story, record: Option<&ConnectionRecord>, broken: Option<&WireError>) -> Verdict {
    let syn = record.map(|record| record.opened.first.frame);
    if let Some(refusal) = &story.refusal {
        let icmp = Icmp { kind: refusal.error.kind, reporter: refusal.error.reporter };
        let frames = syn.into_iter().chain([refusal.at.frame]).collect();
        let reason = format!("{} in packet {} answered the SYN", said(icmp), refusal.at.frame);
        let rule = "an ICMP error that quotes the SYN says that it did not arrive";
        return Verdict { icmp: Some(icmp), ..verdict(State::Unreachable, rule, frames, reason) };
    }
    let frames: Vec<FrameId> = syn.into_iter().collect();
    match story.ended {
        Some(Ended::Refused | Ended::Reset) => {
            let reset = record.and_then(|record| record.summary.reset).map(|(_, at)| at.frame);
            let where_ = reset.map_or_else(String::new, |frame| format!(" in packet {frame}"));
            let frames = frames.into_iter().chain(reset).collect();
            let rule = "a RST answers a SYN where nothing listens, or where something on the path refuses";
            verdict(State::Refused, rule, frames, format!("a RST{where_} answered the SYN"))
        }
        Some(Ended::Unreachable) => {
            let rule = "the system knows no way to the peer";
            let reason = "the system says that the host or its network cannot be reached".to_owned();
            verdict(State::Unreachable, rule, frames, reason)
        }
        Some(Ended::TimedOut) => no_answer_to_syn(frames),
        None if story.not_opened => no_answer_to_syn(frames),
        Some(Ended::ClosedByPeer | Ended::Other(_)) | None => {
            let rule = "a connection that was not opened shows nothing of the peer";
            let reason = match (&story.send_error, story.ended, broken) {
                (Some(error), ..) => format!("it could not be opened: {error}"),
                (None, Some(Ended::Other(errno)), _) => {
                    format!("it could not be opened: {}", std::io::Error::from_raw_os_error(errno))
                }
                (None, _, Some(error)) => format!("it was not opened: {error}"),
                _ => "it was not opened before the end".to_owned(),
            };
            verdict(State::Inconclusive, rule, frames, reason)
        }
    }
}

fn no_answer_to_syn(frames: Vec<FrameId>) -> Verdict {
    let rule = "a host that is up answers a SYN by SYN,ACK or RST, unless something drops either";
    verdict(State::Silent, rule, frames, "nothing answered the SYN".to_owned())
}

fn said(icmp: Icmp) -> String {
    let Icmp { kind, reporter } = icmp;
    let v6 = reporter.is_ipv6();
    let what = match (kind, v6) {
        (IcmpKind::Unreachable(0), false) => "network unreachable".to_owned(),
        (IcmpKind::Unreachable(1), false) | (IcmpKind::Unreachable(3), true) => "host unreachable".to_owned(),
        (IcmpKind::Unreachable(3), false) | (IcmpKind::Unreachable(4), true) => "port unreachable".to_owned(),
        (IcmpKind::Unreachable(0), true) => "no route".to_owned(),
        (IcmpKind::Unreachable(9 | 10 | 13), false) | (IcmpKind::Unreachable(1), true) => {
            "administratively prohibited".to_owned()
        }
        (IcmpKind::Unreachable(code), _) => format!("destination unreachable, code {code}"),
        (IcmpKind::TimeExceeded(_), _) => "time exceeded".to_owned(),
        (IcmpKind::PacketTooBig, _) => "packet too big".to_owned(),
        (IcmpKind::ParameterProblem(_), _) => "parameter problem".to_owned(),
    };
    format!("ICMP{} {what} from {reporter}", if v6 { "v6" } else { "" })
}

/// Whether a packet came while it was not us who ended the connection. Once our FIN is out the peer may end it as
/// it likes.
fn before_our_end(mark: Mark, record: &ConnectionRecord) -> bool {
    record.summary.client.fin.is_none_or(|fin| mark.frame < fin.frame)
}

fn opened(story: &Story, record: &ConnectionRecord, broken: Option<&WireError>) -> Verdict {
    let summary = &record.summary;
    if let Some((by, at)) = summary.reset.filter(|(_, at)| before_our_end(*at, record)) {
        return reset(by, at, record);
    }
    if story.gave_up {
        return given_up(story, record);
    }
    if let Some(fin) = summary.server.fin.filter(|fin| before_our_end(*fin, record)) {
        let rule = "a FIN ends the peer's side in order";
        let reason = format!("the peer closed it by FIN in packet {}", fin.frame);
        return verdict(State::ClosedByPeer, rule, vec![fin.frame], reason);
    }
    match story.ended {
        Some(Ended::Reset | Ended::Refused) => {
            let rule = "the system says that a RST ended it";
            let reason = "a RST ended it, but that packet was not seen".to_owned();
            return verdict(State::Reset(Origin::Unknown), rule, vec![], reason);
        }
        Some(Ended::ClosedByPeer) => {
            let rule = "the system says that the peer closed its side";
            let reason = "the peer closed it, but its FIN was not seen".to_owned();
            return verdict(State::ClosedByPeer, rule, vec![], reason);
        }
        _ => {}
    }
    if story.not_learnt {
        let rule = "where a probe must stand is learnt from the handshake";
        let reason = "the packets of the handshake were not seen, so nothing could be probed".to_owned();
        return verdict(State::Inconclusive, rule, vec![], reason);
    }
    alive(story, record, broken)
}

fn reset(by: Party, at: Mark, record: &ConnectionRecord) -> Verdict {
    let judged = &record.verdict;
    if by == Party::Client {
        let rule = "a RST from this end says nothing of the peer";
        let reason = format!("a RST from our own address in packet {} ended it", at.frame);
        return verdict(State::Inconclusive, rule, vec![at.frame], reason);
    }
    let origin = judged.origin.clone();
    let (evidence, reason) = if judged.evidence.contains(&at.frame) {
        (judged.evidence.clone(), judged.reason.clone())
    } else {
        (vec![at.frame], format!("RST from the server's address in packet {}", at.frame))
    };
    let rule = "whose RST it is, its time to live, its round trip and its flags tell";
    let state = State::Reset(origin.as_ref().map_or(Origin::Unknown, |origin| origin.by));
    Verdict { origin, ..verdict(state, rule, evidence, reason) }
}

/// As many probes as were to be sent had no answer of the peer.
fn given_up(story: &Story, record: &ConnectionRecord) -> Verdict {
    let tail = record.client.unanswered_tail();
    let frames: Vec<FrameId> = tail
        .iter()
        .flat_map(|probe| std::iter::once(probe.segment.at).chain(probe.answer.map(|answer| answer.at)))
        .map(|mark| mark.frame)
        .collect();
    let count = probes(tail.len());
    let doubt =
        story.interface_lost.as_ref().map(|(name, _)| format!("{name} was lost meanwhile")).or_else(|| {
            story.send_error.as_ref().map(|error| format!("this system did not let all of them out: {error}"))
        });
    if let Some(doubt) = doubt {
        let rule = "silence tells nothing while this end cannot send or hear";
        let what = match tail.len() {
            0 => "none of the last probes was seen to leave".to_owned(),
            _ => format!("{count} had no answer"),
        };
        let reason = format!("{what}, but {doubt}");
        return verdict(State::Inconclusive, rule, frames, reason);
    }
    if tail.is_empty() {
        let rule = "probes that were not seen to leave show nothing";
        let reason = "none of the probes were seen to leave".to_owned();
        return verdict(State::Inconclusive, rule, frames, reason);
    }
    if let Some((icmp, at)) = tail.iter().rev().find_map(icmp_answer) {
        let met = tail.iter().filter(|probe| probe.answer.is_some()).count();
        let reason =
            format!("{count}, {met} of them answered by {}, last in packet {}", said(icmp), at.frame);
        let rule = "ICMP errors that quote the probes say that they did not arrive";
        return Verdict { icmp: Some(icmp), ..verdict(State::Unreachable, rule, frames, reason) };
    }
    let since = story
        .heard
        .map_or_else(String::new, |life| format!("; last heard in packet {} at {}", life.frame, life.time));
    let rule = "an end that is there answers each probe; as many as were to be sent went unanswered";
    verdict(State::Silent, rule, frames, format!("{count} without an answer{since}"))
}

fn icmp_answer(probe: &ProbeRecord) -> Option<(Icmp, Mark)> {
    let answer = probe.answer?;
    match answer.kind {
        AnswerKind::Icmp(kind) => Some((Icmp { kind, reporter: answer.reporter? }, answer.at)),
        _ => None,
    }
}

fn alive(story: &Story, record: &ConnectionRecord, broken: Option<&WireError>) -> Verdict {
    let answered = record.client.probes.iter().rev().find(|probe| probe.is_answered_by_peer());
    let last = answered.and_then(|probe| probe.answer.map(|answer| (probe, answer)));
    let waits = record.client.unanswered_tail().len();
    let cut_short = story.interrupted || broken.is_some();
    if let Some((probe, answer)) = last
        && (waits == 0 || !cut_short)
    {
        let rule =
            "what acknowledges SND.NXT holds the connection: the peer, or a proxy that ends it in its place";
        let (sent, got) = (probe.segment.at.frame, answer.at.frame);
        let reason = format!("the probe in packet {sent} was answered in packet {got}");
        return verdict(State::Alive, rule, vec![sent, got], reason);
    }
    // The handshake alone shows nothing of what came after it.
    let heard = story.heard.filter(|life| story.opened.is_some_and(|opened| life.time > opened));
    if let (true, Some(life), false) = (record.client.probes.is_empty(), heard, cut_short) {
        let rule = "what the peer sends shows it as well as an answer";
        let reason =
            format!("it never fell silent so long that a probe was due; last heard in packet {}", life.frame);
        return verdict(State::Alive, rule, vec![life.frame], reason);
    }
    let why = match broken {
        Some(error) => format!("it ended early ({error})"),
        None if story.interrupted => "it was stopped".to_owned(),
        None => "it came to its end".to_owned(),
    };
    let reason = if waits > 0 {
        format!("{why} while {} waited for an answer", probes(waits))
    } else {
        format!("{why} before a probe was answered")
    };
    let frames = record.client.unanswered_tail().iter().map(|probe| probe.segment.at.frame).collect();
    verdict(State::Inconclusive, "too little was seen", frames, reason)
}

fn probes(count: usize) -> String {
    if count == 1 { "1 probe".to_owned() } else { format!("{count} probes") }
}
