//! Replay: a source on a clock of our own.
//!
//! Owns the [`Player`]: where we are, whether and how fast time goes on. The moment shown is a number of rows
//! that have been read and a time; everything else follows from them, so that any moment can be reached at
//! once, forward and backward. Pure but for [`reader`], which reads the captures on a thread of its own.

pub mod reader;

use crate::time::{Span, Timestamp};

use super::store::Store;

/// How fast time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many thousandths of real time.
    Times(u32),
    /// As fast as the source can be read.
    Fit,
}

/// The speeds between which `+` and `-` change.
pub const SPEEDS: [Speed; 13] = [
    Speed::Times(250),
    Speed::Times(500),
    Speed::Times(1_000),
    Speed::Times(2_000),
    Speed::Times(5_000),
    Speed::Times(10_000),
    Speed::Times(20_000),
    Speed::Times(50_000),
    Speed::Times(100_000),
    Speed::Times(200_000),
    Speed::Times(500_000),
    Speed::Times(1_000_000),
    Speed::Fit,
];

/// What pressing play on a whole capture should take at most.
const COMFORTABLE: Span = Span::from_secs(60);

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Speed::Fit => f.write_str("fit"),
            Speed::Times(250) => f.write_str("0.25x"),
            Speed::Times(500) => f.write_str("0.5x"),
            Speed::Times(thousandths) if thousandths % 1000 == 0 => write!(f, "{}x", thousandths / 1000),
            Speed::Times(thousandths) => write!(f, "{}.{:03}x", thousandths / 1000, thousandths % 1000),
        }
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    /// Reads `fit`, or a factor from 0.25 to 1000 such as `0.5`, `8` or `8x`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "fit" {
            return Ok(Speed::Fit);
        }
        let factor: f64 = text.strip_suffix('x').unwrap_or(text).parse().unwrap_or(f64::NAN);
        if (0.25..=1000.0).contains(&factor) {
            return Ok(Speed::Times((factor * 1000.0).round() as u32));
        }
        Err("a speed is a factor from 0.25 to 1000, or fit".to_owned())
    }
}

/// A moment of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Rows that have been read.
    pub rows: usize,
    /// The time; not before that of the last of those rows.
    pub time: Timestamp,
}

/// Where we are and how time goes on.
#[derive(Clone, Debug)]
pub struct Player {
    /// The moment shown.
    pub at: Position,
    /// Time goes on.
    pub playing: bool,
    /// How fast.
    pub speed: Speed,
    /// The two marks.
    pub marks: [Option<Timestamp>; 2],
    /// When time last went on, by the clock outside.
    ticked: Option<Span>,
    begun: bool,
}

impl Player {
    /// A player that begins to play at this speed.
    pub fn new(speed: Speed) -> Self {
        Self {
            at: Position::default(),
            playing: true,
            speed,
            marks: [None, None],
            ticked: None,
            begun: false,
        }
    }

    /// Whether all that has been read is shown.
    pub fn is_at_end(&self, store: &Store) -> bool {
        self.at.rows == store.rows().len() && store.span().is_none_or(|(_, last)| self.at.time >= last)
    }

    /// The source has told more.
    pub fn on_more(&mut self, store: &Store) {
        let Some((first, _)) = store.span() else { return };
        if !self.begun {
            self.begun = true;
            self.to_time(store, first);
        }
        if self.playing && self.speed == Speed::Fit {
            self.to_end(store);
        }
    }

    /// The clock outside stands at `now`. Says whether the moment shown has changed.
    pub fn tick(&mut self, store: &Store, now: Span) -> bool {
        let before = self.ticked.replace(now);
        let (true, Some(before), Some((_, last))) = (self.playing, before, store.span()) else {
            return false;
        };
        let passed = now.as_nanos().saturating_sub(before.as_nanos()).max(0);
        let was = self.at;
        match self.speed {
            Speed::Fit => self.to_end(store),
            Speed::Times(thousandths) => {
                let gone = (i128::from(passed) * i128::from(thousandths) / 1000).min(i128::from(i64::MAX));
                let to = self.at.time.plus(Span::from_nanos(gone as i64));
                self.to_time(store, to.min(last));
            }
        }
        if self.is_at_end(store) && store.reading().done {
            self.playing = false;
        }
        was != self.at || !self.playing
    }

    /// Whether the moment shown changes by itself as the clock outside goes on.
    pub fn runs(&self, store: &Store) -> bool {
        self.playing && self.speed != Speed::Fit && !self.is_at_end(store)
    }

    /// Plays or pauses. At the end it begins again, at a speed that takes no more than a minute.
    pub fn toggle(&mut self, store: &Store) {
        if self.playing {
            self.playing = false;
            return;
        }
        self.playing = true;
        self.ticked = None;
        if let Some((first, last)) = store.span()
            && self.is_at_end(store)
            && store.reading().done
        {
            if self.speed == Speed::Fit {
                self.speed = comfortable(last.since(first));
            }
            self.to_time(store, first);
        }
    }

    /// Faster or slower by steps.
    pub fn change_speed(&mut self, steps: isize) {
        let rank = |speed: Speed| match speed {
            Speed::Times(thousandths) => u64::from(thousandths),
            Speed::Fit => u64::MAX,
        };
        let here = SPEEDS.iter().filter(|speed| rank(**speed) < rank(self.speed)).count();
        let exact = SPEEDS.get(here) == Some(&self.speed);
        let target = if steps < 0 || exact { here.saturating_add_signed(steps) } else { here };
        if let Some(speed) = SPEEDS.get(target.min(SPEEDS.len() - 1)) {
            self.speed = *speed;
        }
    }

    /// Goes to a time, at most to the ends of what was read.
    pub fn to_time(&mut self, store: &Store, time: Timestamp) {
        let Some((first, last)) = store.span() else { return };
        let time = time.clamp(first, last);
        self.at = Position { rows: store.rows_until(time), time };
    }

    /// Goes by a span.
    pub fn by(&mut self, store: &Store, span: Span) {
        self.to_time(store, self.at.time.plus(span));
    }

    /// Goes to right after a row, counted from 1.
    pub fn to_row(&mut self, store: &Store, rows: usize) {
        let rows = rows.clamp(1, store.rows().len().max(1));
        if let Some(time) = store.clock_after(rows) {
            self.at = Position { rows, time };
        }
    }

    /// Goes to the end of what was read.
    pub fn to_end(&mut self, store: &Store) {
        if let Some((_, last)) = store.span() {
            self.at = Position { rows: store.rows().len(), time: last };
        }
    }

    /// Shows all that was read, at a time that is not before it: for a source that goes on.
    pub fn follow(&mut self, store: &Store, now: Timestamp) {
        let time = store.span().map_or(now, |(_, last)| last.max(now));
        self.at = Position { rows: store.rows().len(), time };
    }

    /// Stops, for who moves by hand.
    pub fn pause(&mut self) {
        self.playing = false;
    }
}

/// The slowest speed at which this takes no more than a minute.
pub(super) fn comfortable(length: Span) -> Speed {
    let takes = |speed: &&Speed| match speed {
        Speed::Times(thousandths) => {
            i128::from(length.as_nanos()) * 1000 / i128::from(*thousandths).max(1)
                <= i128::from(COMFORTABLE.as_nanos())
                && *thousandths >= 1000
        }
        Speed::Fit => false,
    };
    SPEEDS.iter().find(takes).copied().unwrap_or(Speed::Times(1_000_000))
}
