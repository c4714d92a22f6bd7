//! The connections of this host, for people and as JSON (`keepscope.check/1`).

mod document;

use std::io::{self, Write};

pub use document::json;

use super::stacks::detail::wrapped;
use super::text::plural;
use crate::advice::audit::Verdict as Judgement;
use crate::advice::path::Path;
use crate::live::check::diag::{Connection, Timer};
use crate::live::check::machine::{Kind, Machine, Standing, Verdict};
use crate::live::check::owner::{Holder, InForce};
use crate::live::doctor::Settings;
use crate::live::netns::NetNs;
use crate::printable::printable;
use crate::stack::value::seconds;
use crate::time::{Span, duration};

/// One connection.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What the kernel tells.
    pub connection: Connection,
    /// Who holds its socket, as far as that may be known.
    pub holders: Vec<Holder>,
    /// Its options, if they were asked for and told.
    pub in_force: Option<InForce>,
    /// Why they were not told.
    pub not_told: Option<String>,
    /// What is said of its keepalives.
    pub judgement: Option<(Judgement, String)>,
    /// Its test.
    pub test: Option<Machine>,
}

/// All of them.
#[derive(Debug)]
pub struct Overview {
    /// The network namespace that was looked at, if it is not our own.
    pub netns: Option<NetNs>,
    /// The system's settings there.
    pub system: Settings,
    /// The path for which it is judged.
    pub path: Option<Path>,
    /// The connections.
    pub listed: Vec<Listed>,
    /// The user broke the tests off.
    pub interrupted: bool,
}

impl Overview {
    /// How many tested connections stand so.
    fn tested(&self, standing: Standing) -> u64 {
        let tests = self.listed.iter().filter_map(|one| one.test.as_ref());
        tests.filter(|test| standing_of(test) == standing).count() as u64
    }
}

fn standing_of(test: &Machine) -> Standing {
    test.verdict().map_or(Standing::Unknown, Verdict::standing)
}

const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Alive => "alive",
        Standing::Dead => "dead",
        Standing::Unknown => "unknown",
    }
}

/// Writes them for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, overview: &Overview) -> io::Result<()> {
    if overview.listed.is_empty() {
        return writeln!(out, "no established connection");
    }
    let mut rows = vec![["LOCAL", "PEER", "OUT", "IN", "KEEPALIVE", "PROCESS"].map(str::to_owned)];
    rows.extend(overview.listed.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = rows.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    });
    if let Some(head) = lines.next() {
        writeln!(out, "{head}")?;
    }
    for (line, one) in lines.zip(&overview.listed) {
        writeln!(out, "{line}")?;
        below(out, one)?;
    }
    summary(out, overview)
}

fn summary(out: &mut dyn Write, overview: &Overview) -> io::Result<()> {
    let count = overview.listed.len() as u64;
    write!(
        out,
        "\n{}; OUT: since data or its acknowledgment left (probes are not told),",
        plural(count, "connection")
    )?;
    write!(out, " IN: since either came")?;
    if let Some(path) = &overview.path {
        let count = |wanted| {
            let judged = overview.listed.iter().filter_map(|one| one.judgement.as_ref());
            judged.filter(|(verdict, _)| *verdict == wanted).count()
        };
        let [safe, unsafe_, unknown] = [Judgement::Safe, Judgement::Unsafe, Judgement::Unknown].map(count);
        let silence = seconds(path.silence);
        write!(out, "\nkeepalives, where {silence} of silence are forgotten: ")?;
        write!(out, "{safe} safe, {unsafe_} unsafe, {unknown} unknown")?;
    }
    if overview.listed.iter().any(|one| one.test.is_some()) {
        let [alive, dead, unknown] =
            [Standing::Alive, Standing::Dead, Standing::Unknown].map(|standing| overview.tested(standing));
        write!(out, "\ntested: {alive} alive now, {dead} dead, {unknown} unknown")?;
    }
    writeln!(out)
}

fn row(one: &Listed) -> [String; 6] {
    let info = one.connection.info;
    let shown = |span: Option<Span>| span.map_or_else(|| "not told".to_owned(), rough);
    let holders: Vec<String> =
        one.holders.iter().map(|holder| format!("{}[{}]", holder.name, holder.pid)).collect();
    let process = match holders.is_empty() {
        true => format!("not told, uid {}", one.connection.uid),
        false => holders.join(", "),
    };
    [
        one.connection.local.to_string(),
        one.connection.remote.to_string(),
        shown(info.map(|info| info.silent_out())),
        shown(info.map(|info| info.silent_in())),
        keepalive(one),
        process,
    ]
}

/// What is known of its keepalives, in a few words.
fn keepalive(one: &Listed) -> String {
    if let Some(set) = one.in_force {
        let times = format!("{} / {} / {}", seconds(set.idle), seconds(set.interval), set.count);
        let user = match set.user_timeout {
            Span::ZERO => String::new(),
            user => format!(", user timeout {}", seconds(user)),
        };
        let next = match one.connection.timer {
            Timer::Keepalive { expires, .. } => format!(", fires in {}", rough(expires)),
            _ => String::new(),
        };
        return if set.on { format!("on: {times}{user}{next}") } else { "off".to_owned() };
    }
    match one.connection.timer {
        Timer::Off => "off".to_owned(),
        Timer::Keepalive { expires, unanswered: 0 } => format!("on, fires in {}", rough(expires)),
        Timer::Keepalive { expires, unanswered } => {
            format!("on, {} unanswered, next in {}", plural(u64::from(unanswered), "probe"), rough(expires))
        }
        Timer::Retransmission { .. } => "not told (retransmits)".to_owned(),
        Timer::ZeroWindow { .. } => "not told (window closed)".to_owned(),
        Timer::Other(number) => format!("not told (timer {number})"),
    }
}

/// The lines under a connection.
fn below(out: &mut dyn Write, one: &Listed) -> io::Result<()> {
    let mut line = |word: &str, text: &str| {
        write!(out, "    {word:<8}")?;
        wrapped(out, 12, 12, &printable(text, '?'))
    };
    if let Some(why) = &one.not_told {
        line("", &format!("settings not told: {why}"))?;
    }
    if let Some((verdict, reason)) = &one.judgement {
        line(&verdict.name().to_uppercase(), reason)?;
    }
    if let Some(test) = &one.test {
        line(&word(standing_of(test)).to_uppercase(), &said(test, &one.connection))?;
    }
    Ok(())
}

/// What a test came to, in a sentence.
fn said(test: &Machine, connection: &Connection) -> String {
    let count = plural(test.sent().len() as u64, "segment");
    let after = test.sent().last().and_then(|last| last.answer);
    let after =
        after.map_or_else(String::new, |answer| format!(" after {} us", answer.after.as_nanos() / 1000));
    let Some(verdict) = test.verdict() else { return "the test was broken off".to_owned() };
    match verdict {
        Verdict::Alive => format!("now: the peer answered an ACK outside its window{after} ({count})"),
        Verdict::Confirmed => format!("now: the peer answered a keepalive probe{after} ({count})"),
        Verdict::InUse => format!("now: data came from the peer{after} ({count})"),
        Verdict::Unconfirmed => {
            format!("the peer answered an ACK outside its window, but no keepalive probe ({count})")
        }
        Verdict::Reset => {
            let probed = test.sent().last().is_some_and(|last| last.shot.kind == Kind::Probe);
            let what = if probed { ", which has reset the socket here, too" } else { " and no ACK" };
            format!("reset: a RST came{what} ({count}); the peer or a box has forgotten the connection")
        }
        Verdict::Unclear => {
            let resets = plural(test.resets() as u64, "RST");
            format!(
                "{resets} came back, and nothing to the rest of {count}: the peer is gone, or a box hands on \
                 untranslated what is outside the window"
            )
        }
        Verdict::ClosedByPeer => format!("closed by the peer: a FIN came{after} ({count})"),
        Verdict::Unreachable { kind, reporter } => {
            format!("unreachable: {reporter} says {} ({count})", icmp(*kind))
        }
        Verdict::Silent { kernel_unanswered: 0 } => {
            let stamps = match connection.info.is_some_and(|info| info.timestamps) {
                true => ", or the peer takes no segment without timestamps",
                false => "",
            };
            format!(
                "nothing came back ({count}): the peer is gone, or a box drops what is outside the window{stamps}"
            )
        }
        Verdict::Silent { kernel_unanswered } => {
            let own = plural(u64::from(*kernel_unanswered), "segment");
            format!("silent: nothing came back ({count}), nor to {own} of the kernel's own")
        }
        Verdict::Changed(changed) => format!("{changed}, so nothing more was sent ({count})"),
        Verdict::NotSent(error) => format!("the system did not send it: {error}"),
        Verdict::Interrupted => format!("interrupted ({count})"),
    }
}

/// What an ICMP error says.
fn icmp(kind: crate::segment::IcmpKind) -> String {
    use crate::segment::IcmpKind;
    match kind {
        IcmpKind::Unreachable(code) => format!("destination unreachable, code {code}"),
        IcmpKind::TimeExceeded(code) => format!("time exceeded, code {code}"),
        IcmpKind::PacketTooBig => "packet too big".to_owned(),
        IcmpKind::ParameterProblem(code) => format!("parameter problem, code {code}"),
    }
}

/// Tenths of a second up to a minute, whole seconds from there.
fn rough(span: Span) -> String {
    let unit = if span < Span::from_secs(60) { 100_000_000 } else { 1_000_000_000 };
    duration::format(Span::from_nanos(span.as_nanos() / unit * unit))
}
