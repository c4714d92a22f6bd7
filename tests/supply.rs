//! What the program is built from: licences, sources, versions, code in other languages, unsafe code, the oldest compiler.
//!
//! Reads what cargo knows without asking the network; what is allowed stands in `supply/policy.toml`. Whether a package has
//! known flaws is not checked: the list of those cannot be had offline.

#[path = "common/sources.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Policy {
    source: String,
    licences: Vec<String>,
    twice: Vec<Reason>,
    native: Vec<Reason>,
    script: Vec<Scripts>,
    #[serde(rename = "unsafe")]
    unsafe_: Vec<Unsafe>,
}

#[derive(Deserialize)]
struct Reason {
    name: String,
    why: String,
}

#[derive(Deserialize)]
struct Scripts {
    names: Vec<String>,
    why: String,
}

#[derive(Deserialize)]
struct Unsafe {
    file: PathBuf,
    blocks: usize,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    rust_version: Option<String>,
    links: Option<String>,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    optional: bool,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    source: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

fn policy() -> Policy {
    toml::from_str(&read("tests/supply/policy.toml")).expect("a valid policy")
}

fn lock() -> Vec<Locked> {
    toml::from_str::<Lock>(&read("Cargo.lock")).expect("a valid lock file").package
}

/// A field of what the compiler says of itself.
fn rustc(field: &str) -> String {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into())).arg("-vV").output();
    let text = String::from_utf8(output.expect("rustc runs").stdout).expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("such a field");
    line.trim().to_owned()
}

/// All packages that are built on this system, with tests and benchmarks.
fn packages() -> Vec<Package> {
    let ask = |offline: &[&str]| {
        Command::new(env!("CARGO"))
            .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &rustc("host:")])
            .args(offline)
            .current_dir(root())
            .output()
            .expect("cargo runs")
    };
    // What was built is here; only a package that nothing built needs may have to be fetched.
    let mut output = ask(&["--offline"]);
    if !output.status.success() {
        output = ask(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(metadata.packages.len() > 100, "{} packages", metadata.packages.len());
    metadata.packages
}

fn others(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| package.name != "keepscope")
}

impl Package {
    fn has_build_script(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "custom-build"))
    }

    /// Whether it brings code in another language, or wants a library of the system.
    fn is_native(&self) -> bool {
        const TOOLS: [&str; 5] = ["cc", "cmake", "bindgen", "pkg-config", "vcpkg"];
        let builds = |tool: &Dependency| {
            tool.kind.as_deref() == Some("build") && !tool.optional && TOOLS.contains(&tool.name.as_str())
        };
        self.links.is_some() || self.dependencies.iter().any(builds)
    }
}

/// Names that were found and are not listed, and those that are listed and nowhere in the lock file.
fn differences(found: &BTreeSet<&str>, listed: &BTreeSet<&str>) -> Vec<String> {
    let locked: BTreeSet<String> = lock().into_iter().map(|package| package.name).collect();
    let new = found.difference(listed).map(|name| format!("{name} is not listed"));
    let gone = listed.iter().filter(|name| !locked.contains(**name));
    new.chain(gone.map(|name| format!("{name} is listed and no longer there"))).collect()
}

#[test]
fn licences_can_be_met() {
    let (policy, packages) = (policy(), packages());
    let mut wrong = Vec::new();
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    for package in others(&packages) {
        let name = format!("{} {}", package.name, package.version);
        let Some(license) = &package.license else {
            wrong.push(format!("{name} names no licence"));
            continue;
        };
        // As it used to be written: MIT/Apache-2.0.
        let expression = match spdx::Expression::parse_mode(license, spdx::ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => {
                wrong.push(format!("{name}: {license:?}: {error}"));
                continue;
            }
        };
        let met = |without: Option<&str>| {
            expression.evaluate(|term| {
                let id = term.license.id().map_or("", |id| id.name);
                term.addition.is_none() && Some(id) != without && policy.licences.iter().any(|one| one == id)
            })
        };
        if !met(None) {
            wrong.push(format!("{name}: {license}"));
        }
        needed.extend(policy.licences.iter().map(String::as_str).filter(|one| !met(Some(one))));
    }
    assert_eq!(wrong, [""; 0]);
    let allowed: BTreeSet<&str> = policy.licences.iter().map(String::as_str).collect();
    assert_eq!(allowed, needed, "no licence is allowed that no package needs");
}

#[test]
fn everything_comes_from_one_registry() {
    let (policy, locked) = (policy(), lock());
    let elsewhere = locked.iter().filter(|package| package.source.as_deref() != Some(&policy.source));
    assert_eq!(elsewhere.map(|package| package.name.as_str()).collect::<Vec<_>>(), ["keepscope"]);
    let packages = packages();
    for package in others(&packages) {
        assert_eq!(package.source.as_deref(), Some(policy.source.as_str()), "{}", package.name);
    }
}

#[test]
fn a_package_is_there_twice_for_a_reason_only() {
    let (policy, packages) = (policy(), packages());
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let listed: BTreeSet<&str> = policy.twice.iter().map(|one| one.name.as_str()).collect();
    assert!(policy.twice.iter().all(|one| !one.why.is_empty()));
    let found: BTreeSet<&str> = versions.keys().copied().collect();
    assert_eq!(found, listed, "{versions:?}");
}

#[test]
fn code_in_other_languages_and_build_scripts_are_known() {
    let (policy, packages) = (policy(), packages());
    let native: BTreeSet<&str> = others(&packages)
        .filter(|package| package.is_native())
        .map(|package| package.name.as_str())
        .collect();
    let listed = policy.native.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(differences(&native, &listed), [""; 0], "code in another language");
    let scripts: BTreeSet<&str> = others(&packages)
        .filter(|package| package.has_build_script() && !package.is_native())
        .map(|package| package.name.as_str())
        .collect();
    let listed = policy.script.iter().flat_map(|one| &one.names).map(String::as_str).collect();
    assert_eq!(differences(&scripts, &listed), [""; 0], "build scripts");
    let reasons = policy.native.iter().map(|one| &one.why).chain(policy.script.iter().map(|one| &one.why));
    assert!(reasons.into_iter().all(|why| !why.is_empty()));
}

/// `1.88.0` or `1.95` as numbers that compare.
fn numbers(version: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    numbers.resize(3, 0);
    numbers
}

/// What Cargo.toml promises is what no package contradicts and this compiler is not older than. That the code needs no
/// newer one is what clippy's `incompatible_msrv` finds, and compiling with just that version, as CI does.
#[test]
fn the_oldest_compiler_is_stated_and_no_package_needs_a_newer_one() {
    let ours = numbers(env!("CARGO_PKG_RUST_VERSION"));
    let packages = packages();
    for package in others(&packages) {
        if let Some(theirs) = &package.rust_version {
            assert!(numbers(theirs) <= ours, "{} needs Rust {theirs}", package.name);
        }
    }
    let used = rustc("release:");
    assert!(numbers(used.split('-').next().expect("a version")) >= ours, "rustc {used}");
}

/// No package is built that nothing uses.
#[test]
fn every_dependency_is_used() {
    let packages = packages();
    let own = packages.iter().find(|package| package.name == "keepscope").expect("ourselves");
    let read = |folders: &[&str]| {
        let all = folders.iter().flat_map(|folder| sources::below(&root().join(folder)));
        all.map(|(_, text)| text).collect::<String>()
    };
    let (program, tests) = (read(&["src"]), read(&["src", "tests", "benches"]));
    for dependency in &own.dependencies {
        let name = dependency.name.replace('-', "_");
        let code = if dependency.kind.as_deref() == Some("dev") { &tests } else { &program };
        let used = [format!("{name}::"), format!("use {name}"), format!("{name}!")];
        assert!(used.iter().any(|use_| code.contains(use_)), "{} is not used", dependency.name);
    }
}

/// Unsafe code is denied but for the listed files, whose blocks are counted and each justified.
#[test]
fn unsafe_code_is_where_it_is_said_to_be_and_says_why() {
    let policy = policy();
    assert!(read("src/lib.rs").contains("\n#![deny(unsafe_code)]"));
    assert!(read("src/main.rs").contains("\n#![forbid(unsafe_code)]"));
    let mut found = BTreeMap::new();
    for (path, text) in sources::below(&root().join("src")) {
        let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
        let all: Vec<&str> = text.lines().collect();
        let is_block = |line: &&str| line.contains("unsafe {");
        for (index, _) in lines.iter().enumerate().filter(|(_, line)| is_block(line)) {
            let above = all[..index].iter().rev().take(4);
            let mut comment = above.filter(|line| line.trim_start().starts_with("//"));
            assert!(comment.any(|line| line.contains("SAFETY: ")), "{}:{}", path.display(), index + 1);
        }
        let blocks = lines.iter().filter(|line| is_block(line)).count();
        let lifts = text.contains("allow(unsafe_code)");
        assert_eq!(lifts, blocks > 0, "{} allows unsafe code without need", path.display());
        for form in ["unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"] {
            assert!(!lines.iter().any(|line| line.contains(form)), "{}: {form}", path.display());
        }
        if blocks > 0 {
            found.insert(Path::new("src").join(path), blocks);
        }
    }
    let listed: BTreeMap<PathBuf, usize> =
        policy.unsafe_.into_iter().map(|one| (one.file, one.blocks)).collect();
    assert_eq!(found, listed);
}
