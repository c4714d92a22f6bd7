//! `keepscope check` on connections of other programs, in network namespaces.

#[path = "check/alive.rs"]
mod alive;
mod common;
#[path = "check/dead.rs"]
mod dead;
#[path = "respond/far.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod far;
#[path = "check/list.rs"]
mod list;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "check/other.rs"]
mod other;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;
#[path = "check/rights.rs"]
mod rights;

use common::has;
use net::Net;
use program::{Ended, Program};

/// Two hosts, and the programs that these tests need.
fn hosts() -> Option<Net> {
    if !(has("python3") && has("ss") && has("nft")) {
        return None;
    }
    Net::new()
}

/// Runs `keepscope check` to its end.
fn check(host: &str, options: &[&str]) -> Ended {
    let arguments = [&["check", "--netns", host, "--format", "json"], options].concat();
    Program::keepscope(&arguments).end()
}

/// The one connection of a document.
fn only(ended: &Ended) -> serde_json::Value {
    let document = ended.document();
    assert_eq!(document["schema"], "keepscope.check/1");
    let connections = document["connections"].as_array().expect("connections");
    assert_eq!(connections.len(), 1, "{document}");
    connections[0].clone()
}
