//! When the probes of a connection were due by the settings that explain them best.
//!
//! The times come from the keepalive machine, through [`crate::analysis::verification`], and the settings from
//! [`crate::analysis::inference`]. Pure.

use super::model::Expected;
use super::store::Store;
use super::store::row::Row;
use super::text::brief;
use crate::analysis::ConnectionRecord;
use crate::analysis::inference::Explanation;
use crate::analysis::verification::{Expectation, Histories, due};
use crate::keepalive::Model;
use crate::segment::{Endpoint, Options, Segment};
use crate::stack::Stack;
use crate::track::Observed;
use crate::track::event::{ConnectionId, Opened, Party};

/// Probes beyond which the machine is not run: it would take longer than anybody waits for a screen.
const MOST_PROBES: usize = 200;

/// When the probes of a connection were due. Always an answer, with no times where there is nothing to say.
pub(super) fn of(store: &Store, id: ConnectionId) -> Option<Expected> {
    let (_, record) = store.connection(id)?.record.as_ref()?;
    so_far(store, record)
}

/// The same from what is known so far of a connection that goes on.
pub(super) fn so_far(store: &Store, record: &ConnectionRecord) -> Option<Expected> {
    let id = record.id;
    let connection = store.connection(id)?;
    let none = Expected { connection: id, party: Party::Client, settings: String::new(), due: Vec::new() };
    let busiest = record.probers().max_by_key(|(_, prober)| prober.probes.len());
    let Some((party, prober)) = busiest else { return Some(none) };
    let because = |why: String| Some(Expected { connection: id, party, settings: why, due: Vec::new() });
    if prober.probes.len() > MOST_PROBES {
        return because(format!(
            "worked out for up to {MOST_PROBES} probes only: `keepscope verify` takes any number"
        ));
    }
    let explanation = record.inference(party).settings.first();
    let model = explanation.and_then(|explanation| Stack::named(explanation.stack).ok()).and_then(Model::of);
    let Some((explanation, model)) = explanation.zip(model) else {
        return because("no settings explain these probes".to_owned());
    };
    let expectation = Expectation {
        model,
        hz: explanation.hz,
        idle: explanation.idle.map(|setting| setting.value),
        // Where no interval shows, it was never longer than the idle time: it would have held probes back.
        interval: explanation.interval.or(explanation.idle).map(|setting| setting.value),
        count: explanation.count,
        user_timeout: None,
        jitter: Expectation::JITTER,
        defaults: false,
    };
    let mut histories = Histories::default();
    for row in connection.rows.iter().filter_map(|index| store.row(*index)) {
        if !row.is_icmp() {
            let (segment, observed) = again(row, &record.opened);
            histories.segment(&segment, &observed);
        }
    }
    let due = due(record, &histories.take(id), party, &expectation);
    Some(Expected { connection: id, party, settings: words(explanation), due })
}

pub(super) fn words(explanation: &Explanation) -> String {
    let hz = explanation.hz.map(|hz| format!(" HZ={hz}")).unwrap_or_default();
    let idle = explanation.idle.map(|idle| format!(", idle {}", brief(idle.value))).unwrap_or_default();
    let interval = explanation
        .interval
        .map(|interval| format!(", interval {}", brief(interval.value)))
        .unwrap_or_default();
    format!("{}{hz}{idle}{interval}", explanation.title)
}

/// The segment of a row, as far as a history needs it.
fn again(row: &Row, opened: &Opened) -> (Segment, Observed) {
    let (source, destination): (Endpoint, Endpoint) = match row.sender {
        Party::Client => (opened.client, opened.server),
        Party::Server => (opened.server, opened.client),
    };
    let segment = Segment {
        id: row.frame(),
        time: row.time,
        interface: 0,
        source,
        destination,
        seq: row.seq,
        ack: row.ack,
        flags: row.flags,
        window: 0,
        len: row.len,
        first_octet: None,
        options: Options::default(),
        ttl: row.ttl,
        ip_id: None,
        dont_fragment: false,
    };
    let observed = Observed {
        connection: ConnectionId(u64::from(row.connection)),
        sender: row.sender,
        class: row.class,
        seq: row.relative,
        ack: row.ack_relative(),
        octets_missing: row.octets_missing,
    };
    (segment, observed)
}
