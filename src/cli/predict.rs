//! `keepscope predict`: what a stack will do on a quiet connection.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::completions::Names;
use super::{Exit, complain, duration};
use crate::keepalive::predict::{Peer, Question, predict};
use crate::keepalive::{Model, Settings};
use crate::report::predict as report;
use crate::stack::preset::Asked;
use crate::stack::value::Rounding;
use crate::stack::{Preset, Stack};
use crate::time::Span;

const EXAMPLES: &str = "\
Examples:
  keepscope predict --stack linux --hz 1000 --idle 340s --interval 75s --count 9
  keepscope predict --preset reqwest                     what one lost probe does
  keepscope predict --stack windows --peer gone

Times count from the last segment of the peer. Where a stack rounds its timers, each step is given as the
earliest and the latest time over every phase in which its clock can stand.";

/// What to predict.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which TCP stack (keepscope stacks lists them)
    #[arg(long, default_value = "linux", value_name = "NAME", value_parser = Names::of_stacks(), hide_possible_values = true)]
    stack: String,

    /// CONFIG_HZ of the Linux kernel: 100, 250, 300 or 1000 [default: 250, or what the stack's row says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1200))]
    hz: Option<u32>,

    /// Settings of an application or library (keepscope stacks lists them)
    #[arg(long, value_name = "NAME", value_parser = Names::of_presets(), hide_possible_values = true)]
    preset: Option<String>,

    /// Silence before the first probe (TCP_KEEPIDLE) [default: the stack's]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    idle: Option<Span>,

    /// Time between unanswered probes (TCP_KEEPINTVL) [default: the stack's]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    interval: Option<Span>,

    /// Unanswered probes before giving up (TCP_KEEPCNT) [default: the stack's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255))]
    count: Option<u32>,

    /// TCP_USER_TIMEOUT [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    user_timeout: Option<Span>,

    /// What the peer does
    #[arg(long, value_enum, default_value_t = PeerArgument::Silent)]
    peer: PeerArgument,

    /// Round trip to a peer that answers
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "1ms")]
    rtt: Span,

    /// Most steps to show
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: Option<u32>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PeerArgument {
    /// Answers every probe
    Alive,
    /// Answers nothing
    Silent,
    /// Has forgotten the connection and answers by RST
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.predict/1
    Json,
}

/// Predicts and writes the prediction.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let question = match question(arguments) {
        Ok(question) => question,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let prediction = predict(&question);
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Text => report::text(&mut out, &question, &prediction)?,
        Format::Json => report::json(&mut out, &question, &prediction)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// The checked question, or what is wrong with it and what to do.
fn question(arguments: &Arguments) -> Result<Question, String> {
    let stack = Stack::named(&arguments.stack)
        .map_err(|unknown| format!("--stack: {unknown}; `keepscope stacks` lists them"))?;
    let mut model = Model::of(stack).ok_or_else(|| {
        format!(
            "--stack: too little is known of {} to run it; `keepscope stacks {}` shows what is",
            stack.title, stack.name
        )
    })?;
    match (model.rounding, arguments.hz) {
        (Rounding::TimerWheel { .. }, Some(hz)) => model.rounding = Rounding::TimerWheel { hz },
        (_, Some(_)) => return Err(format!("--hz: {} has no timer wheel", stack.title)),
        (_, None) => {}
    }
    let mut settings = model.settings;
    if !model.has_idle && arguments.idle.is_none() && arguments.preset.is_none() {
        return Err(format!("--idle: {} has no default, say one", stack.title));
    }
    if let Some(name) = &arguments.preset {
        let preset = Preset::named(name)
            .map_err(|unknown| format!("--preset: {unknown}; `keepscope stacks` lists them"))?;
        apply(&mut settings, preset);
    }
    settings.idle = arguments.idle.unwrap_or(settings.idle);
    settings.interval = arguments.interval.unwrap_or(settings.interval);
    settings.count = arguments.count.unwrap_or(settings.count);
    settings.user_timeout = arguments.user_timeout.or(settings.user_timeout);
    if settings.idle <= Span::ZERO {
        return Err("--idle: must be longer than nothing".to_owned());
    }
    let peer = match arguments.peer {
        PeerArgument::Alive => Peer::Alive,
        PeerArgument::Silent => Peer::Silent,
        PeerArgument::Gone => Peer::Gone,
    };
    let enough = Question::enough_steps(&model, &settings, peer);
    let steps = arguments.steps.map_or(enough, |steps| steps as usize);
    Ok(Question { model, settings, peer, rtt: arguments.rtt, steps })
}

/// What the application sets, over the stack's own.
fn apply(settings: &mut Settings, preset: &Preset) {
    let asked = |cell: Option<Asked<Span>>| cell.and_then(Asked::get);
    settings.idle = asked(preset.idle.value).unwrap_or(settings.idle);
    settings.interval = asked(preset.interval.value).unwrap_or(settings.interval);
    settings.count = preset.count.value.and_then(Asked::get).unwrap_or(settings.count);
    settings.user_timeout = asked(preset.user_timeout.value).or(settings.user_timeout);
}
