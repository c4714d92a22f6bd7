//! What follows from the moment shown: how connections stand, the order of the table, the chosen connection.

mod live;

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analysis::{ConnectionRecord, Outcome};
use crate::dashboard::columns::Column;
use crate::dashboard::expected;
use crate::dashboard::model::{Chosen, ChosenFor, Meaning, Model, Session};
use crate::dashboard::store::Store;
use crate::dashboard::store::figures::Asked;
use crate::dashboard::store::standing::Standing;
use crate::time::Span;
use crate::track::event::ConnectionId;

/// Works out everything that is drawn and not known yet.
pub fn settle(model: &mut Model) {
    let (columns, lines) = model.size;
    let Some(session) = model.shown_mut() else { return };
    settle_session(session, usize::from(lines));
    live::settle(session, columns);
}

fn settle_session(session: &mut Session, lines: usize) {
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
    measure_shown(session, lines);
    session.expect();
}

fn id_of(index: u32) -> ConnectionId {
    ConnectionId(u64::from(index) + 1)
}

/// Makes the order of the table anew.
fn sort(session: &mut Session) {
    let Session { store, standing, table, player, .. } = session;
    let (named, now) = (table.filter.wants_no_keepalive(), player.at.time);
    let measures = table.filter.needs_amounts() || table.sort.is_measured();
    let count = u32::try_from(standing.begun()).unwrap_or(u32::MAX);
    let mut shown = |index: &u32| {
        let id = id_of(*index);
        let seen = standing.seen(id);
        let Some(outcome) = seen.outcome else { return false };
        let Some(connection) = store.connection(id) else { return false };
        // One that will have keepalives stands here from its beginning, so that it can be watched getting there.
        let will = || connection.record.as_ref().is_some_and(|(_, record)| record.has_keepalives());
        if !(table.all || named || seen.probes > 0 || table.kept.contains(&id) || will()) {
            return false;
        }
        let opened = store
            .record_at(id, standing.rows(), standing.at_end())
            .map_or(connection.opened, |record| record.opened);
        let figures = if measures { standing.measure(store, id, now) } else { None };
        table.filter.passes(&Asked { id, opened: &opened, outcome: Some(outcome), figures })
    };
    let mut order = std::mem::take(&mut table.order);
    order.clear();
    order.extend((0..count).filter(|index| shown(index)));
    order_by(&mut order, table.sort, store, standing);
    if table.reversed {
        order.reverse();
    }
    table.order = order;
}

fn order_by(order: &mut [u32], by: Column, store: &Store, standing: &Standing) {
    match by {
        Column::Number => {}
        Column::Verdict => {
            order.sort_by_key(|index| standing.seen(id_of(*index)).outcome.unwrap_or(Outcome::NoKeepalive));
        }
        Column::Probes => order.sort_by_key(|index| Reverse(standing.seen(id_of(*index)).probes)),
        Column::Lost => order.sort_by_key(|index| {
            let seen = standing.seen(id_of(*index));
            Reverse(seen.probes.saturating_sub(seen.answered))
        }),
        Column::Duration => order.sort_by_cached_key(|index| {
            let id = id_of(*index);
            let last = standing.seen(id).last.checked_sub(1).and_then(|row| store.row(row));
            let length = last.zip(store.connection(id));
            Reverse(length.map_or(Span::ZERO, |(last, found)| last.time.since(found.opened.first.time)))
        }),
        Column::Packets => {
            order.sort_by_cached_key(|index| Reverse(standing.packets(id_of(*index))));
        }
        Column::First => {
            order.sort_by_key(|index| store.connection(id_of(*index)).map(|found| found.opened.first.time));
        }
        Column::Ends => order.sort_by_key(|index| {
            let end = |end: crate::segment::Endpoint| (end.address, end.port);
            store.connection(id_of(*index)).map(|found| (end(found.opened.server), end(found.opened.client)))
        }),
        Column::Stack => order.sort_by_key(|index| {
            let stack = standing.figures(id_of(*index)).and_then(|figures| figures.stack);
            (stack.is_none(), stack)
        }),
        // What does not show stands last.
        Column::Idle
        | Column::Interval
        | Column::Count
        | Column::RttMedian
        | Column::RttHigh
        | Column::Gap => order.sort_by_key(|index| {
            let figures = standing.figures(id_of(*index));
            Reverse(figures.zip(by.quantity()).and_then(|(figures, quantity)| figures.amount(quantity)))
        }),
    }
}

/// Measures what may be on the screen: at most so many lines around the chosen one.
fn measure_shown(session: &mut Session, lines: usize) {
    let Session { store, standing, table, player, selected, live, .. } = session;
    // What is measured goes stale with each packet; the table of a live source has its own, cheaper ways.
    if live.is_some() || !Column::ALL.iter().any(|column| column.is_measured() && table.columns.has(*column))
    {
        return;
    }
    let place = selected.and_then(|id| table.order.iter().position(|index| id_of(*index) == id)).unwrap_or(0);
    let from = place.saturating_sub(lines).min(table.order.len().saturating_sub(lines));
    for index in table.order.iter().skip(from).take(lines * 2) {
        standing.measure(store, id_of(*index), player.at.time);
    }
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
        if self.live.is_some() {
            return;
        }
        let known = self.expected.as_ref().map(|expected| expected.connection);
        if known == self.selected || !self.store.reading().done {
            return;
        }
        self.expected = self.selected.and_then(|id| expected::of(&self.store, id));
    }
}
