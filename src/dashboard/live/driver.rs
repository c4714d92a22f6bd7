//! The thread that has the wire: it probes and watches, and tells the screen without ever waiting for it.
//!
//! Owns [`Start`], [`Driver`] and [`Ended`]. What happens is handed over in [`News`] through the one bounded channel,
//! at most 20 times a second. Where that is full, packets go on being read, judged and recorded; what is to be shown
//! of them waits in the feed, and beyond its limits is left out and counted. Verdicts and the summary are drawn
//! here and do not depend on what was shown. Impure: a thread, sockets and files.

mod facts;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel};
use std::thread::{self, JoinHandle};

use super::{Ask, Facts, Manner, News, Note, Recorded};
use crate::analysis::filter::Filter;
use crate::dashboard::message::Message;
use crate::dashboard::store::feed::{Feed, Limits};
use crate::frame::Frame;
use crate::live::engine::plan::{Order, Plan, Until};
use crate::live::engine::steer::{self, Standing};
use crate::live::engine::{self, Listener, Report};
use crate::live::filter::Filter as PacketFilter;
use crate::live::recording::Recording;
use crate::live::system::{System, Waker};
use crate::live::target::Target;
use crate::live::watch::{self, Watch};
use crate::live::wire::{Connect, Received, Wire};
use crate::time::{Span, Timestamp};

/// Least time between two news.
const HAND_OVER: Span = Span::from_millis(50);

/// How often to look whether something is different although no packet came.
const LOOK: Span = Span::from_secs(1);

/// Segments and events that may wait for the screen, and connections that are followed for it.
const LIMITS: Limits = Limits { waiting: 200_000, connections: 50_000 };

/// What a live source begins with. Its sockets are open and its rights given up.
pub struct Start {
    /// The wire.
    pub system: System,
    /// Peers to probe at once.
    pub orders: Vec<Order>,
    /// What to watch at once.
    pub watching: Option<Watching>,
    /// Where to record from the beginning, and the name of the file.
    pub recording: Option<(PathBuf, Recording)>,
    /// Packets that are sent in a second at most.
    pub max_rate: u32,
    /// How long to wait for the answer to a SYN.
    pub open_within: Span,
    /// See [`Plan::hash_seed`].
    pub hash_seed: u64,
    /// When it ends by itself.
    pub ends_after: Option<Span>,
    /// The source address of connections to come.
    pub source: Option<IpAddr>,
    /// IPv4 only (true), IPv6 only (false), or either, of peers to come.
    pub family: Option<bool>,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").field("orders", &self.orders).finish_non_exhaustive()
    }
}

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Which connections the summary is to name.
    pub filter: Filter,
    /// Which packets are seen.
    pub packets: PacketFilter,
}

impl Watching {
    /// All TCP.
    pub fn everything() -> Self {
        Self { filter: Filter::default(), packets: PacketFilter::Tcp }
    }
}

/// What is wanted of the thread.
#[derive(Debug)]
pub enum Command {
    /// Something of the engine.
    Ask(steer::Ask),
    /// Watch all interfaces.
    Watch,
    /// Record to a new file.
    Record(PathBuf),
    /// End the recording.
    StopRecording,
    /// Tell the user something.
    Say(String),
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// What became of the connections.
    pub report: Report,
    /// What was watched.
    pub watch: Option<(Watch, bool)>,
    /// The interfaces.
    pub interfaces: String,
    /// The recordings, with their packets.
    pub recorded: Vec<(PathBuf, u64)>,
    /// What went wrong with them.
    pub problems: Vec<String>,
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub struct Remote {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Remote {
    /// Wants something. Nothing happens if the thread has ended.
    pub fn command(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// A thread that goes on.
#[derive(Debug)]
pub struct Driver {
    /// The way to it.
    pub remote: Remote,
    /// For connections to come.
    pub source: Option<IpAddr>,
    /// See [`Start::family`].
    pub family: Option<bool>,
    thread: JoinHandle<Ended>,
}

impl Driver {
    /// Begins source number `number`, which tells its news to `out`.
    ///
    /// # Errors
    /// If the system has no thread or descriptor left.
    pub fn begin(mut start: Start, number: u64, out: SyncSender<Message>) -> io::Result<Driver> {
        let waker = start.system.waker()?;
        let (commands, receiver) = channel();
        let (source, family) = (start.source, start.family);
        let work = move || run(start, number, receiver, out);
        let thread = thread::Builder::new().name("live".to_owned()).spawn(work)?;
        Ok(Driver { remote: Remote { commands, waker: Arc::new(waker) }, source, family, thread })
    }

    /// Asks something of it. Names are looked up on a thread of their own, which may take long.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn ask(&self, ask: Ask) -> io::Result<()> {
        let command = match ask {
            Ask::Probe { target, manner } => {
                let (remote, source, family) = (self.remote.clone(), self.source, self.family);
                let work = move || remote.command(opened(&target, manner, source, family));
                return thread::Builder::new().name("resolver".to_owned()).spawn(work).map(|_| ());
            }
            Ask::Watch => Command::Watch,
            Ask::Change { link, manner } => Command::Ask(steer::Ask::Change {
                index: link,
                settings: manner.settings,
                octets: facts::octets_of(manner.octets),
            }),
            Ask::ProbeNow(link) => Command::Ask(steer::Ask::ProbeNow(link)),
            Ask::Hold(held) => Command::Ask(steer::Ask::Hold(held)),
            Ask::Close(link) => Command::Ask(steer::Ask::Close(link)),
            Ask::Record(path) => Command::Record(path),
            Ask::StopRecording => Command::StopRecording,
        };
        self.remote.command(command);
        Ok(())
    }

    /// Ends it in order and waits for that, about a second where a peer does not answer a FIN. Nothing if it
    /// panicked, which was said then.
    pub fn end(self, interrupted: bool) -> Option<Ended> {
        let ask = if interrupted { steer::Ask::Interrupt } else { steer::Ask::End };
        self.remote.command(Command::Ask(ask));
        self.thread.join().ok()
    }
}

/// The order to probe a peer until it is stopped, or why there can be none.
fn opened(target: &str, manner: Manner, source: Option<IpAddr>, family: Option<bool>) -> Command {
    let found = target.parse::<Target>().and_then(|target| target.resolve(family));
    match found {
        Ok(peer) => Command::Ask(steer::Ask::Open(Order {
            connect: Connect { peer, source: source.filter(|source| source.is_ipv4() == peer.is_ipv4()) },
            settings: manner.settings,
            octets: facts::octets_of(manner.octets),
            until: Until::Stopped,
        })),
        Err(problem) => Command::Say(format!("{target} is not probed: {problem}")),
    }
}

/// Ends the program if this thread panics: nothing would be live any more.
struct Bell(SyncSender<Message>);

impl Drop for Bell {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Message::Terminate);
        }
    }
}

fn run(start: Start, number: u64, commands: Receiver<Command>, out: SyncSender<Message>) -> Ended {
    let _bell = Bell(out.clone());
    let Start { mut system, orders, watching, recording, max_rate, open_within, hash_seed, .. } = start;
    let names: Vec<String> = system.listening().map(|interface| interface.name().to_owned()).collect();
    let now = system.now();
    let plan = Plan { orders, max_rate, open_within, hash_seed };
    let mut tap = Tap {
        number,
        commands,
        out,
        feed: Feed::limited(hash_seed, LIMITS),
        watch: None,
        filtered: false,
        interfaces: names,
        hash_seed,
        recording: None,
        recorded: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        facts: Facts::default(),
        stashed: None,
        held: false,
        dirty: true,
        told: None,
        now,
        ends: start.ends_after.map(|span| now.plus(span)),
        ahead: Vec::new(),
        received: Received::default(),
    };
    if let Some((path, mut recording)) = recording {
        tap.name_interfaces(&mut recording);
        tap.recording = Some((path, recording));
    }
    if let Some(watching) = watching {
        tap.watch(watching);
    }
    let report = match engine::run(&mut system, &plan, &mut tap) {
        Ok(report) => report,
        // The table of stacks lacks a row: nothing was begun.
        Err(problem) => return tap.conclude(nothing(&problem), system.now()),
    };
    let now = system.now();
    tap.conclude(report, now)
}

/// The report of a run that could not be begun.
fn nothing(problem: &engine::PlanError) -> Report {
    Report {
        connections: Vec::new(),
        packets: 0,
        counts: crate::pipeline::Counts::default(),
        received: Received::default(),
        interrupted: false,
        broken: None,
        unheard: Some(io::Error::other(problem.to_string())),
    }
}

/// Hears everything, and passes it on.
struct Tap {
    number: u64,
    commands: Receiver<Command>,
    out: SyncSender<Message>,
    feed: Feed,
    watch: Option<Watch>,
    /// The watch has a filter.
    filtered: bool,
    interfaces: Vec<String>,
    hash_seed: u64,
    recording: Option<(PathBuf, Recording)>,
    recorded: Vec<(PathBuf, u64)>,
    problems: Vec<String>,
    notes: Vec<Note>,
    /// As they were told last.
    facts: Facts,
    /// News for which the channel had no room.
    stashed: Option<Box<News>>,
    held: bool,
    /// Something is to be told.
    dirty: bool,
    told: Option<Timestamp>,
    now: Timestamp,
    ends: Option<Timestamp>,
    /// Asked by ourselves.
    ahead: Vec<steer::Ask>,
    received: Received,
}

impl Tap {
    fn name_interfaces(&self, recording: &mut Recording) {
        for (name, number) in self.interfaces.iter().zip(0..) {
            recording.name_interface(number, name);
        }
    }

    fn note(&mut self, words: String) {
        self.notes.push(Note { time: self.now, words });
        self.dirty = true;
    }

    fn watch(&mut self, watching: Watching) {
        self.filtered = !matches!(watching.packets, PacketFilter::Tcp);
        self.facts.watching = Some(format!("{} for {}", self.interfaces.join(", "), watching.packets));
        self.watch = Some(Watch::new(watching.filter, self.hash_seed, watch::Limits::default()));
        self.ahead.push(steer::Ask::See(watching.packets));
        self.dirty = true;
    }

    /// Does what is not the engine's to do; returns what is.
    fn obey(&mut self, command: Command) -> Option<steer::Ask> {
        self.dirty = true;
        match command {
            Command::Ask(ask) => {
                match &ask {
                    steer::Ask::Hold(held) => {
                        self.held = *held;
                        let words = if *held { "probes are held back" } else { "probes are let go" };
                        self.note(words.to_owned());
                    }
                    // Its packets need not pass the filter of the watch.
                    steer::Ask::Open(_) if std::mem::take(&mut self.filtered) => {
                        self.ahead.push(steer::Ask::See(PacketFilter::Tcp));
                    }
                    steer::Ask::Change { index, .. } => {
                        self.note(format!("our connection {} is probed otherwise from now on", index + 1));
                    }
                    _ => {}
                }
                return Some(ask);
            }
            Command::Watch if self.watch.is_some() => {
                self.note("the interfaces are watched already".to_owned())
            }
            Command::Watch => self.watch(Watching::everything()),
            Command::Record(path) => self.record(path),
            Command::StopRecording => {
                self.stop_recording(self.now, self.received);
            }
            Command::Say(words) => self.note(words),
        }
        self.ahead.pop()
    }

    fn record(&mut self, path: PathBuf) {
        self.stop_recording(self.now, self.received);
        match Recording::create(&path, false, "what keepscope saw live") {
            Ok(mut recording) => {
                self.name_interfaces(&mut recording);
                self.note(format!("recording to {}", path.display()));
                self.recording = Some((path, recording));
            }
            Err(problem) => self.note(format!("not recorded: {problem}")),
        }
    }

    fn stop_recording(&mut self, at: Timestamp, received: Received) {
        let Some((path, recording)) = self.recording.take() else { return };
        match recording.finish(at, received) {
            Ok(packets) => {
                self.note(format!("{packets} packets in {}", path.display()));
                self.recorded.push((path, packets));
            }
            Err(problem) => self.trouble(format!("{}: {problem}", path.display())),
        }
    }

    fn trouble(&mut self, problem: String) {
        self.note(problem.clone());
        self.problems.push(problem);
    }

    fn facts(&self, connections: &[Standing]) -> Facts {
        let recording = self.recording.as_ref();
        Facts {
            links: connections.iter().map(facts::link).collect(),
            watching: self.facts.watching.clone(),
            held: self.held,
            recording: recording
                .map(|(path, recording)| Recorded { path: path.clone(), packets: recording.packets() }),
            dropped: self.received.dropped,
            over: None,
        }
    }

    /// Tells the screen what there is to tell, if it has room for it.
    fn hand_over(&mut self) {
        if let Some(news) = self.stashed.take() {
            self.offer(news);
            // What came since waits for the next time.
            return;
        }
        self.dirty = false;
        let (batch, notes) = (self.feed.take(), std::mem::take(&mut self.notes));
        self.offer(Box::new(News { now: self.now, batch, facts: self.facts.clone(), notes }));
    }

    fn offer(&mut self, news: Box<News>) {
        // Where nobody is left to be told, nothing is kept.
        if let Err(TrySendError::Full(Message::Live(_, news))) =
            self.out.try_send(Message::Live(self.number, news))
        {
            self.stashed = Some(news);
            self.dirty = true;
        }
    }

    /// The end: recordings are closed, the last words said.
    fn conclude(mut self, mut report: Report, now: Timestamp) -> Ended {
        self.now = now;
        self.stop_recording(now, report.received);
        if let Some(watch) = &mut self.watch {
            watch.finish(now);
            while watch.poll().is_some() {}
        }
        let problem = report.broken.as_ref().map(ToString::to_string);
        let problem = problem.or(report.unheard.take().map(|error| error.to_string()));
        self.feed.finish();
        let asked = report.interrupted;
        if let Some(news) = self.stashed.take() {
            let _ = self.out.send(Message::Live(self.number, news));
        }
        let (batch, notes) = (self.feed.take(), std::mem::take(&mut self.notes));
        let facts = Facts { over: Some(problem), recording: None, ..self.facts };
        // Whoever asked for the end does not listen any more, and this does not wait.
        let _ = self.out.send(Message::Live(self.number, Box::new(News { now, batch, facts, notes })));
        Ended {
            report,
            watch: self.watch.map(|watch| (watch, asked)),
            interfaces: self.interfaces.join(", "),
            recorded: self.recorded,
            problems: self.problems,
        }
    }
}

impl Listener for Tap {
    fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.dirty = true;
        if let Some(Err(problem)) = self.recording.as_mut().map(|(_, recording)| recording.frame(frame)) {
            self.trouble(format!("{problem}; it goes on without a recording"));
        }
        if let Some(watch) = &mut self.watch {
            watch.frame(frame);
            // The screen says it in its own way.
            while watch.poll().is_some() {}
        }
        self.feed.frame(frame);
        Ok(())
    }

    fn news(&mut self, news: &engine::News) -> io::Result<()> {
        self.dirty = true;
        if let Some(words) = facts::words(news) {
            self.note(words);
        }
        Ok(())
    }

    fn ask(&mut self) -> Option<steer::Ask> {
        if let Some(ask) = self.ahead.pop() {
            return Some(ask);
        }
        if self.ends.take_if(|ends| *ends <= self.now).is_some() {
            return Some(steer::Ask::End);
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Some(ask) = self.obey(command) {
                return Some(ask);
            }
        }
        None
    }

    fn stays(&self) -> bool {
        true
    }

    fn sees_others(&self) -> bool {
        self.watch.is_some()
    }

    fn wants_standing(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.now = now;
        let Some(told) = self.told else { return Some(now) };
        let next = told.plus(if self.dirty { HAND_OVER } else { LOOK });
        Some(self.ends.map_or(next, |ends| next.min(ends)))
    }

    fn standing(&mut self, now: Timestamp, connections: Vec<Standing>, received: Received) {
        self.now = now;
        self.told = Some(now);
        self.received = received;
        let facts = self.facts(&connections);
        for (index, link) in facts.links.iter().enumerate() {
            let before = self.facts.links.get(index).map(|link| link.stage);
            if before != Some(link.stage)
                && let Some(words) = facts::turn(index, link)
            {
                self.note(words);
            }
        }
        self.dirty |= facts != self.facts || self.stashed.is_some();
        self.facts = facts;
        if self.dirty {
            self.hand_over();
        }
    }
}
