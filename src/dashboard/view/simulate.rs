//! The simulator's screen: a form at the left, what is predicted of it at the right, along time below, and the answer.
//!
//! | size | panels |
//! |---|---|
//! | 120x35 and more | all of them |
//! | 100x30 | a comparison takes the place of the ladder, unless that has the keys |
//! | 80x24 | the same, and the state is in the line at the foot only |
//! | 60x16 | the form and the answer or the comparison; or the panel that has the keys |

mod compare;
mod form;

use ratatui::layout::Rect;

use super::layout::{Place, Size};
use super::pen::Pen;
use super::{ladder, scrubber, timeline};
use crate::dashboard::model::{Model, Panel};
use crate::dashboard::simulation::state::{self, Phase};
use crate::dashboard::simulation::{Simulation, answer};
use crate::dashboard::text::{self, seconds, wrap};
use crate::dashboard::theme::Role;
use crate::simulate::scenario::Word;
use crate::time::Span;

/// The places of the screen.
pub fn places(model: &Model, size: Size, area: Rect) -> Vec<(Place, Rect)> {
    let width = area.width;
    let rest = area.height.saturating_sub(4);
    let line = |y: u16, height: u16| Rect { x: 0, y: 1 + y, width, height };
    let focus = model.choices.focus;
    let bar = (Place::Scrubber, line(rest, 1));
    if model.choices.maximised {
        return vec![(Place::Panel(focus), line(0, rest)), bar];
    }
    let compares =
        model.simulation.as_ref().is_some_and(|found| found.base.is_some() || found.many.is_some());
    if size == Size::Small {
        let form = if focus != Panel::Settings {
            3
        } else if compares {
            4
        } else {
            rest.saturating_sub(6)
        };
        let below = match focus {
            Panel::Settings if compares => Panel::Compare,
            Panel::Settings => Panel::Answer,
            other => other,
        };
        let places = [(Panel::Settings, line(0, form)), (below, line(form, rest.saturating_sub(form)))];
        return places.into_iter().map(|(panel, rect)| (Place::Panel(panel), rect)).chain([bar]).collect();
    }
    let (left, along, foot, state) = match size {
        Size::Huge => (46, 8, 8, 4),
        Size::Large => (38, 7, 5, 4),
        _ => (31, 5, 5, 0),
    };
    let top = rest.saturating_sub(along + foot);
    let right = |y: u16, height: u16| Rect { x: left, width: width.saturating_sub(left), ..line(y, height) };
    let mut places = vec![(Place::Panel(Panel::Settings), Rect { width: left, ..line(0, top) })];
    if state > 0 {
        places.push((Place::State, right(0, state)));
    }
    let room = top.saturating_sub(state);
    if size == Size::Huge && (compares || focus == Panel::Compare) {
        let height = compare::lines(model).saturating_add(2).clamp(5, room / 2);
        places.push((Place::Panel(Panel::Ladder), right(state, room - height)));
        places.push((Place::Panel(Panel::Compare), right(state + room - height, height)));
    } else {
        let shows = focus == Panel::Compare || (compares && focus != Panel::Ladder);
        let shown = if shows { Panel::Compare } else { Panel::Ladder };
        places.push((Place::Panel(shown), right(state, room)));
    }
    places.push((Place::Panel(Panel::Timeline), line(top, along)));
    places.push((Place::Panel(Panel::Answer), line(top + along, foot)));
    places.push(bar);
    places
}

pub(super) fn draw(model: &Model, size: Size, area: Rect, pen: &mut Pen<'_>) {
    let Some(simulation) = model.simulation.as_ref() else { return };
    for (place, rect) in places(model, size, area) {
        let mut part = pen.within(rect);
        match place {
            Place::Scrubber => scrubber::draw(&simulation.session, &mut part),
            Place::State => draw_state(simulation, &mut part),
            Place::Panel(Panel::Ladder) => ladder::draw(model, &simulation.session, &mut part),
            Place::Panel(Panel::Timeline) => timeline::draw(model, &simulation.session, &mut part),
            Place::Panel(panel) => draw_panel(model, panel, &mut part),
        }
    }
    status(simulation, &mut pen.part(0, area.height.saturating_sub(2), area.width, 1));
}

/// Draws a panel that only this screen has.
pub(super) fn draw_panel(model: &Model, panel: Panel, pen: &mut Pen<'_>) {
    let Some(simulation) = model.simulation.as_ref() else { return };
    match panel {
        Panel::Settings => form::draw(model, simulation, pen),
        Panel::Compare => compare::draw(model, simulation, pen),
        _ => draw_answer(model, simulation, pen),
    }
}

/// What this is, at the right of the first line.
pub(super) fn badge(simulation: &Simulation, x: u16, pen: &mut Pen<'_>) {
    let room = usize::from(pen.width().saturating_sub(x + 2));
    let seed = format!("seed {}   ", simulation.scenario.seed);
    let changed = if simulation.changed { ", changed" } else { "" };
    let name = format!("{}{changed}   ", simulation.name);
    let long = "SIMULATED: no packets are sent";
    let whole = format!("{name}{seed}{long}");
    let middle = format!("{seed}{long}");
    let fitting = [whole.as_str(), &middle, long, "SIMULATED"];
    let words = fitting.into_iter().find(|words| text::width(words) <= room).unwrap_or("SIMULATED");
    pen.put_right(1, 0, words, Role::Strong);
}

/// The time that has passed in the simulation at the moment shown.
fn now(simulation: &Simulation) -> Option<Span> {
    let (first, _) = simulation.session.store.span()?;
    Some(simulation.session.player.at.time.since(first))
}

/// Where the client's end is, in a word, and what comes next.
fn state_words(simulation: &Simulation) -> Option<(String, String)> {
    let prediction = simulation.prediction.as_ref()?;
    let state = state::at(&prediction.run, now(simulation)?);
    let client = prediction.run.ends.first()?;
    let count = client.settings.map_or(String::new(), |settings| format!("/{}", settings.count));
    let word = match state.phase {
        Phase::Connecting => "CONNECTING".to_owned(),
        Phase::Idle => "IDLE".to_owned(),
        Phase::Probing(run) => format!("PROBING {run}{count}"),
        Phase::Ended => Word(client.outcome).name().replace('_', " ").to_uppercase(),
    };
    let mut next = Vec::new();
    if state.phase == Phase::Ended {
        next.extend(state.ends.map(|at| format!("since {}", seconds(at))));
        next.extend(client.error.map(|error| format!("the application gets {error}")));
    } else {
        next.extend(state.last_probe.map(|at| format!("last KA {}", seconds(at))));
        next.extend(state.next_probe.map(|at| format!("next {}", seconds(at))));
        next.extend(state.ends.map(|at| format!("ends {}", seconds(at))));
        next.extend(state.forgotten.map(|at| format!("forgotten {}", seconds(at))));
    }
    Some((word, next.join("; ")))
}

fn draw_state(simulation: &Simulation, pen: &mut Pen<'_>) {
    let at = now(simulation).map_or(String::new(), |now| format!(" at {}", seconds(now)));
    let mut pen = pen.panel(&format!("State{at}"), &simulation.scenario.title, false);
    let (Some(prediction), Some((word, next))) = (simulation.prediction.as_ref(), state_words(simulation))
    else {
        pen.put(0, 0, "simulating", Role::Faint);
        return;
    };
    let (Some(time), Some(client)) = (now(simulation), prediction.run.ends.first()) else { return };
    let phase = state::at(&prediction.run, time).phase;
    let end = match client.at {
        Some(_) => Word(client.outcome).name().replace('_', " ").to_uppercase(),
        None => "OPEN AT THE END".to_owned(),
    };
    let steps = [
        ("CONNECTING".to_owned(), phase == Phase::Connecting),
        ("IDLE".to_owned(), phase == Phase::Idle),
        (
            if matches!(phase, Phase::Probing(_)) { word } else { "PROBING".to_owned() },
            matches!(phase, Phase::Probing(_)),
        ),
        (end, phase == Phase::Ended),
    ];
    let arrow = format!(" {}{} ", pen.theme().glyphs().shaft, pen.theme().glyphs().right);
    let mut x = 0;
    for (index, (name, here)) in steps.iter().enumerate() {
        if index > 0 {
            x = pen.put(x, 0, &arrow, Role::Faint);
        }
        x = if *here {
            pen.put(x, 0, &format!("[{name}]"), Role::Now)
        } else {
            pen.put(x, 0, name, Role::Text)
        };
    }
    pen.put(0, 1, &next, Role::Text);
}

fn status(simulation: &Simulation, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    let (player, store) = (&simulation.session.player, &simulation.session.store);
    let mut parts = vec![if player.playing {
        format!("{} PLAY {}", glyphs.play, player.speed)
    } else if player.is_at_end(store) {
        format!("{} END", glyphs.pause)
    } else {
        format!("{} PAUSED {}", glyphs.pause, player.speed)
    }];
    if let Some((first, last)) = store.span() {
        parts.push(format!("{} of {}", seconds(player.at.time.since(first)), seconds(last.since(first))));
    }
    if simulation.problem.is_some() {
        parts.push("this is what was before".to_owned());
    } else if simulation.current().is_none() {
        parts.push("simulating".to_owned());
    } else {
        parts.extend(
            state_words(simulation).map(
                |(word, next)| {
                    if next.is_empty() { word } else { format!("{word}; {next}") }
                },
            ),
        );
    }
    let mut x = pen.put(1, 0, &parts.join("   "), Role::Text);
    let same = "same seed and settings, same octets";
    if usize::from(pen.width().saturating_sub(x)) > text::width(same) + 4 {
        x += 3;
        pen.put(x, 0, same, Role::Faint);
    }
}

fn draw_answer(model: &Model, simulation: &Simulation, pen: &mut Pen<'_>) {
    let mut pen = pen.panel("Answer", "y copies it", model.choices.focus == Panel::Answer);
    let columns = usize::from(pen.width());
    let mut y = 0;
    for (words, role) in answer::sentences(simulation) {
        for (number, line) in wrap(&words, columns.saturating_sub(2)).iter().enumerate() {
            if y >= pen.height() {
                return;
            }
            pen.put(if number == 0 { 0 } else { 2 }, y, line, role);
            y += 1;
        }
    }
}
