//! The engine over a world in memory: every verdict, what leaves and when, and that nothing leaves above SND.NXT.

#[path = "engine/fake.rs"]
mod fake;
#[path = "engine/properties.rs"]
mod properties;
#[path = "engine/schedule.rs"]
mod schedule;
#[path = "engine/stacks.rs"]
mod stacks;
#[path = "engine/steered.rs"]
mod steered;
#[path = "engine/verdicts.rs"]
mod verdicts;

use fake::{Fake, Peer};
use keepscope::frame::Frame;
use keepscope::keepalive::Settings;
use keepscope::live::engine::plan::{Octets, Order, Plan, Until};
use keepscope::live::engine::{Listener, News, Report, run};
use keepscope::live::wire::Connect;
use keepscope::time::{Span, Timestamp};

/// Keeps what it is told.
#[derive(Default)]
pub struct Notes {
    pub packets: u64,
    pub news: Vec<String>,
}

impl Listener for Notes {
    fn packet(&mut self, frame: &Frame<'_>) -> std::io::Result<()> {
        self.packets += 1;
        assert_eq!(frame.id.number, self.packets);
        Ok(())
    }

    fn news(&mut self, news: &News) -> std::io::Result<()> {
        self.news.push(format!("{news:?}"));
        Ok(())
    }
}

/// Probes after 1 s, every 1 s, three of them, for three rounds.
pub fn order() -> Order {
    Order {
        connect: Connect { peer: "198.51.100.2:443".parse().unwrap(), source: None },
        settings: Settings {
            idle: Span::from_secs(1),
            interval: Span::from_secs(1),
            count: 3,
            user_timeout: None,
        },
        octets: Octets::Zero,
        until: Until::Rounds(3),
    }
}

pub fn plan(orders: Vec<Order>) -> Plan {
    Plan { orders, max_rate: 1000, open_within: Span::from_secs(10), hash_seed: 3 }
}

/// Runs a plan over a world and returns what it came to.
pub fn probe(world: &mut Fake, orders: Vec<Order>) -> (Report, Notes) {
    let mut notes = Notes::default();
    let report = run(world, &plan(orders), &mut notes).expect("it begins");
    assert!(report.broken.is_none() && report.unheard.is_none());
    assert_eq!(report.packets, notes.packets);
    (report, notes)
}

/// One connection to one peer.
pub fn probe_one(peer: Peer, order: Order) -> (Report, Fake) {
    let mut world = Fake::new(vec![peer]);
    let (report, _) = probe(&mut world, vec![order]);
    (report, world)
}

/// Time since the world began.
pub fn since(time: Timestamp) -> Span {
    time.since(fake::START)
}
