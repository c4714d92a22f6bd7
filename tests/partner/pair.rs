//! Both machines with a perfect path between them.

use std::collections::{BTreeMap, VecDeque};

use keepscope::partner::Tuple;
use keepscope::partner::client::test::{Heard, Test};
use keepscope::partner::client::{Client, ClientError, Options, Told};
use keepscope::partner::message::{Abilities, AskId, Form, Number};
use keepscope::partner::secret::Secret;
use keepscope::partner::server::{Action, Limits, News, Server, Token};
use keepscope::segment::Endpoint;
use keepscope::time::{Span, Timestamp};

pub const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

pub const ABLE: Abilities = Abilities { keepalive: true, garbage: true, strays: true };

/// The server's clock is ahead of the client's.
pub const AHEAD: Span = Span::from_secs(100);

pub fn secret(text: &str) -> Secret {
    if text.is_empty() { Secret::none() } else { Secret::new(text.as_bytes()).expect("a secret") }
}

/// A connection as the server sees it.
pub fn seen(port: u16) -> Tuple {
    let end = |last, port| Endpoint { address: [192, 0, 2, last].into(), port };
    Tuple { local: end(2, 7440), remote: end(1, port) }
}

/// A server, and everything it ever wrote.
pub struct Served {
    pub server: Server,
    pub now: Timestamp,
    pub written: BTreeMap<Token, Vec<u8>>,
    /// Octets that nobody has taken yet.
    pub fresh: BTreeMap<Token, Vec<u8>>,
    pub closed: BTreeMap<Token, bool>,
    pub sends: VecDeque<(Token, AskId, Form, Span)>,
    pub news: Vec<News>,
    next: u64,
}

impl Served {
    pub fn new(secret: Secret, limits: Limits) -> Served {
        Served {
            server: Server::new(secret, limits, ABLE),
            now: START,
            written: BTreeMap::new(),
            fresh: BTreeMap::new(),
            closed: BTreeMap::new(),
            sends: VecDeque::new(),
            news: Vec::new(),
            next: 0,
        }
    }

    /// Its own time.
    pub fn clock(&self) -> Timestamp {
        self.now.plus(AHEAD)
    }

    pub fn accept(&mut self) -> Token {
        self.next += 1;
        let token = Token(self.next);
        let port = 40_000 + u16::try_from(self.next % 20_000).expect("a port");
        // As good as random here: never the same.
        let mut random = [0x5a; 32];
        random[..8].copy_from_slice(&self.next.to_be_bytes());
        self.server.on_accepted(self.clock(), token, seen(port), random);
        self.act();
        token
    }

    pub fn say(&mut self, token: Token, octets: &[u8]) {
        self.server.on_octets(self.clock(), token, octets);
        self.act();
    }

    /// Takes what was written to a connection since this was last asked.
    pub fn take(&mut self, token: Token) -> Vec<u8> {
        self.fresh.remove(&token).unwrap_or_default()
    }

    pub fn wait(&mut self, span: Span) {
        let until = self.now.plus(span);
        while let Some(due) = self.server.next_timeout().map(|due| due.plus(AHEAD.times(-1))) {
            if due > until {
                break;
            }
            self.now = self.now.max(due);
            self.server.on_timeout(self.clock());
            self.act();
        }
        self.now = until;
    }

    pub fn act(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Write { token, octets } => {
                    assert!(!self.closed.contains_key(&token), "written to a closed connection");
                    self.written.entry(token).or_default().extend(&octets);
                    self.fresh.entry(token).or_default().extend(octets);
                }
                Action::Close { token, abort } => {
                    self.closed.entry(token).or_insert(abort);
                }
                Action::Send { token, id, form, watch } => self.sends.push_back((token, id, form, watch)),
            }
        }
        while let Some((_, news)) = self.server.poll_news() {
            self.news.push(news);
        }
    }

    pub fn out(&self, token: Token) -> usize {
        self.written.get(&token).map_or(0, Vec::len)
    }
}

/// A session between a client and a server.
pub struct Pair {
    pub served: Served,
    pub client: Client,
    pub control: Token,
    pub told: Vec<Told>,
}

impl Pair {
    /// Both begin; nothing was said yet.
    pub fn new(of_client: &str, of_server: &str, limits: Limits) -> Pair {
        let mut served = Served::new(secret(of_server), limits);
        let control = served.accept();
        let client = Client::new(secret(of_client), Options::default(), [7; 32], served.now);
        Pair { served, client, control, told: Vec::new() }
    }

    /// An open session.
    pub fn open(limits: Limits) -> Pair {
        let mut pair = Pair::new("correct horse", "correct horse", limits);
        pair.talk();
        assert!(matches!(pair.told[..], [Told::Open(_)]), "{:?}", pair.told);
        pair
    }

    /// Carries what both say until neither has anything to say.
    pub fn talk(&mut self) {
        loop {
            let mut said = false;
            while let Some(octets) = self.client.poll_octets() {
                self.served.say(self.control, &octets);
                said = true;
            }
            let octets = self.served.take(self.control);
            if !octets.is_empty() {
                self.client.on_octets(self.served.now, &octets);
                said = true;
            }
            while let Some(told) = self.client.poll_told() {
                self.told.push(told);
            }
            if !said {
                return;
            }
        }
    }

    /// Lets time pass for both.
    pub fn wait(&mut self, span: Span) {
        let until = self.served.now.plus(span);
        loop {
            let due = self.client.next_timeout().filter(|due| *due <= until);
            let step = due.unwrap_or(until).since(self.served.now);
            self.served.wait(Span::from_nanos(step.as_nanos().max(0)));
            self.talk();
            let Some(due) = due else { return };
            self.client.on_timeout(self.served.now.max(due));
            self.talk();
        }
    }

    /// A test connection that has joined.
    pub fn join(&mut self, number: u32) -> (Test, Token) {
        let mut test = self.client.test(Number(number)).expect("an open session");
        let token = self.served.accept();
        self.served.say(token, &test.begin());
        let octets = self.served.take(token);
        let heard = test.on_octets(&octets).expect("an answer");
        assert!(heard.joined.is_some() && test.is_joined(), "{heard:?}");
        (test, token)
    }

    /// What a test connection hears of the server.
    pub fn heard(&mut self, test: &mut Test, token: Token) -> Result<Heard, ClientError> {
        let octets = self.served.take(token);
        test.on_octets(&octets)
    }

    /// Why the session is over.
    pub fn failure(&self) -> Option<&ClientError> {
        self.told.iter().find_map(|told| match told {
            Told::Failed(error) => Some(error),
            _ => None,
        })
    }
}
