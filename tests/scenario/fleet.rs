//! `keepscope simulate --fleet`.

use crate::common::{analyze_json, has, run, scratch, text};
use crate::{complaint, simulate};

fn fleet(arguments: &[&str]) -> serde_json::Value {
    let output = simulate(&[&["--fleet", "--format", "json"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

const MIX: [&str; 8] =
    ["--connections", "200", "--lasting", "20m", "--mix", "linux@60s/10s/5=3", "--mix", "go=1"];

/// What the analyzer finds is what was sent, straight away and from a file.
#[test]
fn the_analyzer_finds_what_was_sent() {
    let path = scratch("scenario-fleet").join("fleet.pcapng");
    let options = ["--data", "20%", "--deaths", "10%", "--analyze", "--write", text(&path)];
    let document = fleet(&[&MIX[..], &options].concat());
    assert_eq!(document["schema"], "keepscope.fleet/1");
    let (analysis, total) = (&document["analysis"], &document["total"]);
    assert_eq!(analysis["connections"], 200);
    assert_eq!(analysis["probes"], total["probes"]);
    assert_eq!(analysis["packets"], document["traffic"]["segments"]);
    assert_eq!(analysis["outcomes"]["timed_out"], total["found_by_keepalive"]);
    assert!(total["found_by_keepalive"].as_u64().unwrap() >= 5, "{total}");
    let file = analyze_json(&["--all", text(&path)]);
    assert_eq!(file["captures"][0]["packets"], analysis["packets"]);
    assert_eq!(file["connections"].as_array().expect("connections").len(), 200);
    if has("tshark") {
        let lines = run("tshark", &["-n", "-r", text(&path), "-T", "fields", "-e", "frame.number"]);
        assert_eq!(lines.lines().count() as u64, analysis["packets"].as_u64().unwrap());
    }
}

#[test]
fn a_dead_peer_is_noticed_in_the_time_that_the_settings_allow() {
    let document = fleet(&[&MIX[..], &["--deaths", "30%"]].concat());
    let groups = document["groups"].as_array().expect("groups");
    let names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["linux@60s/10s/5", "go"]);
    assert_eq!((groups[0]["connections"].as_u64(), groups[1]["connections"].as_u64()), (Some(150), Some(50)));
    // Five steps of 10 s, or nine of 15 s, and at most the idle time and what the timer wheel of HZ=250 adds.
    for (group, least, most) in [(&groups[0], 50.0, 113.3), (&groups[1], 135.0, 151.5)] {
        let detection = &group["detection"];
        let at = |name: &str| detection[name].as_f64().expect("a time");
        assert!(at("least_s") >= least && at("most_s") <= most, "{group}");
        assert!(at("least_s") <= at("p50_s") && at("p50_s") <= at("p99_s"), "{group}");
    }
    let all = document["total"]["detection"]["count"].as_u64();
    let each = groups.iter().map(|group| group["detection"]["count"].as_u64().unwrap()).sum();
    assert_eq!(all, Some(each));
}

#[test]
fn the_seed_decides() {
    let run = |seed: &str| fleet(&[&MIX[..], &["--loss", "5%", "--seed", seed]].concat());
    assert_eq!(run("3"), run("3"));
    assert_ne!(run("3"), run("4"));
}

#[test]
fn without_keepalives_nobody_probes() {
    let document = fleet(&["--connections", "50", "--lasting", "3h", "--mix", "linux@off"]);
    assert_eq!(document["probes"]["sent"], 0);
    assert_eq!(document["table"]["open_peak"], 50);
    let text = String::from_utf8(simulate(&[&["--fleet"], &MIX[..]].concat()).stdout).expect("text");
    assert!(text.contains("200 connections for 1200s") && text.contains("linux@60s/10s/5"), "{text}");
}

#[test]
fn what_makes_no_fleet_is_refused() {
    for bad in ["linx", "linux@0s", "linux@60", "linux=0", "linux=x", "linux@60s/10s/0", "linux@1s/1s/1/1"] {
        assert_eq!(simulate(&["--fleet", "--mix", bad]).status.code(), Some(2), "{bad}");
    }
    assert_eq!(simulate(&["--connections", "7", "peer-gone"]).status.code(), Some(2));
    assert!(complaint(&simulate(&["--fleet", "--format", "jsonl"])).contains("text or json"));
    assert!(complaint(&simulate(&["--fleet", "--mix", "zvm"])).contains("not enough is known"));
}
