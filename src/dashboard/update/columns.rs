//! Choosing columns, and by which the table is sorted.

use crate::dashboard::columns::Column;
use crate::dashboard::keymap::Action;
use crate::dashboard::message::Key;
use crate::dashboard::model::{Model, Overlay, Session};

pub(super) fn on_key(model: &mut Model, line: usize, key: Key) {
    let last = Column::ALL.len() - 1;
    let action = model.keys.action(model.screen, key);
    let Some(session) = model.shown_mut() else { return };
    let (table, column) = (&mut session.table, Column::ALL.get(line).copied());
    let step = match (key, action) {
        (Key::Esc | Key::Char('q'), _) | (_, Some(Action::Columns)) => return,
        (Key::Char(' ') | Key::Char('x'), _) => {
            column.into_iter().for_each(|column| table.columns.toggle(column));
            0
        }
        (Key::Enter, _) | (_, Some(Action::Sort)) => {
            table.sort = column.unwrap_or(table.sort);
            table.stale = true;
            0
        }
        (_, Some(Action::Reverse)) => {
            table.reversed = !table.reversed;
            table.stale = true;
            0
        }
        (_, Some(Action::Line(lines))) => lines,
        (_, Some(Action::Page(_) | Action::Last)) if key != Key::PageUp => isize::MAX,
        (_, Some(Action::Page(_) | Action::First)) => isize::MIN,
        _ => 0,
    };
    model.overlay = Some(Overlay::Columns(line.saturating_add_signed(step).min(last)));
}

/// The column after the one by which the table is sorted, of those that are shown in so many columns of the
/// terminal.
pub(super) fn next(session: &Session, width: u16) -> Column {
    let shown = session.table.columns.fitting(usize::from(width).saturating_sub(2));
    let sorted = Column::ALL.iter().position(|column| *column == session.table.sort).unwrap_or(0);
    let after = Column::ALL.iter().cycle().skip(sorted + 1).take(Column::ALL.len());
    // Of a source that goes on, nothing is measured over and over for an order that nobody asked for.
    let live = session.live.is_some();
    let mut after = after.filter(|column| shown.iter().any(|(one, _)| one == *column));
    let mut after = after.by_ref().filter(|column| !live || !column.is_measured());
    after.next().copied().unwrap_or(session.table.sort)
}
