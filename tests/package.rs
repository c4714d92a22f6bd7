//! The Debian package and the static binary: built, installed where nothing of this machine is changed, and run.
//!
//! The package is installed by dpkg itself into this system as it is, seen through an overlay: what is written lies in
//! memory, and goes away with the mount namespace that nobody else sees.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::{capture_path, has, scratch, skip, text};

/// All that a program wrote.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The package around the binary under test; built once for all tests here. None: [`skip`] has been called.
fn package() -> Option<&'static Path> {
    static PACKAGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    PACKAGE.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let there = Command::new("cargo").args(["deb", "--version"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        skip("cargo-deb is not installed (cargo install --locked cargo-deb)");
        return None;
    }
    if !["dpkg", "dpkg-shlibdeps", "unshare"].into_iter().all(has) {
        return None;
    }
    let tried = inside("package-try", "", "true");
    if !tried.status.success() {
        skip(&format!("no right to lay an overlay over this system: {}", said(&tried)));
        return None;
    }
    let file = scratch("package").join("keepscope.deb");
    let folder = Path::new(env!("CARGO_BIN_EXE_keepscope")).parent().expect("a folder");
    let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile's folder");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".debian/build"))
        .args(["--built", profile])
        .env("CARGO_TARGET_DIR", folder.parent().expect("the target folder"))
        .env("KEEPSCOPE_DEB", &file)
        .output()
        .expect("the script");
    assert!(output.status.success(), "{}", said(&output));
    Some(file)
}

/// Runs a script of the shell as root in a copy of this system that lasts as long as the script does, with its own
/// network. `prepare` is run before, outside of the copy and beside its folder `root`.
fn inside(name: &str, prepare: &str, script: &str) -> Output {
    let all = "set -e; mount -t tmpfs tmpfs \"$1\"; cd \"$1\"; mkdir upper work root; \
               mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root; \
               mount -t proc proc root/proc; mount --rbind /dev root/dev; eval \"$2\"; \
               exec timeout 300 chroot root sh -ec \"$3\"";
    let here = scratch(name);
    Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "sh", "-c", all, "sh", text(&here), prepare, script])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .expect("unshare")
}

/// Runs a script of the shell where the package lies in the root folder.
fn with_package(name: &str, package: &Path, script: &str) -> String {
    let output = inside(name, &format!("cp '{}' root/keepscope.deb", text(package)), script);
    let out = said(&output);
    assert!(output.status.success(), "{name}: {:?}\n{out}", output.status);
    out
}

/// Runs what follows as a user who has no rights of its own.
const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups --reset-env";

/// The first JSON document in a text.
fn document(out: &str) -> serde_json::Value {
    let begin = out.find("{\n").expect("a document");
    let mut documents = serde_json::Deserializer::from_str(&out[begin..]).into_iter();
    documents.next().expect("a document").expect("a document that is well formed")
}

#[test]
fn the_package_holds_what_belongs_to_a_program() {
    let Some(package) = package() else { return };
    let listed = common::run("dpkg-deb", &["-c", text(package)]);
    for path in [
        "./usr/bin/keepscope",
        "./usr/share/man/man1/keepscope.1.gz",
        "./usr/share/man/man1/keepscope-analyze.1.gz",
        "./usr/share/man/man1/keepscope-config-check.1.gz",
        "./usr/share/bash-completion/completions/keepscope",
        "./usr/share/fish/vendor_completions.d/keepscope.fish",
        "./usr/share/zsh/vendor-completions/_keepscope",
        "./usr/share/doc/keepscope/copyright",
        "./usr/share/doc/keepscope/LICENSE-MIT",
        "./usr/share/doc/keepscope/LICENSE-APACHE",
        "./usr/share/doc/keepscope/README.md",
        "./usr/share/doc/keepscope/CHANGELOG.md",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(&format!(" {path}"))), "{path}:\n{listed}");
    }
    assert!(!listed.contains(".pcap"), "captures are not part of it:\n{listed}");
    let needs = common::run("dpkg-deb", &["-f", text(package), "Depends"]);
    assert!(needs.contains("libc6"), "what it needs is found out: {needs}");
}

#[test]
fn the_package_is_installed_with_its_capability_and_probes_for_everybody() {
    let Some(package) = package() else { return };
    if !["getcap", "setpriv", "ip", "python3", "man", "bash"].into_iter().all(has) {
        return;
    }
    let script = format!(
        "dpkg -i /keepscope.deb; getcap /usr/bin/keepscope; ip link set lo up; {NOBODY} keepscope doctor --format json; \
         man -w keepscope-analyze; \
         bash -c '. /usr/share/bash-completion/completions/keepscope; complete -p keepscope'; \
         mkfifo /ready; \
         python3 -c \"import socket; s = socket.create_server(('127.0.0.1', 0)); \
                      open('/ready', 'w').write(str(s.getsockname()[1])); s.accept()[0].recv(1)\" & \
         read -r port < /ready || test -n \"$port\"; {NOBODY} keepscope probe --rounds 1 127.0.0.1:$port; \
         dpkg -r keepscope; test ! -e /usr/bin/keepscope; echo and gone"
    );
    let out = with_package("package-install", package, &script);
    assert!(out.contains("/usr/bin/keepscope cap_net_raw=ep\n"), "{out}");
    let rights = document(&out);
    assert_eq!(rights["program"], "/usr/bin/keepscope", "{rights}");
    assert_eq!(rights["capabilities"]["cap_net_raw"]["effective"], true, "{rights}");
    assert_eq!(rights["capabilities"]["cap_sys_admin"]["permitted"], false, "{rights}");
    assert!(out.contains("/usr/share/man/man1/keepscope-analyze.1.gz\n"), "{out}");
    assert!(out.contains("-F _keepscope keepscope\n"), "{out}");
    assert!(out.contains("\nALIVE  127.0.0.1:") && out.contains("and gone\n"), "{out}");
}

/// The package is installed and works as far as it does without rights; `how` comes before dpkg.
fn installed_without_the_capability(name: &str, how: &str, words: &str) {
    let Some(package) = package() else { return };
    if !["getcap", "setpriv"].into_iter().all(has) {
        return;
    }
    let script = format!(
        "{how} dpkg -i /keepscope.deb; dpkg -s keepscope | grep ^Status; getcap /usr/bin/keepscope; \
         {NOBODY} keepscope doctor --format json || true; {NOBODY} keepscope --version"
    );
    let out = with_package(name, package, &script);
    assert!(out.contains(words) && out.contains("live commands need sudo"), "{out}");
    assert!(out.contains("install ok installed") && !out.contains("cap_net_raw=ep"), "{out}");
    assert_eq!(document(&out)["capabilities"]["cap_net_raw"]["permitted"], false, "{out}");
    assert!(out.contains(concat!("keepscope ", env!("CARGO_PKG_VERSION"))), "{out}");
}

#[test]
fn without_setcap_the_package_says_so_and_is_installed() {
    let how = "rm -f /sbin/setcap /usr/sbin/setcap;";
    installed_without_the_capability("package-no-setcap", how, "setcap is not installed");
}

#[test]
fn where_capabilities_cannot_be_given_the_package_says_so_and_is_installed() {
    // As in a container that was not given the right to.
    let how = "setpriv --bounding-set=-setfcap --inh-caps=-setfcap --ambient-caps=-setfcap";
    installed_without_the_capability("package-no-right", how, "cannot be given CAP_NET_RAW");
}

/// With the C library inside, it needs nothing else: not even in a folder where there is nothing else.
#[test]
#[ignore = "builds everything once more, which takes minutes; the README has the command"]
fn the_static_binary_runs_where_nothing_else_is() {
    if !["chroot", "unshare", "ip", "python3"].into_iter().all(has) {
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new("cargo")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--locked", "--bin", "keepscope", "--target", &triple])
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", said(&output));

    let empty = scratch("package-empty");
    std::fs::copy(target.join(&triple).join("debug/keepscope"), empty.join("keepscope")).expect("a copy");
    std::fs::copy(capture_path("vanish.pcap"), empty.join("vanish.pcap")).expect("a copy");
    let alone = common::run("chroot", &[text(&empty), "/keepscope", "analyze", "/vanish.pcap"]);
    assert!(alone.contains("#1 TIMED OUT"), "{alone}");

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package/names.py");
    let told = common::run("unshare", &["--net", "python3", script, text(&empty)]);
    let told: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [hosts, dns, none] = &told[..] else { panic!("three names: {told:?}") };
    for found in [hosts, dns] {
        assert!(
            found["code"] == 0 && found["said"].as_str().is_some_and(|said| said.contains("ALIVE")),
            "{found}"
        );
    }
    assert!(
        none["code"] == 2 && none["said"].as_str().is_some_and(|said| said.contains("no address for")),
        "{none}"
    );
}
