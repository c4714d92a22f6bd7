//! What a host does when a timer fires: retransmissions, window probes, keepalives.

use super::*;

impl Run<'_> {
    /// Sends the oldest unacknowledged segment again.
    pub(super) fn resend(&mut self, host: usize) {
        let Some(first) = self.hosts[host].sent.first().cloned() else { return };
        let mut flags = 0;
        if first.len > 0 {
            flags |= PSH;
        }
        if first.fin {
            flags |= FIN;
        }
        if first.syn {
            flags |= SYN;
        }
        let packet = self.packet(host, flags, first.start, first.len, Tag::Again);
        self.emit(packet);
    }

    pub(super) fn wake(&mut self, host: usize) {
        let now = self.now;
        if self.armed[host].is_some_and(|armed| armed <= now) {
            self.armed[host] = None;
        }
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if self.hosts[host].dead {
            return;
        }
        if due(self.hosts[host].ack_at) {
            self.send_ack(host, Tag::Ack, None, None);
        }
        if due(self.hosts[host].resend_at) {
            let it = &mut self.hosts[host];
            it.resend_at = None;
            if it.waits() {
                it.backoff += 1;
                it.recovering = it.next;
                it.resend_at = Some(now + (it.rto << it.backoff.min(8)).min(120 * SEC));
                if it.backoff > 12 {
                    it.dead = true;
                    return;
                }
                self.resend(host);
            }
        }
        if due(self.hosts[host].persist_at) {
            self.window_probe(host);
        }
        if due(self.hosts[host].probe_at) {
            self.probe(host);
        }
        self.arm(host);
    }

    pub(super) fn window_probe(&mut self, host: usize) {
        let stack = self.world.stacks[host];
        let it = &mut self.hosts[host];
        it.persist_at = None;
        if it.waits() || it.written == it.next || it.peer_window > 0 {
            return;
        }
        it.persist_backoff += 1;
        let first = if stack.persists_with_octet { it.rto.max(5 * SEC) } else { it.rto };
        let cap = if stack.persists_with_octet { 60 * SEC } else { 120 * SEC };
        it.persist_at = Some(self.now + (first << it.persist_backoff.min(10)).min(cap));
        let next = it.next;
        let packet = if stack.persists_with_octet {
            self.packet(host, 0, next, 1, Tag::WindowProbe)
        } else {
            self.packet(host, 0, next - 1, 0, Tag::WindowProbe)
        };
        self.emit(packet);
    }

    pub(super) fn probe(&mut self, host: usize) {
        let stack = self.world.stacks[host];
        let it = &mut self.hosts[host];
        it.probe_at = None;
        let finished = it.fin_received && it.fin_at.is_some_and(|at| it.una > at);
        if stack.idle == 0 || finished {
            return;
        }
        let busy = it.waits() || it.written > it.next;
        if busy && !stack.in_flight {
            it.probe_at = Some(self.now + stack.idle);
            return;
        }
        if it.probes_out >= stack.count {
            it.probes_out = 0;
            if stack.resets {
                self.abort(host);
            } else {
                it.dead = true;
            }
            return;
        }
        it.probes_out += 1;
        it.step = if stack.doubling && it.step > 0 { it.step * 2 } else { stack.interval };
        it.probe_at = Some(self.now + it.step);
        let position = if stack.at_next { it.next - 1 } else { it.una - 1 };
        let flags = if stack.push { PSH } else { 0 };
        let mut packet = self.packet(host, flags, position, stack.octets, Tag::Probe);
        if stack.octets > 0 && stack.garbage_zero {
            packet.octet = 0;
        }
        if !stack.stamped {
            packet.stamps = None;
        }
        if stack.probe_fragments {
            packet.dont_fragment = false;
            packet.ip_id = (self.rng.word() as u16) | 1;
        }
        self.emit(packet);
    }

    /// Sets the alarm of a host.
    pub(super) fn arm(&mut self, host: usize) {
        let it = &self.hosts[host];
        let soonest = [it.ack_at, it.resend_at, it.persist_at, it.probe_at].into_iter().flatten().min();
        if let Some(at) = soonest.map(|at| at.max(self.now))
            && self.armed[host].is_none_or(|armed| armed > at || armed < self.now)
        {
            self.armed[host] = Some(at);
            self.at(at, Happening::Wake(host));
        }
    }
}
