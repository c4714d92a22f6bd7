//! The timer wheel of Linux 4.8 and later, which fires late by up to one granule.
//!
//! Owns the rounding and nothing else. Source: `kernel/time/timer.c` (`calc_index`, `calc_wheel_index`,
//! `LVL_START`); confirmed on Linux 6.18 at HZ=250. Uses [`crate::time`].

use crate::time::{Span, Timestamp};

/// Levels of the wheel; each is eight times as coarse as the one below.
const LEVELS: u32 = 9;

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// From here on less than a second of jiffies may be too much for 64 bits.
const MOST_HZ: i64 = 1_000_000_000;

/// The kernel's clock tick and where the wheel stands relative to it.
///
/// A timer never fires early. It fires when the jiffies counter reaches a multiple of the granule of its
/// level, so when a timer fires depends on the *phase*: where the counter stands when the timer is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wheel {
    hz: u32,
    /// When the jiffies counter, seen without end, was 0.
    zero: Timestamp,
}

impl Wheel {
    /// A wheel of a kernel with this `CONFIG_HZ` (100, 250, 300 or 1000 as distributed; 0 counts as 1) whose
    /// jiffies counter stood, or would have stood, at 0 at `zero`.
    pub fn new(hz: u32, zero: Timestamp) -> Self {
        Self { hz: hz.max(1), zero }
    }

    /// A wheel whose counter stands at `jiffies`, just reached, at `now`.
    pub fn with_phase(hz: u32, now: Timestamp, jiffies: u64) -> Self {
        let hz = hz.max(1);
        // Rounded up, so that the counter stands at `jiffies` and not still below.
        let elapsed = (i128::from(jiffies) * 1_000_000_000 + i128::from(hz) - 1) / i128::from(hz);
        let zero = i128::from(now.as_nanos()) - elapsed;
        let clamped = i64::try_from(zero).unwrap_or(if zero < 0 { i64::MIN } else { i64::MAX });
        Self { hz, zero: Timestamp::from_nanos(clamped) }
    }

    /// `CONFIG_HZ`: ticks a second.
    pub const fn hz(&self) -> u32 {
        self.hz
    }

    /// The jiffies counter at a time.
    pub fn jiffies_at(&self, time: Timestamp) -> i64 {
        // Whole seconds apart, so that 64 bits are enough and nothing is divided by what is not constant; times
        // further apart than 292 years need more.
        if let Some(nanos) = time.as_nanos().checked_sub(self.zero.as_nanos()) {
            let (seconds, rest) = (nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS));
            let hz = i64::from(self.hz);
            if let Some(jiffies) = seconds.checked_mul(hz).filter(|_| hz < MOST_HZ) {
                return jiffies.saturating_add(rest * hz / NANOS);
            }
        }
        let nanos = i128::from(time.as_nanos()) - i128::from(self.zero.as_nanos());
        let jiffies = (nanos * i128::from(self.hz)).div_euclid(i128::from(NANOS));
        i64::try_from(jiffies).unwrap_or(if jiffies < 0 { i64::MIN } else { i64::MAX })
    }

    /// When the counter reaches `jiffies`.
    pub fn time_at(&self, jiffies: i64) -> Timestamp {
        let hz = i64::from(self.hz);
        let (seconds, rest) = (jiffies.div_euclid(hz), jiffies.rem_euclid(hz));
        // Rounded up, so that the counter has reached it.
        let within = (rest * NANOS + hz - 1) / hz;
        let near = seconds.checked_mul(NANOS).and_then(|nanos| nanos.checked_add(within));
        if let Some(time) = near.and_then(|nanos| nanos.checked_add(self.zero.as_nanos())) {
            return Timestamp::from_nanos(time);
        }
        let nanos = i128::from(seconds) * i128::from(NANOS) + i128::from(within);
        let time = i128::from(self.zero.as_nanos()) + nanos;
        Timestamp::from_nanos(i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX }))
    }

    /// A span in jiffies, rounded up as `msecs_to_jiffies` does.
    pub fn to_jiffies(&self, span: Span) -> i64 {
        let (nanos, hz) = (span.as_nanos().max(0), i64::from(self.hz));
        if let Some(jiffies) = (nanos / NANOS).checked_mul(hz).filter(|_| hz < MOST_HZ) {
            return jiffies.saturating_add((nanos % NANOS * hz + NANOS - 1) / NANOS);
        }
        let jiffies = (i128::from(nanos) * i128::from(hz) + i128::from(NANOS) - 1) / i128::from(NANOS);
        i64::try_from(jiffies).unwrap_or(i64::MAX)
    }

    /// The granule, in jiffies, of the level on which a timer of this delay (in jiffies) is put.
    pub fn granule(delay: i64) -> i64 {
        1 << (3 * level(delay))
    }

    /// The counter at which a timer fires that is armed at `now` for `delay` jiffies.
    pub fn fires_at(&self, now: i64, delay: i64) -> i64 {
        let delay = delay.max(0);
        let shift = 3 * level(delay);
        ((now.saturating_add(delay) >> shift).saturating_add(1)) << shift
    }

    /// When a timer fires that is armed at `now` for `delay`.
    pub fn fires(&self, now: Timestamp, delay: Span) -> Timestamp {
        self.time_at(self.fires_at(self.jiffies_at(now), self.to_jiffies(delay)))
    }
}

/// The level for a delay: the lowest whose span holds it.
fn level(delay: i64) -> u32 {
    // The octal digits of how often it exceeds what the lowest level holds.
    let octal_digits = (delay.max(0) as u64 / 63).checked_ilog2().map_or(0, |bits| bits / 3 + 1);
    octal_digits.min(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steady gap of a timer that re-arms itself when it fires.
    fn steady_gap(hz: u32, seconds: i64) -> Span {
        let wheel = Wheel::new(hz, Timestamp::default());
        let delay = Span::from_secs(seconds);
        let first = wheel.fires(Timestamp::from_nanos(12_345_678_901), delay);
        wheel.fires(first, delay).since(first)
    }

    #[test]
    fn steady_gaps_are_those_measured_on_real_kernels() {
        // Measured on Linux 6.18 at HZ=250, and what the same rule gives at other HZ.
        let at_250 = [
            (1, 1_024),
            (2, 2_016),
            (3, 3_072),
            (5, 5_120),
            (7, 7_168),
            (10, 10_240),
            (15, 15_104),
            (20, 20_480),
            (25, 26_624),
            (30, 30_720),
            (45, 45_056),
            (60, 61_440),
            (75, 75_776),
            (33, 34_816),
            (65, 65_536),
            (131, 131_072),
            (140, 147_456),
            (200, 212_992),
            (300, 311_296),
            (340, 344_064),
            (350, 360_448),
        ];
        for (seconds, millis) in at_250 {
            assert_eq!(steady_gap(250, seconds), Span::from_millis(millis), "{seconds} s at HZ=250");
        }
        for (hz, seconds, millis) in [
            (100, 75, 76_800),
            (1000, 75, 77_824),
            (1000, 300, 327_680),
            (1000, 25, 25_088),
            (100, 600, 614_400),
        ] {
            assert_eq!(steady_gap(hz, seconds), Span::from_millis(millis), "{seconds} s at HZ={hz}");
        }
        assert_eq!(steady_gap(300, 3).as_nanos() / 1_000_000, 3_200);
    }

    #[test]
    fn timers_fire_in_every_phase_after_their_delay_and_within_a_granule() {
        for delay in [1, 62, 63, 503, 504, 4_031, 4_032, 18_750, 85_000, 1_800_000] {
            let wheel = Wheel::new(250, Timestamp::default());
            let granule = Wheel::granule(delay);
            for now in (0..granule).step_by((granule / 64).max(1) as usize) {
                let fires = wheel.fires_at(now, delay);
                assert!(fires > now + delay && fires <= now + delay + granule, "{delay} at {now}: {fires}");
                assert_eq!(fires % granule, 0);
            }
        }
    }

    #[test]
    fn the_level_of_a_delay_is_the_lowest_that_holds_it() {
        let edges = (0..LEVELS + 2).map(|level| 63_i64 << (3 * level));
        let near = edges.flat_map(|edge| [edge - 1, edge, edge + 1]);
        for delay in near.chain([i64::MIN, -1, 0, 1, i64::MAX]) {
            let lowest = (0..LEVELS - 1).find(|level| delay < 63 << (3 * level)).unwrap_or(LEVELS - 1);
            assert_eq!(level(delay), lowest, "{delay}");
        }
    }

    /// The arithmetic in its plain form.
    #[test]
    fn jiffies_are_exact_for_any_time() {
        let far = [i64::MIN, i64::MIN + 1, -1, 0, 1, 999_999_999, 1_000_000_000, i64::MAX - 1, i64::MAX];
        for hz in [1, 100, 250, 300, 1000, 1024, 999_999_999, 1_000_000_000, u32::MAX] {
            for zero in far {
                let wheel = Wheel::new(hz, Timestamp::from_nanos(zero));
                for time in far.iter().copied().chain((0..200).map(|step| step * 7_777_777 - 3_333)) {
                    let nanos = i128::from(time) - i128::from(zero);
                    let jiffies = (nanos * i128::from(hz)).div_euclid(1_000_000_000);
                    let clamp = |value: i128| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
                    assert_eq!(
                        wheel.jiffies_at(Timestamp::from_nanos(time)),
                        clamp(jiffies),
                        "{time} {zero} {hz}"
                    );
                    let up =
                        (i128::from(time) * 1_000_000_000 + i128::from(hz) - 1).div_euclid(i128::from(hz));
                    let at = clamp(i128::from(zero) + up);
                    assert_eq!(wheel.time_at(time), Timestamp::from_nanos(at), "{time} {zero} {hz}");
                    let span = (i128::from(time.max(0)) * i128::from(hz) + 999_999_999) / 1_000_000_000;
                    assert_eq!(wheel.to_jiffies(Span::from_nanos(time)), clamp(span), "{time} {hz}");
                }
            }
        }
    }

    #[test]
    fn time_and_jiffies_agree_for_any_hz() {
        for hz in [100, 250, 300, 1000] {
            let wheel =
                Wheel::with_phase(hz, Timestamp::from_nanos(1_700_000_000_123_456_789), 4_294_937_296);
            assert_eq!(wheel.jiffies_at(Timestamp::from_nanos(1_700_000_000_123_456_789)), 4_294_937_296);
            for jiffies in [0, 1, 4_294_937_296, 4_294_967_295, 5_000_000_001] {
                assert_eq!(wheel.jiffies_at(wheel.time_at(jiffies)), jiffies, "HZ={hz}");
            }
        }
    }
}
