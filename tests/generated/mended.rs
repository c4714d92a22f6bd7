//! Conversations by name that were misjudged once.

use crate::named::{after_handshake, probes_of};

#[test]
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
fn a_lone_octet_mid_stream_sent_twice() {
    let found = probes_of(
        "3.37 s P. 0 1 1
         4.89 s P. 0 1 1
         5.40 c . 1 0 1 dsack=0",
    );
    assert_eq!(found, "");
}

#[test]
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
fn the_first_octet_behind_an_acknowledgment() {
    let found = after_handshake(
        "3.000 c . 1002 0 5001
         3.003 c P. 1001 1 5001
         3.020 s . 5001 0 1002",
    );
    assert_eq!(found, "");
}

#[test]
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
fn one_direction_with_nothing_but_a_syn() {
    let found = probes_of(
        "0.0 s S. 5000 0 1001
         30.0 s . 5000 0 1001
         60.0 s . 5000 0 1001
         75.0 s R. 5001 0 1001",
    );
    assert_eq!(found, "2<- 3<-");
}
