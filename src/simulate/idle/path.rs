//! The path that a search is tried on: hosts, links and boxes, what the far end does by itself, and whether a
//! partner of ours is there.
//!
//! Owns [`Path`] and [`Partner`]. Data only.

use crate::segment::Endpoint;
use crate::simulate::chance::{Chance, Stream};
use crate::simulate::host::{EndSpec, HostSide, HostSpec};
use crate::simulate::link::{Lane, LinkSpec};
use crate::simulate::middlebox::{Description, DescriptionError, Middlebox, Parallel};
use crate::simulate::tap::TapSpec;
use crate::simulate::world::{World, WorldError, WorldSpec};
use crate::stack::Stack;
use crate::time::Span;

/// A path.
#[derive(Clone, Debug)]
pub struct Path {
    /// Hosts and links, one more than there are boxes; its connections and taps are not looked at.
    pub world: WorldSpec,
    /// What stands between the links, from the client on: one box, or several side by side that share the
    /// connections by the client's port. None at all lets nothing pass.
    pub boxes: Vec<Vec<Description>>,
    /// What the client connects to where that is not the server itself: a load balancer, a proxy.
    pub connects_to: Option<Endpoint>,
    /// The server's port.
    pub server_port: u16,
    /// What the server does by itself on each connection: keepalives of its own, a close when it is idle.
    pub server: EndSpec,
    /// Whether nobody listens there.
    pub refused: bool,
}

/// A partner at the far end, as the search sees it: perfect but for the way of its reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partner {
    /// How long an order takes to it, and a report back.
    pub delay: Span,
    /// The share of its reports that get lost, 0 to 1.
    pub lost: f64,
}

impl Partner {
    /// One whose reports take 20 ms.
    pub const PERFECT: Partner = Partner { delay: Span::from_millis(20), lost: 0.0 };
}

/// Why a path cannot be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Hosts and boxes do not fit together.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A box cannot be built.
    #[error(transparent)]
    Box(#[from] DescriptionError),
}

impl Path {
    /// Two hosts of a stack, 20 ms of round trip for each link, with these boxes between them.
    pub fn through(stack: &'static Stack, boxes: Vec<Vec<Description>>) -> Self {
        let host = |address: [u8; 4]| HostSpec::new(address.into(), stack);
        let mut world = WorldSpec::new(host([192, 0, 2, 10]), host([198, 51, 100, 20]));
        let lane = Lane { delay: Span::from_millis(10), ..Lane::default() };
        world.links = vec![LinkSpec::both(lane); boxes.len() + 1];
        Self { world, boxes, connects_to: None, server_port: 443, server: EndSpec::default(), refused: false }
    }

    /// The path of a scenario, with what its hosts are and what the server does by itself; what applications do
    /// at set times stays the scenario's, as do the client's own keepalives.
    #[cfg(feature = "scenario")]
    pub fn of(plan: &crate::simulate::scenario::Plan) -> Self {
        let mut world = plan.world.clone();
        let connection = world.connections.pop();
        let mut path = Self {
            boxes: plan.boxes.iter().map(|description| vec![description.clone()]).collect(),
            connects_to: None,
            server_port: 443,
            server: EndSpec::default(),
            refused: false,
            world,
        };
        if let Some(connection) = connection {
            path.connects_to = connection.connects_to;
            path.server_port = connection.server_port;
            path.refused = connection.refused;
            path.server = EndSpec { actions: Vec::new(), ..connection.server };
        }
        path
    }

    /// The path through a product of the catalogue or of a scenario that comes with the program, with what it is
    /// called.
    ///
    /// # Errors
    /// If there is neither, or the product has no timeout until somebody sets one; in words.
    #[cfg(feature = "scenario")]
    pub fn named(name: &str) -> Result<(String, Self), String> {
        use crate::product::Product;
        use crate::simulate::scenario::{Scenario, built_in};

        if let Some(found) = built_in::named(name) {
            let plan = Scenario::read(found.text, &[]).map_err(|error| error.to_string())?;
            return Ok((plan.scenario.title.clone(), Self::of(&plan)));
        }
        let product = Product::named(name).map_err(|unknown| unknown.to_string())?;
        let document = format!(
            "title = \"a search\"\nlength = \"1h\"\npath = [\"lan\", \"box\", \"core\"]\n\
             [link.lan]\ndelay = \"1ms\"\n[link.core]\ndelay = \"10ms\"\n[box.box]\nproduct = \"{}\"\n",
            product.name
        );
        let plan = Scenario::read(&document, &[]).map_err(|_| {
            format!("{} has no timeout until somebody sets one; write a scenario that does", product.title)
        })?;
        Ok((product.title.to_owned(), Self::of(&plan)))
    }

    /// The world, with a tap at either host.
    pub(super) fn build(&self, seed: u64) -> Result<World, PathError> {
        let mut spec = self.world.clone();
        spec.seed = seed;
        spec.connections = Vec::new();
        spec.taps = vec![TapSpec::at(HostSide::Client), TapSpec::at(HostSide::Server)];
        let mut boxes: Vec<Box<dyn Middlebox>> = Vec::new();
        for (index, side_by_side) in (0..).zip(&self.boxes) {
            let mut own = Chance::new(seed, Stream::Middlebox { index });
            let mut built = Vec::new();
            for description in side_by_side {
                built.push(description.build(own.long())?);
            }
            let only = if built.len() == 1 { built.pop() } else { None };
            boxes.push(only.unwrap_or_else(|| Box::new(Parallel::new(built))));
        }
        Ok(World::new(spec, boxes)?)
    }
}
