//! The table of a live source: ours with their state, settings and losses, and what else is seen.
//!
//! Only the lines that are visible are made. Columns go in the order of `COLUMNS`'s last number as it narrows.

use super::connections::top;
use super::pen::Pen;
use crate::analysis::ConnectionRecord;
use crate::analysis::filter::best_explanation;
use crate::dashboard::keymap::Action;
use crate::dashboard::live::{Link, Live};
use crate::dashboard::model::{Model, Panel, Screen, Session};
use crate::dashboard::text::{brief, fit, fit_right};
use crate::dashboard::theme::Role;
use crate::time::{Span, duration};
use crate::track::event::ConnectionId;

/// Columns with their widths, and which goes first: lowest first. Those of no width share what is left.
const COLUMNS: [(&str, usize, u8); 9] = [
    ("#", 5, 9),
    ("local", 0, 2),
    ("remote", 0, 9),
    ("state", 12, 6),
    ("idle/intvl/cnt", 15, 5),
    ("probes", 7, 9),
    ("lost", 5, 9),
    ("rtt p50", 9, 4),
    ("rtt p99", 9, 3),
];

/// Columns of the verdict.
const VERDICT: usize = 15;

/// Least room for an end.
const END: usize = 19;

/// Round trips of which p50 and p99 are taken.
const TRIPS: usize = 1000;

pub(super) fn draw(model: &Model, session: &Session, live: &Live, pen: &mut Pen<'_>) {
    let (order, table) = (&session.table.order, &session.table);
    let title = format!("Connections {} of {}", order.len(), session.standing.begun());
    let direction = if table.reversed { " reversed" } else { "" };
    let filter =
        if table.filter_text.is_empty() { String::new() } else { format!("   / {}", table.filter_text) };
    let right = format!("sort: {}{direction}{filter}", table.sort.shape().heading);
    let mut pen = pen.panel(&title, &right, model.choices.focus == Panel::Connections);
    let columns = columns_for(usize::from(pen.width()));
    pen.put(0, 0, &heading(&columns, usize::from(pen.width())), Role::Strong);
    let height = usize::from(pen.height()).saturating_sub(1);
    if order.is_empty() {
        pen.put(2, 1, &nothing(model, session, live), Role::Faint);
        return;
    }
    let top = top(session, height);
    for (line, index) in (1..).zip(order.iter().skip(top).take(height)) {
        let id = ConnectionId(u64::from(*index) + 1);
        row(model, session, live, id, &columns, line, &mut pen);
    }
}

fn nothing(model: &Model, session: &Session, live: &Live) -> String {
    let key = |action| model.keys.key(Screen::Live, action);
    let waits = live.facts.links.iter().any(|link| link.stage.goes_on());
    match (session.table.filter_text.is_empty(), waits, session.table.all) {
        (false, ..) => "no connection passes the filter".to_owned(),
        (true, true, _) => "the first packet is waited for".to_owned(),
        (true, false, false) if session.standing.begun() > 0 => {
            format!("nobody has probed so far; {} shows all connections", key(Action::All))
        }
        (true, false, _) => format!("no connection so far; {} probes a peer", key(Action::Peer)),
    }
}

/// The columns for which there is room, with their widths.
fn columns_for(width: usize) -> Vec<(usize, usize)> {
    let mut chosen: Vec<usize> = (0..COLUMNS.len()).collect();
    loop {
        let of = |index: &usize| COLUMNS.get(*index).copied().unwrap_or_default();
        let fixed: usize = chosen.iter().map(|index| of(index).1).sum();
        let ends = chosen.iter().filter(|index| of(index).1 == 0).count().max(1);
        let each = width.saturating_sub(fixed + VERDICT + 2) / ends;
        let lowest = chosen.iter().enumerate().min_by_key(|(_, index)| of(index).2);
        if let Some((place, _)) = lowest
            && each < END
            && chosen.len() > 4
        {
            chosen.remove(place);
            continue;
        }
        let wide = |index: usize| if of(&index).1 == 0 { each } else { of(&index).1 };
        return chosen.into_iter().map(|index| (index, wide(index))).collect();
    }
}

/// Ends and states stand at the left of their columns, numbers at the right.
const fn is_left(index: usize) -> bool {
    matches!(index, 1..=3)
}

fn heading(columns: &[(usize, usize)], width: usize) -> String {
    let mut text = String::from("  ");
    for (index, wide) in columns {
        let name = COLUMNS.get(*index).map_or("", |column| column.0);
        text.push_str(&cell(*index, name, *wide, ' '));
    }
    text.push_str("  verdict");
    fit(&text, width, ' ')
}

fn cell(index: usize, words: &str, wide: usize, cut: char) -> String {
    if is_left(index) { fit(&format!(" {words}"), wide, cut) } else { fit_right(words, wide, cut) }
}

fn row(
    model: &Model,
    session: &Session,
    live: &Live,
    id: ConnectionId,
    columns: &[(usize, usize)],
    line: u16,
    pen: &mut Pen<'_>,
) {
    let theme = &model.choices.theme;
    let glyphs = theme.glyphs();
    let Some(connection) = session.store.connection(id) else { return };
    let seen = session.standing.seen(id);
    let record = session.store.record_at(id, session.standing.rows(), session.standing.at_end());
    let opened = record.map_or(connection.opened, |record| record.opened);
    let ours = live.link(id);
    // How it stands is known of now only.
    let link = ours.filter(|_| session.player.playing);
    let trips = session.standing.round_trips(&session.store, id, TRIPS);
    let chosen = session.selected == Some(id);
    let mut text = format!("{} ", if chosen { glyphs.pointer } else { " " });
    for (index, wide) in columns {
        let words = match index {
            0 => id.to_string(),
            1 => opened.client.to_string(),
            2 => opened.server.to_string(),
            3 => match (ours, link) {
                (_, Some(link)) => state(link),
                (Some(_), None) => "--".to_owned(),
                (None, None) => "watched".to_owned(),
            },
            4 => ours.map(settings_of).unwrap_or_else(|| {
                let drawn = || live.drawn.get(&id).and_then(|drawn| drawn.1.clone());
                record.and_then(settings).or_else(drawn).unwrap_or_else(|| "--".to_owned())
            }),
            5 => seen.probes.to_string(),
            6 => seen.probes.saturating_sub(seen.answered).to_string(),
            7 => at(&trips, 50),
            _ => at(&trips, 99),
        };
        text.push_str(&cell(*index, &words, *wide, glyphs.cut));
    }
    let x = pen.put(0, line, &text, Role::Text);
    let known = link.and_then(|link| link.stage.verdict());
    if let Some((sign, word, role)) = known.or(seen.outcome.map(|outcome| theme.outcome(outcome))) {
        pen.put(x + 2, line, &format!("{sign} {word}"), role);
    }
    if chosen {
        pen.mark_line(line, Role::Selected);
    }
}

/// Where one of ours stands: open, or which of its probes waits.
fn state(link: &Link) -> String {
    match link.unanswered {
        waiting @ 1.. if link.stage == crate::dashboard::live::Stage::Open => {
            format!("KA {waiting}/{}?", link.manner.settings.count)
        }
        _ => link.stage.word().to_owned(),
    }
}

/// Idle time, interval and count of the busier prober, as far as its probes tell.
pub fn settings(record: &ConnectionRecord) -> Option<String> {
    let best = best_explanation(record)?;
    let time = |setting: Option<crate::analysis::inference::Setting>| {
        setting.map_or("--".to_owned(), |setting| brief(setting.value).replace(' ', "").replace(".0s", "s"))
    };
    let count = best.count.map_or("--".to_owned(), |count| count.to_string());
    Some(format!("{}/{}/{count}", time(best.idle), time(best.interval)))
}

fn settings_of(link: &Link) -> String {
    let settings = link.manner.settings;
    let (idle, interval) = (duration::format(settings.idle), duration::format(settings.interval));
    format!("{idle}/{interval}/{}", settings.count)
}

/// A percentile of sorted round trips.
fn at(trips: &[Span], percent: usize) -> String {
    let place = (trips.len() * percent).div_ceil(100).saturating_sub(1);
    trips.get(place).copied().map_or_else(|| "--".to_owned(), brief)
}
