//! One capture read by tshark and by us, frame by frame, and why the two differ.
//!
//! A reason is never taken from a list of frames: each is a rule over what tshark dissected, so that it holds
//! for captures made anew as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::common::{keepscope, run};

/// Why tshark and we say different things of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An answer that bears another window than the segment before it is a window update to tshark.
    WindowChanged,
    /// An answer with a window of 0 is a zero window to tshark, never the answer to a keepalive.
    WindowClosed,
    /// The prober answered its peer's probe after its own, and tshark looks only at the very last segment.
    Crossing,
    /// tshark has no flag for a RST that answers a probe.
    Reset,
    /// tshark analyses nothing within an ICMP error that quotes a probe.
    IcmpError,
    /// tshark compares an answer with the segment before it in its direction, and there is none.
    FirstOfDirection,
    /// Begun mid-stream, nothing before the probe shows SND.NXT, and tshark does not learn it from answers.
    NextUnknown,
    /// SND.NXT wrapped to 0, which means "unset" in tshark.
    NextIsZero,
    /// The frame was cut within the TCP options, and tshark analyses no such segment.
    OptionsCut,
    /// The frame is a captured copy of one before it; tshark counts both.
    Copy,
    /// A lone octet that nobody had acknowledged is a retransmission, whatever its SEQ.
    OctetNotAcknowledged,
    /// The peer's window is 0 and data waits for it: a window probe of Linux, alike in form.
    ZeroWindowProbe,
    /// The sender numbered this packet before one that was captured earlier: it was overtaken on its way.
    Overtaken,
}

/// What one of the two says of a frame and the other does not.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// We say it is a probe.
    OurProbe,
    /// We say it is an answer.
    OurAnswer,
    /// tshark says it is a probe.
    TheirProbe,
    /// tshark says it is an answer.
    TheirAnswer,
}

/// A frame of which the two say different things.
pub struct Difference {
    frame: u64,
    claim: Claim,
    /// `None` if no rule explains it.
    pub reason: Option<Reason>,
    /// tshark's own words for the frame.
    info: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { frame, claim, reason, info } = self;
        write!(f, "frame {frame}: {claim:?}, {reason:?}; tshark: {info}")
    }
}

/// Both views of one capture.
pub struct Comparison {
    /// Frames of which the two say different things.
    pub differences: Vec<Difference>,
    /// Numbers that ought to be the same and are not.
    pub mismatches: Vec<String>,
    /// Probes that both see.
    pub agreed: usize,
}

const FIELDS: [&str; 18] = [
    "frame.number",
    "frame.protocols",
    "frame.cap_len",
    "frame.len",
    "frame.time_epoch",
    "ip.id",
    "ip.ttl",
    "ipv6.hlim",
    "tcp.stream",
    "tcp.srcport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
    "tcp.flags",
    "tcp.window_size_value",
    "tcp.analysis.keep_alive",
    "tcp.analysis.keep_alive_ack",
    "_ws.col.Info",
];

/// A frame as tshark dissects it; numbers that it lacks are 0.
struct Frame {
    number: u64,
    /// A TCP segment of its own, not one within an ICMP error.
    is_tcp: bool,
    is_icmp: bool,
    captured: u64,
    length: u64,
    time: String,
    ip_id: Option<u16>,
    ttl: u64,
    /// The TCP connection and the sender's port.
    direction: (u64, u64),
    seq: u32,
    ack: u32,
    len: u64,
    flags: u64,
    window: u64,
    keep_alive: bool,
    keep_alive_ack: bool,
    info: String,
}

/// In nanoseconds; no stack sends the same again so soon.
const COPIES_WITHIN: u64 = 10_000_000;

const FIN: u64 = 0x01;
const SYN: u64 = 0x02;
const RST: u64 = 0x04;

impl Frame {
    fn parse(line: &str) -> Frame {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), FIELDS.len(), "{line}");
        let cell = |name: &str| cells[FIELDS.iter().position(|field| *field == name).expect(name)];
        let number = |name: &str| {
            let text = cell(name);
            match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).unwrap_or(0),
                None => text.parse().unwrap_or(0),
            }
        };
        let protocols: BTreeSet<&str> = cell("frame.protocols").split(':').collect();
        let is_icmp = protocols.contains("icmp") || protocols.contains("icmpv6");
        Frame {
            number: number("frame.number"),
            is_tcp: protocols.contains("tcp") && !is_icmp,
            is_icmp,
            captured: number("frame.cap_len"),
            length: number("frame.len"),
            time: cell("frame.time_epoch").to_owned(),
            ip_id: (!cell("ip.id").is_empty()).then(|| number("ip.id") as u16),
            ttl: number("ip.ttl").max(number("ipv6.hlim")),
            direction: (number("tcp.stream"), number("tcp.srcport")),
            seq: number("tcp.seq_raw") as u32,
            ack: number("tcp.ack_raw") as u32,
            len: number("tcp.len"),
            flags: number("tcp.flags"),
            window: number("tcp.window_size_value"),
            keep_alive: !cell("tcp.analysis.keep_alive").is_empty(),
            keep_alive_ack: !cell("tcp.analysis.keep_alive_ack").is_empty(),
            info: cell("_ws.col.Info").to_owned(),
        }
    }

    /// The SEQ after this segment.
    fn end(&self) -> u32 {
        let control = u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0);
        self.seq.wrapping_add(self.len as u32).wrapping_add(control)
    }

    /// Whether octets of the headers themselves are missing.
    fn lacks_headers(&self) -> bool {
        self.length - self.captured > self.len
    }

    fn nanos(&self) -> u64 {
        let (seconds, fraction) = self.time.split_once('.').expect("a fraction");
        assert_eq!(fraction.len(), 9, "{}", self.time);
        let number = |text: &str| text.parse::<u64>().expect("digits");
        number(seconds) * 1_000_000_000 + number(fraction)
    }

    /// Some stacks number no packets, so that probes of theirs are the same to the octet; only time tells
    /// them from copies.
    fn is_copy_of(&self, earlier: &Frame) -> bool {
        let identity =
            |frame: &Frame| (frame.ip_id, frame.seq, frame.ack, frame.len, frame.flags, frame.window);
        let soon = self.nanos().abs_diff(earlier.nanos()) < COPIES_WITHIN;
        soon && self.ip_id.is_some() && identity(self) == identity(earlier)
    }
}

/// The time from an earlier frame to this one in seconds, as JSON has it; empty if there is none.
fn since(frame: &Frame, earlier: Option<&Frame>) -> String {
    let Some(earlier) = earlier else { return String::new() };
    let nanos = frame.nanos() - earlier.nanos();
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// Whether a sequence number lies after another.
fn is_after(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) > 0
}

#[derive(Deserialize)]
struct Document {
    captures: Vec<Capture>,
    connections: Vec<Connection>,
}

#[derive(Deserialize)]
struct Capture {
    packets: u64,
    tcp_segments: u64,
}

#[derive(Deserialize)]
struct Connection {
    probers: Vec<Prober>,
}

#[derive(Deserialize)]
struct Prober {
    probes: Vec<Probe>,
}

#[derive(Deserialize)]
struct Probe {
    frame: u64,
    time_s: Box<RawValue>,
    octets: u64,
    silence_s: Option<Box<RawValue>>,
    quiet_s: Option<Box<RawValue>>,
    seq: u32,
    ack: u32,
    ttl: u64,
    answer: Option<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    kind: String,
    frame: u64,
    time_s: Box<RawValue>,
    rtt_us: Box<RawValue>,
}

/// Reads a capture with both.
pub fn compare(path: &str) -> Comparison {
    let mut arguments = vec!["-n", "-r", path, "-T", "fields", "-E", "occurrence=f"];
    arguments.extend(FIELDS.iter().flat_map(|field| ["-e", field]));
    let frames: Vec<Frame> = run("tshark", &arguments).lines().map(Frame::parse).collect();

    let output = keepscope(&["analyze", "--format", "json", path]);
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON in UTF-8");
    let document: Document = serde_json::from_str(&text).expect("a JSON document");
    let (mut probes, mut answers) = (BTreeMap::new(), BTreeMap::new());
    for probe in document.connections.iter().flat_map(|one| &one.probers).flat_map(|one| &one.probes) {
        probes.insert(probe.frame, probe);
        if let Some(answer) = &probe.answer {
            answers.insert(answer.frame, (answer, probe.frame));
        }
    }
    let both = Both { frames, probes, answers };
    Comparison {
        differences: both.differences(),
        mismatches: both.mismatches(&document.captures[0]),
        agreed: both
            .frames
            .iter()
            .filter(|frame| frame.keep_alive && both.probes.contains_key(&frame.number))
            .count(),
    }
}

struct Both<'a> {
    frames: Vec<Frame>,
    probes: BTreeMap<u64, &'a Probe>,
    /// With the frame of the probe.
    answers: BTreeMap<u64, (&'a Answer, u64)>,
}

impl Both<'_> {
    /// Numbers of which there is only one truth.
    fn mismatches(&self, capture: &Capture) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |what: String, theirs: String, ours: String| {
            if theirs != ours {
                wrong.push(format!("{what}: tshark says {theirs}, we say {ours}"));
            }
        };
        let segments = self.frames.iter().filter(|frame| frame.is_tcp).count();
        check("packets".to_owned(), self.frames.len().to_string(), capture.packets.to_string());
        check("TCP segments".to_owned(), segments.to_string(), capture.tcp_segments.to_string());
        for (number, probe) in &self.probes {
            let frame = self.frame(*number);
            let name = |what| format!("{what} of frame {number}");
            check(name("SEQ"), frame.seq.to_string(), probe.seq.to_string());
            check(name("ACK"), frame.ack.to_string(), probe.ack.to_string());
            check(name("length"), frame.len.to_string(), probe.octets.to_string());
            check(name("TTL"), frame.ttl.to_string(), probe.ttl.to_string());
            check(name("time"), frame.time.clone(), probe.time_s.get().to_owned());
            let heard = self.peer_before(frame).find(|other| !self.is_copy(other));
            let own = self.before(frame).find(|other| !self.is_copy(other));
            let any = [heard, own].into_iter().flatten().max_by_key(|other| other.number);
            let ours = |span: &Option<Box<RawValue>>| span.as_ref().map_or("", |span| span.get()).to_owned();
            check(name("silence before"), since(frame, heard), ours(&probe.silence_s));
            check(name("quiet before"), since(frame, any), ours(&probe.quiet_s));
        }
        for (number, (answer, probe)) in &self.answers {
            let frame = self.frame(*number);
            check(format!("time of frame {number}"), frame.time.clone(), answer.time_s.get().to_owned());
            let nanos = frame.nanos() - self.frame(*probe).nanos();
            let micros = match nanos % 1000 {
                0 => (nanos / 1000).to_string(),
                rest => format!("{}.{rest:03}", nanos / 1000),
            };
            check(format!("round trip of frame {number}"), micros, answer.rtt_us.get().to_owned());
        }
        wrong
    }

    fn differences(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for frame in &self.frames {
            let probe = self.probes.contains_key(&frame.number);
            let answer = self.answers.contains_key(&frame.number);
            let claims = [
                (probe && !frame.keep_alive, Claim::OurProbe, self.why_no_probe(frame)),
                (answer && !frame.keep_alive_ack, Claim::OurAnswer, self.why_no_answer(frame)),
                (!probe && frame.keep_alive, Claim::TheirProbe, self.why_their_probe(frame)),
                (!answer && frame.keep_alive_ack, Claim::TheirAnswer, self.why_their_answer(frame)),
            ];
            for (_, claim, reason) in claims.into_iter().filter(|(differs, ..)| *differs) {
                found.push(Difference { frame: frame.number, claim, reason, info: frame.info.clone() });
            }
        }
        found
    }

    fn frame(&self, number: u64) -> &Frame {
        &self.frames[number as usize - 1]
    }

    /// Earlier segments of the same direction, latest first.
    fn before<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = &'a Frame> {
        let earlier = self.frames[..frame.number as usize - 1].iter().rev();
        earlier.filter(|other| other.is_tcp && other.direction == frame.direction)
    }

    /// Earlier segments of the other direction, latest first.
    fn peer_before<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = &'a Frame> {
        let earlier = self.frames[..frame.number as usize - 1].iter().rev();
        let (stream, port) = frame.direction;
        earlier.filter(move |other| other.is_tcp && other.direction.0 == stream && other.direction.1 != port)
    }

    /// Whether a segment was captured before.
    fn is_copy(&self, frame: &Frame) -> bool {
        self.before(frame).any(|earlier| frame.is_copy_of(earlier))
    }

    /// Why tshark does not flag what we call a probe.
    fn why_no_probe(&self, frame: &Frame) -> Option<Reason> {
        let next = frame.seq.wrapping_add(1);
        if frame.lacks_headers() {
            Some(Reason::OptionsCut)
        } else if next == 0 && self.before(frame).any(|earlier| earlier.end() == next) {
            Some(Reason::NextIsZero)
        } else if self.before(frame).all(|earlier| !is_after(earlier.end(), frame.seq)) {
            Some(Reason::NextUnknown)
        } else {
            None
        }
    }

    /// Why tshark does not flag what we call an answer.
    fn why_no_answer(&self, frame: &Frame) -> Option<Reason> {
        let (answer, probe) = self.answers.get(&frame.number)?;
        let probe = self.frame(*probe);
        let before = self.before(frame).next();
        let peer_before = self.peer_before(frame).next();
        match answer.kind.as_str() {
            "icmp" => frame.is_icmp.then_some(Reason::IcmpError),
            "reset" => (frame.flags & RST != 0).then_some(Reason::Reset),
            "ack" if frame.lacks_headers() => Some(Reason::OptionsCut),
            "ack" if !probe.keep_alive => self.why_no_probe(probe),
            "ack" if frame.window == 0 => Some(Reason::WindowClosed),
            "ack" => match before {
                None => Some(Reason::FirstOfDirection),
                Some(before) if before.window != frame.window => Some(Reason::WindowChanged),
                Some(_) => {
                    let crossed =
                        |peer: &Frame| peer.number > probe.number && self.answers.contains_key(&peer.number);
                    peer_before.is_some_and(crossed).then_some(Reason::Crossing)
                }
            },
            _ => None,
        }
    }

    /// Why we do not call a probe what tshark flags as one.
    fn why_their_probe(&self, frame: &Frame) -> Option<Reason> {
        let copied = |earlier: &Frame| self.probes.contains_key(&earlier.number) && frame.is_copy_of(earlier);
        if self.before(frame).any(copied) {
            return Some(Reason::Copy);
        }
        if frame.len == 1 {
            let acknowledged = self.peer_before(frame).any(|peer| is_after(peer.ack, frame.seq));
            return (!acknowledged).then_some(Reason::OctetNotAcknowledged);
        }
        let sent_later = |other: &Frame| {
            frame.ip_id.zip(other.ip_id).is_some_and(|(one, other)| (other.wrapping_sub(one) as i16) > 0)
        };
        if self.before(frame).any(sent_later) {
            return Some(Reason::Overtaken);
        }
        let closed = self.peer_before(frame).next().is_some_and(|peer| peer.window == 0);
        (closed && self.data_waits(frame)).then_some(Reason::ZeroWindowProbe)
    }

    /// Whether the sender goes on with data as soon as the window opens.
    fn data_waits(&self, frame: &Frame) -> bool {
        let (stream, port) = frame.direction;
        let mut opened = false;
        for later in &self.frames[frame.number as usize..] {
            if !later.is_tcp || later.direction.0 != stream {
                continue;
            }
            if later.direction.1 != port {
                opened |= later.window > 0;
            } else if opened {
                return later.seq == frame.seq.wrapping_add(1) && later.len > 0;
            }
        }
        false
    }

    /// Why we do not call an answer what tshark flags as one.
    fn why_their_answer(&self, frame: &Frame) -> Option<Reason> {
        let copied =
            |earlier: &Frame| self.answers.contains_key(&earlier.number) && frame.is_copy_of(earlier);
        self.before(frame).any(copied).then_some(Reason::Copy)
    }
}
