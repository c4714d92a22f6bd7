//! Which connection of the one capture is which of the other.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;

use super::{Found, Pair, PairedBy};
use crate::analysis::{ConnectionRecord, ProberRecord};
use crate::segment::Endpoint;
use crate::track::event::Party;

/// A pair before anything was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub(super) a: &'a ConnectionRecord,
    pub(super) b: &'a ConnectionRecord,
    by: PairedBy,
    swapped: bool,
}

impl<'a> Draft<'a> {
    fn new(a: &'a ConnectionRecord, b: &'a ConnectionRecord, by: PairedBy) -> Self {
        // Who is the client is a guess where the start was not captured.
        let swapped = by == PairedBy::Ports && a.opened.client != b.opened.client;
        Self { a, b, by, swapped }
    }

    /// The probes of one side in both; `party` as the first capture has it.
    pub(super) fn probers(&self, party: Party) -> (&'a ProberRecord, &'a ProberRecord) {
        let other = if self.swapped { party.peer() } else { party };
        (self.a.prober(party), self.b.prober(other))
    }

    pub(super) fn with(self, found: Found) -> Pair<'a> {
        Pair { a: self.a, b: self.b, by: self.by, swapped: self.swapped, found }
    }
}

/// The pairs found, and what is left.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    pub(super) pairs: Vec<Draft<'a>>,
    pub(super) only_in_a: Vec<&'a ConnectionRecord>,
    pub(super) only_in_b: Vec<&'a ConnectionRecord>,
}

/// Sender, SEQ and ACK of a probe: what both ends of a path have in common.
type Number = (Endpoint, u32, u32);

/// Pairs connections of the same ports; with `nat` those of the same server that share sequence numbers.
pub(super) fn pair<'a>(a: &'a [ConnectionRecord], b: &'a [ConnectionRecord], nat: bool) -> Drafts<'a> {
    let mut drafts =
        Drafts { pairs: Vec::new(), only_in_a: a.iter().collect(), only_in_b: b.iter().collect() };
    drafts.only_in_a.sort_by_key(|record| record.id);
    drafts.only_in_b.sort_by_key(|record| record.id);
    // Lives of the same ports belong together if they share numbers; the others follow in their order.
    drafts.pair_by_numbers(PairedBy::Ports, |record| {
        numbers(record, &|party| end(record, party))
            .into_iter()
            .map(|number| (ends(record), number))
            .collect()
    });
    drafts.pair_in_order(PairedBy::Ports, ends);
    if nat {
        // The client's end is another one behind the translator: its probes are told by its server.
        drafts.pair_by_numbers(PairedBy::Numbers, |record| {
            let server = record.opened.server;
            let probes = |party: Party| {
                numbers(record, &|_| server)
                    .into_iter()
                    .map(move |number| (party, number))
                    .collect::<Vec<_>>()
            };
            let sides = [Party::Client, Party::Server];
            sides
                .into_iter()
                .filter(|party| !record.prober(*party).probes.is_empty())
                .flat_map(probes)
                .collect()
        });
    }
    drafts.pairs.sort_by_key(|draft| draft.a.id);
    drafts
}

impl<'a> Drafts<'a> {
    /// Pairs what is left by the client's address and the server: clients come back from other ports.
    pub(super) fn pair_by_addresses(&mut self) {
        let key = |record: &ConnectionRecord| -> (IpAddr, Endpoint) {
            (record.opened.client.address, record.opened.server)
        };
        // Those without keepalives say nothing, and would shift the others.
        self.only_in_a.retain(|record| record.has_keepalives());
        self.only_in_b.retain(|record| record.has_keepalives());
        self.pair_in_order(PairedBy::Addresses, key);
        self.pairs.sort_by_key(|draft| draft.a.id);
    }

    /// Pairs connections that have a key in common.
    fn pair_by_numbers<K: Eq + Hash>(&mut self, by: PairedBy, keys: impl Fn(&ConnectionRecord) -> Vec<K>) {
        let mut known: HashMap<K, &'a ConnectionRecord> = HashMap::new();
        for record in &self.only_in_b {
            known.extend(keys(record).into_iter().map(|key| (key, *record)));
        }
        let mut taken = HashSet::new();
        let pairs = &mut self.pairs;
        self.only_in_a.retain(|record| {
            let found =
                keys(record).iter().find_map(|key| known.get(key)).filter(|other| taken.insert(other.id));
            pairs.extend(found.map(|other| Draft::new(record, other, by)));
            found.is_none()
        });
        self.only_in_b.retain(|record| !taken.contains(&record.id));
    }

    /// Pairs the first with the first of each key, and so on.
    fn pair_in_order<K: Eq + Hash>(&mut self, by: PairedBy, key: impl Fn(&ConnectionRecord) -> K) {
        let mut waiting: HashMap<K, Vec<&'a ConnectionRecord>> = HashMap::new();
        for record in self.only_in_b.iter().rev() {
            waiting.entry(key(record)).or_default().push(record);
        }
        let pairs = &mut self.pairs;
        let mut taken = HashSet::new();
        self.only_in_a.retain(|record| {
            let found = waiting.get_mut(&key(record)).and_then(Vec::pop);
            if let Some(other) = found {
                taken.insert(other.id);
                pairs.push(Draft::new(record, other, by));
            }
            found.is_none()
        });
        self.only_in_b.retain(|record| !taken.contains(&record.id));
    }
}

fn end(record: &ConnectionRecord, party: Party) -> Endpoint {
    match party {
        Party::Client => record.opened.client,
        Party::Server => record.opened.server,
    }
}

/// Both ends, whoever is the client.
pub(super) fn ends(record: &ConnectionRecord) -> (Endpoint, Endpoint) {
    let (client, server) = (record.opened.client, record.opened.server);
    (client.min(server), client.max(server))
}

/// The numbers of all probes.
fn numbers(record: &ConnectionRecord, sender: &dyn Fn(Party) -> Endpoint) -> Vec<Number> {
    let of = |(party, prober): (Party, &ProberRecord)| {
        let sender = sender(party);
        prober
            .probes
            .iter()
            .map(move |probe| (sender, probe.segment.seq.0, probe.segment.ack.0))
            .collect::<Vec<_>>()
    };
    let mut numbers: Vec<Number> = record.probers().flat_map(of).collect();
    // A quiet connection repeats the same numbers all day.
    numbers.dedup();
    numbers
}
