//! What happens to the screen: keys, time, news of the source. Values only.

use std::path::PathBuf;

use super::live::News;
use super::middlebox::Told;
use super::simulation;
use super::store::feed::Batch;
use crate::time::Span;

/// A key with what was held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character, as typed.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// A function key.
    F(u8),
}

/// The mouse, where it is turned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The button went down, or moved while down, at a column and a row.
    Press(u16, u16),
    /// The wheel turned up over a place.
    WheelUp(u16, u16),
    /// The wheel turned down over a place.
    WheelDown(u16, u16),
}

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key was pressed.
    Key(Key),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has so many columns and rows.
    Resize(u16, u16),
    /// The clock outside: time since the program began.
    Tick(Span),
    /// The source of this number told more.
    Batch(u64, Box<Batch>),
    /// The live source of this number told more.
    Live(u64, Box<News>),
    /// The search told more.
    Searched(Box<Told>),
    /// A source cannot be read at all.
    Failed(u64, String),
    /// The simulation of this number told something.
    Simulated(u64, Box<simulation::News>),
    /// The text of a scenario was read.
    Scenario(PathBuf, String),
    /// A file was written.
    Written(PathBuf),
    /// Something that was asked for did not work.
    Trouble(String),
    /// Somebody outside wants us to end.
    Terminate,
    /// Somebody outside, or Ctrl-Z, wants us to stop until we are wanted again.
    Suspend,
    /// We were stopped, and are wanted again.
    Continued,
}
