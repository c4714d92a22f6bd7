//! `keepscope audit --listeners` on programs that listen in network namespaces: own ones, and those of Debian.

mod common;
#[path = "listeners/daemons.rs"]
mod daemons;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "listeners/own.rs"]
mod own;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;

use common::has;
use net::Net;
use program::{Ended, Program};
use serde_json::Value;

/// Two hosts, and the programs that these tests need.
fn hosts() -> Option<Net> {
    if !(has("python3") && has("setpriv")) {
        return None;
    }
    Net::new()
}

/// Judges what listens on a host.
fn audit(host: &str, options: &[&str]) -> Ended {
    let arguments = ["audit", "--timeout", "350s", "--listeners", "--netns", host, "--format", "json"];
    Program::keepscope(&[&arguments, options].concat()).end()
}

/// The one listener of a document, and the exit code.
fn only(ended: &Ended) -> (Value, i32) {
    let document = ended.document();
    assert_eq!(document["schema"], "keepscope.audit/1");
    let listeners = document["listeners"].as_array().expect("listeners");
    assert_eq!(listeners.len(), 1, "{document}");
    (listeners[0].clone(), ended.code.expect("an exit code"))
}

/// What was said of it: verdict, basis, whether it has keepalives, and how many connections it accepted.
fn short(listener: &Value) -> (&str, &str, &str, usize) {
    let text = |key: &str| listener[key].as_str().expect("a word");
    let accepted = listener["accepted"].as_array().expect("connections").len();
    (text("verdict"), text("basis"), text("keepalive"), accepted)
}

/// Idle time, interval and count.
fn times(of: &Value) -> [Option<f64>; 3] {
    ["idle_s", "interval_s", "count"].map(|key| of["settings"][key].as_f64())
}
