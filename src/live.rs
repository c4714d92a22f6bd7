//! Live: real packets, sent and seen.
//!
//! Owns the only sockets of the program, and the clock that goes with them. The keepalive machine decides when a
//! probe is due, the pipeline reads what comes back; this module drives them. Behind [`wire::Wire`] stands the
//! operating system, or anything else that takes and gives packets.

#[cfg(not(target_os = "linux"))]
compile_error!("the feature `live` is for Linux; build with --no-default-features --features cli");

pub mod check;
pub mod clock;
pub mod doctor;
pub mod engine;
pub mod filter;
pub mod idle;
pub mod interface;
pub mod kernel;
pub mod netns;
pub mod privilege;
pub mod recording;
pub mod respond;
pub mod sys;
pub mod system;
pub mod target;
pub mod watch;
pub mod wire;
