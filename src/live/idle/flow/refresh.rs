//! What an experiment does to a connection beside what a search does: packets that may keep it open.

use super::{Flow, State, Step};
use crate::search::refresh::Form;
use crate::time::Timestamp;

impl Flow {
    /// Something that may keep the connection open is to leave; whether it is answered is told as it happens.
    pub(in crate::live::idle) fn refresh(&mut self, now: Timestamp, form: Form, steps: &mut Vec<Step>) {
        match form {
            Form::Silence => {}
            Form::Data => self.arm(now, steps),
            Form::Keepalive | Form::KeepaliveOctet | Form::Ack | Form::Limited(_) => {
                if self.state == State::Idle {
                    // One answer at most; a late one must not be taken for that to another.
                    self.owed = u8::from(form.is_both_ways());
                    steps.push(Step::Refresh(form));
                }
            }
        }
    }

    /// How many routers the far end is away, as its TTL shows.
    pub(in crate::live::idle) fn routers(&self) -> Option<u8> {
        let (_, highest) = self.trace?.baseline()?.ttl;
        Some(crate::search::refresh::routers(highest))
    }
}
