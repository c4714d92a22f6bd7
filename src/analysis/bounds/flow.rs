//! One connection: where its silences are, and what comes of each.

use super::path::PathKey;
use super::{Doubt, Doubts, ENOUGH_TRIES, Fate, Opener, Silence};
use crate::segment::Segment;
use crate::time::{Span, Timestamp};
use crate::track::event::{AnswerKind, ConnectionId, LookAlike, Mark, Party};
use crate::track::{Class, Observed};

/// Two copies of a segment sooner than this are no two tries: a box that loses one loses the other.
const ANOTHER_TRY: Span = Span::from_millis(100);

/// What a path learns from a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It is known what came of a silence.
    Judged(Silence),
    /// A silence ended, and it shows no more.
    Undecided(Party),
    /// Nothing was captured for a part of a silence.
    NotCaptured(Party),
    /// The first probe after a quiet time was answered, or was not.
    Keepalive { by: Party, idle: Span, answered: bool },
    /// An end closed, by FIN or RST, after this time without data and without being asked.
    Closed { by: Party, idle: Span, at: Mark },
}

/// A connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) key: PathKey,
    pub(super) midstream: bool,
    id: ConnectionId,
    last: Option<Mark>,
    last_data: Option<Timestamp>,
    ends: [End; 2],
    waiting: Option<Box<Waiting>>,
    /// How it ended, until it is sure that it did.
    ended: Option<Box<Silence>>,
    /// An end sent a FIN: other timers hold from then on.
    finished: bool,
}

/// What one end sent.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    spoke: bool,
    /// Above the highest SEQ sent, relative.
    sent: i64,
    /// The highest ACK of the other end, relative.
    acked: i64,
}

/// A packet after a silence, and no answer yet.
#[derive(Debug)]
struct Waiting {
    silence: Silence,
    /// What its answer acknowledges; nothing for a probe.
    end_of_data: Option<i64>,
    last_try: Mark,
    reopened: Option<Mark>,
    icmp: Option<Mark>,
    hole: bool,
}

const fn index(party: Party) -> usize {
    match party {
        Party::Client => 0,
        Party::Server => 1,
    }
}

impl Flow {
    pub(super) fn new(segment: &Segment, observed: &Observed) -> Self {
        let (client, server) = match observed.sender {
            Party::Client => (segment.source, segment.destination),
            Party::Server => (segment.destination, segment.source),
        };
        Self {
            key: PathKey { client: client.address, server },
            midstream: !segment.flags.syn(),
            id: observed.connection,
            last: None,
            last_data: None,
            ends: [End::default(); 2],
            waiting: None,
            ended: None,
            finished: false,
        }
    }

    pub(super) fn waits_for_server(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.silence.by == Party::Client)
    }

    pub(super) fn on_segment(
        &mut self,
        segment: &Segment,
        observed: &Observed,
        least: Span,
        hole: impl Fn(Timestamp, Timestamp) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        if observed.class == Class::StaleReset {
            return changes;
        }
        let mark = Mark { frame: segment.id, time: segment.time };
        if !self.finished {
            self.closed(segment, observed, mark, least, &mut changes);
        }
        if self.waiting.is_some() {
            self.on_waited_for(segment, observed, mark, least, &mut changes);
        } else if self.ended.is_none() && !self.finished {
            self.on_quiet(segment, observed, mark, least, &hole, &mut changes);
        }
        self.learn(segment, observed, mark);
        changes
    }

    /// An end that closes unasked: a FIN, or a RST in a silence.
    fn closed(
        &self,
        segment: &Segment,
        observed: &Observed,
        mark: Mark,
        least: Span,
        changes: &mut Vec<Change>,
    ) {
        let unasked = segment.flags.fin() || segment.flags.rst() && self.waiting.is_none();
        let Some(since) = self.last_data.filter(|_| unasked && segment.len == 0 && !self.is_in_flight())
        else {
            return;
        };
        let idle = segment.time.since(since);
        if idle >= least {
            changes.push(Change::Closed { by: observed.sender, idle, at: mark });
        }
    }

    fn is_in_flight(&self) -> bool {
        self.ends.iter().any(|end| end.sent > end.acked)
    }

    /// A segment while nothing waits for an answer: it may end a silence.
    fn on_quiet(
        &mut self,
        segment: &Segment,
        observed: &Observed,
        mark: Mark,
        least: Span,
        hole: &impl Fn(Timestamp, Timestamp) -> bool,
        changes: &mut Vec<Change>,
    ) {
        let Some(before) = self.last else { return };
        let idle = mark.time.since(before.time);
        let form = form(segment, observed.class);
        let both_spoke = self.ends.iter().all(|end| end.spoke);
        let long = idle >= least;
        if !both_spoke || self.is_in_flight() || idle < Span::ZERO || observed.class == Class::Syn {
            return;
        }
        let Some(form) = form.filter(|form| long || *form == Opener::Keepalive) else {
            changes.extend(long.then_some(Change::Undecided(observed.sender)));
            return;
        };
        let mut doubts = Doubts::default();
        if self.midstream {
            doubts.add(Doubt::Midstream);
        }
        let silence = Silence {
            connection: self.id,
            by: observed.sender,
            idle,
            before,
            opener: mark,
            form,
            tries: 1,
            fate: Fate::Unanswered,
            end: mark,
            doubts,
        };
        let hole = hole(before.time, mark.time);
        if form == Opener::Reset {
            if hole {
                changes.push(Change::NotCaptured(observed.sender));
                return;
            }
            doubts.add(Doubt::NotAsked);
            self.ended = Some(Box::new(Silence { fate: Fate::Unasked, doubts, ..silence }));
            return;
        }
        let data = i64::from(segment.len) + i64::from(segment.flags.fin());
        let end_of_data = (form != Opener::Keepalive).then_some(observed.seq.saturating_add(data));
        let waiting = Waiting { silence, end_of_data, last_try: mark, reopened: None, icmp: None, hole };
        self.waiting = Some(Box::new(waiting));
    }

    /// A segment while the one that ended a silence waits for its answer.
    fn on_waited_for(
        &mut self,
        segment: &Segment,
        observed: &Observed,
        mark: Mark,
        least: Span,
        changes: &mut Vec<Change>,
    ) {
        let Some(mut waiting) = self.waiting.take() else { return };
        let ours = observed.sender == waiting.silence.by;
        match (ours, segment.flags.rst()) {
            (true, true) => self.give_up(&waiting, true, least, changes),
            (true, false) => {
                if is_try(observed.class) && mark.time.since(waiting.last_try.time) >= ANOTHER_TRY {
                    waiting.silence.tries = waiting.silence.tries.saturating_add(1);
                    waiting.last_try = mark;
                }
                self.waiting = Some(waiting);
            }
            (false, true) => {
                changes.extend(waiting.keepalive(false));
                match (waiting.hole, waiting.silence.idle >= least) {
                    (_, false) => {}
                    (true, true) => changes.push(Change::NotCaptured(waiting.silence.by)),
                    (false, true) => {
                        let ended = Silence { fate: Fate::Reset, end: mark, ..waiting.silence };
                        self.ended = Some(Box::new(ended));
                    }
                }
            }
            (false, false) if waiting.is_answered_by(observed) => {
                changes.extend(waiting.keepalive(true));
                let mut silence = Silence { fate: Fate::Survived, end: mark, ..waiting.silence };
                if silence.by == Party::Client {
                    silence.doubts.add(Doubt::MayRecreate);
                }
                if silence.idle >= least {
                    let change =
                        if waiting.hole { Change::NotCaptured(silence.by) } else { Change::Judged(silence) };
                    changes.push(change);
                }
            }
            (false, false) => {
                waiting.silence.doubts.add(Doubt::Crossed);
                self.waiting = Some(waiting);
            }
        }
    }

    /// Nothing more comes for a packet that waits; `reset`: its sender gave up itself.
    fn give_up(&mut self, waiting: &Waiting, reset: bool, least: Span, changes: &mut Vec<Change>) {
        let mut silence = waiting.silence;
        let many = silence.tries >= ENOUGH_TRIES;
        if many || reset {
            changes.extend(waiting.keepalive(false));
        }
        if silence.idle < least {
            return;
        }
        if waiting.hole {
            changes.push(Change::NotCaptured(silence.by));
            return;
        }
        match (waiting.icmp, waiting.reopened) {
            (Some(icmp), _) => (silence.fate, silence.end) = (Fate::Icmp, icmp),
            _ if many => (silence.fate, silence.end) = (Fate::Unanswered, waiting.last_try),
            (None, None) if reset => {
                silence.doubts.add(Doubt::FewTries);
                (silence.fate, silence.end) = (Fate::Unanswered, waiting.last_try);
            }
            (None, Some(syn)) => {
                silence.doubts.add(Doubt::FewTries);
                (silence.fate, silence.end) = (Fate::NewConnection, syn);
            }
            (None, None) => {
                changes.push(Change::Undecided(silence.by));
                return;
            }
        }
        self.ended = Some(Box::new(silence));
    }

    fn learn(&mut self, segment: &Segment, observed: &Observed, mark: Mark) {
        self.last = Some(mark);
        if segment.flags.rst() {
            return;
        }
        if matches!(observed.class, Class::Data | Class::Retransmission) || segment.len > 1 {
            self.last_data = Some(segment.time);
        }
        self.finished |= segment.flags.fin();
        let (own, other) = (index(observed.sender), index(observed.sender.peer()));
        let control = i64::from(segment.flags.syn()) + i64::from(segment.flags.fin());
        let end = observed.seq.saturating_add(i64::from(segment.len) + control);
        if let Some(sender) = self.ends.get_mut(own) {
            // What was sent before the capture began and never seen is taken as acknowledged.
            sender.sent = if sender.spoke { sender.sent.max(end) } else { end };
            sender.acked = if sender.spoke { sender.acked } else { sender.acked.max(observed.seq) };
            sender.spoke = true;
        }
        if let (Some(peer), Some(ack)) = (self.ends.get_mut(other), observed.ack) {
            peer.acked = peer.acked.max(ack);
        }
    }

    pub(super) fn reset_ignored(&mut self) {
        self.ended = None;
    }

    pub(super) fn on_icmp(&mut self, at: Mark) {
        if let Some(waiting) = &mut self.waiting {
            waiting.icmp.get_or_insert(at);
        }
    }

    pub(super) fn on_new_connection(&mut self, at: Mark) {
        if let Some(waiting) = &mut self.waiting {
            waiting.reopened.get_or_insert(at);
        }
    }

    /// The last word.
    pub(super) fn finish(mut self, least: Span) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(waiting) = self.waiting.take() {
            self.give_up(&waiting, false, least, &mut changes);
        }
        changes.extend(self.ended.map(|ended| Change::Judged(*ended)));
        changes
    }
}

impl Waiting {
    fn is_answered_by(&self, observed: &Observed) -> bool {
        match self.end_of_data {
            Some(end) => observed.ack.is_some_and(|ack| ack >= end),
            None => match observed.class {
                Class::Answer { kind, .. } => matches!(kind, AnswerKind::Ack | AnswerKind::Data),
                Class::LookAlike(kind) => {
                    !matches!(kind, LookAlike::RetransmittedOctet | LookAlike::ZeroWindowProbe)
                }
                Class::Ack | Class::OldAck | Class::Candidate { .. } => true,
                _ => false,
            },
        }
    }

    fn keepalive(&self, answered: bool) -> Option<Change> {
        let Silence { form, by, idle, .. } = self.silence;
        (form == Opener::Keepalive).then_some(Change::Keepalive { by, idle, answered })
    }
}

/// What a segment is that may end a silence and draws an answer.
fn form(segment: &Segment, class: Class) -> Option<Opener> {
    match class {
        _ if segment.flags.rst() => Some(Opener::Reset),
        Class::Probe { .. } | Class::Candidate { .. } => Some(Opener::Keepalive),
        Class::Fin => Some(Opener::Fin),
        Class::Data
        | Class::Retransmission
        | Class::LookAlike(LookAlike::RetransmittedOctet | LookAlike::ZeroWindowProbe) => Some(Opener::Data),
        _ => None,
    }
}

/// Whether a segment asks again.
fn is_try(class: Class) -> bool {
    matches!(
        class,
        Class::Retransmission
            | Class::Probe { .. }
            | Class::Candidate { .. }
            | Class::Fin
            | Class::LookAlike(LookAlike::RetransmittedOctet | LookAlike::ZeroWindowProbe)
    )
}
