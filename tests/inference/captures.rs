//! Every capture of which the lab says what was set, through the binary.

use std::path::Path;

use serde_json::Value;

use crate::common::{analyze_json, capture_path};

/// Begun midstream, all probes answered.
const PERIODS_ONLY: &str = "wrap_midstream.pcap";

fn index() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/INDEX.toml");
    std::fs::read_to_string(path).expect("an index").parse().expect("a valid index")
}

fn tables<'a>(table: &'a toml::Table, name: &str) -> Vec<&'a toml::Table> {
    let all = table.get(name).and_then(toml::Value::as_array);
    all.into_iter().flatten().filter_map(toml::Value::as_table).collect()
}

fn within(range: &Value, seconds: i64) -> bool {
    let bound = |index: usize| range[index].as_f64().expect("a number");
    range.is_null() || (bound(0) <= seconds as f64 && seconds as f64 <= bound(1))
}

/// What is wrong with the best explanation by Linux.
fn difference(truth: &toml::Table, prober: &Value, file: &str) -> Option<String> {
    let set = |name: &str| truth.get(name).and_then(toml::Value::as_integer);
    let (idle, interval, count) = (set("idle_s")?, set("interval_s")?, set("count")?);
    let mut linux = prober["settings"].as_array()?.iter().filter(|one| one["stack"] == "linux");
    let fits = |linux: &Value| {
        let timeout = set("user_timeout_ms");
        let counted = linux["count"].as_i64().is_none_or(|seen| seen == count || timeout.is_some());
        let ended = timeout.is_none_or(|timeout| {
            let range = &linux["user_timeout_range_s"];
            !range.is_null() && within(range, timeout / 1000)
        });
        let hz = linux["hz"].as_i64().is_none_or(|hz| hz == 250);
        let times = within(&linux["idle_range_s"], idle) && within(&linux["interval_range_s"], interval);
        counted && ended && hz && times
    };
    // Where the first probe was not captured and all were answered, a period may be either time.
    let found = if file == PERIODS_ONLY { linux.any(fits) } else { linux.next().is_some_and(fits) };
    let at_least = prober["count"]["value"].as_i64().is_none_or(|seen| seen <= count);
    let exact = prober["count"]["exact"] == true && prober["count"]["value"].as_i64() != Some(count);
    (!(found && at_least) || exact).then(|| format!("{idle}/{interval}/{count}: {}", prober["settings"]))
}

#[test]
fn what_was_set_lies_in_the_ranges_of_the_best_explanation() {
    let index = index();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for capture in tables(&index, "capture") {
        let file = capture["file"].as_str().expect("a name");
        let document = analyze_json(&["--all", &capture_path(file)]);
        let mut found: Vec<&Value> =
            document["connections"].as_array().expect("connections").iter().collect();
        for connection in tables(capture, "connection") {
            let same = |seen: &&Value| {
                ["client", "server"].iter().all(|end| seen[*end].as_str() == connection[*end].as_str())
            };
            let Some(place) = found.iter().position(same) else { continue };
            let seen = found.remove(place);
            for truth in tables(connection, "prober") {
                let name = truth["endpoint"].as_str().expect("an end");
                let probers = seen["probers"].as_array().expect("probers");
                let Some(prober) = probers.iter().find(|prober| prober["endpoint"] == name) else { continue };
                checked += usize::from(truth.get("idle_s").is_some());
                let line = difference(truth, prober, file);
                wrong.extend(line.map(|line| format!("{file} {} {name} {line}", seen["client"])));
            }
        }
    }
    assert!(checked > 40, "{checked}");
    assert!(wrong.is_empty(), "{} of {checked}\n{}", wrong.len(), wrong.join("\n"));
}

/// The lab's other stacks: smoltcp with one octet every 1.5 s and 2 s, lwIP with 2 s, 1 s and 3 probes.
#[test]
fn other_stacks_are_told_apart() {
    for (file, stack, idle, interval) in [
        ("smoltcp.pcap", "smoltcp", 1.5, None),
        ("smoltcp_unanswered.pcap", "smoltcp", 2.0, None),
        ("lwip.pcap", "lwip", 2.0, Some(1.0)),
    ] {
        let document = analyze_json(&[&capture_path(file)]);
        let prober = &document["connections"][0]["probers"][0];
        let best = &prober["settings"][0];
        assert_eq!(best["stack"], stack, "{file}: {prober}");
        assert_eq!(best["idle_s"].as_f64(), Some(idle), "{file}");
        if let Some(interval) = interval {
            assert_eq!(best["interval_s"].as_f64(), Some(interval), "{file}");
            assert_eq!(prober["count"], serde_json::json!({"value": 3, "exact": true}), "{file}");
        }
    }
}
