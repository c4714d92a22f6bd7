//! Where a connection begins and ends.

use super::play_after_handshake;

#[test]
fn a_reused_four_tuple_is_another_connection() {
    let events = play_after_handshake(
        "5.0 c . 1000 0 5001  => probe 1
         6.0 c R. 1001 0 5001 => reset
         7.0 c S 9000 0       => syn
         7.1 s S. 800 0 9001  => syn
         7.2 c . 9001 0 801   => ack
         9.0 c . 9000 0 801   => probe 1",
    );
    assert!(events.iter().any(|event| event == "2.1 opened seen"), "{events:?}");
}

#[test]
fn a_syn_on_a_live_connection_is_challenged() {
    play_after_handshake(
        "5.0 c S 9000 0        => syn
         5.1 s . 5001 0 1001   => challenge_ack
         9.0 c . 1000 0 5001   => probe 1
         9.1 s . 5001 0 1001   => answer ack to 2",
    );
    // The server had forgotten the old life: its SYN,ACK begins the new one.
    let events = play_after_handshake(
        "5.0 c S 9000 0        => syn
         5.1 s S. 300 0 9001   => syn
         5.2 c . 9001 0 301    => ack
         9.0 c . 9000 0 301    => probe 1",
    );
    assert!(events.contains(&"2.1 opened seen".to_owned()), "{events:?}");
}

#[test]
fn half_closed_connections_are_probed_too() {
    play_after_handshake(
        "1.0 c F. 1001 0 5001  => fin
         1.1 s . 5001 0 1002   => ack
         9.0 s . 5000 0 1002   => probe 1
         9.1 c . 1002 0 5001   => answer ack to 2",
    );
}

#[test]
fn behind_a_complete_close_a_reset_ends_nothing() {
    let closed = "5.0 c . 1000 0 5001   => probe 1
                  5.1 s . 5001 0 1001   => answer ack to 2
                  6.0 c F. 1001 0 5001  => fin
                  6.1 s F. 5001 0 1002  => fin
                  6.2 c . 1002 0 5002   => ack";
    for reset in ["s R 5002 0", "c R. 1002 0 5002", "s R 5902 0", "s R 77 0"] {
        let events = play_after_handshake(&format!("{closed}\n6.3 {reset} => stale_reset"));
        assert!(events.iter().all(|event| !event.contains("reset")), "{events:?}");
    }
    // The last ACK is not here, so it may never have come.
    let half = closed.rsplit_once('\n').map_or(closed, |(before, _)| before);
    let events = play_after_handshake(&format!("{half}\n6.3 c R 1002 0 => reset"));
    assert_eq!(events.last().map(String::as_str), Some("1.6 reset by client"), "{events:?}");
}
