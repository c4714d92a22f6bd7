//! A path with a box on it that forgets after a known silence, and a driver that holds the connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use keepscope::search::{Command, Finding, Id, Input, Search, Sign, Wanted};
use keepscope::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub const START: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

/// What the path does.
#[derive(Clone)]
pub struct Path {
    /// The box forgets after this much silence; of each connection by its number.
    pub timeout: fn(&Path, Id) -> Option<Span>,
    /// The value that most closures of `timeout` return.
    pub idle: Span,
    /// The box looks only every so often, and first then.
    pub sweep: Option<(Span, Span)>,
    /// Share of packets that are lost, in each direction.
    pub loss: f64,
    pub round_trip: Span,
    /// What else happens to a connection that is open.
    pub habit: fn(&Path, Id, Span) -> Option<(Span, Input)>,
    /// What comes back for a try on a forgotten connection; nothing if nothing does.
    pub dead: fn(&Path, Timestamp) -> Option<Input>,
    /// Connections that fit into the box's table.
    pub room: usize,
    /// The answer to an `Open`.
    pub refuses: Option<keepscope::search::NotOpened>,
    pub seed: u64,
}

impl Path {
    pub fn new(idle: Span) -> Self {
        Self {
            timeout: |path, _| Some(path.idle),
            idle,
            sweep: None,
            loss: 0.0,
            round_trip: Span::from_millis(40),
            habit: |_, _, _| None,
            dead: |_, _| None,
            room: usize::MAX,
            refuses: None,
            seed: 1,
        }
    }
}

/// What a search over a path came to.
#[derive(Debug)]
pub struct Run {
    pub finding: Finding,
    pub wall: Span,
    /// Packets that left this host, and that came to it.
    pub packets: (u32, u32),
    pub most_open: usize,
}

#[derive(Clone, Copy)]
struct Held {
    /// The last packet of either direction that the box saw.
    seen: Timestamp,
    /// The last packet that the driver saw, tries not counted.
    quiet: Timestamp,
    gone: bool,
}

enum Due {
    Tell(Id, Input),
    /// The habit of the far end, unless something was exchanged meanwhile.
    Habit(Id, Timestamp, Input),
}

struct World<'a> {
    path: &'a Path,
    random: ChaCha8Rng,
    now: Timestamp,
    held: BTreeMap<Id, Held>,
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    due: BTreeMap<u64, Due>,
    next: u64,
    packets: (u32, u32),
    most_open: usize,
}

/// Runs a search to its end.
pub fn run(wanted: Wanted, path: &Path) -> Run {
    let mut search = Search::new(wanted, START).expect("a question");
    drive(&mut search, path, |_, _| {})
}

/// Runs a search to its end, with a say at every step.
pub fn drive(search: &mut Search, path: &Path, mut each: impl FnMut(&mut Search, Timestamp)) -> Run {
    let mut world = World {
        path,
        random: ChaCha8Rng::seed_from_u64(path.seed),
        now: START,
        held: BTreeMap::new(),
        queue: BinaryHeap::new(),
        due: BTreeMap::new(),
        next: 0,
        packets: (0, 0),
        most_open: 0,
    };
    let mut steps = 0_u32;
    loop {
        while let Some(command) = search.poll_command() {
            world.obey(command);
        }
        if search.wants_sign().is_some() {
            search.on_sign(world.now, world.now);
        }
        while search.poll_news().is_some() {}
        if search.is_done() {
            break;
        }
        steps += 1;
        assert!(steps < 200_000, "it does not end");
        let timeout = search.next_timeout().expect("a time while it runs");
        match world.queue.peek() {
            Some(Reverse((at, key))) if *at <= timeout => {
                let (at, key) = (*at, *key);
                world.queue.pop();
                world.now = at;
                if let Some((id, input)) = world.happens(key) {
                    search.on(at, id, input);
                }
            }
            _ => {
                assert!(timeout >= world.now, "a time that has passed");
                world.now = timeout;
                search.on_timeout(timeout);
            }
        }
        each(search, world.now);
    }
    let wall = world.now.since(START);
    Run { finding: search.finding(), wall, packets: world.packets, most_open: world.most_open }
}

impl World<'_> {
    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 <= share
    }

    fn at(&mut self, at: Timestamp, due: Due) {
        self.next += 1;
        self.queue.push(Reverse((at, self.next)));
        self.due.insert(self.next, due);
    }

    fn happens(&mut self, key: u64) -> Option<(Id, Input)> {
        match self.due.remove(&key)? {
            Due::Tell(id, input) => {
                match (&input, self.held.get_mut(&id)) {
                    (Input::Opened { since } | Input::Armed { since }, Some(held)) => {
                        held.quiet = *since;
                        held.seen = *since;
                        self.habit(id, Span::ZERO);
                    }
                    (Input::Answered { at, .. }, Some(held)) => {
                        held.quiet = *at;
                        self.habit(id, Span::ZERO);
                    }
                    (_, None) => return None,
                    _ => {}
                }
                Some((id, input))
            }
            Due::Habit(id, since, input) => {
                let now = self.now;
                let held = self.held.get_mut(&id)?;
                if held.seen > since || held.gone {
                    return None;
                }
                if matches!(input, Input::Ended { .. }) {
                    held.gone = true;
                } else if self.is_forgotten(id) {
                    return None;
                } else if let Some(held) = self.held.get_mut(&id) {
                    held.seen = now;
                    held.quiet = now;
                    self.habit(id, Span::ZERO);
                }
                Some((id, stamped(input, now)))
            }
        }
    }

    fn habit(&mut self, id: Id, spent: Span) {
        let (path, now) = (self.path, self.now);
        let since = self.held.get(&id).map_or(now, |held| held.seen);
        if let Some((after, input)) = (path.habit)(path, id, spent) {
            self.at(now.plus(after), Due::Habit(id, since, input));
        }
    }

    fn obey(&mut self, command: Command) {
        let path = self.path;
        match command {
            Command::Open(id) => {
                self.packets.0 += 3 + 2;
                self.packets.1 += 2 + 2;
                let late = if self.chance(path.loss * 2.0) { Span::from_secs(1) } else { Span::ZERO };
                let since = self.now.plus(path.round_trip).plus(late);
                if let Some(why) = path.refuses {
                    self.held.insert(id, Held { seen: since, quiet: since, gone: true });
                    return self.at(since, Due::Tell(id, Input::NotOpened(why)));
                }
                self.held.insert(id, Held { seen: since, quiet: since, gone: false });
                self.most_open = self.most_open.max(self.held.len());
                self.evict();
                self.at(since, Due::Tell(id, Input::Opened { since }));
            }
            Command::Arm(id) => {
                self.packets.0 += 2;
                self.packets.1 += 2;
                if !self.is_forgotten(id) {
                    let since = self.now.plus(path.round_trip);
                    self.touch(id, since);
                    self.at(since, Due::Tell(id, Input::Armed { since }));
                }
            }
            Command::Probe { id, attempt, .. } => self.probe(id, attempt),
            Command::Close(id) => {
                self.packets.0 += 2;
                self.packets.1 += 2;
                self.held.remove(&id);
            }
        }
    }

    fn probe(&mut self, id: Id, attempt: u8) {
        self.packets.0 += 1;
        let (path, now) = (self.path, self.now);
        let Some(held) = self.held.get(&id) else { return };
        let idle = now.since(held.quiet);
        self.at(now, Due::Tell(id, Input::Sent { attempt, at: now, idle }));
        let half = Span::from_nanos(path.round_trip.as_nanos() / 2);
        // Some are lost before the box and some behind it.
        if self.chance(path.loss / 2.0) {
            return;
        }
        if self.is_forgotten(id) {
            if let Some(input) = (path.dead)(path, now.plus(path.round_trip)) {
                self.at(now.plus(path.round_trip), Due::Tell(id, input));
            }
            return;
        }
        self.touch(id, now.plus(half));
        if self.chance(path.loss / 2.0) || self.chance(path.loss) {
            return;
        }
        self.packets.1 += 1;
        let at = now.plus(path.round_trip);
        let sign = Sign { round_trip: Some(path.round_trip), ..Sign::default() };
        self.at(at, Due::Tell(id, Input::Answered { attempt, at, sign }));
    }

    fn touch(&mut self, id: Id, at: Timestamp) {
        if let Some(held) = self.held.get_mut(&id) {
            held.seen = held.seen.max(at);
        }
    }

    fn is_forgotten(&mut self, id: Id) -> bool {
        let path = self.path;
        let Some(held) = self.held.get_mut(&id) else { return true };
        if held.gone {
            return true;
        }
        let Some(timeout) = (path.timeout)(path, id) else { return false };
        let mut dies = held.seen.plus(timeout);
        if let Some((every, phase)) = path.sweep {
            let over = (dies.since(START).as_nanos() - phase.as_nanos()).rem_euclid(every.as_nanos());
            dies = dies.plus(Span::from_nanos((every.as_nanos() - over) % every.as_nanos()));
        }
        held.gone = self.now >= dies;
        held.gone
    }

    /// The oldest makes room.
    fn evict(&mut self) {
        let known = |held: &Held| !held.gone;
        while self.held.values().filter(|held| known(held)).count() > self.path.room {
            let oldest = self.held.values_mut().filter(|held| known(held)).min_by_key(|held| held.seen);
            oldest.expect("one of them").gone = true;
        }
    }
}

/// The same with the time at which it happens.
fn stamped(input: Input, now: Timestamp) -> Input {
    match input {
        Input::Ended { how, origin, .. } => Input::Ended { at: now, how, origin },
        Input::Disturbed { by, .. } => Input::Disturbed { at: now, by },
        other => other,
    }
}
