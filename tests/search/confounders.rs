//! What misleads: recognised, named, and the truth inside what is stated.

use std::cell::Cell;

use keepscope::search::{
    AtExpiry, By, Confounder, Cue, Disturbance, End, Id, Input, Mode, NotOpened, Origin, Owner, Phase,
    Search, Sign, Verdict, Wanted, Way, Why,
};
use keepscope::time::{Span, Timestamp};

use super::path::{Path, START, drive, run};

const fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

fn inbound() -> Wanted {
    Wanted::new(Way::In, true)
}

fn outbound() -> Wanted {
    Wanted::new(Way::Out, false)
}

fn has(caveats: &[Confounder], name: &str) -> bool {
    caveats.iter().any(|caveat| caveat.name() == name)
}

/// Within a second or a hundredth.
fn near(found: Span, truth: Span) -> bool {
    let apart = found.as_nanos().abs_diff(truth.as_nanos()) as f64 / 1e9;
    apart <= (truth.as_nanos() as f64 / 1e11).max(1.0)
}

#[test]
fn silence_at_expiry_is_the_paths_and_of_a_tracker() {
    let run = run(inbound(), &Path::new(secs(350)));
    let finding = run.finding;
    assert_eq!((finding.verdict, finding.at_expiry), (Verdict::Found, AtExpiry::Silent));
    assert_eq!((finding.by, finding.owner), (By::Path, Owner::Tracker));
    assert!(finding.products.iter().any(|(name, idle)| *name == "aws-nlb" && *idle == secs(350)));
    // Of seven connections near the bracket none did otherwise.
    assert_eq!(finding.confidence.name(), "fair", "{:?}", finding.confidence);
    assert!(finding.confidence.otherwise_at_most < 0.4 && finding.confidence.false_death < 1e-6);
    assert!(finding.evidence.iter().all(|evidence| !evidence.trials.is_empty()), "{:?}", finding.evidence);
    assert!(finding.caveats.is_empty(), "{:?}", finding.caveats);
}

#[test]
fn a_reset_in_answer_to_a_try_kills_at_once_and_says_how() {
    let reset = |_: &Path, at: Timestamp| {
        Some(Input::Ended { at, how: End::Reset, origin: Origin::Path(Cue::default()) })
    };
    let silent = run(inbound(), &Path::new(secs(60)));
    let run = run(inbound(), &Path { dead: reset, ..Path::new(secs(60)) });
    assert_eq!((run.finding.at_expiry, run.finding.by), (AtExpiry::Reset, By::Path));
    assert!(run.wall < silent.wall, "{} {}", run.wall, silent.wall);
    assert_eq!(run.finding.confidence.false_death, 0.0);
}

#[test]
fn a_new_port_is_a_death() {
    let moved = |_: &Path, at: Timestamp| {
        let sign = Sign { new_port: Some(true), ..Sign::default() };
        Some(Input::Answered { attempt: 0, at, sign })
    };
    let wanted = Wanted::new(Way::Out, true);
    let run = run(wanted, &Path { dead: moved, ..Path::new(secs(120)) });
    assert_eq!((run.finding.verdict, run.finding.at_expiry), (Verdict::Found, AtExpiry::NewPort));
    let (low, high) = run.finding.interval().unwrap();
    assert!(low <= secs(120) && high >= secs(120));
}

/// The far end's host resets what comes from a new port; where that is seen before the word of the new port, it is not
/// another way to forget.
#[test]
fn resets_of_the_far_host_beside_a_new_port_are_of_the_new_port() {
    thread_local!(static DEATHS: Cell<u32> = const { Cell::new(0) });
    fn death(at: Timestamp, usual_ttl: u8) -> Option<Input> {
        let first = DEATHS.replace(DEATHS.get() + 1) == 0;
        let sign = Sign { new_port: Some(true), ..Sign::default() };
        let cue = Cue { ttl: Some(63), usual_ttl: Some(usual_ttl), ..Cue::default() };
        let reset = Input::Ended { at, how: End::Reset, origin: Origin::Path(cue) };
        Some(if first { Input::Answered { attempt: 0, at, sign } } else { reset })
    }
    for (dead, expected) in [
        (((|_, at| death(at, 63)) as fn(&Path, Timestamp) -> Option<Input>), AtExpiry::NewPort),
        // From another distance it is the box that does so.
        (|_, at| death(at, 64), AtExpiry::Reset),
    ] {
        DEATHS.set(0);
        let run = run(Wanted::new(Way::Out, true), &Path { dead, ..Path::new(secs(120)) });
        assert_eq!((run.finding.verdict, run.finding.by), (Verdict::Found, By::Path));
        assert_eq!(run.finding.at_expiry, expected, "{} deaths", DEATHS.get());
        assert!(DEATHS.get() > 2, "{} deaths", DEATHS.get());
    }
}

#[test]
fn outbound_probes_alone_never_say_that_there_is_no_timeout() {
    let forgets_nothing = Path { timeout: |_, _| None, ..Path::new(Span::ZERO) };
    for partner in [false, true] {
        let wanted = Wanted { budget: None, ..Wanted::new(Way::Out, partner) };
        let run = run(wanted, &forgets_nothing);
        assert_eq!(run.finding.verdict, Verdict::CannotKnow);
        assert_eq!(run.finding.longest_alive, Some(secs(7440)));
        assert!(has(&run.finding.caveats, "outbound_only"));
    }
    // Manners: a stranger is left after a quarter of an hour, with what is known.
    let run = run(outbound(), &forgets_nothing);
    assert_eq!(run.finding.verdict, Verdict::CannotKnow);
    assert!(run.wall <= secs(900) && run.finding.longest_alive > Some(secs(800)), "{}", run.wall);
    assert!(run.most_open <= 10);
}

#[test]
fn a_far_end_that_probes_by_itself_keeps_everything_open() {
    // A server in Go probes every 15 s.
    let probes = |_: &Path, _: Id, _: Span| {
        Some((secs(15), Input::Disturbed { at: START, by: Disturbance::PeerKeepalive }))
    };
    for wanted in [inbound(), outbound()] {
        let way = wanted.way;
        let run = run(wanted, &Path { habit: probes, ..Path::new(secs(350)) });
        let Verdict::KeptOpenByPeer { period } = run.finding.verdict else {
            panic!("{:?}", run.finding.verdict)
        };
        assert_eq!(period, secs(15));
        assert!(run.wall < secs(60), "{}", run.wall);
        assert!(has(&run.finding.caveats, "peer_speaks"));
        let least = if way == Way::In { secs(15) } else { secs(10) };
        assert!(run.finding.longest_alive >= Some(least));
        assert_eq!(run.finding.shortest_dead, None);
    }
    // A timeout that is shorter is found all the same.
    let run = run(inbound(), &Path { habit: probes, ..Path::new(secs(12)) });
    assert_eq!(run.finding.verdict, Verdict::Found, "{:?}", run.finding);
    assert!(near(run.finding.shortest_dead.unwrap(), secs(12)));
}

fn closes(how: End, origin: Origin) -> impl Fn(Span) -> Option<(Span, Input)> {
    move |after| Some((after, Input::Ended { at: START, how, origin }))
}

#[test]
fn a_server_that_closes_what_is_idle_is_not_the_path() {
    let habit = |path: &Path, _: Id, _: Span| closes(End::Fin, Origin::Peer(Cue::default()))(path.idle);
    for seconds in [5, 60, 75, 600] {
        let path = Path { habit, timeout: |_, _| None, ..Path::new(secs(seconds)) };
        let run = run(outbound(), &path);
        let Verdict::EndedByPeer { after } = run.finding.verdict else { panic!("{:?}", run.finding.verdict) };
        assert!(near(after, secs(seconds)), "{after}");
        assert_eq!((run.finding.by, run.finding.at_expiry), (By::Peer, AtExpiry::Fin));
        assert!(has(&run.finding.caveats, "unasked"));
        let (low, high) = run.finding.interval().unwrap();
        assert!(low <= secs(seconds) && high >= secs(seconds), "{low} {high}");
    }
}

#[test]
fn a_proxy_before_a_partner_is_found_as_one() {
    let habit = |path: &Path, _: Id, _: Span| closes(End::Fin, Origin::Unknown)(path.idle);
    let path = Path { habit, timeout: |_, _| None, ..Path::new(secs(60)) };
    let run = run(inbound(), &path);
    assert_eq!((run.finding.verdict, run.finding.by), (Verdict::Found, By::Path));
    assert_eq!(run.finding.owner, Owner::Proxy);
    assert!(near(run.finding.shortest_dead.unwrap(), secs(60)));
    assert!(run.wall < secs(65), "{}", run.wall);
}

#[test]
fn connections_that_all_end_at_once_tell_of_no_timer() {
    // The far end is switched off after 100 s.
    let mut search = Search::new(inbound(), START).unwrap();
    let path = Path { timeout: |_, _| None, ..Path::new(Span::ZERO) };
    let run = drive(&mut search, &path, |search, now| {
        if now.since(START) >= secs(100) {
            for silence in search.view(now).silences {
                let origin = Origin::Peer(Cue::default());
                search.on(now, silence.id, Input::Ended { at: now, how: End::Reset, origin });
            }
        }
    });
    assert_eq!(run.finding.verdict, Verdict::Inconclusive(Why::EndedAtOnce), "{:?}", run.finding.caveats);
}

#[test]
fn ways_that_differ_by_port_are_a_range_with_both_ends() {
    let timeout = |_: &Path, id: Id| Some(secs(if id.0.is_multiple_of(2) { 300 } else { 600 }));
    let run = run(inbound(), &Path { timeout, ..Path::new(Span::ZERO) });
    let finding = &run.finding;
    assert!(
        finding.is_range() && finding.verdict == Verdict::Found,
        "{:?} {:?}",
        finding.verdict,
        finding.caveats
    );
    assert!(has(&finding.caveats, "groups"), "{:?}", finding.caveats);
    let (low, high) = finding.interval().unwrap();
    // The lower one is not above the shortest that killed two, the upper one not below the longest survived.
    assert!(low >= secs(299) && low < secs(360), "{low}");
    assert!(high <= secs(601) && high > secs(540), "{high}");
    assert_eq!(finding.confidence.name(), "low");
}

#[test]
fn timers_that_depend_on_the_load_are_a_range() {
    // Anything from 300 to 330 s, by connection.
    let timeout = |_: &Path, id: Id| Some(secs(300 + i64::from(id.0 * 7 % 31)));
    let run = run(inbound(), &Path { timeout, ..Path::new(Span::ZERO) });
    let (low, high) = run.finding.interval().unwrap();
    assert!(low <= secs(330) && high >= secs(300), "{low} {high}");
    assert_eq!(run.finding.verdict, Verdict::Found);
}

#[test]
fn a_table_that_is_full_is_no_timer() {
    let path = Path { timeout: |_, _| None, room: 40, ..Path::new(Span::ZERO) };
    let run = run(inbound(), &path);
    let told = format!("{:?} {:?} {:?}", run.finding.verdict, run.finding.interval(), run.finding.caveats);
    assert!(has(&run.finding.caveats, "evicted"), "{told}");
    assert_eq!(run.finding.verdict, Verdict::NoneBelowMax, "{told}");
}

#[test]
fn a_table_that_is_full_and_a_timer_behind_it() {
    let path = Path { room: 40, ..Path::new(secs(350)) };
    let run = run(inbound(), &path);
    let told = format!("{:?} {:?} {:?}", run.finding.verdict, run.finding.interval(), run.finding.caveats);
    assert!(has(&run.finding.caveats, "evicted"), "{told}");
    let (low, high) = run.finding.interval().expect("an interval");
    assert!(low <= secs(350) && high >= secs(350) && low > secs(340), "{told}");
}

#[test]
fn near_300_s_conntrack_may_have_shortened_its_timer() {
    let run = run(inbound(), &Path::new(secs(300)));
    assert!(has(&run.finding.caveats, "near_300s"), "{:?}", run.finding.caveats);
}

#[test]
fn a_machine_that_slept_begins_its_silences_anew() {
    let mut search = Search::new(inbound(), START).unwrap();
    let mut slept = false;
    let run = drive(&mut search, &Path::new(secs(350)), |search, now| {
        if !slept && now.since(START) >= secs(200) {
            slept = true;
            search.on_clock_gap(now, secs(40));
        }
    });
    assert!(has(&run.finding.caveats, "clock_gap"));
    assert_eq!(run.finding.verdict, Verdict::Found);
    let (low, high) = run.finding.interval().unwrap();
    assert!(low <= secs(350) && high >= secs(350), "{low} {high}");
}

#[test]
fn opening_stops_at_the_first_refusal() {
    for why in [NotOpened::Refused, NotOpened::Partner] {
        let run = run(outbound(), &Path { refuses: Some(why), ..Path::new(secs(60)) });
        assert_eq!(run.finding.verdict, Verdict::Inconclusive(Why::CannotOpen(why)));
        assert_eq!(run.packets.0, 7, "one connection, and its end");
    }
    let run = run(outbound(), &Path { refuses: Some(NotOpened::TimedOut), ..Path::new(secs(60)) });
    assert_eq!(run.finding.verdict, Verdict::Inconclusive(Why::CannotOpen(NotOpened::TimedOut)));
}

#[test]
fn an_interrupted_search_says_what_it_knows() {
    let until = |wanted: &dyn Fn(&Search, Timestamp) -> bool| {
        let mut search = Search::new(inbound(), START).unwrap();
        drive(&mut search, &Path::new(secs(350)), |search, now| {
            if wanted(search, now) {
                search.interrupt(now);
            }
        })
    };
    let early = until(&|_, now| now.since(START) >= secs(200));
    assert_eq!(early.finding.verdict, Verdict::Inconclusive(Why::Interrupted));
    assert!(early.finding.longest_alive > Some(secs(170)));
    let late = until(&|search, now| {
        let view = search.view(now);
        view.phase == Phase::Refining && view.shortest_dead.is_some()
    });
    assert_eq!(late.finding.verdict, Verdict::Found);
    let (low, high) = late.finding.interval().unwrap();
    assert!(low <= secs(350) && high >= secs(350));
}

#[test]
fn an_interrupted_search_is_taken_up_again() {
    let mut search = Search::new(inbound(), START).unwrap();
    let path = Path::new(secs(350));
    let first = drive(&mut search, &path, |search, now| {
        if now.since(START) >= secs(300) {
            search.interrupt(now);
        }
    });
    let known = first.finding.trials;
    let again = run(Wanted { known: known.clone(), ..inbound() }, &path);
    assert!(again.finding.trials.len() >= known.len());
    let (low, high) = again.finding.interval().unwrap();
    assert!(low <= secs(350) && high >= secs(350));
    // What was survived is not tried again.
    let tried = again.finding.trials.iter().skip(known.len()).map(|trial| trial.idle).min();
    assert!(tried > Some(secs(260)), "{tried:?}");
}

#[test]
fn the_quick_search_tells_products_apart_and_ends_after_a_quarter_of_an_hour() {
    let quick = || Wanted { mode: Mode::Quick, connections: 24, ..inbound() };
    for seconds in [60, 240, 350, 600, 900] {
        let run = run(quick(), &Path::new(secs(seconds)));
        let (low, high) = run.finding.interval().unwrap();
        assert!(low <= secs(seconds) && high >= secs(seconds), "{seconds}: {low} {high}");
        let width = high.since_low(low);
        assert!(width <= seconds as f64 * 0.06 + 3.2, "{seconds}: {low} {high}");
        assert!(run.wall <= secs(seconds * 105 / 100 + 15), "{seconds}: {}", run.wall);
        assert!(run.finding.products.iter().any(|(_, idle)| *idle == secs(seconds)));
    }
    let run = run(quick(), &Path::new(secs(3600)));
    assert_eq!(run.finding.verdict, Verdict::NoneBelowMax);
    assert!(run.finding.longest_alive >= Some(secs(900)) && run.wall <= secs(940), "{}", run.wall);
}

trait SinceLow {
    fn since_low(self, low: Span) -> f64;
}

impl SinceLow for Span {
    fn since_low(self, low: Span) -> f64 {
        (self.as_nanos() - low.as_nanos()) as f64 / 1e9
    }
}

#[test]
fn a_silence_is_confirmed_by_ten_connections_and_its_neighbours() {
    let confirm = |timeout: i64, loss: f64| {
        let wanted = Wanted { mode: Mode::Confirm(secs(350)), ..inbound() };
        run(wanted, &Path { loss, ..Path::new(secs(timeout)) })
    };
    // Survived, and a little more too.
    let longer = confirm(400, 0.0);
    assert_eq!(longer.finding.verdict, Verdict::NoneBelowMax);
    assert!(longer.finding.longest_alive >= Some(secs(350)));
    assert!(longer.wall <= secs(357 + 15) && longer.most_open <= 22, "{}", longer.wall);
    // Survived, but no more.
    let edge = confirm(353, 0.0);
    assert_eq!(edge.finding.verdict, Verdict::Found);
    assert!(edge.finding.longest_alive >= Some(secs(350)) && edge.finding.shortest_dead <= Some(secs(361)));
    // Not survived, and a little less is.
    let dies = confirm(347, 0.0);
    assert_eq!(dies.finding.verdict, Verdict::Found);
    assert!(dies.finding.shortest_dead < Some(secs(351)) && dies.finding.longest_alive > Some(secs(342)));
    // Not by far.
    let far = confirm(100, 0.05);
    assert_eq!((far.finding.verdict, far.finding.longest_alive), (Verdict::Found, None));
    assert!(far.finding.confidence.died >= 10);
}
