//! The scenarios that come with the program.

use crate::{complaint, json, names, simulate, simulate_text};

#[test]
fn all_that_they_expect_comes_about() {
    let names = names();
    assert!(names.len() >= 15, "{names:?}");
    for name in &names {
        let document = json(&[name]);
        assert_eq!(document["schema"], "keepscope.simulation/1");
        assert_eq!(document["outcome"], "as_expected", "{name}: {:#}", document["expectations"]);
        let expectations = document["expectations"].as_array().expect("expectations");
        assert!(expectations.len() >= 2, "{name} expects too little");
        assert_eq!(simulate(&[name]).status.code(), Some(0), "{name}");
    }
}

#[test]
fn each_has_a_question_and_an_answer() {
    let output = simulate(&["--list"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let document: serde_json::Value =
        serde_json::from_slice(&simulate(&["--list", "--format", "json"]).stdout).expect("JSON");
    for scenario in document["scenarios"].as_array().expect("scenarios") {
        for part in ["name", "title", "question"] {
            let part = scenario[part].as_str().expect("text");
            assert!(!part.is_empty() && text.contains(part), "{part}");
        }
        assert!(!scenario["answer"].as_str().expect("text").is_empty(), "{scenario}");
    }
}

#[test]
fn each_is_printed_as_a_document_that_says_the_same() {
    for name in names() {
        let printed = simulate(&["--print", &name]);
        let text = String::from_utf8(printed.stdout).expect("text");
        assert_eq!(String::from_utf8_lossy(&simulate_text(&text, &["--print"]).stdout), text, "{name}");
        let again = simulate_text(&text, &["--format", "json"]);
        assert_eq!(again.stdout, simulate(&[&name, "--format", "json"]).stdout, "{name}");
    }
}

#[test]
fn text_has_the_truth_and_what_a_capture_shows() {
    let output = simulate(&["one-lost-probe"]);
    let text = String::from_utf8(output.stdout).expect("text");
    for part in [
        "probe lost (chosen)",
        "#1 TIMED OUT  192.0.2.10:40000 -> 198.51.100.20:443",
        "KEEPALIVE 1",
        "client: keepalive timed out at",
        "its application gets ETIMEDOUT",
        "Expected: ",
        "Answer:",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    // With something changed the answer of the scenario may be wrong.
    let changed = simulate(&["one-lost-probe", "--set", "client.user_timeout=0s"]);
    let text = String::from_utf8(changed.stdout).expect("text");
    assert!(!text.contains("Answer:") && text.contains("FAILED"), "{text}");
    assert_eq!(changed.status.code(), Some(1));
}

#[test]
fn a_capture_can_be_looked_at_on_either_side_of_a_box() {
    let port = |at: &str| {
        let document = json(&["nat-random-port", "--at", at]);
        let captures = document["captures"].as_array().expect("captures");
        assert_eq!((captures.len(), captures[0]["at"].as_str()), (1, Some(at)));
        let connections = captures[0]["connections"].as_array().expect("connections").clone();
        connections
            .iter()
            .map(|connection| connection["client"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let inside = port("before_nat");
    assert_eq!(inside, ["192.0.2.10:40000"]);
    let outside = port("after_nat");
    assert!(outside.iter().all(|client| client.starts_with("203.0.113.")), "{outside:?}");
    assert!(outside.len() == 2 && outside[0] != outside[1], "{outside:?}");
    let message = complaint(&simulate(&["nat-random-port", "--at", "nat"]));
    assert!(message.contains("before_nat, after_nat"), "{message}");
}

#[test]
fn lines_say_what_the_document_says() {
    let output = simulate(&["go-through-azure", "--format", "jsonl"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0], serde_json::json!({"type": "schema", "schema": "keepscope.simulation/1"}));
    let document = json(&["go-through-azure"]);
    for (kind, list) in [("event", "events"), ("end", "ends"), ("expectation", "expectations")] {
        let of_kind: Vec<serde_json::Value> = lines
            .iter()
            .filter(|line| line["type"] == kind)
            .cloned()
            .map(|mut line| {
                line.as_object_mut().expect("an object").remove("type");
                line
            })
            .collect();
        assert!(!of_kind.is_empty());
        assert_eq!(&of_kind, document[list].as_array().expect("a list"), "{kind}");
    }
    let last = lines.last().expect("lines");
    assert_eq!((last["type"].as_str(), last["outcome"].as_str()), (Some("simulation"), Some("as_expected")));
}

/// What the document says about times and settings, against what Go asks for and the wheel of HZ=250 gives.
#[test]
fn the_document_knows_settings_and_times() {
    let document = json(&["go-through-azure"]);
    let client = &document["ends"][0];
    assert_eq!((client["end"].as_str(), client["error"].as_str()), (Some("client"), Some("ETIMEDOUT")));
    assert_eq!(client["settings"]["idle_s"], 15.0);
    assert_eq!(client["settings"]["count"], 9);
    let events = document["events"].as_array().expect("events");
    let probes: Vec<f64> = events
        .iter()
        .filter(|event| event["what"] == "probe" && event["by"] == "client")
        .map(|event| event["time_s"].as_f64().expect("a time"))
        .collect();
    let unanswered = &probes[probes.len() - 9..];
    for pair in unanswered.windows(2) {
        assert!((pair[1] - pair[0] - 15.104).abs() < 1e-6, "{pair:?}");
    }
    let ended = client["at_s"].as_f64().expect("a time");
    assert!((ended - unanswered[8] - 15.104).abs() < 1e-6);
    assert!(unanswered[0] > 1200.0 && probes[probes.len() - 10] < 1200.0);
}

#[test]
fn the_example_of_the_readme_is_right() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```toml\ntitle = ").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let output = simulate_text(&format!("title = {example}"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
