//! A recommendation, for people and as JSON (`keepscope.advice/1`).

mod document;

use std::io::{self, Write};

pub use self::document::json;
use super::stacks::detail::{Named, sources, wrapped};
use super::text::plural;
use crate::advice::path::{Dial, Owner};
use crate::advice::recommend::{Naive, Part, Recommendation};
use crate::advice::snippets::{Means, Parameter, Snippet, Values};
use crate::advice::{Advice, Evidence};
use crate::keepalive::{Model, Settings};
use crate::stack::value::seconds;
use crate::stack::{Cell, Status};
use crate::time::Span;

/// Writes the recommendation for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, found: &Recommendation) -> io::Result<()> {
    let mut named = Named::new();
    path(out, found)?;
    if found.counts() {
        match &found.keepalive {
            Ok(advice) => keepalive(out, found, advice)?,
            Err(why) => wrapped(out, 0, 2, &format!("No keepalive helps on {}: {why}.", who(found)))?,
        }
    } else {
        no_keepalive(out, found, &mut named)?;
    }
    for part in &found.parts {
        one(out, found, part, &mut named)?;
    }
    others(out, found)?;
    sources(out, &named)
}

/// What is known of the path.
fn path(out: &mut dyn Write, found: &Recommendation) -> io::Result<()> {
    let path = &found.path;
    let who = match (path.product, path.owner) {
        (Some(product), _) => product.title.to_owned(),
        (None, Owner::Tracker) => "a box that watches packets (NAT, firewall, load balancer)".to_owned(),
        (None, Owner::Proxy) => "a proxy".to_owned(),
        (None, Owner::Peer) => "the application at the other end".to_owned(),
    };
    let does = if path.owner == Owner::Tracker { "forgets" } else { "closes" };
    let silence = seconds(path.silence);
    wrapped(out, 0, 2, &format!("{who} {does} a connection after {silence} of silence ({})", path.learnt))
}

/// The stack that keeps the connection alive.
fn who(found: &Recommendation) -> String {
    let stack = found.wish.stack;
    let hz: Vec<String> = match &found.keepalive {
        Ok(advice) => advice.evidence.kept.iter().filter_map(|(hz, _)| hz.map(|hz| hz.to_string())).collect(),
        Err(_) => found.wish.hz.map(|hz| hz.to_string()).into_iter().collect(),
    };
    if hz.is_empty() { stack.title.to_owned() } else { format!("{} (HZ={})", stack.title, hz.join(", ")) }
}

fn settings(found: &Recommendation, settings: &Settings) -> String {
    let interval = match settings.interval {
        Span::ZERO => "its own interval".to_owned(),
        interval => format!("interval {}", seconds(interval)),
    };
    let count = if found.wish.counts() { format!(", count {}", settings.count) } else { String::new() };
    format!("idle {}, {interval}{count}", seconds(settings.idle))
}

fn keepalive(out: &mut dyn Write, found: &Recommendation, advice: &Advice) -> io::Result<()> {
    writeln!(out, "{}: {}", who(found), settings(found, &advice.settings))?;
    writeln!(out)?;
    reasons(out, found, &advice.evidence)?;
    if let Some(naive) = &found.naive {
        naive_line(out, naive)?;
    }
    let model = Model::of(found.wish.stack);
    let unverified: Vec<&str> =
        model.iter().flat_map(|model| &model.assumptions).map(|assumption| assumption.about).collect();
    match unverified.is_empty() {
        true => Ok(()),
        false => reason(out, "not verified", &format!("of this stack: {}", unverified.join(", "))),
    }
}

/// Where a remark begins.
const INDENT: usize = 20;

fn reason(out: &mut dyn Write, title: &str, text: &str) -> io::Result<()> {
    write!(out, "  {title:<width$}", width = INDENT - 2)?;
    wrapped(out, INDENT, INDENT, text)
}

fn reasons(out: &mut dyn Write, found: &Recommendation, evidence: &Evidence) -> io::Result<()> {
    let kept = || evidence.kept.iter().map(|(_, kept)| kept);
    let first = kept().filter_map(|kept| kept.first_probe);
    let first = first.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    if let Some((least, most)) = first {
        let (least, most) = (tenths(least, false), tenths(most, true));
        let text = match least == most {
            true => format!("{least} after the last segment heard"),
            false => format!("{least} to {most} after the last segment heard, over all phases of the timer"),
        };
        reason(out, "first probe", &text)?;
    }
    let longest = kept().map(|kept| kept.longest_silence).max().unwrap_or(Span::ZERO);
    let lost = match found.wish.lost {
        0 => "with no probe lost".to_owned(),
        1 => "with a probe lost after each answer".to_owned(),
        lost => format!("with {lost} probes in a row lost after each answer"),
    };
    let silence = seconds(found.wish.silence);
    reason(out, "longest silence", &format!("{} of {silence}, {lost}", tenths(longest, true)))?;
    let dead = match evidence.noticed {
        Some(noticed) => format!("noticed {} after its last segment at worst", tenths(noticed, true)),
        None => "not noticed: this stack does not give up by itself".to_owned(),
    };
    reason(out, "dead peer", &dead)?;
    let runs: u64 = kept().map(|kept| kept.runs).sum();
    let phases: u64 = kept().map(|kept| kept.phases).sum();
    let text = format!("{}, {}, all kept", plural(phases, "phase"), plural(runs, "connection"));
    reason(out, "simulated", &text)
}

fn naive_line(out: &mut dyn Write, naive: &Naive) -> io::Result<()> {
    let share = |(hz, late, of): &(Option<u32>, u32, u32)| {
        let tenths = u64::from(*late) * 1000 / u64::from((*of).max(1));
        let share = format!("{}.{} %", tenths / 10, tenths % 10).replace(".0 %", " %");
        match hz {
            Some(hz) => format!("{share} at HZ={hz}"),
            None => share,
        }
    };
    let shares: Vec<String> = naive.too_late.iter().map(share).collect();
    let text = format!("too late already with the first probe in {} of the phases", shares.join(", "));
    reason(out, &format!("{} instead", seconds(naive.idle)), &text)
}

/// A time in tenths of a second, down or up.
fn tenths(span: Span, up: bool) -> String {
    let tenth = 100_000_000;
    let add = if up { tenth - 1 } else { 0 };
    seconds(Span::from_nanos(span.as_nanos().saturating_add(add) / tenth * tenth))
}

fn no_keepalive(out: &mut dyn Write, found: &Recommendation, named: &mut Named) -> io::Result<()> {
    let why = match found.path.owner {
        Owner::Peer => {
            "the application at the other end closes what is silent, and never sees a keepalive of the stack."
        }
        _ => "a proxy answers keepalives itself, and only data starts its timers anew.",
    };
    wrapped(out, 0, 2, &format!("Keepalive cannot help here: {why}"))?;
    writeln!(out)?;
    match found.heartbeat {
        Some(every) => {
            let text = format!(
                "in the application, every {} (simulated: a packet lost or not, the connection stays); ping frames of \
                 WebSocket, a query, whatever both ends understand",
                seconds(every)
            );
            reason(out, "heartbeat", &text)?;
        }
        None => reason(out, "heartbeat", "none in whole seconds is often enough")?,
    }
    let dial = found.path.product.and_then(Dial::of);
    let raise = match (dial, found.path.owner) {
        (Some(dial), _) => format!("raise its timeout: {}", cell(&dial.parameter, named)),
        (None, Owner::Peer) => "raise the timeout of that application".to_owned(),
        (None, _) => "raise the proxy's timeout (--behind PRODUCT says where)".to_owned(),
    };
    reason(out, "or", &raise)?;
    let text =
        "let clients close pooled connections sooner, so that they do not use one that is about to be closed";
    reason(out, "or", text)
}

/// A value with its mark, and its sources for the list.
fn cell(cell: &Cell<&'static str>, named: &mut Named) -> String {
    let tags: Vec<&str> = cell.sources.iter().map(|source| source.tag).collect();
    named.extend(cell.sources.iter().map(|source| (source.tag, source.reference)));
    let note = if cell.note.is_empty() { String::new() } else { format!("; {}", cell.note) };
    format!("{}{note} [{}: {}]", cell.value.unwrap_or("?"), cell.status.title(), tags.join(", "))
}

fn one(out: &mut dyn Write, found: &Recommendation, part: &Part, named: &mut Named) -> io::Result<()> {
    let snippet = part.snippet;
    writeln!(out)?;
    wrapped(out, 0, 2, &format!("{}: {}", snippet.name, snippet.title))?;
    let (values, evidence) = match &part.values {
        Ok((values, evidence)) => (values, evidence),
        Err(why) => return reason(out, "nothing to set", &format!("{why}")),
    };
    reason(out, "where", snippet.place)?;
    match (values, evidence) {
        (Values::Keepalive(own), Some(evidence)) if Some(own) != common(found) => {
            reason(out, "settings", &settings(found, own))?;
            reasons(out, found, evidence)?;
        }
        (Values::Heartbeat(every), _) => {
            reason(out, "heartbeat", &format!("every {}, of the application (simulated)", seconds(*every)))?;
        }
        _ => {}
    }
    for parameter in snippet.parameters {
        parameter_line(out, parameter, named)?;
    }
    if !snippet.note.is_empty() {
        reason(out, "mind", snippet.note)?;
    }
    writeln!(out)?;
    for line in snippet.text(values).lines() {
        if line.is_empty() { writeln!(out)? } else { writeln!(out, "    {line}")? }
    }
    Ok(())
}

/// The settings of the stack itself.
fn common(found: &Recommendation) -> Option<&Settings> {
    found.keepalive.as_ref().ok().map(|advice| &advice.settings)
}

fn parameter_line(out: &mut dyn Write, parameter: &Parameter, named: &mut Named) -> io::Result<()> {
    let unit = parameter.unit.value.map_or("?", |unit| unit.title());
    let doubt = if parameter.unit.status == Status::Unverified { "?" } else { "" };
    named.extend(parameter.unit.sources.iter().map(|source| (source.tag, source.reference)));
    let default = cell(&parameter.default, named);
    reason(out, "parameter", &format!("{} in {unit}{doubt}, default {default}", parameter.name))
}

/// What else there is for this stack.
fn others(out: &mut dyn Write, found: &Recommendation) -> io::Result<()> {
    let is_shown = |snippet: &Snippet| found.parts.iter().any(|part| part.snippet.name == snippet.name);
    let fits = |snippet: &&Snippet| match found.counts() {
        true => snippet.is_for(found.wish.stack.name),
        false => snippet.means == Means::Heartbeat,
    };
    let names: Vec<&str> = Snippet::all()
        .filter(fits)
        .filter(|snippet| !is_shown(snippet))
        .map(|snippet| snippet.name)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    wrapped(out, 0, 2, &format!("Also: --for {}", names.join(", ")))
}
