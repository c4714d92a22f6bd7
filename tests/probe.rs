//! `keepscope probe` against real kernels: client, router and server in network namespaces, tcpdump as the witness.

mod common;
#[path = "probe/ends.rs"]
mod ends;
#[path = "probe/forms.rs"]
mod forms;
#[path = "probe/lab.rs"]
mod lab;
#[path = "probe/many.rs"]
mod many;
#[path = "probe/paths.rs"]
mod paths;
#[path = "probe/witness.rs"]
mod witness;
#[path = "probe/wrap.rs"]
mod wrap;

use std::process::{Command, Output};

use lab::Lab;
use serde_json::Value;
use witness::Witness;

/// A second between probes, which is longer than the limit at which Linux answers, and short enough for a test.
const PACE: [&str; 4] = ["--idle", "600ms", "--interval", "600ms"];

/// What a run gave.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The document.
    pub document: Value,
}

impl Run {
    /// The verdict of the only connection.
    pub fn verdict(&self) -> &Value {
        &self.document["probe"]["verdicts"][0]
    }

    /// Its probes.
    pub fn probes(&self) -> Vec<Value> {
        let probes = &self.document["connections"][0]["probers"][0]["probes"];
        probes.as_array().cloned().unwrap_or_default()
    }

    /// Fails unless the verdict and the exit code are these.
    pub fn expect(&self, verdict: &str, code: i32) {
        let found = (self.document["probe"]["verdict"].as_str(), self.code);
        assert_eq!(found, (Some(verdict), code), "{:#}", self.document["probe"]);
    }
}

/// The command that probes from the client.
pub fn command(lab: &Lab, target: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.args(["probe", "--netns", &lab.client]).args(arguments).arg(target);
    for pace in PACE.chunks(2).filter(|pace| !arguments.contains(&pace[0])) {
        command.args(pace);
    }
    command
}

fn read(output: &Output) -> Run {
    let complaint = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{complaint}", String::from_utf8_lossy(&output.stdout)));
    Run { code: output.status.code().unwrap_or(-1), document }
}

/// Probes, with nobody watching.
pub fn probe(lab: &Lab, target: &str, arguments: &[&str]) -> Run {
    read(&command(lab, target, arguments).args(["--format", "json"]).output().expect("keepscope runs"))
}

/// Probes while tcpdump watches the client's interface, and while `meanwhile` does something once the peer was
/// heard after a probe. What we report and what is to be said of tcpdump's capture must agree, and no RST of ours
/// may be in it.
pub fn probe_watched(lab: &Lab, target: &str, arguments: &[&str], meanwhile: impl FnOnce()) -> Run {
    let witness = Witness::on(lab, "c0");
    let mut child = command(lab, target, arguments)
        .args(["--format", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    witness.wait_for_answer(&mut child);
    meanwhile();
    let run = read(&child.wait_with_output().expect("keepscope ends"));
    witness.agrees_with(&run.document);
    run
}
