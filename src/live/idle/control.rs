//! The control connection to the partner.
//!
//! Owns [`Control`]: the session machine ([`crate::partner::client`]) and where its octets go. Pure.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::live::wire::{Ended, Handle};
use crate::partner::client::test::Test;
use crate::partner::client::{Client, ClientError, Options, Told};
use crate::partner::message::{Form, Nonce, Number, Welcome};
use crate::partner::secret::Secret;
use crate::time::{Span, Timestamp};

/// How long the partner looks for what comes back.
const WATCH: Span = Span::from_secs(4);

/// How to be sure of the partner.
#[derive(Clone, Debug)]
pub struct Partner {
    /// The secret that both know.
    pub secret: Secret,
    /// Unpredictable, and new for each run.
    pub random: Nonce,
    /// How the session is kept.
    pub options: Options,
}

impl Partner {
    /// A partner with whom this secret is shared.
    ///
    /// # Errors
    /// If the system has no random octets.
    pub fn new(secret: Secret, options: Options) -> io::Result<Partner> {
        let mut random = Nonce::default();
        let mut filled = 0;
        while let Some(rest) = random.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += getrandom(rest, GetRandomFlags::empty())?;
        }
        Ok(Partner { secret, random, options })
    }
}

/// Why there is no partner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartnerError {
    /// Its port did not answer as it should.
    #[error("the partner cannot be reached: {}", words(*.0))]
    Unreachable(Ended),
    /// The session.
    #[error(transparent)]
    Session(#[from] ClientError),
}

const fn words(how: Ended) -> &'static str {
    match how {
        Ended::Refused => "nothing listens there (a RST answered the SYN)",
        Ended::Reset => "the connection was reset",
        Ended::TimedOut => "nothing answered the SYN",
        Ended::Unreachable => "no way leads there",
        Ended::ClosedByPeer => "it closed the connection",
        Ended::Other(_) => "the system could not open a connection",
    }
}

/// The control connection.
#[derive(Debug)]
pub(super) struct Control {
    partner: Partner,
    pub(super) handle: Handle,
    client: Option<Client>,
    /// To be open by then.
    until: Timestamp,
    failed: Option<PartnerError>,
    next: u32,
}

impl Control {
    /// The connection was begun.
    pub(super) fn new(partner: Partner, handle: Handle, until: Timestamp) -> Self {
        Self { partner, handle, client: None, until, failed: None, next: 0 }
    }

    /// The connection is open.
    pub(super) fn on_opened(&mut self, now: Timestamp) {
        let Partner { secret, random, options } = &self.partner;
        self.client.get_or_insert_with(|| Client::new(secret.clone(), *options, *random, now));
    }

    /// The connection ended.
    pub(super) fn on_ended(&mut self, how: Ended) {
        match &mut self.client {
            Some(client) => client.on_ended(),
            None => self.fail(PartnerError::Unreachable(how)),
        }
    }

    pub(super) fn on_octets(&mut self, now: Timestamp, octets: &[u8]) {
        if let Some(client) = &mut self.client {
            client.on_octets(now, octets);
        }
    }

    pub(super) fn on_timeout(&mut self, now: Timestamp) {
        match &mut self.client {
            Some(client) => client.on_timeout(now),
            None if now >= self.until => self.fail(PartnerError::Unreachable(Ended::TimedOut)),
            None => {}
        }
    }

    /// When to call [`on_timeout`](Control::on_timeout).
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        match &self.client {
            _ if self.failed.is_some() => None,
            Some(client) => client.next_timeout(),
            None => Some(self.until),
        }
    }

    fn fail(&mut self, why: PartnerError) {
        self.failed.get_or_insert(why);
    }

    /// Octets to write.
    pub(super) fn poll_octets(&mut self) -> Option<Vec<u8>> {
        self.client.as_mut()?.poll_octets()
    }

    /// What happened; an end of the session is kept here.
    pub(super) fn poll_told(&mut self) -> Option<Told> {
        match self.client.as_mut()?.poll_told()? {
            Told::Failed(why) => {
                self.fail(why.into());
                None
            }
            told => Some(told),
        }
    }

    /// Why there is no session, or no more.
    pub(super) fn failed(&self) -> Option<&PartnerError> {
        self.failed.as_ref()
    }

    pub(super) fn welcome(&self) -> Option<&Welcome> {
        self.client.as_ref()?.welcome()
    }

    /// The partner's half of a new test connection.
    pub(super) fn test(&mut self) -> Option<Test> {
        let number = Number(self.next);
        self.next += 1;
        self.client.as_ref()?.test(number)
    }

    /// Asks for an octet towards us now; false if that cannot be asked.
    pub(super) fn ask(&mut self, number: Number) -> bool {
        let ask = |client: &mut Client| client.ask(number, Form::Data(1), Span::ZERO, WATCH);
        self.client.as_mut().and_then(ask).is_some()
    }

    /// Asks for a keepalive probe towards us now, of which nothing is to come back; false if that cannot be asked.
    pub(super) fn ask_keepalive(&mut self, number: Number) -> bool {
        let ask = |client: &mut Client| client.ask(number, Form::Keepalive(0), Span::ZERO, Span::ZERO);
        self.client.as_mut().and_then(ask).is_some()
    }

    pub(super) fn close(&mut self, number: Number, abort: bool) {
        if let Some(client) = &mut self.client {
            client.close(number, abort);
        }
    }

    /// Asks for a sign of life, unless one was asked for at this time or later already.
    pub(super) fn ask_sign(&mut self, now: Timestamp, since: Timestamp) {
        if let Some(client) = &mut self.client {
            client.ask_sign(now, since);
        }
    }

    /// A time of the partner in ours.
    pub(super) fn local_time(&self, time: Timestamp) -> Option<Timestamp> {
        self.client.as_ref()?.local_time(time)
    }

    /// Ends the session in order.
    pub(super) fn bye(&mut self) {
        if let Some(client) = self.client.as_mut().filter(|client| !client.is_over()) {
            client.bye();
        }
    }
}
