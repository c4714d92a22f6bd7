//! Text for a person: what was read, then the connections with keepalives, most troubled first.

pub(in crate::report) mod inference;
pub(in crate::report) mod marks;

use std::io::{self, Write};

use super::{CaptureReport, let_go};
use crate::analysis::{ConnectionRecord, Outcome, ProberRecord, Recorded, median};
use crate::halves::halves;
use crate::printable::printable;
use crate::time::Span;
use crate::track::LetGo;
use crate::track::event::Party;

/// How text may be dressed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// ANSI colours; no meaning rests on them alone.
    pub color: bool,
}

impl Style {
    fn outcome(self, outcome: Outcome) -> String {
        let name = outcome_words(outcome);
        if !self.color {
            return name.to_owned();
        }
        let code = match outcome {
            Outcome::TimedOut | Outcome::Reset => "1;31",
            Outcome::Unanswered | Outcome::Inconclusive => "1;33",
            Outcome::Alive => "1;32",
            Outcome::Closed | Outcome::NoKeepalive => "1",
        };
        format!("\x1b[{code}m{name}\x1b[0m")
    }
}

pub(super) fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TimedOut => "TIMED OUT",
        Outcome::Reset => "RESET",
        Outcome::Unanswered => "UNANSWERED",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::Alive => "ALIVE",
        Outcome::Closed => "CLOSED",
        Outcome::NoKeepalive => "NO KEEPALIVE",
    }
}

/// What the summary says beside the connections it lists.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Connections in the captures.
    pub connections: u64,
    /// Connections in which a keepalive was seen.
    pub with_keepalives: u64,
    /// A filter or a connection number was given.
    pub chosen: bool,
    /// Connections that were let go early.
    pub let_go: LetGo,
}

/// How many connections are judged and written at once.
const SOME: usize = 1024;

/// Writes the whole summary; connections are judged on up to two `threads`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    connections: &[impl Recorded + Sync],
    totals: Totals,
    style: Style,
    threads: usize,
) -> io::Result<()> {
    captures_read(out, captures)?;
    let (with, among) = (totals.with_keepalives, plural(totals.connections, "connection"));
    let listed = if totals.chosen { format!("; {} chosen", connections.len()) } else { String::new() };
    writeln!(out, "keepalives in {with} of {among}{listed}")?;
    if let Some(sentence) = let_go::sentence(totals.let_go) {
        writeln!(out, "{sentence}")?;
    }
    let ordered = in_order(connections, threads);
    let written = |some: &[_]| headlines(some, style);
    for some in ordered.chunks(SOME) {
        for text in halves(threads, some, written) {
            out.write_all(&text?)?;
        }
    }
    Ok(())
}

/// The connections, most troubled first.
fn in_order<R: Recorded + Sync>(connections: &[R], threads: usize) -> Vec<&R> {
    let keys = |some: &[R]| some.iter().map(|one| (one.outcome(), one.id())).collect::<Vec<_>>();
    let keys = halves(threads, connections, keys);
    let mut ordered: Vec<_> = keys.into_iter().flatten().zip(connections).collect();
    ordered.sort_by_key(|(key, _)| *key);
    ordered.into_iter().map(|(_, connection)| connection).collect()
}

fn headlines(connections: &[&impl Recorded], style: Style) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for connection in connections {
        writeln!(text)?;
        headline(&mut text, &connection.record(), style)?;
    }
    Ok(text)
}

/// What was read of each capture, and what could not be.
///
/// # Errors
/// If `out` cannot be written to.
pub fn captures_read(out: &mut dyn Write, captures: &[CaptureReport]) -> io::Result<()> {
    for capture in captures {
        let packets = plural(capture.packets, "packet");
        let segments = plural(capture.counts.segments, "TCP segment");
        write!(out, "{}: {packets}, {segments}", printable(&capture.path, '?'))?;
        if capture.counts.copies > 0 {
            write!(out, " ({} of them copies)", capture.counts.copies)?;
        }
        writeln!(out)?;
        let skipped = |may_hide: bool| {
            let chosen =
                capture.counts.skipped.iter().filter(move |(skip, _)| skip.may_hide_tcp() == may_hide);
            chosen.map(|(skip, count)| format!("{count} {}", skip.name())).collect::<Vec<_>>().join(", ")
        };
        let (hidden, other) = (skipped(true), skipped(false));
        if capture.counts.fragments > 0 {
            let fragments = plural(capture.counts.fragments, "IP fragment");
            writeln!(out, "  put together in a later frame: {fragments}")?;
        }
        if capture.dropped > 0 {
            writeln!(out, "  {} dropped before they could be written", plural(capture.dropped, "packet"))?;
        }
        if !hidden.is_empty() {
            writeln!(out, "  not read, may hold TCP: {hidden}")?;
        }
        if !other.is_empty() {
            writeln!(out, "  no TCP: {other}")?;
        }
    }
    Ok(())
}

/// A connection in a few lines: what became of it, who probes and how, and why we say so.
///
/// # Errors
/// If `out` cannot be written to.
pub fn headline(out: &mut dyn Write, record: &ConnectionRecord, style: Style) -> io::Result<()> {
    let midstream = match record.opened.start {
        crate::track::event::Start::Seen => "",
        crate::track::event::Start::Midstream => "  (start not captured)",
    };
    writeln!(
        out,
        "#{} {}  {} -> {}{midstream}",
        record.id,
        style.outcome(record.verdict.outcome),
        record.opened.client,
        record.opened.server
    )?;
    for (party, prober) in record.probers() {
        writeln!(out, "    {}", prober_line(party, prober))?;
        if let Some(likely) = inference::line(record.inference(party)) {
            writeln!(out, "    {likely}")?;
        }
        if let Some(marks) = marks::line(record.inference(party)) {
            writeln!(out, "    {marks}")?;
        }
    }
    for (party, answers) in record.responders().filter(|(party, _)| record.prober(*party).probes.is_empty()) {
        if let Some(answers) = marks::answering(answers) {
            writeln!(out, "    {} answers: {answers}", party.name())?;
        }
    }
    writeln!(out, "    {}", record.verdict.reason)?;
    if record.forgotten > 0 {
        writeln!(out, "    mind: {} before these are no longer kept", plural(record.forgotten, "probe"))?;
    }
    if record.summary.let_go {
        writeln!(out, "    mind: it was followed no longer, to make room for others")?;
    }
    for confounder in &record.confounders {
        writeln!(out, "    mind: {}", confounder.kind.sentence())?;
    }
    let kinds = lookalike_line(record);
    if !kinds.is_empty() {
        writeln!(out, "    not keepalives, though alike: {kinds}")?;
    }
    Ok(())
}

pub(super) fn prober_line(party: Party, prober: &ProberRecord) -> String {
    let sent = plural(prober.probes.len() as u64, "probe");
    let octets = if prober.probes.iter().all(|probe| probe.segment.octets == 0) {
        "no data"
    } else if prober.probes.iter().all(|probe| probe.segment.octets == 1) {
        "1 octet"
    } else {
        "0 or 1 octet"
    };
    let mut parts = vec![format!("{} sent {sent} ({octets})", party.name())];
    parts.push(answers(prober));
    if let Some(first) = spread(&prober.first_silences()) {
        parts.push(format!("first after {first} of silence"));
    }
    if let Some(gaps) = spread(&prober.run_gaps()) {
        parts.push(format!("then every {gaps}"));
    }
    if let Some(trip) = median(&prober.round_trips()) {
        parts.push(format!("RTT {}", round_trip(trip)));
    }
    parts.join(", ")
}

/// How many of the probes were answered, and by whom.
fn answers(prober: &ProberRecord) -> String {
    let (sent, refused) = (prober.probes.len(), prober.refused());
    let answered = prober.answered() - refused;
    let peer = match (sent, answered) {
        (1, 1) => "answered".to_owned(),
        (1, _) => "not answered".to_owned(),
        (_, 0) => "none answered".to_owned(),
        (sent, answered) if sent == answered => "all answered".to_owned(),
        (sent, answered) => format!("{answered} answered, {} not", sent - answered),
    };
    if refused > 0 { format!("{peer}, {}", plural(refused as u64, "ICMP error")) } else { peer }
}

pub(super) fn lookalike_line(record: &ConnectionRecord) -> String {
    let mut counts: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for seen in &record.lookalikes {
        *counts.entry(seen.kind.name()).or_default() += 1;
    }
    let named = counts.iter().map(|(name, &count)| plural(count, &name.replace('_', " ")));
    named.collect::<Vec<_>>().join(", ")
}

/// One value, or the range of several.
fn spread(sorted: &[Span]) -> Option<String> {
    let (shortest, longest) = (silence(*sorted.first()?), silence(*sorted.last()?));
    Some(if shortest == longest { shortest } else { format!("{shortest} to {longest}") })
}

/// A silence in seconds with three digits.
pub(super) fn silence(span: Span) -> String {
    let millis = (span.as_nanos() + 500_000).div_euclid(1_000_000);
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

/// A round trip in the unit that suits it.
pub(super) fn round_trip(span: Span) -> String {
    let micros = span.as_nanos() / 1000;
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{:03} ms", micros / 1000, micros % 1000),
        _ => silence(span),
    }
}

/// A number with its noun.
pub(super) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_the_unit_that_suits_them() {
        assert_eq!(silence(Span::from_nanos(7_168_400_000)), "7.168 s");
        assert_eq!(round_trip(Span::from_nanos(51_700)), "51 us");
        assert_eq!(round_trip(Span::from_micros(20_480)), "20.480 ms");
        assert_eq!(round_trip(Span::from_secs(2)), "2.000 s");
        assert_eq!(plural(1, "probe"), "1 probe");
        assert_eq!(plural(0, "probe"), "0 probes");
    }
}
