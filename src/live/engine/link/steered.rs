//! What a connection does because somebody asked for it while it was probed.

use super::{LINGER, Link, Phase, SHORT_LINGER, Step};
use crate::keepalive::{Setting, Settings};
use crate::live::engine::plan::{Octets, Until};
use crate::live::engine::steer::{Stage, Standing};
use crate::segment::Flags;
use crate::time::Timestamp;

impl Link {
    /// Other settings hold from now on.
    pub(in crate::live::engine) fn change(
        &mut self,
        now: Timestamp,
        settings: Settings,
        octets: Octets,
        steps: &mut Vec<Step>,
    ) {
        (self.order.settings, self.order.octets) = (settings, octets);
        self.latest = self.latest.max(now);
        let Some(machine) = self.machine.as_mut().filter(|_| self.phase == Phase::Probing) else { return };
        for setting in [
            Setting::Count(settings.count),
            Setting::Interval(settings.interval),
            Setting::Idle(settings.idle),
        ] {
            machine.set(self.latest, setting);
        }
        if matches!(self.order.until, Until::Rounds(_)) {
            self.deadline = self.longest().map(|span| now.plus(span));
        }
        self.take_from_machine(now, steps);
    }

    /// A probe is wanted now, whether one is due or not.
    pub(in crate::live::engine) fn want_probe(&mut self, now: Timestamp) {
        if self.phase == Phase::Probing {
            self.by_hand = Some(now);
        }
    }

    pub(super) fn send_by_hand(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let Some(rcv_nxt) = self.machine.as_ref().map(|machine| machine.tcb().rcv_nxt) else { return };
        let octets = self.order.octets.of(self.sent);
        self.send(now, Flags::ACK, rcv_nxt, octets, steps);
    }

    /// Probes that are due are held back, or no longer.
    pub(in crate::live::engine) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Ends it in order, because somebody wants that: what was seen until now counts.
    pub(in crate::live::engine) fn stop(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        match self.phase {
            Phase::Closing | Phase::Done => {}
            Phase::Waiting | Phase::Opening => self.on_interrupt(now, steps),
            _ => {
                self.story.interrupted = true;
                let linger = if self.waits { SHORT_LINGER } else { LINGER };
                self.close(now, linger, steps);
            }
        }
    }

    /// How it stands.
    pub(in crate::live::engine) fn standing(&self) -> Standing {
        let stage = match self.phase {
            Phase::Waiting => Stage::Waiting,
            Phase::Opening => Stage::Opening,
            Phase::Learning | Phase::Probing | Phase::Examining => Stage::Open,
            Phase::Closing => Stage::Closing,
            Phase::Done => Stage::Done,
        };
        let next = self.timeout().filter(|_| self.phase == Phase::Probing);
        let Settings { interval, count, .. } = self.order.settings;
        let left = i64::from(count.saturating_sub(self.unanswered));
        Standing {
            order: self.order,
            ends: self.tuple,
            stage,
            unanswered: self.unanswered,
            next,
            gives_up: next.map(|next| next.plus(interval.times(left))),
            gave_up: self.story.gave_up,
            ended: self.story.ended,
            not_opened: self.story.not_opened,
        }
    }
}
