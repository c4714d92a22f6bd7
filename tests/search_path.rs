//! The idle-timeout search on simulated paths whose timeouts are known.

mod common;

#[path = "search_path/binary.rs"]
mod binary;
#[path = "search_path/confounders.rs"]
mod confounders;
#[path = "search_path/kit.rs"]
mod kit;
#[path = "search_path/products.rs"]
mod products;
