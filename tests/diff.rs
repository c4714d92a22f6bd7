//! `keepscope diff`: what is found between two captures of which the difference is known.

mod common;
#[path = "diff/edit.rs"]
mod edit;
#[path = "diff/runs.rs"]
mod runs;
#[path = "diff/views.rs"]
mod views;

use std::path::Path;

use common::{keepscope, text};
use serde_json::Value;

/// The document and the exit code of a comparison.
fn diff(a: &Path, b: &Path, options: &[&str]) -> (Value, Option<i32>) {
    let all = [&["diff", "--format", "json", text(a), text(b)], options].concat();
    let output = keepscope(&all);
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (document, output.status.code())
}

/// What people read, and what they are told on standard error.
fn shown(a: &Path, b: &Path, options: &[&str]) -> (String, String) {
    let output = keepscope(&[&["diff", text(a), text(b)], options].concat());
    (String::from_utf8(output.stdout).expect("UTF-8"), String::from_utf8(output.stderr).expect("UTF-8"))
}
