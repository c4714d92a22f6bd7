//! `keepscope simulate`: a scenario on a virtual clock.

mod fleet;
pub(super) mod input;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use signal_hook::consts::SIGINT;

#[cfg(feature = "dashboard")]
use self::input::read_text;
use self::input::{Given, read};
use super::{Color, Exit, complain};
use crate::capture::write::CaptureWriter;
#[cfg(feature = "dashboard")]
use crate::dashboard::simulation::{PLAIN, plain};
use crate::report::annotate::{Annotations, about};
use crate::report::simulation::{self as report, Many};
use crate::simulate::scenario::run::{Captured, Distribution, Run, Spread};
use crate::simulate::scenario::{Override, Plan, Scenario, built_in};

const HELP: &str = "\
Examples:
  keepscope simulate --list                      scenarios, and the questions they answer
  keepscope simulate linux-340s-behind-350s      one of them: what happens, what a capture shows
  keepscope simulate linux-340s-behind-350s --phases 1000    in how many phases a probe is late
  keepscope simulate nat-recreates-mapping --set client.idle=50s --set box.nat.established=40s
  keepscope simulate --print go-through-azure > mine.toml    a scenario of your own to begin with
  keepscope simulate mine.toml --tui             change it on the screen, and see what that makes of it
  keepscope simulate mine.toml --runs 500 --format json
  keepscope simulate mine.toml --at after_balancer --write outside.pcapng
  keepscope simulate --fleet --connections 100000 --mix linux@60s/10s/5=70 --mix go=30

A scenario is a TOML document (all fields: README):

  title = \"Linux behind a load balancer that forgets after 350 s\"
  length = \"30m\"                # how long to simulate
  path = [\"lan\", \"balancer\"]    # links and boxes by name, from the client to the server
  [client]                      # [server] likewise; keepscope stacks lists stacks and presets
  stack = \"linux\"
  hz = 250
  idle = \"340s\"                 # interval, count, user_timeout, preset, keepalive, uptime
  data = [{ at = \"1s\", octets = 100, every = \"10m\" }]
  [server]
  power_off = \"20m\"             # power_on, silent_from, silent_until, answers, close_when_idle
  [link.lan]
  delay = \"10ms\"                # jitter, loss, bursts, duplicate, reorder, rate, outages
  [box.balancer]
  product = \"aws-nlb\"           # keepscope products; or kind = \"tracker\", \"conntrack\", \"proxy\"
  established = \"350s\"
  [[expect.events]]
  what = \"probe\"
  by = \"client\"
  number = 1
  at = \"340s..361s\"             # or \"350s ± 12ms\"; or count = 4
  [expect.client]
  outcome = \"open\"              # error = \"ETIMEDOUT\", at, idle, interval, count
  [expect.capture.client]       # or server, before_BOX, after_BOX
  outcome = \"alive\"             # as keepscope analyze says it; probes, answered

A Windows host sets its options by calls, and says which errors it expects of them:

  [client.windows]
  version = \"10-1709\"
  calls = [{ call = \"SO_KEEPALIVE\", value = 1, at = \"5ms\", error = \"WSAEINVAL\" }]

Exit codes: 0 all that was expected came about (or it was run many times), 1 something did not,
2 wrong usage or a scenario that is wrong.";

/// What to simulate and how to show it.
#[derive(Debug, Args)]
#[command(after_help = HELP, after_long_help = HELP)]
pub(super) struct Arguments {
    /// A scenario that comes with the program (--list), a file, or - for standard input
    #[cfg_attr(
        feature = "dashboard",
        arg(value_name = "SCENARIO", required_unless_present_any = ["list", "fleet", "tui"])
    )]
    #[cfg_attr(
        not(feature = "dashboard"),
        arg(value_name = "SCENARIO", required_unless_present_any = ["list", "fleet"])
    )]
    scenario: Option<String>,

    /// List the scenarios that come with the program
    #[arg(long, conflicts_with_all = ["scenario", "print", "seed", "set", "runs", "phases", "write", "at"])]
    list: bool,

    /// Open the screen: change it field by field, and see at once what would happen
    #[cfg(feature = "dashboard")]
    #[arg(long, conflicts_with_all = ["list", "print", "runs", "phases", "at", "write", "format", "fleet"])]
    tui: bool,

    /// Print the scenario, with all changes, and simulate nothing
    #[arg(long, conflicts_with_all = ["runs", "phases", "write", "at"])]
    print: bool,

    /// What chance follows [default: the scenario's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Change something in the scenario: client.idle=60s, link.lan.loss=5%, expect.events.0.count=3
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Override>,

    /// Simulate it so many times, with one seed after the other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000), conflicts_with = "phases")]
    runs: Option<u64>,

    /// Simulate it so many times, with the client's timer in phases spread evenly over all there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    phases: Option<u64>,

    /// Where to capture: client, server, before_BOX or after_BOX [default: client]
    #[arg(long, value_name = "TAP", conflicts_with_all = ["runs", "phases"])]
    at: Option<String>,

    /// Write the capture to a new file: .pcapng with comments, .pcap without
    #[arg(long, value_name = "OUT", conflicts_with_all = ["runs", "phases"])]
    write: Option<PathBuf>,

    /// Let --write take the place of a file
    #[arg(long, requires = "write")]
    force: bool,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Colour the text
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,

    #[command(flatten)]
    fleet: fleet::FleetArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.simulation/1
    Json,
    /// One line for each thing that happened, same schema
    Jsonl,
}

/// Simulates, and says whether that came to what was expected.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    #[cfg(feature = "dashboard")]
    if arguments.tui {
        return on_screen(arguments);
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let outcome = match &arguments.scenario {
        None if arguments.fleet.fleet => {
            let common = fleet::Common {
                seed: arguments.seed.unwrap_or(1),
                write: arguments.write.as_deref(),
                force: arguments.force,
                format: arguments.format,
            };
            fleet::run(&arguments.fleet, &common, &mut out)?
        }
        None => list(arguments, &mut out).map(Ok)?,
        Some(name) => simulate(arguments, name, &mut out)?,
    };
    out.flush()?;
    match outcome {
        Ok(exit) => Ok(exit),
        Err(problem) => {
            complain(&format!("error: {problem}"));
            Ok(Exit::BadInput)
        }
    }
}

/// Opens the screen with the scenario that is meant, or with a plain one.
#[cfg(feature = "dashboard")]
fn on_screen(arguments: &Arguments) -> io::Result<Exit> {
    let given = Given { seed: arguments.seed, set: &arguments.set };
    let (name, plan) = match &arguments.scenario {
        Some(name) => (name.as_str(), read(name, &given)),
        None => (PLAIN, read_text(&plain().to_toml(), PLAIN, &given)),
    };
    match plan {
        Ok(plan) => super::dashboard::simulate(name.to_owned(), plan.scenario),
        Err(problem) => {
            complain(&format!("error: {problem}"));
            Ok(Exit::BadInput)
        }
    }
}

/// The scenario of that name, or in that file.
#[cfg(feature = "dashboard")]
pub(super) fn scenario(name: &str) -> Result<Scenario, String> {
    read(name, &Given { seed: None, set: &[] }).map(|plan| plan.scenario)
}

/// Simulates the scenario of that name and writes what happens, for who wants no screen.
#[cfg(feature = "dashboard")]
pub(super) fn plainly(name: &str) -> io::Result<Exit> {
    let mut out = io::stdout().lock();
    let trouble = |problem: String| {
        complain(&format!("error: {problem}"));
        Ok(Exit::BadInput)
    };
    let plan = match read(name, &Given { seed: None, set: &[] }) {
        Ok(plan) => plan,
        Err(problem) => return trouble(problem),
    };
    let run = match plan.run(&[0]) {
        Ok(run) => run,
        Err(wrong) => return trouble(wrong.to_string()),
    };
    report::text(&mut out, &plan, &run, &["client".to_owned()], Color::Auto.style())?;
    report::answer(&mut out, &plan.scenario)?;
    match run.trouble() {
        Some(problem) => trouble(problem),
        None => Ok(if report::is_unexpected(&run) { Exit::Failed } else { Exit::Done }),
    }
}

/// What was done, or why not.
type Outcome = Result<Exit, String>;

fn list(arguments: &Arguments, out: &mut dyn Write) -> io::Result<Exit> {
    let read = |text: &str| Scenario::read(text, &[]).map(|plan| plan.scenario);
    if arguments.format != Format::Text {
        report::list(
            out,
            built_in::ALL.iter().filter_map(|found| Some((found.name, read(found.text).ok()?))),
        )?;
        return Ok(Exit::Done);
    }
    for (index, found) in built_in::ALL.iter().enumerate() {
        let Ok(scenario) = read(found.text) else { continue };
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}\n  {}\n  {}", found.name, scenario.title, scenario.question)?;
    }
    Ok(Exit::Done)
}

fn simulate(arguments: &Arguments, name: &str, out: &mut dyn Write) -> io::Result<Outcome> {
    let plan = match read(name, &Given { seed: arguments.seed, set: &arguments.set }) {
        Ok(plan) => plan,
        Err(problem) => return Ok(Err(problem)),
    };
    if arguments.print {
        out.write_all(plan.scenario.to_toml().as_bytes())?;
        return Ok(Ok(Exit::Done));
    }
    let many = match (arguments.runs, arguments.phases) {
        (Some(runs), _) => Some((Spread::Seeds, runs)),
        (None, Some(runs)) => match plan.phases() {
            Ok(spread) => Some((spread, runs)),
            Err(wrong) => return Ok(Err(format!("--phases: {wrong}"))),
        },
        (None, None) => None,
    };
    match many {
        Some((spread, runs)) => simulate_many(arguments, &plan, spread, runs, out),
        None => simulate_once(arguments, &plan, out),
    }
}

fn simulate_many(
    arguments: &Arguments,
    plan: &Plan,
    spread: Spread,
    runs: u64,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut distribution = Distribution::default();
    let interrupted = Arc::new(AtomicBool::new(false));
    // Without a handler the process ends at once, and the runs so far are lost.
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(&interrupted));
    for index in 0..runs {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        match plan.run_of_many(spread, index, runs) {
            Ok(summary) => distribution.add(&summary),
            Err(wrong) => return Ok(Err(wrong.to_string())),
        }
    }
    // Over many runs chance decides on some expectations; how often is the result.
    let many = Many { spread, distribution };
    match arguments.format {
        Format::Text => report::text_of_many(out, plan, &many)?,
        Format::Json => report::json_of_many(out, plan, &many, true)?,
        Format::Jsonl => report::json_of_many(out, plan, &many, false)?,
    }
    let stopped = interrupted.load(Ordering::Relaxed);
    Ok(Ok(if stopped { Exit::Interrupted } else { Exit::Done }))
}

fn simulate_once(arguments: &Arguments, plan: &Plan, out: &mut dyn Write) -> io::Result<Outcome> {
    let at = match tap(plan, arguments.at.as_deref().unwrap_or("client")) {
        Ok(at) => at,
        Err(problem) => return Ok(Err(problem)),
    };
    let writer =
        match arguments.write.as_deref().map(|path| CaptureWriter::create(path, arguments.force)).transpose()
        {
            Ok(writer) => writer,
            Err(error) => return Ok(Err(format!("--write {error}"))),
        };
    let run = match plan.run(&[at]) {
        Ok(run) => run,
        Err(wrong) => return Ok(Err(wrong.to_string())),
    };
    let name = plan.taps.get(at).map(|tap| tap.name.clone()).unwrap_or_default();
    let captured = run.captures.iter().find(|captured| captured.tap.name == name);
    if let (Some(writer), Some(captured)) = (writer, captured)
        && let Err(problem) = write_capture(writer, captured, plan)
    {
        return Ok(Err(problem));
    }
    show(arguments, plan, &run, &[name], out)?;
    if let Some(trouble) = run.trouble() {
        return Ok(Err(trouble));
    }
    Ok(Ok(if report::is_unexpected(&run) { Exit::Failed } else { Exit::Done }))
}

fn show(arguments: &Arguments, plan: &Plan, run: &Run, at: &[String], out: &mut dyn Write) -> io::Result<()> {
    match arguments.format {
        Format::Json => report::json(out, plan, run, at),
        Format::Jsonl => report::jsonl(out, plan, run, at),
        Format::Text => {
            report::text(out, plan, run, at, arguments.color.style())?;
            // With something changed the answer may be another one.
            let as_it_stands = arguments.set.is_empty() && arguments.seed.is_none();
            if as_it_stands { report::answer(out, &plan.scenario) } else { Ok(()) }
        }
    }
}

/// The place in the list of taps.
fn tap(plan: &Plan, name: &str) -> Result<usize, String> {
    plan.taps.iter().position(|tap| tap.name == name).ok_or_else(|| {
        let names: Vec<&str> = plan.taps.iter().map(|tap| tap.name.as_str()).collect();
        format!("--at: there is no {name:?} on this path; there are {}", names.join(", "))
    })
}

fn write_capture(mut writer: CaptureWriter, captured: &Captured, plan: &Plan) -> Result<(), String> {
    let failed = |error| format!("--write {error}");
    let annotations = Annotations::of(&captured.records);
    let program = concat!("keepscope ", env!("CARGO_PKG_VERSION"));
    let name = format!("simulated at {}: {}", captured.tap.name, plan.scenario.title);
    writer.begin(program, &about(&captured.records, &[&name]), vec![name.clone()]).map_err(failed)?;
    for frame in captured.frames() {
        writer.frame(&frame, annotations.on(frame.id)).map_err(failed)?;
    }
    writer.finish().map(|_| ()).map_err(failed)
}
