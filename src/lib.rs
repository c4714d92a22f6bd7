//! keepscope finds, times and judges TCP keepalives at packet level.

#![forbid(unsafe_code)]
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

pub mod analysis;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod frame;
pub mod keepalive;
pub mod pipeline;
pub mod report;
pub mod segment;
pub mod stack;
pub mod time;
pub mod track;
pub mod winsock;
