//! The keys of the configuration file: the one table of them.
//!
//! Owns [`Key`] and [`KEYS`].

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Shape {
    /// A string.
    Text,
    /// A whole number.
    Whole,
    /// true or false.
    Flag,
    /// Several strings.
    Texts,
}

impl Shape {
    /// As messages name it.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Shape::Text => "a string",
            Shape::Whole => "a whole number",
            Shape::Flag => "true or false",
            Shape::Texts => "a list of strings",
        }
    }
}

/// On what a key acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Acts {
    /// It is the default of this option, in these commands, or in all that have it where none is named.
    Option(&'static str, &'static [&'static str]),
    /// The screen begins so.
    Screen(Screen),
}

/// What has no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Screen {
    /// Whether clicks come to the program.
    Mouse,
    /// The columns of the table.
    Columns,
    /// How times are written.
    Times,
}

/// A key.
#[derive(Debug)]
pub(in crate::cli) struct Key {
    /// With its table before a dot.
    pub(in crate::cli) name: &'static str,
    /// What its value looks like.
    pub(in crate::cli) shape: Shape,
    /// On what it acts.
    pub(in crate::cli) acts: Acts,
    /// What it does, in a few words.
    pub(in crate::cli) words: &'static str,
    /// A value as it stands in a file: the built-in one, where there is one.
    pub(in crate::cli) example: &'static str,
}

const fn key(
    name: &'static str,
    shape: Shape,
    acts: Acts,
    words: &'static str,
    example: &'static str,
) -> Key {
    Key { name, shape, acts, words, example }
}

use Acts::Option as O;
use Shape as S;

/// Those of a path that forgets connections; of `middlebox`, --timeout takes the place of a search.
const JUDGES: &[&str] = &["audit", "check", "recommend"];

/// The table. Keys without a table come first, as TOML wants it.
pub(in crate::cli) const KEYS: &[Key] = &[
    key(
        "color",
        S::Text,
        O("color", &[]),
        "Colours: auto, always or never. NO_COLOR in the environment comes before this",
        "\"auto\"",
    ),
    key(
        "format",
        S::Text,
        O("format", &[]),
        "How results are written: text, json, jsonl or csv, in the commands that have this form",
        "\"text\"",
    ),
    key(
        "plain",
        S::Flag,
        O("plain", &[]),
        "Lines instead of a screen, for screen readers; keepscope alone still opens its start screen",
        "false",
    ),
    key("quiet", S::Flag, O("quiet", &[]), "No progress on standard error", "false"),
    key("netns", S::Text, O("netns", &[]), "Network namespace of all live commands", "\"blue\""),
    key(
        "timeout",
        S::Text,
        O("timeout", JUDGES),
        "Silence after which your path forgets a connection: check, audit and recommend judge by it",
        "\"350s\"",
    ),
    key(
        "screen.theme",
        S::Text,
        O("theme", &[]),
        "Theme: auto, dark, light, high-contrast or mono. NO_COLOR in the environment comes before this",
        "\"auto\"",
    ),
    key("screen.ascii", S::Flag, O("ascii", &[]), "Draw with ASCII only", "false"),
    key(
        "screen.mouse",
        S::Flag,
        Acts::Screen(Screen::Mouse),
        "Clicks go to the screen (Shift selects text)",
        "false",
    ),
    key(
        "screen.columns",
        S::Texts,
        Acts::Screen(Screen::Columns),
        "Columns of a capture's connections, beside both ends and the verdict",
        "[\"number\", \"first\", \"duration\", \"idle\", \"interval\", \"count\", \"probes\", \"lost\", \"rtt\"]",
    ),
    key(
        "screen.times",
        S::Text,
        Acts::Screen(Screen::Times),
        "Times on the screen: since_start, utc or delta",
        "\"since_start\"",
    ),
    key(
        "replay.speed",
        S::Text,
        O("speed", &["replay"]),
        "Play captures from the beginning at this speed: 0.25 to 1000, or fit",
        "\"fit\"",
    ),
    key(
        "analyze.filter",
        S::Text,
        O("filter", &["analyze"]),
        "Only connections that pass this filter",
        "\"!port:22\"",
    ),
    key("analyze.all", S::Flag, O("all", &["analyze"]), "Connections without keepalives too", "false"),
    key(
        "probe.idle",
        S::Text,
        O("idle", &["probe"]),
        "Silence before the first probe, also of peers added on the screen",
        "\"1s\"",
    ),
    key(
        "probe.interval",
        S::Text,
        O("interval", &["probe"]),
        "Time between probes that are not answered",
        "\"1s\"",
    ),
    key("probe.count", S::Whole, O("count", &["probe"]), "Probes in vain before a peer is given up", "3"),
    key(
        "probe.octets",
        S::Text,
        O("octets", &["probe"]),
        "Octets of a probe: 0, 1, or both in turn",
        "\"0\"",
    ),
    key(
        "probe.connect_timeout",
        S::Text,
        O("connect_timeout", &["probe"]),
        "How long to wait for a connection to open",
        "\"10s\"",
    ),
    key("probe.max_rate", S::Whole, O("max_rate", &["probe"]), "Packets a second at most", "100"),
    key("watch.interface", S::Texts, O("interface", &["watch"]), "Only these interfaces", "[\"eth0\"]"),
    key(
        "watch.filter",
        S::Text,
        O("filter", &["watch"]),
        "Only connections that pass this filter",
        "\"port:443\"",
    ),
];

impl Key {
    /// The key of that name.
    pub(in crate::cli) fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable that comes before the file.
    pub(in crate::cli) fn variable(&self) -> String {
        format!("KEEPSCOPE_{}", self.name.to_ascii_uppercase().replace('.', "_"))
    }

    /// The option it is the default of in a command.
    pub(in crate::cli) fn option_of<'a>(&self, command: &'a clap::Command) -> Option<&'a clap::Arg> {
        let Acts::Option(option, commands) = self.acts else { return None };
        if !commands.is_empty() && !commands.contains(&command.get_name()) {
            return None;
        }
        command.get_arguments().find(|argument| argument.get_id() == option)
    }

    /// The options it is the default of.
    pub(in crate::cli) fn options<'a>(
        &self,
        definition: &'a clap::Command,
    ) -> impl Iterator<Item = &'a clap::Arg> {
        definition.get_subcommands().filter_map(|command| self.option_of(command))
    }
}
