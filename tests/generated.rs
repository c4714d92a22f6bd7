//! Conversations made here, whose truth is known, against what the tracker finds in them.
//!
//! `model` is a small world of two hosts, a path and a tap, written without the tracker's rules; `truth` says
//! what an observer at the tap can know; the rest compares. `KEEPSCOPE_SCENARIOS=100000` makes the random
//! campaign longer, `KEEPSCOPE_SEED=7` begins it elsewhere.

#[path = "generated/bytes.rs"]
mod bytes;
#[path = "generated/campaign.rs"]
mod campaign;
#[path = "generated/mended.rs"]
mod mended;
#[path = "generated/model.rs"]
mod model;
#[path = "generated/named.rs"]
mod named;
#[path = "generated/outcomes.rs"]
mod outcomes;
#[path = "generated/properties.rs"]
mod properties;
#[path = "generated/scenario.rs"]
mod scenario;
#[path = "generated/truth.rs"]
mod truth;
#[path = "generated/world.rs"]
mod world;
