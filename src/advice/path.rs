//! What is known of the path: after how much silence something on it forgets, and whether keepalives count there.
//!
//! Owns [`Path`] and the three ways to it: a time, a product, the result of a measurement. Uses [`crate::product`].

mod captured;

use serde_json::Value;

use crate::product::Product;
use crate::product::value::Class;
use crate::stack::{Cell, Source};
use crate::time::Span;

/// What is known of the path.
#[derive(Clone, Debug)]
pub struct Path {
    /// Silence that is survived; nothing is known of a longer one.
    pub silence: Span,
    /// Who ends a connection after it.
    pub owner: Owner,
    /// The product, if it is known.
    pub product: Option<&'static Product>,
    /// Where it was learnt, for people.
    pub learnt: String,
}

/// Who ends a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A box that watches packets; a keepalive is one.
    Tracker,
    /// A proxy, which answers keepalives itself and counts data.
    Proxy,
    /// The application at the other end, which never sees a keepalive.
    Peer,
}

impl Owner {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Owner::Tracker => "packet_tracker",
            Owner::Proxy => "proxy",
            Owner::Peer => "peer",
        }
    }
}

/// Why nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A product without a default.
    #[error("{0} has no default idle timeout; say --timeout too")]
    NoDefault(&'static str),
    /// Not the result of a search.
    #[error("no result of `keepscope middlebox` (keepscope.middlebox/1 or keepscope.bounds/1): {0}")]
    NoResult(String),
    /// A result without a number.
    #[error("this result shows no silence that a connection survived")]
    NothingAlive,
    /// A time that cannot be.
    #[error("a silence is longer than nothing and at most 10 years")]
    Silence,
}

/// The longest silence that is taken: what the simulator simulates.
const LONGEST: Span = Span::from_secs(315_576_000);

impl Path {
    /// A box that watches packets and forgets after this.
    ///
    /// # Errors
    /// If there is no such time.
    pub fn of_silence(silence: Span) -> Result<Path, PathError> {
        if silence <= Span::ZERO || silence > LONGEST {
            return Err(PathError::Silence);
        }
        Ok(Path { silence, owner: Owner::Tracker, product: None, learnt: "as given".to_owned() })
    }

    /// That product, with its default or with a time of its own.
    ///
    /// # Errors
    /// If it has no default and no time is given, or there is no such time.
    pub fn behind(product: &'static Product, silence: Option<Span>) -> Result<Path, PathError> {
        let learnt = match silence {
            Some(_) => "as given",
            None => "its default",
        };
        let silence = silence.or_else(|| product.idle()).ok_or(PathError::NoDefault(product.title))?;
        let owner = match product.class {
            Class::PacketTracker => Owner::Tracker,
            Class::Proxy => Owner::Proxy,
        };
        Ok(Path { owner, product: Some(product), learnt: learnt.to_owned(), ..Path::of_silence(silence)? })
    }

    /// From the document that a search wrote, or a look into captures: the longest silence that was survived, in the worse
    /// direction.
    ///
    /// # Errors
    /// If it is no such document, or no silence was survived.
    pub fn of_result(text: &str) -> Result<Path, PathError> {
        let refuse = |why: &str| PathError::NoResult(why.to_owned());
        // Of lines of JSON the last is the document.
        let last = || text.trim_end().lines().next_back().and_then(|line| serde_json::from_str(line).ok());
        let document: Value = serde_json::from_str(text)
            .or_else(|error| last().ok_or(error))
            .map_err(|error| PathError::NoResult(format!("no JSON: {error}")))?;
        let schema = document.get("schema").and_then(Value::as_str).unwrap_or_default();
        if schema == "keepscope.bounds/1" {
            return captured::path(&document);
        }
        if schema != "keepscope.middlebox/1" {
            return Err(match schema {
                "" => refuse("it has no schema"),
                other => PathError::NoResult(format!("its schema is {other:?}")),
            });
        }
        let directions = document.get("directions").and_then(Value::as_array);
        let directions = directions.ok_or_else(|| refuse("it has no directions"))?;
        let span =
            |direction: &Value, key: &str| direction.get(key).and_then(Value::as_f64).and_then(seconds);
        let word = |direction: &Value, key: &str| {
            direction.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
        };
        // Where one direction died and the other was only not seen to, the one that died counts.
        let died = |direction: &&Value| span(direction, "shortest_dead_s").is_some();
        let counted: Vec<&Value> = match directions.iter().any(|direction| died(&direction)) {
            true => directions.iter().filter(died).collect(),
            false => directions.iter().collect(),
        };
        // Where some died of a shorter silence than others survived, only the shorter one is safe.
        let survived = |direction: &&Value| {
            let alive = span(direction, "longest_alive_s")?;
            Some(span(direction, "shortest_dead_s").map_or(alive, |dead| dead.min(alive)))
        };
        let alive = counted.iter().map(survived);
        let silence = alive.collect::<Option<Vec<Span>>>().and_then(|all| all.into_iter().min());
        let silence = silence.ok_or(PathError::NothingAlive)?;
        let by_peer =
            counted.iter().any(|one| word(one, "by") == "peer" || word(one, "verdict") == "ended_by_peer");
        let names = document.get("products").and_then(Value::as_array).into_iter().flatten();
        let products: Vec<&Product> = names.filter_map(product_of).collect();
        let only_proxies = !products.is_empty() && products.iter().all(|one| one.class == Class::Proxy);
        let owner = if by_peer {
            Owner::Peer
        } else if only_proxies || counted.iter().any(|one| word(one, "owner") == "proxy") {
            Owner::Proxy
        } else {
            Owner::Tracker
        };
        let dead = counted.iter().filter_map(|one| span(one, "shortest_dead_s")).min();
        let learnt = match dead {
            Some(dead) => {
                format!("measured: alive after it, dead after {}", crate::stack::value::seconds(dead))
            }
            None if counted.iter().any(|one| word(one, "verdict") == "cannot_know") => {
                "measured: answered after it, by probes that may have made the connection anew".to_owned()
            }
            None => "measured: alive after it, and never seen dead".to_owned(),
        };
        let product = match products.as_slice() {
            [one] => Product::named(one.name).ok(),
            _ => None,
        };
        Ok(Path { owner, product, learnt, ..Path::of_silence(silence)? })
    }
}

/// A product as results name it: by a word, or an object with a name.
fn product_of(value: &Value) -> Option<&'static Product> {
    let name = value.as_str().or_else(|| value.get("name").and_then(Value::as_str))?;
    Product::named(name).ok()
}

/// Seconds as a span, down to the millisecond below.
fn seconds(value: f64) -> Option<Span> {
    let millis = (value * 1000.0).floor();
    let fits = value.is_finite() && (1.0..=LONGEST.as_nanos() as f64 / 1e6).contains(&millis);
    #[expect(clippy::cast_possible_truncation, reason = "in range, as was just looked at")]
    fits.then(|| Span::from_millis(millis as i64))
}

/// Where the idle timeout of a proxy is set.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    /// The product's name in the catalogue.
    pub product: &'static str,
    /// What to set.
    pub parameter: Cell<&'static str>,
}

const HAPROXY: Source = Source {
    tag: "haproxy",
    reference: "HAProxy's configuration manual; its timeouts of 2 to 4 s were measured",
};
const ELB: Source = Source {
    tag: "elb-nlb",
    reference: "AWS documentation, Network Load Balancers: connection idle timeout",
};
const BELIEVED: Source = Source { tag: "believed", reference: "generally believed; no source was read" };

const DIALS: &[Dial] = &[
    dial(
        "haproxy",
        Cell::verified("timeout client, timeout server; timeout tunnel for WebSockets", &[HAPROXY]),
    ),
    dial(
        "nginx",
        Cell::reported("keepalive_timeout; proxy_read_timeout and proxy_send_timeout upstream", &[BELIEVED]),
    ),
    dial("nginx-stream", Cell::reported("proxy_timeout", &[BELIEVED])),
    dial(
        "envoy",
        Cell::reported(
            "idle_timeout, of the HTTP connection manager or of tcp_proxy; stream_idle_timeout",
            &[BELIEVED],
        ),
    ),
    dial("aws-alb", Cell::reported("the attribute idle_timeout.timeout_seconds (1 to 4000 s)", &[BELIEVED])),
    dial("aws-classic-elb", Cell::reported("ConnectionSettings.IdleTimeout (1 to 4000 s)", &[BELIEVED])),
    dial("aws-nlb-tls", Cell::verified("nothing: it is fixed; a TCP listener's can be set", &[ELB])),
    dial(
        "gcp-proxy-lb",
        Cell::reported(
            "timeoutSec of the backend service, for WebSockets and TCP; the HTTP keepalive timeout",
            &[BELIEVED],
        ),
    ),
    dial(
        "oci-lb",
        Cell::reported("the idle timeout of the listener (connection configuration)", &[BELIEVED]),
    ),
    dial("cloudflare", Cell::reported("nothing, but on enterprise plans", &[BELIEVED])),
];

const fn dial(product: &'static str, parameter: Cell<&'static str>) -> Dial {
    Dial { product, parameter }
}

impl Dial {
    /// Where the idle timeout of that product is set, if it is known.
    pub fn of(product: &Product) -> Option<&'static Dial> {
        DIALS.iter().find(|dial| dial.product == product.name)
    }

    /// All of them.
    pub fn all() -> &'static [Dial] {
        DIALS
    }
}
