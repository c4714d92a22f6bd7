//! The books of a stream of events: numbers follow each other, every answer has its probe, and in the end each probe
//! has one end of its own.

use std::collections::BTreeMap;

use keepscope::track::event::{ConnectionId, Event, EventKind, Opened, Party};

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waiting,
    /// With the number of the answer.
    Answered(u32),
    Unanswered,
    Retracted,
}

#[derive(Default)]
struct Book {
    last: u32,
    opened: Option<Opened>,
    probes: BTreeMap<u32, (Party, Fate)>,
    candidates: BTreeMap<u32, bool>,
    closed: bool,
}

/// What adds up over all connections.
pub(super) struct Books {
    pub(super) finals: u64,
    pub(super) segments: u64,
}

impl Books {
    pub(super) fn of(events: &[Event]) -> Books {
        let mut all: BTreeMap<ConnectionId, Book> = BTreeMap::new();
        let mut books = Books { finals: 0, segments: 0 };
        for event in events {
            let book = all.entry(event.connection).or_default();
            assert!(!book.closed, "{event:?} after the last word");
            assert_eq!(event.number, book.last + 1, "{event:?}");
            book.last = event.number;
            match (&event.kind, book.opened) {
                (EventKind::Opened(opened), before) => {
                    assert!(before.is_none() && event.number == 1, "{event:?}");
                    book.opened = Some(*opened);
                }
                // Of a connection without keepalives there is only the last word.
                (EventKind::Final(_), _) => {}
                (_, before) => assert!(before.is_some(), "{event:?} before the beginning"),
            }
            book.enter(event, &mut books);
        }
        books
    }
}

impl Book {
    fn enter(&mut self, event: &Event, books: &mut Books) {
        match &event.kind {
            EventKind::Probe(probe) => {
                if let Some(candidate) = probe.corrects {
                    self.decide(candidate, event);
                }
                assert!(probe.segment.octets <= 1 && probe.segment.run >= 1, "{event:?}");
                self.probes.insert(event.number, (probe.segment.prober, Fate::Waiting));
            }
            EventKind::Answer(answer) => {
                let fate = self.fate(answer.probe, event);
                match (*fate, answer.corrects) {
                    (Fate::Waiting, None) | (Fate::Unanswered, Some(_)) => {}
                    (Fate::Answered(before), Some(corrects)) => assert_eq!(before, corrects, "{event:?}"),
                    (other, _) => panic!("{event:?} of a probe that is {other:?}"),
                }
                *fate = Fate::Answered(event.number);
            }
            EventKind::Unanswered { probe } => {
                let fate = self.fate(*probe, event);
                assert_eq!(*fate, Fate::Waiting, "{event:?}");
                *fate = Fate::Unanswered;
            }
            EventKind::Retracted { probe, .. } => {
                let fate = self.fate(*probe, event);
                assert_ne!(*fate, Fate::Retracted, "{event:?}");
                *fate = Fate::Retracted;
            }
            EventKind::Candidate(_) => {
                self.candidates.insert(event.number, false);
            }
            EventKind::Dismissed { candidate, .. } => self.decide(*candidate, event),
            EventKind::Final(summary) => {
                self.closed = true;
                assert!(self.opened.is_none_or(|opened| opened == summary.opened), "{event:?}");
                assert!(summary.last.time <= summary.seen_until, "{event:?}");
                assert!(self.candidates.values().all(|decided| *decided), "{:?}", self.candidates);
                let waiting = self.probes.values().filter(|(_, fate)| *fate == Fate::Waiting).count();
                assert_eq!(waiting, 0, "probes without an end: {:?}", self.probes);
                let sides = [&summary.client, &summary.server];
                assert!(sides.iter().all(|side| side.data_segments <= side.segments), "{event:?}");
                books.finals += 1;
                books.segments += summary.client.segments + summary.server.segments + summary.duplicates;
            }
            _ => {}
        }
    }

    fn fate(&mut self, probe: u32, event: &Event) -> &mut Fate {
        let (_, fate) = self.probes.get_mut(&probe).unwrap_or_else(|| panic!("no such probe: {event:?}"));
        fate
    }

    fn decide(&mut self, candidate: u32, event: &Event) {
        let decided = self.candidates.get_mut(&candidate);
        let decided = decided.unwrap_or_else(|| panic!("no such candidate: {event:?}"));
        assert!(!*decided, "decided twice: {event:?}");
        *decided = true;
    }
}
