//! What follows from the moment shown: how connections stand, the order of the table, the chosen connection.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analysis::{ConnectionRecord, Outcome};
use crate::dashboard::expected;
use crate::dashboard::model::{Chosen, ChosenFor, Meaning, Model, Session, SortBy};
use crate::time::Span;
use crate::track::event::ConnectionId;

/// Works out everything that is drawn and not known yet.
pub fn settle(model: &mut Model) {
    let simulated = model.simulation.as_mut().map(|simulation| &mut simulation.session);
    model.session.iter_mut().chain(simulated).for_each(settle_session);
}

fn settle_session(session: &mut Session) {
    let at = session.player.at;
    let at_end = session.player.is_at_end(&session.store);
    let begun = session.standing.begun();
    session.standing.go(&session.store, at.rows, at_end);
    let changed = session.standing.settle(&session.store, at.time);
    if changed || session.standing.begun() != begun {
        session.table.stale = true;
    }
    if std::mem::take(&mut session.table.stale) {
        sort(session);
    }
    choose(session);
    session.expect();
}

fn id_of(index: u32) -> ConnectionId {
    ConnectionId(u64::from(index) + 1)
}

/// Makes the order of the table anew.
fn sort(session: &mut Session) {
    let Session { store, standing, table, .. } = session;
    let named = table.filter.wants_no_keepalive();
    let shown = |index: &u32| {
        let id = id_of(*index);
        let seen = standing.seen(id);
        let Some(outcome) = seen.outcome else { return false };
        let Some(connection) = store.connection(id) else { return false };
        let opened = store
            .record_at(id, standing.rows(), standing.at_end())
            .map_or(connection.opened, |record| record.opened);
        // One that will have keepalives stands here from its beginning, so that it can be watched getting there.
        let will = || connection.record.as_ref().is_some_and(|(_, record)| record.has_keepalives());
        (table.all || named || seen.probes > 0 || will()) && table.filter.passes(&opened, outcome)
    };
    let count = u32::try_from(standing.begun()).unwrap_or(u32::MAX);
    let mut order = std::mem::take(&mut table.order);
    order.clear();
    order.extend((0..count).filter(shown));
    match table.sort {
        SortBy::Number => {}
        SortBy::Verdict => {
            order.sort_by_key(|index| standing.seen(id_of(*index)).outcome.unwrap_or(Outcome::NoKeepalive));
        }
        SortBy::Probes => order.sort_by_key(|index| Reverse(standing.seen(id_of(*index)).probes)),
        SortBy::Lost => order.sort_by_key(|index| {
            let seen = standing.seen(id_of(*index));
            Reverse(seen.probes.saturating_sub(seen.answered))
        }),
        SortBy::Duration => order.sort_by_cached_key(|index| {
            let id = id_of(*index);
            let last = standing.seen(id).last.checked_sub(1).and_then(|row| store.row(row));
            let length = last.zip(store.connection(id));
            Reverse(length.map_or(Span::ZERO, |(last, found)| last.time.since(found.opened.first.time)))
        }),
    }
    if table.reversed {
        order.reverse();
    }
    table.order = order;
}

/// Works out the chosen connection, if anything about it has changed.
fn choose(session: &mut Session) {
    let first = session.table.order.first().map(|index| id_of(*index));
    let listed = |id: ConnectionId| session.table.order.iter().any(|index| id_of(*index) == id);
    // Before its first packet a connection is not in the table, but who looks at it goes on to do so.
    let begun = session.standing.begun() as u64;
    session.selected = match session.selected {
        Some(id) if id.0 > begun => Some(id),
        Some(id) if session.chosen_by_hand && (first.is_none() || listed(id)) => Some(id),
        _ => first,
    };
    let Some(id) = session.selected else {
        (session.chosen, session.chosen_for) = (None, None);
        return;
    };
    let Session { store, standing, player, .. } = &*session;
    let Some(connection) = store.connection(id) else { return };
    let (rows, events) = (standing.rows(), standing.events());
    let is_final = store.record_at(id, rows, standing.at_end()).is_some();
    let seen = standing.seen(id);
    let waits = !is_final && seen.probes > seen.answered;
    let wanted = ChosenFor {
        connection: id,
        rows: connection.rows.partition_point(|row| (*row as usize) < rows),
        events: connection.events.partition_point(|event| (*event as usize) < events),
        is_final,
        time: waits.then_some(player.at.time),
    };
    if session.chosen_for == Some(wanted) {
        return;
    }
    let record = standing.record(store, id, player.at.time);
    session.chosen = record.map(|record| Chosen { meanings: meanings(&record), record, is_final });
    session.chosen_for = Some(wanted);
}

fn meanings(record: &ConnectionRecord) -> HashMap<crate::frame::FrameId, Meaning> {
    let mut meanings = HashMap::new();
    for seen in &record.lookalikes {
        meanings.insert(seen.at.frame, Meaning::LookAlike(seen.kind));
    }
    for (party, prober) in record.probers() {
        for (index, probe) in prober.probes.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            meanings.insert(probe.segment.at.frame, Meaning::Probe(party, index));
            if let Some(answer) = &probe.answer {
                meanings.insert(answer.at.frame, Meaning::Answer(party, index));
            }
        }
    }
    meanings
}

impl Session {
    /// Works out when the probes of the chosen connection were due, once all of it has been read.
    fn expect(&mut self) {
        let known = self.expected.as_ref().map(|expected| expected.connection);
        if known == self.selected || !self.store.reading().done {
            return;
        }
        self.expected = self.selected.and_then(|id| expected::of(&self.store, id));
    }
}
