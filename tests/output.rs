//! What the binary writes, where to, and how it ends.

#[path = "output/captures.rs"]
mod captures;
#[path = "output/choice.rs"]
mod choice;
mod common;
#[path = "output/formats.rs"]
mod formats;
#[path = "output/json.rs"]
mod json;
#[path = "output/trouble.rs"]
mod trouble;
