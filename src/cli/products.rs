//! `keepscope products`: the catalogue of middleboxes.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};

use super::completions::Names;
use super::{Exit, complain};
use crate::product::Product;
use crate::report::products::{self, Rows};

const EXAMPLES: &str = "\
Examples:
  keepscope products               all of them, a line each
  keepscope products aws-nlb       everything about one, each fact with its source
  keepscope products --format json | jq -c '.idle_timeouts[]'";

/// Which products to show and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A product (aws-nlb, linux-conntrack, haproxy, …)
    #[arg(value_name = "NAME", value_parser = Names::of_products(), hide_possible_values = true)]
    name: Option<String>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.products/1
    Json,
}

/// Writes the catalogue, or the row of the name.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let rows = match arguments.name.as_deref().map(Product::named) {
        None => Rows::All,
        Some(Ok(product)) => Rows::One(product),
        Some(Err(unknown)) => {
            let hint = if unknown.nearest.is_empty() { "; 'keepscope products' lists all names" } else { "" };
            complain(&format!("error: {unknown}{hint}"));
            return Ok(Exit::BadInput);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => products::text(&mut out, rows)?,
        Format::Json => products::json(&mut out, rows)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}
