//! A scenario that was run many times.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{Head, head, headline, percent, time};
use crate::report::number::Seconds;
use crate::report::text::plural;
use crate::simulate::scenario::Plan;
use crate::simulate::scenario::run::{Distribution, Quantiles, Spread};

/// Many runs of a scenario.
#[derive(Clone, Debug)]
pub struct Many {
    /// What differed between them.
    pub spread: Spread,
    /// What they came to.
    pub distribution: Distribution,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    runs: Runs<'a>,
}

#[derive(Serialize)]
struct Runs<'a> {
    count: u64,
    over: &'static str,
    survived: u64,
    first_probe_too_late: u64,
    unexpected: u64,
    outcomes: &'a BTreeMap<&'static str, u64>,
    first_probe: Option<QuantilesLine>,
    detection: Option<QuantilesLine>,
}

#[derive(Serialize)]
struct QuantilesLine {
    count: u64,
    least_s: Seconds,
    p10_s: Seconds,
    p50_s: Seconds,
    p90_s: Seconds,
    p99_s: Seconds,
    most_s: Seconds,
}

impl From<Quantiles> for QuantilesLine {
    fn from(quantiles: Quantiles) -> Self {
        let Quantiles { count, least, p10, p50, p90, p99, most } = quantiles;
        Self {
            count,
            least_s: least.into(),
            p10_s: p10.into(),
            p50_s: p50.into(),
            p90_s: p90.into(),
            p99_s: p99.into(),
            most_s: most.into(),
        }
    }
}

/// Writes the document, over several lines or on one.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, plan: &Plan, many: &Many, pretty: bool) -> io::Result<()> {
    let Many { spread, distribution } = many;
    let document = Document {
        head: head(plan, None),
        runs: Runs {
            count: distribution.runs,
            over: match spread {
                Spread::Seeds => "seeds",
                Spread::Phases { .. } => "phases",
            },
            survived: distribution.survived,
            first_probe_too_late: distribution.too_late,
            unexpected: distribution.unexpected,
            outcomes: &distribution.outcomes,
            first_probe: distribution.first_probe().map(QuantilesLine::from),
            detection: distribution.detection().map(QuantilesLine::from),
        },
    };
    if pretty {
        crate::report::plain::pretty(&mut *out, &document)?;
    } else {
        crate::report::plain::compact(&mut *out, &document)?;
    }
    writeln!(out)
}

/// Writes the runs for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, plan: &Plan, many: &Many) -> io::Result<()> {
    let Many { spread, distribution } = many;
    headline(out, &plan.scenario)?;
    let runs = distribution.runs;
    let first = plan.scenario.seed;
    match spread {
        Spread::Seeds => {
            writeln!(
                out,
                "{} with seeds {first} to {}",
                plural(runs, "run"),
                first.wrapping_add(runs.max(1) - 1)
            )?;
        }
        Spread::Phases { period } => {
            let runs = plural(runs, "run");
            writeln!(
                out,
                "{runs} over all phases of the client's timer, which stands as before after {}",
                time(*period)
            )?;
        }
    }
    writeln!(out)?;
    let share = |part: u64| format!("{part:>8}  {:>7}", percent(part, runs));
    writeln!(out, "  connection survived       {}", share(distribution.survived))?;
    writeln!(out, "  first probe too late      {}", share(distribution.too_late))?;
    for (outcome, count) in &distribution.outcomes {
        writeln!(out, "  client {:<19}{}", outcome.replace('_', " "), share(*count))?;
    }
    if !plan.scenario.expect.is_empty() {
        writeln!(out, "  not as expected           {}", share(distribution.unexpected))?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "  {:<21} {:>7} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "", "runs", "least", "10 %", "50 %", "90 %", "99 %", "most"
    )?;
    for (name, quantiles) in
        [("first probe", distribution.first_probe()), ("loss noticed after", distribution.detection())]
    {
        let Some(found) = quantiles else { continue };
        let Quantiles { count, least, p10, p50, p90, p99, most } = found;
        write!(out, "  {name:<21} {count:>7}")?;
        [least, p10, p50, p90, p99, most].iter().try_for_each(|span| write!(out, " {:>12}", time(*span)))?;
        writeln!(out)?;
    }
    Ok(())
}
