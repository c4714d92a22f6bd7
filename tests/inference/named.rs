//! Gaps that are known for what they mean.

use keepscope::analysis::inference::{Explanation, Inference};
use keepscope::keepalive::{Model, Settings};
use keepscope::stack::Stack;
use keepscope::stack::value::Rounding;
use keepscope::time::{Span, Timestamp};

use crate::synthetic::{Run, Scene, secs};

/// Answered probes at this distance, of which the first came after `first`, then unanswered ones and, with
/// `reset`, the end.
fn scene(first: Option<f64>, answered: &[f64], unanswered: &[f64], reset: bool) -> Scene {
    let start = Timestamp::from_nanos(1_000_000_000_000_000_000);
    let mut scene = if first.is_some() { Scene::new(start) } else { Scene::midstream(start) };
    let mut time = start.plus(secs(first.unwrap_or(0.0)));
    let rtt = Span::from_micros(50);
    scene.probe(time, (!answered.is_empty()).then(|| time.plus(rtt)));
    for (index, gap) in answered.iter().enumerate() {
        time = time.plus(secs(*gap));
        let is_last = index + 1 == answered.len();
        scene.probe(time, (!is_last || unanswered.is_empty()).then(|| time.plus(rtt)));
    }
    for gap in unanswered {
        time = time.plus(secs(*gap));
        scene.probe(time, None);
    }
    if reset {
        scene.reset(time.plus(secs(*unanswered.last().unwrap())));
    }
    scene
}

fn linux(inference: &Inference) -> Vec<&Explanation> {
    inference.settings.iter().filter(|one| one.stack == "linux").collect()
}

fn idle_of(explanation: &Explanation) -> (f64, f64, f64) {
    let idle = explanation.idle.unwrap();
    let seconds = |span: Span| span.as_nanos() as f64 / 1e9;
    (seconds(idle.value), seconds(idle.low), seconds(idle.high))
}

#[test]
fn seven_and_three_seconds_at_250() {
    let inference = scene(Some(7.168), &[7.168, 7.168], &[3.072, 3.072, 3.072], true).infer();
    let best = &inference.settings[0];
    assert_eq!((best.stack, best.hz), ("linux", Some(250)));
    assert_eq!(idle_of(best), (7.0, 7.0, 7.0));
    assert_eq!(best.interval.unwrap().value, Span::from_secs(3));
    assert_eq!(best.count, Some(4));
    // The round trip is no silence.
    assert_eq!(inference.idle.unwrap().value, secs(7.16795));
}

#[test]
fn a_large_setting_is_a_range_with_its_roundest_value() {
    for first in [None, Some(311.296)] {
        let inference = scene(first, &[311.296; 4], &[], false).infer();
        let best = &inference.settings[0];
        assert_eq!((best.stack, best.hz), ("linux", Some(250)), "{inference:#?}");
        assert_eq!(idle_of(best), (300.0, 295.0, 311.0));
    }
    // Two rates give this one, so none is told; at 250 it begins at 345 s, at 1000 at 328 s.
    let inference = scene(Some(360.448), &[360.448; 4], &[], false).infer();
    let best = linux(&inference)[0];
    assert_eq!((best.hz, idle_of(best)), (None, (360.0, 328.0, 360.0)));
}

#[test]
fn the_default_interval_tells_the_rate() {
    for (gap, hz) in [(75.776, 250), (77.824, 1000), (76.8, 100), (75.093, 300)] {
        let inference = scene(Some(7210.0), &[], &[gap; 8], true).infer();
        let best = &inference.settings[0];
        assert_eq!((best.stack, best.hz), ("linux", Some(hz)), "{gap}: {inference:#?}");
        assert_eq!(best.interval.unwrap().value, Span::from_secs(75));
        assert_eq!(best.count, Some(9));
        assert_eq!(best.idle.unwrap().value, Span::from_secs(7200));
    }
}

#[test]
fn fifteen_fifteen_nine_is_go() {
    let inference = scene(Some(15.05), &[], &[15.104; 8], true).infer();
    let best = &inference.settings[0];
    assert_eq!((best.stack, best.hz, best.application), ("linux", Some(250), Some("go")));
    assert_eq!(best.count, Some(9));
}

#[test]
fn the_end_unseen_gives_at_least() {
    let inference = scene(Some(15.05), &[], &[15.104; 3], false).infer();
    let count = inference.count.unwrap();
    assert_eq!((count.value, count.exact), (4, false));
    assert_eq!(inference.settings[0].count, None);
    // Nothing unanswered: nothing known.
    assert_eq!(scene(Some(15.05), &[15.104; 3], &[], false).infer().count, None);
}

/// Linux with a user timeout: given up at the first firing past it with a probe unanswered.
#[test]
fn a_user_timeout_is_no_count() {
    // 5 s, 2 s and 9 probes, of which 8 s left two: at 5.12 and 7.136 s, then the end at 9.152 s.
    let inference = scene(Some(5.12), &[], &[2.016], true).infer();
    let count = inference.count.unwrap();
    assert_eq!((count.value, count.exact), (2, false));
    let best = &inference.settings[0];
    let timeout = best.user_timeout.unwrap();
    assert_eq!(best.stack, "linux");
    assert!(best.count_in_doubt, "{best:?}");
    assert!(timeout.low < Span::from_secs(8) && Span::from_secs(8) < timeout.high, "{timeout:?}");
    assert!(timeout.low > Span::from_secs(7) && timeout.high < secs(9.2), "{timeout:?}");
    // What a count explains as well as before stays one, with the user timeouts that would do too.
    let inference = scene(Some(5.12), &[], &[2.016; 8], true).infer();
    assert!(inference.count.unwrap().exact);
    assert_eq!(inference.settings[0].count, Some(9));
    assert!(inference.settings[0].user_timeout.is_some());
}

/// 15 s, 15 s and 3 probes, with a user timeout of 30 s that ends it after one.
#[test]
fn an_application_that_sets_a_user_timeout_is_found_by_it() {
    let mut ended = scene(Some(15.05), &[], &[], false);
    ended.reset(ended.start.plus(secs(30.154)));
    let inference = ended.infer();
    let linux = linux(&inference);
    // One probe shows no interval.
    assert_eq!((linux[0].count_in_doubt, linux[0].interval), (true, None));
    assert_eq!(linux[0].user_timeout.unwrap().value, Span::from_secs(30));
    let mut ended = scene(Some(15.05), &[15.104; 2], &[], false);
    ended.probe(ended.start.plus(secs(15.05 + 3.0 * 15.104)), None);
    ended.reset(ended.start.plus(secs(15.05 + 4.0 * 15.104)));
    let inference = ended.infer();
    // An idle time alone explains these probes too.
    let applications: Vec<_> = inference.settings.iter().take(2).map(|one| one.application).collect();
    assert!(applications.contains(&Some("reqwest")), "{inference:#?}");
    assert!(!inference.count.unwrap().exact);
}

/// smoltcp has no count at all.
#[test]
fn a_stack_without_a_count_has_a_user_timeout() {
    let mut ended = scene(Some(10.0), &[10.0], &[10.0, 10.0], false);
    for probe in &mut ended.prober.probes {
        probe.segment.octets = 1;
    }
    ended.reset(ended.start.plus(secs(50.0)));
    let inference = ended.infer();
    let best = &inference.settings[0];
    assert_eq!((best.stack, best.count), ("smoltcp", None));
    let timeout = best.user_timeout.unwrap();
    // Heard last after the first probe, 40 s before.
    assert_eq!(timeout.value, Span::from_secs(40));
    assert!(timeout.high.as_nanos() - timeout.low.as_nanos() < 100_000_000, "{timeout:?}");
}

/// With an idle time above the interval a live peer shows the idle time, rounded in two steps; below it the
/// interval.
#[test]
fn a_live_peer_shows_the_longer_of_both() {
    for (idle, interval) in [(10, 3), (3, 10), (60, 75), (75, 60), (5, 5)] {
        let mut model = Model::of(Stack::named("linux").unwrap()).unwrap();
        model.rounding = Rounding::TimerWheel { hz: 250 };
        let (idle, interval) = (Span::from_secs(idle), Span::from_secs(interval));
        let settings = Settings { idle, interval, count: 9, user_timeout: None };
        let run = Run {
            model,
            settings,
            phase: secs(12.345),
            rtt: Span::from_millis(1),
            answered: 6,
            most: 6,
            jitter: vec![0],
            stamps: true,
        };
        let inference = run.scene().infer();
        let best = &inference.settings[0];
        assert_eq!(best.stack, "linux");
        assert_eq!(best.idle.unwrap().value, idle, "{interval:?} {inference:#?}");
        if interval > idle {
            assert_eq!(best.interval.unwrap().value, interval, "{inference:#?}");
        }
    }
}

#[test]
fn marks_refute() {
    let mut octets = scene(Some(7.0), &[7.0, 7.0], &[7.0, 7.0], false);
    for probe in &mut octets.prober.probes {
        probe.segment.octets = 1;
    }
    let inference = octets.infer();
    assert_eq!(inference.settings[0].stack, "smoltcp");
    let none = ["linux", "freebsd", "macos", "lwip", "gvisor"];
    assert!(inference.settings.iter().all(|one| !none.contains(&one.stack)));
    // Timestamps on a probe refute macOS, their absence where the peer has them all that send them.
    let mut bare = scene(Some(10.2), &[10.1, 10.4, 10.3], &[3.2, 3.4, 3.1], false);
    assert!(bare.infer().settings.iter().all(|one| one.stack != "macos"));
    for probe in &mut bare.prober.probes {
        probe.segment.timestamps = None;
    }
    assert_eq!(bare.infer().settings[0].stack, "macos");
}
