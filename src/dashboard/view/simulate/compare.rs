//! What a change makes of the answer, and what many runs come to.

use crate::dashboard::model::{Model, Panel};
use crate::dashboard::simulation::answer::{comparison, percent, shares};
use crate::dashboard::simulation::predict::Prediction;
use crate::dashboard::simulation::{Base, Many, Simulation};
use crate::dashboard::text::{fit, plural, seconds, shorten, wrap};
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;
use crate::simulate::scenario::run::{Quantiles, Spread};
use crate::time::Span;

/// Columns for names.
const NAMES: u16 = 17;

/// Lines of a comparison with its heading, and with the bars below.
const COMPARED: u16 = 8;
const BARS: u16 = 3;

/// How many lines there are to show.
pub(super) fn lines(model: &Model) -> u16 {
    let Some(simulation) = model.simulation.as_ref() else { return 0 };
    let many = simulation.many.as_ref().map_or(0, |many| shares(many).len() as u16 + 4);
    many + if simulation.base.is_some() { COMPARED + BARS } else { 0 }
}

pub(super) fn draw(model: &Model, simulation: &Simulation, pen: &mut Pen<'_>) {
    let focused = model.choices.focus == Panel::Compare;
    let mut pen = pen.panel("Compare", "D base, b batch", focused);
    let height = pen.height();
    let mut y = 0;
    if let Some(many) = &simulation.many {
        y = draw_many(many, &mut pen);
    }
    match (&simulation.base, simulation.current()) {
        (Some(base), Some(now)) => {
            let rest = height.saturating_sub(y);
            let width = pen.width();
            draw_comparison(base, now, &mut pen.part(0, y, width, rest));
        }
        (Some(_), None) => {
            pen.put(0, y, "nothing is predicted of this yet", Role::Faint);
        }
        (None, _) if simulation.many.is_none() => {
            let words = "D keeps what is predicted now, and shows here what a change makes of it; b simulates it \
                         many times and shows in how many the connection survives.";
            for (y, line) in (0..).zip(wrap(words, usize::from(pen.width()))) {
                pen.put(0, y, &line, Role::Faint);
            }
        }
        _ => {}
    }
}

/// A table with a mark at what differs, and the times to notice a loss as bars.
fn draw_comparison(base: &Base, now: &Prediction, pen: &mut Pen<'_>) {
    let cut = pen.theme().glyphs().cut;
    let column = usize::from(pen.width().saturating_sub(NAMES + 1) / 2);
    let write = |pen: &mut Pen<'_>, y: u16, name: &str, base: &str, now: &str, role: Role| {
        pen.put(0, y, name, Role::Text);
        pen.put(NAMES, y, &fit(base, column.saturating_sub(1), cut), Role::Text);
        pen.put(NAMES + column as u16, y, &shorten(now, column, cut), role);
    };
    write(pen, 0, "", "base", "now", Role::Strong);
    let compared = comparison(base, now);
    for (y, line) in (1..).zip(&compared) {
        let differs = line.differs();
        let name = format!("{} {}", if differs { "*" } else { " " }, line.name);
        write(pen, y, &name, &line.base, &line.now, if differs { Role::Strong } else { Role::Text });
    }
    let times = [("base", base.figures.noticed), ("now", now.figures.noticed)];
    let longest = times.iter().filter_map(|(_, span)| *span).max().filter(|longest| *longest > Span::ZERO);
    let Some(longest) = longest else { return };
    let from = compared.len() as u16 + 1;
    pen.put(0, from, "noticed after", Role::Faint);
    for (y, (name, span)) in (from + 1..).zip(times) {
        let words = span.map_or("not noticed".to_owned(), seconds);
        pen.put(0, y, name, Role::Text);
        pen.put(5, y, &words, Role::Text);
        let room = i128::from(pen.width().saturating_sub(NAMES + 1));
        let share =
            span.map_or(0, |span| i128::from(span.as_nanos()) * room / i128::from(longest.as_nanos()));
        draw_bar(share as usize, y, pen);
    }
}

fn draw_bar(columns: usize, y: u16, pen: &mut Pen<'_>) {
    let much = pen.theme().glyphs().much;
    pen.put(NAMES, y, &much.repeat(columns), Role::Idle);
}

/// The shares of many runs with bars, and when the first probe came and a loss was noticed. Returns the line after.
fn draw_many(many: &Many, pen: &mut Pen<'_>) -> u16 {
    if let Some(problem) = &many.problem {
        let mut y = 0;
        for line in wrap(&format!("no batch: {problem}"), usize::from(pen.width())) {
            pen.put(0, y, &line, Role::Bad);
            y += 1;
        }
        return y;
    }
    let done = many.distribution.runs;
    let runs = plural(many.wanted, "run");
    let over = match many.spread {
        Some(Spread::Phases { period }) => {
            format!("over all phases of the client's timer ({})", seconds(period))
        }
        Some(Spread::Seeds) => "with one seed after the other".to_owned(),
        None => String::new(),
    };
    let progress = if many.goes_on() { format!("{done} of {runs}") } else { runs };
    pen.put(0, 0, &format!("{progress} {over}"), Role::Strong);
    let mut y = 1;
    let wide = 44;
    for (name, count) in shares(many) {
        pen.put(2, y, &name, Role::Text);
        pen.put(28, y, &format!("{count:>7} {:>8}", percent(count, done)), Role::Text);
        let room = u64::from(pen.width().saturating_sub(wide + 2));
        let columns = (count * room).checked_div(done).unwrap_or(0) as usize;
        let much = pen.theme().glyphs().much;
        pen.put(wide + 2, y, &much.repeat(columns), Role::Idle);
        y += 1;
    }
    for (name, found) in [
        ("first probe", many.distribution.first_probe()),
        ("loss noticed after", many.distribution.detection()),
    ] {
        let Some(Quantiles { least, p50, most, .. }) = found else { continue };
        let words = format!("{} to {}, half by {}", seconds(least), seconds(most), seconds(p50));
        pen.put(2, y, name, Role::Text);
        pen.put(22, y, &words, Role::Text);
        y += 1;
    }
    y + 1
}
