//! The system behind the wire: real interfaces in network namespaces that the test makes and removes.

mod common;
#[path = "live_wire/net.rs"]
mod net;
#[path = "live_wire/packets.rs"]
mod packets;
#[path = "live_wire/world.rs"]
mod world;
