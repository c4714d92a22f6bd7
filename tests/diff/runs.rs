//! Two runs of the same ends.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Pcap, capture_path, keepscope, scratch, text};
use crate::edit::{save, stretched, translated};
use crate::{diff, shown};

/// What changed of the only prober of the only pair, by name.
fn change<'a>(document: &'a Value, what: &str) -> &'a Value {
    assert_eq!(document["relation"], "different_runs", "{document}");
    let changes = document["pairs"][0]["runs"][0]["changes"].as_array().expect("changes");
    changes.iter().find(|change| change["what"] == what).expect("a change of this name")
}

#[test]
fn another_idle_time_is_seen() {
    let folder = scratch("diff-idle");
    let a = save(&folder, "before.pcap", &Pcap::of("answered.pcap"));
    let b = save(&folder, "after.pcap", &stretched(Pcap::of("answered.pcap"), 4));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!((exit, &document["pairs"][0]["paired_by"]), (Some(1), &json!("ports")));
    let silence = change(&document, "first_silence_s");
    let (was, is) = (silence["a"].as_f64().expect("seconds"), silence["b"].as_f64().expect("seconds"));
    assert!((is / was - 4.0).abs() < 1e-6 && silence["differs"] == true, "{silence}");
    assert_eq!(change(&document, "probes")["differs"], false);
    assert_eq!(change(&document, "round_trip_us")["differs"], false);
    assert_eq!(document["differences"], json!(1));
    let (text, _) = shown(&a, &b, &[]);
    assert!(text.contains("different packets of the same ends: two runs"), "{text}");
    assert!(text.contains("silence before a first probe, median") && text.contains("<- differs"), "{text}");
    assert!(text.ends_with("\n1 difference\n"), "{text}");
    assert_eq!(diff(&a, &b, &["--tolerance", "1h"]).1, Some(0));
}

/// A client that comes back uses another port.
#[test]
fn clients_are_found_on_other_ports() {
    let folder = scratch("diff-ports");
    let a = save(&folder, "before.pcap", &Pcap::of("unanswered.pcap"));
    let b = save(&folder, "after.pcap", &translated(stretched(Pcap::of("unanswered.pcap"), 3), 2, 51_111));
    let (document, exit) = diff(&a, &b, &[]);
    assert_eq!((exit, &document["pairs"][0]["paired_by"]), (Some(1), &json!("addresses")), "{document}");
    assert_eq!(change(&document, "gap_s")["differs"], true);
    assert_eq!(change(&document, "unanswered")["differs"], false);
}

#[test]
fn connections_of_one_capture_are_listed() {
    let folder = scratch("diff-only");
    let a = save(&folder, "a.pcap", &Pcap::of("many.pcap"));
    let out = folder.join("b.pcapng");
    let wrote = keepscope(&["analyze", "--write", text(&out), "--connection", "1", text(&a)]);
    assert!(wrote.status.success());
    let (document, exit) = diff(&a, &out, &[]);
    assert_eq!((exit, &document["relation"]), (Some(1), &json!("same_packets")));
    let only = document["only_in_a"].as_array().expect("a list").len();
    assert!(only > 2 && document["only_in_b"] == json!([]));
    assert_eq!(document["differences"], json!(only));
    let (text, _) = shown(&a, &out, &[]);
    assert!(text.contains("\nonly in A:\n#"), "{text}");
    // The filter is for both.
    let end = document["pairs"][0]["a"]["client"].as_str().expect("an end");
    assert_eq!(diff(&a, &out, &["--filter", &format!("client:{end}")]).1, Some(0));
}

#[test]
fn what_cannot_be_compared_says_so() {
    let (answered, other) = (capture_path("answered.pcap"), capture_path("server_prober.pcap"));
    let (document, exit) = diff(Path::new(&answered), Path::new(&other), &[]);
    assert_eq!((exit, &document["relation"]), (Some(4), &json!("nothing_in_common")));
    let output = keepscope(&["diff", &answered, "no-such-file.pcap"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        complaint.contains("no-such-file.pcap: cannot be opened") && complaint.lines().count() == 1,
        "{complaint}"
    );
    assert_eq!(keepscope(&["diff", "-", "-"]).status.code(), Some(2));
    assert_eq!(keepscope(&["diff", &answered]).status.code(), Some(2));
}

#[test]
fn damage_is_told_and_the_rest_is_compared() {
    let folder = scratch("diff-damaged");
    let whole = Pcap::of("answered.pcap").octets();
    let cut = folder.join("cut.pcap");
    std::fs::write(&cut, &whole[..whole.len() - 7]).expect("a file");
    let (document, exit) = diff(&cut, Path::new(&capture_path("answered.pcap")), &[]);
    assert_eq!((exit, &document["relation"]), (Some(2), &json!("same_packets")));
}
