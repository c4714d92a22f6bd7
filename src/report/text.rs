//! Text for a person: what was read, then the connections with keepalives, most troubled first.

pub(in crate::report) mod inference;
pub(in crate::report) mod marks;
mod words;

use std::io::{self, Write};

use super::{CaptureReport, let_go};
use crate::analysis::{ConnectionRecord, Outcome, ProberRecord, Recorded};
use crate::halves::halves;
use crate::printable::printable;
use crate::time::Span;
use crate::track::LetGo;
use crate::track::event::{Party, Start};

/// How text may be dressed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// ANSI colours; no meaning rests on them alone.
    pub color: bool,
}

impl Style {
    fn outcome(self, text: &mut String, outcome: Outcome) {
        let name = outcome_words(outcome);
        if !self.color {
            return text.push_str(name);
        }
        let code = match outcome {
            Outcome::TimedOut | Outcome::Reset => "1;31",
            Outcome::Unanswered | Outcome::Inconclusive => "1;33",
            Outcome::Alive => "1;32",
            Outcome::Closed | Outcome::NoKeepalive => "1",
        };
        words::add(text, format_args!("\x1b[{code}m{name}\x1b[0m"));
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
            out.write_all(text.as_bytes())?;
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

fn headlines(connections: &[&impl Recorded], style: Style) -> String {
    let mut text = String::new();
    for connection in connections {
        text.push('\n');
        write_headline(&mut text, &connection.record(), style);
    }
    text
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
    let mut text = String::new();
    write_headline(&mut text, record, style);
    out.write_all(text.as_bytes())
}

fn write_headline(text: &mut String, record: &ConnectionRecord, style: Style) {
    text.push('#');
    words::number(text, record.id.0);
    text.push(' ');
    style.outcome(text, record.verdict.outcome);
    text.push_str("  ");
    words::endpoint(text, record.opened.client);
    text.push_str(" -> ");
    words::endpoint(text, record.opened.server);
    text.push_str(match record.opened.start {
        Start::Seen => "\n",
        Start::Midstream => "  (start not captured)\n",
    });
    for (party, prober) in record.probers() {
        line(text, |text| {
            write_prober(text, party, prober);
            true
        });
        line(text, |text| inference::write(text, record.inference(party)));
        line(text, |text| marks::write(text, record.inference(party)));
    }
    for (party, answers) in record.responders().filter(|(party, _)| record.prober(*party).probes.is_empty()) {
        line(text, |text| {
            text.push_str(party.name());
            text.push_str(" answers: ");
            marks::write_answering(text, answers)
        });
    }
    line(text, |text| {
        text.push_str(&record.verdict.reason);
        true
    });
    cautions(text, record);
}

/// What whoever reads a connection should mind.
fn cautions(text: &mut String, record: &ConnectionRecord) {
    if record.forgotten > 0 {
        let probes = plural(record.forgotten, "probe");
        words::add(text, format_args!("    mind: {probes} before these are no longer kept\n"));
    }
    if record.summary.let_go {
        text.push_str("    mind: it was followed no longer, to make room for others\n");
    }
    for confounder in &record.confounders {
        for part in ["    mind: ", confounder.kind.sentence(), "\n"] {
            text.push_str(part);
        }
    }
    if !record.lookalikes.is_empty() {
        words::add(text, format_args!("    not keepalives, though alike: {}\n", lookalike_line(record)));
    }
}

/// A line below that of the connection; no line if what it says turns out to be nothing.
fn line(text: &mut String, write: impl FnOnce(&mut String) -> bool) {
    let before = text.len();
    text.push_str("    ");
    if write(text) {
        text.push('\n');
    } else {
        text.truncate(before);
    }
}

#[cfg(any(feature = "html", feature = "live"))]
pub(super) fn prober_line(party: Party, prober: &ProberRecord) -> String {
    let mut text = String::new();
    write_prober(&mut text, party, prober);
    text
}

fn write_prober(text: &mut String, party: Party, prober: &ProberRecord) {
    let octets = if prober.probes.iter().all(|probe| probe.segment.octets == 0) {
        " (no data), "
    } else if prober.probes.iter().all(|probe| probe.segment.octets == 1) {
        " (1 octet), "
    } else {
        " (0 or 1 octet), "
    };
    text.push_str(party.name());
    text.push_str(" sent ");
    words::plural(text, prober.probes.len() as u64, "probe");
    text.push_str(octets);
    answers(text, prober);
    if let Some(silences) = prober.first_silence_range() {
        text.push_str(", first after ");
        spread(text, silences);
        text.push_str(" of silence");
    }
    if let Some(gaps) = prober.run_gap_range() {
        text.push_str(", then every ");
        spread(text, gaps);
    }
    if let Some(trip) = prober.median_round_trip() {
        text.push_str(", RTT ");
        words::round_trip(text, trip);
    }
}

/// How many of the probes were answered, and by whom.
fn answers(text: &mut String, prober: &ProberRecord) {
    let (sent, refused) = (prober.probes.len(), prober.refused());
    let answered = prober.answered() - refused;
    match (sent, answered) {
        (1, 1) => text.push_str("answered"),
        (1, _) => text.push_str("not answered"),
        (_, 0) => text.push_str("none answered"),
        (sent, answered) if sent == answered => text.push_str("all answered"),
        (sent, answered) => {
            words::add(text, format_args!("{answered} answered, {} not", sent - answered));
        }
    }
    if refused > 0 {
        text.push_str(", ");
        words::plural(text, refused as u64, "ICMP error");
    }
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
fn spread(text: &mut String, (shortest, longest): (Span, Span)) {
    let start = text.len();
    words::silence(text, shortest);
    if longest == shortest {
        return;
    }
    let end = text.len();
    text.push_str(" to ");
    let second = text.len();
    words::silence(text, longest);
    // They may differ by less than is written.
    if text.get(start..end) == text.get(second..) {
        text.truncate(end);
    }
}

/// A silence in seconds with three digits.
pub(super) fn silence(span: Span) -> String {
    let mut text = String::new();
    words::silence(&mut text, span);
    text
}

/// A round trip in the unit that suits it.
pub(super) fn round_trip(span: Span) -> String {
    let mut text = String::new();
    words::round_trip(&mut text, span);
    text
}

/// A number with its noun.
pub(super) fn plural(count: u64, noun: &str) -> String {
    let mut text = String::new();
    words::plural(&mut text, count, noun);
    text
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
