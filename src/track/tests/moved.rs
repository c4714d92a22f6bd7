//! Where sequence numbers begin shows in nothing that is said.

use proptest::collection::vec;
use proptest::prelude::*;

use super::steps::{segments, step};
use super::{class_name, event_name, segment};
use crate::segment::{Segment, SeqNum};
use crate::track::{Observed, Tracker};

/// What is said of segments, and of their connections.
fn said(segments: &[Segment]) -> (Vec<Option<Observed>>, Vec<String>) {
    let mut tracker = Tracker::new(0);
    let observed = segments.iter().map(|segment| tracker.segment(segment)).collect();
    tracker.finish();
    (observed, std::iter::from_fn(|| tracker.poll_event()).map(|event| event_name(&event)).collect())
}

proptest! {
    #[test]
    fn other_numbers_say_the_same(steps in vec(step(), 1..60), begin: [u32; 2], other: [u32; 2]) {
        prop_assert_eq!(said(&segments(&steps, begin)), said(&segments(&steps, other)));
    }
}

/// What the second of two RSTs is called, both below SND.NXT and with data between them, behind 1.4 to 2.6 GiB of which
/// only the first octet was acknowledged; where the numbers of their sender begin here.
fn second_reset(begin: u32) -> Vec<String> {
    let called = |eighths: u32| {
        let mut tracker = Tracker::new(0);
        let acknowledged = ["0 c P. 0 1 70", "0.1 s . 70 0 1"].map(str::to_owned);
        let sent = (0..eighths).map(|eighth| format!("1 c P. {} {} 70", 1 + (eighth << 27), 1 << 27));
        let end = 1 + (eighths << 27);
        let resets =
            [format!("2 c R {} 0", end - 1), format!("3 c P. {end} 10 70"), format!("4 c R {} 0", end - 1)];
        let trace = acknowledged.into_iter().chain(sent).chain(resets);
        let mut class = None;
        for (line, number) in trace.zip(1..) {
            let mut segment = segment(&line, number);
            let moved = if line.contains(" c ") { &mut segment.seq } else { &mut segment.ack };
            *moved = SeqNum(moved.0.wrapping_add(begin));
            class = tracker.segment(&segment).map(|observed| observed.class);
        }
        class_name(class.expect("a known connection"))
    };
    (11..22).map(called).collect()
}

#[test]
fn what_was_acknowledged_is_forgotten_at_the_same_distance_everywhere() {
    // A RST below SND.NXT ends the connection if the other direction is in the capture. From 1.5 GiB on nothing that
    // was acknowledged is of any window, and shows that.
    let expected = [["stale_reset"; 2].as_slice(), &["reset"; 9]].concat();
    for part in 0..16 {
        let begin = (part << 28) + 5;
        assert_eq!(second_reset(begin), expected, "from {begin}");
    }
}
