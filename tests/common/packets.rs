//! Packets and captures made octet by octet.

/// FIN, SYN, RST, PSH and ACK as they stand in the header.
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Client,
    Server,
}

pub const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 2], 40_000);
pub const SERVER: ([u8; 4], u16) = ([198, 51, 100, 2], 7_000);

/// A TCP segment between [`CLIENT`] and [`SERVER`].
#[derive(Clone, Copy)]
pub struct Tcp<'a> {
    pub from: From,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub ttl: u8,
    /// A multiple of four octets.
    pub options: &'a [u8],
    pub data: &'a [u8],
}

impl Tcp<'_> {
    pub fn new(from: From, flags: u8, seq: u32, ack: u32) -> Self {
        Self { from, flags, seq, ack, window: 500, ttl: 64, options: &[], data: &[] }
    }

    /// In an Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let (source, destination) = match self.from {
            From::Client => (CLIENT, SERVER),
            From::Server => (SERVER, CLIENT),
        };
        let offset = u8::try_from((20 + self.options.len()) / 4).expect("short options") << 4;
        let mut tcp = [source.1.to_be_bytes(), destination.1.to_be_bytes()].concat();
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([offset, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(self.options);
        tcp.extend(self.data);
        ipv4(6, self.ttl, source.0, destination.0, &tcp)
    }
}

/// A payload in IPv4 in Ethernet.
pub fn ipv4(protocol: u8, ttl: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("a short packet").to_be_bytes();
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend(length);
    frame.extend([0, 1, 0x40, 0, ttl, protocol, 0, 0]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(payload);
    frame
}

/// An ICMP "unreachable" with this code, from a router to the client, that quotes a frame of the client.
pub fn unreachable(code: u8, quoted: &[u8]) -> Vec<u8> {
    let quote = quoted.get(14..42).expect("a header and eight octets");
    ipv4(1, 64, [192, 0, 2, 1], CLIENT.0, &[&[3, code, 0, 0, 0, 0, 0, 0], quote].concat())
}

/// A capture in the making: frames with their times in seconds.
#[derive(Clone, Default)]
pub struct Tape(Vec<(f64, Vec<u8>)>);

impl Tape {
    pub fn frame(&mut self, time: f64, frame: Vec<u8>) -> &mut Self {
        self.0.push((time, frame));
        self
    }

    pub fn tcp(&mut self, time: f64, from: From, flags: u8, seq: u32, ack: u32) -> &mut Self {
        self.frame(time, Tcp::new(from, flags, seq, ack).frame())
    }

    /// A handshake with window scale 7 and 100 octets of the client, acknowledged: its SND.NXT is 1100 then, the
    /// server's 5000.
    pub fn opened() -> Self {
        let mut tape = Self::default();
        let options = [2, 4, 5, 0xb4, 3, 3, 7, 1];
        let syn = Tcp { options: &options, ..Tcp::new(From::Client, SYN, 999, 0) };
        let answer = Tcp { options: &options, ..Tcp::new(From::Server, SYN | ACK, 4999, 1000) };
        tape.frame(0.0, syn.frame()).frame(0.02, answer.frame()).tcp(0.021, From::Client, ACK, 1000, 5000);
        let data = Tcp { data: &[b'x'; 100], ..Tcp::new(From::Client, PSH | ACK, 1000, 5000) };
        tape.frame(0.03, data.frame()).tcp(0.05, From::Server, ACK, 5000, 1100);
        tape
    }

    /// A probe of the client.
    pub fn probe(&mut self, time: f64) -> &mut Self {
        self.tcp(time, From::Client, ACK, 1099, 5000)
    }

    /// A probe of the client and its answer.
    pub fn answered(&mut self, time: f64) -> &mut Self {
        self.probe(time).tcp(time + 0.02, From::Server, ACK, 5000, 1100)
    }

    /// The same with other sequence numbers: the client's and the server's go up by so much. All frames are TCP.
    pub fn shifted(&self, client: u32, server: u32) -> Self {
        let shifted = |(time, frame): &(f64, Vec<u8>)| {
            let mut frame = frame.clone();
            let (own, other) = if frame[26..30] == CLIENT.0 { (client, server) } else { (server, client) };
            // Ethernet, and IPv4 without options. Without the flag the field of ACK is none.
            let acks = frame[47] & ACK != 0;
            for (at, by) in [(38, own), (42, if acks { other } else { 0 })] {
                let number: [u8; 4] = frame[at..at + 4].try_into().expect("four octets");
                frame[at..at + 4].copy_from_slice(&u32::from_be_bytes(number).wrapping_add(by).to_be_bytes());
            }
            (*time, frame)
        };
        Self(self.0.iter().map(shifted).collect())
    }

    /// How many frames there are, which is the number of the last.
    pub fn last(&self) -> u64 {
        self.0.len() as u64
    }

    /// It as a pcap file.
    pub fn pcap(&self) -> Vec<u8> {
        let mut octets = pcap_header();
        for (time, frame) in &self.0 {
            let (seconds, part) = (time.trunc() as u32, (time.fract() * 1e6).round() as u32);
            octets.extend(record(1_700_000_000 + seconds, part, frame));
        }
        octets
    }
}

/// The head of a pcap file of Ethernet frames.
pub fn pcap_header() -> Vec<u8> {
    let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A record of a pcap file.
pub fn record(seconds: u32, micros: u32, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("a short frame");
    let head: Vec<u8> =
        [seconds, micros, length, length].iter().flat_map(|word| word.to_le_bytes()).collect();
    [head, frame.to_vec()].concat()
}
