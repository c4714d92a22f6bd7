//! Judgements on sockets that listen: lines under those on configuration, and `listeners` in their document.

use std::io::{self, Write};

use serde::Serialize;

use super::{SettingsDocument, clean};
use crate::advice::audit::Verdict;
use crate::advice::listener::{Accepted, Listener, ListenerJudgement, Options};
use crate::advice::socket::State;
use crate::keepalive::Settings;
use crate::report::number::Seconds;
use crate::report::stacks::detail::wrapped;
use crate::report::text::plural;
use crate::stack::value::seconds;

/// More processes than these are only counted.
const SHOWN: usize = 3;

/// The sockets of this host that listen.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// The network namespace that was looked at, if it is not our own.
    pub netns: Option<String>,
    /// All that were judged.
    pub judged: Vec<ListenerJudgement>,
    /// So many were left out because only this host itself reaches them.
    pub loopback: usize,
}

impl Listeners {
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.judged.iter().filter(|one| one.verdict == verdict).count()
    }

    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for one in &self.judged {
            let listener = &one.listener;
            let (word, processes) = (one.verdict.name().to_uppercase(), processes(listener));
            let own = listener.options.as_ref().map_or("options not told".to_owned(), |own| said(*own));
            writeln!(out, "{word:<8} {}  {processes}: {own}", listener.local)?;
            write!(out, "         ")?;
            wrapped(out, 9, 9, &clean(&one.reason))?;
            if let Some(mend) = one.mend {
                writeln!(out, "         set on it before listen(2), or on what it accepts:")?;
                writeln!(out, "             {}", socket_options(mend))?;
            }
        }
        if self.loopback > 0 {
            let count = plural(self.loopback as u64, "listener");
            let text = format!(
                "{count} on loopback left out, which this host alone reaches and no box stands before; --port and --pid \
                 judge them, too"
            );
            wrapped(out, 0, 0, &text)?;
        }
        Ok(())
    }

    pub(super) fn documents(&self) -> Vec<ListenerDocument<'_>> {
        self.judged.iter().map(ListenerDocument::from).collect()
    }
}

fn processes(listener: &Listener) -> String {
    let all = &listener.processes;
    if all.is_empty() {
        return format!("process not told, uid {}", listener.uid);
    }
    let shown: Vec<String> =
        all.iter().take(SHOWN).map(|(pid, name)| format!("{}[{pid}]", clean(name))).collect();
    match all.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn said(own: Options) -> String {
    let set = own.settings;
    let user = set.user_timeout_in_force().map(|user| format!(", user timeout {}", seconds(user)));
    match own.on {
        true => {
            let (idle, interval) = (seconds(set.idle), seconds(set.interval));
            format!("keepalives on, {idle} / {interval} / {}{}", set.count, user.unwrap_or_default())
        }
        false => format!("keepalives off{}", user.unwrap_or_default()),
    }
}

/// As setsockopt(2) has them.
fn socket_options(set: Settings) -> String {
    let whole = |span: crate::time::Span| span.as_nanos() / 1_000_000_000;
    let (idle, interval) = (whole(set.idle), whole(set.interval));
    let count = set.count;
    format!("SO_KEEPALIVE 1, TCP_KEEPIDLE {idle}, TCP_KEEPINTVL {interval}, TCP_KEEPCNT {count}")
}

#[derive(Serialize)]
pub(super) struct ListenerDocument<'a> {
    verdict: &'static str,
    local: String,
    uid: u32,
    processes: Vec<Process<'a>>,
    /// "on", "off" or "not_told".
    keepalive: &'static str,
    /// What it has, also where keepalives are off.
    settings: Option<SettingsDocument>,
    not_told: Option<&'a str>,
    /// What the verdict rests on: "inherited", "accepted" or "nothing".
    basis: &'static str,
    reason: &'a str,
    accepted: Vec<AcceptedDocument<'a>>,
    mend: Option<SettingsDocument>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    name: &'a str,
}

#[derive(Serialize)]
struct AcceptedDocument<'a> {
    verdict: &'static str,
    local: String,
    peer: String,
    process: Option<Process<'a>>,
    /// "on", "off" or "not_told".
    keepalive: &'static str,
    settings: Option<SettingsDocument>,
    silent_s: Option<Seconds>,
    reason: &'a str,
}

impl<'a> From<&'a ListenerJudgement> for ListenerDocument<'a> {
    fn from(one: &'a ListenerJudgement) -> Self {
        let listener = &one.listener;
        let process = |(pid, name): &'a (u32, String)| Process { pid: *pid, name };
        let own = listener.options.as_ref();
        let accepted = listener.accepted.iter().zip(&one.accepted);
        ListenerDocument {
            verdict: one.verdict.name(),
            local: listener.local.to_string(),
            uid: listener.uid,
            processes: listener.processes.iter().map(process).collect(),
            keepalive: own.map_or("not_told", |own| if own.on { "on" } else { "off" }),
            settings: own.ok().map(|own| own.settings.into()),
            not_told: own.err().map(String::as_str),
            basis: one.basis.name(),
            reason: &one.reason,
            accepted: accepted
                .map(|(one, (verdict, reason))| accepted_document(one, *verdict, reason))
                .collect(),
            mend: one.mend.map(SettingsDocument::from),
        }
    }
}

fn accepted_document<'a>(one: &'a Accepted, verdict: Verdict, reason: &'a str) -> AcceptedDocument<'a> {
    let (keepalive, settings) = match one.state {
        State::Off => ("off", None),
        State::Set(settings) => ("on", Some(settings.into())),
        State::On { .. } => ("on", None),
        State::Hidden => ("not_told", None),
    };
    AcceptedDocument {
        verdict: verdict.name(),
        local: one.local.to_string(),
        peer: one.remote.to_string(),
        process: one.process.as_ref().map(|(pid, name)| Process { pid: *pid, name }),
        keepalive,
        settings,
        silent_s: one.silent.map(Seconds::from),
        reason,
    }
}
