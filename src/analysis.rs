//! From keepalive events to findings: what became of each connection.
//!
//! Owns [`Collector`], which gathers the events of a connection into a [`ConnectionRecord`], and the outcome
<<<<<<< HEAD
//! drawn from it, and the settings that explain its probes ([`inference`]). Pure. Uses [`crate::track`] (its
//! events), [`crate::stack`], [`crate::keepalive`], [`crate::segment`] and [`crate::time`].
=======
//! drawn from it; [`verification`] holds it against promised settings. Pure. Uses [`crate::track`] (its events),
//! [`crate::keepalive`] and [`crate::stack`] (for verification), [`crate::segment`] and [`crate::time`].
>>>>>>> verify

pub mod comparison;
pub mod filter;
pub mod inference;
mod outcome;
mod prober;
mod record;
mod reset;
pub mod verification;

pub use inference::Inference;
pub use outcome::{Outcome, Verdict};
pub(crate) use prober::median;
pub use prober::{ProbeRecord, ProberRecord};
pub use record::{Collector, ConnectionRecord};
pub use reset::{Origin, ResetOrigin};
