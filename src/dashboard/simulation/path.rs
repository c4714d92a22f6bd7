//! The path of a scenario as a form has it: one round trip, one jitter, one share of loss, one box.
//!
//! A path of several links and boxes keeps them: a round trip is set on the longest link, a box is the first one.
//! Pure.

use crate::product::Product;
use crate::product::value::Class;
use crate::simulate::scenario::{Kind, Link, Middlebox, Scenario, Share, Word};
use crate::time::Span;

/// What a link or a box that the form puts in is called.
const LINK: &str = "wan";
const BOX: &str = "box";

/// The timeout of a box whose product comes without one that is known.
const TIMEOUT: Span = Span::from_secs(350);

fn delay(link: &Link) -> i64 {
    link.delay.unwrap_or_default().as_nanos()
}

/// Whether a direction of some link has a delay of its own: then there is no one number to set.
pub fn is_lopsided(scenario: &Scenario) -> bool {
    let own = |link: &Link| [&link.up, &link.down].into_iter().flatten().any(|lane| lane.delay.is_some());
    scenario.link.values().any(own)
}

/// The least round trip over the whole path.
pub fn rtt(scenario: &Scenario) -> Span {
    let both = |link: &Link| {
        let lane = |lane: &Option<crate::simulate::scenario::Lane>| {
            lane.as_ref().and_then(|lane| lane.delay).or(link.delay).unwrap_or_default().as_nanos()
        };
        lane(&link.up).saturating_add(lane(&link.down))
    };
    Span::from_nanos(scenario.link.values().map(both).fold(0, i64::saturating_add))
}

/// The name of the link on which numbers are set: the longest one; one is made where there is none.
fn main_link(scenario: &mut Scenario) -> String {
    let longest = scenario.path.iter().filter_map(|name| Some((delay(scenario.link.get(name)?), name)));
    // Of several the last one, which is away from the client.
    if let Some((_, name)) = longest.max_by_key(|(delay, _)| *delay) {
        return name.clone();
    }
    let name = free(scenario, LINK);
    scenario.path.push(name.clone());
    scenario.link.insert(name.clone(), Link::default());
    name
}

/// A name that nothing on the path has.
fn free(scenario: &Scenario, wanted: &str) -> String {
    let taken = |name: &str| scenario.link.contains_key(name) || scenario.boxes.contains_key(name);
    let numbered = (2..).map(|number| format!("{wanted}{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// Sets the round trip: the longest link takes what the others leave.
pub fn set_rtt(scenario: &mut Scenario, rtt: Span) {
    let main = main_link(scenario);
    let mut left = rtt.as_nanos().max(0) / 2;
    for (_, link) in scenario.link.iter_mut().filter(|(name, _)| **name != main) {
        let kept = delay(link).min(left);
        left -= kept;
        if kept != delay(link) {
            link.delay = Some(Span::from_nanos(kept));
        }
    }
    if let Some(link) = scenario.link.get_mut(&main) {
        link.delay = Some(Span::from_nanos(left));
    }
}

/// The jitter of the longest link.
pub fn jitter(scenario: &Scenario) -> Span {
    scenario.link.values().filter_map(|link| link.jitter).max().unwrap_or_default()
}

/// Sets the jitter of the longest link, and takes it from the others.
pub fn set_jitter(scenario: &mut Scenario, jitter: Span) {
    let main = main_link(scenario);
    for (name, link) in &mut scenario.link {
        link.jitter = (*name == main && jitter > Span::ZERO).then_some(jitter);
    }
}

/// The share of packets that is lost, or words where it is more than one number.
pub fn loss(scenario: &Scenario) -> Result<Share, &'static str> {
    let mut shares =
        scenario.link.values().filter_map(|link| link.loss).filter(|share| *share != Share::NONE);
    let first = shares.next();
    let own = |link: &Link| {
        let lanes = [&link.up, &link.down];
        lanes.into_iter().flatten().any(|lane| lane.loss.is_some() || lane.bursts.is_some())
    };
    if scenario.link.values().any(|link| link.bursts.is_some()) {
        Err("in bursts")
    } else if shares.next().is_some() || scenario.link.values().any(own) {
        Err("several")
    } else {
        Ok(first.unwrap_or_default())
    }
}

/// Sets the share of lost packets on the longest link, and takes all other loss by chance away.
pub fn set_loss(scenario: &mut Scenario, share: Share) {
    let main = main_link(scenario);
    for (name, link) in &mut scenario.link {
        link.bursts = None;
        link.loss = (*name == main && share != Share::NONE).then_some(share);
        for lane in [&mut link.up, &mut link.down].into_iter().flatten() {
            (lane.loss, lane.bursts) = (None, None);
        }
    }
}

/// The first box on the path, with its name.
pub fn first_box(scenario: &Scenario) -> Option<(&String, &Middlebox)> {
    scenario.path.iter().find_map(|name| scenario.boxes.get_key_value(name))
}

fn first_box_mut(scenario: &mut Scenario) -> Option<&mut Middlebox> {
    let name = first_box(scenario)?.0.clone();
    scenario.boxes.get_mut(&name)
}

/// What stands on the path, by name: a product, or a kind of box.
pub fn box_kind(scenario: &Scenario) -> String {
    match first_box(scenario) {
        None => NONE.to_owned(),
        Some((_, Middlebox { product: Some(product), .. })) => product.clone(),
        Some((_, Middlebox { kind: Some(kind), .. })) => kind.name().to_owned(),
        Some((name, _)) => name.clone(),
    }
}

/// Stands for a path without boxes.
pub const NONE: &str = "none";

/// All that a box can be, by name: none, the kinds, the products.
pub fn box_kinds() -> Vec<&'static str> {
    let kinds = [Kind::Tracker, Kind::Conntrack, Kind::Proxy].map(|kind| Word(kind).name());
    let products = Product::all().iter().map(|product| product.name);
    std::iter::once(NONE).chain(kinds).chain(products).collect()
}

/// Puts a box of that name on the path in place of the first one, or takes that away.
pub fn set_box(scenario: &mut Scenario, kind: &str) {
    if kind == box_kind(scenario) {
        return;
    }
    let before = first_box(scenario).map(|(name, _)| name.clone());
    if kind == NONE {
        if let Some(name) = before {
            remove_box(scenario, &name);
        }
        return;
    }
    let mut table = Middlebox::default();
    match kind.parse::<Word<Kind>>() {
        Ok(kind) => {
            table.kind = Some(kind);
            set_timeout_of(&mut table, Some(TIMEOUT));
        }
        Err(_) => {
            table.product = Some(kind.to_owned());
            if Product::named(kind).is_ok_and(|product| product.idle().is_none()) {
                set_timeout_of(&mut table, Some(TIMEOUT));
            }
        }
    }
    let name = before.unwrap_or_else(|| {
        let name = free(scenario, BOX);
        scenario.path.insert(0, name.clone());
        name
    });
    scenario.boxes.insert(name, table);
}

/// Takes a box away; the links on either side of it become one.
fn remove_box(scenario: &mut Scenario, name: &str) {
    scenario.boxes.remove(name);
    let Some(place) = scenario.path.iter().position(|other| other == name) else { return };
    scenario.path.remove(place);
    let around =
        place.checked_sub(1).and_then(|before| Some((scenario.path.get(before)?, scenario.path.get(place)?)));
    let Some((one, other)) = around.map(|(one, other)| (one.clone(), other.clone())) else { return };
    let (Some(near), Some(far)) = (scenario.link.get(&one), scenario.link.get(&other)) else { return };
    let (kept, gone) = if delay(near) > delay(far) { (one, other) } else { (other, one) };
    let more = scenario.link.remove(&gone).unwrap_or_default();
    scenario.path.retain(|name| *name != gone);
    if let Some(link) = scenario.link.get_mut(&kept) {
        let sum = delay(link).saturating_add(delay(&more));
        link.delay = (sum > 0).then_some(Span::from_nanos(sum));
        link.loss = link.loss.or(more.loss);
        link.jitter = link.jitter.or(more.jitter);
    }
}

fn is_proxy(table: &Middlebox) -> bool {
    let product = table.product.as_deref().and_then(|name| Product::named(name).ok());
    table.kind == Some(Word(Kind::Proxy)) || product.is_some_and(|product| product.class == Class::Proxy)
}

/// The timeout of the first box: what is said of it, or what the product comes with.
pub fn timeout(scenario: &Scenario) -> (Option<Span>, Option<Span>) {
    let Some((_, table)) = first_box(scenario) else { return (None, None) };
    let said =
        if is_proxy(table) { table.timeout_client.or(table.timeout_server) } else { table.established };
    let product = table.product.as_deref().and_then(|name| Product::named(name).ok());
    (said, product.and_then(Product::idle))
}

/// Sets the timeout of the first box; nothing for that of the product.
pub fn set_timeout(scenario: &mut Scenario, timeout: Option<Span>) {
    if let Some(table) = first_box_mut(scenario) {
        set_timeout_of(table, timeout);
    }
}

fn set_timeout_of(table: &mut Middlebox, timeout: Option<Span>) {
    if is_proxy(table) {
        (table.timeout_client, table.timeout_server) = (timeout, timeout);
    } else {
        table.established = timeout;
    }
}
