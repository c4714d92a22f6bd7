//! From the text of a configuration file to values, or to one line for each thing that is wrong with it.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Acts, KEYS, Key, Shape};
use super::{Bindings, Given};
use crate::stack::nearest;

/// Something that is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Problem {
    /// Counted from 1.
    pub(in crate::cli) line: usize,
    /// What, and what to write instead.
    pub(in crate::cli) text: String,
}

/// What a file says.
#[derive(Debug, Default)]
pub(in crate::cli) struct Read {
    /// The values that are as they should be, each with its line.
    pub(in crate::cli) given: Vec<(Given, usize)>,
    /// The table of keys.
    pub(in crate::cli) bindings: Vec<(Bindings, usize)>,
    /// What is wrong, in the order of the lines.
    pub(in crate::cli) problems: Vec<Problem>,
}

/// Reads a file.
pub(in crate::cli) fn read(text: &str, definition: &clap::Command) -> Read {
    let mut reader = Reader { text, definition, read: Read::default() };
    match DeTable::parse(text) {
        Ok(table) => reader.top(table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reader.wrong(at, error.message().replace('\n', ", "));
        }
    }
    reader.read.problems.sort_by_key(|problem| problem.line);
    reader.read
}

struct Reader<'a> {
    text: &'a str,
    definition: &'a clap::Command,
    read: Read,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|octet| **octet == b'\n').count() + 1
    }

    fn wrong(&mut self, at: usize, text: String) {
        let line = self.line(at);
        self.read.problems.push(Problem { line, text });
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let inner = match value.get_ref() {
                DeValue::Table(inner) => inner,
                _ => {
                    self.value(name, name.get_ref(), value);
                    continue;
                }
            };
            let prefix = format!("{}.", name.get_ref());
            if name.get_ref() == "keys" {
                inner.iter().for_each(|(action, keys)| self.binding(action, keys));
            } else if KEYS.iter().any(|key| key.name.starts_with(&prefix)) {
                for (own, value) in inner {
                    self.value(own, &format!("{prefix}{}", own.get_ref()), value);
                }
            } else {
                self.unknown(name, name.get_ref(), "table");
            }
        }
    }

    fn unknown(&mut self, at: &Spanned<std::borrow::Cow<'_, str>>, name: &str, what: &str) {
        let tables = KEYS.iter().filter_map(|key| Some(key.name.split_once('.')?.0)).chain(["keys"]);
        let near = match what {
            "table" => nearest(name, tables),
            _ => nearest(name, KEYS.iter().map(|key| key.name)).or_else(|| elsewhere(name)),
        };
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.wrong(at.span().start, format!("there is no {what} {name:?}{near}"));
    }

    fn value(&mut self, at: &Spanned<std::borrow::Cow<'_, str>>, name: &str, value: &Spanned<DeValue<'_>>) {
        let Some(key) = Key::named(name) else { return self.unknown(at, name, "key") };
        let begins = value.span().start;
        let Some(values) = values(key, value.get_ref()) else {
            let kind = kind(value.get_ref());
            let (wanted, example) = (key.shape.name(), key.example);
            return self.wrong(begins, format!("{name} is {wanted}, as {example}, not {kind}"));
        };
        match check(key, &values, self.definition) {
            Ok(()) => {
                let line = self.line(begins);
                self.read.given.push((Given { key, values }, line));
            }
            Err(problem) => self.wrong(begins, format!("{name}: {problem}")),
        }
    }

    fn binding(&mut self, action: &Spanned<std::borrow::Cow<'_, str>>, keys: &Spanned<DeValue<'_>>) {
        let texts = match keys.get_ref() {
            DeValue::String(text) => Some(vec![text.to_string()]),
            list => texts(list),
        };
        let name = action.get_ref();
        let Some(texts) = texts else {
            let kind = kind(keys.get_ref());
            let problem =
                format!("keys.{name} is a key or a list of keys, as [\"x\", \"ctrl-l\"], not {kind}");
            return self.wrong(keys.span().start, problem);
        };
        let line = self.line(action.span().start);
        match Bindings::read(name, &texts) {
            Ok(bindings) => self.read.bindings.push((bindings, line)),
            Err(problem) => self.wrong(action.span().start, problem),
        }
    }
}

/// The key that has this name in a table, where only the table is missing.
fn elsewhere(name: &str) -> Option<&'static str> {
    let own = name.rsplit('.').next()?;
    let last = |key: &Key| key.name.rsplit('.').next().unwrap_or_default().to_owned();
    KEYS.iter().find(|key| last(key) == own).map(|key| key.name)
}

fn values(key: &Key, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (key.shape, value) {
        (Shape::Text, DeValue::String(text)) => Some(vec![text.to_string()]),
        (Shape::Whole, DeValue::Integer(number)) => Some(vec![number.to_string()]),
        (Shape::Flag, DeValue::Boolean(flag)) => Some(vec![flag.to_string()]),
        (Shape::Texts, list) => texts(list),
        _ => None,
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let DeValue::Array(list) = value else { return None };
    list.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Whether what the key acts on takes these values.
///
/// # Errors
/// What is wrong with them, in one line.
pub(super) fn check(key: &Key, values: &[String], definition: &clap::Command) -> Result<(), String> {
    match key.acts {
        Acts::Screen(screen) => super::screen::check(screen, values),
        // A form that one command has is enough.
        Acts::Option("format", _) => {
            let mut known: Vec<String> = Vec::new();
            for option in key.options(definition) {
                let own = option.get_possible_values();
                known.extend(own.iter().map(|value| value.get_name().to_owned()));
            }
            known.sort();
            known.dedup();
            let unknown = values.iter().find(|value| !known.contains(value));
            unknown.map_or(Ok(()), |value| Err(not_one_of(value, &known)))
        }
        Acts::Option(..) => {
            let Some(option) = key.options(definition).next() else { return Ok(()) };
            values.iter().try_for_each(|value| taken(option, value))
        }
    }
}

/// Whether an option takes a value.
fn taken(option: &clap::Arg, value: &str) -> Result<(), String> {
    let parser = option.get_value_parser().clone();
    let alone = clap::Arg::new("value").value_parser(parser).allow_hyphen_values(true);
    let command = clap::Command::new("value").no_binary_name(true).disable_help_flag(true).arg(alone);
    let Err(error) = command.try_get_matches_from([value]) else { return Ok(()) };
    let known = error.get(ContextKind::ValidValue);
    if let (ErrorKind::InvalidValue, Some(ContextValue::Strings(known))) = (error.kind(), known) {
        return Err(not_one_of(value, known));
    }
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let text = source.unwrap_or_else(|| "not taken".to_owned());
    Err(format!("{value:?}: {}", text.lines().next().unwrap_or_default()))
}

fn not_one_of(value: &str, known: &[String]) -> String {
    let near = nearest(value, known.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("{value:?} is none of {}{near}", known.join(", "))
}
