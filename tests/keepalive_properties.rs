//! What holds for the keepalive machine of every stack, whatever happens to it, and for the timer wheel.

use keepscope::keepalive::wheel::Wheel;
use keepscope::keepalive::{
    Clock, Event, Incoming, Machine, Model, Outgoing, Purpose, Setting, Settings, Tcb,
};
use keepscope::segment::{Flags, SeqNum};
use keepscope::stack::Stack;
use keepscope::stack::value::{GiveUp, Outstanding, Rearm, Rounding, SeqRule, UserTimeout};
use keepscope::time::{Span, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

/// Firings in one operation after which something must have come to an end.
const FIRINGS: usize = 64;

/// The kind of a segment that arrives, relative to the connection's state.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Acknowledges all that was sent, in order, with a new timestamp: a sign of life for every stack.
    Ack,
    Data(u8),
    Probe(u8),
    OldProbe(u8),
    Fin,
    /// A RST at this distance from RCV.NXT.
    Rst(i8),
    /// Anything at all.
    Any(Incoming),
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Set(Setting),
    Send(u8, bool),
    Arrives(Kind),
    /// Time passes, with a look at the machine before its time.
    Wait(Span),
    /// The timer fires so often, each time so late.
    Fire(u8, Span),
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        (1_i64..2_000).prop_map(Span::from_millis),
        (1_i64..40).prop_map(Span::from_secs),
        (1_i64..=32_767).prop_map(Span::from_secs),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        3 => any::<bool>().prop_map(Setting::Enabled),
        1 => span().prop_map(Setting::Idle),
        1 => span().prop_map(Setting::Interval),
        1 => (1_u32..=12).prop_map(Setting::Count),
        1 => prop_oneof![Just(Span::ZERO), span()].prop_map(Setting::UserTimeout),
    ]
}

fn any_segment() -> impl Strategy<Value = Incoming> {
    let near = |at: u32| (-3_i32..70_000).prop_map(move |distance| SeqNum(at.wrapping_add_signed(distance)));
    let seq = prop_oneof![near(5_000), any::<u32>().prop_map(SeqNum)];
    let ack = prop_oneof![near(1_000), any::<u32>().prop_map(SeqNum)];
    (seq, ack, any::<u8>(), prop_oneof![0_u32..3, any::<u16>().prop_map(u32::from)], any::<Option<u32>>())
        .prop_map(|(seq, ack, flags, octets, tsval)| Incoming {
            seq,
            ack,
            flags: Flags(flags),
            octets,
            tsval,
        })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Ack),
        1 => any::<u8>().prop_map(Kind::Data),
        2 => (0_u8..=1).prop_map(Kind::Probe),
        1 => (0_u8..=1).prop_map(Kind::OldProbe),
        1 => Just(Kind::Fin),
        1 => (-2_i8..=1).prop_map(Kind::Rst),
        2 => any_segment().prop_map(Kind::Any),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => setting().prop_map(Operation::Set),
        1 => (0_u8..9, any::<bool>()).prop_map(|(octets, unsent)| Operation::Send(octets, unsent)),
        4 => kind().prop_map(Operation::Arrives),
        3 => span().prop_map(Operation::Wait),
        6 => (1_u8..16, prop_oneof![3 => Just(Span::ZERO), 1 => (0_i64..3_000).prop_map(Span::from_millis)])
            .prop_map(|(times, late)| Operation::Fire(times, late)),
    ]
}

/// The name of a stack that runs.
fn stack() -> impl Strategy<Value = &'static str> {
    let names: Vec<&str> = Stack::all().iter().filter(|stack| stack.runs).map(|stack| stack.name).collect();
    assert!(names.len() >= 12, "only {} stacks run", names.len());
    proptest::sample::select(names)
}

fn model(name: &str) -> Model {
    Model::of(Stack::named(name).expect("a stack")).expect("a model")
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
    fn new(model: Model, settings: Settings, start: Timestamp, zero: Timestamp) -> Self {
        let clock = Clock::new(model.rounding, zero);
        let tcb = Tcb { ts_recent: Some(70), ..Tcb::quiet(SeqNum(1_000), SeqNum(5_000)) };
        let machine = Machine::new(model.rules, settings, clock, tcb, start);
        Self {
            model,
            machine,
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

    /// How much earlier a clock that counts may be: it counts ticks begun, and of a time that is set the whole
    /// ones.
    fn unit(&self) -> Span {
        match self.clock {
            Clock::Wheel(wheel) => Span::from_nanos(1_000_000_000 / i64::from(wheel.hz()) + 1),
            Clock::Ticks { tick, .. } => tick.times(2),
            Clock::Coalesced { .. } | Clock::Exact => Span::ZERO,
        }
    }

    fn apply(&mut self, operation: Operation) -> Result<(), TestCaseError> {
        let was_over = self.machine.has_ended();
        match operation {
            Operation::Set(setting) => self.set(setting)?,
            Operation::Send(octets, unsent) => {
                self.machine.on_sent(self.now, u32::from(octets), unsent);
                self.look(false)?;
            }
            Operation::Arrives(kind) => self.arrive(kind)?,
            Operation::Wait(span) => self.wait(span)?,
            Operation::Fire(times, late) => {
                for _ in 0..times {
                    self.fire(late)?;
                }
            }
        }
        if was_over {
            prop_assert!(self.machine.has_ended());
        }
        self.moves_into_another();
        Ok(())
    }

    /// Another machine of the same kind that takes the state over is the same in every part.
    fn moves_into_another(&self) {
        let tcb = Tcb::quiet(SeqNum(1), SeqNum(2));
        let mut other =
            Machine::new(self.model.rules, *self.machine.settings(), Clock::Exact, tcb, Timestamp::default());
        other.set(Timestamp::default(), Setting::Enabled(true));
        other.restore(self.clock, &self.machine.snapshot());
        assert_eq!(format!("{other:?}"), format!("{:?}", self.machine));
    }

    fn set(&mut self, setting: Setting) -> Result<(), TestCaseError> {
        let rearming = &self.model.stack.rearming;
        let cell = match setting {
            Setting::Enabled(true) if !self.on => rearming.enabling,
            Setting::Idle(_) => rearming.setting_idle,
            Setting::Interval(_) | Setting::Count(_) => rearming.setting_interval,
            _ => keepscope::stack::Cell { value: Some(Rearm::Untouched), ..rearming.enabling },
        };
        if let Setting::Enabled(on) = setting {
            self.on = on;
        }
        self.user_timeout_ever |= matches!(setting, Setting::UserTimeout(_));
        self.set_in_run = true;
        self.machine.set(self.now, setting);
        self.look(cell.value == Some(Rearm::ProbeAtOnce)).map(|_| ())
    }

    fn arrive(&mut self, kind: Kind) -> Result<(), TestCaseError> {
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
        let segment = match kind {
            Kind::Ack => base,
            Kind::Data(octets) => Incoming { octets: u32::from(octets), ..base },
            Kind::Probe(octets) => Incoming { seq: below, octets: u32::from(octets), ..base },
            Kind::OldProbe(octets) => {
                Incoming { seq: below, octets: u32::from(octets), tsval: Some(5), ..base }
            }
            Kind::Fin => Incoming { flags: Flags::ACK.with(Flags::FIN), ..base },
            Kind::Rst(distance) => Incoming {
                seq: SeqNum(tcb.rcv_nxt.0.wrapping_add_signed(i32::from(distance))),
                flags: Flags::RST,
                ..base
            },
            Kind::Any(segment) => segment,
        };
        // A stamp far ahead would make all that follow old; what PAWS does to them is tested elsewhere.
        let segment = Incoming { tsval: segment.tsval.map(|value| value.min(self.tsval)), ..segment };
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
            prop_assert_eq!(self.machine.has_ended(), distance == 0);
        }
        self.look(false).map(|_| ())
    }

    /// A look before its time changes nothing.
    fn early(&mut self) {
        if self.machine.next_timeout().is_some_and(|due| due > self.now) {
            let before = format!("{:?}", self.machine);
            self.machine.on_timeout(self.now);
            assert_eq!(before, format!("{:?}", self.machine), "a timeout before its time");
        }
    }

    fn wait(&mut self, span: Span) -> Result<(), TestCaseError> {
        let until = self.now.plus(span);
        for _ in 0..FIRINGS {
            match self.machine.next_timeout().filter(|due| *due <= until) {
                Some(due) => {
                    self.now = due;
                    self.timeout()?;
                }
                None => {
                    self.now = until;
                    self.early();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn fire(&mut self, late: Span) -> Result<(), TestCaseError> {
        if let Some(due) = self.machine.next_timeout() {
            // In the middle of the way.
            let left = due.since(self.now).as_nanos();
            if left > 1 {
                self.now = self.now.plus(Span::from_nanos(left / 2));
                self.early();
            }
            self.now = due.plus(late);
            self.timeout()?;
        }
        Ok(())
    }

    fn timeout(&mut self) -> Result<(), TestCaseError> {
        self.machine.on_timeout(self.now);
        let acted = self.look(false)?;
        let next = self.machine.next_timeout();
        prop_assert!(
            acted || next.is_none_or(|next| next > self.now),
            "{}: fires at {:?} and again at {next:?}, and nothing was done",
            self.model.stack.name,
            self.now
        );
        Ok(())
    }

    /// Whether a time is one that the clock can count.
    fn is_whole(&self, span: Span) -> bool {
        !matches!(self.clock, Clock::Ticks { tick, .. } if span.as_nanos() % tick.as_nanos() != 0)
    }

    /// Takes what came out and holds it against the rules; whether there was anything.
    fn look(&mut self, probes_at_once: bool) -> Result<bool, TestCaseError> {
        let name = self.model.stack.name;
        let over_before = self.ends > 0;
        let mut acted = false;
        while let Some(segment) = self.machine.poll_transmit() {
            acted = true;
            prop_assert!(!over_before, "{}: {:?} after the end", name, segment);
            if let Purpose::Probe(number) = segment.purpose {
                self.probe(&segment, number, probes_at_once)?;
            }
        }
        while let Some(event) = self.machine.poll_event() {
            acted = true;
            prop_assert!(!over_before, "{}: {:?} after the end", name, event);
            match event {
                Event::GaveUp { after, .. } => {
                    self.ends += 1;
                    let times_only = matches!(
                        self.rule(),
                        GiveUp::Elapsed { .. } | GiveUp::AbortThreshold { .. } | GiveUp::UserTimeoutOnly
                    );
                    prop_assert!(after > 0 || times_only, "{}: given up without a probe", name);
                }
                Event::ResetByPeer { .. } => self.ends += 1,
                Event::Answered { .. } => {
                    self.run = 0;
                    self.set_in_run = false;
                }
                Event::ProbeSent { .. } | Event::Reported { .. } => {}
            }
        }
        prop_assert!(self.ends <= 1, "{}: ended {} times", name, self.ends);
        prop_assert_eq!(self.machine.has_ended(), self.ends > 0);
        let next = self.machine.next_timeout();
        prop_assert!(next.is_none_or(|next| next >= self.now), "{}: {:?} lies before now", name, next);
        prop_assert!(!self.machine.has_ended() || next.is_none(), "{}: a timer after the end", name);
        Ok(acted)
    }

    fn rule(&self) -> GiveUp {
        self.model.stack.giving_up.rule.value_or(GiveUp::Counted { user_timeout: UserTimeout::Unknown })
    }

    fn probe(&mut self, segment: &Outgoing, number: u32, at_once: bool) -> Result<(), TestCaseError> {
        let name = self.model.stack.name;
        let tcb = self.machine.tcb();
        let row = &self.model.stack.probe;
        let above = match row.seq.value_or(SeqRule::BelowSndNxt) {
            SeqRule::BelowSndUna => tcb.snd_una,
            SeqRule::BelowSndNxt => tcb.snd_nxt,
        };
        prop_assert_eq!(segment.seq.plus(1), above, "{}", name);
        prop_assert_eq!(segment.octets, row.octets.value_or(0), "{}", name);
        prop_assert!(self.on, "{}: a probe while keepalives are off", name);

        let checks = self.model.stack.idle_clock.outstanding.value_or(Outstanding::RearmIdle);
        let waits = tcb.is_outstanding() || tcb.unsent;
        prop_assert!(!waits || checks == Outstanding::NotChecked, "{}: a probe with data in flight", name);
        prop_assert!(at_once || self.last_probe != Some(self.now), "{}: two probes in the same moment", name);
        self.last_probe = Some(self.now);

        // No probe before the idle time has passed since the last sign of life, but where a setting sends one.
        let settings = *self.machine.settings();
        let since = self.now.since(self.alive).plus(self.unit());
        prop_assert!(
            at_once || since >= settings.idle,
            "{}: probe {} after {:?}, idle {:?}",
            name,
            number,
            self.now.since(self.alive),
            settings.idle
        );

        self.run += 1;
        let is_counted = match self.rule() {
            GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount } => !self.user_timeout_ever,
            GiveUp::Counted { .. } => true,
            // What is left of a tick adds up.
            GiveUp::Elapsed { .. } => self.is_whole(settings.idle) && self.is_whole(settings.interval),
            _ => false,
        };
        if is_counted && !self.set_in_run {
            prop_assert!(self.run <= settings.count, "{}: probe {} of {}", name, self.run, settings.count);
        }
        Ok(())
    }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (span(), span(), 1_u32..=12, proptest::option::weighted(0.2, span()))
        .prop_map(|(idle, interval, count, user_timeout)| Settings { idle, interval, count, user_timeout })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stack_keeps_its_rules(
        name in stack(),
        hz in prop_oneof![Just(100_u32), Just(250), Just(300), Just(1_000)],
        settings in any_settings(),
        start in 0_i64..4_000_000_000_000_000_000,
        phase in 0_i64..100_000_000_000_000,
        at_first in proptest::bool::weighted(0.8),
        operations in vec(operation(), 1..40),
    ) {
        let mut model = model(name);
        if let Rounding::TimerWheel { .. } = model.rounding {
            model.rounding = Rounding::TimerWheel { hz };
        }
        let start = Timestamp::from_nanos(start);
        let zero = start.plus(Span::from_nanos(-phase));
        let mut watched = Watched::new(model, settings, start, zero);
        if at_first {
            watched.apply(Operation::Set(Setting::Enabled(true)))?;
            watched.set_in_run = false;
        }
        for operation in operations {
            watched.apply(operation)?;
        }
    }

    #[test]
    fn a_silent_peer_of_a_counting_stack_is_given_up(
        name in stack(),
        settings in any_settings(),
        phase in 0_i64..100_000_000_000_000,
    ) {
        let settings = Settings { user_timeout: None, ..settings };
        let zero = Timestamp::from_nanos(-phase);
        let mut watched = Watched::new(model(name), settings, Timestamp::default(), zero);
        watched.apply(Operation::Set(Setting::Enabled(true)))?;
        let gives_up = matches!(watched.rule(), GiveUp::Counted { .. } | GiveUp::Elapsed { .. });
        for _ in 0..100 {
            watched.fire(Span::ZERO)?;
        }
        // An abort threshold may lie further away.
        if !matches!(watched.rule(), GiveUp::AbortThreshold { .. }) {
            prop_assert_eq!(watched.machine.has_ended(), gives_up);
        }
    }

    #[test]
    fn the_wheel_is_late_by_up_to_a_granule_and_never_early(
        hz in 1_u32..=1_200,
        zero in any::<i32>(),
        now in 0_i64..1 << 45,
        delay in prop_oneof![0_i64..70, 0_i64..5_000, 0_i64..1 << 24, 0_i64..1 << 30],
        more in 0_i64..10_000,
    ) {
        let wheel = Wheel::new(hz, Timestamp::from_nanos(i64::from(zero)));
        let granule = Wheel::granule(delay);
        let fires = wheel.fires_at(now, delay);
        prop_assert!(fires > now + delay && fires <= now + delay + granule);
        prop_assert_eq!(fires % granule, 0);
        if Wheel::granule(delay + more) == granule {
            prop_assert!(wheel.fires_at(now, delay + more) >= fires);
        }
    }

    #[test]
    fn the_wheel_is_never_early_in_nanoseconds(
        hz in 1_u32..=1_200,
        zero in any::<i32>(),
        now in 0_i64..2_000_000_000_000_000_000,
        delay in 0_i64..40_000_000_000_000,
    ) {
        let wheel = Wheel::new(hz, Timestamp::from_nanos(i64::from(zero)));
        let (now, delay) = (Timestamp::from_nanos(now), Span::from_nanos(delay));
        let took = wheel.fires(now, delay).since(now);
        let jiffy = 1_000_000_000 / i64::from(hz) + 1;
        let jiffies = Wheel::granule(wheel.to_jiffies(delay)) + 2;
        prop_assert!(took > delay);
        prop_assert!(took.as_nanos() <= delay.as_nanos() + jiffies * jiffy);
        let again = Wheel::with_phase(hz, now, wheel.jiffies_at(now).unsigned_abs());
        prop_assert_eq!(again.jiffies_at(now), wheel.jiffies_at(now).abs());
    }

    #[test]
    fn the_wheel_takes_anything(hz: u32, zero: i64, now: i64, jiffies: u64, delay: i64) {
        let now = Timestamp::from_nanos(now);
        for wheel in [Wheel::new(hz, Timestamp::from_nanos(zero)), Wheel::with_phase(hz, now, jiffies)] {
            let fires = wheel.fires(now, Span::from_nanos(delay));
            let _ = (wheel.fires_at(jiffies as i64, delay), wheel.jiffies_at(fires), Wheel::granule(delay));
        }
    }
}
