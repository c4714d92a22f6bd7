//! What a host does with what arrives.

use super::*;

impl Run<'_> {
    pub(super) fn hear(&mut self, host: usize) {
        let stack = self.world.stacks[host];
        let it = &mut self.hosts[host];
        it.heard = self.now;
        it.probes_out = 0;
        it.step = 0;
        it.probe_at = (stack.idle > 0 && it.established).then_some(self.now + stack.idle);
    }

    pub(super) fn arrive(&mut self, host: usize, index: usize) {
        let packet = self.story.packets[index];
        if packet.life != self.life || !self.hosts[host].open {
            return;
        }
        let probe = (packet.tag == Tag::Probe).then_some(index);
        if self.hosts[host].dead {
            if packet.flags & RST == 0 {
                // No connection: a RST where the acknowledgment says.
                let mut reset = self.packet(host, 0, 0, 0, Tag::Reset);
                reset.flags = RST;
                reset.seq = packet.ack;
                reset.ack = 0;
                reset.stamps = None;
                reset.answers = probe;
                self.emit(reset);
            }
            return;
        }
        if let Some((stamp, _)) = packet.stamps {
            self.hosts[host].latest_stamp = stamp;
        }
        if packet.flags & SYN != 0 {
            self.arrive_syn(host, packet);
            return;
        }
        let Some(received) = self.hosts[host].received else { return };
        let position = near(packet.seq, received);
        if packet.flags & RST != 0 {
            let window = u64::from(self.window_of(host));
            if position == received {
                self.hosts[host].dead = true;
            } else if position > received && position < received + window {
                self.send_ack(host, Tag::Challenge, None, None);
            }
            return;
        }
        if packet.len == 0 && packet.flags & FIN == 0 && position < received {
            let stack = self.world.stacks[host];
            if stack.hears_empty {
                self.hear(host);
                self.take_ack(host, packet);
            }
            if stack.limited && self.now - self.hosts[host].last_limited < 500 * MS {
                return;
            }
            self.hosts[host].last_limited = self.now;
            self.send_ack(host, Tag::Repeat, probe, None);
            return;
        }
        self.hear(host);
        self.take_ack(host, packet);
        if self.hosts[host].dead {
            return;
        }
        self.take_data(host, packet, position, probe);
    }

    pub(super) fn arrive_syn(&mut self, host: usize, packet: Packet) {
        if packet.tag == Tag::Forged {
            self.send_ack(host, Tag::Challenge, None, None);
            return;
        }
        let began = BASE + u64::from(packet.seq) + 1;
        if self.hosts[host].received.is_none() {
            self.hosts[host].received = Some(began);
            if host == 1 {
                self.send_new(1, 0, false, true);
                return;
            }
            self.hosts[0].una = self.hosts[0].isn + 1;
            self.hosts[0].sent.clear();
            self.hosts[0].resend_at = None;
            self.establish(0);
            self.send_ack(0, Tag::Ack, None, None);
            self.output(0);
        } else if host == 0 {
            self.send_ack(0, Tag::Challenge, None, None);
        } else if !self.hosts[1].established {
            let mut again = self.packet(1, SYN, 0, 0, Tag::Again);
            again.seq = self.hosts[1].isn as u32;
            self.emit(again);
        } else {
            self.send_ack(1, Tag::Challenge, None, None);
        }
    }

    pub(super) fn establish(&mut self, host: usize) {
        let rto_min = self.world.stacks[host].rto_min;
        let trip: Time = self.world.legs.iter().flatten().map(|leg| leg.delay).sum();
        let it = &mut self.hosts[host];
        it.established = true;
        it.backoff = 0;
        it.rto = (3 * trip).max(rto_min);
        self.hear(host);
    }

    pub(super) fn take_ack(&mut self, host: usize, packet: Packet) {
        if packet.flags & ACK == 0 {
            return;
        }
        let it = &self.hosts[host];
        let acked = near(packet.ack, it.una);
        if acked == it.next + 1 && it.persist_backoff > 0 && it.written > it.next {
            // The octet of a window probe was taken.
            self.hosts[host].next = acked;
        }
        let it = &self.hosts[host];
        if acked > it.next || acked < it.una {
            return;
        }
        if !it.established && acked > it.isn {
            self.establish(host);
        }
        let it = &mut self.hosts[host];
        it.peer_window = u32::from(packet.window);
        if it.peer_window > 0 {
            it.persist_at = None;
        }
        if acked > it.una {
            it.una = acked;
            it.backoff = 0;
            it.sent.retain_mut(|sent| {
                let end = sent.start + u64::from(sent.len) + u64::from(sent.fin) + u64::from(sent.syn);
                if end > acked && sent.start < acked {
                    sent.len -= (acked - sent.start).min(u64::from(sent.len)) as u32;
                    sent.start = acked;
                }
                end > acked
            });
            let waits = it.waits();
            let rto = it.rto;
            it.resend_at = waits.then_some(self.now + rto);
            if waits && it.recovering > acked {
                self.resend(host);
            }
        }
        self.output(host);
    }

    pub(super) fn take_data(&mut self, host: usize, packet: Packet, position: u64, probe: Option<usize>) {
        let received = self.hosts[host].received.unwrap_or(0);
        let fin = packet.flags & FIN != 0;
        let end = position + u64::from(packet.len) + u64::from(fin);
        if end == position {
            return;
        }
        if end <= received {
            let dsack = (self.world.stacks[host].dsack && packet.len > 0)
                .then_some((packet.seq, packet.seq.wrapping_add(packet.len)));
            self.send_ack(host, Tag::Repeat, probe, dsack);
            return;
        }
        if position > received {
            self.send_ack(host, Tag::Repeat, None, None);
            return;
        }
        let room = u64::from(self.window_of(host));
        let new = (end - u64::from(fin)).saturating_sub(received).min(room);
        if new == 0 && packet.len > 0 {
            self.send_ack(host, Tag::Repeat, None, None);
            return;
        }
        let stack = self.world.stacks[host];
        let it = &mut self.hosts[host];
        let mut reached = received + new;
        if !it.reading {
            it.unread += new as u32;
        }
        let whole = reached == end - u64::from(fin);
        if fin && whole {
            reached += 1;
            it.fin_received = true;
        }
        it.received = Some(reached);
        it.unacked += 1;
        let closed = self.window_of(host) == 0;
        if fin || stack.delayed_ack == 0 || self.hosts[host].unacked >= 2 || closed || !whole {
            self.send_ack(host, Tag::Ack, None, None);
        } else if self.hosts[host].ack_at.is_none() {
            self.hosts[host].ack_at = Some(self.now + stack.delayed_ack);
        }
    }
}
