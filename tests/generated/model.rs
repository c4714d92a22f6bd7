//! Two TCP hosts, the path between them and a tap on it: what the tap sees, and why each packet was sent.
//!
//! Knows nothing of the program under test.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use crate::world::*;

const BASE: u64 = 1 << 40;

#[derive(Clone, Debug)]
struct Sent {
    start: u64,
    len: u32,
    fin: bool,
    syn: bool,
}

#[derive(Clone, Debug)]
struct Host {
    open: bool,
    dead: bool,
    established: bool,
    una: u64,
    next: u64,
    written: u64,
    closing: bool,
    fin_at: Option<u64>,
    sent: Vec<Sent>,
    peer_window: u32,
    received: Option<u64>,
    fin_received: bool,
    unread: u32,
    reading: bool,
    advertised_zero: bool,
    advertised_edge: u64,
    heard: Time,
    probes_out: u32,
    step: Time,
    probe_at: Option<Time>,
    rto: Time,
    backoff: u32,
    resend_at: Option<Time>,
    recovering: u64,
    persist_at: Option<Time>,
    persist_backoff: u32,
    ack_at: Option<Time>,
    unacked: u32,
    last_limited: Time,
    ip_id: u16,
    latest_stamp: u32,
    opened_at: Time,
    isn: u64,
}

impl Host {
    fn new(isn: u32, room: u32) -> Self {
        let isn = BASE + u64::from(isn);
        Host {
            open: false,
            dead: false,
            established: false,
            una: isn,
            next: isn,
            written: isn + 1,
            closing: false,
            fin_at: None,
            sent: Vec::new(),
            peer_window: room,
            received: None,
            fin_received: false,
            unread: 0,
            reading: true,
            advertised_zero: false,
            advertised_edge: 0,
            heard: 0,
            probes_out: 0,
            step: 0,
            probe_at: None,
            rto: SEC,
            backoff: 0,
            resend_at: None,
            recovering: 0,
            persist_at: None,
            persist_backoff: 0,
            ack_at: None,
            unacked: 0,
            last_limited: -SEC,
            ip_id: 100,
            latest_stamp: 0,
            opened_at: 0,
            isn,
        }
    }

    fn waits(&self) -> bool {
        self.una < self.next
    }
}

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

    fn hear(&mut self, host: usize) {
        let stack = self.world.stacks[host];
        let it = &mut self.hosts[host];
        it.heard = self.now;
        it.probes_out = 0;
        it.step = 0;
        it.probe_at = (stack.idle > 0 && it.established).then_some(self.now + stack.idle);
    }

    fn arrive(&mut self, host: usize, index: usize) {
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

    fn arrive_syn(&mut self, host: usize, packet: Packet) {
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

    fn establish(&mut self, host: usize) {
        let rto_min = self.world.stacks[host].rto_min;
        let trip: Time = self.world.legs.iter().flatten().map(|leg| leg.delay).sum();
        let it = &mut self.hosts[host];
        it.established = true;
        it.backoff = 0;
        it.rto = (3 * trip).max(rto_min);
        self.hear(host);
    }

    fn take_ack(&mut self, host: usize, packet: Packet) {
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

    fn take_data(&mut self, host: usize, packet: Packet, position: u64, probe: Option<usize>) {
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

    /// Sends the oldest unacknowledged segment again.
    fn resend(&mut self, host: usize) {
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

    fn wake(&mut self, host: usize) {
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

    fn window_probe(&mut self, host: usize) {
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

    fn probe(&mut self, host: usize) {
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
    fn arm(&mut self, host: usize) {
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

fn near(number: u32, position: u64) -> u64 {
    position.wrapping_add_signed(i64::from(number.wrapping_sub(position as u32) as i32))
}
