//! The comparison of two captures, for people and as JSON (`keepscope.diff/1`).

mod document;

use std::io::{self, Write};

use super::CaptureReport;
use super::text::{captures_read, plural, round_trip, silence};
use crate::analysis::ConnectionRecord;
use crate::analysis::comparison::{
    Change, Clocks, Comparison, Fate, Found, Missing, Pair, PairedBy, ProberChanges, Relation, Side,
    Tolerance, Value, Views,
};
use crate::time::Span;
use crate::track::event::Mark;

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(
    out: &mut dyn Write,
    captures: &[CaptureReport; 2],
    comparison: &Comparison<'_>,
    tolerance: Tolerance,
) -> io::Result<()> {
    crate::report::plain::pretty(&mut *out, &document::of(captures, comparison, tolerance))?;
    writeln!(out)
}

/// Writes the comparison for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(
    out: &mut dyn Write,
    captures: &[CaptureReport; 2],
    comparison: &Comparison<'_>,
) -> io::Result<()> {
    for (name, capture) in ["A", "B"].iter().zip(captures) {
        write!(out, "{name} is ")?;
        captures_read(out, std::slice::from_ref(capture))?;
    }
    relation(out, &comparison.relation)?;
    for found in &comparison.pairs {
        writeln!(out)?;
        pair(out, found)?;
    }
    for (name, only) in [("A", &comparison.only_in_a), ("B", &comparison.only_in_b)] {
        if !only.is_empty() {
            writeln!(out, "\nonly in {name}:")?;
        }
        only.iter().try_for_each(|record| alone(out, record))?;
    }
    let count = comparison.differences();
    if comparison.relation != Relation::NothingInCommon || count > 0 {
        let count = if count == 0 { "no difference".to_owned() } else { plural(count as u64, "difference") };
        writeln!(out, "\n{count}")?;
    }
    Ok(())
}

fn relation(out: &mut dyn Write, relation: &Relation) -> io::Result<()> {
    match relation {
        Relation::NothingInCommon => writeln!(out, "they have no connection with keepalives in common"),
        Relation::DifferentRuns => writeln!(out, "different packets of the same ends: two runs"),
        Relation::SamePackets(clocks) => same_packets(out, clocks),
    }
}

fn same_packets(out: &mut dyn Write, clocks: &Clocks) -> io::Result<()> {
    let matched = plural(clocks.matched as u64, "packet");
    writeln!(out, "the same packets at two places: {matched} in both, B {} A", ahead(clocks.offset))?;
    match (clocks.there_and_back, clocks.ahead) {
        (Some(trip), Some((least, most))) => {
            writeln!(
                out,
                "  way between them: {} there and back at best; how that divides cannot be told, as B's clock may \
                 be {} to {} s ahead",
                round_trip(trip),
                least,
                most
            )
        }
        _ => writeln!(out, "  that is clocks and way together: nothing here tells them apart"),
    }
}

fn ahead(offset: Span) -> String {
    match offset.as_nanos() {
        0 => "at the time of".to_owned(),
        1.. => format!("{offset} s after"),
        _ => format!("{} s before", offset.abs()),
    }
}

fn pair(out: &mut dyn Write, pair: &Pair<'_>) -> io::Result<()> {
    let (a, b) = (pair.a, pair.b);
    let other = if (a.opened.client, a.opened.server) == (b.opened.client, b.opened.server) {
        String::new()
    } else {
        format!("; in B {} -> {}", b.opened.client, b.opened.server)
    };
    let by = match pair.by {
        PairedBy::Ports => "",
        PairedBy::Numbers => " (by sequence numbers)",
        PairedBy::Addresses => " (by addresses and order)",
    };
    writeln!(out, "#{} in A, #{} in B{by}  {} -> {}{other}", a.id, b.id, a.opened.client, a.opened.server)?;
    match &pair.found {
        Found::Views(found) => views(out, found)?,
        Found::Runs(found) => found.iter().try_for_each(|prober| runs(out, prober))?,
    }
    match pair.outcomes_differ() {
        Some((was, is)) => {
            writeln!(out, "    outcome: {} in A, {} in B", words(was.name()), words(is.name()))?;
            writeln!(out, "        A: {}", a.verdict.reason)?;
            writeln!(out, "        B: {}", b.verdict.reason)
        }
        None => writeln!(out, "    outcome: {} in both", words(a.verdict.outcome.name())),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn views(out: &mut dyn Write, views: &Views) -> io::Result<()> {
    let near = match views.nearer_to_a {
        Some(party) => format!("A is nearer to the {}", party.name()),
        None => "which capture is nearer to whom cannot be told".to_owned(),
    };
    let (probes, answers) = (plural(views.probes as u64, "probe"), plural(views.answers as u64, "answer"));
    writeln!(out, "    {probes} and {answers} in both; {near}")?;
    for missing in &views.missing {
        writeln!(out, "    {}", missing_words(missing))?;
    }
    for late in &views.late {
        let than = if late.by < Span::ZERO { "sooner" } else { "later" };
        writeln!(
            out,
            "    {}'s probe in frame {} of A, {} of B came {} {than} than most",
            late.prober.name(),
            late.a.frame,
            late.b.frame,
            round_trip(late.by.abs())
        )?;
    }
    Ok(())
}

fn name(side: Side) -> &'static str {
    match side {
        Side::A => "A",
        Side::B => "B",
    }
}

fn missing_words(missing: &Missing) -> String {
    let (here, there) = (name(missing.seen_in), name(missing.seen_in.other()));
    let Mark { frame, time } = missing.at;
    let what = if missing.is_answer {
        let probe = missing.probe.map(|(a, b)| match missing.seen_in {
            Side::A => a.frame,
            Side::B => b.frame,
        });
        let probe = probe.map(|probe| format!(" to the probe in frame {probe}")).unwrap_or_default();
        format!("answer{probe} in frame {frame} of {here} ({time})")
    } else {
        format!("{}'s probe in frame {frame} of {here} ({time})", missing.prober.name())
    };
    let fate = match missing.fate {
        Fate::Lost => format!("left {here} and did not arrive at {there}"),
        Fate::Appeared => format!("did not pass {there} before: made on the way, or not captured there"),
        Fate::Unknown => format!("not in {there}"),
    };
    let answered = if missing.answered { format!(", though {here} has an answer") } else { String::new() };
    let unsure = if missing.left_out {
        format!("; not sure: {there} itself left out packets")
    } else if missing.unsure {
        format!("; not sure: {there} may not have been capturing then, or shows too little to tell")
    } else {
        String::new()
    };
    format!("{what} {fate}{answered}{unsure}")
}

fn runs(out: &mut dyn Write, prober: &ProberChanges) -> io::Result<()> {
    for change in &prober.changes {
        if change.a.is_none() && change.b.is_none() {
            continue;
        }
        let mark = if change.differs { "  <- differs" } else { "" };
        let (a, b) = (value(change, change.a), value(change, change.b));
        writeln!(out, "    {}: {} {a} in A, {b} in B{mark}", prober.prober.name(), label(change.what))?;
    }
    Ok(())
}

fn label(what: &str) -> &str {
    match what {
        "probes" => "probes sent",
        "unanswered" => "of them without an answer",
        "octets" => "octets in a probe",
        "first_silence" => "silence before a first probe, median",
        "gap" => "gap between probes of a run, median",
        "round_trip" => "RTT, median",
        other => other,
    }
}

fn value(change: &Change, value: Option<Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::Count(count)) => count.to_string(),
        Some(Value::Time(time)) if change.what == "round_trip" => round_trip(time),
        Some(Value::Time(time)) => silence(time),
    }
}

fn alone(out: &mut dyn Write, record: &ConnectionRecord) -> io::Result<()> {
    let probes: usize = record.probers().map(|(_, prober)| prober.probes.len()).sum();
    writeln!(
        out,
        "#{} {} -> {}: {}, {}",
        record.id,
        record.opened.client,
        record.opened.server,
        plural(probes as u64, "probe"),
        words(record.verdict.outcome.name())
    )
}
