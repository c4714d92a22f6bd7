//! The simulator: its worlds hold together, and the analyzer recovers from a capture what the world knows.

#[path = "simulate/worlds.rs"]
mod worlds;
