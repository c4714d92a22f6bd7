//! The near side: the library's own client over blocking sockets, and what can be seen from there.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use keepscope::live::clock::{Clock, SystemClock};
use keepscope::partner::client::test::Test;
use keepscope::partner::client::{Client, ClientError, Options, Told};
use keepscope::partner::message::{AskId, Back, Form, Joined, Nonce, Number};
use keepscope::partner::secret::Secret;
use keepscope::time::{Span, Timestamp};

use crate::SECRET;

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often to look at the clock while waiting for octets.
const LOOK: Duration = Duration::from_millis(20);

/// The time since the machine was started.
pub fn uptime() -> Duration {
    Duration::from_nanos(u64::try_from(SystemClock.since_boot()).expect("a time"))
}

/// A session.
pub struct Near {
    pub control: TcpStream,
    pub client: Client,
    told: VecDeque<Told>,
    /// Opens a connection to the partner.
    open: Box<dyn Fn() -> TcpStream>,
}

/// A test connection of a session.
pub struct Tested {
    pub stream: TcpStream,
    pub test: Test,
    pub joined: Joined,
}

pub fn secret() -> Secret {
    Secret::new(SECRET.as_bytes()).expect("a secret")
}

/// Never the same.
pub fn random() -> Nonce {
    use std::hash::{BuildHasher, RandomState};
    let mut nonce = Nonce::default();
    for (place, chunk) in nonce.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(place).to_be_bytes());
    }
    nonce
}

impl Near {
    /// A session over connections that are opened so.
    pub fn open(
        secret: Secret,
        options: Options,
        open: impl Fn() -> TcpStream + 'static,
    ) -> Result<Near, ClientError> {
        let control = open();
        control.set_read_timeout(Some(LOOK)).expect("a time-out");
        let client = Client::new(secret, options, random(), Timestamp::from_nanos(SystemClock.since_boot()));
        let mut near = Near { control, client, told: VecDeque::new(), open: Box::new(open) };
        match near.next() {
            Told::Open(_) => Ok(near),
            Told::Failed(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// A session with whoever listens at an address.
    pub fn at(address: SocketAddr) -> Near {
        let open = move || TcpStream::connect(address).expect("a connection");
        Near::open(secret(), Options::default(), open).expect("a session")
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(SystemClock.since_boot())
    }

    /// Writes what is to be written; whether the connection still takes it.
    pub fn write(&mut self) {
        while let Some(octets) = self.client.poll_octets() {
            // Its end is seen by reading.
            let _ = self.control.write_all(&octets);
        }
    }

    /// What is told next.
    pub fn next(&mut self) -> Told {
        let until = uptime() + PATIENCE;
        let mut octets = [0; 700];
        loop {
            if let Some(told) = self.told.pop_front() {
                return told;
            }
            assert!(uptime() < until, "nothing is told");
            self.write();
            match self.control.read(&mut octets) {
                Ok(0) => self.client.on_ended(),
                Ok(count) => self.client.on_octets(self.now(), &octets[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    self.client.on_timeout(self.now());
                }
                Err(_) => self.client.on_ended(),
            }
            self.told.extend(std::iter::from_fn(|| self.client.poll_told()));
        }
    }

    /// A test connection that has joined.
    pub fn join(&mut self, number: u32) -> Tested {
        let mut stream = (self.open)();
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut test = self.client.test(Number(number)).expect("an open session");
        stream.write_all(&test.begin()).expect("written");
        let mut octets = [0; 100];
        loop {
            let count = stream.read(&mut octets).expect("an answer");
            assert!(count > 0, "it was closed");
            if let Some(joined) = test.on_octets(&octets[..count]).expect("sense").joined {
                return Tested { stream, test, joined };
            }
        }
    }

    /// Asks for something now, and waits until it has left.
    pub fn ask(&mut self, number: u32, form: Form, watch: Span) -> (AskId, Span) {
        let id = self.client.ask(Number(number), form, Span::ZERO, watch).expect("an open session");
        match self.next() {
            Told::Sent { ask, idle, .. } if ask.id == id => (id, idle),
            other => panic!("{other:?}"),
        }
    }

    /// What came back of what was asked.
    pub fn back(&mut self, id: AskId) -> Back {
        match self.next() {
            Told::Back { ask, back, .. } if ask.id == id => back,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the session in order.
    pub fn bye(mut self) {
        self.client.bye();
        self.write();
    }
}

impl Tested {
    /// An exchange after which idle begins anew.
    pub fn arm(&mut self) {
        let octet = [self.test.arm()];
        self.stream.write_all(&octet).expect("written");
        let mut octets = [0; 1];
        self.stream.read_exact(&mut octets).expect("an echo");
        assert_eq!(self.test.on_octets(&octets).expect("sense").echoes, 1);
    }

    /// Reads octets that were asked for.
    pub fn probes(&mut self, count: usize) {
        let mut octets = vec![0; count];
        self.stream.read_exact(&mut octets).expect("octets");
        assert_eq!(self.test.on_octets(&octets).expect("sense").probes as usize, count);
    }
}

/// Everything that comes until the other side closes, or for as long as anything takes.
pub fn all_that_comes(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut came = Vec::new();
    let mut octets = [0; 1000];
    loop {
        match stream.read(&mut octets) {
            Ok(0) => return came,
            Ok(count) => came.extend_from_slice(&octets[..count]),
            // Octets that were not read make its end a RST.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return came,
            Err(error) => panic!("{error} after {came:?}"),
        }
    }
}
