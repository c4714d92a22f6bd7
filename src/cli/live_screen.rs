//! The live screen: peers that are probed and interfaces that are watched, in the terminal.
//!
//! Sockets are opened, and rights given up, before the screen is shown and before the first packet is read. What a
//! source begun later may need is therefore opened at the start, with a filter that lets nothing through.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::dashboard::{self, Looks};
use super::probe;
use super::settings::shown;
use super::watch;
use super::{Color, Exit, complain};
use crate::dashboard::live::Manner;
use crate::dashboard::live::driver::{Ended, Start};
use crate::dashboard::replay::Speed;
use crate::dashboard::run::{self, Standby, Start as Screen};
use crate::live::engine::plan::{Octets, Order, Until};
use crate::live::filter::Filter;
use crate::live::privilege::RightsMissing;
use crate::live::system::{Need, OpenError, Options, System};
use crate::live::target::Target;
use crate::live::wire::Connect;
use crate::report::probe as report;
use crate::time::Span;

/// SYNs and probes a second at most, where nothing else was said.
const MAX_RATE: u32 = 100;

/// How long to wait for the answer to a SYN, where nothing else was said.
const OPEN_WITHIN: Span = Span::from_secs(10);

/// A source around an open system that does nothing yet.
pub(super) fn source(system: System) -> Start {
    Start {
        system,
        orders: Vec::new(),
        watching: None,
        recording: None,
        max_rate: MAX_RATE,
        open_within: OPEN_WITHIN,
        // Unpredictable, so that no packets can be made to collide; results do not depend on it.
        hash_seed: RandomState::new().hash_one(0),
        ends_after: None,
        source: None,
        family: None,
    }
}

/// What may be begun from inside of a screen that begins with nothing live: all interfaces and senders, where rights
/// allow it; otherwise why not.
pub(super) fn standby() -> Result<Result<Start, String>, OpenError> {
    let options = Options {
        sniff: Need::IfAllowed,
        send: Need::IfAllowed,
        // Each peer adds itself.
        filter: Filter::Peers(Vec::new()),
        ..Options::default()
    };
    let system = match System::open(&options) {
        Ok(system) => system,
        Err(problem @ OpenError::CannotGiveUp(_)) => return Err(problem),
        Err(problem) => return Ok(Err(problem.to_string())),
    };
    if system.sniffs() && system.sends() {
        return Ok(Ok(source(system)));
    }
    Ok(Err(RightsMissing::new("probing and watching").to_string()))
}

/// Shows a live source from the beginning, until the user has had enough.
pub(super) fn show(start: Start, manner: Manner, looks: &Looks) -> io::Result<Exit> {
    let mut model = looks.model(Speed::Fit);
    model.manner = manner;
    let hash_seed = start.hash_seed;
    let screen =
        Screen { paths: Vec::new(), scenario: None, live: true, hash_seed, folder: PathBuf::from(".") };
    let ended = run::run(model, &screen, Some(Standby::Live(Box::new(start))))?;
    match ended.live {
        Some(live) => conclude(live, ended.interrupted),
        // Its thread panicked, and said so.
        None => Ok(Exit::BadInput),
    }
}

/// Probes a peer as `keepscope probe` does where nothing but the peer is named.
pub(super) fn probe(target: &Target, looks: &Looks) -> io::Result<Exit> {
    let peer = match target.resolve(None) {
        Ok(peer) => peer,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let options = Options {
        sniff: Need::Required,
        send: Need::Required,
        filter: Filter::Peers(vec![peer]),
        ..Options::default()
    };
    let system = match System::open(&options) {
        Ok(system) => system,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput });
        }
    };
    let manner = super::settings::current().manner().unwrap_or_default();
    let order = Order {
        connect: Connect { peer, source: None },
        settings: manner.settings,
        octets: Octets::Zero,
        until: Until::Stopped,
    };
    show(Start { orders: vec![order], ..source(system) }, manner, looks)
}

/// Writes what the plain commands write at their end.
pub(super) fn conclude(mut ended: Ended, interrupted: bool) -> io::Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    ended.problems.iter().for_each(|problem| complain(&format!("error: {problem}")));
    let style = Color::preferred().style();
    ended.report.interrupted |= interrupted;
    if let Some((watch, _)) = &ended.watch {
        watch::summary(&mut out, watch, ended.interfaces.clone(), ended.report.received, style)?;
    }
    let probed = !ended.report.connections.is_empty();
    if probed {
        report::summary(&mut out, &ended.report, style)?;
    }
    for (path, packets) in &ended.recorded {
        writeln!(out, "{packets} packets in {}", shown(path))?;
    }
    out.flush()?;
    if probed {
        return Ok(probe::exit(&ended.report).if_kept(ended.problems.is_empty()));
    }
    if let Some(problem) = &ended.report.broken {
        complain(&format!("error: {problem}"));
        return Ok(Exit::BadInput);
    }
    // All of them are of recordings.
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done.if_kept(ended.problems.is_empty()) })
}

/// Whether a screen is wanted: nobody asked for another form, and there is a terminal.
pub(super) fn is_wanted(other_form: bool) -> bool {
    !other_form && dashboard::is_possible()
}
