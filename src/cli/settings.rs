//! What a user wants wherever nothing else is said: the configuration file, and the environment before it.
//!
//! Owns [`Settings`]. A value becomes the default of the option it stands for, so that an option on the command line
//! comes before it, and it is read and judged by what reads and judges the option. An option that conflicts with one
//! that was given is left as it is.

mod key;
mod place;
mod read;
mod screen;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::printable::{is_harmful, printable, toml_string};

pub(super) use key::{Acts, KEYS, Key, Shape};
pub(super) use place::{Place, Why, find};
pub(super) use read::read;

/// A key with its value; of a list, each.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// The key.
    pub(super) key: &'static Key,
    /// What an option is given.
    pub(super) values: Vec<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This variable of the environment.
    Variable(String),
    /// This line of a file.
    File(PathBuf, usize),
}

/// The keys that a user gave an action of the screen.
#[derive(Clone, Debug)]
pub(super) struct Bindings {
    #[cfg(feature = "dashboard")]
    action: crate::dashboard::keymap::Named,
    #[cfg(feature = "dashboard")]
    keys: Vec<crate::dashboard::message::Key>,
}

/// Everything that was set, by whom, and for whom it does not count.
#[derive(Debug, Default)]
pub(super) struct Settings {
    given: Vec<(Given, Origin)>,
    bindings: Vec<Bindings>,
}

/// What was read before the command began.
static CURRENT: OnceLock<Settings> = OnceLock::new();

/// Keeps what was read for the rest of the process; the first time only.
pub(super) fn keep(settings: Settings) {
    // A second one would be a second command line.
    let _ = CURRENT.set(settings);
}

/// What was read before the command began: the screen begins with it, which has no options in all commands.
#[cfg(feature = "dashboard")]
pub(super) fn current() -> &'static Settings {
    CURRENT.get_or_init(Settings::default)
}

impl Settings {
    /// Whether nothing was set.
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Reads the file and the environment.
    ///
    /// # Errors
    /// One line for each thing that is wrong.
    pub(super) fn load(place: Option<&Place>, definition: &Command) -> Result<Self, Vec<String>> {
        let mut settings = Settings::default();
        let mut problems = Vec::new();
        if let Some(place) = place
            && let Some(text) = place.read().map_err(|problem| vec![problem])?
        {
            let found = checked(&text, definition);
            let at = |line| format!("{}:{line}", shown(&place.path));
            problems.extend(
                found.problems.iter().map(|problem| format!("{}: {}", at(problem.line), problem.text)),
            );
            settings.bindings = found.bindings.into_iter().map(|(bindings, _)| bindings).collect();
            let given = found.given.into_iter();
            settings.given =
                given.map(|(given, line)| (given, Origin::File(place.path.clone(), line))).collect();
        }
        settings.environment(definition, &mut problems);
        #[cfg(feature = "dashboard")]
        if problems.is_empty() {
            problems.extend(settings.manner().err().map(|problem| format!("[probe] {problem}")));
        }
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// What the environment says comes before the file.
    fn environment(&mut self, definition: &Command, problems: &mut Vec<String>) {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if set("NO_COLOR").is_some() {
            let colours = ["color", "screen.theme"];
            self.given.retain(|(given, _)| !colours.contains(&given.key.name));
        }
        for key in KEYS {
            let Some(value) = set(&key.variable()) else { continue };
            let values = match key.shape {
                Shape::Texts => value.split(',').map(|one| one.trim().to_owned()).collect(),
                Shape::Flag if value != "true" && value != "false" => {
                    problems.push(format!("{}: {value:?} is neither true nor false", key.variable()));
                    continue;
                }
                _ => vec![value],
            };
            if let Err(problem) = read::check(key, &values, definition) {
                problems.push(format!("{}: {problem}", key.variable()));
            }
            self.given.retain(|(given, _)| given.key.name != key.name);
            self.given.push((Given { key, values }, Origin::Variable(key.variable())));
        }
    }

    /// The value of a key, and where it comes from.
    pub(super) fn of(&self, key: &Key) -> Option<&(Given, Origin)> {
        self.given.iter().find(|(given, _)| given.key.name == key.name)
    }

    /// The value of the key of that name as one of several; the first of them where nothing was set.
    #[cfg(feature = "dashboard")]
    pub(super) fn choice<T: clap::ValueEnum + Default>(&self, name: &str) -> T {
        let value = self.value(name).and_then(|values| values.first());
        value.and_then(|value| T::from_str(value, false).ok()).unwrap_or_default()
    }

    /// The value of the key of that name.
    #[cfg(feature = "dashboard")]
    fn value(&self, name: &str) -> Option<&[String]> {
        self.given.iter().find(|(given, _)| given.key.name == name).map(|(given, _)| given.values.as_slice())
    }

    /// The definition of the command line with what is set as the defaults of the command that was given.
    pub(super) fn apply(&self, definition: Command, name: &str, matches: &ArgMatches) -> Command {
        definition.mut_subcommand(name, |mut command| {
            for (Given { key, values }, _) in &self.given {
                let Some(option) = key.option_of(&command) else { continue };
                let known = option.get_possible_values();
                let is_known = |value: &String| known.iter().any(|one| one.get_name() == value);
                // Lines are a form of text; who asks for another form gets that.
                let other_form = self.given.iter().any(|(given, _)| {
                    given.key.name == "format"
                        && given.values != ["text"]
                        && given.key.option_of(&command).is_some()
                });
                if key.name == "plain" && other_form {
                    continue;
                }
                let lacks = !known.is_empty() && !values.iter().all(is_known);
                if lacks || is_ruled_out(&command, option, matches) {
                    continue;
                }
                let id = option.get_id().clone();
                command = command.mut_arg(id, |option| option.default_values(values));
            }
            command
        })
    }
}

/// Reads the text of a file, also for keys that would do two things.
pub(super) fn checked(text: &str, definition: &Command) -> read::Read {
    let mut found = read(text, definition);
    let bindings: Vec<Bindings> = found.bindings.iter().map(|(bindings, _)| bindings.clone()).collect();
    let line = found.bindings.iter().map(|(_, line)| *line).min().unwrap_or(1);
    let clashes = Bindings::clashes(&bindings).into_iter();
    found.problems.extend(clashes.map(|text| read::Problem { line, text }));
    found.problems.sort_by_key(|problem| problem.line);
    found
}

/// Options that only make sense one without the other, where the definition lets them stand side by side.
const APART: &[(&str, &str)] =
    &[("timeout", "behind"), ("netns", "pid"), ("format", "plain"), ("plain", "format")];

/// Whether an option was given that goes ill with this one.
fn is_ruled_out(command: &Command, option: &Arg, matches: &ArgMatches) -> bool {
    let conflicts = |one: &Arg, other: &Arg| {
        let (one_id, other_id) = (one.get_id().as_str(), other.get_id().as_str());
        APART.contains(&(one_id, other_id))
            || command.get_arg_conflicts_with(one).iter().any(|found| found.get_id() == other.get_id())
    };
    let given = |other: &&Arg| {
        matches.try_contains_id(other.get_id().as_str()).is_ok()
            && matches.value_source(other.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let mut others = command.get_arguments().filter(|other| other.get_id() != option.get_id()).filter(given);
    others.any(|other| conflicts(option, other) || conflicts(other, option))
}

/// A text as it stands in a file, on one line.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(is_harmful) {
        toml_string(text)
    } else {
        toml::Value::String(text.to_owned()).to_string()
    }
}

/// A file as messages name it.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), '?').into_owned()
}
