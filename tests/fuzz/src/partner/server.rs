//! A server with whoever drives it, and everything it wrote.

use std::collections::BTreeMap;

use keepscope::partner::codec::{Frames, LONGEST_FRAME};
use keepscope::partner::message::{Abilities, AskId, Ending, Form};
use keepscope::partner::secret::Secret;
use keepscope::partner::server::{Action, Limits, News, Server, Token};
use keepscope::time::{Span, Timestamp};

use super::{SECRET, START, seen};

pub(super) const LIMITS: Limits = Limits {
    visitors: 3,
    handshake: Span::from_secs(5),
    sessions: 2,
    connections: 4,
    messages: 20,
    octets: 40,
    expire: Span::from_secs(60),
    lasts: Span::from_secs(6 * 3600),
    watch: Span::from_secs(60),
};

pub(super) struct Served {
    pub(super) server: Server,
    pub(super) now: Timestamp,
    /// What nobody has taken yet.
    fresh: BTreeMap<Token, Vec<u8>>,
    /// Octets written to each, and read from each.
    pub(super) written: BTreeMap<Token, usize>,
    pub(super) heard: BTreeMap<Token, usize>,
    pub(super) closed: BTreeMap<Token, bool>,
    pub(super) sends: Vec<(Token, AskId, Form)>,
    pub(super) sessions_begun: u32,
    next: u64,
}

impl Served {
    pub(super) fn new() -> Served {
        let abilities = Abilities { keepalive: true, garbage: true, strays: true };
        Served {
            server: Server::new(Secret::new(SECRET).expect("long enough"), LIMITS, abilities),
            now: START,
            fresh: BTreeMap::new(),
            written: BTreeMap::new(),
            heard: BTreeMap::new(),
            closed: BTreeMap::new(),
            sends: Vec::new(),
            sessions_begun: 0,
            next: 0,
        }
    }

    pub(super) fn accept(&mut self) -> Token {
        self.next += 1;
        let token = Token(self.next);
        let mut random = [0x5a; 32];
        random[..8].copy_from_slice(&self.next.to_be_bytes());
        self.server.on_accepted(self.now, token, seen(40_000 + self.next as u16), random);
        self.act();
        token
    }

    pub(super) fn say(&mut self, token: Token, octets: &[u8]) {
        if self.closed.contains_key(&token) {
            return;
        }
        *self.heard.entry(token).or_default() += octets.len();
        self.server.on_octets(self.now, token, octets);
        self.act();
    }

    /// A connection ends by itself.
    pub(super) fn end(&mut self, token: Token) {
        if !self.closed.contains_key(&token) {
            self.server.on_ended(self.now, token, Ending::Reset, Span::from_secs(1));
            self.act();
        }
    }

    pub(super) fn take(&mut self, token: Token) -> Vec<u8> {
        self.fresh.remove(&token).unwrap_or_default()
    }

    pub(super) fn wait(&mut self, span: Span) {
        let until = self.now.plus(span);
        while let Some(due) = self.server.next_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.server.on_timeout(self.now);
            self.act();
            let next = self.server.next_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "due at {next:?} again, and it is {:?}",
                self.now
            );
        }
        self.now = until;
    }

    pub(super) fn act(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Write { token, octets } => {
                    assert!(!self.closed.contains_key(&token), "written to a closed connection");
                    assert!(octets.len() <= LONGEST_FRAME, "{} octets at once", octets.len());
                    *self.written.entry(token).or_default() += octets.len();
                    self.fresh.entry(token).or_default().extend(octets);
                }
                Action::Close { token, abort } => {
                    assert!(self.closed.insert(token, abort).is_none(), "closed twice");
                }
                Action::Send { token, id, form, .. } => {
                    assert!(!self.closed.contains_key(&token) && form.is_valid());
                    self.sends.push((token, id, form));
                }
            }
        }
        while let Some((_, news)) = self.server.poll_news() {
            self.sessions_begun += u32::from(matches!(news, News::Opened { .. }));
        }
        let limits = usize::from(LIMITS.visitors) + 2 * (1 + usize::from(LIMITS.connections));
        assert!(self.server.connections() <= limits, "{} connections", self.server.connections());
        assert!(self.server.sessions() <= usize::from(LIMITS.sessions));
    }

    /// All time passes: nothing is left.
    pub(super) fn ends(&mut self) {
        self.wait(Span::from_secs(7 * 3600));
        assert_eq!((self.server.connections(), self.server.next_timeout()), (0, None));
    }
}

/// Whether octets are whole frames of a length that is allowed.
pub(super) fn are_frames(mut octets: &[u8]) -> bool {
    let mut frames = Frames::default();
    while matches!(frames.next(&mut octets), Ok(Some(_))) {}
    octets.is_empty() && frames.pending() == 0
}
