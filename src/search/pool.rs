//! The connections of the search: what each is doing, since when it is silent, when something is due.

use super::message::Id;
use crate::time::{Span, Timestamp};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// To be probed.
    Worker,
    /// To see what comes unasked.
    Sentinel,
}

/// A probe under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Probe {
    /// Tries that were asked for.
    pub(super) asked: u8,
    /// The first that left: when, and how long there had been silence.
    pub(super) first: Option<(Timestamp, Span)>,
    /// The last that left.
    pub(super) last: Option<(Timestamp, u8)>,
    /// When the next try is due, or the wait for an answer ends.
    pub(super) due: Timestamp,
    /// How long the silence was when the first try was asked for.
    pub(super) idle: Span,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// Being opened.
    Opening {
        /// Until then.
        by: Timestamp,
    },
    /// Exchanging something.
    Arming {
        /// Until then.
        by: Timestamp,
    },
    /// Silent.
    Idle {
        /// To be probed after this much silence.
        goal: Option<Span>,
    },
    /// Asked.
    Probing(Probe),
}

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Conn {
    pub(super) role: Role,
    pub(super) state: State,
    /// When it was open first.
    pub(super) opened: Timestamp,
    /// Silent since.
    pub(super) since: Timestamp,
    /// How many connections had been opened when its silence began.
    pub(super) opens_before: u32,
}

impl Conn {
    /// How long it has been silent.
    pub(super) fn age(&self, now: Timestamp) -> Span {
        now.since(self.since).max(Span::ZERO)
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Opening { by } | State::Arming { by } => Some(by),
            State::Idle { goal } => goal.map(|goal| self.since.plus(goal)),
            State::Probing(probe) => Some(probe.due),
        }
    }

    /// The silence that is being tried or waited for.
    pub(super) fn trying(&self) -> Option<Span> {
        match self.state {
            State::Idle { goal } => goal,
            State::Probing(probe) => Some(probe.first.map_or(probe.idle, |(_, idle)| idle)),
            State::Opening { .. } | State::Arming { .. } => None,
        }
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    /// In the order of their numbers, which is that in which they were opened.
    all: Vec<(Id, Conn)>,
    next: u32,
}

impl Pool {
    /// A new one, being opened.
    pub(super) fn open(&mut self, role: Role, now: Timestamp, by: Timestamp) -> Id {
        let id = Id(self.next);
        self.next = self.next.saturating_add(1);
        let state = State::Opening { by };
        self.all.push((id, Conn { role, state, opened: now, since: now, opens_before: self.next }));
        id
    }

    /// How many were ever opened.
    pub(super) const fn opened(&self) -> u32 {
        self.next
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Conn> {
        let place = self.place(id)?;
        self.all.get_mut(place).map(|(_, conn)| conn)
    }

    fn place(&self, id: Id) -> Option<usize> {
        self.all.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Conn> {
        self.place(id).map(|place| self.all.remove(place).1)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Conn)> {
        self.all.iter().map(|(id, conn)| (*id, conn))
    }

    /// The workers, whatever they do.
    pub(super) fn workers(&self) -> impl Iterator<Item = (Id, &Conn)> {
        self.iter().filter(|(_, conn)| conn.role == Role::Worker)
    }

    /// The workers that are silent, oldest silence first.
    pub(super) fn silent(&self) -> Vec<(Id, Timestamp)> {
        let idle = |conn: &Conn| matches!(conn.state, State::Idle { .. });
        let mut silent: Vec<(Id, Timestamp)> =
            self.workers().filter(|(_, conn)| idle(conn)).map(|(id, conn)| (id, conn.since)).collect();
        silent.sort_by_key(|(id, since)| (*since, *id));
        silent
    }

    /// Sets what a silent connection waits for.
    pub(super) fn aim(&mut self, id: Id, goal: Option<Span>) {
        if let Some(conn) = self.get_mut(id)
            && matches!(conn.state, State::Idle { .. })
        {
            conn.state = State::Idle { goal };
        }
    }

    /// Nobody waits for anything.
    pub(super) fn clear_aims(&mut self) {
        for conn in self.all.iter_mut().map(|(_, conn)| conn) {
            if let State::Idle { goal } = &mut conn.state {
                *goal = None;
            }
        }
    }

    /// The silences that are being asked about now.
    pub(super) fn probing(&self) -> impl Iterator<Item = Span> {
        self.iter()
            .filter(|(_, conn)| matches!(conn.state, State::Probing(_)))
            .filter_map(|(_, conn)| conn.trying())
    }

    /// When the first of them has something due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(|(_, conn)| conn.due()).min()
    }
}
