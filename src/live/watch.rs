//! Watching: every keepalive on some interfaces, as it comes, without sending anything.
//!
//! Owns [`Watch`], which takes frames and tells what happens ([`Told`]), and [`run`], which drives it by a [`Wire`].
//! What a connection shows so far is drawn by the same code as at its end. Uses [`crate::pipeline`],
//! [`crate::analysis`] and [`crate::track`] (its events).
//!
//! # What is kept
//! A watch has no end, so it keeps no more connections than its [`Limits`] say, and about so many probes of them. Of
//! more connections those without keepalives that were quiet longest go first, with a last word if somebody
//! was told of them; of more probes the earlier half of each connection. What is gone is counted.

use std::collections::{HashMap, VecDeque};

use super::wire::{Arrival, Received, Wire, WireError};
use crate::analysis::filter::Filter;
use crate::analysis::inference::{Explanation, Inference};
use crate::analysis::{Collector, ConnectionRecord, Finished, Recorded};
use crate::frame::Frame;
use crate::pipeline::{Counts, Pipeline};
use crate::time::{Span, Timestamp};
use crate::track::LetGo;
use crate::track::event::{AnswerKind, ConnectionId, Event, EventKind, Opened, Party};

/// How much a watch keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are followed at once.
    pub connections: usize,
    /// Probes that are kept of connections that go on, and at most twice as many of those that ended.
    pub probes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 50_000, probes: 200_000 }
    }
}

/// Events of a connection without a probe that are kept until there is one.
const MOST_WAITING: usize = 16;

/// Probes of each side that settings are drawn from while a connection goes on.
const LATEST: usize = 64;

/// Whether to look for the settings once there are so many probes: at each at first, then ever more seldom.
const fn is_worth_a_look(probes: u32) -> bool {
    match probes {
        0..12 => true,
        12..64 => probes.is_multiple_of(8),
        _ => probes.is_multiple_of(64),
    }
}

/// Something to tell.
#[derive(Debug)]
pub enum Told {
    /// An event of a connection that is wanted. Its first ones come together, once it is.
    Event {
        /// The ends of the connection, as known so far.
        opened: Opened,
        /// The event.
        event: Event,
    },
    /// The settings that explain the probes of one side: the first time, and when they change.
    Settings {
        /// The connection.
        connection: ConnectionId,
        /// Its ends.
        opened: Opened,
        /// The side that probes.
        party: Party,
        /// What its probes tell.
        inference: Box<Inference>,
        /// The frame's time after which this is known.
        at: Timestamp,
    },
    /// One side's probes are not answered any more, or are again.
    Silence {
        /// The connection.
        connection: ConnectionId,
        /// Its ends.
        opened: Opened,
        /// The side that probes.
        party: Party,
        /// Probes without an answer; 0 once there is one.
        unanswered: u32,
        /// How long nothing of the other side was captured.
        quiet: Option<Span>,
        /// When this was seen.
        at: Timestamp,
    },
    /// Nothing more will be said of a connection.
    Final {
        /// Everything known of it.
        record: Box<ConnectionRecord>,
        /// The number of its last event.
        number: u32,
    },
}

/// What happens on some interfaces.
#[derive(Debug)]
pub struct Watch {
    limits: Limits,
    pipeline: Pipeline,
    collector: Collector,
    filter: Filter,
    /// Connections that are spoken of, and what was told of them.
    known: HashMap<ConnectionId, Known>,
    told: VecDeque<Told>,
    finished: VecDeque<Finished>,
    /// Probes of those.
    finished_probes: usize,
    tally: Tally,
}

/// How much came, and how much of it is no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Connections with keepalives, whether they were wanted or not.
    pub with_keepalives: u64,
    /// Connections that were let go while they may have gone on.
    pub let_go: u64,
    /// Connections that ended and are left out of the summary.
    pub left_out: u64,
}

#[derive(Debug)]
struct Known {
    opened: Option<Opened>,
    wanted: Option<bool>,
    waiting: VecDeque<Event>,
    client: Side,
    server: Side,
}

/// What was told of one side.
#[derive(Clone, Debug, Default)]
struct Side {
    probes: u32,
    settings: Option<Gist>,
    unanswered: u32,
    /// It was told that nothing is answered.
    is_silent: bool,
}

/// What of an explanation is told again when it changes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gist {
    stack: &'static str,
    hz: Option<u32>,
    settings: (Option<Span>, Option<Span>, Option<u32>),
}

impl From<&Explanation> for Gist {
    fn from(best: &Explanation) -> Self {
        let value =
            |setting: Option<crate::analysis::inference::Setting>| setting.map(|setting| setting.value);
        Self {
            stack: best.stack,
            hz: best.hz,
            settings: (value(best.idle), value(best.interval), best.count),
        }
    }
}

impl Watch {
    /// Begins. `filter` chooses connections as for captures; `hash_seed` should be unpredictable.
    pub fn new(filter: Filter, hash_seed: u64, limits: Limits) -> Self {
        let mut pipeline = Pipeline::new(hash_seed);
        pipeline.keep_at_most(limits.connections);
        Self {
            limits,
            pipeline,
            collector: Collector::keeping(limits.probes),
            filter,
            known: HashMap::new(),
            told: VecDeque::new(),
            finished: VecDeque::new(),
            finished_probes: 0,
            tally: Tally::default(),
        }
    }

    /// Takes a frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.tally.frames += 1;
        self.pipeline.frame(frame);
        self.take_events(frame.time);
        self.tally.let_go = self.pipeline.let_go().total();
    }

    /// The next thing to tell, if there is one.
    pub fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Ends the watch: every connection gets its last word.
    pub fn finish(&mut self, now: Timestamp) {
        self.pipeline.finish();
        self.take_events(now);
    }

    /// The connections that were wanted and ended, or all of them after [`Watch::finish`]; the earliest are left out
    /// where there are many.
    pub fn finished(&self) -> impl Iterator<Item = &Finished> {
        self.finished.iter()
    }

    /// Connections that were let go while they may have gone on.
    pub fn let_go(&self) -> LetGo {
        self.pipeline.let_go()
    }

    /// What the frames turned out to be.
    pub fn counts(&self) -> Counts {
        self.pipeline.counts(0)
    }

    /// How many connections were seen.
    pub fn connections(&self) -> u64 {
        self.pipeline.connections()
    }

    /// Whether only some connections are wanted.
    pub fn is_filtered(&self) -> bool {
        self.filter != Filter::default()
    }

    /// How much came, and what is no longer kept.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn take_events(&mut self, now: Timestamp) {
        while let Some(event) = self.pipeline.poll_event() {
            match self.collector.take(&event) {
                Some(finished) => self.last(finished, event.number),
                None => self.event(event, now),
            }
        }
    }

    fn event(&mut self, event: Event, now: Timestamp) {
        let known = self.known.entry(event.connection).or_insert_with(Known::new);
        if let EventKind::Opened(opened) = &event.kind {
            known.opened = Some(*opened);
            if !self.filter.may_pass(opened) {
                known.wanted = Some(false);
            }
        }
        if known.wanted == Some(false) {
            return;
        }
        let id = event.connection;
        let about = subject(&event.kind);
        known.waiting.push_back(event);
        let decided = matches!(about, Some((_, About::Probe { .. }))) && !self.filter.needs_outcome();
        if decided {
            known.wanted = Some(true);
        }
        let Some(opened) = known.opened else { return };
        if known.wanted == Some(true) {
            self.told.extend(known.waiting.drain(..).map(|event| Told::Event { opened, event }));
        } else if known.waiting.len() > MOST_WAITING {
            // The first says whose events they are.
            known.waiting.remove(1);
        }
        if let Some((party, about)) = about.filter(|_| known.wanted == Some(true)) {
            self.draw(id, opened, party, about, now);
        }
    }

    /// Draws from an event what it means for one side's probes, where that is news.
    fn draw(&mut self, id: ConnectionId, opened: Opened, party: Option<Party>, about: About, now: Timestamp) {
        let Some(known) = self.known.get_mut(&id) else { return };
        // An answer names its probe only; whoever waited for one has it.
        let party = party.unwrap_or(if known.client.unanswered > 0 { Party::Client } else { Party::Server });
        let side = known.side(party);
        match about {
            About::Probe { run, quiet } => {
                side.probes += 1;
                let unanswered = run.saturating_sub(1);
                // Told when it begins; each further probe has its number.
                if unanswered > 0 && !std::mem::replace(&mut side.is_silent, unanswered > 0) {
                    self.told.push_back(Told::Silence {
                        connection: id,
                        opened,
                        party,
                        unanswered,
                        quiet,
                        at: now,
                    });
                }
                side.unanswered = run;
                let probes = side.probes;
                if is_worth_a_look(probes) {
                    self.settings(id, opened, party, now);
                }
            }
            About::Answer => {
                side.unanswered = 0;
                if std::mem::take(&mut side.is_silent) {
                    let quiet = None;
                    self.told.push_back(Told::Silence {
                        connection: id,
                        opened,
                        party,
                        unanswered: 0,
                        quiet,
                        at: now,
                    });
                }
            }
        }
    }

    /// Tells the settings of one side if they are news.
    fn settings(&mut self, id: ConnectionId, opened: Opened, party: Party, at: Timestamp) {
        let Some(summary) = self.pipeline.summary(opened.client, opened.server) else { return };
        let Some(record) = self.collector.so_far(id, &summary, LATEST) else { return };
        let inference = record.inference(party);
        let gist = inference.settings.first().map(Gist::from);
        let Some(known) = self.known.get_mut(&id) else { return };
        let side = known.side(party);
        if gist.is_some() && side.settings != gist {
            side.settings = gist;
            let inference = Box::new(inference.clone());
            self.told.push_back(Told::Settings { connection: id, opened, party, inference, at });
        }
    }

    fn last(&mut self, finished: Finished, number: u32) {
        let record = finished.record().into_owned();
        let known = self.known.remove(&record.id);
        self.tally.with_keepalives += u64::from(record.has_keepalives());
        let was_told = known.as_ref().is_some_and(|known| known.wanted == Some(true));
        let wanted = record.has_keepalives() || self.filter.wants_no_keepalive();
        let passes = wanted && self.filter.passes(&record);
        if !passes && !was_told {
            return;
        }
        let opened = record.opened;
        let waiting = known.map(|known| known.waiting).unwrap_or_default();
        self.told.extend(waiting.into_iter().map(|event| Told::Event { opened, event }));
        if passes {
            self.keep(finished);
        }
        self.told.push_back(Told::Final { record: Box::new(record), number });
    }

    /// Keeps a record for the summary; the earliest go where there are too many.
    fn keep(&mut self, finished: Finished) {
        self.finished_probes += weight(&finished);
        self.finished.push_back(finished);
        while self.finished_probes > 2 * self.limits.probes && self.finished.len() > 1 {
            if let Some(earliest) = self.finished.pop_front() {
                self.finished_probes = self.finished_probes.saturating_sub(weight(&earliest));
                self.tally.left_out += 1;
            }
        }
    }
}

/// What a connection takes, in probes.
fn weight(finished: &Finished) -> usize {
    4 + finished.items()
}

/// What an event means for one side's probes.
#[derive(Clone, Copy, Debug)]
enum About {
    Probe { run: u32, quiet: Option<Span> },
    Answer,
}

fn subject(kind: &EventKind) -> Option<(Option<Party>, About)> {
    match kind {
        EventKind::Probe(probe) => {
            let segment = &probe.segment;
            Some((Some(segment.prober), About::Probe { run: segment.run, quiet: segment.silence }))
        }
        // A RST or an ICMP error is no sign that the peer is there.
        EventKind::Answer(answer) => {
            matches!(answer.kind, AnswerKind::Ack | AnswerKind::Data).then_some((None, About::Answer))
        }
        _ => None,
    }
}

impl Known {
    fn new() -> Self {
        Self {
            opened: None,
            wanted: None,
            waiting: VecDeque::new(),
            client: Side::default(),
            server: Side::default(),
        }
    }

    fn side(&mut self, party: Party) -> &mut Side {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }
}

/// What a watch hears besides frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// An interface went down or away.
    InterfaceLost(String),
    /// The system's clock was set by so many nanoseconds.
    ClockStepped(i64),
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was over.
    Time,
    /// The user wanted it.
    Interrupted,
    /// Whoever listens wanted it: nothing is left to listen on, or to write to.
    Listener,
}

/// Who listens to a watch.
pub trait Listener {
    /// A frame came, before it is looked at.
    fn frame(&mut self, frame: &Frame<'_>);

    /// Something is to be told. False ends the watch.
    fn told(&mut self, told: Told) -> bool;

    /// Something else happened. False ends the watch.
    fn interruption(&mut self, interruption: Interruption) -> bool;

    /// All that was there has been told. False ends the watch.
    fn quiet(&mut self, received: Received) -> bool;
}

/// How often [`Listener::quiet`] is called at least.
const QUIET: Span = Span::from_millis(500);

/// Watches until a time, or until somebody wants an end, and finishes the watch.
///
/// # Errors
/// If nothing can be waited for any more.
pub fn run(
    wire: &mut dyn Wire,
    watch: &mut Watch,
    until: Option<Timestamp>,
    listener: &mut dyn Listener,
) -> Result<End, WireError> {
    let end = listen(wire, watch, until, listener)?;
    watch.finish(wire.now());
    while let Some(told) = watch.poll() {
        // The end is told whole.
        listener.told(told);
    }
    Ok(end)
}

fn listen(
    wire: &mut dyn Wire,
    watch: &mut Watch,
    until: Option<Timestamp>,
    listener: &mut dyn Listener,
) -> Result<End, WireError> {
    let mut quiet = wire.now().plus(QUIET);
    loop {
        let next = until.map_or(quiet, |until| until.min(quiet));
        let mut goes_on = true;
        match wire.next(Some(next))? {
            Arrival::Frame(frame) => {
                listener.frame(&frame);
                watch.frame(&frame);
            }
            Arrival::InterfaceLost { name } => {
                goes_on = listener.interruption(Interruption::InterfaceLost(name));
            }
            Arrival::ClockStepped { nanos } => {
                goes_on = listener.interruption(Interruption::ClockStepped(nanos))
            }
            Arrival::Interrupted => return Ok(End::Interrupted),
            Arrival::Deadline => {
                let now = wire.now();
                if until.is_some_and(|until| now >= until) {
                    return Ok(End::Time);
                }
                quiet = now.plus(QUIET);
                goes_on = listener.quiet(wire.received());
            }
            // Nothing is opened here.
            Arrival::Opened { .. } | Arrival::Ended { .. } | Arrival::Octets { .. } | Arrival::Woken => {}
        }
        while let Some(told) = watch.poll() {
            goes_on &= listener.told(told);
        }
        if !goes_on {
            return Ok(End::Listener);
        }
    }
}
