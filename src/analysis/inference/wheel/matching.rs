//! How well a step fits a prediction, and how sharp the prediction was.

use super::{JITTER, MILLISECOND};

/// Keepalives turned on late explain any longer silence: as little as a window this wide would.
const LATE_WIDTH: i64 = 3_300 * MILLISECOND;

/// How a step fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    /// From 0, not at all, to 1.
    pub(super) fit: f64,
    /// How likely just this was to be seen, beside a prediction to the jiffy that is met: a wide window holds
    /// much else.
    pub(super) density: f64,
}

impl Match {
    pub(super) const NONE: Match = Match { fit: 0.0, density: 0.0 };

    /// On a prediction to the jiffy, as close as this.
    pub(super) fn exact(closeness: f64) -> Self {
        Self { fit: closeness, density: closeness }
    }

    /// Inside a window of this width, or not.
    pub(super) fn within(inside: bool, width: i64) -> Self {
        if !inside {
            return Self::NONE;
        }
        Self { fit: 1.0, density: 1.0 / (1.0 + width.max(0) as f64 / (2 * JITTER) as f64) }
    }

    /// Longer than it had to be, which being turned on late explains.
    pub(super) fn late() -> Self {
        Self { fit: 0.5, ..Self::within(true, LATE_WIDTH) }
    }

    /// The better of two explanations, in either respect.
    pub(super) fn or(self, other: Self) -> Self {
        Self { fit: self.fit.max(other.fit), density: self.density.max(other.density) }
    }

    /// One that is less believed.
    pub(super) fn less(self, fit: f64, density: f64) -> Self {
        Self { fit: self.fit * fit, density: self.density * density }
    }
}
