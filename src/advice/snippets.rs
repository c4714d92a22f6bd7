//! Settings as they are written where they count: files of systems and of software, and source code.
//!
//! Owns the one table of [`Snippet`]s: what each parameter is called, what it counts in, what it is by default and who
//! says so, and the text around it. All of it is constant. Uses [`crate::stack`] for cells and the search of a name.

mod code;
mod more_code;
mod software;
mod source;
mod system;
mod traffic;

use super::shape::Shape;
use crate::keepalive::Settings;
use crate::stack::value::{Role, Unit};
use crate::stack::{Cell, Unknown, find};
use crate::time::Span;

/// How settings are put into place in one kind of file or program.
#[derive(Clone, Copy, Debug)]
pub struct Snippet {
    /// Lower case with dashes; never changes.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The stacks that it is for, by name; any where empty.
    pub stacks: &'static [&'static str],
    /// In which language it is.
    pub language: Language,
    /// Where it goes.
    pub place: &'static str,
    /// What keeps the connection alive with it.
    pub means: Means,
    /// What it sets.
    pub parameters: &'static [Parameter],
    /// The text, with a blank for each value.
    text: &'static str,
    /// What is to be minded; empty if nothing.
    pub note: &'static str,
}

/// What keeps a connection alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The keepalive of the stack, with what can be set of it.
    Keepalive(Shape),
    /// Data of the application, which counts for proxies too.
    Heartbeat,
    /// Frames of HTTP/2: data for what watches packets and for proxies of TCP, nothing for those of HTTP.
    Ping,
}

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C.
    C,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Java.
    Java,
    /// C#.
    CSharp,
    /// JavaScript.
    JavaScript,
    /// YAML.
    Yaml,
    /// A shell.
    Shell,
    /// Lines of a program's own configuration.
    Configuration,
}

impl Language {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Python => "python",
            Language::Go => "go",
            Language::Rust => "rust",
            Language::Java => "java",
            Language::CSharp => "csharp",
            Language::JavaScript => "javascript",
            Language::Yaml => "yaml",
            Language::Shell => "shell",
            Language::Configuration => "configuration",
        }
    }
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As it is written.
    pub name: &'static str,
    /// What it sets.
    pub sets: Role,
    /// What it counts in.
    pub unit: Cell<Unit>,
    /// Its default.
    pub default: Cell<&'static str>,
}

impl Parameter {
    const fn new(name: &'static str, sets: Role, unit: Cell<Unit>, default: Cell<&'static str>) -> Self {
        Self { name, sets, unit, default }
    }
}

/// What stands in a text for a value: its name between two @.
const BLANKS: [&str; 7] = ["idle", "interval", "count", "idle_ms", "interval_ms", "idle_hex", "interval_hex"];

/// The values that a text is filled with.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Of the stack's keepalive.
    Keepalive(Settings),
    /// The application says something so often.
    Heartbeat(Span),
}

impl Snippet {
    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = &'static Snippet> {
        [system::ALL, code::ALL, more_code::ALL, software::ALL, traffic::ALL].into_iter().flatten()
    }

    /// The one of that name or alias, whatever the case of its letters.
    ///
    /// # Errors
    /// If there is none; with the names that come nearest.
    pub fn named(name: &str) -> Result<&'static Snippet, Unknown> {
        find(name, Snippet::all(), |snippet| (snippet.name, snippet.aliases))
    }

    /// Those that come first for a stack: what sets its defaults.
    pub fn first_for(stack: &str) -> Vec<&'static Snippet> {
        let own: Vec<_> = Snippet::all().filter(|one| one.is_for(stack) && one.is_of_a_system()).collect();
        if !own.is_empty() {
            return own;
        }
        Snippet::all().filter(|one| one.stacks.contains(&stack)).take(1).collect()
    }

    /// Whether it works on that stack.
    pub fn is_for(&self, stack: &str) -> bool {
        self.stacks.is_empty() || self.stacks.contains(&stack)
    }

    /// Whether it sets the defaults of a whole system.
    fn is_of_a_system(&self) -> bool {
        system::ALL.iter().any(|one| one.name == self.name)
    }

    /// The text with the values in their places.
    pub fn text(&self, values: &Values) -> String {
        fill(self.text, values)
    }
}

/// A text with the values in its blanks.
pub(super) fn fill(text: &str, values: &Values) -> String {
    let settings = match *values {
        Values::Keepalive(settings) => settings,
        Values::Heartbeat(every) => Settings { idle: every, interval: every, count: 3, user_timeout: None },
    };
    let (idle, interval) = (settings.idle.as_nanos(), settings.interval.as_nanos());
    let value = |name: &str| match name {
        "idle" => (idle / 1_000_000_000).to_string(),
        "interval" => (interval / 1_000_000_000).to_string(),
        "count" => settings.count.to_string(),
        "idle_ms" => (idle / 1_000_000).to_string(),
        "interval_ms" => (interval / 1_000_000).to_string(),
        "idle_hex" => format!("{:08x}", idle / 1_000_000),
        "interval_hex" => format!("{:08x}", interval / 1_000_000),
        _ => String::new(),
    };
    BLANKS.iter().fold(text.to_owned(), |text, name| text.replace(&format!("@{name}@"), &value(name)))
}
