//! What the lab did when, and where the kernel's jiffies counter stood.

use std::path::Path;

use keepscope::keepalive::wheel::Wheel;
use keepscope::time::Timestamp;
use serde::Deserialize;

use super::plan::{Action, End};

/// The counter reached `jiffies` at `tick_at` (nanoseconds of CLOCK_MONOTONIC).
#[derive(Clone, Copy, Debug, Deserialize)]
struct Clock {
    hz: u32,
    tick_at: i64,
    jiffies: u64,
    realtime_minus_monotonic: i64,
}

/// A step with CLOCK_MONOTONIC before and after it.
#[derive(Clone, Debug, Deserialize)]
pub struct Done {
    pub end: End,
    #[serde(flatten)]
    pub action: Action,
    began: i64,
    ended: i64,
    /// The name of an errno if it failed.
    pub error: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    number: u16,
    pub steps: Vec<Done>,
    until: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Journal {
    clock: Clock,
    clock_after: Clock,
    connections: Vec<Connection>,
}

impl Journal {
    /// # Panics
    /// If the clock was set or the counter left its grid while the lab ran: then nothing can be said.
    pub fn read(path: &Path) -> Journal {
        let text = std::fs::read_to_string(path).expect("a journal");
        let journal: Journal = serde_json::from_str(&text).expect("a journal");
        let (before, after) = (journal.clock, journal.clock_after);
        let moved = (after.realtime_minus_monotonic - before.realtime_minus_monotonic).abs();
        assert!(moved < 1_000_000, "the clock was set while the lab ran, by {moved} ns");
        let expected = journal.wheel().jiffies_at(journal.wall(after.tick_at));
        assert_eq!(i64::try_from(after.jiffies).ok(), Some(expected), "the counter left its grid");
        journal
    }

    /// The wheel on the clock of the captures. Times of captures are CLOCK_REALTIME.
    pub fn wheel(&self) -> Wheel {
        Wheel::with_phase(self.clock.hz, self.wall(self.clock.tick_at), self.clock.jiffies)
    }

    fn wall(&self, monotonic: i64) -> Timestamp {
        Timestamp::from_nanos(monotonic + self.clock.realtime_minus_monotonic)
    }

    pub fn connection(&self, number: u16) -> &Connection {
        self.connections.iter().find(|connection| connection.number == number).expect("a connection")
    }

    /// When a step began and when it had been done, on the clock of the captures.
    pub fn times(&self, done: &Done) -> (Timestamp, Timestamp) {
        (self.wall(done.began), self.wall(done.ended))
    }

    /// When the lab stopped looking at a connection.
    pub fn until(&self, connection: &Connection) -> Timestamp {
        self.wall(connection.until)
    }
}
