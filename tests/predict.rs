//! `keepscope predict`, through the binary.

mod common;

use common::keepscope;

fn json(arguments: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["predict", "--format", "json"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

/// The steps as (what, earliest, latest).
fn steps(document: &serde_json::Value) -> Vec<(String, f64, f64)> {
    let steps = document["steps"].as_array().expect("steps");
    let number = |step: &serde_json::Value, name: &str| step[name].as_f64().expect("a number");
    steps
        .iter()
        .map(|step| {
            let what = step["what"].as_str().expect("a name").to_owned();
            (what, number(step, "earliest_s"), number(step, "latest_s"))
        })
        .collect()
}

fn refused(arguments: &[&str], part: &str) {
    let all: Vec<&str> = ["predict"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty() && message.contains(part), "{arguments:?}: {message}");
}

#[test]
fn the_schedule_of_linux_holds_every_phase_of_the_wheel() {
    let arguments =
        ["--stack", "linux", "--hz", "1000", "--idle", "340s", "--interval", "75s", "--count", "9"];
    let document = json(&arguments);
    assert_eq!(document["schema"], "keepscope.predict/1");
    let steps = steps(&document);
    assert_eq!(steps.len(), 10);
    // The granule from 258 s on is 32.768 s at HZ=1000, and a steady gap for 75 s is 77.824 s.
    assert!(steps[0].1 > 340.0 && steps[0].1 < 340.01 && (steps[0].2 - 372.768).abs() < 0.001, "{steps:?}");
    for pair in steps.windows(2) {
        assert!((pair[1].1 - pair[0].1 - 77.824).abs() < 0.001, "{steps:?}");
    }
    assert_eq!(steps[9].0, "give_up");
    let detection = &document["detection"];
    assert!((detection["worst_s"].as_f64().unwrap() - steps[9].2).abs() < 0.001);
    assert!((detection["best_s"].as_f64().unwrap() - 9.0 * 77.824).abs() < 0.001);
}

#[test]
fn hz_changes_the_window() {
    for (hz, window) in [("100", 40.96), ("250", 16.384), ("1000", 32.768)] {
        let steps = steps(&json(&["--hz", hz, "--idle", "340s", "--interval", "75s"]));
        assert!((steps[0].2 - steps[0].1 - window).abs() < 0.011, "HZ={hz}: {:?}", steps[0]);
    }
}

#[test]
fn a_user_timeout_ends_it_after_one_probe() {
    let document = json(&["--preset", "reqwest"]);
    let steps = steps(&document);
    let what: Vec<&str> = steps.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(what, ["probe", "give_up"]);
    assert!(steps[1].1 > 30.0 && steps[1].2 < 30.5, "{steps:?}");
    assert_eq!(document["settings"]["user_timeout_s"].as_f64(), Some(30.0));
}

#[test]
fn peers_that_live_or_have_forgotten() {
    let alive = json(&["--idle", "15s", "--interval", "15s", "--peer", "alive"]);
    assert!(alive["goes_on"] == true && alive["detection"].is_null());
    assert_eq!(steps(&alive).len(), 10);
    let gone = json(&["--idle", "7s", "--interval", "3s", "--count", "4", "--peer", "gone", "--rtt", "20ms"]);
    let steps = steps(&gone);
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[1].0, "reset_by_peer");
    assert!((steps[1].1 - steps[0].1 - 0.020).abs() < 1e-9);
}

#[test]
fn every_stack_that_runs_can_be_predicted() {
    let output = keepscope(&["stacks", "--format", "json"]);
    let table: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    let stacks = table["stacks"].as_array().expect("stacks");
    let mut ran = 0;
    for stack in stacks {
        let name = stack["name"].as_str().expect("a name");
        if stack["runs"] != true {
            refused(&["--stack", name], "too little is known");
            continue;
        }
        ran += 1;
        let document = json(&["--stack", name, "--idle", "100s"]);
        let steps = steps(&document);
        assert!(steps[0].0 == "probe", "{name}");
        assert!(steps.iter().all(|(_, earliest, latest)| earliest <= latest), "{name}: {steps:?}");
        let unverified = document["unverified"].as_array().expect("a list");
        // Nobody has read the sources of Windows, or watched it on the wire for this.
        assert!(!name.starts_with("windows") || !unverified.is_empty(), "{name}");
        assert!(name != "linux" || unverified.is_empty(), "{unverified:?}");
    }
    assert!(ran >= 10, "{ran}");
}

#[test]
fn steps_that_end_before_the_end_claim_nothing_about_it() {
    for (arguments, says) in [
        (&["--steps", "2"][..], "beyond these steps"),
        (&["--stack", "smoltcp", "--idle", "10s"], "never end this connection"),
        (&["--stack", "smoltcp", "--idle", "10s", "--user-timeout", "205s"], "is noticed"),
    ] {
        let output = keepscope(&[&["predict"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn what_it_assumes_is_said() {
    let output = keepscope(&["predict", "--stack", "windows"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Nobody has verified") && text.contains("timer rounding"), "{text}");
    let output = keepscope(&["predict"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Nobody has verified") && text.contains("HZ=250"), "{text}");
}

#[test]
fn wrong_questions_are_refused_with_the_remedy() {
    refused(&["--idle", "7200"], "7200s");
    refused(&["--stack", "winows"], "windows");
    refused(&["--preset", "reqwets"], "reqwest");
    refused(&["--stack", "freebsd", "--hz", "250"], "no timer wheel");
    refused(&["--stack", "smoltcp"], "--idle");
    refused(&["--idle", "0s"], "--idle");
    refused(&["--count", "0"], "--count");
}
