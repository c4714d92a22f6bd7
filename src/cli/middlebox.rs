//! `keepscope middlebox`: after how much silence the path to a host forgets a connection.

mod from;
mod journal;
mod output;
mod plan;
mod rehearsal;
#[cfg(feature = "dashboard")]
mod screen;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};

use super::token::TokenArguments;
use super::{Color, Exit, duration};
use crate::live::netns::NetNs;
use crate::live::target::Target;
use crate::search::Mode;
use crate::time::Span;

const EXAMPLES: &str = "\
Examples:
  keepscope middlebox --partner 198.51.100.2:7440     'keepscope respond' runs there
  keepscope middlebox --partner --direction both --write run.pcapng 198.51.100.2:7440
  keepscope middlebox --partner --mode confirm=350s 198.51.100.2:7440   are 350 s survived?
  keepscope middlebox example.net:443                 no partner: what packets from here show
  keepscope middlebox --plain example.net:443         no screen in a terminal
  keepscope middlebox --plan example.net:443          what would be done, and nothing else
  keepscope middlebox --partner --refresh --locate --timeout 350s 198.51.100.2:7440
                                                      what keeps it open there, and where is it?
  keepscope middlebox --simulate aws-nlb --partner    a rehearsal through a known product
  keepscope middlebox --partner --journal run.jsonl --resume 198.51.100.2:7440
                                                      goes on where it was interrupted
  keepscope middlebox --from day.pcapng               nothing is sent: what captures show
  tcpdump -U -w - tcp | keepscope middlebox --min 30s --from -
  keepscope middlebox --partner --format json 198.51.100.2:7440 | jq .directions

HOST:PORT is a partner where --partner or a secret is given (--token-file, KEEPSCOPE_TOKEN);
otherwise it is any server that accepts connections. A partner sends from its side, and only such
a packet shows whether the path has forgotten a connection: one from here may make the path
remember it again, as a Linux NAT does. So without a partner a silence that ends well is never
called 'no timeout'.

The connections are ordinary ones, opened one after the other and closed in order. Without a
partner there are at most 8, for 15 minutes at most, unless the target is your own (--own-target);
opening ends at the first refusal. It takes CAP_NET_RAW; without it the command that grants it is
named. Ctrl-C ends with the result so far.

In a terminal it opens a screen, which shows the search as it goes; ? shows its keys, and q twice ends it with the
result so far. With --plain, --format, --refresh or --locate, and elsewhere, it writes lines.

Exit codes:
  0    a timeout was found, or there is none up to --max; confirm: connections survive so long;
       what --refresh and --locate ask is answered; --from: the captures bound one
  1    confirm: they do not
  2    wrong usage, no such host, no such partner; --from: a damaged capture (what was read is shown)
  3    rights missing
  4    it was not found or cannot be known; --from: the captures show nothing of it
  130  interrupted (the result so far is written)";

/// What makes no sense where nothing is sent.
const LIVE_ONLY: [&str; 25] = [
    "target",
    "simulate",
    "seed",
    "partner",
    "no_partner",
    "token_file",
    "token",
    "direction",
    "max",
    "precision",
    "connections",
    "mode",
    "own_target",
    "plan",
    "connect_timeout",
    "source",
    "interface",
    "ipv4",
    "ipv6",
    "netns",
    "write",
    "journal",
    "refresh",
    "locate",
    "timeout",
];

/// What to search, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The other end of the path: a name or an address with a port, IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT", value_hint = ValueHint::Hostname, required_unless_present_any = ["simulate", "from"])]
    target: Option<Target>,

    /// Send nothing: read pcap or pcapng files, and say for each path in them which silences were survived and which
    /// were not; - is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = LIVE_ONLY)]
    from: Vec<PathBuf>,

    /// Rehearse it in the simulator, through a product (keepscope products) or a scenario (keepscope simulate --list,
    /// or a TOML file): what would be found, how long it takes, how many packets; nothing is sent
    #[arg(long, value_name = "PRODUCT|SCENARIO", conflicts_with_all = ["target", "write", "journal", "source", "interface", "netns"])]
    simulate: Option<String>,

    /// What chance follows in the simulator
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "target")]
    seed: u64,

    /// Play the rehearsal on the screen (? shows the keys)
    #[cfg(feature = "dashboard")]
    #[arg(long, conflicts_with_all = ["target", "from", "plain"])]
    tui: bool,

    /// HOST:PORT is 'keepscope respond'
    #[arg(long)]
    partner: bool,

    /// HOST:PORT is any server, whatever KEEPSCOPE_TOKEN says
    #[arg(long, conflicts_with_all = ["partner", "token_file", "token"])]
    no_partner: bool,

    #[command(flatten)]
    token: TokenArguments,

    /// Whose packet ends a silence: out, ours; in, the partner's; both, two searches at once
    /// [default: in with a partner, out without]
    #[arg(long, value_enum)]
    direction: Option<Direction>,

    /// Shortest silence to try, or with --from to count
    #[arg(long, value_name = "D", default_value = "10s", value_parser = duration::parse)]
    min: Span,

    /// Longest silence to try; 2h4m is what RFC 5382 asks of a NAT
    #[arg(long, value_name = "D", default_value = "2h4m", value_parser = duration::parse)]
    max: Span,

    /// Half the width of the result: a share of it, but never less than a second
    #[arg(long, value_name = "P", default_value = "1%")]
    precision: Percent,

    /// Connections at once, all directions together; two more that are never probed go with each direction
    /// [default: 64 with a partner, 8 without]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: Option<u16>,

    /// full: any timeout between --min and --max; quick: those of known products, 15 minutes at most; confirm=D: only
    /// whether connections survive so long
    #[arg(long, value_name = "full|quick|confirm=D", default_value = "full", value_parser = mode)]
    mode: Mode,

    /// Once the timeout is known: what keeps a connection open? Keepalive probes without data and with an octet, pure
    /// ACKs and data, each on connections of its own, every 0.6 timeouts for 2.5 timeouts
    #[arg(long, conflicts_with = "simulate")]
    refresh: bool,

    /// Once the timeout is known: at which hop is the box? Probes whose TTL ends at each hop, all at once
    #[arg(long, conflicts_with = "simulate")]
    locate: bool,

    /// The timeout, for --refresh and --locate: nothing is searched
    #[arg(long, value_name = "D", value_parser = duration::parse, conflicts_with_all = ["simulate", "journal", "direction", "mode"])]
    timeout: Option<Span>,

    /// The target is your own: as many connections and as long as you say, without a partner too
    #[arg(long)]
    own_target: bool,

    /// Say what would be done, and end
    #[arg(long)]
    plan: bool,

    /// How long to wait for the answer to a SYN
    #[arg(long, value_name = "D", default_value = "10s", value_parser = duration::parse)]
    connect_timeout: Span,

    /// Source address
    #[arg(long, value_name = "ADDR")]
    source: Option<IpAddr>,

    /// Interface to send and listen on; all that are up by default
    #[arg(long, value_name = "IF")]
    interface: Option<String>,

    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,

    /// Network namespace to search from, by name or by the id of a process; names of hosts are looked up outside
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// Record the packets in a new file, .pcapng or .pcap
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Let --write and --journal take the place of a file
    #[arg(long)]
    force: bool,

    /// Write each silence that came to its end to a new file as it ends, a line of JSON each
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Go on with the journal of a run that was interrupted: what it found counts
    #[arg(long, requires = "journal")]
    resume: bool,

    /// Text on standard output, with a line of progress; no screen
    #[arg(long, conflicts_with = "format")]
    plain: bool,

    /// How to show the result [default: a screen in a terminal that ends with text, text elsewhere]
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Colour the result
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    Out,
    In,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: what is done, what came of it and what that means
    Text,
    /// One document at the end, schema keepscope.middlebox/1, with --from keepscope.bounds/1
    Json,
    /// A line for each silence as it ends, then the document of --format json as the last line
    Jsonl,
}

/// A share in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Percent(u32);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "write it like 1% or 0.5%, from 0.01% to 50%".to_owned();
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let hundredths = format!("{whole}{fraction:0<2}").parse().map_err(|_| wrong())?;
        if (1..=5000).contains(&hundredths) { Ok(Percent(hundredths)) } else { Err(wrong()) }
    }
}

/// The mode of a search.
fn mode(text: &str) -> Result<Mode, String> {
    match (text, text.strip_prefix("confirm=")) {
        ("full", _) => Ok(Mode::Full),
        ("quick", _) => Ok(Mode::Quick),
        (_, Some(span)) => duration::parse(span).map(Mode::Confirm),
        _ => Err("full, quick or confirm=350s".to_owned()),
    }
}

/// Searches and writes what came of it.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    match &arguments.simulate {
        _ if !arguments.from.is_empty() => from::run(arguments),
        Some(name) => rehearsal::run(arguments, name),
        None => plan::carry_out(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly() {
        for (text, hundredths) in [("1%", 100), ("0.5%", 50), ("0.01%", 1), ("50%", 5000), ("2.25%", 225)] {
            assert_eq!(text.parse(), Ok(Percent(hundredths)), "{text}");
        }
        for bad in ["", "1", "%", ".5%", "0%", "51%", "1.234%", "-1%", "x%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn modes_are_read() {
        assert!(matches!(mode("full"), Ok(Mode::Full)));
        assert!(matches!(mode("quick"), Ok(Mode::Quick)));
        assert!(matches!(mode("confirm=350s"), Ok(Mode::Confirm(span)) if span == Span::from_secs(350)));
        for bad in ["", "slow", "confirm", "confirm=", "confirm=350"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
