//! Files that somebody else wrote: configuration, promises, scenarios, journals. What stands in them is quoted, and does
//! nothing to a terminal.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::common::{capture_path, keepscope, scratch, text};
use crate::names::{HOSTILE, scenario, toml};
use crate::screen::check;

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

#[test]
fn configuration() {
    let folder = scratch("hostile_configuration");
    let (hostile, capture) = (toml(HOSTILE), capture_path("answered.pcap"));
    // What TOML lets stand as it is: marks of direction, and C1 but for line ends.
    let raw = HOSTILE.replace(|letter: char| letter.is_ascii_control(), "");
    for (index, content) in [
        format!("{hostile} = 1\n"),
        format!("[{hostile}]\nidle = 1\n"),
        format!("[probe]\n{hostile} = 1\n"),
        format!("[probe]\nidle = {hostile}\n"),
        format!("[probe]\nidle = '{raw}'\n"),
        format!("[analyze]\nformat = {hostile}\n"),
        format!("[watch]\ninterface = [{hostile}, '{raw}']\n"),
        format!("[keys]\n{hostile} = \"q\"\n"),
        format!("[keys]\nquit = {hostile}\n"),
        "[keys]\nquit = \"\u{202e}\"\nhelp = \"\u{9b}\"\n".to_owned(),
        format!("[screen]\ncolumns = [{hostile}]\n"),
        format!("[screen]\ntimes = {hostile}\n"),
        format!("probe = {raw}\n"),
        format!("probe = '''\n{HOSTILE}"),
    ]
    .iter()
    .enumerate()
    {
        let path = file(&folder, &format!("{index}.toml"), content);
        let named = ["--config", text(&path)];
        for arguments in [
            vec!["config", "check", text(&path)],
            vec![named[0], named[1], "config", "show"],
            vec![named[0], named[1], "analyze", &capture],
        ] {
            check(&format!("{arguments:?} {content}"), &keepscope(&arguments));
        }
    }
}

#[test]
fn a_setting_is_shown_as_a_file_can_say_it() {
    let folder = scratch("hostile_shown");
    let path = file(&folder, "c.toml", &format!("[watch]\ninterface = [{}]\n", toml(HOSTILE)));
    let shown = keepscope(&["--config", text(&path), "config", "show"]);
    let said = String::from_utf8(shown.stdout).expect("UTF-8");
    let again: ::toml::Table = said.parse().unwrap_or_else(|error| panic!("{error}:\n{said}"));
    if cfg!(feature = "live") {
        assert_eq!(again["watch"]["interface"][0].as_str(), Some(HOSTILE), "{said}");
    }
}

#[test]
fn promises() {
    let folder = scratch("hostile_promises");
    let (hostile, capture) = (toml(HOSTILE), capture_path("answered.pcap"));
    let fields =
        ["stack", "preset", "idle", "interval", "user_timeout", "jitter", "prober", "address", "client"];
    let mut contents: Vec<String> =
        fields.iter().map(|field| format!("[[expect]]\n{field} = {hostile}\ncount = 3\n")).collect();
    contents.push(format!("[[expect]]\n{hostile} = 1\n"));
    contents.push(format!("{hostile} = 1\n"));
    contents.push(format!("[[expect]]\nidle = \"{HOSTILE}\"\n"));
    for (index, content) in contents.iter().enumerate() {
        let path = file(&folder, &format!("{index}.toml"), content);
        for format in ["text", "json"] {
            let output = keepscope(&["verify", "--format", format, "--expect", text(&path), &capture]);
            check(&format!("{content} as {format}"), &output);
            assert_eq!(output.status.code(), Some(2), "{content}");
        }
    }
}

#[test]
fn names_in_a_scenario() {
    let folder = scratch("hostile_scenario");
    let path = file(&folder, "all.toml", &scenario());
    let tap = format!("before_{HOSTILE}box");
    for format in ["text", "json", "jsonl"] {
        for more in [vec![], vec!["--at", &tap], vec!["--runs", "3"], vec!["--phases", "3"]] {
            let arguments = [&["simulate", "--format", format, text(&path)][..], &more].concat();
            let output = keepscope(&arguments);
            check(&format!("{more:?} as {format}"), &output);
            // It was simulated; of many runs some may come as expected.
            assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}");
        }
    }
    // What is wrong is quoted: values of fields, and names of fields.
    for (from, to) in [
        ("kind = \"tracker\"", "product"),
        ("established = \"30s\"", "nat"),
        ("established = \"30s\"", "established"),
        ("delay = \"2ms\"", "delay"),
        ("delay = \"2ms\"", "rate"),
        ("loss = \"10%\"", "loss"),
        ("idle = \"60s\"", "idle"),
        ("idle = \"60s\"", "stack"),
        ("what = \"expired\"", "what"),
    ] {
        let wrong = scenario().replacen(from, &format!("{to} = {}", toml(HOSTILE)), 1);
        let path = file(&folder, "wrong.toml", &wrong);
        let output = keepscope(&["simulate", text(&path)]);
        check(to, &output);
        assert_eq!(output.status.code(), Some(2), "{to}");
    }
    for set in [format!("{HOSTILE}={HOSTILE}"), format!("client.idle={HOSTILE}"), HOSTILE.to_owned()] {
        check(&set, &keepscope(&["simulate", "--set", &set, text(&path)]));
    }
}

#[test]
fn a_scenario_is_printed_so_that_it_can_be_read_again() {
    let folder = scratch("hostile_printed");
    // A line end in a text of several lines is what it is.
    let written = scenario().replace("\\u000a", "-");
    let path = file(&folder, "all.toml", &written);
    let output = keepscope(&["simulate", "--print", text(&path)]);
    check("printed", &output);
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let (before, after): (::toml::Table, ::toml::Table) =
        (written.parse().expect("a document"), printed.parse().expect("a document"));
    for key in ["title", "path", "link", "box"] {
        let names = |table: &::toml::Table| match &table[key] {
            ::toml::Value::Table(inner) => inner.keys().cloned().collect::<Vec<_>>(),
            value => vec![value.to_string()],
        };
        assert_eq!(names(&before), names(&after), "{key}");
    }
}

#[cfg(feature = "live")]
#[test]
fn journals_and_results() {
    let folder = scratch("hostile_journals");
    let journal = |address: &str, mode: &str, directions: &[&str]| {
        json!({"type": "journal", "schema": "keepscope.middlebox/1", "target": HOSTILE, "address": address,
               "partner": false, "directions": directions, "mode": mode})
        .to_string()
    };
    let ours = "192.0.2.9:7";
    for (index, line) in [
        HOSTILE.to_owned(),
        json!({"type": HOSTILE}).to_string(),
        json!({"schema": HOSTILE, HOSTILE: HOSTILE}).to_string(),
        journal(HOSTILE, "full", &["out"]),
        journal(ours, HOSTILE, &["out"]),
        journal(ours, "full", &[HOSTILE, HOSTILE]),
        journal(ours, "full", &["out"]) + "\n" + HOSTILE + "\n" + HOSTILE,
    ]
    .iter()
    .enumerate()
    {
        let path = file(&folder, &index.to_string(), &format!("{line}\n"));
        let resumed = ["middlebox", "--plain", "--no-partner", "--journal", text(&path), "--resume", ours];
        let output = keepscope(&resumed);
        check(line, &output);
        // Or rights are missing, which is said first.
        assert!(matches!(output.status.code(), Some(2 | 3)), "{line}");
        let output = keepscope(&["recommend", "--from", text(&path)]);
        check(line, &output);
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
}
