//! What holds for any input at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use keepscope::analysis::Collector;
use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::pipeline::Pipeline;
use keepscope::segment::{
    Endpoint, Flags, IcmpError, IcmpKind, Options, SackBlock, Segment, SeqNum, TcpTimestamps,
};
use keepscope::time::Timestamp;
use keepscope::track::Tracker;
use keepscope::track::event::{ConnectionId, Event, EventKind};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[derive(Clone, Debug)]
enum Input {
    Segment(Segment),
    Icmp(IcmpError),
    Time(Timestamp),
}

fn number() -> impl Strategy<Value = u32> {
    // Mostly near each other, around the wrap.
    prop_oneof![
        6 => (0u32..12).prop_map(|near| near.wrapping_sub(5)),
        2 => (0u32..12).prop_map(|near| near + 0x7fff_fff8),
        1 => any::<u32>(),
    ]
}

fn endpoint() -> impl Strategy<Value = (Endpoint, Endpoint)> {
    (0u8..2, any::<bool>(), 0u16..2).prop_map(|(host, turned, port)| {
        let one = Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port: 40_000 + port };
        let two = Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), port: 80 };
        if turned { (two, one) } else { (one, two) }
    })
}

fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        5 => 0i64..2_000_000_000,
        2 => 0i64..100_000,
        2 => 0i64..100_000_000_000,
        1 => -5_000_000_000i64..0,
        1 => Just(i64::MAX / 4),
        1 => Just(i64::MIN / 4),
    ]
}

fn flags() -> impl Strategy<Value = u8> {
    prop_oneof![8 => Just(0x10u8), 2 => Just(0x18u8), 1 => Just(0x02u8), 1 => Just(0x12u8),
        1 => Just(0x11u8), 1 => Just(0x04u8), 1 => Just(0x14u8), 1 => any::<u8>()]
}

fn segment() -> impl Strategy<Value = Segment> {
    let options = (any::<bool>(), number(), proptest::option::of(number()), 0u32..3);
    let rest = (prop_oneof![Just(0u16), Just(1000u16), any::<u16>()], 60u8..65, 0u32..2, 0u16..4);
    (
        endpoint(),
        number(),
        number(),
        flags(),
        prop_oneof![6 => Just(0u32), 4 => Just(1u32), 2 => 2u32..20, 1 => any::<u32>()],
        options,
        rest,
    )
        .prop_map(|((source, destination), seq, ack, flags, len, options, rest)| {
            let (stamped, value, sack, octet) = options;
            let (window, ttl, interface, id) = rest;
            Segment {
                id: FrameId::default(),
                time: Timestamp::default(),
                interface,
                source,
                destination,
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: Flags(flags),
                window,
                len,
                first_octet: (len > 0 && octet > 0).then_some(octet as u8),
                options: Options {
                    timestamps: stamped.then_some(TcpTimestamps { value, echo: 0 }),
                    sack: sack.map(|left| SackBlock { left: SeqNum(left), right: SeqNum(left).plus(1) }),
                    ..Options::default()
                },
                ttl,
                ip_id: (id > 0).then_some(id),
                dont_fragment: true,
            }
        })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        20 => segment().prop_map(Input::Segment),
        1 => (endpoint(), number()).prop_map(|((source, destination), seq)| Input::Icmp(IcmpError {
            id: FrameId::default(),
            time: Timestamp::default(),
            reporter: source.address,
            kind: IcmpKind::Unreachable(1),
            source,
            destination,
            seq: SeqNum(seq),
            quoted_ip_id: Some(7),
            ttl: 60,
        })),
        1 => Just(Input::Time(Timestamp::default())),
    ]
}

/// Inputs with times and frame numbers; now and then one is repeated as a probe would be.
fn inputs() -> impl Strategy<Value = Vec<Input>> {
    proptest::collection::vec((input(), gap(), 0u8..4), 0..60).prop_map(|steps| {
        let mut now = 1_700_000_000_000_000_000_i64;
        let mut made: Vec<Input> = Vec::new();
        for (step, gap, again) in steps {
            now = now.saturating_add(gap);
            let time = Timestamp::from_nanos(now);
            let id = FrameId { capture: 0, number: made.len() as u64 + 1 };
            let step = if again == 0 { made.last().cloned().unwrap_or(step) } else { step };
            made.push(match step {
                Input::Segment(segment) => Input::Segment(Segment { id, time, ..segment }),
                Input::Icmp(error) => Input::Icmp(IcmpError { id, time, ..error }),
                Input::Time(_) => Input::Time(time),
            });
        }
        made
    })
}

fn feed(tracker: &mut Tracker, input: &Input) -> Vec<Event> {
    match input {
        Input::Segment(segment) => {
            tracker.segment(segment);
        }
        Input::Icmp(error) => {
            tracker.icmp(error);
        }
        Input::Time(time) => tracker.pass_time(*time),
    }
    std::iter::from_fn(|| tracker.poll_event()).collect()
}

/// What was said of one connection so far.
#[derive(Default)]
struct Said {
    last: u32,
    over: bool,
    /// Probes and what was said of each, by event: how often answered or not, less corrections; retracted.
    probes: BTreeMap<u32, (Vec<u32>, bool)>,
    candidates: BTreeSet<u32>,
    /// Which probe each word about one spoke of.
    words: BTreeMap<u32, u32>,
}

fn check(events: &[Event], frames: u64) -> Result<(), TestCaseError> {
    let mut all: BTreeMap<ConnectionId, Said> = BTreeMap::new();
    for event in events {
        let said = all.entry(event.connection).or_default();
        prop_assert!(!said.over, "nothing after the last word: {event:?}");
        prop_assert_eq!(event.number, said.last + 1, "numbers count up");
        said.last = event.number;
        let first = matches!(event.kind, EventKind::Opened(_));
        let alone = matches!(event.kind, EventKind::Final(_)) && event.number == 1;
        prop_assert_eq!(first || alone, event.number == 1);
        match &event.kind {
            EventKind::Probe(probe) => {
                prop_assert!((1..=frames).contains(&probe.segment.at.frame.number));
                if let Some(candidate) = probe.corrects {
                    prop_assert!(said.candidates.remove(&candidate), "corrects a candidate: {event:?}");
                }
                said.probes.insert(event.number, (Vec::new(), false));
            }
            EventKind::Candidate(_) => {
                said.candidates.insert(event.number);
            }
            EventKind::Dismissed { candidate, .. } => {
                prop_assert!(said.candidates.remove(candidate), "dismisses a candidate: {event:?}");
            }
            EventKind::Answer(answer) => {
                prop_assert!((1..=frames).contains(&answer.at.frame.number));
                prop_assert!(answer.rtt.as_nanos() >= 0, "time does not run backwards: {event:?}");
                if let Some(corrected) = answer.corrects {
                    // The corrected word need not be about the same probe; it is taken back.
                    let about = said.words.remove(&corrected);
                    prop_assert!(about.is_some(), "corrects a word that stands: {event:?}");
                    if let Some(probe) = about.and_then(|about| said.probes.get_mut(&about)) {
                        probe.0.retain(|word| *word != corrected);
                    }
                }
                said.words.insert(event.number, answer.probe);
                let probe = said.probes.get_mut(&answer.probe);
                prop_assert!(probe.is_some(), "answers a probe: {event:?}");
                if let Some(probe) = probe {
                    probe.0.push(event.number);
                }
            }
            EventKind::Unanswered { probe } => {
                said.words.insert(event.number, *probe);
                let probe = said.probes.get_mut(probe);
                prop_assert!(probe.is_some(), "is about a probe: {event:?}");
                if let Some(probe) = probe {
                    probe.0.push(event.number);
                }
            }
            EventKind::Retracted { probe, .. } => {
                let probe = said.probes.get_mut(probe);
                prop_assert!(probe.is_some(), "retracts a probe: {event:?}");
                if let Some(probe) = probe {
                    prop_assert!(!probe.1, "retracts once: {event:?}");
                    probe.1 = true;
                }
            }
            EventKind::Final(_) => {
                said.over = true;
                prop_assert!(said.candidates.is_empty(), "every candidate was decided or dismissed");
                for (probe, (words, retracted)) in &said.probes {
                    prop_assert!(
                        *retracted || words.len() == 1,
                        "one word stands about probe {probe}: {words:?} in {events:#?}"
                    );
                }
            }
            _ => {}
        }
    }
    for (connection, said) in &all {
        prop_assert!(said.over, "connection {connection} has a last word");
    }
    Ok(())
}

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("KEEPSCOPE_CASES").ok().and_then(|value| value.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(9293),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn events_of_any_segments_keep_their_order(inputs in inputs()) {
        let mut tracker = Tracker::new(0);
        let mut events: Vec<Event> = inputs.iter().flat_map(|input| feed(&mut tracker, input)).collect();
        tracker.finish();
        events.extend(std::iter::from_fn(|| tracker.poll_event()));
        check(&events, inputs.len() as u64)?;
        let mut collector = Collector::default();
        let records = events.iter().filter_map(|event| collector.on_event(event)).count();
        prop_assert_eq!(records as u64, tracker.connections());
    }

    #[test]
    fn what_is_said_of_a_beginning_is_the_beginning_of_what_is_said(inputs in inputs(), part in 0usize..60) {
        let (mut whole, mut begun) = (Tracker::new(0), Tracker::new(1));
        let all: Vec<Event> = inputs.iter().flat_map(|input| feed(&mut whole, input)).collect();
        let some: Vec<Event> = inputs.iter().take(part).flat_map(|input| feed(&mut begun, input)).collect();
        prop_assert_eq!(&all[..some.len()], &some[..]);
    }

    #[test]
    fn any_octets_are_read(
        frames in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..120), any::<u16>(), 0usize..12, gap(), 0u8..8),
            0..30,
        )
    ) {
        const LINKS: [u16; 12] = [0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 1, 101];
        let mut pipeline = Pipeline::new(0);
        let mut now = 0i64;
        for ((mut data, link, kind, gap, fcs_len), number) in frames.into_iter().zip(1..) {
            now = now.saturating_add(gap);
            // Half of them look like IP, so that more is read than the first octet.
            if let Some(first) = data.first_mut() {
                *first = if fcs_len % 2 == 0 { 0x45 } else { 0x60 };
            }
            if let Some(protocol) = data.get_mut(9) {
                *protocol = 6;
            }
            let link = LINKS.get(kind).copied().unwrap_or(link);
            pipeline.frame(&Frame {
                id: FrameId { capture: 0, number },
                time: Timestamp::from_nanos(now),
                interface: 0,
                link: LinkType::from_number(link),
                fcs_len,
                flags: None,
                names: None,
                wire_len: data.len() as u32 + u32::from(fcs_len),
                data: &data,
            });
        }
        pipeline.finish();
        let mut collector = Collector::default();
        while let Some(event) = pipeline.poll_event() {
            collector.on_event(&event);
        }
    }
}
