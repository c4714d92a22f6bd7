//! The timeline of the chosen connection: idle times and intervals as bands, probes and answers, and when each
//! probe was due beside when it came.

mod aside;

use super::ladder::is_waiting;
use super::pen::Pen;
use crate::analysis::verification::Due;
use crate::analysis::{ProbeRecord, ProberRecord};
use crate::dashboard::axis::Axis;
use crate::dashboard::model::{Model, Panel, Session};
use crate::dashboard::store::Connection;
use crate::dashboard::text::{self, brief};
use crate::dashboard::theme::Role;
use crate::time::{Span, Timestamp};
use crate::track::event::Party;

/// Probes on the timeline of a source that goes on.
const LATEST: usize = 12;

/// Columns for the names of the lines.
const NAMES: u16 = 6;

/// The next probe that is due after the moment shown, or was due and did not come.
pub(super) fn next_due(session: &Session) -> Option<&Due> {
    let expected =
        session.expected.as_ref().filter(|expected| Some(expected.connection) == session.selected)?;
    let now = session.player.at.time;
    let is_over = session.chosen.as_ref().is_some_and(|chosen| chosen.record.summary.reset.is_some());
    let next = expected.due.iter().find(|due| due.probe.is_none_or(|probe| probe.time > now))?;
    (!is_over).then_some(next)
}

/// The prober of the timeline: the one that was worked out, or the busier one.
pub fn prober(session: &Session) -> Option<(Party, &ProberRecord)> {
    let chosen = session.chosen.as_ref()?;
    let known = session.expected.as_ref().filter(|expected| Some(expected.connection) == session.selected);
    match known.filter(|known| !known.due.is_empty()) {
        Some(known) => Some((known.party, chosen.record.prober(known.party))),
        None => chosen.record.probers().max_by_key(|(_, prober)| prober.probes.len()),
    }
}

/// From when to when the timeline goes: the whole connection, or around now when zoomed in.
pub fn window(session: &Session) -> Option<(Timestamp, Timestamp)> {
    let connection = session.selected.and_then(|id| session.store.connection(id))?;
    if session.live.is_some() {
        return live_window(session, connection);
    }
    let last = connection.rows.last().and_then(|row| session.store.row(*row))?.time;
    let now = session.player.at.time;
    let first = connection.opened.first.time;
    let last = last.max(if session.zoom == 0 { last } else { now });
    // What a simulation knows goes on after the last packet.
    let covered = session.store.span().filter(|_| session.asides.foreseen);
    let last = covered.map_or(last, |(_, covered)| last.max(covered));
    let last = next_due(session).filter(|due| due.probe.is_none()).map_or(last, |due| last.max(due.window.1));
    if session.zoom == 0 {
        return Some((first, last.max(first.plus(Span::from_millis(1)))));
    }
    let length = (last.since(first).as_nanos() >> session.zoom).max(1_000_000);
    let begin = now.plus(Span::from_nanos(-length / 2)).max(first);
    Some((begin, begin.plus(Span::from_nanos(length))))
}

/// The same of a source that goes on: the last probes, up to when the connection is given up or a little beyond
/// now, so that the axis stands still while now moves.
fn live_window(session: &Session, connection: &Connection) -> Option<(Timestamp, Timestamp)> {
    let live = session.live.as_ref()?;
    let now = session.player.at.time;
    let probes = prober(session).map(|(_, prober)| prober.probes.as_slice()).unwrap_or_default();
    let shown = probes.len().checked_sub(LATEST).and_then(|skipped| probes.get(skipped));
    let first = connection.opened.first.time;
    let from =
        shown.map_or(first, |probe| begin_of_silence(probe).unwrap_or(probe.segment.at.time).max(first));
    let link = session.selected.and_then(|id| live.link(id)).filter(|_| session.player.playing);
    let is_over = match link {
        Some(link) => !link.stage.goes_on(),
        None => session.chosen.as_ref().is_some_and(|chosen| chosen.is_final),
    };
    let last = connection.rows.last().and_then(|row| session.store.row(*row)).map_or(now, |row| row.time);
    let to = match link.and_then(|link| link.gives_up) {
        _ if is_over || live.facts.over.is_some() => last.max(from),
        Some(end) => end.max(now),
        None => {
            let passed = now.since(from).as_nanos().max(0);
            let step = (passed / 8).max(1_000_000_000).saturating_add(1);
            let step = u64::try_from(step).unwrap_or(1).checked_next_power_of_two().unwrap_or(u64::MAX >> 1);
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            let due = next_due(session).map_or(now, |due| due.window.1);
            from.plus(Span::from_nanos(step.saturating_mul(passed / step + 1))).max(due)
        }
    };
    let to = to.max(from.plus(Span::from_millis(1)));
    if session.zoom == 0 {
        return Some((from, to));
    }
    let length = (to.since(from).as_nanos() >> session.zoom).max(1_000_000);
    let steps = now.since(from).as_nanos().max(0) / (length / 2).max(1);
    let begin = from.plus(Span::from_nanos((length / 2).saturating_mul(steps.saturating_sub(1).max(0))));
    Some((begin, begin.plus(Span::from_nanos(length))))
}

/// The axis of a timeline of so many columns.
pub fn axis(session: &Session, columns: u16) -> Option<Axis> {
    let (from, to) = window(session)?;
    let shown = prober(session);
    if shown.is_none() && !session.asides.foreseen {
        return None;
    }
    // Of all probes where they are known, so that the axis stands still while time goes on.
    let whole = session.selected.and_then(|id| session.store.connection(id)?.record.as_ref());
    let prober = match (whole, shown) {
        (Some((_, record)), Some((party, _))) => Some(record.prober(party)),
        (Some((_, record)), None) => {
            record.probers().max_by_key(|(_, prober)| prober.probes.len()).map(|(_, prober)| prober)
        }
        (None, shown) => shown.map(|(_, prober)| prober),
    };
    let probes = || prober.iter().flat_map(|prober| &prober.probes);
    let mut times: Vec<Timestamp> = probes().map(|probe| probe.segment.at.time).collect();
    let first = probes().next().and_then(begin_of_silence);
    times.extend(first);
    times.extend([from, to]);
    times.retain(|time| *time >= from && *time <= to);
    times.sort_unstable();
    let gaps: Vec<(Timestamp, Timestamp)> =
        times.iter().copied().zip(times.iter().skip(1).copied()).collect();
    let axis = Axis::folding(from, to, &gaps, columns);
    // In a simulation the silences are the matter; they are folded only where nothing else could be seen.
    let folded = axis.pieces().iter().filter(|piece| piece.folded);
    let silent: i128 = folded.map(|piece| i128::from(piece.to.since(piece.from).as_nanos())).sum();
    let is_most = silent * 10 >= i128::from(to.since(from).as_nanos()) * 9;
    Some(if session.asides.foreseen && !is_most { Axis::plain(from, to, columns) } else { axis })
}

/// When the silence before a probe began.
fn begin_of_silence(probe: &ProbeRecord) -> Option<Timestamp> {
    let silence = probe.segment.silence.or(probe.segment.quiet)?;
    Some(probe.segment.at.time.plus(Span::from_nanos(-silence.as_nanos())))
}

/// A band: from, to, and whether it is the idle time.
pub fn bands(prober: &ProberRecord) -> impl Iterator<Item = (Timestamp, Timestamp, bool)> {
    let before = std::iter::once(None).chain(prober.probes.iter().map(Some));
    prober.probes.iter().zip(before).filter_map(|(probe, before)| {
        let to = probe.segment.at.time;
        match before.filter(|_| probe.segment.run > 1) {
            Some(before) => Some((before.segment.at.time, to, false)),
            None => begin_of_silence(probe).map(|from| (from, to, true)),
        }
    })
}

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let title = session.selected.map_or("Timeline".to_owned(), |id| format!("Timeline #{id}"));
    let zoom = if session.zoom > 0 { format!("   zoom {}x", 1_u32 << session.zoom) } else { String::new() };
    let legend = if session.asides.foreseen {
        "i idle n intvl K probe a answer x lost ! event r re-armed X forgotten"
    } else if session.live.is_some() {
        "i idle n intvl K probe a answer x lost o due D given up"
    } else if pen.width() >= 100 {
        "i idle  n interval  K probe  a answer  x lost  [ ] due  ! not in time"
    } else {
        "i idle n intvl K probe a answer x lost [] due"
    };
    let right = format!("{legend}{zoom}");
    let mut pen = pen.panel(&title, &right, model.choices.focus == Panel::Timeline);
    let none = ProberRecord::default();
    let prober = prober(session).map_or(&none, |(_, prober)| prober);
    let columns = pen.width().saturating_sub(NAMES);
    let Some(axis) = axis(session, columns).filter(|_| columns >= 10) else { return };
    let base = session.store.span().map(|(first, _)| first).unwrap_or_default();
    let now = session.player.at.time;
    // Of few lines the axis goes first.
    let simulated;
    let lines: &[Line] = match pen.height() {
        height if session.asides.foreseen => {
            simulated = lines_of_simulation(usize::from(height), session.asides.boxes.len());
            &simulated
        }
        0 => &[],
        1 => &[Line::Bands],
        2 => &[Line::Bands, Line::Probes],
        3 => &[Line::Bands, Line::Probes, Line::Answers],
        4 => &[Line::Bands, Line::Probes, Line::Answers, Line::Due],
        _ => &[Line::Axis, Line::Bands, Line::Probes, Line::Answers, Line::Due],
    };
    for (y, line) in (0..).zip(lines) {
        let name = match line {
            Line::Box(place) if session.asides.boxes.len() > 1 => {
                session.asides.boxes.get(*place).map_or("", |found| found.name.as_str())
            }
            line => line.name(),
        };
        pen.part(0, y, NAMES - 1, 1).put(0, 0, name, Role::Faint);
        let mut part = pen.part(NAMES, y, columns, 1);
        match line {
            Line::Axis => draw_axis(&axis, base, &mut part),
            Line::Bands => draw_bands(&axis, prober, now, &mut part),
            Line::Probes => draw_probes(&axis, session, prober, &mut part),
            Line::Answers => draw_answers(&axis, session, prober, &mut part),
            Line::Due => draw_due(&axis, session, &mut part),
            Line::Script => aside::script(&axis, session, &mut part),
            Line::Box(place) => aside::of_box(&axis, session, *place, &mut part),
        }
        for piece in axis.pieces().iter().filter(|piece| piece.folded) {
            part.put(piece.column, 0, "//", Role::Faint);
        }
        if let Some(column) = axis.column(now) {
            part.mark(column, 0, 1, Role::Now);
        }
    }
}

#[derive(Clone, Copy)]
enum Line {
    Axis,
    Bands,
    Probes,
    Answers,
    Due,
    /// What befell hosts in a simulation.
    Script,
    /// What a box knew in it.
    Box(usize),
}

/// The lines for a simulation: of few the most telling ones.
fn lines_of_simulation(height: usize, boxes: usize) -> Vec<Line> {
    let mut wanted = vec![Line::Bands, Line::Probes, Line::Script, Line::Answers, Line::Axis];
    let first = boxes.min(1);
    wanted.splice(2..2, (0..first).map(Line::Box));
    wanted.extend((first..boxes).map(Line::Box));
    wanted.truncate(height);
    wanted.sort_by_key(|line| line.place());
    wanted
}

impl Line {
    const fn name(self) -> &'static str {
        match self {
            Line::Axis => "t",
            Line::Bands => "band",
            Line::Probes => "probe",
            Line::Answers => "back",
            Line::Due => "due",
            Line::Script => "event",
            Line::Box(_) => "box",
        }
    }

    /// From above to below.
    const fn place(self) -> usize {
        match self {
            Line::Axis => 0,
            Line::Bands => 1,
            Line::Probes => 2,
            Line::Answers => 3,
            Line::Due => 4,
            Line::Script => 5,
            Line::Box(place) => 6 + place,
        }
    }
}

fn draw_axis(axis: &Axis, base: Timestamp, pen: &mut Pen<'_>) {
    let mut free = 0;
    for piece in axis.pieces().iter().filter(|piece| !piece.folded) {
        let mut column = piece.column;
        while column < piece.column + piece.columns {
            let label = brief(axis.time(column).since(base));
            let wide = text::width(&label) as u16;
            if column >= free && column + wide < pen.width() {
                free = pen.put(column, 0, &label, Role::Faint) + 2;
            }
            column += 12;
        }
    }
}

fn draw_bands(axis: &Axis, prober: &ProberRecord, now: Timestamp, pen: &mut Pen<'_>) {
    let (Some(first), Some(last)) = (axis.pieces().first(), axis.pieces().last()) else { return };
    for (from, to, idle) in bands(prober) {
        if to < first.from || from > last.to {
            continue;
        }
        let (sign, role) = if idle { ("i", Role::Idle) } else { ("n", Role::Interval) };
        let from_column = axis.column(from.max(first.from)).unwrap_or(0);
        let to_column = axis.column(to.min(last.to)).unwrap_or(pen.width());
        // The column of a probe is the end of the band before it.
        let begin = from_column + u16::from(from_column > 0);
        let wide = usize::from((to_column + 1).saturating_sub(begin).max(1));
        let label = format!(" {} ", brief(to.since(from)));
        let room = wide.saturating_sub(text::width(&label));
        let filled = if room >= 2 {
            format!("{}{label}{}", sign.repeat(room / 2), sign.repeat(room - room / 2))
        } else {
            sign.repeat(wide)
        };
        pen.put(begin.min(to_column), 0, &filled, role);
    }
    let quiet = prober.probes.last().map(|probe| probe.segment.at.time).filter(|last| now > *last);
    if let Some((from, to)) = quiet.and_then(|last| axis.column(last)).zip(axis.column(now)) {
        for column in from + 1..to {
            pen.put(column, 0, ".", Role::Faint);
        }
    }
}

fn draw_probes(axis: &Axis, session: &Session, prober: &ProberRecord, pen: &mut Pen<'_>) {
    for probe in &prober.probes {
        if let Some(column) = axis.column(probe.segment.at.time) {
            let (sign, role) = if probe.answer.is_some() { ("K", Role::Good) } else { ("k", Role::Doubt) };
            pen.put(column, 0, sign, role);
        }
    }
    let Some(chosen) = session.chosen.as_ref() else { return };
    draw_to_come(axis, session, pen);
    let ends = [
        (chosen.record.summary.client.fin.map(|fin| fin.time), "F", Role::Text),
        (chosen.record.summary.server.fin.map(|fin| fin.time), "F", Role::Text),
        (chosen.record.summary.reset.map(|(_, at)| at.time), "R", Role::Bad),
    ];
    for (time, sign, role) in ends {
        if let Some(column) = time.and_then(|time| axis.column(time)) {
            pen.put(column, 0, sign, role);
        }
    }
}

/// Of ours, the probes that are due and when it is given up.
fn draw_to_come(axis: &Axis, session: &Session, pen: &mut Pen<'_>) {
    let live = session.live.as_ref().filter(|_| session.player.playing);
    let link = live.zip(session.selected).and_then(|(live, id)| live.link(id));
    let Some(link) = link.filter(|link| link.stage.goes_on()) else { return };
    let settings = link.manner.settings;
    let left = i64::from(settings.count.saturating_sub(link.unanswered)).min(i64::from(pen.width()));
    for number in 0..left {
        let due = link.next.map(|next| next.plus(settings.interval.times(number)));
        if let Some(column) = due.and_then(|due| axis.column(due)) {
            pen.put(column, 0, "o", Role::Faint);
        }
    }
    if let Some(column) = link.gives_up.and_then(|end| axis.column(end)) {
        pen.put(column, 0, "D", Role::Bad);
    }
}

fn draw_answers(axis: &Axis, session: &Session, prober: &ProberRecord, pen: &mut Pen<'_>) {
    for probe in &prober.probes {
        let (time, sign, role) = match &probe.answer {
            Some(answer) if probe.is_answered_by_peer() => (answer.at.time, "a", Role::Good),
            Some(answer) => (answer.at.time, "!", Role::Doubt),
            None if is_waiting(session, probe.segment.at.time) => (probe.segment.at.time, "?", Role::Text),
            None => (probe.segment.at.time, "x", Role::Doubt),
        };
        if let Some(column) = axis.column(time) {
            pen.put(column, 0, sign, role);
        }
    }
}

/// When probes were due, as far as time has come, and when the next one is.
fn draw_due(axis: &Axis, session: &Session, pen: &mut Pen<'_>) {
    let Some(expected) = session.expected.as_ref().filter(|known| Some(known.connection) == session.selected)
    else {
        pen.put(0, 0, "worked out when all has been read", Role::Faint);
        return;
    };
    if expected.due.is_empty() {
        pen.put(0, 0, &expected.settings, Role::Faint);
        return;
    }
    let now = session.player.at.time;
    let next = next_due(session);
    for due in &expected.due {
        let past = due.probe.filter(|probe| probe.time <= now);
        if past.is_none() && next != Some(due) {
            continue;
        }
        let held = past.is_none_or(|probe| due.holds(probe.time));
        let role = if !held {
            Role::Bad
        } else if past.is_some() {
            Role::Text
        } else {
            Role::Faint
        };
        let (from, to) = (axis.column(due.window.0), axis.column(due.window.1));
        match (from, to) {
            (Some(from), Some(to)) if from == to => {
                pen.put(from, 0, "|", role);
            }
            (from, to) => {
                from.map(|column| pen.put(column, 0, "[", role));
                to.map(|column| pen.put(column, 0, "]", role));
            }
        }
        if let Some(column) = past.filter(|_| !held).and_then(|probe| axis.column(probe.time)) {
            pen.put(column, 0, "!", Role::Bad);
        }
    }
}
