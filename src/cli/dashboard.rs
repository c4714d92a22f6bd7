//! `keepscope replay` and `keepscope dashboard`: the screen in the terminal.

mod plain;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Color, Exit, complain, settings};
use crate::analysis::Outcome;
use crate::capture::Problem;
use crate::dashboard::middlebox::words::summary as rehearsed;
use crate::dashboard::model::{Model, Screen, Session};
use crate::dashboard::replay::{Speed, reader};
use crate::dashboard::run::{self, Standby, Start};
use crate::dashboard::simulation::{Simulation, answer};
use crate::dashboard::terminal;
use crate::dashboard::text::{clean, plural};
use crate::dashboard::theme::{Palette, Theme};
#[cfg(feature = "live")]
use crate::live::target::Target;
use crate::report::text::{self, Style};
use crate::simulate::scenario::{Scenario, built_in};
use crate::time::duration;

const EXAMPLES: &str = "\
Examples:
  keepscope replay capture.pcapng                  all of it at once; Space plays it
  keepscope replay --speed 10 capture.pcap.gz      from the beginning, ten times as fast as it was
  keepscope replay --ascii --theme mono ring.pcap*
  keepscope replay --plain capture.pcap            one line for each event, for screen readers

? shows the keys. On quit the summary stays on the terminal.";

/// What to replay.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct ReplayArguments {
    /// pcap or pcapng files, plain or compressed; several are read as one in the order of their times
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Play from the beginning at this speed: a factor from 0.25 to 1000, or fit (as fast as it can be read)
    #[arg(long, value_name = "FACTOR", default_value = "fit")]
    speed: Speed,

    /// One line for each event instead of a screen, for screen readers and pipes; the default where TERM is dumb
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    looks: Looks,
}

/// What to open.
#[derive(Debug, Args)]
pub(super) struct DashboardArguments {
    /// A capture to replay, a scenario to simulate (FILE.toml, or one of simulate --list), or a peer to probe
    /// (HOST:PORT that is no file); without, the start screen
    #[arg(value_name = "FILE|SCENARIO|HOST:PORT")]
    target: Option<PathBuf>,

    /// One line for each event instead of a screen, for screen readers and pipes; the default where TERM is dumb
    #[arg(long, requires = "target")]
    plain: bool,

    #[command(flatten)]
    looks: Looks,
}

/// How it looks.
#[derive(Debug, Default, Args)]
pub(super) struct Looks {
    /// Colours; auto respects NO_COLOR, and asks the terminal for its background where COLORFGBG does not tell it
    #[arg(long, value_enum, default_value_t = ThemeName::Auto)]
    theme: ThemeName,

    /// Whether to use colours: never is the mono theme, always does not heed NO_COLOR
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// Draw with ASCII only; the default where the locale is not UTF-8
    #[arg(long)]
    ascii: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ThemeName {
    #[default]
    Auto,
    Dark,
    Light,
    HighContrast,
    Mono,
}

impl Looks {
    /// What the user wants where there are no options.
    pub(super) fn preferred() -> Self {
        let settings = settings::current();
        Looks {
            theme: settings.choice("screen.theme"),
            color: settings.choice("color"),
            ascii: settings.ascii(),
        }
    }

    /// A screen that looks so, and does what else the user wants.
    pub(super) fn model(&self, speed: Speed) -> Model {
        settings::current().model(self.theme(), speed)
    }

    pub(super) fn theme(&self) -> Theme {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let palette = match (self.theme, self.color) {
            (_, Color::Never) | (ThemeName::Mono, _) => Palette::Mono,
            (ThemeName::Dark, _) => Palette::Dark,
            (ThemeName::Light, _) => Palette::Light,
            (ThemeName::HighContrast, _) => Palette::HighContrast,
            (ThemeName::Auto, Color::Auto) if set("NO_COLOR").is_some() => Palette::Mono,
            (ThemeName::Auto, _) => {
                // Foreground and background, by the numbers of the 16 colours.
                let told = set("COLORFGBG").and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok());
                let light = told.map(|number| matches!(number, 7 | 9..=15)).or_else(terminal::is_light);
                if light == Some(true) { Palette::Light } else { Palette::Dark }
            }
        };
        let truecolor = set("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Theme { palette, truecolor, ascii: self.ascii || !utf8 }
    }
}

/// Whether a screen can be shown here.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb()
}

/// Whether the terminal can do nothing but show lines.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

/// Whether events are to be lines: as asked for, or because a terminal can show nothing else.
fn is_plain(asked: bool) -> bool {
    asked || (io::stdout().is_terminal() && is_dumb())
}

/// Replays captures.
pub(super) fn replay(arguments: ReplayArguments) -> io::Result<Exit> {
    if is_plain(arguments.plain) {
        return plain::replay(arguments.files, arguments.speed);
    }
    let instead = arguments.files.first().map(|path| analyze_instead(path)).unwrap_or_default();
    show(Opened { paths: arguments.files, scenario: None }, arguments.speed, &arguments.looks, &instead)
}

/// Opens a capture, a scenario, a live peer, or the start screen.
pub(super) fn dashboard(arguments: DashboardArguments) -> io::Result<Exit> {
    let DashboardArguments { target, plain, looks } = arguments;
    if let Some(name) = target.as_ref().and_then(|target| scenario_name(target)) {
        if is_plain(plain) {
            return super::simulate::plainly(&name);
        }
        return match super::simulate::scenario(&name) {
            Ok(scenario) => simulated(name, scenario, &looks),
            Err(problem) => {
                complain(&format!("error: {problem}"));
                Ok(Exit::BadInput)
            }
        };
    }
    #[cfg(feature = "live")]
    if let Some(peer) = target.as_ref().and_then(|target| peer(target)) {
        if plain || !is_possible() {
            complain(&format!(
                "error: a screen needs a terminal on standard input and output; `keepscope probe {peer}` writes lines"
            ));
            return Ok(Exit::BadInput);
        }
        return super::live_screen::probe(&peer, &looks);
    }
    match target {
        Some(file) if is_plain(plain) => plain::replay(vec![file], Speed::Fit),
        Some(file) => {
            let instead = analyze_instead(&file);
            show(Opened { paths: vec![file], scenario: None }, Speed::Fit, &looks, &instead)
        }
        None => open(&looks),
    }
}

/// The name of a scenario: a document, or one that comes with the program where no file is named so.
fn scenario_name(target: &Path) -> Option<String> {
    let name = target.to_str()?;
    let is_scenario = name.ends_with(".toml") || (built_in::named(name).is_some() && !target.exists());
    is_scenario.then(|| name.to_owned())
}

/// Opens a scenario.
pub(super) fn simulate(name: String, scenario: Scenario) -> io::Result<Exit> {
    simulated(name, scenario, &Looks::preferred())
}

fn simulated(name: String, scenario: Scenario, looks: &Looks) -> io::Result<Exit> {
    let instead = format!("`keepscope simulate {name}` writes what would happen as text or JSON");
    let opened = Opened { paths: Vec::new(), scenario: Some((name, scenario)) };
    show(opened, Speed::Fit, looks, &instead)
}

/// A peer, where no file is named so.
#[cfg(feature = "live")]
fn peer(target: &Path) -> Option<Target> {
    if target.exists() { None } else { target.to_str()?.parse().ok() }
}

/// The start screen, for who started without a command.
pub(super) fn start() -> io::Result<Exit> {
    open(&Looks::preferred())
}

/// The start screen. What may be begun live from it is prepared before the screen is shown.
fn open(looks: &Looks) -> io::Result<Exit> {
    #[cfg(feature = "live")]
    if is_possible() {
        let (standby, why) = match super::live_screen::standby() {
            Ok(Ok(start)) => (Some(Standby::Live(Box::new(start))), None),
            Ok(Err(why)) => (None, Some(why)),
            Err(problem) => {
                complain(&format!("error: {problem}"));
                return Ok(Exit::BadInput);
            }
        };
        return run_screen(Opened::default(), Speed::Fit, looks, standby, why);
    }
    show(Opened::default(), Speed::Fit, looks, &analyze_instead(Path::new("FILE")))
}

/// Shows a search; whether it was ended by a signal or Ctrl-C, nothing where no screen can be shown.
#[cfg(feature = "live")]
pub(super) fn search(hunt: crate::dashboard::middlebox::Hunt) -> io::Result<Option<bool>> {
    if !is_possible() {
        complain(
            "error: this needs a terminal on standard input and output; without --tui the result is written",
        );
        return Ok(None);
    }
    let mut model = Looks::preferred().model(Speed::Fit);
    crate::dashboard::update::show_search(&mut model, hunt);
    model.no_live = Some("no sockets were opened beside a rehearsal".to_owned());
    let folder = PathBuf::from(".");
    let start = Start { paths: Vec::new(), scenario: None, live: false, hash_seed: hash_seed(), folder };
    Ok(Some(run::run(model, &start, None)?.interrupted))
}

/// What is on the screen at first; nothing for the start screen.
#[derive(Default)]
struct Opened {
    paths: Vec<PathBuf>,
    scenario: Option<(String, Scenario)>,
}

fn analyze_instead(path: &Path) -> String {
    let named = path.to_string_lossy();
    format!(
        "`keepscope analyze {named}` writes the same findings as text, JSON or CSV, and `keepscope replay \
         --plain {named}` one line for each event"
    )
}

/// Shows it; `instead` says what to do without a terminal.
fn show(opened: Opened, speed: Speed, looks: &Looks, instead: &str) -> io::Result<Exit> {
    if !is_possible() {
        complain(&format!("error: this needs a terminal on standard input and output; {instead}"));
        return Ok(Exit::BadInput);
    }
    if let Some(problem) = opened.paths.iter().find_map(|path| reader::unreadable(path)) {
        complain(&format!("error: {problem}"));
        return Ok(Exit::BadInput);
    }
    // Who looks at captures or simulates needs no rights, so none are raised.
    let why = "no sockets were opened: `keepscope dashboard` alone probes and watches, too";
    run_screen(opened, speed, looks, None, Some(why.to_owned()))
}

fn run_screen(
    opened: Opened,
    speed: Speed,
    looks: &Looks,
    standby: Option<Standby>,
    no_live: Option<String>,
) -> io::Result<Exit> {
    let mut model = looks.model(speed);
    model.no_live = no_live;
    let Opened { paths, scenario } = opened;
    let start = Start { paths, scenario, live: false, hash_seed: hash_seed(), folder: PathBuf::from(".") };
    let ended = run::run(model, &start, standby)?;
    #[cfg(feature = "live")]
    if let Some(live) = ended.live {
        return super::live_screen::conclude(live, ended.interrupted);
    }
    let simulation = ended.model.simulation.as_ref();
    let exit = match (ended.model.session.as_ref(), simulation) {
        (session, Some(simulation)) if ended.model.screen == Screen::Simulate || session.is_none() => {
            summary_of_simulation(simulation)?
        }
        (Some(session), _) => summary(session)?,
        _ => Exit::Done,
    };
    if let Some(text) = ended.model.middlebox.as_ref().and_then(rehearsed) {
        io::stdout().lock().write_all(text.as_bytes())?;
    }
    Ok(if ended.interrupted { Exit::Interrupted } else { exit })
}

/// What stays on the terminal of a simulation: what was simulated, and the answer.
fn summary_of_simulation(simulation: &Simulation) -> io::Result<Exit> {
    let mut out = io::stdout().lock();
    let scenario = &simulation.scenario;
    let changed = if simulation.changed { ", changed" } else { "" };
    writeln!(out, "{}{changed}: {}", simulation.name, clean(&scenario.title))?;
    let length = duration::format(scenario.length);
    writeln!(out, "simulated {length} with seed {}; no packet was sent", scenario.seed)?;
    for (words, _) in answer::sentences(simulation) {
        writeln!(out, "  {}", clean(&words))?;
    }
    if let (Some(base), Some(now)) = (&simulation.base, simulation.current()) {
        writeln!(out, "beside {}:", clean(&base.scenario.title))?;
        for line in answer::comparison(base, now).iter().filter(|line| line.differs()) {
            writeln!(out, "  {}: {} there, {} here", line.name, clean(&line.base), clean(&line.now))?;
        }
    }
    Ok(Exit::Done)
}

/// Unpredictable, so that no capture can be made to collide; results do not depend on it.
fn hash_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// What stays on the terminal: what was read, what became of the connections, and the chosen one.
fn summary(session: &Session) -> io::Result<Exit> {
    if let Some(problem) = &session.failed {
        complain(&format!("error: {problem}"));
        return Ok(Exit::BadInput);
    }
    let mut out = io::stdout().lock();
    let store = &session.store;
    if !store.reading().done {
        let packets = plural(store.reading().packets, "packet");
        writeln!(out, "{}: left after {packets} had been read", session.name)?;
        return Ok(Exit::Done);
    }
    text::captures_read(&mut out, store.captures())?;
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    let records = store.connections().filter_map(|connection| connection.record.as_ref());
    for (_, record) in records.filter(|(_, record)| record.has_keepalives()) {
        *outcomes.entry(record.verdict.outcome).or_default() += 1;
    }
    let with: u64 = outcomes.values().sum();
    let among = plural(store.connections().len() as u64, "connection");
    writeln!(out, "keepalives in {with} of {among}")?;
    if with > 1 {
        let counted: Vec<String> = outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {}", outcome.name().replace('_', " ")))
            .collect();
        writeln!(out, "{}", counted.join(", "))?;
    }
    if let Some((_, record)) =
        session.selected.and_then(|id| store.connection(id)).and_then(|connection| connection.record.as_ref())
    {
        writeln!(out)?;
        text::headline(&mut out, record, Style::default())?;
    }
    let problems = store.captures().iter().flat_map(|capture| &capture.problems);
    for problem in problems {
        let level = if problem.is_damage() { "error" } else { "note" };
        complain(&format!("{level}: {problem}"));
    }
    let mut problems = store.captures().iter().flat_map(|capture| &capture.problems);
    Ok(if problems.any(Problem::is_damage) { Exit::BadInput } else { Exit::Done })
}
