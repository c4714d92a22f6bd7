//! Chance that can be repeated: independent streams of one seed.
//!
//! Owns [`Chance`], the only source of randomness in a simulation. Whoever needs randomness has a stream of
//! his own, so that what one draws changes nothing for another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::time::Span;

/// Whose stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// A direction of a link, counted from the client; towards the server or back.
    Link {
        /// Which link.
        index: u32,
        /// Towards the server.
        up: bool,
    },
    /// A host: its phase, its IP IDs.
    Host {
        /// Which.
        index: u32,
    },
    /// An end of a connection: its initial sequence number, its timestamps.
    End {
        /// Which connection.
        connection: u32,
        /// Which host.
        host: u32,
    },
    /// A box on the path, counted from the client.
    Middlebox {
        /// Which.
        index: u32,
    },
    /// A fleet.
    Fleet,
    /// Whatever the description of a simulation leaves to chance.
    Scenario,
}

impl Stream {
    fn number(self) -> u64 {
        let (kind, index) = match self {
            Stream::Link { index, up } => (1, u64::from(index) << 1 | u64::from(up)),
            Stream::Host { index } => (2, u64::from(index)),
            Stream::End { connection, host } => (3, u64::from(connection) << 1 | u64::from(host & 1)),
            Stream::Middlebox { index } => (4, u64::from(index)),
            Stream::Fleet => (5, 0),
            Stream::Scenario => (6, 0),
        };
        kind << 40 | index
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of somebody, for a seed.
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream.number());
        Self(rng)
    }

    /// 32 random bits.
    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn long(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 up to, not including, `bound`; 0 if that is 0. Even to one part in 2⁶⁴ / `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.long()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// From 0 up to, not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn share(&mut self) -> f64 {
        (self.long() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From nothing up to, not including, `most`; nothing if that is not positive.
    pub fn span(&mut self, most: Span) -> Span {
        let nanos = self.below(u64::try_from(most.as_nanos()).unwrap_or(0));
        Span::from_nanos(i64::try_from(nanos).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_their_own() {
        let draw = |seed, stream| {
            let mut chance = Chance::new(seed, stream);
            [chance.long(), chance.long()]
        };
        let up = Stream::Link { index: 0, up: true };
        assert_eq!(draw(1, up), draw(1, up));
        assert_ne!(draw(1, up), draw(2, up));
        assert_ne!(draw(1, up), draw(1, Stream::Link { index: 0, up: false }));
        assert_ne!(draw(1, up), draw(1, Stream::Host { index: 1 }));
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut chance = Chance::new(7, Stream::Fleet);
        for bound in [0, 1, 2, 3, 1000] {
            assert!((0..1000).all(|_| chance.below(bound) <= bound.saturating_sub(1)));
        }
        let mean = (0..10_000).map(|_| chance.share()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
