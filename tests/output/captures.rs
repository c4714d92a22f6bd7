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
