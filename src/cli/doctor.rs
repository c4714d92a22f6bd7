//! `keepscope doctor`: what this machine allows.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};

use super::{Exit, complain};
use crate::live::doctor::{Examination, Verdict};
use crate::live::netns::{NetNs, NetNsError};
use crate::report::doctor as report;

const EXAMPLES: &str = "\
Examples:
  keepscope doctor                 rights, interfaces, clocks and settings; what is missing, and what mends it
  keepscope doctor --netns blue    the same in another network namespace
  keepscope doctor --format json | jq -r '.lacks[].mend'";

/// Where to look and how to show it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Network namespace to look in: a name of `ip netns`, or a process id
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.doctor/1
    Json,
}

/// Examines the machine and writes what was found.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    if let Some(netns) = &arguments.netns
        && let Err(error) = netns.enter()
    {
        complain(&format!("error: --netns: {error}"));
        return Ok(if matches!(error, NetNsError::Denied { .. }) {
            Exit::RightsMissing
        } else {
            Exit::BadInput
        });
    }
    let examination = match Examination::new() {
        Ok(examination) => examination,
        Err(error) => {
            complain(&format!("error: the interfaces cannot be listed: {error}"));
            return Ok(Exit::Failed);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => report::text(&mut out, &examination)?,
        Format::Json => report::json(&mut out, &examination)?,
    }
    out.flush()?;
    Ok(match examination.verdict() {
        Verdict::Works => Exit::Done,
        Verdict::RightsMissing => Exit::RightsMissing,
        Verdict::Unusable => Exit::Failed,
    })
}
