//! What tests of the binary share.

// Each test uses its part.
#![allow(dead_code)]

pub mod packets;
pub mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

/// The path of a file in `captures/`.
pub fn capture_path(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "captures", name].iter().collect();
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs the binary.
pub fn keepscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepscope")).args(arguments).output().expect("keepscope runs")
}

/// The JSON document that `keepscope analyze` writes.
pub fn analyze_json(arguments: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["analyze", "--format", "json"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

/// Says that a test did not run because the machine lacks something; where `KEEPSCOPE_NO_SKIP` is set, that
/// is a failure.
pub fn skip(reason: &str) {
    let forbidden = std::env::var_os("KEEPSCOPE_NO_SKIP").is_some_and(|value| !value.is_empty());
    assert!(!forbidden, "SKIPPED: {reason}, and KEEPSCOPE_NO_SKIP is set");
    eprintln!("SKIPPED: {reason}");
}

/// Whether a program can be run; if not, [`skip`] has been called.
pub fn has(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if run.is_err() {
        skip(&format!("{program} is not installed"));
    }
    run.is_ok()
}

/// Runs a program of which [`has`] said that it is there; returns its standard output.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).expect("output in UTF-8")
}

/// An empty folder of this name for the files of a test.
pub fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => {}
    }
    std::fs::create_dir_all(&path).expect("a folder for temporary files");
    path
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A capture in the form that tcpdump writes on this machine: pcap in this byte order with microseconds.
#[derive(Clone, Debug)]
pub struct Pcap {
    /// The file header, 24 octets.
    pub header: Vec<u8>,
    /// Each packet with its record header of 16 octets.
    pub records: Vec<Vec<u8>>,
}

impl Pcap {
    /// One of `captures/`.
    pub fn of(name: &str) -> Pcap {
        let octets = std::fs::read(capture_path(name)).expect(name);
        assert_eq!(octets[..4], 0xa1b2_c3d4_u32.to_ne_bytes(), "{name} has another format");
        Pcap::from_octets(&octets)
    }

    /// A pcap in this byte order, with times of any kind.
    pub fn from_octets(octets: &[u8]) -> Pcap {
        let (header, mut rest) = octets.split_at(24);
        let mut records = Vec::new();
        while !rest.is_empty() {
            let (record, after) = rest.split_at(16 + number(&rest[8..]) as usize);
            records.push(record.to_vec());
            rest = after;
        }
        Pcap { header: header.to_vec(), records }
    }

    /// The file with these of its packets.
    pub fn with(&self, packets: std::ops::Range<usize>) -> Vec<u8> {
        [self.header.clone(), self.records[packets].concat()].concat()
    }

    /// All of the file.
    pub fn octets(&self) -> Vec<u8> {
        self.with(0..self.records.len())
    }

    /// Where the record of a packet begins; packets count from 0.
    pub fn offset(&self, packet: usize) -> usize {
        self.header.len() + self.records[..packet].iter().map(Vec::len).sum::<usize>()
    }

    /// The same packets as pcapng: the blocks before them, and one for each.
    pub fn to_pcapng(&self) -> Pcap {
        let section = [&0x1a2b_3c4d_u32.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &[0xff; 8]].concat();
        let interface = [&self.header[20..24], &0_u32.to_ne_bytes()].concat();
        let packet = |record: &Vec<u8>| {
            let micros = u64::from(number(record)) * 1_000_000 + u64::from(number(&record[4..]));
            let mut body = 0_u32.to_ne_bytes().to_vec();
            body.extend(((micros >> 32) as u32).to_ne_bytes());
            body.extend((micros as u32).to_ne_bytes());
            body.extend(&record[8..]);
            body.resize(body.len().next_multiple_of(4), 0);
            block(6, &body)
        };
        let header = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
        Pcap { header, records: self.records.iter().map(packet).collect() }
    }
}

/// A pcapng block with the statistics of the first interface: so many packets were dropped.
pub fn drops(count: u64) -> Vec<u8> {
    let option = [&5_u16.to_ne_bytes()[..], &8_u16.to_ne_bytes(), &count.to_ne_bytes(), &[0; 4]].concat();
    block(5, &[&[0; 12][..], &option].concat())
}

/// A pcapng block.
pub fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_ne_bytes();
    [&kind.to_ne_bytes(), &length[..], body, &length].concat()
}

/// The number at the beginning of these octets.
fn number(octets: &[u8]) -> u32 {
    u32::from_ne_bytes(octets[..4].try_into().expect("four octets"))
}

/// The names of the captures that an index lists.
pub fn indexed(folder: &Path) -> Vec<String> {
    read_index(folder).capture.into_iter().map(|capture| capture.file).collect()
}

/// Holds every capture of a folder against the `INDEX.toml` beside it; returns every difference.
pub fn differences_from_truth(folder: &Path) -> Vec<String> {
    read_index(folder).capture.iter().flat_map(|capture| capture.differences(folder)).collect()
}

/// Holds one capture of a folder against the `INDEX.toml` beside it; returns every difference.
pub fn file_differences_from_truth(folder: &Path, file: &str) -> Vec<String> {
    let index = read_index(folder);
    index
        .capture
        .iter()
        .filter(|capture| capture.file == file)
        .flat_map(|one| one.differences(folder))
        .collect()
}

#[derive(Deserialize)]
struct Index {
    capture: Vec<Capture>,
}

#[derive(Deserialize)]
struct Capture {
    file: String,
    #[serde(default)]
    connection: Vec<Connection>,
}

#[derive(Deserialize)]
struct Connection {
    client: String,
    server: String,
    start: String,
    outcome: String,
    #[serde(default)]
    prober: Vec<Prober>,
}

#[derive(Deserialize)]
struct Prober {
    endpoint: String,
    octets: u64,
    probes: usize,
    answered: usize,
    #[serde(default)]
    answer_kinds: BTreeMap<String, usize>,
}

fn read_index(folder: &Path) -> Index {
    let path = folder.join("INDEX.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).expect("a valid index")
}

impl Capture {
    fn differences(&self, folder: &Path) -> Vec<String> {
        let document = analyze_json(&["--all", text(&folder.join(&self.file))]);
        let found = document["connections"].as_array().expect("connections");
        let mut wrong = Vec::new();
        if found.len() != self.connection.len() {
            let (made, seen) = (self.connection.len(), found.len());
            wrong.push(format!("{}: the lab made {made} connections, we found {seen}", self.file));
        }
        // Lives of one 4-tuple stand in their order, in the index as in the result.
        let mut left: Vec<&serde_json::Value> = found.iter().collect();
        for truth in &self.connection {
            let same = |found: &&serde_json::Value| {
                found["client"] == truth.client.as_str() && found["server"] == truth.server.as_str()
            };
            match left.iter().position(same) {
                Some(index) => {
                    let lines = truth.differences(left.remove(index));
                    wrong.extend(lines.iter().map(|line| format!("{} {}: {line}", self.file, truth.client)));
                }
                None => wrong.push(format!("{}: {} -> {} is missing", self.file, truth.client, truth.server)),
            }
        }
        for problem in document["captures"][0]["problems"].as_array().expect("problems") {
            if problem["damage"] == true {
                wrong.push(format!("{}: {}", self.file, problem["message"]));
            }
        }
        wrong
    }
}

impl Connection {
    fn differences(&self, found: &serde_json::Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |what: &str, truth: &str, found: &str| {
            if truth != found {
                wrong.push(format!("{what}: the lab says {truth}, we say {found}"));
            }
        };
        check("start", &self.start, found["start"].as_str().unwrap_or(""));
        check("outcome", &self.outcome, found["outcome"].as_str().unwrap_or(""));
        let probers = found["probers"].as_array().cloned().unwrap_or_default();
        check("probers", &self.prober.len().to_string(), &probers.len().to_string());
        for prober in &self.prober {
            let name = &prober.endpoint;
            let seen = probers.iter().find(|seen| seen["endpoint"] == name.as_str());
            let probes = seen.and_then(|seen| seen["probes"].as_array()).cloned().unwrap_or_default();
            let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
            for answer in probes.iter().map(|probe| &probe["answer"]).filter(|answer| !answer.is_null()) {
                *kinds.entry(answer["kind"].as_str().unwrap_or("").to_owned()).or_default() += 1;
            }
            let answered = kinds.values().sum::<usize>();
            check(&format!("{name}'s probes"), &prober.probes.to_string(), &probes.len().to_string());
            check(&format!("{name}'s answered probes"), &prober.answered.to_string(), &answered.to_string());
            check(&format!("{name}'s answers"), &format!("{:?}", prober.answer_kinds), &format!("{kinds:?}"));
            for probe in &probes {
                check(&format!("{name}'s octets"), &prober.octets.to_string(), &probe["octets"].to_string());
            }
        }
        wrong
    }
}
