//! The catalogue of middleboxes: as text, and as one JSON document, `keepscope.products/1`.
//!
//! Uses [`crate::product`], and the forms of the table of stacks.

use std::io::{self, Write};

use serde::Serialize;

use super::number::Seconds;
use super::stacks::detail::{self, Named};
use super::stacks::document::Groups;
use super::stacks::list::mark;
use super::stacks::words;
use crate::product::Product;
use crate::product::value::Class;
use crate::stack::Cell;
use crate::stack::value::{Value, seconds};

const SCHEMA: &str = "keepscope.products/1";

/// Which products are shown.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// All, as text a line each.
    All,
    /// One, as text with every cell.
    One(&'static Product),
}

/// Writes the products for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, rows: Rows) -> io::Result<()> {
    match rows {
        Rows::All => list(out),
        Rows::One(product) => one(out, product),
    }
}

const LEGEND: &str = "
A ? marks what nobody has verified; alone, what nobody knows.
IDLE: silence after which an established connection is forgotten, by default. config: there is none.
KEEPALIVE: whether one without payload starts that time anew. A proxy answers keepalives itself.
'keepscope products NAME' shows everything about one, each fact with its source.
";

fn list(out: &mut dyn Write) -> io::Result<()> {
    for (class, title) in [(Class::PacketTracker, "PACKET TRACKER"), (Class::Proxy, "PROXY")] {
        writeln!(
            out,
            "{title:<22} {:<10} {:<17} {:<9} {:<13} CLIENT'S NEXT PACKET",
            "IDLE", "CAN BE SET TO", "KEEPALIVE", "THEN SENDS",
        )?;
        for product in Product::all().iter().filter(|product| product.class == class) {
            let line = format!(
                "{:<22} {:<10} {:<17} {:<9} {:<13} {}",
                product.name,
                short(&product.timers.idle),
                short(&product.timers.configurable),
                short(&product.refresh.keepalive),
                short(&product.expiry.sends),
                short(&product.expiry.next_outbound),
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    let timeouts: Vec<String> =
        Product::idle_timeouts().iter().map(|(idle, _)| seconds(*idle).replace(" s", "")).collect();
    detail::wrapped(out, 0, 0, &format!("Idle timeouts by default: {} s", timeouts.join(", ")))?;
    out.write_all(LEGEND.as_bytes())
}

/// A cell in as few letters as possible.
fn short<T: Value>(cell: &Cell<T>) -> String {
    let Some(value) = cell.value else { return "?".to_owned() };
    let full = words(&value.datum());
    let text = match full.as_str() {
        "no default: the configuration says" => "config",
        "nothing else" => "no",
        "other values" => "yes",
        "RST to both ends" => "RST to both",
        "RST to its sender" => "RST",
        "FIN or RST: its connections are closed" => "FIN or RST",
        "FIN: its connections are closed" | "FIN; to a silent server a RST behind it" => "FIN",
        "passes, untranslated" => "passes",
        "makes the mapping anew" => "a new mapping",
        other => other,
    };
    format!("{text}{}", mark(cell.status))
}

fn one(out: &mut dyn Write, product: &Product) -> io::Result<()> {
    let mut named = Named::new();
    detail::heading(out, product.title, product.name, product.aliases)?;
    let class = format!("{}, {}", product.class.title(), product.position.title());
    let class = if product.class == Class::Proxy { product.class.title().to_owned() } else { class };
    writeln!(out, "{class}")?;
    if !product.note.is_empty() {
        detail::wrapped(out, 0, 0, product.note)?;
    }
    for group in product.groups() {
        writeln!(out, "\n{}", group.title)?;
        for shown in &group.cells {
            detail::cell(out, 2, shown, &mut named)?;
        }
    }
    detail::sources(out, &named)
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    products: Vec<ProductModel>,
    idle_timeouts: Vec<TimeoutModel>,
}

#[derive(Serialize)]
struct ProductModel {
    name: &'static str,
    title: &'static str,
    aliases: &'static [&'static str],
    class: &'static str,
    position: &'static str,
    #[serde(flatten)]
    groups: Groups,
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct TimeoutModel {
    idle_s: Seconds,
    products: Vec<&'static str>,
}

impl From<&Product> for ProductModel {
    fn from(product: &Product) -> Self {
        Self {
            name: product.name,
            title: product.title,
            aliases: product.aliases,
            class: product.class.name(),
            position: product.position.name(),
            groups: Groups(product.groups()),
            note: (!product.note.is_empty()).then_some(product.note),
        }
    }
}

/// Writes the products for programs: every cell of them, known or not, and the timeouts of all.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, rows: Rows) -> io::Result<()> {
    let products = match rows {
        Rows::All => Product::all().iter().map(|product| ProductModel::from(*product)).collect(),
        Rows::One(product) => vec![ProductModel::from(product)],
    };
    let timeouts = Product::idle_timeouts().into_iter().map(|(idle, products)| TimeoutModel {
        idle_s: Seconds::from(idle),
        products: products.iter().map(|product| product.name).collect(),
    });
    let document = Document { schema: SCHEMA, products, idle_timeouts: timeouts.collect() };
    crate::report::plain::pretty(&mut *out, &document)?;
    writeln!(out)
}
