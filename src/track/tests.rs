//! Traces of segments, a line each, with what the tracker must call them.
//!
//! `TIME SENDER FLAGS SEQ LEN [ACK] [key=value …] => CLASS`: the sender is `c` or `s`, flags as tcpdump
//! writes them, numbers raw. Keys: `win`, `ts` (TSval), `dsack` (left edge), `octet`, `id`, `ttl`, `if`.

mod hard;

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

#[test]
fn a_probe_right_after_the_handshake_and_its_answer() {
    let events = play_after_handshake(
        "0.500 c . 1000 0 5001     => probe 1
         0.510 s . 5001 0 1001     => answer ack to 2",
    );
    assert_eq!(
        events,
        [
            "1.1 opened seen",
            "1.2 probe client octets=0 run=1 frame=4 acknowledged",
            "1.3 answer 2 by frame 5 ack rtt=0.010000000",
        ]
    );
}

#[test]
fn one_octet_probe_with_push_and_duplicate_report() {
    let events = play_after_handshake(
        "1.0 c P. 1001 10 5001             => data
         1.1 s . 5001 0 1011               => ack
         9.0 c P. 1010 1 5001 octet=0      => probe 1
         9.1 s . 5001 0 1011 dsack=1010    => answer ack to 2",
    );
    assert_eq!(events.len(), 3);
}

#[test]
fn runs_count_unanswered_probes_and_end_with_the_reset() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c . 1000 0 5001  => probe 2
         7.0 c . 1000 0 5001  => probe 3
         8.0 c R. 1001 0 5001 => reset",
    );
    assert_eq!(
        events[4..],
        ["1.5 unanswered 2", "1.6 unanswered 3", "1.7 unanswered 4", "1.8 reset by client"]
    );
}

#[test]
fn a_window_that_changes_does_not_hide_the_answer() {
    play_after_handshake(
        "5.0 c . 1000 0 5001        => probe 1
         5.1 s . 5001 0 1001 win=900 => answer ack to 2
         9.0 c . 1000 0 5001        => probe 1
         9.1 s . 5001 0 1001 win=0  => answer ack to 4
         9.5 s . 5001 0 1001 win=500 => window_update",
    );
}

#[test]
fn crossing_probes_prove_life_but_are_no_answers() {
    let events = play_after_handshake(
        "5.000 c . 1000 0 5001 => probe 1
         5.001 s . 5000 0 1001 => probe 1
         5.010 s . 5001 0 1001 => answer ack to 2
         5.011 c . 1001 0 5001 => answer ack to 3",
    );
    assert_eq!(events.len(), 5);
}

#[test]
fn a_lone_octet_that_was_not_acknowledged_is_sent_again() {
    play_after_handshake(
        "1.0 c P. 1001 1 5001 => data
         1.2 c P. 1001 1 5001 => retransmitted_octet
         1.6 c P. 1001 1 5001 => retransmitted_octet
         1.7 s . 5001 0 1002  => ack",
    );
}

#[test]
fn a_lone_octet_sent_again_though_acknowledged_in_the_capture() {
    play_after_handshake(
        "1.0 c P. 1001 1 5001 => data
         1.1 s . 5001 0 1002  => ack
         1.3 c P. 1001 1 5001 => retransmitted_octet
         1.4 s . 5001 0 1002  => duplicate_ack
         9.0 c . 1001 1 5001 octet=0 => probe 1
         9.1 s . 5001 0 1002  => answer ack to 3
         17.0 c . 1001 1 5001 octet=0 => probe 1
         18.0 c . 1001 1 5001 octet=0 => probe 2",
    );
}

#[test]
fn the_last_octet_of_a_segment_sent_again() {
    play_after_handshake(
        "1.0 c P. 1001 10 5001 => data
         1.1 s . 5001 0 1010   => ack
         1.3 c P. 1010 1 5001  => retransmitted_octet",
    );
    play_after_handshake(
        "1.0 c P. 1001 10 5001 => data
         1.3 c P. 1010 1 5001  => retransmitted_octet",
    );
}

#[test]
fn acknowledgments_overtaken_by_a_lone_octet_or_a_fin() {
    play_after_handshake(
        "1.000 c P. 1001 1 5001 ts=20 => data
         1.001 c . 1001 0 5001 ts=19  => reordered_ack
         1.010 s . 5001 0 1002 ts=7   => ack
         2.000 c F. 1002 0 5001 ts=30 => fin
         2.001 c . 1002 0 5001 ts=30  => reordered_ack
         9.000 c . 1002 0 5001 ts=90  => probe 1",
    );
}

#[test]
fn without_timestamps_only_time_tells_an_overtaken_acknowledgment() {
    play_after_handshake(
        "1.000 c P. 1001 1 5001 => data
         1.010 s . 5001 0 1002  => ack
         1.011 c . 1001 0 5001  => reordered_ack
         8.000 c . 1001 0 5001  => probe 1",
    );
}

#[test]
fn midstream_probes_are_known_by_their_answers() {
    let events = play(
        "1.0 c . 1000 0 5001 => candidate
         1.1 s . 5001 0 1001 => answer ack to 3
         4.0 c . 1000 0 5001 => probe 1
         4.1 s . 5001 0 1001 => answer ack to 5",
    );
    assert_eq!(
        events[..4],
        [
            "1.1 opened midstream",
            "1.2 candidate frame=1",
            "1.3 probe client octets=0 run=1 frame=1 answer_beyond corrects 2",
            "1.4 answer 3 by frame 2 ack rtt=0.100000000",
        ]
    );
}

#[test]
fn midstream_probes_to_a_silent_peer_are_known_by_the_reset() {
    let events = play(
        "1.0 c . 4294967295 0 5001 => candidate
         2.0 c . 4294967295 0 5001 => candidate
         3.0 c R. 0 0 5001         => reset",
    );
    assert_eq!(
        events[3..],
        [
            "1.4 probe client octets=0 run=1 frame=1 continued_beyond corrects 2",
            "1.5 probe client octets=0 run=2 frame=2 continued_beyond corrects 3",
            "1.6 unanswered 4",
            "1.7 unanswered 5",
            "1.8 reset by client",
        ]
    );
}

#[test]
fn midstream_acknowledgments_of_a_download_are_no_probes() {
    let events = play(
        "1.000 c . 1001 0 5001    => candidate
         1.001 s . 5001 500 1001  => data
         1.002 c . 1001 0 5501    => ack
         1.003 s . 5501 500 1001  => data
         1.004 c . 1001 0 6001    => ack",
    );
    assert_eq!(events[2], "1.3 dismissed 2 ordinary");
    let events = play(
        "1.000 s . 5001 500 1001  => data
         1.001 c . 1001 0 5501    => ack
         9.000 c . 1000 0 5501    => probe 1",
    );
    assert_eq!(events.len(), 3);
}

#[test]
fn a_midstream_octet_is_a_probe_if_the_peer_had_it_already() {
    let events = play(
        "1.0 c . 1000 1 5001 octet=0     => candidate
         1.1 s . 5001 0 1001 dsack=1000  => answer ack to 3",
    );
    assert_eq!(
        events[2..],
        [
            "1.3 probe client octets=1 run=1 frame=1 duplicate_reported corrects 2",
            "1.4 answer 3 by frame 2 ack rtt=0.100000000",
        ]
    );
}

#[test]
fn a_midstream_octet_is_a_probe_if_it_comes_again_as_one() {
    let events = play(
        "1.0 c . 1000 1 5001 octet=0  => candidate
         1.1 s . 5001 0 1001          => ack
         9.0 c . 1000 1 5001 octet=0  => probe 1
         9.1 s . 5001 0 1001          => answer ack to 5",
    );
    assert_eq!(
        events[2..],
        [
            "1.3 probe client octets=1 run=1 frame=1 repeated_later corrects 2",
            "1.4 answer 3 by frame 2 ack rtt=0.100000000",
            "1.5 probe client octets=1 run=1 frame=3 acknowledged",
            "1.6 answer 5 by frame 4 ack rtt=0.100000000",
        ]
    );
}

#[test]
fn a_midstream_octet_of_data_is_never_called_a_probe() {
    let events = play(
        "1.0 c P. 1000 1 5001 => candidate
         1.1 s . 5001 0 1001  => ack
         1.5 c P. 1001 1 5001 => data
         1.6 s . 5001 0 1002  => ack",
    );
    assert_eq!(events[2..], ["1.3 dismissed 2 undecided"]);
}

#[test]
fn the_wrap_and_zero_are_ordinary_numbers() {
    play(
        "0.0 c S 4294967290 0            => syn
         0.1 s S. 5000 0 4294967291      => syn
         0.2 c . 4294967291 0 5001       => ack
         1.0 c P. 4294967291 5 5001      => data
         1.1 s . 5001 0 0                => ack
         5.0 c . 4294967295 0 5001       => probe 1
         5.1 s . 5001 0 0                => answer ack to 2
         6.0 c P. 0 1 5001               => data
         6.1 s . 5001 0 1                => ack
         9.0 c . 0 0 5001                => probe 1
         9.1 s . 5001 0 1                => answer ack to 4",
    );
}

#[test]
fn a_gap_in_the_capture_does_not_hide_probes() {
    let events = play_after_handshake(
        "1.0 c P. 1001 10 5001 => data
         1.1 s . 5001 0 1011   => ack
         # 100 octets and their acknowledgment are missing
         9.0 c . 1110 0 5001   => candidate
         9.1 s . 5001 0 1111   => answer ack to 3
         12.0 c . 1110 0 5001  => probe 1",
    );
    assert!(events[2].contains("answer_beyond"), "{events:?}");
    // Only the acknowledgment is there.
    play_after_handshake(
        "1.1 s . 5001 0 1111   => ack
         9.0 c . 1110 0 5001   => probe 1",
    );
}

#[test]
fn window_probes_double_and_keepalives_do_not() {
    let events = play_after_handshake(
        "1.00 c P. 1001 900 5001     => data
         1.01 s . 5001 0 1901 win=0  => ack
         1.43 c . 1900 0 5001        => zero_window_probe
         1.44 s . 5001 0 1901 win=0  => duplicate_ack
         2.26 c . 1900 0 5001        => zero_window_probe
         2.27 s . 5001 0 1901 win=0  => duplicate_ack
         3.92 c . 1900 0 5001        => zero_window_probe
         3.93 s . 5001 0 1901 win=0  => duplicate_ack
         7.38 c . 1900 0 5001        => zero_window_probe
         7.39 s . 5001 0 1901 win=0  => duplicate_ack
         8.00 s . 5001 0 1901 win=900 => window_update
         8.01 c P. 1901 900 5001     => data
         8.02 s . 5001 0 2801 win=0  => ack
         13.14 c . 2800 0 5001       => probe 1
         13.15 s . 5001 0 2801 win=0 => answer ack to 6
         18.27 c . 2800 0 5001       => probe 1",
    );
    assert!(events.iter().all(|event| !event.contains("retracted")), "{events:?}");
}

#[test]
fn data_right_after_the_window_opens_had_waited() {
    let events = play_after_handshake(
        "1.00 c P. 1001 900 5001     => data
         1.01 s . 5001 0 1901 win=0  => ack
         31.0 c . 1900 0 5001        => probe 1
         31.1 s . 5001 0 1901 win=0  => answer ack to 2
         40.0 s . 5001 0 1901 win=900 => window_update
         40.1 c P. 1901 900 5001     => data",
    );
    assert_eq!(events[3], "1.4 retracted 2 zero_window_probe");
}

#[test]
fn one_octet_into_a_closed_window_is_data_that_waits() {
    play_after_handshake(
        "1.0 c P. 1001 10 5001       => data
         1.1 s . 5001 0 1011 win=0   => ack
         6.0 c . 1011 1 5001         => zero_window_probe
         6.1 s . 5001 0 1011 win=0   => duplicate_ack
         12.0 c . 1011 1 5001        => zero_window_probe",
    );
}

#[test]
fn stacks_that_probe_with_data_in_flight() {
    let events = play_after_handshake(
        "1.0 c P. 1001 10 5001  => data
         1.1 s . 5001 0 1011    => ack
         2.0 c P. 1011 10 5001  => data
         9.0 c . 1010 0 5001    => probe 1
         16.0 c . 1010 0 5001   => probe 2",
    );
    assert!(events[1].ends_with("outstanding"), "{events:?}");
}

#[test]
fn copies_are_set_aside() {
    let events = play_after_handshake(
        "5.0000 c . 1000 0 5001 id=7 ttl=64     => probe 1
         5.0001 c . 1000 0 5001 id=7 ttl=63     => copy
         5.0002 s . 5001 0 1001 id=9 ttl=64     => answer ack to 2
         5.0003 s . 5001 0 1001 id=9 ttl=63     => copy",
    );
    assert_eq!(events.len(), 3);
}

#[test]
fn an_icmp_error_answers_the_probe_it_quotes() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c . 1000 0 5001  => probe 2
         8.0 icmp 1000        => answer icmp
         8.1 icmp 1000        => answer icmp
         8.2 icmp 1000        => nothing",
    );
    assert!(events[3].starts_with("1.4 answer 2 by frame 6 icmp"), "{events:?}");
}

#[test]
fn a_reset_by_the_peer_answers_the_probe() {
    play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         5.1 s R 5001 0       => answer reset to 2
         5.2 s R 5001 0       => stale_reset",
    );
}

#[test]
fn data_that_acknowledges_is_an_answer() {
    play_after_handshake(
        "5.0 c . 1000 0 5001     => probe 1
         5.1 s P. 5001 20 1001   => answer data to 2
         5.2 c . 1001 0 5021     => ack",
    );
}

#[test]
fn lost_probes_are_not_answered_by_a_later_answer() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c . 1000 0 5001  => probe 2
         6.1 s . 5001 0 1001  => answer ack to 3
         9.0 c . 1000 0 5001  => probe 1",
    );
    assert_eq!(events[3], "1.4 unanswered 2");
}

#[test]
fn two_probes_before_their_answers_are_answered_in_order() {
    play_after_handshake(
        "5.000 c . 1000 0 5001  => probe 1
         5.005 c . 1000 0 5001  => probe 2
         5.010 s . 5001 0 1001  => answer ack to 2
         5.015 s . 5001 0 1001  => answer ack to 3",
    );
}

#[test]
fn an_answer_written_before_its_probe() {
    let events = play_after_handshake(
        "5.0002 s . 5001 0 1001  => duplicate_ack
         5.0001 c . 1000 0 5001  => probe 1",
    );
    assert_eq!(events[2], "1.3 answer 2 by frame 4 ack rtt=0.000100000");
}

#[test]
fn a_reused_four_tuple_is_another_connection() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c R. 1001 0 5001 => reset
         7.0 c S 9000 0       => syn
         7.1 s S. 800 0 9001  => syn
         7.2 c . 9001 0 801   => ack
         9.0 c . 9000 0 801   => probe 1",
    );
    assert!(events.iter().any(|event| event == "2.1 opened seen"), "{events:?}");
}

#[test]
fn a_syn_on_a_live_connection_is_challenged() {
    play_after_handshake(
        "5.0 c S 9000 0        => syn
         5.1 s . 5001 0 1001   => challenge_ack
         9.0 c . 1000 0 5001   => probe 1
         9.1 s . 5001 0 1001   => answer ack to 2",
    );
    // The server had forgotten the old life: its SYN,ACK begins the new one.
    let events = play_after_handshake(
        "5.0 c S 9000 0        => syn
         5.1 s S. 300 0 9001   => syn
         5.2 c . 9001 0 301    => ack
         9.0 c . 9000 0 301    => probe 1",
    );
    assert!(events.contains(&"2.1 opened seen".to_owned()), "{events:?}");
}

#[test]
fn half_closed_connections_are_probed_too() {
    play_after_handshake(
        "1.0 c F. 1001 0 5001  => fin
         1.1 s . 5001 0 1002   => ack
         9.0 s . 5000 0 1002   => probe 1
         9.1 c . 1002 0 5001   => answer ack to 2",
    );
}
