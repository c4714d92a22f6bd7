//! The search for idle timeouts on a real path.
//!
//! Owns the run: a plan goes in, packets, octets and commands go through a [`Wire`], news come out as they happen, and
//! a finding for each direction at the end. What is tried, and when, is decided by [`crate::search`]; this carries it
//! out. The connections are the kernel's and are closed in order. Without a partner only keepalive probes are sent
//! beside them, at SND.NXT-1; with one, octets are exchanged on them, and the partner ([`crate::partner`]) is asked to
//! send. How long a connection was silent is measured between packets by the kernel's time stamps.

mod control;
mod core;
mod flow;
mod origin;
mod trace;

pub use self::control::{Partner, PartnerError};
use self::core::{Command, Core, Probe, Whose};
use crate::frame::Frame;
use crate::live::wire::{Arrival, Connect, Handle, Received, Wire, WireError};
use crate::partner::message::Welcome;
use crate::search::refresh::{Experiment, Outcome, QuestionError};
use crate::search::{self, Finding, Search, View, Wanted, WantedError};
use crate::segment::encode::Outbound;
use crate::segment::{Endpoint, Flags, Options, TcpTimestamps};
use crate::time::{Span, Timestamp};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whereto, and from where.
    pub connect: Connect,
    /// What is asked of the path, at once: one question for each direction.
    pub directions: Vec<Wanted>,
    /// Who is at the other end, if it is a partner.
    pub partner: Option<Partner>,
    /// What is examined once a timeout is known.
    pub examine: Option<Examine>,
    /// How long a connection may take to open.
    pub open_within: Span,
    /// The interfaces that are listened to, as a frame's interface counts them.
    pub interfaces: Vec<String>,
    /// Unpredictable, so that no packets can be made to collide; results do not depend on it.
    pub hash_seed: u64,
}

/// What is examined once a timeout is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examine {
    /// What keeps a connection open?
    pub refresh: bool,
    /// Where is the box?
    pub locate: bool,
    /// The timeout; none if the searches are to find it.
    pub timeout: Option<Span>,
    /// Connections at once, at most.
    pub most: u16,
    /// How long it may take.
    pub budget: Option<Span>,
}

/// Why nothing was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotExamined {
    /// No timeout was found.
    #[error("no timeout was found; --timeout gives one that is known")]
    NoTimeout,
    /// It would take too long.
    #[error(
        "it would take {takes} s, longer than the {longest} s that a target may be held; if it is your own: --own-target"
    )]
    TooLong {
        /// So long.
        takes: Span,
        /// So long it may take.
        longest: Span,
    },
    /// It cannot be done.
    #[error(transparent)]
    Cannot(#[from] QuestionError),
}

/// Whether somebody on the way translates our end of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Our end of the first connection.
    pub ours: Endpoint,
    /// The same as the partner sees it.
    pub seen: Endpoint,
}

/// What happens during a run.
#[derive(Clone, Debug)]
pub enum News {
    /// The partner is one, and the search begins.
    Partner(Welcome),
    /// The partner allows fewer connections than were asked for.
    Fewer {
        /// For one direction.
        wanted: u16,
        /// It is so many.
        allowed: u16,
    },
    /// What the partner sees of our end.
    Translation(Translation),
    /// News of a search.
    Search {
        /// Which, in the order of the plan.
        index: usize,
        /// What.
        news: search::News,
    },
    /// What came on a test connection was not the partner's.
    Strange,
    /// The system did not let something out, or open.
    NotSent {
        /// What it said.
        error: String,
    },
    /// An interface went away.
    InterfaceLost {
        /// Its name.
        name: String,
        /// Our packets went over it; the search ends.
        ours: bool,
    },
    /// The system's clock was set; times here go on without a step.
    ClockStepped {
        /// By how many nanoseconds.
        nanos: i64,
    },
    /// Nothing was done for so long, as in suspend or after a stop; silences under way do not count.
    Slept {
        /// How long.
        gap: Span,
    },
}

impl News {
    /// What a person is to be told of it in passing; nothing of what the searches themselves tell.
    pub fn remark(&self) -> Option<String> {
        Some(match self {
            News::Search { .. } | News::Partner(_) | News::Translation(_) => return None,
            News::Fewer { wanted, allowed } => {
                format!("the partner allows {allowed} connections instead of {wanted}")
            }
            News::Strange => "what came on a test connection was not the partner's".to_owned(),
            News::NotSent { error } => error.clone(),
            News::InterfaceLost { name, ours: true } => {
                format!("the interface {name} was lost: silence tells nothing any more")
            }
            News::InterfaceLost { name, ours: false } => {
                format!("the interface {name} was lost, over which nothing went")
            }
            News::ClockStepped { nanos } => {
                let span = Span::from_nanos(*nanos);
                format!("the clock was set by {span} s; times here go on without a step")
            }
            News::Slept { gap } => {
                format!("nothing ran for {gap} s; silences under way then do not count")
            }
        })
    }
}

/// Who wants to know what happens.
pub trait Listener {
    /// A packet; its number counts all packets of the run.
    ///
    /// # Errors
    /// If it cannot be kept; the run then ends in order.
    fn packet(&mut self, frame: &Frame<'_>) -> std::io::Result<()>;

    /// Something happened.
    ///
    /// # Errors
    /// If it cannot be told; the run then ends in order.
    fn news(&mut self, news: &News, now: Timestamp) -> std::io::Result<()>;

    /// How the searches stand; called when something happened, as often as [`Listener::tick`] asks, and when
    /// everything is over.
    ///
    /// # Errors
    /// If it cannot be told; the run then ends in order.
    fn standing(&mut self, now: Timestamp, standing: &Standing<'_>) -> std::io::Result<()> {
        let _ = (now, standing);
        Ok(())
    }

    /// How often [`Listener::standing`] is to be called while nothing happens.
    fn tick(&self) -> Option<Span> {
        None
    }

    /// Whether the run is to end with what is known; asked once after each time the wire was woken.
    fn wants_end(&mut self) -> bool {
        false
    }
}

/// How a run stands.
#[derive(Debug)]
pub struct Standing<'a> {
    core: &'a Core,
    now: Timestamp,
}

impl Standing<'_> {
    /// Each search, in the order of the plan; none before a partner is known to be one.
    pub fn views(&self) -> Vec<View> {
        self.core.searches().iter().map(|search| search.view(self.now)).collect()
    }

    /// What a search would come to if it ended now.
    pub fn finding(&self, index: usize) -> Option<Finding> {
        self.core.searches().get(index).map(Search::finding)
    }

    /// Packets of our connections so far, either way.
    pub fn packets(&self) -> u64 {
        self.core.packets
    }

    /// All connections are closed, and nothing more will come.
    pub fn is_over(&self) -> bool {
        self.core.is_done()
    }
}

/// What was asked, in the end.
#[derive(Clone, Debug)]
pub struct Direction {
    /// In the order of the plan.
    pub index: usize,
    /// The question, the partner's limits minded.
    pub wanted: Wanted,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// What was found, for each direction that was begun.
    pub findings: Vec<(Wanted, Finding)>,
    /// What was examined after that.
    pub examined: Option<Outcome>,
    /// Why nothing was, if it was to be.
    pub not_examined: Option<NotExamined>,
    /// Packets of our connections, either way.
    pub packets: u64,
    /// How long it took.
    pub wall: Span,
    /// What the system saw and lost.
    pub received: Received,
    /// What the partner sees of our end.
    pub translation: Option<Translation>,
    /// The user wanted an end before it had come.
    pub interrupted: bool,
    /// Why the partner was not one, or no more.
    pub partner_failed: Option<PartnerError>,
    /// Why the world could not go on, if it could not.
    pub broken: Option<WireError>,
    /// Why the listener could not go on, if it could not.
    pub unheard: Option<std::io::Error>,
}

/// Nothing is asked, or something that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Nothing is asked.
    #[error("no direction is to be searched")]
    Nothing,
    /// A question cannot be answered.
    #[error(transparent)]
    Wanted(#[from] WantedError),
}

/// Later than this after a deadline, this program was stopped meanwhile: what was to be done then was not.
const SLEPT: Span = Span::from_secs(5);

/// Carries out a plan. Returns when every search is over, or when the user or the world ends it.
///
/// # Errors
/// If the plan cannot be begun; whatever happens later stands in the report.
pub fn run(wire: &mut dyn Wire, plan: Plan, listener: &mut dyn Listener) -> Result<Report, PlanError> {
    if plan.directions.is_empty() && plan.examine.is_none_or(|examine| examine.timeout.is_none()) {
        return Err(PlanError::Nothing);
    }
    plan.directions.iter().try_for_each(Wanted::check)?;
    let begun = wire.now();
    let core = Core::new(plan, begun);
    let mut run = Run { wire, core, listener, unheard: None, ticked: begun };
    let broken = run.until_done().err();
    Ok(run.report(begun, broken))
}

struct Run<'a> {
    wire: &'a mut dyn Wire,
    core: Core,
    listener: &'a mut dyn Listener,
    unheard: Option<std::io::Error>,
    ticked: Timestamp,
}

impl Run<'_> {
    fn until_done(&mut self) -> Result<(), WireError> {
        loop {
            let now = self.wire.now();
            if let Some(gap) = self.wire.slept() {
                self.core.note(News::Slept { gap });
                self.core.on_gap(now, gap);
            }
            self.core.on_time(now);
            self.obey();
            self.tell(now);
            if self.core.is_done() {
                self.obey();
                return Ok(());
            }
            let tick = self.listener.tick().map(|every| self.ticked.plus(every));
            let until = self.core.next_timeout().into_iter().chain(tick).min();
            match self.wire.next(until)? {
                Arrival::Frame(frame) => {
                    let frame = Frame { id: self.core.number(), ..frame };
                    let kept = self.listener.packet(&frame);
                    self.core.on_frame(frame.time, &frame);
                    self.heard(kept);
                }
                Arrival::Deadline => {
                    let now = self.wire.now();
                    let late = until.map_or(Span::ZERO, |until| now.since(until));
                    if late > SLEPT {
                        self.core.note(News::Slept { gap: late });
                        self.core.on_gap(now, late);
                    }
                }
                Arrival::Opened { handle, local, remote } => {
                    let now = self.wire.now();
                    self.core.on_opened(now, handle, (local, remote));
                }
                Arrival::Ended { handle, how } => {
                    let now = self.wire.now();
                    self.core.on_ended(now, handle, how);
                }
                Arrival::Octets { handle, octets } => {
                    let now = self.wire.now();
                    self.core.on_octets(now, handle, &octets);
                }
                Arrival::InterfaceLost { name } => {
                    let now = self.wire.now();
                    self.core.on_interface_lost(now, name);
                }
                Arrival::ClockStepped { nanos } => self.core.note(News::ClockStepped { nanos }),
                Arrival::Woken => {
                    if self.listener.wants_end() {
                        let now = self.wire.now();
                        self.core.interrupt(now);
                    }
                }
                Arrival::Interrupted => {
                    let now = self.wire.now();
                    self.core.interrupt(now);
                }
            }
        }
    }

    /// Does what is wanted.
    fn obey(&mut self) {
        while let Some(command) = self.core.poll_command() {
            match command {
                Command::Connect(whose) => self.connect(whose),
                Command::Write(whose, handle, octets) => {
                    if let Err(error) = self.wire.write(handle, &octets) {
                        self.core.on_not_sent(whose, error.to_string());
                    }
                }
                Command::Send(number, probe) => {
                    if let Err(error) = send(self.wire, &probe) {
                        self.core.on_not_sent(Whose::Flow(number), error.to_string());
                    }
                }
                Command::Deafen(number, handle, deaf) => {
                    if let Err(error) = self.wire.deafen(handle, deaf) {
                        self.core.on_not_sent(Whose::Flow(number), error.to_string());
                    }
                }
                Command::Close(handle) => self.wire.close(handle),
            }
        }
    }

    fn connect(&mut self, whose: Whose) {
        let plan = self.core.plan();
        let (connect, heard) = (plan.connect, plan.partner.is_some());
        let hear = |wire: &mut dyn Wire, handle: Handle| {
            if heard {
                wire.hear(handle);
            }
        };
        match self.wire.connect(&connect) {
            Ok(handle) => {
                hear(self.wire, handle);
                self.core.on_connecting(whose, handle);
            }
            Err(error) => self.core.on_not_connected(whose, error.to_string()),
        }
    }

    fn tell(&mut self, now: Timestamp) {
        let mut any = false;
        while let Some(news) = self.core.poll_news() {
            any = true;
            if self.unheard.is_none() {
                let told = self.listener.news(&news, now);
                self.heard(told);
            }
        }
        let due = self.listener.tick().is_some_and(|every| now.since(self.ticked) >= every);
        if (any || due || self.core.is_done()) && self.unheard.is_none() {
            self.ticked = now;
            let told = self.listener.standing(now, &Standing { core: &self.core, now });
            self.heard(told);
        }
    }

    /// A listener that is gone ends the run, in order.
    fn heard(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result
            && self.unheard.is_none()
        {
            self.unheard = Some(error);
            let now = self.wire.now();
            self.core.interrupt(now);
        }
    }

    fn report(self, begun: Timestamp, broken: Option<WireError>) -> Report {
        let findings: Vec<Finding> = self.core.searches().iter().map(Search::finding).collect();
        let mut examined = self.core.experiment.as_ref().map(Experiment::outcome);
        if let Some(outcome) = &mut examined {
            findings.iter().for_each(|finding| outcome.learn_from(&finding.trials));
        }
        let wanted = self.core.directions.iter().map(|direction| direction.wanted.clone());
        Report {
            findings: wanted.zip(findings).collect(),
            examined,
            not_examined: self.core.not_examined,
            packets: self.core.packets,
            wall: self.wire.now().since(begun),
            received: self.wire.received(),
            translation: self.core.translation,
            interrupted: self.core.interrupted && self.unheard.is_none(),
            partner_failed: self.core.partner_failed.clone(),
            broken,
            unheard: self.unheard,
        }
    }
}

/// Sends a keepalive probe, or an acknowledgment, in the dress of the kernel's own segments.
fn send(wire: &mut dyn Wire, probe: &Probe) -> Result<(), WireError> {
    let Probe { tuple: (source, destination), seq, ack, echo, dress, octet } = *probe;
    let stamps = dress.tsval.zip(echo).map(|(value, echo)| TcpTimestamps { value, echo });
    wire.send(&Outbound {
        source,
        destination,
        seq,
        ack,
        flags: Flags::ACK,
        window: dress.window,
        options: Options { timestamps: stamps, ..Options::default() },
        payload: if octet { &[0] } else { &[] },
        ttl: dress.ttl,
        ip_id: dress.ip_id,
        dont_fragment: dress.dont_fragment,
    })
}
