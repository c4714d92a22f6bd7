//! The state of a machine by itself, without what machines have in common.
//!
//! Owns [`Snapshot`], which lets one machine stand for many: rules, settings and clock are those of the machine
//! that a snapshot is put into, so that a hundred thousand connections of one kind take one machine and a hundred
//! thousand snapshots.

use super::Machine;
use crate::keepalive::clock::Clock;
use crate::segment::SeqNum;
use crate::time::{Span, Timestamp};

/// What changes while a connection lives, in 72 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    heard: Timestamp,
    received: Timestamp,
    /// The end of time for none; so for the two below.
    timer: Timestamp,
    last_limited: Timestamp,
    expires: i64,
    /// Negative for none.
    gap: Span,
    snd_una: SeqNum,
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    ts_recent: u32,
    probes_out: u32,
    flags: u8,
}

const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);
const NO_GAP: Span = Span::from_nanos(-1);

const ON: u8 = 1;
const ENDED: u8 = 2;
const REPORTED: u8 = 4;
const TIMESTAMPS: u8 = 8;
const SACK: u8 = 16;
const UNSENT: u8 = 32;

impl Snapshot {
    /// When the machine wants to be woken.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        (self.timer != NEVER).then_some(self.timer)
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.flags & ENDED != 0
    }

    /// SND.NXT.
    pub fn snd_nxt(&self) -> SeqNum {
        self.snd_nxt
    }

    /// SND.UNA.
    pub fn snd_una(&self) -> SeqNum {
        self.snd_una
    }
}

impl Machine {
    /// Its state; what it has to send and to tell must have been taken before.
    pub fn snapshot(&self) -> Snapshot {
        debug_assert!(self.transmits.is_empty() && self.events.is_empty());
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let tcb = &self.tcb;
        Snapshot {
            heard: self.heard,
            received: self.received,
            timer: self.timer.unwrap_or(NEVER),
            last_limited: self.responder.last_limited().unwrap_or(NEVER),
            expires: self.expires,
            gap: self.gap.unwrap_or(NO_GAP),
            snd_una: tcb.snd_una,
            snd_nxt: tcb.snd_nxt,
            rcv_nxt: tcb.rcv_nxt,
            ts_recent: tcb.ts_recent.unwrap_or(0),
            probes_out: self.probes_out,
            flags: flag(self.on, ON)
                | flag(self.ended, ENDED)
                | flag(self.reported, REPORTED)
                | flag(tcb.ts_recent.is_some(), TIMESTAMPS)
                | flag(tcb.sack, SACK)
                | flag(tcb.unsent, UNSENT),
        }
    }

    /// Takes a state over, on a clock. Rules, settings, RTO and receive window stay its own; they must be those of
    /// the machine that the state is of.
    pub fn restore(&mut self, clock: Clock, state: &Snapshot) {
        let has = |flag: u8| state.flags & flag != 0;
        self.transmits.clear();
        self.events.clear();
        self.clock = clock;
        self.heard = state.heard;
        self.received = state.received;
        self.timer = state.next_timeout();
        self.responder.set_last_limited((state.last_limited != NEVER).then_some(state.last_limited));
        self.expires = state.expires;
        self.gap = (state.gap != NO_GAP).then_some(state.gap);
        self.probes_out = state.probes_out;
        self.on = has(ON);
        self.ended = has(ENDED);
        self.reported = has(REPORTED);
        self.tcb.snd_una = state.snd_una;
        self.tcb.snd_nxt = state.snd_nxt;
        self.tcb.rcv_nxt = state.rcv_nxt;
        self.tcb.ts_recent = has(TIMESTAMPS).then_some(state.ts_recent);
        self.tcb.sack = has(SACK);
        self.tcb.unsent = has(UNSENT);
    }
}
