//! The reader: it never panics, and what was read is written as the same.

use keepscope::simulate::scenario::{Override, Scenario, built_in};
use proptest::prelude::*;

#[test]
fn every_built_in_goes_round() {
    for found in built_in::ALL {
        let scenario = Scenario::read(found.text, &[]).expect(found.name).scenario;
        let again = Scenario::read(&scenario.to_toml(), &[]).expect(found.name).scenario;
        assert_eq!(scenario, again, "{}", found.name);
    }
}

/// A document in which every field of every table stands.
const EVERYTHING: &str = include_str!("everything.toml");

#[test]
fn every_field_goes_round() {
    let scenario = Scenario::read(EVERYTHING, &[]).expect("a right document").scenario;
    let written = scenario.to_toml();
    assert_eq!(Scenario::read(&written, &[]).expect("a right document").scenario, scenario);
    let keys = |text: &str| {
        let is_key = |line: &&str| line.contains('=') || line.contains('[');
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter(is_key).count()
    };
    assert!(keys(&written) >= 100, "{written}");
}

/// The lines of all documents, to be mixed.
fn lines() -> Vec<&'static str> {
    built_in::ALL.iter().flat_map(|found| found.text.lines()).chain(EVERYTHING.lines()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Scenario::read(&text, &[]);
    }

    #[test]
    fn mixed_lines_are_read_or_refused(places in prop::collection::vec(0..lines().len(), 0..40)) {
        let all = lines();
        let text: String = places.iter().map(|place| format!("{}\n", all[*place])).collect();
        if let Ok(plan) = Scenario::read(&text, &[]) {
            let written = plan.scenario.to_toml();
            prop_assert_eq!(Scenario::read(&written, &[]).map(|plan| plan.scenario), Ok(plan.scenario));
        }
    }

    #[test]
    fn spoilt_documents_are_read_or_refused(
        which in 0..built_in::ALL.len(),
        place in any::<prop::sample::Index>(),
        by in "\\PC{0,4}",
    ) {
        let text = built_in::ALL[which].text;
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let at = places[place.index(places.len())];
        let next = text[at..].chars().next().map_or(at, |letter| at + letter.len_utf8());
        let spoilt = format!("{}{by}{}", &text[..at], &text[next..]);
        if let Ok(plan) = Scenario::read(&spoilt, &[]) {
            let written = plan.scenario.to_toml();
            prop_assert_eq!(Scenario::read(&written, &[]).map(|plan| plan.scenario), Ok(plan.scenario));
        }
    }

    #[test]
    fn arbitrary_overrides_are_taken_or_refused(key in "[a-z._0-9]{0,30}", value in "\\PC{0,20}") {
        if let Ok(change) = format!("{key}={value}").parse::<Override>() {
            let _ = Scenario::read(built_in::ALL[0].text, &[change]);
        }
    }
}

/// Changes that make sense in any scenario, though not each with each other one.
const CHANGES: &[&str] = &[
    "client.stack=freebsd",
    "client.stack=windows-10-1709",
    "client.stack=lwip",
    "client.stack=smoltcp",
    "client.stack=illumos",
    "client.stack=gvisor",
    "client.idle=1s",
    "client.idle=100s",
    "client.interval=1s",
    "client.count=1",
    "client.user_timeout=20s",
    "client.keepalive=false",
    "client.silent_from=90s",
    "client.power_off=95s",
    "client.close_at=130s",
    "client.abort_at=70s",
    "client.timestamps=false",
    "client.data=[{ at = '3s', octets = 70000, every = '50s' }]",
    "client.address=[2001:db8::1]:40000",
    "server.address=[2001:db8::2]:443",
    "server.stack=macos",
    "server.keepalive=true",
    "server.idle=2s",
    "server.answers=nothing",
    "server.silent_from=80s",
    "server.silent_until=120s",
    "server.power_off=85s",
    "server.power_on=86s",
    "server.close_when_idle=40s",
    "server.stays_half_open=true",
    "server.data=[{ at = '0s', octets = 1, every = '7s' }]",
    "opens=15s",
    "length=400s",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is simulated comes to an end, in the order of time and within it.
    #[test]
    fn changed_scenarios_run(
        which in 0..built_in::ALL.len(),
        changes in prop::collection::vec(prop::sample::select(CHANGES), 0..6),
        seed in any::<u32>(),
    ) {
        let seed = format!("seed={seed}");
        let changes = changes.into_iter().chain([seed.as_str()]);
        let changes: Vec<Override> = changes.map(|text| text.parse().expect("a change")).collect();
        let Ok(plan) = Scenario::read(built_in::ALL[which].text, &changes) else { return Ok(()) };
        let taps: Vec<usize> = (0..plan.taps.len()).collect();
        let run = plan.run(&taps).expect("a world");
        prop_assert!(!run.cut_short);
        let times: Vec<_> = run.happenings.iter().map(|happening| happening.time).collect();
        prop_assert!(times.is_sorted() && times.iter().all(|time| *time <= plan.scenario.length));
        for captured in &run.captures {
            prop_assert!(captured.frames.is_sorted_by_key(|frame| frame.time));
        }
    }
}
