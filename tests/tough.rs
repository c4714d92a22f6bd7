//! What the live commands do when the world does its worst: killed, without a disk, without an interface, without a
//! reader, by every signal, and for a long time with loss.
//!
//! Namespaces, real kernels, the binary from outside. `KEEPSCOPE_KILLS` and `KEEPSCOPE_SOAK` make the two campaigns
//! longer; the README has their commands.

mod common;
#[path = "tough/disk.rs"]
mod disk;
#[path = "tough/killed.rs"]
mod killed;
#[path = "tough/lost.rs"]
mod lost;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "tough/pipes.rs"]
mod pipes;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;
#[path = "tough/server.rs"]
mod server;
#[path = "tough/signals.rs"]
mod signals;
#[path = "tough/soak.rs"]
mod soak;
#[path = "tough/witness.rs"]
mod witness;
