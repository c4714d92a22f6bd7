//! A prediction, for people and as JSON (`keepscope.predict/1`).

use std::io::{self, Write};

use serde::Serialize;

use super::number::Seconds;
use super::text::{plural, silence};
use crate::keepalive::predict::{Peer, Prediction, Question, What};
use crate::stack::value::{Rounding, seconds};
use crate::time::Span;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    stack: &'static str,
    hz: Option<u32>,
    settings: Settings,
    peer: &'static str,
    rtt_s: Option<Seconds>,
    phases: u64,
    steps: Vec<Step>,
    goes_on: bool,
    detection: Option<Detection>,
    unverified: Vec<Unverified>,
}

#[derive(Serialize)]
struct Settings {
    idle_s: Seconds,
    interval_s: Option<Seconds>,
    count: u32,
    user_timeout_s: Option<Seconds>,
}

#[derive(Serialize)]
struct Step {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
    earliest_s: Seconds,
    latest_s: Seconds,
    phases: u64,
}

#[derive(Serialize)]
struct Detection {
    best_s: Seconds,
    worst_s: Seconds,
}

#[derive(Serialize)]
struct Unverified {
    about: &'static str,
    reported: bool,
}

fn peer_name(peer: Peer) -> &'static str {
    match peer {
        Peer::Alive => "alive",
        Peer::Silent => "silent",
        Peer::Gone => "gone",
        Peer::SilentAfter(_) => "silent_after_answers",
        Peer::GoneAfter(_) => "gone_after_answers",
    }
}

fn hz(question: &Question) -> Option<u32> {
    match question.model.rounding {
        Rounding::TimerWheel { hz } => Some(hz),
        _ => None,
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, question: &Question, prediction: &Prediction) -> io::Result<()> {
    let settings = &question.settings;
    let step = |step: &crate::keepalive::predict::Step| {
        let (what, probe, reset) = match step.what {
            What::Probe(number) => ("probe", Some(number), None),
            What::GiveUp { reset } => ("give_up", None, Some(reset)),
            What::Report => ("report", None, None),
            What::ResetByPeer => ("reset_by_peer", None, None),
        };
        let (earliest_s, latest_s) = (step.earliest.into(), step.latest.into());
        Step { what, probe, reset, earliest_s, latest_s, phases: step.phases }
    };
    let document = Document {
        schema: "keepscope.predict/1",
        stack: question.model.stack.name,
        hz: hz(question),
        settings: Settings {
            idle_s: settings.idle.into(),
            interval_s: (settings.interval > Span::ZERO).then(|| settings.interval.into()),
            count: settings.count,
            user_timeout_s: settings.user_timeout_in_force().map(Seconds::from),
        },
        peer: peer_name(question.peer),
        rtt_s: (question.peer != Peer::Silent).then(|| question.rtt.into()),
        phases: prediction.phases,
        steps: prediction.steps.iter().map(step).collect(),
        goes_on: prediction.goes_on,
        detection: prediction
            .detection
            .map(|found| Detection { best_s: found.best.into(), worst_s: found.worst.into() }),
        unverified: question
            .model
            .assumptions
            .iter()
            .map(|assumption| Unverified { about: assumption.about, reported: assumption.reported })
            .collect(),
    };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes the prediction for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, question: &Question, prediction: &Prediction) -> io::Result<()> {
    writeln!(out, "{}", headline(question))?;
    writeln!(out)?;
    writeln!(out, "  {:<12} {:>14} {:>14} {:>12}", "", "earliest", "latest", "window")?;
    for step in &prediction.steps {
        let what = match step.what {
            What::Probe(number) => format!("probe {number}"),
            What::GiveUp { reset: true } => "gives up, RST".to_owned(),
            What::GiveUp { reset: false } => "gives up".to_owned(),
            What::Report => "tells the app".to_owned(),
            What::ResetByPeer => "RST arrives".to_owned(),
        };
        let share = if step.phases == prediction.phases {
            String::new()
        } else {
            format!("  in {} of {} phases", step.phases, prediction.phases)
        };
        let window = Span::from_nanos(step.latest.as_nanos() - step.earliest.as_nanos());
        writeln!(
            out,
            "  {what:<13}{:>14} {:>14} {:>12}{share}",
            silence(step.earliest),
            silence(step.latest),
            silence(window)
        )?;
    }
    if prediction.goes_on {
        writeln!(out, "  ... and so on")?;
    }
    writeln!(out)?;
    writeln!(out, "{}", conclusion(question, prediction))?;
    unverified(out, question)
}

fn headline(question: &Question) -> String {
    let settings = &question.settings;
    let mut parts = vec![format!("idle {}", seconds(settings.idle))];
    if settings.interval > Span::ZERO {
        parts.push(format!("interval {}", seconds(settings.interval)));
    }
    parts.push(format!("count {}", settings.count));
    if let Some(timeout) = settings.user_timeout_in_force() {
        parts.push(format!("user timeout {}", seconds(timeout)));
    }
    let hz = hz(question).map(|hz| format!(", HZ={hz}")).unwrap_or_default();
    let peer = match question.peer {
        Peer::Alive => format!("a peer that answers after {}", seconds(question.rtt)),
        Peer::Silent => "a peer that answers nothing".to_owned(),
        Peer::Gone => format!("a peer that answers by RST after {}", seconds(question.rtt)),
        Peer::SilentAfter(answers) => {
            format!("a peer that answers {} and then none", plural(u64::from(answers), "probe"))
        }
        Peer::GoneAfter(answers) => {
            format!("a peer that answers {} and the next by RST", plural(u64::from(answers), "probe"))
        }
    };
    let name = question.model.stack.title;
    format!("{name}{hz}: {}, with {peer}\ntimes count from the last segment of the peer", parts.join(", "))
}

fn conclusion(question: &Question, prediction: &Prediction) -> String {
    match (prediction.detection, question.peer) {
        (Some(found), _) => format!(
            "A dead peer is noticed {} after it died at best (right before a probe), {} at worst (right after \
             its last segment).",
            silence(found.best),
            silence(found.worst)
        ),
        (None, Peer::Alive) => "The connection stays.".to_owned(),
        (None, _) if question.ends() => "The end lies beyond these steps.".to_owned(),
        (None, _) => "Keepalives alone never end this connection; only another timeout does.".to_owned(),
    }
}

fn unverified(out: &mut dyn Write, question: &Question) -> io::Result<()> {
    let assumptions = &question.model.assumptions;
    if assumptions.is_empty() {
        return Ok(());
    }
    writeln!(out, "Nobody has verified, so take it with care:")?;
    for assumption in assumptions {
        let basis = if assumption.reported { "as reported" } else { "not known, a plain rule is assumed" };
        writeln!(out, "  {} ({basis})", assumption.about)?;
    }
    Ok(())
}
