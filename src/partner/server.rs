//! The side that is asked: who may ask, what was asked, and what became of it.
//!
//! Owns [`Server`] with its [`Limits`]. Sans-IO: whoever drives it accepts connections, hands over what happens to
//! them, and does the [`Action`]s. What it knows of each connection is bounded, and so is their number: visitors that
//! have not shown that they know the secret, sessions, and test connections of each. Uses the messages, the codec and
//! the secret.

mod bucket;
mod door;
mod news;
mod session;

use std::collections::{BTreeMap, VecDeque};

use self::door::{Door, Step};
pub use self::news::{Action, News, Turned};
pub use self::session::Totals;
use self::session::{Begin, Out, Session};
use super::codec::{Frame, Opening};
use super::message::{
    Abilities, Allowance, Ask, AskId, Back, Ending, Form, Joined, Nonce, NotSent, Number, OverReason, Report,
    Request, SessionId, Welcome,
};
use super::secret::Secret;
use super::{Tuple, VERSION, octet};
use crate::time::{Span, Timestamp};

/// A connection, named by whoever accepted it; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are not authenticated, at once; one more sends the oldest away.
    pub visitors: u16,
    /// How long a connection may take to be authenticated.
    pub handshake: Span,
    /// Sessions at once.
    pub sessions: u16,
    /// Test connections of a session, at once.
    pub connections: u16,
    /// Messages a second in a session, octets on its test connections counted too; twice as many at once.
    pub messages: u16,
    /// Octets a second towards the client of a session, echoes not counted; twice as many at once.
    pub octets: u32,
    /// A session of which nothing is heard for so long is over.
    pub expire: Span,
    /// A session is over after so long.
    pub lasts: Span,
    /// What comes back is looked for no longer.
    pub watch: Span,
}

impl Default for Limits {
    /// 64 visitors for 5 s, 4 sessions of 160 connections, 200 messages and 1000 octets a second, expiring after a
    /// minute, lasting 6 hours, with watches of a minute.
    fn default() -> Self {
        Self {
            visitors: 64,
            handshake: Span::from_secs(5),
            sessions: 4,
            connections: 160,
            messages: 200,
            octets: 1000,
            expire: Span::from_secs(60),
            lasts: Span::from_secs(6 * 3600),
            watch: Span::from_secs(60),
        }
    }
}

impl Limits {
    /// What a session is told of them.
    fn allowance(&self) -> Allowance {
        Allowance {
            connections: self.connections,
            messages: self.messages,
            octets: self.octets,
            expire: self.expire,
            lasts: self.lasts,
            watch: self.watch,
        }
    }
}

/// What a connection is once it is no visitor.
#[derive(Clone, Copy, Debug)]
enum Role {
    Control(u32),
    Test(u32, Number),
}

/// The server.
pub struct Server {
    limits: Limits,
    abilities: Abilities,
    door: Door,
    roles: BTreeMap<Token, Role>,
    sessions: BTreeMap<u32, Session>,
    count: u32,
    actions: VecDeque<Action>,
    news: VecDeque<(Timestamp, News)>,
}

impl Server {
    /// With nobody there.
    pub fn new(secret: Secret, limits: Limits, abilities: Abilities) -> Self {
        Self {
            limits,
            abilities,
            door: Door::new(secret),
            roles: BTreeMap::new(),
            sessions: BTreeMap::new(),
            count: 0,
            actions: VecDeque::new(),
            news: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What happened, and when.
    pub fn poll_news(&mut self) -> Option<(Timestamp, News)> {
        self.news.pop_front()
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Connections that it knows, visitors included.
    pub fn connections(&self) -> usize {
        self.roles.len() + self.door.len()
    }

    /// A connection was accepted. `random` has to be unpredictable and new each time.
    pub fn on_accepted(&mut self, now: Timestamp, token: Token, seen: Tuple, random: Nonce) {
        while let Some(oldest) = self.door.who_goes(&self.limits) {
            self.turn_away(now, oldest, Turned::Displaced);
        }
        self.door.enter(token, seen, random, now.plus(self.limits.handshake));
    }

    /// Octets came on a connection.
    pub fn on_octets(&mut self, now: Timestamp, token: Token, mut octets: &[u8]) {
        while !octets.is_empty() {
            match self.roles.get(&token).copied() {
                Some(Role::Control(session)) => self.on_control(now, session, &mut octets),
                Some(Role::Test(session, number)) => {
                    return self.on_test(now, session, number, token, octets);
                }
                None if self.door.contains(token) => self.on_visitor(now, token, &mut octets),
                None => return,
            }
        }
    }

    /// A connection ended by itself: it is gone, or, after a FIN, may be closed.
    pub fn on_ended(&mut self, now: Timestamp, token: Token, how: Ending, idle: Span) {
        match self.roles.remove(&token) {
            Some(Role::Control(session)) => self.over(now, session, None),
            Some(Role::Test(session, number)) => self.test_ended(now, session, number, how, idle),
            None => {
                if let Some(visitor) = self.door.leave(token) {
                    self.tell(now, News::Turned { seen: visitor.seen, why: Turned::Left });
                }
            }
        }
        self.close(token, false);
    }

    /// What was to be sent has left, after `idle` without a word on the connection.
    pub fn on_sent(&mut self, now: Timestamp, token: Token, id: AskId, form: Form, idle: Span) {
        let Some((serial, number)) = self.test_of(token) else { return };
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        if let Some(out) = session.out.get_mut(&id) {
            out.sent = Some(now);
            session.totals.sent += 1;
            session.totals.octets = session.totals.octets.saturating_add(u32::from(form.octets()));
            self.report(serial, &Report::Sent { id, at: now, idle });
            self.tell(now, News::Sent { session: serial, number, form, at: now, idle });
        }
    }

    /// What was to be sent has not left.
    pub fn on_not_sent(&mut self, now: Timestamp, token: Token, id: AskId, why: NotSent) {
        let Some((serial, number)) = self.test_of(token) else { return };
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        if session.out.remove(&id).is_some() {
            self.not_sent(now, serial, number, id, why);
        }
    }

    /// What came back, or did not.
    pub fn on_back(&mut self, now: Timestamp, token: Token, id: AskId, back: Back) {
        let Some((serial, number)) = self.test_of(token) else { return };
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        if session.out.remove(&id).is_some() {
            if matches!(back, Back::Acknowledged { .. }) {
                session.totals.acknowledged += 1;
            }
            self.report(serial, &Report::Back { id, at: now, back });
            self.tell(now, News::Back { session: serial, number, back });
        }
    }

    /// A segment was seen that belongs to no connection.
    pub fn on_stray(&mut self, now: Timestamp, seen: Tuple) {
        let from = |session: &&mut Session| session.seen.remote.address == seen.remote.address;
        let known: Vec<u32> = self
            .sessions
            .iter_mut()
            .filter_map(|(serial, session)| {
                (from(&session) && session.may_tell_stray(now)).then_some(*serial)
            })
            .collect();
        for serial in known {
            self.report(serial, &Report::Stray { at: now, seen });
            self.tell(now, News::Stray { session: serial, seen });
        }
    }

    /// Ends everything.
    pub fn stop(&mut self, now: Timestamp) {
        for serial in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.over(now, serial, Some(OverReason::Stopped));
        }
        for token in self.door.tokens() {
            self.door.leave(token);
            self.close(token, false);
        }
    }

    /// When to call [`on_timeout`](Server::on_timeout).
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let sessions = self.sessions.values().map(|session| session.next_timeout(&self.limits));
        sessions.chain(self.door.next_timeout()).min()
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Timestamp) {
        while let Some((token, why)) = self.door.overdue(now) {
            self.turn_away(now, token, why);
        }
        for serial in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.session_timeout(now, serial);
        }
    }

    fn session_timeout(&mut self, now: Timestamp, serial: u32) {
        let limits = self.limits;
        while let Some(session) = self.sessions.get_mut(&serial) {
            if now.since(session.heard) >= limits.expire {
                self.over(now, serial, Some(OverReason::Expired));
            } else if now.since(session.opened) >= limits.lasts {
                self.over(now, serial, Some(OverReason::Lasted));
            } else if let Some(ask) = session.due(now) {
                self.send(now, serial, &ask);
            } else {
                return;
            }
        }
    }

    /// Sends what was asked for, now that its time has come.
    fn send(&mut self, now: Timestamp, serial: u32, ask: &Ask) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        let able = match ask.form {
            Form::Data(_) => true,
            Form::Keepalive(0) => self.abilities.keepalive,
            Form::Keepalive(_) => self.abilities.garbage,
        };
        let why = match session.tests.get(&ask.number).copied() {
            None => NotSent::NoConnection,
            Some(_) if !able => NotSent::NotAble,
            Some(_) if !session.may_send(ask.form, now) => NotSent::Limit,
            Some(token) => {
                session.out.insert(ask.id, Out { number: ask.number, sent: None });
                let watch = Session::watch(ask, &self.limits);
                self.actions.push_back(Action::Send { token, id: ask.id, form: ask.form, watch });
                return;
            }
        };
        self.not_sent(now, serial, ask.number, ask.id, why);
    }

    fn not_sent(&mut self, now: Timestamp, serial: u32, number: Number, id: AskId, why: NotSent) {
        self.report(serial, &Report::NotSent { id, why });
        self.tell(now, News::NotSent { session: serial, number, why });
    }

    fn on_visitor(&mut self, now: Timestamp, token: Token, octets: &mut &[u8]) {
        match self.door.on_octets(token, octets) {
            Step::More => {}
            Step::Answer(frame) => self.write(token, frame),
            Step::Known { keys, id } => {
                if self.sessions.len() >= usize::from(self.limits.sessions) {
                    return self.turn_away(now, token, Turned::Full);
                }
                let Some(visitor) = self.door.leave(token) else { return };
                let seen = visitor.seen;
                let begin = Begin { id, control: token, seen, keys };
                let mut session = Session::new(begin, &self.limits, now);
                let (allowance, abilities) = (self.limits.allowance(), self.abilities);
                let welcome = Welcome { session: id, allowance, abilities, now, seen };
                let frame = session.outgoing.welcome(&welcome);
                self.count += 1;
                self.sessions.insert(self.count, session);
                self.roles.insert(token, Role::Control(self.count));
                self.write(token, frame);
                self.tell(now, News::Opened { session: self.count, seen });
            }
            Step::Joins { session, number, frame } => self.join(now, token, session, number, &frame),
            Step::Away(why) => self.turn_away(now, token, why),
        }
    }

    fn join(&mut self, now: Timestamp, token: Token, id: SessionId, number: Number, frame: &Frame) {
        let named = self.sessions.iter_mut().find(|(_, session)| session.id == id);
        let proven = |session: &Session| Opening::is_proven_join(frame, &session.keys.join);
        let Some((serial, session)) = named.filter(|(_, session)| proven(session)) else {
            return self.turn_away(now, token, Turned::NoSession);
        };
        if session.tests.len() >= usize::from(self.limits.connections) {
            return self.turn_away(now, token, Turned::Full);
        }
        if !session.use_number(number) {
            return self.turn_away(now, token, Turned::NoSession);
        }
        let Some(visitor) = self.door.leave(token) else { return };
        let (serial, seen) = (*serial, visitor.seen);
        session.tests.insert(number, token);
        session.totals.connections += 1;
        let joined = Opening::joined(&session.keys.join, id, number, Joined { seen, now });
        self.roles.insert(token, Role::Test(serial, number));
        self.write(token, joined.encode());
        self.tell(now, News::Joined { session: serial, number, seen });
    }

    /// One message of a session, if it is whole.
    fn on_control(&mut self, now: Timestamp, serial: u32, octets: &mut &[u8]) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        let request = match session.frames.next(octets) {
            Ok(None) => return,
            Ok(Some(frame)) => session.incoming.open_request(&frame),
            Err(error) => Err(error),
        };
        let Ok(request) = request else {
            return self.over(now, serial, Some(OverReason::Nonsense));
        };
        session.heard = now;
        if !session.may_say(now) {
            return self.over(now, serial, Some(OverReason::TooMany));
        }
        match request {
            Request::Ask(ask) => {
                session.totals.asked += 1;
                if session.ask(ask, &self.limits, now) {
                    // What is for now is sent at once.
                    self.session_timeout(now, serial);
                } else {
                    self.not_sent(now, serial, ask.number, ask.id, NotSent::Limit);
                }
            }
            Request::Close { number, abort } => self.close_test(now, serial, number, abort),
            Request::Ping(token) => self.report(serial, &Report::Pong { token, at: now }),
            Request::Bye => self.over(now, serial, Some(OverReason::Bye)),
        }
    }

    fn close_test(&mut self, now: Timestamp, serial: u32, number: Number, abort: bool) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        session.forget(number);
        if let Some(token) = session.tests.remove(&number) {
            self.roles.remove(&token);
            self.close(token, abort);
            self.tell(now, News::Ended { session: serial, number, how: None, idle: Span::ZERO });
        }
    }

    /// Octets on a test connection.
    fn on_test(&mut self, now: Timestamp, serial: u32, number: Number, token: Token, octets: &[u8]) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        let mut echoes = Vec::new();
        let mut ending = None;
        for octet in octets {
            ending = match *octet {
                octet::ECHO | octet::SILENT if !session.may_say(now) => Some(Ending::Limit),
                octet::ECHO => {
                    echoes.push(octet::ECHOED);
                    None
                }
                octet::SILENT => None,
                _ => Some(Ending::Strange),
            };
            if ending.is_some() {
                break;
            }
        }
        if !echoes.is_empty() {
            self.actions.push_back(Action::Write { token, octets: echoes });
        }
        if let Some(how) = ending {
            self.roles.remove(&token);
            self.test_ended(now, serial, number, how, Span::ZERO);
            self.close(token, false);
        }
    }

    fn test_ended(&mut self, now: Timestamp, serial: u32, number: Number, how: Ending, idle: Span) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        session.tests.remove(&number);
        let ended: Vec<(AskId, Out)> =
            session.out.iter().filter(|(_, out)| out.number == number).map(|(id, out)| (*id, *out)).collect();
        session.forget(number);
        for (id, out) in ended {
            match out.sent {
                Some(sent) => {
                    let back = Back::Ended { how, after: now.since(sent) };
                    self.report(serial, &Report::Back { id, at: now, back });
                    self.tell(now, News::Back { session: serial, number, back });
                }
                None => self.not_sent(now, serial, number, id, NotSent::NoConnection),
            }
        }
        self.report(serial, &Report::Ended { number, at: now, how, idle });
        self.tell(now, News::Ended { session: serial, number, how: Some(how), idle });
    }

    /// Ends a session and everything of it; without a reason because its control connection is gone.
    fn over(&mut self, now: Timestamp, serial: u32, reason: Option<OverReason>) {
        if let Some(reason) = reason {
            self.report(serial, &Report::Over(reason));
        }
        let Some(session) = self.sessions.remove(&serial) else { return };
        for token in session.tests.into_values().chain([session.control]) {
            self.roles.remove(&token);
            self.close(token, false);
        }
        self.tell(now, News::Over { session: serial, reason, totals: session.totals });
    }

    fn turn_away(&mut self, now: Timestamp, token: Token, why: Turned) {
        let Some(visitor) = self.door.leave(token) else { return };
        if let Some(refusal) = why.refusal() {
            self.write(token, Opening::Refused { refusal, version: VERSION }.encode());
        }
        self.close(token, false);
        self.tell(now, News::Turned { seen: visitor.seen, why });
    }

    fn test_of(&self, token: Token) -> Option<(u32, Number)> {
        match self.roles.get(&token) {
            Some(Role::Test(session, number)) => Some((*session, *number)),
            _ => None,
        }
    }

    fn report(&mut self, serial: u32, report: &Report) {
        if let Some(session) = self.sessions.get_mut(&serial) {
            let frame = session.outgoing.report(report);
            let token = session.control;
            self.write(token, frame);
        }
    }

    fn write(&mut self, token: Token, frame: Frame) {
        self.actions.push_back(Action::Write { token, octets: frame.octets().to_vec() });
    }

    fn close(&mut self, token: Token, abort: bool) {
        self.actions.push_back(Action::Close { token, abort });
    }

    fn tell(&mut self, now: Timestamp, news: News) {
        self.news.push_back((now, news));
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("visitors", &self.door.len())
            .field("sessions", &self.sessions.len())
            .field("connections", &self.roles.len())
            .finish()
    }
}
