//! What happens becomes a new model and effects: the one place that changes [`Model`].
//!
//! Pure: time comes in messages, and what is to be done outside goes out as [`Effect`]s. [`settle()`] works out
//! what follows from the moment shown; it is called once before a frame is drawn, however much has happened.

mod columns;
mod export;
mod keys;
mod live;
mod middlebox;
mod mouse;
mod prompt;
mod settle;
mod simulate;

pub(super) use keys::ENTRIES;
pub use live::begin as begin_live;
pub use middlebox::show as show_search;
pub use settle::settle;
pub use simulate::begin;

use std::path::PathBuf;

use super::effect::Effect;
use super::message::Message;
use super::model::{Model, Screen, Session};
use super::text;

/// Takes one message.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => {
            model.dirty = true;
            keys::on_key(model, key)
        }
        Message::Mouse(mouse) => {
            model.dirty = true;
            mouse::on_mouse(model, mouse);
            Vec::new()
        }
        Message::Resize(columns, rows) => {
            model.size = (columns, rows);
            model.dirty = true;
            Vec::new()
        }
        Message::Tick(now) => {
            model.tick = now;
            let simulated = model.simulation.as_mut().map(|simulation| &mut simulation.session);
            for session in model.session.iter_mut().chain(simulated) {
                model.dirty |= session.player.tick(&session.store, now);
            }
            if let Some(hunt) = model.middlebox.as_mut() {
                model.dirty |= hunt.tick(now) && model.screen == Screen::Middlebox;
            }
            let seen = model.screen == Screen::Live;
            if let Some(session) = model.live.as_mut().filter(|_| seen) {
                model.dirty |= live::on_tick(session, now);
            }
            Vec::new()
        }
        Message::Live(source, news) => {
            live::on_news(model, source, news);
            Vec::new()
        }
        Message::Batch(source, batch) => {
            if let Some(session) = model.session.as_mut().filter(|session| session.number == source) {
                session.store.take(*batch);
                session.player.on_more(&session.store);
                session.table.stale |= session.table.all;
                model.dirty = true;
            }
            Vec::new()
        }
        Message::Searched(told) => {
            if let Some(hunt) = model.middlebox.as_mut() {
                hunt.take(*told);
                model.dirty |= model.screen == Screen::Middlebox;
            }
            Vec::new()
        }
        Message::Failed(source, problem) => {
            if let Some(session) = model.session.as_mut().filter(|session| session.number == source) {
                session.failed = Some(text::clean(&problem).into_owned());
                model.dirty = true;
            }
            Vec::new()
        }
        Message::Simulated(version, news) => {
            let simulation = model.simulation.as_mut();
            model.dirty |= simulation.is_some_and(|simulation| simulation.take(version, *news));
            Vec::new()
        }
        Message::Scenario(path, text) => simulate::on_text(model, &path, &text),
        Message::Written(path) => {
            model.notice = Some(format!("wrote {}", text::clean(&path.to_string_lossy())));
            model.dirty = true;
            Vec::new()
        }
        Message::Trouble(problem) => {
            model.notice = Some(text::clean(&problem).into_owned());
            model.dirty = true;
            Vec::new()
        }
        Message::Terminate => vec![Effect::Quit(true)],
        Message::Suspend => vec![Effect::Suspend],
        Message::Continued => {
            model.dirty = true;
            vec![Effect::Retake(model.choices.mouse), Effect::Redraw]
        }
    }
}

/// Opens captures and shows them.
pub fn open(model: &mut Model, paths: Vec<PathBuf>) -> Vec<Effect> {
    model.sources += 1;
    let mut session = Session::new(model.sources, paths.clone(), model.choices.speed);
    session.table.columns = model.choices.columns;
    model.session = Some(session);
    model.go(Screen::Replay);
    model.overlay = None;
    model.dirty = true;
    vec![Effect::Open(model.sources, paths)]
}
