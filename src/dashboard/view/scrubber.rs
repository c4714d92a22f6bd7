//! All of the source as a bar, with long silences folded, and where we are on it.

use super::pen::Pen;
use crate::dashboard::axis::Axis;
use crate::dashboard::model::Session;
use crate::dashboard::text::{brief, width};
use crate::dashboard::theme::Role;
use crate::time::Timestamp;

/// Gaps that may be folded.
const GAPS: usize = 48;

/// The axis of a bar of so many columns.
pub fn axis(session: &Session, columns: u16) -> Axis {
    match session.store.span() {
        Some((first, last)) => Axis::folding(first, last, &session.store.longest_gaps(GAPS), columns),
        None => Axis::plain(Timestamp::default(), Timestamp::default(), columns),
    }
}

pub(super) fn draw(session: &Session, pen: &mut Pen<'_>) {
    let framed = pen.height() >= 3;
    let all = pen.width();
    let folded = if framed { "// folded silence   A B marks   [ ] 10 s   { } event   : go to" } else { "" };
    let mut pen = pen.panel("Scrubber", folded, false);
    let Some((first, last)) = session.store.span() else { return };
    let glyphs = pen.theme().glyphs();
    // The same columns as a click counts them, also inside of a frame.
    let axis = axis(session, all);
    let offset = u16::from(framed);
    let columns = pen.width();
    let busiest = (0..columns).map(|column| activity(session, &axis, column + offset)).max().unwrap_or(0);
    for column in 0..columns {
        let count = activity(session, &axis, column + offset);
        let (sign, role) = match count {
            0 => (glyphs.none, Role::Faint),
            count if count * 4 >= busiest => (glyphs.much, Role::Text),
            _ => (glyphs.little, Role::Text),
        };
        pen.put(column, 0, sign, role);
    }
    for piece in axis.pieces().iter().filter(|piece| piece.folded) {
        pen.put(piece.column.saturating_sub(offset), 0, glyphs.fold, Role::Faint);
    }
    let here = |time: Timestamp| {
        axis.column(time).map(|column| column.saturating_sub(offset).min(columns.saturating_sub(1)))
    };
    if let Some(column) = here(session.player.at.time) {
        pen.mark(column, 0, 1, Role::Now);
    }
    if pen.height() < 2 {
        return;
    }
    for (name, mark) in ["A", "B"].into_iter().zip(session.player.marks) {
        if let Some(column) = mark.and_then(here) {
            pen.put(column, 1, name, Role::Strong);
        }
    }
    let now = brief(session.player.at.time.since(first));
    if let Some(column) = here(session.player.at.time) {
        let label = format!("^ {now}");
        let wide = width(&label) as u16;
        if column + wide <= columns {
            pen.put(column, 1, &label, Role::Strong);
        } else {
            pen.put_right(columns.saturating_sub(column + 1), 1, &format!("{now} ^"), Role::Strong);
        }
    }
    let total = brief(last.since(first));
    if here(session.player.at.time).is_some_and(|column| usize::from(column) + 24 < usize::from(columns)) {
        pen.put_right(0, 1, &total, Role::Faint);
    }
}

/// Segments in a column.
fn activity(session: &Session, axis: &Axis, column: u16) -> usize {
    let store = &session.store;
    let (from, to) = (axis.time(column), axis.time(column.saturating_add(1)));
    let before =
        if from == store.span().map_or(from, |(first, _)| first) { 0 } else { store.rows_until(from) };
    store.rows_until(to).saturating_sub(before)
}
