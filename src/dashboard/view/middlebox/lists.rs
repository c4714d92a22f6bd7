//! Trials, silences and news, line by line.

use crate::dashboard::middlebox::words::{news, result, roughly, silence};
use crate::dashboard::middlebox::{Hunt, Pane, Standing};
use crate::dashboard::text::{fit, fit_right, plural, shorten, width};
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;
use crate::search::Outcome;

/// Which of so many lines are shown where the newest stand at the foot: the first of them.
fn first_of(lines: usize, height: u16, back: usize) -> usize {
    let over = lines.saturating_sub(usize::from(height));
    over.saturating_sub(back)
}

pub(super) fn trials(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let count = plural(standing.trials.len() as u64, "trial");
    let mut pen = pen.panel("Trials", &count, hunt.pane == Pane::Trials);
    pen.put(1, 0, "   #  silence  tries  result  evidence", Role::Faint);
    let height = pen.height().saturating_sub(1);
    let first = first_of(standing.trials.len(), height, hunt.scrolled(Pane::Trials));
    let cut = pen.theme().glyphs().cut;
    for (y, (index, trial)) in (1..).zip(standing.trials.iter().enumerate().skip(first).take(height.into())) {
        let (sign, word, how) = result(trial);
        let role = match trial.result {
            Outcome::Lived => Role::Good,
            Outcome::Died(_) => Role::Bad,
            Outcome::Void(_) => Role::Faint,
        };
        let number = fit_right(&(index + 1).to_string(), 4, cut);
        let idle = fit_right(&silence(trial.last_idle), 8, cut);
        let tries = fit_right(&trial.attempts.to_string(), 5, cut);
        let x = pen.put(1, y, &format!("{number} {idle}  {tries}  "), Role::Text);
        let x = pen.put(x, y, &fit(&format!("{sign} {word}"), 8, cut), role);
        // The round trip only where it has room.
        let room = usize::from(pen.width().saturating_sub(x));
        let short =
            how.split_once(',').filter(|_| width(&how) > room).map_or(how.as_str(), |(first, _)| first);
        pen.put(x, y, &shorten(short, room, cut), Role::Text);
    }
}

pub(super) fn silences(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let view = &standing.moment.view;
    let silences = standing.silences();
    let count = match view.opening {
        0 => format!("{}", silences.len()),
        opening => format!("{}, {opening} opening", silences.len()),
    };
    let mut pen = pen.panel("Silent now", &count, hunt.pane == Pane::Silences);
    if view.verdict.is_some() {
        pen.put(1, 0, "over: all were closed", Role::Faint);
        return;
    }
    let height = usize::from(pen.height());
    let first = hunt.scrolled(Pane::Silences).min(silences.len().saturating_sub(height));
    let glyphs = pen.theme().glyphs();
    let bar = usize::from(pen.width()).saturating_sub(34).clamp(4, 24);
    for (y, (known, age)) in (0..).zip(silences.into_iter().skip(first).take(height)) {
        let number = fit_right(&format!("#{}", known.id.0), 6, glyphs.cut);
        let x = pen.put(0, y, &number, Role::Text) + 1;
        match known.goal {
            _ if known.sentinel => {
                pen.put(x, y, &format!("never asked   {}", silence(age)), Role::Faint);
            }
            None => {
                pen.put(x, y, &format!("in reserve    {}", silence(age)), Role::Faint);
            }
            Some(goal) => {
                let share = age.as_nanos() as f64 / goal.as_nanos().max(1) as f64;
                let full = (share.clamp(0.0, 1.0) * bar as f64) as usize;
                let x = pen.put(x, y, &glyphs.much.repeat(full), Role::Idle);
                let x = pen.put(x, y, &glyphs.none.repeat(bar - full), Role::Faint);
                let words = match known.attempts {
                    0 => format!(" {} of {}", silence(age), silence(goal)),
                    tries => format!(" {}, {}", silence(goal), plural(u64::from(tries), "try")),
                };
                pen.put(x, y, &words.replace("trys", "tries"), Role::Text);
            }
        }
    }
}

pub(super) fn log(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let mut pen = pen.panel("Log", "", hunt.pane == Pane::Log);
    let Some((start, _)) = hunt.shown().and_then(|course| course.span()) else { return };
    let first = first_of(standing.news.len(), pen.height(), hunt.scrolled(Pane::Log));
    let height = usize::from(pen.height());
    for (y, (at, what)) in (0..).zip(standing.news.iter().skip(first).take(height)) {
        let time = fit_right(&roughly(at.since(start)), 7, pen.theme().glyphs().cut);
        pen.put(0, y, &format!("{time}  {}", news(what)), Role::Text);
    }
}
