//! Changes to a scenario from outside of its document: `client.idle=60s`.
//!
//! Owns [`Override`]. What it gives goes through the same checks as the document.

use serde::Deserialize;
use toml::{Table, Value};

use super::Scenario;
use super::problem::{ScenarioError, Wrong, locate, wrong_of};

/// A key and the value that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    key: String,
    value: String,
}

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl std::str::FromStr for Override {
    type Err = String;

    /// Reads `key=value`: the names of tables and fields with dots between them, list items by their place from
    /// 0, and a value as in TOML, or plain text.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("write it like client.idle=60s".to_owned());
        };
        let key = key.trim();
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(format!("{key:?} is no key; write it like client.idle=60s"));
        }
        Ok(Self { key: key.to_owned(), value: value.trim().to_owned() })
    }
}

impl Override {
    /// The values that may be meant, most likely first: as TOML has it, or the text as it stands.
    fn values(&self) -> Vec<Value> {
        let text = Value::String(self.value.clone());
        let document: Option<Table> = format!("value = {}", self.value).parse().ok();
        let value = document.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
        value.into_iter().chain([text]).collect()
    }

    fn refuse(&self, problem: impl Into<String>) -> ScenarioError {
        let given = self.to_string().replace(char::is_control, " ");
        ScenarioError::Override { given, problem: problem.into() }
    }
}

/// The scenario of a document that was read before, with the changes.
pub(super) fn apply(text: &str, overrides: &[Override]) -> Result<Scenario, ScenarioError> {
    let mut document: Table = text.parse().map_err(|error| ScenarioError::Somewhere(wrong_of(&error)))?;
    let mut scenario = None;
    for change in overrides {
        let mut first_refusal = None;
        let accepted = change.values().into_iter().find_map(|value| {
            let mut changed = document.clone();
            let result = put(&mut changed, &change.key, value).and_then(|()| {
                Scenario::deserialize(Value::Table(changed.clone())).map_err(|error| wrong_of(&error).problem)
            });
            match result {
                Ok(scenario) => Some((changed, scenario)),
                Err(problem) => {
                    first_refusal.get_or_insert(problem);
                    None
                }
            }
        });
        let Some((changed, read)) = accepted else {
            return Err(change.refuse(first_refusal.unwrap_or_default()));
        };
        document = changed;
        scenario = Some(read);
    }
    scenario.ok_or_else(|| ScenarioError::Somewhere(Wrong::new("", "nothing is changed")))
}

/// Who is to blame for what is wrong with a changed scenario: the change of that key, or the document.
pub(super) fn blame(overrides: &[Override], wrong: Wrong, text: &str) -> ScenarioError {
    let begins = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let touches = |change: &&Override| begins(&wrong.key, &change.key) || begins(&change.key, &wrong.key);
    match overrides.iter().rev().find(touches) {
        Some(change) => change.refuse(wrong.to_string()),
        None => locate(text, wrong),
    }
}

/// Puts a value where a key says.
fn put(document: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let names: Vec<&str> = key.split('.').collect();
    let Some((last, way)) = names.split_last() else { return Err("there is no key".to_owned()) };
    let mut place = Place::Table(document);
    for name in way {
        place = place.into_inner(name)?;
    }
    match place {
        Place::Table(table) => {
            table.insert((*last).to_owned(), value);
        }
        Place::Array(array) => {
            *item(array, last)? = value;
        }
    }
    Ok(())
}

enum Place<'a> {
    Table(&'a mut Table),
    Array(&'a mut Vec<Value>),
}

impl<'a> Place<'a> {
    fn into_inner(self, name: &str) -> Result<Place<'a>, String> {
        let value = match self {
            // A table that is not there yet may be one that the document leaves out.
            Place::Table(table) => table.entry(name).or_insert_with(|| Value::Table(Table::new())),
            Place::Array(array) => item(array, name)?,
        };
        match value {
            Value::Table(table) => Ok(Place::Table(table)),
            Value::Array(array) => Ok(Place::Array(array)),
            other => Err(format!("{name} is a {} and holds nothing", other.type_str())),
        }
    }
}

fn item<'a>(array: &'a mut [Value], name: &str) -> Result<&'a mut Value, String> {
    let count = array.len();
    let index = name.parse::<usize>().ok();
    index.and_then(|index| array.get_mut(index)).ok_or_else(|| match count {
        0 => format!("there is no item {name:?}: the list is empty"),
        _ => format!("there is no item {name:?}: they are counted from 0 to {}", count - 1),
    })
}
