//! The same packets at two places.

use serde_json::{Value, json};

use crate::common::{Pcap, capture_path, drops, has, run, scratch, text};
use crate::edit::{from_the_server, is_from_client, micros, save, set_micros, translated, without};
use crate::{diff, shown};

/// By which the clock of the second capture is ahead, in microseconds.
const AHEAD: i64 = 7_000_123;
const WAY: i64 = 10;

fn only_pair(document: &Value) -> &Value {
    assert_eq!(document["schema"], "keepscope.diff/1");
    assert_eq!(document["relation"], "same_packets", "{document}");
    assert_eq!(document["pairs"].as_array().expect("pairs").len(), 1);
    &document["pairs"][0]
}

#[test]
fn a_capture_does_not_differ_from_itself() {
    for name in
        ["answered.pcap", "both.pcap", "many.pcap", "no_timestamps.pcap", "reused_port.pcap", "wrap.pcap"]
    {
        let path = std::path::PathBuf::from(capture_path(name));
        let (document, exit) = diff(&path, &path, &[]);
        assert_eq!((exit, &document["differences"]), (Some(0), &json!(0)), "{name}: {document}");
        assert_eq!(document["relation"], "same_packets", "{name}");
        assert_eq!(document["clocks"]["offset_s"].to_string(), "0.0", "{name}");
    }
}

#[test]
fn both_ends_of_a_path_agree_but_for_the_clock() {
    let folder = scratch("diff-ends");
    let a = save(&folder, "a.pcap", &Pcap::of("answered.pcap"));
    let b = save(&folder, "b.pcap", &from_the_server(Pcap::of("answered.pcap"), WAY, AHEAD));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!(exit, Some(0), "{document}");
    let pair = only_pair(&document);
    assert_eq!(pair["views"]["nearer_to_a"], "client");
    assert_eq!((&pair["views"]["probes"], &pair["views"]["answers"]), (&json!(4), &json!(4)));
    // Every packet took ten microseconds each way.
    assert_eq!(document["clocks"]["there_and_back_us"], json!(2 * WAY));
    assert_eq!(document["clocks"]["ahead_at_least_s"].to_string(), "7.000113");
    assert_eq!(document["clocks"]["ahead_at_most_s"].to_string(), "7.000133");
    // The other way round.
    let (document, exit) = diff(&b, &a, &[]);
    assert_eq!(exit, Some(0), "{document}");
    assert_eq!(only_pair(&document)["views"]["nearer_to_a"], "server");
    assert_eq!(document["clocks"]["there_and_back_us"], json!(2 * WAY));
    let (text, _) = shown(&a, &b, &[]);
    assert!(text.contains("the same packets at two places: 8 packets in both"), "{text}");
    assert!(text.contains("20 us there and back at best"), "{text}");
    assert!(text.ends_with("no difference\n"), "{text}");
}

/// What left A and did not arrive at B: all combinations of which end is A, for probes and for answers.
#[test]
fn lost_probes_and_answers_are_named() {
    let folder = scratch("diff-lost");
    let whole = Pcap::of("answered.pcap");
    let probes =
        (0..whole.records.len()).filter(|&index| index >= 5 && is_from_client(&whole.records[index]));
    let probes: Vec<usize> = probes.map(|index| index + 1).collect();
    let (probe, next) = (probes[1], probes[2]);
    // The second probe is lost on the way: the client sees no answer, the server nothing at all.
    let client = save(&folder, "client.pcap", &without(whole.clone(), &[probe + 1]));
    let server = save(
        &folder,
        "server.pcap",
        &from_the_server(without(whole.clone(), &[probe, probe + 1]), WAY, AHEAD),
    );
    let (document, exit) = diff(&client, &server, &[]);
    assert_eq!(exit, Some(1));
    let missing = &only_pair(&document)["views"]["missing"];
    assert_eq!(missing.as_array().expect("a list").len(), 1, "{missing}");
    let missing = &missing[0];
    assert_eq!(missing["at"]["frame"], json!(probe));
    assert_eq!(missing["seen_in"], "a");
    assert_eq!((&missing["what"], &missing["fate"]), (&json!("probe"), &json!("lost")));
    assert_eq!((&missing["answered"], &missing["unsure"]), (&json!(false), &json!(false)));
    let (text, _) = shown(&client, &server, &[]);
    assert!(text.contains(&format!("client's probe in frame {probe} of A")), "{text}");
    assert!(text.contains("left A and did not arrive at B"), "{text}");
    let (document, _) = diff(&server, &client, &[]);
    let missing = &only_pair(&document)["views"]["missing"][0];
    assert_eq!((&missing["seen_in"], &missing["fate"]), (&json!("b"), &json!("lost")));

    // The answer to the third probe is lost on the way.
    let client = save(&folder, "client-2.pcap", &without(whole.clone(), &[next + 1]));
    let server = save(&folder, "server-2.pcap", &from_the_server(whole, WAY, AHEAD));
    let (document, exit) = diff(&client, &server, &[]);
    assert_eq!(exit, Some(1));
    let missing = &only_pair(&document)["views"]["missing"];
    assert_eq!(missing.as_array().expect("a list").len(), 1, "{missing}");
    let missing = &missing[0];
    assert_eq!((&missing["what"], &missing["seen_in"]), (&json!("answer"), &json!("b")));
    assert_eq!((&missing["at"]["frame"], &missing["fate"]), (&json!(next + 1), &json!("lost")));
    assert_eq!(missing["probe_in_a"]["frame"], json!(next));
    let (text, _) = shown(&client, &server, &[]);
    assert!(text.contains("left B and did not arrive at A"), "{text}");
}

/// The lab's own capture of lost answers, taken beside the server; the client's side has no answers.
#[test]
fn answers_that_never_came_back_explain_the_end() {
    let folder = scratch("diff-answers-lost");
    let server = Pcap::of("answers_lost.pcap");
    let first_probe = 5;
    let answers: Vec<usize> = (first_probe..server.records.len())
        .filter(|&index| !is_from_client(&server.records[index]))
        .map(|index| index + 1)
        .collect();
    let mut client = without(server.clone(), &answers);
    for record in &mut client.records {
        let (hop, sign) = if is_from_client(record) { (1, -1) } else { (-1, 1) };
        record[38] = record[38].checked_add_signed(hop).expect("a time to live");
        let time = micros(record) + sign * WAY;
        set_micros(record, time);
    }
    let (a, b) = (save(&folder, "client.pcap", &client), save(&folder, "server.pcap", &server));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!(exit, Some(1));
    let missing = only_pair(&document)["views"]["missing"].as_array().expect("a list");
    assert_eq!(missing.len(), answers.len());
    for (missing, frame) in missing.iter().zip(&answers) {
        assert_eq!((&missing["what"], &missing["fate"]), (&json!("answer"), &json!("lost")));
        assert_eq!((&missing["seen_in"], &missing["at"]["frame"]), (&json!("b"), &json!(frame)));
    }
}

/// Probes of a run look the same where there are no timestamps; time tells them apart.
#[test]
fn probes_that_look_alike_are_told_by_time() {
    let folder = scratch("diff-alike");
    let whole = Pcap::of("no_timestamps.pcap");
    let mut plain = whole.clone();
    // Without identification nothing but time is left.
    plain.records.iter_mut().for_each(|record| record[34..36].fill(0));
    let probes = crate::common::analyze_json(&[&capture_path("no_timestamps.pcap")]);
    let probes = probes["connections"][0]["probers"][0]["probes"].as_array().expect("probes").clone();
    let lost = probes[probes.len() / 2]["frame"].as_u64().expect("a frame") as usize;
    let answer = probes[probes.len() / 2]["answer"]["frame"].as_u64().map(|frame| frame as usize);
    let away: Vec<usize> = std::iter::once(lost).chain(answer).collect();
    let a = save(&folder, "a.pcap", &without(plain.clone(), answer.as_slice()));
    let b = save(&folder, "b.pcap", &from_the_server(without(plain, &away), WAY, 300_000));
    let (document, _) = diff(&a, &b, &[]);
    let views = &only_pair(&document)["views"];
    assert_eq!(views["missing"].as_array().expect("a list").len(), 1, "{views}");
    assert_eq!(views["missing"][0]["at"]["frame"], json!(lost));
    assert_eq!(views["probes"], json!(probes.len() - 1));
}

/// A capture that cut the options has no timestamps to compare.
#[test]
fn captures_of_different_lengths_are_compared() {
    let folder = scratch("diff-cut");
    let whole = Pcap::of("answered.pcap");
    let mut cut = from_the_server(whole.clone(), WAY, AHEAD);
    for record in &mut cut.records {
        record.truncate(16 + 54);
        record[8..12].copy_from_slice(&54_u32.to_ne_bytes());
    }
    let (a, b) = (save(&folder, "whole.pcap", &whole), save(&folder, "cut.pcap", &cut));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!(exit, Some(0), "{document}");
    assert_eq!(only_pair(&document)["views"]["answers"], json!(4));
}

/// Whatever packet is not in the second capture: none that is there is said to be missing.
#[test]
fn only_what_is_missing_is_said_to_be() {
    let folder = scratch("diff-each");
    for name in ["answered.pcap", "both.pcap", "lossy.pcap", "reused_port.pcap", "unanswered.pcap"] {
        let whole = Pcap::of(name);
        let a = save(&folder, "a.pcap", &whole);
        for frame in 1..=whole.records.len() {
            let b = save(&folder, "b.pcap", &without(whole.clone(), &[frame]));
            let (document, _) = diff(&a, &b, &[]);
            let pairs = document["pairs"].as_array().expect("pairs");
            let missing = pairs.iter().flat_map(|pair| pair["views"]["missing"].as_array().expect("a list"));
            for missing in missing.filter(|missing| missing["unsure"] == false) {
                let (side, at) = (&missing["seen_in"], &missing["at"]["frame"]);
                assert_eq!((side, at), (&json!("a"), &json!(frame)), "{name}: {document}");
            }
        }
    }
}

/// Both sides of a router, captured at once on one clock.
#[test]
fn the_way_through_a_router_is_measured() {
    if !has("tshark") {
        return;
    }
    let folder = scratch("diff-router");
    let sides = ["0", "1"].map(|number| {
        let path = folder.join(format!("{number}.pcapng"));
        let filter = format!("frame.interface_id == {number}");
        let source = capture_path("two_interfaces.pcapng");
        run("tshark", &["-r", &source, "-Y", &filter, "-w", text(&path)]);
        path
    });
    let (document, exit) = diff(&sides[0], &sides[1], &[]);
    assert_eq!(exit, Some(0), "{document}");
    assert_eq!(only_pair(&document)["views"]["nearer_to_a"], "client");
    let clocks = &document["clocks"];
    let seconds = |name: &str| clocks[name].as_f64().expect(name);
    // There is one clock, so what it is ahead of itself lies between the bounds.
    assert!(seconds("ahead_at_least_s") <= 0.0 && seconds("ahead_at_most_s") >= 0.0, "{clocks}");
    assert!(seconds("there_and_back_us") > 0.0 && seconds("there_and_back_us") < 1000.0, "{clocks}");
}

#[test]
fn a_probe_that_took_longer_is_named() {
    let folder = scratch("diff-late");
    let mut server = from_the_server(Pcap::of("answered.pcap"), WAY, AHEAD);
    let place = (5..server.records.len()).filter(|&index| is_from_client(&server.records[index])).nth(2);
    let place = place.expect("a third probe");
    for record in &mut server.records[place..place + 2] {
        let time = micros(record) + 50_000;
        set_micros(record, time);
    }
    let a = save(&folder, "a.pcap", &Pcap::of("answered.pcap"));
    let b = save(&folder, "b.pcap", &server);
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!(exit, Some(1));
    let late = &only_pair(&document)["views"]["late"];
    assert_eq!(late.as_array().expect("a list").len(), 1, "{late}");
    assert_eq!((&late[0]["b"]["frame"], &late[0]["by_us"]), (&json!(place + 1), &json!(50_000)));
    assert_eq!(diff(&a, &b, &["--tolerance", "60ms"]).1, Some(0));
}

/// What is after the end of a capture may not have been lost.
#[test]
fn packets_beyond_the_other_capture_are_unsure() {
    let folder = scratch("diff-end");
    let whole = Pcap::of("answered.pcap");
    let half = Pcap { records: whole.records[..whole.records.len() - 4].to_vec(), ..whole.clone() };
    let (a, b) =
        (save(&folder, "a.pcap", &whole), save(&folder, "b.pcap", &from_the_server(half, WAY, AHEAD)));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!(exit, Some(1));
    let missing = only_pair(&document)["views"]["missing"].as_array().expect("a list");
    assert_eq!(missing.len(), 2);
    assert!(missing.iter().all(|missing| missing["unsure"] == true && missing["answered"] == true));
    let (text, _) = shown(&a, &b, &[]);
    assert!(text.contains("not sure: B may not have been capturing then"), "{text}");
}

#[test]
fn translated_connections_are_found_by_their_numbers() {
    let folder = scratch("diff-nat");
    let a = save(&folder, "inside.pcap", &Pcap::of("answered.pcap"));
    let outside = translated(from_the_server(Pcap::of("answered.pcap"), WAY, AHEAD), 77, 61_234);
    let b = save(&folder, "outside.pcap", &outside);
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!((exit, &document["relation"]), (Some(4), &json!("nothing_in_common")));
    assert!(shown(&a, &b, &[]).1.contains("1 connection is in both by sequence numbers; try --nat"));
    let (document, exit) = diff(&a, &b, &["--nat"]);
    assert_eq!(exit, Some(0), "{document}");
    assert_eq!(only_pair(&document)["paired_by"], "numbers");
    assert_eq!(only_pair(&document)["b"]["client"], "192.0.2.77:61234");
}

/// What a capture does not have, where it left out packets, may have been there.
#[test]
fn a_capture_that_left_out_packets_is_no_witness() {
    let folder = scratch("diff-left-out");
    let whole = Pcap::of("answered.pcap");
    let a = save(&folder, "a.pcap", &whole);
    let missing = |b: &std::path::Path| {
        let (document, exit) = diff(&a, b, &[]);
        assert_eq!(exit, Some(1));
        only_pair(&document)["views"]["missing"][0].clone()
    };
    // Frames 8 and 9 are a probe and its answer; 4 is data that frame 5 acknowledges.
    let sure = save(&folder, "sure.pcap", &from_the_server(without(whole.clone(), &[8, 9]), WAY, AHEAD));
    let lost = missing(&sure);
    assert_eq!((&lost["unsure"], &lost["capture_left_out_packets"]), (&json!(false), &json!(false)));
    let hole = save(&folder, "hole.pcap", &from_the_server(without(whole.clone(), &[4, 8, 9]), WAY, AHEAD));
    let lost = missing(&hole);
    assert_eq!((&lost["unsure"], &lost["capture_left_out_packets"]), (&json!(true), &json!(true)));
    let (text, _) = shown(&a, &hole, &[]);
    assert!(text.contains("not sure: B itself left out packets"), "{text}");
    let dropped = from_the_server(without(whole, &[8, 9]), WAY, AHEAD).to_pcapng();
    let path = folder.join("dropped.pcapng");
    std::fs::write(&path, [dropped.octets(), drops(2)].concat()).expect("written");
    let lost = missing(&path);
    assert_eq!((&lost["unsure"], &lost["capture_left_out_packets"]), (&json!(true), &json!(true)));
}
