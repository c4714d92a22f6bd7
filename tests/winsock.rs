//! The Windows socket option from the outside: scenarios of calls, and what they return.

#[path = "winsock/effective.rs"]
mod effective;
#[path = "winsock/precedence.rs"]
mod precedence;
#[path = "winsock/properties.rs"]
mod properties;
#[path = "winsock/requirements.rs"]
mod requirements;
#[path = "winsock/sockets.rs"]
mod sockets;
#[path = "winsock/support.rs"]
mod support;
#[path = "winsock/values.rs"]
mod values;
