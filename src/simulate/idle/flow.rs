//! One connection of a search, as the client's side of it knows it: from packets to what the search is told.
//!
//! Owns [`Flow`]. What leaves and comes at the client's tap is all it goes by, and what a partner reports.

use super::line::{Kind, Line, Seen};
use crate::search::{Cue, Disturbance, End, Input, NotOpened, Origin, Sign, Way};
use crate::time::{Span, Timestamp};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// The handshake, and with a partner the first octet and its echo.
    Opening {
        /// Open as far as TCP is concerned.
        open: bool,
        /// The echo has come.
        heard: bool,
    },
    /// Something is exchanged, so that the silence begins anew.
    Arming {
        /// The answer has come.
        heard: bool,
    },
    /// Nobody should say anything.
    Quiet,
    /// The silence was broken, and an answer is waited for.
    Asking(Asking),
    /// Of no interest any more.
    Over,
}

/// A question that is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asking {
    /// Who sends.
    pub(super) way: Way,
    /// The last try that was ordered.
    pub(super) attempt: u8,
    /// The last packet before the first try, as it passed here: for a try of the far end too, since what passes
    /// the far end's tap has been on its way to the box for as long again.
    before: Option<Timestamp>,
    /// The last try that the search knows of.
    told: Option<(u8, Timestamp)>,
    /// When a try of the far end came here before its report.
    early: Option<Timestamp>,
}

/// What the driver has to do because of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reaction {
    /// Tell the search.
    Tell(Input),
    /// Greet the partner with an octet.
    Greet,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// Its number in the world, at the client.
    pub(super) client: usize,
    /// Its number in the world, at the server; another one behind a proxy.
    pub(super) server: Option<usize>,
    pub(super) line: Line,
    pub(super) phase: Phase,
    has_partner: bool,
    /// The partner itself ended it, or refused a packet of it.
    pub(super) ended_by_partner: bool,
    /// The partner saw a packet of it as one of another connection.
    pub(super) moved: bool,
    /// Something was sent that was never answered: closing in order would not end.
    pub(super) owed: bool,
    /// When the exchange began that was last to begin a silence.
    pub(super) armed_at: Option<Timestamp>,
}

impl Flow {
    pub(super) fn new(client: usize, line: Line, has_partner: bool) -> Self {
        let phase = Phase::Opening { open: false, heard: false };
        Self {
            client,
            server: None,
            line,
            phase,
            has_partner,
            ended_by_partner: false,
            moved: false,
            owed: false,
            armed_at: None,
        }
    }

    /// The search wants a silence to begin.
    pub(super) fn arm(&mut self, now: Timestamp) {
        self.phase = Phase::Arming { heard: false };
        self.owed = true;
        self.armed_at = Some(now);
    }

    /// The search wants a probe.
    pub(super) fn ask(&mut self, way: Way, attempt: u8) {
        self.phase = Phase::Asking(match self.phase {
            Phase::Asking(asking) if attempt > 0 => Asking { attempt, ..asking },
            _ => Asking { way, attempt, before: self.line.last(), told: None, early: None },
        });
        self.owed = true;
    }

    /// A packet at the client.
    pub(super) fn on_seen(&mut self, seen: &Seen) -> Option<Reaction> {
        if self.phase == Phase::Over {
            return None;
        }
        match seen.kind {
            Kind::Reset | Kind::Fin if !seen.left => {
                let how = if seen.kind == Kind::Reset { End::Reset } else { End::Fin };
                return Some(Reaction::Tell(self.ended(seen, how)));
            }
            _ => {}
        }
        match self.phase {
            Phase::Opening { open, heard } => self.on_opening(seen, open, heard),
            Phase::Arming { heard } => self.on_arming(seen, heard),
            Phase::Quiet => self.on_quiet(seen),
            Phase::Asking(asking) => self.on_asking(seen, asking).map(Reaction::Tell),
            Phase::Over => None,
        }
    }

    fn on_opening(&mut self, seen: &Seen, open: bool, heard: bool) -> Option<Reaction> {
        let is_ack = seen.left && seen.kind == Kind::Ack;
        if is_ack && !self.has_partner {
            self.phase = Phase::Quiet;
            return Some(Reaction::Tell(Input::Opened { since: seen.at }));
        }
        if is_ack && !open {
            self.phase = Phase::Opening { open: true, heard };
            return Some(Reaction::Greet);
        }
        if is_ack && heard {
            self.phase = Phase::Quiet;
            return Some(Reaction::Tell(Input::Opened { since: seen.at }));
        }
        if !seen.left && seen.kind == Kind::Data {
            self.phase = Phase::Opening { open, heard: true };
        }
        None
    }

    fn on_arming(&mut self, seen: &Seen, heard: bool) -> Option<Reaction> {
        let since = seen.at;
        let done = if self.has_partner {
            if !seen.left && seen.kind == Kind::Data {
                self.phase = Phase::Arming { heard: true };
            }
            heard && seen.left && seen.kind == Kind::Ack
        } else {
            !seen.left && seen.kind == Kind::Ack
        };
        if !done {
            return None;
        }
        self.phase = Phase::Quiet;
        self.owed = false;
        Some(Reaction::Tell(Input::Armed { since }))
    }

    fn on_quiet(&mut self, seen: &Seen) -> Option<Reaction> {
        let by = match (seen.left, seen.kind) {
            // It follows from what came, and that was told.
            (true, Kind::Ack) => return None,
            (_, Kind::DataAgain | Kind::Syn) | (false, Kind::Ack) => Disturbance::Repeated,
            (true, _) => Disturbance::OwnKernel,
            (false, Kind::Probe) => Disturbance::PeerKeepalive,
            (false, Kind::Data) => Disturbance::PeerData,
            (false, _) => Disturbance::PeerOther,
        };
        Some(Reaction::Tell(Input::Disturbed { at: seen.at, by }))
    }

    fn on_asking(&mut self, seen: &Seen, mut asking: Asking) -> Option<Input> {
        let told = match (asking.way, seen.left, seen.kind) {
            (Way::Out, true, Kind::Data | Kind::Probe) => {
                let input = asking.on_try(asking.attempt, seen.at);
                self.phase = Phase::Asking(asking);
                return input;
            }
            (Way::Out, false, Kind::Ack) => asking.told,
            (Way::In, false, Kind::Data | Kind::DataAgain | Kind::Probe) => {
                if asking.told.is_none() {
                    asking.early = asking.early.or(Some(seen.at));
                    self.phase = Phase::Asking(asking);
                    return None;
                }
                asking.told
            }
            // The far end spoke by itself in the same moment; what it answers to us will still come.
            (Way::Out, false, Kind::Probe) => return self.interrupted(seen, Disturbance::PeerKeepalive),
            (Way::Out, false, Kind::Data) => return self.interrupted(seen, Disturbance::PeerData),
            _ => return None,
        };
        let (attempt, sent) = told?;
        Some(self.answered(attempt, seen.at, seen.at.since(sent)))
    }

    fn interrupted(&self, seen: &Seen, by: Disturbance) -> Option<Input> {
        Some(Input::Disturbed { at: seen.at, by })
    }

    fn answered(&mut self, attempt: u8, at: Timestamp, round_trip: Span) -> Input {
        self.phase = Phase::Quiet;
        self.owed = false;
        let new_port = self.has_partner.then_some(false);
        Input::Answered { attempt, at, sign: Sign { new_port, round_trip: Some(round_trip), reset: false } }
    }

    /// The partner says that its try left.
    pub(super) fn on_sent_there(&mut self, attempt: u8, at: Timestamp) -> Vec<Input> {
        let Phase::Asking(mut asking) = self.phase else { return Vec::new() };
        let mut inputs: Vec<Input> = asking.on_try(attempt, at).into_iter().collect();
        self.phase = Phase::Asking(asking);
        if let Some(came) = asking.early {
            inputs.push(self.answered(attempt, came, came.since(at)));
        }
        inputs
    }

    /// No report of this try came, and none will.
    pub(super) fn on_no_report(&mut self, attempt: u8) -> Vec<Input> {
        let Phase::Asking(mut asking) = self.phase else { return Vec::new() };
        if asking.way == Way::Out || asking.told.is_some_and(|(told, _)| told >= attempt) {
            return Vec::new();
        }
        match asking.early {
            // It came, so it was sent, and as long after the last packet as it came after it.
            Some(came) => {
                let mut inputs: Vec<Input> = asking.on_try(attempt, came).into_iter().collect();
                inputs.push(self.answered(attempt, came, Span::ZERO));
                inputs
            }
            None => vec![Input::NotSent { attempt }],
        }
    }

    /// The partner says that a packet of this connection came to it as one of another.
    pub(super) fn on_new_port(&mut self, at: Timestamp) -> Option<Input> {
        let Phase::Asking(asking) = self.phase else { return None };
        let (attempt, sent) = asking.told?;
        let sign = Sign { new_port: Some(true), round_trip: Some(at.since(sent)), reset: false };
        Some(Input::Answered { attempt, at, sign })
    }

    /// The partner's end was ended by a packet that was not ours.
    pub(super) fn on_ended_there(&mut self, at: Timestamp, how: End, origin: Origin) -> Option<Input> {
        if self.phase == Phase::Over {
            return None;
        }
        self.phase = Phase::Over;
        self.owed = true;
        Some(Input::Ended { at, how, origin })
    }

    /// An ICMP error about it came.
    pub(super) fn on_icmp(&mut self, at: Timestamp, ttl: u8, other_address: bool) -> Option<Input> {
        match self.phase {
            Phase::Over => None,
            Phase::Opening { .. } => {
                self.phase = Phase::Over;
                Some(Input::NotOpened(NotOpened::Unreachable))
            }
            _ => {
                let cue = Cue { other_address, ..self.cue(at, Some(ttl), false) };
                let origin = if other_address { Origin::Path(cue) } else { Origin::Peer(cue) };
                self.phase = Phase::Over;
                self.owed = true;
                Some(Input::Ended { at, how: End::Icmp, origin })
            }
        }
    }

    fn cue(&self, at: Timestamp, ttl: Option<u8>, without_timestamps: bool) -> Cue {
        let base = self.line.base();
        let prompted = match self.phase {
            Phase::Asking(Asking { way: Way::Out, told: Some((_, sent)), .. }) => Some(at.since(sent)),
            _ => None,
        };
        Cue {
            ttl,
            usual_ttl: base.ttl,
            delay: prompted,
            usual_delay: base.round_trip,
            without_timestamps,
            other_address: false,
        }
    }

    fn ended(&mut self, seen: &Seen, how: End) -> Input {
        if let Phase::Opening { open, .. } = self.phase {
            self.phase = Phase::Over;
            return Input::NotOpened(match how {
                End::Reset if !open => NotOpened::Refused,
                _ => NotOpened::Reset,
            });
        }
        // The refusal of what came from another port; the partner's word for it is on its way.
        if let Some(input) = self.moved.then(|| self.on_new_port(seen.at)).flatten() {
            self.phase = Phase::Over;
            return input;
        }
        let cue = self.cue(seen.at, Some(seen.ttl), seen.lacks_timestamps);
        let origin = origin(cue, self.has_partner.then_some(self.ended_by_partner));
        self.phase = Phase::Over;
        self.owed = how != End::Fin;
        Input::Ended { at: seen.at, how, origin }
    }
}

impl Asking {
    /// A try left, here or there.
    fn on_try(&mut self, attempt: u8, at: Timestamp) -> Option<Input> {
        if self.told.is_some_and(|(told, _)| told >= attempt) {
            return None;
        }
        self.told = Some((attempt, at));
        Some(Input::Sent { attempt, at, idle: at.since(self.before.unwrap_or(at)) })
    }
}

/// Who sent a RST or FIN, by what the handshake showed of the far end, and by what a partner says of itself.
pub(super) fn origin(cue: Cue, by_partner: Option<bool>) -> Origin {
    if let Some(by_partner) = by_partner {
        return if by_partner { Origin::Peer(cue) } else { Origin::Path(cue) };
    }
    let (Some(ttl), Some(usual)) = (cue.ttl, cue.usual_ttl) else { return Origin::Unknown };
    // Faster than the far end can be.
    let early = cue.delay.zip(cue.usual_delay).is_some_and(|(delay, usual)| delay.times(2) < usual);
    if ttl != usual || early { Origin::Path(cue) } else { Origin::Peer(cue) }
}
