//! What `check` and `audit --listeners` share: where sockets are looked for, and what their keepalives are.

use std::io;

use caps::Capability;

use super::{Exit, complain};
use crate::advice::socket::State;
use crate::keepalive::Settings;
use crate::live::check::diag::Timer;
use crate::live::check::owner::{Holders, InForce, remedy};
use crate::live::netns::{NetNs, NetNsError};
use crate::time::Span;

/// Why it cannot go on.
pub(super) struct Refused(pub(super) Exit, pub(super) String);

impl Refused {
    pub(super) fn usage(problem: impl ToString) -> Self {
        Refused(Exit::BadInput, problem.to_string())
    }
}

/// Goes where the sockets are; says so where nobody asked for it.
pub(super) fn enter(netns: Option<&NetNs>, pid: Option<u32>) -> Result<Option<NetNs>, Refused> {
    let refused = |option: &str, error: NetNsError| {
        let exit =
            if matches!(error, NetNsError::Denied { .. }) { Exit::RightsMissing } else { Exit::BadInput };
        Refused(exit, format!("{option}: {error}"))
    };
    if let Some(netns) = netns {
        netns.enter().map_err(|error| refused("--netns", error))?;
        return Ok(Some(netns.clone()));
    }
    let Some(pid) = pid else { return Ok(None) };
    let netns = NetNs::Process(pid);
    let theirs = std::fs::read_link(format!("/proc/{pid}/ns/net"));
    match (theirs, std::fs::read_link("/proc/thread-self/ns/net")) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
            Err(refused("--pid", NetNsError::NoProcess(pid)))
        }
        (Err(_), _) => Err(refused("--pid", netns.denied(Capability::CAP_SYS_PTRACE))),
        (Ok(theirs), Ok(ours)) if theirs == ours => Ok(None),
        _ => {
            netns.enter().map_err(|error| refused("--pid", error))?;
            complain(&format!("note: process {pid} is in another network namespace, which is looked at"));
            Ok(Some(netns))
        }
    }
}

/// Who holds which socket: of one process, or of all that may be looked at.
pub(super) fn holders(pid: Option<u32>) -> Result<Holders, Refused> {
    let holders = match pid {
        None => Holders::find(),
        Some(pid) => Holders::of(pid),
    };
    holders.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Refused(
            Exit::RightsMissing,
            format!("reading the descriptors of that process needs CAP_SYS_PTRACE: {}", remedy()),
        ),
        _ => Refused::usage(format!("looking for the processes: {error}")),
    })
}

/// The keepalives of a connection, from its options where they are told, or else from its timer.
pub(super) fn state(in_force: Option<InForce>, timer: Timer) -> State {
    match (in_force, timer) {
        (Some(InForce { on: false, .. }), _) | (None, Timer::Off) => State::Off,
        (Some(set), _) => State::Set(settings(set)),
        // Between two probes this says nothing about the first.
        (None, Timer::Keepalive { unanswered: 1.., .. }) => State::On { next: Span::ZERO },
        (None, Timer::Keepalive { expires, .. }) => State::On { next: expires },
        (None, Timer::Retransmission { .. } | Timer::ZeroWindow { .. } | Timer::Other(_)) => State::Hidden,
    }
}

/// The settings among a socket's options.
pub(super) fn settings(set: InForce) -> Settings {
    let InForce { idle, interval, count, user_timeout, .. } = set;
    Settings { idle, interval, count, user_timeout: Some(user_timeout) }
}
