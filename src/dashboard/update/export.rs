//! What leaves the screen: to the clipboard, and to new files.

use super::simulate;
use crate::analysis::ConnectionRecord;
use crate::dashboard::effect::{Body, Effect};
use crate::dashboard::message::Key;
use crate::dashboard::model::{Model, Overlay, Panel, Screen};
use crate::dashboard::{svg, view};
use crate::report::text::Style;
use crate::report::{json, text as report};
use crate::track::LetGo;
use crate::track::event::ConnectionId;

/// The chosen connection as text, as `analyze` has it.
pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(chosen) = model.shown().and_then(|session| session.chosen.as_ref()) else {
        model.notice = Some("no connection is chosen".to_owned());
        return Vec::new();
    };
    let mut octets = Vec::new();
    // A vector takes everything.
    let _ = report::headline(&mut octets, &chosen.record, Style::default());
    model.notice = Some(format!("copied connection #{}", chosen.record.id));
    vec![Effect::Copy(String::from_utf8_lossy(&octets).into_owned())]
}

pub(super) fn on_key(model: &mut Model, key: Key) -> Vec<Effect> {
    if model.screen == Screen::Simulate {
        return simulate::on_export_key(model, key);
    }
    let Some(session) = model.shown() else { return Vec::new() };
    let Some(id) = session.selected else { return Vec::new() };
    let of_table = |what: &str| format!("{}-{what}", view::file_stem(session));
    match key {
        Key::Char('x') => {
            let panel = model.choices.focus;
            let body = Body::Octets(view::panel_text(model, session, panel).into_bytes());
            let what = format!("-{}", panel.name().to_lowercase());
            let stem = match panel {
                Panel::Connections | Panel::Events => of_table(&panel.name().to_lowercase()),
                _ => format!("{}-connection-{id}{what}", view::file_stem(session)),
            };
            return vec![Effect::Write { stem, suffix: "txt", body }];
        }
        Key::Char('s') => {
            let body = Body::Octets(view::picture(model, &session.name).into_bytes());
            return vec![Effect::Write { stem: of_table("screen"), suffix: "svg", body }];
        }
        Key::Char('J') => {
            let shown = session.table.order.iter().map(|index| ConnectionId(u64::from(*index) + 1));
            let now = session.player.at.time;
            let of_one = |id| match session.store.connection(id)?.record.as_ref() {
                Some((_, record)) => Some(record.as_ref().clone()),
                None if session.live.is_some() => session.standing.record(&session.store, id, now),
                None => None,
            };
            let records: Vec<ConnectionRecord> = shown.filter_map(of_one).collect();
            let mut octets = Vec::new();
            // A vector takes everything.
            let _ = json::write(&mut octets, session.store.captures(), LetGo::default(), &records);
            return vec![Effect::Write {
                stem: of_table("connections"),
                suffix: "json",
                body: Body::Octets(octets),
            }];
        }
        _ => {}
    }
    let whole = session.store.connection(id).and_then(|found| found.record.as_ref()).map(|found| &*found.1);
    // Of what goes on, it is what is known so far.
    let so_far = session.chosen.as_ref().map(|chosen| &chosen.record).filter(|_| session.live.is_some());
    let Some(record) = whole.or(so_far) else { return Vec::new() };
    let (what, suffix, body) = match key {
        Key::Char('j') => {
            let mut octets = Vec::new();
            let _ = json::write(
                &mut octets,
                session.store.captures(),
                LetGo::default(),
                std::slice::from_ref(record),
            );
            ("", "json", Body::Octets(octets))
        }
        Key::Char('p') if session.live.is_some() => {
            model.notice = Some("packets are not kept: R records them".to_owned());
            return Vec::new();
        }
        Key::Char('p') => ("", "pcapng", Body::Packets(Box::new(record.clone()))),
        Key::Char('l') => ("-ladder", "svg", Body::Octets(svg::ladder(model).into_bytes())),
        Key::Char('t') => ("-timeline", "svg", Body::Octets(svg::timeline(model).into_bytes())),
        Key::Esc | Key::Char('q') => return Vec::new(),
        _ => {
            model.overlay = Some(Overlay::Export);
            return Vec::new();
        }
    };
    let stem = format!("{}-connection-{id}{what}", view::file_stem(session));
    vec![Effect::Write { stem, suffix, body }]
}

/// The panel that has the keys as text.
pub(super) fn copy_panel(model: &mut Model) -> Vec<Effect> {
    let Some(session) = model.shown() else { return Vec::new() };
    let panel = model.choices.focus;
    let text = view::panel_text(model, session, panel);
    model.notice = Some(format!("copied the panel {}", panel.name()));
    vec![Effect::Copy(text)]
}
