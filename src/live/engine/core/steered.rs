//! What is asked of a run while it goes on.

use std::net::{IpAddr, SocketAddr};

use super::{Command, Core};
use crate::frame::Frame;
use crate::live::engine::News;
use crate::live::engine::link::{Link, Step};
use crate::live::engine::plan::Order;
use crate::live::engine::steer::{Ask, Standing};
use crate::segment::Endpoint;
use crate::segment::decode::{Decoded, decode};
use crate::time::Timestamp;

impl Core {
    /// Somebody asks for something.
    pub(in crate::live::engine) fn on_ask(&mut self, now: Timestamp, ask: Ask) {
        self.now = self.now.max(now);
        let now = self.now;
        match ask {
            Ask::Open(order) => self.add(order),
            Ask::Change { index, settings, octets } => {
                self.with(index, |link, steps| link.change(now, settings, octets, steps));
            }
            Ask::ProbeNow(index) => self.with(index, |link, _| link.want_probe(now)),
            Ask::Hold(held) => {
                self.held = held;
                for index in 0..self.links.len() {
                    self.with(index, |link, _| link.hold(held));
                }
            }
            Ask::Close(index) => {
                self.waiting.retain(|waiting| *waiting != index);
                self.with(index, |link, steps| link.stop(now, steps));
            }
            Ask::See(filter) => self.commands.push_back(Command::See(filter)),
            Ask::End => {
                self.is_ending = true;
                self.waiting.clear();
                for index in 0..self.links.len() {
                    self.with(index, |link, steps| link.stop(now, steps));
                }
            }
            Ask::Interrupt => self.interrupt(),
        }
    }

    /// The world would not report other packets.
    pub(in crate::live::engine) fn on_not_seen(&mut self, error: String) {
        self.news.push_back(News::NotSeen { error });
    }

    fn with(&mut self, index: usize, work: impl FnOnce(&mut Link, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        if let Some(link) = self.links.get_mut(index) {
            work(link, &mut steps);
        }
        self.take(index, &steps);
    }

    fn add(&mut self, order: Order) {
        if self.is_ending || self.interrupted {
            return;
        }
        let mut link = Link::new(order);
        link.hold(self.held);
        self.waiting.push_back(self.links.len());
        self.links.push(link);
        self.scheduled.push(None);
        self.handle_of.push(None);
        self.peers.insert(end_of(order.connect.peer));
    }

    /// Whether somebody asked for the end, and not only the plan came to its own.
    pub(in crate::live::engine) fn is_ending(&self) -> bool {
        self.is_ending || self.interrupted
    }

    /// How all connections stand.
    pub(in crate::live::engine) fn standing(&self) -> Vec<Standing> {
        self.links.iter().map(Link::standing).collect()
    }

    /// From now on packets of others may come, too; they are not followed.
    pub(in crate::live::engine) fn expect_others(&mut self) {
        self.others_come = true;
    }

    /// Whether a packet is from or to one of our peers.
    pub(super) fn concerns_us(&self, frame: &Frame<'_>) -> bool {
        if !self.others_come {
            return true;
        }
        if self.peers.is_empty() {
            return false;
        }
        let ours = |end: Endpoint| self.peers.contains(&(end.address, end.port));
        match decode(frame) {
            Decoded::Segment(segment) => ours(segment.source) || ours(segment.destination),
            Decoded::Icmp(error) => ours(error.source) || ours(error.destination),
            // Fragments, which only the pipeline can put together.
            _ => true,
        }
    }
}

pub(super) fn end_of(peer: SocketAddr) -> (IpAddr, u16) {
    (peer.ip(), peer.port())
}
