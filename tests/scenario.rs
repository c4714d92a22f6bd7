//! `keepscope simulate`, through the binary; what has no command, through the library.

#[path = "scenario/built_in.rs"]
mod built_in;
#[path = "scenario/captures.rs"]
mod captures;
mod common;
#[path = "scenario/fleet.rs"]
mod fleet;
#[path = "scenario/reading.rs"]
mod reading;
#[path = "scenario/refusals.rs"]
mod refusals;
#[path = "scenario/shares.rs"]
mod shares;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{keepscope, scratch};

/// Runs `keepscope simulate`.
fn simulate(arguments: &[&str]) -> Output {
    keepscope(&[&["simulate"], arguments].concat())
}

/// The same with a document on standard input.
fn simulate_text(text: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args([&["simulate", "-"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    // Whoever refuses a document may close before all of it is written.
    let _ = child.stdin.take().expect("a pipe").write_all(text.as_bytes());
    child.wait_with_output().expect("keepscope ends")
}

/// Its JSON document, whatever the exit code.
fn json(arguments: &[&str]) -> serde_json::Value {
    let output = simulate(&[&["--format", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The line that says why a scenario was refused.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty() && text.lines().count() == 1, "{text}");
    text
}

/// A file of that name with this text.
fn file(folder: &str, text: &str) -> PathBuf {
    let path = scratch(folder).join("scenario.toml");
    std::fs::write(&path, text).expect("a file");
    path
}

/// The names of the scenarios that come with the program, as it lists them.
fn names() -> Vec<String> {
    let output = simulate(&["--list", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    let scenarios = document["scenarios"].as_array().expect("scenarios");
    scenarios.iter().map(|scenario| scenario["name"].as_str().expect("a name").to_owned()).collect()
}
