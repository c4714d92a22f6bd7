//! Settings inferred from probes: those that the machine of each stack was run with, and those of the captures.

#[path = "inference/captures.rs"]
mod captures;
mod common;
#[path = "inference/marks.rs"]
mod marks;
#[path = "inference/named.rs"]
mod named;
#[path = "inference/properties.rs"]
mod properties;
#[path = "inference/rates.rs"]
mod rates;
#[path = "inference/synthetic.rs"]
mod synthetic;
