//! What can be set for one connection.

use crate::time::Span;

/// The keepalive settings of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Silence before the first probe.
    pub idle: Span,
    /// Time between probes while none is answered.
    pub interval: Span,
    /// Probes without an answer after which the connection is given up.
    pub count: u32,
    /// TCP_USER_TIMEOUT, where the stack has it; zero or absent for none.
    pub user_timeout: Option<Span>,
}

impl Settings {
    /// The user timeout, if one is in force.
    pub fn user_timeout_in_force(&self) -> Option<Span> {
        self.user_timeout.filter(|timeout| *timeout > Span::ZERO)
    }
}
