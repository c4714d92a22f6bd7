//! The rows of the table of applications.

use super::Preset;

pub(super) const ALL: &[Preset] = &[];
