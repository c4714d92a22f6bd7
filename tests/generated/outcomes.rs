//! What became of conversations by name: silence after data, and probers that give up while their peer probes.

use keepscope::analysis::{Collector, ConnectionRecord, Outcome};
use keepscope::track::Tracker;

use crate::named::{OPEN, segment};

/// The record of a conversation after the handshake.
fn record(trace: &str) -> ConnectionRecord {
    let trace = format!("{OPEN}{trace}");
    let mut tracker = Tracker::new(0);
    let lines = trace.lines().map(str::trim).filter(|line| !line.is_empty());
    for (line, number) in lines.zip(1..) {
        tracker.segment(&segment(line, number));
    }
    tracker.finish();
    let mut collector = Collector::default();
    let events = std::iter::from_fn(|| tracker.poll_event());
    events.filter_map(|event| collector.on_event(&event)).next().expect("a record")
}

/// The outcome, the numbers of the frames that show it, and why.
fn became(trace: &str) -> (Outcome, Vec<u64>, String) {
    let verdict = record(trace).verdict;
    let frames = verdict.evidence.iter().map(|frame| frame.number).collect();
    (verdict.outcome, frames, verdict.reason)
}

/// A probe with its answer: frames 4 and 5.
const PROBED: &str = "
    16.0 c . 1000 0 5001
    16.1 s . 5001 0 1001
";

#[test]
fn data_sent_three_times_without_an_answer() {
    let data = format!(
        "{PROBED}
         20.0 c P. 1001 100 5001
         20.3 c P. 1001 100 5001"
    );
    // The retransmission may have made good a loss, and the capture ends before its answer could come.
    assert_eq!(became(&data).0, Outcome::Alive);
    let thrice = format!("{data}\n20.9 c P. 1001 100 5001");
    let (outcome, frames, reason) = became(&thrice);
    assert_eq!((outcome, frames), (Outcome::Unanswered, vec![7, 8]));
    assert!(
        reason.starts_with("data, not probes: the client sent") && reason.contains("frame 5"),
        "{reason}"
    );
    // Whatever comes back shows the peer alive, though it acknowledges nothing of it.
    assert_eq!(became(&format!("{thrice}\n21.0 s . 5001 0 1001")).0, Outcome::Alive);
    assert_eq!(became(&format!("{thrice}\n21.0 s . 5001 0 1101")).0, Outcome::Alive);
    // What was sent again before the peer was heard says nothing of what came after.
    let once_more = format!("{thrice}\n21.0 s . 5001 0 1001\n22.0 c P. 1001 100 5001");
    assert_eq!(became(&once_more).0, Outcome::Alive);
    assert_eq!(became(&format!("{once_more}\n24.0 c P. 1001 100 5001")).0, Outcome::Unanswered);
}

#[test]
fn the_first_of_several_segments_one_octet_or_data_of_the_end_that_does_not_probe() {
    let several = format!(
        "{PROBED}
         20.00 c P. 1001 1000 5001
         20.01 c P. 2001 1000 5001
         20.05 c P. 2001 1000 5001
         20.30 c P. 1001 1000 5001
         20.90 c P. 1001 1000 5001"
    );
    assert_eq!(became(&several).1, [9, 10]);
    let octet = format!(
        "{PROBED}
         20.0 c P. 1001 1 5001
         20.3 c P. 1001 1 5001
         20.9 c P. 1001 1 5001"
    );
    assert_eq!(became(&octet).0, Outcome::Unanswered);
    let server = format!(
        "{PROBED}
         20.0 s P. 5001 100 1001
         20.3 s P. 5001 100 1001
         20.9 s P. 5001 100 1001"
    );
    let (outcome, frames, reason) = became(&server);
    assert_eq!((outcome, frames), (Outcome::Unanswered, vec![7, 8]));
    assert!(reason.contains("the server sent"), "{reason}");
}

#[test]
fn a_fin_without_an_answer_but_not_after_the_fin_of_the_peer() {
    let fins = "20.0 c F. 1001 0 5001
         20.3 c F. 1001 0 5001
         20.9 c F. 1001 0 5001";
    assert_eq!(became(&format!("{PROBED}{fins}")).0, Outcome::Unanswered);
    let after_fin = format!("{PROBED}18.0 s F. 5001 0 1001\n{fins}");
    assert_eq!(became(&after_fin).0, Outcome::Closed);
}

#[test]
fn where_the_capture_left_out_packets_silence_after_data_says_nothing() {
    // The peer acknowledged ten octets that are not in the capture.
    let missing = "
         1.0 c P. 1001 10 5001
         1.1 c P. 1021 10 5001
         1.2 s . 5001 0 1031
         16.0 c . 1030 0 5001
         16.1 s . 5001 0 1031
         20.0 c P. 1031 100 5001
         20.3 c P. 1031 100 5001
         20.9 c P. 1031 100 5001";
    let record = record(missing);
    assert_eq!((record.summary.client.octets_missing, record.verdict.outcome), (true, Outcome::Alive));
}

/// Both ends probe from 10 s on; the answers to the client's probes do not come.
const BOTH: &str = "
    10.000 c . 1000 0 5001
    12.000 s . 5000 0 1001
    12.001 c . 1001 0 5001
    15.000 c . 1000 0 5001
    16.000 s . 5000 0 1001
    16.001 c . 1001 0 5001
    20.000 c . 1000 0 5001
    20.100 s . 5000 0 1001
    20.101 c . 1001 0 5001
";

#[test]
fn a_prober_gives_up_while_empty_probes_of_its_peer_come() {
    let (outcome, frames, reason) = became(&format!("{BOTH}25.000 c R. 1001 0 5001"));
    assert_eq!((outcome, frames), (Outcome::TimedOut, vec![4, 7, 10, 13]), "{reason}");
    assert!(reason.contains("3 probes without an answer, while the server's own came"), "{reason}");
    // The RST is lost, and the peer goes on: what comes after it is no sign of life before it.
    let later = format!("{BOTH}25.000 c R. 1001 0 5001\n28.000 s . 5000 0 1001\n28.001 c R 1001 0");
    assert_eq!(became(&later).0, Outcome::TimedOut);
    let alone = "10.0 c . 1000 0 5001\n15.0 c . 1000 0 5001\n20.0 c R. 1001 0 5001\n28.0 s P. 5001 10 1001";
    assert_eq!(became(alone), (Outcome::TimedOut, vec![4, 5, 6], became(alone).2));
    // A probe of the peer right before it changes nothing: a host without the connection would not acknowledge.
    let prompted = format!("{BOTH}24.999 s . 5000 0 1001\n");
    assert_eq!(became(&format!("{prompted}25.000 c R. 1001 0 5001")).0, Outcome::TimedOut);
    assert_eq!(became(&format!("{prompted}25.000 c R 1001 0")).0, Outcome::Reset);
}

#[test]
fn a_reset_out_of_step_or_after_life_of_the_peer_is_none_of_a_prober() {
    // When nothing was due.
    assert_eq!(became(&format!("{BOTH}22.000 c R. 1001 0 5001")).0, Outcome::Reset);
    assert_eq!(became(&format!("{BOTH}29.000 c R. 1001 0 5001")).0, Outcome::Reset);
    // A probe with an octet is a sign of life: its receiver takes it for data sent again.
    let octet = BOTH.replace("20.100 s . 5000 0 1001", "20.100 s . 5000 1 1001");
    assert_eq!(became(&format!("{octet}25.000 c R. 1001 0 5001")).0, Outcome::Reset);
}

#[test]
fn a_host_that_had_given_up_unseen_answers_a_later_probe() {
    let answered = |time: &str| format!("{BOTH}{time}0 s . 5000 0 1001\n{time}1 c R 1001 0");
    let (outcome, frames, reason) = became(&answered("40.00"));
    assert_eq!((outcome, frames), (Outcome::Reset, vec![4, 7, 10, 13, 14]));
    assert!(reason.contains("3 probes of its own") && reason.contains("may have given up"), "{reason}");
    // It still answered after its next probe was due, or the next was not due yet.
    let later = format!("{BOTH}28.000 s . 5000 0 1001\n28.001 c . 1001 0 5001\n");
    let (outcome, _, reason) = became(&format!("{later}40.000 s . 5000 0 1001\n40.001 c R 1001 0"));
    assert_eq!((outcome, reason.contains("given up")), (Outcome::Reset, false), "{reason}");
    assert!(!became(&answered("23.00")).2.contains("given up"));
    // Its last probes were answered.
    let heard = BOTH.replace("20.100 s . 5000 0 1001", "20.050 s . 5001 0 1001\n20.100 s . 5000 0 1001");
    let (outcome, _, reason) = became(&format!("{heard}40.000 s . 5000 0 1001\n40.001 c R 1001 0"));
    assert_eq!((outcome, reason.contains("given up")), (Outcome::Reset, false), "{reason}");
}
