//! `analyze --format html`: a document that says what the other formats say, needs nothing else, and that a browser shows.

#[path = "html/browser.rs"]
mod browser;
mod common;
#[path = "html/document.rs"]
mod document;
#[path = "html/hostile.rs"]
mod hostile;
#[path = "html/size.rs"]
mod size;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use common::{keepscope, skip, text};

/// Writes the document of these arguments of `analyze` to a file of this folder.
fn write(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let all: Vec<&str> = ["analyze", "--format", "html"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let path = folder.join(format!("{name}.html"));
    std::fs::write(&path, &output.stdout).expect("a file to write");
    path
}

/// What is in documents, as an HTML parser reads them; nothing where there is none, which has been said.
fn read(paths: &[PathBuf]) -> Option<Vec<Value>> {
    // Debian's package is Debian's Python's; another may come first on the path.
    let has_parser = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import html5lib"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(python) = ["/usr/bin/python3", "python3"].into_iter().find(has_parser) else {
        skip("python3 with html5lib is not installed");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/html/read.py");
    let arguments: Vec<&str> = std::iter::once(script).chain(paths.iter().map(|path| text(path))).collect();
    Some(serde_json::from_str(&common::run(python, &arguments)).expect("JSON"))
}

/// What every document keeps, whatever it shows.
fn assert_sound(name: &str, document: &Value) {
    for fault in ["errors", "reaches_out", "broken"] {
        assert_eq!(document[fault], serde_json::json!([]), "{name}: {fault}");
    }
    assert_eq!(
        document["policy"],
        serde_json::json!(["default-src 'none'; style-src 'unsafe-inline'"]),
        "{name}"
    );
    for connection in array(&document["connections"]) {
        for picture in ["ladder", "timeline"] {
            assert_eq!(connection[picture]["named"], true, "{name}: {picture} of {}", connection["id"]);
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn words(value: &Value) -> &str {
    value.as_str().expect("text")
}
