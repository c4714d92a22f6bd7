//! What an observer at the tap can know of a story, and what the program says of it.
//!
//! The model knows why each packet was sent. Where the packets that were captured cannot tell two causes
//! apart, the truth is [`Must::May`], with the argument beside it.

use std::collections::BTreeMap;

use keepscope::capture::Captures;
use keepscope::pipeline::Pipeline;
use keepscope::track::Tracker;
use keepscope::track::event::{Answer, Event, EventKind, ProbeSegment};

use crate::bytes;
use crate::model::{ACK, FIN, MS, Packet, RST, SEC, SYN, Seen, Story, Tag, Time};

/// Which of the tap's frames are in the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Whole,
    /// Begins at this frame.
    From(usize),
    /// Frames are missing, one in so many.
    Holes(u64),
    /// Only what this host sent.
    OneWay(usize),
}

/// A capture: frames in their order, numbered from 1.
#[derive(Clone, Debug)]
pub struct Capture {
    pub packets: Vec<Packet>,
    pub frames: Vec<Seen>,
    /// What the tap saw, in the capture or not.
    pub all: Vec<Seen>,
    pub cut: Cut,
    pub ipv6: bool,
    /// The shortest and the longest round trip of the path, without the hosts.
    pub trip: (Time, Time),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// A probe, and the packets show it.
    Be,
    /// No probe, and the packets show it.
    NotBe,
    /// The packets cannot decide.
    May(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Frame(u64),
    Nothing,
    Unclear,
}

impl Capture {
    pub fn new(
        story: Story,
        cut: Cut,
        ipv6: bool,
        trip: (Time, Time),
        pick: &mut dyn FnMut(u64) -> u64,
    ) -> Self {
        let packets = story.packets;
        let all = story.seen;
        let mut frames = all.clone();
        match cut {
            Cut::Whole => {}
            Cut::From(first) => {
                frames.drain(..first.min(frames.len()));
            }
            Cut::Holes(one_in) => frames.retain(|_| pick(one_in) != 0),
            Cut::OneWay(host) => {
                frames.retain(|seen| (packets[seen.packet].from == host) != seen.icmp || seen.icmp);
                frames.retain(|seen| !seen.icmp);
            }
        }
        mark_copies(&packets, &mut frames, ipv6);
        Capture { packets, frames, all, cut, ipv6, trip }
    }

    fn packet(&self, index: usize) -> &Packet {
        &self.packets[self.frames[index].packet]
    }

    /// TCP segments, copies left out, before a frame; the latest first.
    fn before(&self, index: usize) -> impl Iterator<Item = (usize, &Seen, &Packet)> {
        (0..index).rev().map(|i| (i, &self.frames[i], self.packet(i))).filter(move |(_, seen, packet)| {
            !seen.copy && !seen.icmp && packet.life == self.packet(index).life
        })
    }

    fn after(&self, index: usize) -> impl Iterator<Item = (usize, &Seen, &Packet)> {
        (index + 1..self.frames.len()).map(|i| (i, &self.frames[i], self.packet(i))).filter(
            move |(_, seen, packet)| !seen.copy && !seen.icmp && packet.life == self.packet(index).life,
        )
    }

    fn carries(packet: &Packet) -> bool {
        (packet.len > 0 || packet.flags & (SYN | FIN) != 0)
            && !matches!(packet.tag, Tag::Probe | Tag::WindowProbe | Tag::Forged)
    }

    fn end(packet: &Packet) -> u32 {
        packet.seq.wrapping_add(
            packet.len + u32::from(packet.flags & SYN != 0) + u32::from(packet.flags & FIN != 0),
        )
    }

    /// What must be said of a frame.
    pub fn must(&self, index: usize) -> Must {
        let (seen, packet) = (&self.frames[index], self.packet(index));
        if seen.copy || seen.icmp {
            return Must::NotBe;
        }
        if packet.tag == Tag::Probe { self.must_probe(index) } else { self.must_other(index) }
    }

    fn must_probe(&self, index: usize) -> Must {
        let (seen, packet) = (&self.frames[index], self.packet(index));
        let next = packet.next as u32;
        let acked = self.before(index).any(|(_, _, other)| {
            let told = other.flags & ACK != 0 && (other.flags & RST == 0 || self.cut == Cut::Whole);
            other.from != packet.from && told && (other.ack.wrapping_sub(next) as i32) >= 0
        });
        let tail = self.before(index).find(|(_, _, other)| {
            other.from == packet.from && Self::carries(other) && Self::end(other) == next
        });
        if matches!(self.cut, Cut::Holes(_)) {
            return Must::May("what would show it may be missing");
        }
        if packet.una < packet.next && (self.cut != Cut::Whole || tail.is_none()) {
            return Must::May("what is in flight is not in the capture");
        }
        if self.cut != Cut::Whole && !acked && tail.is_none() {
            let empty_and_answered = packet.len == 0
                && packet.seq.wrapping_add(1) == next
                && self.after(index).next().is_some_and(|(_, _, other)| {
                    other.answers == Some(seen.packet) && other.flags & RST == 0
                });
            return if empty_and_answered { Must::Be } else { Must::May("SND.NXT is not in the capture") };
        }
        let since_tail = tail.map(|(_, tail, _)| seen.time - tail.time);
        let lone = tail
            .is_some_and(|(_, _, tail)| tail.flags & SYN == 0 && Self::end(tail) == tail.seq.wrapping_add(1));
        if packet.len > 0 {
            if self.cut != Cut::Whole && tail.is_none() {
                return Must::May("the octet may have been sent alone before the capture began");
            }
            if self
                .before(index)
                .any(|(_, other, sent)| sent.from == packet.from && other.packet > seen.packet)
            {
                return Must::May("behind the data that overtook it, it may be an old octet again");
            }
            if !acked {
                return Must::May("an octet that nobody acknowledged may be sent again");
            }
            if let (true, Some((_, _, tail))) = (lone, tail)
                && tail.octet == packet.octet
                && (tail.flags ^ packet.flags) & 8 == 0
            {
                // Retransmissions double their gaps; three gaps that do not are those of a timer that is steady.
                let copies = self.before(index).filter(|(_, _, other)| {
                    other.from == packet.from && other.seq == tail.seq && other.len == 1
                });
                let times: Vec<Time> = copies.map(|(_, copy, _)| copy.time).take(4).collect();
                let gaps: Vec<Time> = std::iter::once(seen.time - times.first().unwrap_or(&0))
                    .chain(times.windows(2).map(|pair| pair[0] - pair[1]))
                    .collect();
                let steady = gaps.len() > 2 && gaps.windows(2).take(2).all(|gap| gap[0] < gap[1] * 3 / 2);
                // No stack known probes with PSH and the last octet; a retransmission whose copies in between
                // were lost before the tap comes after up to the longest time-out. So does a window probe's.
                let pushed = tail.flags & 8 != 0 || tail.tag == Tag::WindowProbe;
                let limit = if pushed { 120 * SEC } else { (3 * SEC).max(gaps.get(1).unwrap_or(&0) * 5) };
                if gaps[0] <= limit && !steady {
                    return Must::May("the same lone octet within a retransmission time-out");
                }
            }
            return Must::Be;
        }
        if lone && since_tail.is_some_and(|since| since < SEC) {
            return Must::May("an acknowledgment that a lone octet overtook would look so");
        }
        if self.before(index).next().is_some_and(|(_, other, _)| {
            let in_flight = packet.una < packet.next
                || self.packets[..seen.packet]
                    .iter()
                    .any(|sent| sent.from == packet.from && sent.tag == Tag::WindowProbe && sent.len > 0);
            seen.time - other.time < SEC && in_flight
        }) {
            return Must::May("an acknowledgment that data in flight overtook would look so");
        }
        let window = self.before(index).find(|(_, _, other)| other.from != packet.from);
        if window.is_some_and(|(_, _, other)| other.window == 0) {
            if packet.queued || packet.una < packet.next {
                return Must::May("a keepalive while a window probe is due looks like it");
            }
            let quiet = self.before(index).next().map_or(0, |(_, other, _)| seen.time - other.time);
            if quiet < SEC.max(4 * self.trip.1) {
                return Must::May("into a closed window this soon");
            }
            let opened =
                self.after(index).find(|(_, _, other)| other.from != packet.from && other.window > 0);
            let went_on =
                self.after(index).find(|(_, _, other)| other.from == packet.from && Self::carries(other));
            if let (Some((_, opened, _)), Some((_, on, _))) = (opened, went_on)
                && on.time - opened.time < 2 * SEC + 4 * self.trip.1
            {
                return Must::May("data right after the window opened may have waited");
            }
            return Must::May("gaps that happen to double");
        }
        Must::Be
    }

    fn must_other(&self, index: usize) -> Must {
        let (_, packet) = (&self.frames[index], self.packet(index));
        if self.cut == Cut::Whole {
            return Must::NotBe;
        }
        let number = self.frames[index].packet;
        let overtaken = self.all.iter().any(|seen| {
            seen.packet > number
                && self.packets[seen.packet].from == packet.from
                && seen.time <= self.frames[index].time
        });
        let persists = self.packets[..number]
            .iter()
            .any(|other| other.from == packet.from && other.tag == Tag::WindowProbe);
        let again = self.all.iter().any(|seen| seen.packet == number && seen.time < self.frames[index].time);
        let sent_there = |other: &Packet| {
            other.from == packet.from
                && other.life == packet.life
                && Self::carries(other)
                && packet.seq.wrapping_sub(other.seq) < Self::end(other).wrapping_sub(other.seq)
        };
        let octet_missing = packet.len == 0
            && self.packets.iter().any(sent_there)
            && !self.frames.iter().any(|seen| !seen.icmp && sent_there(&self.packets[seen.packet]));
        let reported =
            self.after(index).any(|(_, _, other)| other.dsack.is_some_and(|(left, _)| left == packet.seq));
        let in_doubt = match packet.tag {
            _ if octet_missing => {
                Some("a probe's answer acknowledges the octet above, as if it had been sent")
            }
            Tag::Data if packet.len == 1 && reported => Some("a copy made behind the tap is reported"),
            _ if again => Some("a copy whose original is not in the capture"),
            _ if self.frames[index].interface > 0 => Some("the first tap's frame may not be in the capture"),
            _ if persists && packet.len == 0 => Some("SND.NXT goes back behind a window probe"),
            Tag::WindowProbe => Some("the closed window may not be in the capture"),
            Tag::Again if packet.len == 1 => Some("the octet sent first may not be in the capture"),
            _ if overtaken => Some("what overtook it shows only in parts"),
            _ => None,
        };
        in_doubt.map_or(Must::NotBe, Must::May)
    }

    /// Its number in the run of probes without a sign of life, silence and quiet.
    pub fn run_and_times(&self, index: usize) -> (u32, Option<Time>, Option<Time>) {
        let (seen, packet) = (&self.frames[index], self.packet(index));
        let mut run = 1;
        for (_, _, other) in self.before(index) {
            let empty_probe = other.len == 0 && matches!(other.tag, Tag::Probe | Tag::WindowProbe);
            if other.from != packet.from && !empty_probe {
                break;
            }
            run += u32::from(other.from == packet.from && other.tag == Tag::Probe);
        }
        let silence = self
            .before(index)
            .find(|(_, _, other)| other.from != packet.from)
            .map(|(_, other, _)| seen.time - other.time);
        let quiet = self.before(index).next().map(|(_, other, _)| seen.time - other.time);
        (run, silence, quiet)
    }

    /// What came back for a probe.
    pub fn reply(&self, index: usize) -> Reply {
        let (seen, packet) = (&self.frames[index], self.packet(index));
        if self.cut != Cut::Whole {
            return Reply::Unclear;
        }
        let answer = self.after(index).find(|(_, _, other)| other.answers == Some(seen.packet));
        let slack = SEC + 2 * self.trip.1;
        let limit = (10 * SEC).max(5 * self.trip.1);
        // Probes so close together that losses leave open which of them was answered.
        let crowded = self.frames.iter().enumerate().any(|(other, it)| {
            other != index
                && !it.copy
                && self.packet(other).from == packet.from
                && self.packet(other).tag == Tag::Probe
                && !it.icmp
                && (it.time - seen.time).abs() < slack
        });
        let until = answer.map_or(seen.time + limit + slack, |(_, answer, _)| answer.time);
        // Any other segment that came in the meantime and acknowledges SND.NXT says as much as an answer.
        let others = self.after(index).any(|(at, it, other)| {
            it.time <= until
                && other.from != packet.from
                && answer.is_none_or(|(answer, ..)| at != answer)
                && other.answers.is_none()
                && !(other.tag == Tag::Probe && other.len == 0)
        });
        // The prober went on before it was answered.
        let went_on = self
            .after(index)
            .any(|(_, it, other)| it.time <= until && other.from == packet.from && other.next != packet.next);
        if crowded || others || went_on || answer.is_some_and(|(_, it, _)| it.time - seen.time >= limit) {
            return Reply::Unclear;
        }
        // An ICMP error shows which packet it quotes by the IP identification alone.
        let quoted = self.frames.iter().any(|it| it.icmp && (it.time - seen.time).abs() <= 2 * limit);
        let waiting = self.before(index).chain(self.after(index)).any(|(_, it, other)| {
            other.from == packet.from && other.seq == packet.seq && (it.time - seen.time).abs() <= 2 * limit
        });
        if quoted && waiting {
            return Reply::Unclear;
        }
        match answer {
            Some((at, ..)) => Reply::Frame(at as u64 + 1),
            None => self
                .frames
                .iter()
                .position(|it| it.icmp && it.packet == seen.packet)
                .map_or(Reply::Nothing, |at| Reply::Frame(at as u64 + 1)),
        }
    }

    pub fn events(&self) -> Vec<Event> {
        let mut tracker = Tracker::new(0);
        let mut events = Vec::new();
        for (seen, number) in self.frames.iter().zip(1..) {
            let packet = &self.packets[seen.packet];
            if seen.icmp {
                tracker.icmp(&bytes::icmp(seen, packet, number, self.ipv6));
            } else {
                tracker.segment(&bytes::segment(seen, packet, number, self.ipv6));
            }
            events.extend(std::iter::from_fn(|| tracker.poll_event()));
        }
        tracker.finish();
        events.extend(std::iter::from_fn(|| tracker.poll_event()));
        events
    }

    /// The same through a file of real octets.
    pub fn events_from_octets(&self) -> Vec<Event> {
        let file = bytes::pcap(
            self.frames
                .iter()
                .map(|seen| (seen.time, bytes::octets(seen, &self.packets[seen.packet], self.ipv6))),
        );
        let mut captures = Captures::from_reader("made", std::io::Cursor::new(file));
        let mut pipeline = Pipeline::new(0);
        let mut events = Vec::new();
        while let Some(frame) = captures.next_frame() {
            pipeline.frame(&frame);
            events.extend(std::iter::from_fn(|| pipeline.poll_event()));
        }
        pipeline.finish();
        events.extend(std::iter::from_fn(|| pipeline.poll_event()));
        events
    }

    /// What stands at the end: probes by frame with their answers.
    pub fn found(events: &[Event]) -> BTreeMap<u64, (ProbeSegment, Option<Answer>)> {
        let mut probes = BTreeMap::new();
        for event in events {
            let key = |number: u32| (event.connection, number);
            match &event.kind {
                EventKind::Probe(probe) => {
                    probes.insert(key(event.number), (probe.segment, None));
                }
                EventKind::Answer(answer) => {
                    if let Some(probe) = probes.get_mut(&key(answer.probe)) {
                        probe.1 = Some(*answer);
                    }
                }
                EventKind::Retracted { probe, .. } => {
                    probes.remove(&key(*probe));
                }
                _ => {}
            }
        }
        probes.into_values().map(|probe| (probe.0.at.frame.number, probe)).collect()
    }

    /// All ways in which the events differ from the truth, sorted by kind.
    pub fn differences(&self, events: &[Event]) -> Vec<(&'static str, usize, String)> {
        let found = Self::found(events);
        let mut wrong = Vec::new();
        let mut same = true;
        for index in 0..self.frames.len() {
            let is = found.contains_key(&(index as u64 + 1));
            let tag = self.packet(index).tag;
            same &= is == (tag == Tag::Probe && !self.frames[index].copy && !self.frames[index].icmp);
            match self.must(index) {
                Must::Be if !is => wrong.push(("missed probe", index, String::new())),
                Must::NotBe if is => wrong.push(("false probe", index, format!("it is {tag:?}"))),
                _ => {}
            }
        }
        if !same || self.cut != Cut::Whole {
            return wrong;
        }
        // Equal packets within a millisecond may be one packet or two, and a segment of another life is heard too.
        let lives = self.packets.iter().any(|packet| packet.life > 1);
        let doubtful = lives || self.frames.iter().any(|frame| frame.copy && frame.interface == 0);
        let anew = events
            .iter()
            .any(|event| matches!(&event.kind, EventKind::Answer(answer) if answer.corrects.is_some()));
        for (&number, (probe, answer)) in found.iter().filter(|_| !doubtful) {
            let index = number as usize - 1;
            let (run, silence, quiet) = self.run_and_times(index);
            if probe.run != run {
                wrong.push(("run", index, format!("{} instead of {run}", probe.run)));
            }
            let nanos = |span: Option<keepscope::time::Span>| span.map(|span| span.as_nanos());
            if nanos(probe.silence) != silence {
                wrong.push(("silence", index, format!("{:?} instead of {silence:?}", probe.silence)));
            }
            if nanos(probe.quiet) != quiet {
                wrong.push(("quiet", index, format!("{:?} instead of {quiet:?}", probe.quiet)));
            }
            let got = answer.map(|answer| answer.at.frame.number);
            match self.reply(index) {
                Reply::Frame(frame) if got != Some(frame) => {
                    let kind = if anew { "answer paired anew" } else { "answer" };
                    wrong.push((kind, index, format!("{got:?} instead of {frame}")));
                }
                Reply::Nothing if got.is_some() => {
                    let kind = if anew { "answer paired anew" } else { "false answer" };
                    wrong.push((kind, index, format!("{got:?}")));
                }
                Reply::Frame(frame) => {
                    let trip = self.frames[frame as usize - 1].time - self.frames[index].time;
                    if answer.is_some_and(|answer| answer.rtt.as_nanos() != trip) {
                        wrong.push(("rtt", index, format!("{answer:?}")));
                    }
                }
                _ => {}
            }
        }
        wrong
    }

    /// Why a difference is excused, if it is: what the packets show is the same as in a likelier story.
    /// `KEEPSCOPE_STRICT=1` takes all of these away.
    pub fn known(&self, kind: &str, index: usize) -> Option<&'static str> {
        let (seen, packet) = (&self.frames[index], self.packet(index));
        let frames = || self.frames.iter().filter(|it| !it.icmp).map(|it| &self.packets[it.packet]);
        let reset = frames().any(|other| other.flags & RST != 0);
        let forged = frames().any(|other| other.tag == Tag::Forged);
        let empty = packet.len == 0;
        let own_before = |wanted: &dyn Fn(&Packet) -> bool| {
            self.packets[..seen.packet].iter().any(|other| other.from == packet.from && wanted(other))
        };
        let persisted = own_before(&|other| other.tag == Tag::WindowProbe);
        match kind {
            // Its copies in between were lost before the tap, so that its gap is that of a timer, and an octet
            // without PSH is what probes look like.
            "false probe" if packet.tag == Tag::Again && packet.len == 1 => Some("an octet sent again late"),
            // The acknowledgment that is captured was lost behind the tap, or the window was never seen closed.
            "false probe" if packet.tag == Tag::WindowProbe => Some("window probes out of step"),
            // Which SND.UNA the prober knows is not to be seen once several acknowledgments were lost.
            "missed probe" if empty && packet.una < packet.next => Some("a SND.UNA older than remembered"),
            // The octet of a window probe is above the prober's SND.NXT; BSD goes back below it.
            "missed probe" if persisted => Some("SND.NXT behind a window probe's octet"),
            // A SYN behind a RST, or before everything else, begins a connection as far as anyone can see.
            "missed probe" | "run" if reset || forged => Some("a RST or SYN that had no effect"),
            // Nothing tells it from an acknowledgment that this segment overtook.
            "missed probe"
                if empty
                    && self
                        .before(index)
                        .any(|(_, it, other)| other.from == packet.from && seen.time - it.time < SEC) =>
            {
                Some("right behind its sender's own segment")
            }
            // Candidates count as probes until the octets above them show that they were none.
            "run" => Some("candidates count in a run"),
            // An answer that comes after the prober's own RST, or with one more acknowledgment of its sender.
            "answer" | "false answer" | "answer paired anew" if reset => Some("answers around a RST"),
            // The answerer's data before it was lost before the tap: a candidate, not an answer.
            "answer"
                if self
                    .after(index)
                    .any(|(_, _, other)| other.answers == Some(seen.packet) && other.una < other.next) =>
            {
                Some("an answer above data that was not captured")
            }
            // Its sender's next segment came first.
            "answer"
                if self.after(index).any(|(_, it, other)| {
                    other.answers == Some(seen.packet)
                        && self.frames.iter().any(|early| {
                            early.time < it.time
                                && early.packet > it.packet
                                && self.packets[early.packet].from == other.from
                        })
                }) =>
            {
                Some("an answer that was overtaken")
            }
            _ => None,
        }
    }

    /// The capture as a trace, a line a frame.
    pub fn trace(&self) -> String {
        let mut text = String::new();
        let mut tracker = Tracker::new(0);
        for (index, seen) in self.frames.iter().enumerate() {
            let packet = self.packet(index);
            let time = format!("{}.{:06}", seen.time / SEC, seen.time % SEC / 1000);
            if seen.icmp {
                text += &format!("{time} icmp {}\n", packet.seq);
                continue;
            }
            let mut flags = String::new();
            for (bit, letter) in [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (8, 'P'), (ACK, '.')] {
                if packet.flags & bit != 0 {
                    flags.push(letter);
                }
            }
            let sender = ["c", "s"][packet.from];
            text += &format!("{time} {sender} {flags} {} {}", packet.seq, packet.len);
            if packet.flags & ACK != 0 {
                text += &format!(" {}", packet.ack);
            }
            text += &format!(" win={} id={}", packet.window, packet.ip_id);
            if let Some((value, _)) = packet.stamps {
                text += &format!(" ts={value}");
            }
            if packet.len > 0 {
                text += &format!(" octet={}", packet.octet);
            }
            if let Some((left, _)) = packet.dsack {
                text += &format!(" dsack={left}");
            }
            if seen.ttl != 64 {
                text += &format!(" ttl={} if={}", seen.ttl, seen.interface);
            }
            let copy = if seen.copy { " copy" } else { "" };
            let read = bytes::segment(seen, packet, index as u64 + 1, self.ipv6);
            let called = tracker.segment(&read).map(|observed| observed.class);
            text += &format!("   # {}: {:?}{copy}, called {called:?}\n", index + 1, packet.tag);
        }
        text
    }
}

/// Decides which frames are copies, of those that are in the capture: the same packet again, or one that
/// is equal in all that a packet shows and comes within a millisecond, which nobody can tell from it.
fn mark_copies(packets: &[Packet], frames: &mut [Seen], ipv6: bool) {
    let shown = |packet: &Packet| {
        let numbers = (packet.from, packet.seq, packet.ack, packet.flags, packet.len, packet.window);
        let id = if ipv6 { 0 } else { packet.ip_id };
        (numbers, packet.octet, packet.stamps, packet.dsack, id)
    };
    for index in 0..frames.len() {
        let (before, rest) = frames.split_at_mut(index);
        let frame = &mut rest[0];
        frame.copy = !frame.icmp
            && before.iter().rev().any(|other| {
                !other.icmp
                    && (other.packet == frame.packet
                        || (frame.time - other.time <= MS
                            && shown(&packets[other.packet]) == shown(&packets[frame.packet])))
            });
    }
}
