//! Packed probes against a plain list.

use super::*;
use crate::frame::FrameId;
use crate::segment::SeqNum;
use crate::time::{Span, Timestamp};
use crate::track::event::{AnswerKind, Basis, Party, ProbeSegment};

fn mark(frame: u64) -> Mark {
    Mark { frame: FrameId { capture: 0, number: frame }, time: Timestamp::from_nanos(frame as i64 * 1_000) }
}

fn probe(event: u32, frame: u64) -> ProbeRecord {
    ProbeRecord {
        event,
        segment: ProbeSegment {
            prober: Party::Client,
            at: mark(frame),
            seq: SeqNum(7),
            ack: SeqNum(8),
            octets: 0,
            silence: Some(Span::from_secs(1)),
            quiet: None,
            run: 1,
            ttl: 64,
            timestamps: None,
            ip_id: None,
            ip_id_before: None,
            dont_fragment: true,
            psh: false,
            octet: None,
            window: 500,
            window_before: None,
            ack_lag: None,
            in_flight: None,
        },
        basis: Basis::Acknowledged,
        answer: None,
    }
}

fn answer(probe: u32, frame: u64) -> Answer {
    Answer {
        probe,
        kind: AnswerKind::Ack,
        at: mark(frame),
        rtt: Span::from_micros(50),
        ttl: 60,
        dsack: false,
        window_changed: false,
        timestamps: None,
        reporter: None,
        corrects: None,
    }
}

fn comes_after(one: Mark, other: Mark) -> bool {
    one.frame > other.frame
}

/// Random numbers, the same for each seed (a linear congruential generator, its upper half).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Against a plain list, whatever comes in whatever order.
#[test]
fn packed_probes_are_what_a_list_would_be() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let (mut packed, mut list) = (PackedProbes::default(), Vec::<ProbeRecord>::new());
        // What is known of the last probe is so as long as it is said to be, and may be forgotten at any time.
        let mut tail = None;
        // With some seeds most come late, so that blocks are put into.
        let late = [0, 2, 30, 90][seed as usize % 4];
        for event in 1..=400_u32 {
            let frame = if random.below(100) < late {
                random.below(event as usize * 2) as u64
            } else {
                u64::from(event) * 2
            };
            if seed % 3 == 0 || random.below(5) == 0 {
                tail = None;
            }
            match random.below(10) {
                0 if !list.is_empty() => {
                    tail = None;
                    let gone = list.remove(random.below(list.len()));
                    assert_eq!(packed.remove(gone.event), Some(gone), "seed {seed}");
                }
                1..=3 if !list.is_empty() => {
                    let index = random.below(list.len());
                    let answer = answer(list[index].event, frame + 1);
                    list[index].answer = Some(answer);
                    assert!(packed.answer(&answer, &mut tail), "seed {seed}");
                }
                4 if random.below(40) == 0 => {
                    let half = list.len() / 2;
                    tail = None;
                    list.drain(..half);
                    assert_eq!(packed.forget_half(), half, "seed {seed}");
                }
                _ => {
                    let record = probe(event, frame);
                    let place = list.iter().rposition(|other| !comes_after(other.segment.at, mark(frame)));
                    list.insert(place.map_or(0, |place| place + 1), record.clone());
                    packed.insert(&record, comes_after, &mut tail);
                }
            }
            assert_eq!((packed.len(), packed.is_empty()), (list.len(), list.is_empty()), "seed {seed}");
            assert!(
                !packed.has(1_000)
                    && !packed.answer(&answer(1_000, 1), &mut tail)
                    && packed.remove(1_000).is_none()
            );
        }
        assert_eq!(packed.unpacked().probes, list, "seed {seed}");
        for most in [0, 1, 63, 64, 65, usize::MAX] {
            let from = list.len().saturating_sub(most);
            assert_eq!(packed.latest(most).probes, list[from..], "seed {seed}, {most}");
        }
        assert!(list.iter().all(|record| packed.has(record.event)), "seed {seed}");
    }
}
