//! Conversations by name: what tshark 4.0.17 misjudges, row by row of the table in its measurement, and every
//! stack whose probes are known. Each names the frames that are probes and those that answer them.

use keepscope::frame::FrameId;
use keepscope::segment::{Endpoint, Flags, Options, SackBlock, Segment, SeqNum, TcpTimestamps};
use keepscope::time::Timestamp;
use keepscope::track::Tracker;

use crate::bytes;
use crate::model::{Action, Leg, MS, SEC, Stack, Story, Tag, World, play};
use crate::truth::{Capture, Cut};

fn segment(line: &str, number: u64) -> Segment {
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

fn probes_of(trace: &str) -> String {
    let mut tracker = Tracker::new(0);
    let lines = trace.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (line, number) in lines.zip(1..) {
        tracker.segment(&segment(line, number));
    }
    tracker.finish();
    let events: Vec<_> = std::iter::from_fn(|| tracker.poll_event()).collect();
    found(&events)
}

const OPEN: &str = "
    0.00 c S 1000 0
    0.01 s S. 5000 0 1001
    0.02 c . 1001 0 5001
";

fn after_handshake(trace: &str) -> String {
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

/// Misjudgements that were found here. Each passes once the tracker is mended.
mod misjudged {
    use super::{after_handshake, probes_of};

    #[test]
    #[ignore = "a FIN is taken for one more answer"]
    fn a_fin_is_not_one_more_answer() {
        let found = after_handshake(
            "7.083 c . 1000 0 5001
             10.212 c . 1000 0 5001
             10.222 s . 5001 0 1001
             11.015 s F. 5001 0 1001",
        );
        assert_eq!(found, "4<- 5<6");
    }

    #[test]
    #[ignore = "a challenge ACK is taken for one more answer"]
    fn a_challenge_ack_is_not_one_more_answer() {
        let found = after_handshake(
            "7.083 c . 1000 0 5001
             10.212 c . 1000 0 5001
             10.222 s . 5001 0 1001
             15.000 c S 777 0
             15.010 s . 5001 0 1001",
        );
        assert_eq!(found, "4<- 5<6");
    }

    #[test]
    #[ignore = "an ACK below the octet of a window probe is called a probe"]
    fn acknowledgments_between_window_probes_of_one_octet() {
        let found = after_handshake(
            "1.00 c P. 1001 900 5001
             1.01 s . 5001 0 1901 win=0
             6.01 c . 1901 1 5001
             6.02 s . 5001 0 1901 win=0
             9.00 s P. 5001 10 1901 win=0
             9.04 c . 1901 0 5011
             16.01 c . 1901 1 5011
             16.02 s . 5011 0 1901 win=0",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "a RST that is challenged ends the connection"]
    fn a_reset_within_the_window_is_challenged() {
        let found = after_handshake(
            "3.00 c R 1101 0
             3.01 s . 5001 0 1001
             90.00 c . 1000 0 5001
             90.10 s R 5001 0",
        );
        assert_eq!(found, "6<7");
    }

    #[test]
    #[ignore = "a RST lost behind the tap ends the connection"]
    fn a_reset_that_never_arrived() {
        let found = after_handshake(
            "0.03 s R. 5001 0 1001
             30.00 c . 1000 0 5001
             30.10 s R 5001 0
             7200.00 c . 1000 0 5001
             7200.10 s R 5001 0",
        );
        assert_eq!(found, "5<6 7<8");
    }

    #[test]
    #[ignore = "the ACK of a foreign SYN,ACK is learnt"]
    fn the_acknowledgment_of_a_foreign_syn() {
        let found = after_handshake(
            "8.0 s S. 777777 0 1002
             8.1 c . 1001 0 5001
             9.0 s P. 5001 10 1001
             9.1 c . 1001 0 5011",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "a candidate is confirmed though the octet above it was data"]
    fn a_lost_octet_mid_stream() {
        let found = probes_of(
            "1.56 s . 1001 0 44
             5.04 s P. 1002 1 44
             5.08 c . 44 0 1001
             5.50 s P. 1001 1 44
             5.54 c . 44 0 1003",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "a D-SACK for the second copy makes the first a probe"]
    fn a_lone_octet_mid_stream_sent_twice() {
        let found = probes_of(
            "3.37 s P. 0 1 1
             4.89 s P. 0 1 1
             5.40 c . 1 0 1 dsack=0",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "the prober's own answer hides its probe behind a lone octet"]
    fn a_probe_right_after_an_answer_of_its_own() {
        let found = after_handshake(
            "1.00 c P. 1001 1 5001
             1.01 s . 5001 0 1002
             16.00 s . 5000 0 1002
             16.01 c . 1002 0 5001
             16.05 c . 1001 0 5001
             16.06 s . 5001 0 1002
             26.05 c . 1001 0 5001
             27.03 c . 1001 0 5001
             28.01 c . 1001 0 5001",
        );
        assert_eq!(found, "6<7 8<9 10<- 11<- 12<-");
    }

    #[test]
    #[ignore = "two probes close together behind a FIN"]
    fn two_probes_before_their_answers_on_a_half_closed_connection() {
        let found = after_handshake(
            "1.0 c F. 1001 0 5001
             1.1 s . 5001 0 1002
             9.000 c . 1001 0 5001
             9.005 c . 1001 0 5001
             9.010 s . 5001 0 1002
             9.015 s . 5001 0 1002",
        );
        assert_eq!(found, "6<8 7<9");
    }

    #[test]
    #[ignore = "a lost SYN,ACK makes the round trip too long"]
    fn an_answer_goes_to_the_youngest_probe_though_the_handshake_was_slow() {
        let found = probes_of(
            "0.00000 c S 1000 0
             1.00000 s S. 5000 0 1001
             1.00005 c . 1001 0 5001
             22.10000 c . 1000 0 5001
             23.20000 c . 1000 0 5001
             24.30000 c . 1000 0 5001
             24.30001 s . 5001 0 1001",
        );
        assert_eq!(found, "4<- 5<- 6<7");
    }

    #[test]
    #[ignore = "an octet behind the ACK that overtook it is called a probe"]
    fn the_first_octet_behind_an_acknowledgment() {
        let found = after_handshake(
            "3.000 c . 1002 0 5001
             3.003 c P. 1001 1 5001
             3.020 s . 5001 0 1002",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "the answer acknowledges more than the octet above the probe"]
    fn an_answer_that_acknowledges_data_in_flight() {
        let found = after_handshake(
            "1.0 c P. 1001 10 5001
             1.1 s . 5001 0 1011
             2.0 c P. 1011 10 5001
             9.0 c . 1010 0 5001
             9.1 s . 5001 0 1021",
        );
        assert_eq!(found, "7<8");
    }

    #[test]
    #[ignore = "a FIN behind the ACK that followed it is not learnt"]
    fn an_acknowledgment_behind_a_fin_behind_an_acknowledgment() {
        let found = after_handshake(
            "1.000 c . 1002 0 5001
             1.001 c F. 1001 0 5001
             1.002 c . 1001 0 5001
             1.020 s . 5001 0 1002",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "a lost window probe breaks the series"]
    fn a_window_probe_is_lost_before_the_tap() {
        let found = after_handshake(
            "1.00 c P. 1001 900 5001
             1.01 s . 5001 0 1901 win=0
             1.41 c . 1900 0 5001
             1.42 s . 5001 0 1901 win=0
             2.21 c . 1900 0 5001
             2.22 s . 5001 0 1901 win=0
             7.01 c . 1900 0 5001
             7.02 s . 5001 0 1901 win=0",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "the round trip between tap and sender is not counted"]
    fn window_probes_over_a_long_path_seen_at_the_receiver() {
        let found = probes_of(
            "0.000000 c S 1000 0
             0.000002 s S. 5000 0 1001
             1.330000 c . 1001 0 5001
             2.000000 c P. 1001 900 5001
             2.000002 s . 5001 0 1901 win=0
             7.320000 c . 1900 0 5001
             7.320002 s . 5001 0 1901 win=0
             15.310000 c . 1900 0 5001
             15.310002 s . 5001 0 1901 win=0
             16.000000 s . 5001 0 1901 win=900
             17.330000 c P. 1901 900 5001",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "a window update that was lost ends the series of window probes"]
    fn a_window_update_is_lost_behind_the_tap() {
        let found = after_handshake(
            "1.00 c P. 1001 900 5001
             1.01 s . 5001 0 1901 win=0
             1.23 c . 1900 0 5001
             1.24 s . 5001 0 1901 win=0
             1.75 c . 1900 0 5001
             1.76 s . 5001 0 1901 win=0
             2.30 s . 5001 0 1901 win=900
             2.78 c . 1900 0 5001
             4.84 c . 1900 0 5001
             8.96 c . 1900 0 5001
             8.97 s . 5001 0 1901 win=900
             8.98 c P. 1901 900 5001",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "only the tap's SND.UNA is known"]
    fn data_in_flight_whose_acknowledgments_are_lost_behind_the_tap() {
        let found = after_handshake(
            "1.0 c P. 1001 33 5001
             1.1 s . 5001 0 1034
             9.0 c . 1000 0 5001
             9.1 s . 5001 0 1034
             11.0 c . 1000 0 5001
             11.1 s . 5001 0 1034",
        );
        assert_eq!(found, "6<7 8<9");
    }

    #[test]
    #[ignore = "an octet is sent again after more than three seconds"]
    fn a_lone_octet_sent_again_over_a_slow_path() {
        let found = probes_of(
            "0.0 c S 1000 0
             1.4 s S. 5000 0 1001
             1.5 c . 1001 0 5001
             2.0 c P. 1001 1 5001
             3.4 s . 5001 0 1002
             6.5 c P. 1001 1 5001
             7.9 s . 5001 0 1002 dsack=1001",
        );
        assert_eq!(found, "");
    }

    #[test]
    #[ignore = "only a SYN was seen, and the acknowledgment cannot be seen"]
    fn one_direction_with_nothing_but_a_syn() {
        let found = probes_of(
            "0.0 s S. 5000 0 1001
             30.0 s . 5000 0 1001
             60.0 s . 5000 0 1001
             75.0 s R. 5001 0 1001",
        );
        assert_eq!(found, "2<- 3<-");
    }
}
