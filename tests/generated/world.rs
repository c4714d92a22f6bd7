//! What a world is made of: hosts, their stacks, a path, a script, and what the tap writes.

/// Nanoseconds.
pub type Time = i64;
pub const MS: Time = 1_000_000;
pub const SEC: Time = 1_000 * MS;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// A small generator of numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.word() % n.max(1)
    }

    /// From `low` up to, not including, `high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(1) as u64) as i64
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Spread evenly over orders of magnitude.
    pub fn decades(&mut self, low: i64, high: i64) -> i64 {
        let (low, high) = ((low as f64).ln(), (high as f64).ln());
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (low + (high - low) * share).exp() as i64
    }
}

/// Why a packet was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Syn,
    Data,
    Fin,
    Again,
    Ack,
    Repeat,
    WindowUpdate,
    Probe,
    WindowProbe,
    Challenge,
    Reset,
    Forged,
}

#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub from: usize,
    pub life: u32,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub len: u32,
    pub octet: u8,
    pub window: u16,
    pub stamps: Option<(u32, u32)>,
    pub dsack: Option<(u32, u32)>,
    pub ip_id: u16,
    pub dont_fragment: bool,
    pub ttl: u8,
    pub tag: Tag,
    /// Number of the probe whose arrival made its receiver send this.
    pub answers: Option<usize>,
    /// SND.UNA and SND.NXT of the sender after it.
    pub una: u64,
    pub next: u64,
    /// Data that its sender had not sent yet.
    pub queued: bool,
}

/// What the tap wrote.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub time: Time,
    /// Which packet; for an ICMP error the one that it quotes.
    pub packet: usize,
    pub interface: u32,
    pub ttl: u8,
    /// The tap, or another one, saw this very packet before.
    pub copy: bool,
    pub icmp: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    Counting,
    Constant,
    Zero,
    Random,
}

/// How one TCP probes, answers and waits.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    pub octets: u32,
    /// The octet of a probe: 0, or the last one that was sent.
    pub garbage_zero: bool,
    pub push: bool,
    pub stamped: bool,
    /// Probes at SND.NXT-1, not at SND.UNA-1.
    pub at_next: bool,
    /// Probes while its data is not acknowledged.
    pub in_flight: bool,
    /// An empty segment below the window proves the peer alive.
    pub hears_empty: bool,
    /// At most one answer to empty segments in 500 ms.
    pub limited: bool,
    pub dsack: bool,
    /// Probes a closed window with the next octet, not with an empty segment.
    pub persists_with_octet: bool,
    pub ids: Ids,
    pub probe_fragments: bool,
    pub doubling: bool,
    pub resets: bool,
    pub delayed_ack: Time,
    pub rto_min: Time,
    pub idle: Time,
    pub interval: Time,
    pub count: u32,
}

impl Stack {
    pub const fn linux() -> Self {
        Stack {
            octets: 0,
            garbage_zero: true,
            push: false,
            stamped: true,
            at_next: false,
            in_flight: false,
            hears_empty: false,
            limited: true,
            dsack: true,
            persists_with_octet: false,
            ids: Ids::Counting,
            probe_fragments: false,
            doubling: false,
            resets: true,
            delayed_ack: 40 * MS,
            rto_min: 200 * MS,
            idle: 10 * SEC,
            interval: 2 * SEC,
            count: 3,
        }
    }

    pub const fn freebsd() -> Self {
        Stack {
            in_flight: true,
            hears_empty: true,
            limited: false,
            dsack: false,
            persists_with_octet: true,
            delayed_ack: 100 * MS,
            rto_min: 230 * MS,
            ..Self::linux()
        }
    }

    pub const fn macos() -> Self {
        Stack { stamped: false, probe_fragments: true, ids: Ids::Zero, ..Self::freebsd() }
    }

    pub const fn windows() -> Self {
        Stack {
            octets: 1,
            in_flight: false,
            hears_empty: true,
            limited: false,
            dsack: false,
            persists_with_octet: true,
            rto_min: 300 * MS,
            ..Self::linux()
        }
    }

    pub const fn illumos() -> Self {
        Stack { doubling: true, ..Self::windows() }
    }

    pub const fn smoltcp() -> Self {
        Stack { at_next: true, delayed_ack: 10 * MS, count: u32::MAX, ids: Ids::Zero, ..Self::windows() }
    }

    pub const fn gvisor() -> Self {
        Stack { at_next: true, hears_empty: true, dsack: false, persists_with_octet: true, ..Self::linux() }
    }

    pub const fn lwip() -> Self {
        Stack { at_next: true, ids: Ids::Counting, ..Self::freebsd() }
    }

    pub const fn picotcp() -> Self {
        Stack { push: true, at_next: true, resets: false, count: u32::MAX, ..Self::freebsd() }
    }

    /// Never probes.
    pub const fn quiet(self) -> Self {
        Stack { idle: 0, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Open,
    Write(u32),
    Close,
    Abort,
    StopReading,
    StartReading,
    /// From now on the path loses what it carries from this host, before or behind the tap.
    Cut {
        before_tap: bool,
        icmp: bool,
    },
    Mend,
    /// Somebody else sends a RST in this host's name, this far beside SND.NXT.
    ForgeReset(i64),
    ForgeSyn,
    /// Only the restart of a host that forgets everything.
    Forget,
}

/// The path of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leg {
    pub delay: Time,
    pub jitter: Time,
    /// In a thousand.
    pub loss: u64,
    pub twice: u64,
}

#[derive(Clone, Debug)]
pub struct World {
    pub stacks: [Stack; 2],
    pub isn: [u32; 2],
    /// Before the tap and behind it, for each sender.
    pub legs: [[Leg; 2]; 2],
    pub stamps: bool,
    pub room: u32,
    pub segment_size: u32,
    /// What the applications write: the octet at every position, or a pattern.
    pub constant_octet: Option<u8>,
    /// Another tap, this much later and one hop on.
    pub second_tap: Option<Time>,
    pub script: Vec<(Time, usize, Action)>,
    pub until: Time,
}

#[derive(Debug, Default)]
pub struct Story {
    pub packets: Vec<Packet>,
    pub seen: Vec<Seen>,
}
