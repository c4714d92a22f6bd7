//! `keepscope check`: the connections that this host has, and whether they are still alive.

use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use clap::{ArgGroup, Args, ValueEnum};

use super::completions::Names;
use super::sockets::{self, Refused};
use super::{Exit, complain, duration};
use crate::advice::Wish;
use crate::advice::audit::{Auditor, Verdict};
use crate::advice::path::Path;
use crate::live::check::diag::Connection;
use crate::live::check::machine::{APART, Machine, Plan, Standing};
use crate::live::check::owner;
use crate::live::check::run::{Test, look, numbers, run as run_tests};
use crate::live::check::table::Table;
use crate::live::doctor;
use crate::live::filter::Filter;
use crate::live::netns::NetNs;
use crate::live::system::{Need, Options, System};
use crate::live::wire::Wire;
use crate::product::Product;
use crate::report::check::{self as report, Listed, Overview};
use crate::segment::Endpoint;
use crate::stack::Stack;
use crate::time::Span;

const HELP: &str = "\
Examples:
  keepscope check                                   all established connections, and how long they are silent
  keepscope check --timeout 350s --settings         which keepalives hold on a path that forgets after 350 s
  sudo keepscope check --port 5432 --test           are the connections to the database still alive?
  sudo keepscope check --pid 4711 --test --format json | jq '.connections[].test.verdict'
  sudo keepscope check 192.0.2.1:40000-198.51.100.2:443 --test --confirm

Listing takes no rights; without them the processes of other users, and settings, are not told.

--test sends segments beside a connection that another program owns, which notices nothing: an ACK whose numbers fit
nowhere, without data, up to five of them 600 ms apart. The peer answers with an ACK if it has the connection, and
nothing more is sent; with a RST if not. One RST is not enough, since boxes may hand on untranslated what fits nowhere,
and then it is not about this connection: it counts if all are answered so, or if only one is, and is so again. Any segment may make a box on the path
remember again what it had forgotten, so alive means alive now. Silence tells nothing, since boxes and peers may drop
what fits nowhere (peers also for want of timestamps), unless the kernel's own probes or retransmissions are not
answered, either. Where this host itself translates addresses, answers are not recognised.

Exit codes:
  0 listed, or all tested are alive   1 one is dead (reset, unreachable, closed by the peer, unanswered)
  2 usage, or no such connection, process or namespace   3 rights missing   4 cannot be known   130 interrupted";

/// Most connections that are tested at once.
const MOST_TESTS: usize = 256;

/// Shortest time that an answer may take.
const PATIENCE: Span = Span::from_secs(1);

/// Longest time that an answer is waited for.
const MOST_PATIENCE: Span = Span::from_secs(30);

/// Which connections, and what to do with them.
#[derive(Debug, Args)]
#[command(after_help = HELP, after_long_help = HELP)]
#[command(group(ArgGroup::new("selection").args(["pid", "port", "tuples"]).multiple(true)))]
pub(super) struct Arguments {
    /// Only these: LOCAL-REMOTE, as 192.0.2.1:40000-198.51.100.2:443 or `[2001:db8::1]:40000-[2001:db8::2]:443`
    #[arg(value_name = "LOCAL-REMOTE", value_parser = tuple)]
    tuples: Vec<(Endpoint, Endpoint)>,

    /// Only those of this process; looks in its network namespace, unless --netns says another
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,

    /// Only those with this port at either end
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,

    /// Network namespace to look in: a name of `ip netns`, or a process id
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// Judge their keepalives: on a path that forgets after so much silence
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Span>,

    /// Judge their keepalives: behind this product (keepscope products lists them), with its default or --timeout
    #[arg(long, value_name = "PRODUCT", value_parser = Names::of_products(), hide_possible_values = true)]
    behind: Option<String>,

    /// Read the keepalive settings from a duplicate of each socket, which takes the right to trace its process
    #[arg(long)]
    settings: bool,

    /// Test whether they are alive, without their owners; takes CAP_NET_RAW
    #[arg(long, requires = "selection")]
    test: bool,

    /// After an answer send a true keepalive probe, at SND.NXT-1, too. A peer (or a box in its place) that has
    /// forgotten the connection by then answers it with a RST that fits, and this RESETS THE SOCKET of the program that
    /// owns it. Like any segment it may re-create the entry of a NAT: alive means alive now
    #[arg(long, requires = "test")]
    confirm: bool,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.check/1
    Json,
}

/// Two ends with a dash between them.
fn tuple(text: &str) -> Result<(Endpoint, Endpoint), String> {
    let shape = || "write it like 192.0.2.1:40000-198.51.100.2:443".to_owned();
    let (local, remote) = text.split_once('-').ok_or_else(shape)?;
    let end = |text: &str| {
        let parsed: std::net::SocketAddr = text.trim().parse().map_err(|_| shape())?;
        Ok::<_, String>(Endpoint { address: parsed.ip().to_canonical(), port: parsed.port() })
    };
    Ok((end(local)?, end(remote)?))
}

/// Lists, judges and tests; writes what came of it.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let outcome = arguments.auditor().and_then(|auditor| check(arguments, auditor));
    let (overview, exit) = match outcome {
        Ok(done) => done,
        Err(Refused(exit, problem)) => {
            complain(&format!("error: {problem}"));
            return Ok(exit);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => report::text(&mut out, &overview)?,
        Format::Json => report::json(&mut out, &overview)?,
    }
    out.flush()?;
    Ok(exit)
}

fn check(arguments: &Arguments, mut auditor: Option<Auditor>) -> Result<(Overview, Exit), Refused> {
    let netns = sockets::enter(arguments.netns.as_ref(), arguments.pid)?;
    let mut table = Table::open().map_err(Refused::usage)?;
    let mut listed = list(arguments, &mut table)?;
    for one in &mut listed {
        one.judgement = auditor.as_mut().map(|auditor| judge(auditor, one));
    }
    let interrupted = if arguments.test { test(arguments, &mut table, &mut listed)? } else { false };
    let exit = if interrupted { Exit::Interrupted } else { exit(&listed) };
    let path = auditor.map(|auditor| auditor.path().clone());
    let system = doctor::Settings::read();
    Ok((Overview { netns, system, path, listed, interrupted }, exit))
}

/// The worst that was found.
fn exit(listed: &[Listed]) -> Exit {
    let any = |wanted| {
        let verdicts = listed.iter().filter_map(|one| one.test.as_ref());
        verdicts.filter_map(Machine::verdict).any(|verdict| verdict.standing() == wanted)
    };
    let open = listed.iter().filter_map(|one| one.test.as_ref()).any(|test| test.verdict().is_none());
    match (any(Standing::Dead), open || any(Standing::Unknown)) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Inconclusive,
        (false, false) => Exit::Done,
    }
}

/// The connections that are wanted, with what is known of them.
fn list(arguments: &Arguments, table: &mut Table) -> Result<Vec<Listed>, Refused> {
    let holders = sockets::holders(arguments.pid)?;
    let all = table.established().map_err(Refused::usage)?;
    let wanted = all.into_iter().filter(|one| arguments.wants(one));
    let mut listed = Vec::new();
    for connection in wanted {
        let holders = holders.get(connection.inode).to_vec();
        if arguments.pid.is_some() && holders.is_empty() {
            continue;
        }
        let mut in_force = None;
        let mut not_told = None;
        if arguments.settings {
            match owner::options(&holders, connection.inode) {
                Ok(found) => in_force = Some(found),
                Err(why) => not_told = Some(why.to_string()),
            }
        }
        listed.push(Listed { connection, holders, in_force, not_told, judgement: None, test: None });
    }
    if let Some((local, remote)) =
        arguments.tuples.iter().find(|tuple| !listed.iter().any(|one| is(one, tuple)))
    {
        return Err(Refused::usage(format!("this host has no established connection {local}-{remote}")));
    }
    if listed.is_empty() && (arguments.test || arguments.pid.is_some()) {
        return Err(Refused::usage("there is no such connection"));
    }
    Ok(listed)
}

fn is(one: &Listed, tuple: &(Endpoint, Endpoint)) -> bool {
    (one.connection.local, one.connection.remote) == *tuple
}

impl Arguments {
    fn wants(&self, one: &Connection) -> bool {
        let port = |port: &u16| *port == one.local.port || *port == one.remote.port;
        (self.port.is_empty() || self.port.iter().any(port))
            && (self.tuples.is_empty() || self.tuples.contains(&(one.local, one.remote)))
    }

    /// What judges, if a path is given.
    fn auditor(&self) -> Result<Option<Auditor>, Refused> {
        let path = match (&self.behind, self.timeout) {
            (None, None) => return Ok(None),
            (Some(name), timeout) => {
                let product = Product::named(name).map_err(|unknown| {
                    Refused::usage(format!("--behind: {unknown}; 'keepscope products' lists all names"))
                })?;
                Path::behind(product, timeout)
                    .map_err(|error| Refused::usage(format!("--behind: {error}")))?
            }
            (None, Some(timeout)) => {
                Path::of_silence(timeout).map_err(|error| Refused::usage(format!("--timeout: {error}")))?
            }
        };
        let stack = Stack::named("linux").map_err(Refused::usage)?;
        // This is the kernel whose timers count.
        let rtt = Span::from_millis(200).min(Span::from_nanos(path.silence.as_nanos() / 4));
        let hz = doctor::hz();
        let wish = Wish { silence: path.silence, stack, hz, lost: 1, notice_within: None, rtt };
        let auditor = Auditor::new(path, wish);
        auditor.map(Some).ok_or_else(|| Refused::usage("too little is known of Linux to simulate it"))
    }
}

fn judge(auditor: &mut Auditor, one: &Listed) -> (Verdict, String) {
    let state = sockets::state(one.in_force, one.connection.timer);
    auditor.socket(state, one.connection.info.map(|info| info.silence()))
}

/// Tests all of them; whether the user broke it off.
fn test(arguments: &Arguments, table: &mut Table, listed: &mut [Listed]) -> Result<bool, Refused> {
    if listed.len() > MOST_TESTS {
        let count = listed.len();
        return Err(Refused::usage(format!(
            "{count} connections would be tested, more than {MOST_TESTS}: narrow it by --pid, --port or LOCAL-REMOTE"
        )));
    }
    let peers = listed.iter().map(|one| {
        let Endpoint { address, port } = one.connection.remote;
        (address, port).into()
    });
    let options = Options {
        sniff: Need::Required,
        send: Need::Required,
        filter: Filter::Peers(peers.collect()),
        signals: true,
        ..Options::default()
    };
    let mut system = System::open(&options).map_err(|problem| {
        let exit = if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput };
        Refused(exit, problem.to_string())
    })?;
    let start = system.now();
    let mut tests = Vec::new();
    for one in &*listed {
        let connection = &one.connection;
        let (local, remote) = (connection.local, connection.remote);
        if let IpAddr::V6(address) = remote.address
            && connection.interface != 0
        {
            system.reach_through(address, connection.interface);
        }
        let numbers = numbers().map_err(|error| Refused::usage(format!("no random numbers: {error}")))?;
        let rto = connection.info.map_or(Span::ZERO, |info| info.rto);
        let patience = rto.times(2).max(PATIENCE).min(MOST_PATIENCE);
        let plan = Plan { local, remote, numbers, confirm: arguments.confirm, patience };
        let window = connection.info.and_then(|info| info.window);
        // What the peer answered just now it does not answer again so soon.
        let since = connection.info.map_or(APART, |info| info.last_ack_received.min(APART));
        let begin = start.plus(Span::from_nanos(APART.as_nanos() - since.as_nanos()));
        tests.push(Test { ends: (local, remote), window, machine: Machine::new(plan, begin) });
    }
    let mut look = |number: usize| match listed.get(number) {
        Some(one) => look(table, &one.connection, &one.holders),
        None => Ok(0),
    };
    // What was found until then counts; a test that was broken off has no verdict.
    let interrupted = run_tests(&mut system, &mut tests, &mut look).unwrap_or_else(|error| {
        complain(&format!("error: {error}"));
        false
    });
    for (one, test) in listed.iter_mut().zip(tests) {
        one.test = Some(test.machine);
    }
    Ok(interrupted)
}
