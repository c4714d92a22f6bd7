//! The searches, their connections and the partner together: arrivals and times go in, commands and news come out.
//!
//! Owns the state of a run. Pure but for the hasher; whoever drives it has the wire. Uses [`super::flow`] for each
//! connection, [`super::control`] for the partner, [`crate::search`] for what is to be tried, and [`crate::pipeline`]
//! for what packets are.

mod packets;
mod partner;
mod refresh;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::control::{Control, PartnerError};
use super::flow::{Flow, Step};
use super::trace::{Trace, Tuple};
use super::{Direction, News, NotExamined, Plan, Translation};
use crate::live::engine::learn::Dress;
use crate::live::wire::{Ended, Handle};
use crate::pipeline::Pipeline;
use crate::search::refresh::Experiment;
use crate::search::{Command as Order, Id, Input, NotOpened, SENTINELS, Search, Why};
use crate::segment::SeqNum;
use crate::time::{Span, Timestamp};

/// How long the last connections may take to end.
const LINGER: Span = Span::from_millis(1_500);

/// Within this the last packets are seen.
const LAST: Span = Span::from_millis(100);

/// The experiment in the place of a search's number.
const EXPERIMENT: usize = usize::MAX;

/// Connections of which the pipeline knows something at once.
const MOST_KNOWN: usize = 4096;

/// A connection of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Whose {
    /// The one to the partner.
    Control,
    /// One that is tested.
    Flow(u32),
}

/// A keepalive probe that is to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) tuple: Tuple,
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    /// TSecr, where timestamps go with it.
    pub(super) echo: Option<u32>,
    pub(super) dress: Dress,
    /// It carries one octet of no meaning.
    pub(super) octet: bool,
}

/// What is to be done in the world.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Open a connection, and hear it where there is a partner.
    Connect(Whose),
    /// Say something.
    Write(Whose, Handle, Vec<u8>),
    /// Send a probe beside the kernel.
    Send(u32, Probe),
    /// Keep from the kernel what comes on a connection, or do so no more.
    Deafen(u32, Handle, bool),
    /// Close a connection.
    Close(Handle),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The partner is asked.
    Greeting,
    Searching,
    /// Everything is closed; the last packets are waited for.
    Closing {
        from: Timestamp,
        until: Timestamp,
        goodbye: bool,
    },
    Done,
}

/// The state of a run.
#[derive(Debug)]
pub(super) struct Core {
    plan: Plan,
    phase: Phase,
    control: Option<Control>,
    searches: Vec<Search>,
    /// What was asked in the end, the partner's limits minded.
    pub(super) directions: Vec<Direction>,
    /// What follows the searches, once it has begun.
    pub(super) experiment: Option<Experiment>,
    /// Why it did not.
    pub(super) not_examined: Option<NotExamined>,
    flows: BTreeMap<u32, Flow>,
    ids: HashMap<(usize, Id), u32>,
    next: u32,
    handles: HashMap<Handle, Whose>,
    owners: HashMap<Tuple, u32>,
    strangers: HashMap<Tuple, Trace>,
    /// Our ports of all connections so far.
    used: HashSet<u16>,
    /// Interfaces over which packets of ours went.
    interfaces: BTreeSet<u32>,
    pipeline: Pipeline,
    frames: u64,
    /// Packets of ours, either way.
    pub(super) packets: u64,
    pub(super) translation: Option<Translation>,
    now: Timestamp,
    pub(super) interrupted: bool,
    pub(super) partner_failed: Option<PartnerError>,
    commands: VecDeque<Command>,
    news: VecDeque<News>,
}

impl Core {
    /// Begins: with the partner, or with the searches where there is none.
    pub(super) fn new(plan: Plan, now: Timestamp) -> Self {
        let partner = plan.partner.is_some();
        let mut pipeline = Pipeline::new(plan.hash_seed);
        pipeline.keep_at_most(MOST_KNOWN);
        let mut core = Self {
            plan,
            phase: Phase::Greeting,
            control: None,
            searches: Vec::new(),
            directions: Vec::new(),
            experiment: None,
            not_examined: None,
            flows: BTreeMap::new(),
            ids: HashMap::new(),
            next: 0,
            handles: HashMap::new(),
            owners: HashMap::new(),
            strangers: HashMap::new(),
            used: HashSet::new(),
            interfaces: BTreeSet::new(),
            pipeline,
            frames: 0,
            packets: 0,
            translation: None,
            now,
            interrupted: false,
            partner_failed: None,
            commands: VecDeque::new(),
            news: VecDeque::new(),
        };
        if partner {
            core.commands.push_back(Command::Connect(Whose::Control));
        } else {
            core.begin_searches();
        }
        core
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn searches(&self) -> &[Search] {
        &self.searches
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn begin_searches(&mut self) {
        self.phase = Phase::Searching;
        let allowed = self.control.as_ref().and_then(Control::welcome).map(|welcome| welcome.allowance);
        let count = u16::try_from(self.plan.directions.len()).unwrap_or(u16::MAX).max(1);
        for (index, direction) in self.plan.directions.clone().into_iter().enumerate() {
            let mut wanted = direction;
            if let Some(allowed) = allowed {
                let most = (allowed.connections / count).saturating_sub(SENTINELS).max(1);
                if most < wanted.connections {
                    self.news.push_back(News::Fewer { wanted: wanted.connections, allowed: most });
                    wanted.connections = most;
                }
            }
            // Checked when the plan was made; fewer connections do not make it wrong.
            if let Ok(search) = Search::new(wanted.clone(), self.now) {
                self.searches.push(search);
                self.directions.push(Direction { index, wanted });
            }
        }
        self.pump();
    }

    /// When to call [`on_time`](Core::on_time) next.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let searches =
            self.searches.iter().filter(|search| !search.is_done()).filter_map(Search::next_timeout);
        let flows = self.flows.values().filter_map(Flow::due);
        let control = self.control.as_ref().and_then(Control::next_timeout);
        let closing = match self.phase {
            Phase::Closing { from, .. } if from > self.now => Some(from),
            Phase::Closing { until, .. } => Some(until),
            _ => None,
        };
        let experiment = self.experiment.as_ref().and_then(Experiment::next_timeout);
        searches.chain(experiment).chain(flows).chain(control).chain(closing).min()
    }

    /// Time has passed.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let now = self.now;
        if let Some(control) = &mut self.control
            && control.next_timeout().is_some_and(|due| due <= now)
        {
            control.on_timeout(now);
        }
        let due: Vec<u32> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.due().is_some_and(|due| due <= now))
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            self.with_flow(number, |flow, steps| flow.on_time(now, steps));
        }
        for search in &mut self.searches {
            if search.next_timeout().is_some_and(|due| due <= now) {
                search.on_timeout(now);
            }
        }
        if let Some(experiment) = &mut self.experiment {
            experiment.on_timeout(now);
        }
        self.pump();
    }

    /// Lets a connection take something in, and does what it wants done.
    fn with_flow(&mut self, number: u32, work: impl FnOnce(&mut Flow, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        if let Some(flow) = self.flows.get_mut(&number) {
            work(flow, &mut steps);
        }
        for step in steps {
            self.take(number, step);
        }
        if self.flows.get(&number).is_some_and(Flow::is_done)
            && let Some(flow) = self.flows.remove(&number)
        {
            self.ids.remove(&flow.key);
            self.owners.retain(|_, owner| *owner != number);
            self.handles.retain(|_, whose| *whose != Whose::Flow(number));
        }
    }

    fn take(&mut self, number: u32, step: Step) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&number) else { return };
        let (index, id) = flow.key;
        match step {
            Step::Tell(input) if index == EXPERIMENT => self.tell_experiment(number, id, input),
            Step::Refresh(form) => self.refresh(number, form),
            Step::Tell(input) => {
                if let Some(search) = self.searches.get_mut(index) {
                    search.on(now, id, input);
                }
            }
            Step::Say(octets) => {
                if let Some(handle) = flow.handle {
                    self.commands.push_back(Command::Write(Whose::Flow(number), handle, octets));
                }
            }
            Step::Deafen(deaf) => {
                let handle = flow.handle;
                self.commands.extend(handle.map(|handle| Command::Deafen(number, handle, deaf)));
            }
            Step::Probe => match flow.tuple.zip(flow.trace.and_then(|trace| trace.keepalive(now))) {
                Some((tuple, (seq, ack, echo, dress))) => {
                    self.commands.push_back(Command::Send(
                        number,
                        Probe { tuple, seq, ack, echo, dress, octet: false },
                    ));
                }
                None => self.with_flow(number, Flow::on_not_sent),
            },
            Step::Ask => {
                let test = flow.test.as_ref().map(|test| test.number());
                let asked = test.zip(self.control.as_mut()).is_some_and(|(test, control)| control.ask(test));
                if !asked {
                    self.with_flow(number, Flow::on_not_sent);
                }
            }
            Step::Close => {
                if let Some(handle) = flow.handle {
                    self.commands.push_back(Command::Close(handle));
                }
                let there = flow.test.as_ref().filter(|test| test.is_joined()).map(|test| test.number());
                let abort = flow.to_be_aborted();
                if let Some((test, control)) = there.zip(self.control.as_mut()) {
                    control.close(test, abort);
                }
            }
        }
    }

    /// Carries news and commands between the searches, the partner and the connections until nothing is left.
    fn pump(&mut self) {
        loop {
            let mut any = false;
            while let Some(told) = self.control.as_mut().and_then(Control::poll_told) {
                any = true;
                self.on_told(told);
            }
            for index in 0..self.searches.len() {
                while let Some(order) = self.searches.get_mut(index).and_then(Search::poll_command) {
                    any = true;
                    self.obey(index, order);
                }
                while let Some(news) = self.searches.get_mut(index).and_then(Search::poll_news) {
                    self.news.push_back(News::Search { index, news });
                }
            }
            any |= self.pump_experiment();
            if !any {
                break;
            }
        }
        self.ask_sign();
        if let Some(control) = &mut self.control {
            while let Some(octets) = control.poll_octets() {
                self.commands.push_back(Command::Write(Whose::Control, control.handle, octets));
            }
        }
        self.look_at_partner();
        self.look_whether_over();
    }

    fn obey(&mut self, index: usize, order: Order) {
        let key = (index, order.id());
        if let Order::Open(_) = order {
            self.open(key);
            return;
        }
        let now = self.now;
        let Some(number) = self.ids.get(&key).copied() else { return };
        self.with_flow(number, |flow, steps| match order {
            Order::Open(_) => {}
            Order::Arm(_) => flow.arm(now, steps),
            Order::Probe { way, attempt, .. } => flow.probe(now, way, attempt, steps),
            Order::Close(_) => flow.close(now, steps),
        });
    }

    fn open(&mut self, key: (usize, Id)) {
        let number = self.next;
        self.next += 1;
        let test = self.control.as_mut().and_then(Control::test);
        if self.plan.partner.is_some() && test.is_none() {
            if let Some(search) = self.searches.get_mut(key.0) {
                search.on(self.now, key.1, Input::NotOpened(NotOpened::Partner));
            } else {
                self.tell_experiment(number, key.1, Input::NotOpened(NotOpened::Partner));
            }
            return;
        }
        let welcome = self.control.as_ref().and_then(Control::welcome);
        let strays = welcome.is_some_and(|welcome| welcome.abilities.strays);
        let until = self.now.plus(self.plan.open_within);
        self.flows.insert(number, Flow::new(key, test, strays, until));
        self.ids.insert(key, number);
        self.commands.push_back(Command::Connect(Whose::Flow(number)));
    }

    /// The world began to open a connection.
    pub(super) fn on_connecting(&mut self, whose: Whose, handle: Handle) {
        self.handles.insert(handle, whose);
        match whose {
            Whose::Control => {
                let until = self.now.plus(self.plan.open_within);
                let partner = self.plan.partner.clone();
                self.control = partner.map(|partner| Control::new(partner, handle, until));
            }
            Whose::Flow(number) => {
                if let Some(flow) = self.flows.get_mut(&number) {
                    flow.handle = Some(handle);
                }
            }
        }
    }

    /// The world would not even try.
    pub(super) fn on_not_connected(&mut self, whose: Whose, error: String) {
        self.news.push_back(News::NotSent { error });
        match whose {
            Whose::Control => {
                self.partner_failed = Some(PartnerError::Unreachable(Ended::Other(0)));
                self.phase = Phase::Done;
            }
            Whose::Flow(number) => self.with_flow(number, Flow::on_not_connected),
        }
        self.pump();
    }

    /// The world would not let something out.
    pub(super) fn on_not_sent(&mut self, whose: Whose, error: String) {
        self.news.push_back(News::NotSent { error });
        if let Whose::Flow(number) = whose {
            self.with_flow(number, Flow::on_not_sent);
        }
        self.pump();
    }

    /// A connection is open.
    pub(super) fn on_opened(&mut self, now: Timestamp, handle: Handle, tuple: Tuple) {
        self.now = self.now.max(now);
        match self.handles.get(&handle).copied() {
            Some(Whose::Control) => {
                if let Some(control) = &mut self.control {
                    control.on_opened(now);
                }
            }
            Some(Whose::Flow(number)) if !self.used.insert(tuple.0.port) => self.open_again(number, handle),
            Some(Whose::Flow(number)) => {
                self.owners.insert(tuple, number);
                let trace = self.strangers.remove(&tuple);
                if let Some(flow) = self.flows.get_mut(&number) {
                    (flow.tuple, flow.trace) = (Some(tuple), trace);
                }
                self.with_flow(number, |flow, steps| flow.on_opened(now, steps));
            }
            None => {}
        }
        self.pump();
    }

    /// A box may remember the port: another one is taken.
    fn open_again(&mut self, number: u32, handle: Handle) {
        self.handles.remove(&handle);
        self.commands.push_back(Command::Close(handle));
        self.commands.push_back(Command::Connect(Whose::Flow(number)));
    }

    /// A connection ended, or could not be opened.
    pub(super) fn on_ended(&mut self, now: Timestamp, handle: Handle, how: Ended) {
        self.now = self.now.max(now);
        match self.handles.get(&handle).copied() {
            Some(Whose::Control) => {
                if let Some(control) = &mut self.control {
                    control.on_ended(how);
                }
            }
            Some(Whose::Flow(number)) => {
                self.with_flow(number, |flow, steps| flow.on_wire_ended(how, now, steps));
            }
            None => {}
        }
        self.pump();
    }

    /// The peer of a connection said something.
    pub(super) fn on_octets(&mut self, now: Timestamp, handle: Handle, octets: &[u8]) {
        self.now = self.now.max(now);
        match self.handles.get(&handle).copied() {
            Some(Whose::Control) => {
                if let Some(control) = &mut self.control {
                    control.on_octets(now, octets);
                }
            }
            Some(Whose::Flow(number)) => {
                let mut understood = true;
                self.with_flow(number, |flow, steps| understood = flow.on_octets(octets, now, steps));
                if !understood {
                    self.news.push_back(News::Strange);
                }
                self.see_translation(number);
            }
            None => {}
        }
        self.pump();
    }

    fn look_whether_over(&mut self) {
        match self.phase {
            Phase::Searching if self.searches.iter().all(Search::is_done) && !self.is_examining() => {
                if self.begin_experiment() { self.pump() } else { self.begin_closing() }
            }
            Phase::Closing { from, until, goodbye: false }
                if (self.flows.is_empty() && self.now >= from) || self.now >= until =>
            {
                let control = self.control.as_mut().filter(|_| self.partner_failed.is_none());
                if let Some(control) = control {
                    control.bye();
                    while let Some(octets) = control.poll_octets() {
                        self.commands.push_back(Command::Write(Whose::Control, control.handle, octets));
                    }
                }
                self.commands.extend(self.control.as_ref().map(|control| Command::Close(control.handle)));
                let until = self.now.plus(LAST);
                self.phase = Phase::Closing { from: until, until, goodbye: true };
            }
            Phase::Closing { until, goodbye: true, .. } if self.control.is_none() || self.now >= until => {
                self.phase = Phase::Done;
            }
            _ => {}
        }
    }

    fn begin_closing(&mut self) {
        let now = self.now;
        self.phase = Phase::Closing { from: now.plus(LAST), until: now.plus(LINGER), goodbye: false };
        for number in self.flows.keys().copied().collect::<Vec<_>>() {
            self.with_flow(number, |flow, steps| flow.close(now, steps));
        }
        self.pump();
    }

    /// The user wants an end.
    pub(super) fn interrupt(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        // Where only the connections are still being closed, nothing is cut short.
        self.interrupted |= matches!(self.phase, Phase::Greeting | Phase::Searching);
        self.end(now, Why::Interrupted);
    }

    /// Ends everything with what is known.
    fn end(&mut self, now: Timestamp, why: Why) {
        self.end_all(now, why);
        if self.phase == Phase::Greeting {
            self.begin_closing();
        }
        self.pump();
    }

    /// Ends what is under way.
    fn end_all(&mut self, now: Timestamp, why: Why) {
        self.searches.iter_mut().for_each(|search| search.end(now, why));
        self.experiment.iter_mut().for_each(|experiment| experiment.interrupt(now));
    }

    /// The machine slept: what was silent meanwhile tells nothing.
    pub(super) fn on_gap(&mut self, now: Timestamp, gap: Span) {
        self.now = self.now.max(now);
        self.searches.iter_mut().for_each(|search| search.on_clock_gap(now, gap));
        self.experiment.iter_mut().for_each(|experiment| experiment.on_clock_gap(now));
        self.pump();
    }

    /// An interface went away. If packets went over it, silence tells nothing any more.
    pub(super) fn on_interface_lost(&mut self, now: Timestamp, name: String) {
        let index = self.plan.interfaces.iter().position(|known| *known == name);
        let ours = index.and_then(|index| u32::try_from(index).ok());
        let ours = ours.is_some_and(|index| self.interfaces.contains(&index));
        self.news.push_back(News::InterfaceLost { name, ours });
        if ours {
            self.now = self.now.max(now);
            self.end(now, Why::InterfaceLost);
        }
    }

    /// Something that is to be told only.
    pub(super) fn note(&mut self, news: News) {
        self.news.push_back(news);
    }
}
