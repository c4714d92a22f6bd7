//! What happens in a simulation, by name: the record of truth as scenarios and people speak of it.
//!
//! Owns [`Happening`] and the names of its kinds. Uses [`crate::simulate::truth`].

use super::Plan;
use super::text::Words;
use crate::keepalive::Event as Keepalive;
use crate::simulate::end::{Closing, Role};
use crate::simulate::host::HostChange;
use crate::simulate::middlebox::{BoxAction, OwnPacket};
use crate::simulate::truth::{Truth, What};
use crate::time::{Span, Timestamp};

/// Names of kinds, for programs and in scenarios.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident = $name:literal;)*) => {
        /// What kind of thing happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[$about])* $kind,)*
        }

        impl Words for EventKind {
            const WORDS: &'static [(&'static str, Self)] = &[$(($name, EventKind::$kind)),*];
        }
    };
}

kinds! {
    /// An end opened its side of the connection.
    Opened = "opened";
    /// A connection ended for one of its ends.
    Closed = "closed";
    /// A host sent a SYN, or the answer to one.
    Syn = "syn";
    /// A host sent data.
    Data = "data";
    /// A host sent something again.
    Retransmission = "retransmission";
    /// A host acknowledged data.
    Ack = "ack";
    /// A host sent a keepalive probe.
    Probe = "probe";
    /// A host answered a probe.
    Answer = "answer";
    /// A host sent a FIN.
    Fin = "fin";
    /// A host sent a RST.
    Reset = "reset";
    /// A prober heard its peer after probes.
    ProbeAnswered = "probe_answered";
    /// A prober gave up.
    GaveUp = "gave_up";
    /// A prober told its application that the peer does not answer.
    Reported = "reported";
    /// An application got data.
    Delivered = "delivered";
    /// A link lost a probe, or a host did that was off or unplugged.
    ProbeLost = "probe_lost";
    /// The same of some other packet.
    PacketLost = "packet_lost";
    /// A host lost its power.
    PowerOff = "power_off";
    /// A host has power again.
    PowerOn = "power_on";
    /// A host's cable was pulled.
    Unplugged = "unplugged";
    /// A host's cable is back.
    Plugged = "plugged";
    /// A Windows application made a call.
    Call = "call";
    /// A box began to know a connection.
    Created = "created";
    /// A packet started the timer of a box anew.
    Refreshed = "refreshed";
    /// A packet came to a box and did not start its timer anew.
    Unrefreshed = "unrefreshed";
    /// A box forgot a connection after silence.
    Expired = "expired";
    /// A box forgot a connection for another reason.
    Removed = "removed";
    /// A box dropped a packet.
    Dropped = "dropped";
    /// A box sent a RST of its own.
    BoxReset = "box_reset";
    /// A box sent a FIN of its own.
    BoxFin = "box_fin";
    /// A box sent an ICMP error.
    BoxIcmp = "box_icmp";
    /// A proxy sent a keepalive probe of its own.
    BoxProbe = "box_probe";
    /// A proxy sent another segment of its own.
    BoxSegment = "box_segment";
    /// A proxy closed both its connections.
    BoxClosed = "box_closed";
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// When, since the start of the simulation.
    pub time: Span,
    /// What kind of thing.
    pub kind: EventKind,
    /// Which host, box or link did it.
    pub by: String,
    /// More about it, as a word of a fixed set; empty if there is none.
    pub how: &'static str,
    /// For a probe its number in the run of unanswered ones; for data octets.
    pub number: Option<u64>,
}

impl Happening {
    /// What a piece of truth is called, if it is worth a name.
    pub fn of(plan: &Plan, start: Timestamp, truth: &Truth) -> Option<Happening> {
        let (kind, by, how, number) = name(plan, &truth.what)?;
        Some(Happening { time: truth.time.since(start), kind, by, how, number })
    }
}

impl Happening {
    /// How a connection ended, if this is its end.
    pub fn closing(&self) -> Option<Closing> {
        let ended = self.kind == EventKind::Closed;
        let word = Closing::WORDS.iter().find(|(name, _)| ended && *name == self.how);
        word.map(|(_, closing)| *closing)
    }
}

type Named = (EventKind, String, &'static str, Option<u64>);

fn name(plan: &Plan, what: &What) -> Option<Named> {
    let plain = |kind, by: &str| Some((kind, by.to_owned(), "", None));
    match what {
        What::Sent { host, role, .. } => sent(host.name(), *role),
        What::LostAtHost { host, role, .. } => {
            Some((lost(*role), host.name().to_owned(), "unreachable", None))
        }
        What::LostOnLink { link, role, cause, .. } => {
            Some((lost(*role), link_name(plan, *link), cause.name(), None))
        }
        What::TtlEnded { link, role, .. } => Some((lost(*role), link_name(plan, *link), "ttl", None)),
        What::Opened { host, .. } => plain(EventKind::Opened, host.name()),
        What::Keepalive { host, event, .. } => {
            let (kind, number) = match event {
                Keepalive::Answered { after, .. } => (EventKind::ProbeAnswered, Some(u64::from(*after))),
                Keepalive::GaveUp { after, .. } => (EventKind::GaveUp, Some(u64::from(*after))),
                Keepalive::Reported { .. } => (EventKind::Reported, None),
                // The packets tell.
                Keepalive::ProbeSent { .. } | Keepalive::ResetByPeer { .. } => return None,
            };
            Some((kind, host.name().to_owned(), "", number))
        }
        What::Delivered { host, octets, .. } => {
            Some((EventKind::Delivered, host.name().to_owned(), "", Some(u64::from(*octets))))
        }
        What::Closed { host, how, .. } => Some((EventKind::Closed, host.name().to_owned(), how.name(), None)),
        What::Host { host, change } => {
            let kind = match change {
                HostChange::Unplugged => EventKind::Unplugged,
                HostChange::Plugged => EventKind::Plugged,
                HostChange::PowerOff => EventKind::PowerOff,
                HostChange::PowerOn => EventKind::PowerOn,
            };
            plain(kind, host.name())
        }
        What::Windows { host, result, .. } => {
            let how = result.err().map_or("", |error| error.name());
            Some((EventKind::Call, host.name().to_owned(), how, None))
        }
        What::Middlebox { index, event } => {
            let by = plan.box_names.get(*index)?;
            let (kind, how) = box_event(event.what);
            Some((kind, by.clone(), how, None))
        }
        What::Received { .. } | What::PeerClosed { .. } => None,
    }
}

fn sent(by: &str, role: Role) -> Option<Named> {
    let (kind, number) = match role {
        Role::Syn | Role::SynAck => (EventKind::Syn, None),
        Role::Data => (EventKind::Data, None),
        Role::Fin => (EventKind::Fin, None),
        Role::Retransmission => (EventKind::Retransmission, None),
        Role::Ack | Role::Challenge => (EventKind::Ack, None),
        Role::Probe(run) => (EventKind::Probe, Some(u64::from(run))),
        Role::Answer => (EventKind::Answer, None),
        Role::Reset => (EventKind::Reset, None),
        Role::Path => return None,
    };
    Some((kind, by.to_owned(), "", number))
}

fn lost(role: Role) -> EventKind {
    if role.is_probe() { EventKind::ProbeLost } else { EventKind::PacketLost }
}

fn link_name(plan: &Plan, link: usize) -> String {
    plan.link_names.get(link).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| "path".to_owned())
}

fn box_event(what: BoxAction) -> (EventKind, &'static str) {
    match what {
        BoxAction::Created { midstream: true, .. } => (EventKind::Created, "midstream"),
        BoxAction::Created { state, .. } => (EventKind::Created, state.name()),
        BoxAction::Refreshed { from, .. } => (EventKind::Refreshed, from.name()),
        BoxAction::Unrefreshed { from, .. } => (EventKind::Unrefreshed, from.name()),
        BoxAction::Expired { .. } => (EventKind::Expired, ""),
        BoxAction::Removed { .. } => (EventKind::Removed, ""),
        BoxAction::Dropped { from, .. } => (EventKind::Dropped, from.name()),
        BoxAction::Sent { on, what } => {
            let kind = match what {
                OwnPacket::Reset => EventKind::BoxReset,
                OwnPacket::Finish => EventKind::BoxFin,
                OwnPacket::Icmp => EventKind::BoxIcmp,
                OwnPacket::Segment => EventKind::BoxSegment,
                OwnPacket::Probe => EventKind::BoxProbe,
            };
            (kind, on.name())
        }
        BoxAction::Closed { silent } => (EventKind::BoxClosed, silent.map_or("", |side| side.name())),
    }
}

impl Words for Closing {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("in_order", Closing::InOrder),
        ("keepalive_timed_out", Closing::KeepaliveTimedOut),
        ("data_timed_out", Closing::DataTimedOut),
        ("reset", Closing::Reset),
        ("aborted", Closing::Aborted),
        ("refused", Closing::Refused),
        ("connect_timed_out", Closing::ConnectTimedOut),
        ("power_lost", Closing::PowerLost),
    ];
}
