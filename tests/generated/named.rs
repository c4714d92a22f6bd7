//! Conversations by name: what tshark 4.0.17 misjudges, row by row of the table in its measurement, and every
//! stack whose probes are known. Each names the frames that are probes and those that answer them.

use keepscope::frame::FrameId;
use keepscope::segment::{Endpoint, Flags, Options, SackBlock, Segment, SeqNum, TcpTimestamps};
use keepscope::time::Timestamp;
use keepscope::track::Tracker;

use crate::bytes;
use crate::model::{Action, Leg, MS, SEC, Stack, Story, Tag, World, play};
use crate::truth::{Capture, Cut};

pub fn segment(line: &str, number: u64) -> Segment {
    let mut words = line.split_whitespace();
    let seconds: f64 = words.next().unwrap().parse().unwrap();
    let from = usize::from(words.next() == Some("s"));
    let bit = |letter| match letter {
        'F' => 1,
        'S' => 2,
        'R' => 4,
        'P' => 8,
        _ => 16,
    };
    let flags = words.next().unwrap().chars().map(bit).fold(0, |all, bit| all | bit);
    let seq = words.next().unwrap().parse().unwrap();
    let len: u32 = words.next().unwrap().parse().unwrap();
    let (source, destination): (Endpoint, Endpoint) =
        (bytes::endpoint(from, false), bytes::endpoint(1 - from, false));
    let mut made = Segment {
        id: FrameId { capture: 0, number },
        time: Timestamp::from_nanos((seconds * 1e6).round() as i64 * 1_000),
        interface: 0,
        source,
        destination,
        seq: SeqNum(seq),
        ack: SeqNum(0),
        flags: Flags(flags),
        window: 1000,
        len,
        first_octet: (len > 0).then_some(b'x'),
        options: Options::default(),
        ttl: 64,
        ip_id: Some(number as u16),
        dont_fragment: true,
    };
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            made.ack = SeqNum(word.parse().unwrap());
            continue;
        };
        let value: u32 = value.parse().unwrap();
        match key {
            "win" => made.window = value as u16,
            "ts" => made.options.timestamps = Some(TcpTimestamps { value, echo: 0 }),
            "dsack" => {
                let left = SeqNum(value);
                made.options.sack = Some(SackBlock { left, right: left.plus(1) });
            }
            "octet" => made.first_octet = Some(value as u8),
            "id" => made.ip_id = Some(value as u16),
            "ttl" => made.ttl = value as u8,
            _ => panic!("{key}"),
        }
    }
    made
}

/// Probes with their answers as `4<5 6<7 8<-`.
fn found(events: &[keepscope::track::event::Event]) -> String {
    let shown: Vec<String> = Capture::found(events)
        .iter()
        .map(|(probe, (_, answer))| {
            let answer = answer.map_or("-".to_owned(), |answer| answer.at.frame.number.to_string());
            format!("{probe}<{answer}")
        })
        .collect();
    shown.join(" ")
}

pub fn probes_of(trace: &str) -> String {
    let mut tracker = Tracker::new(0);
    let lines = trace.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (line, number) in lines.zip(1..) {
        tracker.segment(&segment(line, number));
    }
    tracker.finish();
    let events: Vec<_> = std::iter::from_fn(|| tracker.poll_event()).collect();
    found(&events)
}

pub const OPEN: &str = "
    0.00 c S 1000 0
    0.01 s S. 5000 0 1001
    0.02 c . 1001 0 5001
";

pub fn after_handshake(trace: &str) -> String {
    probes_of(&format!("{OPEN}{trace}"))
}

#[test]
fn row_1_one_octet_lost_and_sent_again_twice() {
    let found = after_handshake(
        "1.0 c P. 1001 1 5001
         1.2 c P. 1001 1 5001
         1.6 c P. 1001 1 5001
         1.7 s . 5001 0 1002",
    );
    assert_eq!(found, "");
}

#[test]
fn row_2_last_octet_of_ten_sent_again() {
    let found = after_handshake(
        "1.0 c P. 1001 10 5001
         1.1 s . 5001 0 1010
         1.3 c P. 1010 1 5001
         1.4 s . 5001 0 1011",
    );
    assert_eq!(found, "");
}

#[test]
fn row_3_ten_octets_never_acknowledged_and_their_tail() {
    let found = after_handshake(
        "1.0 c P. 1001 10 5001
         1.3 c P. 1010 1 5001
         1.9 c P. 1001 10 5001",
    );
    assert_eq!(found, "");
}

#[test]
fn row_4_an_acknowledgment_behind_the_fin_or_the_octet_that_overtook_it() {
    let found = after_handshake(
        "1.000 c F. 1001 0 5001 ts=20
         1.001 c . 1001 0 5001 ts=19
         1.100 s . 5001 0 1002",
    );
    assert_eq!(found, "");
    let found = after_handshake(
        "1.000 c P. 1001 1 5001
         1.001 c . 1001 0 5001
         1.100 s . 5001 0 1002",
    );
    assert_eq!(found, "");
}

#[test]
fn row_5_empty_probes_are_the_first_frames() {
    let found = probes_of(
        "1.0 c . 1000 0 5001
         1.1 s . 5001 0 1001
         9.0 c . 1000 0 5001
         9.1 s . 5001 0 1001",
    );
    assert_eq!(found, "1<2 3<4");
}

#[test]
fn row_6_one_octet_probes_are_the_first_frames() {
    let found = probes_of(
        "1.0 c . 1000 1 5001 octet=0
         1.1 s . 5001 0 1001
         9.0 c . 1000 1 5001 octet=0
         9.1 s . 5001 0 1001",
    );
    assert_eq!(found, "1<2 3<4");
}

#[test]
fn row_7_the_first_frame_is_a_probe_at_the_last_number() {
    let found = probes_of(
        "1.0 c . 4294967295 0 5001
         1.1 s . 5001 0 0
         9.0 c . 4294967295 0 5001
         9.1 s . 5001 0 0",
    );
    assert_eq!(found, "1<2 3<4");
}

#[test]
fn row_8_the_next_number_is_zero() {
    let found = probes_of(
        "0.0 c S 4294967290 0
         0.1 s S. 5000 0 4294967291
         0.2 c . 4294967291 0 5001
         1.0 c P. 4294967291 5 5001
         1.1 s . 5001 0 0
         9.0 c . 4294967295 0 5001
         9.1 s . 5001 0 0
         17.0 c . 4294967295 0 5001
         17.1 s . 5001 0 0
         25.0 c . 4294967295 0 5001",
    );
    assert_eq!(found, "6<7 8<9 10<-");
}

#[test]
fn row_9_the_last_data_is_not_in_the_capture() {
    let found = after_handshake(
        "9.0 c . 1010 0 5001
         9.1 s . 5001 0 1011
         17.0 c . 1010 0 5001
         17.1 s . 5001 0 1011",
    );
    assert_eq!(found, "4<5 6<7");
}

#[test]
fn rows_10_and_11_the_answer_changes_or_closes_the_window() {
    let found = after_handshake(
        "9.0 c . 1000 0 5001
         9.1 s . 5001 0 1001 win=1001
         17.0 c . 1000 0 5001
         17.1 s . 5001 0 1001 win=0",
    );
    assert_eq!(found, "4<5 6<7");
}

#[test]
fn row_12_the_answer_carries_data_or_is_a_reset() {
    let found = after_handshake(
        "9.0 c . 1000 0 5001
         9.1 s P. 5001 20 1001
         9.2 c . 1001 0 5021
         19.0 c . 1000 0 5021
         19.1 s R 5021 0",
    );
    assert_eq!(found, "4<5 7<8");
}

#[test]
fn row_13_both_ends_probe_at_once() {
    let found = after_handshake(
        "9.000 c . 1000 0 5001
         9.001 s . 5000 0 1001
         9.010 s . 5001 0 1001
         9.011 c . 1001 0 5001",
    );
    assert_eq!(found, "4<6 5<7");
}

#[test]
fn row_14_two_below_is_not_called_a_probe() {
    let found = after_handshake(
        "1.0 c P. 1001 10 5001
         1.1 s . 5001 0 1011
         9.0 c . 1009 0 5001
         9.1 s . 5001 0 1011",
    );
    assert_eq!(found, "");
}

#[test]
fn row_15_two_taps() {
    let found = after_handshake(
        "9.0000 c . 1000 0 5001 id=7
         9.0001 c . 1000 0 5001 id=7 ttl=63
         9.0100 s . 5001 0 1001 id=9
         9.0101 s . 5001 0 1001 id=9 ttl=63",
    );
    assert_eq!(found, "4<6");
}

#[test]
fn row_16_what_tshark_gets_right() {
    let found = after_handshake(
        "0.5 c P. 1000 1 5001 octet=0
         0.6 s . 5001 0 1001 dsack=1000
         1.0 c P. 1001 10 5001
         1.1 s . 5001 0 1011
         9.000 c . 1010 0 5001
         9.005 c . 1010 0 5001
         9.010 s . 5001 0 1011
         9.015 s . 5001 0 1011
         10.0 c F. 1011 0 5001
         10.1 s . 5001 0 1012
         19.0 s . 5000 0 1012
         19.1 c . 1012 0 5001
         29.0 c . 1011 0 5001
         29.1 s . 5001 0 1012",
    );
    assert_eq!(found, "4<5 8<10 9<11 14<15 16<17");
}

#[test]
fn row_17_the_octet_of_a_window_probe_is_taken() {
    let found = after_handshake(
        "1.0 c P. 1001 1000 5001
         1.1 s . 5001 0 2001 win=0
         6.1 c . 2001 1 5001
         6.2 s . 5001 0 2002 win=0
         16.1 c . 2002 1 5001
         16.2 s . 5001 0 2002 win=0
         36.1 c . 2002 1 5001",
    );
    assert_eq!(found, "");
}

/// Two hosts on a path of 20 ms with the tap in its middle: ten octets each way, then silence.
fn meeting(client: Stack, server: Stack, stamps: bool) -> World {
    let leg = Leg { delay: 5 * MS, ..Leg::default() };
    World {
        stacks: [client, server],
        isn: [1000, 5000],
        legs: [[leg; 2]; 2],
        stamps,
        room: 60_000,
        segment_size: 1000,
        constant_octet: None,
        second_tap: None,
        script: vec![(0, 0, Action::Open), (SEC, 0, Action::Write(10)), (2 * SEC, 1, Action::Write(10))],
        until: 50 * SEC,
    }
}

fn capture(world: &World) -> Capture {
    let story: Story = play(world, 1);
    Capture::new(story, Cut::Whole, false, (20 * MS, 20 * MS), &mut |_| 1)
}

fn told(world: &World) -> (Capture, String) {
    let capture = capture(world);
    let events = capture.events();
    assert_eq!(capture.differences(&events), [], "{}", capture.trace());
    assert_eq!(events, capture.events_from_octets());
    let found = found(&events);
    (capture, found)
}

/// A stack that probes a silent Linux: every probe is found with its answer, and so is the end if it is cut.
fn probes_like(stack: Stack, stamps: bool) {
    let answered = meeting(stack, Stack::linux().quiet(), stamps);
    let (capture, found) = told(&answered);
    // SYN, SYN,ACK, ACK, data and its ACK both ways, then pairs.
    assert!(found.starts_with("8<9 10<11 12<13"), "{found}\n{}", capture.trace());
    let mut cut = meeting(stack, Stack::linux().quiet(), stamps);
    cut.script.push((13 * SEC, 1, Action::Cut { before_tap: true, icmp: false }));
    let (capture, found) = told(&cut);
    assert!(found.starts_with("8<9 10<- 11<- 12<-"), "{found}\n{}", capture.trace());
    let last = capture.packets.last().map(|packet| packet.tag);
    assert_eq!(last == Some(Tag::Reset), stack.resets && stack.count < 20, "{}", capture.trace());
}

#[test]
fn linux() {
    probes_like(Stack::linux(), true);
    probes_like(Stack::linux(), false);
}

#[test]
fn freebsd_openbsd_netbsd() {
    probes_like(Stack::freebsd(), true);
}

#[test]
fn macos_without_timestamps_though_negotiated() {
    probes_like(Stack::macos(), true);
}

#[test]
fn windows() {
    probes_like(Stack { interval: SEC, count: 10, ..Stack::windows() }, false);
}

#[test]
fn illumos_with_doubling_gaps() {
    probes_like(Stack { interval: 300 * MS, count: 5, ..Stack::illumos() }, true);
}

#[test]
fn smoltcp() {
    probes_like(Stack::smoltcp(), false);
}

#[test]
fn gvisor() {
    probes_like(Stack::gvisor(), true);
}

#[test]
fn lwip() {
    probes_like(Stack::lwip(), false);
}

#[test]
fn picotcp_with_push() {
    probes_like(Stack::picotcp(), true);
}

#[test]
fn data_in_flight_is_probed_by_bsd_and_not_by_linux() {
    for (stack, probes) in [(Stack::linux(), false), (Stack::freebsd(), true), (Stack::lwip(), true)] {
        let mut world = meeting(stack, Stack::linux().quiet(), true);
        world.script.push((4 * SEC, 0, Action::Cut { before_tap: false, icmp: false }));
        world.script.push((5 * SEC, 0, Action::Write(100)));
        let capture = capture(&world);
        let found = found(&capture.events());
        assert_eq!(!found.is_empty(), probes, "{found}\n{}", capture.trace());
    }
}

#[test]
fn keepalives_into_a_closed_window_and_window_probes() {
    // Nothing waits: the keepalives go on.
    let mut world = meeting(Stack::linux(), Stack::linux().quiet(), true);
    world.room = 8_000;
    world.script.push((3 * SEC, 1, Action::StopReading));
    world.script.push((4 * SEC, 0, Action::Write(8_000)));
    let full = capture(&world);
    let probes: Vec<usize> =
        (0..full.frames.len()).filter(|&at| full.packets[full.frames[at].packet].tag == Tag::Probe).collect();
    let found_probes = Capture::found(&full.events());
    assert!(probes.len() > 2);
    assert!(probes.iter().all(|at| found_probes.contains_key(&(*at as u64 + 1))), "{}", full.trace());
    // Data waits: window probes, in the form of Linux and in that of BSD.
    for stack in [Stack::linux(), Stack::windows()] {
        let mut world = meeting(stack, Stack::linux().quiet(), true);
        world.room = 8_000;
        world.script.push((3 * SEC, 1, Action::StopReading));
        world.script.push((4 * SEC, 0, Action::Write(9_000)));
        let full = capture(&world);
        assert_eq!(found(&full.events()), "", "{}", full.trace());
    }
}

#[test]
fn answers_limited_to_one_in_half_a_second() {
    let stack = Stack { interval: 200 * MS, count: 6, ..Stack::freebsd() };
    let mut world = meeting(stack, Stack::linux().quiet(), true);
    // The way back is cut for the prober alone, so that it goes on; the tap sees each answer.
    world.script.push((3 * SEC, 1, Action::Cut { before_tap: false, icmp: false }));
    let capture = capture(&world);
    let found = found(&capture.events());
    assert_eq!(found, "8<9 10<- 11<- 12<13 14<- 15<-", "{}", capture.trace());
}
