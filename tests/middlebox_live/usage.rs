//! The command as its users meet it: plan, manners, modes, streams, journals, interruption.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::common::{keepscope, scratch, text};
use crate::lab::{Lab, run};
use crate::rules::silent_nat;
use crate::servers::Server;
use crate::{Case, PORT, TOKEN, at, command, partner, search, search_with_partner, side_by_side};

fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = keepscope(&[&["middlebox"], arguments].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_plan_is_told_and_bad_manners_are_refused() {
    let (code, plan) = said(&["--plan", "192.0.2.1:443"]);
    assert_eq!(code, Some(0), "{plan}");
    for part in
        ["target  192.0.2.1:443", "8 connections at once", "900s at most", "a keepalive probe from here"]
    {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let (code, plan) = said(&["--plan", "--partner", "--direction", "both", "[2001:db8::1]:7440"]);
    assert_eq!(code, Some(0), "{plan}");
    for part in ["out: an octet from here", "in: an octet from the partner", "66 connections at once"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    for (arguments, words) in [
        (&["--direction", "in", "192.0.2.1:443"][..], "takes a partner"),
        (&["--connections", "9", "192.0.2.1:443"], "--own-target"),
        (&["--min", "1s", "192.0.2.1:443"], "three tries alone take 3 s"),
        (&["--min", "20s", "--max", "10s", "192.0.2.1:443"], "is not below the longest"),
        (&["--mode", "confirm=1s", "192.0.2.1:443"], "cannot be confirmed"),
        (&["--mode", "slow", "192.0.2.1:443"], "confirm=350s"),
        (&["--precision", "0%", "192.0.2.1:443"], "0.01% to 50%"),
        (&["--no-partner", "--partner", "192.0.2.1:443"], "cannot be used with"),
        (&["--resume", "192.0.2.1:443"], "--journal"),
        (&["-6", "--source", "192.0.2.9", "[2001:db8::1]:443"], "other IP version"),
        (&["example"], "HOST:PORT"),
    ] {
        let (code, complaint) = said(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
    let (code, plan) = said(&["--plan", "--own-target", "--connections", "100", "192.0.2.1:443"]);
    assert!(code == Some(0) && plan.contains("102 connections"), "{plan}");
}

/// Ten connections and ten beside them say whether a silence is survived.
fn confirmation() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 7);
    let _partner = partner(&lab);
    let target = at(0, PORT);
    let run = search_with_partner(&lab, &target, &["--mode", "confirm=5s"]);
    let found = run.direction("in");
    assert_eq!((&found["verdict"], run.code), (&"none_below_max".into(), 0), "{found:#}");
    assert!(run.took < Duration::from_secs(12), "{:?}", run.took);
    let run = search_with_partner(&lab, &target, &["--mode", "confirm=9s"]);
    let found = run.direction("in");
    assert_eq!((&found["verdict"], run.code), (&"found".into(), 1), "{found:#}");
}

/// Lines as they become known, the document last; the packets in a file, the trials in another.
fn streams() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 6);
    let _partner = partner(&lab);
    let folder = scratch("middlebox_streams");
    let (packets, journal) = (folder.join("run.pcapng"), folder.join("run.jsonl"));
    let files = ["--write", text(&packets), "--journal", text(&journal)];
    let options = ["--min", "3s", "--max", "20s", "--format", "jsonl"];
    let target = at(0, PORT);
    let output = command(&lab, &target, &[&files[..], &options].concat())
        .env("KEEPSCOPE_TOKEN", TOKEN)
        .output()
        .expect("keepscope runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let (first, last) = (&lines[0], lines.last().expect("lines"));
    assert_eq!((&first["type"], &first["schema"]), (&"schema".into(), &"keepscope.middlebox/1".into()));
    assert_eq!((&last["type"], &last["directions"][0]["verdict"]), (&"result".into(), &"found".into()));
    let trials = lines.iter().filter(|line| line["type"] == "trial").count();
    assert_eq!(trials, last["directions"][0]["trials"].as_array().expect("trials").len());
    // What was recorded can be read, and is what was counted.
    let analysis = keepscope(&["analyze", "--format", "json", "--all", text(&packets)]);
    let analysis: Value = serde_json::from_slice(&analysis.stdout).expect("a document");
    assert_eq!(analysis["captures"][0]["packets"].as_u64(), last["packets"].as_u64());
    let written = std::fs::read_to_string(&journal).expect("the journal");
    assert_eq!(written.lines().filter(|line| line.contains("\"type\":\"trial\"")).count(), trials);
    // A file that is there is not written over.
    let (code, complaint) = said(&["--journal", text(&journal), "192.0.2.1:9"]);
    assert!(code == Some(2) && complaint.contains("--resume goes on with it"), "{complaint}");
}

/// Ctrl-C gives what is known; the journal goes on where it ended.
fn interruption() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 10);
    let _partner = partner(&lab);
    let journal = scratch("middlebox_interruption").join("run.jsonl");
    let target = at(0, PORT);
    let options = ["--min", "3s", "--max", "30s", "--journal", text(&journal), "--format", "jsonl"];
    let mut child = command(&lab, &target, &options)
        .env("KEEPSCOPE_TOKEN", TOKEN)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("keepscope runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let lived = |line: &str| line.contains("\"result\":\"lived\"");
    // Some silences of more than 4 s were survived.
    let long = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        lived(&line.to_string()) && line["idle_s"].as_f64() > Some(4.0)
    };
    assert!(lines.any(|line| long(&line.expect("a line"))), "it ended before");
    run(&lab.client, &format!("kill -INT {}", child.id()));
    let last = lines.last().expect("a result").expect("a line");
    let result: Value = serde_json::from_str(&last).expect("a line of JSON");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let first = &result["directions"][0];
    assert_eq!((&result["interrupted"], &first["why"]), (&true.into(), &"interrupted".into()), "{first:#}");
    assert!(first["longest_alive_s"].as_f64() > Some(4.0), "{first:#}");
    // The rest.
    let options = ["--min", "3s", "--max", "30s", "--journal", text(&journal), "--resume"];
    let again = search_with_partner(&lab, &target, &options);
    let found = again.expect_found("in", 10.0);
    let known = first["trials"].as_array().expect("trials").len();
    let all = found["trials"].as_array().expect("trials");
    assert!(all.len() > known, "{known} of {}", all.len());
    assert_eq!(all[0]["idle_s"], first["trials"][0]["idle_s"], "what was known counts");
    // Nothing asks for what was survived already.
    let anew = all.iter().skip(known).filter(|trial| trial["idle_s"].as_f64() < Some(4.0)).count();
    assert_eq!(anew, 0, "{found:#}");
}

/// A line of text first that says it all.
fn words() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 5);
    let server = Server::that_holds(&lab);
    let target = at(0, server.port);
    let output = command(&lab, &target, &["--min", "3s", "--max", "8s"]).output().expect("it runs");
    let (said, plan) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{plan}");
    assert!(plan.starts_with("target  198.51.100.2:"), "{plan}");
    assert!(said.contains("It cannot be known from this side alone"), "{said}");
    assert!(said.contains("run 'keepscope respond' behind the box"), "{said}");
    assert!(!said.to_lowercase().contains("no timeout"), "{said}");
    // Orderly: nothing is left open here.
    let left = run(&lab.client, "ss -tnH state established");
    assert!(left.trim().is_empty(), "{left}");
    let refused = search(&lab, &at(0, 9), &[]);
    assert_eq!(refused.document["packets"], 2, "one SYN, one refusal: {}", refused.document);
}

#[test]
fn the_command_does_what_it_says() {
    let cases: &[Case] = &[
        ("confirmation", confirmation),
        ("streams", streams),
        ("interruption", interruption),
        ("words", words),
    ];
    side_by_side(cases);
}
