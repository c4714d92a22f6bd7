//! The thread that simulates for the screen, so that drawing never waits for it.
//!
//! Whoever is outdated is told by a flag and leaves. Impure: files and channels.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use super::{News, predict};
use crate::dashboard::effect::Wanted;
use crate::dashboard::message::Message;
use crate::simulate::scenario::{Plan, Scenario};

/// Simulates a scenario, which is the one of that number, and tells what is wanted of it until `stop` is set.
pub fn work(
    version: u64,
    scenario: &Scenario,
    wanted: Wanted,
    stop: &Arc<AtomicBool>,
    out: &SyncSender<Message>,
) {
    let goes_on = || !stop.load(Ordering::Relaxed);
    run(version, scenario, wanted, &goes_on, &mut |message| out.send(message).is_ok());
}

/// The same on this thread: `tell` says whether anybody listens.
pub fn run(
    version: u64,
    scenario: &Scenario,
    wanted: Wanted,
    goes_on: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Message) -> bool,
) {
    let news = |news: News| Message::Simulated(version, Box::new(news));
    let plan = match scenario.plan() {
        Ok(plan) => plan,
        Err(wrong) => {
            tell(news(News::Refused(wrong.to_string())));
            return;
        }
    };
    match wanted {
        Wanted::Prediction => prediction(&plan, goes_on, &mut |told| tell(news(told))),
        Wanted::Runs { over_phases, runs } => {
            let told = predict::many(&plan, over_phases, runs, goes_on, |distribution, spread| {
                goes_on() && tell(news(News::Runs(spread, distribution.clone())))
            });
            if let Err(problem) = told {
                tell(news(News::NoRuns(problem)));
            }
        }
    }
}

fn prediction(plan: &Plan, goes_on: &dyn Fn() -> bool, tell: &mut dyn FnMut(News) -> bool) {
    let found = match predict::predict(plan.clone(), goes_on) {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(problem) => {
            tell(News::Refused(problem));
            return;
        }
    };
    let events = found.0.run.events;
    if !tell(News::Predicted(Box::new(found))) {
        return;
    }
    if let Some(distribution) = predict::phases(plan, events, goes_on) {
        tell(News::Phases(distribution));
    }
}

/// The longest document that is read, and one octet more, so that a longer one is refused and not cut.
const MOST_OCTETS: u64 = (1 << 20) + 1;

/// Reads the text of a scenario.
pub fn read(path: &Path) -> Result<String, String> {
    let failed = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(MOST_OCTETS).read_to_end(&mut octets).map_err(|error| failed(&error))?;
    String::from_utf8(octets).map_err(|_| failed(&"this is no text (UTF-8)"))
}
