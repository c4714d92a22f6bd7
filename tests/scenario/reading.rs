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
