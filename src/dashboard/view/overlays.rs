//! What lies over the screen: the keys, what can be exported, a line being typed.

use super::pen::Pen;
use crate::dashboard::columns::Column;
use crate::dashboard::keymap::Action;
use crate::dashboard::model::{Asks, Model, Prompt, Screen, Session};
use crate::dashboard::simulation::field::hint;
use crate::dashboard::simulation::{choice, choices};
use crate::dashboard::text;
use crate::dashboard::theme::Role;

/// Columns for keys.
const KEYS: usize = 15;

pub(super) fn help(model: &Model, from: usize, pen: &mut Pen<'_>) {
    let screen = model.screen;
    let (width, height) = (pen.width().min(92), pen.height().saturating_sub(2));
    let x = (pen.width() - width) / 2;
    let mut part = pen.part(x, 1, width, height);
    part.clear();
    let title = format!("Keys: {}", screen.name());
    let key = |action| model.keys.key(screen, action);
    let scroll = format!("Esc closes, {} {} scroll", key(Action::Line(1)), key(Action::Line(-1)));
    let mut inner = part.panel(&title, &scroll, true);
    let mut y = 0;
    for row in model.keys.on(screen).skip(from) {
        inner.put(1, y, row.shown(), Role::Strong);
        let room = usize::from(inner.width()).saturating_sub(KEYS + 2);
        for line in text::wrap(row.words(), room) {
            inner.put(KEYS as u16 + 1, y, &line, Role::Text);
            y += 1;
        }
    }
}

pub(super) fn export(screen: Screen, pen: &mut Pen<'_>) {
    let all = [
        ("j", "JSON, as analyze --format json has it"),
        ("p", "pcapng: its packets, with what each is as comments"),
        ("l", "the ladder as SVG"),
        ("t", "the timeline as SVG"),
        ("s", "the screen as SVG"),
        ("x", "the panel that has the keys, as text"),
        ("J", "JSON of all connections of the table"),
        ("Esc", "nothing"),
    ];
    let [_, _, ladder, timeline, whole, panel, _, nothing] = all;
    let simulated =
        [("j", "JSON, as simulate --format json has it"), ladder, timeline, whole, panel, nothing];
    let lines: &[(&str, &str)] = if screen == Screen::Simulate { &simulated } else { &all };
    let (width, height) = (60.min(pen.width()), lines.len() as u16 + 2);
    let (x, y) = ((pen.width() - width) / 2, pen.height().saturating_sub(height) / 2);
    let mut part = pen.part(x, y, width, height);
    part.clear();
    let mut inner = part.panel("Export to a new file here", "", true);
    for (y, (key, words)) in (0..).zip(lines) {
        inner.put(1, y, key, Role::Strong);
        inner.put(6, y, words, Role::Text);
    }
}

/// The scenarios to begin with, and the question that the chosen one answers.
pub(super) fn scenarios(chosen: usize, pen: &mut Pen<'_>) {
    let (width, height) = (pen.width().min(84), pen.height().saturating_sub(2).min(28));
    let x = (pen.width() - width) / 2;
    let mut part = pen.part(x, 1, width, height);
    part.clear();
    let mut inner = part.panel("Begin with", "Enter takes it, Esc stays", true);
    let plan = choices().nth(chosen).and_then(choice);
    let about = plan.map(|plan| [plan.scenario.title, plan.scenario.question]).unwrap_or_default();
    let room = usize::from(inner.width()).saturating_sub(2);
    let words: Vec<String> = about.iter().flat_map(|words| text::wrap(words, room)).collect();
    let lines = inner.height().saturating_sub(5);
    let first = (chosen + 1).saturating_sub(usize::from(lines));
    let glyphs = inner.theme().glyphs();
    for (y, (place, name)) in (0..lines).zip(choices().enumerate().skip(first)) {
        let (pointer, role) =
            if place == chosen { (glyphs.pointer, Role::Selected) } else { (" ", Role::Text) };
        inner.put(0, y, &format!("{pointer} {name}"), role);
    }
    let below = inner.height().saturating_sub(4);
    for (y, words) in (below..).zip(&words) {
        inner.put(1, y, words, Role::Text);
    }
}

pub(super) fn columns(session: &Session, cursor: usize, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    let (width, height) = (74.min(pen.width()), (Column::ALL.len() as u16 + 2).min(pen.height()));
    let fitting = session.table.columns.fitting(usize::from(pen.width()).saturating_sub(2));
    let (x, y) = ((pen.width() - width) / 2, pen.height().saturating_sub(height) / 2);
    let mut part = pen.part(x, y, width, height);
    part.clear();
    let mut inner = part.panel("Columns", "Space shows   s sorts   S turns round   Esc closes", true);
    let top = (cursor + 1).saturating_sub(usize::from(inner.height()));
    for (y, (index, column)) in (0..).zip(Column::ALL.iter().enumerate().skip(top)) {
        let shape = column.shape();
        let shown = if session.table.columns.has(*column) { "[x]" } else { "[ ]" };
        let pointer = if index == cursor { glyphs.pointer } else { " " };
        let x = inner.put(0, y, &format!("{pointer}{shown} "), Role::Text);
        inner.put(x, y, shape.heading, Role::Strong);
        let sorted = match (session.table.sort == *column, session.table.reversed) {
            (true, true) => "sorted, turned round",
            (true, false) => "sorted",
            (false, _) => "",
        };
        let squeezed = session.table.columns.has(*column) && !fitting.iter().any(|(fits, _)| fits == column);
        let note = if squeezed { "no room" } else { sorted };
        let room = usize::from(inner.width()).saturating_sub(24 + note.len());
        inner.put(21, y, &text::shorten(shape.words, room, glyphs.cut), Role::Text);
        inner.put_right(1, y, note, Role::Doubt);
        if index == cursor {
            inner.mark_line(y, Role::Selected);
        }
    }
}

pub(super) fn prompt(model: &Model, line: &Prompt, pen: &mut Pen<'_>) {
    let height = pen.height();
    let mut part = pen.part(0, height.saturating_sub(2), pen.width(), 2);
    part.clear();
    let field = model.simulation.as_ref().map(|simulation| simulation.field);
    let label: &str = match line.asks {
        Asks::Filter => "filter /",
        Asks::GoTo => "go to :",
        Asks::Open => "open ",
        Asks::Setting => &field.map_or(String::new(), |field| format!("{} ", field.name())),
        Asks::Peer => "probe ",
        Asks::Change(_) => "probe it by ",
        Asks::Manner => "probe others by ",
        Asks::Record => "record to ",
        Asks::Rehearse => "rehearse a search through ",
    };
    let x = part.put(1, 0, label, Role::Strong);
    // A long line shows its end around the cursor.
    let room = usize::from(part.width().saturating_sub(x + 2)).max(1);
    let from = line.cursor.saturating_sub(room.saturating_sub(1));
    let shown: String = line.text.iter().skip(from).take(room).collect();
    part.put(x, 0, &shown, Role::Text);
    if let Some((wrong, length)) = line.wrong {
        let columns = |characters: usize| {
            let before: String = line.text.iter().skip(from).take(characters.saturating_sub(from)).collect();
            text::width(&text::clean(&before)) as u16
        };
        let (begin, end) = (columns(wrong), columns(wrong + length));
        part.mark(x.saturating_add(begin), 0, end.saturating_sub(begin), Role::Bad);
    }
    let cursor: String = line.text.iter().skip(from).take(line.cursor - from).collect();
    let wide = text::width(&text::clean(&cursor)) as u16;
    part.mark(x.saturating_add(wide), 0, 1, Role::Now);
    let (words, role) = match (&line.problem, line.asks) {
        // Where something is missing at the end, there is nothing to mark.
        (Some(problem), _) => match line.wrong {
            Some((column, _)) => (format!("at {}: {problem}", column + 1), Role::Bad),
            None => (problem.clone(), Role::Bad),
        },
        (None, Asks::Filter) => {
            let left = model.shown().map_or(0, |session| session.table.order.len());
            let hint = "addr:NET port:N alive ka.lost>0 idle>60s /regex/ , or ! not ( )";
            (format!("{left} left   {hint}   Enter keeps, Esc drops"), Role::Faint)
        }
        (None, Asks::GoTo) => {
            ("12.5s  2m30s  14:03:22  #9118  a  b   Enter goes, Esc stays".to_owned(), Role::Faint)
        }
        (None, Asks::Peer) => {
            ("HOST:PORT, then how it is probed   Enter probes, Esc does nothing".to_owned(), Role::Faint)
        }
        (None, Asks::Change(_)) => {
            ("what is not named stays as it is   Enter changes it, Esc leaves it".to_owned(), Role::Faint)
        }
        (None, Asks::Manner) => {
            ("how peers to come are probed   Enter keeps it, Esc leaves it".to_owned(), Role::Faint)
        }
        (None, Asks::Record) => (
            "a new file, .pcapng or .pcap, packet by packet   Enter begins, Esc does not".to_owned(),
            Role::Faint,
        ),
        (None, Asks::Open) => (
            "pcap or pcapng, plain or compressed; or a scenario, .toml   Enter opens".to_owned(),
            Role::Faint,
        ),
        (None, Asks::Setting) => (field.map_or("", hint).to_owned(), Role::Faint),
        (None, Asks::Rehearse) => {
            (format!("{}   Enter, Esc", crate::dashboard::middlebox::rehearse::FORMS), Role::Faint)
        }
    };
    part.put(1, 1, &words, role);
}
