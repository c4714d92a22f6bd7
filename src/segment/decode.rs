//! From a frame to a TCP segment or an ICMP error that quotes one.
//!
//! Everything else is skipped with a [`Skip`] reason, never silently.

use super::{IcmpError, Segment};
use crate::frame::Frame;

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Decoded {
    /// A TCP segment.
    Segment(Segment),
    /// An ICMP error about a TCP segment.
    Icmp(IcmpError),
    /// Not read, and why.
    Skipped(Skip),
}

/// Why a frame was not read as TCP. Placeholder variants until the decoder is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// A link type that is not understood.
    LinkType(u16),
}

/// Reads one frame.
pub fn decode(_frame: &Frame<'_>) -> Decoded {
    Decoded::Skipped(Skip::LinkType(0))
}
