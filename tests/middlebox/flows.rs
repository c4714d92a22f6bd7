//! Plans for `tests/lab/pass`: flows of packets, round by round, and the journal that comes back.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::common::{has, skip};

/// The lab's exit status where the machine lacks something.
const LACKS_SOMETHING: i32 = 77;

/// A plan for one router.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    #[serde(skip)]
    pub name: &'static str,
    pub sysctls: BTreeMap<String, i64>,
    pub nat: Option<&'static str>,
    pub input: Option<&'static str>,
    pub invalid: Option<&'static str>,
    pub opens: Option<&'static str>,
    /// Seconds to wait after each round.
    pub rounds: Vec<f64>,
    pub flows: Vec<Vec<Option<Sent>>>,
    #[serde(skip)]
    pub names: Vec<String>,
}

/// A packet of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    pub from: &'static str,
    pub seq: u32,
    pub ack: u32,
    pub flags: String,
    pub window: u16,
    pub octets: u16,
    pub ttl: u8,
    pub mss: Option<u16>,
    pub scale: Option<u8>,
    pub sack: bool,
}

/// What became of a plan.
#[derive(Debug, Deserialize)]
pub struct Round {
    pub sent: Vec<SentAt>,
    pub arrived: BTreeMap<String, Vec<Seen>>,
    pub read_ns: [i64; 2],
    pub entries: BTreeMap<usize, Entry>,
}

#[derive(Debug, Deserialize)]
pub struct SentAt {
    pub flow: usize,
    pub time_ns: i64,
}

/// A packet that arrived at a host.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Type and code, if it is an ICMP error.
    #[serde(default)]
    pub icmp: Option<(u8, u8)>,
    pub source: (String, u16),
    pub destination: (String, u16),
    #[serde(default)]
    pub seq: u32,
    #[serde(default)]
    pub ack: u32,
    #[serde(default)]
    pub flags: String,
    #[serde(default)]
    pub octets: u16,
    pub ttl: u8,
    #[serde(default)]
    pub about: Option<Box<Seen>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Whole seconds left.
    pub left: i64,
    pub state: String,
}

/// Carries plans out; `None` if this machine lacks something.
pub fn pass(plans: &[Plan]) -> Option<Vec<Vec<Round>>> {
    let document = serde_json::to_vec(plans).expect("plans as JSON");
    let said = lab("pass", &[], &document)?;
    Some(serde_json::from_slice(&said).expect("journals"))
}

/// Runs a program of the lab; `None` if this machine lacks something.
pub fn lab(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    if !has("python3") {
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(program);
    let child = Command::new(&path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            skip(&format!("{}: {error}", path.display()));
            return None;
        }
    };
    child.stdin.take().expect("a pipe").write_all(input).expect("the lab reads its plan");
    let output = child.wait_with_output().expect("the lab ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        skip(complaint.trim().trim_start_matches("SKIPPED: "));
        return None;
    }
    assert!(output.status.success(), "the lab failed: {complaint}");
    Some(output.stdout)
}
