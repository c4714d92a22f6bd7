//! `keepscope middlebox --simulate`: a rehearsal of the search, as a user sees it.

use serde_json::Value;

use crate::common::keepscope;

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn rehearse(arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["middlebox", "--simulate"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    let said = |octets| String::from_utf8(octets).expect("UTF-8");
    Ran { code: output.status.code(), out: said(output.stdout), err: said(output.stderr) }
}

fn document(arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = arguments.iter().chain(&["--format", "json"]).copied().collect();
    let ran = rehearse(&all);
    (
        ran.code,
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err)),
    )
}

#[test]
fn a_rehearsal_says_that_it_is_one_and_what_would_be_found() {
    let ran = rehearse(&["aws-nlb", "--partner"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.starts_with("SIMULATED, nothing was sent: AWS Network Load Balancer"), "{}", ran.out);
    assert!(ran.err.contains("SIMULATED: AWS Network Load Balancer"), "{}", ran.err);
    assert!(
        ran.out.contains("bracket") && ran.out.contains("aws-nlb") | ran.out.contains("AWS"),
        "{}",
        ran.out
    );
    assert_eq!(ran.out, rehearse(&["aws-nlb", "--partner"]).out, "the same seed gives the same");

    let (code, found) = document(&["aws-nlb", "--partner"]);
    assert_eq!((code, &found["schema"]), (Some(0), &Value::from("keepscope.middlebox/1")));
    assert_eq!(found["simulated"], "AWS Network Load Balancer, TCP listener");
    let direction = &found["directions"][0];
    assert_eq!((&direction["direction"], &direction["verdict"]), (&"in".into(), &"found".into()));
    let number = |name: &str| direction[name].as_f64().expect("a number");
    assert!(number("longest_alive_s") < 350.1 && number("shortest_dead_s") > 349.9, "{direction}");
    assert!(found["wall_s"].as_f64().expect("a number") < 400.0);
}

#[test]
fn its_exit_code_is_that_of_the_search() {
    for (arguments, code, verdict) in [
        (vec!["linux-conntrack", "--partner", "--direction", "out"], 4, "cannot_know"),
        (vec!["envoy", "--own-target", "--connections", "20"], 4, "ended_by_peer"),
        (vec!["aws-nlb", "--partner", "--mode", "confirm=300s"], 0, "none_below_max"),
        (vec!["aws-nlb", "--partner", "--mode", "confirm=400s"], 1, "found"),
        (vec!["azure-lb", "--partner", "--mode", "quick"], 0, "found"),
    ] {
        let (exit, found) = document(&arguments);
        let said = &found["directions"][0];
        assert_eq!((exit, &said["verdict"]), (Some(code), &Value::from(verdict)), "{arguments:?}: {said}");
    }
}

#[test]
fn both_directions_and_lines_of_json() {
    let ran = rehearse(&["openwrt", "--partner", "--direction", "both", "--format", "jsonl"]);
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.first().expect("lines")["type"], "schema");
    let last = lines.last().expect("lines");
    let verdicts: Vec<&Value> =
        last["directions"].as_array().expect("directions").iter().map(|found| &found["verdict"]).collect();
    assert_eq!(verdicts, ["cannot_know", "found"]);
    let trials = lines.iter().filter(|line| line["type"] == "trial").count();
    assert!(trials > 100, "{trials}");
}

#[test]
fn a_scenario_of_ones_own_is_a_path_too() {
    let folder = crate::common::scratch("rehearsed");
    let file = folder.join("mine.toml");
    let text = "title = \"Mine\"\nlength = \"1m\"\npath = [\"lan\", \"fw\"]\n[link.lan]\ndelay = \"5ms\"\n\
                [box.fw]\nkind = \"tracker\"\nestablished = \"90s\"\n";
    std::fs::write(&file, text).expect("a file");
    let (code, found) = document(&[crate::common::text(&file), "--partner", "--seed", "7"]);
    let direction = &found["directions"][0];
    assert_eq!((code, &found["simulated"]), (Some(0), &Value::from("Mine")));
    assert!(direction["longest_alive_s"].as_f64() < Some(90.1), "{direction}");
    assert!(direction["shortest_dead_s"].as_f64() > Some(89.9), "{direction}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (arguments, words) in [
        (vec!["azure-lbb"], "azure-lb"),
        (vec!["haproxy"], "no timeout until somebody sets one"),
        (vec!["aws-nlb", "192.0.2.1:443"], "cannot be used with"),
        (vec!["aws-nlb", "--write", "x.pcapng"], "cannot be used with"),
        (vec!["aws-nlb", "--direction", "in"], "takes a partner"),
        (vec!["nowhere/mine.toml"], "nowhere/mine.toml"),
        (vec!["aws-nlb", "--partner", "--tui"], "needs a terminal"),
    ] {
        let ran = rehearse(&arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
    let seed = keepscope(&["middlebox", "--seed", "3", "192.0.2.1:443"]);
    assert_eq!(seed.status.code(), Some(2));
    let missing = keepscope(&["middlebox"]);
    assert_eq!(missing.status.code(), Some(2));
}
