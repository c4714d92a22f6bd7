//! `keepscope middlebox` on real paths: boxes made of nftables, conntrack and HAProxy in namespaces, with a partner
//! (`keepscope respond`) behind them or with servers that know nothing of it.
//!
//! Every case is a path of its own and mostly waits, so the cases of a test run side by side.

#[path = "middlebox_live/boxes.rs"]
mod boxes;
mod common;
#[path = "middlebox_live/lab.rs"]
mod lab;
#[path = "middlebox_live/partners.rs"]
mod partners;
#[path = "middlebox_live/peers.rs"]
mod peers;
#[path = "middlebox_live/refresh.rs"]
mod refresh;
#[path = "middlebox_live/rules.rs"]
mod rules;
#[path = "middlebox_live/servers.rs"]
mod servers;
#[path = "middlebox_live/usage.rs"]
mod usage;

use std::process::{Command, Output};
use std::time::Duration;

use lab::{Lab, Running, SERVER, clock, until_listening};
use serde_json::Value;

/// The secret of all partners here.
pub const TOKEN: &str = "correct horse battery";

/// The port of the partners.
pub const PORT: u16 = 7440;

/// What a search gave.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The document.
    pub document: Value,
    /// What was said beside it.
    pub complaint: String,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// What was found in a direction.
    pub fn direction(&self, name: &str) -> &Value {
        let directions = self.document["directions"].as_array().expect("directions");
        directions.iter().find(|one| one["direction"] == name).expect(name)
    }

    /// Fails unless the timeout was found where it is, soon enough.
    pub fn expect_found(&self, direction: &str, timeout: f64) -> &Value {
        let found = self.direction(direction);
        let shown = || {
            let mut short = found.clone();
            short.as_object_mut().expect("an object").remove("trials");
            format!("{short:#}\n{}", self.complaint)
        };
        assert_eq!((found["verdict"].as_str(), self.code), (Some("found"), 0), "{}", shown());
        let (alive, dead) = (found["longest_alive_s"].as_f64(), found["shortest_dead_s"].as_f64());
        let (alive, dead) = (alive.unwrap_or(0.0), dead.expect("a number"));
        // The box counts from the packet at its place, and in ticks.
        assert!(alive <= timeout + 0.1 && dead >= timeout - 0.1, "{timeout}: {}", shown());
        // Half of the width is 1 s; a machine that is busy may ask late.
        assert!(dead - alive <= 2.0 + 1.5, "{}", shown());
        // The limit itself is held on the virtual clock; a machine that is busy may be some seconds later.
        let most = 1.2 * timeout + 20.0;
        assert!(self.took.as_secs_f64() <= most, "{:?}: {}", self.took, shown());
        found
    }
}

/// The command that searches from the client.
pub fn command(lab: &Lab, target: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.env_remove("KEEPSCOPE_TOKEN").args(["middlebox", "--netns", &lab.client]);
    command.args(arguments).arg(target);
    command
}

fn read(output: &Output, took: Duration) -> Run {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Run { code: output.status.code().unwrap_or(-1), document, complaint, took }
}

/// Searches.
pub fn search(lab: &Lab, target: &str, arguments: &[&str]) -> Run {
    let begun = clock();
    let output = command(lab, target, arguments).args(["--format", "json"]).output().expect("keepscope runs");
    read(&output, begun.elapsed())
}

/// Searches with a partner.
pub fn search_with_partner(lab: &Lab, target: &str, arguments: &[&str]) -> Run {
    let begun = clock();
    let mut command = command(lab, target, arguments);
    let output = command.env("KEEPSCOPE_TOKEN", TOKEN).args(["--format", "json"]).output();
    read(&output.expect("keepscope runs"), begun.elapsed())
}

/// A partner on the server, of both IP versions.
pub fn partner(lab: &Lab) -> Running {
    let listen = format!("[::]:{PORT}");
    let token = format!("KEEPSCOPE_TOKEN={TOKEN}");
    let program = env!("CARGO_BIN_EXE_keepscope");
    let running = Running::on(&lab.server, &["env", &token, program, "respond", "--listen", &listen]);
    until_listening(&lab.server, PORT);
    running
}

/// A port of the server as an argument, by IPv4 (0) or IPv6 (1).
pub fn at(version: usize, port: u16) -> String {
    std::net::SocketAddr::new(SERVER[version].parse().expect("an address"), port).to_string()
}

/// A case: its name, and what is to hold.
pub type Case = (&'static str, fn());

/// Runs cases side by side; fails with the names of those that failed.
pub fn side_by_side(cases: &[Case]) {
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|(name, case)| {
                let thread = std::thread::Builder::new().name((*name).to_owned());
                (*name, thread.spawn_scoped(scope, case).expect("a thread"))
            })
            .collect();
        running.into_iter().filter_map(|(name, thread)| thread.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}
