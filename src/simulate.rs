//! The simulator: hosts, links and the boxes between them on a virtual clock.
//!
//! Owns simulated time and everything in it. Pure: the same description and the same seed give the same octets.
//! The hosts run the keepalive machine; what passes a tap is a frame like any other.
//!
//! ```text
//! world ── queue          what happens next
//!  ├ host ─ end           a stack, its connections; windows: its Winsock calls
//!  ├ link ─ chance        delay, loss, order; a stream of random numbers for each direction
//!  ├ middlebox            what stands in between and keeps state
//!  ├ tap                  packets become frames
//!  └ truth                what really happened
//! fleet                   very many connections over one plain path
//! idle                    the search for an idle timeout, tried on a world
//! ```

pub mod chance;
pub mod end;
pub mod fleet;
pub mod host;
pub mod idle;
pub mod link;
pub mod middlebox;
pub mod packet;
pub mod profile;
pub mod queue;
mod retransmit;
#[cfg(feature = "scenario")]
pub mod scenario;
pub mod tap;
pub mod truth;
pub mod windows;
pub mod world;
