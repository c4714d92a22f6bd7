//! The table of connections: only the lines that are visible are made.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::analysis::inference::Explanation;
use crate::analysis::{ConnectionRecord, median};
use crate::dashboard::model::{Model, Panel, Session};
use crate::dashboard::text::{brief, fit, fit_right};
use crate::dashboard::theme::Role;
use crate::time::Span;
use crate::track::event::ConnectionId;

/// Columns of the table with their widths. They go from the right as the table narrows, in the order of the
/// last number: lowest first.
const COLUMNS: [(&str, usize, u8); 8] = [
    ("#", 6, 9),
    ("client > server", 0, 9),
    ("first", 10, 3),
    ("dur", 8, 4),
    ("idle~/intvl~/cnt~", 19, 1),
    ("KA", 6, 7),
    ("lost", 6, 8),
    ("rtt p50", 9, 2),
];

/// Columns of the verdict.
const VERDICT: usize = 15;

/// Least room for the ends.
const ENDS: usize = 27;

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let (order, table) = (&session.table.order, &session.table);
    let shown = order.len();
    let title = format!("Connections {shown} of {}", session.standing.begun());
    let direction = if table.reversed { " reversed" } else { "" };
    let filter =
        if table.filter_text.is_empty() { String::new() } else { format!("   / {}", table.filter_text) };
    let right = format!("sort: {}{direction}{filter}", table.sort.name());
    let mut pen = pen.panel(&title, &right, model.choices.focus == Panel::Connections);
    let columns = columns_for(usize::from(pen.width()));
    pen.put(0, 0, &heading(&columns, usize::from(pen.width())), Role::Strong);
    let height = usize::from(pen.height()).saturating_sub(1);
    if order.is_empty() {
        pen.put(2, 1, nothing(session), Role::Faint);
        return;
    }
    let top = top(session, height);
    for (line, index) in (1..).zip(order.iter().skip(top).take(height)) {
        let id = ConnectionId(u64::from(*index) + 1);
        let chosen = session.selected == Some(id);
        row(model, session, id, &columns, line, chosen, &mut pen);
    }
}

fn nothing(session: &Session) -> &'static str {
    match (session.store.reading().done, session.table.filter_text.is_empty(), session.table.all) {
        (false, _, _) => "reading",
        (true, false, _) => "no connection passes the filter",
        (true, true, false) if session.standing.begun() > 0 => {
            "nobody has probed so far; a shows all connections"
        }
        (true, true, _) => "no connection so far",
    }
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

/// The columns for which there is room, with their widths.
fn columns_for(width: usize) -> Vec<(usize, usize)> {
    let mut chosen: Vec<usize> = (0..COLUMNS.len()).collect();
    loop {
        let fixed: usize = chosen.iter().filter_map(|index| COLUMNS.get(*index)).map(|column| column.1).sum();
        let left = width.saturating_sub(fixed + VERDICT + 2);
        let lowest =
            chosen.iter().enumerate().min_by_key(|(_, index)| COLUMNS.get(**index).map(|column| column.2));
        if let Some((place, _)) = lowest
            && left < ENDS
            && chosen.len() > 4
        {
            chosen.remove(place);
            continue;
        }
        let wide =
            |index: usize| COLUMNS.get(index).map_or(0, |column| if column.1 == 0 { left } else { column.1 });
        return chosen.into_iter().map(|index| (index, wide(index))).collect();
    }
}

fn heading(columns: &[(usize, usize)], width: usize) -> String {
    let mut text = String::from("  ");
    for (index, wide) in columns {
        let name = COLUMNS.get(*index).map_or("", |column| column.0);
        let left = matches!(index, 1);
        text.push_str(&if left { fit(&format!(" {name}"), *wide, ' ') } else { fit_right(name, *wide, ' ') });
    }
    text.push_str("  verdict");
    fit(&text, width, ' ')
}

fn row(
    model: &Model,
    session: &Session,
    id: ConnectionId,
    columns: &[(usize, usize)],
    line: u16,
    chosen: bool,
    pen: &mut Pen<'_>,
) {
    let theme = &model.choices.theme;
    let glyphs = theme.glyphs();
    let Some(connection) = session.store.connection(id) else { return };
    let seen = session.standing.seen(id);
    let record = session.store.record_at(id, session.standing.rows(), session.standing.at_end());
    let opened = record.map_or(connection.opened, |record| record.opened);
    // Of the chosen one more is known before its last word than of the others.
    let so_far = session.chosen.as_ref().map(|chosen| &chosen.record).filter(|record| record.id == id);
    let record = record.or(so_far);
    let last = seen.last.checked_sub(1).and_then(|row| session.store.row(row));
    let base = session.store.span().map_or(opened.first.time, |(first, _)| first);
    let mut text = format!("{} ", if chosen { glyphs.pointer } else { " " });
    for (index, wide) in columns {
        let cell = match index {
            0 => id.to_string(),
            1 => format!(" {} > {}", opened.client, opened.server),
            2 => brief(opened.first.time.since(base)),
            3 => last.map_or(String::new(), |last| brief(last.time.since(opened.first.time))),
            4 => record.and_then(settings).unwrap_or_else(|| "--".to_owned()),
            5 => seen.probes.to_string(),
            6 => seen.probes.saturating_sub(seen.answered).to_string(),
            _ => record.and_then(round_trip).map_or("--".to_owned(), brief),
        };
        text.push_str(&if *index == 1 {
            fit(&cell, *wide, glyphs.cut)
        } else {
            fit_right(&cell, *wide, glyphs.cut)
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

/// The settings that explain the busier prober best.
pub(super) fn explanation(record: &ConnectionRecord) -> Option<&Explanation> {
    let (party, _) = record.probers().max_by_key(|(_, prober)| prober.probes.len())?;
    record.inference(party).settings.first()
}

/// Idle time, interval and count of the busier prober, as far as its probes tell.
pub fn settings(record: &ConnectionRecord) -> Option<String> {
    let best = explanation(record)?;
    let time = |setting: Option<crate::analysis::inference::Setting>| {
        setting.map_or("--".to_owned(), |setting| brief(setting.value).replace(' ', "").replace(".0s", "s"))
    };
    let count = best.count.map_or("--".to_owned(), |count| count.to_string());
    Some(format!("{}/{}/{count}", time(best.idle), time(best.interval)))
}

fn round_trip(record: &ConnectionRecord) -> Option<Span> {
    let (_, prober) = record.probers().max_by_key(|(_, prober)| prober.probes.len())?;
    median(&prober.round_trips())
}
