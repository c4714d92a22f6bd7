//! One end of an established connection that keeps it alive, and answers the other end's probes.
//!
//! Owns the firing order: what is looked at when the timer fires, and what follows. Which rule applies is
//! data ([`Rules`], from [`crate::stack`]); no stack is named here. Sans-IO: segments, settings and times go
//! in; segments, events and the next time come out.

mod snapshot;

use std::collections::VecDeque;

use super::clock::Clock;
use super::responder::{Responder, fails_paws, is_old};
use super::rules::Rules;
use super::settings::Settings;
use super::tcb::{Incoming, Outgoing, Purpose, Tcb};
use crate::segment::{Flags, SeqNum};
use crate::stack::value::{
    AckRule, GiveUp, IdleReset, InboundProbes, IntervalShape, OnReceipt, Outstanding, ProbeFlags,
    ProbeOptions, Rearm, Reset, ResetSeq, SeqRule, UserTimeout,
};
use crate::time::{Span, Timestamp};

pub use snapshot::Snapshot;

/// What the machine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A probe left; its number in the run of unanswered ones, from 1.
    ProbeSent {
        /// When.
        time: Timestamp,
        /// Its number.
        run: u32,
    },
    /// The peer was heard after probes.
    Answered {
        /// When.
        time: Timestamp,
        /// How many probes had been sent.
        after: u32,
    },
    /// The connection was given up.
    GaveUp {
        /// When.
        time: Timestamp,
        /// How many probes had been sent.
        after: u32,
    },
    /// The application is told that the peer does not answer; probes go on.
    Reported {
        /// When.
        time: Timestamp,
    },
    /// The peer reset the connection.
    ResetByPeer {
        /// When.
        time: Timestamp,
    },
}

/// What can be set while the connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Keepalives on or off.
    Enabled(bool),
    /// Silence before the first probe.
    Idle(Span),
    /// Time between unanswered probes.
    Interval(Span),
    /// Probes before giving up.
    Count(u32),
    /// The user timeout; zero for none.
    UserTimeout(Span),
}

/// One end of an established connection.
///
/// After each call that takes a time, take what came out: [`poll_transmit`](Machine::poll_transmit) and
/// [`poll_event`](Machine::poll_event) until they return nothing, then wait for
/// [`next_timeout`](Machine::next_timeout) or a segment. Times must not go back. A call of
/// [`on_timeout`](Machine::on_timeout) before its time changes nothing.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: Rules,
    settings: Settings,
    clock: Clock,
    tcb: Tcb,
    responder: Responder,
    on: bool,
    ended: bool,
    /// When the idle time began: the last receipt that counts.
    heard: Timestamp,
    /// When the peer was last heard, whatever was sent since.
    received: Timestamp,
    /// When the timer fires.
    timer: Option<Timestamp>,
    /// The counter that the timer was armed for, before rounding.
    expires: i64,
    probes_out: u32,
    /// The gap before, while gaps back off.
    gap: Option<Span>,
    /// The connection's retransmission time-out, with which gaps begin to back off.
    rto: Span,
    reported: bool,
    transmits: VecDeque<Outgoing>,
    events: VecDeque<Event>,
}

impl Machine {
    /// A connection established at `now`, with keepalives off.
    pub fn new(rules: Rules, settings: Settings, clock: Clock, tcb: Tcb, now: Timestamp) -> Self {
        let mut machine = Self {
            responder: Responder::new(rules.habits),
            rules,
            settings,
            clock,
            tcb,
            on: false,
            ended: false,
            heard: now,
            received: now,
            timer: None,
            expires: 0,
            probes_out: 0,
            gap: None,
            rto: Span::from_secs(1),
            reported: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        if machine.rules.enabling == Rearm::Untouched {
            machine.arm(now, settings.idle);
        }
        machine
    }

    /// Sets the retransmission time-out that gaps begin with, for stacks whose gaps back off.
    pub fn set_rto(&mut self, rto: Span) {
        self.rto = rto;
    }

    /// The state of the connection.
    pub fn tcb(&self) -> &Tcb {
        &self.tcb
    }

    /// What is set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// When to call [`on_timeout`](Machine::on_timeout) next.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.timer
    }

    /// The next segment to send.
    pub fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.transmits.pop_front()
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The application sets something.
    pub fn set(&mut self, now: Timestamp, setting: Setting) {
        let rearm = match setting {
            Setting::Enabled(on) => {
                let turned_on = on && !self.on;
                self.on = on;
                if !on && self.rules.enabling != Rearm::Untouched {
                    self.timer = None;
                }
                if turned_on { self.rules.enabling } else { Rearm::Untouched }
            }
            Setting::Idle(idle) => {
                self.settings.idle = idle;
                self.rules.setting_idle
            }
            Setting::Interval(interval) => {
                self.settings.interval = interval;
                self.rules.setting_interval
            }
            Setting::Count(count) => {
                self.settings.count = count;
                self.rules.setting_interval
            }
            Setting::UserTimeout(timeout) => {
                self.settings.user_timeout = Some(timeout);
                Rearm::Untouched
            }
        };
        if self.on && !self.ended {
            self.rearm(now, rearm);
        }
    }

    fn rearm(&mut self, now: Timestamp, rearm: Rearm) {
        match rearm {
            Rearm::Untouched => {}
            Rearm::IdleFromNow => {
                if self.rules.clock_restarts_on_setting {
                    self.heard = now;
                }
                self.arm(now, self.settings.idle);
            }
            Rearm::IdleSinceReceipt => {
                let left = self.clock.units(self.settings.idle) - self.elapsed(now);
                self.arm_units(now, left.max(0));
            }
            Rearm::IntervalFromNow => self.arm(now, self.settings.interval),
            // Data in flight or waiting goes first, and its acknowledgment starts the idle time.
            Rearm::ProbeAtOnce
                if self.has_unacknowledged() && self.rules.outstanding != Outstanding::NotChecked => {}
            Rearm::ProbeAtOnce => self.probe(now),
        }
    }

    /// Learns RCV.NXT where another stack holds the connection: what that stack acknowledges. It may have kept data
    /// that came out of order.
    pub fn follow(&mut self, rcv_nxt: SeqNum) {
        if rcv_nxt.distance_from(self.tcb.rcv_nxt) > 0 {
            self.tcb.rcv_nxt = rcv_nxt;
        }
    }

    /// The application's data was sent, or waits for the peer's window (`unsent`).
    pub fn on_sent(&mut self, now: Timestamp, octets: u32, unsent: bool) {
        self.tcb.snd_nxt = self.tcb.snd_nxt.plus(octets);
        self.tcb.unsent = unsent;
        if self.rules.sending_resets_idle {
            self.restart_idle(now);
        }
        if self.rules.outstanding == Outstanding::TimerStopped && self.has_unacknowledged() {
            self.timer = None;
        }
    }

    /// A segment of the peer arrives.
    pub fn on_segment(&mut self, now: Timestamp, segment: &Incoming) {
        if self.ended {
            return;
        }
        if segment.flags.rst() {
            self.on_reset(now, segment);
            return;
        }
        let is_probe = segment.is_probe_to(&self.tcb);
        let was_unacknowledged = self.has_unacknowledged();
        let old = fails_paws(&self.tcb, segment);
        let acceptable = self.is_acceptable(segment) && !old;
        if acceptable && segment.flags.ack() && self.tcb.is_acceptable_ack(segment.ack) {
            self.tcb.snd_una = segment.ack;
        }
        if acceptable && segment.seq == self.tcb.rcv_nxt {
            let fin = u32::from(segment.flags.fin());
            self.tcb.rcv_nxt = self.tcb.rcv_nxt.plus(segment.octets).plus(fin);
            // A value counts only where timestamps were negotiated, and never takes the clock back.
            if self.tcb.ts_recent.is_some() && !is_old(&self.tcb, segment) {
                self.tcb.ts_recent = segment.tsval.or(self.tcb.ts_recent);
            }
        }
        if is_probe && let Some(answer) = self.responder.answer(now, &mut self.tcb, segment) {
            self.transmits.push_back(answer);
        }
        if self.counts_as_heard(segment, is_probe, acceptable, old) {
            self.on_heard(now, was_unacknowledged);
        }
    }

    /// Whether a segment passes the sequence test. As Linux does it (`tcp_sequence`): its end is not below
    /// RCV.NXT and its beginning is not above the window, so that one octet below RCV.NXT passes.
    fn is_acceptable(&self, segment: &Incoming) -> bool {
        let fin = u32::from(segment.flags.fin());
        let end = segment.seq.plus(segment.octets).plus(fin);
        let window_end = self.tcb.rcv_nxt.plus(self.tcb.rcv_wnd);
        end.distance_from(self.tcb.rcv_nxt) >= 0 && segment.seq.distance_from(window_end) <= 0
    }

    fn counts_as_heard(&self, segment: &Incoming, is_probe: bool, acceptable: bool, old: bool) -> bool {
        if is_probe {
            return match self.rules.reset_by_probes {
                InboundProbes::None => false,
                InboundProbes::OneOctet => segment.octets == 1 && !old,
                InboundProbes::Both => true,
            };
        }
        match self.rules.reset_by {
            IdleReset::AnyReceived | IdleReset::AnyReceivedOrSent | IdleReset::AnyTouch => true,
            IdleReset::AnyProcessed => acceptable,
            IdleReset::AckProcessed | IdleReset::InOrderDataOrValidAck => {
                acceptable && segment.flags.ack() && self.tcb.is_acceptable_ack(segment.ack)
            }
        }
    }

    fn on_heard(&mut self, now: Timestamp, was_unacknowledged: bool) {
        if self.probes_out > 0 {
            self.events.push_back(Event::Answered { time: now, after: self.probes_out });
        }
        self.probes_out = 0;
        self.received = now;
        self.gap = None;
        self.reported = false;
        let resumes = was_unacknowledged
            && !self.has_unacknowledged()
            && self.rules.outstanding == Outstanding::TimerStopped;
        // A stack that looks every tick finds the idle time begun anew at the next.
        let polled = self.rules.counts_from_receipt;
        if resumes || polled || self.rules.on_receipt == OnReceipt::Restarted {
            self.restart_idle(now);
        } else {
            self.heard = now;
        }
    }

    fn restart_idle(&mut self, now: Timestamp) {
        self.heard = now;
        if self.on && !self.ended {
            self.arm(now, self.settings.idle);
        }
    }

    /// A RST counts only at RCV.NXT (RFC 5961 §3.2).
    fn on_reset(&mut self, now: Timestamp, segment: &Incoming) {
        if segment.seq == self.tcb.rcv_nxt {
            self.end();
            self.events.push_back(Event::ResetByPeer { time: now });
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.timer = None;
    }

    fn has_unacknowledged(&self) -> bool {
        self.tcb.is_outstanding() || self.tcb.unsent
    }

    /// Units of the clock since the idle time began.
    fn elapsed(&self, now: Timestamp) -> i64 {
        self.clock.units_at(now) - self.clock.units_at(self.heard)
    }

    fn arm(&mut self, now: Timestamp, delay: Span) {
        self.arm_units(now, self.clock.units(delay));
    }

    fn arm_units(&mut self, now: Timestamp, delay: i64) {
        let base = self.clock.units_at(now);
        let expires = base.saturating_add(delay);
        // Linux leaves a pending timer in its bucket if it is to expire at the same jiffy (`__mod_timer`),
        // however much finer a bucket of the remaining delay would be.
        let pending = self.timer.is_some() && self.expires == expires;
        if pending && matches!(self.clock, Clock::Wheel(_)) {
            return;
        }
        self.expires = expires;
        let timeout =
            self.settings.user_timeout_in_force().filter(|_| self.rules.give_up == GiveUp::UserTimeoutOnly);
        // Such a stack wakes for its user timeout too.
        let left = timeout
            .map(|timeout| (self.clock.units_at(self.received) + self.clock.units(timeout) - base).max(0));
        let delay = left.map_or(delay, |left| delay.min(left));
        self.timer = Some(self.clock.fires(now, base, delay));
    }

    /// The timer fires, if its time has come.
    pub fn on_timeout(&mut self, now: Timestamp) {
        if self.ended || self.timer.is_none_or(|timer| timer > now) {
            return;
        }
        self.timer = None;
        if !self.on {
            // Some stacks keep the timer running whether or not anybody wants probes.
            if self.rules.enabling == Rearm::Untouched {
                self.arm(now, self.settings.idle);
            }
            return;
        }
        if self.has_unacknowledged() && self.rules.outstanding != Outstanding::NotChecked {
            self.gap = None;
            self.arm(now, self.settings.idle);
            return;
        }
        let idle = self.clock.units(self.settings.idle);
        let elapsed = self.elapsed(now);
        if self.rules.give_up == GiveUp::UserTimeoutOnly && self.gives_up(now, elapsed) {
            self.give_up(now);
            return;
        }
        if !self.clock.is_past(elapsed, idle) {
            let base = self.clock.units_at(self.heard);
            if matches!(self.clock, Clock::Ticks { .. }) {
                self.timer = Some(self.clock.fires(now, base, idle));
            } else {
                self.arm_units(now, idle - elapsed);
            }
            return;
        }
        if self.gives_up(now, elapsed) {
            self.give_up(now);
        } else {
            self.probe(now);
        }
    }

    /// Whether the rule to give up is met at a firing.
    fn gives_up(&mut self, now: Timestamp, elapsed: i64) -> bool {
        let Settings { idle, interval, count, .. } = self.settings;
        let timeout = self.settings.user_timeout_in_force().map(|timeout| self.clock.units(timeout));
        let timed_out = timeout.is_some_and(|timeout| elapsed >= timeout && self.probes_out > 0);
        let counted = self.probes_out >= count;
        match self.rules.give_up {
            GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount } => {
                if timeout.is_some() {
                    timed_out
                } else {
                    counted
                }
            }
            GiveUp::Counted { user_timeout: UserTimeout::AlsoApplies } => timed_out || counted,
            GiveUp::Counted { user_timeout: UserTimeout::Unknown } => counted,
            GiveUp::Elapsed { strict } => {
                let limit = self.clock.units(Span::from_nanos(
                    idle.as_nanos().saturating_add(interval.times(i64::from(count)).as_nanos()),
                ));
                let past = if strict { elapsed > limit } else { self.clock.is_past(elapsed, limit) };
                // Where zero means for ever, an elapsed time of idle would otherwise end it at once.
                past && count > 0
            }
            GiveUp::AbortThreshold { threshold } => {
                let limit = idle.as_nanos().saturating_add(threshold.as_nanos());
                threshold > Span::ZERO && elapsed > self.clock.units(Span::from_nanos(limit))
            }
            GiveUp::UserTimeoutOnly => {
                let silent = self.clock.units_at(now) - self.clock.units_at(self.received);
                timeout.is_some_and(|timeout| silent >= timeout)
            }
            GiveUp::ReportsOnly => {
                if counted && !self.reported {
                    self.reported = true;
                    self.events.push_back(Event::Reported { time: now });
                }
                false
            }
            GiveUp::Never => false,
        }
    }

    fn give_up(&mut self, now: Timestamp) {
        self.end();
        self.events.push_back(Event::GaveUp { time: now, after: self.probes_out });
        if let Reset::RstAck { seq, timestamps } = self.rules.reset {
            let at = match seq {
                Some(ResetSeq::SndNxt | ResetSeq::SndMax) | None => self.tcb.snd_nxt,
            };
            self.transmits.push_back(Outgoing {
                purpose: Purpose::Reset,
                seq: at,
                ack: self.tcb.rcv_nxt,
                flags: Flags::RST.with(Flags::ACK),
                octets: 0,
                timestamps: timestamps.unwrap_or(false) && self.tcb.ts_recent.is_some(),
                echo: self.tcb.ts_recent,
                dsack: None,
            });
        }
    }

    fn probe(&mut self, now: Timestamp) {
        self.probes_out = self.probes_out.saturating_add(1);
        let run = self.probes_out;
        self.transmits.push_back(self.probe_segment(run));
        self.events.push_back(Event::ProbeSent { time: now, run });
        if self.rules.sending_resets_idle {
            self.heard = now;
        }
        self.arm_after_probe(now);
    }

    /// The form of a probe of this stack.
    fn probe_segment(&self, run: u32) -> Outgoing {
        let above = match self.rules.seq {
            SeqRule::BelowSndUna => self.tcb.snd_una,
            SeqRule::BelowSndNxt => self.tcb.snd_nxt,
        };
        let flags = match self.rules.flags {
            ProbeFlags::Ack => Flags::ACK,
            ProbeFlags::PshAck => Flags::ACK.with(Flags::PSH),
        };
        Outgoing {
            purpose: Purpose::Probe(run),
            seq: above.plus(u32::MAX),
            ack: match self.rules.ack {
                AckRule::RcvNxt => self.tcb.rcv_nxt,
                AckRule::BelowRcvNxt => self.tcb.rcv_nxt.plus(u32::MAX),
            },
            flags,
            octets: self.rules.octets,
            timestamps: self.rules.options != ProbeOptions::Nothing && self.tcb.ts_recent.is_some(),
            echo: self.tcb.ts_recent,
            dsack: None,
        }
    }

    fn arm_after_probe(&mut self, now: Timestamp) {
        let Settings { idle, interval, .. } = self.settings;
        if self.rules.counts_from_receipt {
            // The n-th probe is due at idle + n × interval since the last receipt, however late this one was.
            let since = idle.as_nanos().saturating_add(interval.times(i64::from(self.probes_out)).as_nanos());
            let base = self.clock.units_at(self.heard);
            self.timer = Some(self.clock.fires(now, base, self.clock.units(Span::from_nanos(since))));
            return;
        }
        let gap = match self.rules.shape {
            IntervalShape::Constant => interval,
            IntervalShape::BackOffFromRto { .. } if interval > Span::ZERO => interval,
            IntervalShape::BackOffFromRto { factor, cap } => {
                let gap = self.gap.map_or(self.rto, |gap| gap.times(i64::from(factor)));
                gap.min(cap).min(Span::from_nanos(idle.as_nanos() - 1_000_000)).max(Span::from_millis(1))
            }
        };
        self.gap = Some(gap);
        self.arm(now, gap);
    }
}
