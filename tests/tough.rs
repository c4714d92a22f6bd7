//! What the live commands do when the world does its worst: killed, without a disk, without an interface, without a
//! reader, by every signal, and for a long time with loss.
//!
//! Namespaces, real kernels, the binary from outside. `KEEPSCOPE_KILLS` and `KEEPSCOPE_SOAK` make the two campaigns
//! longer; the README has their commands.

mod common;
#[path = "tough/killed.rs"]
mod killed;
#[path = "live_wire/net.rs"]
#[allow(dead_code)]
mod net;
#[path = "live_wire/program.rs"]
#[allow(dead_code)]
mod program;
#[path = "tough/server.rs"]
mod server;
