//! One connection of a search: opened, left idle, armed anew, probed, ended.
//!
//! Owns [`Flow`]. Pure: packets, octets, reports of the partner and commands of the search go in, steps come out. What
//! is told to the search rests on packets with the kernel's time stamps. Every packet that nobody asked for ends a
//! silence; what follows one that was asked for, such as our kernel's acknowledgment, only moves its beginning.

mod refresh;

use super::origin;
use super::trace::{FromPeer, FromUs, Trace, Tuple};
use crate::live::wire::{Ended, Handle};
use crate::partner::client::test::Test;
use crate::partner::message::{Ending, Joined};
use crate::search::refresh::Form;
use crate::search::{Cue, Disturbance, End, Id, Input, NotOpened, Origin, Sign, Way};
use crate::segment::{IcmpError, IcmpKind, Segment};
use crate::time::{Span, Timestamp};

/// A stranger's server may greet: silence begins when nothing came for so long.
const GREETING: Span = Span::from_millis(250);

/// Our own packet is seen by then, or it was not shown to us.
const SEEN_WITHIN: Span = Span::from_millis(50);

/// The packet that ended a connection may be read after the system's word.
const READ_WITHIN: Span = Span::from_millis(100);

/// What the partner saw of a segment that it did not know is told by then.
const TOLD_WITHIN: Span = Span::from_millis(1_500);

/// That a partner is gone altogether is known by then: its system closes all of its connections at once.
const GONE_WITHIN: Span = Span::from_millis(500);

/// How long the peer's FIN is waited for.
const LINGER: Span = Span::from_secs(1);

/// When an arming that was not answered is tried again, and again.
const TRIES: [Span; 2] = [Span::from_secs(1), Span::from_secs(2)];

/// What a connection wants done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Say it to the search.
    Tell(Input),
    /// Say it to the peer.
    Say(Vec<u8>),
    /// Send a keepalive probe beside the kernel.
    Probe,
    /// Send what may keep it open.
    Refresh(Form),
    /// Keep from our kernel what comes on it, or do so no more.
    Deafen(bool),
    /// Ask the partner to send an octet.
    Ask,
    /// Close it, or give up opening it.
    Close,
}

/// A silence that is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probing {
    way: Way,
    attempt: u8,
    /// Where the silence began.
    since: Timestamp,
    /// The first try's time.
    first: Option<Timestamp>,
    /// A try was given out at this time and not seen yet.
    unseen: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The SYN is on its way, or the partner is asked to accept it.
    Opening,
    /// Open; something may still be said or acknowledged.
    Settling,
    Idle,
    /// Something is exchanged; tries so far.
    Arming {
        tries: usize,
        answered: bool,
    },
    Probing(Probing),
    /// A RST of the peer came for a probe; the partner may tell why.
    Wondering {
        attempt: u8,
        at: Timestamp,
        delay: Option<Span>,
        origin: Origin,
    },
    /// The system says so; its packet is still to be read.
    Ending(End),
    /// A connection to a partner ended; if the partner is gone, that is known soon, and it was no timer.
    Doubting {
        at: Timestamp,
        how: End,
        origin: Origin,
    },
    /// It ended, and the search knows.
    Ended,
    Closing,
    Done,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow {
    /// Which of the searches, and its name there.
    pub(super) key: (usize, Id),
    pub(super) handle: Option<Handle>,
    pub(super) tuple: Option<Tuple>,
    pub(super) trace: Option<Trace>,
    /// With a partner: its half of the connection.
    pub(super) test: Option<Test>,
    /// What the partner sees.
    pub(super) joined: Option<Joined>,
    /// The partner tells of segments that it does not know.
    pub(super) strays: bool,
    /// Our kernel gets nothing of it for now.
    deaf: bool,
    state: State,
    deadline: Option<Timestamp>,
    /// Answers that may still come to tries.
    owed: u8,
}

impl Flow {
    /// Begins to open one; it is given up at `until`.
    pub(super) fn new(key: (usize, Id), test: Option<Test>, strays: bool, until: Timestamp) -> Self {
        Self {
            key,
            handle: None,
            tuple: None,
            trace: None,
            test,
            joined: None,
            strays,
            deaf: false,
            state: State::Opening,
            deadline: Some(until),
            owed: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether it died, as far as is known, without a word to us: then its end is not to be waited for.
    fn is_lost(&self) -> bool {
        matches!(self.state, State::Probing(_))
    }

    /// When to call [`on_time`](Flow::on_time).
    pub(super) fn due(&self) -> Option<Timestamp> {
        let unseen = match self.state {
            State::Probing(probing) => probing.unseen.map(|at| at.plus(SEEN_WITHIN)),
            State::Settling if self.is_settled() => self.trace.map(|trace| trace.last().plus(GREETING)),
            _ => None,
        };
        self.deadline.into_iter().chain(unseen).min()
    }

    /// Its time has come.
    pub(super) fn on_time(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let over = self.deadline.is_some_and(|deadline| deadline <= now);
        match self.state {
            State::Opening | State::Settling if over => self.not_opened(NotOpened::TimedOut, steps),
            State::Settling => self.settle(now, steps),
            State::Arming { tries, answered: false } if over => {
                self.deadline = TRIES.get(tries).map(|wait| now.plus(*wait));
                self.state = State::Arming { tries: tries + 1, answered: false };
                if self.test.is_none() {
                    steps.push(Step::Probe);
                }
            }
            State::Probing(mut probing) => {
                if let Some(at) = probing.unseen.filter(|at| at.plus(SEEN_WITHIN) <= now) {
                    probing.sent(at, steps);
                    self.state = State::Probing(probing);
                }
            }
            State::Wondering { at, origin, .. } if over => self.ended(at, End::Reset, origin, steps),
            State::Ending(how) if over => self.ended(now, how, Origin::Unknown, steps),
            State::Doubting { at, how, origin } if over => self.tell_end(at, how, origin, steps),
            State::Closing if over => {
                self.state = State::Done;
                self.deadline = None;
            }
            _ => {}
        }
    }

    fn not_opened(&mut self, why: NotOpened, steps: &mut Vec<Step>) {
        steps.push(Step::Close);
        steps.push(Step::Tell(Input::NotOpened(why)));
        self.state = State::Done;
        self.deadline = None;
    }

    /// The system would not even try.
    pub(super) fn on_not_connected(&mut self, steps: &mut Vec<Step>) {
        self.not_opened(NotOpened::Other, steps);
    }

    /// The system says that it is open.
    pub(super) fn on_opened(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        if self.state != State::Opening {
            return;
        }
        self.state = State::Settling;
        if let Some(test) = &self.test {
            steps.push(Step::Say(test.begin()));
        }
        self.settle(now, steps);
    }

    fn is_settled(&self) -> bool {
        let Some(trace) = self.trace.filter(Trace::is_settled) else { return false };
        // Its words may be heard before their packets are read.
        self.test.as_ref().is_none_or(|test| test.is_joined() && trace.has_spoken())
    }

    /// Tells that it is open, or armed, once nothing more is to come.
    fn settle(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let Some(trace) = self.trace.filter(|_| self.is_settled()) else { return };
        let since = trace.last();
        let input = match self.state {
            State::Settling if self.test.is_some() || now.since(since) >= GREETING => Input::Opened { since },
            State::Arming { answered: true, .. } => Input::Armed { since },
            _ => return,
        };
        self.state = State::Idle;
        self.deadline = None;
        steps.push(Step::Tell(input));
    }

    /// The search wants the silence to begin anew.
    pub(super) fn arm(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        if self.state != State::Idle {
            return;
        }
        self.state = State::Arming { tries: 0, answered: false };
        self.deadline = Some(now.plus(TRIES[0]));
        steps.push(match &mut self.test {
            Some(test) => Step::Say(vec![test.arm()]),
            None => Step::Probe,
        });
    }

    /// The search wants the silence to be ended.
    pub(super) fn probe(&mut self, now: Timestamp, way: Way, attempt: u8, steps: &mut Vec<Step>) {
        self.listen(steps);
        let mut probing = match (self.state, self.trace) {
            (State::Idle, Some(trace)) => {
                Probing { way, attempt, since: trace.last(), first: None, unseen: None }
            }
            (State::Probing(probing), _) => Probing { attempt, ..probing },
            _ => return steps.push(Step::Tell(Input::NotSent { attempt })),
        };
        let again = matches!(self.state, State::Probing(_)) && probing.first.is_some();
        match (way, &mut self.test) {
            // What was said is said again by the kernel that said it.
            (_, Some(_)) if again => probing.sent(now, steps),
            (Way::Out, Some(test)) => {
                steps.push(Step::Say(vec![test.arm()]));
                probing.unseen = Some(now);
            }
            (Way::Out, None) => {
                steps.push(Step::Probe);
                self.owed = self.owed.saturating_add(1);
                probing.unseen = Some(now);
            }
            (Way::In, Some(_)) => steps.push(Step::Ask),
            (Way::In, None) => return steps.push(Step::Tell(Input::NotSent { attempt })),
        }
        self.state = State::Probing(probing);
    }

    /// The search is done with it.
    pub(super) fn close(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        if matches!(self.state, State::Closing | State::Done) {
            return;
        }
        self.listen(steps);
        steps.push(Step::Close);
        let waits = matches!(self.state, State::Idle | State::Arming { .. } | State::Settling);
        self.deadline = Some(if waits { now.plus(LINGER) } else { now.plus(READ_WITHIN) });
        self.state = State::Closing;
    }

    /// Whether the partner should forget it at once, since no FIN will get through.
    pub(super) fn to_be_aborted(&self) -> bool {
        self.is_lost() || matches!(self.state, State::Ended | State::Doubting { .. })
    }

    /// What was to be sent was not.
    pub(super) fn on_not_sent(&mut self, steps: &mut Vec<Step>) {
        if let State::Probing(probing) = &mut self.state {
            probing.unseen = None;
            return steps.push(Step::Tell(Input::NotSent { attempt: probing.attempt }));
        }
        self.on_not_refreshed(steps);
    }

    /// A segment from our address was seen.
    pub(super) fn on_own(&mut self, segment: &Segment, now: Timestamp, steps: &mut Vec<Step>) {
        let Some(trace) = &mut self.trace else { return };
        let what = trace.on_own(segment);
        match (&mut self.state, what) {
            (State::Probing(probing), FromUs::New | FromUs::Bare) if probing.unseen.is_some() => {
                probing.sent(segment.time, steps);
            }
            (State::Idle, FromUs::Again) => {
                let by = Disturbance::OwnKernel;
                steps.push(Step::Tell(Input::Disturbed { at: segment.time, by }));
            }
            _ => {}
        }
        self.settle(now, steps);
    }

    /// A segment from the peer's address was seen.
    pub(super) fn on_peer(&mut self, segment: &Segment, now: Timestamp, steps: &mut Vec<Step>) {
        let Some(trace) = &mut self.trace else { return };
        let before = trace.baseline();
        let sent = trace.own_last();
        let what = trace.on_peer(segment);
        let end = match what {
            FromPeer::Reset => Some(End::Reset),
            FromPeer::Fin => Some(End::Fin),
            _ => None,
        };
        if let Some(how) = end {
            let prompted = matches!(self.state, State::Probing(probing) if probing.way == Way::Out);
            let delay = prompted.then(|| segment.time.since(sent));
            self.on_end(how, segment.time, origin::of_segment(segment, before, delay), delay, steps);
            return;
        }
        match self.state {
            State::Probing(probing) => self.while_probing(probing, what, segment.time, sent, steps),
            State::Arming { tries, answered } => {
                let answers = match &self.test {
                    Some(_) => what == FromPeer::Data,
                    None => !matches!(what, FromPeer::Keepalive | FromPeer::Data),
                };
                if answers && self.test.is_none() {
                    trace_round_trip(&mut self.trace, segment.time.since(sent));
                }
                self.state = State::Arming { tries, answered: answered || answers };
            }
            State::Idle => self.while_idle(what, segment.time, steps),
            _ => {}
        }
        self.settle(now, steps);
    }

    fn while_probing(
        &mut self,
        mut probing: Probing,
        what: FromPeer,
        at: Timestamp,
        sent: Timestamp,
        steps: &mut Vec<Step>,
    ) {
        let by = match (probing.way, &self.test, what) {
            (Way::Out, Some(_), FromPeer::Data) | (Way::In, _, FromPeer::Data) => None,
            // The partner's kernel has it; whether the partner has is shown by its answer.
            (_, Some(_), _) => return,
            (_, None, FromPeer::Keepalive) => Some(Disturbance::PeerKeepalive),
            (_, None, FromPeer::Data | FromPeer::Again) => Some(Disturbance::PeerData),
            (_, None, _) => None,
        };
        self.state = State::Idle;
        if let Some(by) = by {
            steps.push(Step::Tell(Input::Disturbed { at, by }));
            return;
        }
        let attempt = probing.attempt;
        if probing.first.is_none() || probing.unseen.is_some() {
            probing.sent(if probing.way == Way::In { at } else { probing.unseen.unwrap_or(at) }, steps);
        }
        self.owed = self.owed.saturating_sub(1);
        let round_trip = (probing.way == Way::Out).then(|| at.since(sent));
        if let Some(span) = round_trip {
            trace_round_trip(&mut self.trace, span);
        }
        // What came back through the same connection of the partner came through the same mapping.
        let new_port = (probing.way == Way::Out && self.test.is_some()).then_some(false);
        let sign = Sign { new_port, round_trip, reset: false };
        steps.push(Step::Tell(Input::Answered { attempt, at, sign }));
    }

    fn while_idle(&mut self, what: FromPeer, at: Timestamp, steps: &mut Vec<Step>) {
        let by = match what {
            FromPeer::Keepalive => Disturbance::PeerKeepalive,
            FromPeer::Data | FromPeer::Again => Disturbance::PeerData,
            FromPeer::Bare | FromPeer::Acknowledges if self.owed > 0 => {
                self.owed -= 1;
                let sign = Sign::default();
                return steps.push(Step::Tell(Input::Answered { attempt: 0, at, sign }));
            }
            FromPeer::Handshake | FromPeer::Fin | FromPeer::Reset => return,
            FromPeer::Bare | FromPeer::Acknowledges => Disturbance::PeerOther,
        };
        steps.push(Step::Tell(Input::Disturbed { at, by }));
    }

    /// An ICMP error about one of its packets came.
    pub(super) fn on_icmp(&mut self, error: &IcmpError, steps: &mut Vec<Step>) {
        let (Some((_, remote)), Some(trace)) = (self.tuple, self.trace) else { return };
        if !matches!(error.kind, IcmpKind::Unreachable(_)) {
            return;
        }
        let delay = matches!(self.state, State::Probing(_)).then(|| error.time.since(trace.own_last()));
        self.on_end(End::Icmp, error.time, origin::of_icmp(error, remote.address, delay), delay, steps);
    }

    /// Something ended it.
    fn on_end(
        &mut self,
        how: End,
        at: Timestamp,
        origin: Origin,
        delay: Option<Span>,
        steps: &mut Vec<Step>,
    ) {
        match self.state {
            State::Settling => self.not_opened(NotOpened::Reset, steps),
            State::Probing(mut probing) => {
                if let Some(sent) = probing.unseen {
                    probing.sent(sent, steps);
                }
                let attempt = probing.attempt;
                let by_peer = matches!(origin, Origin::Peer(_) | Origin::Unknown);
                if probing.way == Way::Out && how == End::Reset && self.strays && by_peer {
                    self.state = State::Wondering { attempt, at, delay, origin };
                    self.deadline = Some(at.plus(TOLD_WITHIN));
                } else {
                    self.ended(at, how, origin, steps);
                }
            }
            State::Idle | State::Arming { .. } | State::Ending(_) => self.ended(at, how, origin, steps),
            State::Closing => self.deadline = self.deadline.map(|until| until.min(at.plus(READ_WITHIN))),
            State::Opening
            | State::Wondering { .. }
            | State::Doubting { .. }
            | State::Ended
            | State::Done => {}
        }
    }

    fn ended(&mut self, at: Timestamp, how: End, origin: Origin, steps: &mut Vec<Step>) {
        // A partner ends nothing by itself, so what bears its address was sent in its name, or because its host was
        // sent what it does not know.
        let origin = match (origin, &self.test) {
            (Origin::Peer(cue), Some(_)) => Origin::Path(cue),
            (Origin::Unknown, Some(_)) => Origin::Path(Cue::default()),
            (origin, _) => origin,
        };
        if self.test.is_some() {
            self.state = State::Doubting { at, how, origin };
            self.deadline = Some(at.plus(GONE_WITHIN));
        } else {
            self.tell_end(at, how, origin, steps);
        }
    }

    fn tell_end(&mut self, at: Timestamp, how: End, origin: Origin, steps: &mut Vec<Step>) {
        self.state = State::Ended;
        self.deadline = None;
        steps.push(Step::Tell(Input::Ended { at, how, origin }));
    }

    /// The system says that it ended, or could not be opened.
    pub(super) fn on_wire_ended(&mut self, how: Ended, now: Timestamp, steps: &mut Vec<Step>) {
        match self.state {
            State::Opening | State::Settling => {
                let partner = self.test.is_some() && self.state == State::Settling;
                let why = match how {
                    Ended::ClosedByPeer if partner => NotOpened::Partner,
                    Ended::Refused => NotOpened::Refused,
                    Ended::TimedOut => NotOpened::TimedOut,
                    Ended::Unreachable => NotOpened::Unreachable,
                    Ended::Reset | Ended::ClosedByPeer => NotOpened::Reset,
                    Ended::Other(_) => NotOpened::Other,
                };
                self.not_opened(why, steps);
            }
            State::Idle | State::Arming { .. } | State::Probing(_) => {
                let end = match how {
                    Ended::Reset | Ended::Refused => End::Reset,
                    Ended::ClosedByPeer => End::Fin,
                    Ended::Unreachable => End::Icmp,
                    // The kernel gave up what it said again and again; the search does so earlier.
                    Ended::TimedOut | Ended::Other(_) => return,
                };
                if self.is_lost() {
                    // Its packet is read in time, or the search calls it silent.
                    return;
                }
                self.state = State::Ending(end);
                self.deadline = Some(now.plus(READ_WITHIN));
            }
            State::Closing => self.deadline = Some(now.plus(READ_WITHIN)),
            _ => {}
        }
    }

    /// The peer said something, to be heard by whoever has a partner there; false if it is not the partner's.
    pub(super) fn on_octets(&mut self, octets: &[u8], now: Timestamp, steps: &mut Vec<Step>) -> bool {
        let Some(test) = &mut self.test else { return true };
        match test.on_octets(octets) {
            Ok(heard) => {
                self.joined = heard.joined.or(self.joined);
                self.settle(now, steps);
                true
            }
            Err(_) => {
                if self.state == State::Settling {
                    self.not_opened(NotOpened::Partner, steps);
                }
                false
            }
        }
    }

    /// The partner says that what was asked for has left, at this time of ours.
    pub(super) fn on_sent_there(&mut self, at: Timestamp, steps: &mut Vec<Step>) {
        if let State::Probing(probing) = &mut self.state
            && probing.way == Way::In
            && probing.first.is_none()
        {
            probing.sent(at, steps);
        }
    }

    /// The partner says that it has not.
    pub(super) fn on_not_sent_there(&mut self, steps: &mut Vec<Step>) {
        if let State::Probing(probing) = self.state
            && probing.way == Way::In
        {
            self.state = State::Idle;
            return steps.push(Step::Tell(Input::NotSent { attempt: probing.attempt }));
        }
        self.on_not_refreshed(steps);
    }

    /// The partner says that it ended there. We did not end it, and neither did the partner: something between did.
    pub(super) fn on_ended_there(&mut self, how: Ending, now: Timestamp, steps: &mut Vec<Step>) {
        let how = match how {
            Ending::Reset => End::Reset,
            Ending::Fin => End::Fin,
            Ending::Unreachable => End::Icmp,
            Ending::TimedOut | Ending::Strange | Ending::Limit | Ending::Other(_) => return,
        };
        let origin = Origin::Path(Cue::default());
        match self.state {
            State::Idle | State::Arming { .. } => self.tell_end(now, how, origin, steps),
            State::Probing(mut probing) => {
                if let Some(sent) = probing.unseen {
                    probing.sent(sent, steps);
                }
                self.tell_end(now, how, origin, steps);
            }
            // It is there to say so.
            State::Doubting { at, how, origin } => self.tell_end(at, how, origin, steps),
            _ => {}
        }
    }

    /// The partner saw a segment that it does not know; true if it was ours.
    pub(super) fn on_stray(&mut self, steps: &mut Vec<Step>) -> bool {
        let State::Wondering { attempt, at, delay, .. } = self.state else { return false };
        self.state = State::Ended;
        self.deadline = None;
        let sign = Sign { new_port: Some(true), round_trip: delay, reset: false };
        steps.push(Step::Tell(Input::Answered { attempt, at, sign }));
        true
    }
}

impl Probing {
    /// A try left.
    fn sent(&mut self, at: Timestamp, steps: &mut Vec<Step>) {
        self.unseen = None;
        self.first.get_or_insert(at);
        let idle = at.since(self.since);
        steps.push(Step::Tell(Input::Sent { attempt: self.attempt, at, idle }));
    }
}

fn trace_round_trip(trace: &mut Option<Trace>, span: Span) {
    if let Some(trace) = trace {
        trace.see_round_trip(span);
    }
}
