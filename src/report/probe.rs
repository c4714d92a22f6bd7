//! A probe run as output: what happens while it happens, the summary, JSON and JSON lines.
//!
//! Uses [`crate::live::engine`] (its news and its report) beside what the reports of captures use, so that live and
//! offline read alike.

mod document;
mod happening;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

pub use document::{json, verdicts};
pub use happening::{Manner, Teller};

use super::text::{Style, plural, prober_line};
use crate::analysis::{Finished, Recorded};
use crate::live::engine::plan::{Octets, Order, Until};
use crate::live::engine::verdict::State;
use crate::live::engine::{Probed, Report};
use crate::time::{Span, Timestamp};
use crate::track::event::Party;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The host as given, without control characters.
    pub host: String,
    /// The address that was chosen for it.
    pub address: SocketAddr,
    /// How each connection is probed.
    pub order: Order,
    /// How many connections.
    pub connections: usize,
    /// Packets a second at most.
    pub max_rate: u32,
    /// The source address, if one was given.
    pub source: Option<IpAddr>,
    /// The interface, if one was given.
    pub interface: Option<String>,
    /// The network namespace, if one was given.
    pub netns: Option<String>,
    /// The file in which the packets are.
    pub recording: Option<String>,
}

/// Connections of which each gets its lines in the summary.
const FEW: usize = 8;

/// Lines of the same verdict that are shown where there are many connections.
const SHOWN: usize = 5;

/// What all connections together came to: the worst of them.
pub fn overall(report: &Report) -> State {
    let badness = |state: &State| match state {
        State::Alive => 0,
        State::Inconclusive => 1,
        _ => 2,
    };
    let states = report.connections.iter().map(|probed| probed.verdict.state);
    states.max_by_key(badness).unwrap_or(State::Inconclusive)
}

/// A span as people say it: `1s`, `350ms`, `1.5s`.
pub(super) fn spoken(span: Span) -> String {
    let nanos = span.as_nanos();
    if nanos % 1_000_000_000 == 0 {
        format!("{}s", nanos / 1_000_000_000)
    } else if nanos % 1_000_000 == 0 && nanos < 1_000_000_000 {
        format!("{}ms", nanos / 1_000_000)
    } else {
        let text = span.to_string();
        format!("{}s", text.trim_end_matches('0'))
    }
}

/// The line before anything happens.
///
/// # Errors
/// If `out` cannot be written to.
pub fn announce(out: &mut dyn Write, asked: &Asked) -> io::Result<()> {
    let Order { settings, octets, until, .. } = asked.order;
    let address = asked.address.to_string();
    let target = if asked.host.parse::<IpAddr>().is_ok() {
        address
    } else {
        format!("{}:{} ({address})", asked.host, asked.address.port())
    };
    let with = match octets {
        Octets::Zero => "probes without data",
        Octets::One => "probes of 1 octet",
        Octets::Both => "probes without data and of 1 octet in turn",
    };
    let until = match until {
        Until::Rounds(rounds) => plural(u64::from(rounds), "round"),
        Until::For(span) => format!("for {}", spoken(span)),
        Until::Stopped => "until it is stopped".to_owned(),
    };
    let (idle, interval) = (spoken(settings.idle), spoken(settings.interval));
    let connections =
        if asked.connections > 1 { format!(", {} connections", asked.connections) } else { String::new() };
    writeln!(
        out,
        "probing {target}: idle {idle}, interval {interval}, count {}; {with}, {until}{connections}",
        settings.count
    )
}

/// The summary: a verdict for each connection, or for groups of many.
///
/// # Errors
/// If `out` cannot be written to.
pub fn summary(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let all = &report.connections;
    writeln!(out)?;
    if all.len() > FEW {
        let mut states: Vec<State> = Vec::new();
        for probed in all {
            if !states.contains(&probed.verdict.state) {
                states.push(probed.verdict.state);
            }
        }
        let count = |state: State| all.iter().filter(|probed| probed.verdict.state == state).count();
        states.sort_by_key(|state| std::cmp::Reverse(count(*state)));
        let counts: Vec<String> =
            states.iter().map(|state| format!("{} {}", count(*state), words(*state))).collect();
        writeln!(out, "{}: {}", plural(all.len() as u64, "connection"), counts.join(", "))?;
        for state in states.into_iter().filter(|state| *state != State::Alive) {
            let of_state = || all.iter().enumerate().filter(|(_, probed)| probed.verdict.state == state);
            for (index, probed) in of_state().take(SHOWN) {
                connection(out, index, probed, style, true)?;
            }
            if let more @ 1.. = of_state().count().saturating_sub(SHOWN) {
                writeln!(out, "and {more} more {}", words(state))?;
            }
        }
    } else {
        for (index, probed) in all.iter().enumerate() {
            connection(out, index, probed, style, all.len() > 1)?;
        }
    }
    let lost = report.received.dropped;
    if lost > 0 {
        writeln!(out, "{} not seen: the system dropped them", plural(lost, "packet"))?;
    }
    Ok(())
}

/// The verdicts, a line each, as [`Manner::Plain`] has it.
///
/// # Errors
/// If `out` cannot be written to.
pub fn plain_summary(out: &mut dyn Write, report: &Report, now: Timestamp) -> io::Result<()> {
    for (index, probed) in report.connections.iter().enumerate() {
        let verdict = &probed.verdict;
        let packets: Vec<String> = verdict.evidence.iter().map(|frame| frame.number.to_string()).collect();
        let (state, packets, reason) = (verdict.state.name(), packets.join(","), &verdict.reason);
        writeln!(out, "{now} {} verdict={state} packets={packets} reason={reason:?}", index + 1)?;
    }
    Ok(())
}

fn connection(
    out: &mut dyn Write,
    index: usize,
    probed: &Probed,
    style: Style,
    numbered: bool,
) -> io::Result<()> {
    let verdict = &probed.verdict;
    let number = if numbered { format!("#{} ", index + 1) } else { String::new() };
    let ends = match probed.ends {
        Some((local, remote)) => format!("{local} -> {remote}"),
        None => format!("-> {}", probed.order.connect.peer),
    };
    writeln!(out, "{number}{}  {ends}", dressed(verdict.state, style))?;
    if let Some(record) = probed.record.as_ref().map(Finished::record)
        && !record.client.probes.is_empty()
    {
        writeln!(out, "    {}", prober_line(Party::Client, &record.client))?;
    }
    writeln!(out, "    {}", verdict.reason)?;
    writeln!(out, "    rule: {}", verdict.rule)?;
    if let Some(guess) = &probed.guess {
        writeln!(out, "    a guess: the peer {}", guess.sentence())?;
        for sign in &guess.signs {
            writeln!(out, "      {:6} {}", sign.worth.name(), sign.text)?;
        }
    }
    Ok(())
}

/// A state in words.
pub(super) fn words(state: State) -> &'static str {
    use crate::analysis::Origin;
    match state {
        State::Alive => "ALIVE",
        State::Silent => "SILENT",
        State::Reset(Origin::Peer) => "RESET BY THE PEER",
        State::Reset(Origin::Path) => "RESET ON THE PATH",
        State::Reset(Origin::Unknown) => "RESET",
        State::Refused => "REFUSED",
        State::Unreachable => "UNREACHABLE",
        State::ClosedByPeer => "CLOSED BY THE PEER",
        State::Inconclusive => "INCONCLUSIVE",
    }
}

fn dressed(state: State, style: Style) -> String {
    let name = words(state);
    if !style.color {
        return name.to_owned();
    }
    let code = match state {
        State::Alive => "1;32",
        State::Inconclusive => "1;33",
        State::ClosedByPeer => "1",
        _ => "1;31",
    };
    format!("\x1b[{code}m{name}\x1b[0m")
}

/// Time since the beginning, in seconds with microseconds.
fn since(start: Timestamp, time: Timestamp) -> String {
    let micros = time.since(start).as_nanos().div_euclid(1000).max(0);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_they_are_given() {
        assert_eq!(spoken(Span::from_secs(90)), "90s");
        assert_eq!(spoken(Span::from_millis(350)), "350ms");
        assert_eq!(spoken(Span::from_millis(1_500)), "1.5s");
    }
}
