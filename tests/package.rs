//! The Debian package and the static binary: built, installed where nothing of this machine is changed, and run.
//!
//! The package is installed by dpkg itself into this system as it is, seen through an overlay: what is written lies in
//! memory, and goes away with the mount namespace that nobody else sees.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{capture_path, has, scratch, skip, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether this test may mount; if not, [`skip`] has been called.
fn may_mount() -> bool {
    let allowed = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    let allowed = allowed.is_ok_and(|output| output.status.success());
    if !allowed {
        skip("no right to mount");
    }
    allowed
}

/// The package, as built from the binary under test.
fn package() -> Option<PathBuf> {
    if Command::new("cargo").args(["deb", "--version"]).output().is_ok_and(|output| !output.status.success())
    {
        skip("cargo-deb is not installed (cargo install --locked cargo-deb)");
        return None;
    }
    let file = scratch("package").join("keepscope.deb");
    // The folder of this build: cargo finds the binary there and need not build another.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let output = Command::new(root().join(".debian/build"))
        .arg("--dev")
        .env("CARGO_TARGET_DIR", target)
        .env("KEEPSCOPE_DEB", &file)
        .output()
        .expect("the script");
    assert!(output.status.success(), "{}", said(&output));
    Some(file)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a script of the shell in a copy of this system that lasts as long as it does.
fn inside(prepare: &str, script: &str) -> Output {
    let here = scratch("package-overlay");
    let all = format!(
        "set -e; cd '{here}'; mount -t tmpfs tmpfs .; cd '{here}'; mkdir upper work root; \
         mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root; \
         mount -t proc proc root/proc; mount --rbind /dev root/dev; {prepare}; \
         exec chroot root sh -c \"$1\"",
        here = text(&here),
    );
    let arguments = ["--mount", "--pid", "--fork", "sh", "-c", &all, "sh", script];
    Command::new("unshare").args(arguments).output().expect("unshare")
}

const INSTALL: &str = "set -e; export DEBIAN_FRONTEND=noninteractive; cp /package.deb /tmp/keepscope.deb; \
                       dpkg --force-confnew -i /tmp/keepscope.deb >&2; ";

fn mounted(package: &Path) -> String {
    format!("cp '{}' root/package.deb", text(package))
}

#[test]
fn the_package_is_installed_with_its_capability_and_runs_for_everybody() {
    if !has("dpkg-deb") || !has("unshare") || !may_mount() {
        return;
    }
    let Some(package) = package() else { return };
    let listed = common::run("dpkg-deb", &["-c", text(&package)]);
    for path in [
        "./usr/bin/keepscope",
        "./usr/share/man/man1/keepscope.1.gz",
        "./usr/share/man/man1/keepscope-analyze.1.gz",
        "./usr/share/man/man1/keepscope-config-check.1.gz",
        "./usr/share/bash-completion/completions/keepscope",
        "./usr/share/fish/vendor_completions.d/keepscope.fish",
        "./usr/share/zsh/vendor-completions/_keepscope",
        "./usr/share/doc/keepscope/copyright",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(path)), "{path}:\n{listed}");
    }
    for word in ["README", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(listed.contains(word), "{word}:\n{listed}");
    }
    assert!(!listed.contains(".pcap"), "captures are not part of it:\n{listed}");

    // As nobody: what needs no rights runs, and the capability counts for what does.
    let script = format!(
        "{INSTALL} getcap /usr/bin/keepscope; \
         cd /; setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/keepscope doctor --format json; \
         setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/keepscope stacks linux | head -n 1; \
         man -w keepscope-analyze; bash -c '. /usr/share/bash-completion/completions/keepscope; complete -p keepscope'; \
         dpkg -r keepscope >&2; test ! -e /usr/bin/keepscope; echo removed"
    );
    let output = inside(&mounted(&package), &script);
    let out = said(&output);
    assert!(output.status.success(), "{out}");
    assert!(out.contains("/usr/bin/keepscope cap_net_raw=ep"), "{out}");
    assert!(
        out.contains("keepscope-analyze.1.gz") && out.contains("complete -F") && out.contains("removed"),
        "{out}"
    );
    let begin = out.find("{\n").or_else(|| out.find("{\"")).expect("a document");
    let mut documents = serde_json::Deserializer::from_str(&out[begin..]).into_iter::<serde_json::Value>();
    let document = documents.next().expect("a document").expect("a document");
    let held = &document["capabilities"]["cap_net_raw"];
    assert_eq!(held["permitted"], true, "{document}");
}

#[test]
fn where_the_capability_cannot_be_set_the_package_says_so_and_is_installed() {
    if !has("dpkg-deb") || !has("unshare") || !may_mount() {
        return;
    }
    let Some(package) = package() else { return };
    // No setcap; and one that fails as on a file system without extended attributes.
    let without = "rm -f /sbin/setcap /usr/sbin/setcap; ";
    let failing = "printf '#!/bin/sh\\nexit 1\\n' > /usr/sbin/setcap; chmod 755 /usr/sbin/setcap; ";
    for (how, words) in [(without, "setcap is not installed"), (failing, "cannot be given CAP_NET_RAW")] {
        let script =
            format!("{how} {INSTALL} /usr/bin/keepscope --version; dpkg -s keepscope | grep ^Status");
        let output = inside(&mounted(&package), &script);
        let out = said(&output);
        assert!(output.status.success(), "{out}");
        assert!(out.contains(words) && out.contains("need sudo"), "{out}");
        assert!(out.contains("keepscope 0.") && out.contains("install ok installed"), "{out}");
    }
}

/// With the C library inside, it needs nothing else: not even in a folder where there is nothing else.
#[test]
fn the_static_binary_runs_where_nothing_else_is() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || !has("unshare") || !may_mount() {
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("static");
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new("cargo")
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "--bin", "keepscope", "--target", &triple])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", said(&output));
    let program = target.join(&triple).join("debug").join("keepscope");

    let empty = scratch("package-empty");
    std::fs::copy(&program, empty.join("keepscope")).expect("a copy");
    std::fs::copy(capture_path("vanish.pcap"), empty.join("vanish.pcap")).expect("a copy");
    std::fs::create_dir(empty.join("etc")).expect("a folder");
    std::fs::write(empty.join("etc/hosts"), "127.0.0.1 peer.example\n").expect("a file");
    let run = |arguments: &[&str]| {
        let output =
            Command::new("chroot").arg(&empty).arg("/keepscope").args(arguments).output().expect("chroot");
        (output.status.code(), said(&output))
    };
    let (code, out) = run(&["analyze", "/vanish.pcap"]);
    assert!(code == Some(0) && out.contains("#1 TIMED OUT"), "{out}");
    let (code, out) = run(&["simulate", "linux-340s-behind-350s"]);
    assert!(code.is_some() && out.contains("simulated"), "{out}");
    // A name, from the table of hosts: this C library needs no others to look it up.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let peer = format!("peer.example:{port}");
    let (code, out) = run(&["probe", "--kernel", "--idle", "1s", "--interval", "1s", "--rounds", "1", &peer]);
    assert!(code == Some(0) && out.contains(&format!("127.0.0.1:{port}")), "{out}");
    let (code, out) = run(&["probe", "--kernel", "no-such.example:1"]);
    assert!(code == Some(2) && out.contains("no-such.example"), "{out}");
}
