//! Sequence numbers chosen to confuse, by somebody who can guess addresses and ports: whatever they are, the connection's own
//! probes are seen, and nothing is called answered that was not.

use serde_json::Value;

use crate::analyzed;
use crate::common::packets::{ACK, FIN, From, PSH, RST, Tape, Tcp};

/// How far from where they belong: round the whole space, half of it, beyond the largest window, beyond this one, and
/// before the connection began.
const JUMPS: [i64; 9] =
    [1 << 31, (1 << 31) - 1, -(1 << 31) + 5, 1 << 30, (1 << 30) + 1, -(1 << 30), 1 << 28, 70_000, -70_000];

/// What became of a connection, and of the client's probes: sent, answered.
fn judged(name: &str, tape: &Tape) -> (String, u64, u64) {
    let one = analyzed(name, &tape.pcap());
    let counted = |what: &str| {
        let probers = one["probers"].as_array().expect("probers");
        let of_client = probers.iter().find(|prober| prober["endpoint"] == "client");
        of_client.map_or(0, |prober| prober[what].as_u64().expect("a number"))
    };
    (one["outcome"].as_str().expect("a name").to_owned(), counted("sent"), counted("answered"))
}

/// Segments in the name of one end whose SEQ, ACK or both lie so far off.
fn forged(from: From, jump: i64) -> Vec<(&'static str, Tcp<'static>)> {
    let (seq, ack) = if from == From::Client { (1100, 5000) } else { (5000, 1100) };
    let off = |number: i64| (number + jump) as u32;
    let made = |flags, seq: u32, ack: u32| Tcp::new(from, flags, seq, ack);
    vec![
        ("data", Tcp { data: b"0123456789", ..made(PSH | ACK, off(seq), ack as u32) }),
        ("an octet", Tcp { data: b"x", ..made(ACK, off(seq), ack as u32) }),
        ("SEQ", made(ACK, off(seq), ack as u32)),
        ("ACK", made(ACK, seq as u32, off(ack))),
        ("SEQ and ACK", made(ACK, off(seq), off(ack))),
        ("the SEQ of a probe", made(ACK, off(seq - 1), ack as u32)),
        ("FIN", made(FIN | ACK, off(seq), ack as u32)),
        ("RST", made(RST | ACK, off(seq), ack as u32)),
        ("a window of 0", Tcp { window: 0, ..made(ACK, off(seq), ack as u32) }),
    ]
}

/// Every forged segment of both ends.
fn each_forged(mut test: impl FnMut(&str, &[u8])) {
    for (from, who) in [(From::Client, "client"), (From::Server, "server")] {
        for jump in JUMPS {
            for (what, segment) in forged(from, jump) {
                // One within the window may have been heeded: that is another test's.
                if what == "RST" && jump == 70_000 && from == From::Server {
                    continue;
                }
                test(&format!("{what} {jump} off, of the {who}"), &segment.frame());
            }
        }
    }
}

#[test]
fn no_forged_segment_hides_probes_that_are_answered() {
    each_forged(|what, frame| {
        let mut tape = Tape::opened();
        tape.answered(10.0).answered(20.0).frame(25.0, frame.to_vec()).answered(30.0).answered(40.0);
        assert_eq!(judged("numbers_alive", &tape), ("alive".to_owned(), 4, 4), "{what}");
    });
}

#[test]
fn no_forged_segment_hides_probes_without_an_answer() {
    each_forged(|what, frame| {
        let mut tape = Tape::opened();
        tape.answered(10.0).answered(20.0).frame(25.0, frame.to_vec());
        tape.probe(30.0).probe(31.0).probe(32.0);
        assert_eq!(judged("numbers_silent", &tape), ("unanswered".to_owned(), 5, 2), "{what}");
    });
}

/// Whether that far off nothing can be meant for this connection: half as much again as the largest window.
fn is_beyond_any_window(jump: i64) -> bool {
    jump.unsigned_abs() > 3 << 29
}

#[test]
fn no_segment_from_nowhere_answers_or_ends_anything() {
    for jump in JUMPS.into_iter().filter(|jump| is_beyond_any_window(*jump)) {
        for (what, segment) in forged(From::Server, jump).into_iter().filter(|(what, _)| *what != "RST") {
            let forged = || segment.frame();
            let mut tape = Tape::opened();
            tape.answered(10.0).answered(20.0).probe(30.0).probe(31.0).probe(32.0).frame(32.01, forged());
            assert_eq!(judged("numbers_last", &tape), ("unanswered".to_owned(), 5, 2), "{what} {jump} off");
            let mut tape = Tape::opened();
            tape.answered(10.0).answered(20.0).frame(25.0, forged());
            assert_eq!(judged("numbers_open", &tape), ("alive".to_owned(), 2, 2), "{what} {jump} off");
        }
    }
}

#[test]
fn both_ends_far_off_mean_a_hole_in_the_capture() {
    let mut tape = Tape::opened();
    tape.answered(10.0).answered(20.0).probe(30.0);
    // Three GiB of the server were not captured.
    let far = 5000_u32.wrapping_add(3 << 30);
    for at in [40.0, 41.0, 42.0] {
        tape.tcp(at, From::Server, PSH | ACK, far, 1100).tcp(at + 0.1, From::Client, ACK, 1100, far);
    }
    let (outcome, ..) = judged("numbers_hole", &tape);
    assert_eq!(outcome, "alive");
}

/// Two probes with their answers, and then these segments, a second apart.
fn ends(last: &[(From, u8, u32, u32)]) -> Tape {
    let mut tape = Tape::opened();
    tape.answered(10.0).answered(20.0);
    for (index, (from, flags, seq, ack)) in last.iter().enumerate() {
        tape.tcp(30.0 + index as f64, *from, *flags, *seq, *ack);
    }
    tape
}

/// What is said but for the numbers themselves and where they count from.
fn said(name: &str, tape: &Tape) -> Value {
    let mut one = analyzed(name, &tape.pcap());
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !matches!(name.as_str(), "seq" | "ack" | "seq_raw" | "ack_raw"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut one);
    one
}

#[test]
fn where_the_numbers_wrap_makes_no_difference() {
    let probe = (From::Client, ACK, 1099, 5000);
    let runs: [&[(From, u8, u32, u32)]; 5] = [
        &[probe, probe, probe],
        &[probe, probe, probe, (From::Client, RST | ACK, 1100, 5000)],
        &[probe, (From::Server, RST, 5000, 0)],
        &[(From::Server, RST, 5001, 0), probe, (From::Server, ACK, 5000, 1100)],
        &[
            (From::Client, FIN | ACK, 1100, 5000),
            (From::Server, FIN | ACK, 5000, 1101),
            (From::Client, ACK, 1101, 5001),
        ],
    ];
    for run in runs {
        let tape = ends(run);
        let plain = said("numbers_plain", &tape);
        // SND.NXT of one end or of both is 2^32, one below or above it, or 2^31; the SYN is 2^32 - 1, or 0.
        for number in [0, 1, u32::MAX, 1 << 31, (1 << 31) + 1, 100, 101] {
            for (client, server) in [(number, 5000), (1100, number), (number, number)] {
                let shifted = tape.shifted(client.wrapping_sub(1100), server.wrapping_sub(5000));
                let moved = said("numbers_moved", &shifted);
                assert_eq!(moved, plain, "SND.NXT {client} and {server}: {run:?}");
            }
        }
    }
}

#[test]
fn timestamps_in_a_reset_decide_nothing() {
    // RFC 7323 §5.2 lets a RST be heeded whatever its timestamps are: forged or missing, it ends the connection where it
    // fits, and nothing where it does not.
    let stamps = |value: u32| [&[1, 1, 8, 10][..], &value.to_be_bytes(), &7_u32.to_be_bytes()].concat();
    for value in [0, 1, 1 << 31, u32::MAX] {
        let options = stamps(value);
        for (offset, outcome) in [(0, "reset"), (-1, "alive"), (1 << 28, "alive"), (i32::MIN, "alive")] {
            let seq = 5000_u32.wrapping_add_signed(offset);
            let reset = Tcp { options: &options, ..Tcp::new(From::Server, RST | ACK, seq, 1100) };
            let mut tape = Tape::opened();
            tape.answered(10.0).answered(20.0).frame(25.0, reset.frame());
            let one = analyzed("numbers_stamped", &tape.pcap());
            assert_eq!(one["outcome"], outcome, "{value} {offset}: {one:#}");
            // Both ends go on: whoever sent it, it was not heeded.
            tape.answered(30.0).answered(40.0);
            assert_eq!(judged("numbers_stamped_on", &tape), ("alive".to_owned(), 4, 4), "{value} {offset}");
        }
    }
}
