//! A search tried in the simulator, for the screen: all of it at once, to be played.
//!
//! Owns [`hunt`]. Pure: the simulator has its own clock.

use super::{Hunt, Moment, Told};
use crate::search::{Finding, Wanted, Way};
use crate::simulate::idle::{Partner, Path, Rehearsal, RehearsalError};

/// Most moments that are kept of one search: a search that is disturbed all the time has very many.
const MOST_MOMENTS: usize = 20_000;

/// Tries these questions on a path, each by itself, and keeps what happened.
///
/// # Errors
/// If the path does not hang together, or a question cannot be answered at all.
pub fn hunt(subject: &str, path: &Path, questions: &[Wanted], seed: u64) -> Result<Hunt, RehearsalError> {
    let mut hunt = Hunt::new(subject, true, questions);
    for (course, wanted) in questions.iter().enumerate() {
        let mut rehearsal = Rehearsal::new(path, wanted.clone(), Partner::PERFECT, seed)?;
        hunt.take(Told { course, ..all_of(&mut rehearsal) });
    }
    Ok(hunt)
}

/// Runs one to its end.
fn all_of(rehearsal: &mut Rehearsal) -> Told {
    let mut told = Told { done: true, ..Told::default() };
    keep(rehearsal, &mut told, true);
    let mut shape = (0, 0, 0);
    loop {
        let goes_on = rehearsal.step();
        let mut heard = false;
        while let Some(news) = rehearsal.poll_news() {
            told.news.push((rehearsal.now(), news));
            heard = true;
        }
        // What else is shown changes when connections are opened, asked or closed.
        let view = rehearsal.view();
        let asked = view.silences.iter().map(|silence| usize::from(silence.attempts)).sum();
        let now = (view.opened as usize, view.silences.len(), asked);
        let full = told.moments.len() >= MOST_MOMENTS;
        if heard || !goes_on || (now != shape && !full) {
            shape = now;
            keep(rehearsal, &mut told, heard || !goes_on);
        }
        if !goes_on {
            return told;
        }
    }
}

fn keep(rehearsal: &Rehearsal, told: &mut Told, with_finding: bool) {
    let mut view = rehearsal.view();
    let trials = std::mem::take(&mut view.trials);
    let finding = with_finding.then(|| Box::new(Finding { trials: Vec::new(), ..rehearsal.finding() }));
    let moment = Moment {
        at: rehearsal.start().plus(rehearsal.wall()),
        view,
        trials: trials.len(),
        news: told.news.len(),
        packets: rehearsal.packets(),
        finding,
    };
    told.trials.extend(trials.into_iter().skip(told.trials.len()));
    told.moments.push(moment);
}

/// What can be typed, for who is asked.
pub const FORMS: &str = "a product or scenario, and: out, both (directions), alone (no partner): aws-nlb out";

/// A rehearsal by what a person types: a product of the catalogue or a scenario of the program, and words.
///
/// # Errors
/// If nothing goes by that name, or no search goes through it; in words.
pub fn by_words(text: &str) -> Result<Hunt, String> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or_else(|| format!("name {FORMS}"))?;
    let (mut ways, mut partner) = (vec![Way::In], true);
    for word in words {
        match word {
            "in" => ways = vec![Way::In],
            "out" => ways = vec![Way::Out],
            "both" => ways = vec![Way::Out, Way::In],
            "alone" => partner = false,
            other => return Err(format!("{other:?} says nothing here: name {FORMS}")),
        }
    }
    if !partner {
        ways = vec![Way::Out];
    }
    let (subject, path) = Path::named(name)?;
    let questions: Vec<Wanted> = ways.into_iter().map(|way| Wanted::new(way, partner)).collect();
    hunt(&subject, &path, &questions, 1).map_err(|error| error.to_string())
}
