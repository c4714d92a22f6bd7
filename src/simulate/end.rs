//! One end of a simulated connection: as much TCP as it takes to have keepalives on it.
//!
//! Owns `End`: handshake, data and its retransmission, close, resets, round the keepalive machine, which has
//! the sequence numbers of an established connection and everything about probes. No congestion control, no
//! flow control: an application reads at once, and what it writes leaves at once. Sans-IO. Uses
//! `super::retransmit`, [`super::profile`] and [`crate::keepalive`].

mod handshake;
mod output;

use std::collections::VecDeque;

use super::packet::TcpPacket;
use super::profile::Profile;
use super::retransmit::{Due, Unacknowledged};
use crate::keepalive::{Clock, Event as Keepalive, Incoming, Machine, Rules, Setting, Settings};
use crate::segment::{Endpoint, Flags, SeqNum};
use crate::time::{Span, Timestamp};

pub use output::Role;

/// How long an end that closed remembers its connection (TIME-WAIT, and FIN-WAIT-2 of a socket that nobody has
/// any more): `TCP_TIMEWAIT_LEN` of Linux.
const LINGER: Span = Span::from_secs(60);

/// At most one ACK for segments that are no good in this time (Linux `tcp_invalid_ratelimit`).
const COMPLAINT_GAP: Span = Span::from_millis(500);

/// The TSval clock: a count of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StampClock {
    /// When it stood at `offset`.
    pub(super) zero: Timestamp,
    pub(super) offset: u32,
}

impl StampClock {
    fn at(&self, now: Timestamp) -> u32 {
        let millis = now.since(self.zero).as_nanos().div_euclid(1_000_000);
        // A clock of 32 bits goes round.
        self.offset.wrapping_add(millis as u32)
    }
}

/// What an end starts with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) profile: Profile,
    pub(super) rules: Rules,
    pub(super) settings: Settings,
    pub(super) on: bool,
    pub(super) clock: Clock,
    pub(super) stamps: StampClock,
    pub(super) initial: SeqNum,
    /// The application closes after this long without data.
    pub(super) close_when_idle: Option<Span>,
    /// The application does not close when its peer does.
    pub(super) stays_half_open: bool,
}

/// How a connection ended, or was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// Both ends closed.
    InOrder,
    /// Keepalives went unanswered.
    KeepaliveTimedOut,
    /// Data was not acknowledged.
    DataTimedOut,
    /// The peer reset it.
    Reset,
    /// The application reset it.
    Aborted,
    /// The peer refused it.
    Refused,
    /// Nothing answered the SYN.
    ConnectTimedOut,
    /// The host lost its power.
    PowerLost,
}

impl Closing {
    /// Whether both ends wanted it.
    pub(super) const fn is_in_order(self) -> bool {
        matches!(self, Closing::InOrder)
    }

    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Closing::InOrder => "in_order",
            Closing::KeepaliveTimedOut => "keepalive_timed_out",
            Closing::DataTimedOut => "data_timed_out",
            Closing::Reset => "reset",
            Closing::Aborted => "aborted",
            Closing::Refused => "refused",
            Closing::ConnectTimedOut => "connect_timed_out",
            Closing::PowerLost => "power_lost",
        }
    }
}

/// What an end tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndEvent {
    Opened,
    Keepalive(Keepalive),
    /// Data in order reached the application.
    Delivered(u32),
    /// The peer closed its side.
    PeerClosed,
    Closed(Closing),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Closed,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    config: Config,
    state: State,
    /// The peer's initial sequence number, once known.
    peer_initial: SeqNum,
    /// What both offered.
    timestamps: bool,
    sack: bool,
    scale: Option<u8>,
    peer_mss: u16,
    /// The peer's TSval, while there is no machine to keep it.
    early_stamp: Option<u32>,
    machine: Option<Machine>,
    unacknowledged: Unacknowledged,
    /// Data that waits for the handshake.
    waiting: u32,
    close_wanted: bool,
    last_data: Timestamp,
    last_complaint: Option<Timestamp>,
    linger: Option<Timestamp>,
    out: VecDeque<(TcpPacket, Role)>,
    events: VecDeque<EndEvent>,
}

impl End {
    fn new(config: Config, state: State, now: Timestamp) -> Self {
        Self {
            unacknowledged: Unacknowledged::new(config.profile.least_rto),
            config,
            state,
            peer_initial: SeqNum(0),
            timestamps: config.profile.timestamps,
            sack: config.profile.sack,
            scale: config.profile.window_scale,
            peer_mss: 536,
            early_stamp: None,
            machine: None,
            waiting: 0,
            close_wanted: false,
            last_data: now,
            last_complaint: None,
            linger: None,
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn local(&self) -> Endpoint {
        self.config.local
    }

    pub(super) fn remote(&self) -> Endpoint {
        self.config.remote
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(super) fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(TcpPacket, Role)> {
        self.out.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<EndEvent> {
        self.events.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let machine = self.machine.as_ref().and_then(Machine::next_timeout);
        [machine, self.unacknowledged.next_timeout(), self.linger, self.idle_close()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the application closes for want of data.
    fn idle_close(&self) -> Option<Timestamp> {
        let after = self.config.close_when_idle?;
        (self.state == State::Established).then(|| self.last_data.plus(after))
    }

    /// Sets something; before the handshake is over it counts from its end on.
    pub(super) fn set(&mut self, now: Timestamp, setting: Setting) {
        let settings = &mut self.config.settings;
        match setting {
            Setting::Enabled(on) => self.config.on = on,
            Setting::Idle(idle) => settings.idle = idle,
            Setting::Interval(interval) => settings.interval = interval,
            Setting::Count(count) => settings.count = count,
            Setting::UserTimeout(timeout) => settings.user_timeout = Some(timeout),
        }
        if let Some(machine) = &mut self.machine {
            machine.set(now, setting);
        }
        self.drain_machine(now);
    }

    /// The application writes.
    pub(super) fn send(&mut self, now: Timestamp, octets: u32) {
        match self.state {
            State::SynSent | State::SynReceived => self.waiting = self.waiting.saturating_add(octets),
            State::Established | State::CloseWait if !self.close_wanted => self.send_data(now, octets),
            _ => {}
        }
    }

    /// The application closes.
    pub(super) fn close(&mut self, now: Timestamp) {
        match self.state {
            State::SynSent | State::SynReceived => self.close_wanted = true,
            State::Established => self.send_fin(now, State::FinWait1),
            State::CloseWait => self.send_fin(now, State::LastAck),
            _ => {}
        }
    }

    /// The application closes with a reset.
    pub(super) fn abort(&mut self, now: Timestamp) {
        if self.machine.is_some() && !matches!(self.state, State::Closed | State::TimeWait) {
            self.reply(now, Flags::RST.with(Flags::ACK), Role::Reset);
        }
        self.end(Closing::Aborted);
    }

    /// The host loses its power.
    pub(super) fn lose_power(&mut self) {
        self.end(Closing::PowerLost);
        self.out.clear();
    }

    fn end(&mut self, how: Closing) {
        if self.state == State::Closed {
            return;
        }
        // What ended long ago in order and was only remembered tells nothing more.
        if self.state != State::TimeWait {
            self.events.push_back(EndEvent::Closed(how));
        }
        self.state = State::Closed;
        self.unacknowledged.clear();
        self.machine = None;
        self.linger = None;
    }

    pub(super) fn on_timeout(&mut self, now: Timestamp) {
        if self.linger.is_some_and(|linger| linger <= now) {
            if self.state == State::FinWait2 {
                self.end(Closing::InOrder);
            }
            self.state = State::Closed;
            self.machine = None;
            self.linger = None;
        }
        if self.idle_close().is_some_and(|due| due <= now) {
            self.close(now);
        }
        if let Some(machine) = &mut self.machine {
            machine.on_timeout(now);
        }
        self.drain_machine(now);
        self.retransmit(now);
    }

    fn retransmit(&mut self, now: Timestamp) {
        let opening = matches!(self.state, State::SynSent | State::SynReceived);
        let Profile { retries, syn_retries, .. } = self.config.profile;
        let patience = self.config.settings.user_timeout_in_force();
        match self.unacknowledged.on_timeout(now, if opening { syn_retries } else { retries }, patience) {
            Some(Due::Again(piece)) => self.send_again(now, &piece),
            Some(Due::GiveUp) if opening => self.end(Closing::ConnectTimedOut),
            Some(Due::GiveUp) => self.end(Closing::DataTimedOut),
            None => {}
        }
    }

    pub(super) fn on_packet(&mut self, now: Timestamp, packet: &TcpPacket) {
        match self.state {
            State::Closed => {}
            State::SynSent => self.on_syn_answer(now, packet),
            State::SynReceived => self.on_handshake_end(now, packet),
            State::TimeWait => self.on_late(now, packet),
            _ => self.on_segment(now, packet),
        }
    }

    /// In TIME-WAIT everything but a RST is acknowledged.
    fn on_late(&mut self, now: Timestamp, packet: &TcpPacket) {
        if !packet.flags.rst() && (packet.octets > 0 || packet.flags.fin() || self.may_complain(now)) {
            self.reply(now, Flags::ACK, Role::Ack);
        }
    }

    /// A segment of an established connection.
    fn on_segment(&mut self, now: Timestamp, packet: &TcpPacket) {
        let Some(machine) = &mut self.machine else { return };
        if packet.flags.syn() {
            // RFC 5961 §4: a SYN is answered with a challenge, whatever its number.
            self.complain(now, Role::Challenge);
            return;
        }
        let incoming = incoming(packet, self.timestamps);
        let before = *machine.tcb();
        let in_window = {
            let off = packet.seq.distance_from(before.rcv_nxt);
            off >= 0 && off.unsigned_abs() < before.rcv_wnd
        };
        let is_probe = incoming.is_probe_to(&before);
        machine.on_segment(now, &incoming);
        let after = *machine.tcb();
        self.drain_machine(now);
        if packet.flags.rst() {
            if self.state != State::Closed && in_window {
                self.complain(now, Role::Challenge);
            }
            return;
        }
        if self.state == State::Closed {
            return;
        }
        let again = self.unacknowledged.acknowledged(now, after.snd_una);
        if let Some(piece) = again {
            self.send_again(now, &piece);
        }
        self.on_fin_acknowledged(now);
        let received = after.rcv_nxt.distance_from(before.rcv_nxt).unsigned_abs();
        if received > 0 {
            self.on_received(now, packet, received);
        } else if !is_probe && (packet.octets > 0 || packet.flags.fin()) {
            self.reply(now, Flags::ACK, Role::Ack);
        } else if !is_probe && !in_window && packet.seq != before.rcv_nxt {
            self.complain(now, Role::Ack);
        }
    }

    /// Data or a FIN came in order.
    fn on_received(&mut self, now: Timestamp, packet: &TcpPacket, received: u32) {
        let fin = packet.flags.fin();
        let octets = received - u32::from(fin).min(received);
        if octets > 0 {
            self.last_data = now;
            self.events.push_back(EndEvent::Delivered(octets));
        }
        self.reply(now, Flags::ACK, Role::Ack);
        if fin {
            self.events.push_back(EndEvent::PeerClosed);
            match self.state {
                State::Established => {
                    self.state = State::CloseWait;
                    if !self.config.stays_half_open {
                        self.close(now);
                    }
                }
                State::FinWait1 => self.state = State::Closing,
                State::FinWait2 => self.begin_time_wait(now),
                _ => {}
            }
        }
    }

    /// What follows when the peer acknowledged our FIN, if it did.
    fn on_fin_acknowledged(&mut self, now: Timestamp) {
        if !self.unacknowledged.is_empty() {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.linger = Some(now.plus(LINGER));
            }
            State::Closing => self.begin_time_wait(now),
            State::LastAck => self.end(Closing::InOrder),
            _ => {}
        }
    }

    fn begin_time_wait(&mut self, now: Timestamp) {
        self.events.push_back(EndEvent::Closed(Closing::InOrder));
        self.state = State::TimeWait;
        self.linger = Some(now.plus(LINGER));
    }

    /// An ACK for a segment that is no good, but not too many of them.
    fn complain(&mut self, now: Timestamp, role: Role) {
        if self.may_complain(now) {
            self.reply(now, Flags::ACK, role);
        }
    }

    fn may_complain(&mut self, now: Timestamp) -> bool {
        if self.last_complaint.is_some_and(|last| now.since(last) < COMPLAINT_GAP) {
            return false;
        }
        self.last_complaint = Some(now);
        true
    }

    /// Takes what the machine has to send and to tell.
    fn drain_machine(&mut self, now: Timestamp) {
        let Some(machine) = &mut self.machine else { return };
        let mut transmits = Vec::new();
        transmits.extend(std::iter::from_fn(|| machine.poll_transmit()));
        let mut ended = None;
        while let Some(event) = machine.poll_event() {
            self.events.push_back(EndEvent::Keepalive(event));
            ended = match event {
                Keepalive::GaveUp { .. } => Some(Closing::KeepaliveTimedOut),
                Keepalive::ResetByPeer { .. } => Some(Closing::Reset),
                _ => ended,
            };
        }
        for outgoing in &transmits {
            self.send_outgoing(now, outgoing);
        }
        if let Some(how) = ended {
            self.end(how);
        }
    }
}

/// A packet as the keepalive machine takes it.
fn incoming(packet: &TcpPacket, timestamps: bool) -> Incoming {
    Incoming {
        seq: packet.seq,
        ack: packet.ack,
        flags: packet.flags,
        octets: u32::from(packet.octets),
        tsval: packet.options.timestamps.filter(|_| timestamps).map(|stamps| stamps.value),
    }
}
