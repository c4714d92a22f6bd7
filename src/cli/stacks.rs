//! `keepscope stacks`: the table of TCP stacks and of applications.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};

use super::completions::Names;
use super::{Exit, complain};
use crate::report::stacks::{self, Rows};
use crate::stack::{Preset, Stack};

const EXAMPLES: &str = "\
Examples:
  keepscope stacks                 all TCP stacks and applications, a line each
  keepscope stacks freebsd         everything about one, each fact with its source
  keepscope stacks postgresql      what an application asks of the stack below it
  keepscope stacks --format json | jq '.stacks[] | {name, idle: .timing.idle.value_s}'";

/// Which rows to show and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A TCP stack (linux, windows, macos, …) or an application (go, postgresql, …)
    #[arg(value_name = "NAME", value_parser = Names::of_stacks_and_presets(), hide_possible_values = true)]
    name: Option<String>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.stacks/1
    Json,
}

/// Writes the table, or the row of the name.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let rows = match &arguments.name {
        None => Rows::All,
        Some(name) => match find(name) {
            Ok(rows) => rows,
            Err(message) => {
                complain(&format!("error: {message}"));
                return Ok(Exit::BadInput);
            }
        },
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => stacks::text(&mut out, rows)?,
        Format::Json => stacks::json(&mut out, rows)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn find(name: &str) -> Result<Rows, String> {
    let no_stack = match Stack::named(name) {
        Ok(stack) => return Ok(Rows::Stack(stack)),
        Err(unknown) => unknown,
    };
    match Preset::named(name) {
        Ok(preset) => Ok(Rows::Application(preset)),
        Err(no_application) => {
            let unknown = no_stack.or(no_application);
            let hint = if unknown.nearest.is_empty() { "; 'keepscope stacks' lists all names" } else { "" };
            Err(format!("{unknown}{hint}"))
        }
    }
}
