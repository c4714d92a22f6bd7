//! Scenarios: what is read is written as a document that reads as the same, a refusal is one plain line about a line
//! that is there, and what was accepted runs, the same each time.

use std::cell::Cell;

use keepscope::simulate::scenario::{Override, Scenario, ScenarioError};

/// Between the document and the overrides, which have a line each.
const OVERRIDES: &str = "\n---\n";

/// How often a run is asked whether it goes on.
const STEPS: u32 = 8;

/// The input is a document, with overrides behind it perhaps.
pub fn hold(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (document, overrides) = text.split_once(OVERRIDES).unwrap_or((text, ""));
    let overrides: Vec<Override> = overrides.lines().take(4).filter_map(|line| line.parse().ok()).collect();
    let plan = match Scenario::read(document, &overrides) {
        Ok(plan) => plan,
        Err(error) => return refusal_holds(document, &error),
    };
    let written = plan.scenario.to_toml();
    let again = Scenario::read(&written, &[])
        .unwrap_or_else(|error| panic!("{error}\nread from\n{text}\nwritten as\n{written}"));
    assert_eq!(again.scenario, plan.scenario, "{text}\nwritten as\n{written}");
    assert_eq!(again.scenario.to_toml(), written);

    let (first, second) = (run(&plan), run(&again));
    assert_eq!(first, second, "two runs differ");
}

/// What a run says of itself; nothing where the parts cannot be put together.
fn run(plan: &keepscope::simulate::scenario::Plan) -> Option<String> {
    let steps = Cell::new(0);
    let goes_on = || {
        steps.set(steps.get() + 1);
        steps.get() <= STEPS
    };
    let run = plan.run_while(&[], &goes_on).ok()?;
    assert!(run.end >= run.start);
    if !run.cut_short {
        assert_eq!(run.end.since(run.start), plan.scenario.length);
    }
    Some(format!("{:?} {:?} {:?} {} {:?}", run.happenings, run.ends, run.verdicts, run.events, run.end))
}

fn refusal_holds(document: &str, error: &ScenarioError) {
    let told = error.to_string();
    assert!(super::is_plain(&told) && !told.contains('\n'), "{told:?}");
    if let ScenarioError::At { line, .. } = error {
        let lines = document.split('\n').count();
        assert!((1..=lines).contains(line), "{told}, of {lines} lines");
    }
}
