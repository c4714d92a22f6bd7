//! How promises are given: arguments, files of expectations, and what is refused.

use super::common::{capture_path, keepscope, scratch, text};
use super::{verdict, words};

fn expecting(name: &str, toml: &str, file: &str) -> (Option<i32>, String, String) {
    let path = scratch(name).join("promised.toml");
    std::fs::write(&path, toml).expect("written");
    let output = keepscope(&["verify", "--expect", text(&path), "--format", "json", &capture_path(file)]);
    let words = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), words(&output.stdout), words(&output.stderr))
}

#[test]
fn the_first_table_that_fits_a_connection_judges_it() {
    let toml = r#"
[[expect]]
port = 7083
idle = "2s"
interval = "1s"
count = 4
hz = 250

[[expect]]
server = "198.51.100.2"
client = "40085"
idle = "9s"

[[expect]]
address = "192.0.2.0/24"
prober = "client"
idle = "1s"
"#;
    let (exit, out, err) = expecting("verify_tables", toml, "many.pcap");
    assert_eq!(exit, Some(1), "{err}");
    let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
    let found = document["connections"].as_array().expect("connections");
    let table = |port: &str| {
        let one = found.iter().find(|one| one["client"].as_str().expect("an end").ends_with(port));
        one.map(|one| {
            (one["expected"]["table"].as_u64(), one["outcome"].as_str().expect("a word").to_owned())
        })
    };
    assert_eq!(table(":40083"), Some((Some(1), "pass".to_owned())));
    assert_eq!(table(":40085"), Some((Some(2), "fail".to_owned())));
    assert_eq!(table(":40081"), Some((Some(3), "pass".to_owned())));
    assert_eq!(table(":40082"), None);
    assert!(document["unmatched"].as_u64() >= Some(2));
}

#[test]
fn what_a_file_gets_wrong_is_named_with_its_line() {
    let cases = [
        ("[[expect]]\nidle = \"7s\"\nintervall = \"3s\"\n", "line 3", "interval"),
        ("[[expect]]\nidle = \"7\"\n", "line 1", "7s"),
        ("[[expect]]\nidle = \"7s\"\nstack = \"linx\"\n", "line 1", "linux"),
        ("[[expect]]\nport = 80\n", "line 1", "nothing is promised"),
        ("[[expect]]\nidle = \"7s\"\naddress = \"x\"\n", "line 1", "not an address"),
        ("[[expect]]\nidle = 7\n", "line 2", "string"),
        ("", "no [[expect]]", ""),
        ("[[expect]\n", "line 1", ""),
    ];
    for (number, (toml, line, part)) in cases.into_iter().enumerate() {
        let (exit, out, err) = expecting(&format!("verify_wrong_{number}"), toml, "vanish.pcap");
        assert_eq!(exit, Some(2), "{toml}");
        assert!(out.is_empty() && err.contains(line) && err.contains(part), "{toml}: {err}");
    }
}

#[test]
fn presets_stacks_and_defaults_make_promises() {
    let (broken, exit, document) = verdict("vanish.pcap", &words("--preset go"));
    assert_eq!(exit, Some(1));
    assert_eq!(broken, ["idle_not_early", "interval_not_early"]);
    assert_eq!(document["connections"][0]["expected"]["count"], 9);
    assert_eq!(document["connections"][0]["expected"]["idle_s"].as_f64(), Some(15.0));
    let (broken, ..) = verdict("vanish.pcap", &words("--defaults"));
    assert!(broken.contains(&"rfc9293_must_28".to_owned()), "{broken:?}");
    let (broken, _, document) =
        verdict("smoltcp.pcap", &words("--stack windows --idle 1500ms --interval 1500ms"));
    assert!(broken.is_empty(), "{broken:?}");
    assert!(!document["connections"][0]["expected"]["unverified"].as_array().expect("a list").is_empty());
    let (broken, ..) = verdict("smoltcp.pcap", &words("--idle 1500ms --interval 1500ms"));
    assert!(broken.contains(&"probe_form".to_owned()) && broken.contains(&"rfc9293_shld_12".to_owned()));
}

#[test]
fn hz_that_was_not_given_is_said() {
    let path = capture_path("vanish.pcap");
    let output = keepscope(&["verify", "--idle", "3s", "--interval", "2s", &path]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("HZ not given"), "{text}");
    // At HZ=1000 two seconds take 2.048 s.
    let (broken, ..) = verdict("vanish.pcap", &words("--idle 3s --interval 2s --hz 1000"));
    assert_eq!(broken, ["interval_not_early"]);
}

#[test]
fn wrong_questions_are_refused() {
    let path = capture_path("vanish.pcap");
    for (arguments, part) in [
        ("", "nothing is promised"),
        ("--idle 7", "7s"),
        ("--stack freebsd --hz 250 --idle 7s", "no timer wheel"),
        ("--preset nosuch --idle 7s", "--preset"),
        ("--expect nosuch.toml", "nosuch.toml"),
    ] {
        let mut all = vec!["verify"];
        all.extend(arguments.split_whitespace());
        all.push(&path);
        let output = keepscope(&all);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(output.stdout.is_empty() && message.contains(part), "{arguments}: {message}");
    }
}

#[test]
fn nothing_to_see_is_exit_4() {
    let (broken, exit, _) = verdict("zero_window.pcap", &words("--idle 7s"));
    assert!(broken.is_empty());
    assert_eq!(exit, Some(4));
    let (_, exit, _) = verdict("vanish.pcap", &words("--idle 3s --filter port:1"));
    assert_eq!(exit, Some(4));
}
