//! What leaves the ends of a fleet: segments, and the frames that a tap at the clients makes of them.

use super::run::End;
use super::slot::{EndState, Flight, Slot};
use super::{Fleet, FrameSink};
use crate::frame::{Frame, FrameId, LinkType};
use crate::keepalive::{Outgoing, Purpose, Tcb};
use crate::segment::{Endpoint, Flags, Options, SeqNum, TcpTimestamps};
use crate::simulate::packet::{Packet, TcpPacket};
use crate::stack::value::IpId;
use crate::time::Timestamp;

impl Fleet {
    pub(super) fn send_reply(
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

    pub(super) fn send(
        &mut self,
        connection: u32,
        end: End,
        outgoing: &Outgoing,
        sink: &mut Option<FrameSink<'_>>,
    ) {
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
        let stamps = echo.filter(|_| stamped).map(|echo| {
            let zero = self.zeros.get(kind.host(connection) as usize).copied().unwrap_or(self.start);
            (stamp(now, zero, connection, end), echo)
        });
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

    /// A segment passes the clients' tap.
    pub(super) fn capture(&mut self, flight: &Flight, sink: &mut Option<FrameSink<'_>>) {
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
pub(super) struct Reply {
    seq: SeqNum,
    ack: SeqNum,
    echo: Option<u32>,
    data: bool,
}

impl Reply {
    pub(super) fn with_data(self) -> Self {
        Self { data: true, ..self }
    }
}

/// An ACK from the state of an end.
pub(super) fn plain(tcb: &Tcb, seq: SeqNum) -> Reply {
    Reply { seq, ack: tcb.rcv_nxt, echo: tcb.ts_recent, data: false }
}

/// A segment of a handshake.
pub(super) fn handshake(seq: SeqNum, ack: SeqNum, flags: Flags, echo: Option<u32>) -> Outgoing {
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
