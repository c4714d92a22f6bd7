//! What an experiment does to a connection beside what a search does: packets that may keep it open.

use super::{Flow, State, Step};
use crate::search::Input;
use crate::search::refresh::Form;
use crate::time::Timestamp;

impl Flow {
    /// Something that may keep the connection open is to leave; whether it is answered is told as it happens.
    pub(in crate::live::idle) fn refresh(&mut self, now: Timestamp, form: Form, steps: &mut Vec<Step>) {
        match form {
            Form::Silence => {}
            Form::Data => self.arm(now, steps),
            Form::Inward => {
                if self.state == State::Idle {
                    // What our kernel does not get it does not answer. What comes with the largest TTL it gets.
                    let ttl = self.trace.and_then(|trace| trace.baseline()).map(|baseline| baseline.ttl);
                    if ttl.is_none_or(|(_, highest)| highest == u8::MAX) {
                        return steps.push(Step::Tell(Input::NotSent { attempt: 0 }));
                    }
                    if !self.deaf {
                        self.deaf = true;
                        steps.push(Step::Deafen(true));
                    }
                    steps.push(Step::Refresh(form));
                }
            }
            Form::Keepalive | Form::KeepaliveOctet | Form::Ack | Form::Limited(_) => {
                if self.state == State::Idle {
                    // One answer at most; a late one must not be taken for that to another.
                    self.owed = u8::from(form.is_both_ways());
                    steps.push(Step::Refresh(form));
                }
            }
        }
    }

    /// What was to come from the partner does not, or would be answered: it tells nothing.
    pub(in crate::live::idle) fn on_not_refreshed(&mut self, steps: &mut Vec<Step>) {
        if self.deaf && self.state == State::Idle {
            steps.push(Step::Tell(Input::NotSent { attempt: 0 }));
        }
    }

    /// Whatever comes is for the kernel again.
    pub(super) fn listen(&mut self, steps: &mut Vec<Step>) {
        if std::mem::take(&mut self.deaf) {
            steps.push(Step::Deafen(false));
        }
    }

    /// How many routers the far end is away, as its TTL shows.
    pub(in crate::live::idle) fn routers(&self) -> Option<u8> {
        let (_, highest) = self.trace?.baseline()?.ttl;
        Some(crate::search::refresh::routers(highest))
    }
}
