//! What a server wants done, and what it has to tell.
//!
//! Owns [`Action`], [`News`] and why somebody was [`Turned`] away. Uses the messages.

use super::{Token, Totals};
use crate::partner::Tuple;
use crate::partner::message::{AskId, Back, Ending, Form, NotSent, Number, OverReason, Refusal};
use crate::time::{Span, Timestamp};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write octets to a connection.
    Write {
        /// Which.
        token: Token,
        /// What.
        octets: Vec<u8>,
    },
    /// Close a connection once everything is written: by a RST if `abort`, in order otherwise. Nothing that happens to
    /// it is asked for any more.
    Close {
        /// Which.
        token: Token,
        /// How.
        abort: bool,
    },
    /// Send something on a test connection and look what comes back. Answer by [`Server::on_sent`](super::Server::on_sent) or
    /// [`Server::on_not_sent`](super::Server::on_not_sent), and after the first by [`Server::on_back`](super::Server::on_back).
    Send {
        /// Which.
        token: Token,
        /// The name of the question.
        id: AskId,
        /// What.
        form: Form,
        /// How long to look.
        watch: Span,
    },
}

/// Why a visitor was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turned {
    /// It speaks something else.
    Strange,
    /// It said nothing in time.
    SaidNothing,
    /// It was too slow.
    TooSlow,
    /// It speaks another version.
    Version,
    /// It does not know the secret.
    Secret,
    /// There is no room for one more session, or one more connection in its session.
    Full,
    /// It names a session that is not there, or a number that was used; or it cannot prove that it belongs to it.
    NoSession,
    /// Others came, and there was no room for all.
    Displaced,
    /// It went away by itself.
    Left,
}

impl Turned {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Turned::Strange => "strange",
            Turned::SaidNothing => "said_nothing",
            Turned::TooSlow => "too_slow",
            Turned::Version => "version",
            Turned::Secret => "secret",
            Turned::Full => "full",
            Turned::NoSession => "no_session",
            Turned::Displaced => "displaced",
            Turned::Left => "left",
        }
    }

    /// What is said to it.
    pub(super) const fn refusal(self) -> Option<Refusal> {
        match self {
            Turned::Version => Some(Refusal::Version),
            Turned::Secret => Some(Refusal::Secret),
            Turned::Full => Some(Refusal::Full),
            Turned::NoSession => Some(Refusal::NoSession),
            _ => None,
        }
    }
}

/// What happened, for whoever watches the server. Sessions are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A session began.
    Opened {
        /// Which.
        session: u32,
        /// Its control connection.
        seen: Tuple,
    },
    /// A test connection joined.
    Joined {
        /// In which session.
        session: u32,
        /// Which.
        number: Number,
        /// Its ends.
        seen: Tuple,
    },
    /// Something was sent.
    Sent {
        /// In which session.
        session: u32,
        /// On which test connection.
        number: Number,
        /// What.
        form: Form,
        /// When.
        at: Timestamp,
        /// How long the connection had been idle.
        idle: Span,
    },
    /// Something was not sent.
    NotSent {
        /// In which session.
        session: u32,
        /// On which test connection.
        number: Number,
        /// Why.
        why: NotSent,
    },
    /// Something came back, or nothing.
    Back {
        /// In which session.
        session: u32,
        /// On which test connection.
        number: Number,
        /// What.
        back: Back,
    },
    /// A test connection ended.
    Ended {
        /// In which session.
        session: u32,
        /// Which.
        number: Number,
        /// How; none if the client asked for it.
        how: Option<Ending>,
        /// How long it had been idle.
        idle: Span,
    },
    /// A segment of no known connection came from a client's address.
    Stray {
        /// Told to which session.
        session: u32,
        /// Its ends.
        seen: Tuple,
    },
    /// A session is over.
    Over {
        /// Which.
        session: u32,
        /// Why; none if its control connection ended.
        reason: Option<OverReason>,
        /// What it came to.
        totals: Totals,
    },
    /// A visitor was sent away.
    Turned {
        /// Its ends.
        seen: Tuple,
        /// Why.
        why: Turned,
    },
}
