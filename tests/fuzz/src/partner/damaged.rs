//! Two who know the secret, and a path that changes, repeats, leaves out or puts in octets: what comes after the change
//! is not believed, and what comes before is.

use arbitrary::{Arbitrary, Result, Unstructured};
use keepscope::partner::client::{Client, Options, Told};
use keepscope::partner::message::{Back, Form, NotSent, Number};
use keepscope::partner::secret::Secret;
use keepscope::partner::server::Token;
use keepscope::time::Span;

use super::server::{Served, are_frames};
use super::{SECRET, START};

const MOST: usize = 40;

/// What the path does to what one side says, once.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    Flip(u8),
    Repeat,
    LeaveOut,
    PutIn(u8),
}

#[derive(Arbitrary, Debug)]
enum Happening {
    Join(u8),
    Ask { number: u8, form: Form2, after: u16 },
    Close(u8, bool),
    Echo(u8, u8),
    Sent(u8),
    NotSent(u8),
    Ended(u8),
    Wait(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Form2 {
    Data(u8),
    Keepalive(bool),
}

impl From<Form2> for Form {
    fn from(form: Form2) -> Form {
        match form {
            Form2::Data(octets) => Form::Data(octets % 16 + 1),
            Form2::Keepalive(octet) => Form::Keepalive(octet.into()),
        }
    }
}

/// One direction of the control connection: what goes through it, and where it is changed.
struct Way {
    passed: usize,
    at: Option<(usize, Change)>,
    changed: bool,
}

impl Way {
    fn read(input: &mut Unstructured<'_>) -> Result<Way> {
        let at = Option::<(u16, Change)>::arbitrary(input)?;
        Ok(Way { passed: 0, at: at.map(|(at, change)| (usize::from(at % 2048), change)), changed: false })
    }

    fn carry(&mut self, octets: &[u8]) -> Vec<u8> {
        let (from, until) = (self.passed, self.passed + octets.len());
        self.passed = until;
        let mut carried = octets.to_vec();
        if let Some((at, change)) = self.at.filter(|(at, _)| (from..until).contains(at)) {
            self.changed = true;
            let at = at - from;
            match change {
                Change::Flip(bits) => carried[at] ^= bits.max(1),
                Change::Repeat => carried.extend_from_within(at..),
                Change::LeaveOut => drop(carried.remove(at)),
                Change::PutIn(octet) => carried.insert(at, octet),
            }
        }
        carried
    }
}

struct Pair {
    served: Served,
    client: Client,
    control: Token,
    to_server: Way,
    to_client: Way,
    told: Vec<Told>,
    /// News that came from octets which were changed.
    believed: usize,
    joined: Vec<Token>,
}

impl Pair {
    fn talk(&mut self) {
        for _ in 0..64 {
            let mut said = false;
            while let Some(octets) = self.client.poll_octets() {
                assert!(are_frames(&octets));
                let carried = self.to_server.carry(&octets);
                self.served.say(self.control, &carried);
                said = true;
            }
            let octets = self.served.take(self.control);
            if !octets.is_empty() {
                let changed = self.to_client.changed;
                let carried = self.to_client.carry(&octets);
                self.client.on_octets(self.served.now, &carried);
                self.hear(changed);
                said = true;
            }
            if self.served.closed.contains_key(&self.control) && !self.client.is_over() {
                self.client.on_ended();
            }
            self.hear(false);
            if !said {
                return;
            }
        }
        panic!("they talk for ever");
    }

    /// Takes the news; `changed` if the octets that brought them came behind a change.
    fn hear(&mut self, changed: bool) {
        while let Some(told) = self.client.poll_told() {
            let failed = self.told.iter().any(|told| matches!(told, Told::Failed(_)));
            assert!(!failed, "{told:?} after the failure");
            self.believed += usize::from(changed && !matches!(told, Told::Failed(_)));
            self.told.push(told);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let number = |number: u8| Number(u32::from(number % 6));
        let now = self.served.now;
        match happening {
            Happening::Join(which) => {
                let Some(mut test) = self.client.test(number(which)) else { return };
                let token = self.served.accept();
                self.served.say(token, &test.begin());
                if test.on_octets(&self.served.take(token)).is_ok() && test.is_joined() {
                    self.joined.push(token);
                }
            }
            Happening::Ask { number: which, form, after } => {
                let after = Span::from_millis(after.into());
                self.client.ask(number(which), form.into(), after, Span::from_secs(2));
            }
            Happening::Close(which, abort) => self.client.close(number(which), abort),
            Happening::Echo(which, octet) => {
                let Some(token) = choose(&self.joined, which) else { return };
                let octet = *b"EEES".get(usize::from(octet)).unwrap_or(&octet);
                self.served.say(token, &[octet]);
            }
            Happening::Sent(which) => {
                let Some((token, id, form)) = self.take_send(which) else { return };
                self.served.server.on_sent(now, token, id, form, Span::from_secs(1));
                let back = match which & 0x40 {
                    0 => Back::Acknowledged { after: Span::from_millis(20) },
                    _ => Back::Silence { tries: 3, last: Span::from_secs(1) },
                };
                self.served.server.on_back(now, token, id, back);
            }
            Happening::NotSent(which) => {
                let Some((token, id, _)) = self.take_send(which) else { return };
                self.served.server.on_not_sent(now, token, id, NotSent::Refused);
            }
            Happening::Ended(which) => {
                let Some(token) = choose(&self.joined, which) else { return };
                self.served.end(token);
            }
            Happening::Wait(millis) => self.wait(Span::from_millis(millis.into())),
        }
        self.served.act();
    }

    fn take_send(&mut self, which: u8) -> Option<(Token, keepscope::partner::message::AskId, Form)> {
        let sends = &mut self.served.sends;
        (!sends.is_empty()).then(|| sends.remove(usize::from(which) % sends.len()))
    }

    fn wait(&mut self, span: Span) {
        let until = self.served.now.plus(span);
        for _ in 0..64 {
            let due = self.client.next_timeout().filter(|due| *due <= until);
            let next = due.unwrap_or(until).max(self.served.now);
            self.served.wait(next.since(self.served.now));
            self.client.on_timeout(next);
            let again = self.client.next_timeout();
            assert!(again.is_none_or(|again| again > next), "due at {again:?} again, and it is {next:?}");
            self.talk();
            if due.is_none() {
                return;
            }
        }
    }
}

fn choose(among: &[Token], by: u8) -> Option<Token> {
    (!among.is_empty()).then(|| among[usize::from(by) % among.len()])
}

pub(super) fn hold(input: &mut Unstructured<'_>) -> Result<()> {
    let (to_server, to_client) = (Way::read(input)?, Way::read(input)?);
    let mut served = Served::new();
    let control = served.accept();
    let secret = Secret::new(SECRET).expect("long enough");
    let client = Client::new(secret, Options::default(), [7; 32], START);
    let (told, joined) = (Vec::new(), Vec::new());
    let mut pair = Pair { served, client, control, to_server, to_client, told, believed: 0, joined };
    pair.talk();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        pair.happen(Happening::arbitrary(input)?);
        pair.talk();
    }
    assert_eq!(pair.believed, 0, "believed behind a change: {:?}", pair.told);
    if !pair.to_server.changed && !pair.to_client.changed {
        assert!(matches!(pair.told.first(), Some(Told::Open(_))), "{:?}", pair.told);
    }
    let changed = pair.to_client.changed || pair.to_server.changed;
    pair.wait(Span::from_secs(120));
    if changed {
        assert!(pair.client.is_over(), "it goes on behind a change: {:?}", pair.told);
    }
    assert_eq!(pair.client.is_over(), pair.told.iter().any(|told| matches!(told, Told::Failed(_))));
    pair.client.bye();
    while let Some(octets) = pair.client.poll_octets() {
        pair.served.say(control, &octets);
    }
    pair.served.ends();
    Ok(())
}
