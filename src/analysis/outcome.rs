//! What became of a connection, as far as its packets show.

use super::prober::{ProbeRecord, ProberRecord};
use super::reset::ResetOrigin;
use crate::frame::FrameId;
use crate::time::{Span, Timestamp};
use crate::track::event::{Answer, Mark, Party, ResetMarks, Summary};

/// A probe this close to the end of the capture may still be answered, unless round trips are longer.
const MAY_STILL_ANSWER: Span = Span::from_secs(1);

/// Octets, or a FIN, sent again this often with nothing back have no answer. The first retransmission may
/// have made good a loss, and its own answer may still be on its way; the second came only after the first had
/// waited for longer than a round trip (RFC 6298 §5.5).
const REPEATED_IN_VAIN: u32 = 2;

/// What became of a connection, most troubled first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The prober gave up: probes without an answer, then its RST.
    TimedOut,
    /// A RST ended it, by the other end or by something on the path, before it was closed from both ends.
    Reset,
    /// The last probes, or octets sent several times, had no answer when the capture ended.
    Unanswered,
    /// The packets do not tell.
    Inconclusive,
    /// The last probe was answered.
    Alive,
    /// Ended in order, by FIN.
    Closed,
    /// Nobody probed.
    NoKeepalive,
}

impl Outcome {
    /// All of them, most troubled first.
    pub const ALL: [Outcome; 7] = [
        Outcome::TimedOut,
        Outcome::Reset,
        Outcome::Unanswered,
        Outcome::Inconclusive,
        Outcome::Alive,
        Outcome::Closed,
        Outcome::NoKeepalive,
    ];

    /// The name used in output and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::TimedOut => "timed_out",
            Outcome::Reset => "reset",
            Outcome::Unanswered => "unanswered",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Alive => "alive",
            Outcome::Closed => "closed",
            Outcome::NoKeepalive => "no_keepalive",
        }
    }
}

/// An outcome with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What became of the connection.
    pub outcome: Outcome,
    /// The frames that show it, in order.
    pub evidence: Vec<FrameId>,
    /// One sentence that says why.
    pub reason: String,
    /// The last frame that showed the probed end alive, if any did.
    pub last_life: Option<Mark>,
    /// For a RST that no prober sent to give up: who sent it, as far as its packet tells.
    pub origin: Option<ResetOrigin>,
}

/// Draws the outcome from the probes and the totals.
pub(super) fn judge(
    client: &ProberRecord,
    server: &ProberRecord,
    summary: &Summary,
    marks: Option<ResetMarks>,
) -> Verdict {
    let sides = [
        Side { party: Party::Client, prober: client, of_peer: server, summary },
        Side { party: Party::Server, prober: server, of_peer: client, summary },
    ];
    let probing: Vec<&Side<'_>> = sides.iter().filter(|side| !side.prober.probes.is_empty()).collect();
    let Some(latest) = probing.iter().max_by_key(|side| side.last_probe_time()) else {
        return verdict(Outcome::NoKeepalive, vec![], "no keepalive was seen".to_owned(), None);
    };
    if let Some((by, at)) = summary.reset {
        return reset(&sides, &probing, by, at, marks);
    }
    let silent = probing.iter().find(|side| !side.silent_tail().is_empty());
    if silent.is_none_or(|side| side.is_too_fresh(side.silent_tail()))
        && let Some(unanswered) = sides.iter().find_map(Side::repeats_in_vain)
    {
        return unanswered;
    }
    if let Some(closed) = closed(&probing, summary) {
        return closed;
    }
    if let Some(silent) = silent {
        return silent.unanswered();
    }
    latest.alive()
}

fn verdict(outcome: Outcome, mut evidence: Vec<FrameId>, reason: String, last_life: Option<Mark>) -> Verdict {
    evidence.sort_unstable();
    evidence.dedup();
    Verdict { outcome, evidence, reason, last_life, origin: None }
}

/// One side as a prober.
struct Side<'a> {
    party: Party,
    prober: &'a ProberRecord,
    /// What the other side probed.
    of_peer: &'a ProberRecord,
    summary: &'a Summary,
}

impl<'a> Side<'a> {
    fn last_probe_time(&self) -> Option<Timestamp> {
        self.prober.probes.last().map(|probe| probe.segment.at.time)
    }

    /// The last segment of the probed end.
    fn last_life(&self) -> Option<Mark> {
        self.summary.side(self.party.peer()).last
    }

    fn last_answer(&self) -> Option<(&'a ProbeRecord, Answer)> {
        let probe = self.prober.probes.iter().rfind(|probe| probe.is_answered_by_peer())?;
        probe.answer.map(|answer| (probe, answer))
    }

    /// The probes at the end after which nothing came from the peer, not even on its own account.
    fn silent_tail(&self) -> &'a [ProbeRecord] {
        self.silent_since(self.last_life().map(|life| life.time))
    }

    /// The same where the last segment of the peer that counts came at this time.
    fn silent_since(&self, life: Option<Timestamp>) -> &'a [ProbeRecord] {
        let tail = self.prober.unanswered_tail();
        let heard = |probe: &ProbeRecord| life.is_some_and(|life| life > probe.segment.at.time);
        let first = tail.iter().rposition(heard).map_or(0, |index| index + 1);
        tail.get(first..).unwrap_or_default()
    }

    /// The probes at the end that went on as if nothing came back, up to a RST in the same step, although
    /// answers were captured: a prober that hears its peer waits for the idle time again, which is longer.
    fn deaf_tail(&self, reset: Mark) -> Option<&'a [ProbeRecord]> {
        let probes = &self.prober.probes;
        let last = probes.last()?;
        let step = reset.time.since(last.segment.at.time);
        let gap = |index: usize| {
            let before = probes.get(index.checked_sub(1)?)?;
            Some(probes.get(index)?.segment.at.time.since(before.segment.at.time))
        };
        let mut first = probes.len() - 1;
        while gap(first).is_some_and(|gap| is_near(gap, step)) {
            first -= 1;
        }
        let tail = probes.get(first..)?;
        let idle = tail.first()?.segment.quiet?;
        let answered = tail.iter().any(ProbeRecord::is_answered_by_peer);
        (answered && tail.len() > 1 && idle.times(2) > step.times(3)).then_some(tail)
    }

    /// The probes of its last run with nothing of the peer among them but empty probes, and their step, if they
    /// were sent at even steps. Linux takes an empty probe for no sign of life: its SEQ lies outside of the
    /// window, so it is dropped before it counts (`tcp_validate_incoming`).
    fn even_run(&self) -> Option<(&'a [ProbeRecord], Span)> {
        let tail = self.prober.unanswered_tail();
        let run = usize::try_from(tail.last()?.segment.run).ok()?;
        let tail = tail.get(tail.len().checked_sub(run)?..)?;
        let gaps = tail.iter().zip(tail.iter().skip(1));
        let gaps = gaps.map(|(one, next)| next.segment.at.time.since(one.segment.at.time));
        let step = gaps.clone().next_back()?;
        gaps.clone().all(|gap| is_near(gap, step)).then_some((tail, step))
    }

    /// Whether the last of the peer, at this time, is an empty probe or came before this probe.
    fn heard_only_probes_since(&self, last: &ProbeRecord, heard: Option<Timestamp>) -> bool {
        heard.is_none_or(|heard| {
            let is_probe = |probe: &ProbeRecord| probe.segment.at.time == heard && probe.segment.octets == 0;
            heard <= last.segment.at.time || self.of_peer.probes.iter().any(is_probe)
        })
    }

    /// The verdict if a RST is its own at the end of probes that it had no answer to. Where probes of the peer
    /// were in between, only if it was not prompted and comes in step.
    fn gave_up(&self, ending: Ending) -> Option<Verdict> {
        let Ending { reset, heard, prompted } = ending;
        let shown = |tail: &[ProbeRecord], reason, life| {
            let mut frames: Vec<FrameId> = tail.iter().flat_map(evidence_of).collect();
            frames.push(reset.frame);
            verdict(Outcome::TimedOut, frames, reason, life)
        };
        let then = format!("then RST by the {} in frame {}", self.party.name(), reset.frame);
        let silent = self.silent_since(heard);
        if let Some((run, step)) = self.even_run()
            && let Some(last) = run.last()
            && !prompted
            && run.len() > silent.len()
            && self.heard_only_probes_since(last, heard)
            && is_near(reset.time.since(last.segment.at.time), step)
        {
            let count = without_answer(run);
            let reason = format!("{count}, while the {}'s own came, {then}", self.party.peer().name());
            return Some(shown(run, reason, self.last_life()));
        }
        if !silent.is_empty() && gives_up_in_step(silent, reset) {
            return Some(shown(silent, format!("{}, {then}", without_answer(silent)), self.last_life()));
        }
        let deaf = self.deaf_tail(reset)?;
        let reason = format!(
            "the {} reset in frame {} in step with {} that were answered here: it did not get the answers",
            self.party.name(),
            reset.frame,
            probes(deaf.len())
        );
        Some(shown(deaf, reason, None))
    }

    /// The probes after which it may have given up before it answered a probe of its peer by this RST:
    /// no other followed them when the next was due, and it answered nothing in between. The RST by which it
    /// gave up is not in the capture.
    fn had_given_up(&self, ending: Ending) -> Option<&'a [ProbeRecord]> {
        let (run, step) = self.even_run()?;
        let last = run.last()?.segment.at.time;
        let due = last.plus(step);
        let late = ending.reset.time > due && !is_near(ending.reset.time.since(last), step);
        let answers = self.of_peer.probes.iter().filter_map(|probe| probe.answer);
        let mut answers = answers.filter(|answer| answer.at.frame != ending.reset.frame);
        (ending.prompted
            && late
            && !answers.any(|answer| answer.at.time > due && answer.at.time < ending.reset.time))
        .then_some(run)
    }

    /// Whether the only probe without an answer was sent so late that its answer may not have come yet.
    fn is_too_fresh(&self, tail: &[ProbeRecord]) -> bool {
        let [only] = tail else { return false };
        let longest = self.prober.round_trip_range().map_or(Span::ZERO, |(_, longest)| longest);
        let waited = self.summary.seen_until.since(only.segment.at.time);
        waited < longest.times(4).max(MAY_STILL_ANSWER)
    }

    fn unanswered(&self) -> Verdict {
        let tail = self.silent_tail();
        let frames: Vec<FrameId> = tail.iter().flat_map(evidence_of).collect();
        let life = self.last_life();
        if self.summary.side(self.party.peer()).segments == 0 {
            let reason = "only the prober's direction was captured".to_owned();
            return verdict(Outcome::Inconclusive, frames, reason, None);
        }
        if self.is_too_fresh(tail) {
            if self.last_answer().is_some() {
                return self.alive();
            }
            let reason = "the capture ends right after the only probe".to_owned();
            return verdict(Outcome::Inconclusive, frames, reason, life);
        }
        let since = life.map_or(String::new(), |mark| format!(", last heard in frame {}", mark.frame));
        let reason = format!("{} when the capture ends{since}", without_answer(tail));
        verdict(Outcome::Unanswered, frames, reason, life)
    }

    /// The verdict if its last octets, or its FIN, were sent again and again and nothing came back. Where
    /// packets are missing from the capture an answer may be among them; where both ends sent their FIN the
    /// connection is over, whoever has not heard so.
    fn repeats_in_vain(&self) -> Option<Verdict> {
        let (own, peer) = (self.summary.side(self.party), self.summary.side(self.party.peer()));
        let life = peer.last?;
        let repeated = own.repeated?;
        let missing = own.octets_missing || peer.octets_missing;
        let over = own.fin.is_some() && peer.fin.is_some();
        if missing || over || repeated.times < REPEATED_IN_VAIN || !repeated.is_unheard(Some(life)) {
            return None;
        }
        let reason = format!(
            "data, not probes: the {} sent the same octets again {} times, in frames {} to {}, without an \
             answer when the capture ends, last heard in frame {}",
            self.party.name(),
            repeated.times,
            repeated.first.frame,
            repeated.last.frame,
            life.frame
        );
        let frames = vec![repeated.first.frame, repeated.last.frame];
        Some(verdict(Outcome::Unanswered, frames, reason, Some(life)))
    }

    fn alive(&self) -> Verdict {
        let life = self.last_life();
        if let Some((probe, answer)) = self.last_answer() {
            let reason = format!("last answer in frame {}", answer.at.frame);
            return verdict(Outcome::Alive, vec![probe.segment.at.frame, answer.at.frame], reason, life);
        }
        match life {
            Some(mark) if self.prober.probes.iter().any(|probe| probe.segment.at.time < mark.time) => {
                let reason = format!("no probe was answered, but the peer sent frame {}", mark.frame);
                verdict(Outcome::Alive, vec![mark.frame], reason, life)
            }
            _ => {
                let frames = self.prober.probes.iter().map(|probe| probe.segment.at.frame).collect();
                verdict(Outcome::Inconclusive, frames, "nothing shows the peer".to_owned(), life)
            }
        }
    }
}

/// A RST, as it bears on whether its sender gave up by it.
#[derive(Clone, Copy)]
struct Ending {
    reset: Mark,
    /// When the last segment of the other side came before it: others may have come after.
    heard: Option<Timestamp>,
    /// It answers a probe and does not acknowledge, as the RST of a host without the connection.
    prompted: bool,
}

/// Whether a gap is one of steps that are even but for jitter and a coarse clock.
fn is_near(gap: Span, step: Span) -> bool {
    gap.times(20) >= step.times(17) && gap.times(20) <= step.times(23)
}

fn probes(count: usize) -> String {
    if count == 1 { "1 probe".to_owned() } else { format!("{count} probes") }
}

/// How many probes the peer did not answer, and how many of them something on the path refused.
fn without_answer(tail: &[ProbeRecord]) -> String {
    let refused = tail.iter().filter(|probe| probe.answer.is_some()).count();
    let by_path = match refused {
        0 => String::new(),
        some if some == tail.len() => " but ICMP errors".to_owned(),
        some => format!(" ({some} met ICMP errors)"),
    };
    format!("{} without an answer{by_path}", probes(tail.len()))
}

fn evidence_of(probe: &ProbeRecord) -> impl Iterator<Item = FrameId> {
    std::iter::once(probe.segment.at.frame).chain(probe.answer.map(|answer| answer.at.frame))
}

/// A connection that a RST ended.
fn reset(
    sides: &[Side<'_>; 2],
    probing: &[&Side<'_>],
    by: Party,
    at: Mark,
    marks: Option<ResetMarks>,
) -> Verdict {
    let mut all = probing.iter().flat_map(|side| &side.prober.probes);
    let answered = all.find(|probe| probe.answer.is_some_and(|answer| answer.at.frame == at.frame));
    // One that came over another number of hops is not the prober's own.
    let own = |side: &Side<'_>| {
        !marks.is_some_and(|marks| ResetOrigin::is_from_elsewhere(marks, side.summary.side(side.party)))
    };
    let prober = probing.iter().find(|side| side.party == by && own(side));
    let ending = Ending {
        reset: at,
        heard: match marks {
            Some(marks) => marks.prompted.map(|wait| at.time.plus(Span::from_nanos(-wait.as_nanos()))),
            None => {
                sides.iter().find(|side| side.party == by).and_then(Side::last_life).map(|life| life.time)
            }
        },
        prompted: answered.is_some() && !marks.is_some_and(|marks| marks.ack),
    };
    if let Some(gave_up) = prober.and_then(|prober| prober.gave_up(ending)) {
        return gave_up;
    }
    let life = sides.iter().find(|side| side.party != by).and_then(Side::last_life);
    let sender = sides.iter().find(|side| side.party == by).map(|side| side.summary.side(by));
    let origin = marks.zip(sender).map(|(marks, sender)| {
        let asked = probing.iter().find(|side| side.party != by).map(|side| side.prober);
        ResetOrigin::of(marks, sender, answered, asked)
    });
    let whose = origin.as_ref().map_or_else(String::new, |origin| format!(": {}", origin.sentence()));
    let (mut frames, mut reason) = match answered {
        Some(probe) => (
            vec![probe.segment.at.frame, at.frame],
            format!(
                "the probe in frame {} was answered by RST in frame {}, from the {}'s address{whose}",
                probe.segment.at.frame,
                at.frame,
                by.name()
            ),
        ),
        None => {
            (vec![at.frame], format!("RST from the {}'s address in frame {}{whose}", by.name(), at.frame))
        }
    };
    if let Some(run) = prober.and_then(|prober| prober.had_given_up(ending)) {
        frames.extend(run.iter().flat_map(evidence_of));
        reason.push_str(&format!(
            "; before, {} of its own went without an answer, and none followed when the next was due: it may have \
             given up then, by a RST that is not in the capture",
            probes(run.len())
        ));
    }
    Verdict { origin, ..verdict(Outcome::Reset, frames, reason, life) }
}

/// Whether a RST comes when a prober that gives up would send it: about one interval after its last probe
/// (every stack of which the end is known). With a single probe no interval is known.
fn gives_up_in_step(tail: &[ProbeRecord], at: Mark) -> bool {
    let [.., before, last] = tail else { return true };
    let interval = last.segment.at.time.since(before.segment.at.time);
    let wait = at.time.since(last.segment.at.time);
    wait.times(2) >= interval && wait <= interval.times(2)
}

/// A connection that ended by FIN: both, or one after the last probe.
fn closed(probing: &[&Side<'_>], summary: &Summary) -> Option<Verdict> {
    let mut fins: Vec<Mark> = [summary.client.fin, summary.server.fin].into_iter().flatten().collect();
    fins.sort_by_key(|fin| fin.frame);
    let last_probe = probing.iter().filter_map(|side| side.last_probe_time()).max()?;
    let after_probes = fins.iter().any(|fin| fin.time >= last_probe);
    let silent = probing.iter().any(|side| !side.silent_tail().is_empty());
    let both = fins.len() == 2;
    if silent || !(both || after_probes) {
        return None;
    }
    let frames: Vec<FrameId> = fins.iter().map(|fin| fin.frame).collect();
    let named: Vec<String> = frames.iter().map(|frame| frame.to_string()).collect();
    let reason = format!("FIN in {} {}", if both { "frames" } else { "frame" }, named.join(" and "));
    Some(verdict(
        Outcome::Closed,
        frames,
        reason,
        probing.iter().filter_map(|side| side.last_life()).max_by_key(|mark| mark.time),
    ))
}
