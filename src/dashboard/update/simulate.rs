//! Keys on the simulator's screen.

use std::path::Path;

use super::export;
use super::keys::{PAGE, look, scroll};
use crate::dashboard::effect::{Body, Effect};
use crate::dashboard::keymap::Action;
use crate::dashboard::message::Key;
use crate::dashboard::model::{Asks, Model, Overlay, Panel, Prompt, Screen};
use crate::dashboard::simulation::field::Field;
use crate::dashboard::simulation::{PLAIN, Simulation, answer, choice, choices, edit};
use crate::dashboard::{svg, text, view};
use crate::report::simulation as report;
use crate::simulate::scenario::Scenario;

/// Begins with a scenario.
pub fn begin(model: &mut Model, name: &str, scenario: Scenario) -> Vec<Effect> {
    model.scenarios += 1;
    let mut simulation = Simulation::new(name, scenario, model.scenarios);
    // What was kept to compare with stays, so that scenarios can be compared.
    simulation.base = model.simulation.take().and_then(|before| before.base);
    let effects = simulation.ask();
    model.simulation = Some(Box::new(simulation));
    model.choices.focus = Panel::Settings;
    model.choices.maximised = false;
    model.go(Screen::Simulate);
    model.overlay = None;
    model.dirty = true;
    effects
}

pub(super) fn begin_plain(model: &mut Model) -> Vec<Effect> {
    begin_choice(model, PLAIN)
}

fn begin_choice(model: &mut Model, name: &str) -> Vec<Effect> {
    choice(name).map_or_else(Vec::new, |plan| begin(model, name, plan.scenario))
}

/// The text of a scenario was read.
pub(super) fn on_text(model: &mut Model, path: &Path, document: &str) -> Vec<Effect> {
    let name = text::clean(&path.to_string_lossy()).into_owned();
    model.dirty = true;
    match Scenario::read(document, &[]) {
        Ok(plan) => begin(model, &name, plan.scenario),
        Err(error) => {
            model.notice = Some(text::clean(&format!("{name}: {error}")).into_owned());
            Vec::new()
        }
    }
}

/// A key while the list of scenarios lies over the screen.
pub(super) fn on_list_key(model: &mut Model, place: usize, key: Key) -> Vec<Effect> {
    let last = choices().count().saturating_sub(1);
    let step = match model.keys.action(Screen::Simulate, key) {
        Some(Action::Enter) => {
            return choices().nth(place).map_or_else(Vec::new, |name| begin_choice(model, name));
        }
        Some(Action::Back | Action::Quit | Action::Scenarios) => return Vec::new(),
        Some(Action::Line(lines)) => lines,
        Some(Action::Page(pages)) => pages.saturating_mul(PAGE),
        Some(Action::First | Action::Begin) => isize::MIN,
        Some(Action::Last | Action::End) => isize::MAX,
        _ => 0,
    };
    model.overlay = Some(Overlay::Scenarios(place.saturating_add_signed(step).min(last)));
    Vec::new()
}

pub(super) fn perform(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = isize::try_from(model.size.1 / 2).unwrap_or(PAGE).max(1);
    let in_form = model.choices.focus == Panel::Settings;
    let Some(simulation) = model.simulation.as_mut() else { return Vec::new() };
    let choices = &mut model.choices;
    match action {
        Action::Step(step) => return adjust(model, step),
        Action::Sideways(step) if in_form => return adjust(model, step),
        Action::Sideways(step) => {
            let seconds = if step > 0 { 1 } else { -1 };
            look(&mut simulation.session, choices, &Panel::SIMULATE, Action::Seconds(seconds));
        }
        Action::Line(lines) if in_form => move_field(simulation, lines),
        Action::Page(pages) if in_form => move_field(simulation, pages.saturating_mul(PAGE / 2)),
        Action::First if in_form => move_field(simulation, -isize::MAX),
        Action::Last if in_form => move_field(simulation, isize::MAX),
        Action::Line(lines) => scroll_panel(simulation, choices.focus, lines),
        Action::Page(pages) => scroll_panel(simulation, choices.focus, pages.saturating_mul(page)),
        Action::First => scroll_panel(simulation, choices.focus, -isize::MAX),
        Action::Last => scroll_panel(simulation, choices.focus, isize::MAX),
        Action::Enter if in_form => {
            let typed = edit::typed(simulation, simulation.field);
            model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Setting, &typed)));
        }
        Action::Enter => choices.maximised = !choices.maximised,
        Action::Back if choices.maximised => choices.maximised = false,
        Action::Back => simulation.session.ladder_back = 0,
        Action::Scenarios => {
            let here = crate::dashboard::simulation::choices().position(|name| name == simulation.name);
            model.overlay = Some(Overlay::Scenarios(here.unwrap_or(0)));
        }
        Action::GoTo => model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::GoTo, ""))),
        Action::Keep => model.notice = Some(simulation.keep().to_owned()),
        Action::Batch => {
            if simulation.problem.is_some() {
                model.notice = Some("this cannot be simulated as it stands".to_owned());
            }
            return simulation.batch();
        }
        Action::WriteScenario => return write(model),
        Action::Undo => return undo(model),
        Action::Export if simulation.current().is_some() => model.overlay = Some(Overlay::Export),
        Action::Export => model.notice = Some("nothing is predicted of this yet".to_owned()),
        Action::CopyPanel => return export::copy_panel(model),
        Action::Copy => {
            let said = answer::sentences(simulation);
            let lines: Vec<String> = said.into_iter().map(|(words, _)| words).collect();
            model.notice = Some("copied the answer".to_owned());
            return vec![Effect::Copy(format!("{}\n{}\n", simulation.scenario.title, lines.join("\n")))];
        }
        _ => {
            let notice = look(&mut simulation.session, choices, &Panel::SIMULATE, action);
            model.notice = notice.or(model.notice.take());
        }
    }
    Vec::new()
}

/// Only the ladder has more lines than are shown.
fn scroll_panel(simulation: &mut Simulation, focus: Panel, lines: isize) {
    if focus == Panel::Ladder {
        scroll(&mut simulation.session, focus, lines);
    }
}

fn move_field(simulation: &mut Simulation, step: isize) {
    let fields = Field::all(&simulation.scenario);
    let place = fields.iter().position(|field| *field == simulation.field).unwrap_or(0);
    let next = place.saturating_add_signed(step).min(fields.len().saturating_sub(1));
    simulation.field = fields.get(next).copied().unwrap_or(simulation.field);
}

/// Changes the chosen field by steps.
fn adjust(model: &mut Model, step: isize) -> Vec<Effect> {
    match change(model, |simulation, field| edit::step(simulation, field, step > 0)) {
        Ok(effects) => effects,
        Err(problem) => {
            model.notice = Some(problem);
            Vec::new()
        }
    }
}

/// Sets the chosen field to what was typed.
pub(super) fn set(model: &mut Model, typed: &str) -> Result<Vec<Effect>, String> {
    change(model, |simulation, field| edit::set(simulation, field, typed))
}

/// Changes the chosen field; what is not possible leaves everything as it was.
fn change(
    model: &mut Model,
    how: impl FnOnce(&mut Simulation, Field) -> Result<(), String>,
) -> Result<Vec<Effect>, String> {
    let Some(simulation) = model.simulation.as_mut() else { return Ok(Vec::new()) };
    let before = simulation.scenario.clone();
    let field = simulation.field;
    if let Err(problem) = how(simulation, field) {
        simulation.scenario = before;
        return Err(problem);
    }
    if simulation.scenario == before {
        return Ok(Vec::new());
    }
    if !Field::all(&simulation.scenario).contains(&field) {
        simulation.field = Field::Stack;
    }
    simulation.remember(before);
    model.scenarios += 1;
    Ok(simulation.change(model.scenarios))
}

fn undo(model: &mut Model) -> Vec<Effect> {
    let Some(simulation) = model.simulation.as_mut() else { return Vec::new() };
    model.scenarios += 1;
    match simulation.undo(model.scenarios) {
        Some(effects) => effects,
        None => {
            model.notice = Some("nothing was changed".to_owned());
            Vec::new()
        }
    }
}

/// The scenario as a new file.
fn write(model: &mut Model) -> Vec<Effect> {
    let Some(simulation) = model.simulation.as_ref() else { return Vec::new() };
    if let Some(problem) = &simulation.problem {
        model.notice = Some(format!("not written, as it cannot be simulated: {problem}"));
        return Vec::new();
    }
    let document = simulation.scenario.to_toml().into_bytes();
    vec![Effect::Write { stem: stem(simulation), suffix: "toml", body: Body::Octets(document) }]
}

/// The name of the scenario, fit for the name of a file.
fn stem(simulation: &Simulation) -> String {
    let name = Path::new(&simulation.name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
    name.unwrap_or_default().chars().map(plain).collect()
}

pub(super) fn on_export_key(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(simulation) = model.simulation.as_ref() else { return Vec::new() };
    let Some(prediction) = simulation.current() else { return Vec::new() };
    let (what, suffix, octets) = match key {
        Key::Char('j') => {
            let mut octets = Vec::new();
            // A vector takes everything.
            let _ = report::json(&mut octets, &prediction.plan, &prediction.run, &["client".to_owned()]);
            ("", "json", octets)
        }
        Key::Char('x') => {
            let panel = model.choices.focus;
            let text = view::panel_text(model, &simulation.session, panel);
            let stem = format!("{}-{}", stem(simulation), panel.name().to_lowercase());
            return vec![Effect::Write { stem, suffix: "txt", body: Body::Octets(text.into_bytes()) }];
        }
        Key::Char('s') => ("-screen", "svg", view::picture(model, &simulation.scenario.title).into_bytes()),
        Key::Char('l') => ("-ladder", "svg", svg::ladder(model).into_bytes()),
        Key::Char('t') => ("-timeline", "svg", svg::timeline(model).into_bytes()),
        Key::Esc | Key::Char('q') => return Vec::new(),
        _ => {
            model.overlay = Some(Overlay::Export);
            return Vec::new();
        }
    };
    vec![Effect::Write { stem: format!("{}{what}", stem(simulation)), suffix, body: Body::Octets(octets) }]
}
