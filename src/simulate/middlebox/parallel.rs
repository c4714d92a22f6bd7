//! Boxes side by side, as a provider spreads connections over several of a kind (ECMP): each connection goes
//! through one of them, by its client's port.
//!
//! Owns [`Parallel`]. Boxes in it must leave ports as they are, since the way back is found by the port too.

use super::{BoxEvent, Middlebox, Side};
use crate::simulate::packet::Packet;
use crate::time::Timestamp;

/// Boxes side by side.
#[derive(Debug)]
pub struct Parallel(Vec<Box<dyn Middlebox>>);

impl Parallel {
    /// These boxes; a packet that none of them gets, because there are none, is lost.
    pub fn new(boxes: Vec<Box<dyn Middlebox>>) -> Self {
        Self(boxes)
    }

    /// Which of so many boxes gets the connections of a client's port.
    pub fn lane(port: u16, boxes: usize) -> usize {
        // Neighbours go different ways, as they do with the hash of a router (Knuth, TAOCP 6.4).
        let spread = u32::from(port).wrapping_mul(0x9e37_79b9) >> 16;
        usize::try_from(spread).unwrap_or(0) % boxes.max(1)
    }
}

/// The client's port in a packet that came from a side.
fn client_port(from: Side, packet: &Packet) -> u16 {
    match (packet, from) {
        (Packet::Tcp(segment), Side::Inside) => segment.source.port,
        (Packet::Tcp(segment), Side::Outside) => segment.destination.port,
        // The quoted packet went the other way.
        (Packet::Icmp(error), Side::Inside) => error.about.destination.port,
        (Packet::Icmp(error), Side::Outside) => error.about.source.port,
    }
}

impl Middlebox for Parallel {
    fn on_packet(&mut self, now: Timestamp, from: Side, packet: Packet) {
        let lane = Self::lane(client_port(from, &packet), self.0.len());
        if let Some(middlebox) = self.0.get_mut(lane) {
            middlebox.on_packet(now, from, packet);
        }
    }

    fn on_timeout(&mut self, now: Timestamp) {
        for middlebox in &mut self.0 {
            middlebox.on_timeout(now);
        }
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|middlebox| middlebox.next_timeout()).min()
    }

    fn poll_transmit(&mut self) -> Option<(Side, Packet)> {
        self.0.iter_mut().find_map(|middlebox| middlebox.poll_transmit())
    }

    fn poll_event(&mut self) -> Option<BoxEvent> {
        self.0.iter_mut().find_map(|middlebox| middlebox.poll_event())
    }
}
