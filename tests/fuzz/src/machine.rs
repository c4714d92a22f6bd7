//! The keepalive machine of every stack through any sequence of operations: one timer, never in the past, none after
//! the end; an early look changes nothing; probes have their form and their time; a stack that counts gives up in time.

use arbitrary::{Arbitrary, Unstructured};
use keepscope::keepalive::{
    Clock, Event, Incoming, Machine, Model, Outgoing, Purpose, Setting, Settings, Tcb,
};
use keepscope::segment::{Flags, SeqNum};
use keepscope::stack::value::{GiveUp, Outstanding, Rearm, Rounding, SeqRule, UserTimeout};
use keepscope::stack::{Cell, Stack};
use keepscope::time::{Span, Timestamp};

/// Most operations of one input.
const MOST: usize = 64;

/// Firings in one operation after which something must have come to an end.
const FIRINGS: usize = 48;

/// After this nothing is done: the end of the time that can be counted is no place for rules.
const LATEST: Timestamp = Timestamp::from_nanos(1 << 61);

/// Where sequence numbers stand.
const NUMBERS: [u32; 4] = [0, 1, u32::MAX, 1 << 31];

const RATES: [u32; 4] = [100, 250, 300, 1000];

/// A length of time: a unit and how many of it, up to ten years.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Length(u8, u16);

impl Length {
    fn span(self) -> Span {
        let units = [
            1_i64,
            1_000,
            1_000_000,
            10_000_000,
            500_000_000,
            1_000_000_000,
            60_000_000_000,
            4_800_000_000_000,
        ];
        Span::from_nanos(units[usize::from(self.0 & 7)] * (i64::from(self.1) + 1))
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    Enabled(bool),
    Idle(Length),
    Interval(Length),
    Count(u8),
    UserTimeout(Option<Length>),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    /// Acknowledges all that was sent, in order, with a new time stamp: a sign of life for every stack.
    Ack,
    Data(u8),
    Probe(bool),
    OldProbe(bool),
    Fin,
    Rst(i8),
    Any {
        seq: i16,
        ack: i16,
        flags: u8,
        octets: u16,
        stamp: Option<u8>,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Set(Change),
    Send(u8, bool),
    Follow(i8),
    Arrives(Kind),
    Wait(Length),
    Fire(u8, Length),
    FireInTime(u8),
}

#[derive(Arbitrary, Debug)]
struct Beginning {
    stack: u8,
    rate: u8,
    numbers: u8,
    idle: Length,
    interval: Length,
    count: u8,
    user_timeout: Option<Length>,
    start: u32,
    phase: u32,
    enabled: bool,
}

/// The input is a stack with its settings, and operations.
pub fn hold(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok(beginning) = Beginning::arbitrary(&mut input) else { return };
    let operations = operations(&mut input);
    let mut watched = Watched::new(&beginning);
    if beginning.enabled {
        watched.apply(Operation::Set(Change::Enabled(true)));
        watched.set_in_run = false;
    }
    for operation in operations {
        if watched.now > LATEST {
            return;
        }
        watched.apply(operation);
    }
    watched.falls_silent();
}

fn operations(input: &mut Unstructured<'_>) -> Vec<Operation> {
    let more = |input: &mut Unstructured<'_>| (!input.is_empty()).then(|| input.arbitrary().ok()).flatten();
    std::iter::from_fn(|| more(input)).take(MOST).collect()
}

/// A machine with what is known of it from outside.
struct Watched {
    model: Model,
    machine: Machine,
    clock: Clock,
    now: Timestamp,
    tsval: u32,
    /// When the last sign of life arrived that every stack takes for one.
    alive: Timestamp,
    on: bool,
    ends: u32,
    /// Probes since the peer was last heard.
    run: u32,
    /// Whether something was set since.
    set_in_run: bool,
    user_timeout_ever: bool,
    last_probe: Option<Timestamp>,
}

impl Watched {
    fn new(beginning: &Beginning) -> Self {
        let stacks: Vec<&'static Stack> = Stack::all().iter().copied().filter(|stack| stack.runs).collect();
        let stack = stacks[usize::from(beginning.stack) % stacks.len()];
        let mut model = Model::of(stack).expect("a stack that runs");
        if let Rounding::TimerWheel { .. } = model.rounding {
            model.rounding = Rounding::TimerWheel { hz: RATES[usize::from(beginning.rate & 3)] };
        }
        let settings = Settings {
            idle: beginning.idle.span(),
            interval: beginning.interval.span(),
            count: u32::from(beginning.count % 12) + 1,
            user_timeout: beginning.user_timeout.map(Length::span),
        };
        let start = Timestamp::from_nanos(i64::from(beginning.start) * 500_000_000);
        let clock = Clock::new(model.rounding, start.plus(Span::from_micros(-i64::from(beginning.phase))));
        let at = |shift: u8| SeqNum(NUMBERS[usize::from(beginning.numbers >> shift & 3)]);
        let tcb = Tcb { ts_recent: Some(70), ..Tcb::quiet(at(0), at(2)) };
        Self {
            machine: Machine::new(model.rules, settings, clock, tcb, start),
            model,
            clock,
            now: start,
            tsval: 71,
            alive: start,
            on: false,
            ends: 0,
            run: 0,
            set_in_run: false,
            user_timeout_ever: settings.user_timeout.is_some(),
            last_probe: None,
        }
    }

    fn apply(&mut self, operation: Operation) {
        let was_over = self.machine.has_ended();
        match operation {
            Operation::Set(change) => self.set(change),
            Operation::Send(octets, unsent) => {
                self.machine.on_sent(self.now, u32::from(octets), unsent);
                self.look(false);
            }
            Operation::Follow(ahead) => {
                let before = self.machine.tcb().rcv_nxt;
                self.machine.follow(SeqNum(before.0.wrapping_add_signed(ahead.into())));
                assert!(self.machine.tcb().rcv_nxt.distance_from(before) >= 0, "RCV.NXT goes back");
            }
            Operation::Arrives(kind) => self.arrive(kind),
            Operation::Wait(length) => self.wait(length.span()),
            Operation::Fire(times, late) => (0..times & 7).for_each(|_| self.fire(late.span())),
            Operation::FireInTime(times) => (0..times & 31).for_each(|_| self.fire(Span::ZERO)),
        }
        assert!(!was_over || self.machine.has_ended(), "it lives again");
    }

    /// How much earlier a clock that counts may be: it counts ticks begun, and of a time that is set the whole ones.
    fn unit(&self) -> Span {
        match self.clock {
            Clock::Wheel(wheel) => Span::from_nanos(1_000_000_000 / i64::from(wheel.hz()) + 1),
            Clock::Ticks { tick, .. } => tick.times(2),
            Clock::Coalesced { .. } | Clock::Exact => Span::ZERO,
        }
    }

    fn set(&mut self, change: Change) {
        let setting = match change {
            Change::Enabled(on) => Setting::Enabled(on),
            Change::Idle(length) => Setting::Idle(length.span()),
            Change::Interval(length) => Setting::Interval(length.span()),
            Change::Count(count) => Setting::Count(u32::from(count) + 1),
            Change::UserTimeout(length) => Setting::UserTimeout(length.map_or(Span::ZERO, Length::span)),
        };
        let rearming = &self.model.stack.rearming;
        let cell = match setting {
            Setting::Enabled(true) if !self.on => rearming.enabling,
            Setting::Idle(_) => rearming.setting_idle,
            Setting::Interval(_) | Setting::Count(_) => rearming.setting_interval,
            _ => Cell { value: Some(Rearm::Untouched), ..rearming.enabling },
        };
        if let Setting::Enabled(on) = setting {
            self.on = on;
        }
        self.user_timeout_ever |= matches!(setting, Setting::UserTimeout(_));
        self.set_in_run = true;
        self.machine.set(self.now, setting);
        self.look(cell.value == Some(Rearm::ProbeAtOnce));
    }

    fn arrive(&mut self, kind: Kind) {
        let tcb = *self.machine.tcb();
        self.tsval = self.tsval.wrapping_add(10);
        let base = Incoming {
            seq: tcb.rcv_nxt,
            ack: tcb.snd_nxt,
            flags: Flags::ACK,
            octets: 0,
            tsval: Some(self.tsval),
        };
        let below = tcb.rcv_nxt.plus(u32::MAX);
        let near = |at: SeqNum, by: i16| SeqNum(at.0.wrapping_add_signed(by.into()));
        let segment = match kind {
            Kind::Ack => base,
            Kind::Data(octets) => Incoming { octets: octets.into(), ..base },
            Kind::Probe(octet) => Incoming { seq: below, octets: octet.into(), ..base },
            Kind::OldProbe(octet) => Incoming { seq: below, octets: octet.into(), tsval: Some(5), ..base },
            Kind::Fin => Incoming { flags: Flags::ACK.with(Flags::FIN), ..base },
            Kind::Rst(distance) => {
                Incoming { seq: near(tcb.rcv_nxt, distance.into()), flags: Flags::RST, ..base }
            }
            // A stamp far ahead would make all that follow old.
            Kind::Any { seq, ack, flags, octets, stamp } => Incoming {
                seq: near(tcb.rcv_nxt, seq),
                ack: near(tcb.snd_nxt, ack),
                flags: Flags(flags),
                octets: octets.into(),
                tsval: stamp.map(|stamp| self.tsval - u32::from(stamp).min(self.tsval)),
            },
        };
        let over = self.machine.has_ended();
        self.machine.on_segment(self.now, &segment);
        if matches!(kind, Kind::Ack | Kind::Data(_)) && !over {
            self.alive = self.now;
            self.run = 0;
            self.set_in_run = false;
        }
        if let Kind::Rst(distance) = kind
            && !over
        {
            assert_eq!(self.machine.has_ended(), distance == 0, "a RST at {distance}");
        }
        self.look(false);
    }

    /// A look before its time changes nothing.
    fn early(&mut self) {
        if self.machine.next_timeout().is_some_and(|due| due > self.now) {
            let before = self.machine.snapshot();
            self.machine.on_timeout(self.now);
            assert_eq!(
                format!("{before:?}"),
                format!("{:?}", self.machine.snapshot()),
                "a look before its time"
            );
        }
    }

    fn wait(&mut self, span: Span) {
        let until = self.now.plus(span);
        for _ in 0..FIRINGS {
            let Some(due) = self.machine.next_timeout().filter(|due| *due <= until) else {
                self.now = until;
                self.early();
                return;
            };
            self.now = due;
            self.timeout();
        }
    }

    fn fire(&mut self, late: Span) {
        let Some(due) = self.machine.next_timeout().filter(|_| self.now <= LATEST) else { return };
        let left = due.since(self.now).as_nanos();
        if left > 1 {
            self.now = self.now.plus(Span::from_nanos(left / 2));
            self.early();
        }
        self.now = due.plus(late);
        self.timeout();
    }

    fn timeout(&mut self) {
        self.machine.on_timeout(self.now);
        let acted = self.look(false);
        let next = self.machine.next_timeout();
        assert!(
            acted || next.is_none_or(|next| next > self.now),
            "{}: fires at {:?} and again at {next:?}, and nothing was done",
            self.model.stack.name,
            self.now
        );
    }

    /// Whether a time is one that the clock can count.
    fn is_whole(&self, span: Span) -> bool {
        !matches!(self.clock, Clock::Ticks { tick, .. } if span.as_nanos() % tick.as_nanos() != 0)
    }

    /// Takes what came out and holds it against the rules; whether there was anything.
    fn look(&mut self, probes_at_once: bool) -> bool {
        let name = self.model.stack.name;
        let over_before = self.ends > 0;
        let mut acted = false;
        while let Some(segment) = self.machine.poll_transmit() {
            acted = true;
            assert!(!over_before, "{name}: {segment:?} after the end");
            assert!(segment.octets <= 1, "{name}: {segment:?}");
            if let Purpose::Probe(number) = segment.purpose {
                self.probe(&segment, number, probes_at_once);
            }
        }
        while let Some(event) = self.machine.poll_event() {
            acted = true;
            assert!(!over_before, "{name}: {event:?} after the end");
            self.event(&event);
        }
        assert!(self.ends <= 1, "{name}: ended {} times", self.ends);
        assert_eq!(self.machine.has_ended(), self.ends > 0, "{name}");
        let next = self.machine.next_timeout();
        assert!(next.is_none_or(|next| next >= self.now), "{name}: {next:?} lies before {:?}", self.now);
        assert!(!self.machine.has_ended() || next.is_none(), "{name}: a timer after the end");
        acted
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::GaveUp { after, .. } => {
                self.ends += 1;
                let by_time = matches!(
                    self.rule(),
                    GiveUp::Elapsed { .. } | GiveUp::AbortThreshold { .. } | GiveUp::UserTimeoutOnly
                );
                assert!(*after > 0 || by_time, "{}: given up without a probe", self.model.stack.name);
            }
            Event::ResetByPeer { .. } => self.ends += 1,
            Event::Answered { .. } => {
                self.run = 0;
                self.set_in_run = false;
            }
            Event::ProbeSent { .. } | Event::Reported { .. } => {}
        }
    }

    fn rule(&self) -> GiveUp {
        let unknown = GiveUp::Counted { user_timeout: UserTimeout::Unknown };
        self.model.stack.giving_up.rule.value_or(unknown)
    }

    fn probe(&mut self, segment: &Outgoing, number: u32, at_once: bool) {
        let name = self.model.stack.name;
        let tcb = self.machine.tcb();
        let row = &self.model.stack.probe;
        let above = match row.seq.value_or(SeqRule::BelowSndNxt) {
            SeqRule::BelowSndUna => tcb.snd_una,
            SeqRule::BelowSndNxt => tcb.snd_nxt,
        };
        assert_eq!(segment.seq.plus(1), above, "{name}");
        assert_eq!(segment.octets, row.octets.value_or(0), "{name}");
        assert!(self.on, "{name}: a probe while keepalives are off");

        let checks = self.model.stack.idle_clock.outstanding.value_or(Outstanding::RearmIdle);
        let waits = tcb.is_outstanding() || tcb.unsent;
        assert!(!waits || checks == Outstanding::NotChecked, "{name}: a probe with data in flight");
        let settings = *self.machine.settings();
        assert!(
            at_once || self.last_probe != Some(self.now),
            "{name}: two probes at {:?}, {settings:?}",
            self.now
        );
        self.last_probe = Some(self.now);

        // No probe before the idle time has passed since the last sign of life, but where a setting sends one.
        let since = self.now.since(self.alive).plus(self.unit());
        assert!(at_once || since >= settings.idle, "{name}: probe {number} after {since:?} of {settings:?}");

        self.run += 1;
        if self.is_counted() && !self.set_in_run {
            assert!(self.run <= settings.count, "{name}: probe {} of {}", self.run, settings.count);
        }
    }

    /// Whether this stack sends no more probes than were set.
    fn is_counted(&self) -> bool {
        let settings = self.machine.settings();
        match self.rule() {
            GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount } => !self.user_timeout_ever,
            GiveUp::Counted { .. } => true,
            // What is left of a tick adds up.
            GiveUp::Elapsed { .. } => self.is_whole(settings.idle) && self.is_whole(settings.interval),
            _ => false,
        }
    }

    /// All was acknowledged, and then nothing more comes: a stack that counts gives up after its probes.
    fn falls_silent(&mut self) {
        if self.machine.has_ended() {
            return;
        }
        self.apply(Operation::Send(0, false));
        self.apply(Operation::Arrives(Kind::Ack));
        self.apply(Operation::Set(Change::Enabled(true)));
        let counts = matches!(self.rule(), GiveUp::Counted { .. }) && !self.user_timeout_ever;
        let most = self.machine.settings().count + 8;
        for _ in 0..most {
            self.fire(Span::ZERO);
        }
        let name = self.model.stack.name;
        let over = self.machine.has_ended() || self.now > LATEST;
        assert!(!counts || over, "{name}: {:?} after {most} firings", self.machine);
    }
}
