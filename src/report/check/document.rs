//! The document `keepscope.check/1`.

use std::io::{self, Write};

use serde::Serialize;

use super::{Listed, Overview, icmp, standing_of, word};
use crate::live::check::diag::Timer;
use crate::live::check::machine::{Machine, Sent, Standing, Verdict};
use crate::live::check::owner::InForce;
use crate::report::number::{Micros, Seconds};
use crate::time::Span;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    netns: Option<String>,
    system: SystemOut,
    silence_s: Option<Seconds>,
    class: Option<&'static str>,
    product: Option<&'static str>,
    tested: Option<Tested>,
    interrupted: bool,
    connections: Vec<ConnectionOut<'a>>,
}

/// Settings of sockets that have none of their own.
#[derive(Serialize)]
struct SystemOut {
    keepalive_idle_s: Option<u32>,
    keepalive_interval_s: Option<u32>,
    keepalive_count: Option<u32>,
}

#[derive(Serialize)]
struct Tested {
    alive: u64,
    dead: u64,
    unknown: u64,
}

#[derive(Serialize)]
struct ConnectionOut<'a> {
    local: String,
    peer: String,
    uid: u32,
    inode: u32,
    processes: Vec<Process<'a>>,
    silent_s: Option<Seconds>,
    silent_out_s: Option<Seconds>,
    silent_in_s: Option<Seconds>,
    last_data_sent_s: Option<Seconds>,
    last_data_received_s: Option<Seconds>,
    last_ack_received_s: Option<Seconds>,
    timestamps: Option<bool>,
    unacknowledged: Option<u32>,
    timer: TimerOut,
    /// "on", "off" or "not_told".
    keepalive: &'static str,
    settings: Option<SettingsOut>,
    settings_not_told: Option<&'a str>,
    judgement: Option<JudgementOut<'a>>,
    test: Option<TestOut>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    name: &'a str,
}

#[derive(Serialize)]
struct TimerOut {
    kind: &'static str,
    expires_s: Option<Seconds>,
    unanswered: Option<u8>,
}

impl From<Timer> for TimerOut {
    fn from(timer: Timer) -> Self {
        let (kind, expires, unanswered) = match timer {
            Timer::Off => ("off", None, None),
            Timer::Retransmission { expires } => ("retransmission", Some(expires), None),
            Timer::Keepalive { expires, unanswered } => ("keepalive", Some(expires), Some(unanswered)),
            Timer::ZeroWindow { expires } => ("zero_window", Some(expires), None),
            Timer::Other(_) => ("other", None, None),
        };
        Self { kind, expires_s: expires.map(Seconds::from), unanswered }
    }
}

#[derive(Serialize)]
struct SettingsOut {
    keepalive: bool,
    idle_s: Seconds,
    interval_s: Seconds,
    count: u32,
    user_timeout_s: Option<Seconds>,
}

impl From<InForce> for SettingsOut {
    fn from(set: InForce) -> Self {
        Self {
            keepalive: set.on,
            idle_s: set.idle.into(),
            interval_s: set.interval.into(),
            count: set.count,
            user_timeout_s: Some(set.user_timeout).filter(|user| *user > Span::ZERO).map(Seconds::from),
        }
    }
}

#[derive(Serialize)]
struct JudgementOut<'a> {
    verdict: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
struct TestOut {
    /// "alive", "dead" or "unknown".
    standing: &'static str,
    verdict: &'static str,
    /// What changed, what the system said, or what an ICMP error said.
    detail: Option<String>,
    reporter: Option<String>,
    kernel_unanswered: Option<u32>,
    segments: Vec<SegmentOut>,
}

#[derive(Serialize)]
struct SegmentOut {
    kind: &'static str,
    after_s: Seconds,
    seq: u32,
    ack: u32,
    /// "ack" or "rst".
    answer: Option<&'static str>,
    answered_us: Option<Micros>,
}

impl From<&Machine> for TestOut {
    fn from(test: &Machine) -> Self {
        let verdict = test.verdict();
        let (detail, reporter, kernel_unanswered) = match verdict {
            Some(Verdict::Unreachable { kind, reporter }) => {
                (Some(icmp(*kind)), Some(reporter.to_string()), None)
            }
            Some(Verdict::Changed(changed)) => (Some(changed.to_string()), None, None),
            Some(Verdict::NotSent(error)) => (Some(error.clone()), None, None),
            Some(Verdict::Silent { kernel_unanswered }) => (None, None, Some(*kernel_unanswered)),
            _ => (None, None, None),
        };
        let first = test.sent().first().map(|first| first.at);
        let segment = |sent: &Sent| SegmentOut {
            kind: sent.shot.kind.name(),
            after_s: first.map_or(Span::ZERO, |first| sent.at.since(first)).into(),
            seq: sent.shot.seq.0,
            ack: sent.shot.ack.0,
            answer: sent.answer.map(|answer| if answer.rst { "rst" } else { "ack" }),
            answered_us: sent.answer.map(|answer| Micros(answer.after)),
        };
        Self {
            standing: word(standing_of(test)),
            verdict: verdict.map_or("broken_off", Verdict::name),
            detail,
            reporter,
            kernel_unanswered,
            segments: test.sent().iter().map(segment).collect(),
        }
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, overview: &Overview) -> io::Result<()> {
    let tested = overview.listed.iter().any(|one| one.test.is_some()).then(|| Tested {
        alive: overview.tested(Standing::Alive),
        dead: overview.tested(Standing::Dead),
        unknown: overview.tested(Standing::Unknown),
    });
    let path = overview.path.as_ref();
    let document = Document {
        schema: "keepscope.check/1",
        netns: overview.netns.as_ref().map(ToString::to_string),
        system: SystemOut {
            keepalive_idle_s: overview.system.keepalive_time,
            keepalive_interval_s: overview.system.keepalive_intvl,
            keepalive_count: overview.system.keepalive_probes,
        },
        silence_s: path.map(|path| path.silence.into()),
        class: path.map(|path| path.owner.name()),
        product: path.and_then(|path| path.product).map(|product| product.name),
        tested,
        interrupted: overview.interrupted,
        connections: overview.listed.iter().map(connection).collect(),
    };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}

fn connection(one: &Listed) -> ConnectionOut<'_> {
    let told = &one.connection;
    let info = told.info;
    let keepalive = match (one.in_force, told.timer) {
        (Some(set), _) if set.on => "on",
        (Some(_), _) | (None, Timer::Off) => "off",
        (None, Timer::Keepalive { .. }) => "on",
        _ => "not_told",
    };
    ConnectionOut {
        local: told.local.to_string(),
        peer: told.remote.to_string(),
        uid: told.uid,
        inode: told.inode,
        processes: one.holders.iter().map(|one| Process { pid: one.pid, name: &one.name }).collect(),
        silent_s: info.map(|info| info.silence().into()),
        silent_out_s: info.map(|info| info.silent_out().into()),
        silent_in_s: info.map(|info| info.silent_in().into()),
        last_data_sent_s: info.map(|info| info.last_data_sent.into()),
        last_data_received_s: info.map(|info| info.last_data_received.into()),
        last_ack_received_s: info.map(|info| info.last_ack_received.into()),
        timestamps: info.map(|info| info.timestamps),
        unacknowledged: info.map(|info| info.unacked),
        timer: told.timer.into(),
        keepalive,
        settings: one.in_force.map(SettingsOut::from),
        settings_not_told: one.not_told.as_deref(),
        judgement: one
            .judgement
            .as_ref()
            .map(|(verdict, reason)| JudgementOut { verdict: verdict.name(), reason }),
        test: one.test.as_ref().map(TestOut::from),
    }
}
