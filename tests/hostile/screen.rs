//! What drives a terminal, turns the direction of text or forges a line, wherever something is quoted.

use std::process::Output;

use keepscope::printable::is_harmful;

use crate::common::{capture_path, keepscope, scratch, text};
use crate::names::HOSTILE;

/// Whether all that was written may be shown as it stands.
pub fn check(what: &str, output: &Output) {
    for octets in [&output.stdout, &output.stderr] {
        let said = std::str::from_utf8(octets).unwrap_or_else(|error| panic!("{what}: {error}"));
        for line in said.lines() {
            assert!(!line.contains(is_harmful), "{what}: {line:?}");
            assert!(!line.starts_with("keepscope: error: forged"), "{what}: {said:?}");
        }
    }
}

#[test]
fn names_of_files() {
    let folder = scratch("hostile_names");
    let whole = folder.join(format!("{HOSTILE}.pcap"));
    let cut = folder.join(format!("cut{HOSTILE}.pcap"));
    let octets = std::fs::read(capture_path("answered.pcap")).expect("a capture");
    std::fs::write(&whole, &octets).expect("a file");
    std::fs::write(&cut, &octets[..500]).expect("a file");
    let gone = folder.join(format!("gone{HOSTILE}"));
    let (whole, cut, gone) = (text(&whole), text(&cut), text(&gone));
    for format in ["text", "json", "jsonl", "csv"] {
        let output = keepscope(&["analyze", "--format", format, whole, cut, gone]);
        check(format, &output);
        assert_eq!(output.status.code(), Some(2), "{format}");
    }
    check("diff", &keepscope(&["diff", whole, cut]));
    check("verify", &keepscope(&["verify", "--idle", "2s", whole, gone]));
    check("there", &keepscope(&["analyze", "--write", whole, &capture_path("answered.pcap")]));
    check("suffix", &keepscope(&["analyze", "--write", gone, &capture_path("answered.pcap")]));
    check("scenario", &keepscope(&["simulate", gone]));
    check("settings", &keepscope(&["audit", "--timeout", "350s", gone]));
}

#[test]
fn arguments() {
    let capture = capture_path("answered.pcap");
    let capture = capture.as_str();
    let filters = [format!("addr:{HOSTILE}"), format!("/({HOSTILE}/"), format!("\"{HOSTILE}")];
    let mut all: Vec<Vec<&str>> = vec![
        vec![HOSTILE],
        vec!["analyze", "--format", HOSTILE, capture],
        vec!["analyze", "--connection", HOSTILE, capture],
        vec!["verify", "--idle", HOSTILE, capture],
        vec!["stacks", HOSTILE],
        vec!["products", HOSTILE],
        vec!["predict", "--stack", HOSTILE],
        vec!["recommend", "--timeout", HOSTILE],
        vec!["recommend", "--product", HOSTILE],
        vec!["simulate", HOSTILE],
    ];
    all.extend(filters.iter().map(|filter| vec!["analyze", "--filter", filter, capture]));
    if cfg!(feature = "live") {
        all.extend([
            vec!["probe", HOSTILE],
            vec!["watch", "--interface", HOSTILE],
            vec!["respond", "--listen", HOSTILE],
            vec!["middlebox", "--simulate", HOSTILE],
        ]);
    }
    for arguments in &all {
        check(&format!("{arguments:?}"), &keepscope(arguments));
    }
}

#[test]
fn what_stands_in_settings_and_scenarios() {
    let folder = scratch("hostile_texts");
    let toml = r#""\u001b[2J\u202e\u009b\nkeepscope: error: forged""#;
    for (name, content) in [
        ("sysctl.conf", format!("net.ipv4.tcp_keepalive_intvl = {}\n", HOSTILE.replace('\n', " "))),
        ("postgresql.conf", format!("tcp_keepalives_idle = '{}'\n", HOSTILE.replace('\n', " "))),
        ("nginx.conf", format!("http {{ server {{ listen 80 so_keepalive={HOSTILE}; }} }}\n")),
        ("pod.yaml", format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {toml}\nspec:\n  securityContext:\n    sysctls:\n    - name: net.ipv4.tcp_keepalive_time\n      value: {toml}\n").replace("\\u009b", "\\x9b")),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        for format in ["text", "json"] {
            let output = keepscope(&["audit", "--timeout", "350s", "--format", format, text(&path)]);
            check(&format!("{name} as {format}"), &output);
        }
    }
    for (name, content) in [
        ("title.toml", format!("title = {toml}\nquestion = {toml}\nlength = \"1s\"\n[client]\n[server]\n")),
        ("key.toml", format!("{toml} = 1\n")),
        ("stack.toml", format!("length = \"1s\"\n[client]\nstack = {toml}\n[server]\n")),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        for format in ["text", "json"] {
            check(name, &keepscope(&["simulate", "--format", format, text(&path)]));
        }
    }
}
