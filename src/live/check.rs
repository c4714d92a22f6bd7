//! The idle connections that this host has: listed from the kernel's tables, and tested without their owners.
//!
//! Owns the reading of the tables ([`diag`], [`table`]), who holds a socket ([`owner`]), which listener accepted which
//! connection ([`accepted`], pure), the test of one connection ([`machine`], pure) and the run of many ([`run`]). Uses [`super::wire`], [`crate::segment`] and [`crate::time`].

pub mod accepted;
pub mod diag;
pub mod machine;
pub mod owner;
pub mod run;
pub mod table;
