//! The screen: what it shows, what keys do, and how it behaves in a real terminal.

mod common;

#[path = "dashboard/bound.rs"]
mod bound;
#[path = "dashboard/harness.rs"]
mod harness;
#[path = "dashboard/hostile.rs"]
mod hostile;
#[cfg(feature = "live")]
#[path = "dashboard/hunt.rs"]
mod hunt;
#[path = "dashboard/keys.rs"]
mod keys;
#[cfg(feature = "live")]
#[path = "probe/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod lab;
#[path = "dashboard/live.rs"]
mod live;
#[path = "dashboard/looks.rs"]
mod looks;
#[path = "dashboard/middlebox.rs"]
mod middlebox;
#[path = "dashboard/moments.rs"]
mod moments;
#[path = "hostile/names.rs"]
mod names;
#[path = "dashboard/screens.rs"]
mod screens;
#[cfg(feature = "live")]
#[path = "dashboard/signals.rs"]
mod signals;
#[path = "dashboard/simulate.rs"]
mod simulate;
#[path = "dashboard/sizes.rs"]
mod sizes;
#[path = "dashboard/table.rs"]
mod table;
#[path = "dashboard/terminal.rs"]
mod terminal;
#[cfg(feature = "live")]
#[path = "dashboard/wire.rs"]
mod wire;
