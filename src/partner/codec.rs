//! Messages as octets, and back.
//!
//! Owns frames ([`Frames`] finds them in what comes, with a limit), the codec of opening messages, requests and
//! reports, and the seal on frames of a session (`Seal`). Decoding is strict: a value has one form only, what is out
//! of its range is refused, and nothing may follow. Uses [`super::message`] and [`super::secret`].

mod report;
mod request;
mod value;

use value::{Reader, Writer};

use super::message::{Allowance, Joined, Nonce, Number, Refusal, Report, Request, SessionId, Welcome};
use super::secret::{Key, TAG, WHOLE};

/// Most octets of a frame, its length included.
pub const LONGEST_FRAME: usize = 512;

/// What a hello and a join begin with.
pub const MAGIC: [u8; 8] = *b"KSPARTNR";

/// Octets of the length.
const LENGTH: usize = 2;

/// What came is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A frame of no or too many octets.
    #[error("a message of {0} octets; 1 to {most} are allowed", most = LONGEST_FRAME - LENGTH)]
    Length(usize),
    /// No such message, or not here.
    #[error("an unknown message 0x{0:02x}")]
    Kind(u8),
    /// Its octets are not what such a message has.
    #[error("a message 0x{0:02x} whose octets make no sense")]
    Malformed(u8),
    /// It was changed on its way, repeated or left out, or made by somebody without the secret.
    #[error("a message whose tag is wrong")]
    Tag,
}

/// The octets of a message with their length before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// All of it.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// What message this is.
    pub fn kind(&self) -> u8 {
        self.0.get(LENGTH).copied().unwrap_or(0)
    }

    fn body(&self) -> &[u8] {
        self.0.get(LENGTH + 1..).unwrap_or(&[])
    }
}

/// Finds frames in octets as they come. Never holds more than one of them.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    begun: Vec<u8>,
}

impl Frames {
    /// Takes octets from the front of `input` until a frame is whole; nothing if they do not suffice.
    ///
    /// # Errors
    /// If the length that comes next is not allowed; nothing can be read after that.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, CodecError> {
        self.fill(LENGTH, input);
        let Some(length) = self.begun.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        let whole = LENGTH + length;
        if length == 0 || whole > LONGEST_FRAME {
            return Err(CodecError::Length(length));
        }
        self.fill(whole, input);
        Ok((self.begun.len() == whole).then(|| Frame(std::mem::take(&mut self.begun))))
    }

    /// Octets of a frame that is not whole yet.
    pub fn pending(&self) -> usize {
        self.begun.len()
    }

    fn fill(&mut self, until: usize, input: &mut &[u8]) {
        let wanted = until.saturating_sub(self.begun.len()).min(input.len());
        let (taken, rest) = input.split_at_checked(wanted).unwrap_or((input, &[]));
        self.begun.extend_from_slice(taken);
        *input = rest;
    }
}

/// What is said before there is a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The client begins a session. More of it may follow in another version.
    Hello {
        /// The version it speaks.
        version: u16,
        /// Its part of what makes the session unique; of another version zero.
        nonce: Nonce,
    },
    /// The server's answer.
    Challenge {
        /// The version it speaks.
        version: u16,
        /// Whether it has a secret.
        secret: bool,
        /// Its part.
        nonce: Nonce,
    },
    /// The client knows the secret.
    Proof([u8; WHOLE]),
    /// This is a test connection.
    Join {
        /// The version that the client speaks.
        version: u16,
        /// Of this session; of another version zero.
        session: SessionId,
        /// With this number.
        number: Number,
        /// HMAC over what is before it.
        mac: [u8; WHOLE],
    },
    /// It is one now.
    Joined {
        /// As the server sees it.
        joined: Joined,
        /// The server knows the key too.
        tag: [u8; TAG],
    },
    /// No.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The version that the server speaks.
        version: u16,
    },
}

mod kind {
    pub(super) const HELLO: u8 = 0x01;
    pub(super) const PROOF: u8 = 0x02;
    pub(super) const JOIN: u8 = 0x03;
    pub(super) const CHALLENGE: u8 = 0x81;
    pub(super) const WELCOME: u8 = 0x82;
    pub(super) const JOINED: u8 = 0x83;
    pub(super) const REFUSED: u8 = 0x8f;
}

impl Opening {
    /// Its octets.
    pub fn encode(&self) -> Frame {
        match self {
            Opening::Hello { version, nonce } => {
                let mut writer = Writer::new(kind::HELLO);
                writer.octets(&MAGIC).u16(*version).octets(nonce);
                writer.finish()
            }
            Opening::Challenge { version, secret, nonce } => {
                let mut writer = Writer::new(kind::CHALLENGE);
                writer.u16(*version).u8(u8::from(*secret)).octets(nonce);
                writer.finish()
            }
            Opening::Proof(proof) => {
                let mut writer = Writer::new(kind::PROOF);
                writer.octets(proof);
                writer.finish()
            }
            Opening::Join { version, session, number, mac } => {
                let mut writer = Writer::new(kind::JOIN);
                writer.octets(&MAGIC).u16(*version).octets(&session.0).u32(number.0).octets(mac);
                writer.finish()
            }
            Opening::Joined { joined, tag } => {
                let mut writer = Writer::new(kind::JOINED);
                writer.tuple(&joined.seen).time(joined.now).octets(tag);
                writer.finish()
            }
            Opening::Refused { refusal, version } => {
                let mut writer = Writer::new(kind::REFUSED);
                writer.u8(refusal_code(*refusal)).u16(*version);
                writer.finish()
            }
        }
    }

    /// Reads one. Of a hello and a join of another version only the version is read.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(frame: &Frame) -> Result<Opening, CodecError> {
        let mut reader = Reader::new(frame.body());
        let opening = match frame.kind() {
            kind::HELLO | kind::JOIN if !reader.begins_with(&MAGIC) => None,
            kind::HELLO => reader.u16().and_then(|version| {
                let nonce = if version == super::VERSION { reader.array()? } else { reader.skip([0; 32]) };
                Some(Opening::Hello { version, nonce })
            }),
            kind::JOIN => reader.u16().and_then(|version| {
                let of_ours = version == super::VERSION;
                let session = SessionId(if of_ours { reader.array()? } else { reader.skip([0; 16]) });
                let number = Number(if of_ours { reader.u32()? } else { 0 });
                let mac = if of_ours { reader.array()? } else { [0; WHOLE] };
                Some(Opening::Join { version, session, number, mac })
            }),
            kind::CHALLENGE => reader.u16().and_then(|version| {
                Some(Opening::Challenge { version, secret: reader.flag()?, nonce: reader.array()? })
            }),
            kind::PROOF => reader.array().map(Opening::Proof),
            kind::JOINED => {
                reader.joined().and_then(|joined| Some(Opening::Joined { joined, tag: reader.array()? }))
            }
            kind::REFUSED => reader.u8().and_then(|code| {
                Some(Opening::Refused { refusal: refusal_of(code)?, version: reader.u16()? })
            }),
            other => return Err(CodecError::Kind(other)),
        };
        opening.filter(|_| reader.is_done()).ok_or(CodecError::Malformed(frame.kind()))
    }

    /// A join whose HMAC is right.
    pub(super) fn join(key: &Key, session: SessionId, number: Number) -> Opening {
        let unproven = Opening::Join { version: super::VERSION, session, number, mac: [0; WHOLE] };
        let frame = unproven.encode();
        let mac = key.whole(&[without_last::<WHOLE>(frame.octets()).0]);
        Opening::Join { version: super::VERSION, session, number, mac }
    }

    /// Whether the HMAC of a join is right; `frame` is the one it was read from.
    pub(super) fn is_proven_join(frame: &Frame, key: &Key) -> bool {
        let (before, mac) = without_last::<WHOLE>(frame.octets());
        mac.is_some_and(|mac| key.is_whole(&[before], mac))
    }

    /// A joined whose tag is right.
    pub(super) fn joined(key: &Key, session: SessionId, number: Number, joined: Joined) -> Opening {
        let frame = Opening::Joined { joined, tag: [0; TAG] }.encode();
        let before = without_last::<TAG>(frame.octets()).0;
        Opening::Joined { joined, tag: key.tag(&[before, &number.0.to_be_bytes(), &session.0]) }
    }

    /// Whether the tag of a joined is right; `frame` is the one it was read from.
    pub(super) fn is_proven_joined(frame: &Frame, key: &Key, session: SessionId, number: Number) -> bool {
        let (before, tag) = without_last::<TAG>(frame.octets());
        tag.is_some_and(|tag| key.is_tag(&[before, &number.0.to_be_bytes(), &session.0], tag))
    }
}

/// The last octets of a frame apart; none if it is shorter.
fn without_last<const N: usize>(octets: &[u8]) -> (&[u8], Option<&[u8; N]>) {
    match octets.split_last_chunk::<N>() {
        Some((before, last)) => (before, Some(last)),
        None => (octets, None),
    }
}

const fn refusal_code(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Version => 1,
        Refusal::Secret => 2,
        Refusal::Full => 3,
        Refusal::NoSession => 4,
    }
}

const fn refusal_of(code: u8) -> Option<Refusal> {
    match code {
        1 => Some(Refusal::Version),
        2 => Some(Refusal::Secret),
        3 => Some(Refusal::Full),
        4 => Some(Refusal::NoSession),
        _ => None,
    }
}

/// One direction of a control connection: its key, and how many frames went by.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    key: Key,
    count: u64,
}

impl Seal {
    pub(super) fn new(key: Key) -> Self {
        Self { key, count: 0 }
    }

    pub(super) fn request(&mut self, request: &Request) -> Frame {
        self.close(request::encode(request))
    }

    pub(super) fn report(&mut self, report: &Report) -> Frame {
        self.close(report::encode(report))
    }

    pub(super) fn welcome(&mut self, welcome: &Welcome) -> Frame {
        let mut writer = Writer::new(kind::WELCOME);
        writer.octets(&welcome.session.0).allowance(&welcome.allowance).abilities(welcome.abilities);
        writer.time(welcome.now).tuple(&welcome.seen);
        self.close(writer)
    }

    pub(super) fn open_request(&mut self, frame: &Frame) -> Result<Request, CodecError> {
        let mut reader = Reader::new(self.open(frame)?);
        request::decode(frame.kind(), &mut reader)
    }

    pub(super) fn open_report(&mut self, frame: &Frame) -> Result<Report, CodecError> {
        let mut reader = Reader::new(self.open(frame)?);
        report::decode(frame.kind(), &mut reader)
    }

    pub(super) fn open_welcome(&mut self, frame: &Frame) -> Result<Welcome, CodecError> {
        if frame.kind() != kind::WELCOME {
            return Err(CodecError::Kind(frame.kind()));
        }
        let mut reader = Reader::new(self.open(frame)?);
        reader.welcome().filter(|_| reader.is_done()).ok_or(CodecError::Malformed(frame.kind()))
    }

    /// Puts the tag behind a message.
    fn close(&mut self, mut writer: Writer) -> Frame {
        writer.reserve(TAG);
        let unsealed = writer.finish();
        let (before, _) = without_last::<TAG>(unsealed.octets());
        let tag = self.key.tag(&[&self.count.to_be_bytes(), before]);
        self.count += 1;
        Frame([before, &tag].concat())
    }

    /// The body of a frame whose tag is right.
    fn open<'a>(&mut self, frame: &'a Frame) -> Result<&'a [u8], CodecError> {
        let (before, tag) = without_last::<TAG>(frame.octets());
        let right = tag.is_some_and(|tag| self.key.is_tag(&[&self.count.to_be_bytes(), before], tag));
        if !right {
            return Err(CodecError::Tag);
        }
        self.count += 1;
        before.get(LENGTH + 1..).ok_or(CodecError::Malformed(frame.kind()))
    }
}

impl Reader<'_> {
    fn joined(&mut self) -> Option<Joined> {
        Some(Joined { seen: self.tuple()?, now: self.time()? })
    }

    fn welcome(&mut self) -> Option<Welcome> {
        Some(Welcome {
            session: SessionId(self.array()?),
            allowance: self.allowance()?,
            abilities: self.abilities()?,
            now: self.time()?,
            seen: self.tuple()?,
        })
    }

    fn allowance(&mut self) -> Option<Allowance> {
        Some(Allowance {
            connections: self.u16()?,
            messages: self.u16()?,
            octets: self.u32()?,
            expire: self.span()?,
            lasts: self.span()?,
            watch: self.span()?,
        })
    }
}

impl Writer {
    fn allowance(&mut self, allowance: &Allowance) -> &mut Self {
        self.u16(allowance.connections).u16(allowance.messages).u32(allowance.octets);
        self.span(allowance.expire).span(allowance.lasts).span(allowance.watch)
    }
}

#[cfg(test)]
mod tests;
