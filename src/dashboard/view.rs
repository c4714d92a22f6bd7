//! The model as a screen.
//!
//! Owns every view and the layout. Views read the model and write to a buffer, nothing else; only what is
//! visible costs. Pure, and correct at any size: whatever does not fit is not drawn.

pub mod connections;
pub mod events;
mod frame;
pub mod ladder;
pub mod layout;
pub mod live_table;
mod middlebox;
mod overlays;
mod pen;
mod round_trips;
pub mod scrubber;
pub mod simulate;
mod start;
pub mod timeline;
mod verdict;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::layout::{Place, Size};
use self::pen::Pen;
use super::model::{Model, Overlay, Panel, Screen, Session};
use super::theme::Role;
use super::{svg, text};

/// Draws everything.
pub fn draw(model: &Model, buffer: &mut Buffer) {
    let area = buffer.area;
    let mut pen = Pen::new(buffer, area, &model.choices.theme);
    pen.clear();
    let Some(size) = Size::of(area.width, area.height) else {
        too_small(&mut pen);
        return;
    };
    frame::header(model, &mut pen.part(0, 0, area.width, 1));
    match (model.screen, model.shown()) {
        (Screen::Live | Screen::Replay, Some(session)) => {
            for (place, rect) in layout::places(model, size, area) {
                let mut part = pen.within(rect);
                match place {
                    Place::Scrubber => scrubber::draw(session, &mut part),
                    Place::Panel(panel) => draw_panel(model, session, panel, &mut part),
                    Place::State => {}
                }
            }
            frame::status(model, session, &mut pen.part(0, area.height.saturating_sub(2), area.width, 1));
        }
        (Screen::Simulate, _) if model.simulation.is_some() => simulate::draw(model, size, area, &mut pen),
        (Screen::Middlebox, _) if model.middlebox.is_some() => middlebox::draw(model, size, area, &mut pen),
        _ => start::draw(model, &mut pen.part(0, 1, area.width, area.height.saturating_sub(3))),
    }
    frame::bottom(model, &mut pen.part(0, area.height.saturating_sub(1), area.width, 1));
    match &model.overlay {
        Some(Overlay::Help(from)) => overlays::help(model, *from, &mut pen),
        Some(Overlay::Export) => overlays::export(model.screen, &mut pen),
        Some(Overlay::Scenarios(chosen)) => overlays::scenarios(*chosen, &mut pen),
        Some(Overlay::Columns(cursor)) => {
            if let Some(session) = model.shown() {
                overlays::columns(session, *cursor, &mut pen);
            }
        }
        Some(Overlay::Prompt(line)) => overlays::prompt(model, line, &mut pen),
        None => {}
    }
}

fn draw_panel(model: &Model, session: &Session, panel: Panel, pen: &mut Pen<'_>) {
    match panel {
        Panel::Connections => match &session.live {
            Some(live) => live_table::draw(model, session, live, pen),
            None => connections::draw(model, session, pen),
        },
        Panel::Ladder => ladder::draw(model, session, pen),
        Panel::Verdict => verdict::draw(model, session, pen),
        Panel::RoundTrips => round_trips::draw(model, session, pen),
        Panel::Timeline => timeline::draw(model, session, pen),
        Panel::Events => events::draw(model, session, pen),
        Panel::Settings | Panel::Compare | Panel::Answer => simulate::draw_panel(model, panel, pen),
    }
}

/// The screen without what lies over it, as a picture.
pub fn picture(model: &Model, title: &str) -> String {
    let (width, height) = model.size;
    let area = Rect { x: 0, y: 0, width: width.max(layout::LEAST.0), height: height.max(layout::LEAST.1) };
    let mut buffer = Buffer::empty(area);
    draw(model, &mut buffer);
    svg::screen(&buffer, &model.choices.theme, title)
}

/// Lines of a panel that are made into text at most.
const MOST_LINES: u16 = 4_000;

/// Columns that the table and the log need to show everything whole.
const WHOLE: u16 = 220;

/// What a panel says as text, without its frame: all of the ladder, the table and the log, of the others what is
/// shown.
pub fn panel_text(model: &Model, session: &Session, panel: Panel) -> String {
    let ladder =
        || session.selected.and_then(|id| session.store.connection(id)).map_or(0, |found| found.rows.len());
    let lines = match panel {
        Panel::Connections => session.table.order.len(),
        // A silence takes a line as well.
        Panel::Ladder => ladder().saturating_mul(2).saturating_add(session.asides.notes.len()),
        Panel::Events => session.standing.events(),
        Panel::Verdict | Panel::RoundTrips | Panel::Timeline => 16,
        Panel::Settings | Panel::Compare | Panel::Answer => 48,
    };
    let height = u16::try_from(lines).unwrap_or(MOST_LINES).min(MOST_LINES) + 8;
    // Nothing has to be cut that the screen has no room for.
    let least = if matches!(panel, Panel::Connections | Panel::Events) { WHOLE } else { layout::LEAST.0 };
    let area = Rect { x: 0, y: 0, width: model.size.0.max(least), height };
    let mut buffer = Buffer::empty(area);
    let mut pen = Pen::new(&mut buffer, area, &model.choices.theme);
    draw_panel(model, session, panel, &mut pen);
    let line = |y: u16| {
        let cells = (1..area.width - 1).filter_map(|x| buffer.cell((x, y)));
        cells.map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    let mut lines: Vec<String> = (1..height - 1).map(line).collect();
    let filled = |line: &String| !line.is_empty();
    lines.truncate(lines.iter().rposition(filled).map_or(0, |last| last + 1));
    let from = lines.iter().position(filled).unwrap_or(0);
    let mut text = lines.get(from..).unwrap_or_default().join("\n");
    text.push('\n');
    text
}

fn too_small(pen: &mut Pen<'_>) {
    let (columns, rows) = (pen.width(), pen.height());
    let words =
        format!("{columns}x{rows} is too small: keepscope needs {}x{}", layout::LEAST.0, layout::LEAST.1);
    for (line, words) in (0..).zip(text::wrap(&words, usize::from(columns).max(1))) {
        pen.put(0, line, &words, Role::Text);
    }
}

/// The name of the first capture without folder and suffixes, fit for the name of a file.
pub fn file_stem(session: &Session) -> String {
    let name = session
        .paths
        .first()
        .and_then(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or("capture");
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
    stem.chars().map(plain).collect()
}
