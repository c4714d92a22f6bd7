//! The screen in the terminal: live peers, captures and scenarios, with ladder, timeline and verdict.
//!
//! ```text
//! keys, clock, sources ─ message ─ update ─┬─ model ─ settle ─ view ─ terminal
//!                                          └─ effect (open, ask, write, copy, quit)
//! ```
//!
//! - [`model`] is everything the screen shows; [`mod@update`] alone changes it; [`view`] draws it. All three
//!   are pure, as are [`store`] (what a source told, indexed), [`replay`]'s clock, [`axis`], [`columns`],
//!   [`keymap`], [`theme`], [`text`] and [`svg`].
//! - [`simulation`] is the simulator's screen: a scenario that is changed, and what is predicted of it.
//! - [`run`] has the loop and the threads, `terminal` the terminal, `export` new files,
//!   [`replay::reader`] the captures, and [`simulation::worker`] what is simulated. `live::driver` has the wire of a
//!   live source.
//!
//! Whatever the source, it is the same stream of segments and events through the one pipeline
//! ([`store::feed`]); what is said at a moment of it is what an analysis would say had it ended there
//! ([`store::standing`]). Going back needs no checkpoints: the events are indexed by how many segments had been
//! read when they were told.
//!
//! On top of everything but the command line: may use every module.

pub mod axis;
pub mod columns;
pub mod effect;
mod expected;
mod export;
pub mod keymap;
pub mod live;
pub mod message;
pub mod middlebox;
pub mod model;
pub mod replay;
pub mod run;
pub mod simulation;
pub mod store;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
