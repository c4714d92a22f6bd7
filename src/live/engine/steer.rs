//! What can be asked of a run while it goes on, and how its connections stand meanwhile.
//!
//! Owns [`Ask`] and [`Standing`]: values only. Uses [`super::plan`] and [`crate::live::wire`].

use super::plan::{Octets, Order};
use crate::keepalive::Settings;
use crate::live::filter::Filter;
use crate::live::wire::Ended;
use crate::segment::Endpoint;
use crate::time::Timestamp;

/// Something that is asked of a run. Connections are named by their index; what names none is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Open one more connection; its index is the number of those before it.
    Open(Order),
    /// Probe a connection by other settings from now on.
    Change {
        /// Which.
        index: usize,
        /// When it is probed, and given up.
        settings: Settings,
        /// With what.
        octets: Octets,
    },
    /// Send a probe as soon as the rate allows it. It does not count towards giving up.
    ProbeNow(usize),
    /// Send probes only where [`Ask::ProbeNow`] wants one, or no longer. What was due meanwhile leaves at once then.
    Hold(bool),
    /// Close a connection in order.
    Close(usize),
    /// See other packets too.
    See(Filter),
    /// Close all connections in order and end; this is no interruption.
    End,
    /// The same as an interruption by the user.
    Interrupt,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It waits for its turn to be opened.
    Waiting,
    /// A SYN is out.
    Opening,
    /// It is open and probed.
    Open,
    /// Our FIN is out.
    Closing,
    /// Nothing more is done with it.
    Done,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is done with it, with the settings of now.
    pub order: Order,
    /// Our end and the peer's, once a SYN left.
    pub ends: Option<(Endpoint, Endpoint)>,
    /// Where it is in its life.
    pub stage: Stage,
    /// Probes since the last answer; those by hand are not among them.
    pub unanswered: u32,
    /// When the next probe leaves, or after the last one, when it is given up. None while probes are held.
    pub next: Option<Timestamp>,
    /// When it is given up if nothing is answered from now on.
    pub gives_up: Option<Timestamp>,
    /// As many probes as were to be sent had no answer.
    pub gave_up: bool,
    /// How it ended without us.
    pub ended: Option<Ended>,
    /// Nothing answered the SYN.
    pub not_opened: bool,
}
