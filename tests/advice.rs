//! Advice: what is recommended holds, where it is put works, and what is set already is judged by the same rules.

mod common;

#[path = "advice/audit.rs"]
mod audit;
#[path = "advice/code.rs"]
mod code;
#[path = "advice/paths.rs"]
mod paths;
#[path = "advice/programs.rs"]
mod programs;
#[path = "advice/properties.rs"]
mod properties;
#[path = "advice/rust_snippet.rs"]
mod rust_snippet;
#[path = "advice/simulated.rs"]
mod simulated;
#[path = "advice/snippets.rs"]
mod snippets;

use common::keepscope;
use serde_json::Value;

/// What `keepscope recommend` says, as a document.
fn recommended(arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["recommend", "--format", "json"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

/// The only snippet of a recommendation.
fn snippet(arguments: &[&str]) -> Value {
    let document = recommended(arguments);
    let snippets = document["snippets"].as_array().expect("snippets");
    assert_eq!(snippets.len(), 1, "{arguments:?}");
    snippets[0].clone()
}

/// Its text.
fn snippet_text(arguments: &[&str]) -> String {
    snippet(arguments)["text"].as_str().expect("a text").to_owned()
}

/// Standard output, standard error and the exit code.
fn said(arguments: &[&str]) -> (String, String, i32) {
    let output = keepscope(arguments);
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

/// The words of a text, whatever its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
