//! All connections together: arrivals and times go in, commands and news come out.
//!
//! Owns the state of a run. Pure but for the hasher; whoever drives it has the wire. Uses [`super::link`] for each
//! connection, [`crate::pipeline`] for what packets mean, and [`super::pace`] for how fast they may leave.

mod steered;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use super::learn::Learner;
use super::link::{Link, Phase, Step, Tuple, Wanted};
use super::pace::Pace;
use super::plan::Plan;
use super::{News, Terms};
use crate::analysis::{Collector, Finished, Recorded};
use crate::frame::{Frame, FrameId};
use crate::keepalive::Rules;
use crate::live::filter::Filter;
use crate::live::wire::{Arrival, Connect, Ended, Handle};
use crate::pipeline::{Counts, Pipeline};
use crate::segment::decode::{Decoded, decode};
use crate::segment::{Endpoint, IcmpError, Segment};
use crate::time::{Span, Timestamp};
use crate::track::Class;
use crate::track::event::{AnswerKind, ConnectionId, Event, EventKind};

/// SYNs of others that are kept; a filter keeps them away, so this bounds what a missing one can do.
const MOST_STRANGERS: usize = 1024;

/// What is to be done in the world.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Open the connection of that index.
    Connect(usize, Connect),
    /// Send a probe on it.
    Send(usize, Wanted),
    /// Close it.
    Close(Handle),
    /// See other packets.
    See(Filter),
}

/// The state of a run.
#[derive(Debug)]
pub(super) struct Core {
    links: Vec<Link>,
    rules: Rules,
    open_within: Span,
    pace: Pace,
    /// Those that are not opened yet.
    waiting: VecDeque<usize>,
    /// Times at which connections are due.
    schedule: BTreeSet<(Timestamp, usize)>,
    scheduled: Vec<Option<Timestamp>>,
    handles: HashMap<Handle, usize>,
    handle_of: Vec<Option<Handle>>,
    /// SYNs of connections that nobody has claimed yet.
    strangers: HashMap<Tuple, Learner>,
    owners: HashMap<Tuple, usize>,
    ids: HashMap<ConnectionId, usize>,
    /// Octets of the probes that may still be answered, by their event.
    probes: HashMap<(ConnectionId, u32), u8>,
    pipeline: Pipeline,
    collector: Collector,
    finished: Vec<Finished>,
    frames: u64,
    now: Timestamp,
    interrupted: bool,
    /// Somebody asked for the end.
    is_ending: bool,
    /// Probes leave by hand only.
    held: bool,
    /// Packets of others come, too.
    others_come: bool,
    /// Our peers.
    peers: HashSet<(IpAddr, u16)>,
    commands: VecDeque<Command>,
    news: VecDeque<News>,
}

impl Core {
    pub(super) fn new(plan: &Plan, rules: Rules, now: Timestamp) -> Self {
        let links: Vec<Link> = plan.orders.iter().map(|order| Link::new(*order)).collect();
        Self {
            rules,
            open_within: plan.open_within,
            pace: Pace::new(plan.max_rate),
            waiting: (0..links.len()).collect(),
            schedule: BTreeSet::new(),
            scheduled: vec![None; links.len()],
            handles: HashMap::new(),
            handle_of: vec![None; links.len()],
            strangers: HashMap::new(),
            owners: HashMap::new(),
            ids: HashMap::new(),
            probes: HashMap::new(),
            pipeline: Pipeline::new(plan.hash_seed),
            collector: Collector::default(),
            finished: Vec::new(),
            frames: 0,
            now,
            interrupted: false,
            is_ending: false,
            held: false,
            others_come: false,
            peers: plan.orders.iter().map(|order| steered::end_of(order.connect.peer)).collect(),
            commands: VecDeque::new(),
            news: VecDeque::new(),
            links,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.links.iter().all(|link| link.phase == Phase::Done)
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// When to call [`on_time`](Core::on_time) next.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        // What is due already waits for its turn to send.
        let due = self
            .schedule
            .first()
            .map(|(due, _)| if *due <= self.now { self.pace.free_from(self.now) } else { *due });
        let later = self.schedule.iter().map(|(due, _)| *due).find(|due| *due > self.now);
        let open = self.waiting.front().map(|_| self.pace.free_from(self.now));
        due.into_iter().chain(later).chain(open).min()
    }

    /// Time has passed.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let now = self.now;
        let due: Vec<usize> =
            self.schedule.iter().take_while(|(due, _)| *due <= now).map(|(_, index)| *index).collect();
        for index in due {
            let free = self.pace.is_free(now);
            let mut steps = Vec::new();
            if let Some(link) = self.links.get_mut(index)
                && (free || !link.sends_when_due())
            {
                link.on_time(now, &mut steps);
            }
            self.take(index, &steps);
        }
        while self.pace.is_free(now)
            && let Some(index) = self.waiting.pop_front()
        {
            self.open(index);
        }
    }

    fn open(&mut self, index: usize) {
        let Some(link) = self.links.get_mut(index) else { return };
        if link.phase != Phase::Waiting {
            return;
        }
        link.begin(self.now, self.open_within);
        let connect = link.order.connect;
        self.pace.take(self.now);
        self.commands.push_back(Command::Connect(index, connect));
        self.reschedule(index);
    }

    /// Turns the steps of a connection into commands and looks when it is due next.
    fn take(&mut self, index: usize, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Send(wanted) => {
                    self.pace.take(self.now);
                    self.commands.push_back(Command::Send(index, *wanted));
                }
                Step::Close => {
                    if let Some(handle) = self.handle_of.get(index).copied().flatten() {
                        self.commands.push_back(Command::Close(handle));
                    }
                }
            }
        }
        self.reschedule(index);
    }

    fn reschedule(&mut self, index: usize) {
        let due = self.links.get(index).and_then(Link::due);
        let Some(scheduled) = self.scheduled.get_mut(index) else { return };
        if *scheduled == due {
            return;
        }
        if let Some(before) = scheduled.take() {
            self.schedule.remove(&(before, index));
        }
        *scheduled = due;
        if let Some(due) = due {
            self.schedule.insert((due, index));
        }
    }

    /// The world began to open a connection.
    pub(super) fn on_connecting(&mut self, index: usize, handle: Handle) {
        self.handles.insert(handle, index);
        if let Some(known) = self.handle_of.get_mut(index) {
            *known = Some(handle);
        }
    }

    /// The world would not even try.
    pub(super) fn on_not_connected(&mut self, index: usize, error: String) {
        self.news.push_back(News::NotSent { index, error: error.clone() });
        if let Some(link) = self.links.get_mut(index) {
            link.on_send_error(error);
        }
        self.on_ended(index, Ended::Other(0));
    }

    /// The world would not let a probe out.
    pub(super) fn on_not_sent(&mut self, index: usize, error: String) {
        if let Some(link) = self.links.get_mut(index) {
            if link.story.send_error.is_none() {
                self.news.push_back(News::NotSent { index, error: error.clone() });
            }
            link.on_send_error(error);
        }
    }

    /// Something arrived.
    pub(super) fn on_arrival(&mut self, now: Timestamp, arrival: Arrival<'_>) {
        self.now = self.now.max(now);
        match arrival {
            Arrival::Frame(_) | Arrival::Octets { .. } | Arrival::Deadline | Arrival::Woken => {}
            Arrival::Opened { handle, local, remote } => self.on_opened(handle, local, remote),
            Arrival::Ended { handle, how } => {
                if let Some(index) = self.handles.get(&handle).copied() {
                    self.on_ended(index, how);
                }
            }
            Arrival::InterfaceLost { name } => {
                let now = self.now;
                self.links.iter_mut().for_each(|link| link.on_interface_lost(&name, now));
                self.news.push_back(News::InterfaceLost { name });
            }
            Arrival::ClockStepped { nanos } => self.news.push_back(News::ClockStepped { nanos }),
            Arrival::Interrupted => self.interrupt(),
        }
    }

    /// Ends everything in order.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
        self.waiting.clear();
        for index in 0..self.links.len() {
            let mut steps = Vec::new();
            if let Some(link) = self.links.get_mut(index) {
                link.on_interrupt(self.now, &mut steps);
            }
            self.take(index, &steps);
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn on_opened(&mut self, handle: Handle, local: Endpoint, remote: Endpoint) {
        let Some(index) = self.handles.get(&handle).copied() else { return };
        if self.links.get(index).is_none_or(|link| link.phase != Phase::Opening) {
            return;
        }
        self.claim(index, (local, remote));
        let (now, rules) = (self.now, self.rules);
        if let Some(link) = self.links.get_mut(index) {
            link.on_opened(now, rules);
        }
        self.tell_opened(index);
        self.reschedule(index);
    }

    /// Tells once that a connection was opened and its handshake read.
    fn tell_opened(&mut self, index: usize) {
        let Some(link) = self.links.get_mut(index).filter(|link| link.phase == Phase::Probing) else {
            return;
        };
        let (Some(time), Some((local, remote)), Some(learner)) =
            (link.story.opened, link.tuple, &link.learner)
        else {
            return;
        };
        let told = std::mem::replace(&mut link.told, true);
        if !told {
            let terms = Terms::of(learner);
            self.news.push_back(News::Opened { index, local, remote, time, terms });
        }
    }

    /// The system knows whose 4-tuple it is; until then it was guessed from the order of the SYNs.
    fn claim(&mut self, index: usize, tuple: Tuple) {
        let (old, old_learner) = match self.links.get_mut(index) {
            Some(link) if link.tuple == Some(tuple) => return,
            Some(link) => (link.tuple.replace(tuple), link.learner.take()),
            None => return,
        };
        let other = self.owners.insert(tuple, index);
        let learner = match other.and_then(|other| self.links.get_mut(other)) {
            Some(other) => {
                let learner = other.learner.take();
                (other.tuple, other.learner) = (old, old_learner);
                learner
            }
            None => self.strangers.remove(&tuple),
        };
        if let (Some(old), Some(other)) = (old, other) {
            self.owners.insert(old, other);
        }
        if let Some(link) = self.links.get_mut(index) {
            link.learner = learner;
        }
    }

    fn on_ended(&mut self, index: usize, how: Ended) {
        let mut steps = Vec::new();
        if let Some(link) = self.links.get_mut(index) {
            if link.phase == Phase::Opening {
                self.news.push_back(News::NotOpened { index, how, time: self.now });
            }
            link.on_ended(how, self.now, &mut steps);
        }
        self.take(index, &steps);
    }

    /// Gives a frame its number, so that it is the packet's in a recording of all of them.
    pub(super) fn number(&mut self) -> FrameId {
        self.frames += 1;
        FrameId { capture: 0, number: self.frames }
    }

    /// A packet left or came.
    pub(super) fn on_frame(&mut self, now: Timestamp, frame: &Frame<'_>) {
        self.now = self.now.max(now);
        if !self.concerns_us(frame) {
            return;
        }
        let mut seen: Option<(Segment, Class)> = None;
        let observed = self.pipeline.frame_shown(frame, |segment, observed| {
            seen = Some((*segment, observed.class));
        });
        match (seen, observed) {
            (Some((segment, class)), Some(observed)) if class != Class::Copy => {
                if let Some(index) = self.on_segment(&segment) {
                    self.ids.insert(observed.connection, index);
                }
            }
            (None, _) => {
                if let Decoded::Icmp(error) = decode(frame) {
                    self.on_icmp(&error);
                }
            }
            _ => {}
        }
        self.take_events();
    }

    /// Tells the connection it belongs to; returns which.
    fn on_segment(&mut self, segment: &Segment) -> Option<usize> {
        let (ours, peers) = ((segment.source, segment.destination), (segment.destination, segment.source));
        if segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst() {
            self.on_own_syn(segment, ours);
        }
        let (now, rules) = (self.now, self.rules);
        let own = self.owners.get(&ours).copied();
        let Some(index) = own.or_else(|| self.owners.get(&peers).copied()) else {
            let (from, learner) = match self.strangers.get_mut(&ours) {
                Some(learner) => (true, learner),
                None => (false, self.strangers.get_mut(&peers)?),
            };
            if from {
                learner.on_own(segment)
            } else {
                learner.on_peer(segment)
            }
            return None;
        };
        let mut steps = Vec::new();
        let link = self.links.get_mut(index)?;
        if own.is_some() {
            link.on_own(segment, rules, now);
            self.tell_opened(index);
        } else {
            link.on_peer(segment, now, &mut steps);
        }
        self.take(index, &steps);
        Some(index)
    }

    /// A SYN to one of our peers: of the connection that began to open first and whose SYN was not seen yet, or of
    /// somebody else.
    fn on_own_syn(&mut self, syn: &Segment, tuple: Tuple) {
        if let Some(link) = self.owners.get(&tuple).and_then(|index| self.links.get_mut(*index)) {
            if link.awaits_syn() {
                link.learner = Some(Learner::new(syn));
            }
            return;
        }
        let fits = |link: &Link| {
            let Connect { peer, source } = link.order.connect;
            let to = (peer.ip(), peer.port()) == (syn.destination.address, syn.destination.port);
            let from = source.is_none_or(|source| source == syn.source.address);
            link.awaits_syn() && link.tuple.is_none() && to && from
        };
        let of_ours = self.links.iter().position(fits);
        match of_ours.and_then(|index| self.links.get_mut(index).map(|link| (index, link))) {
            Some((index, link)) => {
                link.tuple = Some(tuple);
                link.learner = Some(Learner::new(syn));
                self.owners.insert(tuple, index);
            }
            None => {
                if self.strangers.len() >= MOST_STRANGERS {
                    self.strangers.clear();
                }
                self.strangers.insert(tuple, Learner::new(syn));
            }
        }
    }

    fn on_icmp(&mut self, error: &IcmpError) {
        let index = self.owners.get(&(error.source, error.destination)).copied();
        if let Some(link) = index.and_then(|index| self.links.get_mut(index)) {
            link.on_icmp(error, error.id);
        }
    }

    /// Passes on what the pipeline says.
    fn take_events(&mut self) {
        while let Some(event) = self.pipeline.poll_event() {
            let index = self.index_of(&event);
            self.note(&event, index);
            let number = event.number;
            if let Some(finished) = self.collector.take(&event) {
                self.news.push_back(News::Last { index, number, finished: Box::new(finished.clone()) });
                self.finished.push(finished);
                continue;
            }
            let link = index.and_then(|index| self.links.get(index));
            let first = link.and_then(|link| link.learner.as_ref()).and_then(Learner::first_numbers);
            self.news.push_back(News::Event { index, event, first });
        }
    }

    fn index_of(&self, event: &Event) -> Option<usize> {
        let opened = match &event.kind {
            EventKind::Opened(opened) => *opened,
            EventKind::Final(summary) => summary.opened,
            _ => return self.ids.get(&event.connection).copied(),
        };
        let tuple = (opened.client, opened.server);
        self.owners.get(&tuple).or_else(|| self.owners.get(&(tuple.1, tuple.0))).copied()
    }

    /// Learns round trips from answers.
    fn note(&mut self, event: &Event, index: Option<usize>) {
        match &event.kind {
            EventKind::Probe(probe) => {
                self.probes.insert((event.connection, event.number), probe.segment.octets);
            }
            EventKind::Answer(answer) => {
                let octets = self.probes.remove(&(event.connection, answer.probe)).unwrap_or(0);
                let by_peer = matches!(answer.kind, AnswerKind::Ack | AnswerKind::Data);
                if let Some(link) = index.and_then(|index| self.links.get_mut(index)) {
                    link.on_answer(answer.rtt, by_peer, octets);
                }
            }
            EventKind::Unanswered { probe } => {
                self.probes.remove(&(event.connection, *probe));
            }
            _ => {}
        }
    }

    /// Ends the reading; returns the connections with what was recorded of each, and what the frames were.
    pub(super) fn finish(&mut self) -> (Vec<Option<Finished>>, Counts) {
        self.pipeline.finish();
        self.take_events();
        let mut of_each: Vec<Option<Finished>> = vec![None; self.links.len()];
        for finished in self.finished.drain(..) {
            let tuple = (finished.opened().client, finished.opened().server);
            let owner = self.owners.get(&tuple).or_else(|| self.owners.get(&(tuple.1, tuple.0)));
            // Of several lives of a 4-tuple, the one that was probed.
            if let Some(place) = owner.and_then(|index| of_each.get_mut(*index))
                && place.as_ref().is_none_or(|other| !other.has_keepalives() || finished.has_keepalives())
            {
                *place = Some(finished);
            }
        }
        (of_each, self.pipeline.counts(0))
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Frames that were read.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}
