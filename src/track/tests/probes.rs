//! Probes and their answers where nothing is in the way.

use super::{play, play_after_handshake};

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
