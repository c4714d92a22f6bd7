//! Many runs: over phases, held against the arithmetic of the timer wheel; and over seeds.

use crate::{json, simulate};

/// The share of phases in which a timer of `idle` seconds fires after `limit` seconds, by the rule of
/// `kernel/time/timer.c` written once more: a timer goes to the first level whose span holds its delay, and
/// fires at the next multiple of that level's granule after its expiry.
fn late_share(hz: u64, idle: u64, limit: u64) -> f64 {
    let delay = idle * hz;
    let mut granule = 1;
    while delay >= 63 * granule {
        granule *= 8;
    }
    let late = (0..granule).filter(|phase| {
        let fires = ((phase + delay) / granule + 1) * granule;
        fires - phase > limit * hz
    });
    late.count() as f64 / granule as f64
}

#[test]
fn a_probe_after_340_s_is_too_late_for_350_s_in_39_and_69_of_100_phases() {
    for (hz, expected) in [("250", 0.39), ("1000", 0.69)] {
        let exact = late_share(hz.parse().unwrap(), 340, 350);
        assert!((exact - expected).abs() < 0.006, "HZ={hz}: {exact}");
        let set = format!("client.hz={hz}");
        let document = json(&["linux-340s-behind-350s", "--phases", "1000", "--set", &set]);
        let runs = &document["runs"];
        assert_eq!((runs["count"].as_u64(), runs["over"].as_str()), (Some(1000), Some("phases")));
        let late = runs["first_probe_too_late"].as_f64().expect("a number");
        // One phase in a thousand, and the way of a packet against a granule of half a minute.
        assert!((late / 1000.0 - exact).abs() < 0.002, "HZ={hz}: {late} of 1000, and {exact}");
        // After an answer the timer is armed by the timer, for 344.064 s at HZ=250 and 360.448 s at HZ=1000.
        let survived = if hz == "250" { 1000 - late as u64 } else { 0 };
        assert_eq!(runs["survived"].as_u64(), Some(survived), "HZ={hz}");
        assert_eq!(runs["outcomes"]["reset"].as_u64(), Some(1000 - survived), "HZ={hz}");
    }
}

#[test]
fn with_300_s_no_phase_is_too_late() {
    assert!(late_share(1000, 300, 350) == 0.0 && late_share(250, 300, 350) == 0.0);
    for hz in ["100", "250", "300", "1000"] {
        let set = format!("client.hz={hz}");
        let document = json(&["linux-300s-behind-350s", "--phases", "200", "--set", &set]);
        assert_eq!(document["runs"]["first_probe_too_late"], 0, "HZ={hz}");
        assert_eq!(document["runs"]["survived"], 200, "HZ={hz}");
    }
}

/// Over seeds the phase is drawn, and the share is that of the phases as far as chance goes: 400 runs have a
/// standard deviation of 2.5 %, and the runs are the same every time.
#[test]
fn seeds_draw_the_phase() {
    let document = json(&["linux-340s-behind-350s", "--runs", "400"]);
    let late = document["runs"]["first_probe_too_late"].as_f64().expect("a number") / 400.0;
    let exact = late_share(250, 340, 350);
    assert!((late - exact).abs() < 0.1, "{late} and {exact}");
    assert_eq!(document, json(&["linux-340s-behind-350s", "--runs", "400"]));
}

#[test]
fn detection_lies_within_what_idle_interval_and_count_allow() {
    let document = json(&["peer-gone", "--phases", "300"]);
    let detection = &document["runs"]["detection"];
    let at = |name: &str| detection[name].as_f64().expect("a time");
    assert_eq!(detection["count"], 300);
    let names = ["least_s", "p10_s", "p50_s", "p90_s", "p99_s", "most_s"];
    let values: Vec<f64> = names.iter().map(|name| at(name)).collect();
    assert!(values.is_sorted(), "{values:?}");
    // Five intervals of 10.24 s at least, an idle time of 61.44 s and a granule more at most.
    assert!(values[0] >= 5.0 * 10.0 && values[5] <= 5.0 * 10.24 + 61.44 + 2.048, "{values:?}");
    let text = String::from_utf8(simulate(&["peer-gone", "--phases", "300"]).stdout).expect("text");
    assert!(text.contains("loss noticed after") && text.contains("connection survived"), "{text}");
}

#[test]
fn a_stack_without_rounding_has_no_phases() {
    let set = "client.stack=gvisor";
    let message =
        crate::complaint(&simulate(&["peer-gone", "--phases", "10", "--set", "client.hz=250", "--set", set]));
    assert!(message.contains("has no timer wheel"), "{message}");
}
