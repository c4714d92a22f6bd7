//! `keepscope diff`: two captures, connection by connection.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::progress::Progress;
use super::{Exit, complain, duration};
use crate::analysis::comparison::{Relation, Settings, Tolerance, compare};
use crate::analysis::filter::Filter;
use crate::analysis::{Collector, ConnectionRecord};
use crate::capture::{CaptureError, Captures};
use crate::pipeline::Pipeline;
use crate::report::{CaptureReport, diff as report, let_go};
use crate::time::Span;

const EXAMPLES: &str = "\
Examples:
  keepscope diff before.pcap after.pcap        what a change did to probes, gaps and outcomes
  keepscope diff client.pcap server.pcap       what was lost between two ends of a path
  keepscope diff --nat inside.pcap outside.pcap

Which of the two it is, the packets tell. Captures of the same packets are held against each other
packet by packet, whatever their clocks say; of two runs, what was measured in each is.

Exit codes:
  0  no difference
  1  there are differences
  2  wrong usage, or a capture that cannot be read or is damaged (what could be read is
     compared)
  4  no connection with keepalives is in both";

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The first capture: before a change, or one end of a path; - is standard input
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The second capture
    #[arg(value_name = "B")]
    b: PathBuf,

    /// Compare only connections that pass in either capture (as in keepscope analyze)
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,

    /// Times that are no further apart count as equal [default: 20ms or 2 %, whichever is more]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    tolerance: Option<Span>,

    /// A translator lies between: find connections by their server and sequence numbers
    #[arg(long)]
    nat: bool,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.diff/1
    Json,
}

/// Compares and writes what differs.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    if [&arguments.a, &arguments.b].iter().all(|path| path.as_os_str() == "-") {
        complain(&format!("error: {}", CaptureError::StandardInputTwice(2)));
        return Ok(Exit::BadInput);
    }
    let read = |path: &Path| read(path, arguments.quiet).map_err(|error| format!("error: {error}"));
    let (a, b) = match read(&arguments.a).and_then(|a| Ok((a, read(&arguments.b)?))) {
        Ok(both) => both,
        Err(problem) => {
            complain(&problem);
            return Ok(Exit::BadInput);
        }
    };
    let ((a, in_a), (b, in_b)) = (a, b);
    let reports = [a, b];
    let problems = reports.iter().flat_map(|report| &report.problems);
    for problem in problems {
        complain(&format!("{}: {problem}", if problem.is_damage() { "error" } else { "note" }));
    }
    // With nothing of one of them, everything would be only in the other.
    if reports.iter().any(|report| report.packets == 0 && report.is_damaged()) {
        return Ok(Exit::BadInput);
    }
    let tolerance =
        arguments.tolerance.map_or_else(Tolerance::default, |absolute| Tolerance { absolute, percent: 0 });
    let filter = arguments.filter.clone().unwrap_or_default();
    let wanted = |record: &ConnectionRecord| filter.passes(record);
    let [of_a, of_b] = &reports;
    let settings = Settings { tolerance, nat: arguments.nat, dropped: (of_a.dropped > 0, of_b.dropped > 0) };
    let comparison = compare(&in_a, &in_b, settings, wanted);
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Text => report::text(&mut out, &reports, &comparison)?,
        Format::Json => report::json(&mut out, &reports, &comparison, tolerance)?,
    }
    out.flush()?;
    if reports.iter().any(CaptureReport::is_damaged) {
        return Ok(Exit::BadInput);
    }
    if comparison.relation == Relation::NothingInCommon {
        if !arguments.nat {
            suggest_nat(compare(&in_a, &in_b, Settings { nat: true, ..settings }, wanted).pairs.len());
        }
        return Ok(Exit::Inconclusive);
    }
    Ok(if comparison.differences() > 0 { Exit::Failed } else { Exit::Done })
}

/// Reads a capture to its end.
fn read(path: &Path, quiet: bool) -> Result<(CaptureReport, Vec<ConnectionRecord>), CaptureError> {
    let mut captures = Captures::open(&[path])?;
    // Unpredictable, so that no capture can be made to collide; results do not depend on it.
    let mut pipeline = Pipeline::new(RandomState::new().hash_one(0));
    let (mut collector, mut records) = (Collector::default(), Vec::new());
    let mut progress = Progress::new(!quiet);
    let mut take = |pipeline: &mut Pipeline| {
        while let Some(event) = pipeline.poll_event() {
            records.extend(collector.on_event(&event));
        }
    };
    while let Some(frame) = captures.next_frame() {
        pipeline.frame(&frame);
        take(&mut pipeline);
        if progress.is_due(1) {
            progress.show(&captures);
        }
    }
    pipeline.finish();
    take(&mut pipeline);
    progress.clear();
    if let Some(sentence) = let_go::sentence(pipeline.let_go()) {
        complain(&format!("note: {sentence}"));
    }
    let name = path.to_string_lossy().into_owned();
    let report = CaptureReport::of(&captures, &pipeline).pop().unwrap_or_else(|| CaptureReport {
        dropped: 0,
        path: name,
        packets: 0,
        counts: pipeline.counts(0),
        problems: Vec::new(),
    });
    Ok((report, records))
}

fn suggest_nat(pairs: usize) {
    if pairs > 0 {
        let what = if pairs == 1 { "1 connection is".to_owned() } else { format!("{pairs} connections are") };
        complain(&format!("note: {what} in both by sequence numbers; try --nat"));
    }
}
