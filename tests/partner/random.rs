//! Both machines through whatever may happen, in whatever order: what the server says always makes sense to the client,
//! every question is answered at most once, and nothing is left when all is over.

use std::collections::BTreeMap;

use keepscope::partner::client::test::Test;
use keepscope::partner::client::{Client, ClientError, Options, Told};
use keepscope::partner::message::{AskId, Back, Ending, Form, NotSent, Number, OverReason};
use keepscope::partner::server::{Limits, Token};
use keepscope::time::Span;
use proptest::prelude::*;

use crate::pair::{Served, secret};

/// Something that happens; the numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Begin,
    Visitor(Vec<u8>),
    Join(u8, u8),
    Ask(u8, u8, Form, u16),
    Close(u8, u8, bool),
    Octets(u8, Vec<u8>),
    /// The system did what the server wanted to be sent.
    Sent(u8),
    NotSent(u8),
    Acknowledged(u8),
    Silence(u8),
    /// A connection ended, of whatever kind.
    Ended(u8, Ending),
    Wait(u32),
    Bye(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{
        Acknowledged, Ask, Begin, Bye, Close, Ended, Join, NotSent, Octets, Sent, Silence, Visitor, Wait,
    };
    let any = any::<u8>;
    let form = prop_oneof![(1..=16_u8).prop_map(Form::Data), (0..=1_u8).prop_map(Form::Keepalive)];
    let ending = prop_oneof![Just(Ending::Fin), Just(Ending::Reset), Just(Ending::TimedOut)];
    let octets = prop::collection::vec(prop::sample::select(b"EESx".to_vec()), 1..4);
    prop_oneof![
        2 => Just(Begin),
        1 => prop::collection::vec(any(), 0..40).prop_map(Visitor),
        4 => (any(), 0..12_u8).prop_map(|(who, number)| Join(who, number)),
        6 => (any(), 0..12_u8, form, 0..3_000_u16)
            .prop_map(|(who, number, form, after)| Ask(who, number, form, after)),
        1 => (any(), 0..12_u8, prop::bool::ANY).prop_map(|(who, number, abort)| Close(who, number, abort)),
        2 => (any(), octets).prop_map(|(who, octets)| Octets(who, octets)),
        4 => any().prop_map(Sent),
        1 => any().prop_map(NotSent),
        3 => any().prop_map(Acknowledged),
        1 => any().prop_map(Silence),
        1 => (any(), ending).prop_map(|(who, how)| Ended(who, how)),
        3 => (0..8_000_u32).prop_map(Wait),
        1 => any().prop_map(Bye),
    ]
}

/// One client and its control connection.
struct Party {
    client: Client,
    control: Token,
    /// How often each question was answered for good.
    answers: BTreeMap<AskId, u32>,
    failed: Option<ClientError>,
}

struct World {
    served: Served,
    parties: Vec<Party>,
    tests: Vec<(Token, Test)>,
    /// What was to be sent, and what has left.
    wanted: Vec<(Token, AskId, Form)>,
    left: Vec<(Token, AskId)>,
}

fn choose<T>(among: &[T], by: u8) -> Option<usize> {
    (!among.is_empty()).then(|| usize::from(by) % among.len())
}

impl World {
    fn talk(&mut self) {
        for party in &mut self.parties {
            loop {
                let mut said = false;
                while let Some(octets) = party.client.poll_octets() {
                    self.served.say(party.control, &octets);
                    said = true;
                }
                let octets = self.served.take(party.control);
                if !octets.is_empty() {
                    party.client.on_octets(self.served.now, &octets);
                    said = true;
                }
                while let Some(told) = party.client.poll_told() {
                    match told {
                        Told::NotSent { ask, .. } | Told::Back { ask, .. } => {
                            *party.answers.entry(ask.id).or_default() += 1;
                        }
                        Told::Failed(error) => party.failed = Some(error),
                        _ => {}
                    }
                }
                if !said {
                    break;
                }
            }
        }
        for (token, test) in &mut self.tests {
            let octets = self.served.take(*token);
            test.on_octets(&octets).expect("sense on a test connection");
        }
        self.wanted.extend(self.served.sends.drain(..).map(|(token, id, form, _)| (token, id, form)));
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.served.clock();
        match happening {
            Happening::Begin => {
                let control = self.served.accept();
                let random = [u8::try_from(self.parties.len()).expect("few"); 32];
                let client =
                    Client::new(secret("correct horse"), Options::default(), random, self.served.now);
                self.parties.push(Party { client, control, answers: BTreeMap::new(), failed: None });
            }
            Happening::Visitor(octets) => {
                let token = self.served.accept();
                self.served.say(token, &octets);
            }
            Happening::Join(who, number) => {
                let party = choose(&self.parties, who).and_then(|who| self.parties.get(who));
                let Some(test) = party.and_then(|one| one.client.test(Number(number.into()))) else { return };
                let token = self.served.accept();
                self.served.say(token, &test.begin());
                // A number that was used is refused.
                if !self.served.closed.contains_key(&token) {
                    self.tests.push((token, test));
                }
            }
            Happening::Ask(who, number, form, after) => {
                let Some(who) = choose(&self.parties, who) else { return };
                let after = Span::from_millis(i64::from(after.saturating_sub(1_500)));
                self.parties[who].client.ask(Number(number.into()), form, after, Span::from_secs(2));
            }
            Happening::Close(who, number, abort) => {
                let Some(who) = choose(&self.parties, who) else { return };
                self.parties[who].client.close(Number(number.into()), abort);
            }
            Happening::Octets(who, octets) => {
                let Some(who) = choose(&self.tests, who) else { return };
                let (token, test) = &mut self.tests[who];
                // An exchange each; what is unknown ends the connection.
                for _ in octets.iter().filter(|octet| **octet == b'E') {
                    test.arm();
                }
                self.served.say(*token, &octets);
            }
            Happening::Sent(which) => {
                let Some(which) = choose(&self.wanted, which) else { return };
                let (token, id, form) = self.wanted.remove(which);
                self.served.server.on_sent(now, token, id, form, Span::from_secs(1));
                self.left.push((token, id));
            }
            Happening::NotSent(which) => {
                let Some(which) = choose(&self.wanted, which) else { return };
                let (token, id, _) = self.wanted.remove(which);
                self.served.server.on_not_sent(now, token, id, NotSent::Refused);
            }
            Happening::Acknowledged(which) | Happening::Silence(which) => {
                let Some(which) = choose(&self.left, which) else { return };
                let (token, id) = self.left.remove(which);
                let back = match happening {
                    Happening::Silence(_) => Back::Silence { tries: 3, last: Span::from_secs(1) },
                    _ => Back::Acknowledged { after: Span::from_millis(20) },
                };
                self.served.server.on_back(now, token, id, back);
            }
            Happening::Ended(who, how) => {
                let tokens: Vec<Token> = self
                    .tests
                    .iter()
                    .map(|(token, _)| *token)
                    .chain(self.parties.iter().map(|party| party.control))
                    .collect();
                let Some(who) = choose(&tokens, who) else { return };
                self.served.server.on_ended(now, tokens[who], how, Span::from_secs(1));
                self.parties.iter_mut().filter(|one| one.control == tokens[who]).for_each(|one| {
                    one.client.on_ended();
                });
            }
            Happening::Wait(millis) => self.wait(Span::from_millis(millis.into())),
            Happening::Bye(who) => {
                let Some(who) = choose(&self.parties, who) else { return };
                self.parties[who].client.bye();
            }
        }
        self.served.act();
    }

    /// Lets time pass for all.
    fn wait(&mut self, span: Span) {
        let until = self.served.now.plus(span);
        while self.served.now < until {
            let due = self.parties.iter().filter_map(|party| party.client.next_timeout()).min();
            let next = due.unwrap_or(until).min(until).max(self.served.now);
            self.served.wait(next.since(self.served.now));
            self.parties.iter_mut().for_each(|party| party.client.on_timeout(next));
            self.talk();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn both_sides_agree_whatever_happens(happenings in prop::collection::vec(happening(), 1..80)) {
        let limits = Limits { connections: 6, sessions: 2, visitors: 4, octets: 40, ..Limits::default() };
        let mut world = World {
            served: Served::new(secret("correct horse"), limits),
            parties: Vec::new(),
            tests: Vec::new(),
            wanted: Vec::new(),
            left: Vec::new(),
        };
        for happening in happenings {
            world.happen(happening);
            world.talk();
            let server = &world.served.server;
            prop_assert!(server.sessions() <= 2);
            prop_assert!(server.connections() <= 4 + 2 * (1 + 6), "{}", server.connections());
        }
        // All time passes, and no client is there any more.
        world.served.wait(Span::from_secs(7 * 3600));
        prop_assert_eq!(world.served.server.connections(), 0);
        prop_assert_eq!(world.served.server.next_timeout(), None);
        for party in &world.parties {
            prop_assert!(party.answers.values().all(|count| *count == 1), "{:?}", party.answers);
            // Nothing that the server says is wrong to the client.
            let fair = matches!(
                party.failed,
                None | Some(
                    ClientError::Full
                        | ClientError::Lost
                        | ClientError::ClosedEarly
                        | ClientError::SaysNothing(_)
                        | ClientError::Silent(_)
                        | ClientError::Over(OverReason::Expired | OverReason::Lasted)
                )
            );
            prop_assert!(fair, "{:?}", party.failed);
        }
    }
}
