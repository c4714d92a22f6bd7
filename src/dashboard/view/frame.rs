//! The first and the last two lines.

use super::pen::Pen;
use crate::dashboard::keymap::Row;
use crate::dashboard::live::Live;
use crate::dashboard::model::{Model, Screen, Session};
use crate::dashboard::text::{self, brief, plural, seconds, utc};
use crate::dashboard::theme::Role;

pub(super) fn header(model: &Model, pen: &mut Pen<'_>) {
    let mut x = 1;
    for screen in Screen::ALL {
        let (number, name) = (screen.number(), screen.name());
        let chosen = screen == model.screen;
        let tab = if chosen { format!("[{number} {name}]") } else { format!("{number} {name}") };
        x = pen.put(x, 0, &tab, if chosen { Role::Selected } else { Role::Text });
        x += 1;
    }
    if let (Screen::Simulate, Some(simulation)) = (model.screen, model.simulation.as_ref()) {
        super::simulate::badge(simulation, x, pen);
        return;
    }
    if let (Screen::Middlebox, Some(hunt)) = (model.screen, model.middlebox.as_ref()) {
        super::middlebox::badge(hunt, x, pen);
        return;
    }
    let Some(session) = model.shown() else {
        pen.put_right(1, 0, "keepscope", Role::Faint);
        return;
    };
    if let Some(live) = &session.live {
        live_badges(session, live, x, pen);
        return;
    }
    let paused = !session.player.playing && !session.player.is_at_end(&session.store);
    let badge = if paused { "PAUSED  RECORDED" } else { "RECORDED" };
    let packets = plural(session.store.reading().packets, "packet");
    let right = format!("{packets}   {badge}");
    let room = usize::from(pen.width()).saturating_sub(usize::from(x) + text::width(&right) + 4);
    let name = text::shorten(&session.name, room, pen.theme().glyphs().cut);
    pen.put_right(1, 0, &format!("{name}   {right}"), Role::Strong);
}

/// What goes on, at the right of the first line.
fn live_badges(session: &Session, live: &Live, x: u16, pen: &mut Pen<'_>) {
    let facts = &live.facts;
    let mut badges = Vec::new();
    if let Some(recorded) = &facts.recording {
        let name = recorded.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        badges.push((format!("RECORDING {}", text::clean(&name)), Role::Bad));
    }
    if facts.held {
        badges.push(("HELD".to_owned(), Role::Doubt));
    }
    if !session.player.playing {
        badges.push(("PAUSED".to_owned(), Role::Doubt));
    }
    badges.push(match facts.over {
        Some(_) => ("ENDED".to_owned(), Role::Strong),
        None => ("LIVE".to_owned(), Role::Good),
    });
    let mut before = 1;
    for (words, role) in badges.iter().rev() {
        let wide = text::width(words) as u16;
        if x + wide + before + 1 > pen.width() {
            return;
        }
        pen.put_right(before, 0, words, *role);
        before += wide + 2;
    }
    let packets = plural(session.store.reading().packets, "packet");
    if usize::from(x + before) + text::width(&packets) + 2 < usize::from(pen.width()) {
        pen.put_right(before + 1, 0, &packets, Role::Text);
    }
}

/// Where a live source is, and what was lost of it.
fn live_status(session: &Session, live: &Live, pen: &mut Pen<'_>) {
    let (glyphs, facts, reading) = (pen.theme().glyphs(), &live.facts, session.store.reading());
    if let Some(Some(why)) = &facts.over {
        pen.put(1, 0, why, Role::Bad);
        return;
    }
    let at = session.player.at.time;
    let clock = if reading.packets == 0 { String::new() } else { format!(" {}Z", text::time_of_day(at)) };
    let mut parts = vec![match (session.player.playing, facts.over.is_some()) {
        (_, true) => format!("{} ENDED{clock}", glyphs.pause),
        (true, _) => format!("{} NOW{clock}", glyphs.play),
        (false, _) => format!("{} PAUSED{clock}, End goes to now", glyphs.pause),
    }];
    // Losses are never left out for want of room: they stand before what is longer.
    parts.push(format!("{} dropped by the system", facts.dropped));
    parts.push(format!("{} not shown", reading.unshown + reading.left_out));
    if let Some(recorded) = &facts.recording {
        parts.push(format!("{} recorded", recorded.packets));
    }
    let open = facts.links.iter().filter(|link| link.stage.goes_on()).count();
    if let Some(what) = &facts.watching {
        parts.push(format!("watching {what}"));
    }
    if !facts.links.is_empty() {
        parts.push(format!("{open} of {} probed", plural(facts.links.len() as u64, "connection")));
    }
    let role = if facts.dropped + reading.unshown > 0 { Role::Doubt } else { Role::Text };
    pen.put(1, 0, &parts.join("   "), role);
}

/// Where we are in time.
pub(super) fn status(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    if let Some(failed) = &session.failed {
        pen.put(1, 0, failed, Role::Bad);
        return;
    }
    if let Some(live) = &session.live {
        live_status(session, live, pen);
        return;
    }
    let (player, store) = (&session.player, &session.store);
    let state = match (player.playing, store.reading().done) {
        (true, _) => format!("{} PLAY {}", glyphs.play, player.speed),
        (false, _) if player.is_at_end(store) => format!("{} END {}", glyphs.pause, player.speed),
        (false, _) => format!("{} PAUSE {}", glyphs.pause, player.speed),
    };
    let mut parts = vec![state];
    if let Some((first, last)) = store.span() {
        parts.push(format!("{} of {}", seconds(player.at.time.since(first)), seconds(last.since(first))));
        let frame = player.at.rows.checked_sub(1).and_then(|row| store.rows().get(row));
        parts.push(match frame {
            Some(row) if session.paths.len() > 1 => {
                format!("packet {}, {} in all", row.frame(), store.reading().packets)
            }
            Some(row) => format!("packet {}/{}", row.frame(), store.reading().packets),
            None => format!("packet 0/{}", store.reading().packets),
        });
        if let [Some(a), Some(b)] = player.marks {
            parts.push(format!("A-B {}", brief(b.since(a).abs())));
        }
        parts.push(format!("{}Z", utc(player.at.time)));
    } else if store.reading().done {
        parts.push("no TCP segment in it".to_owned());
    }
    let reading = store.reading();
    if !reading.done {
        let share = reading.octets_total.map(|total| reading.octets * 100 / total.max(1));
        parts.insert(1, share.map_or("reading".to_owned(), |share| format!("reading {share} %")));
    }
    if reading.left_out > 0 {
        parts.push(format!("{} ordinary segments not kept", reading.left_out));
    }
    if model.choices.mouse {
        parts.push("mouse on".to_owned());
    }
    pen.put(1, 0, &parts.join("   "), Role::Text);
}

/// The keys that matter now, or a notice.
pub(super) fn bottom(model: &Model, pen: &mut Pen<'_>) {
    if let Some(notice) = &model.notice {
        pen.put(1, 0, notice, Role::Strong);
        return;
    }
    let mut x = 1;
    let room = pen.width();
    // Help and the way out stand at the end, and must not fall over it.
    let rows: Vec<_> = model.keys.on(model.screen).filter(|row| !row.short().is_empty()).collect();
    let wide = |row: &Row| text::width(row.shown()) + text::width(row.short()) + 3;
    let always: usize = rows.iter().filter(|one| is_way_out(one)).map(|one| wide(one)).sum();
    for row in &rows {
        let needed = wide(row) + if is_way_out(row) { 0 } else { always };
        if usize::from(x) + needed > usize::from(room) + 2 {
            continue;
        }
        let first = row.shown().split(' ').next().unwrap_or("");
        let keys = if is_way_out(row) { first } else { row.shown() };
        x = pen.put(x, 0, keys, Role::Strong);
        x = pen.put(x + 1, 0, row.short(), Role::Text);
        x += 2;
    }
}

fn is_way_out(row: &Row) -> bool {
    matches!(row.short(), "help" | "quit")
}
