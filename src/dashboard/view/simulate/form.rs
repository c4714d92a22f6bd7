//! The form: a line for each field, with a heading for each part.

use crate::dashboard::keymap::Action;
use crate::dashboard::model::{Model, Panel, Screen};
use crate::dashboard::simulation::Simulation;
use crate::dashboard::simulation::field::{Field, Section};
use crate::dashboard::text::shorten;
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;

/// Columns for names.
const NAMES: u16 = 14;

enum Line {
    Heading(Section),
    Field(Field),
}

pub(super) fn draw(model: &Model, simulation: &Simulation, pen: &mut Pen<'_>) {
    let focused = model.choices.focus == Panel::Settings;
    let key = |action| model.keys.key(Screen::Simulate, action);
    let steps = format!("{} {} steps", key(Action::Step(-1)), key(Action::Step(1)));
    let right = if pen.width() > 40 { format!("{} types, {steps}", key(Action::Enter)) } else { steps };
    let mut pen = pen.panel("Settings", &right, focused);
    let mut lines = Vec::new();
    let mut section = None;
    for field in Field::all(&simulation.scenario) {
        if section != Some(field.section()) {
            section = Some(field.section());
            lines.push(Line::Heading(field.section()));
        }
        lines.push(Line::Field(field));
    }
    let is_chosen = |line: &Line| matches!(line, Line::Field(field) if *field == simulation.field);
    let chosen = lines.iter().position(is_chosen).unwrap_or(0);
    let height = usize::from(pen.height());
    // The chosen one in the middle, and no line left empty at the foot.
    let first = chosen.saturating_sub(height / 2).min(lines.len().saturating_sub(height));
    let glyphs = pen.theme().glyphs();
    let room = usize::from(pen.width().saturating_sub(NAMES + 6));
    for (y, line) in (0..pen.height()).zip(lines.iter().skip(first)) {
        match line {
            Line::Heading(section) => {
                let rest = usize::from(pen.width()).saturating_sub(section.name().len() + 4);
                let rule = glyphs.across.repeat(rest);
                pen.put(0, y, &format!("{0}{0} {1} {rule}", glyphs.across, section.name()), Role::Faint);
            }
            Line::Field(field) => {
                let here = *field == simulation.field;
                let (value, said) = field.value(simulation);
                let name = field.name();
                let after = pen.put(0, y, if here { glyphs.pointer } else { " " }, Role::Text);
                pen.put(after, y, name, if here { Role::Strong } else { Role::Text });
                // A long name leaves no gap before the value.
                let x = (after + NAMES).max(after + name.len() as u16 + 1);
                let role = match (here && focused, said) {
                    (true, _) => Role::Selected,
                    (false, true) => Role::Text,
                    (false, false) => Role::Faint,
                };
                let value = shorten(&value, room, glyphs.cut);
                if here {
                    pen.put(x, y, &format!("< {value} >"), role);
                } else {
                    pen.put(x + 2, y, &value, role);
                }
            }
        }
    }
}
