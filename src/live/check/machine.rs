//! The test of one idle connection, whose numbers nobody tells.
//!
//! Owns [`Machine`]: times, segments and ICMP errors go in, segments to send and a verdict come out. Pure.
//!
//! An ACK outside the receiver's window is answered by an ACK that carries the receiver's true numbers (RFC 9293
//! §3.10.7.4, RFC 5961 §5), and by a RST where there is no such connection. It changes nothing at either end: it has no
//! data, and its window is only taken if SEQ and ACK both fit, to which the odds are below one in 2^30. A box on
//! the way that follows sequence numbers lets it through only if both numbers are below what it saw: so of four
//! segments, whose numbers are half the sequence space apart, one passes, wherever the true numbers are.
//!
//! A box that translates addresses may hand on the others as they are. Where the peer can be reached that way it answers
//! them with a RST, for it knows no such connection. So a RST is an answer to that segment only, told by its SEQ, and
//! the connection is reset if a RST came and no ACK came to any of the four.
//!
//! Only once the peer has told its numbers may a true probe follow, one below SND.NXT: a peer that has forgotten the
//! connection since would answer it with a RST that ends our socket.

use crate::segment::{Endpoint, Flags, IcmpError, IcmpKind, Segment, SeqNum, TcpTimestamps};
use crate::time::{Span, Timestamp};

/// Most segments that are sent for a connection.
pub const MOST: usize = 5;
/// Between two of them. Linux answers such segments at most every 500 ms (net.ipv4.tcp_invalid_ratelimit).
pub const APART: Span = Span::from_millis(600);
/// Half of all sequence numbers.
const HALF: u32 = 1 << 31;
/// Segments outside the window: all combinations of two numbers each.
const OUTSIDE: usize = 4;

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ACK with numbers that fit nowhere.
    Outside,
    /// A keepalive probe without data, one below SND.NXT.
    Probe,
}

impl Kind {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Outside => "ack_outside_window",
            Kind::Probe => "probe",
        }
    }
}

/// A segment that is to leave: an ACK without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// What it is for.
    pub kind: Kind,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK.
    pub ack: SeqNum,
    /// Timestamps, if it has any.
    pub timestamps: Option<TcpTimestamps>,
}

/// A segment that left, and what came back.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The segment.
    pub shot: Shot,
    /// When it left.
    pub at: Timestamp,
    /// The first answer: of a RST its SEQ tells to which segment, of others that it came before the next left.
    pub answer: Option<Answer>,
}

/// What came back to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How long after the segment left.
    pub after: Span,
    /// A RST; otherwise an ACK.
    pub rst: bool,
}

/// Why a test was broken off before anything more was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Changed {
    /// The kernel has no such socket any more, or another one in its place.
    #[error("the socket is gone")]
    Gone,
    /// It is being closed; the state's number in include/net/tcp_states.h.
    #[error("the connection is no longer established (state {0})")]
    State(u8),
    /// It has another inode or belongs to another user.
    #[error("the socket has another owner")]
    Owner,
    /// A process that held it ended.
    #[error("process {0}, which held the socket, ended")]
    Ended(u32),
    /// The kernel did not tell.
    #[error("{0}")]
    CannotLook(String),
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer answered the ACK outside its window with its numbers.
    Alive,
    /// It answered a true probe, too.
    Confirmed,
    /// It answered the first, but not the true probe.
    Unconfirmed,
    /// Something came from the peer by itself: the connection is in use.
    InUse,
    /// A RST came, and no ACK.
    Reset,
    /// The peer closed its side (FIN).
    ClosedByPeer,
    /// An ICMP error came.
    Unreachable {
        /// What it says.
        kind: IcmpKind,
        /// Who said it.
        reporter: std::net::IpAddr,
    },
    /// Nothing came.
    Silent {
        /// Segments of the kernel's own to which nothing came, either.
        kernel_unanswered: u32,
    },
    /// The owner changed something.
    Changed(Changed),
    /// The system did not let a segment out.
    NotSent(String),
    /// The user wanted an end.
    Interrupted,
}

/// What a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It lives now.
    Alive,
    /// It does not.
    Dead,
    /// It cannot be known.
    Unknown,
}

impl Verdict {
    /// What it comes to. Silence alone is no death: a box on the way may drop what is outside the window. It is where
    /// the kernel's own probes or retransmissions are not answered, either.
    pub const fn standing(&self) -> Standing {
        match self {
            Verdict::Alive | Verdict::Confirmed | Verdict::InUse => Standing::Alive,
            Verdict::Reset | Verdict::ClosedByPeer | Verdict::Unreachable { .. } => Standing::Dead,
            Verdict::Silent { kernel_unanswered } if *kernel_unanswered > 0 => Standing::Dead,
            _ => Standing::Unknown,
        }
    }

    /// As a value in output for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Verdict::Alive => "alive",
            Verdict::Confirmed => "confirmed",
            Verdict::Unconfirmed => "unconfirmed",
            Verdict::InUse => "in_use",
            Verdict::Reset => "reset",
            Verdict::ClosedByPeer => "closed_by_peer",
            Verdict::Unreachable { .. } => "unreachable",
            Verdict::Silent { .. } => "silent",
            Verdict::Changed(_) => "changed",
            Verdict::NotSent(_) => "not_sent",
            Verdict::Interrupted => "interrupted",
        }
    }
}

/// What is known before.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Our end.
    pub local: Endpoint,
    /// The peer's.
    pub remote: Endpoint,
    /// Any SEQ and ACK to begin with.
    pub numbers: (SeqNum, SeqNum),
    /// Whether a true probe may follow.
    pub confirm: bool,
    /// How long to wait after the last segment.
    pub patience: Span,
}

/// The test of one connection.
#[derive(Clone, Debug)]
pub struct Machine {
    plan: Plan,
    next: Option<Timestamp>,
    sent: Vec<Sent>,
    learnt: Option<Learnt>,
    kernel_unanswered: u32,
    verdict: Option<Verdict>,
}

/// The peer's true numbers.
#[derive(Clone, Copy, Debug)]
struct Learnt {
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    timestamps: Option<TcpTimestamps>,
}

impl Machine {
    /// Begins at a time.
    pub const fn new(plan: Plan, start: Timestamp) -> Self {
        Self { plan, next: Some(start), sent: Vec::new(), learnt: None, kernel_unanswered: 0, verdict: None }
    }

    /// When to call [`on_timeout`](Self::on_timeout); nothing once there is a verdict.
    pub const fn next_timeout(&self) -> Option<Timestamp> {
        if self.verdict.is_some() { None } else { self.next }
    }

    /// The segment that is due now. The caller looks whether the socket still is what it was, and says what became of
    /// it: [`on_sent`](Self::on_sent), [`on_not_sent`](Self::on_not_sent) or [`on_changed`](Self::on_changed).
    pub fn on_timeout(&mut self, now: Timestamp) -> Option<Shot> {
        if self.next_timeout().is_none_or(|next| now < next) {
            return None;
        }
        let shot = self.shot();
        if shot.is_none() {
            self.verdict = Some(match (self.learnt, self.resets()) {
                (Some(_), _) => Verdict::Unconfirmed,
                (None, 0) => Verdict::Silent { kernel_unanswered: self.kernel_unanswered },
                (None, _) => Verdict::Reset,
            });
        }
        shot
    }

    fn shot(&self) -> Option<Shot> {
        let count = self.sent.len();
        if let Some(Learnt { snd_nxt, rcv_nxt, timestamps }) = self.learnt {
            // What the peer saw last is not old to it (RFC 7323 §5.3), and what it said last is what we saw last.
            let timestamps = timestamps.map(|seen| TcpTimestamps { value: seen.echo, echo: seen.value });
            let seq = snd_nxt.plus(u32::MAX);
            return (count < MOST).then_some(Shot { kind: Kind::Probe, seq, ack: rcv_nxt, timestamps });
        }
        let (seq, ack) = self.plan.numbers;
        let shift = |yes: bool| if yes { HALF } else { 0 };
        (count < OUTSIDE).then_some(Shot {
            kind: Kind::Outside,
            seq: seq.plus(shift(count & 1 != 0)),
            ack: ack.plus(shift(count & 2 != 0)),
            timestamps: None,
        })
    }

    /// A segment left.
    pub fn on_sent(&mut self, now: Timestamp, shot: Shot) {
        self.sent.push(Sent { shot, at: now, answer: None });
        self.next = Some(now.plus(APART));
        // Nothing follows: all that is left is to wait.
        if self.shot().is_none() {
            self.next = Some(now.plus(self.plan.patience.max(APART)));
        }
    }

    /// The system did not let it out.
    pub fn on_not_sent(&mut self, error: String) {
        self.end(Verdict::NotSent(error));
    }

    /// The socket is not what it was.
    pub fn on_changed(&mut self, changed: Changed) {
        self.end(Verdict::Changed(changed));
    }

    /// So many segments of the kernel's own are not answered, as it says now.
    pub fn on_kernel_unanswered(&mut self, count: u32) {
        self.kernel_unanswered = count;
    }

    /// The user wants an end.
    pub fn interrupt(&mut self) {
        self.end(Verdict::Interrupted);
    }

    /// A segment came. Those of other connections, our own, and those from before the first of ours say nothing.
    pub fn on_segment(&mut self, segment: &Segment) {
        let ends = (segment.source, segment.destination);
        if ends != (self.plan.remote, self.plan.local) || self.verdict.is_some() {
            return;
        }
        let Some(last) = self.sent.last_mut() else { return };
        if segment.flags.rst() {
            return self.on_reset(segment);
        }
        if !segment.flags.ack() || segment.flags.syn() {
            return;
        }
        let after = segment.time.since(last.at).max(Span::ZERO);
        last.answer.get_or_insert(Answer { after, rst: false });
        let (probed, next) = (last.shot.kind == Kind::Probe, last.at.plus(APART));
        if segment.flags.fin() {
            return self.end(Verdict::ClosedByPeer);
        }
        if probed {
            return self.end(Verdict::Confirmed);
        }
        if !self.plan.confirm {
            return self.end(if segment.len == 0 { Verdict::Alive } else { Verdict::InUse });
        }
        self.next = Some(next);
        // What acknowledges less than all that was sent makes the probe older, never newer.
        self.learnt = Some(Learnt {
            snd_nxt: segment.ack,
            rcv_nxt: segment.seq.plus(segment.len),
            timestamps: segment.options.timestamps,
        });
    }

    /// Who knows no such connection answers with a RST whose SEQ is the ACK of what it answers (RFC 9293 §3.10.7.1).
    fn on_reset(&mut self, segment: &Segment) {
        let answered = self.sent.iter_mut().rev().find(|sent| sent.shot.ack == segment.seq);
        // One that answers nothing of ours is about the connection itself.
        let Some(sent) = answered else { return self.end(Verdict::Reset) };
        let after = segment.time.since(sent.at).max(Span::ZERO);
        sent.answer.get_or_insert(Answer { after, rst: true });
        if sent.shot.kind == Kind::Probe || self.resets() == OUTSIDE {
            self.end(Verdict::Reset);
        }
    }

    /// Segments that were answered by a RST.
    pub fn resets(&self) -> usize {
        self.sent.iter().filter(|sent| sent.answer.is_some_and(|answer| answer.rst)).count()
    }

    /// An ICMP error came.
    pub fn on_icmp(&mut self, error: &IcmpError) {
        let ours = (error.source, error.destination) == (self.plan.local, self.plan.remote);
        let about = |sent: &Sent| sent.shot.seq == error.seq;
        if ours && self.sent.iter().any(about) && error.kind != IcmpKind::PacketTooBig {
            self.end(Verdict::Unreachable { kind: error.kind, reporter: error.reporter });
        }
    }

    fn end(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }

    /// What became of it, once that is known.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// What left, in its order.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }
}

/// Control bits of all segments here.
pub const FLAGS: Flags = Flags::ACK;

#[cfg(test)]
mod tests;
