//! A simulated fleet: what so many connections send, hold and notice; for people and as JSON
//! (`keepscope.fleet/1`).
//!
//! ```text
//! {"schema": "keepscope.fleet/1",
//!  "seed", "lasted_s", "events", "connections",
//!  "probes": {"sent", "mean_per_s", "peak_per_s"},
//!  "traffic": {"segments", "lost", "octets", "mean_bits_per_s", "peak_bits_per_s"},
//!  "table": {"open", "open_peak", "half_open", "half_open_peak", "octets_per_connection"},
//!  "groups": [{"name", "connections", "probes", "answered", "deaths", "found_by_keepalive", "found_by_data",
//!              "given_up_alive", "detection": null | {"count", "least_s", "mean_s", "p50_s", "p90_s", "p99_s", "most_s"}}],
//!  "total": as a group,
//!  "analysis": null | {"packets", "connections", "probes", "answered", "outcomes": {name: number}}}
//! ```
//!
//! Rates are the only numbers that are rounded. Fields may be added; these stay.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::number::Seconds;
use super::text::{plural, silence};
use crate::analysis::ConnectionRecord;
use crate::simulate::fleet::{Distribution, FleetReport, GroupReport};
use crate::time::{Span, duration};

/// What the analyzer says of the packets of a fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Analyzed {
    packets: u64,
    connections: u64,
    probes: u64,
    answered: u64,
    outcomes: BTreeMap<&'static str, u64>,
}

impl Analyzed {
    /// Counts a packet.
    pub fn packet(&mut self) {
        self.packets += 1;
    }

    /// Counts a connection.
    pub fn connection(&mut self, record: &ConnectionRecord) {
        self.connections += 1;
        for (_, prober) in record.probers() {
            self.probes += prober.probes.len() as u64;
            self.answered += prober.answered() as u64;
        }
        *self.outcomes.entry(record.verdict.outcome.name()).or_default() += 1;
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    seed: u64,
    lasted_s: Seconds,
    events: u64,
    connections: u32,
    probes: Probes,
    traffic: Traffic,
    table: Table,
    groups: Vec<Group<'a>>,
    total: Group<'a>,
    analysis: Option<&'a Analyzed>,
}

#[derive(Serialize)]
struct Probes {
    sent: u64,
    mean_per_s: f64,
    peak_per_s: u32,
}

#[derive(Serialize)]
struct Traffic {
    segments: u64,
    lost: u64,
    octets: u64,
    mean_bits_per_s: f64,
    peak_bits_per_s: u64,
}

#[derive(Serialize)]
struct Table {
    open: u32,
    open_peak: u32,
    half_open: u32,
    half_open_peak: u32,
    octets_per_connection: usize,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    connections: u32,
    probes: u64,
    answered: u64,
    deaths: u32,
    found_by_keepalive: u32,
    found_by_data: u32,
    given_up_alive: u32,
    detection: Option<Detection>,
}

#[derive(Serialize)]
struct Detection {
    count: usize,
    least_s: Seconds,
    mean_s: Seconds,
    p50_s: Seconds,
    p90_s: Seconds,
    p99_s: Seconds,
    most_s: Seconds,
}

fn detection(of: &Distribution) -> Option<Detection> {
    let at = |percent| of.percentile(percent).map(Seconds::from);
    Some(Detection {
        count: of.len(),
        least_s: at(0)?,
        mean_s: of.mean()?.into(),
        p50_s: at(50)?,
        p90_s: at(90)?,
        p99_s: at(99)?,
        most_s: at(100)?,
    })
}

impl<'a> From<&'a GroupReport> for Group<'a> {
    fn from(group: &'a GroupReport) -> Self {
        Self {
            name: &group.name,
            connections: group.connections,
            probes: group.probes,
            answered: group.answered,
            deaths: group.deaths,
            found_by_keepalive: group.found_by_keepalive,
            found_by_data: group.found_by_data,
            given_up_alive: group.given_up_alive,
            detection: detection(&group.detection),
        }
    }
}

/// So many in that time, by the second, to three digits.
#[expect(clippy::cast_precision_loss, reason = "it is rounded to three digits")]
fn per_second(count: u64, lasted: Span) -> f64 {
    let seconds = lasted.as_nanos().max(1) as f64 / 1e9;
    (count as f64 / seconds * 1000.0).round() / 1000.0
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(
    out: &mut dyn Write,
    seed: u64,
    report: &FleetReport,
    analysis: Option<&Analyzed>,
) -> io::Result<()> {
    let document = Document {
        schema: "keepscope.fleet/1",
        seed,
        lasted_s: report.lasted.into(),
        events: report.events,
        connections: report.total.connections,
        probes: Probes {
            sent: report.probes_sent,
            mean_per_s: per_second(report.probes_sent, report.lasted),
            peak_per_s: report.probes_peak,
        },
        traffic: Traffic {
            segments: report.segments,
            lost: report.lost,
            octets: report.octets,
            mean_bits_per_s: per_second(report.octets.saturating_mul(8), report.lasted),
            peak_bits_per_s: report.octets_peak.saturating_mul(8),
        },
        table: Table {
            open: report.open,
            open_peak: report.open_peak,
            half_open: report.half_open,
            half_open_peak: report.half_open_peak,
            octets_per_connection: report.state_octets,
        },
        groups: report.groups.iter().map(Group::from).collect(),
        total: Group::from(&report.total),
        analysis,
    };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes it for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(
    out: &mut dyn Write,
    seed: u64,
    report: &FleetReport,
    analysis: Option<&Analyzed>,
) -> io::Result<()> {
    let connections = plural(u64::from(report.total.connections), "connection");
    writeln!(
        out,
        "{connections} for {} of virtual time, seed {seed}: {}",
        duration::format(report.lasted),
        plural(report.events, "event")
    )?;
    writeln!(out)?;
    let mean = per_second(report.probes_sent, report.lasted);
    writeln!(
        out,
        "  probes      {} sent, {mean:.1} a second, {} at most",
        report.probes_sent, report.probes_peak
    )?;
    let bits = |bits: f64| match bits {
        bits if bits >= 1e6 => format!("{:.2} Mbit/s", bits / 1e6),
        bits if bits >= 1e3 => format!("{:.1} kbit/s", bits / 1e3),
        bits => format!("{bits:.0} bit/s"),
    };
    let mean = bits(per_second(report.octets.saturating_mul(8), report.lasted));
    let peak = bits(per_second(report.octets_peak.saturating_mul(8), Span::from_secs(1)));
    let segments = plural(report.segments, "segment");
    writeln!(out, "  bandwidth   {mean}, {peak} at most ({segments}, {} lost)", report.lost)?;
    writeln!(out, "  table       {} open at most, {} at the end", report.open_peak, report.open)?;
    writeln!(out, "  half open   {} at most, {} at the end", report.half_open_peak, report.half_open)?;
    writeln!(out)?;
    writeln!(
        out,
        "  {:<22} {:>11} {:>11} {:>11} {:>7} {:>12} {:>7} {:>13}",
        "", "connections", "probes", "answered", "deaths", "by keepalive", "by data", "given up well"
    )?;
    let all = report.groups.iter().chain((report.groups.len() > 1).then_some(&report.total));
    for group in all.clone() {
        writeln!(
            out,
            "  {:<22} {:>11} {:>11} {:>11} {:>7} {:>12} {:>7} {:>13}",
            group.name,
            group.connections,
            group.probes,
            group.answered,
            group.deaths,
            group.found_by_keepalive,
            group.found_by_data,
            group.given_up_alive
        )?;
    }
    if report.total.detection.is_empty() {
        writeln!(out, "\nNo peer died, or no death was noticed (--deaths 1%)")?;
    } else {
        writeln!(
            out,
            "\n  {:<22} {:>11} {:>14} {:>14} {:>14} {:>14} {:>14}",
            "a death noticed after", "of", "least", "50 %", "90 %", "99 %", "most"
        )?;
    }
    for group in all.filter(|group| !group.detection.is_empty()) {
        write!(out, "  {:<22} {:>11}", group.name, group.detection.len())?;
        for percent in [0, 50, 90, 99, 100] {
            write!(out, " {:>14}", group.detection.percentile(percent).map(silence).unwrap_or_default())?;
        }
        writeln!(out)?;
    }
    let Some(analysis) = analysis else { return Ok(()) };
    writeln!(
        out,
        "\nThe analyzer finds {}, {} and {}, {} answered:",
        plural(analysis.packets, "packet"),
        plural(analysis.connections, "connection"),
        plural(analysis.probes, "probe"),
        analysis.answered
    )?;
    for (outcome, count) in &analysis.outcomes {
        writeln!(out, "  {:<22} {count:>11}", outcome.replace('_', " "))?;
    }
    Ok(())
}
