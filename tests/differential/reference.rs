//! What capinfos and tshark say of files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A time as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub nanos: i128,
    /// Nanoseconds in a unit of the last digit shown.
    unit: i128,
}

impl Time {
    /// A time in seconds, which may be negative, with a fraction.
    fn read(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (seconds, part) = digits.split_once('.').unwrap_or((digits, ""));
        let seconds: i128 = seconds.parse().ok()?;
        let unit = 10_i128.pow(9_u32.checked_sub(u32::try_from(part.len()).ok()?)?);
        let part: i128 = format!("{part:0<9}").parse().ok()?;
        Some(Self { nanos: sign * (seconds * 1_000_000_000 + part), unit })
    }

    /// Whether it is this time, as far as its digits go.
    pub fn is(self, nanos: i64) -> bool {
        let nanos = i128::from(nanos);
        nanos - nanos % self.unit == self.nanos
    }
}

/// What capinfos says of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What kind of file it takes it for; empty where it gives no figures.
    pub kind: String,
    pub packets: u64,
    /// The sum of the lengths on the wire.
    pub octets: u64,
    /// The earliest and the latest time, where there is any.
    pub times: Option<(Time, Time)>,
    /// Why it stopped before the end.
    pub complaint: String,
    /// After how many packets.
    pub read: u64,
}

impl Told {
    /// Whether it gives figures of it.
    pub fn is_opened(&self) -> bool {
        !self.kind.is_empty()
    }

    /// Whether it takes it for a capture of one of the formats that we read.
    pub fn is_capture(&self) -> bool {
        self.kind.contains("pcap")
    }

    /// Whether it stopped at damage.
    pub fn is_damaged(&self) -> bool {
        self.complaint.contains("damaged or corrupt")
    }
}

/// Files at a time: a command line has its limits.
const BATCH: usize = 1_000;

/// Asks capinfos about files of one folder, by their names.
pub fn capinfos(folder: &Path, names: &[String]) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = names.iter().map(|name| (name.clone(), Told::default())).collect();
    for batch in names.chunks(BATCH) {
        let output = Command::new("capinfos")
            .args(["-T", "-M", "-r", "-t", "-c", "-d", "-a", "-e", "-S"])
            .args(batch)
            .current_dir(folder)
            .output()
            .expect("capinfos runs");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, kind, packets, octets, first, last] = fields[..] else { panic!("capinfos: {line}") };
            let entry = told.get_mut(name).unwrap_or_else(|| panic!("capinfos: {line}"));
            entry.kind = kind.to_owned();
            entry.packets = packets.parse().expect("a count");
            entry.octets = octets.parse().expect("a sum");
            entry.times = Time::read(first).zip(Time::read(last));
        }
        read_complaints(&String::from_utf8_lossy(&output.stderr), &mut told);
    }
    told
}

/// Its messages: lines that name the file, and one in parentheses that says more of the last.
fn read_complaints(text: &str, told: &mut BTreeMap<String, Told>) {
    let mut last = None;
    for line in text.lines() {
        let named = line.split('"').nth(1).filter(|name| told.contains_key(*name)).map(str::to_owned);
        let name = named.or_else(|| last.clone());
        let Some(entry) = name.as_ref().and_then(|name| told.get_mut(name)) else { continue };
        last = name;
        if let Some((_, rest)) = line.split_once("An error occurred after reading ") {
            entry.read = rest.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
        } else if let Some((_, said)) = line.rsplit_once("\" ") {
            entry.complaint = said.to_owned();
        } else if line.starts_with('(') {
            entry.complaint.push_str(line);
        }
    }
}

/// A packet as tshark lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub number: u64,
    pub time: Option<Time>,
    pub wire_len: u64,
    pub captured: u64,
}

/// The packets of a file as tshark lists them.
pub fn tshark(path: &Path) -> Vec<Listed> {
    let fields = ["frame.number", "frame.time_epoch", "frame.len", "frame.cap_len"];
    let output = Command::new("tshark")
        .args(["-n", "-r"])
        .arg(path)
        .args(["-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .expect("tshark runs");
    let listed = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [number, time, wire_len, captured] = fields[..] else { panic!("tshark: {line}") };
        Listed {
            number: number.parse().expect("a number"),
            time: Time::read(time),
            wire_len: wire_len.parse().expect("a length"),
            captured: captured.parse().expect("a length"),
        }
    };
    String::from_utf8_lossy(&output.stdout).lines().map(listed).collect()
}
