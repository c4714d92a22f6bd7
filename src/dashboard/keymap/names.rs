//! What actions are called in the configuration file.
//!
//! Owns the names of [`Action`]s. Pure.

use super::Action;
use crate::dashboard::model::Screen;
use crate::stack::nearest;

/// An action as the configuration file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What its keys do.
    pub action: Action,
    /// Where.
    pub(super) on: On,
}

/// Where a name holds. The screen of a search has keys of its own for some actions of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum On {
    /// Wherever the action has keys.
    All,
    /// On the screen of a search.
    Search,
    /// On all others.
    Others,
}

const fn named(name: &'static str, action: Action, on: On) -> Named {
    Named { name, action, on }
}

/// All actions that keys can be bound to.
const NAMES: &[Named] = &[
    named("quit", Action::Quit, On::All),
    named("help", Action::Help, On::All),
    named("start_screen", Action::Screen(Screen::Start), On::All),
    named("live_screen", Action::Screen(Screen::Live), On::All),
    named("replay_screen", Action::Screen(Screen::Replay), On::All),
    named("simulate_screen", Action::Screen(Screen::Simulate), On::All),
    named("search_screen", Action::Screen(Screen::Middlebox), On::All),
    named("open", Action::Open, On::All),
    named("redraw", Action::Redraw, On::All),
    named("theme", Action::Theme, On::All),
    named("mouse", Action::Mouse, On::All),
    named("next_panel", Action::FocusNext, On::All),
    named("previous_panel", Action::FocusBack, On::All),
    named("line_down", Action::Line(1), On::All),
    named("line_up", Action::Line(-1), On::All),
    named("page_down", Action::Page(1), On::All),
    named("page_up", Action::Page(-1), On::All),
    named("first_line", Action::First, On::All),
    named("last_line", Action::Last, On::All),
    named("enter", Action::Enter, On::All),
    named("back", Action::Back, On::All),
    named("maximise", Action::Maximise, On::All),
    named("log", Action::Log, On::All),
    named("filter", Action::Filter, On::All),
    named("columns", Action::Columns, On::All),
    named("sort", Action::Sort, On::All),
    named("reverse", Action::Reverse, On::All),
    named("all", Action::All, On::All),
    named("next_connection", Action::Connection(1), On::All),
    named("previous_connection", Action::Connection(-1), On::All),
    named("play", Action::Play, On::All),
    named("faster", Action::Speed(1), On::All),
    named("slower", Action::Speed(-1), On::All),
    named("next_packet", Action::Packet(1), On::All),
    named("previous_packet", Action::Packet(-1), On::All),
    named("next_event", Action::Event(1), On::Others),
    named("previous_event", Action::Event(-1), On::Others),
    named("second_on", Action::Seconds(1), On::All),
    named("second_back", Action::Seconds(-1), On::All),
    named("ten_seconds_on", Action::Seconds(10), On::Others),
    named("ten_seconds_back", Action::Seconds(-10), On::Others),
    named("search_next", Action::Event(1), On::Search),
    named("search_previous", Action::Event(-1), On::Search),
    named("search_on", Action::Seconds(10), On::Search),
    named("search_back", Action::Seconds(-10), On::Search),
    named("search_minute_on", Action::Seconds(60), On::All),
    named("search_minute_back", Action::Seconds(-60), On::All),
    named("begin", Action::Begin, On::All),
    named("end", Action::End, On::All),
    named("go_to", Action::GoTo, On::All),
    named("mark_a", Action::Mark(0), On::All),
    named("mark_b", Action::Mark(1), On::All),
    named("zoom_in", Action::Zoom(1), On::All),
    named("zoom_out", Action::Zoom(-1), On::All),
    named("fold", Action::Fold, On::All),
    named("relative", Action::Relative, On::All),
    named("times", Action::Times, On::All),
    named("export", Action::Export, On::All),
    named("copy", Action::Copy, On::All),
    named("copy_panel", Action::CopyPanel, On::All),
    named("probe", Action::Peer, On::All),
    named("watch", Action::Watch, On::All),
    named("probe_now", Action::ProbeNow, On::All),
    named("settings", Action::Change, On::All),
    named("settings_to_come", Action::Manner, On::All),
    named("hold", Action::Hold, On::All),
    named("record", Action::Record, On::All),
    named("close", Action::Close, On::All),
    named("step_up", Action::Step(1), On::All),
    named("step_down", Action::Step(-1), On::All),
    named("sideways_right", Action::Sideways(1), On::All),
    named("sideways_left", Action::Sideways(-1), On::All),
    named("scenarios", Action::Scenarios, On::All),
    named("keep", Action::Keep, On::All),
    named("batch", Action::Batch, On::All),
    named("write_scenario", Action::WriteScenario, On::All),
    named("undo", Action::Undo, On::All),
    named("direction", Action::Direction, On::All),
];

impl Named {
    /// All of them.
    pub fn all() -> &'static [Named] {
        NAMES
    }

    /// The action of that name.
    ///
    /// # Errors
    /// If none is called so; with the name that comes nearest, if one does.
    pub fn find(name: &str) -> Result<Named, Option<&'static str>> {
        let found = NAMES.iter().find(|known| known.name == name).copied();
        found.ok_or_else(|| nearest(name, NAMES.iter().map(|known| known.name)))
    }

    /// Whether the name holds for keys that only the screen of a search has, or for others.
    pub(super) const fn holds(self, of_search: bool) -> bool {
        match self.on {
            On::All => true,
            On::Search => of_search,
            On::Others => !of_search,
        }
    }
}

/// What an action is called. Only Ctrl-C, which cannot be bound, does something that has no name here.
pub(super) fn name(action: Action, of_search: bool) -> &'static str {
    let mut all = NAMES.iter().filter(|known| known.action == action && known.holds(of_search));
    all.next().map_or("interrupt", |known| known.name)
}
