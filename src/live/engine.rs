//! The engine: connections that are held open, left idle, probed and judged.
//!
//! Owns the run: a plan goes in, packets and commands go through a [`Wire`], news come out as they happen, and a
//! verdict for each connection at the end. One thread owns all of it. The connections are the kernel's; beside them
//! only probes are sent, at SND.NXT-1 and never above. When one is due is decided by the machine of
//! [`crate::keepalive`], with an exact clock; what came back is read by the same [`crate::pipeline`] as a capture.

mod core;
mod exam;
pub mod guess;
pub(super) mod learn;
mod link;
mod pace;
pub mod plan;
pub mod steer;
pub mod verdict;

use self::core::{Command, Core};
use self::guess::Guess;
use self::learn::Learner;
use self::link::Wanted;
use self::plan::{Order, Plan};
use self::steer::{Ask, Standing};
use self::verdict::Verdict;
use crate::analysis::{Finished, Recorded};
use crate::frame::Frame;
use crate::keepalive::{Model, Rules};
use crate::live::wire::{Arrival, Ended, Received, Wire, WireError};
use crate::pipeline::Counts;
use crate::segment::encode::Outbound;
use crate::segment::{Endpoint, Options, SeqNum, TcpTimestamps};
use crate::stack::Stack;
use crate::time::Timestamp;
use crate::track::event::Event;

/// The stack whose rules say when a probe is due: its timers are exact, they begin anew with whatever is received,
/// and its probes stand at SND.NXT-1.
const RULES_OF: &str = "gvisor";

/// What was negotiated when a connection was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// SACK (RFC 2018).
    pub sack: bool,
    /// Our first sequence number.
    pub iss: SeqNum,
    /// The peer's.
    pub irs: SeqNum,
}

impl Terms {
    fn of(learner: &Learner) -> Self {
        let (iss, irs) = learner.first_numbers().unwrap_or_default();
        Self { timestamps: learner.has_timestamps(), sack: learner.has_sack(), iss, irs }
    }
}

/// What happens during a run; `index` counts connections from 0, in the order of the plan.
#[derive(Debug)]
pub enum News {
    /// A connection was opened, and its handshake was read.
    Opened {
        /// Which.
        index: usize,
        /// Our end.
        local: Endpoint,
        /// The peer's end.
        remote: Endpoint,
        /// When the system said so.
        time: Timestamp,
        /// What was negotiated.
        terms: Terms,
    },
    /// A connection could not be opened.
    NotOpened {
        /// Which.
        index: usize,
        /// What the system said.
        how: Ended,
        /// When.
        time: Timestamp,
    },
    /// The pipeline says something; the last word about a connection is [`News::Last`].
    Event {
        /// Which connection, if it is one of ours.
        index: Option<usize>,
        /// What.
        event: Event,
        /// The first sequence numbers, ours and the peer's, to which others are relative.
        first: Option<(SeqNum, SeqNum)>,
    },
    /// The last word about a connection.
    Last {
        /// Which connection, if it is one of ours.
        index: Option<usize>,
        /// The event's number in the connection.
        number: u32,
        /// What all that is known is made from.
        finished: Box<Finished>,
    },
    /// The system did not let a packet out. Said once for a run of probes.
    NotSent {
        /// Which connection.
        index: usize,
        /// What it said.
        error: String,
    },
    /// The system would not report other packets.
    NotSeen {
        /// What it said.
        error: String,
    },
    /// An interface went away.
    InterfaceLost {
        /// Its name.
        name: String,
    },
    /// The system's clock was set; times here go on without a step.
    ClockStepped {
        /// By how many nanoseconds.
        nanos: i64,
    },
}

/// Who wants to know what happens.
pub trait Listener {
    /// A packet, before it is judged; its number counts all packets of the run.
    ///
    /// # Errors
    /// If it cannot be kept; the run then ends in order.
    fn packet(&mut self, frame: &Frame<'_>) -> std::io::Result<()>;

    /// Something happened.
    ///
    /// # Errors
    /// If it cannot be told; the run then ends in order.
    fn news(&mut self, news: &News) -> std::io::Result<()>;

    /// The next thing that is asked of the run, if there is one; called between any two arrivals. Who asks from
    /// another thread wakes the wire ([`Arrival::Woken`]).
    fn ask(&mut self) -> Option<Ask> {
        None
    }

    /// Whether the run goes on when the plan is carried out, until [`Ask::End`].
    fn stays(&self) -> bool {
        false
    }

    /// Whether packets come that are not of the plan's peers.
    fn sees_others(&self) -> bool {
        false
    }

    /// When to tell how everything stands: at once if it is not after now, and never if it is none.
    fn wants_standing(&mut self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// How everything stands.
    fn standing(&mut self, _now: Timestamp, _connections: Vec<Standing>, _received: Received) {}
}

/// What became of one connection of the plan.
#[derive(Clone, Debug)]
pub struct Probed {
    /// What was to be done.
    pub order: Order,
    /// Our end and the peer's, if a SYN left.
    pub ends: Option<(Endpoint, Endpoint)>,
    /// What was negotiated, if the handshake was read.
    pub terms: Option<Terms>,
    /// What the record of its packets is made from, if any were read.
    pub record: Option<Finished>,
    /// What became of it.
    pub verdict: Verdict,
    /// What stack the peer may be, where probes of both kinds were sent.
    pub guess: Option<Guess>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The connections, in the order of the plan.
    pub connections: Vec<Probed>,
    /// Packets that were read.
    pub packets: u64,
    /// What they turned out to be.
    pub counts: Counts,
    /// What the system saw and lost.
    pub received: Received,
    /// The user wanted an end before it had come.
    pub interrupted: bool,
    /// Why the world could not go on, if it could not.
    pub broken: Option<WireError>,
    /// Why the listener could not go on, if it could not.
    pub unheard: Option<std::io::Error>,
}

/// Why a run cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The table of stacks has no row whose rules are known well enough.
    #[error("the rules of {RULES_OF} are not known")]
    NoRules,
    /// Nothing is to be probed.
    #[error("no connection is to be probed")]
    Nothing,
}

fn rules() -> Option<Rules> {
    Stack::named(RULES_OF).ok().and_then(Model::of).map(|model| model.rules)
}

/// Carries out a plan. Returns when every connection has its verdict, or when the user or the world ends it.
///
/// # Errors
/// If the plan cannot be begun; whatever happens later stands in the report.
pub fn run(wire: &mut dyn Wire, plan: &Plan, listener: &mut dyn Listener) -> Result<Report, PlanError> {
    if plan.orders.is_empty() && !listener.stays() {
        return Err(PlanError::Nothing);
    }
    let rules = rules().ok_or(PlanError::NoRules)?;
    let core = Core::new(plan, rules, wire.now());
    let mut run = Run { wire, core, listener, unheard: None };
    let broken = run.until_done().err();
    Ok(run.report(broken))
}

struct Run<'a> {
    wire: &'a mut dyn Wire,
    core: Core,
    listener: &'a mut dyn Listener,
    unheard: Option<std::io::Error>,
}

impl Run<'_> {
    fn until_done(&mut self) -> Result<(), WireError> {
        loop {
            let now = self.wire.now();
            self.core.on_time(now);
            while let Some(ask) = self.listener.ask() {
                self.core.on_ask(now, ask);
            }
            if self.listener.sees_others() {
                self.core.expect_others();
            }
            self.obey();
            self.tell();
            let wanted = self.listener.wants_standing(now);
            if wanted.is_some_and(|wanted| wanted <= now) {
                self.listener.standing(now, self.core.standing(), self.wire.received());
            }
            if self.core.is_done() && (self.core.is_ending() || !self.listener.stays()) {
                self.obey();
                return Ok(());
            }
            let wanted = self.listener.wants_standing(now).filter(|wanted| *wanted > now);
            let until = self.core.next_timeout().into_iter().chain(wanted).min();
            let other = match self.wire.next(until)? {
                Arrival::Frame(frame) => {
                    let frame = Frame { id: self.core.number(), ..frame };
                    let kept = self.listener.packet(&frame);
                    self.core.on_frame(frame.time, &frame);
                    self.heard(kept);
                    continue;
                }
                Arrival::Opened { handle, local, remote } => Arrival::Opened { handle, local, remote },
                Arrival::Ended { handle, how } => Arrival::Ended { handle, how },
                // Nobody asked to hear them.
                Arrival::Octets { .. } => continue,
                Arrival::InterfaceLost { name } => Arrival::InterfaceLost { name },
                Arrival::ClockStepped { nanos } => Arrival::ClockStepped { nanos },
                Arrival::Deadline | Arrival::Woken => continue,
                Arrival::Interrupted => Arrival::Interrupted,
            };
            // It came while we waited.
            let now = self.wire.now();
            self.core.on_arrival(now, other);
        }
    }

    /// Does what the connections want done.
    fn obey(&mut self) {
        while let Some(command) = self.core.poll_command() {
            match command {
                Command::Connect(index, connect) => match self.wire.connect(&connect) {
                    Ok(handle) => self.core.on_connecting(index, handle),
                    Err(error) => self.core.on_not_connected(index, error.to_string()),
                },
                Command::Send(index, wanted) => {
                    if let Err(error) = send(self.wire, &wanted) {
                        self.core.on_not_sent(index, error.to_string());
                    }
                }
                Command::Close(handle) => self.wire.close(handle),
                Command::See(filter) => {
                    if let Err(error) = self.wire.see(&filter) {
                        self.core.on_not_seen(error.to_string());
                    }
                }
            }
        }
    }

    fn tell(&mut self) {
        while let Some(news) = self.core.poll_news() {
            if self.unheard.is_none() {
                let told = self.listener.news(&news);
                self.heard(told);
            }
        }
    }

    /// A listener that is gone ends the run, in order.
    fn heard(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result
            && self.unheard.is_none()
        {
            self.unheard = Some(error);
            self.core.interrupt();
        }
    }

    fn report(mut self, broken: Option<WireError>) -> Report {
        let (mut finished, counts) = self.core.finish();
        self.tell();
        let links = self.core.links().iter();
        let connections = links.enumerate().map(|(index, link)| {
            let finished = finished.get_mut(index).and_then(Option::take);
            // One at a time: the probes of all together may be many.
            let record = finished.as_ref().map(Finished::record);
            let record = record.as_deref();
            let terms = link.learner.as_ref().filter(|learner| learner.is_complete()).map(Terms::of);
            Probed {
                order: link.order,
                ends: link.tuple,
                terms,
                verdict: verdict::judge(&link.story, record, broken.as_ref()),
                guess: guess::guess(&link.order, record, terms),
                record: finished,
            }
        });
        let connections = connections.collect();
        Report {
            connections,
            packets: self.core.frames(),
            counts,
            received: self.wire.received(),
            interrupted: self.core.is_interrupted() && self.unheard.is_none(),
            broken,
            unheard: self.unheard,
        }
    }
}

/// Sends a probe in the dress of the kernel's own segments.
fn send(wire: &mut dyn Wire, wanted: &Wanted) -> Result<(), WireError> {
    let Wanted { tuple: (source, destination), seq, ack, flags, octets, echo, dress } = *wanted;
    let stamps = dress.tsval.zip(echo).map(|(value, echo)| TcpTimestamps { value, echo });
    wire.send(&Outbound {
        source,
        destination,
        seq,
        ack,
        flags,
        window: dress.window,
        options: Options { timestamps: stamps, ..Options::default() },
        payload: if octets == 0 { &[] } else { &[0] },
        ttl: dress.ttl,
        ip_id: dress.ip_id,
        dont_fragment: dress.dont_fragment,
    })
}
