//! How a connection is made (RFC 9293 §3.5): SYN, SYN and ACK, ACK.

use super::{Closing, Config, End, EndEvent, Role, State};
use crate::keepalive::{Machine, Setting, Tcb};
use crate::segment::{Flags, Options, TcpTimestamps};
use crate::simulate::packet::TcpPacket;
use crate::time::Timestamp;

impl End {
    /// The end that opens.
    pub(in crate::simulate) fn connect(config: Config, now: Timestamp) -> Self {
        let mut end = End::new(config, State::SynSent, now);
        end.unacknowledged.sent(now, config.initial, 0, Flags::SYN);
        end.emit_syn(now, Role::Syn);
        end
    }

    /// The end that a SYN came to.
    pub(in crate::simulate) fn accept(config: Config, now: Timestamp, syn: &TcpPacket) -> Self {
        let mut end = End::new(config, State::SynReceived, now);
        end.learn(syn);
        end.unacknowledged.sent(now, config.initial, 0, Flags::SYN);
        end.emit_syn(now, Role::SynAck);
        end
    }

    /// What the peer's SYN says.
    fn learn(&mut self, syn: &TcpPacket) {
        let Options { timestamps, sack_permitted, window_scale, mss, .. } = syn.options;
        self.peer_initial = syn.seq;
        self.timestamps &= timestamps.is_some();
        self.sack &= sack_permitted;
        self.scale = self.scale.filter(|_| window_scale.is_some());
        self.peer_mss = mss.unwrap_or(536).min(self.config.profile.mss);
        self.early_stamp = timestamps.filter(|_| self.timestamps).map(|stamps| stamps.value);
    }

    pub(super) fn emit_syn(&mut self, now: Timestamp, role: Role) {
        let answers = self.state == State::SynReceived;
        let profile = self.config.profile;
        let value = self.config.stamps.at(now);
        let options = Options {
            timestamps: self.timestamps.then(|| TcpTimestamps { value, echo: self.early_stamp.unwrap_or(0) }),
            sack_permitted: self.sack,
            window_scale: self.scale,
            mss: Some(profile.mss),
            ..Options::default()
        };
        let packet = TcpPacket {
            seq: self.config.initial,
            ack: if answers { self.peer_initial.plus(1) } else { self.blank().ack },
            flags: if answers { Flags::SYN.with(Flags::ACK) } else { Flags::SYN },
            window: u16::try_from(profile.window).unwrap_or(u16::MAX),
            options,
            ..self.blank()
        };
        self.push_packet(packet, role);
    }

    /// In SYN-SENT.
    pub(super) fn on_syn_answer(&mut self, now: Timestamp, packet: &TcpPacket) {
        let acknowledges = packet.flags.ack() && packet.ack == self.config.initial.plus(1);
        if packet.flags.rst() {
            if acknowledges {
                self.end(Closing::Refused);
            }
            return;
        }
        if !packet.flags.syn() || !acknowledges {
            return;
        }
        self.learn(packet);
        self.establish(now);
        self.reply(now, Flags::ACK, Role::Ack);
        self.begin_application(now);
    }

    /// In SYN-RECEIVED.
    pub(super) fn on_handshake_end(&mut self, now: Timestamp, packet: &TcpPacket) {
        if packet.flags.rst() {
            if packet.seq == self.peer_initial.plus(1) {
                self.end(Closing::Reset);
            }
            return;
        }
        if packet.flags.syn() {
            if packet.seq == self.peer_initial {
                self.emit_syn(now, Role::Retransmission);
            }
            return;
        }
        if !packet.flags.ack() || packet.ack != self.config.initial.plus(1) {
            return;
        }
        self.establish(now);
        self.begin_application(now);
        // It may bring data already.
        self.on_segment(now, packet);
    }

    /// Both numbers are known: from here on the machine has them.
    fn establish(&mut self, now: Timestamp) {
        let next = self.config.initial.plus(1);
        self.unacknowledged.acknowledged(now, next);
        let tcb = Tcb {
            rcv_wnd: self.config.profile.window,
            sack: self.sack,
            ts_recent: self.early_stamp.filter(|_| self.timestamps),
            ..Tcb::quiet(next, self.peer_initial.plus(1))
        };
        let Config { rules, settings, clock, .. } = self.config;
        let mut machine = Machine::new(rules, settings, clock, tcb, now);
        machine.set_rto(self.unacknowledged.measured());
        self.machine = Some(machine);
        self.state = State::Established;
        self.last_data = now;
        self.events.push_back(EndEvent::Opened);
    }

    /// What the application wanted meanwhile, behind the handshake: some stacks probe at once.
    fn begin_application(&mut self, now: Timestamp) {
        if let Some(machine) = self.machine.as_mut().filter(|_| self.config.on) {
            machine.set(now, Setting::Enabled(true));
        }
        self.drain_machine(now);
        let waiting = std::mem::take(&mut self.waiting);
        if waiting > 0 {
            self.send_data(now, waiting);
        }
        if std::mem::take(&mut self.close_wanted) {
            self.close(now);
        }
    }
}
