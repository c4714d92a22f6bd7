//! What stands between two hosts and keeps state: the grammar that every box speaks.
//!
//! Owns [`Middlebox`] and what goes through it. Uses [`super::packet`] and [`crate::time`].

use super::packet::Packet;
use crate::time::Timestamp;

/// A side of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Towards the client.
    Inside,
    /// Towards the server.
    Outside,
}

/// What a box tells of itself: the truth, which no host on the path can see.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxEvent {
    /// When.
    pub time: Timestamp,
}

/// A box on the path, sans-IO like every machine here: packets and times go in, packets, events and the next
/// time come out. A call of [`Middlebox::on_timeout`] before its time changes nothing.
pub trait Middlebox: Send + std::fmt::Debug {
    /// A packet arrives on a side.
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet);
    /// Its time has come.
    fn on_timeout(&mut self, now: Timestamp);
    /// When it wants to be woken.
    fn next_timeout(&self) -> Option<Timestamp>;
    /// The next packet that leaves, and on which side.
    fn poll_transmit(&mut self) -> Option<(Side, Packet)>;
    /// The next thing to tell.
    fn poll_event(&mut self) -> Option<BoxEvent>;
}
