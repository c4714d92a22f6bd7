//! The search for an idle timeout, tried out: [`crate::search::Search`] on real simulated stacks and boxes.
//!
//! Owns [`Rehearsal`], which opens connections in a [`World`], sends on them and listens to them as the search
//! orders, on the virtual clock: hours take milliseconds. What it tells the search is read from the frames at the
//! client's tap, and with a partner at the server's, as on a wire; never from the record of truth, with one
//! exception: which connection at the server is which of ours, which a real partner reads in the first octets.
//! Uses [`crate::search`] and the rest of [`crate::simulate`].

mod far;
mod flow;
mod line;
mod path;
mod session;

use std::collections::{BTreeMap, VecDeque};

use self::far::{Far, Letter};
use self::flow::{Flow, Phase, Reaction};
use self::line::Line;
pub use self::path::{Partner, Path, PathError};
use self::session::Session;
use super::host::{Action, EndSpec, HostSide};
use super::middlebox::{BoxAction, BoxEvent, Ends};
use super::queue::Queue;
use super::tap::TapFrame;
use super::truth::What;
use super::world::{ConnectionSpec, World};
use crate::search::{
    Command, Finding, Form, Id, Input, News, NotOpened, Search, View, Wanted, WantedError, Way,
};
use crate::segment::Endpoint;
use crate::segment::decode::{Decoded, decode};
use crate::segment::{IcmpError, Segment};
use crate::time::{Span, Timestamp};

/// The first port that is used.
const FIRST_PORT: u16 = 20_000;

/// How long a connection may take to open.
const OPENING: Span = Span::from_secs(15);

/// When a keepalive probe that is to begin a silence is sent again.
const ARMS_AGAIN: [Span; 2] = [Span::from_secs(1), Span::from_secs(3)];

/// How long the last packets of a search take.
const LAST_PACKETS: Span = Span::from_secs(5);

/// Most events of a rehearsal; what is simulated by mistake ends there.
pub const MOST_EVENTS: u64 = 20_000_000;

/// Why a search cannot be tried.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The question.
    #[error(transparent)]
    Wanted(#[from] WantedError),
}

/// What is to be looked at again later.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Due {
    /// Whether this connection is open by now.
    Opening(Id),
    /// Whether the first packet of its silence was answered by now.
    Arming(Id, Timestamp),
    /// Whether the partner is gone.
    Partner,
}

/// A search on a simulated path.
#[derive(Debug)]
pub struct Rehearsal {
    search: Search,
    world: World,
    form: Form,
    server_port: u16,
    connects_to: Option<Endpoint>,
    server: EndSpec,
    refused: bool,
    flows: BTreeMap<Id, Flow>,
    by_port: BTreeMap<u16, Id>,
    next_port: u16,
    far: Option<Far>,
    session: Session,
    due: Queue<Due>,
    /// What stands for the client on the far side of each box, to what stands for it on the near side.
    mappings: Vec<BTreeMap<(Endpoint, Endpoint), Ends>>,
    told: usize,
    news: VecDeque<News>,
    packets: u64,
    ended: Option<Timestamp>,
}

impl Rehearsal {
    /// A search on a path. Whether a partner is asked is said by [`Wanted::partner`]; `partner` says how good the
    /// way to it is.
    ///
    /// # Errors
    /// If the path does not hang together, or the question cannot be answered at all.
    pub fn new(path: &Path, wanted: Wanted, partner: Partner, seed: u64) -> Result<Self, RehearsalError> {
        let world = path.build(seed)?;
        let address = path.world.server.address;
        let far = wanted.partner.then(|| Far::new(partner, address, seed));
        let form = wanted.form;
        Ok(Self {
            search: Search::new(wanted, world.now())?,
            world,
            form,
            server_port: path.server_port,
            connects_to: path.connects_to,
            server: path.server.clone(),
            refused: path.refused,
            flows: BTreeMap::new(),
            by_port: BTreeMap::new(),
            next_port: FIRST_PORT,
            far,
            session: Session::default(),
            due: Queue::default(),
            mappings: vec![BTreeMap::new(); path.boxes.len()],
            told: 0,
            news: VecDeque::new(),
            packets: 0,
            ended: None,
        })
    }

    /// The time of the path.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// When the search began.
    pub fn start(&self) -> Timestamp {
        self.world.start()
    }

    /// How long the search took, or has taken so far.
    pub fn wall(&self) -> Span {
        self.ended.unwrap_or(self.now()).since(self.start())
    }

    /// Packets at the client so far, both directions.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// What happened at the hosts and in the boxes.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How the search stands.
    pub fn view(&self) -> View {
        self.search.view(self.start().plus(self.wall()))
    }

    /// What it came to, so far or at its end.
    pub fn finding(&self) -> Finding {
        self.search.finding()
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        self.ended.is_some()
    }

    /// What became known, in its order.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Ends it with what it knows.
    pub fn interrupt(&mut self) {
        let now = self.now();
        self.search.interrupt(now);
        self.obey();
    }

    /// The machine that runs it slept for so long: its clock went on and it did nothing.
    pub fn sleep(&mut self, gap: Span) {
        let until = self.now().plus(gap);
        while self.world.next_time().is_some_and(|next| next <= until) {
            self.world.step();
            self.hear();
        }
        self.world.run_until(until);
        self.search.on_clock_gap(until, gap);
    }

    /// When something happens next; nothing once it is over.
    pub fn next_time(&self) -> Option<Timestamp> {
        if self.ended.is_some() {
            return None;
        }
        let far = self.far.as_ref().and_then(Far::next_letter);
        [self.world.next_time(), self.search.next_timeout(), self.due.next_time(), far]
            .into_iter()
            .flatten()
            .min()
    }

    /// Runs it to its end.
    pub fn run(&mut self) -> Finding {
        while self.step() {}
        self.finding()
    }

    /// Runs it up to a time.
    pub fn run_until(&mut self, until: Timestamp) {
        while self.next_time().is_some_and(|next| next <= until) && self.step() {}
        if self.ended.is_none() {
            self.world.run_until(until);
        }
    }

    /// Lets the next thing happen; says whether the search goes on.
    pub fn step(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        self.obey();
        if self.search.is_done() || self.world.steps() > MOST_EVENTS {
            self.end();
            return false;
        }
        let Some(next) = self.next_time() else {
            self.interrupt();
            self.end();
            return false;
        };
        if self.world.next_time() == Some(next) {
            self.world.step();
        } else {
            self.world.run_until(next);
        }
        self.hear();
        self.look_at_partner();
        self.read_letters();
        self.look_again();
        let now = self.now();
        if self.search.next_timeout().is_some_and(|due| due <= now) {
            self.search.on_timeout(now);
        }
        self.gather();
        true
    }

    fn end(&mut self) {
        self.gather();
        self.ended = Some(self.now());
        // The last FINs and their answers are packets too.
        let until = self.now().plus(LAST_PACKETS);
        self.world.run_until(until);
        self.hear();
    }

    fn gather(&mut self) {
        while let Some(news) = self.search.poll_news() {
            self.news.push_back(news);
        }
    }

    fn tell(&mut self, id: Id, input: Input) {
        if self.ended.is_none() {
            let now = self.now();
            self.search.on(now, id, input);
        }
    }

    /// Does what the search wants.
    fn obey(&mut self) {
        while let Some(command) = self.search.poll_command() {
            match command {
                Command::Open(id) => self.open(id),
                Command::Arm(id) => self.arm(id),
                Command::Probe { id, way, attempt } => self.probe(id, way, attempt),
                Command::Close(id) => self.close(id),
            }
            self.hear();
        }
    }

    fn open(&mut self, id: Id) {
        let mut connection = ConnectionSpec::new(EndSpec::default(), self.server.clone());
        connection.client_port = self.next_port;
        connection.server_port = self.server_port;
        connection.connects_to = self.connects_to;
        connection.refused = self.refused;
        let port = self.next_port;
        let (Ok(client), Some(next)) = (self.world.open(connection), port.checked_add(1)) else {
            self.tell(id, Input::NotOpened(NotOpened::Other));
            return;
        };
        self.next_port = next;
        let Some((local, _)) = self.world.ends(HostSide::Client, client) else {
            self.tell(id, Input::NotOpened(NotOpened::Other));
            return;
        };
        self.flows.insert(id, Flow::new(client, Line::new(local), self.far.is_some()));
        self.by_port.insert(port, id);
        self.due.push(self.now().plus(OPENING), Due::Opening(id));
    }

    fn act(&mut self, host: HostSide, connection: usize, action: Action) {
        self.world.act(host, connection, action);
    }

    fn arm(&mut self, id: Id) {
        let now = self.now();
        let Some(flow) = self.flows.get_mut(&id).filter(|flow| flow.phase != Phase::Over) else { return };
        flow.arm(now);
        let client = flow.client;
        if self.far.is_some() {
            self.act(HostSide::Client, client, OCTET);
            return;
        }
        self.act(HostSide::Client, client, Action::Probe);
        for after in ARMS_AGAIN {
            self.due.push(now.plus(after), Due::Arming(id, now));
        }
    }

    fn probe(&mut self, id: Id, way: Way, attempt: u8) {
        let now = self.now();
        let Some(flow) = self.flows.get_mut(&id).filter(|flow| flow.phase != Phase::Over) else { return };
        flow.ask(way, attempt);
        let client = flow.client;
        match way {
            Way::Out => {
                let action = self.ask();
                self.act(HostSide::Client, client, action);
            }
            Way::In => {
                if let Some(far) = &mut self.far {
                    far.order(now, id, attempt);
                }
            }
        }
    }

    /// What breaks a silence.
    fn ask(&self) -> Action {
        match self.form {
            Form::Data => OCTET,
            Form::Keepalive => Action::Probe,
        }
    }

    fn close(&mut self, id: Id) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        // What went unanswered would be sent again for a quarter of an hour.
        let how = if flow.owed { Action::Abort } else { Action::Close };
        flow.phase = Phase::Over;
        let (client, server) = (flow.client, flow.server);
        self.act(HostSide::Client, client, how);
        if let (Some(server), Action::Abort) = (server.filter(|_| self.far.is_some()), how) {
            self.act(HostSide::Server, server, how);
        }
        if let Some(far) = &mut self.far {
            far.forget(id);
        }
    }

    /// Reads what passed the taps.
    fn hear(&mut self) {
        while let Some(frame) = self.world.poll_frame() {
            let at_client = frame.tap == 0;
            self.packets += u64::from(at_client);
            match (decode(&frame.frame()), at_client) {
                (Decoded::Segment(segment), true) => self.on_client(&segment),
                (Decoded::Segment(segment), false) => self.on_server(&segment),
                (Decoded::Icmp(error), true) => self.on_client_icmp(&frame, &error),
                (Decoded::Icmp(error), false) => self.on_server_icmp(&frame, &error),
                (Decoded::Skipped(_) | Decoded::Waiting, _) => {}
            }
        }
    }

    fn on_client(&mut self, segment: &Segment) {
        let mine = self.by_port.get(&segment.source.port).or(self.by_port.get(&segment.destination.port));
        let Some(id) = mine.copied() else { return };
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let seen = flow.line.on_segment(segment);
        match flow.on_seen(&seen) {
            Some(Reaction::Tell(input)) => self.tell(id, input),
            Some(Reaction::Greet) => {
                let client = flow.client;
                self.act(HostSide::Client, client, OCTET);
            }
            None => {}
        }
    }

    fn on_client_icmp(&mut self, frame: &TapFrame, error: &IcmpError) {
        let Some(id) = self.by_port.get(&error.source.port).copied() else { return };
        let other_address = error.reporter != error.destination.address;
        let input =
            self.flows.get_mut(&id).and_then(|flow| flow.on_icmp(frame.time, error.ttl, other_address));
        if let Some(input) = input {
            self.tell(id, input);
        }
    }

    fn on_server(&mut self, segment: &Segment) {
        let Some(far) = &mut self.far else { return };
        let noticed = far.on_segment(segment);
        if let Some(ends) = noticed.new {
            self.introduce(ends);
        }
        if let Some(flow) = noticed.ends.and_then(|id| self.flows.get_mut(&id)) {
            flow.ended_by_partner = true;
        }
        if let Some(flow) = noticed.moved.and_then(|id| self.flows.get_mut(&id)) {
            flow.moved = true;
        }
        if let Some(id) = noticed.octet {
            self.echo(id);
        }
    }

    fn on_server_icmp(&mut self, frame: &TapFrame, error: &IcmpError) {
        let other_address = error.reporter != error.destination.address;
        if let Some(far) = &mut self.far {
            far.on_icmp(frame.time, (error.source, error.destination), error.ttl, other_address);
        }
    }

    /// Says the far end which connection of ours has these ends there.
    fn introduce(&mut self, ends: (Endpoint, Endpoint)) {
        self.learn_mappings();
        self.session.meet();
        let (mut server, mut client) = ends;
        for known in self.mappings.iter().rev() {
            if let Some(near) = known.get(&(server, client)) {
                (server, client) = (near.server, near.client);
            }
        }
        let Some(id) = self.by_port.get(&client.port).copied() else { return };
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.server = None;
        }
        if let Some(far) = &mut self.far {
            far.is_of(ends, id);
        }
    }

    fn learn_mappings(&mut self) {
        let new = self.world.truths().get(self.told..).unwrap_or_default();
        for truth in new {
            let What::Middlebox { index, event } = &truth.what else { continue };
            if let BoxEvent { mapping: Some(mapping), what: BoxAction::Created { .. }, .. } = event
                && let Some(known) = self.mappings.get_mut(*index)
            {
                known.insert((mapping.outside.server, mapping.outside.client), mapping.inside);
            }
        }
        self.told = self.world.truths().len();
    }

    /// The partner answers an octet that asks for it: the first of a connection, and those that begin a silence.
    fn echo(&mut self, id: Id) {
        let Some(flow) = self.flows.get(&id) else { return };
        if !matches!(flow.phase, Phase::Opening { .. } | Phase::Arming { .. }) {
            return;
        }
        if let Some(server) = self.server_of(id) {
            self.act(HostSide::Server, server, OCTET);
        }
    }

    /// The number of its connection in the world, at the server.
    fn server_of(&mut self, id: Id) -> Option<usize> {
        let flow = self.flows.get_mut(&id)?;
        if flow.server.is_none() {
            let ends = self.far.as_ref()?.ends_of(id)?;
            let is_it = |index: &usize| self.world.ends(HostSide::Server, *index) == Some(ends);
            flow.server = Some(flow.client).filter(is_it).or_else(|| (0..self.by_port.len()).find(is_it));
        }
        flow.server
    }

    /// What happens to its host, and the sign of life that the search may want of it.
    fn look_at_partner(&mut self) {
        let now = self.now();
        let Some(far) = &mut self.far else { return };
        if self.session.learn(self.world.truths()) {
            self.due.push(now.plus(session::PATIENCE), Due::Partner);
        }
        if let Some(since) = self.search.wants_sign()
            && self.session.ask(now, since)
        {
            far.ask_sign(now);
        }
    }

    fn read_letters(&mut self) {
        let now = self.now();
        while let Some(letter) = self.far.as_mut().and_then(|far| far.letter(now)) {
            match letter {
                Letter::Send { id, attempt } => self.send_there(id, attempt),
                Letter::Sent { id, attempt, at } => {
                    self.tell_all(id, |flow| flow.on_sent_there(attempt, at));
                }
                Letter::NotSent { id, attempt } => self.tell(id, Input::NotSent { attempt }),
                Letter::Ask { asked } if self.session.holds() => {
                    self.far.iter_mut().for_each(|far| far.give_sign(now, asked));
                }
                Letter::Ask { .. } => {}
                Letter::Alive { asked } => self.search.on_sign(now, asked),
                Letter::NoReport { id, attempt } => self.tell_all(id, |flow| flow.on_no_report(attempt)),
                Letter::Ended { id, at, how, origin } => {
                    self.tell_all(id, |flow| flow.on_ended_there(at, how, origin).into_iter().collect());
                }
                Letter::NewPort { id, at } => {
                    self.tell_all(id, |flow| flow.on_new_port(at).into_iter().collect());
                }
            }
        }
    }

    fn tell_all(&mut self, id: Id, what: impl FnOnce(&mut Flow) -> Vec<Input>) {
        let inputs = self.flows.get_mut(&id).map(what).unwrap_or_default();
        for input in inputs {
            self.tell(id, input);
        }
    }

    /// The partner carries out an order.
    fn send_there(&mut self, id: Id, attempt: u8) {
        let (now, action) = (self.now(), self.ask());
        if let Some(far) = &mut self.far {
            far.begin(id, attempt);
        }
        if let Some(server) = self.server_of(id) {
            self.act(HostSide::Server, server, action);
            self.hear();
        }
        if let Some(far) = &mut self.far {
            far.finish(now, id, attempt);
        }
    }

    /// Looks at what should have happened by now.
    fn look_again(&mut self) {
        let now = self.now();
        while self.due.next_time().is_some_and(|next| next <= now) {
            let Some((_, due)) = self.due.pop() else { return };
            match due {
                Due::Opening(id) => {
                    let Some(flow) = self.flows.get_mut(&id) else { continue };
                    if matches!(flow.phase, Phase::Opening { .. }) {
                        flow.phase = Phase::Over;
                        flow.owed = true;
                        self.tell(id, Input::NotOpened(NotOpened::TimedOut));
                    }
                }
                // Without it there is nothing more to be learnt.
                Due::Partner if self.session.is_lost() => self.search.interrupt(now),
                Due::Partner => {}
                Due::Arming(id, since) => {
                    let Some(flow) = self.flows.get(&id) else { continue };
                    if matches!(flow.phase, Phase::Arming { .. }) && flow.armed_at == Some(since) {
                        let client = flow.client;
                        self.act(HostSide::Client, client, Action::Probe);
                        self.hear();
                    }
                }
            }
        }
    }
}

/// One octet of data.
const OCTET: Action = Action::Send { octets: 1, every: None, until: None };
