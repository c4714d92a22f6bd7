//! What tests of the binary share.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The path of a file in `captures/`.
pub fn capture_path(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "captures", name].iter().collect();
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs the binary.
pub fn keepscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepscope")).args(arguments).output().expect("keepscope runs")
}

/// The JSON document that `keepscope analyze` writes.
pub fn analyze_json(arguments: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["analyze", "--format", "json"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}
