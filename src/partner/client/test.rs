//! One test connection, as the side that asks has it.

use super::{ClientError, not_partner, refused};
use crate::partner::codec::{CodecError, Frames, Opening};
use crate::partner::message::{Joined, Number, SessionId};
use crate::partner::octet;
use crate::partner::secret::Key;

/// What some octets were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// The partner accepted the connection.
    pub joined: Option<Joined>,
    /// Answers to [`Test::arm`].
    pub echoes: u32,
    /// Octets that were asked for on the control connection.
    pub probes: u32,
}

/// A test connection.
#[derive(Debug)]
pub struct Test {
    key: Key,
    session: SessionId,
    number: Number,
    frames: Frames,
    joined: bool,
    /// Echoes that are still to come.
    echoes: u32,
}

impl Test {
    pub(super) fn new(key: Key, session: SessionId, number: Number) -> Self {
        Self { key, session, number, frames: Frames::default(), joined: false, echoes: 0 }
    }

    /// Its number.
    pub fn number(&self) -> Number {
        self.number
    }

    /// Whether the partner has accepted it.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Echoes that are still to come.
    pub fn awaited(&self) -> u32 {
        self.echoes
    }

    /// What to write first.
    pub fn begin(&self) -> Vec<u8> {
        Opening::join(&self.key, self.session, self.number).encode().octets().to_vec()
    }

    /// The octet to write for an exchange: it is echoed.
    pub fn arm(&mut self) -> u8 {
        self.echoes = self.echoes.saturating_add(1);
        octet::ECHO
    }

    /// The octet to write where nothing but an acknowledgment shall come back.
    pub fn one_way(&self) -> u8 {
        octet::SILENT
    }

    /// Octets came.
    ///
    /// # Errors
    /// If they make no sense, or the partner refuses; the connection is then to be closed.
    pub fn on_octets(&mut self, mut octets: &[u8]) -> Result<Heard, ClientError> {
        let mut heard = Heard::default();
        if !self.joined {
            let first = octets;
            let frame = match self.frames.next(&mut octets) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(heard),
                Err(_) => return Err(not_partner(first)),
            };
            heard.joined = match Opening::decode(&frame) {
                Ok(Opening::Joined { joined, .. }) => {
                    if !Opening::is_proven_joined(&frame, &self.key, self.session, self.number) {
                        return Err(CodecError::Tag.into());
                    }
                    Some(joined)
                }
                Ok(Opening::Refused { refusal, version }) => return Err(refused(refusal, version)),
                _ => return Err(not_partner(frame.octets())),
            };
            self.joined = true;
        }
        for octet in octets {
            match *octet {
                octet::ECHOED if self.echoes > 0 => {
                    self.echoes -= 1;
                    heard.echoes = heard.echoes.saturating_add(1);
                }
                octet::ECHOED => return Err(ClientError::Nonsense("an echo of nothing")),
                octet::PROBE => heard.probes = heard.probes.saturating_add(1),
                _ => return Err(ClientError::Nonsense("an unknown octet on a test connection")),
            }
        }
        Ok(heard)
    }
}
