//! Ladder and timeline of the chosen connection as SVG, up to the moment shown; and the screen as it is. Pure.
//!
//! Written by hand: a few shapes, and text that is escaped. No script, no font but the reader's own.

mod screen;

pub use screen::screen;

use std::fmt::Write;

use super::axis::Axis;
use super::model::{Model, Session};
use super::text::{brief, clean, seconds};
use super::theme::Role;
use super::view::ladder::{Line, Writer, lines};
use super::view::timeline;
use crate::time::Timestamp;
use crate::track::event::Party;

/// Lines of a ladder that are drawn; of a longer one the last.
const MOST_LINES: usize = 2_000;

/// Columns of the axis of a timeline, each so many units wide.
const COLUMNS: u16 = 240;
const UNIT: u16 = 4;

const FONT: &str = "font-family=\"ui-monospace, monospace\" font-size=\"12\"";

/// Text that means nothing to XML, without control characters.
fn escape(text: &str) -> String {
    let clean = clean(text);
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn color(role: Role) -> &'static str {
    match role {
        Role::Good => "#009e73",
        Role::Doubt => "#b07800",
        Role::Bad => "#d55e00",
        Role::Idle => "#56b4e9",
        Role::Interval => "#cc79a7",
        Role::Faint => "#777777",
        _ => "#222222",
    }
}

/// A picture of this size around a body.
fn picture(width: usize, height: usize, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<g {FONT}>\n{body}</g>\n</svg>\n",
        title = escape(title)
    )
}

fn write_text(body: &mut String, x: usize, y: usize, anchor: &str, role: Role, words: &str) {
    // A string takes everything.
    let _ = writeln!(
        body,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
        color(role),
        escape(words)
    );
}

fn write_line(body: &mut String, from: (usize, usize), to: (usize, usize), stroke: &str) {
    let _ = writeln!(
        body,
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{stroke}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// The ladder of the chosen connection.
pub fn ladder(model: &Model) -> String {
    const CLIENT: usize = 420;
    const SERVER: usize = 660;
    const STEP: usize = 18;
    let Some((session, writer)) = chosen(model) else { return picture(10, 10, "nothing is chosen", "") };
    let record = &writer.chosen.record;
    let shown = lines(session, writer.connection, true, 0, MOST_LINES);
    let height = 70 + shown.len() * STEP;
    let mut body = String::new();
    let base = session.store.span().map_or(record.opened.first.time, |(first, _)| first);
    write_text(&mut body, 10, 20, "start", Role::Strong, &headline(&writer));
    write_text(&mut body, CLIENT, 45, "middle", Role::Strong, &record.opened.client.to_string());
    write_text(&mut body, SERVER, 45, "middle", Role::Strong, &record.opened.server.to_string());
    for x in [CLIENT, SERVER] {
        write_line(&mut body, (x, 52), (x, height - 8), "#222222");
    }
    for (index, line) in shown.iter().enumerate() {
        let y = 70 + index * STEP;
        match line {
            Line::Silence(silence, _) => {
                let words = format!("{} of silence", seconds(*silence));
                write_text(&mut body, usize::midpoint(CLIENT, SERVER), y + 4, "middle", Role::Faint, &words);
            }
            Line::Folded(begin, end) => {
                let words = format!("{} segments", end - begin);
                write_text(&mut body, usize::midpoint(CLIENT, SERVER), y + 4, "middle", Role::Faint, &words);
            }
            Line::Note(place) => {
                let Some(note) = session.asides.notes.get(*place) else { continue };
                let words = format!("{}  {}", seconds(note.time.since(base)), note.words);
                write_text(&mut body, usize::midpoint(CLIENT, SERVER), y + 4, "middle", note.role, &words);
            }
            Line::Row(place) => {
                let Some(row) = writer.row(*place) else { continue };
                let told = writer.told(row);
                let stroke = color(told.role);
                let (from, to) =
                    if row.sender == Party::Client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
                let middle = usize::midpoint(from, to);
                let end = if told.lost { middle } else { to };
                write_line(&mut body, (from, y), (end, y), stroke);
                if told.lost {
                    write_text(&mut body, end, y + 4, "middle", told.role, "\u{d7}");
                } else {
                    let back = if to > from { to - 7 } else { to + 7 };
                    let _ = writeln!(
                        body,
                        "<polygon points=\"{to},{y} {back},{} {back},{}\" fill=\"{stroke}\"/>",
                        y.saturating_sub(4),
                        y + 4
                    );
                }
                let time = seconds(row.time.since(base));
                let left = format!("{}  {time}  {}", row.frame(), told.what);
                write_text(&mut body, 10, y + 4, "start", told.role, &left);
                let remark = session.asides.remarks.get(&row.frame()).map_or("", String::as_str);
                let right = format!("{}  {}  {remark}", writer.numbers(row), told.note);
                write_text(&mut body, SERVER + 12, y + 4, "start", Role::Text, right.trim());
            }
        }
    }
    picture(1000, height, &headline(&writer), &body)
}

fn chosen(model: &Model) -> Option<(&Session, Writer<'_>)> {
    let session = model.shown()?;
    let chosen = session.chosen.as_ref()?;
    let connection = session.store.connection(session.selected?)?;
    Some((session, Writer { model, session, chosen, connection, wide: true }))
}

fn headline(writer: &Writer<'_>) -> String {
    let record = &writer.chosen.record;
    let outcome = record.verdict.outcome.name().replace('_', " ");
    format!("#{} {outcome}: {}", record.id, record.verdict.reason)
}

/// The timeline of the chosen connection.
pub fn timeline(model: &Model) -> String {
    const LEFT: usize = 20;
    let width = usize::from(COLUMNS * UNIT) + 2 * LEFT;
    let drawn = chosen(model).and_then(|(session, writer)| {
        let axis = timeline::axis(session, COLUMNS)?;
        let (_, prober) = timeline::prober(session)?;
        Some((session, writer, axis, prober))
    });
    let Some((session, writer, axis, prober)) = drawn else { return picture(10, 10, "nobody probed", "") };
    let mut body = String::new();
    let base = session.store.span().map_or(writer.chosen.record.opened.first.time, |(first, _)| first);
    write_text(&mut body, LEFT, 20, "start", Role::Strong, &headline(&writer));
    let x = |axis: &Axis, time: Timestamp| axis.column(time).map(|column| LEFT + usize::from(column * UNIT));
    for (from, to, idle) in timeline::bands(prober) {
        let (Some(from_x), Some(to_x)) = (x(&axis, from), x(&axis, to)) else { continue };
        let role = if idle { Role::Idle } else { Role::Interval };
        let wide = to_x.saturating_sub(from_x).max(1);
        let _ = writeln!(
            body,
            "<rect x=\"{from_x}\" y=\"40\" width=\"{wide}\" height=\"22\" fill=\"{}\" fill-opacity=\"0.45\" \
             stroke=\"#ffffff\"/>",
            color(role)
        );
        let length = brief(to.since(from));
        let full = format!("{} {length}", if idle { "idle" } else { "interval" });
        let label = if wide > full.len() * 8 { full } else { length };
        if wide > label.len() * 8 {
            write_text(&mut body, from_x + wide / 2, 55, "middle", Role::Text, &label);
        }
    }
    for probe in &prober.probes {
        let Some(at) = x(&axis, probe.segment.at.time) else { continue };
        let role = if probe.answer.is_some() { Role::Good } else { Role::Doubt };
        write_line(&mut body, (at, 36), (at, 90), color(role));
        write_text(&mut body, at, 84, "middle", role, if probe.answer.is_some() { "K" } else { "k" });
        let back = if probe.answer.is_some() { "a" } else { "x" };
        write_text(&mut body, at, 102, "middle", role, back);
    }
    if let Some(at) = writer.chosen.record.summary.reset.and_then(|(_, at)| x(&axis, at.time)) {
        write_text(&mut body, at, 84, "middle", Role::Bad, "R");
    }
    for due in session.expected.iter().flat_map(|expected| &expected.due) {
        if let (Some(from), Some(to)) = (x(&axis, due.window.0), x(&axis, due.window.1)) {
            let wide = to.saturating_sub(from).max(2);
            let _ = writeln!(
                body,
                "<rect x=\"{from}\" y=\"110\" width=\"{wide}\" height=\"6\" fill=\"#777777\"/>"
            );
        }
    }
    let mut free = 0;
    for piece in axis.pieces() {
        let at = LEFT + usize::from(piece.column * UNIT);
        if piece.folded {
            write_text(&mut body, at + usize::from(UNIT), 134, "middle", Role::Faint, "//");
        } else if at >= free {
            let label = brief(piece.from.since(base));
            write_text(&mut body, at, 134, "start", Role::Faint, &label);
            free = at + label.len() * 8 + 24;
        }
    }
    let legend = "K answered probe, k unanswered, a answer, x none, R reset; grey: when a probe was due";
    write_text(&mut body, LEFT, 156, "start", Role::Faint, legend);
    picture(width, 168, &headline(&writer), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        assert_eq!(escape("<a b=\"&\">\x1b"), "&lt;a b=&quot;&amp;&quot;&gt;?");
    }
}
