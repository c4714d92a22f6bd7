//! Every capture made anew by the lab, against what the lab knows of it and against tshark.
//!
//! The committed captures are one draw of timing and races; this one draws again.

mod common;
#[path = "tshark/compare.rs"]
mod compare;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{file_differences_from_truth, has, indexed, scratch, skip, text};
use compare::compare;

/// The lab's exit status where the machine lacks something.
const LACKS_SOMETHING: i32 = 77;

/// How often a capture is made before it counts as wrong.
const ATTEMPTS: u32 = 3;

#[test]
fn captures_made_anew_tell_what_the_lab_did() {
    if !has("python3") {
        return;
    }
    let folder = scratch("lab-live");
    let Some(mut wrong) = make("--all", &folder) else { return };
    let mut agreed = 0;
    for file in indexed(&folder) {
        wrong.extend(differences(&folder, &file, &mut agreed));
    }
    assert!(!has("tshark") || agreed > 50, "tshark and we agree on {agreed} probes only");
    // A lab on a machine that was not run for a moment does something else than it was written for. What is
    // wrong with us is wrong each time.
    for attempt in 1..ATTEMPTS {
        wrong.retain(|name, complaints| {
            eprintln!("{name} once more, since {}", complaints.join("\n"));
            let folder = scratch(&format!("lab-live-{name}-{attempt}"));
            let Some(mut again) = make(name, &folder) else { return true };
            if again.is_empty() {
                let files = indexed(&folder);
                again.extend(files.iter().filter_map(|file| differences(&folder, file, &mut agreed)));
            }
            *complaints = again.remove(name).unwrap_or_default();
            if complaints.is_empty() {
                std::fs::remove_dir_all(&folder).expect("the folder can be removed");
            }
            !complaints.is_empty()
        });
    }
    // Kept where something is wrong, so that it can be looked at.
    let all: Vec<String> = wrong.into_values().flatten().collect();
    assert!(all.is_empty(), "beside {}:\n{}", folder.display(), all.join("\n"));
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Makes one capture, or `--all`. Returns what the lab complained of, by capture; nothing where the machine lacks
/// something.
fn make(what: &str, folder: &Path) -> Option<BTreeMap<String, Vec<String>>> {
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/make");
    let output = match Command::new(&make).args([what, text(folder)]).output() {
        Ok(output) => output,
        Err(error) => {
            skip(&format!("{}: {error}", make.display()));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        skip(complaint.trim().trim_start_matches("SKIPPED: "));
        return None;
    }
    // Single captures need more tools than the rest.
    for (capture, reason) in said.lines().filter_map(|line| line.split_once(": SKIPPED: ")) {
        skip(&format!("{capture}: {reason}"));
    }
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if !output.status.success() {
        let names = said.lines().filter_map(|line| line.strip_suffix(": FAILED"));
        let names: Vec<&str> = if what == "--all" { names.collect() } else { vec![what] };
        assert!(!names.is_empty(), "the lab failed:\n{said}{complaint}");
        for name in names {
            failed.insert(name.to_owned(), vec![format!("the lab failed:\n{said}{complaint}")]);
        }
    }
    Some(failed)
}

/// What is wrong with a capture, by its name: against what the lab knows, and against tshark.
fn differences(folder: &Path, file: &str, agreed: &mut usize) -> Option<(String, Vec<String>)> {
    let mut wrong = file_differences_from_truth(folder, file);
    if has("tshark") {
        let seen = compare(text(&folder.join(file)));
        *agreed += seen.agreed;
        wrong.extend(seen.mismatches.iter().map(|line| format!("{file}: {line}")));
        let unexplained = seen.differences.iter().filter(|difference| difference.reason.is_none());
        wrong.extend(unexplained.map(|difference| format!("{file}: {difference}")));
    }
    let name = file.split('.').next().unwrap_or(file).to_owned();
    (!wrong.is_empty()).then_some((name, wrong))
}
