//! Connections of which nobody knows yet who they are.
//!
//! Owns [`Door`]: few, for a short time, and no octet more goes out than came in. Pure. Uses the codec and the secret.

use std::collections::BTreeMap;

use super::{Limits, Token, Turned};
use crate::partner::codec::{Frame, Frames, Opening};
use crate::partner::message::{Nonce, Number, SessionId};
use crate::partner::secret::{Keys, Secret};
use crate::partner::{Tuple, VERSION};
use crate::time::Timestamp;

/// A connection before it is authenticated.
pub(super) struct Visitor {
    pub(super) seen: Tuple,
    frames: Frames,
    deadline: Timestamp,
    random: Nonce,
    /// Hello and challenge, once they were said.
    transcript: Option<Vec<u8>>,
}

/// What a visitor's octets came to.
pub(super) enum Step {
    /// More has to come.
    More,
    /// Say this.
    Answer(Frame),
    /// The secret is known there: a session.
    Known { keys: Keys, id: SessionId },
    /// A test connection, if the session of this name says so.
    Joins { session: SessionId, number: Number, frame: Frame },
    /// Send it away, perhaps with a word.
    Away(Turned),
}

/// All visitors.
pub(super) struct Door {
    secret: Secret,
    visitors: BTreeMap<Token, Visitor>,
}

impl Door {
    pub(super) fn new(secret: Secret) -> Self {
        Self { secret, visitors: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.visitors.len()
    }

    pub(super) fn contains(&self, token: Token) -> bool {
        self.visitors.contains_key(&token)
    }

    /// Lets one in.
    pub(super) fn enter(&mut self, token: Token, seen: Tuple, random: Nonce, until: Timestamp) {
        let frames = Frames::default();
        let visitor = Visitor { seen, frames, deadline: until, random, transcript: None };
        self.visitors.insert(token, visitor);
    }

    /// It is a visitor no more.
    pub(super) fn leave(&mut self, token: Token) -> Option<Visitor> {
        self.visitors.remove(&token)
    }

    /// Who has to go so that another can come in: of those that have said nothing useful the one that came first, or
    /// of all.
    pub(super) fn who_goes(&self, limits: &Limits) -> Option<Token> {
        if self.visitors.len() < usize::from(limits.visitors) {
            return None;
        }
        let order = |visitor: &Visitor, token| (visitor.transcript.is_some(), visitor.deadline, token);
        self.visitors.iter().min_by_key(|(token, visitor)| order(visitor, **token)).map(|(token, _)| *token)
    }

    /// One whose time is over.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<(Token, Turned)> {
        let (token, visitor) = self.visitors.iter().find(|(_, visitor)| visitor.deadline <= now)?;
        let said_nothing = visitor.transcript.is_none() && visitor.frames.pending() == 0;
        Some((*token, if said_nothing { Turned::SaidNothing } else { Turned::TooSlow }))
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.visitors.values().map(|visitor| visitor.deadline).min()
    }

    pub(super) fn tokens(&self) -> Vec<Token> {
        self.visitors.keys().copied().collect()
    }

    /// Octets of a visitor came; what is not needed is left in `octets`.
    pub(super) fn on_octets(&mut self, token: Token, octets: &mut &[u8]) -> Step {
        let Some(visitor) = self.visitors.get_mut(&token) else { return Step::More };
        let frame = match visitor.frames.next(octets) {
            Ok(None) => return Step::More,
            Ok(Some(frame)) => frame,
            Err(_) => return Step::Away(Turned::Strange),
        };
        match (Opening::decode(&frame), &visitor.transcript) {
            (Ok(Opening::Hello { version: VERSION, .. }), None) => {
                let secret = self.secret.is_some();
                let answer = Opening::Challenge { version: VERSION, secret, nonce: visitor.random }.encode();
                visitor.transcript = Some([frame.octets(), answer.octets()].concat());
                Step::Answer(answer)
            }
            (Ok(Opening::Join { version: VERSION, session, number, .. }), None) => {
                Step::Joins { session, number, frame }
            }
            (Ok(Opening::Hello { .. } | Opening::Join { .. }), None) => Step::Away(Turned::Version),
            (Ok(Opening::Proof(proof)), Some(transcript)) => {
                if !self.secret.proves(transcript, &proof) {
                    return Step::Away(Turned::Secret);
                }
                let keys = self.secret.keys(transcript);
                Step::Known { id: keys.session(), keys }
            }
            _ => Step::Away(Turned::Strange),
        }
    }
}
