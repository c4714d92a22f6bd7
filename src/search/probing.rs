//! What happens to single connections: opened, silent, asked up to three times, answered or dead.

use super::Search;
use super::message::{Command, End, Id, Input, News, NotOpened, Origin, Sign};
use super::pool::{Conn, Probe, Role, State};
use super::record::{Broken, Circumstance};
use super::trial::{Death, Outcome, Trial, Void};
use super::wanted::SENTINELS;
use crate::time::{Span, Timestamp};

/// How long a connection may take to open: Linux gives up its SYNs after 127 s, but nobody waits so long here.
pub(super) const OPENING: Span = Span::from_secs(20);

/// How long an exchange may take.
const ARMING: Span = Span::from_secs(5);

/// Tries of one probe.
const TRIES: u8 = 3;

impl Search {
    /// Does what is due; whether anything was.
    pub(super) fn fire_due(&mut self) -> bool {
        let now = self.now;
        let due: Vec<Id> = self
            .pool
            .iter()
            .filter(|(_, conn)| conn.due().is_some_and(|due| due <= now))
            .map(|(id, _)| id)
            .collect();
        for id in &due {
            let Some(conn) = self.pool.get_mut(*id) else { continue };
            let conn = *conn;
            match conn.state {
                State::Opening { .. } => self.not_opened(*id, NotOpened::TimedOut),
                State::Arming { .. } => self.close(*id),
                State::Idle { .. } => self.ask(*id, conn),
                State::Probing(probe) => self.ask_again(*id, conn, probe),
            }
        }
        !due.is_empty()
    }

    fn ask(&mut self, id: Id, conn: Conn) {
        let due = self.now.plus(until_next(0, self.record.patience()));
        let probe = Probe { asked: 1, first: None, last: None, due, idle: conn.age(self.now) };
        self.set(id, State::Probing(probe));
        self.commands.push_back(Command::Probe { id, way: self.wanted.way, attempt: 0 });
    }

    fn ask_again(&mut self, id: Id, conn: Conn, probe: Probe) {
        if probe.asked < TRIES {
            let due = self.now.plus(until_next(probe.asked, self.record.patience()));
            self.set(id, State::Probing(Probe { asked: probe.asked + 1, due, ..probe }));
            self.commands.push_back(Command::Probe { id, way: self.wanted.way, attempt: probe.asked });
            return;
        }
        let outcome = match probe.first {
            Some(_) => Outcome::Died(Death::Silent),
            None => Outcome::Void(Void::NotSent),
        };
        self.finish_trial(id, conn, probe, outcome, Sign::default());
        self.close(id);
    }

    fn set(&mut self, id: Id, state: State) {
        if let Some(conn) = self.pool.get_mut(id) {
            conn.state = state;
        }
    }

    /// Takes in what happened.
    pub(super) fn take(&mut self, id: Id, input: Input) {
        let Some(conn) = self.pool.get_mut(id) else { return };
        let conn = *conn;
        match (input, conn.state) {
            (Input::Opened { since }, State::Opening { .. }) => {
                if let Some(conn) = self.pool.get_mut(id) {
                    conn.opened = self.now;
                }
                self.begin_silence(id, since);
            }
            (Input::Armed { since }, State::Arming { .. }) => {
                self.seen_alive();
                self.begin_silence(id, since);
            }
            (Input::NotOpened(why), State::Opening { .. }) => self.not_opened(id, why),
            (Input::Sent { attempt, at, idle }, State::Probing(probe)) => {
                self.sent(id, probe, attempt, at, idle);
            }
            (Input::NotSent { attempt: 0 }, State::Probing(probe)) if probe.first.is_none() => {
                self.finish_trial(id, conn, probe, Outcome::Void(Void::NotSent), Sign::default());
                self.close(id);
            }
            (Input::Answered { attempt, at, sign }, State::Probing(probe)) if probe.first.is_some() => {
                self.answered(id, conn, probe, attempt, at, sign);
            }
            (Input::Ended { .. }, State::Opening { .. }) => self.not_opened(id, NotOpened::Reset),
            (Input::Ended { at, how, origin }, _) => self.ended(id, conn, at, how, origin),
            (Input::Disturbed { at, by }, State::Idle { .. } | State::Probing(_)) => {
                let at = at.min(self.now);
                self.record.broken.push(Broken { idle: at.since(conn.since).max(Span::ZERO), at, by });
                if let State::Probing(probe) = conn.state {
                    self.finish_trial(id, conn, probe, Outcome::Void(Void::Disturbed), Sign::default());
                }
                self.begin_silence(id, at);
            }
            // Too late, twice, or never asked for.
            _ => {}
        }
    }

    fn begin_silence(&mut self, id: Id, since: Timestamp) {
        let (now, opened) = (self.now, self.pool.opened());
        if let Some(conn) = self.pool.get_mut(id) {
            // A packet of the future is one of a clock that is not ours.
            conn.since = since.min(now).max(conn.since);
            conn.opens_before = opened;
            conn.state = State::Idle { goal: None };
        }
    }

    fn sent(&mut self, id: Id, mut probe: Probe, attempt: u8, at: Timestamp, idle: Span) {
        if attempt >= probe.asked {
            return;
        }
        let at = at.min(self.now);
        self.sent_there(at);
        if probe.first.is_none() {
            probe.first = Some((at, idle.max(Span::ZERO)));
        }
        if probe.last.is_none_or(|(last, _)| last <= at) {
            probe.last = Some((at, attempt));
        }
        if attempt + 1 == probe.asked {
            probe.due = at.plus(until_next(attempt, self.record.patience())).max(self.now);
        }
        self.set(id, State::Probing(probe));
    }

    fn answered(&mut self, id: Id, conn: Conn, probe: Probe, attempt: u8, at: Timestamp, sign: Sign) {
        let at = at.min(self.now);
        let took = probe.last.filter(|(_, last)| *last == attempt).map(|(sent, _)| at.since(sent));
        let took = sign.round_trip.or(took).unwrap_or(Span::ZERO);
        self.record.slowest = self.record.slowest.max(took.min(Span::from_secs(2)));
        let tries = attempt.saturating_add(1).min(probe.asked);
        let probe = Probe { asked: tries, ..probe };
        let death = match sign {
            Sign { reset: true, .. } => Some(Death::Ended(End::Reset, Origin::Unknown)),
            Sign { new_port: Some(true), .. } => Some(Death::NewPort),
            _ => None,
        };
        match death {
            Some(death) => {
                self.finish_trial(id, conn, probe, Outcome::Died(death), sign);
                self.close(id);
            }
            None => {
                self.seen_alive();
                self.finish_trial(id, conn, probe, Outcome::Lived, sign);
                self.begin_silence(id, at);
            }
        }
    }

    fn ended(&mut self, id: Id, conn: Conn, at: Timestamp, how: End, origin: Origin) {
        let at = at.min(self.now);
        match conn.state {
            State::Probing(probe) if probe.first.is_some() => {
                let death = Death::Ended(how, origin);
                self.finish_trial(id, conn, probe, Outcome::Died(death), Sign::default());
            }
            _ => {
                let idle = at.since(conn.since).max(Span::ZERO);
                let trial = Trial {
                    id,
                    way: self.wanted.way,
                    idle,
                    last_idle: idle,
                    attempts: 0,
                    result: Outcome::Died(Death::Unasked(how, origin)),
                    at,
                    sign: Sign::default(),
                };
                self.note(trial, conn);
            }
        }
        self.close(id);
    }

    fn finish_trial(&mut self, id: Id, conn: Conn, probe: Probe, result: Outcome, sign: Sign) {
        let (idle, last_idle) = match (probe.first, probe.last) {
            (Some((first, idle)), Some((last, _))) => (idle, idle.plus(last.since(first).max(Span::ZERO))),
            _ => (probe.idle, probe.idle),
        };
        let way = self.wanted.way;
        let trial = Trial { id, way, idle, last_idle, attempts: probe.asked, result, at: self.now, sign };
        self.note(trial, conn);
    }

    fn note(&mut self, trial: Trial, conn: Conn) {
        let before = self.record.estimate();
        let circumstance = Circumstance {
            opened_since: self.pool.opened().saturating_sub(conn.opens_before),
            life: trial.at.since(conn.opened).max(Span::ZERO),
        };
        self.record.add(trial, Some(circumstance));
        self.news.push_back(News::Trial(trial));
        let after = self.record.estimate();
        if (before.alive, before.shortest_dead) != (after.alive, after.shortest_dead) {
            let (longest_alive, shortest_dead) = (after.alive, after.shortest_dead);
            self.news.push_back(News::Bracket { longest_alive, shortest_dead });
        }
    }

    pub(super) fn not_opened(&mut self, id: Id, why: NotOpened) {
        self.record.not_opened.push(why);
        self.close(id);
    }

    /// Whether more connections may be opened: not after a refusal, nor if none ever succeeds, nor without end.
    pub(super) fn may_open(&self) -> bool {
        let refused =
            self.record.not_opened.iter().any(|why| matches!(why, NotOpened::Refused | NotOpened::Partner));
        let most = usize::from(self.wanted.connections) * 5 + 30;
        let failed = self.record.not_opened.len();
        let opened = usize::try_from(self.pool.opened()).unwrap_or(usize::MAX);
        !refused && opened < most && failed < 3 + opened / 8
    }

    /// Opens what is wanted, if its time has come.
    pub(super) fn open_wanted(&mut self) {
        while self.wants_another() && self.next_open <= self.now {
            let sentinels = self.pool.iter().filter(|(_, conn)| conn.role == Role::Sentinel).count();
            let role = if self.sentinels < SENTINELS && sentinels < usize::from(SENTINELS) {
                self.sentinels += 1;
                Role::Sentinel
            } else {
                Role::Worker
            };
            let id = self.pool.open(role, self.now, self.now.plus(OPENING));
            self.commands.push_back(Command::Open(id));
            let gap = Span::from_nanos(1_000_000_000 / i64::from(self.wanted.opens_per_second.max(1)));
            self.next_open = self.now.plus(gap);
        }
    }

    /// Whether another connection is wanted now, but for the pace.
    pub(super) fn wants_another(&self) -> bool {
        let most = usize::from(self.wanted.connections) + usize::from(SENTINELS);
        let wanted = self.sentinels < SENTINELS || self.pool.workers().count() < self.workers_wanted();
        wanted && self.pool.len() < most && self.may_open()
    }

    /// Lets the silence of a connection begin anew.
    pub(super) fn arm(&mut self, id: Id) {
        let by = self.now.plus(ARMING);
        self.set(id, State::Arming { by });
        self.commands.push_back(Command::Arm(id));
    }

    /// What is asked of a connection now tells nothing.
    pub(super) fn void(&mut self, id: Id, why: Void) {
        let Some(conn) = self.pool.get_mut(id) else { return };
        let conn = *conn;
        if let State::Probing(probe) = conn.state {
            self.finish_trial(id, conn, probe, Outcome::Void(why), Sign::default());
        }
    }

    /// Closes a connection and forgets it.
    pub(super) fn close(&mut self, id: Id) {
        if self.pool.remove(id).is_some() {
            self.commands.push_back(Command::Close(id));
        }
    }
}

/// From one try to the next, or to the end of the wait for an answer: tries at 0, 1 and 3 s.
fn until_next(attempt: u8, patience: Span) -> Span {
    match attempt {
        0 => Span::from_secs(1),
        1 => Span::from_secs(2),
        _ => patience,
    }
}
