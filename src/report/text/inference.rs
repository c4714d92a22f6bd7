//! Inferred settings in a line for a person.

use crate::analysis::Inference;
use crate::analysis::inference::{Explanation, Setting};
use crate::stack::value::seconds;
use crate::time::Span;

/// Explanations that a person is told.
const TOLD: usize = 2;

/// Scores that are worth telling a person.
const WORTH_TELLING: f64 = 0.2;

/// A second explanation is told if its score is this share of the best.
const COMES_NEAR: f64 = 0.8;

/// The settings in one line; nothing if none fit.
pub(in crate::report) fn line(inference: &Inference) -> Option<String> {
    let at_least = inference.count.filter(|count| !count.exact).map(|count| count.value);
    let named: Vec<String> = told(inference).into_iter().map(|one| explained(one, at_least)).collect();
    (!named.is_empty()).then(|| format!("looks like {}", named.join("; or ")))
}

/// The settings that are worth telling a person, best first.
pub(in crate::report) fn told(inference: &Inference) -> Vec<&Explanation> {
    let best = inference.settings.first().map_or(0.0, |best| best.score);
    let mut told: Vec<&Explanation> = Vec::new();
    for one in &inference.settings {
        // The same settings at another HZ tell a person nothing.
        let is_new = told.iter().all(|other| {
            other.stack != one.stack || (other.idle, other.interval) != (one.idle, one.interval)
        });
        if is_new && told.len() < TOLD && one.score >= WORTH_TELLING && one.score >= best * COMES_NEAR {
            told.push(one);
        }
    }
    told
}

fn explained(explanation: &Explanation, at_least: Option<u32>) -> String {
    let hz = explanation.hz.map_or(String::new(), |hz| format!(" (HZ={hz})"));
    let mut parts = Vec::new();
    parts.extend(explanation.idle.map(|idle| format!("idle {}", ranged(idle))));
    parts.extend(explanation.interval.map(|interval| format!("interval {}", ranged(interval))));
    let timeout = explanation.user_timeout.filter(|_| explanation.count_in_doubt);
    let timeout = timeout.map(|timeout| format!("user timeout {}", ranged(timeout)));
    parts.extend(match (explanation.count, timeout, at_least) {
        (Some(count), Some(timeout), _) => Some(format!("{timeout}, or count {count}")),
        (None, Some(timeout), _) => Some(timeout),
        (Some(count), None, _) => Some(format!("count {count}")),
        (None, None, Some(least)) => Some(format!("count at least {least}")),
        (None, None, None) => None,
    });
    let asked = explanation.application.map_or(String::new(), |name| format!(", as {name} asks for"));
    format!("{}{hz}: {}{asked}", explanation.title, parts.join(", "))
}

/// A setting, or the range of those that fit with the roundest of them.
pub(in crate::report) fn ranged(setting: Setting) -> String {
    if setting.low == setting.high {
        return seconds(setting.value);
    }
    let bare = |span: Span| seconds(span).trim_end_matches(" s").to_owned();
    format!("{}..{} s ({}?)", bare(setting.low), bare(setting.high), bare(setting.value))
}
