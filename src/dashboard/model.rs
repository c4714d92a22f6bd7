//! Everything the screen shows, as one value.
//!
//! Owns [`Model`]. Only [`super::update`] changes it, and [`super::view`] draws it. Pure.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::columns::{Column, Columns};
use super::keymap::Keymap;
use super::live::{Live, Manner};
use super::middlebox::Hunt;
use super::replay::{Player, Speed};
use super::simulation::Simulation;
use super::simulation::asides::Asides;
use super::store::Store;
use super::store::standing::Standing;
use super::theme::Theme;
use crate::analysis::ConnectionRecord;
use crate::analysis::filter::Filter;
use crate::analysis::verification::Due;
use crate::frame::FrameId;
use crate::time::{Span, Timestamp};
use crate::track::event::{ConnectionId, LookAlike, Party};

/// The screens of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Screen {
    /// What can be done.
    Start,
    /// Peers that are probed, and interfaces that are watched.
    Live,
    /// A capture, played.
    Replay,
    /// A scenario, changed and predicted.
    Simulate,
    /// A search for an idle timeout.
    Middlebox,
}

impl Screen {
    /// All of them, in the order of their keys, which begin with 0.
    pub const ALL: [Screen; 5] =
        [Screen::Start, Screen::Live, Screen::Replay, Screen::Simulate, Screen::Middlebox];

    /// The number that is its key.
    pub const fn number(self) -> u8 {
        match self {
            Screen::Start => 0,
            Screen::Live => 1,
            Screen::Replay => 2,
            Screen::Simulate => 3,
            Screen::Middlebox => 4,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Screen::Start => "Start",
            Screen::Live => "Live",
            Screen::Replay => "Replay",
            Screen::Simulate => "Simulate",
            Screen::Middlebox => "Search",
        }
    }
}

/// The panels of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Panel {
    /// The table.
    Connections,
    /// The chosen connection, packet by packet.
    Ladder,
    /// What became of it, and why.
    Verdict,
    /// Its probes and what was expected of them, along time.
    Timeline,
    /// Round trips.
    RoundTrips,
    /// What happened.
    Events,
    /// The form of a scenario.
    Settings,
    /// What a change makes of it, or many runs.
    Compare,
    /// What a simulation comes to.
    Answer,
}

impl Panel {
    /// Those of the simulator, in the order in which Tab goes through them.
    pub const SIMULATE: [Panel; 5] =
        [Panel::Settings, Panel::Ladder, Panel::Compare, Panel::Timeline, Panel::Answer];

    /// Those of a screen.
    pub const fn on(screen: Screen) -> &'static [Panel] {
        match screen {
            Screen::Simulate => &Panel::SIMULATE,
            Screen::Start | Screen::Live | Screen::Replay | Screen::Middlebox => &Panel::ALL,
        }
    }

    /// Those of a replay, likewise.
    pub const ALL: [Panel; 6] = [
        Panel::Connections,
        Panel::Ladder,
        Panel::Verdict,
        Panel::RoundTrips,
        Panel::Timeline,
        Panel::Events,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Panel::Connections => "Connections",
            Panel::Ladder => "Ladder",
            Panel::Verdict => "Verdict",
            Panel::Timeline => "Timeline",
            Panel::RoundTrips => "RTT",
            Panel::Events => "Events",
            Panel::Settings => "Settings",
            Panel::Compare => "Compare",
            Panel::Answer => "Answer",
        }
    }
}

/// What lies over the screen, or asks for text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The keys of this screen, from this line on.
    Help(usize),
    /// What to export.
    Export,
    /// Which columns to show; the cursor stands on this one.
    Columns(usize),
    /// Which scenario to begin with; the place in the list.
    Scenarios(usize),
    /// A line of text is asked for.
    Prompt(Prompt),
}

/// What a line of text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Which connections to show.
    Filter,
    /// Where to go.
    GoTo,
    /// Which capture or scenario to open.
    Open,
    /// The value of a field.
    Setting,
    /// Which peer to probe, and how.
    Peer,
    /// How to probe one of our connections from now on, counted from 0.
    Change(usize),
    /// How to probe peers to come.
    Manner,
    /// Where to record to.
    Record,
    /// Through which product to rehearse a search.
    Rehearse,
}

/// A line of text being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub asks: Asks,
    /// The characters so far.
    pub text: Vec<char>,
    /// Before which of them the cursor stands.
    pub cursor: usize,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Where: from which character, and how many.
    pub wrong: Option<(usize, usize)>,
}

impl Prompt {
    /// A line that begins with some text.
    pub fn new(asks: Asks, text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        Self { asks, cursor: text.len(), text, problem: None, wrong: None }
    }

    /// The text so far.
    pub fn content(&self) -> String {
        self.text.iter().collect()
    }
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Since the first packet.
    Relative,
    /// UTC, time of day.
    Utc,
    /// Since the line before.
    Delta,
}

impl TimeFormat {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            TimeFormat::Relative => "since start",
            TimeFormat::Utc => "UTC",
            TimeFormat::Delta => "delta",
        }
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            TimeFormat::Relative => TimeFormat::Utc,
            TimeFormat::Utc => TimeFormat::Delta,
            TimeFormat::Delta => TimeFormat::Relative,
        }
    }
}

/// What a frame turned out to be, by later events too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A probe: of whom, and which of its probes.
    Probe(Party, u32),
    /// The answer to that probe.
    Answer(Party, u32),
    /// Something that looks like one.
    LookAlike(LookAlike),
}

/// The chosen connection at the moment shown.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Everything known of it.
    pub record: ConnectionRecord,
    /// Its last word has been said.
    pub is_final: bool,
    /// What its frames are.
    pub meanings: HashMap<FrameId, Meaning>,
}

/// What the chosen connection depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenFor {
    /// Which connection.
    pub connection: ConnectionId,
    /// How many of its segments and of its events there have been.
    pub rows: usize,
    /// See `rows`.
    pub events: usize,
    /// Its last word has been said.
    pub is_final: bool,
    /// The time, while that may change what is said of it.
    pub time: Option<Timestamp>,
}

/// When the probes of a connection were due, worked out when all of it had been read.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The connection.
    pub connection: ConnectionId,
    /// Whose probes.
    pub party: Party,
    /// By which settings, in words; or why there is nothing to say.
    pub settings: String,
    /// One for each probe, and one for what should come after the last.
    pub due: Vec<Due>,
}

/// How the table is made.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which columns are wanted.
    pub columns: Columns,
    /// By what it is sorted.
    pub sort: Column,
    /// The other way round.
    pub reversed: bool,
    /// What was typed as a filter.
    pub filter_text: String,
    /// The same, understood.
    pub filter: Filter,
    /// Connections without keepalives too.
    pub all: bool,
    /// Connections that are shown in any case.
    pub kept: HashSet<ConnectionId>,
    /// What it shows, in order.
    pub order: Vec<u32>,
    /// The order has to be made anew.
    pub stale: bool,
}

/// A source that is being shown.
#[derive(Debug)]
pub struct Session {
    /// Its number; news of another are too late.
    pub number: u64,
    /// Its captures.
    pub paths: Vec<PathBuf>,
    /// Their names, fit for the screen.
    pub name: String,
    /// What it told.
    pub store: Store,
    /// What is known beside that; nothing of a capture.
    pub asides: Asides,
    /// How everything stands at the moment shown.
    pub standing: Standing,
    /// The moment shown.
    pub player: Player,
    /// How the table is made.
    pub table: Table,
    /// Which connection is chosen.
    pub selected: Option<ConnectionId>,
    /// The user chose it; until then it is the first of the table.
    pub chosen_by_hand: bool,
    /// Everything about it.
    pub chosen: Option<Chosen>,
    /// When its probes were due.
    pub expected: Option<Expected>,
    /// From how many probes that was worked out, of a source that goes on.
    pub expected_for: u32,
    /// For what `chosen` was made: if that is the same, so is `chosen`.
    pub chosen_for: Option<ChosenFor>,
    /// Lines by which the ladder is scrolled back.
    pub ladder_back: usize,
    /// Lines by which the log is scrolled back.
    pub events_back: usize,
    /// How many times the timeline is zoomed in.
    pub zoom: u8,
    /// Why it cannot be read.
    pub failed: Option<String>,
    /// What else is known of it, if it goes on.
    pub live: Option<Live>,
}

impl Session {
    /// A live source.
    pub fn of_live(number: u64) -> Self {
        let session = Self::new(number, Vec::new(), Speed::Fit);
        Self { name: "live".to_owned(), live: Some(Live::default()), ..session }
    }

    /// A source of which nothing is known yet.
    pub fn new(number: u64, paths: Vec<PathBuf>, speed: Speed) -> Self {
        let names: Vec<String> =
            paths.iter().map(|path| super::text::clean(&path.to_string_lossy()).into_owned()).collect();
        let name = match names.as_slice() {
            [only] => only.clone(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
            [] => String::new(),
        };
        let table = Table {
            columns: Columns::default(),
            sort: Column::Verdict,
            reversed: false,
            filter_text: String::new(),
            filter: Filter::default(),
            all: false,
            kept: HashSet::new(),
            order: Vec::new(),
            stale: true,
        };
        Self {
            number,
            paths,
            name,
            store: Store::default(),
            asides: Asides::default(),
            standing: Standing::default(),
            player: Player::new(speed),
            table,
            selected: None,
            chosen_by_hand: false,
            chosen: None,
            expected: None,
            expected_for: 0,
            chosen_for: None,
            ladder_back: 0,
            events_back: 0,
            zoom: 0,
            failed: None,
            live: None,
        }
    }
}

impl Session {
    /// Whoever moves in time looks at the chosen connection, and it stays chosen.
    pub fn stay(&mut self) {
        self.chosen_by_hand |= self.selected.is_some();
    }
}

/// How things are shown.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Colours and glyphs.
    pub theme: Theme,
    /// Sequence numbers as on the wire.
    pub absolute: bool,
    /// Silences are folded.
    pub fold: bool,
    /// How times are written.
    pub times: TimeFormat,
    /// The columns with which the table of a capture begins.
    pub columns: Columns,
    /// The panel that keys go to.
    pub focus: Panel,
    /// It fills the screen.
    pub maximised: bool,
    /// Clicks come to us.
    pub mouse: bool,
    /// The speed at which a capture begins to play.
    pub speed: Speed,
}

/// What is done only when it is asked for twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// Leave while something goes on.
    Quit,
    /// Close one of our connections, counted from 0.
    Close(usize),
}

/// Everything.
#[derive(Debug)]
pub struct Model {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Which screen is shown.
    pub screen: Screen,
    /// How.
    pub choices: Choices,
    /// Which key does what.
    pub keys: Keymap,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// One line to the user, gone with the next key.
    pub notice: Option<String>,
    /// Which entry of the start screen is chosen.
    pub start_entry: usize,
    /// The captures that are open.
    pub session: Option<Session>,
    /// The live source.
    pub live: Option<Session>,
    /// Why there can be no live source.
    pub no_live: Option<String>,
    /// How peers to come are probed.
    pub manner: Manner,
    /// What is only done if it is asked for again at once.
    pub asked_once: Option<Once>,
    /// Time since the program began.
    pub tick: Span,
    /// The search shown.
    pub middlebox: Option<Hunt>,
    /// How many sources there were.
    pub sources: u64,
    /// The scenario being simulated.
    pub simulation: Option<Box<Simulation>>,
    /// How many scenarios there were, each change counted.
    pub scenarios: u64,
    /// Something that is shown has changed since it was drawn.
    pub dirty: bool,
}

impl Model {
    /// The start screen.
    pub fn new(size: (u16, u16), theme: Theme, speed: Speed) -> Self {
        let choices = Choices {
            theme,
            absolute: false,
            fold: true,
            times: TimeFormat::Relative,
            columns: Columns::default(),
            focus: Panel::Connections,
            maximised: false,
            mouse: false,
            speed,
        };
        Self {
            size,
            screen: Screen::Start,
            choices,
            keys: Keymap::default(),
            overlay: None,
            notice: None,
            start_entry: 0,
            session: None,
            live: None,
            no_live: None,
            manner: Manner::default(),
            asked_once: None,
            tick: Span::ZERO,
            middlebox: None,
            sources: 0,
            simulation: None,
            scenarios: 0,
            dirty: true,
        }
    }

    /// The source that the screen shows.
    pub fn shown(&self) -> Option<&Session> {
        match self.screen {
            Screen::Simulate => self.simulation.as_ref().map(|simulation| &simulation.session),
            Screen::Live => self.live.as_ref(),
            Screen::Start | Screen::Replay => self.session.as_ref(),
            Screen::Middlebox => None,
        }
    }

    /// The same, to be changed.
    pub fn shown_mut(&mut self) -> Option<&mut Session> {
        match self.screen {
            Screen::Simulate => self.simulation.as_mut().map(|simulation| &mut simulation.session),
            Screen::Live => self.live.as_mut(),
            Screen::Start | Screen::Replay => self.session.as_mut(),
            Screen::Middlebox => None,
        }
    }

    /// Goes to a screen, and to a panel that is there.
    pub fn go(&mut self, screen: Screen) {
        self.screen = screen;
        if !Panel::on(screen).contains(&self.choices.focus) {
            self.choices.focus = Panel::on(screen).first().copied().unwrap_or(Panel::Ladder);
            self.choices.maximised = false;
        }
    }
}
