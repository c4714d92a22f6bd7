//! Scenarios: what is simulated, and what is expected of it, as one readable TOML document.
//!
//! Owns the description ([`Scenario`]), the way from TOML and back, and what is refused with its line. Data
//! only: [`run`] builds a world from it and lets it go, [`expect`] holds what came of it against what was
//! expected. Uses [`crate::simulate`], [`crate::stack`], [`crate::winsock`] and [`crate::time`].
//!
//! ```toml
//! title = "Linux behind a load balancer that forgets after 350 s"
//! question = "Does the first probe come in time?"
//! length = "30m"                      # how long to simulate
//! seed = 1                            # what chance follows; 1 where nothing is said
//! path = ["lan", "balancer", "core"]  # from the client to the server: links and boxes by name, in turn
//!
//! [client]                            # and [server]; both may be left out
//! stack = "linux"                     # `keepscope stacks` lists them
//! hz = 250
//! idle = "340s"                       # durations have units
//!
//! [link.lan]
//! delay = "1ms"
//!
//! [box.balancer]
//! product = "aws-nlb"                 # `keepscope products` lists them; or kind = "tracker"
//! established = "350s"
//!
//! [link.core]
//! delay = "10ms"
//! loss = "0.1%"
//!
//! [[expect.events]]
//! what = "probe"
//! by = "client"
//! number = 1
//! at = "340s..361s"                   # or "350s ± 12ms"
//!
//! [expect.client]
//! outcome = "open"
//!
//! [expect.capture.client]             # what the analyzer says of a capture taken there
//! outcome = "alive"
//! ```

pub mod built_in;
pub mod expect;
pub mod happening;
mod host;
mod link;
mod middlebox;
mod overrides;
mod problem;
pub mod run;
mod text;
mod windows;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use self::expect::Expectations;
pub use self::host::{Answers, Change, Data, Host};
pub use self::link::{Bursts, Lane, Link, Outage};
pub use self::middlebox::{Adaptive, Keepalive, Kind, Middlebox, Nat, StrayPacket};
use self::middlebox::{MOST_BOXES, Place, service_of};
pub use self::overrides::Override;
pub use self::problem::{ScenarioError, Wrong};
use self::text::span;
pub use self::text::{Address, Rate, Share, Word, Words};
pub use self::windows::{Call, Called, Version, Windows};
use super::host::HostSide;
use super::link::LinkSpec;
use super::middlebox::{Description, Side};
use super::tap::TapPlace;
use super::world::{ConnectionSpec, WorldSpec};
use crate::printable::toml_document;
use crate::segment::Endpoint;
use crate::time::Span;

/// The longest time that is simulated: ten years.
const LONGEST: Span = Span::from_secs(315_576_000);

/// Where the ends of the connection are if nothing is said.
const CLIENT: Endpoint =
    Endpoint { address: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10)), port: 40_000 };
const SERVER: Endpoint =
    Endpoint { address: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 20)), port: 443 };

/// What is simulated and what is expected of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is, in a few words.
    pub title: String,
    /// The question that it answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// The answer, for whoever reads and does not run it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// What chance follows.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// How long to simulate.
    #[serde(with = "span")]
    pub length: Span,
    /// When the client opens the connection.
    #[serde(default, with = "span", skip_serializing_if = "is_zero")]
    pub opens: Span,
    /// From the client to the server: links and boxes by name, in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Who opens the connection.
    #[serde(default)]
    pub client: Host,
    /// To whom.
    #[serde(default)]
    pub server: Host,
    /// The links of the path, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub link: BTreeMap<String, Link>,
    /// The boxes on the path, by name.
    #[serde(default, rename = "box", skip_serializing_if = "BTreeMap::is_empty")]
    pub boxes: BTreeMap<String, Middlebox>,
    /// What is expected.
    #[serde(default, skip_serializing_if = "Expectations::is_empty")]
    pub expect: Expectations,
}

fn first_seed() -> u64 {
    1
}

fn is_zero(span: &Span) -> bool {
    *span == Span::ZERO
}

/// A place where a capture can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its name: `client`, `server`, `before_NAME` or `after_NAME` of a box, seen from the client.
    pub name: String,
    /// Where that is.
    pub place: TapPlace,
}

/// A scenario that was checked: everything that the simulator needs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The world without taps.
    pub(in crate::simulate) world: WorldSpec,
    /// The boxes on the path, from the client on.
    pub(in crate::simulate) boxes: Vec<Description>,
    /// Their names.
    pub box_names: Vec<String>,
    /// The names of the links, from the client on; empty where no link was named.
    pub link_names: Vec<String>,
    /// What is not known of products on the path, and what is assumed instead: a sentence for each.
    pub assumed: Vec<String>,
    /// Where captures can be taken, from the client on.
    pub taps: Vec<Tap>,
}

/// The longest document that is read.
const MOST_OCTETS: usize = 1 << 20;

impl Scenario {
    /// Reads a document and checks what it says, after some of it was changed.
    ///
    /// # Errors
    /// If it is no TOML, says something unknown or impossible, or an override does; with the line or the
    /// override, and what would be right.
    pub fn read(text: &str, overrides: &[Override]) -> Result<Plan, ScenarioError> {
        if text.len() > MOST_OCTETS {
            return Err(ScenarioError::Somewhere(Wrong::new("", "longer than a scenario can be (1 MiB)")));
        }
        let written: Scenario = problem::read(text)?;
        if overrides.is_empty() {
            return written.plan().map_err(|wrong| problem::locate(text, wrong));
        }
        let changed = overrides::apply(text, overrides)?;
        changed.plan().map_err(|wrong| overrides::blame(overrides, wrong, text))
    }

    /// Writes it as a document that [`Scenario::read`] reads as the same, and that a terminal may show.
    pub fn to_toml(&self) -> String {
        // Everything in it has a form in TOML: no map has other keys than text, no number is too large.
        toml_document(&toml::to_string(self).unwrap_or_default()).into_owned()
    }

    /// Checks it and makes the plan of a simulation.
    ///
    /// # Errors
    /// If something in it is impossible; with the key.
    pub fn plan(&self) -> Result<Plan, Wrong> {
        if self.length <= Span::ZERO || self.length > LONGEST {
            return Err(Wrong::new("length", "must be longer than nothing and at most 10 years"));
        }
        if self.seed > i64::MAX as u64 {
            return Err(Wrong::new("seed", "must be at most 9223372036854775807"));
        }
        let v6 = |host: &Host| host.address.is_some_and(|address| address.0.address.is_ipv6());
        let is_v6 = v6(&self.client) || v6(&self.server);
        let client = self.client.parts("client", default_end(CLIENT, is_v6, 0x10))?;
        let server = self.server.parts("server", default_end(SERVER, is_v6, 0x20))?;
        if client.host.address.is_ipv4() != server.host.address.is_ipv4() {
            return Err(Wrong::new("server.address", "must be of the same IP version as the client's"));
        }
        let target = Endpoint { address: server.host.address, port: server.port };
        let path = self.walk()?;
        let (boxes, opens_to, assumed) = self.boxes(&path, target)?;
        let mut connection = ConnectionSpec::new(client.end, server.end);
        connection.opens = self.opens;
        connection.client_port = client.port;
        connection.server_port = server.port;
        connection.connects_to = (opens_to != target).then_some(opens_to);
        let mut world = WorldSpec::new(client.host, server.host);
        world.seed = self.seed;
        world.links = path.links;
        world.connections = vec![connection];
        let plan = Plan {
            scenario: self.clone(),
            world,
            boxes,
            assumed,
            taps: taps(&path.boxes),
            box_names: path.boxes,
            link_names: path.link_names,
        };
        self.expect.check(&plan)?;
        Ok(plan)
    }

    /// The links and the names of the boxes between them.
    fn walk(&self) -> Result<Path, Wrong> {
        let mut path = Path { links: Vec::new(), link_names: Vec::new(), boxes: Vec::new() };
        let mut pending: Option<&str> = None;
        for (index, name) in self.path.iter().enumerate() {
            let key = format!("path.{index}");
            if self.path.iter().take(index).any(|other| other == name) {
                return Err(Wrong::new(key, format!("{name} stands there twice")));
            }
            match (self.link.get(name), self.boxes.get(name)) {
                (Some(_), Some(_)) => {
                    return Err(Wrong::new(
                        key,
                        format!("{name} is a link and a box; give one another name"),
                    ));
                }
                (Some(_), None) => {
                    if let Some(before) = pending.replace(name) {
                        let problem =
                            format!("the links {before} and {name} stand side by side; make them one");
                        return Err(Wrong::new(key, problem));
                    }
                }
                (None, Some(_)) => {
                    self.put_link(pending.take(), &mut path)?;
                    path.boxes.push(name.clone());
                }
                (None, None) => {
                    let known = self.link.keys().chain(self.boxes.keys()).map(String::as_str);
                    let meant = crate::stack::nearest(name, known).map_or_else(
                        || format!("write [link.{name}] or [box.{name}]"),
                        |near| format!("did you mean {near}?"),
                    );
                    return Err(Wrong::new(key, format!("there is no link and no box {name:?}; {meant}")));
                }
            }
        }
        self.put_link(pending, &mut path)?;
        let unused = |kind: &str, name: &String| {
            Wrong::new(format!("{kind}.{name}"), "is not on the path; name it in path, or take it out")
        };
        if let Some(name) = self.link.keys().find(|name| !self.path.contains(name)) {
            return Err(unused("link", name));
        }
        if let Some(name) = self.boxes.keys().find(|name| !self.path.contains(name)) {
            return Err(unused("box", name));
        }
        if path.boxes.len() > MOST_BOXES {
            return Err(Wrong::new("path", format!("holds more than {MOST_BOXES} boxes")));
        }
        Ok(path)
    }

    fn put_link(&self, name: Option<&str>, path: &mut Path) -> Result<(), Wrong> {
        let link = name.and_then(|name| self.link.get(name));
        if let (Some(name), Some(link)) = (name, link) {
            link.check(&format!("link.{name}"))?;
        }
        path.links.push(link.map(Link::spec).unwrap_or_default());
        path.link_names.push(name.unwrap_or_default().to_owned());
        Ok(())
    }

    /// The boxes of the path, and what the client connects to through them.
    fn boxes(
        &self,
        path: &Path,
        server: Endpoint,
    ) -> Result<(Vec<Description>, Endpoint, Vec<String>), Wrong> {
        let mut target = server;
        let mut all_assumed = Vec::new();
        let mut boxes = Vec::new();
        // From the server on, since each hands its connections to what lies behind it.
        for (index, name) in path.boxes.iter().enumerate().rev() {
            let Some(table) = self.boxes.get(name) else { continue };
            let place = Place { index: u8::try_from(index).unwrap_or(u8::MAX), server: target };
            let (description, assumed) = table.description(&format!("box.{name}"), &place)?;
            all_assumed.extend(assumed.into_iter().map(|assumed| format!("{name}: {assumed}")));
            target = service_of(&description).unwrap_or(target);
            boxes.push(description);
        }
        boxes.reverse();
        Ok((boxes, target, all_assumed))
    }
}

/// A walked path.
struct Path {
    links: Vec<LinkSpec>,
    link_names: Vec<String>,
    boxes: Vec<String>,
}

fn default_end(v4: Endpoint, is_v6: bool, host: u16) -> Endpoint {
    let address = if is_v6 { IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]) } else { v4.address };
    Endpoint { address, port: v4.port }
}

fn taps(boxes: &[String]) -> Vec<Tap> {
    let at = |name: String, place: TapPlace| Tap { name, place };
    let mut taps = vec![at("client".to_owned(), TapPlace::Host(HostSide::Client))];
    for (index, name) in boxes.iter().enumerate() {
        taps.push(at(format!("before_{name}"), TapPlace::Middlebox(index, Side::Inside)));
        taps.push(at(format!("after_{name}"), TapPlace::Middlebox(index, Side::Outside)));
    }
    taps.push(at("server".to_owned(), TapPlace::Host(HostSide::Server)));
    taps
}
