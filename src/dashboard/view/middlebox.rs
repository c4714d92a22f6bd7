//! The search for an idle timeout: bracket, trials, silences under way, what it came to, what happened.
//!
//! | size | panels |
//! |---|---|
//! | 120x35 and more | bracket, trials and silences, result and log |
//! | 80x24 and 100x30 | bracket, trials and silences, result |
//! | 60x16 | bracket, trials, result |
//!
//! A panel that has the keys and no place takes that of the trials. Pure.

mod bracket;
mod lists;
mod result;

use ratatui::layout::Rect;

use super::layout::Size;
use super::pen::Pen;
use crate::dashboard::middlebox::words::roughly;
use crate::dashboard::middlebox::{Hunt, Pane, Standing};
use crate::dashboard::model::Model;
use crate::dashboard::text::{plural, width};
use crate::dashboard::theme::Role;

/// Draws the screen between its first and its last line.
pub(super) fn draw(model: &Model, size: Size, area: Rect, pen: &mut Pen<'_>) {
    let Some(hunt) = model.middlebox.as_ref() else { return };
    let body = area.height.saturating_sub(3);
    status(hunt, &mut pen.part(0, area.height.saturating_sub(2), area.width, 1));
    let Some(standing) = hunt.standing() else {
        pen.put(2, 2, "nothing was told yet", Role::Faint);
        return;
    };
    let line = |y: u16, height: u16| Rect { x: 0, y: 1 + y, width: area.width, height };
    if hunt.maximised {
        pane(hunt, &standing, hunt.pane, &mut pen.within(line(0, body)));
        return;
    }
    let (scale, foot) = match size {
        Size::Small => (6, 2),
        Size::Medium => (7, 6),
        Size::Large => (7, 8),
        Size::Huge => (8, 12),
    };
    bracket::draw(hunt, &standing, &mut pen.within(line(0, scale)));
    let middle = body.saturating_sub(scale + foot);
    let has_place = match size {
        Size::Small => matches!(hunt.pane, Pane::Trials | Pane::Result),
        Size::Medium | Size::Large => hunt.pane != Pane::Log,
        Size::Huge => true,
    };
    let first = if has_place { Pane::Trials } else { hunt.pane };
    let left = if size == Size::Small { area.width } else { area.width * 3 / 5 };
    pane(hunt, &standing, first, &mut pen.within(Rect { width: left, ..line(scale, middle) }));
    if size != Size::Small {
        let right = Rect { x: left, width: area.width - left, ..line(scale, middle) };
        pane(hunt, &standing, Pane::Silences, &mut pen.within(right));
    }
    let below = line(scale + middle, foot);
    if size == Size::Huge {
        pane(hunt, &standing, Pane::Result, &mut pen.within(Rect { width: left, ..below }));
        let right = Rect { x: left, width: area.width - left, ..below };
        pane(hunt, &standing, Pane::Log, &mut pen.within(right));
    } else {
        pane(hunt, &standing, Pane::Result, &mut pen.within(below));
    }
}

fn pane(hunt: &Hunt, standing: &Standing<'_>, pane: Pane, pen: &mut Pen<'_>) {
    match pane {
        Pane::Trials => lists::trials(hunt, standing, pen),
        Pane::Silences => lists::silences(hunt, standing, pen),
        Pane::Result => result::draw(hunt, standing, pen),
        Pane::Log => lists::log(hunt, standing, pen),
    }
}

/// What it is, at the right of the first line, from a column on.
pub(super) fn badge(hunt: &Hunt, x: u16, pen: &mut Pen<'_>) {
    let badge = match (hunt.simulated, hunt.is_done()) {
        (true, _) => "SIMULATED: nothing is sent",
        (false, true) => "DONE",
        (false, false) => "LIVE",
    };
    let role = if hunt.simulated { Role::Doubt } else { Role::Good };
    let fits = |badge: &&str| usize::from(x) + width(badge) + 2 <= usize::from(pen.width());
    let short = badge.split(':').next().unwrap_or(badge);
    let Some(badge) = [badge, short].into_iter().find(fits) else { return };
    let wide = width(badge) as u16;
    pen.put_right(1, 0, badge, role);
    let room = usize::from(pen.width().saturating_sub(x + wide + 4));
    let name = crate::dashboard::text::shorten(&hunt.subject, room, pen.theme().glyphs().cut);
    if width(&name) > 8 {
        pen.put_right(wide + 4, 0, &name, Role::Strong);
    }
}

/// Where we are in time.
fn status(hunt: &Hunt, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    let mut parts = Vec::new();
    if hunt.simulated {
        parts.push(match (hunt.is_at_end(), hunt.playing) {
            (true, _) => format!("{} END", glyphs.pause),
            (false, true) => format!("{} PLAY {}x", glyphs.play, hunt.speed),
            (false, false) => format!("{} PAUSE {}x", glyphs.pause, hunt.speed),
        });
    } else if !hunt.playing {
        parts.push(format!("{} PAUSE", glyphs.pause));
    }
    if let (Some(standing), Some(course)) = (hunt.standing(), hunt.shown()) {
        let elapsed = roughly(standing.elapsed());
        let whole = course.span().filter(|_| course.done).map(|(first, last)| roughly(last.since(first)));
        parts.push(whole.map_or(elapsed.clone(), |whole| format!("{elapsed} of {whole}")));
        let view = &standing.moment.view;
        parts.push(plural(u64::from(view.opened), "connection"));
        parts.push(plural(standing.moment.packets, "packet"));
        let way = crate::dashboard::middlebox::words::way(view.way);
        parts.push(match hunt.courses.len() {
            1 => way.to_owned(),
            all => format!("{way} (d: {} of {all})", hunt.course + 1),
        });
    }
    pen.put(1, 0, &parts.join("   "), Role::Text);
}
