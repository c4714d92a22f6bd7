//! Captures that begin in the midst of a connection, or lack a part of it.

use super::{play, play_after_handshake};

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
