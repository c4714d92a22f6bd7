//! A fleet in motion: what wakes a connection, what arrives, what leaves.

use super::slot::{EndState, Flight, Kind, NEVER, Slot, Writer};
use super::{Fleet, FrameSink, Wake};
use crate::frame::{Frame, FrameId, LinkType};
use crate::keepalive::{
    Clock, Event, Incoming, Machine, Outgoing, Purpose, Setting, Tcb, answer_without_connection,
};
use crate::segment::{Endpoint, Flags, Options, SeqNum, TcpTimestamps};
use crate::simulate::packet::{Packet, TcpPacket};
use crate::stack::value::IpId;
use crate::time::{Span, Timestamp};

/// When data that is not acknowledged is sent again first (RFC 6298 §2.1).
const FIRST_RTO: Span = Span::from_secs(1);

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// How the client's end of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Keepalive,
    Data,
    Reset,
}

impl Fleet {
    /// Runs up to a time and what happens then; frames go to `sink`, if there is one.
    pub fn run_until(&mut self, until: Timestamp, mut sink: Option<FrameSink<'_>>) {
        loop {
            let wake = self.wakes.next_time();
            let flight = self.flights.front().map(|flight| flight.arrives);
            // What was sent before something is due arrives before it.
            let next = match (wake, flight) {
                (Some(wake), Some(flight)) if flight <= wake => (flight, true),
                (Some(wake), _) => (wake, false),
                (None, Some(flight)) => (flight, true),
                (None, None) => break,
            };
            let (time, is_flight) = next;
            if time > until {
                break;
            }
            self.now = self.now.max(time);
            if is_flight {
                if let Some(flight) = self.flights.pop_front() {
                    self.tally.events += 1;
                    self.arrive(&flight, &mut sink);
                }
            } else if let Some((_, number)) = self.wakes.pop() {
                let (wake, connection) = Wake::from_number(number);
                self.wake(wake, connection, &mut sink);
            }
        }
        self.now = self.now.max(until);
    }

    fn wake(&mut self, wake: Wake, connection: u32, sink: &mut Option<FrameSink<'_>>) {
        match wake {
            Wake::Timer => self.on_timer(connection, sink),
            Wake::Data => self.on_data_timer(connection, sink),
            Wake::Open => {
                self.tally.events += 1;
                self.open(connection, sink);
            }
            Wake::Death => {
                self.tally.events += 1;
                self.die(connection);
            }
        }
    }

    fn on_timer(&mut self, connection: u32, sink: &mut Option<FrameSink<'_>>) {
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        slot.alarm = NEVER;
        if slot.client_state != EndState::Open {
            return;
        }
        // It may have been put off since.
        match slot.client.next_timeout() {
            Some(due) if due <= self.now => {
                self.tally.events += 1;
                let now = self.now;
                self.with(connection, End::Client, sink, |machine, _| machine.on_timeout(now));
            }
            Some(due) => {
                slot.alarm = due;
                self.wakes.push(due, Wake::Timer.number(connection));
            }
            None => {}
        }
    }

    /// The client sends its SYN.
    fn open(&mut self, connection: u32, sink: &mut Option<FrameSink<'_>>) {
        let initial = SeqNum(self.chance.word());
        let ip_ids = [self.chance.word() as u16, self.chance.word() as u16];
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        slot.client_state = EndState::Opening;
        slot.ip_ids = ip_ids;
        self.send(connection, End::Client, &handshake(initial, SeqNum(0), Flags::SYN, None), sink);
    }

    /// The server has power no more.
    fn die(&mut self, connection: u32) {
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        slot.server_state = EndState::Dead;
        let group = slot.group;
        // Whoever has closed already has nothing to find.
        if slot.client_state == EndState::Open {
            self.dead.insert(connection, self.now);
            self.tally.half_opened();
            if let Some(group) = self.tally.group(group) {
                group.deaths += 1;
            }
        }
    }

    /// A segment arrives.
    fn arrive(&mut self, flight: &Flight, sink: &mut Option<FrameSink<'_>>) {
        let connection = flight.connection;
        if !flight.to_server {
            self.capture(flight, sink);
        }
        let end = if flight.to_server { End::Server } else { End::Client };
        let Some(slot) = self.slots.get(connection as usize) else { return };
        let state = if flight.to_server { slot.server_state } else { slot.client_state };
        match state {
            EndState::Dead => {}
            EndState::Closed if flight.to_server && flight.flags.syn() => {
                self.on_syn(flight, sink);
            }
            EndState::Closed => self.on_stranger(flight, end, sink),
            EndState::Opening if flight.to_server => {
                self.establish(flight, End::Server, sink);
            }
            EndState::Opening => self.establish(flight, End::Client, sink),
            EndState::Open => self.on_segment(flight, end, sink),
        }
    }

    fn on_syn(&mut self, flight: &Flight, sink: &mut Option<FrameSink<'_>>) {
        let initial = SeqNum(self.chance.word());
        let Some(slot) = self.slots.get_mut(flight.connection as usize) else { return };
        slot.server_state = EndState::Opening;
        let echo = flight.stamps.map(|(value, _)| value);
        let answer = handshake(initial, flight.seq.plus(1), Flags::SYN.with(Flags::ACK), echo);
        self.send(flight.connection, End::Server, &answer, sink);
    }

    /// The second or the third segment of a handshake: the machine begins.
    fn establish(&mut self, flight: &Flight, end: End, sink: &mut Option<FrameSink<'_>>) {
        let (connection, now) = (flight.connection, self.now);
        let Some(kind) = self.kind(connection) else { return };
        let ([rules, server_rules], [settings, server_settings]) = (kind.rules, kind.settings);
        let [ours, theirs] = &kind.profiles;
        let (rules, settings, window) = match end {
            End::Client => (rules, settings, ours.window),
            End::Server => (server_rules, server_settings, theirs.window),
        };
        let syn = u32::from(flight.flags.syn());
        let tcb = Tcb {
            rcv_wnd: window,
            sack: kind.sack,
            ts_recent: flight.stamps.map(|(value, _)| value).filter(|_| kind.timestamps),
            ..Tcb::quiet(flight.ack, flight.seq.plus(syn))
        };
        let (keepalive, clock) = (kind.keepalive && end == End::Client, self.clock(connection, end));
        let machine = Machine::new(rules, settings, clock, tcb, now);
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        match end {
            End::Server => {
                slot.server_state = EndState::Open;
                slot.server = machine.snapshot();
            }
            End::Client => {
                slot.client = machine.snapshot();
                self.tally.opened();
                // Not open yet: nothing of a handshake is lost.
                let ack = handshake(flight.ack, tcb.rcv_nxt, Flags::ACK, tcb.ts_recent);
                self.send(connection, End::Client, &ack, sink);
                if let Some(slot) = self.slots.get_mut(connection as usize) {
                    slot.client_state = EndState::Open;
                }
                if keepalive {
                    self.with(connection, End::Client, sink, |machine, _| {
                        machine.set(now, Setting::Enabled(true));
                    });
                }
                self.begin_life(connection);
            }
        }
    }

    /// Whether a connection writes, and when its server dies.
    fn begin_life(&mut self, connection: u32) {
        let (writes, dies) = (self.chance.share(), self.chance.share());
        let Some(kind) = self.kind(connection) else { return };
        if writes < kind.data_share {
            let every = kind.data_every;
            self.writers.insert(connection, Writer::default());
            let at = self.now.plus(self.chance.span(every.times(2)));
            self.wakes.push(at, Wake::Data.number(connection));
        }
        if dies < self.deaths {
            let at = self.now.plus(self.chance.span(self.dying));
            self.wakes.push(at, Wake::Death.number(connection));
        }
    }

    fn on_segment(&mut self, flight: &Flight, end: End, sink: &mut Option<FrameSink<'_>>) {
        let now = self.now;
        let incoming = Incoming {
            seq: flight.seq,
            ack: flight.ack,
            flags: flight.flags,
            octets: u32::from(flight.octets),
            tsval: flight.stamps.map(|(value, _)| value),
        };
        self.with(flight.connection, end, sink, |machine, replies| {
            let is_probe = incoming.is_probe_to(machine.tcb());
            machine.on_segment(now, &incoming);
            // New data, or data that came before.
            if incoming.octets > 0 && !is_probe && !machine.has_ended() {
                replies.push(plain(machine.tcb(), machine.tcb().snd_nxt));
            }
        });
    }

    /// A segment for an end that is closed.
    fn on_stranger(&mut self, flight: &Flight, end: End, sink: &mut Option<FrameSink<'_>>) {
        let incoming = Incoming {
            seq: flight.seq,
            ack: flight.ack,
            flags: flight.flags,
            octets: u32::from(flight.octets),
            tsval: None,
        };
        if let Some(answer) = answer_without_connection(&incoming) {
            self.send(flight.connection, end, &answer, sink);
        }
    }

    /// The client writes; or what it wrote is not acknowledged in time.
    fn on_data_timer(&mut self, connection: u32, sink: &mut Option<FrameSink<'_>>) {
        let now = self.now;
        let Some(slot) = self.slots.get(connection as usize) else { return };
        if slot.client_state != EndState::Open {
            self.writers.remove(&connection);
            return;
        }
        let waits = slot.client.snd_una() != slot.client.snd_nxt();
        let Some(kind) = self.kinds.get(usize::from(slot.group)) else { return };
        let (octets, every, retries) = (kind.data_octets, kind.data_every, {
            let [ours, _] = &kind.profiles;
            ours.retries
        });
        let Some(writer) = self.writers.get_mut(&connection) else { return };
        self.tally.events += 1;
        if waits && u32::from(writer.attempts) > retries {
            self.end_client(connection, How::Data);
            return;
        }
        // An attempt that was acknowledged since: time for the pause.
        if !waits && writer.attempts > 0 {
            writer.attempts = 0;
            let pause = self.chance.span(every.times(2));
            self.wakes.push(now.plus(pause), Wake::Data.number(connection));
            return;
        }
        let wait = FIRST_RTO.times(1 << writer.attempts.min(7)).min(Span::from_secs(120));
        writer.attempts = writer.attempts.saturating_add(1);
        self.wakes.push(now.plus(wait), Wake::Data.number(connection));
        let length = u32::from(octets);
        self.with(connection, End::Client, sink, |machine, replies| {
            let at = machine.tcb().snd_una;
            if !waits {
                machine.on_sent(now, length, false);
            }
            replies.push(plain(machine.tcb(), at).with_data());
        });
    }

    /// Lets the machine of an end do something, and sees to what comes of it.
    fn with(
        &mut self,
        connection: u32,
        end: End,
        sink: &mut Option<FrameSink<'_>>,
        run: impl FnOnce(&mut Machine, &mut Vec<Reply>),
    ) {
        let clock = self.clock(connection, end);
        let mut replies = Vec::new();
        let mut ended = None;
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        let Some(kind) = self.kinds.get_mut(usize::from(slot.group)) else { return };
        let (machine, state) = match end {
            End::Client => (&mut kind.client, &mut slot.client),
            End::Server => (&mut kind.server, &mut slot.server),
        };
        machine.restore(clock, state);
        run(machine, &mut replies);
        let mut outgoing = std::mem::take(&mut self.outgoing);
        outgoing.extend(std::iter::from_fn(|| machine.poll_transmit()));
        while let Some(event) = machine.poll_event() {
            ended = self.tally.group(slot.group).and_then(|group| match event {
                Event::ProbeSent { .. } => {
                    group.probes += 1;
                    None
                }
                Event::Answered { .. } => {
                    group.answered += 1;
                    None
                }
                Event::GaveUp { .. } => Some(How::Keepalive),
                Event::ResetByPeer { .. } => Some(How::Reset),
                Event::Reported { .. } => None,
            });
        }
        *state = machine.snapshot();
        if end == End::Client
            && let Some(due) = state.next_timeout()
            && due < slot.alarm
        {
            slot.alarm = due;
            self.wakes.push(due, Wake::Timer.number(connection));
        }
        for reply in outgoing.drain(..) {
            self.send(connection, end, &reply, sink);
        }
        self.outgoing = outgoing;
        let data = self.kind(connection).map_or(0, |kind| kind.data_octets);
        for reply in replies {
            self.send_reply(connection, end, &reply, data, sink);
        }
        match (ended, end) {
            (Some(how), End::Client) => self.end_client(connection, how),
            (Some(_), End::Server) => {
                if let Some(slot) = self.slots.get_mut(connection as usize) {
                    slot.server_state = EndState::Closed;
                }
            }
            (None, _) => {}
        }
    }

    /// The client's end is over.
    fn end_client(&mut self, connection: u32, how: How) {
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        slot.client_state = EndState::Closed;
        let group = slot.group;
        self.tally.closed();
        let died = self.dead.remove(&connection);
        if died.is_some() {
            self.tally.half_open_found();
        }
        let now = self.now;
        let Some(group) = self.tally.group(group) else { return };
        match (died, how) {
            (Some(died), How::Keepalive | How::Data) => {
                group.detection.push(now.since(died));
                group.by_keepalive += u32::from(how == How::Keepalive);
                group.by_data += u32::from(how == How::Data);
            }
            (None, How::Keepalive | How::Data) => group.alive += 1,
            (_, How::Reset) => {}
        }
    }

    fn send_reply(
        &mut self,
        connection: u32,
        end: End,
        reply: &Reply,
        data: u16,
        sink: &mut Option<FrameSink<'_>>,
    ) {
        let (octets, flags) = match reply.data {
            true => (data, Flags::ACK.with(Flags::PSH)),
            false => (0, Flags::ACK),
        };
        let outgoing = Outgoing { flags, ..handshake(reply.seq, reply.ack, flags, reply.echo) };
        self.send_with(connection, end, &outgoing, octets, sink);
    }

    fn send(&mut self, connection: u32, end: End, outgoing: &Outgoing, sink: &mut Option<FrameSink<'_>>) {
        self.send_with(connection, end, outgoing, u16::from(outgoing.octets), sink);
    }

    /// A segment leaves.
    fn send_with(
        &mut self,
        connection: u32,
        end: End,
        outgoing: &Outgoing,
        octets: u16,
        sink: &mut Option<FrameSink<'_>>,
    ) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(connection as usize) else { return };
        let Some(kind) = self.kinds.get(usize::from(slot.group)) else { return };
        let [ours, theirs] = &kind.profiles;
        let profile = if end == End::Client { ours } else { theirs };
        let [client_id, server_id] = &mut slot.ip_ids;
        let counter = if end == End::Client { client_id } else { server_id };
        *counter = counter.wrapping_add(1);
        let ip_id = match profile.ip_id {
            IpId::NextOfConnection | IpId::OfTheSystem => *counter,
            // Not to be told from random numbers, and never 0.
            IpId::Random => counter.wrapping_mul(40_503) | 1,
        };
        let syn = outgoing.flags.syn();
        // A SYN alone echoes nothing.
        let echo = outgoing.echo.or((syn && !outgoing.flags.ack()).then_some(0));
        let stamped = kind.timestamps && (outgoing.timestamps || syn);
        let zero = self.zeros.get(kind.host(connection) as usize).copied().unwrap_or(self.start);
        let stamps = echo.filter(|_| stamped).map(|echo| (stamp(now, zero, connection, end), echo));
        let is_probe = matches!(outgoing.purpose, Purpose::Probe(_));
        let flight = Flight {
            arrives: now.plus(self.delay),
            connection,
            to_server: end == End::Client,
            flags: outgoing.flags,
            octets,
            ip_id,
            seq: outgoing.seq,
            ack: outgoing.ack,
            stamps,
            dsack: outgoing.dsack,
        };
        self.tally.sent(now, flight.wire_len(), is_probe);
        if flight.to_server {
            self.capture(&flight, sink);
        }
        let opening = matches!(slot_state(&self.slots, connection, end), EndState::Opening);
        if self.loss > 0.0 && !syn && !opening && self.chance.share() < self.loss {
            self.tally.lost += 1;
            return;
        }
        self.flights.push_back(flight);
    }

    fn kind(&self, connection: u32) -> Option<&Kind> {
        let slot = self.slots.get(connection as usize)?;
        self.kinds.get(usize::from(slot.group))
    }

    /// The clock of an end. Servers never arm a timer, so theirs does not matter.
    fn clock(&self, connection: u32, end: End) -> Clock {
        match (end, self.kind(connection)) {
            (End::Client, Some(kind)) => {
                let zero = self.zeros.get(kind.host(connection) as usize).copied();
                kind.clock(zero.unwrap_or(self.start))
            }
            _ => Clock::Exact,
        }
    }

    /// A segment passes the clients' tap.
    fn capture(&mut self, flight: &Flight, sink: &mut Option<FrameSink<'_>>) {
        let Some(sink) = sink else { return };
        let Some(packet) = self.packet(flight) else { return };
        self.octets.clear();
        if Packet::Tcp(packet).write(&mut self.octets).is_err() {
            return;
        }
        self.frames += 1;
        sink(&Frame {
            id: FrameId { capture: 0, number: self.frames },
            time: self.now,
            interface: 0,
            link: LinkType::Raw,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(self.octets.len()).unwrap_or(u32::MAX),
            data: &self.octets,
        });
    }

    fn packet(&self, flight: &Flight) -> Option<TcpPacket> {
        let kind = self.kind(flight.connection)?;
        let client = kind.client_end(flight.connection);
        let (source, destination): (Endpoint, Endpoint) =
            if flight.to_server { (client, kind.server_end) } else { (kind.server_end, client) };
        let [ours, theirs] = &kind.profiles;
        let profile = if flight.to_server { ours } else { theirs };
        let syn = flight.flags.syn();
        let scale = profile.window_scale.filter(|_| kind.scaled);
        let shift = if syn { 0 } else { scale.unwrap_or(0) };
        let window = if flight.flags.rst() { 0 } else { profile.window >> shift };
        Some(TcpPacket {
            source,
            destination,
            seq: flight.seq,
            ack: flight.ack,
            flags: flight.flags,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            octets: flight.octets,
            ttl: profile.ttl,
            dont_fragment: profile.dont_fragment,
            ip_id: flight.ip_id,
            options: Options {
                timestamps: flight.stamps.map(|(value, echo)| TcpTimestamps { value, echo }),
                sack: flight.dsack,
                window_scale: scale.filter(|_| syn),
                mss: syn.then_some(profile.mss),
                sack_permitted: syn && kind.sack,
                incomplete: false,
            },
        })
    }
}

fn slot_state(slots: &[Slot], connection: u32, end: End) -> EndState {
    let Some(slot) = slots.get(connection as usize) else { return EndState::Closed };
    match end {
        End::Client => slot.client_state,
        End::Server => slot.server_state,
    }
}

/// A segment that the driver sends beside those of the machine.
struct Reply {
    seq: SeqNum,
    ack: SeqNum,
    echo: Option<u32>,
    data: bool,
}

impl Reply {
    fn with_data(self) -> Self {
        Self { data: true, ..self }
    }
}

/// An ACK from the state of an end.
fn plain(tcb: &Tcb, seq: SeqNum) -> Reply {
    Reply { seq, ack: tcb.rcv_nxt, echo: tcb.ts_recent, data: false }
}

/// A segment of a handshake.
fn handshake(seq: SeqNum, ack: SeqNum, flags: Flags, echo: Option<u32>) -> Outgoing {
    Outgoing {
        purpose: Purpose::Answer,
        seq,
        ack,
        flags,
        octets: 0,
        timestamps: echo.is_some(),
        echo,
        dsack: None,
    }
}

/// The TSval of an end: milliseconds, from a beginning of its own.
fn stamp(now: Timestamp, zero: Timestamp, connection: u32, end: End) -> u32 {
    let millis = now.since(zero).as_nanos().div_euclid(1_000_000) as u32;
    let offset = connection.wrapping_add(1).wrapping_mul(0x9e37_79b1).wrapping_add(end as u32 * 0x1234_5678);
    millis.wrapping_add(offset)
}
