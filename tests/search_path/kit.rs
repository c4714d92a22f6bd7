//! Paths made with few words, and searches on them.

use keepscope::search::{Finding, Wanted, Way};
use keepscope::simulate::idle::{Partner, Path, Rehearsal};
use keepscope::simulate::link::Loss;
use keepscope::simulate::middlebox::Description;
use keepscope::simulate::middlebox::description::{
    AtExpiry, Conntrack, ConntrackTimeouts, Direction, Input, Ports, Refresh, Router, SourceTranslation,
    Stray, Timers, Tracker,
};
use keepscope::simulate::scenario::Scenario;
use keepscope::stack::Stack;
use keepscope::time::Span;

pub fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

/// As seconds, for comparisons and for reading.
pub fn seconds(span: Span) -> f64 {
    span.as_nanos() as f64 / 1e9
}

/// A router that translates nothing.
pub fn router() -> Router {
    Router {
        inside_address: Some([203, 0, 113, 1].into()),
        outside_address: Some([203, 0, 113, 2].into()),
        decrements_ttl: true,
        own_ttl: 64,
        source: None,
        service: None,
        input: Input::Reset,
        inside_is_routed: false,
    }
}

/// One that translates the client's address.
pub fn nat(ports: Ports, input: Input) -> Router {
    let source = Some(SourceTranslation { address: [203, 0, 113, 2].into(), ports });
    Router { source, input, ..router() }
}

/// A firewall that forgets silently after so many seconds, and drops what it does not know.
pub fn tracker(established: i64) -> Tracker {
    let (established, short) = (secs(established), secs(30));
    Tracker {
        router: router(),
        timers: Timers {
            syn: short,
            handshake: short,
            established,
            unacknowledged: established,
            closed_by_client: short,
            closed_by_server: short,
            closing: short,
            reset: secs(5),
        },
        refresh: Refresh { direction: Direction::Both, only_data: false },
        opens: Direction::Outward,
        at_expiry: AtExpiry::Nothing,
        stray_from_inside: Stray::Drop,
        stray_from_outside: Stray::Drop,
        sweep: None,
        adaptive: None,
        table: None,
    }
}

/// Linux with this router and `nf_conntrack_tcp_timeout_established`.
pub fn conntrack(router: Router, established: i64, loose: bool) -> Conntrack {
    let established = secs(established);
    let timeouts = ConntrackTimeouts { established, ..ConntrackTimeouts::default() };
    Conntrack {
        router,
        timeouts,
        tcp_loose: loose,
        tcp_be_liberal: false,
        tcp_max_retrans: 3,
        tcp_ignore_invalid_rst: false,
        max: None,
        drop_invalid: true,
        opens: Direction::Outward,
    }
}

pub fn linux() -> &'static Stack {
    Stack::named("linux").expect("a stack")
}

/// Linux hosts with these boxes in series.
pub fn through(boxes: Vec<Description>) -> Path {
    Path::through(linux(), boxes.into_iter().map(|description| vec![description]).collect())
}

/// Linux hosts with one tracker.
pub fn behind(tracker: Tracker) -> Path {
    through(vec![Description::Tracker(tracker)])
}

/// The path of a scenario.
pub fn scenario(text: &str) -> Path {
    let whole = format!("title = \"a path\"\nlength = \"1h\"\n{text}");
    Path::of(&Scenario::read(&whole, &[]).unwrap_or_else(|error| panic!("{error}\n{whole}")))
}

/// Loses this share of packets, each for itself, in either direction of the first link.
pub fn lossy(mut path: Path, share: f64) -> Path {
    let link = path.world.links.first_mut().expect("a link");
    link.up.loss = Loss::Independent { share };
    link.down.loss = Loss::Independent { share };
    path
}

/// A question to somebody else, who does not mind: many connections, no budget.
pub fn alone() -> Wanted {
    Wanted { connections: 64, budget: None, ..Wanted::new(Way::Out, false) }
}

/// A question to a partner.
pub fn partner(way: Way) -> Wanted {
    Wanted::new(way, true)
}

/// What a search came to.
pub struct Searched {
    pub found: Finding,
    /// How long it took, in seconds.
    pub wall: f64,
    pub packets: u64,
    pub opened: u32,
}

pub fn search(path: &Path, wanted: Wanted, seed: u64) -> Searched {
    search_with(path, wanted, Partner::PERFECT, seed)
}

pub fn search_with(path: &Path, wanted: Wanted, partner: Partner, seed: u64) -> Searched {
    finish(Rehearsal::new(path, wanted, partner, seed).expect("a path and a question"))
}

/// The same, and after so many seconds the machine sleeps for so many.
pub fn search_sleeping(path: &Path, wanted: Wanted, after: i64, gap: i64) -> Searched {
    let mut run = Rehearsal::new(path, wanted, Partner::PERFECT, 1).expect("a path and a question");
    run.run_until(run.start().plus(secs(after)));
    run.sleep(secs(gap));
    finish(run)
}

fn finish(mut run: Rehearsal) -> Searched {
    let found = run.run();
    let (wall, packets, opened) = (seconds(run.wall()), run.packets(), run.view().opened);
    Searched { found, wall, packets, opened }
}

impl Searched {
    /// The interval that was found, in seconds.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.found.interval().map(|(from, to)| (seconds(from), seconds(to)))
    }

    /// Everything worth reading when a test fails.
    pub fn said(&self) -> String {
        let Finding { verdict, longest_alive, shortest_dead, caveats, trials, .. } = &self.found;
        let span = |span: &Option<Span>| span.map_or("none".to_owned(), |span| span.to_string());
        let mut text = format!(
            "{verdict:?} [{} .. {}] {} by {} owner {} after {} s, {} packets, {} connections\ncaveats {caveats:?}\nconfidence {:?} {}\n",
            span(longest_alive),
            span(shortest_dead),
            self.found.at_expiry.name(),
            self.found.by.name(),
            self.found.owner.name(),
            self.wall,
            self.packets,
            self.opened,
            self.found.confidence,
            self.found.confidence.name(),
        );
        for trial in trials {
            text.push_str(&format!(
                "  {:?} idle {} last {} tries {} {:?}\n",
                trial.id, trial.idle, trial.last_idle, trial.attempts, trial.result
            ));
        }
        text
    }
}
