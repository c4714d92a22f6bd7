//! `keepscope verify`: whether keepalives were sent as promised.

mod expectations;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use signal_hook::consts::SIGINT;

use self::expectations::{Promise, Promises};
use super::completions::Names;
use super::progress::Progress;
use super::{Exit, complain, duration, live_input};
use crate::analysis::filter::Filter;
use crate::analysis::verification::{Expectation, Histories, Outcome, RuleId, RuleVerdict, verify};
use crate::analysis::{Collector, ConnectionRecord};
use crate::capture::{Captures, ProblemKind};
use crate::pipeline::Pipeline;
use crate::report::verify::{self as report, Judged};
use crate::report::{CaptureReport, let_go};
use crate::time::Span;
use crate::track::event::Party;

const EXAMPLES: &str = "\
Examples:
  keepscope verify --idle 7s --interval 3s --count 4 capture.pcap
  keepscope verify --stack linux --hz 250 --preset go capture.pcap
  keepscope verify --expect promised.toml --format json ring.pcap*

A file of expectations has a table for each kind of connection; the first that fits is taken:
  [[expect]]
  server = \"192.0.2.0/24\"      # also address, client, port, as in --filter
  port = 5432
  stack = \"linux\"
  idle = \"300s\"                # also interval, count, user_timeout, hz, preset, jitter, prober, defaults

Exit codes:
  0    every rule that could be seen was kept
  1    a rule was broken
  2    wrong usage, or a capture that cannot be read or is damaged (what could be judged is reported)
  4    nothing that was promised could be seen
  130  interrupted (the result so far is reported)";

/// What was promised, and where to look.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// pcap or pcapng files, plain or compressed with gzip or zstd; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Which TCP stack probes (keepscope stacks lists them) [default: linux]
    #[arg(long, value_name = "NAME", conflicts_with = "expect", value_parser = Names::of_stacks(), hide_possible_values = true)]
    stack: Option<String>,

    /// CONFIG_HZ of the Linux kernel [default: one of 100, 250, 300 and 1000 must explain all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1200), conflicts_with = "expect")]
    hz: Option<u32>,

    /// Settings of an application or library (keepscope stacks lists them)
    #[arg(long, value_name = "NAME", conflicts_with = "expect", value_parser = Names::of_presets(), hide_possible_values = true)]
    preset: Option<String>,

    /// Silence before the first probe (TCP_KEEPIDLE, KeepAliveTime)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "expect")]
    idle: Option<Span>,

    /// Time between unanswered probes (TCP_KEEPINTVL, KeepAliveInterval)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "expect")]
    interval: Option<Span>,

    /// Unanswered probes before giving up (TCP_KEEPCNT)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255), conflicts_with = "expect")]
    count: Option<u32>,

    /// TCP_USER_TIMEOUT
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "expect")]
    user_timeout: Option<Span>,

    /// What is not said otherwise are the defaults of the stack
    #[arg(long, conflicts_with = "expect")]
    defaults: bool,

    /// Which end the promise is about
    #[arg(long, value_enum, default_value_t = Prober::Any, conflicts_with = "expect")]
    prober: Prober,

    /// How far a probe may lie beside what the stack allows [default: 15ms]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "expect")]
    jitter: Option<Span>,

    /// Expectations for many connections, in TOML
    #[arg(long, value_name = "FILE.toml")]
    expect: Option<PathBuf>,

    /// Judge only connections that pass, as in analyze --filter: addr:NET, port:N, outcome:NAME, ka.probes>3
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Follow no more connections than this at once, with 4 KiB at most for each without keepalives; where there are
    /// more, those without keepalives are let go first
    #[arg(long, value_name = "N", default_value_t = MOST_CONNECTIONS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,

    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line for each rule
    Text,
    /// One document, schema keepscope.verify/1
    Json,
}

/// Most connections that are followed at once, if nothing else is asked for: 0.4 GB.
const MOST_CONNECTIONS: u32 = 100_000;

/// Which end is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Prober {
    Client,
    Server,
    /// Each end that probes
    Any,
}

impl Prober {
    fn parties(self, record: &ConnectionRecord) -> Vec<Party> {
        match self {
            Prober::Client => vec![Party::Client],
            Prober::Server => vec![Party::Server],
            Prober::Any => record.probers().map(|(party, _)| party).collect(),
        }
    }
}

/// Reads the captures and writes the verdicts.
pub(super) fn run(arguments: Arguments) -> io::Result<Exit> {
    let promises = match promises(&arguments) {
        Ok(promises) => promises,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted));
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(&interrupted));
    let stdin = arguments.files.iter().any(|path| path.as_os_str() == "-");
    if stdin && live_input::is_terminal() {
        complain("error: standard input is a terminal; pipe a capture into it, or name a file");
        return Ok(Exit::BadInput);
    }
    let live = arguments.files.iter().any(|path| live_input::is_live(path));
    let opened = if live {
        live_input::open(&arguments.files, &interrupted)
    } else {
        Captures::open(&arguments.files)
    };
    let captures = match opened {
        Ok(captures) => captures,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Ok(Exit::BadInput);
        }
    };
    let filter = arguments.filter.unwrap_or_default();
    let most = arguments.max_connections as usize;
    let mut run =
        Run { most, promises, filter, judged: Vec::new(), unmatched: 0, collector: Collector::default() };
    run.read(captures, &interrupted, live, !arguments.quiet, arguments.format)
}

/// What the arguments promise.
fn promises(arguments: &Arguments) -> Result<Promises, String> {
    if let Some(path) = &arguments.expect {
        return Promises::read(path);
    }
    let promise = Promise {
        stack: arguments.stack.clone(),
        hz: arguments.hz,
        preset: arguments.preset.clone(),
        idle: arguments.idle,
        interval: arguments.interval,
        count: arguments.count,
        user_timeout: arguments.user_timeout,
        jitter: arguments.jitter,
        defaults: arguments.defaults,
    };
    Ok(Promises::single(promise.expectation("--")?, arguments.prober))
}

struct Run {
    most: usize,
    promises: Promises,
    filter: Filter,
    judged: Vec<Judged>,
    unmatched: u64,
    collector: Collector,
}

impl Run {
    fn read(
        &mut self,
        mut captures: Captures,
        interrupted: &AtomicBool,
        live: bool,
        progress: bool,
        format: Format,
    ) -> io::Result<Exit> {
        let mut pipeline = Pipeline::new(RandomState::new().hash_one(0));
        pipeline.keep_at_most(self.most);
        let mut histories = Histories::default();
        let mut progress = Progress::new(progress);
        while let Some(frame) = captures.next_frame() {
            pipeline.frame_shown(&frame, |segment, observed| histories.segment(segment, observed));
            self.take_events(&mut pipeline, &mut histories);
            if progress.is_due(1) {
                progress.show(&captures);
            }
            if !live && interrupted.load(Ordering::Relaxed) {
                break;
            }
        }
        pipeline.finish();
        self.take_events(&mut pipeline, &mut histories);
        progress.clear();
        let exit = self.report(&captures, &pipeline, format)?;
        Ok(if interrupted.load(Ordering::Relaxed) { Exit::Interrupted } else { exit })
    }

    fn take_events(&mut self, pipeline: &mut Pipeline, histories: &mut Histories) {
        while let Some(event) = pipeline.poll_event() {
            if let Some(record) = self.collector.on_event(&event) {
                let history = histories.take(record.id);
                self.judge(&record, &history);
            }
        }
    }

    fn judge(&mut self, record: &ConnectionRecord, history: &crate::analysis::verification::History) {
        if !self.filter.passes(record) {
            return;
        }
        let Some((table, expectation, prober)) = self.promises.of(record) else {
            self.unmatched += u64::from(record.has_keepalives());
            return;
        };
        for party in prober.parties(record) {
            let verdicts = verify(record, history, party, expectation);
            self.judged.push(Judged {
                connection: record.id,
                opened: record.opened,
                party,
                expectation: expectation.clone(),
                table,
                rules: verdicts.rules,
                hz_fits: verdicts.hz_fits,
            });
        }
    }

    fn report(&mut self, captures: &Captures, pipeline: &Pipeline, format: Format) -> io::Result<Exit> {
        self.judged.sort_by_key(|judged| (judged.connection, judged.party));
        let read = CaptureReport::of(captures, pipeline);
        if read.iter().any(|capture| capture.dropped > 0) {
            self.judged.iter_mut().flat_map(|judged| &mut judged.rules).for_each(doubt_after_drops);
        }
        let mut out = BufWriter::new(io::stdout().lock());
        match format {
            Format::Text => report::text(&mut out, &read, &self.judged, self.unmatched)?,
            Format::Json => report::json(&mut out, &read, &self.judged, self.unmatched)?,
        }
        out.flush()?;
        if let Some(sentence) = let_go::sentence(pipeline.let_go()) {
            complain(&format!("note: {sentence}"));
        }
        let mut damaged = false;
        for problem in read.iter().flat_map(|capture| &capture.problems) {
            complain(&format!("{}: {problem}", if problem.is_damage() { "error" } else { "note" }));
            damaged |= problem.is_damage() || problem.kind == ProblemKind::Empty;
        }
        Ok(match report::overall(&self.judged) {
            _ if damaged => Exit::BadInput,
            Outcome::Fail => Exit::Failed,
            Outcome::Pass => Exit::Done,
            Outcome::NotObservable => Exit::Inconclusive,
        })
    }
}

/// That nothing was seen shows nothing where the capture itself says that it dropped packets.
fn doubt_after_drops(verdict: &mut RuleVerdict) {
    if verdict.rule == RuleId::ProbeSent && verdict.outcome == Outcome::Fail {
        verdict.outcome = Outcome::NotObservable;
        verdict.reason = "no probe was captured, but the capture says that it dropped packets".to_owned();
    }
}

impl Promise {
    /// The checked promise; `prefix` stands before the names of what it is made of.
    fn expectation(&self, prefix: &str) -> Result<Expectation, String> {
        expectations::check(self, prefix)
    }
}
