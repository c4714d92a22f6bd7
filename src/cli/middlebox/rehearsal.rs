//! `--simulate`: the same search through a product or a scenario on a virtual clock; nothing is sent.
//!
//! Hours take milliseconds, so nothing is shown while it runs; on the screen it is played.

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;

use super::plan::exit_of;
use super::{Arguments, Format};
use crate::cli::simulate::input::{self, Given};
use crate::cli::{Exit, complain};
use crate::partner::secret::Secret;
use crate::printable::is_harmful;
use crate::report::middlebox::{self, Asked, announce};
use crate::search::{Trial, Verdict};
use crate::simulate::idle::{Partner, Path, Rehearsal};
use crate::time::Span;

/// Tries it and writes what came of it.
pub(super) fn run(arguments: &Arguments, name: &str) -> io::Result<Exit> {
    match prepare(arguments, name) {
        Ok((asked, path)) => carry_out(arguments, &asked, &path),
        Err(problem) => {
            complain(&format!("error: {problem}"));
            Ok(Exit::BadInput)
        }
    }
}

/// The questions and the path.
fn prepare(arguments: &Arguments, name: &str) -> Result<(Asked, Path), String> {
    let secret = if arguments.no_partner {
        Secret::none()
    } else {
        arguments.token.secret().map_err(|error| error.to_string())?
    };
    let partner = arguments.is_partner(&secret);
    if let Some(problem) = arguments.problem(partner) {
        return Err(problem);
    }
    let directions = arguments.directions(partner);
    for wanted in &directions {
        wanted.check().map_err(|error| error.to_string())?;
    }
    let (subject, path) = match Path::named(name) {
        Ok(found) => found,
        // A file; or neither, and then what is said of names is worth more.
        Err(_) if name.contains(['/', '.']) || name == "-" => {
            let plan = input::read(name, &Given { seed: None, set: &[] })?;
            (plan.scenario.title.clone(), Path::of(&plan))
        }
        Err(problem) => return Err(problem),
    };
    let address =
        path.connects_to.map_or(SocketAddr::new(path.world.server.address, path.server_port), |end| {
            SocketAddr::new(end.address, end.port)
        });
    let host = address.ip().to_string();
    let simulated = Some(subject.chars().filter(|letter| !is_harmful(*letter)).collect());
    Ok((Asked { host, address, directions, examination: None, simulated, recording: None }, path))
}

fn carry_out(arguments: &Arguments, asked: &Asked, path: &Path) -> io::Result<Exit> {
    // A closed standard error is no reason to stop.
    let _ = announce(&mut io::stderr().lock(), asked);
    if arguments.plan {
        return Ok(Exit::Done);
    }
    #[cfg(feature = "dashboard")]
    if arguments.tui {
        return on_screen(arguments, asked, path);
    }
    let result = match search(arguments, asked, path) {
        Ok(result) => result,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    write(arguments, asked, &result)?;
    Ok(exit(arguments, &result))
}

/// Each direction by itself.
fn search(arguments: &Arguments, asked: &Asked, path: &Path) -> Result<middlebox::Result, String> {
    let mut result = middlebox::Result {
        findings: Vec::new(),
        examined: None,
        not_examined: None,
        packets: 0,
        wall: Span::ZERO,
        translation: None,
        dropped: 0,
        interrupted: false,
        partner_lost: None,
    };
    for wanted in &asked.directions {
        let rehearsal = Rehearsal::new(path, wanted.clone(), Partner::PERFECT, arguments.seed);
        let mut rehearsal = rehearsal.map_err(|error| error.to_string())?;
        let finding = rehearsal.run();
        result.packets += rehearsal.packets();
        result.wall = result.wall.max(rehearsal.wall());
        result.findings.push((wanted.clone(), finding));
    }
    Ok(result)
}

fn write(arguments: &Arguments, asked: &Asked, result: &middlebox::Result) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    match arguments.format() {
        Format::Text => {
            let subject = asked.simulated.as_deref().unwrap_or_default();
            writeln!(out, "SIMULATED, nothing was sent: {subject}")?;
            middlebox::summary(&mut out, asked, result, arguments.color.style())?;
        }
        Format::Json => middlebox::json(&mut out, asked, result)?,
        Format::Jsonl => {
            middlebox::jsonl_begin(&mut out, asked)?;
            let mut trials: Vec<&Trial> =
                result.findings.iter().flat_map(|(_, finding)| &finding.trials).collect();
            trials.sort_by_key(|trial| trial.at);
            for trial in trials {
                middlebox::jsonl_trial(&mut out, trial)?;
            }
            middlebox::jsonl_end(&mut out, asked, result)?;
        }
    }
    out.flush()
}

fn exit(arguments: &Arguments, result: &middlebox::Result) -> Exit {
    let verdicts: Vec<Verdict> = result.findings.iter().map(|(_, finding)| finding.verdict).collect();
    exit_of(arguments.mode, &verdicts)
}

/// Plays it on the screen; what it came to stays on the terminal.
#[cfg(feature = "dashboard")]
fn on_screen(arguments: &Arguments, asked: &Asked, path: &Path) -> io::Result<Exit> {
    use crate::dashboard::middlebox::rehearse::hunt;

    let subject = asked.simulated.as_deref().unwrap_or_default();
    let hunt = match hunt(subject, path, &asked.directions, arguments.seed) {
        Ok(hunt) => hunt,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Ok(Exit::BadInput);
        }
    };
    let packets = hunt.courses.iter().filter_map(|course| Some(course.moments.last()?.packets)).sum();
    let spans = hunt.courses.iter().filter_map(|course| course.span());
    let wall = spans.map(|(first, last)| last.since(first)).max().unwrap_or(Span::ZERO);
    let findings = hunt.courses.iter().filter_map(|course| {
        let finding = course.moments.iter().rev().find_map(|moment| moment.finding.as_deref())?;
        Some((course.wanted.clone(), finding.clone()))
    });
    let result = middlebox::Result {
        findings: findings.collect(),
        examined: None,
        not_examined: None,
        packets,
        wall,
        translation: None,
        dropped: 0,
        interrupted: false,
        partner_lost: None,
    };
    Ok(match crate::cli::dashboard::search(hunt)? {
        None => Exit::BadInput,
        Some(interrupted) => {
            write(arguments, asked, &result)?;
            if interrupted { Exit::Interrupted } else { exit(arguments, &result) }
        }
    })
}
