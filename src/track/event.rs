//! What the tracker says: an append-only stream of events about connections with keepalives.
//!
//! Owns the event types. An event never changes; a later one may name the one it corrects. Uses
//! [`crate::time`], [`crate::frame`] and [`crate::segment`].

use std::fmt;
use std::net::IpAddr;

use super::repeated::Repeated;
use crate::frame::FrameId;
use crate::segment::{Endpoint, IcmpKind, SeqNum, TcpTimestamps};
use crate::time::{Span, Timestamp};

/// Number of a connection, from 1, in the order in which their first frames were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The end that sent the SYN; where that was not captured, the end with the higher port.
    Client,
    /// The other end.
    Server,
}

impl Party {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Party {
        match self {
            Party::Client => Party::Server,
            Party::Server => Party::Client,
        }
    }

    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Party::Client => "client",
            Party::Server => "server",
        }
    }
}

/// Whether the beginning of a connection was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// A SYN was captured.
    Seen,
    /// The first captured segment is from later on.
    Midstream,
}

impl Start {
    /// `seen` or `midstream`.
    pub const fn name(self) -> &'static str {
        match self {
            Start::Seen => "seen",
            Start::Midstream => "midstream",
        }
    }
}

/// A frame with its time: a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Which frame.
    pub frame: FrameId,
    /// When it was captured.
    pub time: Timestamp,
}

/// One event; `number` counts from 1 within its connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The connection it is about.
    pub connection: ConnectionId,
    /// Its number in that connection.
    pub number: u32,
    /// What happened.
    pub kind: EventKind,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The connection is first spoken of. Comes before every other event of it.
    Opened(Opened),
    /// A keepalive probe.
    Probe(Probe),
    /// A probe was answered.
    Answer(Answer),
    /// A probe got no answer.
    Unanswered {
        /// Event number of the probe.
        probe: u32,
    },
    /// Looks like a probe by SEQ and length, and may be one, but SND.NXT is not known yet.
    Candidate(Candidate),
    /// A candidate turned out to be an ordinary segment, or nothing ever decided it.
    Dismissed {
        /// Event number of the candidate.
        candidate: u32,
        /// Why.
        because: Dismissal,
    },
    /// Looks like a probe by SEQ and length and is something else.
    LookAlike(LookAlikeSeen),
    /// What was called a probe is something else, as later packets show.
    Retracted {
        /// Event number of the probe.
        probe: u32,
        /// What it is instead.
        kind: LookAlike,
        /// The frame that shows it.
        evidence: Mark,
    },
    /// A RST that ends the connection.
    Reset {
        /// Who sent it, as far as addresses tell.
        by: Party,
        /// The frame.
        at: Mark,
        /// What its packet shows of where it came from.
        marks: ResetMarks,
    },
    /// A RST had no effect: the connection went on.
    ResetIgnored {
        /// The frame of the RST.
        reset: Mark,
        /// The frame that shows it.
        evidence: Mark,
    },
    /// First FIN of one side.
    Fin {
        /// Who sent it.
        by: Party,
        /// The frame.
        at: Mark,
        /// Time since the last segment either way.
        quiet: Option<Span>,
    },
    /// Nothing more will be said of this connection, and all that was said and not corrected is final. Sent
    /// for every connection, spoken of or not.
    Final(Box<Summary>),
}

/// What the packet of a RST shows of where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetMarks {
    /// Time to live at the point of capture.
    pub ttl: u8,
    /// It carries timestamps.
    pub timestamps: bool,
    /// It acknowledges; a host without the connection answers a segment by a RST that does not (RFC 9293
    /// §3.10.7.1).
    pub ack: bool,
    /// Time since the last segment of the other side, which may have prompted it.
    pub prompted: Option<Span>,
    /// How far its SEQ lies above its sender's SND.NXT, if that is known.
    pub seq_offset: Option<i64>,
    /// Its IPv4 identification.
    pub ip_id: Option<u16>,
    /// Its IPv4 "don't fragment"; always true for IPv6.
    pub dont_fragment: bool,
}

/// The ends of a connection and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The client end.
    pub client: Endpoint,
    /// The server end.
    pub server: Endpoint,
    /// Whether its beginning was captured.
    pub start: Start,
    /// Its first frame.
    pub first: Mark,
}

/// How a probe was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// SEQ = SND.NXT-1 where SND.NXT was known and everything below it acknowledged.
    Acknowledged,
    /// SEQ = SND.NXT-1, or SND.UNA-1, while octets sent before were not acknowledged in this capture.
    Outstanding,
    /// The answer acknowledged exactly SEQ+1 although that octet was never seen.
    AnswerBeyond,
    /// The prober went on at SEQ+1 although that octet was never seen.
    ContinuedBeyond,
    /// The answer reported the octet as a duplicate (D-SACK).
    DuplicateReported,
    /// The same octet came again later as an undoubted probe.
    RepeatedLater,
}

impl Basis {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Basis::Acknowledged => "acknowledged",
            Basis::Outstanding => "outstanding",
            Basis::AnswerBeyond => "answer_beyond",
            Basis::ContinuedBeyond => "continued_beyond",
            Basis::DuplicateReported => "duplicate_reported",
            Basis::RepeatedLater => "repeated_later",
        }
    }
}

/// What the packet of a probe, or of a candidate, shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSegment {
    /// Who sent it.
    pub prober: Party,
    /// The frame.
    pub at: Mark,
    /// Its SEQ.
    pub seq: SeqNum,
    /// Its ACK.
    pub ack: SeqNum,
    /// Octets of data: 0 or 1.
    pub octets: u8,
    /// Time since the last segment that the prober received; `None` if none was captured.
    pub silence: Option<Span>,
    /// Time since the last segment either way; `None` if none was captured.
    pub quiet: Option<Span>,
    /// Its number in the current run of unanswered probes, from 1.
    pub run: u32,
    /// Time to live at the point of capture.
    pub ttl: u8,
    /// Its timestamps option.
    pub timestamps: Option<TcpTimestamps>,
    /// Its IPv4 identification.
    pub ip_id: Option<u16>,
    /// The IPv4 identification of the packet that its sender sent before it.
    pub ip_id_before: Option<u16>,
    /// Its IPv4 "don't fragment"; always true for IPv6.
    pub dont_fragment: bool,
    /// Its PSH bit.
    pub psh: bool,
    /// Its octet, if it has one and that was captured.
    pub octet: Option<u8>,
    /// Its window field, not scaled.
    pub window: u16,
    /// The window field that its sender sent before it.
    pub window_before: Option<u16>,
    /// By how much its ACK lies below the peer's SND.NXT as far as captured, if that is known.
    pub ack_lag: Option<i64>,
    /// Octets in flight, and whether it stands at SND.UNA-1 (otherwise at SND.NXT-1): known only where
    /// something was in flight.
    pub in_flight: Option<InFlight>,
}

/// What was in flight when a probe left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// From SND.UNA to SND.NXT, as far as captured.
    pub octets: u64,
    /// The probe stands at SND.UNA-1; otherwise at SND.NXT-1.
    pub below_una: bool,
}

/// A keepalive probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What the packet shows.
    pub segment: ProbeSegment,
    /// Why it is a probe.
    pub basis: Basis,
    /// The candidate or look-alike event that this one corrects.
    pub corrects: Option<u32>,
}

/// A segment that may be a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What the packet shows.
    pub segment: ProbeSegment,
}

/// Why a candidate is not called a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dismissal {
    /// Later segments show that its SEQ was SND.NXT: an ordinary segment.
    Ordinary,
    /// Nothing captured decides it.
    Undecided,
}

impl Dismissal {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Dismissal::Ordinary => "ordinary",
            Dismissal::Undecided => "undecided",
        }
    }
}

/// What came back for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Event number of the probe.
    pub probe: u32,
    /// What kind of answer it is.
    pub kind: AnswerKind,
    /// The frame.
    pub at: Mark,
    /// Time from the probe to the answer at the point of capture.
    pub rtt: Span,
    /// Time to live of the answering packet.
    pub ttl: u8,
    /// The answer reports the probe's octet as a duplicate (D-SACK).
    pub dsack: bool,
    /// The answer's window differs from the one before it.
    pub window_changed: bool,
    /// Timestamps of the answer.
    pub timestamps: Option<TcpTimestamps>,
    /// For ICMP: who reported it.
    pub reporter: Option<IpAddr>,
    /// The earlier event that said something else of this probe: one more answer came than there were probes
    /// left, so each belongs to an earlier probe than it seemed.
    pub corrects: Option<u32>,
}

/// The kinds of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// A segment without data that acknowledges SND.NXT.
    Ack,
    /// A segment with data that acknowledges SND.NXT.
    Data,
    /// A reset.
    Reset,
    /// An ICMP error that quotes the probe.
    Icmp(IcmpKind),
}

impl AnswerKind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            AnswerKind::Ack => "ack",
            AnswerKind::Data => "data",
            AnswerKind::Reset => "reset",
            AnswerKind::Icmp(_) => "icmp",
        }
    }
}

/// What resembles a probe or its answer and is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookAlike {
    /// A lone octet sent again because it was not, or may not have been, acknowledged.
    RetransmittedOctet,
    /// The receiver's window is 0 and data waits.
    ZeroWindowProbe,
    /// An acknowledgment that was overtaken by a later segment.
    ReorderedAck,
    /// Same SEQ and ACK as before, another window.
    WindowUpdate,
    /// Same SEQ, ACK and window as before, and no answer to a probe.
    DuplicateAck,
    /// The answer to an unacceptable SYN or RST (RFC 5961).
    ChallengeAck,
}

impl LookAlike {
    /// All of them, in the order of [`LookAlikes::count`].
    pub const ALL: [LookAlike; 6] = [
        LookAlike::RetransmittedOctet,
        LookAlike::ZeroWindowProbe,
        LookAlike::ReorderedAck,
        LookAlike::WindowUpdate,
        LookAlike::DuplicateAck,
        LookAlike::ChallengeAck,
    ];

    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            LookAlike::RetransmittedOctet => "retransmitted_octet",
            LookAlike::ZeroWindowProbe => "zero_window_probe",
            LookAlike::ReorderedAck => "reordered_ack",
            LookAlike::WindowUpdate => "window_update",
            LookAlike::DuplicateAck => "duplicate_ack",
            LookAlike::ChallengeAck => "challenge_ack",
        }
    }
}

/// A look-alike that shares SEQ and length with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookAlikeSeen {
    /// Who sent it.
    pub sender: Party,
    /// The frame.
    pub at: Mark,
    /// What it is.
    pub kind: LookAlike,
    /// The rule that says so, in a few words.
    pub rule: &'static str,
}

/// How many of each look-alike a side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LookAlikes {
    counts: [u32; LookAlike::ALL.len()],
}

impl LookAlikes {
    /// How many of `kind`.
    pub fn count(&self, kind: LookAlike) -> u32 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, kind: LookAlike, more: u32) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count = count.saturating_add(more);
        }
    }
}

/// What was seen of one side, in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SideSummary {
    /// Segments captured, copies not counted.
    pub segments: u64,
    /// Segments with data.
    pub data_segments: u64,
    /// Its last segment.
    pub last: Option<Mark>,
    /// Its first FIN.
    pub fin: Option<Mark>,
    /// Lowest and highest time to live of its segments, RSTs not counted.
    pub ttl: Option<(u8, u8)>,
    /// It sent timestamps.
    pub timestamps: bool,
    /// What its SYN offered, if that was captured.
    pub syn: Option<SynOffer>,
    /// How the packets that carried its data were marked.
    pub data_packets: DataPackets,
    /// Octets of it were acknowledged that are not in the capture: it left out packets.
    pub octets_missing: bool,
    /// The latest octets, or FIN, that it sent again.
    pub repeated: Option<Repeated>,
    /// Its look-alikes.
    pub lookalikes: LookAlikes,
}

/// The options on a SYN that tell stacks apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SynOffer {
    /// Timestamps.
    pub timestamps: bool,
    /// SACK permitted.
    pub sack_permitted: bool,
    /// The shift count of its window scale option.
    pub window_scale: Option<u8>,
}

/// The IPv4 "don't fragment" of the packets with data of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DataPackets {
    /// Some had it set.
    pub dont_fragment: bool,
    /// Some had it clear.
    pub may_fragment: bool,
}

/// Everything about a connection that is not an event of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its ends and its first frame. For a connection first seen mid-stream these are the last word.
    pub opened: Opened,
    /// Its last frame.
    pub last: Mark,
    /// The client's side.
    pub client: SideSummary,
    /// The server's side.
    pub server: SideSummary,
    /// The RST that ended it, and who sent it.
    pub reset: Option<(Party, Mark)>,
    /// Captured copies of frames that were set aside.
    pub duplicates: u64,
    /// The latest time that had been read when this was written.
    pub seen_until: Timestamp,
    /// It was let go here to make room for others: what came later of it counts as another connection, whose start
    /// was not captured.
    pub let_go: bool,
}

impl Summary {
    /// One side of it.
    pub const fn side(&self, party: Party) -> &SideSummary {
        match party {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }
}
