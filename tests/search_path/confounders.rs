//! What misleads a search: the verdict names it, or the interval holds the truth all the same.

use keepscope::search::{AtExpiry, By, Confounder, NotOpened, Owner, Verdict, Wanted, Way, Why};
use keepscope::segment::IcmpKind;
use keepscope::simulate::host::{Action, EndSpec, HostChange};
use keepscope::simulate::idle::{Partner, Path};
use keepscope::simulate::link::{Lane, LinkSpec, Loss};
use keepscope::simulate::middlebox::Description;
use keepscope::simulate::middlebox::description::{
    Adaptive, AtExpiry as BoxAtExpiry, Direction, Input, Ports, Refresh, Stray, Table, Towards, Tracker,
    WhenFull,
};
use keepscope::time::Span;

use crate::kit::{
    Searched, alone, behind, conntrack, linux, lossy, nat, partner, scenario, search, search_with, seconds,
    secs, through, tracker,
};

fn everybody() -> [Wanted; 3] {
    [partner(Way::In), partner(Way::Out), alone()]
}

/// Found, with the truth in the interval (or, for a box that looks only now and then, the range from..to touched).
fn finds(searched: &Searched, from: f64, to: f64) {
    let said = searched.said();
    assert_eq!(searched.found.verdict, Verdict::Found, "{said}");
    let (low, high) = searched.interval().unwrap_or((f64::NAN, f64::NAN));
    assert!(low <= to + 0.05 && high >= from - 0.05, "{from}..{to} is not in it: {said}");
}

#[test]
fn a_server_that_probes_every_15_s_keeps_everything_open() {
    let mut path = behind(tracker(350));
    path.server = EndSpec {
        keepalive: true,
        idle: Some(secs(15)),
        interval: Some(secs(15)),
        count: Some(9),
        ..EndSpec::default()
    };
    let searched = search(&path, alone(), 1);
    let Verdict::KeptOpenByPeer { period } = searched.found.verdict else { panic!("{}", searched.said()) };
    assert!((14.9..15.5).contains(&seconds(period)), "{}", searched.said());
    assert!(searched.wall < 60.0, "no need to go on: {}", searched.said());
}

#[test]
fn a_server_that_speaks_every_20_s_keeps_everything_open() {
    let mut path = behind(tracker(350));
    let write = Action::Send { octets: 100, every: Some(secs(20)), until: None };
    path.server.actions = vec![(Span::ZERO, write)];
    let searched = search(&path, alone(), 1);
    let Verdict::KeptOpenByPeer { period } = searched.found.verdict else { panic!("{}", searched.said()) };
    assert!((19.0..21.0).contains(&seconds(period)), "{}", searched.said());
}

#[test]
fn a_server_that_closes_what_is_idle_is_no_box() {
    let mut path = behind(tracker(350));
    path.server.close_when_idle = Some(secs(60));
    let searched = search(&path, alone(), 1);
    let Verdict::EndedByPeer { after } = searched.found.verdict else { panic!("{}", searched.said()) };
    assert!((59.9..60.2).contains(&seconds(after)), "{}", searched.said());
    assert_eq!(searched.found.by, By::Peer);
}

#[test]
fn loss_does_not_move_the_interval() {
    for share in [0.01, 0.05] {
        for wanted in everybody() {
            for seed in 1..=4 {
                let searched = search(&lossy(behind(tracker(350)), share), wanted.clone(), seed);
                finds(&searched, 350.0, 350.0);
                let (low, high) = searched.interval().expect("an interval");
                assert!(high - low <= 7.1 + 3.0, "seed {seed}: {}", searched.said());
                assert!(searched.wall <= 1.1 * 350.0 + 15.0, "seed {seed}: {}", searched.said());
            }
        }
    }
}

#[test]
fn losses_in_bursts_reordering_and_copies_do_not_either() {
    let mut path = behind(tracker(350));
    let rough = Lane {
        delay: Span::from_millis(10),
        jitter: Span::from_millis(20),
        loss: Loss::Bursts { begin: 0.01, end: 0.5, good: 0.0, bad: 0.8 },
        duplicate: 0.02,
        reorder: 0.02,
        reorder_by: Span::from_millis(30),
        ..Lane::default()
    };
    *path.world.links.first_mut().expect("a link") = LinkSpec::both(rough);
    for wanted in everybody() {
        for seed in 1..=4 {
            finds(&search(&path, wanted.clone(), seed), 350.0, 350.0);
        }
    }
}

#[test]
fn a_box_that_looks_every_30_s_is_found_between_its_timeout_and_30_s_more() {
    for sweep in [10, 30] {
        let path = behind(Tracker { sweep: Some(secs(sweep)), ..tracker(350) });
        for wanted in everybody() {
            for seed in 1..=3 {
                finds(&search(&path, wanted.clone(), seed), 350.0, 350.0 + sweep as f64);
            }
        }
    }
}

/// Timers of 600 s, less the fuller the table is: 66 connections leave three quarters of them.
#[test]
fn timers_that_depend_on_the_load_are_found_as_they_are_under_ours() {
    let adaptive = Some(Adaptive { start: 20, end: 200 });
    let path = behind(Tracker { sweep: Some(secs(5)), adaptive, ..tracker(600) });
    for wanted in everybody() {
        finds(&search(&path, wanted, 1), 600.0 * (200.0 - 75.0) / 180.0, 605.0);
    }
}

#[test]
fn of_two_boxes_in_series_the_shorter_timeout_wins() {
    let both = |first, second| {
        through(vec![Description::Tracker(tracker(first)), Description::Tracker(tracker(second))])
    };
    for path in [both(900, 350), both(350, 900)] {
        for wanted in everybody() {
            finds(&search(&path, wanted, 1), 350.0, 350.0);
        }
    }
}

#[test]
fn a_table_that_is_full_limits_the_connections_and_not_the_result() {
    let table = Some(Table { limit: 40, when_full: WhenFull::Refuse });
    let searched = search(&behind(Tracker { table, ..tracker(600) }), partner(Way::In), 1);
    finds(&searched, 600.0, 600.0);
    let timed_out =
        |caveat: &Confounder| matches!(caveat, Confounder::NotOpened { why: NotOpened::TimedOut, .. });
    assert!(searched.found.caveats.iter().any(timed_out), "{}", searched.said());
}

#[test]
fn a_box_refreshed_by_one_side_only_has_its_one_timeout() {
    for direction in [Direction::Outward, Direction::Inward] {
        let refresh = Refresh { direction, only_data: false };
        for wanted in everybody() {
            finds(&search(&behind(Tracker { refresh, ..tracker(350) }), wanted, 1), 350.0, 350.0);
        }
    }
}

/// What the next packet meets on Linux, by `nf_conntrack_tcp_loose`, the kind of NAT, and its INPUT chain.
#[test]
fn linux_nats_show_what_each_probe_can_show() {
    for (ports, input, loose) in [
        (Ports::Preserved, Input::Reset, true),
        (Ports::Preserved, Input::Drop, true),
        (Ports::Preserved, Input::Reset, false),
        (Ports::Random, Input::Drop, true),
        (Ports::Random, Input::Reset, false),
    ] {
        let path = through(vec![Description::Conntrack(conntrack(nat(ports, input), 350, loose))]);
        let name = format!("{ports:?} {input:?} loose {loose}");
        let inbound = search(&path, partner(Way::In), 1);
        finds(&inbound, 350.0, 350.0);
        let expected = if input == Input::Reset { AtExpiry::Reset } else { AtExpiry::Silent };
        assert_eq!(inbound.found.at_expiry, expected, "{name}: {}", inbound.said());
        assert_eq!(inbound.found.by, By::Path, "{name}: {}", inbound.said());

        let [outbound, alone] = [partner(Way::Out), alone()].map(|wanted| search(&path, wanted, 1));
        match (loose, ports) {
            // The mapping is made anew, with the same port: nobody notices.
            (true, Ports::Preserved) => {
                assert_eq!(outbound.found.verdict, Verdict::CannotKnow, "{name}: {}", outbound.said());
                assert_eq!(alone.found.verdict, Verdict::CannotKnow, "{name}: {}", alone.said());
            }
            // It is made anew with another port, and the server knows no such connection.
            (true, Ports::Random) => {
                finds(&outbound, 350.0, 350.0);
                assert_eq!(outbound.found.at_expiry, AtExpiry::NewPort, "{name}: {}", outbound.said());
                finds(&alone, 350.0, 350.0);
                assert_eq!(alone.found.at_expiry, AtExpiry::Reset, "{name}: {}", alone.said());
            }
            (false, _) => {
                finds(&outbound, 350.0, 350.0);
                finds(&alone, 350.0, 350.0);
                assert_eq!(alone.found.at_expiry, AtExpiry::Silent, "{name}: {}", alone.said());
            }
        }
    }
}

#[test]
fn a_box_that_says_so_is_heard() {
    let prohibited = Stray::Icmp(IcmpKind::Unreachable(13));
    let icmp = Tracker { stray_from_inside: prohibited, stray_from_outside: prohibited, ..tracker(350) };
    for wanted in everybody() {
        let searched = search(&behind(icmp.clone()), wanted, 1);
        finds(&searched, 350.0, 350.0);
        assert_eq!(searched.found.at_expiry, AtExpiry::Icmp, "{}", searched.said());
        assert_eq!(searched.found.by, By::Path, "{}", searched.said());
    }
    for (at_expiry, heard_by_us, said) in [
        (BoxAtExpiry::Reset(Towards::Both), true, AtExpiry::Reset),
        (BoxAtExpiry::Reset(Towards::Outside), false, AtExpiry::Reset),
        (BoxAtExpiry::Finish(Towards::Inside), true, AtExpiry::Fin),
    ] {
        let path = behind(Tracker { at_expiry, ..tracker(350) });
        let searched = search(&path, partner(Way::In), 1);
        finds(&searched, 350.0, 350.0);
        assert_eq!(searched.found.at_expiry, said, "{}", searched.said());
        let alone = search(&path, alone(), 1);
        finds(&alone, 350.0, 350.0);
        let expected = if heard_by_us { said } else { AtExpiry::Silent };
        assert_eq!(alone.found.at_expiry, expected, "{}", alone.said());
        assert_eq!(alone.found.by, By::Path, "{}", alone.said());
    }
}

#[test]
fn nobody_there_is_said_at_once() {
    let mut refused = behind(tracker(350));
    refused.refused = true;
    let mut gone = behind(tracker(350));
    gone.world.server.changes.push((Span::ZERO, HostChange::Unplugged));
    for wanted in everybody() {
        let searched = search(&refused, wanted.clone(), 1);
        let why = Verdict::Inconclusive(Why::CannotOpen(NotOpened::Refused));
        assert_eq!((searched.found.verdict, searched.opened), (why, 1), "{}", searched.said());
        let searched = search(&gone, wanted, 1);
        let why = Verdict::Inconclusive(Why::CannotOpen(NotOpened::TimedOut));
        assert_eq!(searched.found.verdict, why, "{}", searched.said());
        assert!(searched.wall < 120.0, "{}", searched.said());
    }
}

#[test]
fn a_path_without_boxes_forgets_nothing_and_only_inbound_probes_may_say_so() {
    let path = through(Vec::new());
    let inbound = search(&path, partner(Way::In), 1);
    assert_eq!(inbound.found.verdict, Verdict::NoneBelowMax, "{}", inbound.said());
    assert!(inbound.wall <= 1.02 * 7440.0, "{}", inbound.said());
    for wanted in [partner(Way::Out), alone()] {
        let searched = search(&path, wanted, 1);
        assert_eq!(searched.found.verdict, Verdict::CannotKnow, "{}", searched.said());
        assert!(searched.found.longest_alive >= Some(secs(7440)), "{}", searched.said());
    }
}

#[test]
fn keepalives_of_a_proxy_keep_its_clients_open() {
    let path = scenario(
        "path = [\"a\", \"proxy\", \"b\"]\n[link.a]\ndelay = \"5ms\"\n[link.b]\ndelay = \"5ms\"\n[box.proxy]\n\
         kind = \"proxy\"\ntimeout_client = \"60s\"\ntimeout_server = \"60s\"\n\
         keepalive_client = { idle = \"10s\", interval = \"10s\", count = 3 }\n",
    );
    for wanted in everybody() {
        let searched = search(&path, wanted, 1);
        let Verdict::KeptOpenByPeer { period } = searched.found.verdict else {
            panic!("{}", searched.said())
        };
        assert!((9.9..10.6).contains(&seconds(period)), "{}", searched.said());
    }
}

#[test]
fn ipv6_is_the_same() {
    let path = scenario(
        "path = [\"a\", \"lb\", \"b\"]\n[client]\naddress = \"[2001:db8::1]:5000\"\n\
         [server]\naddress = \"[2001:db8:1::1]:443\"\n[link.a]\ndelay = \"5ms\"\n[link.b]\ndelay = \"5ms\"\n\
         [box.lb]\nproduct = \"azure-lb\"\n",
    );
    for wanted in everybody() {
        finds(&search(&path, wanted, 1), 240.0, 240.0);
    }
}

#[test]
fn few_connections_take_longer_and_find_the_same() {
    for connections in [1, 2, 4, 8] {
        let wanted = Wanted { connections, ..partner(Way::In) };
        let searched = search(&behind(tracker(350)), wanted, 1);
        finds(&searched, 350.0, 350.0);
        let polite = Wanted { connections, ..Wanted::new(Way::Out, false) };
        let searched = search(&behind(tracker(350)), polite, 1);
        assert!(searched.wall <= 900.1, "{}", searched.said());
        // In a quarter of an hour one comes as far as 320 s, and of four only one is asked beyond the timeout.
        let why = match connections {
            1 => Verdict::CannotKnow,
            4 => Verdict::Inconclusive(Why::Budget),
            _ => {
                finds(&searched, 350.0, 350.0);
                continue;
            }
        };
        assert_eq!(searched.found.verdict, why, "{}", searched.said());
        let alive = searched.found.longest_alive.unwrap_or(Span::ZERO);
        assert!(alive >= secs(300) && alive < secs(351), "{}", searched.said());
    }
}

#[test]
fn reports_that_are_late_or_lost_cost_trials_and_not_the_truth() {
    let late = Partner { delay: secs(1), lost: 0.0 };
    let lossy = Partner { delay: Span::from_millis(50), lost: 0.1 };
    for quality in [late, lossy] {
        for way in [Way::In, Way::Out] {
            for seed in 1..=3 {
                let searched = search_with(&behind(tracker(350)), partner(way), quality, seed);
                finds(&searched, 350.0, 350.0);
                let (low, high) = searched.interval().expect("an interval");
                assert!(high - low <= 7.1 + 3.0, "{quality:?} {way:?} {seed}: {}", searched.said());
            }
        }
    }
}

/// The machine sleeps for ten minutes in the middle: what was under way says nothing, and the truth is found later.
#[test]
fn a_sleep_voids_what_was_under_way() {
    let path = behind(tracker(350));
    for way in [Way::In, Way::Out] {
        let searched = crate::kit::search_sleeping(&path, partner(way), 200, 600);
        finds(&searched, 350.0, 350.0);
        let gap = |caveat: &Confounder| matches!(caveat, Confounder::ClockGap { .. });
        assert!(searched.found.caveats.iter().any(gap), "{}", searched.said());
    }
}

#[test]
fn a_search_that_is_interrupted_says_what_it_knows() {
    let path = behind(tracker(350));
    let mut run = keepscope::simulate::idle::Rehearsal::new(&path, partner(Way::In), Partner::PERFECT, 1)
        .expect("a path and a question");
    run.run_until(run.start().plus(secs(200)));
    let left = run.view().left;
    assert!(left.0 <= left.1 && left.1 > secs(60), "{left:?}");
    run.interrupt();
    let found = run.run();
    assert_eq!(found.verdict, Verdict::Inconclusive(Why::Interrupted));
    let alive = seconds(found.longest_alive.expect("a bound"));
    assert!((170.0..200.0).contains(&alive), "{alive}");
    assert_eq!(found.shortest_dead, None);
}

/// Two boxes share the connections by port: what either does to them is seen, not hidden in one number.
#[test]
fn boxes_side_by_side_are_a_range() {
    let sides = vec![Description::Tracker(tracker(300)), Description::Tracker(tracker(320))];
    let path = Path::through(linux(), vec![sides]);
    for wanted in everybody() {
        let searched = search(&path, wanted, 1);
        finds(&searched, 300.0, 320.0);
    }
}

#[test]
fn a_firewall_is_a_tracker_and_a_closing_proxy_is_not() {
    let searched = search(&behind(tracker(350)), partner(Way::In), 1);
    assert_eq!(searched.found.owner, Owner::Tracker, "{}", searched.said());
}

/// A box in which a new connection takes the place of the oldest: nothing there is a matter of time.
#[test]
fn a_table_that_evicts_is_no_timer() {
    let table = Some(Table { limit: 40, when_full: WhenFull::EvictLongestSilent });
    let path = behind(Tracker { table, ..tracker(7440) });
    for wanted in everybody() {
        let searched = search(&path, wanted, 1);
        let evicted = |caveat: &Confounder| matches!(caveat, Confounder::Evicted { .. });
        let named = searched.found.caveats.iter().any(evicted);
        assert!(searched.found.verdict != Verdict::Found || named, "{}", searched.said());
    }
}

/// The far host loses its power in the middle: that is no timeout of the path. With a partner its control connection
/// ends the search.
#[test]
fn a_host_that_dies_is_not_taken_for_a_timeout() {
    for wanted in everybody() {
        for back in [false, true] {
            for seed in 1..=3 {
                let mut path = behind(tracker(3000));
                path.world.server.changes.push((secs(500), HostChange::PowerOff));
                if back {
                    path.world.server.changes.push((secs(501), HostChange::PowerOn));
                }
                let searched = search(&path, wanted.clone(), seed);
                assert_ne!(searched.found.verdict, Verdict::Found, "{}", searched.said());
            }
        }
    }
}

/// Nothing was ever answered, so no silence was found to be too long.
#[test]
fn a_peer_that_answers_no_empty_keepalives_is_not_taken_for_a_timeout() {
    let mut path = behind(tracker(350));
    let model = keepscope::keepalive::Model::of(linux()).expect("a stack that runs");
    let habits = keepscope::keepalive::Habits { answers_empty: false, ..model.rules.habits() };
    path.server.habits = Some(habits);
    let searched = search(&path, alone(), 1);
    assert_ne!(searched.found.verdict, Verdict::Found, "{}", searched.said());
}

/// For a box that only data keeps awake, silences that begin with an empty keepalive are longer than they look.
#[test]
fn a_box_that_counts_only_data_is_found_by_a_partner() {
    let refresh = Refresh { direction: Direction::Both, only_data: true };
    let path = behind(Tracker { refresh, ..tracker(350) });
    for way in [Way::In, Way::Out] {
        finds(&search(&path, partner(way), 1), 350.0, 350.0);
    }
}

/// Far apart, they must not look like one number that is certain.
#[test]
fn boxes_side_by_side_that_differ_much_are_no_single_number() {
    let sides = vec![Description::Tracker(tracker(120)), Description::Tracker(tracker(600))];
    let path = Path::through(linux(), vec![sides]);
    for wanted in everybody() {
        for seed in 1..=3 {
            let searched = search(&path, wanted.clone(), seed);
            if searched.found.verdict != Verdict::Found {
                continue;
            }
            let said = searched.said();
            let (low, high) = searched.interval().unwrap_or((f64::NAN, f64::NAN));
            let holds = |timeout: f64| low <= timeout + 0.05 && high >= timeout - 0.05;
            // A lone connection that died of less is no range, but it is held against the number.
            let doubted = searched.found.confidence.otherwise > 0;
            assert!(holds(120.0) || holds(600.0) || searched.found.is_range() || doubted, "{said}");
        }
    }
}
