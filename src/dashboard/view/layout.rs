//! Which panel stands where, by the size of the terminal.
//!
//! | size | panels |
//! |---|---|
//! | 120x35 and more | all of them |
//! | 100x30 | all of them, with less room each |
//! | 80x24 | no round trips; events and scrubber have one line |
//! | 60x16 | connections, ladder, one line of verdict, scrubber |
//!
//! A panel that has the keys and no place takes that of the ladder. The live screen has no scrubber: the room is the
//! ladder's.

use ratatui::layout::Rect;

use crate::dashboard::model::{Model, Panel, Screen};

/// Columns and rows below which nothing is shown but a message.
pub const LEAST: (u16, u16) = (60, 16);

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A panel.
    Panel(Panel),
    /// The bar of all time.
    Scrubber,
    /// How a simulation stands.
    State,
}

/// The steps of size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// From [`LEAST`] on.
    Small,
    /// From 80x24 on.
    Medium,
    /// From 100x30 on.
    Large,
    /// From 120x35 on.
    Huge,
}

impl Size {
    /// The step of a terminal; nothing if it is too small.
    pub fn of(columns: u16, rows: u16) -> Option<Size> {
        Some(match (columns, rows) {
            (120.., 35..) => Size::Huge,
            (100.., 30..) => Size::Large,
            (80.., 24..) => Size::Medium,
            (columns, rows) if columns >= LEAST.0 && rows >= LEAST.1 => Size::Small,
            _ => return None,
        })
    }
}

/// The places of the live and the replay screen; the live one has no scrubber.
pub fn places(model: &Model, size: Size, area: Rect) -> Vec<(Place, Rect)> {
    let width = area.width;
    let body = area.height.saturating_sub(3);
    let line = |y: u16, height: u16| Rect { x: 0, y: 1 + y, width, height };
    let focus = model.choices.focus;
    let live = model.screen == Screen::Live;
    let bar = if live {
        0
    } else if matches!(size, Size::Large | Size::Huge) {
        4
    } else {
        1
    };
    let rest = body.saturating_sub(bar);
    if model.choices.maximised {
        let mut places = vec![(Place::Panel(focus), line(0, rest))];
        places.extend((bar > 0).then(|| (Place::Scrubber, line(rest, bar))));
        return places;
    }
    let (table, along, log) = match size {
        Size::Small => (4, 0, 0),
        Size::Medium => (5, 6, 1),
        Size::Large => (6, 7, 3),
        Size::Huge => ((rest / 4).max(6), 7, (rest / 6).clamp(4, 8)),
    };
    // A table of few connections leaves its room to the others. Their number is that of the source, so that
    // nothing moves while a filter is typed.
    let connections = model.shown().map_or(0, |session| session.store.connections().len());
    let table = table.min(u16::try_from(connections).unwrap_or(u16::MAX).saturating_add(3).max(4));
    let verdict_line = u16::from(size == Size::Small);
    let middle = rest.saturating_sub(table + along + log + verdict_line);
    let mut places = vec![(Place::Panel(Panel::Connections), line(0, table))];
    let mut y = table;
    if size == Size::Small {
        let shown = if matches!(focus, Panel::Connections | Panel::Verdict) { Panel::Ladder } else { focus };
        places.push((Place::Panel(shown), line(y, middle)));
        places.push((Place::Panel(Panel::Verdict), line(y + middle, 1)));
        places.extend((bar > 0).then(|| (Place::Scrubber, line(rest, bar))));
        return places;
    }
    let left = match size {
        Size::Medium => width * 5 / 8,
        Size::Large => width * 3 / 5,
        _ => width * 5 / 8,
    };
    let shown = if size == Size::Medium && focus == Panel::RoundTrips { focus } else { Panel::Ladder };
    places.push((Place::Panel(shown), Rect { width: left, ..line(y, middle) }));
    let right = |y: u16, height: u16| Rect { x: left, y: 1 + y, width: width - left, height };
    let chart = match size {
        Size::Huge => (middle * 2 / 5).clamp(5, 10),
        Size::Large => 0,
        _ => 0,
    };
    places.push((Place::Panel(Panel::Verdict), right(y, middle - chart)));
    if chart > 0 {
        places.push((Place::Panel(Panel::RoundTrips), right(y + middle - chart, chart)));
    }
    y += middle;
    if size == Size::Large {
        // The timeline and the round trips share the width.
        let chart = width / 4;
        places.push((Place::Panel(Panel::Timeline), Rect { width: width - chart, ..line(y, along) }));
        places.push((
            Place::Panel(Panel::RoundTrips),
            Rect { x: width - chart, width: chart, ..line(y, along) },
        ));
    } else {
        places.push((Place::Panel(Panel::Timeline), line(y, along)));
    }
    places.push((Place::Panel(Panel::Events), line(y + along, log)));
    places.extend((bar > 0).then(|| (Place::Scrubber, line(rest, bar))));
    places
}

/// What stands at a column and a row, with its area.
pub fn at(model: &Model, column: u16, row: u16) -> Option<(Place, Rect)> {
    let (width, height) = model.size;
    let area = Rect { x: 0, y: 0, width, height };
    let size = Size::of(width, height)?;
    let places = match model.screen {
        Screen::Live | Screen::Replay => places(model, size, area),
        Screen::Simulate => super::simulate::places(model, size, area),
        Screen::Start | Screen::Middlebox => return None,
    };
    places.into_iter().find(|(_, rect)| rect.contains((column, row).into()))
}
