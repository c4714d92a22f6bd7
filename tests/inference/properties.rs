//! Whatever is set, whatever the phase of the clock: what is inferred holds what was set.

use keepscope::keepalive::{Model, Settings};
use keepscope::stack::Stack;
use keepscope::stack::value::{Role, Rounding};
use keepscope::time::Span;
use proptest::prelude::*;

use crate::synthetic::{Run, holds};

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![1_i64..=20, 20_i64..=400, prop::sample::select(vec![600, 1200, 3600, 7200]), 1_i64..=7200]
}

fn jitter() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(-5_000_000_i64..=5_000_000, 17)
}

fn run_of(stack: &str) -> Model {
    Model::of(Stack::named(stack).unwrap()).unwrap()
}

/// A number from the environment, for long runs: `KEEPSCOPE_CASES`, `KEEPSCOPE_SEED`.
fn asked(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: u32::try_from(asked("KEEPSCOPE_CASES", 120)).expect("not so many"),
        max_shrink_iters: 200,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(asked("KEEPSCOPE_SEED", 7)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn linux_settings_lie_in_the_ranges(
        hz in prop::sample::select(vec![100_u32, 250, 300, 1000]),
        idle in seconds(),
        interval in seconds(),
        count in 1_u32..12,
        phase in 0_i64..3_000_000_000_000,
        rtt in 0_i64..100,
        answered in 0_usize..6,
        more in 1_usize..14,
        jitter in jitter(),
    ) {
        let mut model = run_of("linux");
        model.rounding = Rounding::TimerWheel { hz };
        let (idle, interval) = (Span::from_secs(idle), Span::from_secs(interval));
        let settings = Settings { idle, interval, count, user_timeout: None };
        let (phase, rtt, most) = (Span::from_nanos(phase), Span::from_millis(rtt), answered + more);
        let run = Run { model, settings, phase, rtt, answered, most, jitter, stamps: true };
        let scene = run.scene();
        let inference = scene.infer();
        let linux = || inference.settings.iter().filter(|one| one.stack == "linux");
        let found = linux().any(|one| {
            holds(one, idle, interval) && one.hz.is_none_or(|told| told == hz)
        });
        let times: Vec<_> = scene.prober.probes.iter().map(|probe| {
            (probe.segment.at.time.since(scene.start).to_string(), probe.answer.is_some())
        }).collect();
        prop_assert!(found, "{times:?}\n{inference:#?}");
        // Where the end was seen the count is exact, and else not too high.
        if let Some(seen) = inference.count {
            prop_assert!(seen.value <= count, "{:?}", seen);
            prop_assert!(!seen.exact || seen.value == count);
        }
        for one in &inference.settings {
            prop_assert!((0.0..=1.0).contains(&one.score));
        }
    }

    #[test]
    fn a_user_timeout_lies_in_its_range(
        hz in prop::sample::select(vec![100_u32, 250, 300, 1000]),
        idle in 1_i64..=60,
        interval in 1_i64..=60,
        timeout in 1_i64..=300_000,
        phase in 0_i64..3_000_000_000_000,
        rtt in 0_i64..100,
        answered in 0_usize..4,
        jitter in jitter(),
    ) {
        let mut model = run_of("linux");
        model.rounding = Rounding::TimerWheel { hz };
        let (idle, interval) = (Span::from_secs(idle), Span::from_secs(interval));
        let timeout = Span::from_millis(timeout);
        let settings = Settings { idle, interval, count: 9, user_timeout: Some(timeout) };
        let (phase, rtt, most) = (Span::from_nanos(phase), Span::from_millis(rtt), 400);
        let run = Run { model, settings, phase, rtt, answered, most, jitter, stamps: true };
        let scene = run.scene();
        let inference = scene.infer();
        let mut linux = inference.settings.iter().filter(|one| one.stack == "linux");
        let best = linux.next();
        prop_assert!(best.is_some(), "{:#?}", inference);
        let range = best.and_then(|best| best.user_timeout);
        prop_assert!(range.is_some_and(|range| range.low <= timeout && timeout <= range.high), "{:?}", range);
        if inference.count.is_some_and(|count| count.value <= 2) {
            prop_assert!(!inference.count.is_some_and(|count| count.exact), "{:#?}", inference);
        }
    }

    #[test]
    fn settings_of_other_stacks_lie_in_the_ranges(
        stack in prop::sample::select(
            Stack::all().iter().filter(|stack| stack.runs && stack.name != "linux")
                .map(|stack| stack.name).collect::<Vec<_>>()
        ),
        idle in seconds(),
        interval in seconds(),
        count in 1_u32..12,
        phase in 0_i64..3_000_000_000_000,
        rtt in 0_i64..100,
        answered in 0_usize..6,
        more in 1_usize..14,
        jitter in jitter(),
    ) {
        let model = run_of(stack);
        let (idle, mut interval) = (Span::from_secs(idle), Span::from_secs(interval));
        if stack == "smoltcp" {
            interval = idle;
        }
        // A count that cannot be set is the default.
        let default = model.stack.timing.count.value.and_then(|amount| amount.get());
        let count = match model.stack.option(Role::Count) {
            None => default.unwrap_or(count),
            Some(_) => count,
        };
        let settings = Settings { idle, interval, count, user_timeout: None };
        let (phase, rtt, most) = (Span::from_nanos(phase), Span::from_millis(rtt), answered + more);
        let run = Run { model, settings, phase, rtt, answered, most, jitter, stamps: false };
        let mut scene = run.scene();
        if stack.starts_with("windows") {
            scene.ttl = 128;
        }
        if scene.prober.probes.is_empty() {
            return Ok(());
        }
        let inference = scene.infer();
        // A probe that left when keepalives were turned on shows neither time.
        if stack == "smoltcp" && scene.prober.probes.len() < 2 {
            return Ok(());
        }
        let times: Vec<_> = scene.prober.probes.iter().map(|probe| {
            (probe.segment.at.time.since(scene.start).to_string(), probe.answer.is_some())
        }).collect();
        let found = inference.settings.iter().any(|one| one.stack == stack && holds(one, idle, interval));
        prop_assert!(found, "{stack} {times:?}\n{inference:#?}");
    }
}
