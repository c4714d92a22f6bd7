//! What is refused, with which line and which advice; and expectations that do not come about.

use crate::common::text;
use crate::{complaint, file, simulate, simulate_text};

/// A document that is right; each test spoils it.
const RIGHT: &str = "\
title = \"t\"
length = \"2m\"
path = [\"lan\", \"nat\", \"wan\"]

[client]
stack = \"linux\"
idle = \"7s\"
interval = \"3s\"
count = 4
data = [{ at = \"1s\", octets = 10 }]

[link.lan]
delay = \"1ms\"

[box.nat]
kind = \"conntrack\"
established = \"60s\"

[link.wan]
delay = \"10ms\"
loss = \"0%\"

[[expect.events]]
what = \"probe\"
by = \"client\"

[expect.client]
outcome = \"open\"

[expect.capture.client]
outcome = \"alive\"
";

fn line_of(part: &str) -> usize {
    1 + RIGHT.lines().position(|line| line.contains(part)).expect("a line with it")
}

/// The complaint about the document with `part` replaced.
fn spoilt(part: &str, by: &str) -> String {
    assert_eq!(RIGHT.matches(part).count(), 1, "{part}");
    complaint(&simulate_text(&RIGHT.replace(part, by), &[]))
}

#[test]
fn the_document_is_right_as_it_is() {
    let output = simulate_text(RIGHT, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn mistakes_are_told_with_their_line_and_what_would_be_right() {
    for (part, by, advice) in [
        ("idle = \"7s\"", "idel = \"7s\"", "there is no field \"idel\"; did you mean idle?"),
        ("[client]", "[clinet]", "there is no field \"clinet\"; did you mean client?"),
        ("idle = \"7s\"", "idle = 7", "say the unit: \"7s\" or \"7ms\""),
        ("idle = \"7s\"", "idle = \"7 parsecs\"", "write it like 7s, 350ms or 2h4m"),
        ("idle = \"7s\"", "idle = \"0s\"", "client.idle: must be longer than nothing"),
        ("count = 4", "count = 0", "client.count: must be from 1 to 255"),
        ("count = 4", "count = -4", "integer `-4`, expected a whole number from 0 on"),
        ("stack = \"linux\"", "stack = \"linx\"", "did you mean linux?"),
        ("stack = \"linux\"", "stack = \"freebsd\"\nhz = 250", "has no timer wheel"),
        ("octets = 10", "octets = 0", "client.data.0.octets: must be at least 1"),
        ("loss = \"0%\"", "loss = 0.1", "a share like \"2%\""),
        ("loss = \"0%\"", "loss = \"101%\"", "up to \"100%\""),
        ("loss = \"0%\"", "bursts = { begin = \"1%\" }", "end is missing"),
        ("\"nat\"", "\"nta\"", "there is no link and no box \"nta\"; did you mean nat?"),
        ("[link.lan]", "[link.rack]", "there is no link and no box \"lan\"; did you mean wan?"),
        ("kind = \"conntrack\"", "kind = \"contrack\"", "did you mean conntrack?"),
        (
            "kind = \"conntrack\"",
            "kind = \"proxy\"",
            "only a tracker or conntrack has it, and this is a proxy",
        ),
        ("kind = \"conntrack\"", "product = \"aws-nbl\"", "did you mean aws-nlb or"),
        ("kind = \"conntrack\"", "kind = \"conntrack\"\nsweep = \"3s\"", "only a tracker has it"),
        ("what = \"probe\"", "what = \"prob\"", "did you mean probe?"),
        ("by = \"client\"", "by = \"cleint\"", "did you mean client?"),
        ("by = \"client\"", "number = 2", "at is missing"),
        ("outcome = \"open\"", "outcome = \"opne\"", "did you mean open?"),
        ("[expect.capture.client]", "[expect.capture.after_nta]", "did you mean after_nat?"),
        ("length = \"2m\"", "length = \"11y\"", "at most 10 years"),
        ("[client]", "[client", "line 5"),
    ] {
        let message = spoilt(part, by);
        assert!(message.contains(advice), "{by}: {message}");
        let place = message.split("line ").nth(1).and_then(|rest| rest.split(':').next());
        let line: usize = place.and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{message}"));
        // Some mistakes show elsewhere: where a name is used, at a field that no longer fits, at the table.
        let first = match by {
            "[link.rack]" => line_of("path"),
            "kind = \"proxy\"" => line_of("established"),
            "number = 2" => line_of("[[expect.events]]"),
            _ => line_of(part),
        };
        let last = first + by.matches('\n').count();
        assert!((first..=last).contains(&line), "{by}: {message}");
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let missing = complaint(&simulate(&["no/such/file.toml"]));
    assert!(missing.contains("no/such/file.toml") && missing.contains("No such file"), "{missing}");
    let unknown = complaint(&simulate(&["go-thru-azure"]));
    assert!(unknown.contains("did you mean go-through-azure?"), "{unknown}");
    let path = file("scenario-no-text", "");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).expect("a file");
    let binary = complaint(&simulate(&[text(&path)]));
    assert!(binary.contains("UTF-8"), "{binary}");
    std::fs::write(&path, " ".repeat((1 << 20) + 1)).expect("a file");
    let long = complaint(&simulate(&[text(&path)]));
    assert!(long.contains("1 MiB"), "{long}");
    std::fs::write(&path, "length = \"1s\"\n").expect("a file");
    assert!(complaint(&simulate(&[text(&path)])).contains("title is missing"));
}

#[test]
fn overrides_go_through_the_same_checks() {
    for (set, advice) in [
        ("client.idel=7s", "there is no field \"idel\"; did you mean idle?"),
        ("client.idle=7", "say the unit"),
        ("client.idle=0s", "must be longer than nothing"),
        ("link.wan.delay.x=1s", "holds nothing"),
        ("client.data.1.octets=3", "counted from 0 to 0"),
        ("path=3", "expected"),
        ("box.nat.kind=\"contrack\"", "did you mean conntrack?"),
    ] {
        let message = complaint(&simulate_text(RIGHT, &["--set", set]));
        assert!(message.contains(&format!("--set {set}: ")) && message.contains(advice), "{set}: {message}");
    }
    for bad in ["client.idle", "=7s", "client..idle=7s"] {
        let output = simulate(&["peer-gone", "--set", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
    // What is wrong in the document is not blamed on an override.
    let wrong = RIGHT.replace("count = 4", "count = 0");
    let message = complaint(&simulate_text(&wrong, &["--set", "link.wan.delay=1ms"]));
    assert!(message.contains("line 9: client.count"), "{message}");
}

#[test]
fn overrides_change_what_happens() {
    let first_probe = |set: &[&str]| {
        let document = crate::json(&[&["peer-gone"], set].concat());
        let events = document["events"].as_array().expect("events").clone();
        let probe = events.iter().find(|event| event["what"] == "probe").expect("a probe");
        probe["time_s"].as_f64().expect("a time")
    };
    let plain = first_probe(&[]);
    assert!((60.0..62.1).contains(&plain), "{plain}");
    let later = first_probe(&["--set", "client.idle=100s"]);
    assert!((100.0..103.0).contains(&later), "{later}");
    let exact = first_probe(&["--set", "client.hz=1000", "--set", "client.uptime=60.000s"]);
    assert!((60.0..64.2).contains(&exact) && exact != plain, "{exact}");
}

#[test]
fn an_expectation_that_fails_is_exit_code_1_and_says_what_was_found() {
    let later = RIGHT.replace("[expect.client]\noutcome = \"open\"", "[expect.client]\noutcome = \"reset\"");
    let output = simulate_text(&later, &[]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("FAILED  client: outcome reset; found: open"), "{shown}");
    for (part, by) in [
        ("by = \"client\"", "by = \"client\"\ncount = 3"),
        ("by = \"client\"", "by = \"server\""),
        ("by = \"client\"", "by = \"client\"\nnumber = 1\nat = \"9s ± 100ms\""),
        ("outcome = \"open\"", "outcome = \"open\"\nerror = \"ETIMEDOUT\""),
        ("outcome = \"open\"", "idle = \"8s\""),
        ("outcome = \"alive\"", "outcome = \"timed_out\""),
        ("outcome = \"alive\"", "probes = \"..2\""),
    ] {
        let output = simulate_text(&RIGHT.replace(part, by), &["--format", "json"]);
        assert_eq!(output.status.code(), Some(1), "{by}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(document["outcome"], "unexpected");
        let met = |verdict: &&serde_json::Value| verdict["met"] == false;
        assert_eq!(document["expectations"].as_array().unwrap().iter().filter(met).count(), 1, "{by}");
    }
}

#[test]
fn what_would_never_end_is_stopped() {
    let flood = RIGHT.replace("octets = 10", "octets = 10, every = \"1us\"");
    let message = complaint(&simulate_text(&flood, &["--runs", "1"]));
    assert!(message.contains("stopped after 500000 events"), "{message}");
}
