//! A lone octet, or an acknowledgment behind it, that has the SEQ of a probe.

use super::play_after_handshake;

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
