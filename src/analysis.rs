//! From keepalive events to findings: what became of each connection.
//!
//! Owns [`Collector`], which gathers the events of a connection into a [`ConnectionRecord`], and the outcome
//! drawn from it. Pure. Uses [`crate::track`] (its events), [`crate::segment`] and [`crate::time`].

pub mod comparison;
pub mod filter;
mod outcome;
mod prober;
mod record;

pub use outcome::{Outcome, Verdict};
pub(crate) use prober::median;
pub use prober::{ProbeRecord, ProberRecord};
pub use record::{Collector, ConnectionRecord};
