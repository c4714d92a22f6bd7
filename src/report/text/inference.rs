//! Inferred settings in a line for a person.

use super::words;
use crate::analysis::Inference;
use crate::analysis::inference::{Explanation, Setting};

/// Explanations that a person is told.
const TOLD: usize = 2;

/// Scores that are worth telling a person.
const WORTH_TELLING: f64 = 0.2;

/// A second explanation is told if its score is this share of the best.
const COMES_NEAR: f64 = 0.8;

/// The settings in one line; nothing if none fit.
#[cfg(feature = "live")]
pub(in crate::report) fn line(inference: &Inference) -> Option<String> {
    let mut text = String::new();
    write(&mut text, inference).then_some(text)
}

/// Adds the settings to a line; returns whether any fit.
pub(super) fn write(text: &mut String, inference: &Inference) -> bool {
    let at_least = inference.count.filter(|count| !count.exact).map(|count| count.value);
    let told = told(inference);
    for (index, explanation) in told.iter().enumerate() {
        text.push_str(if index == 0 { "looks like " } else { "; or " });
        explained(text, explanation, at_least);
    }
    !told.is_empty()
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

fn explained(text: &mut String, explanation: &Explanation, at_least: Option<u32>) {
    text.push_str(explanation.title);
    if let Some(hz) = explanation.hz {
        text.push_str(" (HZ=");
        words::number(text, hz.into());
        text.push(')');
    }
    text.push_str(": ");
    // What comes before the next part.
    let mut before = "";
    let mut part = |text: &mut String, name: &str| {
        text.push_str(std::mem::replace(&mut before, ", "));
        text.push_str(name);
    };
    if let Some(idle) = explanation.idle {
        part(text, "idle ");
        write_ranged(text, idle);
    }
    if let Some(interval) = explanation.interval {
        part(text, "interval ");
        write_ranged(text, interval);
    }
    let timeout = explanation.user_timeout.filter(|_| explanation.count_in_doubt);
    if let Some(timeout) = timeout {
        part(text, "user timeout ");
        write_ranged(text, timeout);
    }
    let count = match (explanation.count, timeout, at_least) {
        (Some(count), Some(_), _) => Some(("or count ", count)),
        (Some(count), None, _) => Some(("count ", count)),
        (None, None, Some(least)) => Some(("count at least ", least)),
        _ => None,
    };
    if let Some((name, count)) = count {
        part(text, name);
        words::number(text, count.into());
    }
    if let Some(name) = explanation.application {
        for word in [", as ", name, " asks for"] {
            text.push_str(word);
        }
    }
}

/// A setting, or the range of those that fit with the roundest of them.
#[cfg(feature = "html")]
pub(in crate::report) fn ranged(setting: Setting) -> String {
    let mut text = String::new();
    write_ranged(&mut text, setting);
    text
}

fn write_ranged(text: &mut String, setting: Setting) {
    if setting.low == setting.high {
        words::seconds(text, setting.value);
        return text.push_str(" s");
    }
    words::seconds(text, setting.low);
    text.push_str("..");
    words::seconds(text, setting.high);
    text.push_str(" s (");
    words::seconds(text, setting.value);
    text.push_str("?)");
}
