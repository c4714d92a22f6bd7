//! Several captures, compressed ones and pcapng: the same packets give the same findings.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Pcap, analyze_json, capture_path, has, indexed, keepscope, run, scratch, text};

/// All of a connection but for where its frames stand.
fn without_places(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| {
                !["capture", "frame", "evidence", "evidence_at", "reason"].contains(&name.as_str())
            });
            kept.map(|(name, value)| (name.clone(), without_places(value))).collect()
        }
        Value::Array(values) => values.iter().map(without_places).collect(),
        other => other.clone(),
    }
}

/// Every place that a document names, in its order, as the frame of the whole capture that it means.
fn places(value: &Value, whole: &dyn Fn(u64, u64) -> u64, found: &mut Vec<u64>) {
    match value {
        Value::Object(fields) => {
            if let (Some(capture), Some(frame)) = (value["capture"].as_u64(), value["frame"].as_u64()) {
                found.push(whole(capture, frame));
            }
            fields.values().for_each(|value| places(value, whole, found));
        }
        Value::Array(values) => values.iter().for_each(|value| places(value, whole, found)),
        _ => {}
    }
}

fn all_places(document: &Value, whole: &dyn Fn(u64, u64) -> u64) -> Vec<u64> {
    let mut found = Vec::new();
    places(&document["connections"], whole, &mut found);
    found
}

#[test]
fn a_rotated_set_is_one_capture() {
    check_rotated("output-rotated", &[[0, 1, 2]]);
}

#[test]
fn a_rotated_set_in_any_order_is_one_capture() {
    let orders = [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    check_rotated("output-rotated-any-order", &orders);
}

/// Splits captures into three files each and gives them in these orders.
fn check_rotated(folder: &str, orders: &[[usize; 3]]) {
    let folder = scratch(folder);
    for name in ["between_data.pcap", "many.pcap", "reused_port.pcap", "midstream.pcap", "unanswered.pcap"] {
        let expected = analyze_json(&["--all", &capture_path(name)]);
        let capture = Pcap::of(name);
        let count = capture.records.len();
        // Where each file begins: also in the middle between a probe and its answer.
        let starts = [0, count / 3, count / 2 + 1, count];
        let paths: Vec<PathBuf> = (0..3)
            .map(|part| {
                let path = folder.join(format!("part{part}.pcap"));
                std::fs::write(&path, capture.with(starts[part]..starts[part + 1])).expect("a file");
                path
            })
            .collect();
        for order in orders {
            let given: Vec<&str> = order.iter().map(|part| text(&paths[*part])).collect();
            let document = analyze_json(&[&["--all"][..], &given].concat());
            let names: Vec<&str> = document["captures"]
                .as_array()
                .expect("captures")
                .iter()
                .map(|capture| capture["path"].as_str().expect("a path"))
                .collect();
            assert_eq!(names, given, "{name}");
            assert_eq!(
                without_places(&document["connections"]),
                without_places(&expected["connections"]),
                "{name} {order:?}"
            );
            let whole = |capture: u64, frame: u64| starts[order[capture as usize]] as u64 + frame;
            assert_eq!(
                all_places(&document, &whole),
                all_places(&expected, &|_, frame| frame),
                "{name} {order:?}"
            );
        }
    }
}

#[test]
fn pcapng_gives_the_same_connections() {
    let folder = scratch("output-pcapng");
    for name in indexed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")) {
        if !name.ends_with(".pcap") || name == "nanoseconds.pcap" {
            continue;
        }
        let path = folder.join("same.pcapng");
        std::fs::write(&path, Pcap::of(&name).to_pcapng().octets()).expect("a file");
        let same = analyze_json(&["--all", text(&path)]);
        let expected = analyze_json(&["--all", &capture_path(&name)]);
        assert_eq!(same["connections"], expected["connections"], "{name}");
    }
}

/// As another program writes it, nanoseconds among them; and what it makes of pcapng.
#[test]
fn what_editcap_converts_gives_the_same_connections() {
    if !has("editcap") {
        return;
    }
    let folder = scratch("output-editcap");
    for (name, format) in [
        ("nanoseconds.pcap", "pcapng"),
        ("nanoseconds.pcap", "nsecpcap"),
        ("smoltcp.pcap", "pcapng"),
        ("any_sll.pcap", "pcapng"),
        ("qinq.pcap", "modpcap"),
        ("two_interfaces.pcapng", "nsecpcap"),
        ("gzip.pcap.gz", "pcapng"),
    ] {
        let path = folder.join("converted");
        run("editcap", &["-F", format, &capture_path(name), text(&path)]);
        let converted = analyze_json(&["--all", text(&path)]);
        let expected = analyze_json(&["--all", &capture_path(name)]);
        assert_eq!(converted["connections"], expected["connections"], "{name} as {format}");
    }
}

#[test]
fn compressed_captures_give_the_same_connections() {
    let folder = scratch("output-compressed");
    let plain = folder.join("plain.pcap");
    for (program, name, ending) in [("gzip", "many.pcap", "gz"), ("zstd", "crossing.pcap", "zst")] {
        if !has(program) {
            continue;
        }
        std::fs::write(&plain, Pcap::of(name).octets()).expect("a file");
        run(program, &["-q", "-k", "-f", text(&plain)]);
        let packed = folder.join(format!("plain.pcap.{ending}"));
        // Known by its content, not by its name.
        let renamed = folder.join("packed");
        std::fs::rename(&packed, &renamed).expect("a file can be renamed");
        let found = analyze_json(&["--all", text(&renamed)]);
        let expected = analyze_json(&["--all", &capture_path(name)]);
        assert_eq!(found["connections"], expected["connections"], "{program}");
        assert_eq!(found["captures"][0]["packets"], expected["captures"][0]["packets"], "{program}");

        // Cut in the middle: what comes before is reported, and the place is one of the decompressed stream.
        let octets = std::fs::read(&renamed).expect("a file");
        std::fs::write(&renamed, &octets[..octets.len() / 2]).expect("a file");
        let output = keepscope(&["analyze", text(&renamed)]);
        assert_eq!(output.status.code(), Some(2), "{program}");
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(complaint.starts_with(&format!("keepscope: error: {}: ", renamed.display())), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
}

/// The same record as two IP fragments, the first with 24 octets of the segment.
fn fragmented(record: &[u8]) -> [Vec<u8>; 2] {
    const IP: usize = 16 + 14;
    let whole = usize::from(u16::from_be_bytes([record[IP + 2], record[IP + 3]]));
    let piece = |from: usize, to: usize, more: bool| {
        let mut made = [&record[..IP + 20], &record[IP + 20 + from..IP + 20 + to]].concat();
        made[IP + 2..IP + 4].copy_from_slice(&((20 + to - from) as u16).to_be_bytes());
        let place = (from as u16 / 8) | if more { 0x2000 } else { 0 };
        made[IP + 6..IP + 8].copy_from_slice(&place.to_be_bytes());
        for at in [8, 12] {
            let length = (made.len() - 16) as u32;
            made[at..at + 4].copy_from_slice(&length.to_ne_bytes());
        }
        made
    };
    [piece(0, 24, true), piece(24, whole - 20, false)]
}

#[test]
fn fragments_are_counted_where_there_are_some() {
    let mut capture = Pcap::of("answered.pcap");
    let plain = analyze_json(&[&capture_path("answered.pcap")]);
    assert!(plain["captures"][0]["fragments"].is_null() && plain["captures"][0]["dropped"].is_null());
    // The data in frame 4 comes in two, and of its acknowledgment the end is missing.
    let ([first, second], [lone, _]) = (fragmented(&capture.records[3]), fragmented(&capture.records[4]));
    capture.records.splice(3..5, [first, second, lone]);
    let path = scratch("output_fragments").join("fragments.pcap");
    std::fs::write(&path, capture.octets()).expect("written");
    let document = analyze_json(&[text(&path)]);
    let read = &document["captures"][0];
    assert_eq!(read["fragments"], serde_json::json!({"put_together": 1, "incomplete": 1}), "{read}");
    assert_eq!(document["connections"][0]["sides"]["client"]["data_segments"], 1);
    let output = keepscope(&["analyze", text(&path)]);
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(shown.contains("  put together in a later frame: 1 IP fragment\n"), "{shown}");
    assert!(shown.contains("may hold TCP: 1 ip_fragment"), "{shown}");
}
