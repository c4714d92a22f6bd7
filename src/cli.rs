//! The command line: arguments become a checked plan, the plan is run, the exit code says how it went.
//!
//! Owns the arguments, the exit codes and everything that touches the terminal. One file per command. On top
//! of everything: may use every module; none uses it.

mod advice_input;
mod analyze;
mod audit;
#[cfg(feature = "live")]
mod check;
mod completions;
mod config;
#[cfg(feature = "dashboard")]
mod dashboard;
mod diff;
#[cfg(feature = "live")]
mod doctor;
mod live_input;
#[cfg(all(feature = "dashboard", feature = "live"))]
mod live_screen;
mod man;
#[cfg(feature = "live")]
mod middlebox;
mod predict;
#[cfg(feature = "live")]
mod probe;
mod products;
mod progress;
mod recommend;
#[cfg(feature = "live")]
mod respond;
mod settings;
mod simulate;
#[cfg(feature = "live")]
mod sockets;
mod stacks;
#[cfg(feature = "live")]
mod token;
mod verify;
#[cfg(feature = "live")]
mod watch;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};

use self::settings::{Place, Settings};

use crate::report::text::Style;
use crate::time::duration;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Done, and the finding is bad: a rule was broken, or two captures differ.
    Failed,
    /// Usage, or input that cannot be read or is damaged.
    BadInput,
    /// Rights are missing.
    #[cfg(feature = "live")]
    RightsMissing,
    /// What was asked cannot be known from the input.
    Inconclusive,
    /// Stopped by the user; the result so far was written.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            #[cfg(feature = "live")]
            Exit::RightsMissing => 3,
            Exit::Inconclusive => 4,
            Exit::Interrupted => 130,
        })
    }
}

#[cfg(feature = "live")]
impl Exit {
    /// The same of a run with a recording or a journal: where not all of it could be written, it is not done.
    pub(crate) fn if_kept(self, kept: bool) -> Self {
        if self == Exit::Done && !kept { Exit::BadInput } else { self }
    }
}

const SHORT_HELP: &str = "\
keepscope sees, sends, simulates and judges TCP keepalives at packet level.

A capture:
  keepscope analyze capture.pcapng                who probes whom, who no longer answers
  tcpdump -w - tcp | keepscope analyze -          the same, from a pipe
  keepscope replay capture.pcapng                 the same on a screen, packet by packet
  keepscope verify --idle 7s --interval 3s --count 4 capture.pcap    whether it did as promised
  keepscope diff before.pcap after.pcap           what changed, or what was lost between two ends
A live peer:
  keepscope probe example.net:443                 whether it answers keepalive probes
  keepscope probe --kernel example.net:443        what this machine's own kernel does, against what was set
  keepscope watch                                 every keepalive on the interfaces, as it comes
                                                  (in a terminal both open a screen; --plain does not)
  keepscope middlebox example.net:443             after how much silence the path forgets a connection
  keepscope respond --listen 0.0.0.0:7440         the partner behind a middlebox, for who knows its secret
  keepscope check                                 connections this host has, and whether they still live
  keepscope doctor                                whether this machine allows probing, and what mends it
What would happen:
  keepscope predict --idle 340s --interval 75s    when Linux will probe, and when it gives up
  keepscope simulate linux-340s-behind-350s       a path with boxes on it, on a virtual clock
  keepscope recommend --timeout 350s              what to set where connections are forgotten after 350 s
  keepscope audit --timeout 350s /etc/sysctl.conf whether what is set already holds there
                                                  (--listeners: what listens on this host)
  keepscope stacks                                how TCP stacks keep connections alive
  keepscope products                              after how much silence middleboxes forget a connection

'keepscope COMMAND --help' shows all options of a command.
";

const EXIT_CODES: &str = "\
Exit codes:
  0    done, whatever was found; verify: all that could be seen was as promised; diff: no
       difference; probe: every connection is alive; simulate: all came as expected
  1    verify, probe --kernel: a rule was broken; diff: the captures differ; probe: a connection
       is dead (silent, reset, refused, unreachable, closed by the peer); simulate: something
       expected did not come about; doctor: probing is not possible, for other reasons than rights;
       middlebox --mode confirm: connections do not survive so long; recommend: nothing holds;
       audit: something is unsafe; check --test: a connection is dead
  2    wrong usage, or input that cannot be read or is damaged (what could be read is reported);
       where it would be 0: a recording or a journal that could not be written to its end
  3    rights are missing (doctor: and so probing does not work)
  4    verify: nothing that was promised could be seen; diff: nothing in common to compare;
       probe: what happened does not tell; middlebox: no timeout was found, or it cannot be known;
       audit: nothing could be judged; check --test: nothing came back, which tells nothing
  130  interrupted (the result so far is reported)";

/// When text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What the user wants where there is no option.
    #[cfg(all(feature = "dashboard", feature = "live"))]
    fn preferred() -> Self {
        settings::current().choice("color")
    }

    fn style(self) -> Style {
        let wanted = || {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
        };
        Style { color: self == Color::Always || (self == Color::Auto && wanted()) }
    }
}

/// Sees, sends, simulates and judges TCP keepalives at packet level.
#[derive(Debug, Parser)]
#[command(name = "keepscope", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The file with what holds where nothing else is said [default: keepscope/config.toml in $XDG_CONFIG_HOME or
    /// ~/.config]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    config: Option<PathBuf>,

    /// Read no such file
    #[arg(long, global = true, conflicts_with = "config", help_heading = "Configuration")]
    no_config: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

impl Arguments {
    fn place(&self) -> Option<Place> {
        if self.no_config { None } else { settings::find(self.config.as_deref()) }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find the keepalive probes in captures, and their answers.
    Analyze(analyze::Arguments),
    /// Judge existing configuration: whether its keepalives hold on a path that forgets silent connections.
    Audit(audit::Arguments),
    /// List the connections this host has, how long they have been silent, and test whether they are still alive.
    #[cfg(feature = "live")]
    Check(check::Arguments),
    /// Write what a shell needs to complete commands, options and names.
    Completions(completions::Arguments),
    /// Show, check or begin the configuration file.
    Config(config::Arguments),
    /// Open the screen: with a capture to replay it, with a peer to probe it, without to choose.
    #[cfg(feature = "dashboard")]
    Dashboard(dashboard::DashboardArguments),
    /// Compare two captures: before and after a change, or both ends of a path.
    Diff(diff::Arguments),
    /// Show what this machine allows, and the command that mends each lack.
    #[cfg(feature = "live")]
    Doctor(doctor::Arguments),
    /// Write the manual pages.
    Man(man::Arguments),
    /// Find after how much silence the path to a host forgets a connection, and what happens then.
    #[cfg(feature = "live")]
    Middlebox(middlebox::Arguments),
    /// Predict when a stack probes a quiet connection, and when it gives up.
    Predict(predict::Arguments),
    /// Probe a peer: open a connection, leave it idle, send keepalive probes, and judge what comes back.
    #[cfg(feature = "live")]
    Probe(probe::Arguments),
    /// Show after how much silence middleboxes forget a connection, each fact with its source.
    Products(products::Arguments),
    /// Say which keepalive settings hold on a path that forgets silent connections, and where to put them.
    Recommend(recommend::Arguments),
    /// Play captures on a screen, packet by packet, with verdicts as they stand at each moment.
    #[cfg(feature = "dashboard")]
    Replay(dashboard::ReplayArguments),
    /// Be the partner behind a middlebox: send single octets towards who asks for them and knows the secret.
    #[cfg(feature = "live")]
    Respond(respond::Arguments),
    /// Simulate hosts, links and the boxes between them, and hold what happens against what is expected.
    Simulate(simulate::Arguments),
    /// Show how TCP stacks and applications keep connections alive, each fact with its source.
    Stacks(stacks::Arguments),
    /// Check the keepalives in captures against promised settings, rule by rule.
    Verify(verify::Arguments),
    /// Show every keepalive on the interfaces of this machine as it comes; sends nothing.
    #[cfg(feature = "live")]
    Watch(watch::Arguments),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(Refused::Usage(error)) => return usage(&error),
        Err(Refused::Settings(problems)) => {
            problems.iter().for_each(|problem| complain(&format!("error: {problem}")));
            return Exit::BadInput.into();
        }
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: cannot write the result: {error}"));
            Exit::BadInput.into()
        }
    }
}

/// Why no command is run.
enum Refused {
    Usage(clap::Error),
    Settings(Vec<String>),
}

impl From<clap::Error> for Refused {
    fn from(error: clap::Error) -> Self {
        Refused::Usage(error)
    }
}

/// Reads the command line, and what holds where it says nothing.
fn parse() -> Result<Arguments, Refused> {
    let matches = definition().try_get_matches()?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let is_of_settings =
        |command: &Command| matches!(command, Command::Config(_) | Command::Completions(_) | Command::Man(_));
    if arguments.command.as_ref().is_some_and(is_of_settings) {
        return Ok(arguments);
    }
    let read = Settings::load(arguments.place().as_ref(), &definition()).map_err(Refused::Settings)?;
    let Some((name, given)) = matches.subcommand().filter(|_| !read.is_empty()) else {
        settings::keep(read);
        return Ok(arguments);
    };
    let matches = read.apply(definition(), name, given).try_get_matches()?;
    settings::keep(read);
    Ok(Arguments::from_arg_matches(&matches)?)
}

fn run(arguments: Arguments) -> io::Result<Exit> {
    let place = arguments.place();
    match arguments.command {
        Some(Command::Analyze(arguments)) => analyze::run(arguments),
        Some(Command::Audit(arguments)) => audit::run(&arguments),
        #[cfg(feature = "live")]
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
        Some(Command::Config(arguments)) => config::run(&arguments, place.as_ref()),
        #[cfg(feature = "dashboard")]
        Some(Command::Dashboard(arguments)) => dashboard::dashboard(arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        #[cfg(feature = "live")]
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Man(arguments)) => man::run(&arguments),
        #[cfg(feature = "live")]
        Some(Command::Middlebox(arguments)) => middlebox::run(&arguments),
        Some(Command::Predict(arguments)) => predict::run(&arguments),
        #[cfg(feature = "live")]
        Some(Command::Probe(arguments)) => probe::run(&arguments),
        Some(Command::Products(arguments)) => products::run(&arguments),
        Some(Command::Recommend(arguments)) => recommend::run(&arguments),
        #[cfg(feature = "dashboard")]
        Some(Command::Replay(arguments)) => dashboard::replay(arguments),
        #[cfg(feature = "live")]
        Some(Command::Respond(arguments)) => respond::run(&arguments),
        Some(Command::Simulate(arguments)) => simulate::run(&arguments),
        Some(Command::Stacks(arguments)) => stacks::run(&arguments),
        Some(Command::Verify(arguments)) => verify::run(arguments),
        #[cfg(feature = "live")]
        Some(Command::Watch(arguments)) => watch::run(&arguments),
        #[cfg(feature = "dashboard")]
        None if dashboard::is_possible() => dashboard::start(),
        None => print(SHORT_HELP),
    }
}

/// Help and version are asked for; everything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do where even the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { Exit::BadInput.into() } else { ExitCode::SUCCESS }
}

fn print(text: &str) -> io::Result<Exit> {
    use io::Write;
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

/// Writes one line to standard error; a closed one is no reason to stop.
fn complain(line: &str) {
    use io::Write;
    let _ = writeln!(io::stderr().lock(), "keepscope: {line}");
}

/// The definition of the command line, for what is made from it.
pub fn definition() -> clap::Command {
    Arguments::command()
}
