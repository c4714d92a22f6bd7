//! Which key does what: one table, from which the help and the list in the README are made too.
//!
//! Owns [`Action`], [`BINDINGS`] and, with what a user changed of it, [`Keymap`]. Pure.

mod bound;
mod chord;
mod names;

pub use bound::{Clash, Keymap, Row};
pub use names::Named;

use super::message::Key;
use super::model::Screen;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// End.
    Quit,
    /// End at once, as interrupted.
    Interrupt,
    /// Show the keys.
    Help,
    /// Go to a screen.
    Screen(Screen),
    /// Draw everything anew.
    Redraw,
    /// Keys go to the next panel.
    FocusNext,
    /// Keys go to the panel before.
    FocusBack,
    /// One line up or down, a page, or all the way.
    Line(isize),
    /// See `Line`; in pages.
    Page(isize),
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Take what is chosen; or let a panel fill the screen.
    Enter,
    /// Away with what lies over the screen.
    Back,
    /// The panel fills the screen, or no longer.
    Maximise,
    /// Ask for a filter.
    Filter,
    /// The next or previous connection, whichever panel has the keys.
    Connection(isize),
    /// Ask which columns to show.
    Columns,
    /// Sort by something else.
    Sort,
    /// Sort the other way round.
    Reverse,
    /// Connections without keepalives too.
    All,
    /// Play or pause.
    Play,
    /// One packet on or back.
    Packet(isize),
    /// So many seconds on or back.
    Seconds(i64),
    /// The next or previous event.
    Event(isize),
    /// To the beginning.
    Begin,
    /// To the end.
    End,
    /// Ask for a time or a packet to go to.
    GoTo,
    /// Faster or slower.
    Speed(isize),
    /// Mark the moment as A or B.
    Mark(usize),
    /// Zoom the timeline.
    Zoom(isize),
    /// Fold silences, or no longer.
    Fold,
    /// Sequence numbers relative or as on the wire.
    Relative,
    /// Times in another way.
    Times,
    /// Copy the chosen connection.
    Copy,
    /// Copy the panel that has the keys.
    CopyPanel,
    /// Ask what to export.
    Export,
    /// The log fills the screen.
    Log,
    /// Another theme.
    Theme,
    /// Clicks come to us, or no longer.
    Mouse,
    /// Open another capture or scenario.
    Open,
    /// Ask which peer to probe.
    Peer,
    /// Watch the interfaces.
    Watch,
    /// Ask how the chosen connection is to be probed from now on.
    Change,
    /// Ask how peers to come are to be probed.
    Manner,
    /// Probe the chosen connection at once.
    ProbeNow,
    /// Hold probes back, or no longer.
    Hold,
    /// Close the chosen connection.
    Close,
    /// Record packets, or no longer.
    Record,
    /// Change the chosen field by a step; or go by a second, where another panel has the keys.
    Sideways(isize),
    /// Change the chosen field by a step.
    Step(isize),
    /// Choose a scenario to begin with.
    Scenarios,
    /// Write the scenario.
    WriteScenario,
    /// Keep what is predicted to compare with.
    Keep,
    /// Simulate many times.
    Batch,
    /// Take the last change back.
    Undo,
    /// The search in the other direction.
    Direction,
    /// Ask through what to rehearse a search.
    Rehearse,
}

/// Some keys and what they do.
#[derive(Debug)]
pub struct Binding {
    /// The keys with their actions.
    pub keys: &'static [(Key, Action)],
    /// How they are written.
    pub shown: &'static str,
    /// What they do, in a few words.
    pub words: &'static str,
    /// The shortest form, for the bottom line; empty if it does not stand there.
    pub short: &'static str,
    /// On which screens; none stands for all.
    pub screens: &'static [Screen],
}

const fn everywhere(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[] }
}

const fn replay(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Replay] }
}

const fn middlebox(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Middlebox] }
}

const fn live(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Live] }
}

const fn begins(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Start, Screen::Live] }
}

const fn source(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Live, Screen::Replay] }
}

/// Where time goes by at some speed.
const fn played(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Replay, Screen::Simulate] }
}

/// Where something is shown along time.
const fn timed(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Live, Screen::Replay, Screen::Simulate] }
}

const fn simulate(
    keys: &'static [(Key, Action)],
    shown: &'static str,
    words: &'static str,
    short: &'static str,
) -> Binding {
    Binding { keys, shown, words, short, screens: &[Screen::Simulate] }
}

use Action as A;
use Key as K;

/// The table, in the order of the help.
pub static BINDINGS: &[Binding] = &[
    simulate(
        &[(K::Char('<'), A::Step(-1)), (K::Char('>'), A::Step(1))],
        "< >",
        "change the chosen field by a step, from any panel",
        "adjust",
    ),
    simulate(
        &[(K::Left, A::Sideways(-1)), (K::Right, A::Sideways(1))],
        "Left Right",
        "the same in the form; 1 s back, on in other panels",
        "",
    ),
    simulate(&[(K::Char('p'), A::Scenarios)], "p", "choose a scenario to begin with", "scenarios"),
    simulate(
        &[(K::Char('D'), A::Keep)],
        "D",
        "keep what is predicted as the base and show what a change makes of it; again: no more",
        "diff",
    ),
    simulate(
        &[(K::Char('b'), A::Batch)],
        "b",
        "simulate many times, over phases or seeds; again: stop",
        "batch",
    ),
    simulate(
        &[(K::Char('w'), A::WriteScenario)],
        "w",
        "write the scenario as TOML, which keepscope simulate runs; never over a file",
        "write",
    ),
    simulate(&[(K::Char('u'), A::Undo)], "u", "take the last change back", "undo"),
    played(&[(K::Char(' '), A::Play)], "Space", "play or pause; at the end, play again", "play"),
    live(
        &[(K::Char(' '), A::Play)],
        "Space",
        "live: the screen stands still, or goes on with now; probing and recording go on",
        "pause",
    ),
    begins(
        &[(K::Char('p'), A::Peer)],
        "p",
        "live: probe a peer, another one too (HOST:PORT idle=30s interval=10s count=5 octets=1)",
        "probe",
    ),
    begins(&[(K::Char('w'), A::Watch)], "w", "live: watch the interfaces", ""),
    live(&[(K::Char('!'), A::ProbeNow)], "!", "live: send a probe now; it does not count", "now"),
    live(
        &[(K::Char('C'), A::Change), (K::Char('D'), A::Manner)],
        "C D",
        "live: probe the chosen connection otherwise; how peers to come are probed",
        "settings",
    ),
    live(
        &[(K::Char('H'), A::Hold)],
        "H",
        "live: hold all probes back, but for those by hand; again lets them go",
        "hold",
    ),
    live(&[(K::Char('R'), A::Record)], "R", "live: record to a new file; again ends the recording", "record"),
    live(&[(K::Char('x'), A::Close)], "x", "live: close the chosen connection (twice)", "close"),
    timed(
        &[(K::Char('.'), A::Packet(1)), (K::Char(','), A::Packet(-1))],
        ". ,",
        "next, previous packet of the chosen connection",
        "step",
    ),
    timed(
        &[
            (K::Char('}'), A::Event(1)),
            (K::Char('{'), A::Event(-1)),
            (K::Ctrl('n'), A::Event(1)),
            (K::Ctrl('p'), A::Event(-1)),
        ],
        "{ }",
        "previous, next event of the chosen connection (also Ctrl-P, Ctrl-N)",
        "event",
    ),
    source(&[(K::Left, A::Seconds(-1)), (K::Right, A::Seconds(1))], "Left Right", "1 s back, on", ""),
    timed(&[(K::Char('['), A::Seconds(-10)), (K::Char(']'), A::Seconds(10))], "[ ]", "10 s back, on", "10 s"),
    timed(
        &[(K::Home, A::Begin), (K::End, A::End)],
        "Home End",
        "to the beginning, to the end (live: to now)",
        "",
    ),
    timed(
        &[(K::Char(':'), A::GoTo)],
        ":",
        "go to a time (12.5s, 2m30s, 14:03:22, a, b) or a packet (#9118)",
        "go to",
    ),
    played(
        &[(K::Char('+'), A::Speed(1)), (K::Char('='), A::Speed(1)), (K::Char('-'), A::Speed(-1))],
        "+ -",
        "faster, slower: 0.25x to 1000x, and fit (as fast as it can be read)",
        "speed",
    ),
    timed(
        &[(K::Char('A'), A::Mark(0)), (K::Char('B'), A::Mark(1))],
        "A B",
        "mark this moment; the time between the marks is shown",
        "",
    ),
    source(&[(K::Char('/'), A::Filter)], "/", "filter, as analyze --filter does", "filter"),
    source(
        &[(K::Char('s'), A::Sort), (K::Char('S'), A::Reverse)],
        "s S",
        "sort by the next column; the other way round",
        "sort",
    ),
    replay(&[(K::Char('c'), A::Columns)], "c", "choose columns, and by which to sort", ""),
    source(&[(K::Char('a'), A::All)], "a", "connections without keepalives too", ""),
    source(
        &[(K::Char('n'), A::Connection(1)), (K::Char('N'), A::Connection(-1))],
        "n N",
        "next, previous connection from any panel",
        "",
    ),
    timed(&[(K::Char('i'), A::Fold)], "i", "fold silences, or show them at length", ""),
    timed(&[(K::Char('r'), A::Relative)], "r", "SEQ and ACK relative, or as on the wire", ""),
    timed(&[(K::Char('t'), A::Times)], "t", "times since the start, in UTC, or since the line before", ""),
    timed(&[(K::Char('z'), A::Zoom(1)), (K::Char('Z'), A::Zoom(-1))], "z Z", "zoom the timeline in, out", ""),
    source(&[(K::Char('L'), A::Log)], "L", "the log at full size", ""),
    timed(&[(K::Char('\\'), A::Maximise)], "\\", "the panel at full size (also Enter)", ""),
    timed(
        &[(K::Char('e'), A::Export)],
        "e",
        "export: JSON, pcapng with comments, SVG, text; never over a file",
        "export",
    ),
    timed(
        &[(K::Char('y'), A::Copy), (K::Char('Y'), A::CopyPanel)],
        "y Y",
        "copy the connection and its verdict; the panel as text (OSC 52, also through ssh)",
        "",
    ),
    middlebox(&[(K::Char(' '), A::Play)], "Space", "search: play or pause; at the end, play again", "play"),
    middlebox(
        &[(K::Char('.'), A::Event(1)), (K::Char(','), A::Event(-1))],
        ". ,",
        "search: next, previous trial",
        "trial",
    ),
    middlebox(
        &[
            (K::Left, A::Seconds(-10)),
            (K::Right, A::Seconds(10)),
            (K::Char('['), A::Seconds(-60)),
            (K::Char(']'), A::Seconds(60)),
        ],
        "Left Right [ ]",
        "search: 10 s, a minute back, on",
        "",
    ),
    middlebox(
        &[(K::Home, A::Begin), (K::End, A::End)],
        "Home End",
        "search: to the beginning, to the end or to now",
        "",
    ),
    middlebox(
        &[(K::Char('+'), A::Speed(1)), (K::Char('='), A::Speed(1)), (K::Char('-'), A::Speed(-1))],
        "+ -",
        "search: a rehearsal faster, slower",
        "speed",
    ),
    middlebox(&[(K::Char('d'), A::Direction)], "d", "search: the other direction", ""),
    middlebox(&[(K::Char('\\'), A::Maximise)], "\\", "search: the panel at full size (also Enter)", ""),
    middlebox(&[(K::Char('y'), A::Copy)], "y", "search: copy the result (OSC 52)", "copy"),
    everywhere(
        &[
            (K::Char('0'), A::Screen(Screen::Start)),
            (K::Char('1'), A::Screen(Screen::Live)),
            (K::Char('2'), A::Screen(Screen::Replay)),
            (K::Char('3'), A::Screen(Screen::Simulate)),
            (K::Char('4'), A::Screen(Screen::Middlebox)),
        ],
        "0 1 2 3 4",
        "start screen, live, replay, simulator, idle-timeout search",
        "",
    ),
    everywhere(&[(K::Char('o'), A::Open)], "o", "open a capture, or a scenario (.toml)", ""),
    everywhere(&[(K::Tab, A::FocusNext), (K::BackTab, A::FocusBack)], "Tab", "next panel (Shift: back)", ""),
    everywhere(
        &[
            (K::Down, A::Line(1)),
            (K::Char('j'), A::Line(1)),
            (K::Up, A::Line(-1)),
            (K::Char('k'), A::Line(-1)),
        ],
        "j k Up Down",
        "line by line",
        "",
    ),
    everywhere(
        &[
            (K::PageDown, A::Page(1)),
            (K::PageUp, A::Page(-1)),
            (K::Char('g'), A::First),
            (K::Char('G'), A::Last),
        ],
        "PgUp PgDn g G",
        "by pages, to the first and the last line",
        "",
    ),
    everywhere(&[(K::Enter, A::Enter), (K::Esc, A::Back)], "Enter Esc", "choose; back", ""),
    everywhere(&[(K::Char('T'), A::Theme)], "T", "theme: dark, light, high-contrast, mono", ""),
    everywhere(
        &[(K::Char('m'), A::Mouse)],
        "m",
        "mouse on, off; while it is on, Shift selects text as usual",
        "",
    ),
    everywhere(&[(K::Ctrl('l'), A::Redraw)], "Ctrl-L", "draw everything anew", ""),
    everywhere(&[(K::Char('?'), A::Help), (K::F(1), A::Help)], "? F1", "these keys", "help"),
    everywhere(
        &[(K::Char('q'), A::Quit)],
        "q",
        "quit (twice while something is live); the summary stays on the terminal",
        "quit",
    ),
    everywhere(&[(K::Ctrl('c'), A::Interrupt)], "Ctrl-C", "quit at once", ""),
];

/// The bindings of a screen.
pub fn on(screen: Screen) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.is_on(screen))
}

impl Binding {
    /// Whether a screen has it.
    fn is_on(&self, screen: Screen) -> bool {
        self.screens.is_empty() || self.screens.contains(&screen)
    }
}

/// The table as the README has it: the keys of the simulator alone, or all others.
pub fn markdown(of_simulator: bool) -> String {
    let mut text = String::from("| key | what it does |\n|---|---|\n");
    let only = |binding: &&Binding| (binding.screens == [Screen::Simulate]) == of_simulator;
    for binding in BINDINGS.iter().filter(only) {
        let keys: Vec<String> = binding.shown.split(' ').map(|key| format!("`{key}`")).collect();
        text.push_str(&format!("| {} | {} |\n", keys.join(" "), binding.words));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_does_two_things() {
        for screen in Screen::ALL {
            let mut seen = HashSet::new();
            for (key, action) in on(screen).flat_map(|binding| binding.keys) {
                assert!(seen.insert(*key), "{screen:?}: {key:?} is bound twice, also to {action:?}");
            }
        }
    }

    #[test]
    fn every_action_has_a_name_and_every_name_an_action_with_keys() {
        let mut bound = HashSet::new();
        for binding in BINDINGS {
            let of_search = binding.screens == [Screen::Middlebox];
            for (_, action) in binding.keys.iter().filter(|(_, action)| *action != Action::Interrupt) {
                let named = Named::find(names::name(*action, of_search)).expect("a name");
                assert!(named.action == *action && named.holds(of_search));
                bound.insert(named);
            }
        }
        for named in Named::all() {
            assert!(bound.contains(named), "{} has no keys", named.name);
        }
    }

    #[test]
    fn the_keys_that_are_built_in_can_be_said_again() {
        let built_in = Keymap::default();
        let all: Vec<_> = Named::all().iter().map(|named| (*named, built_in.keys(*named))).collect();
        let again = Keymap::with(&all).expect("no clash");
        for named in Named::all() {
            assert_eq!(again.keys(*named), built_in.keys(*named), "{}", named.name);
        }
    }
}
