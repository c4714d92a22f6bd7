//! The table of connections: only the lines that are visible are made.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::analysis::filter::Filter;
use crate::dashboard::columns::Column;
use crate::dashboard::keymap::Action;
use crate::dashboard::model::{Model, Panel, Session};
use crate::dashboard::text::{brief, fit, fit_right};
use crate::dashboard::theme::Role;
use crate::track::event::ConnectionId;

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let (order, table) = (&session.table.order, &session.table);
    let shown = order.len();
    let title = format!("Connections {shown} of {}", session.standing.begun());
    let direction = if table.reversed { " reversed" } else { "" };
    let filter =
        if table.filter_text.is_empty() { String::new() } else { format!("   / {}", table.filter_text) };
    let right = format!("sort: {}{direction}{filter}", table.sort.shape().heading);
    let mut pen = pen.panel(&title, &right, model.choices.focus == Panel::Connections);
    let columns = table.columns.fitting(usize::from(pen.width()));
    pen.put(0, 0, &heading(&columns, usize::from(pen.width())), Role::Strong);
    let height = usize::from(pen.height()).saturating_sub(1);
    if order.is_empty() {
        pen.put(2, 1, &nothing(model, session), Role::Faint);
        return;
    }
    let top = top(session, height);
    for (line, index) in (1..).zip(order.iter().skip(top).take(height)) {
        let id = ConnectionId(u64::from(*index) + 1);
        row(model, session, id, &columns, line, &mut pen);
    }
}

fn nothing(model: &Model, session: &Session) -> String {
    let words =
        match (session.store.reading().done, session.table.filter == Filter::default(), session.table.all) {
            (false, _, _) => "reading",
            (true, false, _) => "no connection passes the filter",
            (true, true, false) if session.standing.begun() > 0 => {
                let key = model.keys.key(model.screen, Action::All);
                return format!("nobody has probed so far; {key} shows all connections");
            }
            (true, true, _) => "no connection so far",
        };
    words.to_owned()
}

/// The first line that is shown: the chosen one stands in the middle where it can.
pub(super) fn top(session: &Session, height: usize) -> usize {
    let order = &session.table.order;
    let place = session.selected.and_then(|id| order.iter().position(|index| u64::from(*index) + 1 == id.0));
    let place = place.unwrap_or(0);
    place.saturating_sub(height / 2).min(order.len().saturating_sub(height))
}

/// Which connection, counted from 0, stands in a row of the screen.
pub fn row_at(session: &Session, area: Rect, row: u16) -> Option<u32> {
    let line = usize::from(row.checked_sub(area.y)?.checked_sub(2)?);
    let height = usize::from(area.height).saturating_sub(3);
    (line < height).then(|| session.table.order.get(top(session, height) + line).copied()).flatten()
}

fn heading(columns: &[(Column, usize)], width: usize) -> String {
    let mut text = String::from("  ");
    for (column, wide) in columns {
        let name = column.shape().heading;
        text.push_str(&match column {
            Column::Ends => fit(&format!(" {name}"), *wide, ' '),
            Column::Verdict => format!("  {name}"),
            _ => fit_right(name, *wide, ' '),
        });
    }
    fit(&text, width, ' ')
}

fn row(
    model: &Model,
    session: &Session,
    id: ConnectionId,
    columns: &[(Column, usize)],
    line: u16,
    pen: &mut Pen<'_>,
) {
    let theme = &model.choices.theme;
    let glyphs = theme.glyphs();
    let seen = session.standing.seen(id);
    let chosen = session.selected == Some(id);
    let mut text = format!("{} ", if chosen { glyphs.pointer } else { " " });
    for (column, wide) in columns.iter().filter(|(column, _)| *column != Column::Verdict) {
        let words = cell(session, id, *column).unwrap_or_else(|| "--".to_owned());
        text.push_str(&if *column == Column::Ends {
            fit(&words, *wide, glyphs.cut)
        } else {
            fit_right(&words, *wide, glyphs.cut)
        });
    }
    let x = pen.put(0, line, &text, Role::Text);
    if let Some(outcome) = seen.outcome {
        let (sign, word, role) = theme.outcome(outcome);
        pen.put(x + 2, line, &format!("{sign} {word}"), role);
    }
    if chosen {
        pen.mark_line(line, Role::Selected);
    }
}

/// What stands in a column; nothing where that does not show.
fn cell(session: &Session, id: ConnectionId, column: Column) -> Option<String> {
    let (store, standing) = (&session.store, &session.standing);
    let (connection, seen) = (store.connection(id)?, standing.seen(id));
    let record = store.record_at(id, standing.rows(), standing.at_end());
    let opened = record.map_or(connection.opened, |record| record.opened);
    let figures = standing.figures(id);
    let time = || figures?.span(column.quantity()?);
    Some(match column {
        Column::Number => id.to_string(),
        Column::Ends => format!(" {} > {}", opened.client, opened.server),
        Column::First => {
            let base = store.span().map_or(opened.first.time, |(first, _)| first);
            brief(opened.first.time.since(base))
        }
        Column::Duration => {
            let last = store.row(seen.last.checked_sub(1)?)?;
            brief(last.time.since(opened.first.time))
        }
        Column::Probes => seen.probes.to_string(),
        Column::Lost => seen.probes.saturating_sub(seen.answered).to_string(),
        Column::Packets => standing.packets(id).to_string(),
        Column::Idle | Column::Interval => brief(time()?).replace(' ', "").replace(".0s", "s"),
        Column::RttMedian | Column::RttHigh | Column::Gap => brief(time()?),
        Column::Count => figures?.amount(column.quantity()?)?.to_string(),
        Column::Stack => figures?.stack?.to_owned(),
        Column::Verdict => return None,
    })
}
