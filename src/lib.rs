//! keepscope sees, sends, simulates and judges TCP keepalives at packet level.
//!
//! ```text
//! capture file ─┐
//! wire ─────────┼─ frame ─ segment ─ connection ─ keepalive event ─ finding ─ text, JSON, CSV, a screen
//! simulator ────┘  frame   segment     track           track       analysis   report      dashboard
//!                          └───────────── pipeline ─────────┘
//!
//! stacks (data) ─ keepalive machine ─ live prober, simulated host, prediction, verification
//!   stack            keepalive          live         simulate       keepalive     analysis
//! ```
//!
//! - [`capture`] reads pcap and pcapng from files and pipes, and writes them; the only module of the library that
//!   does.
//! - [`pipeline`] drives [`segment`] (decoding) and [`track`] (connections, probes, answers) for any source of
//!   [`frame`]s.
//! - [`reading`] brings the captures through the pipeline on as many threads as there are.
//! - [`analysis`] gathers events into records with an outcome; [`report`] writes them.
//! - [`stack`] is how each TCP stack behaves, as data with sources; [`keepalive`] runs it, sans-IO.
//! - [`product`] is the same of the boxes between two stacks.
//! - [`partner`] is what two keepscopes say to each other when one stands behind the box that the other examines.
//! - `live` has the only sockets: it probes a real peer and watches interfaces, by the same machine and
//!   through the same pipeline.
//! - [`simulate`] does both on a virtual clock, with boxes on the path.
//! - `advice` says which settings hold on a path, and whether existing ones do: a rule proposes, the simulator decides.
//! - `dashboard` shows it in a terminal: a pure model over the same stream of events.
//! - [`search`] finds after how much silence a path forgets a connection, sans-IO.
//! - [`winsock`] is `SO_KEEPALIVE` as Windows defines it.
//! - [`time`] counts nanoseconds; nothing but `live`, `dashboard` and the command line reads a clock.

// The one place with unsafe code, where a system call needs it, is in `live`.
#![cfg_attr(not(feature = "live"), forbid(unsafe_code))]
#![deny(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

#[cfg(feature = "advice")]
pub mod advice;
pub mod analysis;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "dashboard")]
pub mod dashboard;
pub mod frame;
mod halves;
pub mod keepalive;
#[cfg(feature = "live")]
pub mod live;
pub mod partner;
pub mod pipeline;
pub mod printable;
pub mod product;
pub mod reading;
pub mod report;
pub mod search;
pub mod segment;
pub mod simulate;
pub mod stack;
pub mod time;
pub mod track;
pub mod winsock;
