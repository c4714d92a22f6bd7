//! What `recommend` and `audit` are asked about: a path, a stack, and what is wanted.

use std::io::Read;
use std::path::{Path as FilePath, PathBuf};

use clap::Args;

use super::completions::Names;
use super::duration;
use crate::advice::Wish;
use crate::advice::path::{Owner, Path};
use crate::product::Product;
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::Span;

/// The longest file that is read.
const MOST_OCTETS: u64 = 16 << 20;

/// Where nothing says what the path does.
const NO_PATH: &str = "say after how much silence the path forgets a connection: --timeout 350s, --behind aws-nlb, \
                       --from RESULT.json, or timeout in the configuration file";

/// The path and the stack.
#[derive(Debug, Args)]
pub(super) struct PathArguments {
    /// Silence after which a connection is forgotten: 350s, or a range, 347s..353s, of which the shorter counts
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    timeout: Option<Span>,

    /// The product that forgets (keepscope products lists them), with its default or with --timeout
    #[arg(long, value_name = "PRODUCT", conflicts_with = "from", value_parser = Names::of_products(), hide_possible_values = true)]
    behind: Option<String>,

    /// The result of a measurement (JSON, keepscope.middlebox/1) or of captures (keepscope.bounds/1, of middlebox --from),
    /// or - for standard input; the longest silence that was survived counts, of several paths the shortest
    #[arg(long, value_name = "RESULT.json", conflicts_with = "timeout")]
    from: Option<PathBuf>,

    /// The stack that keeps its connections alive (keepscope stacks lists them)
    #[arg(long, default_value = "linux", value_name = "NAME", value_parser = Names::of_stacks(), hide_possible_values = true)]
    stack: String,

    /// CONFIG_HZ of the Linux kernel [default: all of 100, 250, 300 and 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1200))]
    hz: Option<u32>,

    /// So many lost probes in a row must be survived
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=5))]
    lost_probes: u32,

    /// A dead peer must be noticed within this time
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    notice_within: Option<Span>,

    /// Round trip to the peer
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "200ms")]
    rtt: Span,
}

/// A silence, or the shorter end of a range.
fn silence(text: &str) -> Result<Span, String> {
    let Some((least, most)) = text.split_once("..") else { return duration::parse(text) };
    let (least, most) = (duration::parse(least)?, duration::parse(most)?);
    if least > most { Err("the shorter time comes first".to_owned()) } else { Ok(least) }
}

impl PathArguments {
    /// Whether standard input is read for the path.
    pub(super) fn reads_stdin(&self) -> bool {
        self.from.as_deref() == Some(FilePath::new("-"))
    }

    /// The path and the wish, or what is wrong with them and what to do.
    pub(super) fn wish(&self) -> Result<(Path, Wish), String> {
        let path = match (&self.behind, &self.from) {
            (Some(name), _) => {
                let product = Product::named(name).map_err(|unknown| {
                    format!("--behind: {unknown}; 'keepscope products' lists all names")
                })?;
                Path::behind(product, self.timeout).map_err(|error| format!("--behind: {error}"))?
            }
            (None, Some(file)) => {
                let text = read(file).map_err(|problem| format!("--from {problem}"))?;
                Path::of_result(&text).map_err(|error| format!("--from {}: {error}", shown(file)))?
            }
            (None, None) => {
                let silence = self.timeout.ok_or(NO_PATH)?;
                Path::of_silence(silence).map_err(|error| format!("--timeout: {error}"))?
            }
        };
        let stack = Stack::named(&self.stack)
            .map_err(|unknown| format!("--stack: {unknown}; 'keepscope stacks' lists all names"))?;
        if !stack.runs {
            return Err(format!(
                "--stack: too little is known of {} to simulate it; 'keepscope stacks {}' shows what is",
                stack.title, stack.name
            ));
        }
        if self.hz.is_some() && !matches!(stack.timing.rounding.value, Some(Rounding::TimerWheel { .. })) {
            return Err(format!("--hz: {} has no timer wheel", stack.title));
        }
        if self.rtt >= path.silence && path.owner == Owner::Tracker {
            return Err("--rtt: must be shorter than the silence that is forgotten".to_owned());
        }
        let wish = Wish {
            silence: path.silence,
            stack,
            hz: self.hz,
            lost: self.lost_probes,
            notice_within: self.notice_within,
            rtt: self.rtt,
        };
        Ok((path, wish))
    }
}

/// A file as messages name it.
pub(super) fn shown(path: &FilePath) -> String {
    let name =
        if path == FilePath::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The text of a file, or of standard input for -.
pub(super) fn read(path: &FilePath) -> Result<String, String> {
    let name = shown(path);
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut octets = Vec::new();
    if path == FilePath::new("-") {
        std::io::stdin().lock().take(MOST_OCTETS + 1).read_to_end(&mut octets).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MOST_OCTETS + 1).read_to_end(&mut octets).map_err(failed)?;
    }
    if octets.len() as u64 > MOST_OCTETS {
        return Err(format!("{name}: longer than 16 MiB"));
    }
    String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{name}: no text in UTF-8 (octet {at})")
    })
}
