//! A fleet in motion: what wakes a connection, what arrives, what leaves.

use super::send::{Reply, handshake, plain};
use super::slot::{EndState, Flight, Kind, NEVER, Writer};
use super::{Fleet, FrameSink, Wake};
use crate::keepalive::{Clock, Event, Incoming, Machine, Setting, Tcb, answer_without_connection};
use crate::segment::{Flags, SeqNum};
use crate::simulate::profile::Profile;
use crate::time::{Span, Timestamp};

/// No retransmission waits longer (Linux: `TCP_RTO_MAX`).
const LONGEST_RTO: Span = Span::from_secs(120);

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
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
        let [Profile { retries, least_rto, .. }, _] = kind.profiles;
        let [settings, _] = &kind.settings;
        let patience = settings.user_timeout_in_force();
        let (octets, every) = (kind.data_octets, kind.data_every);
        let Some(writer) = self.writers.get_mut(&connection) else { return };
        self.tally.events += 1;
        let impatient = patience.is_some_and(|patience| now.since(writer.since) >= patience);
        if waits && (u32::from(writer.attempts) > retries || impatient) {
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
        if !waits {
            writer.since = now;
        }
        // The round trip is always the same, so that the time-out is that and the least for its variation.
        let timeout = self.delay.times(2).plus(least_rto);
        let mut wake = now.plus(timeout.times(1 << writer.attempts.min(16)).min(LONGEST_RTO));
        if let Some(patience) = patience {
            wake = wake.min(writer.since.plus(patience)).max(now.plus(Span::from_nanos(1)));
        }
        writer.attempts = writer.attempts.saturating_add(1);
        self.wakes.push(wake, Wake::Data.number(connection));
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

    pub(super) fn kind(&self, connection: u32) -> Option<&Kind> {
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
}
