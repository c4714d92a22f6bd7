//! From keepalive events to findings: what became of each connection.
//!
//! Owns [`Collector`], which gathers the events of a connection into a [`ConnectionRecord`], and the outcome
//! drawn from it; [`verification`] holds it against promised settings. Pure. Uses [`crate::track`] (its events),
//! [`crate::keepalive`] and [`crate::stack`] (for verification), [`crate::segment`] and [`crate::time`].

pub mod filter;
mod outcome;
mod prober;
mod record;
pub mod verification;

pub use outcome::{Outcome, Verdict};
pub(crate) use prober::median;
pub use prober::{ProbeRecord, ProberRecord};
pub use record::{Collector, ConnectionRecord};
