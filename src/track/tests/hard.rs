//! Traces on which simpler rules go wrong.

use super::{play, play_after_handshake};

#[test]
fn a_fin_or_a_challenge_is_no_further_answer() {
    let events = play_after_handshake(
        "7.083 c . 1000 0 5001       => probe 1
         10.212 c . 1000 0 5001      => probe 2
         10.222 s . 5001 0 1001      => answer ack to 3
         11.015 s F. 5001 0 1001     => fin",
    );
    assert!(events.iter().all(|event| !event.contains("answer 2")), "{events:?}");
    play_after_handshake(
        "7.083 c . 1000 0 5001       => probe 1
         10.212 c . 1000 0 5001      => probe 2
         10.222 s . 5001 0 1001      => answer ack to 3
         11.000 c S 777 0            => syn
         11.010 s . 5001 0 1001      => challenge_ack",
    );
}

#[test]
fn late_answers_are_paired_when_one_more_comes() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c . 1000 0 5001  => probe 2
         6.4 s . 5001 0 1001  => answer ack to 3
         7.4 s . 5001 0 1001  => answer ack to 3
         9.0 c . 1000 0 5001  => probe 1",
    );
    assert_eq!(
        events[3..7],
        [
            "1.4 unanswered 2",
            "1.5 answer 3 by frame 6 ack rtt=0.400000000",
            "1.6 answer 2 by frame 6 ack rtt=1.400000000 corrects 4",
            "1.7 answer 3 by frame 7 ack rtt=1.400000000 corrects 5",
        ]
    );
}

#[test]
fn after_a_bsd_window_probe_empty_segments_stand_at_it() {
    play_after_handshake(
        "1.00 c P. 1001 900 5001      => data
         1.01 s . 5001 0 1901 win=0   => ack
         6.01 c . 1901 1 5001         => zero_window_probe
         6.02 s . 5001 0 1901 win=0   => duplicate_ack
         9.00 s P. 5001 10 1901 win=0 => data
         9.04 c . 1901 0 5011         => ack",
    );
}

#[test]
fn a_reset_ahead_of_everything_sent_may_have_no_effect() {
    let events = play_after_handshake(
        "2.0 c . 1000 0 5001          => probe 1
         2.1 s . 5001 0 1001          => answer ack to 2
         3.0 c R 1101 0               => reset
         3.01 s . 5001 0 1001         => challenge_ack
         60.2 c . 1000 0 5001         => probe 1
         60.3 s R 5001 0              => answer reset to 6",
    );
    assert_eq!(events[4], "1.5 reset ignored 6");
}

#[test]
fn a_reset_that_the_other_end_did_not_hear_of() {
    for idle in ["30", "7300"] {
        let events = play_after_handshake(&format!(
            "0.03 s R. 5001 0 1001      => reset
             {idle}.0 c . 1000 0 5001   => probe 1
             {idle}.1 s R 5001 0        => answer reset to 2",
        ));
        assert_eq!(events[0], "1.1 opened seen");
    }
}

#[test]
fn a_foreign_syn_ack_teaches_nothing() {
    play_after_handshake(
        "8.0 s S. 777777 0 1002       => syn
         8.1 c . 1001 0 5001          => challenge_ack
         9.1 c . 1001 0 5001          => duplicate_ack",
    );
}

#[test]
fn an_octet_lost_before_the_capture_makes_no_probe_of_an_acknowledgment() {
    let events = play(
        "1.56 s . 1001 0 44           => candidate
         5.04 s P. 1002 1 44          => data
         5.08 c . 44 0 1001           => ack
         5.50 s P. 1001 1 44          => retransmission",
    );
    assert!(events.iter().all(|event| !event.contains("probe")), "{events:?}");
    // With the octet acknowledged it had been sent before: a probe.
    let events = play(
        "1.56 s . 1001 0 44           => candidate
         5.04 s P. 1002 10 44         => data
         5.08 c . 44 0 1012           => ack",
    );
    assert!(events.iter().any(|event| event.contains("continued_beyond")), "{events:?}");
}

#[test]
fn a_duplicate_report_may_be_about_the_copy() {
    let events = play(
        "3.37 s P. 10 1 1             => candidate
         4.89 s P. 10 1 1             => retransmitted_octet
         5.40 c . 1 0 11 dsack=10     => ack",
    );
    assert!(events.iter().all(|event| !event.contains("probe server")), "{events:?}");
}

#[test]
fn icmp_errors_name_the_packet_they_quote() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001 id=71  => probe 1
         8.0 c . 1000 0 5001 id=72  => probe 2
         8.1 icmp 1000 72           => answer icmp",
    );
    assert!(events[3].starts_with("1.4 answer 3"), "{events:?}");
}

#[test]
fn one_direction_only() {
    play(
        "1.0 s S. 500 0 1001          => syn
         30.2 s . 500 0 1001          => probe 1
         60.2 s . 500 0 1001          => probe 2",
    );
}

#[test]
fn a_missing_window_probe_makes_no_keepalive_of_the_next() {
    play_after_handshake(
        "1.00 c P. 1001 900 5001     => data
         1.01 s . 5001 0 1901 win=0  => ack
         1.41 c . 1900 0 5001        => zero_window_probe
         1.81 c . 1900 0 5001        => zero_window_probe
         # 2.61 is missing
         4.21 c . 1900 0 5001        => zero_window_probe",
    );
}

#[test]
fn a_probe_soon_after_the_probers_own_acknowledgment() {
    play_after_handshake(
        "1.0 c P. 1001 1 5001         => data
         1.1 s . 5001 0 1002          => ack
         16.00 s . 5000 0 1002        => probe 1
         16.01 c . 1002 0 5001        => answer ack to 2
         16.05 c . 1001 0 5001        => probe 1
         16.06 s . 5001 0 1002        => answer ack to 4
         17.04 c . 1001 0 5001        => probe 1",
    );
}

#[test]
fn the_fin_that_was_overtaken_comes_last() {
    play_after_handshake(
        "1.000 c . 1002 0 5001        => ack
         1.001 c F. 1001 0 5001       => fin
         1.002 c . 1001 0 5001        => reordered_ack",
    );
}

#[test]
fn an_octet_right_after_its_acknowledgment_is_a_copy() {
    play(
        "1.000000 s . 50 0 4               => candidate
         1.000089 c P. 3 1 50              => retransmission",
    );
}

#[test]
fn a_pushed_octet_sent_again_late() {
    play_after_handshake(
        "7.470 c P. 1001 1 5001       => data
         7.876 s . 5001 0 1002        => ack
         11.914 c P. 1001 1 5001      => retransmitted_octet",
    );
}

#[test]
fn a_window_update_that_did_not_arrive_does_not_end_the_window_probes() {
    play_after_handshake(
        "1.000 c P. 1001 900 5001       => data
         1.010 s . 5001 0 1901 win=0    => ack
         1.260 c . 1900 0 5001          => zero_window_probe
         1.770 c . 1900 0 5001          => zero_window_probe
         2.340 s . 5001 0 1901 win=800  => window_update
         2.800 c . 1900 0 5001          => zero_window_probe
         4.860 c . 1900 0 5001          => zero_window_probe
         8.980 c . 1900 0 5001          => zero_window_probe",
    );
}

#[test]
fn probes_below_octets_whose_acknowledgment_did_not_arrive() {
    let events = play_after_handshake(
        "1.0 c P. 1001 33 5001        => data
         1.1 s . 5001 0 1034          => ack
         9.0 c . 1000 0 5001          => probe 1
         9.1 s . 5001 0 1034          => answer ack to 2",
    );
    assert!(events[1].ends_with("outstanding"), "{events:?}");
}

#[test]
fn a_midstream_probe_above_what_the_peer_had_acknowledged() {
    play(
        "1.0 s . 5000 0 13            => candidate
         11.0 c . 13 0 5000           => candidate
         11.1 s . 5000 0 14           => answer ack to 5",
    );
}

#[test]
fn a_steady_series_of_octets_is_no_retransmission() {
    play_after_handshake(
        "1.00 c P. 1001 1 5001       => data
         1.10 s . 5001 0 1002        => ack
         3.33 c P. 1001 1 5001       => retransmitted_octet
         3.34 s . 5001 0 1002        => duplicate_ack
         5.51 c P. 1001 1 5001       => retransmitted_octet
         5.52 s . 5001 0 1002        => duplicate_ack
         7.69 c P. 1001 1 5001       => probe 1
         7.70 s . 5001 0 1002        => answer ack to 4
         9.87 c P. 1001 1 5001       => probe 1",
    );
}

#[test]
fn fins_that_were_not_acknowledged_do_not_end_a_connection() {
    let events = play_after_handshake(
        "2.0 c F. 1001 0 5001        => fin
         2.1 s . 5001 0 1002         => ack
         3.0 s F. 5001 0 1002        => fin
         90.0 c . 1001 0 5001        => probe 1",
    );
    assert_eq!(events[0], "1.1 opened seen");
}

#[test]
fn a_handshake_with_a_lost_segment_is_no_measure() {
    // The first SYN,ACK was lost before the capture, so its second one came 1 s after the SYN.
    let events = play(
        "0.00000 c S 1000 0           => syn
         1.00000 s S. 5000 0 1001     => syn
         1.00005 c . 1001 0 5001      => ack
         22.1 c . 1000 0 5001         => probe 1
         23.2 c . 1000 0 5001         => probe 2
         24.3 c . 1000 0 5001         => probe 3
         24.30001 s . 5001 0 1001     => answer ack to 4",
    );
    assert_eq!(events[6], "1.7 answer 4 by frame 7 ack rtt=0.000010000");
}

#[test]
fn the_first_octet_behind_its_acknowledgment() {
    play_after_handshake(
        "3.000 c . 1002 0 5001        => candidate
         3.003 c P. 1001 1 5001       => retransmission
         3.020 s . 5001 0 1002        => ack",
    );
}

#[test]
fn a_copy_is_known_behind_many_other_frames() {
    let between = |number: u32| {
        let micros = 9_000_100 + number * 10;
        let seq = 5_001 + number * 10;
        format!("{}.{:06} s . {seq} 10 900 id={} => data", micros / 1_000_000, micros % 1_000_000, number)
    };
    let others: Vec<String> = (0..4_000).map(between).collect();
    play_after_handshake(&format!(
        "9.0 c . 1000 0 5001 id=60000              => probe 1
         {}
         9.050 c . 1000 0 5001 id=60000 ttl=63 if=1 => copy",
        others.join("\n")
    ));
}
