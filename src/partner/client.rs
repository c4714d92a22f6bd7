//! The side that asks: a session with a partner, and its test connections.
//!
//! Owns [`Client`], which is the control connection, and [`Test`], which is one test connection. Both are
//! sans-IO: whoever drives them opens the connections, hands over the octets that come, and writes those that they
//! give. No partner is trusted: what makes no sense ends the session, and memory is bounded by what was asked.
//!
//! ```text
//! connect to the partner ── Client::new(secret, options, random, now)
//!   write what poll_octets() gives, whenever it gives any
//!   on_octets(now, what came) · on_ended(now) · on_timeout(now) at next_timeout()
//!   poll_told(): Told::Open, then Sent / NotSent / Back / Ended / Stray; Told::Failed at most once, and last
//! for each test connection: connect to the same address ── client.test(number)
//!   write begin(), hand over what comes to on_octets() until it says Heard::joined
//!   arm() gives the octet whose echo begins idle anew; one_way() one that is only acknowledged
//! client.ask(…) for octets towards us, client.close(…), client.bye()
//! ```

pub mod test;

use std::collections::{BTreeMap, VecDeque};

use self::test::Test;
use super::codec::{CodecError, Frame, Frames, Opening, Seal};
use super::message::{
    Ask, AskId, Back, Ending, Form, Nonce, NotSent, Number, OverReason, Refusal, Report, Request, Welcome,
};
use super::secret::{Key, Secret};
use super::{Tuple, VERSION};
use crate::time::{Span, Timestamp};

/// How a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often to ping. A box that forgets idle connections must not forget this one: well below the shortest
    /// time-out that is looked for.
    pub fresh: Span,
    /// The partner is gone when nothing was heard of it for so long; more than a round of pings.
    pub patience: Span,
    /// How long the handshake may take.
    pub handshake: Span,
}

impl Default for Options {
    /// Every 5 s; gone after 20 s; 10 s.
    fn default() -> Self {
        Self { fresh: Span::from_secs(5), patience: Span::from_secs(20), handshake: Span::from_secs(10) }
    }
}

/// Why there is no session, or no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// What answered speaks something else.
    #[error("what answers there is not `keepscope respond`: it said {}", shown(.0))]
    NotPartner(Vec<u8>),
    /// It closed the connection without an answer, as other servers do that do not understand.
    #[error("the connection was closed before the handshake was done: is that `keepscope respond`?")]
    ClosedEarly,
    /// It said nothing.
    #[error("nothing was said for {} s: is that `keepscope respond`?", .0.as_nanos() / 1_000_000_000)]
    SaysNothing(Span),
    /// It speaks another version.
    #[error("the partner speaks version {0} of the protocol, and this program version {VERSION}")]
    Version(u16),
    /// The secrets differ.
    #[error("the partner has another secret")]
    WrongSecret,
    /// It has one and we have none.
    #[error("the partner has a secret: give the same one here, in KEEPSCOPE_TOKEN or by --token-file")]
    SecretWanted,
    /// We have one and it has none.
    #[error("the partner has no secret, but this program was given one; it may be somebody else's program")]
    NoSecretThere,
    /// It does not know the secret.
    #[error("the partner did not show that it knows the secret")]
    NotProven,
    /// It has no room.
    #[error("the partner has as many sessions or connections as it allows")]
    Full,
    /// The session is not known there (any more), or a number was used twice.
    #[error("the partner does not know this session or connection number")]
    NoSession,
    /// What it says makes no sense.
    #[error("the partner said something that makes no sense: {0}")]
    Nonsense(&'static str),
    /// What came is no message, or not its message.
    #[error("what came from the partner is no message of this session: {0}")]
    Codec(#[from] CodecError),
    /// It ended the session.
    #[error("the partner ended the session: {}", over_text(*.0))]
    Over(OverReason),
    /// It has not been heard of.
    #[error("nothing was heard of the partner for {} s", .0.as_nanos() / 1_000_000_000)]
    Silent(Span),
    /// The control connection ended.
    #[error("the control connection to the partner ended")]
    Lost,
}

/// News of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The partner knows the secret; the session is open.
    Open(Welcome),
    /// What was asked has left there.
    Sent {
        /// What was asked.
        ask: Ask,
        /// When, by the partner's clock.
        at: Timestamp,
        /// How long the connection was idle before, by what the partner's kernel knows.
        idle: Span,
    },
    /// What was asked has not left.
    NotSent {
        /// What was asked.
        ask: Ask,
        /// Why.
        why: NotSent,
    },
    /// What came back, as the partner's kernel knows.
    Back {
        /// What was asked.
        ask: Ask,
        /// When that was known, by the partner's clock.
        at: Timestamp,
        /// What.
        back: Back,
    },
    /// A test connection ended on the partner's side.
    Ended {
        /// Which.
        number: Number,
        /// When, by the partner's clock.
        at: Timestamp,
        /// How.
        how: Ending,
        /// How long it had been idle.
        idle: Span,
    },
    /// The partner saw a segment from our address, as it sees it, that belongs to no connection it knows.
    Stray {
        /// When, by the partner's clock.
        at: Timestamp,
        /// Its ends, the partner's first.
        seen: Tuple,
    },
    /// The sign of life that was [asked for](Client::ask_sign).
    Alive {
        /// When it was asked, by our clock.
        asked: Timestamp,
    },
    /// The session is over, or never began. The control connection is to be closed.
    Failed(ClientError),
}

/// How the partner's clock relates to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// What is added to a time of the partner to make it ours.
    pub add: Span,
    /// By how much that may be wrong: half of the quickest round trip.
    pub within: Span,
}

/// A question that was not answered to its end.
#[derive(Clone, Copy, Debug)]
struct Asked {
    ask: Ask,
    sent: bool,
    /// Its connection was closed since: what still comes is of no interest.
    forgotten: bool,
}

enum State {
    /// The hello is out.
    Challenge,
    /// The proof is out.
    Welcome { seals: Seals },
    /// Open.
    Open { seals: Seals, welcome: Welcome },
    /// Over.
    Closed,
}

#[derive(Clone)]
struct Seals {
    out: Seal,
    back: Seal,
    join: Key,
}

/// A session with a partner.
pub struct Client {
    secret: Secret,
    options: Options,
    state: State,
    hello: Frame,
    frames: Frames,
    asked: BTreeMap<AskId, Asked>,
    next_ask: u32,
    /// Pings that were not answered yet, with when they left.
    pings: BTreeMap<u64, Timestamp>,
    next_ping: u64,
    ping_due: Timestamp,
    /// A sign of life is wanted, from this time or later.
    sign_since: Option<Timestamp>,
    heard: Timestamp,
    offset: Option<Offset>,
    out: VecDeque<Vec<u8>>,
    told: VecDeque<Told>,
}

/// Most pings that are waited for.
const PINGS: usize = 16;

impl Client {
    /// Begins on a connection that was just opened. `random` has to be unpredictable and new each time.
    pub fn new(secret: Secret, options: Options, random: Nonce, now: Timestamp) -> Self {
        let hello = Opening::Hello { version: VERSION, nonce: random }.encode();
        let out = VecDeque::from([hello.octets().to_vec()]);
        Self {
            secret,
            options,
            state: State::Challenge,
            hello,
            frames: Frames::default(),
            asked: BTreeMap::new(),
            next_ask: 0,
            pings: BTreeMap::new(),
            next_ping: 0,
            ping_due: now,
            sign_since: None,
            heard: now,
            offset: None,
            out,
            told: VecDeque::new(),
        }
    }

    /// Octets to write to the control connection.
    pub fn poll_octets(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// What happened.
    pub fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// The session, while it is open.
    pub fn welcome(&self) -> Option<&Welcome> {
        match &self.state {
            State::Open { welcome, .. } => Some(welcome),
            _ => None,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The partner's clock, once a ping was answered; better with each.
    pub fn offset(&self) -> Option<Offset> {
        self.offset
    }

    /// A time of the partner in ours.
    pub fn local_time(&self, partner: Timestamp) -> Option<Timestamp> {
        self.offset.map(|offset| partner.plus(offset.add))
    }

    /// Asks for something on a test connection that has joined. The answer comes as [`Told::Sent`] and [`Told::Back`],
    /// or as [`Told::NotSent`]. None if the session is not open or the form is not in its range.
    pub fn ask(&mut self, number: Number, form: Form, after: Span, watch: Span) -> Option<AskId> {
        let positive = after >= Span::ZERO && watch >= Span::ZERO;
        if self.welcome().is_none() || !form.is_valid() || !positive {
            return None;
        }
        let id = AskId(self.next_ask);
        self.next_ask = self.next_ask.wrapping_add(1);
        let ask = Ask { id, number, form, after, watch };
        self.asked.insert(id, Asked { ask, sent: false, forgotten: false });
        self.say(&Request::Ask(ask));
        Some(id)
    }

    /// Has a test connection closed from there, in order or by a RST. Nothing more is told of it.
    pub fn close(&mut self, number: Number, abort: bool) {
        let of_it = self.asked.values_mut().filter(|asked| asked.ask.number == number);
        of_it.for_each(|asked| asked.forgotten = true);
        self.say(&Request::Close { number, abort });
    }

    /// Ends the session in order: write what [`poll_octets`](Client::poll_octets) gives and close the connection.
    pub fn bye(&mut self) {
        self.say(&Request::Bye);
        self.state = State::Closed;
    }

    /// A test connection of this number, which must not have been used before in the session. None if it is not
    /// open.
    pub fn test(&self, number: Number) -> Option<Test> {
        match &self.state {
            State::Open { seals, welcome } => Some(Test::new(seals.join.clone(), welcome.session, number)),
            _ => None,
        }
    }

    /// Octets came on the control connection.
    pub fn on_octets(&mut self, now: Timestamp, mut octets: &[u8]) {
        let first = octets;
        while !self.is_over() {
            match self.frames.next(&mut octets) {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    if let Err(error) = self.on_frame(now, &frame) {
                        self.fail(error);
                    }
                }
                Err(_) if matches!(self.state, State::Challenge) => self.fail(not_partner(first)),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// The control connection ended.
    pub fn on_ended(&mut self) {
        match self.state {
            State::Open { .. } => self.fail(ClientError::Lost),
            State::Challenge | State::Welcome { .. } => self.fail(ClientError::ClosedEarly),
            State::Closed => {}
        }
    }

    /// When to call [`on_timeout`](Client::on_timeout).
    pub fn next_timeout(&self) -> Option<Timestamp> {
        match self.state {
            State::Challenge | State::Welcome { .. } => Some(self.heard.plus(self.options.handshake)),
            State::Open { .. } => Some(self.ping_due.min(self.heard.plus(self.options.patience))),
            State::Closed => None,
        }
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Timestamp) {
        let quiet = now.since(self.heard);
        match self.state {
            State::Challenge | State::Welcome { .. } if quiet >= self.options.handshake => {
                self.fail(ClientError::SaysNothing(self.options.handshake));
            }
            State::Open { .. } if quiet >= self.options.patience => self.fail(ClientError::Silent(quiet)),
            State::Open { .. } if now >= self.ping_due => self.ping(now),
            _ => {}
        }
    }

    /// Asks for a sign of life, unless something that it was asked at this time or later is not answered yet.
    /// [`Told::Alive`] is the answer.
    pub fn ask_sign(&mut self, now: Timestamp, since: Timestamp) {
        if !matches!(self.state, State::Open { .. }) {
            return;
        }
        self.sign_since = Some(since);
        if !self.pings.values().any(|sent| *sent >= since) {
            self.ping(now);
        }
    }

    fn ping(&mut self, now: Timestamp) {
        let token = self.next_ping;
        self.next_ping = self.next_ping.wrapping_add(1);
        if self.pings.len() >= PINGS {
            self.pings.pop_first();
        }
        self.pings.insert(token, now);
        self.ping_due = now.plus(self.options.fresh);
        self.say(&Request::Ping(token));
    }

    fn say(&mut self, request: &Request) {
        if let State::Open { seals, .. } = &mut self.state {
            self.out.push_back(seals.out.request(request).octets().to_vec());
        }
    }

    fn fail(&mut self, error: ClientError) {
        self.state = State::Closed;
        self.asked.clear();
        self.told.push_back(Told::Failed(error));
    }

    fn on_frame(&mut self, now: Timestamp, frame: &Frame) -> Result<(), ClientError> {
        match &mut self.state {
            State::Challenge => self.on_challenge(now, frame),
            State::Welcome { seals } => match seals.back.open_welcome(frame) {
                Ok(welcome) => {
                    self.state = State::Open { seals: seals.clone(), welcome };
                    self.heard = now;
                    self.told.push_back(Told::Open(welcome));
                    self.ping(now);
                    Ok(())
                }
                Err(error) => Err(match Opening::decode(frame) {
                    Ok(Opening::Refused { refusal, version }) => refused(refusal, version),
                    _ if error == CodecError::Tag => ClientError::NotProven,
                    _ => error.into(),
                }),
            },
            State::Open { seals, .. } => {
                let report = seals.back.open_report(frame)?;
                self.heard = now;
                self.on_report(now, report)
            }
            State::Closed => Ok(()),
        }
    }

    fn on_challenge(&mut self, now: Timestamp, frame: &Frame) -> Result<(), ClientError> {
        let (version, secret) = match Opening::decode(frame) {
            Ok(Opening::Challenge { version, secret, .. }) => (version, secret),
            Ok(Opening::Refused { refusal, version }) => return Err(refused(refusal, version)),
            _ => return Err(not_partner(frame.octets())),
        };
        match (version, self.secret.is_some(), secret) {
            (VERSION, false, true) => return Err(ClientError::SecretWanted),
            (VERSION, true, false) => return Err(ClientError::NoSecretThere),
            (VERSION, ..) => {}
            (other, ..) => return Err(ClientError::Version(other)),
        }
        let transcript = [self.hello.octets(), frame.octets()].concat();
        let keys = self.secret.keys(&transcript);
        let proof = Opening::Proof(self.secret.proof(&transcript)).encode();
        let (out, back) = (Seal::new(keys.to_server), Seal::new(keys.to_client));
        self.heard = now;
        self.state = State::Welcome { seals: Seals { out, back, join: keys.join } };
        self.out.push_back(proof.octets().to_vec());
        Ok(())
    }

    fn on_report(&mut self, now: Timestamp, report: Report) -> Result<(), ClientError> {
        let (told, forgotten) = match report {
            Report::Sent { id, at, idle } => {
                let asked = self.asked.get_mut(&id).filter(|asked| !asked.sent);
                let asked = asked.ok_or(ClientError::Nonsense("something left that was not asked for"))?;
                asked.sent = true;
                (Told::Sent { ask: asked.ask, at, idle }, asked.forgotten)
            }
            Report::NotSent { id, why } => {
                let asked = self.take(id, false, "an answer to a question that was not asked")?;
                (Told::NotSent { ask: asked.ask, why }, asked.forgotten)
            }
            Report::Back { id, at, back } => {
                let asked = self.take(id, true, "something came back that had not left")?;
                (Told::Back { ask: asked.ask, at, back }, asked.forgotten)
            }
            Report::Ended { number, at, how, idle } => (Told::Ended { number, at, how, idle }, false),
            Report::Stray { at, seen } => (Told::Stray { at, seen }, false),
            Report::Pong { token, at } => return self.on_pong(now, token, at),
            Report::Over(reason) => return Err(ClientError::Over(reason)),
        };
        if !forgotten {
            self.told.push_back(told);
        }
        Ok(())
    }

    fn take(&mut self, id: AskId, sent: bool, otherwise: &'static str) -> Result<Asked, ClientError> {
        match self.asked.get(&id) {
            Some(asked) if asked.sent == sent => {
                self.asked.remove(&id).ok_or(ClientError::Nonsense(otherwise))
            }
            _ => Err(ClientError::Nonsense(otherwise)),
        }
    }

    fn on_pong(&mut self, now: Timestamp, token: u64, at: Timestamp) -> Result<(), ClientError> {
        let sent = self.pings.remove(&token).ok_or(ClientError::Nonsense("the answer to no ping"))?;
        let within = Span::from_nanos(now.since(sent).as_nanos().max(0) / 2);
        // The answer left there when half of the round trip was over, give or take the other half.
        let add = sent.plus(within).since(at);
        if self.offset.is_none_or(|known| within <= known.within) {
            self.offset = Some(Offset { add, within });
        }
        if self.sign_since.is_some_and(|since| since <= sent) {
            self.sign_since = None;
            self.told.push_back(Told::Alive { asked: sent });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("welcome", &self.welcome()).field("over", &self.is_over()).finish()
    }
}

fn refused(refusal: Refusal, version: u16) -> ClientError {
    match refusal {
        Refusal::Version => ClientError::Version(version),
        Refusal::Secret => ClientError::WrongSecret,
        Refusal::Full => ClientError::Full,
        Refusal::NoSession => ClientError::NoSession,
    }
}

/// Octets of a stranger that are kept to be shown.
const SHOWN: usize = 24;

fn not_partner(octets: &[u8]) -> ClientError {
    ClientError::NotPartner(octets.iter().copied().take(SHOWN).collect())
}

/// What a stranger said, without what a terminal would take for a command.
fn shown(octets: &[u8]) -> String {
    format!("\"{}\"", octets.escape_ascii())
}

fn over_text(reason: OverReason) -> &'static str {
    match reason {
        OverReason::Expired => "it heard nothing for too long",
        OverReason::Lasted => "it lasted as long as a session may there",
        OverReason::Stopped => "it was stopped",
        OverReason::Nonsense => "it did not understand",
        OverReason::TooMany => "more messages than it allows",
        OverReason::Bye => "it was asked to",
    }
}
