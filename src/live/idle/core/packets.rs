//! What packets do to a run: each belongs to one connection, or to none.

use super::Core;
use crate::frame::{Frame, FrameId};
use crate::live::idle::trace::{Trace, Tuple};
use crate::segment::decode::{Decoded, decode};
use crate::segment::{IcmpError, Segment};
use crate::time::Timestamp;
use crate::track::Class;

/// SYNs that nobody has claimed yet; a filter keeps those of others away, so this bounds what a missing one can do.
const MOST_STRANGERS: usize = 1024;

impl Core {
    /// Gives a frame its number, so that it is the packet's in a recording of all of them.
    pub(in crate::live::idle) fn number(&mut self) -> FrameId {
        self.frames += 1;
        FrameId { capture: 0, number: self.frames }
    }

    /// A packet left or came.
    pub(in crate::live::idle) fn on_frame(&mut self, now: Timestamp, frame: &Frame<'_>) {
        self.now = self.now.max(now);
        let mut seen: Option<Segment> = None;
        let observed = self.pipeline.frame_shown(frame, |segment, observed| {
            seen = (observed.class != Class::Copy).then_some(*segment);
        });
        match (seen, observed) {
            (Some(segment), _) => self.on_segment(&segment),
            (None, None) => {
                if let Decoded::Icmp(error) = decode(frame) {
                    self.on_icmp(&error);
                }
            }
            (None, Some(_)) => {}
        }
        while self.pipeline.poll_event().is_some() {}
        self.pump();
    }

    fn on_segment(&mut self, segment: &Segment) {
        self.packets += 1;
        let (ours, peers) = ((segment.source, segment.destination), (segment.destination, segment.source));
        let now = self.now;
        if segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst() {
            self.on_own_syn(segment, ours);
        }
        if let Some(number) = self.owners.get(&ours).copied() {
            self.interfaces.insert(segment.interface);
            self.with_flow(number, |flow, steps| flow.on_own(segment, now, steps));
        } else if let Some(number) = self.owners.get(&peers).copied() {
            self.with_flow(number, |flow, steps| flow.on_peer(segment, now, steps));
        } else if let Some(trace) = self.strangers.get_mut(&ours) {
            trace.on_own(segment);
        } else if let Some(trace) = self.strangers.get_mut(&peers) {
            trace.on_peer(segment);
        }
    }

    /// A SYN to our peer: the system tells later, or told before, whose it is.
    fn on_own_syn(&mut self, syn: &Segment, tuple: Tuple) {
        let to = self.plan.connect.peer;
        if (to.ip(), to.port()) != (syn.destination.address, syn.destination.port) {
            return;
        }
        if let Some(flow) = self.owners.get(&tuple).and_then(|number| self.flows.get_mut(number)) {
            if flow.trace.is_none() {
                flow.trace = Some(Trace::new(syn));
            }
            return;
        }
        if self.strangers.len() >= MOST_STRANGERS {
            self.strangers.clear();
        }
        self.strangers.insert(tuple, Trace::new(syn));
    }

    fn on_icmp(&mut self, error: &IcmpError) {
        self.packets += 1;
        let number = self.owners.get(&(error.source, error.destination)).copied();
        if let Some(number) = number {
            self.on_expired(number, error);
            self.with_flow(number, |flow, steps| flow.on_icmp(error, steps));
        }
    }
}
