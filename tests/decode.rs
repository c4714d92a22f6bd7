//! The decoder from the outside: frames built octet by octet, and what they are read as.

#[path = "decode/fragments.rs"]
mod fragments;
#[path = "decode/frames.rs"]
mod frames;
#[path = "decode/icmp.rs"]
mod icmp;
#[path = "decode/ip.rs"]
mod ip;
#[path = "decode/link.rs"]
mod link;
#[path = "decode/ppp.rs"]
mod ppp;
#[path = "decode/properties.rs"]
mod properties;
#[path = "decode/tcp.rs"]
mod tcp;
#[path = "decode/tunnel.rs"]
mod tunnel;
