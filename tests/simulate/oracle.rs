//! The oracle loop: a random scenario, its world, a capture of it, and what the analyzer makes of that, held
//! against what the world knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keepscope::capture::write::CaptureWriter;
use keepscope::keepalive::Event as Keepalive;
use keepscope::segment::SeqNum;
use keepscope::simulate::end::Role;
use keepscope::simulate::host::HostSide;
use keepscope::simulate::link::Loss;
use keepscope::simulate::packet::Packet;
use keepscope::simulate::tap::TapFrame;
use keepscope::simulate::truth::{PacketId, Truth, What};
use keepscope::simulate::world::World;
use keepscope::time::{Span, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

use crate::case::{Case, case};
use crate::common::{analyze_json, scratch, text};

/// What passed the tap.
struct Seen {
    frames: Vec<TapFrame>,
    /// Who sent each packet, and what made it.
    origin: BTreeMap<PacketId, (HostSide, Option<PacketId>)>,
    /// All that was sent, seen or not, in order.
    sent: Vec<(PacketId, HostSide, Packet)>,
}

impl Seen {
    fn of(world: &mut World) -> Seen {
        let frames = std::iter::from_fn(|| world.poll_frame()).collect();
        let origin = world.truths().iter().filter_map(|truth| match truth.what {
            What::Sent { host, packet, because, .. } => Some((packet, (host, because))),
            _ => None,
        });
        let sent = world.truths().iter().filter_map(|truth| match &truth.what {
            What::Sent { host, packet, content, .. } => Some((*packet, *host, content.clone())),
            _ => None,
        });
        Seen { origin: origin.collect(), sent: sent.collect(), frames }
    }

    /// The probes of a host, with the frame that answers each.
    fn probes(&self, by: HostSide) -> Vec<(u64, Option<u64>)> {
        let probes = self.frames.iter().filter(|frame| {
            frame.role.is_probe() && self.origin.get(&frame.packet).is_some_and(|(host, _)| *host == by)
        });
        let answer_to = |probe: &TapFrame| {
            let answers = self.frames.iter().filter(|frame| {
                let because = self.origin.get(&frame.packet).and_then(|(_, because)| *because);
                because == Some(probe.packet) && matches!(frame.role, Role::Answer | Role::Reset)
            });
            answers.map(|frame| frame.number).next()
        };
        probes.map(|probe| (probe.number, answer_to(probe))).collect()
    }
}

impl Seen {
    /// Whether the analyzer found that probe, and its answer. What answers a probe is the first segment back that
    /// acknowledges all that was sent: with data about, that may be another than the one the probe brought about.
    fn agree(&self, prober: HostSide, truth: (u64, Option<u64>), analyzed: (u64, Option<u64>)) -> bool {
        let (probe, answer) = truth;
        if truth == analyzed {
            return true;
        }
        let (found, Some(other)) = analyzed else { return false };
        let Some(frame) = self.frames.iter().find(|frame| frame.number == other) else { return false };
        let by_peer = self.origin.get(&frame.packet).is_some_and(|(host, _)| *host != prober);
        let about_data = matches!(
            frame.role,
            Role::Ack | Role::Data | Role::Fin | Role::Retransmission | Role::Reset | Role::Answer
        );
        let had_data = self.frames.iter().any(|frame| {
            frame.number <= other && matches!(frame.role, Role::Data | Role::Fin | Role::Retransmission)
        });
        let reset = frame.role == Role::Reset;
        // A box spoke for the peer, or about the probe.
        let by_path = frame.role == Role::Path;
        found == probe
            && (by_peer || by_path)
            && (about_data || by_path)
            && (had_data || reset || by_path)
            && answer.is_none_or(|answer| other < answer)
    }

    /// The probes that a host sent while data of its own waited for its acknowledgment.
    fn probes_in_flight(&self, by: HostSide) -> BTreeSet<u64> {
        let mut next: Option<SeqNum> = None;
        let mut found = BTreeSet::new();
        for (number, content) in self.sent.iter().filter_map(|(id, host, content)| {
            let frame = self.frames.iter().find(|frame| frame.packet == *id);
            (*host == by).then_some((frame.map(|frame| (frame.number, frame.role)), content))
        }) {
            let Packet::Tcp(segment) = content else { continue };
            let syn_or_fin = u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
            let is_probe = number.is_some_and(|(_, role)| role.is_probe());
            if let (true, Some((number, _)), Some(next)) = (is_probe, number, next)
                && segment.seq.plus(1) != next
            {
                found.insert(number);
            }
            let end = segment.seq.plus(u32::from(segment.octets) + syn_or_fin);
            if next.is_none_or(|next| end.distance_from(next) > 0) {
                next = Some(end);
            }
        }
        found
    }

    /// Whether the tap saw a segment of that role, and when it saw the last one.
    fn last(&self, is: impl Fn(Role) -> bool) -> Option<&TapFrame> {
        self.frames.iter().rev().find(|frame| is(frame.role))
    }

    /// The outcomes that an analysis may come to: one, where what passed the tap leaves no doubt.
    fn outcomes(&self, case: &Case, truths: &[Truth]) -> Vec<&'static str> {
        if self.last(Role::is_probe).is_none() {
            return vec!["no_keepalive"];
        }
        let sender = |frame: &TapFrame| self.origin.get(&frame.packet).map(|(host, _)| *host);
        if let Some(reset) = self.last(|role| role == Role::Reset) {
            let by = sender(reset);
            let gives_up =
                |truth: &Truth| matches!(truth.what, What::Keepalive { event: Keepalive::GaveUp { .. }, .. });
            let is_his =
                |truth: &Truth| matches!(truth.what, What::Keepalive { host, .. } if Some(host) == by);
            let gave_up = truths.iter().any(|truth| gives_up(truth) && is_his(truth));
            // A host that gave up answers what comes later with another RST.
            let several = self.frames.iter().filter(|frame| frame.role == Role::Reset).count() > 1;
            if several && truths.iter().any(gives_up) {
                return vec!["timed_out", "reset"];
            }
            // Far from the prober its RST may look like any other: the answers were lost behind the tap.
            // An application that resets while its probes are out looks like one that gave up.
            let open = by.and_then(|by| self.probes(by).last().copied()).is_some_and(|(_, to)| to.is_none());
            // Probes of the other end came meanwhile: whether the prober takes them for life its stack decides.
            let both = [HostSide::Client, HostSide::Server].iter().all(|host| !self.probes(*host).is_empty());
            if self.last(|role| role == Role::Path).is_some() {
                return vec!["timed_out", "reset"];
            }
            return match (gave_up, by == Some(case.tap) && !both) {
                (true, true) => vec!["timed_out"],
                (true, false) => vec!["timed_out", "reset"],
                (false, _) if open => vec!["timed_out", "reset"],
                (false, _) => vec!["reset"],
            };
        }
        if self.last(|role| role == Role::Path).is_some() {
            return vec!["reset", "timed_out", "alive", "unanswered", "closed", "inconclusive"];
        }
        let fins = self.frames.iter().filter(|frame| frame.role == Role::Fin).filter_map(sender);
        let fins: BTreeSet<HostSide> = fins.collect();
        match fins.len() {
            2 => return vec!["closed"],
            1 => return vec!["closed", "alive", "unanswered", "inconclusive"],
            _ => {}
        }
        let tails = [HostSide::Client, HostSide::Server].map(|host| self.probes(host).last().copied());
        let is_open = |tail: &Option<(u64, Option<u64>)>| matches!(tail, Some((_, None)));
        let data = self.last(|role| matches!(role, Role::Data | Role::Retransmission));
        let open = tails.iter().filter(|tail| is_open(tail)).flatten();
        // A capture ends with its last frame.
        let now = self.frames.last().map_or(Timestamp::default(), |frame| frame.time);
        let is_late = |number: &u64| {
            let frame = self.frames.iter().find(|frame| frame.number == *number);
            frame.is_some_and(|frame| now.since(frame.time) < Span::from_secs(2))
        };
        let first_open = open.map(|(number, _)| number).min();
        match first_open {
            None if [HostSide::Client, HostSide::Server].iter().any(|host| self.repeats_in_vain(*host)) => {
                vec!["unanswered"]
            }
            None => vec!["alive"],
            Some(first) if is_late(first) => vec!["alive", "unanswered", "inconclusive"],
            // A segment of the peer's own shows it alive, though it answers nothing.
            Some(first) if data.is_some() || self.is_heard_after(*first) => {
                vec!["alive", "unanswered", "inconclusive"]
            }
            Some(_) => vec!["unanswered"],
        }
    }

    /// Whether a host sent the same octets again, twice at least, after the last that was seen of the other.
    fn repeats_in_vain(&self, by: HostSide) -> bool {
        let sender = |frame: &TapFrame| self.origin.get(&frame.packet).map(|(host, _)| *host);
        let heard = self.frames.iter().rposition(|frame| sender(frame).is_some_and(|host| host != by));
        let after = self.frames.get(heard.map_or(0, |index| index + 1)..).unwrap_or_default();
        let again = after.iter().rev().filter(|frame| frame.role == Role::Retransmission);
        let seqs = again.filter_map(|frame| {
            let (.., content) = self.sent.iter().find(|(id, ..)| *id == frame.packet)?;
            let Packet::Tcp(segment) = content else { return None };
            Some(segment.seq)
        });
        let seqs: Vec<SeqNum> = seqs.take(2).collect();
        matches!(seqs[..], [last, before] if last == before)
    }

    /// Whether the other end of the one that sent a frame was seen to send after it.
    fn is_heard_after(&self, number: u64) -> bool {
        let sender = |frame: &TapFrame| self.origin.get(&frame.packet).map(|(host, _)| *host);
        let from = self.frames.iter().find(|frame| frame.number == number).and_then(sender);
        self.frames.iter().any(|frame| frame.number > number && sender(frame) != from)
    }

    /// What is wrong with the settings that were inferred, where they must show: at the prober, of a stack that
    /// is often met, with nothing lost and nothing but probes.
    fn settings(&self, case: &Case, found: &Value) -> Vec<String> {
        let host = case.tap;
        let side = case.side(host);
        let alone = self.last(|role| matches!(role, Role::Data | Role::Fin)).is_none();
        let often_met = side.stack == "linux" || side.stack.starts_with("windows");
        // Where the interval is the longer one, it hides the idle time of a peer that lives.
        let shows = side.idle > side.interval && self.probes(host).len() >= 3 && case.loss == Loss::Never;
        if !side.probes || !alone || !often_met || !shows {
            return Vec::new();
        }
        let prober = found["probers"].as_array().unwrap().iter().find(|one| one["endpoint"] == host.name());
        let settings =
            prober.map(|prober| prober["settings"].as_array().unwrap().clone()).unwrap_or_default();
        let holds = |range: &Value, truth: i64| {
            let bound = |index: usize| range[index].as_f64().unwrap();
            range.is_null() || (bound(0) <= truth as f64 && truth as f64 <= bound(1))
        };
        let fits = |one: &Value| {
            one["stack"] == side.stack
                && (one["hz"].is_null() || one["hz"] == case.hz)
                && holds(&one["idle_range_s"], side.idle)
                && holds(&one["interval_range_s"], side.interval)
        };
        if settings.iter().any(fits) {
            return Vec::new();
        }
        vec![format!("{}'s settings: {side:?} at HZ={}, analyzer {settings:#?}", host.name(), case.hz)]
    }

    /// The frames, for whoever looks for what went wrong.
    fn story(&self) -> String {
        let line = |frame: &TapFrame| {
            let (host, because) = self.origin.get(&frame.packet).copied().unzip();
            let host = host.map_or("path", HostSide::name);
            let because = because.flatten().and_then(|cause| {
                self.frames.iter().find(|frame| frame.packet == cause).map(|frame| frame.number)
            });
            format!("  {} {} {host} {:?} {because:?}", frame.number, frame.time, frame.role)
        };
        self.frames.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub fn write(frames: &[TapFrame], path: &Path) {
    let mut writer = CaptureWriter::create(path, true).unwrap();
    writer.begin("keepscope", "a simulation", Vec::new()).unwrap();
    for frame in frames {
        writer.frame(&frame.frame(), &[]).unwrap();
    }
    writer.finish().unwrap();
}

fn probes_of(prober: &Value) -> Vec<(u64, Option<u64>)> {
    let probes = prober["probes"].as_array().unwrap();
    probes.iter().map(|probe| (probe["frame"].as_u64().unwrap(), probe["answer"]["frame"].as_u64())).collect()
}

/// Holds the analysis of one case against its truth.
fn hold(case: &Case, folder: &Path) -> Result<(), String> {
    let mut world = World::new(case.spec(), case.boxes()).unwrap();
    world.run_for(Span::from_secs(case.seconds));
    let seen = Seen::of(&mut world);
    if seen.frames.is_empty() {
        return Ok(());
    }
    let path = folder.join("world.pcapng");
    write(&seen.frames, &path);
    let document = analyze_json(&["--all", text(&path)]);
    let connections = document["connections"].as_array().unwrap();
    if connections.len() != 1 {
        return Err(format!("{} connections", connections.len()));
    }
    let found = &connections[0];
    let mut wrong = Vec::new();
    for host in [HostSide::Client, HostSide::Server] {
        let truth = seen.probes(host);
        let prober = found["probers"].as_array().unwrap().iter().find(|one| one["endpoint"] == host.name());
        let analyzed = prober.map(probes_of).unwrap_or_default();
        // Whether a segment below data that is on its way is a probe, one alone does not always show.
        let in_flight = seen.probes_in_flight(host);
        let quiet = |probes: Vec<(u64, Option<u64>)>| -> Vec<_> {
            probes.into_iter().filter(|(probe, _)| !in_flight.contains(probe)).collect()
        };
        let (truth, analyzed) = (quiet(truth), quiet(analyzed));
        let same = truth.len() == analyzed.len()
            && truth.iter().zip(&analyzed).all(|(truth, analyzed)| seen.agree(host, *truth, *analyzed));
        if !same {
            let name = host.name();
            wrong.push(format!(
                "{name}'s probes:
  truth    {truth:?}
  analyzer {analyzed:?}"
            ));
        }
    }
    let outcome = found["outcome"].as_str().unwrap_or_default();
    let possible = seen.outcomes(case, world.truths());
    if !possible.contains(&outcome) {
        wrong.push(format!("outcome: truth {possible:?}, analyzer {outcome:?}"));
    }
    wrong.extend(seen.settings(case, found));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}", wrong.join("\n"), seen.story())) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), rng_seed: seed(), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_analyzer_recovers_what_the_world_knows(case in case()) {
        let folder = scratch("oracle");
        if let Err(wrong) = hold(&case, &folder) {
            prop_assert!(false, "{wrong}");
        }
    }
}

fn cases() -> u32 {
    std::env::var("KEEPSCOPE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

fn seed() -> RngSeed {
    let given = std::env::var("KEEPSCOPE_SEED").ok().and_then(|seed| seed.parse().ok());
    RngSeed::Fixed(given.unwrap_or(1))
}
