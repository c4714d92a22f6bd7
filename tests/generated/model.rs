//! Two TCP hosts, the path between them and a tap on it: what the tap sees, and why each packet was sent.
//!
//! Knows nothing of the program under test.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[path = "model/host.rs"]
mod host;
#[path = "model/receiving.rs"]
mod receiving;
#[path = "model/timers.rs"]
mod timers;

pub use crate::world::*;
use host::{Host, Sent};

const BASE: u64 = 1 << 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Act(usize),
    Pass { packet: usize, again: bool },
    Icmp(usize),
    Arrive(usize),
    Wake(usize),
}

struct Run<'a> {
    world: &'a World,
    rng: Rng,
    now: Time,
    queue: BinaryHeap<Reverse<(Time, u64, Happening)>>,
    order: u64,
    hosts: [Host; 2],
    cut: [Option<(bool, bool)>; 2],
    armed: [Option<Time>; 2],
    story: Story,
    life: u32,
}

/// Plays a world.
pub fn play(world: &World, seed: u64) -> Story {
    let hosts = [Host::new(world.isn[0], world.room), Host::new(world.isn[1], world.room)];
    let mut run = Run {
        world,
        rng: Rng(seed),
        now: 0,
        queue: BinaryHeap::new(),
        order: 0,
        hosts,
        cut: [None; 2],
        armed: [None; 2],
        story: Story::default(),
        life: 0,
    };
    for (index, (time, ..)) in world.script.iter().enumerate() {
        run.at(*time, Happening::Act(index));
    }
    while let Some(Reverse((time, _, happening))) = run.queue.pop() {
        if time > world.until || run.story.packets.len() > 400 {
            break;
        }
        run.now = time;
        run.happen(happening);
    }
    run.story.seen.sort_by_key(|seen| seen.time);
    run.story
}

impl Run<'_> {
    fn at(&mut self, time: Time, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((time, self.order, happening)));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act(index) => {
                let (_, host, action) = self.world.script[index];
                self.act(host, action);
            }
            Happening::Pass { packet, again } => self.pass(packet, again),
            Happening::Icmp(packet) => self.story.seen.push(Seen {
                time: self.now,
                packet,
                interface: 0,
                ttl: 60,
                copy: false,
                icmp: true,
            }),
            Happening::Arrive(packet) => {
                let to = 1 - self.story.packets[packet].from;
                self.arrive(to, packet);
                self.arm(to);
            }
            Happening::Wake(host) => self.wake(host),
        }
    }

    fn act(&mut self, host: usize, action: Action) {
        match action {
            Action::Open => {
                if self.life > 0 {
                    // Another life of the same ports.
                    let isn = self.hosts[0].next as u32;
                    self.hosts[0] = Host::new(isn.wrapping_add(1_000_000), self.world.room);
                    self.hosts[1] = Host::new((self.hosts[1].next as u32).wrapping_add(77), self.world.room);
                }
                self.life += 1;
                self.hosts[0].open = true;
                self.hosts[1].open = true;
                self.hosts[0].opened_at = self.now;
                self.send_new(0, 0, false, true);
            }
            Action::Write(octets) => {
                if !self.hosts[host].closing && !self.hosts[host].dead {
                    self.hosts[host].written += u64::from(octets);
                    self.output(host);
                }
            }
            Action::Close => {
                self.hosts[host].closing = true;
                self.output(host);
            }
            Action::Abort => self.abort(host),
            Action::StopReading => self.hosts[host].reading = false,
            Action::StartReading => {
                let was_zero = self.hosts[host].advertised_zero;
                self.hosts[host].reading = true;
                self.hosts[host].unread = 0;
                if was_zero && self.hosts[host].established && !self.hosts[host].dead {
                    self.send_ack(host, Tag::WindowUpdate, None, None);
                }
            }
            Action::Cut { before_tap, icmp } => self.cut[host] = Some((before_tap, icmp)),
            Action::Mend => self.cut = [None; 2],
            Action::ForgeReset(beside) => {
                let seq = self.hosts[host].next.wrapping_add_signed(beside) as u32;
                self.forge(host, RST, seq);
            }
            Action::ForgeSyn => self.forge(host, SYN, 0x1234_5678),
            Action::Forget => {
                self.hosts[host].dead = true;
            }
        }
        self.arm(host);
    }

    fn forge(&mut self, host: usize, flags: u8, seq: u32) {
        if !self.hosts[host].established {
            return;
        }
        let mut packet = self.packet(host, flags, 0, 0, Tag::Forged);
        packet.flags = flags;
        packet.seq = seq;
        packet.ack = 0;
        packet.stamps = None;
        packet.ip_id = 0x4711;
        self.emit(packet);
    }

    fn abort(&mut self, host: usize) {
        if self.hosts[host].dead || !self.hosts[host].established {
            return;
        }
        let next = self.hosts[host].next;
        let packet = self.packet(host, RST | ACK, next, 0, Tag::Reset);
        self.emit(packet);
        self.hosts[host].dead = true;
    }

    fn stamp(&self, host: usize) -> u32 {
        ((self.now / MS) as u32).wrapping_add(if host == 0 { 1_000 } else { u32::MAX - 3_000 })
    }

    fn octet(&self, position: u64) -> u8 {
        self.world.constant_octet.unwrap_or_else(|| {
            let mixed = position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
            (mixed as u8) | 1
        })
    }

    fn window_of(&self, host: usize) -> u32 {
        let it = &self.hosts[host];
        let received = it.received.unwrap_or(0);
        let free = self.world.room.saturating_sub(it.unread);
        // Never take back what was offered, and offer nothing while less than a segment is free.
        let free = if free < self.world.segment_size.min(self.world.room) { 0 } else { free };
        free.max(it.advertised_edge.saturating_sub(received) as u32)
    }

    fn packet(&mut self, host: usize, flags: u8, position: u64, len: u32, tag: Tag) -> Packet {
        let window = self.window_of(host);
        let stamp = self.stamp(host);
        let octet = if len > 0 { self.octet(position) } else { 0 };
        let ids = self.world.stacks[host].ids;
        let random = self.rng.word() as u16;
        let it = &mut self.hosts[host];
        it.ip_id = match ids {
            Ids::Counting => it.ip_id.wrapping_add(1),
            Ids::Constant => it.ip_id,
            Ids::Zero => 0,
            Ids::Random => random,
        };
        let received = it.received;
        if received.is_some() {
            it.advertised_edge = it.advertised_edge.max(received.unwrap_or(0) + u64::from(window));
            it.advertised_zero = window == 0;
        }
        Packet {
            from: host,
            life: self.life,
            seq: position as u32,
            ack: received.map_or(0, |position| position as u32),
            flags: flags | if received.is_some() { ACK } else { 0 },
            len,
            octet,
            window: window as u16,
            stamps: self.world.stamps.then_some((stamp, it.latest_stamp)),
            dsack: None,
            ip_id: it.ip_id,
            dont_fragment: true,
            ttl: 64,
            tag,
            answers: None,
            una: it.una,
            next: it.next,
            queued: it.written > it.next,
        }
    }

    /// Hands a packet to the path.
    fn emit(&mut self, packet: Packet) -> usize {
        let index = self.story.packets.len();
        self.story.packets.push(packet);
        let leg = self.world.legs[packet.from][0];
        if matches!(self.cut[packet.from], Some((true, _))) || self.rng.below(1000) < leg.loss {
            return index;
        }
        let jitter = self.rng.range(0, leg.jitter.max(1));
        let time = self.now + leg.delay + jitter;
        self.at(time, Happening::Pass { packet: index, again: false });
        if self.rng.below(1000) < leg.twice {
            let later = self.rng.range(1, 900_000);
            self.at(time + later, Happening::Pass { packet: index, again: true });
        }
        index
    }

    /// A packet passes the tap.
    fn pass(&mut self, packet: usize, again: bool) {
        let it = self.story.packets[packet];
        let seen = Seen { time: self.now, packet, interface: 0, ttl: it.ttl, copy: again, icmp: false };
        self.story.seen.push(seen);
        if let Some(later) = self.world.second_tap {
            self.story.seen.push(Seen {
                time: self.now + later,
                interface: 1,
                ttl: it.ttl - 1,
                copy: true,
                ..seen
            });
        }
        let leg = self.world.legs[it.from][1];
        if let Some((false, icmp)) = self.cut[it.from] {
            if icmp && it.flags & RST == 0 {
                self.at(self.now + 3 * MS, Happening::Icmp(packet));
            }
            return;
        }
        if self.rng.below(1000) < leg.loss {
            return;
        }
        let time = self.now + leg.delay + self.rng.range(0, leg.jitter.max(1));
        self.at(time, Happening::Arrive(packet));
        if self.rng.below(1000) < leg.twice {
            self.at(time + 50_000, Happening::Arrive(packet));
        }
    }

    fn send_new(&mut self, host: usize, len: u32, fin: bool, syn: bool) {
        let start = self.hosts[host].next;
        self.hosts[host].next = start + u64::from(len) + u64::from(fin) + u64::from(syn);
        self.hosts[host].sent.push(Sent { start, len, fin, syn });
        let mut flags = 0;
        let all = start + u64::from(len) >= self.hosts[host].written;
        if len > 0 && all {
            flags |= PSH;
        }
        let tag = if syn {
            flags |= SYN;
            Tag::Syn
        } else if fin {
            flags |= FIN;
            Tag::Fin
        } else {
            Tag::Data
        };
        let packet = self.packet(host, flags, start, len, tag);
        self.hosts[host].ack_at = None;
        self.hosts[host].unacked = 0;
        self.emit(packet);
        if self.hosts[host].resend_at.is_none() {
            self.hosts[host].resend_at = Some(self.now + self.hosts[host].rto);
        }
    }

    /// Sends what may be sent.
    fn output(&mut self, host: usize) {
        loop {
            let it = &self.hosts[host];
            if !it.established || it.dead || it.fin_at.is_some() {
                return;
            }
            let flight = (it.next - it.una) as u32;
            let room = it.peer_window.min(10 * self.world.segment_size).saturating_sub(flight);
            let queued = (it.written - it.next) as u32;
            let len = queued.min(room).min(self.world.segment_size);
            if len > 0 {
                self.hosts[host].persist_at = None;
                let fin = false;
                self.send_new(host, len, fin, false);
                continue;
            }
            if queued == 0 && it.closing {
                self.hosts[host].fin_at = Some(self.hosts[host].next);
                self.send_new(host, 0, true, false);
                return;
            }
            if queued > 0 && flight == 0 && it.persist_at.is_none() {
                let first =
                    if self.world.stacks[host].persists_with_octet { it.rto.max(5 * SEC) } else { it.rto };
                self.hosts[host].persist_backoff = 0;
                self.hosts[host].persist_at = Some(self.now + first);
            }
            return;
        }
    }

    fn send_ack(&mut self, host: usize, tag: Tag, answers: Option<usize>, dsack: Option<(u32, u32)>) {
        let next = self.hosts[host].next;
        let mut packet = self.packet(host, 0, next, 0, tag);
        packet.answers = answers;
        packet.dsack = dsack;
        self.hosts[host].ack_at = None;
        self.hosts[host].unacked = 0;
        self.emit(packet);
    }
}

fn near(number: u32, position: u64) -> u64 {
    position.wrapping_add_signed(i64::from(number.wrapping_sub(position as u32) as i32))
}
