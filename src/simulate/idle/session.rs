//! The control connection to the simulated partner: whether it holds, and whether the partner answers on it.
//!
//! Owns [`Session`]. It passes no box: what a box does to a connection that is never idle is not what is looked for.

use crate::simulate::host::{HostChange, HostSide};
use crate::simulate::truth::{Truth, What};
use crate::time::{Span, Timestamp};

/// The partner is gone when nothing was heard of it for so long, as [`crate::partner::client::Options`] has it.
pub(super) const PATIENCE: Span = Span::from_secs(20);

/// A control connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Truths read so far.
    read: usize,
    /// Something of ours reached the partner's host; before, there is no session that could end.
    met: bool,
    /// The host was off: what it knew is gone, also when it is on again.
    was_off: bool,
    unplugged: bool,
    asked: Option<Timestamp>,
}

impl Session {
    /// Reads on in what happened to the far host; says whether something did after which the partner may be gone.
    pub(super) fn learn(&mut self, truths: &[Truth]) -> bool {
        let mut gone = false;
        for truth in truths.get(self.read..).unwrap_or_default() {
            let What::Host { host: HostSide::Server, change } = truth.what else { continue };
            match change {
                HostChange::PowerOff => self.was_off = true,
                HostChange::Unplugged => self.unplugged = true,
                HostChange::Plugged => self.unplugged = false,
                HostChange::PowerOn => {}
            }
            gone |= matches!(change, HostChange::PowerOff | HostChange::Unplugged);
        }
        self.read = truths.len();
        gone
    }

    /// Something of ours reached its host.
    pub(super) const fn meet(&mut self) {
        self.met = true;
    }

    /// Whether there was a session, and is none any more.
    pub(super) const fn is_lost(&self) -> bool {
        self.met && !self.holds()
    }

    /// Whether a question that arrives now is answered.
    pub(super) const fn holds(&self) -> bool {
        !self.was_off && !self.unplugged
    }

    /// Whether to ask, for a search that wants a sign since then; not twice.
    pub(super) fn ask(&mut self, now: Timestamp, since: Timestamp) -> bool {
        let ask = self.asked.is_none_or(|asked| asked < since);
        if ask {
            self.asked = Some(now);
        }
        ask
    }
}
