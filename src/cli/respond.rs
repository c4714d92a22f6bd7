//! `keepscope respond`: the partner behind a box whose idle time-out is looked for from outside.

use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, ValueEnum};

use super::token::TokenArguments;
use super::watch::clock_time;
use super::{Exit, complain, duration};
use crate::live::netns::NetNs;
use crate::live::respond::{Options, RespondError, Responder};
use crate::partner::PORT;
use crate::partner::message::Abilities;
use crate::partner::server::{Limits, News};
use crate::report::respond::{self as report, Log, Setting};
use crate::time::{Span, Timestamp};

const EXAMPLES: &str = "\
Examples:
  keepscope respond                                  on this host only: 127.0.0.1:7440
  KEEPSCOPE_TOKEN=$(openssl rand -hex 16) keepscope respond --listen 0.0.0.0:7440
  keepscope respond --listen '[::]:7440' --token-file ~/.keepscope-token      IPv4 and IPv6
  keepscope respond --listen 192.0.2.2:443 --token-file TOKEN --once --format jsonl

Run it on the far side of the path, and on the near side, with the same secret:
  keepscope middlebox HOST:7440 --token-file TOKEN

Who knows the secret can have single octets sent to itself, on connections that it opened itself, within the limits.
Nothing is sent to anybody else, and before the secret is proven no more octets go out than came in. Beyond loopback
a secret is required; it is never on the wire. No rights are needed. With CAP_NET_RAW also probes with an octet of no
meaning can be sent, and segments of unknown connections (after a translation to a new port) are reported.

Exit codes:
  0    ended by a signal (SIGINT, SIGTERM, SIGHUP), or --once: the first session is over
  2    wrong usage, or it cannot listen there
  3    rights missing (a port below 1024, another network namespace)";

/// Where to listen and what to allow.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Where to listen; may be given more than once. The IPv6 address for all takes IPv4 too
    #[arg(long, value_name = "ADDR:PORT", default_values_t = [SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))])]
    listen: Vec<SocketAddr>,

    #[command(flatten)]
    token: TokenArguments,

    /// Respond in this network namespace: a name (ip netns) or a process id
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// End when the first session is over
    #[arg(long)]
    once: bool,

    /// Sessions at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    sessions: u16,

    /// Test connections of a session at once
    #[arg(long, value_name = "N", default_value_t = 160, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,

    /// Octets a second towards the client of a session, echoes not counted; twice as many at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,

    /// Messages a second in a session; twice as many at once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(10..=10_000))]
    messages: u16,

    /// A session is over when nothing was heard of its client for so long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    expire: Span,

    /// A session lasts no longer
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = duration::parse)]
    lasts: Span,

    /// How to show what happens
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line as it happens, then the summary
    Text,
    /// One document at the end, schema keepscope.respond/1
    Json,
    /// What happens, line by line, schema keepscope.respond/1
    Jsonl,
}

impl Arguments {
    fn limits(&self) -> Limits {
        Limits {
            sessions: self.sessions,
            connections: self.connections,
            octets: self.rate,
            messages: self.messages,
            expire: self.expire,
            lasts: self.lasts,
            ..Limits::default()
        }
    }
}

/// Responds.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    // Before rights are given up: the file may be root's.
    let secret = match arguments.token.secret() {
        Ok(secret) => secret,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let options = Options {
        listen: arguments.listen.clone(),
        netns: arguments.netns.clone(),
        secret,
        limits: arguments.limits(),
        once: arguments.once,
    };
    let mut responder = match Responder::open(&options) {
        Ok(responder) => responder,
        Err(problem) => return Ok(failed(&problem)),
    };
    let setting = Setting::new(responder.listening(), options.secret.is_some(), responder.abilities());
    let mut out = Terminal {
        format: arguments.format,
        out: BufWriter::new(io::stdout().lock()),
        log: Log::new(setting),
        failed: None,
    };
    out.begin()?;
    let where_to = responder.listening().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    complain(&format!("listening on {where_to}; {}; Ctrl-C ends", able(responder.abilities())));
    if !options.secret.is_some() {
        complain("note: without a secret, as only programs of this host can reach it");
    }
    let ended = responder.run(&mut |at, news| out.news(at, news));
    if let Some(error) = out.failed.take() {
        return Err(error);
    }
    out.end()?;
    Ok(match ended {
        Ok(_) => Exit::Done,
        Err(problem) => failed(&problem),
    })
}

fn failed(problem: &RespondError) -> Exit {
    complain(&format!("error: {problem}"));
    if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput }
}

fn able(abilities: Abilities) -> &'static str {
    if abilities.garbage {
        "sends octets and keepalive probes with and without an octet, and sees segments of unknown connections"
    } else {
        "sends octets and keepalive probes without one; without CAP_NET_RAW no probes with an octet"
    }
}

/// Writes what happens, as it happens.
struct Terminal<W: Write> {
    format: Format,
    out: W,
    log: Log,
    /// Why nothing more can be written.
    failed: Option<io::Error>,
}

impl<W: Write> Terminal<W> {
    fn begin(&mut self) -> io::Result<()> {
        if self.format == Format::Jsonl {
            self.log.header(&mut self.out)?;
        }
        self.out.flush()
    }

    /// Something happened; false if it cannot be written.
    fn news(&mut self, at: Timestamp, news: &News) -> bool {
        if self.log.note(at, news) {
            let written = match self.format {
                Format::Text => writeln!(self.out, "{} {}", clock_time(at), report::line_text(news)),
                Format::Jsonl => report::line_json(&mut self.out, at, news),
                Format::Json => Ok(()),
            };
            self.failed = self.failed.take().or(written.and_then(|()| self.out.flush()).err());
        }
        self.failed.is_none()
    }

    fn end(&mut self) -> io::Result<()> {
        match self.format {
            Format::Text => self.log.summary_text(&mut self.out)?,
            Format::Jsonl => self.log.summary_json(&mut self.out)?,
            Format::Json => self.log.document(&mut self.out)?,
        }
        self.out.flush()
    }
}
