//! Snippets applied to the real programs, and the options of their sockets as the kernel has them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::snippet;
use crate::common::{has, scratch, skip, text};

/// What became of the sockets of a program that was given its snippet; nothing if it is not installed.
fn applied(name: &str, snippet: &str) -> Option<Value> {
    if !has("python3") {
        return None;
    }
    // The program gets a port that was free a moment ago; somebody else may have taken it by then, but not twice.
    match attempt(name, snippet) {
        Err(first) => attempt(name, snippet).unwrap_or_else(|second| panic!("{name}: {first}\nand {second}")),
        Ok(found) => found,
    }
}

/// The same, or what the program complained of.
fn attempt(name: &str, snippet: &str) -> Result<Option<Value>, String> {
    let folder = scratch(&format!("advice-{name}"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/advice/programs.py");
    let mut child = Command::new("python3")
        .args([script, name, text(&folder)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3");
    child.stdin.take().expect("a pipe").write_all(snippet.as_bytes()).expect("a snippet");
    let output = child.wait_with_output().expect("an end");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        skip(complaint.trim());
        return Ok(None);
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    if !output.status.success() {
        return Err(format!("{complaint}\n{log}"));
    }
    Ok(Some(serde_json::from_slice(&output.stdout).expect("a JSON document")))
}

/// Longest that a fresh connection may take until its timer is looked at.
const LATE_S: f64 = 60.0;

/// Linux rounds the timer up, by an eighth at most.
const ROUNDED: f64 = 1.13;

/// Holds a program's sockets against the settings that its snippet was made of.
fn check(name: &str, ends: &[&str]) {
    for arguments in [["--timeout", "350s"], ["--timeout", "20m"], ["--timeout", "95s"]] {
        let snippet = snippet(&[&arguments[..], &["--for", name]].concat());
        let Some(found) = applied(name, snippet["text"].as_str().expect("a text")) else { return };
        assert_eq!(found.as_object().expect("ends").len(), ends.len(), "{found}");
        for end in ends {
            let seen = &found[*end];
            let settings = &snippet["settings"];
            let idle = settings["idle_s"].as_f64().expect("an idle time");
            if let Some(timer) = seen["timer_s"].as_f64() {
                assert!(
                    (idle - LATE_S..=idle * ROUNDED).contains(&timer),
                    "{name}, {end}: {timer} of {idle}"
                );
            }
            // Where the machine does not let one look into other processes, the timer is all that is seen.
            let options = &seen["options"];
            if options.is_null() {
                eprintln!("{name}, {end}: only the timer could be seen");
                continue;
            }
            assert_eq!(options["on"], 1, "{name}, {end}");
            for (option, setting) in [("idle_s", "idle_s"), ("interval_s", "interval_s"), ("count", "count")]
            {
                assert_eq!(options[option].as_f64(), settings[setting].as_f64(), "{name}, {end}, {option}");
            }
        }
    }
}

#[test]
fn redis_takes_its_value_and_makes_the_others_of_it() {
    check("redis", &["server"]);
}

#[test]
fn nginx_takes_so_keepalive() {
    check("nginx", &["server"]);
}

#[test]
fn haproxy_takes_both_sides() {
    check("haproxy", &["client", "server"]);
}

#[test]
fn postgresql_takes_its_settings() {
    check("postgresql", &["server"]);
}

#[test]
fn libpq_takes_its_parameters() {
    check("libpq", &["client"]);
}

#[test]
fn sysctls_are_what_a_socket_without_times_of_its_own_has() {
    check("sysctl", &["system"]);
}

#[test]
fn the_python_snippet_sets_the_options() {
    check("python", &["client"]);
}

#[test]
fn the_c_snippet_sets_the_options() {
    check("c", &["client"]);
}

#[test]
fn openssh_reads_its_heartbeat() {
    for (name, end) in [("openssh", "client"), ("sshd", "server")] {
        for silence in ["350s", "60s", "2h"] {
            let snippet = snippet(&["--timeout", silence, "--for", name]);
            let Some(found) = applied(name, snippet["text"].as_str().expect("a text")) else { return };
            assert_eq!(
                found[end]["heartbeat_s"].as_f64(),
                snippet["heartbeat_s"].as_f64(),
                "{name} {silence}"
            );
            assert!(snippet["settings"].is_null());
        }
    }
}
