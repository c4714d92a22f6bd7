//! One session: what was asked in it, and what its limits leave.
//!
//! Owns [`Session`]. Pure; what it wants done it returns. Uses [`super::bucket`] and the messages.

use std::collections::{BTreeMap, BTreeSet};

use super::bucket::Bucket;
use super::{Limits, Token};
use crate::partner::Tuple;
use crate::partner::codec::{Frames, Seal};
use crate::partner::message::{Ask, AskId, Form, Number, SessionId};
use crate::partner::secret::Keys;
use crate::time::{Span, Timestamp};

/// How far back numbers of test connections are remembered; those before are refused.
const WINDOW: u32 = 1024;

/// Questions that may wait, for each test connection that is allowed.
const WAITING: usize = 4;

/// Segments of unknown connections that are told, a second.
const STRAYS: u32 = 5;

/// What a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// Test connections that joined.
    pub connections: u32,
    /// Questions that were asked.
    pub asked: u32,
    /// Of those, what was sent.
    pub sent: u32,
    /// Octets that it carried; keepalive probes too.
    pub octets: u32,
    /// Of what was sent, what was acknowledged.
    pub acknowledged: u32,
}

/// What was sent and has not come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) number: Number,
    pub(super) sent: Option<Timestamp>,
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) control: Token,
    pub(super) seen: Tuple,
    pub(super) keys: Keys,
    pub(super) frames: Frames,
    pub(super) incoming: Seal,
    pub(super) outgoing: Seal,
    pub(super) opened: Timestamp,
    pub(super) heard: Timestamp,
    /// Test connections that are there.
    pub(super) tests: BTreeMap<Number, Token>,
    /// Numbers that were used, as far back as they are remembered.
    used: BTreeSet<Number>,
    highest: u32,
    /// What is to be sent later; the second part keeps the order of asking.
    waiting: BTreeMap<(Timestamp, u64), Ask>,
    asked: u64,
    /// What was handed over to be sent.
    pub(super) out: BTreeMap<AskId, Out>,
    messages: Bucket,
    octets: Bucket,
    strays: Bucket,
    pub(super) totals: Totals,
}

/// A session that begins.
pub(super) struct Begin {
    pub(super) id: SessionId,
    pub(super) control: Token,
    pub(super) seen: Tuple,
    pub(super) keys: Keys,
}

impl Session {
    pub(super) fn new(begin: Begin, limits: &Limits, now: Timestamp) -> Self {
        let Begin { id, control, seen, keys } = begin;
        let (incoming, outgoing) = (Seal::new(keys.to_server.clone()), Seal::new(keys.to_client.clone()));
        Self {
            id,
            control,
            seen,
            keys,
            frames: Frames::default(),
            incoming,
            outgoing,
            opened: now,
            heard: now,
            tests: BTreeMap::new(),
            used: BTreeSet::new(),
            highest: 0,
            waiting: BTreeMap::new(),
            asked: 0,
            out: BTreeMap::new(),
            messages: Bucket::new(u32::from(limits.messages), now),
            octets: Bucket::new(limits.octets, now),
            strays: Bucket::new(STRAYS, now),
            totals: Totals::default(),
        }
    }

    /// Takes a number for good; false if it was used or is too old to tell.
    pub(super) fn use_number(&mut self, number: Number) -> bool {
        let oldest = self.highest.saturating_sub(WINDOW - 1);
        if number.0 < oldest || !self.used.insert(number) {
            return false;
        }
        self.highest = self.highest.max(number.0);
        let oldest = Number(self.highest.saturating_sub(WINDOW - 1));
        self.used = self.used.split_off(&oldest);
        true
    }

    /// Whether one more message is allowed now.
    pub(super) fn may_say(&mut self, now: Timestamp) -> bool {
        self.messages.take(1, now)
    }

    /// Whether so many octets may be sent now.
    pub(super) fn may_send(&mut self, form: Form, now: Timestamp) -> bool {
        // A probe without data is a packet too.
        self.octets.take(u32::from(form.octets()).max(1), now)
    }

    /// Whether one more segment of an unknown connection is told.
    pub(super) fn may_tell_stray(&mut self, now: Timestamp) -> bool {
        self.strays.take(1, now)
    }

    /// Takes a question; false if it is one too many, or its name is taken.
    pub(super) fn ask(&mut self, ask: Ask, limits: &Limits, now: Timestamp) -> bool {
        let most = usize::from(limits.connections) * WAITING;
        let taken =
            self.out.contains_key(&ask.id) || self.waiting.values().any(|waiting| waiting.id == ask.id);
        if taken || self.waiting.len() + self.out.len() >= most {
            return false;
        }
        self.asked += 1;
        self.waiting.insert((now.plus(ask.after), self.asked), ask);
        true
    }

    /// The next question whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Ask> {
        let (key, _) = self.waiting.first_key_value()?;
        if key.0 > now {
            return None;
        }
        self.waiting.pop_first().map(|(_, ask)| ask)
    }

    /// A connection was closed by the client: nothing more is said of what was sent on it.
    pub(super) fn forget(&mut self, number: Number) {
        self.out.retain(|_, out| out.number != number);
    }

    /// When something is due.
    pub(super) fn next_timeout(&self, limits: &Limits) -> Timestamp {
        let end = self.heard.plus(limits.expire).min(self.opened.plus(limits.lasts));
        self.waiting.keys().next().map_or(end, |(at, _)| end.min(*at))
    }

    /// How long the watch for what comes back may be.
    pub(super) fn watch(ask: &Ask, limits: &Limits) -> Span {
        ask.watch.min(limits.watch)
    }
}
