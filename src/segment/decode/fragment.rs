//! IP fragments: from the pieces of a packet to the TCP segment in it.
//!
//! Owns [`Fragments`], the pieces that wait for the others, and [`GivenUp`], those that wait no longer. Uses
//! [`crate::frame`], [`crate::time`], the IP and TCP layers, the skip reasons and etherparse's header slices
//! only.
//!
//! Of a packet only its beginning is kept, with the IP header of its first fragment, and which parts of it
//! have come: nothing else of a segment is ever looked at. A packet is read in the frame that completes it,
//! as Wireshark does, and only if its pieces fit together without overlapping. The same piece once more is a
//! copy and changes nothing; one that contradicts another spoils its packet (RFC 5722), for nothing says which
//! of the two the receiver believed.
//!
//! Packets are told apart by capture and interface too, so that a fragment seen at two points is not taken
//! for two; in return a packet whose fragments are in two files of a rotated set is not put together.

use std::collections::VecDeque;
use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::ip::{self, Header, Packet, Piece};
use super::skip::{Layer, Skip};
use super::{Decoded, tcp};
use crate::frame::Frame;
use crate::time::{Span, Timestamp};

/// How many packets wait at a time; a further one takes the place of the oldest.
const MAX_WAITING: usize = 64;
/// The most pieces of one packet: 64 KiB over the smallest links there are.
const MAX_PIECES: usize = 128;
/// How long a packet waits for its last piece: as long as Linux does.
const PATIENCE: Span = Span::from_secs(30);
/// How much of a packet is kept: the longest TCP header, its first octet of data and some extension headers.
const HEAD: usize = 128;
/// The longest IPv4 header.
const IP_HEADER: usize = 60;

/// Fragments of packets of which other fragments are missing. Its memory is bounded, whatever comes.
#[derive(Debug, Default)]
pub struct Fragments {
    /// In the order of their first fragments.
    waiting: VecDeque<Waiting>,
    given_up: Vec<GivenUp>,
}

/// Frames that were answered with [`Decoded::Waiting`] and turned out not to make up a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The capture they are in.
    pub capture: u32,
    /// What became of them.
    pub reason: Skip,
    /// How many they are.
    pub frames: u64,
}

impl Fragments {
    /// Gives up everything that still waits, at the end of the input.
    pub fn finish(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.give_up(&waiting, Skip::Fragment);
        }
    }

    /// The next frames that wait no longer, if there are some.
    pub fn take_given_up(&mut self) -> Option<GivenUp> {
        self.given_up.pop()
    }

    /// Takes a fragment in; answers with the segment if it was the last one missing.
    pub(super) fn add(&mut self, frame: &Frame<'_>, piece: &Piece<'_>) -> Decoded {
        self.forget(frame.time);
        let Some(part) = Part::of(piece) else { return Decoded::Skipped(Skip::Malformed(Layer::Ip)) };
        let key = Key::of(frame, piece);
        let at = self.place(key, frame.time);
        let Some(waiting) = self.waiting.get_mut(at) else { return Decoded::Skipped(Skip::Fragment) };
        match waiting.take_in(piece, part) {
            Taken::Waits => Decoded::Waiting,
            Taken::Refused => {
                let frames = waiting.spoil();
                self.count(key.capture, Skip::Fragment, frames);
                Decoded::Skipped(Skip::Fragment)
            }
            Taken::Complete => {
                let Some(waiting) = self.waiting.remove(at) else { return Decoded::Skipped(Skip::Fragment) };
                let decoded = waiting.read(frame);
                if let Decoded::Skipped(reason) = decoded {
                    self.give_up(&waiting, reason);
                }
                decoded
            }
        }
    }

    /// Where the packet with this key waits, from now on if it did not yet.
    fn place(&mut self, key: Key, now: Timestamp) -> usize {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.key == key) {
            return at;
        }
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.give_up(&oldest, Skip::Fragment);
        }
        self.waiting.push_back(Waiting::new(key, now));
        self.waiting.len() - 1
    }

    /// Gives up what has waited too long, or waits in a future that the capture has left.
    fn forget(&mut self, now: Timestamp) {
        while let Some(at) = self.waiting.iter().position(|waiting| now.since(waiting.since).abs() > PATIENCE)
        {
            if let Some(old) = self.waiting.remove(at) {
                self.give_up(&old, Skip::Fragment);
            }
        }
    }

    fn give_up(&mut self, waiting: &Waiting, reason: Skip) {
        self.count(waiting.key.capture, reason, waiting.frames);
    }

    fn count(&mut self, capture: u32, reason: Skip, frames: u64) {
        if frames > 0 {
            self.given_up.push(GivenUp { capture, reason, frames });
        }
    }
}

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    capture: u32,
    interface: u32,
    source: IpAddr,
    destination: IpAddr,
    /// Of IPv4 only: in IPv6 the first fragment alone has the right one.
    protocol: Option<u8>,
    id: u32,
}

impl Key {
    fn of(frame: &Frame<'_>, piece: &Piece<'_>) -> Self {
        Self {
            capture: frame.id.capture,
            interface: frame.interface,
            source: piece.header.source(),
            // The one in the header itself: a routing header may stand in the first fragment only.
            destination: match &piece.header {
                Header::V4(header) => IpAddr::V4(header.destination_addr()),
                Header::V6(header, _) => IpAddr::V6(header.destination_addr()),
            },
            protocol: piece.header.is_ipv4().then_some(piece.protocol),
            id: piece.id,
        }
    }
}

/// Which octets of its packet a fragment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: u16,
    /// The one after the last.
    end: u16,
    /// Up to where they were captured.
    captured: u16,
}

impl Part {
    /// `None` if no packet can have a fragment like this: empty, beyond the longest packet, or followed by
    /// others and not made of whole units of 8 octets.
    fn of(piece: &Piece<'_>) -> Option<Self> {
        if piece.len == 0 || (piece.more && !piece.len.is_multiple_of(8)) {
            return None;
        }
        Some(Self {
            start: u16::try_from(piece.offset).ok()?,
            end: u16::try_from(piece.offset + piece.len).ok()?,
            captured: u16::try_from(piece.offset + piece.data.len()).ok()?,
        })
    }
}

/// What a fragment was to its packet.
enum Taken {
    Waits,
    Complete,
    Refused,
}

/// A packet of which fragments are missing.
#[derive(Debug)]
struct Waiting {
    key: Key,
    since: Timestamp,
    /// Frames held back for it.
    frames: u64,
    /// Fragments of it contradict each other; it stays to keep the later ones from looking like a new packet.
    spoiled: bool,
    /// By start; none overlaps another.
    parts: Vec<Part>,
    /// Known with the last fragment.
    total: Option<u16>,
    head: [u8; HEAD],
    /// Protocol and IP header of the first fragment.
    first: Option<First>,
}

#[derive(Debug)]
struct First {
    protocol: u8,
    is_ipv4: bool,
    header: [u8; IP_HEADER],
    header_len: usize,
    final_destination: Option<[u8; 16]>,
}

impl First {
    fn of(piece: &Piece<'_>) -> Self {
        let (octets, final_destination) = match &piece.header {
            Header::V4(header) => (header.slice(), None),
            Header::V6(header, last) => (header.slice(), last.copied()),
        };
        let mut header = [0; IP_HEADER];
        for (to, from) in header.iter_mut().zip(octets) {
            *to = *from;
        }
        Self {
            protocol: piece.protocol,
            is_ipv4: piece.header.is_ipv4(),
            header,
            header_len: octets.len().min(IP_HEADER),
            final_destination,
        }
    }

    fn header(&self) -> Option<Header<'_>> {
        let octets = self.header.get(..self.header_len)?;
        Some(if self.is_ipv4 {
            Header::V4(Ipv4HeaderSlice::from_slice(octets).ok()?)
        } else {
            Header::V6(Ipv6HeaderSlice::from_slice(octets).ok()?, self.final_destination.as_ref())
        })
    }
}

impl Waiting {
    fn new(key: Key, since: Timestamp) -> Self {
        Self {
            key,
            since,
            frames: 0,
            spoiled: false,
            parts: Vec::new(),
            total: None,
            head: [0; HEAD],
            first: None,
        }
    }

    /// Marks it as contradictory and lets go of what it has; answers how many frames it held.
    fn spoil(&mut self) -> u64 {
        self.spoiled = true;
        self.parts = Vec::new();
        std::mem::take(&mut self.frames)
    }

    fn take_in(&mut self, piece: &Piece<'_>, part: Part) -> Taken {
        if self.spoiled || !self.agrees_on_end(part, piece.more) {
            return Taken::Refused;
        }
        let at = self.parts.partition_point(|other| other.start < part.start);
        let next = self.parts.get(at);
        if let Some(same) = next.filter(|next| (next.start, next.end) == (part.start, part.end)) {
            if !self.repeats(piece, part, *same) {
                return Taken::Refused;
            }
            self.frames += 1;
            return Taken::Waits;
        }
        let before = at.checked_sub(1).and_then(|before| self.parts.get(before));
        let overlaps = next.is_some_and(|next| next.start < part.end)
            || before.is_some_and(|before| before.end > part.start);
        if overlaps || self.parts.len() >= MAX_PIECES {
            return Taken::Refused;
        }
        self.parts.insert(at, part);
        self.keep(piece);
        if self.is_complete() {
            return Taken::Complete;
        }
        self.frames += 1;
        Taken::Waits
    }

    /// Whether the packet can end where this part and the others say.
    fn agrees_on_end(&mut self, part: Part, more: bool) -> bool {
        match self.total {
            Some(total) if more => part.end < total,
            Some(total) => part.end == total,
            None if more => true,
            None => {
                self.total = Some(part.end);
                self.parts.last().is_none_or(|last| last.end <= part.end)
            }
        }
    }

    /// Whether what is known of a part that came before is the same as what came now.
    fn repeats(&self, piece: &Piece<'_>, part: Part, same: Part) -> bool {
        let known = usize::from(same.captured.min(part.captured)).min(HEAD);
        let Some(kept) = self.head.get(usize::from(part.start)..known) else { return true };
        piece.data.starts_with(kept)
    }

    fn keep(&mut self, piece: &Piece<'_>) {
        for (to, from) in self.head.iter_mut().skip(piece.offset).zip(piece.data) {
            *to = *from;
        }
        if piece.offset == 0 {
            self.first = Some(First::of(piece));
        }
    }

    /// No part overlaps another or the end, so they are complete when they are long enough together.
    fn is_complete(&self) -> bool {
        let have: usize = self.parts.iter().map(|part| usize::from(part.end - part.start)).sum();
        self.total.is_some_and(|total| have == usize::from(total))
    }

    /// How many octets at the start of the packet were captured without a gap.
    fn captured(&self) -> usize {
        let cut = self.parts.iter().find(|part| part.captured < part.end);
        usize::from(cut.or(self.parts.last()).map_or(0, |part| part.captured)).min(HEAD)
    }

    /// Reads the complete packet in the frame that completed it.
    fn read(&self, frame: &Frame<'_>) -> Decoded {
        let data = self.head.get(..self.captured()).unwrap_or_default();
        let len = self.total.map_or(0, usize::from);
        let first = self.first.as_ref().and_then(|first| Some((first.header()?, first.protocol)));
        let Some((header, protocol)) = first else { return Decoded::Skipped(Skip::Fragment) };
        let packet = match ip::behind_extensions(Packet { header, protocol, len, data }) {
            Ok(packet) => packet,
            Err(skip) => return Decoded::Skipped(skip),
        };
        if packet.protocol == ip::TCP {
            tcp::read(frame, &packet)
        } else {
            Decoded::Skipped(Skip::of_protocol(packet.protocol))
        }
    }
}
