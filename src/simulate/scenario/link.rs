//! Links in a scenario: what holds for both directions, and what one direction has of its own.
//!
//! Owns [`Link`] and [`Lane`]. What they become is [`crate::simulate::link`]'s.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::problem::Wrong;
use super::text::{Rate, Share, optional_span, span};
use crate::simulate::link::{self, LinkSpec, Loss};
use crate::time::Span;

/// A table with the fields of a lane, all of which may be absent, and some more.
macro_rules! lane_table {
    ($(#[$about:meta])* $name:ident { $($(#[$more_about:meta])* $more:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// How long every packet takes at least.
            #[serde(with = "optional_span")]
            pub delay: Option<Span>,
            /// Up to this much longer, evenly; packets keep their order.
            #[serde(with = "optional_span")]
            pub jitter: Option<Span>,
            /// The share of packets lost, each for itself.
            pub loss: Option<Share>,
            /// Packets are lost in bursts; instead of `loss`.
            pub bursts: Option<Bursts>,
            /// The share of packets that arrive twice.
            pub duplicate: Option<Share>,
            /// The share of packets that let others overtake them.
            pub reorder: Option<Share>,
            /// How much longer those take.
            #[serde(with = "optional_span")]
            pub reorder_by: Option<Span>,
            /// Bits a second.
            pub rate: Option<Rate>,
            /// Packets that are lost, counted from 1.
            pub lose_packets: Option<Vec<u64>>,
            /// Keepalive probes that are lost, counted from 1.
            pub lose_probes: Option<Vec<u64>>,
            /// Times during which nothing gets through.
            pub outages: Option<Vec<Outage>>,
            $($(#[$more_about])* pub $more: $kind,)*
        }
    };
}

lane_table! {
    /// A link between two places on the path.
    Link {
        /// The addresses of the routers on it, from the client on; each takes one from the TTL.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        routers: Vec<IpAddr>,
        /// What is different towards the server.
        up: Option<Lane>,
        /// What is different towards the client.
        down: Option<Lane>,
    }
}

lane_table! {
    /// One direction of a link.
    Lane {}
}

/// Loss in bursts (Gilbert and Elliott): the link is good or bad, and may change before each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How likely a good link turns bad.
    pub begin: Share,
    /// How likely a bad link turns good.
    pub end: Share,
    /// The share lost while it is good.
    #[serde(default)]
    pub good: Share,
    /// The share lost while it is bad; all where nothing is said.
    #[serde(default = "all_of_it")]
    pub bad: Share,
}

fn all_of_it() -> Share {
    Share::from_millionths(1_000_000)
}

/// A time during which nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// From here, since the start.
    #[serde(with = "span")]
    pub from: Span,
    /// Up to here; for good if absent.
    #[serde(default, with = "optional_span")]
    pub until: Option<Span>,
}

impl Link {
    /// What holds where a direction says nothing.
    fn both(&self) -> Lane {
        let Link { delay, jitter, loss, bursts, duplicate, reorder, reorder_by, rate, .. } = *self;
        Lane {
            delay,
            jitter,
            loss,
            bursts,
            duplicate,
            reorder,
            reorder_by,
            rate,
            lose_packets: self.lose_packets.clone(),
            lose_probes: self.lose_probes.clone(),
            outages: self.outages.clone(),
        }
    }

    /// The link for the simulator.
    pub(super) fn spec(&self) -> LinkSpec {
        let both = self.both();
        let lane = |own: &Option<Lane>| own.as_ref().map_or(both.clone(), |own| own.over(&both)).spec();
        LinkSpec { up: lane(&self.up), down: lane(&self.down), routers: self.routers.clone() }
    }

    /// What is wrong with it.
    pub(super) fn check(&self, key: &str) -> Result<(), Wrong> {
        self.both().check(key)?;
        for (name, own) in [("up", &self.up), ("down", &self.down)] {
            if let Some(own) = own {
                own.check(&format!("{key}.{name}"))?;
            }
        }
        Ok(())
    }
}

impl Lane {
    /// What is said here, and for the rest what is said there.
    fn over(&self, both: &Lane) -> Lane {
        // Saying how packets are lost says all about it.
        let says_loss = self.loss.is_some() || self.bursts.is_some();
        let (loss, bursts) = if says_loss { (self.loss, self.bursts) } else { (both.loss, both.bursts) };
        Lane {
            delay: self.delay.or(both.delay),
            jitter: self.jitter.or(both.jitter),
            loss,
            bursts,
            duplicate: self.duplicate.or(both.duplicate),
            reorder: self.reorder.or(both.reorder),
            reorder_by: self.reorder_by.or(both.reorder_by),
            rate: self.rate.or(both.rate),
            lose_packets: self.lose_packets.clone().or_else(|| both.lose_packets.clone()),
            lose_probes: self.lose_probes.clone().or_else(|| both.lose_probes.clone()),
            outages: self.outages.clone().or_else(|| both.outages.clone()),
        }
    }

    fn check(&self, key: &str) -> Result<(), Wrong> {
        if self.loss.is_some() && self.bursts.is_some() {
            return Err(Wrong::new(format!("{key}.bursts"), "loss is said too; say one of the two"));
        }
        let numbers = [("lose_packets", &self.lose_packets), ("lose_probes", &self.lose_probes)];
        for (name, numbers) in numbers {
            if numbers.as_ref().is_some_and(|numbers| numbers.contains(&0)) {
                return Err(Wrong::new(format!("{key}.{name}"), "they are counted from 1"));
            }
        }
        for (index, outage) in self.outages.iter().flatten().enumerate() {
            if outage.until.is_some_and(|until| until <= outage.from) {
                let key = format!("{key}.outages.{index}.until");
                return Err(Wrong::new(key, "must lie after its beginning"));
            }
        }
        Ok(())
    }

    fn spec(&self) -> link::Lane {
        let share = |share: Option<Share>| share.unwrap_or_default().as_f64();
        let loss = match (self.bursts, self.loss) {
            (Some(Bursts { begin, end, good, bad }), _) => Loss::Bursts {
                begin: begin.as_f64(),
                end: end.as_f64(),
                good: good.as_f64(),
                bad: bad.as_f64(),
            },
            (None, Some(share)) if share != Share::NONE => Loss::Independent { share: share.as_f64() },
            (None, _) => Loss::Never,
        };
        let outage = |outage: &Outage| link::Outage { from: outage.from, until: outage.until };
        link::Lane {
            delay: self.delay.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            loss,
            duplicate: share(self.duplicate),
            reorder: share(self.reorder),
            reorder_by: self.reorder_by.unwrap_or_default(),
            rate: self.rate.map(|rate| rate.0),
            outages: self.outages.iter().flatten().map(outage).collect(),
            lose_packets: self.lose_packets.clone().unwrap_or_default(),
            lose_probes: self.lose_probes.clone().unwrap_or_default(),
        }
    }
}
