//! Traces of segments, a line each, with what the tracker must call them.
//!
//! `TIME SENDER FLAGS SEQ LEN [ACK] [key=value …] => CLASS`: the sender is `c` or `s`, flags as tcpdump
//! writes them, numbers raw. Keys: `win`, `ts` (TSval), `dsack` (left edge), `octet`, `id`, `ttl`, `if`.

mod hard;
mod life;
mod lone;
mod midstream;
mod moved;
mod probes;
pub(super) mod steps;
mod window;

use std::net::{IpAddr, Ipv4Addr};

use super::event::{Event, EventKind};
use super::{Class, Tracker};
use crate::frame::FrameId;
use crate::segment::{
    Endpoint, Flags, IcmpError, IcmpKind, Options, SackBlock, Segment, SeqNum, TcpTimestamps,
};
use crate::time::Timestamp;

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port }
}

fn time(seconds: &str) -> Timestamp {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let nanos: i64 = format!("{fraction:0<9}").parse().unwrap();
    Timestamp::from_nanos(whole.parse::<i64>().unwrap() * 1_000_000_000 + nanos)
}

fn segment(line: &str, number: u64) -> Segment {
    let mut words = line.split_whitespace();
    let time = time(words.next().unwrap());
    let (client, server) = (endpoint(1, 40_000), endpoint(2, 80));
    let (source, destination) = if words.next() == Some("c") { (client, server) } else { (server, client) };
    let flags = words.next().unwrap().chars().fold(Flags::default(), |flags, letter| {
        flags.with(match letter {
            'S' => Flags::SYN,
            'F' => Flags::FIN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            '.' => Flags::ACK,
            other => panic!("unknown flag {other}"),
        })
    });
    let seq = SeqNum(words.next().unwrap().parse().unwrap());
    let len: u32 = words.next().unwrap().parse().unwrap();
    let mut made = Segment {
        id: FrameId { capture: 0, number },
        time,
        interface: 0,
        source,
        destination,
        seq,
        ack: SeqNum(0),
        flags,
        window: 1000,
        len,
        first_octet: (len > 0).then_some(b'x'),
        options: Options::default(),
        ttl: 64,
        // Every packet has an identification of its own unless the trace says otherwise.
        ip_id: Some(number as u16),
        dont_fragment: true,
    };
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            made.ack = SeqNum(word.parse().unwrap());
            continue;
        };
        let number: u32 = value.parse().unwrap();
        match key {
            "win" => made.window = number as u16,
            "ts" => made.options.timestamps = Some(TcpTimestamps { value: number, echo: 0 }),
            "dsack" => {
                let left = SeqNum(number);
                made.options.sack = Some(SackBlock { left, right: left.plus(1) });
            }
            "octet" => made.first_octet = Some(number as u8),
            "id" => made.ip_id = Some(number as u16),
            "ttl" => made.ttl = number as u8,
            "if" => made.interface = number,
            other => panic!("unknown key {other}"),
        }
    }
    made
}

fn class_name(class: Class) -> String {
    match class {
        Class::Probe { run, .. } => format!("probe {run}"),
        Class::Answer { probe, kind } => format!("answer {} to {probe}", kind.name()),
        Class::LookAlike(kind) => kind.name().to_owned(),
        Class::Candidate { .. } => "candidate".to_owned(),
        Class::Syn => "syn".to_owned(),
        Class::Data => "data".to_owned(),
        Class::Retransmission => "retransmission".to_owned(),
        Class::Ack => "ack".to_owned(),
        Class::OldAck => "old_ack".to_owned(),
        Class::Fin => "fin".to_owned(),
        Class::Reset => "reset".to_owned(),
        Class::StaleReset => "stale_reset".to_owned(),
        Class::Copy => "copy".to_owned(),
    }
}

fn event_name(event: &Event) -> String {
    let said = match &event.kind {
        EventKind::Opened(opened) => format!("opened {}", opened.start.name()),
        EventKind::Probe(probe) => format!(
            "probe {} octets={} run={} frame={} {}{}",
            probe.segment.prober.name(),
            probe.segment.octets,
            probe.segment.run,
            probe.segment.at.frame.number,
            probe.basis.name(),
            probe.corrects.map(|event| format!(" corrects {event}")).unwrap_or_default(),
        ),
        EventKind::Answer(answer) => {
            format!(
                "answer {} by frame {} {} rtt={}",
                answer.probe,
                answer.at.frame.number,
                answer.kind.name(),
                answer.rtt
            ) + &answer.corrects.map(|event| format!(" corrects {event}")).unwrap_or_default()
        }
        EventKind::Unanswered { probe } => format!("unanswered {probe}"),
        EventKind::Candidate(candidate) => format!("candidate frame={}", candidate.segment.at.frame.number),
        EventKind::Dismissed { candidate, because } => format!("dismissed {candidate} {}", because.name()),
        EventKind::LookAlike(seen) => format!("{} frame={}", seen.kind.name(), seen.at.frame.number),
        EventKind::Retracted { probe, kind, .. } => format!("retracted {probe} {}", kind.name()),
        EventKind::Reset { by, .. } => format!("reset by {}", by.name()),
        EventKind::ResetIgnored { reset, .. } => format!("reset ignored {}", reset.frame.number),
        EventKind::Fin { by, .. } => format!("fin by {}", by.name()),
        EventKind::Final(_) => "final".to_owned(),
    };
    format!("{}.{} {said}", event.connection, event.number)
}

/// Plays a trace, checks what each segment is called, and returns the events, all but the final ones.
fn play(trace: &str) -> Vec<String> {
    let mut tracker = Tracker::new(0);
    let mut events = Vec::new();
    let lines = trace.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (line, number) in lines.zip(1..) {
        let (sent, expected) = line.split_once("=>").unwrap_or((line, ""));
        if sent.contains("icmp") {
            let words: Vec<&str> = sent.split_whitespace().collect();
            let error = IcmpError {
                id: FrameId { capture: 0, number },
                time: time(words[0]),
                reporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254)),
                kind: IcmpKind::Unreachable(1),
                source: endpoint(1, 40_000),
                destination: endpoint(2, 80),
                seq: SeqNum(words[2].parse().unwrap()),
                quoted_ip_id: words.get(3).map(|id| id.parse().unwrap()),
                ttl: 63,
            };
            assert_eq!(tracker.icmp(&error), expected.trim() == "answer icmp", "line {number}: {line}");
        } else {
            let observed = tracker.segment(&segment(sent, number)).expect("a known connection");
            assert_eq!(class_name(observed.class), expected.trim(), "line {number}: {line}");
        }
        events.extend(std::iter::from_fn(|| tracker.poll_event()).map(|event| event_name(&event)));
    }
    tracker.finish();
    events.extend(std::iter::from_fn(|| tracker.poll_event()).map(|event| event_name(&event)));
    events.retain(|event| !event.ends_with("final"));
    if events.iter().all(|event| event.contains(" opened ")) {
        // Every connection is opened at the latest by its last word.
        events.clear();
    }
    events
}

const HANDSHAKE: &str = "
    0.000 c S 1000 0            => syn
    0.010 s S. 5000 0 1001      => syn
    0.011 c . 1001 0 5001       => ack
";

fn play_after_handshake(trace: &str) -> Vec<String> {
    play(&format!("{HANDSHAKE}{trace}"))
}
