//! What leaves an end: segments with their window, flags and options.

use super::{End, State};
use crate::keepalive::{Machine, Outgoing, Purpose, Setting, Tcb};
use crate::segment::{Flags, Options, SackBlock, SeqNum, TcpTimestamps};
use crate::simulate::packet::TcpPacket;
use crate::simulate::retransmit::Piece;
use crate::time::Timestamp;

/// Why a segment was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The first of a handshake.
    Syn,
    /// The second.
    SynAck,
    /// Data.
    Data,
    /// No more data.
    Fin,
    /// A segment sent before, again.
    Retransmission,
    /// The acknowledgment of data, of a FIN, or of a segment that is no good.
    Ack,
    /// A keepalive probe; its number in the run of unanswered ones, from 1.
    Probe(u32),
    /// The answer to a keepalive probe.
    Answer,
    /// A challenge ACK (RFC 5961).
    Challenge,
    /// A RST.
    Reset,
    /// Made on the path, not by a host.
    Path,
}

impl Role {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Syn => "syn",
            Role::SynAck => "syn_ack",
            Role::Data => "data",
            Role::Fin => "fin",
            Role::Retransmission => "retransmission",
            Role::Ack => "ack",
            Role::Probe(_) => "probe",
            Role::Answer => "answer",
            Role::Challenge => "challenge",
            Role::Reset => "reset",
            Role::Path => "path",
        }
    }

    /// Whether it is a keepalive probe.
    pub const fn is_probe(self) -> bool {
        matches!(self, Role::Probe(_))
    }
}

impl End {
    /// Data leaves, cut into segments.
    pub(super) fn send_data(&mut self, now: Timestamp, octets: u32) {
        let options = if self.timestamps { 12 } else { 0 };
        let most = u32::from(self.peer_mss.saturating_sub(options).max(1));
        let mut left = octets;
        while left > 0 {
            let part = left.min(most);
            left -= part;
            let flags = if left == 0 { Flags::ACK.with(Flags::PSH) } else { Flags::ACK };
            self.send_piece(now, u16::try_from(part).unwrap_or(u16::MAX), flags, Role::Data);
        }
        self.last_data = now;
    }

    pub(super) fn send_fin(&mut self, now: Timestamp, next: State) {
        self.send_piece(now, 0, Flags::ACK.with(Flags::FIN), Role::Fin);
        self.state = next;
        // Nobody has this socket any more.
        if let Some(machine) = &mut self.machine {
            machine.set(now, Setting::Enabled(false));
        }
    }

    fn send_piece(&mut self, now: Timestamp, octets: u16, flags: Flags, role: Role) {
        let Some(machine) = &mut self.machine else { return };
        let seq = machine.tcb().snd_nxt;
        machine.on_sent(now, u32::from(octets) + u32::from(flags.fin()), false);
        self.unacknowledged.sent(now, seq, octets, flags);
        self.emit(now, seq, flags, octets, role);
    }

    pub(super) fn send_again(&mut self, now: Timestamp, piece: &Piece) {
        if piece.flags.syn() {
            self.emit_syn(now, Role::Retransmission);
        } else {
            self.emit(now, piece.seq, piece.flags, piece.octets, Role::Retransmission);
        }
    }

    /// An empty segment at SND.NXT.
    pub(super) fn reply(&mut self, now: Timestamp, flags: Flags, role: Role) {
        let Some(next) = self.machine.as_ref().map(|machine| machine.tcb().snd_nxt) else { return };
        self.emit(now, next, flags, 0, role);
    }

    fn emit(&mut self, now: Timestamp, seq: SeqNum, flags: Flags, octets: u16, role: Role) {
        let tcb = self.machine.as_ref().map(Machine::tcb);
        let ack = tcb.map_or(self.peer_initial.plus(1), |tcb| tcb.rcv_nxt);
        let echo = tcb.map_or(self.early_stamp, |tcb: &Tcb| tcb.ts_recent);
        let options = self.options(now, echo, None);
        self.push(seq, ack, flags, octets, options, role);
    }

    /// A keepalive probe that the stack knows nothing of: one number below SND.NXT, without data.
    pub(in crate::simulate) fn probe(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Established | State::CloseWait) {
            return;
        }
        let Some(next) = self.machine.as_ref().map(|machine| machine.tcb().snd_nxt) else { return };
        self.emit(now, next.plus(u32::MAX), Flags::ACK, 0, Role::Probe(1));
    }

    /// What the machine wants to send.
    pub(super) fn send_outgoing(&mut self, now: Timestamp, outgoing: &Outgoing) {
        let Outgoing { purpose, seq, ack, flags, octets, timestamps, echo, dsack } = *outgoing;
        let role = match purpose {
            Purpose::Probe(run) => Role::Probe(run),
            Purpose::Answer => Role::Answer,
            Purpose::Reset => Role::Reset,
        };
        let options = self.options(now, echo.filter(|_| timestamps), dsack);
        self.push(seq, ack, flags, u16::from(octets), options, role);
    }

    fn options(&self, now: Timestamp, echo: Option<u32>, sack: Option<SackBlock>) -> Options {
        let timestamps = echo.filter(|_| self.timestamps);
        let value = self.config.stamps.at(now);
        Options {
            timestamps: timestamps.map(|echo| TcpTimestamps { value, echo }),
            sack,
            ..Options::default()
        }
    }

    fn push(&mut self, seq: SeqNum, ack: SeqNum, flags: Flags, octets: u16, options: Options, role: Role) {
        let window = self.config.profile.window >> self.scale.unwrap_or(0);
        let window = u16::try_from(window).unwrap_or(u16::MAX);
        self.push_packet(TcpPacket { seq, ack, flags, octets, options, window, ..self.blank() }, role);
    }

    pub(super) fn push_packet(&mut self, packet: TcpPacket, role: Role) {
        self.out.push_back((packet, role));
    }

    /// A segment with nothing in it; the host fills in its IP identification.
    pub(super) fn blank(&self) -> TcpPacket {
        TcpPacket {
            source: self.config.local,
            destination: self.config.remote,
            seq: SeqNum(0),
            ack: SeqNum(0),
            flags: Flags::default(),
            window: 0,
            octets: 0,
            ttl: self.config.profile.ttl,
            dont_fragment: self.config.profile.dont_fragment,
            ip_id: 0,
            options: Options::default(),
        }
    }
}
