//! Runs the plans in network namespaces.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::common::{has, skip, text};
use super::plan::Plan;

/// The lab's exit status where the machine lacks something.
const LACKS_SOMETHING: i32 = 77;

/// Runs the plans; returns CONFIG_HZ of the kernel, or nothing if this machine lacks something.
pub fn drive(plans: &[Plan], folder: &Path) -> Option<u32> {
    if !has("python3") {
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/drive");
    let child = Command::new(&program)
        .arg(text(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            skip(&format!("{}: {error}", program.display()));
            return None;
        }
    };
    let document = serde_json::to_vec(plans).expect("plans as JSON");
    // A lab that lacks something may end before it has read this.
    let written = child.stdin.take().expect("a pipe").write_all(&document);
    let output = child.wait_with_output().expect("the lab ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        skip(complaint.trim().trim_start_matches("SKIPPED: "));
        return None;
    }
    assert!(output.status.success(), "the lab failed: {complaint}");
    written.expect("the lab reads its plan");
    let journal = std::fs::read(folder.join("journal.json")).expect("a journal");
    let journal: Value = serde_json::from_slice(&journal).expect("a journal");
    journal["clock"]["hz"].as_u64().and_then(|hz| u32::try_from(hz).ok())
}
