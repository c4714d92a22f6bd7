//! What `keepscope middlebox` and `keepscope respond` say to each other: both machines on a virtual clock, and whoever
//! else may be at one end.

#[path = "partner/hostile.rs"]
mod hostile;
#[path = "partner/opening.rs"]
mod opening;
#[path = "partner/pair.rs"]
mod pair;
#[path = "partner/random.rs"]
mod random;
#[path = "partner/session.rs"]
mod session;
