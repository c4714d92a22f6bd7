//! The system behind the wire: real interfaces in network namespaces that the test makes and removes.

mod common;
#[path = "live_wire/connections.rs"]
mod connections;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "live_wire/packets.rs"]
mod packets;
#[path = "live_wire/trouble.rs"]
mod trouble;
#[path = "live_wire/world.rs"]
mod world;
