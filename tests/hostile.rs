//! Input by somebody who means harm, through the binary.

mod common;
#[path = "hostile/forged.rs"]
mod forged;
#[cfg(feature = "live")]
#[path = "hostile/live.rs"]
mod live;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/numbers.rs"]
mod numbers;
#[path = "hostile/screen.rs"]
mod screen;
#[path = "hostile/sizes.rs"]
mod sizes;
#[path = "hostile/texts.rs"]
mod texts;

use serde_json::Value;

use common::{analyze_json, scratch, text};

/// What is said of the only connection of a capture with these octets.
fn analyzed(name: &str, octets: &[u8]) -> Value {
    let path = scratch(&format!("hostile_{name}")).join("capture");
    std::fs::write(&path, octets).expect("a file");
    let document = analyze_json(&["--all", text(&path)]);
    let connections = document["connections"].as_array().expect("connections");
    assert_eq!(connections.len(), 1, "{name}: {document:#}");
    connections[0].clone()
}
