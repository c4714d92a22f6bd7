//! tcpdump on a host, and what is to be said of its capture.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::common::{analyze_json, run, scratch, text};
use crate::lab::{Lab, until};

/// Both times are the kernel's for the same packets.
const TOLERANCE_US: f64 = 5.0;

/// A packet that the kernel sent on with the time of its pacing gets its stamp anew in each packet socket, one after
/// the other; where an interrupt comes between them, they are this far apart at most.
const INTERRUPTED_US: f64 = 5_000.0;

/// A capture that is being made.
pub struct Witness {
    child: Child,
    pub file: PathBuf,
}

impl Witness {
    /// Listens already when it returns.
    pub fn on(lab: &Lab, interface: &str) -> Witness {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = scratch(&format!("probe-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let file = folder.join("witness.pcap");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &lab.client, "timeout", "120", "tcpdump", "-i", interface, "-Z", "root"])
            .args(["--time-stamp-precision=nano", "--immediate-mode", "-U", "-n", "-w", text(&file)])
            .arg("tcp or icmp or icmp6")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).expect("a line") > 0, "tcpdump ended");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Witness { child, file }
    }

    /// What is to be said of the capture so far.
    pub fn analysis(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_keepscope"))
            .args(["analyze", "--all", "--format", "json", text(&self.file)])
            .output()
            .expect("keepscope runs");
        // The end of a file that is being written may be cut off.
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Waits until a probe is answered, or nothing more will come.
    pub fn wait_for_answer(&self, prober: &mut Child) {
        until("a probe is answered", || {
            let analysis = self.analysis();
            let mut connections = analysis["connections"].as_array().into_iter().flatten();
            let answered = |one: &Value| one["probers"][0]["answered"].as_u64().unwrap_or(0) > 0;
            connections.any(answered) || prober.try_wait().is_ok_and(|ended| ended.is_some())
        });
    }

    /// Holds what we reported against what is in the capture.
    pub fn agrees_with(mut self, document: &Value) {
        let ours = by_ends(document);
        // What we saw the kernel showed to tcpdump, too, though maybe later.
        until("tcpdump has what we saw", || {
            let theirs = by_ends(&self.analysis());
            ours.iter()
                .all(|(ends, one)| theirs.get(ends).is_some_and(|other| segments(other) >= segments(one)))
        });
        self.stop();
        let theirs = by_ends(&analyze_json(&["--all", text(&self.file)]));
        for (ends, other) in &theirs {
            match ours.get(ends) {
                Some(one) => same_connection(ends, one, other),
                // The FIN of an earlier run, sent again to a peer that does not answer.
                None => assert_eq!(other["start"], "midstream", "{ends}"),
            }
        }
        let resets =
            run("tcpdump", &["-n", "-r", text(&self.file), "tcp[13] & 4 != 0 and src host 192.0.2.1"]);
        let resets6 = run(
            "tcpdump",
            &["-n", "-r", text(&self.file), "ip6[53] & 4 != 0 and tcp and src host 2001:db8:1::1"],
        );
        assert_eq!((resets.as_str(), resets6.as_str()), ("", ""), "no RST of ours");
        // Kept where something is wrong, so that it can be looked at.
        std::fs::remove_file(&self.file).expect("the capture can be removed");
    }
}

impl Witness {
    /// Ends tcpdump, if it has not ended.
    fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // The end of `timeout` ends what it runs.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

fn by_ends(document: &Value) -> BTreeMap<String, Value> {
    let connections = document["connections"].as_array().cloned().unwrap_or_default();
    connections.into_iter().map(|one| (format!("{} {}", one["client"], one["server"]), one)).collect()
}

fn segments(connection: &Value) -> u64 {
    ["client", "server"].iter().filter_map(|side| connection["sides"][side]["segments"].as_u64()).sum()
}

fn same_connection(ends: &str, ours: &Value, theirs: &Value) {
    for field in ["start", "outcome"] {
        assert_eq!(ours[field], theirs[field], "{ends}: {field}");
    }
    let probes = |one: &Value| one["probers"][0]["probes"].as_array().cloned().unwrap_or_default();
    let (ours, theirs) = (probes(ours), probes(theirs));
    assert_eq!(ours.len(), theirs.len(), "{ends}: probes");
    let mut apart = Vec::new();
    for (one, other) in ours.iter().zip(&theirs) {
        for field in ["seq", "ack", "octets", "ttl", "timestamps", "run"] {
            assert_eq!(one[field], other[field], "{ends}: {field}");
        }
        apart.push(1e6 * difference(&one["time_s"], &other["time_s"]));
        let (one, other) = (&one["answer"], &other["answer"]);
        for field in ["kind", "ttl", "dsack", "icmp"] {
            assert_eq!(one[field], other[field], "{ends}: {field} of an answer");
        }
        if !one.is_null() {
            apart.push(difference(&one["rtt_us"], &other["rtt_us"]));
        }
    }
    let far = apart.iter().filter(|micros| **micros > TOLERANCE_US).count();
    let interrupted = apart.iter().all(|micros| *micros < INTERRUPTED_US);
    assert!(
        interrupted && far <= 1 + apart.len() / 10,
        "{ends}: times and round trips are apart by {apart:?} us"
    );
}

fn difference(one: &Value, other: &Value) -> f64 {
    (one.as_f64().expect("a number") - other.as_f64().expect("a number")).abs()
}
