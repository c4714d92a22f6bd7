//! The search over a world in memory: what packets become for it, with a partner and without, over hours that take no
//! time; sleep, strangers' packets, and a partner that goes away.

#[path = "idle/world.rs"]
mod world;

use keepscope::frame::Frame;
use keepscope::live::idle::{Listener, News, Partner, Plan, Report, Standing, run};
use keepscope::live::wire::Connect;
use keepscope::partner::client::Options;
use keepscope::partner::secret::Secret;
use keepscope::search::{Confounder, Finding, Mode, Verdict, Wanted, Way, Why};
use keepscope::time::{Span, Timestamp};
use world::{Path, World};

/// Keeps what it is told.
#[derive(Default)]
struct Notes {
    news: Vec<News>,
    packets: u64,
}

impl Listener for Notes {
    fn packet(&mut self, frame: &Frame<'_>) -> std::io::Result<()> {
        self.packets += 1;
        assert_eq!(frame.id.number, self.packets);
        Ok(())
    }

    fn news(&mut self, news: &News, _now: Timestamp) -> std::io::Result<()> {
        self.news.push(news.clone());
        Ok(())
    }

    fn standing(&mut self, _now: Timestamp, standing: &Standing<'_>) -> std::io::Result<()> {
        assert!(standing.views().iter().all(|view| view.left.0 <= view.left.1));
        Ok(())
    }
}

fn secret() -> Secret {
    Secret::new(b"correct horse battery").expect("a secret")
}

fn search(world: &mut World, wanted: &[Wanted]) -> (Report, Notes) {
    let partner = wanted[0].partner;
    let plan = Plan {
        connect: Connect { peer: world::SERVER.parse().expect("an address"), source: None },
        directions: wanted.to_vec(),
        partner: partner.then(|| Partner { secret: secret(), random: [7; 32], options: Options::default() }),
        examine: None,
        open_within: Span::from_secs(10),
        interfaces: vec!["eth0".to_owned()],
        hash_seed: 1,
    };
    let mut notes = Notes::default();
    let report = run(world, plan, &mut notes).expect("a plan");
    assert!(report.broken.is_none() && report.unheard.is_none());
    (report, notes)
}

fn only(report: &Report) -> &Finding {
    assert_eq!(report.findings.len(), 1);
    &report.findings[0].1
}

fn holds(finding: &Finding, timeout: Span) {
    assert_eq!(finding.verdict, Verdict::Found, "{finding:#?}");
    let (alive, dead) = finding.interval().expect("a bracket");
    // What the kernel says at once is not measured better than the packets are.
    let slack = Span::from_millis(5);
    assert!(alive <= timeout.plus(slack) && dead.plus(slack) >= timeout, "{timeout}: {alive} {dead}");
}

#[test]
fn timeouts_of_minutes_and_hours_are_found_with_a_partner() {
    for seconds in [31, 350, 3600, 7200] {
        let timeout = Span::from_secs(seconds);
        let mut world = World::new(Path { timeout, ..Path::default() });
        let (report, _) = search(&mut world, &[Wanted::new(Way::In, true)]);
        holds(only(&report), timeout);
        let most = timeout.as_nanos() / 10 * 11 + 15_000_000_000;
        assert!(report.wall.as_nanos() <= most, "{timeout}: {}", report.wall);
        assert_eq!(world.open(), 0, "all are closed");
        assert_eq!(report.translation.map(|seen| seen.seen.port), Some(50_001), "the second connection's");
    }
}

#[test]
fn keepalive_probes_find_what_drops_them_and_claim_nothing_of_what_does_not() {
    let timeout = Span::from_secs(240);
    for loose in [false, true] {
        let mut world = World::new(Path { timeout, loose, partner: false });
        let wanted = Wanted { connections: 6, ..Wanted::new(Way::Out, false) };
        let (report, _) = search(&mut world, &[wanted]);
        let finding = only(&report);
        if loose {
            assert_eq!(finding.verdict, Verdict::CannotKnow);
            assert!(finding.longest_alive > Some(Span::from_secs(800)), "{finding:#?}");
        } else {
            holds(finding, timeout);
        }
        assert!(report.wall <= Span::from_secs(902), "{}", report.wall);
        assert!(world.most_open() <= 8, "{}", world.most_open());
        assert_eq!(world.open(), 0);
    }
}

#[test]
fn both_directions_are_searched_at_once() {
    let timeout = Span::from_secs(100);
    let mut world = World::new(Path { timeout, ..Path::default() });
    let both = [Way::Out, Way::In].map(|way| Wanted { max: Span::from_secs(600), ..Wanted::new(way, true) });
    let (report, _) = search(&mut world, &both);
    for (wanted, finding) in &report.findings {
        assert_eq!(finding.way, wanted.way);
        holds(finding, timeout);
    }
    assert_eq!(report.findings.len(), 2);
    assert!(report.wall < Span::from_secs(125), "{}", report.wall);
}

#[test]
fn a_machine_that_slept_says_so_and_finds_it_all_the_same() {
    let timeout = Span::from_secs(350);
    let mut world = World::new(Path { timeout, ..Path::default() });
    world.sleep_at(Span::from_secs(200), Span::from_secs(40));
    let (report, notes) = search(&mut world, &[Wanted::new(Way::In, true)]);
    let finding = only(&report);
    assert!(notes.news.iter().any(|news| matches!(news, News::Slept { .. })));
    // The partner heard nothing meanwhile: the session may be over, and then it is not found.
    match finding.verdict {
        Verdict::Found => {
            holds(finding, timeout);
            let gap = |caveat: &Confounder| matches!(caveat, Confounder::ClockGap { .. });
            assert!(finding.caveats.iter().any(gap), "{:#?}", finding.caveats);
        }
        Verdict::Inconclusive(_) => assert!(report.partner_failed.is_some()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_partner_that_falls_silent_ends_the_search_and_blames_nobody() {
    let mut world = World::new(Path { timeout: Span::from_secs(350), ..Path::default() });
    world.partner_dies_at(Span::from_secs(60));
    let (report, _) = search(&mut world, &[Wanted::new(Way::In, true)]);
    assert!(report.partner_failed.is_some());
    assert_eq!(only(&report).verdict, Verdict::Inconclusive(Why::Interrupted), "{:#?}", only(&report));
    assert!(report.wall < Span::from_secs(120), "{}", report.wall);
}

#[test]
fn a_question_is_confirmed_in_hardly_more_than_its_silence() {
    for (seconds, verdict) in [(300, Verdict::NoneBelowMax), (400, Verdict::Found)] {
        let mut world = World::new(Path { timeout: Span::from_secs(350), ..Path::default() });
        let mode = Mode::Confirm(Span::from_secs(seconds));
        let (report, _) = search(&mut world, &[Wanted { mode, ..Wanted::new(Way::In, true) }]);
        assert_eq!(only(&report).verdict, verdict);
        assert!(report.wall <= Span::from_secs(seconds / 100 * 102 + 15), "{}", report.wall);
    }
}

/// Packets of others, forged ones and such as make no sense change nothing that matters.
#[test]
fn packets_of_others_do_no_harm() {
    let timeout = Span::from_secs(50);
    let mut world = World::new(Path { timeout, ..Path::default() });
    world.noise(400);
    let (report, _) =
        search(&mut world, &[Wanted { max: Span::from_secs(200), ..Wanted::new(Way::In, true) }]);
    holds(only(&report), timeout);
}
