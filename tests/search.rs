//! The idle-timeout search over a path in closed form, on a virtual clock: limits held over thousands of timeouts,
//! loss and sweep phases; every confounder; any order of inputs.

#[path = "search/confounders.rs"]
mod confounders;
#[path = "search/limits.rs"]
mod limits;
#[path = "search/path.rs"]
mod path;
#[path = "search/properties.rs"]
mod properties;
#[path = "search/refresh.rs"]
mod refresh;
