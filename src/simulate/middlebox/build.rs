//! From a description to a box that runs, or to what is wrong with the description.
//!
//! Owns [`DescriptionError`] and what every description must hold.

use std::net::IpAddr;

use super::Middlebox;
use super::conntrack::ConntrackBox;
use super::description::{Conntrack, Description, Proxy, Router, Tracker};
use super::proxy::ProxyBox;
use super::tracker::TrackerBox;
use crate::time::Span;

/// What no box can be built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// A timer of zero or less.
    #[error("{0} must be longer than nothing")]
    NoTime(&'static str),
    /// A service or a proxy without anybody behind it.
    #[error("{0} needs at least one backend")]
    NoBackend(&'static str),
    /// Addresses that can never meet in one packet.
    #[error("{0} and {1} are not of one IP version")]
    MixedFamilies(IpAddr, IpAddr),
    /// Timers that would shrink before they are whole.
    #[error("adaptive timers must end above the {start} connections they start at, not at {end}")]
    Adaptive {
        /// Connections up to which timers are whole.
        start: u32,
        /// Connections from which they are nothing.
        end: u32,
    },
    /// Adaptive timers are looked at in sweeps only.
    #[error("adaptive timers need a sweep, at which they are looked at")]
    AdaptiveWithoutSweep,
    /// The table of stacks has none that a proxy runs on.
    #[error("there is no stack called linux, on which a proxy runs")]
    NoStack,
    /// A table that holds nothing.
    #[error("a table must hold at least one connection")]
    NoTable,
}

impl Description {
    /// The box. `seed` decides on what is random in it: ports, moments of sweeps, first sequence numbers.
    ///
    /// # Errors
    /// If the description contradicts itself.
    pub fn build(&self, seed: u64) -> Result<Box<dyn Middlebox>, DescriptionError> {
        self.check()?;
        Ok(match self {
            Description::Tracker(tracker) => Box::new(TrackerBox::new(tracker.clone(), seed)),
            Description::Conntrack(conntrack) => Box::new(ConntrackBox::new(conntrack.clone(), seed)),
            Description::Proxy(proxy) => {
                let stack = ProxyBox::stack().ok_or(DescriptionError::NoStack)?;
                Box::new(ProxyBox::new(proxy.clone(), stack, seed))
            }
        })
    }

    /// Whether a box can be built from it.
    ///
    /// # Errors
    /// If the description contradicts itself.
    pub fn check(&self) -> Result<(), DescriptionError> {
        match self {
            Description::Tracker(tracker) => tracker.check(),
            Description::Conntrack(conntrack) => conntrack.check(),
            Description::Proxy(proxy) => proxy.check(),
        }
    }
}

fn positive(name: &'static str, span: Span) -> Result<(), DescriptionError> {
    if span > Span::ZERO { Ok(()) } else { Err(DescriptionError::NoTime(name)) }
}

fn same_family(one: IpAddr, other: IpAddr) -> Result<(), DescriptionError> {
    if one.is_ipv4() == other.is_ipv4() { Ok(()) } else { Err(DescriptionError::MixedFamilies(one, other)) }
}

impl Router {
    fn check(&self) -> Result<(), DescriptionError> {
        let Some(service) = &self.service else { return Ok(()) };
        if service.backends.is_empty() {
            return Err(DescriptionError::NoBackend("a service"));
        }
        for backend in &service.backends {
            same_family(service.endpoint.address, backend.address)?;
        }
        Ok(())
    }
}

impl Tracker {
    fn check(&self) -> Result<(), DescriptionError> {
        self.router.check()?;
        let timers = &self.timers;
        positive("the timer after a SYN", timers.syn)?;
        positive("the timer of a handshake", timers.handshake)?;
        positive("the timer of an established connection", timers.established)?;
        positive("the timer of unacknowledged data", timers.unacknowledged)?;
        positive("the timer after the client's FIN", timers.closed_by_client)?;
        positive("the timer after the server's FIN", timers.closed_by_server)?;
        positive("the timer after both FINs", timers.closing)?;
        positive("the timer after a RST", timers.reset)?;
        if let Some(sweep) = self.sweep {
            positive("the sweep", sweep)?;
        }
        if let Some(adaptive) = self.adaptive {
            let super::description::Adaptive { start, end } = adaptive;
            if end <= start {
                return Err(DescriptionError::Adaptive { start, end });
            }
            if self.sweep.is_none() {
                return Err(DescriptionError::AdaptiveWithoutSweep);
            }
        }
        if self.table.is_some_and(|table| table.limit == 0) {
            return Err(DescriptionError::NoTable);
        }
        Ok(())
    }
}

impl Conntrack {
    fn check(&self) -> Result<(), DescriptionError> {
        self.router.check()?;
        let timeouts = &self.timeouts;
        positive("tcp_timeout_syn_sent", timeouts.syn_sent)?;
        positive("tcp_timeout_syn_recv", timeouts.syn_recv)?;
        positive("tcp_timeout_established", timeouts.established)?;
        positive("tcp_timeout_fin_wait", timeouts.fin_wait)?;
        positive("tcp_timeout_close_wait", timeouts.close_wait)?;
        positive("tcp_timeout_last_ack", timeouts.last_ack)?;
        positive("tcp_timeout_time_wait", timeouts.time_wait)?;
        positive("tcp_timeout_close", timeouts.close)?;
        positive("tcp_timeout_max_retrans", timeouts.max_retrans)?;
        positive("tcp_timeout_unacknowledged", timeouts.unacknowledged)?;
        if self.max == Some(0) { Err(DescriptionError::NoTable) } else { Ok(()) }
    }
}

impl Proxy {
    fn check(&self) -> Result<(), DescriptionError> {
        if self.backends.is_empty() {
            return Err(DescriptionError::NoBackend("a proxy"));
        }
        for backend in &self.backends {
            same_family(self.address, backend.address)?;
        }
        for (name, timeout) in
            [("timeout client", self.timeout_client), ("timeout server", self.timeout_server)]
        {
            if let Some(timeout) = timeout {
                positive(name, timeout)?;
            }
        }
        Ok(())
    }
}
