//! What two looks at TCP_INFO tell of the probes between them.
//!
//! Owns [`Observer`]. Pure: looks in, [`Seen`] out. No packet is seen here; what is known of one comes from the
//! kernel's counters:
//!
//! - Linux probes only after its idle time without anything heard, and counts the probes without an answer
//!   (`tcpi_probes`). A probe whose answer came before the next look left that at 0: then a segment left, and what
//!   was heard last is younger than the look before, after at least the idle time of silence.
//! - An empty probe of the peer is not heard by Linux, so its answer is not taken for a probe of ours. A peer's
//!   probe with an octet is heard, and looks like an answer where one of ours waits.

use crate::live::sys::TcpInfo;
use crate::time::{Span, Timestamp};

/// Jiffies of the slowest usual kernel (HZ=100), twice: ages are counted in them and written in milliseconds.
const AGES: Span = Span::from_millis(21);

/// What was not there at the look before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A probe left.
    Probe {
        /// Its number, from 1.
        number: u32,
        /// How many wait for an answer, it included.
        outstanding: u32,
        /// It left at this time or later,
        after: Timestamp,
        /// and not after this one.
        by: Timestamp,
    },
    /// Something was heard while probes waited.
    Answer {
        /// The last probe before it.
        probe: u32,
        /// Not after this time.
        at: Timestamp,
    },
    /// The peer sent data.
    Data {
        /// Not after this time.
        at: Timestamp,
    },
}

/// Compares each look with the one before.
#[derive(Clone, Copy, Debug)]
pub struct Observer {
    idle: Span,
    last: Look,
    probes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Timestamp,
    heard: Timestamp,
    data: Timestamp,
    probes: u32,
    segments_out: u32,
    segments_in: u32,
}

impl Look {
    fn new(at: Timestamp, info: &TcpInfo) -> Self {
        let before = |millis: u32| at.plus(Span::from_millis(-i64::from(millis)));
        let data = before(info.last_data_recv);
        Self {
            at,
            heard: before(info.last_ack_recv).max(data),
            data,
            probes: u32::from(info.probes),
            segments_out: info.segs_out,
            segments_in: info.segs_in,
        }
    }
}

impl Observer {
    /// Begins with a look at a connection that was just established, with this idle time.
    pub fn new(at: Timestamp, info: &TcpInfo, idle: Span) -> Self {
        Self { idle, last: Look::new(at, info), probes: 0 }
    }

    /// When the peer was last heard, to the kernel's tick.
    pub fn heard(&self) -> Timestamp {
        self.last.heard
    }

    /// How many probes were seen.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    /// How many of them wait for an answer.
    pub fn outstanding(&self) -> u32 {
        self.last.probes
    }

    /// Takes a look; tells what is new, in its order.
    pub fn look(&mut self, at: Timestamp, info: &TcpInfo) -> Vec<Seen> {
        let (before, now) = (self.last, Look::new(at, info));
        let mut seen = Vec::new();
        let heard = now.segments_in != before.segments_in && is_younger(now.heard, before.heard);
        let quiet = at.since(before.heard).plus(AGES);
        let left = now.segments_out != before.segments_out;
        let new = if now.probes > before.probes {
            now.probes - before.probes
        } else if now.probes > 0 && heard {
            // What waited was answered, and the next already waits.
            now.probes
        } else {
            u32::from(
                heard
                    && left
                    && before.probes == 0
                    && quiet >= self.idle
                    && !is_younger(now.data, before.data),
            )
        };
        let answers_earlier = heard && before.probes > 0;
        if heard && is_younger(now.data, before.data) {
            seen.push(Seen::Data { at });
        }
        if answers_earlier {
            seen.push(Seen::Answer { probe: self.probes, at });
        }
        for index in 1..=new {
            self.probes += 1;
            let waiting = if answers_earlier { 0 } else { before.probes };
            let outstanding = waiting + index;
            seen.push(Seen::Probe { number: self.probes, outstanding, after: before.at, by: at });
        }
        if heard && !answers_earlier && new > 0 && now.probes == 0 {
            seen.push(Seen::Answer { probe: self.probes, at });
        }
        // Ages are in ticks: a time that was heard is kept until another one is clearly later.
        self.last = Look { heard: if heard { now.heard } else { before.heard }, ..now };
        if !is_younger(now.data, before.data) {
            self.last.data = before.data;
        }
        seen
    }
}

/// Whether a time is later than another by more than ages are off.
fn is_younger(time: Timestamp, than: Timestamp) -> bool {
    time.since(than) > AGES
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos((START + millis) * 1_000_000)
    }

    /// A look at `now`, with something heard and data received at these times.
    fn info(now: i64, heard: i64, data: i64, probes: u8, segs: (u32, u32)) -> TcpInfo {
        TcpInfo {
            probes,
            last_ack_recv: (now - heard) as u32,
            last_data_recv: (now - data) as u32,
            segs_out: segs.0,
            segs_in: segs.1,
            ..TcpInfo::default()
        }
    }

    fn observer() -> Observer {
        Observer::new(at(0), &info(0, 0, 0, 0, (2, 1)), Span::from_secs(5))
    }

    #[test]
    fn a_probe_that_was_answered_between_two_looks_shows_in_the_counters() {
        let mut observer = observer();
        assert_eq!(observer.look(at(5_110), &info(5_110, 0, 0, 0, (2, 1))), []);
        let seen = observer.look(at(5_120), &info(5_120, 5_116, 0, 0, (3, 2)));
        let probe = Seen::Probe { number: 1, outstanding: 1, after: at(5_110), by: at(5_120) };
        assert_eq!(seen, [probe, Seen::Answer { probe: 1, at: at(5_120) }]);
        assert_eq!(observer.outstanding(), 0);
    }

    #[test]
    fn probes_without_an_answer_are_counted_and_answered_late() {
        let mut observer = observer();
        let first = observer.look(at(5_120), &info(5_120, 0, 0, 1, (3, 1)));
        assert_eq!(first, [Seen::Probe { number: 1, outstanding: 1, after: at(0), by: at(5_120) }]);
        let second = observer.look(at(7_140), &info(7_140, 0, 0, 2, (4, 1)));
        assert_eq!(second, [Seen::Probe { number: 2, outstanding: 2, after: at(5_120), by: at(7_140) }]);
        let answer = observer.look(at(7_200), &info(7_200, 7_190, 0, 0, (4, 2)));
        assert_eq!(answer, [Seen::Answer { probe: 2, at: at(7_200) }]);
    }

    #[test]
    fn what_is_no_probe_is_not_counted() {
        let mut observer = observer();
        // Data of the peer, acknowledged later; then an empty probe of the peer, answered, long after.
        assert_eq!(observer.look(at(100), &info(100, 95, 95, 0, (2, 2))), [Seen::Data { at: at(100) }]);
        assert_eq!(observer.look(at(140), &info(140, 95, 95, 0, (3, 2))), []);
        assert_eq!(observer.look(at(5_000), &info(5_000, 95, 95, 0, (4, 3))), []);
        // Ages that were rounded otherwise.
        assert_eq!(observer.look(at(5_010), &info(5_010, 99, 99, 0, (4, 3))), []);
        assert_eq!(observer.probes(), 0);
    }

    #[test]
    fn data_after_the_idle_time_is_no_answer_to_a_probe_that_never_was() {
        let mut observer = observer();
        let seen = observer.look(at(6_000), &info(6_000, 5_990, 5_990, 0, (3, 2)));
        assert_eq!(seen, [Seen::Data { at: at(6_000) }]);
        assert_eq!(observer.probes(), 0);
    }
}
