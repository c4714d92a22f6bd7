//! What Linux conntrack makes of a segment of one connection, and how long it then remembers it.
//!
//! Owns [`Connection`]. Source: `nf_conntrack_tcp_packet`, `tcp_new` and `nf_tcp_handle_invalid` in
//! net/netfilter/nf_conntrack_proto_tcp.c, Linux 6.x; what was held against a kernel stands in
//! tests/middlebox.

use super::state::{Kind, Next, next};
use super::window::{Last, Seen, Segment, Verdict, check, end_of};
use crate::segment::SeqNum;
use crate::simulate::middlebox::TcpState;
use crate::simulate::middlebox::description::{Conntrack, ConntrackTimeouts};
use crate::simulate::packet::TcpPacket;
use crate::time::Span;

/// A remaining time below which an impossible FIN or RST shortens nothing.
const SHORT_ALREADY: Span = Span::from_secs(120);

/// The timer while both ends have sent a SYN and neither acknowledged one; no sysctl sets it.
const SIMULTANEOUS: Span = Span::from_secs(120);

/// What is to be done after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passes, translated, and the timer begins anew.
    Refresh(Span),
    /// It passes, translated, and the timer runs on.
    Pass,
    /// It passes, translated, and the connection is forgotten.
    Forget,
    /// It passes untranslated, if rules let it.
    Invalid,
    /// The same, and the timer is set to this.
    InvalidShortened(Span),
    /// The connection is forgotten, and the segment begins another.
    Again,
}

/// What conntrack knows of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) state: TcpState,
    opener: Seen,
    answerer: Seen,
    last: Last,
    /// Offers of a SYN that was let through without being believed.
    noted: Seen,
    /// That SYN may bring an acknowledgment that acknowledges no FIN (RFC 5961 §4).
    challenge: bool,
    /// Both ends sent a SYN.
    simultaneous: bool,
    retransmissions: u8,
    /// A segment of the other end was seen (`IPS_SEEN_REPLY`).
    replied: bool,
    /// The connection is real (`IPS_ASSURED`), so it is not given up when the table is full.
    pub(super) assured: bool,
    /// The first segment was not looked at yet.
    fresh: bool,
}

impl Connection {
    /// The connection that a segment of no known one begins; `None` if it begins none.
    pub(super) fn begin(packet: &TcpPacket, loose: bool) -> Option<Self> {
        let kind = Kind::of(packet.flags)?;
        let Next::To(state) = next(true, kind, None) else { return None };
        let midstream = state == TcpState::Established;
        if midstream && !loose {
            return None;
        }
        let end = end_of(packet);
        let max_window = u32::from(packet.window).max(1);
        let max_end = if midstream { end.plus(max_window) } else { end };
        // Windows may be scaled by who knows what.
        let unknown = Seen { offers_sack: midstream, liberal: midstream, ..Seen::default() };
        let mut opener = Seen { end, max_end, max_window, ..unknown };
        if !midstream {
            opener.take_options(packet);
        }
        let zero = SeqNum(0);
        let last = Last { kind: Kind::Bare, by_opener: true, seq: zero, ack: zero, end: zero, window: 0 };
        Some(Self {
            state,
            opener,
            answerer: unknown,
            last,
            noted: Seen::default(),
            challenge: false,
            simultaneous: false,
            retransmissions: 0,
            replied: false,
            assured: false,
            fresh: true,
        })
    }

    /// Takes a segment in. `remaining` is what is left on the timer.
    pub(super) fn take(
        &mut self,
        by_opener: bool,
        packet: &TcpPacket,
        remaining: Span,
        rules: &Conntrack,
    ) -> Outcome {
        let Some(kind) = Kind::of(packet.flags) else { return Outcome::Invalid };
        let before = (!self.fresh).then_some(self.state);
        self.fresh = false;
        let outcome = self.judge(before, by_opener, kind, packet, remaining, rules);
        let accepted = matches!(outcome, Outcome::Refresh(_) | Outcome::Pass);
        self.replied |= accepted && !by_opener;
        outcome
    }

    fn judge(
        &mut self,
        before: Option<TcpState>,
        by_opener: bool,
        kind: Kind,
        packet: &TcpPacket,
        remaining: Span,
        rules: &Conntrack,
    ) -> Outcome {
        let mut before = before;
        let mut after = match next(by_opener, kind, before) {
            Next::Invalid => return Outcome::Invalid,
            Next::To(TcpState::SynSent) if before >= Some(TcpState::TimeWait) => {
                let aborted = self.last.by_opener == by_opener && self.last.kind == Kind::Rst;
                if self.opener.closes || self.answerer.closes || aborted {
                    return Outcome::Again;
                }
                return self.ignore(before, by_opener, kind, packet);
            }
            Next::Ignore => match self.believe_noted(by_opener, kind, packet) {
                Some(state) => {
                    before = Some(TcpState::SynSent);
                    state
                }
                None => return self.ignore(before, by_opener, kind, packet),
            },
            Next::To(state) => state,
        };
        match after {
            TcpState::TimeWait if self.is_challenge(before, by_opener, kind) => {
                self.challenge = false;
                return Outcome::Pass;
            }
            TcpState::SynSent2 => self.simultaneous = true,
            TcpState::SynReceived if !by_opener && kind == Kind::Ack && self.simultaneous => {
                after = TcpState::Established;
            }
            _ => {}
        }
        let mut checked = true;
        if kind == Kind::Rst {
            let Some(reset) = self.judge_reset(before, by_opener, packet, rules) else {
                return Outcome::Invalid;
            };
            checked = reset.checked;
            if !reset.closes {
                after = before.unwrap_or(after);
            }
        }
        if checked {
            match self.check(before, by_opener, kind, packet, rules) {
                Verdict::Accept => {}
                Verdict::Ignore => return Outcome::Pass,
                Verdict::Invalid => return self.invalid(by_opener, kind, remaining, &rules.timeouts),
            }
        }
        self.accept(before, after, by_opener, kind, rules)
    }

    fn check(
        &mut self,
        state: Option<TcpState>,
        by_opener: bool,
        kind: Kind,
        packet: &TcpPacket,
        rules: &Conntrack,
    ) -> Verdict {
        let segment = Segment { packet, kind, by_opener, state, be_liberal: rules.tcp_be_liberal };
        let (sender, receiver) = match by_opener {
            true => (&mut self.opener, &mut self.answerer),
            false => (&mut self.answerer, &mut self.opener),
        };
        check(&segment, sender, receiver, &mut self.last, &mut self.retransmissions)
    }

    fn seen(&self, opener: bool) -> &Seen {
        if opener { &self.opener } else { &self.answerer }
    }

    /// A SYN+ACK that acknowledges a SYN which was let through without being believed: both ends agree, so
    /// conntrack believes them now.
    fn believe_noted(&mut self, by_opener: bool, kind: Kind, packet: &TcpPacket) -> Option<TcpState> {
        let Last { kind: last, by_opener: last_by_opener, end, window, .. } = self.last;
        if kind != Kind::SynAck || last != Kind::Syn || last_by_opener == by_opener || packet.ack != end {
            return None;
        }
        self.challenge = false;
        let Seen { scale, offers_scale, offers_sack, .. } = self.noted;
        let max_window = u32::from(window).max(1);
        let noted =
            Seen { end, max_end: end, max_window, scale, offers_scale, offers_sack, ..Seen::default() };
        let (syn, answer) = match last_by_opener {
            true => (&mut self.opener, &mut self.answerer),
            false => (&mut self.answerer, &mut self.opener),
        };
        *syn = noted;
        *answer = Seen { liberal: answer.liberal, ..Seen::default() };
        Some(TcpState::SynReceived)
    }

    /// Lets a segment through without believing it, and notes it.
    fn ignore(
        &mut self,
        before: Option<TcpState>,
        by_opener: bool,
        kind: Kind,
        packet: &TcpPacket,
    ) -> Outcome {
        let last = &mut self.last;
        (last.kind, last.by_opener, last.seq) = (kind, by_opener, packet.seq);
        (last.end, last.window) = (end_of(packet), packet.window);
        if kind == Kind::Syn && by_opener {
            self.noted = Seen::default();
            self.noted.take_options(packet);
            self.simultaneous = false;
            self.challenge = before == Some(TcpState::LastAck);
        }
        if before == Some(TcpState::SynSent) && kind == Kind::Ack && !by_opener {
            self.last.ack = packet.ack;
        }
        Outcome::Pass
    }

    /// Whether an acknowledgment is about a SYN that came in between, and not about the last FIN.
    fn is_challenge(&self, before: Option<TcpState>, by_opener: bool, kind: Kind) -> bool {
        before == Some(TcpState::LastAck)
            && kind == Kind::Ack
            && self.last.by_opener != by_opener
            && self.last.kind == Kind::Syn
            && self.challenge
    }

    /// What a RST does; `None` if it cannot be meant.
    fn judge_reset(
        &self,
        before: Option<TcpState>,
        by_opener: bool,
        packet: &TcpPacket,
        rules: &Conntrack,
    ) -> Option<Reset> {
        let mut reset = Reset { closes: true, checked: true };
        // The ends may be in use again, so what is known is old.
        if before.is_some_and(is_closing) {
            return Some(Reset { checked: false, ..reset });
        }
        let expected = self.seen(!by_opener).max_ack.filter(|_| self.last.kind != Kind::Syn);
        if let Some(expected) = expected {
            let established = before == Some(TcpState::Established) && self.assured;
            if packet.seq == SeqNum(0) && !established {
                return Some(reset);
            }
            if packet.seq.distance_from(expected) < 0 && !rules.tcp_ignore_invalid_rst {
                return None;
            }
            let after_data = self.last.kind == Kind::Ack
                && self.last.by_opener == by_opener
                && packet.seq == self.last.end;
            if !established || packet.seq == expected || after_data {
                return Some(reset);
            }
            // The end it is for may answer it with an acknowledgment (RFC 5961 §3.2).
            reset.closes = false;
        }
        let of_syn = self.replied && self.last.kind == Kind::Syn;
        let of_ack = !self.assured && self.last.kind == Kind::Ack;
        let of_challenge = before == Some(TcpState::SynSent)
            && self.last.kind == Kind::Ack
            && !self.last.by_opener
            && packet.seq == self.last.ack;
        if ((of_syn || of_ack) && packet.ack == self.last.end) || of_challenge {
            reset.checked = false;
        }
        Some(reset)
    }

    /// An impossible FIN or RST after one from the other side: the connection may be over without conntrack
    /// having understood how.
    fn invalid(
        &mut self,
        by_opener: bool,
        kind: Kind,
        remaining: Span,
        timeouts: &ConntrackTimeouts,
    ) -> Outcome {
        if !self.assured || !matches!(kind, Kind::Rst | Kind::Fin) {
            return Outcome::Invalid;
        }
        let answers = self.last.by_opener != by_opener && matches!(self.last.kind, Kind::Fin | Kind::Rst);
        if !answers {
            self.last.kind = kind;
            self.last.by_opener = by_opener;
            return Outcome::Invalid;
        }
        if remaining >= SHORT_ALREADY && remaining > timeouts.unacknowledged {
            Outcome::InvalidShortened(timeouts.unacknowledged)
        } else {
            Outcome::Invalid
        }
    }

    fn accept(
        &mut self,
        before: Option<TcpState>,
        after: TcpState,
        by_opener: bool,
        kind: Kind,
        rules: &Conntrack,
    ) -> Outcome {
        self.last.kind = kind;
        self.last.by_opener = by_opener;
        self.state = after;
        if before != Some(after) && after == TcpState::FinWait {
            let sender = if by_opener { &mut self.opener } else { &mut self.answerer };
            sender.closes = true;
        }
        let timeouts = &rules.timeouts;
        let mut timeout = self.timeout(after, kind, rules);
        if !self.replied {
            if kind == Kind::Rst {
                return Outcome::Forget;
            }
            // A SYN that is sent again does not hold its mapping.
            if kind == Kind::Syn && before == Some(TcpState::SynSent) {
                return Outcome::Pass;
            }
            if after == TcpState::Established {
                timeout = timeout.min(timeouts.unacknowledged);
            }
        } else if after == TcpState::Established
            && matches!(before, Some(TcpState::SynReceived | TcpState::Established))
        {
            self.assured = true;
        }
        Outcome::Refresh(timeout)
    }

    fn timeout(&self, state: TcpState, kind: Kind, rules: &Conntrack) -> Span {
        let timeouts = &rules.timeouts;
        let whole = timeouts.of(state);
        if self.retransmissions >= rules.tcp_max_retrans && whole > timeouts.max_retrans {
            timeouts.max_retrans
        } else if kind == Kind::Rst {
            timeouts.close
        } else if (self.opener.unacknowledged || self.answerer.unacknowledged)
            && whole > timeouts.unacknowledged
        {
            timeouts.unacknowledged
        } else if self.last.window == 0 && whole > timeouts.max_retrans {
            timeouts.max_retrans
        } else {
            whole
        }
    }
}

/// What a RST does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reset {
    /// It closes the connection; one that does not may bring an answer of the end it is for.
    closes: bool,
    /// Only if it lies in the window.
    checked: bool,
}

/// States in which the connection is as good as over (`tcp_can_early_drop`).
pub(super) fn is_closing(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::FinWait | TcpState::LastAck | TcpState::TimeWait | TcpState::Close | TcpState::CloseWait
    )
}

impl ConntrackTimeouts {
    /// The timer of a state.
    fn of(&self, state: TcpState) -> Span {
        match state {
            TcpState::SynSent => self.syn_sent,
            TcpState::SynSent2 => SIMULTANEOUS,
            TcpState::SynReceived => self.syn_recv,
            TcpState::Established => self.established,
            TcpState::FinWait => self.fin_wait,
            TcpState::CloseWait => self.close_wait,
            TcpState::LastAck => self.last_ack,
            TcpState::TimeWait => self.time_wait,
            TcpState::Close => self.close,
        }
    }
}
