//! `keepscope analyze` and `keepscope verify` on keepalives of this machine's kernel, with settings that no
//! other test uses: what the sockets were set to is found and passes, and other settings are refuted.

#[path = "matrix/cases.rs"]
mod cases;
mod common;
#[path = "matrix/lab.rs"]
mod lab;
#[allow(dead_code, reason = "the plans of the tests of the kernel, of which not all is used here")]
#[path = "kernel/plan.rs"]
mod plan;

use cases::Case;
use common::{analyze_json, keepscope, scratch, text};
use serde_json::Value;

/// What is wrong with the settings found for a connection; empty if all is right.
fn inference(case: &Case, document: &Value) -> Vec<String> {
    let connections = document["connections"].as_array().expect("connections");
    let client = format!(":{}", case.client_port());
    let found =
        connections.iter().find(|one| one["client"].as_str().is_some_and(|end| end.ends_with(&client)));
    let prober = found.and_then(|found| found["probers"].as_array()).and_then(|probers| probers.first());
    if !case.probes() {
        return prober.map(|prober| format!("probes that nobody sent: {prober}")).into_iter().collect();
    }
    let Some(prober) = prober else { return vec!["no prober was found".to_owned()] };
    let settings = prober["settings"].as_array().expect("settings");
    let Some(linux) = settings.iter().find(|entry| entry["stack"] == "linux") else {
        return vec![format!("Linux is not among {settings:?}")];
    };
    let mut wrong = Vec::new();
    let mut within = |name: &str, truth: i64, needed: bool| match linux[name].as_array() {
        Some(range) => {
            let [low, high] = [0, 1].map(|bound: usize| range[bound].as_f64().expect("seconds"));
            if !(low..=high).contains(&(truth as f64)) {
                wrong.push(format!("{name} is {low}..{high}, the socket had {truth}"));
            }
        }
        None if needed => wrong.push(format!("no {name} in {linux}")),
        None => {}
    };
    within("idle_range_s", case.idle, true);
    within("interval_range_s", case.interval, case.shows_interval());
    if case.shows_count() && linux["count"].as_i64() != Some(case.count) {
        wrong.push(format!("count is {}, the socket had {}", linux["count"], case.count));
    }
    wrong
}

/// The exit code of a verification and the rules that were broken.
fn verify(case: &Case, hz: u32, idle: i64, count: i64, capture: &str) -> (Option<i32>, Vec<String>) {
    let mut words = format!(
        "verify --format json --hz {hz} --idle {idle}s --interval {}s --count {count} --filter port:{}",
        case.interval,
        case.client_port()
    );
    if let Some(timeout) = case.user_timeout {
        words += &format!(" --user-timeout {timeout}ms");
    }
    let arguments: Vec<&str> = words.split(' ').chain([capture]).collect();
    let output = keepscope(&arguments);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    let rules = document["connections"].as_array().expect("connections").iter();
    let broken = rules
        .flat_map(|connection| connection["rules"].as_array().expect("rules"))
        .filter(|rule| rule["outcome"] == "fail")
        .map(|rule| rule["rule"].as_str().expect("a name").to_owned());
    (output.status.code(), broken.collect())
}

/// What is wrong with the verdicts on the true settings and on others; empty if all is right.
fn verdicts(case: &Case, hz: u32, capture: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    // A single probe is one of which RFC 9293 says that it does not suffice, whatever the socket was told.
    let always: &[&str] = if case.shows_count() && case.count == 1 { &["rfc9293_must_29"] } else { &[] };
    let right = match (case.probes(), always) {
        (false, _) => 4,
        (true, []) => 0,
        (true, _) => 1,
    };
    let (exit, broken) = verify(case, hz, case.idle, case.count, capture);
    if exit != Some(right) || broken != always {
        wrong.push(format!("the true settings: exit {exit:?}, broken {broken:?}"));
    }
    let mut refuted = |what: &str, idle: i64, count: i64, rule: &str| {
        let (exit, broken) = verify(case, hz, idle, count, capture);
        let mut expected = vec![rule];
        expected.extend(always);
        if exit != Some(1) || broken != expected {
            wrong.push(format!("{what}: exit {exit:?}, broken {broken:?} and not {rule}"));
        }
    };
    if case.probes() {
        refuted("idle a second too long", case.idle + 1, case.count, "idle_not_early");
        refuted("idle two seconds too short", case.idle - 2, case.count, "idle_not_late");
    }
    if case.shows_count() {
        refuted("a probe too many", case.idle, case.count + 1, "count");
    }
    wrong
}

/// How often a case is run before it counts as wrong.
const ATTEMPTS: u32 = 3;

#[test]
fn settings_of_the_kernel_are_found_and_others_are_refuted() {
    let mut cases = cases::all();
    // A machine that was not run for a moment sends late. What is wrong with us is wrong each time.
    for attempt in 1.. {
        let plans: Vec<plan::Plan> = cases.iter().map(Case::plan).collect();
        let folder = scratch("matrix");
        let Some(hz) = lab::drive(&plans, &folder) else { return };
        let capture = folder.join("client.pcap");
        let document = analyze_json(&["--all", text(&capture)]);
        let mut all = Vec::new();
        cases.retain(|case| {
            let complaints = inference(case, &document).into_iter().chain(verdicts(case, hz, text(&capture)));
            let before = all.len();
            all.extend(complaints.map(|complaint| format!("{}: {complaint}", case.name())));
            all.len() > before
        });
        if cases.is_empty() {
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
            return;
        }
        // Kept where something is wrong, so that it can be looked at.
        let message = format!("HZ {hz}, {} wrong, in {}:\n{}", all.len(), folder.display(), all.join("\n"));
        assert!(attempt < ATTEMPTS, "{message}");
        eprintln!("once more, since {message}");
    }
}
