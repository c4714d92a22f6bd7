//! The search on a screen; what it came to stays on the terminal, as it is written without one.

use std::io;
use std::path::PathBuf;

use super::Arguments;
use super::journal::JournalFile;
use super::output::Output;
use super::plan::exit;
use crate::cli::{Exit, complain, dashboard};
use crate::dashboard::middlebox::Hunt;
use crate::dashboard::middlebox::driver::{Ended, Journal, Start};
use crate::dashboard::replay::Speed;
use crate::dashboard::run::{self, Standby, Start as Screen};
use crate::dashboard::update::show_search;
use crate::live::idle::Plan;
use crate::live::recording::Recording;
use crate::live::system::System;
use crate::report::middlebox::Asked;
use crate::time::Timestamp;

/// Searches on the screen until it is left; the search ends then, too.
pub(super) fn show(
    arguments: &Arguments,
    asked: &Asked,
    system: System,
    plan: Plan,
    recording: Option<Recording>,
    journal: Option<JournalFile>,
) -> io::Result<Exit> {
    let mut model = dashboard::Looks::preferred().model(Speed::Fit);
    show_search(&mut model, Hunt::new(&asked.target(), false, &asked.directions));
    model.no_live = Some("the sockets of this run are for the search alone".to_owned());
    let screen = Screen {
        paths: Vec::new(),
        scenario: None,
        live: false,
        hash_seed: plan.hash_seed,
        folder: PathBuf::from("."),
    };
    let journal = journal.map(|mut file| Box::new(move |trial: &_| file.trial(trial)) as Journal);
    let start = Start { system, plan, recording, journal };
    let ended = run::run(model, &screen, Some(Standby::Search(Box::new(start))))?;
    match ended.search {
        Some(search) => conclude(arguments, asked, search, ended.interrupted),
        // Its thread panicked, and said so.
        None => Ok(Exit::BadInput),
    }
}

/// Writes what the plain command writes at its end.
fn conclude(arguments: &Arguments, asked: &Asked, ended: Ended, interrupted: bool) -> io::Result<Exit> {
    ended.remarks.iter().for_each(|remark| complain(&format!("note: {remark}")));
    ended.problems.iter().for_each(|problem| complain(&format!("error: {problem}")));
    let mut report = match ended.report {
        Ok(report) => report,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    // Where nothing was begun, the screen went away by itself.
    let left = interrupted && !report.findings.is_empty();
    // The recording is closed already, so the time does not matter.
    Output::begin(arguments, asked, None, None)?.finish(asked, &report, Timestamp::default())?;
    report.interrupted |= left;
    // All of them are of the recording or the journal.
    Ok(exit(arguments, &report).if_kept(ended.problems.is_empty()))
}
