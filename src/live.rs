//! Live: real packets, sent and seen.
//!
//! Owns the only sockets of the program, and the clock that goes with them. The keepalive machine decides when a
//! probe is due, the pipeline reads what comes back; this module drives them. Behind [`wire::Wire`] stands the
//! operating system, or anything else that takes and gives packets.

pub mod recording;
pub mod wire;
