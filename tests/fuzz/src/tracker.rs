//! Sequences of segments of a few connections: what the tracker says of them makes sense, adds up, and depends neither
//! on where sequence numbers and clocks begin nor on what comes later.

mod books;
mod story;

use arbitrary::Unstructured;
use keepscope::segment::{IcmpError, Segment};
use keepscope::time::Span;
use keepscope::track::event::Event;
use keepscope::track::{Observed, Tracker};

use self::books::Books;
use self::story::{Story, Turn};

/// What came of a story.
#[derive(Default)]
struct Told {
    observed: Vec<Option<Observed>>,
    events: Vec<Event>,
    /// How many of those were there before the end.
    before_end: usize,
    segments: u64,
    connections: u64,
}

fn tell(turns: &[Turn], hash_seed: u64, forgets: Option<usize>) -> Told {
    let mut tracker = Tracker::new(hash_seed);
    let mut told = Told::default();
    for turn in turns {
        match turn {
            Turn::Segment(segment) => {
                told.segments += 1;
                told.observed.push(tracker.segment(segment));
            }
            Turn::Icmp(error) => {
                tracker.icmp(error);
            }
        }
        if let Some(most) = forgets {
            tracker.keep_at_most(most);
        }
        told.events.extend(std::iter::from_fn(|| tracker.poll_event()));
    }
    told.before_end = told.events.len();
    tracker.finish();
    told.events.extend(std::iter::from_fn(|| tracker.poll_event()));
    assert!(tracker.poll_event().is_none());
    told.connections = tracker.connections();
    told
}

/// The input is a story, one turn after the other.
pub fn hold(input: &[u8]) {
    let Ok(story) = Story::read(&mut Unstructured::new(input)) else { return };
    let turns = &story.turns;
    let told = tell(turns, 1, None);
    assert!(told.observed.iter().all(Option::is_some));
    let books = Books::of(&told.events);
    assert_eq!(books.finals, told.connections, "a last word for each");
    // A SYN of which only the answer shows that it began another life was counted in the one before, too.
    let most = told.segments + story.syns();
    assert!((told.segments..=most).contains(&books.segments), "{} of {}", books.segments, told.segments);

    let other = tell(turns, 0x5eed_5eed_5eed_5eed, None);
    assert_eq!(
        (&other.observed, &other.events),
        (&told.observed, &told.events),
        "the seed of the hashes shows"
    );

    let half = turns.len() / 2;
    let part = tell(&turns[..half], 1, None);
    assert_eq!(
        part.events[..part.before_end],
        told.events[..part.before_end],
        "{half} turns say something else"
    );

    let moved: Vec<Turn> = turns.iter().map(|turn| story.moved(turn)).collect();
    let moved = tell(&moved, 1, None);
    assert_eq!(moved.observed, told.observed, "other sequence numbers and another day");
    for (moved, told) in named(&moved.events).iter().zip(named(&told.events)) {
        assert_eq!(*moved, told, "other sequence numbers and another day");
    }
    assert_eq!(moved.events.len(), told.events.len());

    Books::of(&tell(turns, 1, Some(1)).events);
}

/// Events as they are shown for debugging, without what differs when all numbers and times are moved.
fn named(events: &[Event]) -> Vec<String> {
    let without = |shown: String, kind: &str| {
        let mut parts = shown.split(kind);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |shown, part| {
            let number = |letter: char| letter.is_ascii_digit() || letter == '-';
            shown + kind + part.trim_start_matches(number)
        })
    };
    events.iter().map(|event| without(without(format!("{event:?}"), "Timestamp("), "SeqNum(")).collect()
}

/// By how much a story is moved.
#[derive(Clone, Copy, Debug, Default)]
struct Move {
    time: Span,
    /// Sequence numbers of the client, and of the server.
    seq: [u32; 2],
}

impl Move {
    fn segment(&self, segment: &Segment, from: usize) -> Segment {
        let mut moved = *segment;
        moved.time = segment.time.plus(self.time);
        moved.seq = segment.seq.plus(self.seq[from]);
        let other = self.seq[1 - from];
        if segment.flags.ack() {
            moved.ack = segment.ack.plus(other);
        }
        if let Some(sack) = &mut moved.options.sack {
            (sack.left, sack.right) = (sack.left.plus(other), sack.right.plus(other));
        }
        moved
    }

    fn icmp(&self, error: &IcmpError, from: usize) -> IcmpError {
        IcmpError { time: error.time.plus(self.time), seq: error.seq.plus(self.seq[from]), ..*error }
    }
}
