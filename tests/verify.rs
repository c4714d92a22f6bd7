//! `keepscope verify`: through the binary on the captures of the lab, and against the machine itself.

mod common;
#[path = "verify/machine.rs"]
mod machine;
#[path = "verify/promises.rs"]
mod promises;
#[path = "verify/silence.rs"]
mod silence;

use std::path::Path;

use common::{capture_path, keepscope};
use serde::Deserialize;

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
    #[serde(default)]
    prober: Vec<Prober>,
}

#[derive(Deserialize)]
struct Prober {
    endpoint: String,
    idle_s: Option<u32>,
    interval_s: Option<u32>,
    count: Option<u32>,
    user_timeout_ms: Option<u32>,
}

/// What the lab set, for stacks whose settings the index does not hold.
fn other_stacks(file: &str) -> Vec<String> {
    let words = match file {
        "lwip.pcap" => "--stack lwip --idle 2s --interval 1s --count 3",
        "smoltcp.pcap" => "--stack smoltcp --idle 1500ms --interval 1500ms",
        "smoltcp_unanswered.pcap" => "--stack smoltcp --idle 2s --interval 2s",
        other => panic!("{other}: no settings"),
    };
    words.split(' ').map(str::to_owned).collect()
}

/// The arguments for what the lab set.
fn settings(file: &str, prober: &Prober) -> Vec<String> {
    let (Some(idle), Some(interval), Some(count)) = (prober.idle_s, prober.interval_s, prober.count) else {
        return other_stacks(file);
    };
    let mut words =
        vec![format!("--idle={idle}s"), format!("--interval={interval}s"), format!("--count={count}")];
    words.extend(prober.user_timeout_ms.map(|timeout| format!("--user-timeout={timeout}ms")));
    words
}

/// The rules that were broken, and the exit code.
pub fn verdict(file: &str, arguments: &[String]) -> (Vec<String>, Option<i32>, serde_json::Value) {
    let path = capture_path(file);
    let mut all = vec!["verify", "--format", "json"];
    all.extend(arguments.iter().map(String::as_str));
    all.push(&path);
    let output = keepscope(&all);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{all:?}: {}", String::from_utf8_lossy(&output.stderr)));
    let rules = document["connections"].as_array().expect("connections").iter();
    let broken = rules
        .flat_map(|connection| connection["rules"].as_array().expect("rules"))
        .filter(|rule| rule["outcome"] == "fail")
        .map(|rule| rule["rule"].as_str().expect("a name").to_owned());
    (broken.collect(), output.status.code(), document)
}

pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_capture_of_the_lab_passes_with_what_the_lab_set() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/INDEX.toml");
    let index: Index = toml::from_str(&std::fs::read_to_string(index).expect("an index")).expect("valid");
    let mut wrong = Vec::new();
    let mut passed = 0;
    for capture in &index.capture {
        for connection in &capture.connection {
            for prober in &connection.prober {
                for hz in ["", "--hz=250"] {
                    if !hz.is_empty() && prober.idle_s.is_none() {
                        continue;
                    }
                    let mut arguments = settings(&capture.file, prober);
                    arguments.extend(words(hz));
                    arguments.push(format!("--prober={}", prober.endpoint));
                    arguments.push(format!("--filter=client:{}", connection.client));
                    let (broken, exit, _) = verdict(&capture.file, &arguments);
                    passed += u32::from(exit == Some(0));
                    if !broken.is_empty() || !matches!(exit, Some(0 | 4)) {
                        wrong.push(format!("{} {arguments:?}: {broken:?}, exit {exit:?}", capture.file));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(passed > 80, "{passed}");
}

#[test]
fn wrong_settings_are_refuted_by_the_right_rule() {
    let cases = [
        ("vanish.pcap", "4s 2s 4", "idle_not_early"),
        ("vanish.pcap", "2s 2s 4", "idle_not_late"),
        ("vanish.pcap", "3s 3s 4", "interval_not_early"),
        ("vanish.pcap", "3s 1s 4", "interval_not_late"),
        ("vanish.pcap", "3s 2s 5", "count"),
        ("vanish.pcap", "3s 2s 3", "count"),
        ("answered.pcap", "2s 2s 3", "idle_not_early"),
        ("answered.pcap", "1s 3s 3", "interval_not_early"),
        ("answered.pcap", "1s 1s 3", "interval_not_late"),
        ("no_timestamps.pcap", "3s 1s 2", "idle_not_early"),
        ("no_timestamps.pcap", "1s 1s 2", "idle_not_late"),
        ("lossy.pcap", "2s 2s 6", "interval_not_early"),
        ("icmp_unreachable.pcap", "1s 2s 4", "count"),
        ("midstream_silent.pcap", "1s 2s 2", "count"),
        ("slow_path.pcap", "1s 3s 3", "interval_not_early"),
    ];
    for (file, settings, rule) in cases {
        for hz in ["", "--hz 250"] {
            let set: Vec<&str> = settings.split(' ').collect();
            let arguments =
                words(&format!("--idle {} --interval {} --count {} {hz}", set[0], set[1], set[2]));
            let (broken, exit, _) = verdict(file, &arguments);
            assert_eq!(exit, Some(1), "{file} {settings} {hz}");
            assert!(broken.iter().any(|broken| broken == rule), "{file} {settings} {hz}: {broken:?}");
            let other = |broken: &String| broken != rule && broken != "give_up";
            assert!(!broken.iter().any(other), "{file} {settings} {hz}: {broken:?}");
        }
    }
}

/// Seen beside the server: its answers are in the capture, and only the client knows that none arrived.
#[test]
fn a_capture_from_one_end_does_not_claim_what_only_the_other_could_know() {
    let (broken, exit, document) = verdict("answers_lost.pcap", &words("--idle 3s --interval 1s --count 3"));
    assert!(broken.is_empty() && exit == Some(0), "{broken:?}");
    let rules = document["connections"][0]["rules"].as_array().expect("rules");
    let outcome = |name: &str| rules.iter().find(|rule| rule["rule"] == name).expect(name)["outcome"].clone();
    assert_eq!(outcome("count"), "pass");
    assert_eq!(outcome("give_up"), "pass");
    let (broken, ..) = verdict("answers_lost.pcap", &words("--idle 3s --interval 2s --count 3"));
    assert!(broken.contains(&"interval_not_early".to_owned()), "{broken:?}");
    // Only one direction: nothing tells an answered probe from an unanswered one.
    let (broken, exit, _) = verdict("one_way.pcap", &words("--idle 2s --interval 1s --count 7"));
    assert!(broken.is_empty() && exit == Some(4), "{broken:?}");
}

/// Gaps of 2.016 s are those of HZ=250 and gaps of 2.080 s those of HZ=100: each is explained, but not both by
/// one kernel.
#[test]
fn one_hz_must_explain_the_whole_connection() {
    let promised = "--idle 3s --interval 2s --count 4";
    let (broken, exit, document) = verdict("vanish.pcap", &words(promised));
    assert!(broken.is_empty() && exit == Some(0), "{broken:?}");
    assert_eq!(document["connections"][0]["hz_fits"], serde_json::json!([250]));
    let mut capture = common::Pcap::of("vanish.pcap");
    for record in &mut capture.records[7..] {
        let number = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().expect("four octets"));
        let micros = number(4) + 64_000;
        let seconds = number(0) + micros / 1_000_000;
        record[..4].copy_from_slice(&seconds.to_ne_bytes());
        record[4..8].copy_from_slice(&(micros % 1_000_000).to_ne_bytes());
    }
    let path = common::scratch("verify_two_rates").join("two.pcap");
    std::fs::write(&path, capture.octets()).expect("written");
    let output =
        keepscope(&[&["verify"], &*promised.split(' ').collect::<Vec<_>>(), &[common::text(&path)]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("none of 100, 250, 300 and 1000 fits throughout"), "{text}");
    assert!(text.contains("FAIL interval_not_"), "{text}");
}

#[test]
fn damage_is_reported_and_what_could_be_judged_is() {
    let whole = common::Pcap::of("vanish.pcap").octets();
    let folder = common::scratch("verify_damage");
    let path = folder.join("cut.pcap");
    std::fs::write(&path, &whole[..whole.len() - 7]).expect("written");
    let path = common::text(&path);
    let output = keepscope(&["verify", "--idle", "3s", "--interval", "2s", "--count", "4", path]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("ok   interval_not_late") && text.contains("--   count"), "{text}");
}
