//! From keepalive events to findings: what became of each connection.
//!
//! Owns [`Collector`], which gathers the events of a connection into a [`ConnectionRecord`], the outcome drawn
//! from it, the settings that explain its probes ([`inference`]), the settings it was promised to have
//! ([`verification`]), what two captures have in common ([`comparison`]), and what captures show of idle timeouts on
//! paths ([`bounds`]). Pure. Uses [`crate::track`] (its
//! events), [`crate::stack`], [`crate::keepalive`], [`crate::segment`] and [`crate::time`].

pub mod bounds;
pub mod comparison;
pub mod confounder;
pub mod filter;
pub mod inference;
mod outcome;
mod packed;
mod prober;
mod record;
mod reset;
pub mod verification;

pub use inference::Inference;
pub use outcome::{Outcome, Verdict};
pub(crate) use prober::median;
pub use prober::{ProbeRecord, ProberRecord};
pub use record::{Collector, ConnectionRecord, Finished, Recorded};
pub use reset::{Origin, ResetOrigin};
