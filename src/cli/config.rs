//! `keepscope config`: what the configuration file says, whether it is right, and where it is.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::settings::{self, KEYS, Key, Origin, Place, Settings, Shape, Why};
use super::{Exit, complain, definition};

const HELP: &str = "\
Examples:
  keepscope config path                            where the file is looked for
  keepscope config example > config.toml           every key with what it does, to begin with
  keepscope config check config.toml               whether it is right, line by line
  keepscope config show                            what holds now, and who says so

An option comes before the environment (KEEPSCOPE_PROBE_IDLE for idle in [probe]), the environment before the
file, the file before what is built in. The file is the one that --config names, or KEEPSCOPE_CONFIG, or
keepscope/config.toml in $XDG_CONFIG_HOME or ~/.config; --no-config reads none. Under sudo it is that of the
user who asked, if nobody else may write to it.";

/// What to do with it.
#[derive(Debug, Args)]
#[command(after_help = HELP, after_long_help = HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Read a file and name everything that is wrong with it, with its line.
    Check {
        /// The file [default: the one that is read]
        file: Option<PathBuf>,
    },
    /// Write every key with its value, and where that comes from.
    Show,
    /// Write where the file is, or would be.
    Path,
    /// Write a file with every key, what it does, and what is built in; all of it as comments.
    Example,
}

/// Does it.
pub(super) fn run(arguments: &Arguments, place: Option<&Place>) -> io::Result<Exit> {
    match &arguments.task {
        Task::Check { file } => check(file.as_deref(), place),
        Task::Show => show(place),
        Task::Path => match place {
            Some(place) => put(&format!("{}\n", named(&place.path))),
            None => Ok(nowhere()),
        },
        Task::Example => put(&example()),
    }
}

/// A path for whoever reads it: scripts take it as it is, on a terminal it does nothing.
fn named(path: &Path) -> String {
    if io::stdout().is_terminal() { settings::shown(path) } else { path.display().to_string() }
}

fn put(text: &str) -> io::Result<Exit> {
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

fn nowhere() -> Exit {
    complain("error: no file is read: neither HOME nor XDG_CONFIG_HOME is set, or --no-config says so");
    Exit::BadInput
}

/// Names what is wrong with a file.
fn check(file: Option<&Path>, place: Option<&Place>) -> io::Result<Exit> {
    let named = file.map(|path| Place { path: path.to_owned(), why: Why::Option });
    let Some(place) = named.as_ref().or(place) else { return Ok(nowhere()) };
    let name = settings::shown(&place.path);
    let text = match place.read() {
        Ok(Some(text)) => text,
        Ok(None) => return put(&format!("{name}: there is none, so everything is as it is built in\n")),
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let found = settings::checked(&text, &definition());
    if found.problems.is_empty() {
        let (set, keys) = (found.given.len(), found.bindings.len());
        return put(&format!("{name}: all right; values set: {set}, actions with other keys: {keys}\n"));
    }
    let mut lines = String::new();
    for problem in &found.problems {
        let _ = writeln!(lines, "{name}:{}: {}", problem.line, problem.text);
    }
    put(&lines)?;
    Ok(Exit::Failed)
}

/// Writes what holds, as a file that says the same.
fn show(place: Option<&Place>) -> io::Result<Exit> {
    let definition = definition();
    let settings = match Settings::load(place, &definition) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| complain(&format!("error: {problem}")));
            return Ok(Exit::BadInput);
        }
    };
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        let (name, heading) = own_name(key, &mut table);
        text.push_str(&heading);
        let (value, from) = match settings.of(key) {
            Some((given, origin)) => (literal(key, &given.values), from(origin)),
            None => match built_in(key, &definition) {
                Some(value) => (value, "built in".to_owned()),
                None => {
                    let _ = writeln!(text, "# {name} is not set");
                    continue;
                }
            },
        };
        let line = format!("{name} = {value}");
        let _ = writeln!(text, "{line:<36}  # {from}");
    }
    text.push_str(&keys(&settings));
    put(&text)
}

/// The name of a key in its table, and what stands before it where a table begins.
fn own_name(key: &Key, table: &mut &'static str) -> (&'static str, String) {
    let (in_table, name) = key.name.split_once('.').unwrap_or(("", key.name));
    let begins = *table != in_table;
    *table = in_table;
    (name, if begins { format!("\n[{in_table}]\n") } else { String::new() })
}

fn from(origin: &Origin) -> String {
    match origin {
        Origin::Variable(name) => name.clone(),
        Origin::File(path, line) => format!("{}:{line}", settings::shown(path)),
    }
}

/// A value as it stands in a file.
fn literal(key: &Key, values: &[String]) -> String {
    let quoted = |value: &String| settings::quoted(value);
    match key.shape {
        Shape::Whole | Shape::Flag => values.join(""),
        Shape::Text => values.first().map(quoted).unwrap_or_default(),
        Shape::Texts => format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
    }
}

/// What holds where nobody says anything.
fn built_in(key: &Key, definition: &clap::Command) -> Option<String> {
    match key.acts {
        settings::Acts::Screen(_) => Some(key.example.to_owned()),
        // Probe and watch begin with a screen in a terminal, and have text elsewhere.
        settings::Acts::Option("format", _) => Some(key.example.to_owned()),
        settings::Acts::Option(..) if key.shape == Shape::Flag => Some("false".to_owned()),
        settings::Acts::Option(..) => {
            let option = key.options(definition).next()?;
            let values = option.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
            let values: Vec<String> = values.collect();
            (!values.is_empty()).then(|| literal(key, &values))
        }
    }
}

#[cfg(feature = "dashboard")]
fn keys(settings: &Settings) -> String {
    let mut text = String::from("\n[keys]\n");
    for (name, keys, changed) in settings.keys() {
        let line = format!("{name} = {keys}");
        let from = if changed { "the file" } else { "built in" };
        let _ = writeln!(text, "{line:<36}  # {from}");
    }
    text
}

#[cfg(not(feature = "dashboard"))]
fn keys(_: &Settings) -> String {
    String::new()
}

/// A file with every key, as comments.
fn example() -> String {
    let mut text =
        String::from("# What keepscope does where nothing else is said. Options come before this file.\n");
    let mut table = "";
    let definition = definition();
    for key in KEYS {
        let (name, heading) = own_name(key, &mut table);
        text.push_str(&heading);
        let unset = if built_in(key, &definition).is_none() { " (not set by default)" } else { "" };
        let _ = write!(text, "\n# {}{unset}.\n#{name} = {}\n", key.words, key.example);
    }
    let known = keys(&Settings::default());
    if !known.is_empty() {
        text.push_str(
            "\n# Keys of the screen: one, or a list, or [] for none. A character, ctrl-l, f5, or space, enter, esc, \
             tab,\n# shift-tab, backspace, delete, up, down, left, right, pgup, pgdn, home, end.\n",
        );
        for line in known.trim_start().lines() {
            let line = line.split("  # ").next().unwrap_or_default().trim_end();
            let _ = writeln!(text, "{}{line}", if line.starts_with('[') { "" } else { "#" });
        }
    }
    text
}
