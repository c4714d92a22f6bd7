//! Closed windows, and what waits for them to open.

use super::play_after_handshake;

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
