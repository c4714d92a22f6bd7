//! The captures that `keepscope analyze --write` writes: what is in them, and when there is none.

#[path = "write/comments.rs"]
mod comments;
mod common;
#[path = "write/packets.rs"]
mod packets;
#[path = "write/refusals.rs"]
mod refusals;

use std::path::{Path, PathBuf};

use common::{capture_path, keepscope, run, scratch, text};

/// Writes the chosen connections of a capture; returns where.
fn written(folder: &str, capture: &str, options: &[&str]) -> PathBuf {
    let path = scratch(&format!("write-{folder}-{capture}")).join("out.pcapng");
    let source = capture_path(capture);
    let all: Vec<&str> = [&["analyze", "--write", text(&path), &source], options].concat();
    let output = keepscope(&all);
    assert!(output.status.success(), "{capture}: {}", String::from_utf8_lossy(&output.stderr));
    path
}

/// These fields of every packet, as tshark reads them; it must not complain.
fn fields(path: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let mut arguments = vec!["-n", "-r", text(path), "-T", "fields"];
    names.iter().for_each(|name| arguments.extend(["-e", name]));
    let lines = run("tshark", &arguments);
    lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
