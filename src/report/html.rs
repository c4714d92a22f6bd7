//! One HTML document that needs nothing else: for a ticket, a mail or a printer.
//!
//! No script, no font, no picture from elsewhere, and a policy in its head that forbids them. What comes from a
//! capture or a file name is escaped by the macro that writes the markup; nothing is put in unescaped but the style
//! sheet beside this file. The same input gives the same document.
//!
//! Its size is bounded: so many connections with pictures, so many more in the table, the others counted.

mod connection;
mod ladder;
mod name;
mod shape;
mod story;
mod timeline;

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::connection::section;
use self::name::foreign;
use self::shape::LEGEND;
use super::text::{Totals, captures_read, outcome_words, plural, round_trip};
use super::{CaptureReport, let_go};
use crate::analysis::{ConnectionRecord, Outcome, Recorded, median};

/// Connections with keepalives that are shown with their pictures, most troubled first.
const MOST_SHOWN: usize = 50;

/// Connections in the table.
const MOST_LISTED: usize = 1_000;

const STYLE: &str = include_str!("html/style.css");

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    connections: &[impl Recorded],
    totals: Totals,
) -> io::Result<()> {
    let mut ordered: Vec<(Outcome, _)> =
        connections.iter().map(|connection| (connection.outcome(), connection)).collect();
    ordered.sort_by_key(|(outcome, connection)| (*outcome, connection.id()));
    let document = document(captures, &ordered, totals)?;
    out.write_all(document.into_string().as_bytes())?;
    writeln!(out)
}

fn document(
    captures: &[CaptureReport],
    connections: &[(Outcome, &impl Recorded)],
    totals: Totals,
) -> io::Result<Markup> {
    let several = captures.len() > 1;
    let title = title(captures);
    let probed = || connections.iter().filter(|(_, connection)| connection.has_keepalives());
    let (shown, with) = (probed().take(MOST_SHOWN), probed().count());
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="keepscope";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { bdi { (title) } }
                    (summary(connections, totals))
                    (read(captures, several)?)
                }
                main {
                    (table(connections))
                    @if with > 0 { (legend()) }
                    @for (_, connection) in shown { (section(&connection.record(), several)) }
                    @if with > MOST_SHOWN {
                        p.note {
                            (plural((with - MOST_SHOWN) as u64, "more connection")) " with keepalives "
                            "are not shown with pictures: choose them with " code { "--filter" } " or "
                            code { "--connection" } "."
                        }
                    }
                }
                footer {
                    "keepscope " (env!("CARGO_PKG_VERSION")) ". Frames are numbered from 1"
                    @if several { " in each file, and named file:frame" }
                    "; times of day are UTC."
                }
            }
        }
    })
}

fn title(captures: &[CaptureReport]) -> String {
    match captures {
        [one] => {
            let name = one.path.rsplit('/').find(|name| !name.is_empty()).unwrap_or(&one.path);
            format!("TCP keepalives in {}", foreign(name))
        }
        several => format!("TCP keepalives in {}", plural(several.len() as u64, "capture")),
    }
}

/// How many connections ended how.
fn summary(connections: &[(Outcome, &impl Recorded)], totals: Totals) -> Markup {
    let count = |outcome| connections.iter().filter(|(other, _)| *other == outcome).count();
    html! {
        p.lead {
            "Keepalives in " strong { (totals.with_keepalives) } " of "
            (plural(totals.connections, "connection"))
            @if totals.chosen { "; " (connections.len()) " chosen" } "."
        }
        @if let Some(sentence) = let_go::sentence(totals.let_go) {
            p { (sentence) "." }
        }
        ul.outcomes {
            @for outcome in Outcome::ALL {
                @if count(outcome) > 0 { li { (count(outcome)) " " (badge(outcome)) } }
            }
        }
    }
}

/// What was read of each capture, and what was wrong with it.
fn read(captures: &[CaptureReport], several: bool) -> io::Result<Markup> {
    let mut lines = Vec::new();
    for capture in captures {
        let mut text = Vec::new();
        captures_read(&mut text, std::slice::from_ref(capture))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let problems = capture.problems.iter().map(|problem| {
            let level = if problem.is_damage() { "error" } else { "note" };
            (problem.is_damage(), format!("{level}: {problem}"))
        });
        lines.push((text.lines().map(foreign).collect::<Vec<_>>(), problems.collect::<Vec<_>>()));
    }
    Ok(html! {
        ol.captures.one[!several] {
            @for (read, problems) in lines {
                li {
                    @for line in read { p { bdi { (line) } } }
                    @for (damage, problem) in problems {
                        p.error[damage] { bdi { (foreign(&problem)) } }
                    }
                }
            }
        }
    })
}

/// The connections, most troubled first.
fn table(connections: &[(Outcome, &impl Recorded)]) -> Markup {
    if connections.is_empty() {
        return html! { p.note { "No connection to show." } };
    }
    let pictured = |index: usize| {
        let before = connections.get(..index).unwrap_or_default();
        before.iter().filter(|(_, connection)| connection.has_keepalives()).count() < MOST_SHOWN
    };
    html! {
        table.connections {
            caption { "Connections, most troubled first" }
            thead {
                tr {
                    th scope="col" { "#" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "Client → server" }
                    th scope="col" { "Probes" }
                    th scope="col" { "Answered" }
                    th scope="col" { "RTT" }
                    th scope="col" { "Why" }
                }
            }
            tbody {
                @for (index, (_, connection)) in connections.iter().take(MOST_LISTED).enumerate() {
                    (row(&connection.record(), connection.has_keepalives() && pictured(index)))
                }
            }
        }
        @if connections.len() > MOST_LISTED {
            p.note {
                (plural((connections.len() - MOST_LISTED) as u64, "more connection")) " are not listed: choose with "
                code { "--filter" } ", or take " code { "--format json" } "."
            }
        }
    }
}

fn row(record: &ConnectionRecord, linked: bool) -> Markup {
    let (mut sent, mut answered, mut trips) = (0, 0, Vec::new());
    for (_, prober) in record.probers() {
        sent += prober.probes.len();
        answered += prober.answered() - prober.refused();
        trips.extend(prober.round_trips());
    }
    trips.sort_unstable();
    let id = record.id;
    html! {
        tr {
            th.number scope="row" data-label="#" {
                @if linked { a href={ "#connection-" (id) } { (id) } } @else { (id) }
            }
            td data-label="Outcome" { (badge(record.verdict.outcome)) }
            td.ends data-label="Client → server" { (record.opened.client) " → " (record.opened.server) }
            td.number data-label="Probes" { (sent) }
            td.number data-label="Answered" { (answered) }
            td.number data-label="RTT" { (median(&trips).map_or_else(|| "–".to_owned(), round_trip)) }
            td data-label="Why" { (record.verdict.reason) }
        }
    }
}

/// What the forms in the pictures mean.
fn legend() -> Markup {
    html! {
        ul.legend {
            @for (shape, words) in LEGEND {
                li {
                    svg viewBox="0 0 96 24" width="96" height="24" aria-hidden="true" {
                        (shape.arrow(6, 64, 12))
                        g class=(shape.class()) { (shape.sign(86, 12, 1)) }
                    }
                    (words)
                }
            }
        }
    }
}

/// An outcome as it is marked everywhere.
fn badge(outcome: Outcome) -> Markup {
    html! { span class={ "badge " (outcome.name()) } { (outcome_words(outcome)) } }
}

/// What an outcome means.
const fn rule(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TimedOut => {
            "timed out: probes without an answer, then the prober's own RST in step with them"
        }
        Outcome::Reset => {
            "reset: a RST that is no prober's giving up, by the other end or by something on the path"
        }
        Outcome::Unanswered => {
            "unanswered: the last probes, or octets that were sent three times, had no answer when the capture ended"
        }
        Outcome::Inconclusive => "inconclusive: the packets do not tell",
        Outcome::Alive => "alive: the last probe was answered, or the probed end was heard after it",
        Outcome::Closed => "closed: ended in order, by FIN",
        Outcome::NoKeepalive => "no keepalive: nobody probed",
    }
}
