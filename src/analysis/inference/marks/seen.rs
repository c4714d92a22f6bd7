//! What a mark shows, in words that are put together when they are asked for: most marks are only weighed.

use std::borrow::Cow;
use std::fmt;

use crate::track::event::SynOffer;

/// What was seen, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// In so many words.
    Words(Cow<'static, str>),
    /// The TTL at the point of capture, and the one that the packet left with.
    TimeToLive(u8, u8),
    /// The shortest and the longest time between probes, or silence, in nanoseconds.
    Spacing {
        /// The shortest.
        shortest: i64,
        /// The longest.
        longest: i64,
        /// Each is much longer than the one before.
        growing: bool,
    },
    /// What a SYN offered.
    Offer(SynOffer),
}

impl From<&'static str> for Seen {
    fn from(words: &'static str) -> Self {
        Self::Words(Cow::Borrowed(words))
    }
}

impl From<String> for Seen {
    fn from(words: String) -> Self {
        Self::Words(Cow::Owned(words))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Words(ref words) => f.write_str(words),
            Self::TimeToLive(here, left) => write!(f, "{here} here, so {left} when it left"),
            Self::Spacing { shortest, longest, growing: true } => {
                write!(f, "growing from {} to {}", Millis(shortest), Millis(longest))
            }
            Self::Spacing { shortest, longest, .. } if longest - shortest < 1_000_000 => {
                Millis(shortest).fmt(f)
            }
            Self::Spacing { shortest, longest, .. } => {
                write!(f, "{} to {}", Millis(shortest), Millis(longest))
            }
            Self::Offer(SynOffer { timestamps, sack_permitted, window_scale }) => {
                let with = |is: bool| if is { "with" } else { "without" };
                write!(f, "{} timestamps, ", with(timestamps))?;
                match window_scale {
                    Some(shift) => write!(f, "window scale {shift}"),
                    None => f.write_str("no window scale"),
                }?;
                write!(f, ", {} SACK", with(sack_permitted))
            }
        }
    }
}

/// Nanoseconds in seconds with three digits.
struct Millis(i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.saturating_add(500_000).div_euclid(1_000_000);
        write!(f, "{}.{:03} s", millis.div_euclid(1000), millis.rem_euclid(1000))
    }
}
