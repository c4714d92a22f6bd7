//! What keeps a connection open, and where the box is that forgets it.
//!
//! Owns [`Experiment`]. Pure: what happened to connections goes in, what is to be done comes out. Once a timeout T is
//! known, connections of their own are left silent but for one [`Form`] of packet, and then it is tested whether they
//! are still known. What they came to is judged in `judge`.
//!
//! Two courses. *Once*: one packet at 0.6 T, the test between T and 1.6 T. There was no silence of T that ended with a
//! packet from here, so nothing can have been made anew: who lives was refreshed. *Kept*: a packet every 0.6 T for
//! 2.5 T, as keepalives come. Who lives that and dies of the first was forgotten and made anew. A control is never
//! refreshed at all: if it lives, T is none, and nothing can be said.
//!
//! A packet that the far end answers passes the box both ways. What draws no answer tells the ways apart: outward a pure
//! ACK at SND.NXT, and a probe whose TTL ends before the far end; inward a probe of the partner while our end is deaf to
//! it. The TTL-limited probe, with one TTL for each hop, tells where the box
//! is: it counts from the TTL on that reaches the box.

mod judge;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

pub use self::judge::{Counts, Located, Location, Outcome, Refreshed, Sender, Verdict, routers};
use super::message::{End, Id, Input, Origin};
use super::wanted::Way;
use crate::time::{Span, Timestamp};

/// Shortest timeout that can be examined: the three tries of a test take 3 s.
pub const SHORTEST: Span = Span::from_secs(3);

/// Further away nothing is looked for.
const MOST_HOPS: u8 = 30;

/// Between two connections that are opened.
const PACE: Span = Span::from_millis(100);

/// When a test is tried again, after its first try.
const TRIES: [Span; 2] = [Span::from_secs(1), Span::from_secs(3)];

/// When a test is given up, after its first try.
const PATIENCE: Span = Span::from_millis(4_500);

/// What a connection is kept open with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Nothing: the control.
    Silence,
    /// A keepalive probe without data, SEG.SEQ = SND.NXT-1.
    Keepalive,
    /// The same with one octet of no meaning.
    KeepaliveOctet,
    /// A pure ACK at SND.NXT, which nobody answers.
    Ack,
    /// A keepalive probe without data whose TTL ends at this hop, 1 being the first router.
    Limited(u8),
    /// A keepalive probe without data that the partner sends towards us, and that is not answered from here.
    Inward,
    /// An octet of data that is answered by one; only with a partner.
    Data,
}

impl Form {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Form::Silence => "silence",
            Form::Keepalive => "keepalive",
            Form::KeepaliveOctet => "keepalive_octet",
            Form::Ack => "ack",
            Form::Limited(_) => "ttl_limited",
            Form::Inward => "inward",
            Form::Data => "data",
        }
    }

    /// Whether it draws an answer, which passes the box the other way.
    pub const fn is_both_ways(self) -> bool {
        matches!(self, Form::Keepalive | Form::KeepaliveOctet | Form::Data)
    }
}

/// How a connection is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Course {
    /// One packet before the timeout, tested after it.
    Once,
    /// Packets all the time, tested after two and a half timeouts.
    Kept,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Silences up to this are survived.
    pub alive: Span,
    /// From this on they are not.
    pub dead: Span,
    /// Whether there is a partner, who sends towards us and answers data.
    pub partner: bool,
    /// Whether the partner can send keepalive probes as well.
    pub inward: bool,
    /// What counts?
    pub refresh: bool,
    /// Where is it?
    pub locate: bool,
    /// Connections at once, at most.
    pub most: u16,
}

/// Why it cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// The timeout is too short.
    #[error("a timeout of less than 3s is too short for this: the three tries of a test alone take 3 s")]
    TooShort,
    /// It is not known well enough.
    #[error(
        "the timeout is not known well enough: a connection must be refreshed before it and tested after it"
    )]
    TooWide,
}

impl Question {
    /// Whether it can be answered.
    ///
    /// # Errors
    /// If not.
    pub fn check(&self) -> Result<(), QuestionError> {
        if self.alive < SHORTEST {
            return Err(QuestionError::TooShort);
        }
        if self.dead.times(100) > self.alive.times(145) {
            return Err(QuestionError::TooWide);
        }
        Ok(())
    }

    /// Between two packets.
    pub fn every(&self) -> Span {
        part(self.alive, 60)
    }

    /// When a connection of this course is tested.
    pub fn tested_after(&self, course: Course) -> Span {
        match course {
            Course::Once => part(self.dead.plus(part(self.alive, 160)), 50),
            Course::Kept => part(self.dead, 250),
        }
    }

    /// How long all of it takes, at most.
    pub fn takes(&self) -> Span {
        let course = if self.refresh { Course::Kept } else { Course::Once };
        let opening = PACE.times(i64::from(self.most).min(100));
        self.tested_after(course).plus(opening).plus(PATIENCE)
    }

    /// When the packet after so many others is due, since the connection became silent; none if there is none.
    fn due(&self, form: Form, course: Course, sent: u32) -> Option<Span> {
        if form == Form::Silence || (course == Course::Once && sent > 0) {
            return None;
        }
        let at = self.every().times(i64::from(sent) + 1);
        (at.plus(part(self.alive, 5)) < self.tested_after(course)).then_some(at)
    }
}

/// So many hundredths of it.
fn part(span: Span, hundredths: i64) -> Span {
    Span::from_nanos(span.as_nanos() / 100 * hundredths)
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Connect, from a port not used before. Answered by [`Input::Opened`] or [`Input::NotOpened`].
    Open(Id),
    /// Send this, or have it sent. [`Form::Data`] is answered by [`Input::Armed`] or by nothing; an answer to another by
    /// [`Input::Answered`], if there is one. [`Input::NotSent`] if it could not be.
    Refresh(Id, Form),
    /// Test it. Answered as a probe of a search is.
    Test {
        /// Which connection.
        id: Id,
        /// Who sends.
        way: Way,
        /// 0 for the first try.
        attempt: u8,
    },
    /// Close. Whatever still comes for it is of no interest.
    Close(Id),
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It was still known.
    Lived,
    /// Nothing came any more.
    Silent,
    /// Its next packet came from another port.
    NewPort,
    /// It was ended.
    Ended(End, Origin),
    /// It tells nothing: not opened, not sent, disturbed, interrupted.
    Void,
}

impl Fate {
    /// Whether it died.
    pub const fn died(self) -> bool {
        matches!(self, Fate::Silent | Fate::NewPort | Fate::Ended(..))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Opening,
    Open { since: Timestamp },
    Testing { first: Timestamp, attempt: u8 },
    Over,
}

/// One connection of an experiment.
#[derive(Clone, Copy, Debug)]
struct Connection {
    id: Id,
    form: Form,
    course: Course,
    state: State,
    sent: u32,
    answered: u32,
    /// Data was sent, and its answer has not come.
    unanswered: bool,
    /// It ended before anything was said on it.
    unasked: bool,
    fate: Option<Fate>,
}

/// The examination of one timeout.
///
/// After each call that takes a time, take what is to be done: [`poll_order`](Experiment::poll_order) until it returns
/// nothing; then wait for [`next_timeout`](Experiment::next_timeout) or for something to happen to a connection.
#[derive(Clone, Debug)]
pub struct Experiment {
    question: Question,
    now: Timestamp,
    connections: Vec<Connection>,
    next_open: Timestamp,
    hops: Option<u8>,
    /// Forms for which there was no room.
    left_out: Vec<Form>,
    reporters: BTreeMap<u8, Vec<IpAddr>>,
    orders: VecDeque<Order>,
    interrupted: bool,
}

impl Experiment {
    /// Begins it with one connection, whose packets show how far the far end is.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub fn new(question: Question, now: Timestamp) -> Result<Self, QuestionError> {
        question.check()?;
        let mut experiment = Self {
            question,
            now,
            connections: Vec::new(),
            next_open: now,
            hops: None,
            left_out: Vec::new(),
            reporters: BTreeMap::new(),
            orders: VecDeque::new(),
            interrupted: false,
        };
        experiment.add(Form::Silence, Course::Once);
        experiment.on_timeout(now);
        Ok(experiment)
    }

    fn add(&mut self, form: Form, course: Course) {
        let id = Id(u32::try_from(self.connections.len()).unwrap_or(u32::MAX));
        let state = State::Waiting;
        let (sent, answered, unanswered, unasked, fate) = (0, 0, false, false, None);
        let connection = Connection { id, form, course, state, sent, answered, unanswered, unasked, fate };
        self.connections.push(connection);
    }

    /// The far end is behind so many routers, as its TTL shows; told once the first connection is open.
    pub fn on_hops(&mut self, now: Timestamp, hops: u8) {
        if self.hops.is_some() {
            return;
        }
        self.now = self.now.max(now);
        self.hops = Some(hops.min(MOST_HOPS));
        for (form, course) in self.wanted(hops.min(MOST_HOPS)) {
            if self.connections.len() < usize::from(self.question.most) {
                self.add(form, course);
            } else if !self.connections.iter().any(|one| one.form == form) && !self.left_out.contains(&form) {
                self.left_out.push(form);
            }
        }
    }

    /// What is opened beside the first, the most important first.
    fn wanted(&self, hops: u8) -> Vec<(Form, Course)> {
        let Question { refresh, locate, partner, inward, .. } = self.question;
        let mut wanted = vec![(Form::Silence, Course::Once)];
        if refresh {
            let mut forms = vec![Form::Keepalive, Form::Ack, Form::KeepaliveOctet];
            if partner {
                forms.insert(1, Form::Data);
            }
            if partner && inward {
                forms.push(Form::Inward);
            }
            if hops > 0 {
                forms.push(Form::Limited(hops));
            }
            // Two of each before a third of one: what has no room for two is left out.
            let room = usize::from(self.question.most).saturating_sub(2) / 2;
            let (first, last) = forms.split_at(room.min(forms.len()));
            for forms in [first, last] {
                for course in [Course::Kept, Course::Kept, Course::Once] {
                    wanted.extend(forms.iter().map(|form| (*form, course)));
                }
            }
        }
        if locate {
            wanted.push((Form::Ack, Course::Once));
            for _ in 0..2 {
                wanted.extend((1..=hops).map(|hop| (Form::Limited(hop), Course::Once)));
            }
        }
        wanted
    }

    /// A router at which the packets of a connection ended said so.
    pub fn on_expired(&mut self, id: Id, reporter: IpAddr) {
        let form = self.connections.iter().find(|connection| connection.id == id).map(|one| one.form);
        if let Some(Form::Limited(hop)) = form {
            let known = self.reporters.entry(hop).or_default();
            if !known.contains(&reporter) {
                known.push(reporter);
            }
        }
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        self.connections.iter().all(|connection| connection.state == State::Over)
    }

    /// What is to be done next.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Ends it.
    pub fn interrupt(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.interrupted |= !self.is_done();
        for index in 0..self.connections.len() {
            self.finish(index, Fate::Void);
        }
    }

    /// The machine slept: what is under way tells nothing.
    pub fn on_clock_gap(&mut self, now: Timestamp) {
        self.interrupt(now);
    }

    /// When to call [`on_timeout`](Experiment::on_timeout) next.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.connections.iter().filter_map(|connection| self.due(connection)).min()
    }

    fn due(&self, connection: &Connection) -> Option<Timestamp> {
        match connection.state {
            State::Waiting => Some(self.next_open),
            State::Open { since } => {
                let next = self.question.due(connection.form, connection.course, connection.sent);
                Some(since.plus(next.unwrap_or(self.question.tested_after(connection.course))))
            }
            State::Testing { first, attempt } => {
                Some(first.plus(TRIES.get(usize::from(attempt)).copied().unwrap_or(PATIENCE)))
            }
            State::Opening | State::Over => None,
        }
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for index in 0..self.connections.len() {
            let due = self.connections.get(index).and_then(|connection| self.due(connection));
            if due.is_some_and(|due| due <= self.now) {
                self.act(index);
            }
        }
    }

    fn act(&mut self, index: usize) {
        let (question, now) = (self.question, self.now);
        let Some(connection) = self.connections.get_mut(index) else { return };
        let id = connection.id;
        let way = if question.partner { Way::In } else { Way::Out };
        match connection.state {
            State::Waiting => {
                connection.state = State::Opening;
                self.next_open = now.plus(PACE);
                self.orders.push_back(Order::Open(id));
            }
            State::Open { .. }
                if question.due(connection.form, connection.course, connection.sent).is_some() =>
            {
                connection.sent += 1;
                connection.unanswered = connection.form == Form::Data;
                self.orders.push_back(Order::Refresh(id, connection.form));
            }
            // What it said was said again and again by the kernel, and never answered.
            State::Open { .. } if connection.unanswered => self.finish(index, Fate::Silent),
            State::Open { .. } => {
                connection.state = State::Testing { first: now, attempt: 0 };
                self.orders.push_back(Order::Test { id, way, attempt: 0 });
            }
            State::Testing { first, attempt } if usize::from(attempt) < TRIES.len() => {
                let attempt = attempt + 1;
                connection.state = State::Testing { first, attempt };
                self.orders.push_back(Order::Test { id, way, attempt });
            }
            State::Testing { .. } => self.finish(index, Fate::Silent),
            State::Opening | State::Over => {}
        }
    }

    fn finish(&mut self, index: usize, fate: Fate) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.state == State::Over {
            return;
        }
        if !matches!(connection.state, State::Waiting) {
            self.orders.push_back(Order::Close(connection.id));
        }
        connection.state = State::Over;
        connection.fate = Some(fate);
    }

    /// Something happened to a connection.
    pub fn on(&mut self, now: Timestamp, id: Id, input: Input) {
        self.now = self.now.max(now);
        let Some(index) = self.connections.iter().position(|connection| connection.id == id) else { return };
        let Some(connection) = self.connections.get_mut(index) else { return };
        match (connection.state, input) {
            (State::Opening, Input::Opened { since }) => connection.state = State::Open { since },
            (State::Opening, Input::NotOpened(_)) => {
                self.finish(index, Fate::Void);
                self.give_up_unopened(index);
            }
            (State::Open { .. }, Input::Answered { .. }) => connection.answered += 1,
            (State::Open { .. }, Input::Armed { .. }) => {
                connection.unanswered = false;
                connection.answered += 1;
            }
            // It was asked for.
            (State::Open { .. }, Input::Disturbed { .. }) if connection.form == Form::Inward => {}
            (State::Open { .. }, Input::NotSent { .. }) => self.finish(index, Fate::Void),
            // What nobody asked for keeps a connection open as well.
            (State::Open { .. }, Input::Disturbed { .. }) if connection.form.is_both_ways() => {}
            (State::Open { .. }, Input::Disturbed { .. }) => self.finish(index, Fate::Void),
            (State::Open { .. } | State::Testing { .. }, Input::Ended { how, origin, .. }) => {
                connection.unasked = matches!(connection.state, State::Open { .. }) && connection.sent == 0;
                self.finish(index, Fate::Ended(how, origin));
            }
            (State::Testing { .. }, Input::Answered { sign, .. }) => {
                let fate = if sign.new_port == Some(true) { Fate::NewPort } else { Fate::Lived };
                self.finish(index, fate);
            }
            (State::Testing { .. }, Input::NotSent { .. }) => self.finish(index, Fate::Void),
            _ => {}
        }
    }

    /// The first connection could not be opened: no other is tried.
    fn give_up_unopened(&mut self, index: usize) {
        if index == 0 && self.hops.is_none() {
            (0..self.connections.len()).for_each(|other| self.finish(other, Fate::Void));
        }
    }

    /// What it came to.
    pub fn outcome(&self) -> Outcome {
        judge::outcome(self)
    }
}
