//! Keys.

use super::{columns, export, live, prompt, simulate};
use crate::dashboard::columns::Column;
use crate::dashboard::effect::Effect;
use crate::dashboard::keymap::Action;
use crate::dashboard::live::Live;
use crate::dashboard::message::Key;
use crate::dashboard::middlebox::Hunt;
use crate::dashboard::model::{Asks, Choices, Model, Once, Overlay, Panel, Prompt, Screen, Session};
use crate::dashboard::theme::Palette;
use crate::time::{Span, Timestamp};

/// Entries of the start screen: their names, what they do, and what is to be done.
pub(in crate::dashboard) const ENTRIES: [(&str, &str, Action); 7] = [
    (
        "Probe a peer",
        "open a connection, leave it idle, and see whether it answers keepalive probes",
        Action::Peer,
    ),
    (
        "Open a capture",
        "play it, see each probe and answer, and what became of each connection",
        Action::Open,
    ),
    ("Watch", "every keepalive on the interfaces of this machine; sends nothing", Action::Watch),
    (
        "Simulate",
        "choose stacks, settings, path and box, and see what would happen; sends nothing",
        Action::Screen(Screen::Simulate),
    ),
    (
        "Rehearse a search",
        "after how much silence a product forgets a connection, and how that is found",
        Action::Rehearse,
    ),
    ("Keys", "what each key does", Action::Help),
    ("Quit", "back to the shell", Action::Quit),
];

/// Lines that a page key goes by.
pub(super) const PAGE: isize = 10;

/// Zoom goes up to 2 to the power of this.
const MOST_ZOOM: u8 = 12;

pub(super) fn on_key(model: &mut Model, key: Key) -> Vec<Effect> {
    model.notice = None;
    let asked = model.asked_once.take();
    if key == Key::Ctrl('c') {
        return vec![Effect::Quit(true)];
    }
    match model.overlay.take() {
        Some(Overlay::Prompt(line)) => return prompt::on_key(model, line, key),
        Some(Overlay::Export) => return export::on_key(model, key),
        Some(Overlay::Columns(line)) => {
            columns::on_key(model, line, key);
            return Vec::new();
        }
        Some(Overlay::Scenarios(place)) => return simulate::on_list_key(model, place, key),
        Some(Overlay::Help(from)) => {
            on_help_key(model, from, key);
            return Vec::new();
        }
        None => {}
    }
    let Some(action) = model.keys.action(model.screen, key) else { return Vec::new() };
    perform(model, action, asked)
}

/// Leaves, if nothing goes on or if it was asked for twice.
fn quit(model: &mut Model, asked: Option<Once>) -> Vec<Effect> {
    let live = model.live.as_ref().and_then(|session| session.live.as_ref()).is_some_and(Live::goes_on);
    let search = model.middlebox.as_ref().is_some_and(Hunt::goes_on);
    if !(live || search) || asked == Some(Once::Quit) {
        return vec![Effect::Quit(false)];
    }
    model.asked_once = Some(Once::Quit);
    let key = model.keys.key(model.screen, Action::Quit);
    model.notice = Some(if search {
        format!("this ends the search with what it knows so far: {key} again to quit")
    } else {
        format!("this ends what goes on live: {key} again to quit")
    });
    Vec::new()
}

fn on_help_key(model: &mut Model, from: usize, key: Key) {
    let step = match model.keys.action(model.screen, key) {
        _ if key == Key::Esc => return,
        Some(Action::Help | Action::Back | Action::Quit | Action::Enter) => return,
        Some(Action::Line(lines)) => lines,
        Some(Action::Page(pages)) => pages * PAGE,
        Some(Action::First) => isize::MIN,
        _ => 0,
    };
    let last = model.keys.on(model.screen).count().saturating_sub(1);
    model.overlay = Some(Overlay::Help(from.saturating_add_signed(step).min(last)));
}

fn perform(model: &mut Model, action: Action, asked: Option<Once>) -> Vec<Effect> {
    if let Some(effects) = live::perform(model, action, asked) {
        return effects;
    }
    match action {
        Action::Quit => return quit(model, asked),
        Action::Interrupt => return vec![Effect::Quit(true)],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Help => model.overlay = Some(Overlay::Help(0)),
        Action::Open => model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Open, ""))),
        Action::Screen(Screen::Replay) if model.session.is_none() => {
            model.notice =
                Some(format!("no capture is open: {} opens one", model.keys.key(model.screen, Action::Open)));
        }
        Action::Screen(Screen::Live) if model.live.is_none() => {
            let why = model.no_live.clone();
            let key = |action| model.keys.key(Screen::Start, action);
            let how = || {
                format!(
                    "nothing is live: {} probes a peer, {} watches",
                    key(Action::Peer),
                    key(Action::Watch)
                )
            };
            model.notice = Some(why.unwrap_or_else(how));
        }
        Action::Screen(Screen::Simulate) if model.simulation.is_none() => {
            let effects = simulate::begin_plain(model);
            model.overlay = Some(Overlay::Scenarios(0));
            return effects;
        }
        Action::Screen(Screen::Middlebox) if model.middlebox.is_none() => {
            model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Rehearse, "")));
        }
        Action::Rehearse => model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Rehearse, ""))),
        Action::Screen(screen) => model.go(screen),
        Action::Theme => {
            let place = Palette::ALL.iter().position(|palette| *palette == model.choices.theme.palette);
            let next = place.map_or(0, |place| (place + 1) % Palette::ALL.len());
            model.choices.theme.palette = Palette::ALL.get(next).copied().unwrap_or(Palette::Dark);
            model.notice = Some(format!("theme: {}", model.choices.theme.palette.name()));
        }
        Action::Mouse => {
            model.choices.mouse = !model.choices.mouse;
            model.notice = Some(if model.choices.mouse {
                "mouse on: Shift selects text as usual".to_owned()
            } else {
                "mouse off".to_owned()
            });
            return vec![Effect::Mouse(model.choices.mouse)];
        }
        _ => {
            return match model.screen {
                Screen::Start => on_start(model, action, asked),
                Screen::Live | Screen::Replay => on_replay(model, action),
                Screen::Middlebox => super::middlebox::on_action(model, action),
                Screen::Simulate => simulate::perform(model, action),
            };
        }
    }
    Vec::new()
}

fn on_start(model: &mut Model, action: Action, asked: Option<Once>) -> Vec<Effect> {
    let last = ENTRIES.len() - 1;
    match action {
        Action::Line(lines) => model.start_entry = model.start_entry.saturating_add_signed(lines).min(last),
        Action::First => model.start_entry = 0,
        Action::Last => model.start_entry = last,
        Action::Enter => {
            let action = ENTRIES.get(model.start_entry).map(|entry| entry.2);
            return action.map(|action| perform(model, action, asked)).unwrap_or_default();
        }
        Action::Back if model.live.is_some() => model.go(Screen::Live),
        Action::Back if model.session.is_some() => model.go(Screen::Replay),
        _ => {}
    }
    Vec::new()
}

fn on_replay(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = isize::try_from(model.size.1 / 2).unwrap_or(PAGE).max(1);
    let (tick, shown) = (model.tick, model.screen);
    let session = if shown == Screen::Live { model.live.as_mut() } else { model.session.as_mut() };
    let Some(session) = session else { return Vec::new() };
    let choices = &mut model.choices;
    match action {
        Action::Play if shown == Screen::Live => live::on_play(session, tick),
        Action::End if shown == Screen::Live => live::to_now(session, tick),
        Action::Enter => choices.maximised = !choices.maximised,
        Action::Back => {
            if choices.maximised {
                choices.maximised = false;
            } else {
                (session.ladder_back, session.events_back) = (0, 0);
            }
        }
        Action::Log => {
            let shown = choices.maximised && choices.focus == Panel::Events;
            choices.focus = Panel::Events;
            choices.maximised = !shown;
        }
        Action::Line(lines) => scroll(session, choices.focus, lines),
        Action::Page(pages) => scroll(session, choices.focus, pages.saturating_mul(page)),
        Action::First => scroll(session, choices.focus, -isize::MAX),
        Action::Last => scroll(session, choices.focus, isize::MAX),
        Action::Connection(step) => select(session, step),
        Action::Filter => {
            let line = Prompt::new(Asks::Filter, &session.table.filter_text);
            model.overlay = Some(Overlay::Prompt(line));
        }
        Action::GoTo => model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::GoTo, ""))),
        Action::Columns => {
            let place = Column::ALL.iter().position(|column| *column == session.table.sort);
            model.overlay = Some(Overlay::Columns(place.unwrap_or(0)));
        }
        Action::Sort => {
            session.table.sort = columns::next(session, model.size.0);
            session.table.stale = true;
        }
        Action::Reverse => {
            session.table.reversed = !session.table.reversed;
            session.table.stale = true;
        }
        Action::All => {
            session.table.all = !session.table.all;
            session.table.stale = true;
        }
        Action::Export => {
            if session.chosen.is_none() {
                model.notice = Some("no connection is chosen".to_owned());
            } else if shown == Screen::Replay && !session.store.reading().done {
                model.notice = Some("the capture is still being read".to_owned());
            } else {
                model.overlay = Some(Overlay::Export);
            }
        }
        Action::Copy => return export::copy(model),
        Action::CopyPanel => return export::copy_panel(model),
        _ => {
            let notice = look(session, choices, Panel::on(Screen::Replay), action);
            model.notice = notice.or(model.notice.take());
        }
    }
    Vec::new()
}

/// What every screen with something that goes by in time does alike: another look at it, another moment of it.
/// Returns what to say about that, if anything.
pub(super) fn look(
    session: &mut Session,
    choices: &mut Choices,
    panels: &[Panel],
    action: Action,
) -> Option<String> {
    match action {
        Action::FocusNext => choices.focus = step_focus(panels, choices.focus, 1),
        Action::FocusBack => choices.focus = step_focus(panels, choices.focus, -1),
        Action::Maximise => choices.maximised = !choices.maximised,
        Action::Zoom(step) => {
            let zoom = isize::from(session.zoom).saturating_add(step).clamp(0, isize::from(MOST_ZOOM));
            session.zoom = u8::try_from(zoom).unwrap_or(0);
        }
        Action::Fold => choices.fold = !choices.fold,
        Action::Relative => choices.absolute = !choices.absolute,
        Action::Times => {
            choices.times = choices.times.next();
            return Some(format!("times: {}", choices.times.name()));
        }
        _ => move_in_time(session, action),
    }
    None
}

fn step_focus(panels: &[Panel], focus: Panel, step: isize) -> Panel {
    let count = panels.len().max(1);
    let place = panels.iter().position(|panel| *panel == focus).unwrap_or(0);
    let next = (place + count).saturating_add_signed(step) % count;
    panels.get(next).copied().unwrap_or(focus)
}

/// Moves in the panel that has the keys; positive is down.
pub(super) fn scroll(session: &mut Session, focus: Panel, lines: isize) {
    let most = match focus {
        Panel::Connections => return select(session, lines),
        Panel::Ladder => {
            session.selected.and_then(|id| session.store.connection(id)).map_or(0, |found| found.rows.len())
        }
        _ => session.standing.events(),
    };
    let back = if focus == Panel::Ladder { &mut session.ladder_back } else { &mut session.events_back };
    *back = back.saturating_add_signed(lines.saturating_neg()).min(most);
}

/// Chooses another connection of the table.
pub(super) fn select(session: &mut Session, step: isize) {
    let order = &session.table.order;
    let place = session.selected.and_then(|id| order.iter().position(|other| u64::from(*other) + 1 == id.0));
    let last = order.len().saturating_sub(1);
    let next = place.map_or(0, |place| place.saturating_add_signed(step).min(last));
    if let Some(index) = order.get(next) {
        session.selected = Some(crate::track::event::ConnectionId(u64::from(*index) + 1));
        session.chosen_by_hand = true;
        session.ladder_back = 0;
    }
}

fn move_in_time(session: &mut Session, action: Action) {
    session.stay();
    let Session { player, store, .. } = session;
    match action {
        Action::Play => {
            player.toggle(store);
            return;
        }
        Action::Speed(steps) => {
            player.change_speed(steps);
            return;
        }
        Action::Mark(index) => {
            let time = player.at.time;
            if let Some(mark) = player.marks.get_mut(index) {
                *mark = if *mark == Some(time) { None } else { Some(time) };
            }
            return;
        }
        Action::Seconds(seconds) => player.by(store, Span::from_secs(seconds)),
        Action::Begin => player.to_row(store, 1),
        Action::End => player.to_end(store),
        Action::Packet(step) => {
            let target = session
                .selected
                .and_then(|id| store.connection(id))
                .map_or(Some(player.at.rows.saturating_add_signed(step)), |found| {
                    next_row(&found.rows, player.at.rows, step > 0)
                });
            match (target, step > 0) {
                (Some(rows), _) => player.to_row(store, rows),
                (None, true) => player.to_end(store),
                (None, false) => player.to_row(store, 1),
            }
        }
        Action::Event(step) => to_event(session, step > 0),
        _ => return,
    }
    session.ladder_back = 0;
    session.player.pause();
}

/// Goes to the next event of the chosen connection, or the one before; of a simulation also to what happened
/// without a packet.
fn to_event(session: &mut Session, forward: bool) {
    let Session { player, store, asides, selected, .. } = session;
    let events = selected.and_then(|id| store.connection(id)).map(|found| found.events.as_slice());
    let (here, now) = (player.at.rows, player.at.time);
    let after = |event: &u32| store.events().get(*event as usize).map_or(0, |told| told.after as usize);
    let target = events.and_then(|events| {
        if forward {
            let place = events.partition_point(|event| after(event) <= here);
            events.get(place)
        } else {
            let place = events.partition_point(|event| after(event) < here);
            events.get(place.checked_sub(1)?)
        }
    });
    let rows = target.map(after);
    let time = rows.and_then(|rows| store.clock_after(rows));
    let note = match forward {
        true => asides.notes_after(now).first(),
        false => asides.notes_until(now).iter().rev().find(|note| note.time < now),
    };
    let nearer = |note: Timestamp| time.is_none_or(|time| if forward { note < time } else { note > time });
    match (note.map(|note| note.time).filter(|note| nearer(*note)), rows) {
        (Some(note), _) => player.to_time(store, note),
        (None, Some(rows)) if rows <= store.rows().len() => player.to_row(store, rows),
        _ if forward => player.to_end(store),
        _ => player.to_row(store, 1),
    }
}

/// After how many rows the next row of a connection, or the one before the last, has been read. A row of index
/// i has been read when i + 1 rows have.
fn next_row(rows: &[u32], here: usize, forward: bool) -> Option<usize> {
    let read = rows.partition_point(|row| (*row as usize) < here);
    let last = read.checked_sub(1).and_then(|last| rows.get(last));
    let exact = last.is_some_and(|last| *last as usize + 1 == here);
    let place = if forward { read } else { read.checked_sub(if exact { 2 } else { 1 })? };
    rows.get(place).map(|row| *row as usize + 1)
}
