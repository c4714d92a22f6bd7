//! Keys on the screen of the search, and rehearsals begun from inside.

use crate::dashboard::effect::Effect;
use crate::dashboard::keymap::Action;
use crate::dashboard::middlebox::{Hunt, Pane, rehearse, words};
use crate::dashboard::model::{Model, Screen};
use crate::time::Span;

/// Shows a search.
pub fn show(model: &mut Model, hunt: Hunt) {
    model.middlebox = Some(hunt);
    model.screen = Screen::Middlebox;
    model.overlay = None;
    model.dirty = true;
}

/// Rehearses what was typed.
pub(super) fn rehearse(model: &mut Model, text: &str) -> Result<(), String> {
    // What was found is not to be lost for a rehearsal.
    if model.middlebox.as_ref().is_some_and(|hunt| !hunt.simulated) {
        return Err(
            "this screen is taken by a search on a real path; rehearse in another terminal".to_owned()
        );
    }
    show(model, rehearse::by_words(text)?);
    Ok(())
}

pub(super) fn on_action(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = isize::try_from(model.size.1 / 2).unwrap_or(10).max(1);
    let Some(hunt) = model.middlebox.as_mut() else { return Vec::new() };
    match action {
        Action::Play => play(hunt),
        Action::Seconds(seconds) => {
            hunt.playing = false;
            hunt.go(hunt.at.plus(Span::from_secs(seconds)));
        }
        Action::Event(step) => hunt.go_by_trials(step),
        Action::Begin => {
            hunt.playing = false;
            if let Some((first, _)) = hunt.span() {
                hunt.at = first;
            }
        }
        Action::End => hunt.to_end(),
        Action::Speed(step) if hunt.simulated => hunt.change_speed(step),
        Action::Direction => hunt.course = (hunt.course + 1) % hunt.courses.len().max(1),
        Action::FocusNext => hunt.pane = step_pane(hunt.pane, 1),
        Action::FocusBack => hunt.pane = step_pane(hunt.pane, Pane::ALL.len() - 1),
        Action::Enter | Action::Maximise => hunt.maximised = !hunt.maximised,
        Action::Back if hunt.maximised => hunt.maximised = false,
        Action::Back => hunt.scrolled = [0; 4],
        Action::Line(lines) => hunt.scroll(towards(hunt.pane, lines)),
        Action::Page(pages) => hunt.scroll(towards(hunt.pane, pages.saturating_mul(page))),
        Action::First => hunt.scroll(towards(hunt.pane, -isize::MAX)),
        Action::Last => hunt.scroll(towards(hunt.pane, isize::MAX)),
        Action::Copy => return copy(model),
        _ => {}
    }
    Vec::new()
}

fn play(hunt: &mut Hunt) {
    if hunt.simulated && hunt.is_at_end() {
        if let Some((first, _)) = hunt.span() {
            hunt.at = first;
        }
        hunt.playing = true;
    } else if !hunt.simulated && !hunt.playing {
        hunt.to_end();
    } else {
        hunt.playing = !hunt.playing;
    }
}

/// Trials and news have their newest line at the foot, so that going up is going back.
fn towards(pane: Pane, lines: isize) -> isize {
    match pane {
        Pane::Trials | Pane::Log => lines.saturating_neg(),
        Pane::Silences | Pane::Result => lines,
    }
}

fn step_pane(pane: Pane, step: usize) -> Pane {
    let place = Pane::ALL.iter().position(|other| *other == pane).unwrap_or(0);
    Pane::ALL.get((place + step) % Pane::ALL.len()).copied().unwrap_or(pane)
}

/// The result as text.
fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(text) = model.middlebox.as_ref().and_then(words::summary) else {
        model.notice = Some("nothing was found yet".to_owned());
        return Vec::new();
    };
    model.notice = Some("copied the result".to_owned());
    vec![Effect::Copy(text)]
}
