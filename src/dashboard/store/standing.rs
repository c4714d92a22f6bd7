//! How every connection stands at one moment of the source.
//!
//! Owns [`Standing`]. Going forward costs what lies between; going back begins anew, which costs some 30 ms for
//! a million segments. What it says of a connection is what an analysis of the source would say had it ended at
//! that moment. Pure.

use crate::analysis::{Collector, ConnectionRecord, Outcome, ProberRecord};
use crate::time::{Span, Timestamp};
use crate::track::Class;
use crate::track::event::{ConnectionId, EventKind, LookAlikes, Mark, Party, SideSummary, Start, Summary};
use crate::track::looks::Looks;
use crate::track::repeated::Repeated;

use super::Store;
use super::figures::Figures;
use super::row::Row;

/// One end of a connection so far.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    segments: u32,
    data: u32,
    /// Index of its last row and of its first FIN, plus one.
    last: u32,
    fin: u32,
    ttl: Option<(u8, u8)>,
    timestamps: bool,
    octets_missing: bool,
    lookalikes: LookAlikes,
    repeated: Option<Repeated>,
    looks: Looks,
}

/// One connection so far.
#[derive(Clone, Debug, Default)]
struct Tally {
    client: Side,
    server: Side,
    /// Index of its last row, plus one.
    last: u32,
    copies: u32,
    reset: Option<(Party, Mark)>,
    seen: Seen,
    /// What was measured, once that was asked for, until something more comes.
    figures: Option<Box<Figures>>,
    stale: bool,
}

impl Tally {
    fn side_mut(&mut self, party: Party) -> &mut Side {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }
}

/// What the table shows of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What became of it; nothing before its first segment.
    pub outcome: Option<Outcome>,
    /// Probes of both ends.
    pub probes: u32,
    /// Probes with an answer of any kind.
    pub answered: u32,
    /// Index of its last row so far, plus one.
    pub last: u32,
}

/// How everything stands after some rows.
#[derive(Debug, Default)]
pub struct Standing {
    rows: usize,
    events: usize,
    looks: usize,
    at_end: bool,
    collector: Collector,
    tallies: Vec<Tally>,
    stale: Vec<u32>,
    waiting: Vec<u32>,
    /// How many connections have begun.
    begun: usize,
}

impl Standing {
    /// Goes to where so many rows have been read.
    pub fn go(&mut self, store: &Store, rows: usize, at_end: bool) {
        let at_end = at_end && store.reading().done;
        if rows < self.rows || (self.at_end && !at_end) {
            *self = Self::default();
        }
        self.tallies.resize_with(store.connections().len(), Tally::default);
        for (index, row) in store.rows().iter().enumerate().take(rows).skip(self.rows) {
            self.row(store, index as u32, row);
        }
        while let Some(looked) = store.looks().get(self.looks).filter(|looked| (looked.row as usize) < rows) {
            self.looks += 1;
            let place = (looked.connection as usize).checked_sub(1);
            if let Some(tally) = place.and_then(|place| self.tallies.get_mut(place)) {
                tally.side_mut(looked.party).looks = looked.looks;
            }
        }
        let events = store.events_after(rows, at_end);
        for told in store.events().get(self.events..events).unwrap_or_default() {
            self.event(told.event.connection, &told.event.kind);
            if !matches!(told.event.kind, EventKind::Final(_)) {
                self.collector.on_event(&told.event);
            }
        }
        (self.rows, self.events, self.at_end) = (rows, events, at_end);
    }

    fn row(&mut self, store: &Store, index: u32, row: &Row) {
        let Some(place) = (row.connection as usize).checked_sub(1) else { return };
        self.begun = self.begun.max(place + 1);
        let Some(tally) = self.tallies.get_mut(place) else { return };
        if !tally.stale {
            tally.stale = true;
            self.stale.push(place as u32);
        }
        tally.last = index + 1;
        if row.is_icmp() {
            return;
        }
        [tally.client.octets_missing, tally.server.octets_missing] = row.octets_missing;
        let (side, peer) = match row.sender {
            Party::Client => (&mut tally.client, &tally.server),
            Party::Server => (&mut tally.server, &tally.client),
        };
        match row.class {
            Class::Copy => {
                tally.copies += 1;
                return;
            }
            Class::LookAlike(kind) => side.lookalikes.add(kind, 1),
            _ => {}
        }
        if row.class.sends_again(side.fin > 0) {
            let heard = mark(store, peer.last);
            side.repeated = Some(Repeated::once_more(side.repeated, row.seq, row.mark(), heard));
        }
        side.segments += 1;
        side.data += u32::from(row.len > 0);
        side.last = index + 1;
        side.timestamps |= row.timestamps;
        if row.flags.fin() && side.fin == 0 {
            side.fin = index + 1;
        }
        if !row.flags.rst() {
            let (low, high) = side.ttl.unwrap_or((row.ttl, row.ttl));
            side.ttl = Some((low.min(row.ttl), high.max(row.ttl)));
        }
    }

    fn event(&mut self, id: ConnectionId, kind: &EventKind) {
        let Some(place) = place_of(id) else { return };
        let Some(tally) = self.tallies.get_mut(place) else { return };
        match kind {
            EventKind::Reset { by, at, .. } => tally.reset = Some((*by, *at)),
            EventKind::ResetIgnored { .. } => tally.reset = None,
            _ => {}
        }
        if !tally.stale {
            tally.stale = true;
            self.stale.push(place as u32);
        }
    }

    /// Works out what the table shows of the connections that changed, or that wait for time to pass. Says
    /// whether anything did change.
    pub fn settle(&mut self, store: &Store, now: Timestamp) -> bool {
        let mut changed = false;
        let mut stale = std::mem::take(&mut self.stale);
        stale.append(&mut self.waiting);
        for place in stale.drain(..) {
            let id = ConnectionId(u64::from(place) + 1);
            let Some((seen, waits)) = self.judge(store, id, now) else { continue };
            let Some(tally) = self.tallies.get_mut(place as usize) else { continue };
            changed |= tally.seen != seen;
            (tally.seen, tally.stale, tally.figures) = (seen, false, None);
            if waits {
                self.waiting.push(place);
            }
        }
        // The same memory again next time.
        self.stale = stale;
        changed
    }

    fn judge(&self, store: &Store, id: ConnectionId, now: Timestamp) -> Option<(Seen, bool)> {
        let last = self.tallies.get(place_of(id)?)?.last;
        let count = |record: &ProberRecord| (record.probes.len() as u32, record.answered() as u32);
        let lone = |record: &ProberRecord| record.unanswered_tail().len() == 1;
        let (outcome, client, server, lone) = match store.record_at(id, self.rows, self.at_end) {
            Some(record) => (record.verdict.outcome, count(&record.client), count(&record.server), false),
            // Most connections of most captures, and nothing has to be worked out for them.
            None if !self.collector.has_probes(id) => (Outcome::NoKeepalive, (0, 0), (0, 0), false),
            None => {
                let summary = self.summary(store, id, now)?;
                let (verdict, client, server) = self.collector.verdict_so_far(id, &summary);
                (verdict.outcome, count(&client), count(&server), lone(&client) || lone(&server))
            }
        };
        let (probes, answered) = (client.0 + server.0, client.1 + server.1);
        let seen = Seen { outcome: Some(outcome), probes, answered, last };
        // A single probe without an answer tells nothing until some time has passed.
        Some((seen, lone && matches!(outcome, Outcome::Alive | Outcome::Inconclusive)))
    }

    /// What the table shows of a connection.
    pub fn seen(&self, id: ConnectionId) -> Seen {
        place_of(id).and_then(|place| self.tallies.get(place)).map(|tally| tally.seen).unwrap_or_default()
    }

    /// Packets of both ends so far.
    pub fn packets(&self, id: ConnectionId) -> u64 {
        let tally = place_of(id).and_then(|place| self.tallies.get(place));
        tally.map_or(0, |tally| u64::from(tally.client.segments) + u64::from(tally.server.segments))
    }

    /// Measures a connection, if that was not done since something last came.
    pub fn measure(&mut self, store: &Store, id: ConnectionId, now: Timestamp) -> Option<&Figures> {
        let place = place_of(id)?;
        if self.tallies.get(place)?.figures.is_none() {
            let figures = match store.record_at(id, self.rows, self.at_end) {
                Some(record) => Figures::of(record),
                None => Figures::of(&self.record(store, id, now)?),
            };
            self.tallies.get_mut(place)?.figures = Some(Box::new(figures));
        }
        self.figures(id)
    }

    /// What was measured of a connection; nothing if nobody asked for it.
    pub fn figures(&self, id: ConnectionId) -> Option<&Figures> {
        self.tallies.get(place_of(id)?)?.figures.as_deref()
    }

    /// How many connections have begun.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// How many rows have been read.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether all has been read, and the last word was said about everything.
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// How many events have been told.
    pub fn events(&self) -> usize {
        self.events
    }

    /// The record of a connection as it stands: the last word if it was said, otherwise what it would be if the
    /// source ended here.
    pub fn record(&self, store: &Store, id: ConnectionId, now: Timestamp) -> Option<ConnectionRecord> {
        match store.record_at(id, self.rows, self.at_end) {
            Some(record) => Some(record.clone()),
            None => Some(self.collector.record_so_far(id, &self.summary(store, id, now)?)),
        }
    }

    /// The totals of a connection so far; nothing before its first segment.
    fn summary(&self, store: &Store, id: ConnectionId, now: Timestamp) -> Option<Summary> {
        let tally = self.tallies.get(place_of(id)?)?;
        let mark = |index| mark(store, index);
        let side = |side: &Side| SideSummary {
            segments: u64::from(side.segments),
            data_segments: u64::from(side.data),
            last: mark(side.last),
            fin: mark(side.fin),
            ttl: side.ttl,
            timestamps: side.timestamps,
            lookalikes: side.lookalikes,
            syn: side.looks.syn(),
            data_packets: side.looks.data_packets(),
            octets_missing: side.octets_missing,
            repeated: side.repeated,
        };
        Some(Summary {
            opened: store.connection(id)?.opened,
            last: mark(tally.last)?,
            client: side(&tally.client),
            server: side(&tally.server),
            reset: tally.reset,
            duplicates: u64::from(tally.copies),
            seen_until: now,
            let_go: false,
        })
    }

    /// The last round trips of the end that probes more, so many at most, sorted.
    pub fn round_trips(&self, store: &Store, id: ConnectionId, most: usize) -> Vec<Span> {
        let mut trips: Vec<Span> = match store.record_at(id, self.rows, self.at_end) {
            Some(ConnectionRecord { client, server, .. }) => {
                let busier = if server.probes.len() > client.probes.len() { server } else { client };
                let probes = busier.probes.iter().rev().filter(|probe| probe.is_answered_by_peer());
                probes.take(most).filter_map(|probe| probe.answer.map(|answer| answer.rtt)).collect()
            }
            None => self.collector.latest_round_trips(id, most),
        };
        trips.sort_unstable();
        trips
    }

    /// Whether the beginning of a connection was captured.
    pub fn starts_midstream(store: &Store, id: ConnectionId) -> bool {
        store.connection(id).is_some_and(|connection| connection.opened.start == Start::Midstream)
    }
}

/// The frame of a row whose index plus one is this.
fn mark(store: &Store, index: u32) -> Option<Mark> {
    store.row(index.checked_sub(1)?).map(Row::mark)
}

fn place_of(id: ConnectionId) -> Option<usize> {
    usize::try_from(id.0).ok()?.checked_sub(1)
}
