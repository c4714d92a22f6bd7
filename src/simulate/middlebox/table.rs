//! The connections that a box knows, by their ends on either side, and when each is to be forgotten.
//!
//! Owns [`Table`]: finding, timers, translation to ends that nobody else has. What is known about a connection
//! beside that is the box's own affair. Uses foldhash with a fixed seed, since the order of the maps is never
//! looked at.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::FixedState;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use slab::Slab;

use super::description::{Ports, Router};
use super::{Ends, Mapping, MappingId, Side};
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

/// Where a connection is kept.
pub(super) type Key = usize;

/// The lowest port that is given to a connection whose own one is taken.
const LOWEST_PORT: u16 = 1024;

/// A connection that a box knows.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) mapping: Mapping,
    /// Who sent the first packet.
    pub(super) opener: Side,
    /// When the last packet that counts was seen.
    pub(super) counted: Timestamp,
    /// The timer as it was set then.
    pub(super) timeout: Span,
    /// The earliest time at which `due` has it.
    queued: Timestamp,
    /// The time with which `silent` has it.
    listed: Timestamp,
    pub(super) state: T,
}

impl<T> Entry<T> {
    /// From when on it is forgotten.
    pub(super) fn deadline(&self) -> Timestamp {
        self.counted.plus(self.timeout)
    }
}

/// All connections that a box knows.
#[derive(Debug)]
pub(super) struct Table<T> {
    entries: Slab<Entry<T>>,
    inside: HashMap<Ends, Key, FixedState>,
    outside: HashMap<Ends, Key, FixedState>,
    /// Each entry once or more, with a time that is not after its deadline.
    due: BinaryHeap<Reverse<(Timestamp, MappingId, Key)>>,
    /// Each entry once, with a time that is not after its last packet; kept only where somebody asks.
    silent: Option<BinaryHeap<Reverse<(Timestamp, MappingId, Key)>>>,
    next_id: u64,
    next_backend: usize,
    random: ChaCha8Rng,
}

impl<T> Table<T> {
    /// `by_silence`: whether [`Table::longest_silent`] will be asked.
    pub(super) fn new(seed: u64, by_silence: bool) -> Self {
        Self {
            entries: Slab::new(),
            inside: HashMap::with_hasher(FixedState::with_seed(0)),
            outside: HashMap::with_hasher(FixedState::with_seed(0)),
            due: BinaryHeap::new(),
            silent: by_silence.then(BinaryHeap::new),
            next_id: 0,
            next_backend: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The connection with these ends on that side.
    pub(super) fn find(&self, side: Side, ends: &Ends) -> Option<Key> {
        match side {
            Side::Inside => self.inside.get(ends),
            Side::Outside => self.outside.get(ends),
        }
        .copied()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry<T>> {
        self.entries.get(key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        self.entries.get_mut(key)
    }

    /// Remembers a connection; its ends must be free on both sides, as [`Table::translate`] gives them.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        (inside, outside): (Ends, Ends),
        opener: Side,
        timeout: Span,
        state: T,
    ) -> Key {
        let mapping = Mapping { id: MappingId(self.next_id), inside, outside };
        self.next_id += 1;
        let queued = now.plus(timeout);
        let key =
            self.entries.insert(Entry { mapping, opener, counted: now, timeout, queued, listed: now, state });
        self.inside.insert(inside, key);
        self.outside.insert(outside, key);
        self.due.push(Reverse((queued, mapping.id, key)));
        if let Some(silent) = &mut self.silent {
            silent.push(Reverse((now, mapping.id, key)));
        }
        key
    }

    /// Starts the timer anew.
    pub(super) fn refresh(&mut self, now: Timestamp, key: Key, timeout: Span) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.counted = now;
        entry.timeout = timeout;
        let deadline = entry.deadline();
        // A later deadline waits until the earlier one comes up.
        if deadline < entry.queued {
            entry.queued = deadline;
            self.due.push(Reverse((deadline, entry.mapping.id, key)));
        }
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, key: Key) -> Option<Entry<T>> {
        let entry = self.entries.try_remove(key)?;
        self.inside.remove(&entry.mapping.inside);
        self.outside.remove(&entry.mapping.outside);
        Some(entry)
    }

    /// When the next connection may be due; never too late, but it may have been refreshed since.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse((time, ..))| *time)
    }

    /// A connection whose time has come by `now`, still in the table: it is to be removed or refreshed. To be
    /// called until there is none.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Key> {
        while let Some(Reverse((time, id, key))) = self.due.peek().copied() {
            if time > now {
                return None;
            }
            self.due.pop();
            let Some(entry) = self.entries.get_mut(key) else { continue };
            if entry.mapping.id != id || entry.queued != time {
                continue;
            }
            let deadline = entry.deadline();
            if deadline <= now {
                // Whoever keeps it sets its timer anew, which puts it back.
                entry.queued = Timestamp::from_nanos(i64::MAX);
                return Some(key);
            }
            entry.queued = deadline;
            self.due.push(Reverse((deadline, id, key)));
        }
        None
    }

    /// The connection whose last packet that counts is the oldest.
    pub(super) fn longest_silent(&mut self) -> Option<Key> {
        let silent = self.silent.as_mut()?;
        while let Some(Reverse((time, id, key))) = silent.peek().copied() {
            let known =
                self.entries.get_mut(key).filter(|entry| entry.mapping.id == id && entry.listed == time);
            match known {
                Some(entry) if entry.counted <= time => return Some(key),
                Some(entry) => {
                    silent.pop();
                    entry.listed = entry.counted;
                    silent.push(Reverse((entry.counted, id, key)));
                }
                None => {
                    silent.pop();
                }
            }
        }
        None
    }

    /// All connections, in no order that means anything but always the same.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.entries.iter().map(|(key, _)| key).collect()
    }

    /// The ends of a new connection on both sides, by what the router translates; `None` if no port is left.
    pub(super) fn translate(&mut self, router: &Router, opener: Side, ends: Ends) -> Option<(Ends, Ends)> {
        if opener == Side::Outside {
            let free = !self.inside.contains_key(&ends) && !self.outside.contains_key(&ends);
            return free.then_some((ends, ends));
        }
        let server = match &router.service {
            Some(service) if service.endpoint == ends.server => self.backend(&service.backends)?,
            _ => ends.server,
        };
        let Some(source) = router.source else {
            let outside = Ends { server, ..ends };
            return (!self.outside.contains_key(&outside)).then_some((ends, outside));
        };
        let wanted = Ends { client: Endpoint { address: source.address, port: ends.client.port }, server };
        if source.ports == Ports::Preserved && !self.outside.contains_key(&wanted) {
            return Some((ends, wanted));
        }
        let outside = self.free_port(wanted)?;
        Some((ends, outside))
    }

    fn backend(&mut self, backends: &[Endpoint]) -> Option<Endpoint> {
        let backend = backends.get(self.next_backend % backends.len().max(1)).copied();
        self.next_backend = self.next_backend.wrapping_add(1);
        backend
    }

    /// The same ends with a random port of the client that is free.
    fn free_port(&mut self, wanted: Ends) -> Option<Ends> {
        let ports = u32::from(u16::MAX - LOWEST_PORT) + 1;
        let start = self.random.next_u32() % ports;
        (0..ports).find_map(|step| {
            let port = u16::try_from(u32::from(LOWEST_PORT) + (start + step) % ports).ok()?;
            let ends = Ends { client: Endpoint { port, ..wanted.client }, ..wanted };
            (!self.outside.contains_key(&ends)).then_some(ends)
        })
    }
}
