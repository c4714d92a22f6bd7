//! What is asked of a run while it goes on.

use std::collections::VecDeque;

use keepscope::analysis::Recorded;
use keepscope::frame::Frame;
use keepscope::keepalive::Settings;
use keepscope::live::engine::plan::{Octets, Order, Until};
use keepscope::live::engine::steer::{Ask, Stage, Standing};
use keepscope::live::engine::verdict::State;
use keepscope::live::engine::{Listener, News, Report, run};
use keepscope::live::wire::Received;
use keepscope::time::{Span, Timestamp};

use crate::fake::{Act, Fake, Path, Peer, START};
use crate::{order, plan, since};

/// Asks for things at times after the start, and keeps how everything stood.
struct Steersman {
    script: VecDeque<(Span, Ask)>,
    now: Timestamp,
    next_look: Timestamp,
    seen: Vec<(Span, Vec<Standing>)>,
    news: Vec<String>,
}

impl Listener for Steersman {
    fn packet(&mut self, _: &Frame<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn news(&mut self, news: &News) -> std::io::Result<()> {
        self.news.push(format!("{news:?}"));
        Ok(())
    }

    fn ask(&mut self) -> Option<Ask> {
        let due = self.script.front().is_some_and(|(after, _)| START.plus(*after) <= self.now);
        due.then(|| self.script.pop_front().map(|(_, ask)| ask)).flatten()
    }

    fn stays(&self) -> bool {
        true
    }

    fn wants_standing(&mut self, _: Timestamp) -> Option<Timestamp> {
        Some(self.next_look)
    }

    fn standing(&mut self, now: Timestamp, connections: Vec<Standing>, _: Received) {
        self.now = now;
        self.next_look = now.plus(Span::from_millis(10));
        self.seen.push((since(now), connections));
    }
}

impl Steersman {
    /// How everything stood at the latest look before a time.
    fn at(&self, time: Span) -> &[Standing] {
        let place = self.seen.iter().rposition(|(seen, _)| *seen <= time).expect("a look");
        &self.seen[place].1
    }
}

fn steer(world: &mut Fake, orders: Vec<Order>, script: &[(u64, Ask)]) -> (Report, Steersman) {
    let script = script.iter().map(|(millis, ask)| (millis_of(*millis), ask.clone())).collect();
    let (now, next_look) = (START, START);
    let mut steersman = Steersman { script, now, next_look, seen: vec![], news: vec![] };
    let report = run(world, &plan(orders), &mut steersman).expect("it begins");
    assert!(report.broken.is_none() && report.unheard.is_none());
    assert!(steersman.script.is_empty(), "it ended before all was asked");
    (report, steersman)
}

fn millis_of(millis: u64) -> Span {
    Span::from_millis(i64::try_from(millis).expect("a span"))
}

/// When each probe left, in milliseconds after the start.
fn left(world: &Fake) -> Vec<i64> {
    world.sent.iter().map(|sent| since(sent.time).as_nanos() / 1_000_000).collect()
}

fn endless() -> Order {
    Order { until: Until::Stopped, ..order() }
}

#[test]
fn without_an_end_it_goes_on_until_it_is_stopped_and_that_is_no_interruption() {
    let mut world = Fake::new(vec![Peer::default()]);
    let (report, _) = steer(&mut world, vec![endless()], &[(20_500, Ask::End)]);
    assert_eq!(world.sent.len(), 20);
    assert!(!report.interrupted);
    assert_eq!(report.connections[0].verdict.state, State::Alive);
    assert_eq!(world.closed, [0]);
    let (report, _) =
        steer(&mut Fake::new(vec![Peer::default()]), vec![endless()], &[(1_500, Ask::Interrupt)]);
    assert!(report.interrupted);
}

#[test]
fn a_plan_that_is_carried_out_waits_for_more() {
    let mut world = Fake::new(vec![Peer::default()]);
    let (report, steersman) = steer(
        &mut world,
        vec![],
        &[(500, Ask::Open(order())), (30_000, Ask::Open(endless())), (33_500, Ask::End)],
    );
    assert!(steersman.at(millis_of(400)).is_empty());
    assert_eq!(steersman.at(millis_of(20_000))[0].stage, Stage::Done);
    let states: Vec<State> = report.connections.iter().map(|probed| probed.verdict.state).collect();
    assert_eq!(states, [State::Alive, State::Alive]);
    assert_eq!(report.connections[1].record.as_ref().expect("it was seen").record().client.answered(), 3);
}

#[test]
fn settings_hold_from_when_they_are_changed() {
    let settings = Settings { idle: Span::from_secs(5), ..order().settings };
    let change = Ask::Change { index: 0, settings, octets: Octets::One };
    let mut world = Fake::new(vec![Peer::default()]);
    let (_, steersman) = steer(&mut world, vec![endless()], &[(2_500, change), (13_500, Ask::End)]);
    let times = left(&world);
    assert_eq!(times[..2], [1_000, 2_000]);
    // Counted anew from the change, or from what was heard last: by the rules of the stack.
    assert_eq!(times.len(), 4, "{times:?}");
    assert!((7_000..=7_520).contains(&times[2]) && (times[3] - times[2] - 5_000).abs() <= 1, "{times:?}");
    assert_eq!(world.sent.iter().map(|sent| sent.octets).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let standing = steersman.at(millis_of(10_000))[0];
    assert_eq!(standing.order.settings.idle, Span::from_secs(5));
    // Three probes a second apart would follow before it is given up.
    let next = standing.next.expect("a probe is due");
    assert_eq!(standing.gives_up, Some(next.plus(Span::from_secs(3))));
}

#[test]
fn a_probe_by_hand_leaves_at_once_and_does_not_count_towards_giving_up() {
    let mut world = Fake::new(vec![Peer::default()]);
    // Linux answers such probes at most once in 500 ms.
    let script = [(1_700, Ask::ProbeNow(0)), (1_700, Ask::ProbeNow(7)), (2_900, Ask::End)];
    let (report, _) = steer(&mut world, vec![endless()], &script);
    let times = left(&world);
    assert!(times.len() == 3 && (1_700..1_730).contains(&times[1]), "{times:?}");
    // What it is answered by is a sign of life, after which the idle time begins anew.
    assert_eq!(times[2] - times[1], 1_000, "{times:?}");
    assert_eq!(report.connections[0].record.as_ref().expect("it was seen").record().client.answered(), 3);

    let dead = Peer::default().then(Span::from_millis(1_100), Act::Path(Path::Drops));
    let mut world = Fake::new(vec![dead]);
    let script = [(1_300, Ask::ProbeNow(0)), (1_400, Ask::ProbeNow(0)), (9_000, Ask::End)];
    let (report, steersman) = steer(&mut world, vec![endless()], &script);
    assert_eq!(report.connections[0].verdict.state, State::Silent);
    assert_eq!(left(&world).len(), 1 + 2 + 3, "{:?}", left(&world));
    assert_eq!(steersman.at(millis_of(1_700))[0].unanswered, 0);
    assert_eq!(steersman.at(millis_of(3_100))[0].unanswered, 2);
    assert!(steersman.at(millis_of(8_000))[0].gave_up);
}

#[test]
fn held_probes_stay_until_they_are_let_go() {
    let mut world = Fake::new(vec![Peer::default()]);
    let script =
        [(1_500, Ask::Hold(true)), (4_000, Ask::ProbeNow(0)), (6_500, Ask::Hold(false)), (7_000, Ask::End)];
    let (report, steersman) = steer(&mut world, vec![endless()], &script);
    let times = left(&world);
    assert_eq!(times.len(), 3, "{times:?}");
    assert!((4_000..4_030).contains(&times[1]) && (6_500..6_530).contains(&times[2]), "{times:?}");
    assert_eq!(steersman.at(millis_of(3_000))[0].next, None);
    assert_eq!(report.connections[0].verdict.state, State::Alive);
}

#[test]
fn one_connection_is_closed_and_the_others_go_on() {
    let mut world = Fake::new(vec![Peer::default(), Peer::default()]);
    let script = [(2_500, Ask::Close(0)), (5_500, Ask::End)];
    let (report, steersman) = steer(&mut world, vec![endless(), endless()], &script);
    let probes = |handle: usize| world.sent.iter().filter(|sent| sent.handle == handle).count();
    assert_eq!((probes(0), probes(1)), (2, 5));
    assert_eq!(steersman.at(millis_of(4_500))[0].stage, Stage::Done);
    assert_eq!(world.closed[0], 0);
    assert!(report.connections.iter().all(|probed| probed.verdict.state == State::Alive));
}

#[test]
fn the_rate_holds_for_what_is_asked_for_as_well() {
    let mut world = Fake::new(vec![Peer::default()]);
    let mut slow = plan(vec![endless(); 4]);
    slow.max_rate = 10;
    let script = (0..200).map(|number| (millis_of(900 + number), Ask::ProbeNow((number % 4) as usize)));
    let mut script: VecDeque<(Span, Ask)> = script.collect();
    script.push_back((millis_of(6_000), Ask::End));
    let mut steersman = Steersman { script, now: START, next_look: START, seen: vec![], news: vec![] };
    run(&mut world, &slow, &mut steersman).expect("it begins");
    let mut times: Vec<Timestamp> = world.sent.iter().map(|sent| sent.time).chain(world.opened_at).collect();
    times.sort_unstable();
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= Span::from_millis(100)), "{times:?}");
}
