//! What became of the chosen connection, what shows it, and what would change it.

use super::pen::Pen;
use crate::analysis::filter::best_explanation;
use crate::analysis::{ConnectionRecord, Outcome, median};
use crate::dashboard::live::{Link, Stage};
use crate::dashboard::model::{Chosen, Model, Panel, Session};
use crate::dashboard::text::{brief, plural, seconds, wrap};
use crate::dashboard::theme::Role;
use crate::time::Span;

/// Frames that are named; the others are counted.
const NAMED: usize = 12;

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let title = session.selected.map_or("Verdict".to_owned(), |id| format!("Verdict #{id}"));
    let Some(chosen) = session.chosen.as_ref() else {
        pen.panel("Verdict", "", model.choices.focus == Panel::Verdict);
        return;
    };
    let link = link(session, chosen);
    let known = link.and_then(|link| link.stage.verdict());
    let (sign, word, role) =
        known.unwrap_or_else(|| model.choices.theme.outcome(chosen.record.verdict.outcome));
    if pen.height() < 3 {
        let x = pen.put(1, 0, &format!("#{} {sign} {word}", chosen.record.id), role);
        pen.put(x, 0, &format!(": {}", reason(session, chosen)), Role::Text);
        return;
    }
    let mut pen = pen.panel(&title, "", model.choices.focus == Panel::Verdict);
    let mut y = 0;
    pen.put(0, y, &format!("{sign} {word}"), role);
    if !chosen.is_final {
        pen.put_right(0, y, "so far", Role::Faint);
    }
    y += 1;
    let columns = usize::from(pen.width());
    for (heading, text) in paragraphs(session, chosen) {
        let joined = if heading.is_empty() { text } else { format!("{heading}: {text}") };
        for (number, line) in wrap(&joined, columns.saturating_sub(2)).iter().enumerate() {
            if y >= pen.height() {
                return;
            }
            let indent = if number == 0 { 0 } else { 2 };
            pen.put(indent, y, line, Role::Text);
            if number == 0 && !heading.is_empty() {
                pen.mark(0, y, heading.len() as u16 + 1, Role::Strong);
            }
            y += 1;
        }
    }
}

/// What there is to say, most important first.
fn paragraphs(session: &Session, chosen: &Chosen) -> Vec<(&'static str, String)> {
    let record = &chosen.record;
    let mut said = vec![("", reason(session, chosen))];
    said.extend(ours(session, chosen).map(|words| ("state", words)));
    let known = link(session, chosen).and_then(|link| link.stage.would_change());
    said.push(("would change it", known.unwrap_or_else(|| would_change(record)).to_owned()));
    let evidence = &record.verdict.evidence;
    if !evidence.is_empty() {
        let named: Vec<String> = evidence.iter().take(NAMED).map(ToString::to_string).collect();
        let more = evidence.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        said.push(("frames", format!("{}{more}", named.join(" "))));
    }
    said.extend(probes(record).map(|words| ("probes", words)));
    let ours = session.live.as_ref().is_some_and(|live| live.owner(record.id).is_some());
    // Who knows what was set need not draw it from packets.
    if let Some(best) = best_explanation(record).filter(|_| !ours) {
        said.push(("like", crate::dashboard::expected::words(best)));
    }
    said.extend(in_time(session).map(|words| ("due", words)));
    if let Some(life) = record.verdict.last_life {
        let base = session.store.span().map_or(life.time, |(first, _)| first);
        said.push(("last heard", format!("frame {} at {}", life.frame, seconds(life.time.since(base)))));
    }
    said.extend(record.confounders.iter().map(|confounder| ("mind", confounder.kind.sentence().to_owned())));
    said
}

/// The chosen connection if it is ours; how it stands is known of now only.
fn link<'a>(session: &'a Session, chosen: &Chosen) -> Option<&'a Link> {
    session.live.as_ref().filter(|_| session.player.playing)?.link(chosen.record.id)
}

/// What was seen, in one sentence.
fn reason(session: &Session, chosen: &Chosen) -> String {
    let reason = &chosen.record.verdict.reason;
    if let Some(known) = link(session, chosen).and_then(|link| link.stage.reason()) {
        return known.to_owned();
    }
    // A source that goes on has no end of which to speak.
    if session.live.is_some() { reason.replace("when the capture ends", "so far") } else { reason.clone() }
}

/// How one of our connections stands.
fn ours(session: &Session, chosen: &Chosen) -> Option<String> {
    let live = session.live.as_ref()?;
    let link = link(session, chosen)?;
    let settings = link.manner.settings;
    let base = session.store.span().map_or(session.player.at.time, |(first, _)| first);
    let at = |time: Option<crate::time::Timestamp>| time.map(|time| seconds(time.since(base)));
    let waits = match (link.stage, link.unanswered) {
        (Stage::Silent, _) => {
            format!("given up: {} without an answer", plural(settings.count.into(), "probe"))
        }
        (Stage::Open, 0) if live.facts.held => "open; probes are held back".to_owned(),
        (Stage::Open, 0) => {
            at(link.next).map_or("open".to_owned(), |next| format!("open; next probe at {next}"))
        }
        (Stage::Open, waiting) => {
            let end = at(link.gives_up).map_or(String::new(), |end| format!("; given up at {end} otherwise"));
            format!("{waiting} of {} without an answer{end}", plural(settings.count.into(), "probe"))
        }
        (stage, _) => stage.word().to_owned(),
    };
    Some(format!("{waits}; {}", link.manner))
}

fn probes(record: &ConnectionRecord) -> Option<String> {
    let mut parts = Vec::new();
    let mut trips: Vec<Span> = Vec::new();
    for (party, prober) in record.probers() {
        let (sent, answered) = (prober.probes.len(), prober.answered());
        parts.push(format!("{} {sent}, {} lost", party.name(), sent - answered));
        trips.extend(prober.round_trips());
    }
    trips.sort_unstable();
    if let Some(p50) = median(&trips) {
        let p99 = trips.get((trips.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(p50);
        parts.push(format!("RTT p50 {} p99 {}", brief(p50), brief(p99)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How many probes came when they were due, up to now.
fn in_time(session: &Session) -> Option<String> {
    let expected = session.expected.as_ref().filter(|known| Some(known.connection) == session.selected)?;
    let now = session.player.at.time;
    let seen = expected.due.iter().filter_map(|due| due.probe.map(|probe| (due, probe)));
    let (mut came, mut held) = (0_u64, 0_u64);
    for (due, probe) in seen.filter(|(_, probe)| probe.time <= now) {
        came += 1;
        held += u64::from(due.holds(probe.time));
    }
    if came == 0 {
        return None;
    }
    let base = session.store.span().map_or(now, |(first, _)| first);
    let next = super::timeline::next_due(session).map_or(String::new(), |due| {
        format!("; next {} to {}", seconds(due.window.0.since(base)), seconds(due.window.1.since(base)))
    });
    Some(format!("{held} of {} in time for these settings{next}", plural(came, "probe")))
}

fn would_change(record: &ConnectionRecord) -> &'static str {
    match record.verdict.outcome {
        Outcome::TimedOut => {
            "a capture nearer to the peer: were the probes, or the answers, lost on the way?"
        }
        Outcome::Reset if record.verdict.origin.is_some() => {
            "a capture at the other end: did it send this RST, or did something on the path?"
        }
        Outcome::Reset => "a later segment that shows the RST was ignored",
        Outcome::Unanswered => {
            "any later segment of the peer (alive), or a RST in step with the probes (timed out)"
        }
        Outcome::Inconclusive
            if record
                .confounders
                .iter()
                .any(|one| one.kind == crate::analysis::confounder::Kind::OneDirection) =>
        {
            "a capture with both directions"
        }
        Outcome::Inconclusive => "more time after the last probe",
        Outcome::Alive => "probes without an answer",
        Outcome::Closed => "nothing later; it ended in order",
        Outcome::NoKeepalive => "a probe: capture longer than the idle time",
    }
}
