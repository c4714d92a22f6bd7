//! `keepscope probe --kernel` in network namespaces: what it says of this machine's own kernel.

mod common;
#[path = "kernel_mode/ends.rs"]
mod ends;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;
#[path = "kernel_mode/rights.rs"]
mod rights;
#[path = "kernel_mode/times.rs"]
mod times;

use std::net::{SocketAddr, TcpStream};

use net::{Job, Net};
use program::Program;

/// Runs, tried again.
const ATTEMPTS: u32 = 3;

/// A machine that was not run for a moment, as CI's may be, sees and sends late. Where the rules are wrong, they are
/// wrong each time; so only what goes wrong three times counts.
fn attempts(test: impl Fn() -> Result<(), String>) {
    for attempt in 1.. {
        match test() {
            Ok(()) => return,
            Err(complaint) if attempt < ATTEMPTS => eprintln!("once more, since {complaint}"),
            Err(complaint) => panic!("{complaint}"),
        }
    }
}

/// An error unless it holds.
fn check(holds: bool, otherwise: impl std::fmt::Display) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_string()) }
}

/// Nothing goes in or out of the server but what was let through before.
fn silence(net: &Net) {
    net.nft("add table inet silence");
    for hook in ["input", "output"] {
        net.nft(&format!(
            "add chain inet silence {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
        ));
    }
}

/// A world with a server in it that accepts one connection; none where this machine does not allow it.
struct World {
    net: Net,
    address: SocketAddr,
    accepting: Job<Vec<TcpStream>>,
}

impl World {
    fn new(server: &str) -> Option<World> {
        if !common::has("nft") {
            return None;
        }
        let net = Net::new()?;
        let (address, accepting) = net.listen(&net.server, server);
        Some(World { net, address, accepting })
    }

    /// Runs kernel mode against the server, with lines as they come.
    fn probe(&self, options: &str) -> Program {
        let address = self.address.to_string();
        let fixed = ["probe", "--kernel", &address, "--netns", &self.net.client, "--format", "jsonl"];
        Program::keepscope(&fixed.into_iter().chain(options.split_whitespace()).collect::<Vec<_>>())
    }
}

/// The outcome of a rule in a document.
fn rule<'a>(document: &'a serde_json::Value, name: &str) -> &'a str {
    let rules = document["verification"]["connections"][0]["rules"].as_array().expect("rules");
    let found = rules.iter().find(|rule| rule["rule"] == name).unwrap_or_else(|| panic!("no rule {name}"));
    found["outcome"].as_str().expect("an outcome")
}
