//! Which HZ is told: the one whose grid the gaps hit, or none where several do.

use keepscope::keepalive::{Model, Settings};
use keepscope::stack::Stack;
use keepscope::stack::value::Rounding;
use keepscope::time::Span;

use crate::synthetic::Run;

const RATES: [u32; 4] = [100, 250, 300, 1000];

/// Phases of the clock that are tried, spread over the widest granule.
const PHASES: i64 = 12;

/// The rates that the best explanation by Linux tells, one for each phase of the clock.
fn told(hz: u32, (idle, interval, count): (i64, i64, u32), answered: usize, late: i64) -> Vec<Option<u32>> {
    let mut model = Model::of(Stack::named("linux").unwrap()).unwrap();
    model.rounding = Rounding::TimerWheel { hz };
    let settings = Settings {
        idle: Span::from_secs(idle),
        interval: Span::from_secs(interval),
        count,
        user_timeout: None,
    };
    let of_phase = |phase: i64| {
        let jitter = (0..17).map(|index| ((index * 7919 + phase) % 9 - 4) * 1_000_000).collect();
        let phase = Span::from_nanos(3_000_000_000_000 / PHASES * phase + phase * 37_123_457);
        let rtt = Span::from_millis(1);
        let run =
            Run { model: model.clone(), settings, phase, rtt, answered, most: 30, jitter, stamps: true };
        let mut scene = run.scene();
        // Keepalives were turned on that much after the last segment.
        if let Some(first) = scene.prober.probes.first_mut() {
            first.segment.silence =
                first.segment.silence.map(|silence| silence.plus(Span::from_millis(late)));
        }
        let inference = scene.infer();
        let best = inference.settings.iter().find(|one| one.stack == "linux").unwrap();
        assert_eq!(best.idle.unwrap().value, settings.idle, "{hz} {settings:?} {inference:#?}");
        best.hz
    };
    (0..PHASES).map(of_phase).collect()
}

/// Whatever is set and whenever the clock was started: another rate is never told.
#[test]
fn no_other_rate_is_told() {
    for settings in [(12, 1, 5), (10, 5, 3), (30, 10, 9), (15, 15, 9), (7, 3, 4)] {
        for hz in RATES {
            for answered in [0, 3] {
                let told = told(hz, settings, answered, 0);
                assert!(told.iter().flatten().all(|told| *told == hz), "{settings:?} {hz}: {told:?}");
            }
        }
    }
}

/// Gaps that only one of the rates makes tell it.
#[test]
fn a_grid_of_its_own_tells_the_rate() {
    for settings in [(7, 3, 4), (300, 75, 9), (25, 3, 4)] {
        for hz in RATES {
            let told = told(hz, settings, 0, 0);
            assert!(told.iter().all(|told| *told == Some(hz)), "{settings:?} {hz}: {told:?}");
        }
    }
}

/// 1 s is 1.024 s at 250 and at 1000. A first silence that only the wider granule of 1000 holds does not tell
/// that rate: keepalives may have been turned on late.
#[test]
fn a_wide_granule_is_no_sign_of_its_rate() {
    for late in [0, 100, 300] {
        for hz in [250, 1000] {
            let told = told(hz, (12, 1, 5), 0, late);
            assert!(told.iter().all(Option::is_none), "{hz}, {late} ms late: {told:?}");
        }
    }
}
