//! What follows from the moment shown of a live source: what is due, the settings of others' probers, and when
//! something that is shown changes although nothing is told.

use crate::analysis::verification::Due;
use crate::dashboard::expected;
use crate::dashboard::model::{Expected, Session};
use crate::dashboard::view::{ladder, live_table, timeline};
use crate::time::{Span, Timestamp};
use crate::track::event::{ConnectionId, Party};

/// The shortest time between two frames that only time asks for.
const STEP: Span = Span::from_millis(250);

/// Lines of the table whose settings are drawn, and how many of them for one frame.
const LINES: usize = 64;
const AT_ONCE: usize = 4;

/// Probes of a connection from which settings are drawn again once there are twice as many.
const FEW: u32 = 12;

pub(super) fn settle(session: &mut Session, columns: u16) {
    if session.live.is_none() {
        return;
    }
    draw_settings(session);
    expect(session);
    let changes_at = changes_at(session, columns);
    if let Some(live) = session.live.as_mut() {
        live.changes_at = changes_at;
    }
}

/// When the next probe of the chosen connection is due: of ours that is known, of others it is worked out.
fn expect(session: &mut Session) {
    let Some(live) = session.live.as_ref() else { return };
    let Some(id) = session.selected else {
        session.expected = None;
        return;
    };
    if let Some(link) = live.link(id) {
        let is_now = session.player.playing;
        let next = link.next.filter(|_| is_now && link.unanswered < link.manner.settings.count);
        let due = next.map(|next| Due { probe: None, window: (next, next), tolerance: Span::ZERO });
        let settings = link.manner.to_string();
        let due = due.into_iter().collect();
        session.expected = Some(Expected { connection: id, party: Party::Client, settings, due });
        return;
    }
    let Some(chosen) = session.chosen.as_ref() else { return };
    let known = session.expected.as_ref().is_some_and(|expected| expected.connection == id);
    let probes = session.standing.seen(id).probes;
    let stale = session.player.playing && session.expected_for != probes;
    if !known || stale {
        session.expected = expected::so_far(&session.store, &chosen.record);
        session.expected_for = probes;
    }
}

/// Draws the settings of a few connections whose probes are others', where they are not known or grew old.
fn draw_settings(session: &mut Session) {
    let Session { table, standing, store, player, live, .. } = session;
    let Some(live) = live.as_mut() else { return };
    let mut drawn = 0;
    for index in table.order.iter().take(LINES) {
        let id = ConnectionId(u64::from(*index) + 1);
        let probes = standing.seen(id).probes;
        let known = live.drawn.get(&id).map_or(0, |known| known.0);
        let worth = probes > known && (probes <= FEW || probes >= known.saturating_mul(2));
        if !worth || live.link(id).is_some() || drawn == AT_ONCE {
            continue;
        }
        drawn += 1;
        let record = standing.record(store, id, player.at.time);
        let settings = record.as_ref().and_then(live_table::settings);
        live.drawn.insert(id, (probes, settings));
    }
}

/// When the clock, the mark of now, or a probe that waits looks different.
fn changes_at(session: &Session, columns: u16) -> Option<Timestamp> {
    let live = session.live.as_ref()?;
    if !session.player.playing || live.facts.over.is_some() || live.now(Span::ZERO).is_none() {
        return None;
    }
    let now = session.player.at.time;
    let second = 1_000_000_000;
    let clock = Timestamp::from_nanos((now.as_nanos().div_euclid(second) + 1).saturating_mul(second));
    let mark = timeline::window(session).filter(|(_, to)| now <= *to).map(|(from, to)| {
        let column = to.since(from).as_nanos() / i64::from(columns.max(1));
        let step = column.max(STEP.as_nanos());
        let passed = now.since(from).as_nanos().max(0) / step + 1;
        from.plus(Span::from_nanos(step.saturating_mul(passed)))
    });
    let lost = session.chosen.as_ref().and_then(|chosen| {
        let waiting = chosen.record.probers().filter_map(|(_, prober)| prober.unanswered_tail().last());
        waiting.map(|probe| probe.segment.at.time.plus(ladder::LOST_AFTER)).filter(|lost| *lost > now).min()
    });
    [Some(clock), mark, lost].into_iter().flatten().min()
}
