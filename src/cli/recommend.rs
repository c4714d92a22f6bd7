//! `keepscope recommend`: settings that hold on a path, and where to put them.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};

use super::advice_input::PathArguments;
use super::{Exit, complain};
use crate::advice::recommend::Recommendation;
use crate::advice::snippets::Snippet;
use crate::report::advice as report;

const HELP: &str = "\
Examples:
  keepscope recommend --timeout 350s                         what to set on Linux, and why
  keepscope recommend --behind azure-lb --for postgresql,redis,haproxy
  keepscope recommend --timeout 350s --stack windows --for sio-keepalive-vals
  keepscope recommend --timeout 350s --hz 1000 --notice-within 2m
  keepscope recommend --behind aws-alb                       where keepalives do not count
  keepscope recommend --from result.json --for all           after a measurement

Each setting was simulated on that stack behind a box that forgets after that time: over all phases of the
timer, with no probe lost, and with a probe lost after each answer. A rule only proposes.

Exit codes: 0 there is something to set, 1 nothing holds, 2 wrong usage or a result that cannot be read.";

/// On which path, for what.
#[derive(Debug, Args)]
#[command(after_help = HELP, after_long_help = HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    path: PathArguments,

    /// For which software, systems or languages, or all [default: the system's own settings]
    #[arg(long = "for", value_name = "NAME,…", value_delimiter = ',')]
    software: Vec<String>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.advice/1
    Json,
}

/// Works it out and writes it.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let recommendation = match recommendation(arguments) {
        Ok(recommendation) => recommendation,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => report::text(&mut out, &recommendation)?,
        Format::Json => report::json(&mut out, &recommendation)?,
    }
    out.flush()?;
    Ok(if recommendation.helps() { Exit::Done } else { Exit::Failed })
}

fn recommendation(arguments: &Arguments) -> Result<Recommendation, String> {
    let (path, wish) = arguments.path.wish()?;
    let stack = wish.stack;
    let wanted = &arguments.software;
    let snippets = if wanted.is_empty() {
        Snippet::first_for(stack.name)
    } else if wanted.iter().any(|name| name == "all") {
        Snippet::all().filter(|snippet| snippet.is_for(stack.name)).collect()
    } else {
        let mut found: Vec<&Snippet> = Vec::new();
        for name in wanted {
            let snippet =
                Snippet::named(name.trim()).map_err(|unknown| format!("--for: {unknown}; {}", names()))?;
            if !snippet.is_for(stack.name) {
                let stacks = snippet.stacks.join(" or ");
                return Err(format!("--for: {} is for {stacks}; say which with --stack", snippet.name));
            }
            if found.iter().all(|other| other.name != snippet.name) {
                found.push(snippet);
            }
        }
        found
    };
    Ok(Recommendation::new(path, wish, &snippets))
}

fn names() -> String {
    let names: Vec<&str> = Snippet::all().map(|snippet| snippet.name).collect();
    format!("there are {} and all", names.join(", "))
}
