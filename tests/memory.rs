//! What connections take in memory, and that a flood of them has its bounds.
//!
//! Every allocation of this test binary is counted, so its tests take turns.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keepscope::analysis::bounds::Bounds;
use keepscope::analysis::verification::Histories;
use keepscope::analysis::{Collector, ConnectionRecord, Finished, Recorded};
use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::pipeline::Pipeline;
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Endpoint, Flags, Options, SeqNum, TcpTimestamps};
use keepscope::time::{Span, Timestamp};
use keepscope::track::LetGo;
use keepscope::track::event::{EventKind, Start};

/// Octets in use, and the most there were.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST_USED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn grow(octets: usize) {
    let now = IN_USE.fetch_add(octets, Ordering::Relaxed) + octets;
    MOST_USED.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: everything is handed on to the system's allocator as it came; only sizes are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised to this function.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a while.
        grow(size);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised to this function.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// One test at a time.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
const DATA: Flags = Flags::PSH.with(Flags::ACK);
const FIN: Flags = Flags::FIN.with(Flags::ACK);
const RST: Flags = Flags::RST;

/// One segment of a conversation: whether the client sends it, its flags, SEQ and ACK relative to the first of each
/// direction, and octets of data.
type Said = (bool, Flags, u32, u32, usize);

const OPENING: [Said; 3] = [(true, SYN, 0, 0, 0), (false, SYN_ACK, 0, 1, 0), (true, ACK, 1, 1, 0)];
const EXCHANGE: [Said; 4] =
    [(true, DATA, 1, 1, 100), (false, ACK, 1, 101, 0), (false, DATA, 1, 101, 100), (true, ACK, 101, 101, 0)];
const CLOSING: [Said; 4] = [
    (true, FIN, 101, 101, 0),
    (false, ACK, 101, 102, 0),
    (false, FIN, 101, 102, 0),
    (true, ACK, 102, 102, 0),
];
const PROBE: [Said; 2] = [(true, ACK, 100, 101, 0), (false, ACK, 101, 101, 0)];

/// The pipeline with what gathers its events, as `analyze` has them.
struct Reading {
    pipeline: Pipeline,
    collector: Collector,
    records: Vec<ConnectionRecord>,
    /// Connections as they are kept until they are shown, where nobody looks at them before.
    kept: Option<Vec<Finished>>,
    /// What is never the same twice in packets.
    variety: Variety,
    random: Random,
    /// What `verify` and `middlebox --from` remember beside.
    histories: Option<Histories>,
    /// The probes that were said to be lost.
    lost: Option<Vec<u32>>,
    bounds: Option<Bounds>,
    /// Whether all records are kept, or only those with keepalives.
    all: bool,
    finished: u64,
    octets: Vec<u8>,
    number: u64,
    time: i64,
}

impl Reading {
    fn new(hash_seed: u64) -> Self {
        Self {
            pipeline: Pipeline::new(hash_seed),
            collector: Collector::default(),
            records: Vec::new(),
            kept: None,
            variety: Variety::None,
            random: Random(1),
            histories: None,
            lost: None,
            bounds: None,
            all: false,
            finished: 0,
            octets: Vec::with_capacity(2048),
            number: 0,
            time: 1_700_000_000_000_000_000,
        }
    }

    fn limited(most: usize) -> Self {
        let mut reading = Self::new(7);
        reading.pipeline.keep_at_most(most);
        reading
    }

    /// One segment, `after` so many nanoseconds.
    fn segment(&mut self, ends: (Endpoint, Endpoint), said: Said, after: i64) {
        let (by_client, flags, seq, ack, len) = said;
        let (source, destination) = if by_client { ends } else { (ends.1, ends.0) };
        let (own, other) = if by_client { (1_000, 5_000) } else { (5_000, 1_000) };
        self.octets.clear();
        let mut options = Options::default();
        let (mut window, mut ttl, mut ip_id) = (1000, 64, 0);
        match self.variety {
            Variety::None => {}
            Variety::Usual => {
                self.time += i64::from(self.random.below(4_000_000));
                let clock = |offset: u32| offset.wrapping_add((self.time / 1_000_000) as u32);
                let (mine, other) = if by_client { (7, 90_000) } else { (90_000, 7) };
                options.timestamps = Some(TcpTimestamps { value: clock(mine), echo: clock(other) - 30 });
                ip_id = self.number as u16;
            }
            Variety::Every => {
                self.time += i64::from(self.random.below(1 << 31));
                // A clock that went back would make each an old packet.
                let (value, echo) = ((self.time / 16_384) as u32, self.random.below(u32::MAX));
                options.timestamps = Some(TcpTimestamps { value, echo });
                window = 1 + self.random.below(60_000) as u16;
                ttl = 1 + self.random.below(250) as u8;
                ip_id = self.random.below(60_000) as u16;
                self.number += u64::from(self.random.below(1 << 20));
            }
        }
        Outbound {
            source,
            destination,
            seq: SeqNum(own + seq),
            ack: SeqNum(if flags.ack() { other + ack } else { 0 }),
            flags,
            window,
            options,
            payload: &[0; 1000][..len],
            ttl,
            ip_id,
            dont_fragment: true,
        }
        .packet(&mut self.octets)
        .expect("a packet");
        self.number += 1;
        self.time += after;
        let Self { histories, bounds, .. } = self;
        let frame = Frame {
            id: FrameId { capture: 0, number: self.number },
            time: Timestamp::from_nanos(self.time),
            interface: 0,
            link: LinkType::Raw,
            fcs_len: 0,
            wire_len: self.octets.len() as u32,
            flags: None,
            names: None,
            data: &self.octets,
        };
        self.pipeline.frame_shown(&frame, |segment, observed| {
            histories.iter_mut().for_each(|histories| histories.segment(segment, observed));
            bounds.iter_mut().for_each(|bounds| bounds.on_segment(segment, observed));
        });
        self.take();
    }

    fn say(&mut self, ends: (Endpoint, Endpoint), conversation: &[Said]) {
        for said in conversation {
            self.segment(ends, *said, 100);
        }
    }

    fn take(&mut self) {
        while let Some(event) = self.pipeline.poll_event() {
            if let Some(bounds) = &mut self.bounds {
                bounds.on_event(&event);
                while bounds.poll_silence().is_some() {}
            }
            if let (Some(lost), EventKind::Unanswered { probe }) = (&mut self.lost, &event.kind) {
                lost.push(*probe);
            }
            let Some(finished) = self.collector.take(&event) else { continue };
            if let Some(histories) = &mut self.histories {
                histories.take(finished.id());
            }
            self.finished += 1;
            if let Some(kept) = &mut self.kept {
                kept.push(finished);
            } else {
                let record = finished.record().into_owned();
                if self.all || record.has_keepalives() {
                    self.records.push(record);
                }
            }
        }
    }

    fn finish(&mut self) {
        self.pipeline.finish();
        self.take();
    }
}

/// The ends of a connection, different for each number.
fn ends(number: u32, v6: bool) -> (Endpoint, Endpoint) {
    let (client, server): (IpAddr, IpAddr) = if v6 {
        let group = |number: u32| [(number >> 16) as u16, number as u16];
        let [high, low] = group(number);
        let server = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, high, low).into(), server.into())
    } else {
        (Ipv4Addr::from(0x0a00_0000 + number).into(), Ipv4Addr::new(192, 0, 2, 1).into())
    };
    (Endpoint { address: client, port: 40_000 }, Endpoint { address: server, port: 443 })
}

/// The most octets that were in use for each of so many connections while they were read and reported.
fn octets_each(connections: u32, v6: bool, conversation: &[Said]) -> usize {
    let mut reading = Reading::new(1);
    let before = IN_USE.load(Ordering::Relaxed);
    MOST_USED.store(before, Ordering::Relaxed);
    for number in 0..connections {
        reading.say(ends(number, v6), conversation);
    }
    reading.finish();
    assert_eq!(reading.finished, u64::from(connections));
    (MOST_USED.load(Ordering::Relaxed) - before) / connections as usize
}

/// Connections about which the parts of the index double: 7 of 8 places are in use before, and 7 of 16 after.
const AT_WORST: u32 = 7 << 12;

#[test]
fn a_connection_without_keepalives_takes_300_octets_at_most() {
    let _turn = turn();
    let kinds: [(&str, Vec<Said>); 6] = [
        ("a SYN", OPENING[..1].to_vec()),
        ("a SYN that is refused", vec![OPENING[0], (false, RST.with(ACK), 0, 1, 0)]),
        ("open", [&OPENING[..], &EXCHANGE].concat()),
        ("closed", [&OPENING[..], &EXCHANGE, &CLOSING].concat()),
        ("reset", [&OPENING[..], &EXCHANGE, &[(true, RST, 101, 0, 0)]].concat()),
        ("joined in the middle", EXCHANGE.to_vec()),
    ];
    for (name, conversation) in &kinds {
        for v6 in [false, true] {
            for connections in [AT_WORST, AT_WORST + AT_WORST / 20] {
                let octets = octets_each(connections, v6, conversation);
                println!("{name}, IPv6 {v6}, {connections} connections: {octets} octets each");
                assert!(octets <= 300, "{name}, IPv6 {v6}, {connections} connections: {octets} octets each");
            }
        }
    }
}

/// What differs from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variety {
    None,
    /// What always does: jitter, timestamps and identifications.
    Usual,
    /// As much as can.
    Every,
}

/// What the probes of a connection take while it goes on, and until they are shown.
fn octets_with_probes(variety: Variety, connections: u32, probes: usize) -> usize {
    let empty = IN_USE.load(Ordering::Relaxed);
    let mut reading = Reading::new(1);
    reading.variety = variety;
    reading.kept = Some(Vec::new());
    let before = IN_USE.load(Ordering::Relaxed);
    for number in 0..connections {
        reading.say(ends(number, false), &OPENING);
        reading.say(ends(number, false), &EXCHANGE);
    }
    for _ in 0..probes {
        for number in 0..connections {
            for (said, after) in PROBE.into_iter().zip([2_000_000_000 / i64::from(connections), 20_000_000]) {
                reading.segment(ends(number, false), said, after);
            }
        }
    }
    let while_read = IN_USE.load(Ordering::Relaxed) - before;
    reading.finish();
    let mut kept = reading.kept.take().expect("kept");
    kept.shrink_to_fit();
    drop(reading);
    let when_read = IN_USE.load(Ordering::Relaxed) - empty;
    for finished in &kept {
        let record = finished.record();
        assert_eq!((record.client.probes.len(), record.client.answered()), (probes, probes));
    }
    while_read.max(when_read) / connections as usize
}

#[test]
fn a_connection_with_keepalives_takes_what_its_probes_take() {
    let _turn = turn();
    for variety in [Variety::None, Variety::Usual, Variety::Every] {
        let each = if variety == Variety::Every { PER_ODD_PROBE } else { PER_PROBE };
        for (connections, probes) in
            [(500, 1), (500, 2), (500, 7), (500, 16), (500, 17), (250, 100), (25, 1024)]
        {
            let octets = octets_with_probes(variety, connections, probes);
            println!("{variety:?}, {probes} probes: {octets} octets, {} for each", octets / probes);
            assert!(octets <= BESIDE_PROBES + probes * each, "{variety:?}, {probes} probes: {octets} octets");
        }
    }
}

/// However many wait: each is said to be lost once, in the order in which they were sent, and none before the end.
#[test]
fn probes_that_wait_in_vain_take_no_more() {
    const PROBES: usize = 3_000;
    let _turn = turn();
    let mut reading = Reading::new(1);
    reading.variety = Variety::Usual;
    reading.kept = Some(Vec::new());
    reading.lost = Some(Vec::with_capacity(PROBES));
    let before = IN_USE.load(Ordering::Relaxed);
    MOST_USED.store(before, Ordering::Relaxed);
    reading.say(ends(0, false), &OPENING);
    reading.say(ends(0, false), &EXCHANGE);
    for _ in 0..PROBES {
        reading.segment(ends(0, false), PROBE[0], 2_000_000_000);
    }
    let octets = IN_USE.load(Ordering::Relaxed) - before;
    assert_eq!(reading.lost.as_deref(), Some(&[][..]));
    // The piece of memory that many connections share is there for this one.
    let piece = 80_000;
    println!("{octets} octets for {PROBES} probes without an answer");
    assert!(octets <= piece + BESIDE_PROBES + PROBES * PER_PROBE, "{octets} octets");
    reading.finish();
    let lost = reading.lost.take().expect("events");
    assert_eq!(lost.len(), PROBES);
    assert!(lost.is_sorted_by(|one, next| one < next));
    let record = reading.kept.take().expect("one")[0].record().into_owned();
    assert_eq!(record.client.probes.iter().map(|probe| probe.event).collect::<Vec<_>>(), lost);
    assert_eq!(record.client.answered(), 0);
}

/// Most that a connection with keepalives takes beside its probes, and for each of them: as they are, and where each
/// differs in everything from the one before.
const BESIDE_PROBES: usize = 1024;
const PER_PROBE: usize = 48;
const PER_ODD_PROBE: usize = 64;

#[test]
fn a_flood_stays_within_its_bound_and_drops_no_connection_with_keepalives() {
    let _turn = turn();
    flood(300_000, 10_000);
}

#[test]
#[ignore = "takes a minute; see the README"]
fn a_flood_of_ten_million_stays_within_the_bound_of_the_default() {
    let _turn = turn();
    flood(10_000_000, keepscope::track::MOST_CONNECTIONS);
}

/// Readers that remember more of each connection than the pipeline does: they forget with it.
#[test]
fn silences_and_histories_stay_within_their_bounds_in_a_flood() {
    const MOST: usize = 1_000;
    let _turn = turn();
    // A path of its own for each, and segments until no more are remembered.
    let mut talk = OPENING.to_vec();
    for seq in (1..2_000).step_by(100) {
        talk.extend(
            EXCHANGE.map(|(by_client, flags, own, ack, len)| {
                (by_client, flags, own - 1 + seq, ack - 1 + seq, len)
            }),
        );
    }
    for connections in [MOST as u32, 6 * MOST as u32] {
        let mut reading = Reading::limited(MOST);
        let before = IN_USE.load(Ordering::Relaxed);
        MOST_USED.store(before, Ordering::Relaxed);
        reading.histories = Some(Histories::default());
        (0..connections).for_each(|number| reading.say(ends(number, false), &talk));
        let octets = MOST_USED.load(Ordering::Relaxed) - before;
        println!("histories of {connections} connections: {octets} octets, {} each", octets / MOST);
        assert!(octets <= 4 * 1024 * MOST, "{octets} octets for {connections} connections");

        let mut reading = Reading::limited(MOST);
        let before = IN_USE.load(Ordering::Relaxed);
        MOST_USED.store(before, Ordering::Relaxed);
        let mut bounds = Bounds::new(Span::from_secs(1));
        bounds.keep_at_most(MOST + MOST / 2);
        reading.bounds = Some(bounds);
        // One path of which something can be said, and many of which nothing can.
        let told = ends(0, false);
        reading.say(told, &OPENING);
        reading.say(told, &EXCHANGE);
        for said in PROBE {
            reading.segment(told, said, 2_000_000_000);
        }
        (1..connections).for_each(|number| reading.say(ends(number, false), &talk[..7]));
        let octets = MOST_USED.load(Ordering::Relaxed) - before;
        reading.finish();
        let bounds = reading.bounds.take().expect("bounds");
        println!("silences of {connections} connections: {octets} octets, {} each", octets / MOST);
        assert!(octets <= 2048 * MOST, "{octets} octets for {connections} connections");
        assert_eq!(bounds.let_go() > 0, connections > MOST as u32, "{}", bounds.let_go());
        assert!(bounds.paths().count() <= MOST + MOST / 2);
        assert_eq!(
            bounds.paths().filter(|path| path.tells()).map(|path| path.key.client).collect::<Vec<_>>(),
            [told.0.address]
        );
    }
}

/// SYNs from different addresses, while a connection with keepalives goes on.
fn flood(syns: u32, most: usize) {
    let mut reading = Reading::limited(most);
    let before = IN_USE.load(Ordering::Relaxed);
    MOST_USED.store(before, Ordering::Relaxed);
    let kept = ends(0, false);
    reading.say(kept, &OPENING);
    reading.say(kept, &EXCHANGE);
    let every = syns / 10;
    for number in 1..=syns {
        if number % every == 0 {
            for said in PROBE {
                reading.segment(kept, said, 2_000_000_000);
            }
        }
        reading.say(ends(number, false), &OPENING[..1]);
    }
    let octets = MOST_USED.load(Ordering::Relaxed) - before;
    let bound = 300 * most + 1_000_000;
    println!("{syns} SYNs, {most} connections at once: {octets} octets of {bound}");
    assert!(octets <= bound, "{octets} octets for {most} connections");
    let total = u64::from(syns) + 1;
    let early = total - most as u64;
    assert_eq!(
        reading.pipeline.let_go(),
        LetGo { at_most: most as u64, half_open: early, ..LetGo::default() }
    );
    assert_eq!(reading.pipeline.connections(), total);
    reading.finish();
    assert_eq!(reading.finished, total, "each gets its last word");
    let [record] = &reading.records[..] else { panic!("{:?}", reading.records) };
    assert_eq!((record.client.probes.len(), record.client.answered()), (10, 10));
    assert!(!record.summary.let_go);
}

/// Random numbers, the same for each seed (SplitMix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(limit)) as u32
    }
}

/// What a connection is, that which is let go first first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    HalfOpen,
    Closed,
    Open,
    WithKeepalives,
}

/// Over random lives of connections: whichever is let go, none that would be missed less was there.
#[test]
fn the_least_missed_goes_first() {
    let _turn = turn();
    let mut gone = BTreeMap::new();
    for seed in 0..200 {
        let mut random = Random(seed);
        let most = 4 + random.below(12) as usize;
        let mut reading = Reading::limited(most);
        reading.all = true;
        // By number of the connection, which is that of its address.
        let mut alive: BTreeMap<u32, Kind> = BTreeMap::new();
        let mut begun = 0;
        for _ in 0..400 {
            let known: Vec<u32> = alive.keys().copied().collect();
            let is_new = known.is_empty() || random.below(3) == 0;
            let number = if is_new { begun } else { known[random.below(known.len() as u32) as usize] };
            let before = reading.records.len();
            let kind = if is_new {
                begun += 1;
                reading.segment(ends(number, number % 2 == 1), OPENING[0], 2_000_000);
                Kind::HalfOpen
            } else {
                let (conversation, kind): (&[Said], Kind) = match alive[&number] {
                    Kind::HalfOpen => (
                        &[OPENING[1], OPENING[2], EXCHANGE[0], EXCHANGE[1], EXCHANGE[2], EXCHANGE[3]],
                        Kind::Open,
                    ),
                    Kind::Open if random.below(2) == 0 => (&PROBE, Kind::WithKeepalives),
                    Kind::Open => (&CLOSING, Kind::Closed),
                    Kind::WithKeepalives => (&PROBE, Kind::WithKeepalives),
                    Kind::Closed => (&CLOSING[3..], Kind::Closed),
                };
                for said in conversation {
                    reading.segment(ends(number, number % 2 == 1), *said, 2_000_000);
                }
                kind
            };
            for record in &reading.records[before..] {
                assert!(record.summary.let_go, "seed {seed}: nothing is old enough to end");
                let gone_number = u32::try_from(record.id.0).expect("few") - 1;
                let gone_kind = alive.remove(&gone_number).expect("it was there");
                let least = alive.values().min().copied().unwrap_or(gone_kind);
                assert!(gone_kind <= least, "seed {seed}: {gone_kind:?} went before {least:?}");
                *gone.entry(gone_kind).or_insert(0) += 1;
            }
            alive.insert(number, kind);
            assert!(alive.len() <= most, "seed {seed}");
        }
        let let_go = reading.pipeline.let_go();
        reading.finish();
        assert_eq!(reading.records.len(), begun as usize, "seed {seed}");
        let early = reading.records.iter().filter(|record| record.summary.let_go).count();
        assert_eq!(let_go.total(), early as u64, "seed {seed}");
    }
    assert_eq!(gone.len(), 4, "all kinds were let go at some time: {gone:?}");
}

/// What comes of a connection that was let go is one that was joined in the middle, and says no more than it saw.
#[test]
fn what_was_let_go_comes_back_without_its_start() {
    let _turn = turn();
    let mut reading = Reading::limited(1);
    reading.all = true;
    let (first, second) = (ends(1, false), ends(2, false));
    reading.say(first, &OPENING);
    reading.say(first, &EXCHANGE);
    reading.say(second, &OPENING);
    for said in PROBE.repeat(3) {
        reading.segment(first, said, 10_000_000_000);
    }
    reading.finish();
    let shown: Vec<_> = reading
        .records
        .iter()
        .map(|record| (record.id.0, record.opened.start, record.summary.let_go, record.client.probes.len()))
        .collect();
    assert_eq!(
        shown,
        [(1, Start::Seen, true, 0), (2, Start::Seen, true, 0), (3, Start::Midstream, false, 3)]
    );
}

/// Addresses and ports chosen without the seed collide no more than others: the seed is unpredictable where captures
/// are read, and nothing that is said depends on it.
#[test]
fn what_is_said_does_not_depend_on_the_seed() {
    let _turn = turn();
    let said = |hash_seed: u64| {
        let mut reading = Reading::new(hash_seed);
        reading.pipeline.keep_at_most(50);
        reading.all = true;
        let mut random = Random(3);
        for _ in 0..5_000 {
            let conversation = [&OPENING[..], &EXCHANGE, &PROBE, &CLOSING].concat();
            let said = conversation[random.below(conversation.len() as u32) as usize];
            reading.segment(ends(random.below(80), random.below(2) == 0), said, 50_000_000);
        }
        reading.finish();
        reading.records
    };
    let expected = said(0);
    assert!(expected.len() > 80, "many lives: {}", expected.len());
    for seed in [1, 2, u64::MAX] {
        assert!(said(seed) == expected, "seed {seed}");
    }
}
