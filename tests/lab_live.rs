//! Every capture made anew by the lab, against what the lab knows of it and against tshark.
//!
//! The committed captures are one draw of timing and races; this one draws again.

mod common;
#[path = "tshark/compare.rs"]
mod compare;

use std::path::Path;
use std::process::Command;

use common::{differences_from_truth, has, indexed, scratch, skip, text};
use compare::compare;

/// The lab's exit status where the machine lacks something.
const LACKS_SOMETHING: i32 = 77;

#[test]
fn captures_made_anew_tell_what_the_lab_did() {
    if !has("python3") {
        return;
    }
    let folder = scratch("lab-live");
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/make");
    let output = match Command::new(&make).args(["--all", text(&folder)]).output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("{}: {error}", make.display())),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        return skip(complaint.trim().trim_start_matches("SKIPPED: "));
    }
    assert!(output.status.success(), "the lab failed:\n{said}{complaint}");
    // Single captures need more tools than the rest.
    for (capture, reason) in said.lines().filter_map(|line| line.split_once(": SKIPPED: ")) {
        skip(&format!("{capture}: {reason}"));
    }

    let mut wrong = differences_from_truth(&folder);
    if has("tshark") {
        let mut agreed = 0;
        for file in indexed(&folder) {
            let seen = compare(text(&folder.join(&file)));
            agreed += seen.agreed;
            wrong.extend(seen.mismatches.iter().map(|line| format!("{file}: {line}")));
            let unexplained = seen.differences.iter().filter(|difference| difference.reason.is_none());
            wrong.extend(unexplained.map(|difference| format!("{file}: {difference}")));
        }
        assert!(agreed > 50, "tshark and we agree on {agreed} probes only");
    }
    // Kept where something is wrong, so that it can be looked at.
    assert!(wrong.is_empty(), "in {}:\n{}", folder.display(), wrong.join("\n"));
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}
