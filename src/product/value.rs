//! What can stand in a cell of the catalogue.

use crate::stack::value::{Datum, Value, seconds, words};
use crate::time::Span;

words! {
    /// Whether keepalives of the ends can mean anything to a box.
    Class {
        PacketTracker = "packet_tracker", "packet tracker";
        Proxy = "proxy", "proxy";
    }

    /// What a box is on a path.
    Position {
        Nat = "nat", "NAT";
        Firewall = "firewall", "firewall";
        LoadBalancer = "load_balancer", "load balancer";
        Proxy = "proxy", "proxy";
    }

    /// What a box sends when the timer of an established connection runs out.
    AtExpiry {
        Nothing = "nothing", "nothing";
        ResetBoth = "reset_both", "RST to both ends";
        Closes = "closes", "FIN or RST: its connections are closed";
        Fin = "fin", "FIN: its connections are closed";
        FinThenReset = "fin_then_reset", "FIN; to a silent server a RST behind it";
    }

    /// What becomes of the next packet of a connection that was forgotten.
    NextPacket {
        Dropped = "dropped", "dropped";
        Reset = "reset", "RST to its sender";
        Recreated = "recreated", "makes the mapping anew";
        PassedOn = "passed_on", "passes, untranslated";
    }

    /// Which port a new mapping of a NAT gets.
    PortChoice {
        Preserved = "preserved", "the client's, if it is free";
        Changed = "changed", "another one";
    }

    /// Packets from where start the timer anew.
    RefreshedBy {
        Both = "both", "both sides";
        Outbound = "outbound", "the client";
        Inbound = "inbound", "the server";
        AsConfigured = "as_configured", "both sides, or one if it is set so";
    }
}

/// A timeout that a product may come without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// This long.
    Is(Span),
    /// There is none: whoever sets it up says how long.
    AsConfigured,
}

impl Idle {
    /// The timeout, if the product comes with one.
    pub const fn get(self) -> Option<Span> {
        match self {
            Idle::Is(span) => Some(span),
            Idle::AsConfigured => None,
        }
    }
}

impl Value for Idle {
    fn datum(&self) -> Datum {
        match self {
            Idle::Is(span) => span.datum(),
            Idle::AsConfigured => Datum::Word("as_configured", "no default: the configuration says"),
        }
    }
}

/// Which values a timeout can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configurable {
    /// No other.
    Fixed,
    /// These.
    Between {
        /// The shortest.
        least: Span,
        /// The longest.
        most: Span,
    },
    /// Others, nobody says which.
    Yes,
}

impl Value for Configurable {
    fn datum(&self) -> Datum {
        match *self {
            Configurable::Fixed => Datum::Fields("fixed", "nothing else".to_owned(), Vec::new()),
            Configurable::Yes => Datum::Fields("yes", "other values".to_owned(), Vec::new()),
            Configurable::Between { least, most } => Datum::Fields(
                "between",
                format!("{} to {}", seconds(least).replace(" s", ""), seconds(most)),
                vec![("least", least.datum()), ("most", most.datum())],
            ),
        }
    }
}
