//! Advice: which keepalive settings hold behind a box that forgets, and whether existing ones do.
//!
//! Owns the rules (first probe in time in every phase of the timer, lost probes survived, a dead peer noticed), the
//! table of [`snippets`] that put settings into place, and the readers and the judgement of existing configuration
//! ([`config`], [`audit`]). Pure: text and settings in, judgements out. A formula only proposes settings; what is said
//! of them comes from the simulator. Uses [`crate::simulate`], [`crate::keepalive`], [`crate::stack`],
//! [`crate::product`] and [`crate::time`].
//!
//! ```
//! use keepscope::advice::{Shape, Wish};
//! use keepscope::stack::Stack;
//! use keepscope::time::Span;
//!
//! let wish = Wish {
//!     silence: Span::from_secs(350),
//!     stack: Stack::named("linux").unwrap(),
//!     hz: Some(1000),
//!     lost: 1,
//!     notice_within: None,
//!     rtt: Span::from_millis(200),
//! };
//! let advice = wish.advise(Shape::FREE).unwrap();
//! assert!(advice.evidence.kept.iter().all(|(_, kept)| kept.always()));
//! ```

pub mod audit;
pub mod config;
pub mod listener;
pub mod path;
mod phases;
mod propose;
pub mod recommend;
mod shape;
pub mod snippets;
pub mod socket;
mod trial;

pub use phases::Phases;
pub use propose::{Advice, DISTRIBUTED_HZ, Evidence, NoAdvice, Wish};
pub use shape::{CountOf, IntervalOf, Shape};
pub use trial::{Heartbeat, Kept, Trial};
