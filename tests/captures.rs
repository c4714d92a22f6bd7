//! Every capture in `captures/` against its ground truth, through the binary.
//!
//! The truth in `captures/INDEX.toml` is what the lab set and what the kernels counted; nothing in it comes
//! from this program.

mod common;

use std::collections::BTreeMap;

use serde::Deserialize;

use common::{analyze_json, capture_path};

#[derive(Deserialize)]
struct Index {
    capture: Vec<Capture>,
}

#[derive(Deserialize)]
struct Capture {
    file: String,
    #[serde(default)]
    connection: Vec<Connection>,
}

#[derive(Deserialize)]
struct Connection {
    client: String,
    server: String,
    start: String,
    outcome: String,
    #[serde(default)]
    prober: Vec<Prober>,
}

#[derive(Deserialize)]
struct Prober {
    endpoint: String,
    octets: u64,
    probes: usize,
    answered: usize,
    #[serde(default)]
    answer_kinds: BTreeMap<String, usize>,
}

fn index() -> Index {
    let text = std::fs::read_to_string(capture_path("INDEX.toml")).expect("captures/INDEX.toml");
    toml::from_str(&text).expect("a valid index")
}

/// Names every way in which a connection differs from the truth.
fn differences(truth: &Connection, found: &serde_json::Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, truth: String, found: String| {
        if truth != found {
            wrong.push(format!("{what}: the lab says {truth}, we say {found}"));
        }
    };
    check("client", truth.client.clone(), found["client"].as_str().unwrap_or("").to_owned());
    check("server", truth.server.clone(), found["server"].as_str().unwrap_or("").to_owned());
    check("start", truth.start.clone(), found["start"].as_str().unwrap_or("").to_owned());
    check("outcome", truth.outcome.clone(), found["outcome"].as_str().unwrap_or("").to_owned());
    let probers = found["probers"].as_array().cloned().unwrap_or_default();
    check("probers", truth.prober.len().to_string(), probers.len().to_string());
    for prober in &truth.prober {
        let seen = probers.iter().find(|seen| seen["endpoint"] == prober.endpoint.as_str());
        let probes = seen.and_then(|seen| seen["probes"].as_array()).cloned().unwrap_or_default();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for answer in probes.iter().map(|probe| &probe["answer"]).filter(|answer| !answer.is_null()) {
            *kinds.entry(answer["kind"].as_str().unwrap_or("").to_owned()).or_default() += 1;
        }
        let name = &prober.endpoint;
        check(&format!("{name}'s probes"), prober.probes.to_string(), probes.len().to_string());
        let answered = kinds.values().sum::<usize>();
        check(&format!("{name}'s answered probes"), prober.answered.to_string(), answered.to_string());
        check(&format!("{name}'s answers"), format!("{:?}", prober.answer_kinds), format!("{kinds:?}"));
        for probe in &probes {
            check(&format!("{name}'s octets"), prober.octets.to_string(), probe["octets"].to_string());
        }
    }
    wrong
}

#[test]
fn every_capture_tells_what_the_lab_did() {
    let mut wrong = Vec::new();
    for capture in index().capture {
        let document = analyze_json(&["--all", &capture_path(&capture.file)]);
        let found = document["connections"].as_array().expect("connections");
        if found.len() != capture.connection.len() {
            wrong.push(format!(
                "{}: the lab made {} connections, we found {}",
                capture.file,
                capture.connection.len(),
                found.len()
            ));
        }
        // Lives of one 4-tuple stand in their order, in the index as in the result.
        let mut taken = vec![false; found.len()];
        for truth in &capture.connection {
            let position = found.iter().enumerate().position(|(index, found)| {
                !taken[index]
                    && found["client"] == truth.client.as_str()
                    && found["server"] == truth.server.as_str()
            });
            let Some(position) = position else {
                wrong.push(format!("{}: {} -> {} is missing", capture.file, truth.client, truth.server));
                continue;
            };
            taken[position] = true;
            let lines = differences(truth, &found[position]);
            wrong.extend(lines.iter().map(|line| format!("{} {}: {line}", capture.file, truth.client)));
        }
        for problem in document["captures"][0]["problems"].as_array().expect("problems") {
            if problem["damage"] == true {
                wrong.push(format!("{}: {}", capture.file, problem["message"]));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
