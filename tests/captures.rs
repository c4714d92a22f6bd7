//! Every capture in `captures/` against its ground truth, through the binary.
//!
//! The truth in `captures/INDEX.toml` is what the lab set and what the kernels counted; nothing in it comes
//! from this program.

mod common;

use std::path::Path;

#[test]
fn every_capture_tells_what_the_lab_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let wrong = common::differences_from_truth(&folder);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
