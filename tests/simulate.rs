//! The simulator: its worlds hold together, and the analyzer recovers from a capture what the world knows.

#[path = "simulate/case.rs"]
mod case;
mod common;
#[path = "simulate/fleet.rs"]
mod fleet;
#[path = "simulate/oracle.rs"]
mod oracle;
#[path = "simulate/tshark.rs"]
mod tshark;
#[path = "simulate/worlds.rs"]
mod worlds;
