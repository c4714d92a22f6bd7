//! Time that never goes back, and what kernel time stamps say in it.
//!
//! Owns [`Clock`], which is the system's clocks or a test's, and [`Timeline`]. The timeline starts at the
//! system's time and then follows CLOCK_BOOTTIME, which counts through suspend and is never set. Packets are
//! stamped by CLOCK_REALTIME, which may be set: both run at one rate, so their difference only changes by a
//! step, and the stamps are moved by that difference. Uses [`crate::time`].

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{Span, Timestamp};

/// The two clocks of a system.
pub trait Clock {
    /// Nanoseconds since the system was started, suspend included (CLOCK_BOOTTIME). Never goes back.
    fn since_boot(&self) -> i64;

    /// Nanoseconds since 1970 (CLOCK_REALTIME); it may be set at any moment.
    fn real(&self) -> i64;

    /// Nanoseconds since the system was started, suspend left out (CLOCK_MONOTONIC). Clocks of machines that never
    /// sleep need not tell.
    fn awake(&self) -> i64 {
        self.since_boot()
    }
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn since_boot(&self) -> i64 {
        nanos(clock_gettime(ClockId::Boottime))
    }

    fn real(&self) -> i64 {
        nanos(clock_gettime(ClockId::Realtime))
    }

    fn awake(&self) -> i64 {
        nanos(clock_gettime(ClockId::Monotonic))
    }
}

/// A time of the system in nanoseconds.
pub(super) fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Both clocks are computed from one counter; this is what rounding leaves between them, and more.
const ROUNDING: i64 = 1_000;

/// The real time minus the time since boot, as a range that is sure to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    least: i64,
    most: i64,
}

impl Offset {
    /// Reads the real time between two readings of the other; whatever delays us widens the range only.
    fn read(clock: &impl Clock) -> Self {
        let before = clock.since_boot();
        let real = clock.real();
        let after = clock.since_boot();
        Self { least: real.saturating_sub(after), most: real.saturating_sub(before) }
    }

    /// The narrowest range of some readings.
    fn read_well(clock: &impl Clock) -> Self {
        let first = Self::read(clock);
        (0..READINGS).map(|_| Self::read(clock)).fold(first, |best, read| {
            if read.most.saturating_sub(read.least) < best.most.saturating_sub(best.least) {
                read
            } else {
                best
            }
        })
    }

    const fn middle(self) -> i64 {
        self.least.saturating_add(self.most.saturating_sub(self.least) / 2)
    }
}

/// Readings for a narrow range; one of them is hardly ever disturbed.
const READINGS: usize = 8;

/// Both clocks run alike but in suspend; less than this between them may be what lay between two readings.
const LEAST_SLEEP: i64 = 500_000_000;

/// The time in suspend since the system was started. Being held up between the readings makes it less, never more.
fn asleep(clock: &impl Clock) -> i64 {
    let boot = clock.since_boot();
    boot.saturating_sub(clock.awake())
}

/// The time of a live run.
#[derive(Debug)]
pub struct Timeline<C> {
    clock: C,
    /// What is added to the time since boot; the real time where no step happens.
    start: i64,
    /// The offset that stamps of now carry.
    offset: i64,
    /// The one before the last step, for packets that were stamped before it and are read after it.
    previous: Option<i64>,
    /// The time in suspend so far, as far as it was told.
    slept: i64,
}

impl<C: Clock> Timeline<C> {
    /// Begins now.
    pub fn new(clock: C) -> Self {
        let offset = Offset::read_well(&clock).middle();
        let slept = (0..READINGS).map(|_| asleep(&clock)).max().unwrap_or(0);
        Self { clock, start: offset, offset, previous: None, slept }
    }

    /// How long the system was suspended since this was last asked; half a second is none.
    pub fn slept(&mut self) -> Option<Span> {
        let slept = asleep(&self.clock);
        let more = slept.saturating_sub(self.slept);
        (more >= LEAST_SLEEP).then(|| {
            self.slept = slept;
            Span::from_nanos(more)
        })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.clock.since_boot().saturating_add(self.start))
    }

    /// A time of this timeline in nanoseconds since boot, 0 for one before it.
    pub fn since_boot(&self, time: Timestamp) -> i64 {
        time.as_nanos().saturating_sub(self.start).max(0)
    }

    /// By how much the system's clock was set since this was last asked.
    pub fn step(&mut self) -> Option<Span> {
        let seen = Offset::read(&self.clock);
        let possible = seen.least.saturating_sub(ROUNDING)..=seen.most.saturating_add(ROUNDING);
        if possible.contains(&self.offset) {
            return None;
        }
        let offset = Offset::read_well(&self.clock).middle();
        self.previous = Some(self.offset);
        let step = offset.saturating_sub(self.offset);
        self.offset = offset;
        (step != 0).then_some(Span::from_nanos(step))
    }

    /// The time of a packet that the kernel stamped so, read by now.
    ///
    /// Ask [`Timeline::step`] first. Of the offsets before and after a step the one is right that puts the
    /// packet last, but not after now.
    pub fn of_stamp(&self, real: i64) -> Timestamp {
        let now = self.now();
        let with =
            |offset: i64| Timestamp::from_nanos(real.saturating_sub(offset).saturating_add(self.start));
        let current = with(self.offset);
        let before = self.previous.map(with);
        let best = [Some(current), before].into_iter().flatten().filter(|time| *time <= now).max();
        best.unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Clocks that only move when told; each reading costs a little time.
    struct Told {
        /// What of the time since boot was slept through.
        slept: Cell<i64>,
        boot: Cell<i64>,
        offset: Cell<i64>,
        cost: Cell<i64>,
    }

    impl Told {
        fn at(boot: i64, offset: i64) -> Self {
            Self {
                slept: Cell::new(0),
                boot: Cell::new(boot),
                offset: Cell::new(offset),
                cost: Cell::new(20),
            }
        }
    }

    impl Clock for &Told {
        fn since_boot(&self) -> i64 {
            self.boot.set(self.boot.get() + self.cost.get());
            self.boot.get()
        }

        fn real(&self) -> i64 {
            self.boot.set(self.boot.get() + self.cost.get());
            self.boot.get() + self.offset.get()
        }

        fn awake(&self) -> i64 {
            self.since_boot() - self.slept.get()
        }
    }

    const DAY: i64 = 86_400_000_000_000;
    const EPOCH: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn time_starts_at_the_system_and_stamps_agree_with_it() {
        let told = Told::at(DAY, EPOCH);
        let timeline = Timeline::new(&told);
        let now = timeline.now().as_nanos();
        assert!((now - (told.boot.get() + EPOCH)).abs() <= 20, "{now}");
        let stamp = told.boot.get() + EPOCH - 5_000;
        assert!((timeline.of_stamp(stamp).as_nanos() - stamp).abs() <= 20);
        // Two stamps are exactly as far apart as the kernel says.
        let apart = timeline.of_stamp(stamp).since(timeline.of_stamp(stamp - 31_007));
        assert_eq!(apart.as_nanos(), 31_007);
    }

    #[test]
    fn a_step_is_told_once_and_time_goes_on_without_it() {
        for step in [3_600_000_000_000, -3_600_000_000_000, 50_000, -50_000] {
            let told = Told::at(DAY, EPOCH);
            let mut timeline = Timeline::new(&told);
            assert_eq!(timeline.step(), None);
            let before = timeline.now();
            told.offset.set(EPOCH + step);
            let seen = timeline.step().unwrap().as_nanos();
            assert!((seen - step).abs() <= 100, "{seen} for {step}");
            assert_eq!(timeline.step(), None);
            let after = timeline.now();
            assert!(after >= before && after.since(before).as_nanos() < 1_000_000);
            let stamp = told.boot.get() + told.offset.get();
            told.boot.set(told.boot.get() + 1_000);
            let seen = timeline.of_stamp(stamp);
            assert!(seen >= after && seen.since(after).as_nanos() < 1_000, "{step}");
        }
    }

    #[test]
    fn a_packet_stamped_before_a_step_and_read_after_it_keeps_its_time() {
        for step in [7_000_000_000, -7_000_000_000] {
            let told = Told::at(DAY, EPOCH);
            let mut timeline = Timeline::new(&told);
            let stamped = timeline.now();
            let stamp = told.boot.get() + EPOCH;
            told.offset.set(EPOCH + step);
            told.boot.set(told.boot.get() + 100_000);
            assert!(timeline.step().is_some());
            let seen = timeline.of_stamp(stamp);
            assert!(seen.since(stamped).abs().as_nanos() <= 200, "{step}: {seen} for {stamped}");
        }
    }

    #[test]
    fn being_held_up_between_readings_is_no_step() {
        let told = Told::at(DAY, EPOCH);
        let mut timeline = Timeline::new(&told);
        told.cost.set(30_000_000);
        for _ in 0..10 {
            assert_eq!(timeline.step(), None);
        }
    }

    #[test]
    fn suspend_is_time_that_passes() {
        let told = Told::at(DAY, EPOCH);
        let mut timeline = Timeline::new(&told);
        let before = timeline.now();
        told.boot.set(told.boot.get() + DAY);
        assert_eq!(timeline.step(), None);
        assert!(timeline.now().since(before).as_nanos() >= DAY);
    }

    #[test]
    fn suspend_is_told_once_and_being_held_up_is_none() {
        let told = Told::at(DAY, EPOCH);
        told.cost.set(30_000_000);
        let mut timeline = Timeline::new(&told);
        told.cost.set(20);
        assert_eq!(timeline.slept(), None);
        told.cost.set(30_000_000);
        assert_eq!(timeline.slept(), None);
        told.cost.set(20);
        told.boot.set(told.boot.get() + DAY);
        assert_eq!(timeline.slept(), None, "time that passes is no sleep");
        told.boot.set(told.boot.get() + 7_000_000_000);
        told.slept.set(7_000_000_000);
        let slept = timeline.slept().unwrap().as_nanos();
        assert!((slept - 7_000_000_000).abs() < 100_000_000, "{slept}");
        assert_eq!(timeline.slept(), None);
    }

    #[test]
    fn a_stamp_is_never_after_now() {
        let told = Told::at(DAY, EPOCH);
        let timeline = Timeline::new(&told);
        assert!(timeline.of_stamp(i64::MAX) <= timeline.now());
    }
}
