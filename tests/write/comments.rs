//! The comments: the right words on the right packets.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::common::{analyze_json, capture_path, has};
use crate::{fields, written};

/// Each packet that has comments, by the original number of its frame.
fn comments(capture: &str, options: &[&str]) -> Vec<(u64, String)> {
    // Several tests look at the same capture at the same time.
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let folder = format!("comments-{}", FOLDERS.fetch_add(1, Ordering::Relaxed));
    let path = written(&folder, capture, options);
    let original = fields(Path::new(&capture_path(capture)), &["frame.time_epoch", "frame.len"]);
    let mut found = Vec::new();
    for packet in fields(&path, &["frame.time_epoch", "frame.len", "frame.comment"]) {
        let Some(comment) = packet.get(2).filter(|comment| !comment.is_empty()) else { continue };
        let number = comment.rsplit_once("[original frame ").expect("its number").1;
        let number: u64 = number.trim_end_matches(']').parse().expect("a number");
        assert_eq!(original[number as usize - 1], packet[..2], "{capture} {comment}");
        found.push((number, comment.clone()));
    }
    found
}

fn on<'a>(comments: &'a [(u64, String)], frame: &Value) -> &'a str {
    let frame = frame.as_u64().expect("a frame");
    let found = comments.iter().find(|(number, _)| *number == frame);
    found.map_or("", |(_, comment)| comment.as_str())
}

#[test]
fn probes_answers_and_verdicts_are_where_the_result_has_them() {
    if !has("tshark") {
        return;
    }
    for capture in [
        "answered.pcap",
        "both.pcap",
        "crossing.pcap",
        "icmp_unreachable.pcap",
        "lossy.pcap",
        "ipv6.pcap",
        "vanish.pcap",
    ] {
        let comments = comments(capture, &[]);
        let document = analyze_json(&[&capture_path(capture)]);
        let (mut probes, mut answers) = (0, 0);
        for connection in document["connections"].as_array().expect("connections") {
            for prober in connection["probers"].as_array().expect("probers") {
                for probe in prober["probes"].as_array().expect("probes") {
                    probes += 1;
                    let said = on(&comments, &probe["frame"]);
                    assert!(
                        said.contains(&format!("keepscope: keepalive probe {} of the run", probe["run"]))
                    );
                    if probe["answer"].is_null() {
                        assert!(said.contains(", no answer"), "{said}");
                        continue;
                    }
                    answers += 1;
                    let answered = on(&comments, &probe["answer"]["frame"]);
                    assert!(
                        said.contains(&format!("in original frame {}", probe["answer"]["frame"])),
                        "{said}"
                    );
                    assert!(
                        answered.contains(&format!("to the probe in original frame {}", probe["frame"])),
                        "{answered}"
                    );
                }
            }
            let outcome =
                connection["outcome"].as_str().expect("an outcome").replace('_', " ").to_uppercase();
            let verdict = format!("keepscope: #{} {outcome}: ", connection["id"]);
            assert!(on(&comments, &connection["last"]["frame"]).contains(&verdict), "{capture} {verdict}");
        }
        let count =
            |words: &str| comments.iter().map(|(_, comment)| comment.matches(words).count()).sum::<usize>();
        assert_eq!((count("keepalive probe "), count("keepscope: answer (")), (probes, answers), "{capture}");
    }
}

#[test]
fn the_words_are_these() {
    if !has("tshark") {
        return;
    }
    let unanswered = comments("unanswered.pcap", &[]);
    let said: Vec<&str> = unanswered.iter().map(|(_, comment)| comment.as_str()).collect();
    assert_eq!(
        said,
        [
            "keepscope: keepalive probe 1 of the run, after 2.021 s of silence, answer (ack) in original frame 7 \
             after 64 us [original frame 6]",
            "keepscope: answer (ack) to the probe in original frame 6, 64 us [original frame 7]",
            "keepscope: keepalive probe 1 of the run, after 2.020 s of silence, answer (ack) in original frame 9 \
             after 44 us [original frame 8]",
            "keepscope: answer (ack) to the probe in original frame 8, 44 us [original frame 9]",
            "keepscope: keepalive probe 1 of the run, after 2.012 s of silence, no answer [original frame 10]",
            "keepscope: keepalive probe 2 of the run, 1.024 s after the one before, no answer [original frame 11],\
             keepscope: #1 UNANSWERED: 2 probes without an answer when the capture ends, last heard in original \
             frame 9 [original frame 11]",
        ]
    );
    let refused = comments("icmp_unreachable.pcap", &[]);
    assert!(refused[1].1.starts_with(
        "keepscope: answer (icmp unreachable code 1) from 192.0.2.1 to the probe in original frame 6"
    ));
}

#[test]
fn look_alikes_say_what_they_are() {
    if !has("tshark") {
        return;
    }
    let comments = comments("zero_window.pcap", &["--all"]);
    let document = analyze_json(&["--all", &capture_path("zero_window.pcap")]);
    let seen = document["connections"][0]["lookalikes"].as_array().expect("look-alikes");
    assert!(!seen.is_empty());
    for one in seen.iter().filter(|one| one["kind"] == "zero_window_probe") {
        let rule = one["rule"].as_str().expect("a rule");
        let expected = format!("keepscope: zero-window probe, no keepalive: {rule} [");
        assert!(on(&comments, &one["frame"]).starts_with(&expected));
    }
}

#[test]
fn the_file_says_what_it_is() {
    if !has("capinfos") {
        return;
    }
    let path = written("about", "answered.pcap", &[]);
    let about = crate::common::run("capinfos", &[crate::common::text(&path)]);
    let source = capture_path("answered.pcap");
    assert!(
        about.contains(&format!("Capture application: keepscope {}", env!("CARGO_PKG_VERSION"))),
        "{about}"
    );
    assert!(about.contains(&format!(
        "1 connection with keepalive probes, answers and verdicts as packet comments, from {source}."
    )));
    assert!(about.contains("Frame numbers in comments are those of the original"), "{about}");
    assert!(about.contains("nanoseconds (9)"), "{about}");
}
