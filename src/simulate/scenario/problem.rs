//! What is wrong with a scenario, where, and what would be right.
//!
//! Owns [`ScenarioError`] and how it is made from what the TOML reader says.

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::stack::nearest;

/// What is wrong with a scenario. `Display` is one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// A file has it.
    #[error("line {line}: {wrong}")]
    At {
        /// The line, from 1.
        line: usize,
        /// What.
        wrong: Wrong,
    },
    /// An override has it, or nobody knows which line does.
    #[error("{0}")]
    Somewhere(Wrong),
    /// An override names what it cannot change.
    #[error("--set {given}: {problem}")]
    Override {
        /// As it was given, without control characters.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Something wrong, at a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if .key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct Wrong {
    /// Where, as `client.idle` or `expect.events.0.at`; empty if it is about no key.
    pub key: String,
    /// What, and what would be right.
    pub problem: String,
}

impl Wrong {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

/// Reads a document; says in which line it is wrong.
pub(super) fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, ScenarioError> {
    toml::from_str(text).map_err(|error| {
        let wrong = wrong_of(&error);
        match error.span() {
            Some(span) => ScenarioError::At { line: line_of(text, span.start), wrong },
            None => ScenarioError::Somewhere(wrong),
        }
    })
}

/// What the reader says, in our words.
pub(super) fn wrong_of(error: &toml::de::Error) -> Wrong {
    let message = error.message().lines().next().unwrap_or("this is no TOML document");
    let quoted = || message.split('`').skip(1).step_by(2);
    let problem = if message.starts_with("unknown field `") {
        unknown_field(quoted().collect())
    } else if message.starts_with("missing field `") {
        format!("{} is missing", quoted().next().unwrap_or("a field"))
    } else {
        numbers_in_words(message)
    };
    Wrong { key: key_of(error), problem }
}

/// From the names in a message about a field: the wrong one, then all that are right.
fn unknown_field(names: Vec<&str>) -> String {
    let Some((wrong, known)) = names.split_first() else { return "there is no such field".to_owned() };
    match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("there is no field {wrong:?}; did you mean {near}?"),
        None => format!("there is no field {wrong:?}; there are {}", known.join(", ")),
    }
}

/// The kinds of numbers that the reader names as a program does.
fn numbers_in_words(message: &str) -> String {
    let said = ["u64", "u32", "u16", "u8"].into_iter().find_map(|kind| {
        message.strip_suffix(kind).filter(|rest| rest.ends_with("expected ")).map(|rest| match kind {
            "u8" => format!("{rest}a whole number from 0 to 255"),
            _ => format!("{rest}a whole number from 0 on"),
        })
    });
    said.unwrap_or_else(|| message.to_owned())
}

/// The key that an error is about, which the reader tells only in its text.
fn key_of(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    last.unwrap_or_default().to_owned()
}

/// Where something wrong stands in a document that could be read.
pub(super) fn locate(text: &str, wrong: Wrong) -> ScenarioError {
    match line_of_key(text, &wrong.key) {
        Some(line) => ScenarioError::At { line, wrong },
        None => ScenarioError::Somewhere(wrong),
    }
}

/// The line of a key, or of the longest part of it that is there.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut place = None;
    let mut names = key.split('.').filter(|name| !name.is_empty());
    let (found, value) = document.get_ref().get_key_value(names.next()?)?;
    place.replace(found.span().start);
    let mut value = value.get_ref();
    for name in names {
        let next = match value {
            DeValue::Table(table) => table.get_key_value(name).map(|(key, value)| (key.span(), value)),
            DeValue::Array(array) => name
                .parse::<usize>()
                .ok()
                .and_then(|index| array.get(index))
                .map(|value| (value.span(), value)),
            _ => None,
        };
        let Some((span, inner)) = next else { break };
        place.replace(span.start);
        value = inner.get_ref();
    }
    place.map(|start| line_of(text, start))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
