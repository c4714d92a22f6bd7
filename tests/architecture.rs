//! The direction of imports and the purity of the core, read from the sources.

#[path = "common/sources.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which modules each module may use. A module that is not here fails the test.
const MAY_USE: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("printable", &[]),
    ("halves", &[]),
    ("frame", &["time"]),
    ("segment", &["time", "frame"]),
    ("stack", &["time"]),
    ("product", &["time", "stack"]),
    ("capture", &["time", "printable", "frame"]),
    ("track", &["time", "frame", "segment"]),
    ("pipeline", &["time", "frame", "segment", "track"]),
    ("reading", &["capture", "pipeline", "track"]),
    ("keepalive", &["time", "segment", "stack"]),
    ("analysis", &["time", "printable", "frame", "segment", "stack", "track", "keepalive"]),
    ("winsock", &["time"]),
    ("partner", &["time", "segment"]),
    ("search", &["time", "stack", "product"]),
    (
        "simulate",
        &[
            "time",
            "printable",
            "frame",
            "segment",
            "stack",
            "product",
            "track",
            "pipeline",
            "keepalive",
            "analysis",
            "winsock",
            "search",
        ],
    ),
    ("advice", &["time", "segment", "stack", "product", "keepalive", "simulate"]),
    (
        "live",
        &[
            "time",
            "printable",
            "frame",
            "segment",
            "stack",
            "capture",
            "track",
            "pipeline",
            "keepalive",
            "analysis",
            "partner",
            "search",
        ],
    ),
    (
        "report",
        &[
            "time",
            "halves",
            "printable",
            "frame",
            "segment",
            "stack",
            "product",
            "track",
            "keepalive",
            "analysis",
            "capture",
            "pipeline",
            "partner",
            "simulate",
            "advice",
            "live",
            "search",
        ],
    ),
    (
        "dashboard",
        &[
            "time",
            "printable",
            "frame",
            "segment",
            "stack",
            "product",
            "track",
            "keepalive",
            "analysis",
            "winsock",
            "capture",
            "pipeline",
            "simulate",
            "live",
            "report",
            "search",
            "product",
        ],
    ),
    (
        "cli",
        &[
            "time",
            "printable",
            "frame",
            "segment",
            "stack",
            "product",
            "track",
            "keepalive",
            "analysis",
            "capture",
            "pipeline",
            "reading",
            "winsock",
            "partner",
            "simulate",
            "advice",
            "live",
            "report",
            "dashboard",
            "search",
        ],
    ),
];

/// Modules without clock, socket, file, thread, environment or ambient randomness.
const PURE: &[&str] = &[
    "time",
    "printable",
    "frame",
    "segment",
    "stack",
    "product",
    "track",
    "pipeline",
    "keepalive",
    "analysis",
    "winsock",
    "partner",
    "search",
    "simulate",
    "advice",
];

/// What a pure module must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "std::os",
    "std::sync",
    "Instant",
    "SystemTime",
    "RandomState",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "println!",
    "rand::",
    "rustix",
    "libc::",
];

/// The parts of the dashboard that touch the world; the rest of it is pure.
const DASHBOARD_OUTSIDE: &[&str] = &[
    "dashboard/run.rs",
    "dashboard/terminal.rs",
    "dashboard/export.rs",
    "dashboard/replay/reader.rs",
    "dashboard/simulation/worker.rs",
    "dashboard/live/driver.rs",
    "dashboard/middlebox/driver.rs",
];

/// What only those may name, beside what is impure.
const TERMINAL: &[&str] = &["crossterm", "signal_hook", "crate::capture", "ratatui::Terminal"];

/// `RandomState` as the hasher of foldhash takes its seed from outside.
const SEEDED: &str = "SeedableRandomState";

/// Longest source file, tests beside the code not counted.
const MAX_LINES: usize = 600;

struct Source {
    path: PathBuf,
    module: String,
    /// Without comments, so that documentation may name what the code must not.
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let source = |(path, text): (PathBuf, String)| {
        let first = path.iter().next().expect("a name").to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        Source { code: without_comments(&text), path, module, text }
    };
    sources::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).into_iter().map(source).collect()
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of the crate that some code names, after `crate::` or in its braces.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String =
                name.trim().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            used.insert(word);
        }
    }
    used.remove("");
    used
}

#[test]
fn imports_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !["lib", "main"].contains(&source.module.as_str())) {
        let Some(may_use) = allowed.get(source.module.as_str()) else {
            wrong.push(format!("{}: module {} has no place yet", source.path.display(), source.module));
            continue;
        };
        for used in used_modules(&source.code) {
            if used != source.module && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{} uses crate::{used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_module_uses_one_that_uses_it() {
    let order: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for (index, (module, may_use)) in MAY_USE.iter().enumerate() {
        for used in *may_use {
            let place = order.iter().position(|name| name == used);
            assert!(
                place.is_some_and(|place| place < index),
                "{module} may use {used}, which stands after it"
            );
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module.as_str())) {
        let code = source.code.replace(SEEDED, "");
        wrong.extend(
            IMPURE
                .iter()
                .filter(|name| code.contains(*name))
                .map(|name| format!("{} names {name}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The reducer and the views of the dashboard: a model, a message or a key in, values out. The model may name
/// files to be opened, and views write to a buffer.
#[test]
fn the_dashboard_is_pure_but_for_its_edge() {
    let mut wrong = Vec::new();
    let mut inside = 0;
    for source in sources().iter().filter(|source| source.module == "dashboard") {
        let path = source.path.to_string_lossy().replace('\\', "/");
        if DASHBOARD_OUTSIDE.contains(&path.as_str()) {
            continue;
        }
        inside += 1;
        let named = IMPURE.iter().chain(TERMINAL).filter(|name| source.code.contains(*name));
        wrong.extend(named.map(|name| format!("{path} names {name}")));
        let draws = path.starts_with("dashboard/view");
        if draws && source.code.contains("&mut Model") {
            wrong.push(format!("{path}: a view reads the model only"));
        }
    }
    assert!(inside > 20, "{inside} files");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_small_say_what_they_own_and_are_not_called_mod() {
    let mut wrong = Vec::new();
    for source in sources() {
        let path = source.path.display();
        if source.path.file_name().is_some_and(|name| name == "mod.rs") {
            wrong.push(format!("{path}: name the file after its module"));
        }
        if !source.text.starts_with("//!") {
            wrong.push(format!("{path}: begin with what the module owns"));
        }
        let lines = source.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or("").lines().count();
        if lines > MAX_LINES && source.path.file_name().is_some_and(|name| name != "tests.rs") {
            wrong.push(format!("{path}: {lines} lines, more than {MAX_LINES}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The readers of sources above find what they are meant to find.
#[test]
fn forbidden_imports_are_found() {
    let code = without_comments(
        "use crate::report::text; // crate::cli is only spoken of\nuse crate::{time::Span, track};\nlet x = crate::live::open();",
    );
    let used: Vec<String> = used_modules(&code).into_iter().collect();
    assert_eq!(used, ["live", "report", "time", "track"]);
    assert!(!without_comments("//! reads no std::fs").contains("std::fs"));
}
