//! The simulator's screen: what keys do to a scenario, and that it says what `keepscope simulate` says.

use std::collections::BTreeMap;

use keepscope::dashboard::effect::{Body, Effect};
use keepscope::dashboard::message::Key;
use keepscope::dashboard::model::{Overlay, Panel, Screen as Which};
use keepscope::dashboard::simulation::field::{Fate, Field};
use keepscope::dashboard::simulation::{Over, answer, choices, edit, path, worker};
use keepscope::simulate::scenario::{Scenario, built_in};
use keepscope::time::Span;
use serde_json::Value;

use crate::common::{keepscope, scratch, text};
use crate::harness::{COLOR, MONO, Screen};

fn plain() -> Screen {
    Screen::simulate("plain", 100, 30, COLOR)
}

/// Goes to a field.
fn go(screen: &mut Screen, field: Field) {
    let fields = Field::all(&screen.simulation().scenario);
    let to = fields.iter().position(|other| *other == field).expect("a field of this scenario");
    screen.keys("g");
    for _ in 0..to {
        screen.key(Key::Down);
    }
    assert_eq!(screen.simulation().field, field);
}

/// Types a value into a field.
fn set(screen: &mut Screen, field: Field, value: &str) {
    go(screen, field);
    screen.key(Key::Enter);
    screen.key(Key::Ctrl('u'));
    screen.keys(value);
    screen.key(Key::Enter);
}

fn said(screen: &Screen) -> String {
    let lines = answer::sentences(screen.simulation());
    lines.into_iter().map(|(words, _)| words).collect::<Vec<_>>().join("\n")
}

/// What `keepscope simulate` says of a scenario.
fn plainly(name: &str) -> Value {
    let output = keepscope(&["simulate", name, "--format", "json"]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_screen_says_what_the_plain_command_says() {
    for name in built_in::ALL.iter().map(|found| found.name) {
        let screen = Screen::simulate(name, 160, 50, COLOR);
        let plain = plainly(name);
        let simulation = screen.simulation();
        let figures = &simulation.current().expect("a prediction").figures;
        let client = &plain["ends"][0];
        let outcome = keepscope::simulate::scenario::Word(figures.client.outcome).name();
        assert_eq!(client["outcome"], outcome, "{name}");
        assert_eq!(client["error"], figures.client.error.map_or(Value::Null, Value::from), "{name}");
        assert_eq!(
            client["at_s"].as_f64(),
            figures.client.at.map(|at| at.as_nanos() as f64 / 1e9),
            "{name}: when it ended"
        );
        let of_client = |what: &str| {
            let events = plain["events"].as_array().expect("events");
            let found = events.iter().filter(|event| event["what"] == what && event["by"] == "client");
            found.cloned().collect::<Vec<Value>>()
        };
        let probes = of_client("probe");
        assert_eq!(probes.len() as u64, figures.probes, "{name}: probes");
        let first = probes.first().and_then(|probe| probe["time_s"].as_f64());
        assert_eq!(
            first,
            figures.first_probe.map(|at| at.as_nanos() as f64 / 1e9),
            "{name}: the first probe"
        );
        let met = plain["expectations"].as_array().expect("expectations");
        assert_eq!(figures.expected, (met.len(), met.len()), "{name}: all that is expected holds");
        // The packets went through the pipeline into the store as those of a capture do.
        let capture = &plain["captures"][0];
        assert_eq!(
            simulation.session.store.rows().len(),
            capture["packets"].as_u64().unwrap() as usize,
            "{name}"
        );
        let record = &capture["connections"][0];
        let shown = simulation.session.chosen.as_ref().expect("a connection");
        assert_eq!(record["outcome"], shown.record.verdict.outcome.name(), "{name}");
        for (party, prober) in shown.record.probers() {
            let probers = record["probers"].as_array().expect("probers");
            let same = probers.iter().find(|other| other["endpoint"] == party.name());
            let same = same.unwrap_or_else(|| panic!("{name}: no {} in {record}", party.name()));
            assert_eq!(same["sent"], prober.probes.len(), "{name}");
            assert_eq!(same["answered"], prober.answered(), "{name}");
        }
    }
}

#[test]
fn a_change_is_predicted_at_once_and_can_be_taken_back() {
    let mut screen = plain();
    assert!(said(&screen).contains("keepalive timed out"), "{}", said(&screen));
    let before = screen.simulation().scenario.clone();
    go(&mut screen, Field::Count);
    screen.key(Key::Right);
    screen.keys(">");
    assert_eq!(screen.simulation().scenario.client.count, Some(7));
    let figures = screen.simulation().current().expect("a prediction").figures.clone();
    assert_eq!(figures.unanswered, 7);
    assert!(screen.simulation().changed);
    screen.key(Key::Left);
    assert_eq!(screen.simulation().current().expect("a prediction").figures.unanswered, 6);
    screen.keys("uuu");
    assert_eq!(screen.simulation().scenario, before, "also its title is what it was");
    assert!(!screen.simulation().changed);
    screen.keys("u");
    assert!(screen.shows("nothing was changed"));
}

#[test]
fn news_of_what_was_changed_since_are_too_late() {
    let mut screen = plain();
    let version = screen.simulation().version;
    let scenario = screen.simulation().scenario.clone();
    go(&mut screen, Field::Idle);
    screen.keys(">");
    let shown = screen.simulation().current().expect("a prediction").figures.clone();
    let mut late = Vec::new();
    let wanted = keepscope::dashboard::effect::Wanted::Prediction;
    worker::run(version, &scenario, wanted, &|| true, &mut |message| {
        late.push(message);
        true
    });
    assert_eq!(late.len(), 2, "a prediction, and the phases");
    for message in late {
        screen.send(message);
    }
    assert_eq!(screen.simulation().current().expect("a prediction").figures, shown);
    // Whoever is told to stop tells nothing.
    let mut told = 0;
    worker::run(version, &scenario, wanted, &|| false, &mut |_| {
        told += 1;
        true
    });
    assert_eq!(told, 0);
}

#[test]
fn a_difference_stands_beside_what_was_kept() {
    let mut screen = Screen::simulate("linux-340s-behind-350s", 100, 30, MONO);
    assert!(said(&screen).contains("balancer: its entry expires at"), "{}", said(&screen));
    screen.keys("D");
    set(&mut screen, Field::Idle, "300s");
    let simulation = screen.simulation();
    let (base, now) =
        (simulation.base.as_ref().expect("a base"), simulation.current().expect("a prediction"));
    let compared: BTreeMap<&str, (String, String)> =
        answer::comparison(base, now).into_iter().map(|line| (line.name, (line.base, line.now))).collect();
    assert_eq!(compared["client"], ("reset 350.759 s".to_owned(), "open".to_owned()));
    assert_eq!(compared["error"], ("ECONNRESET".to_owned(), "-".to_owned()));
    assert_eq!(compared["box entry"].1, "never expires");
    assert!(compared["box entry"].0.starts_with("expires 350."), "{compared:?}");
    assert!(screen.shows("* client") && screen.shows("never expires"), "{}", screen.text());
    // What was expected of it as it stood is not expected any more.
    assert!(!said(&screen).contains("expected:"), "{}", said(&screen));
    screen.keys("DD");
    assert!(screen.simulation().base.is_none() && screen.shows("compared with nothing"));
}

#[test]
fn a_batch_counts_what_the_plain_command_counts() {
    let mut screen = Screen::simulate("linux-340s-behind-350s", 100, 30, COLOR);
    set(&mut screen, Field::Runs, "100");
    assert!(!screen.simulation().changed, "how often it is run is no part of a scenario");
    screen.keys("b");
    let output = keepscope(&["simulate", "linux-340s-behind-350s", "--phases", "100", "--format", "json"]);
    let plain: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let many = screen.simulation().many.as_ref().expect("runs");
    assert_eq!(many.distribution.survived, plain["runs"]["survived"]);
    assert_eq!(many.distribution.too_late, plain["runs"]["first_probe_too_late"]);
    assert!(many.distribution.too_late > 0 && many.distribution.survived > 0, "{:?}", many.distribution);
    assert!(screen.shows("100 runs over all phases"), "{}", screen.text());
    go(&mut screen, Field::Over);
    screen.keys(">b");
    assert_eq!(screen.simulation().over, Over::Seeds);
    assert!(screen.shows("with one seed after the other"), "{}", screen.text());
    // A timer without phases says so.
    let mut exact = plain_with(Field::Stack, "smoltcp");
    set(&mut exact, Field::Over, "phases");
    exact.keys("b");
    assert!(exact.shows("have no phase"), "{}", exact.text());
}

fn plain_with(field: Field, value: &str) -> Screen {
    let mut screen = plain();
    set(&mut screen, field, value);
    screen
}

#[test]
fn the_written_scenario_runs_to_the_same_result() {
    let folder = scratch("simulate_written");
    for name in choices() {
        let mut screen = Screen::simulate(name, 100, 30, COLOR);
        if screen.simulation().scenario.client.windows.is_none() {
            set(&mut screen, Field::Idle, "33s");
            set(&mut screen, Field::Rtt, "50ms");
        }
        set(&mut screen, Field::Seed, "9");
        assert_eq!(screen.simulation().problem, None, "{name}");
        screen.keys("w");
        let Some(Effect::Write { stem, suffix: "toml", body: Body::Octets(octets) }) = screen.effects.pop()
        else {
            panic!("{name}: nothing is written");
        };
        assert_eq!(stem, name);
        let file = folder.join(format!("{stem}.toml"));
        std::fs::write(&file, octets).expect("a file");
        let found = plainly(text(&file));
        let figures = &screen.simulation().current().expect("a prediction").figures;
        let outcome = keepscope::simulate::scenario::Word(figures.client.outcome).name();
        assert_eq!(found["ends"][0]["outcome"], outcome, "{name}");
        let at = figures.client.at.map(|at| at.as_nanos() as f64 / 1e9);
        assert_eq!(found["ends"][0]["at_s"].as_f64(), at, "{name}");
        assert_eq!(found["outcome"], "as_expected", "{name}: nothing is expected of it");
    }
}

#[test]
fn what_cannot_be_is_said_and_not_written() {
    let mut screen = plain();
    go(&mut screen, Field::Count);
    screen.key(Key::Enter);
    screen.keys("x");
    screen.key(Key::Enter);
    assert!(matches!(screen.model.overlay, Some(Overlay::Prompt(_))), "it can be mended");
    assert!(screen.shows("no such number"), "{}", screen.text());
    screen.key(Key::Esc);
    set(&mut screen, Field::Count, "300");
    assert!(
        screen.shows("this cannot be simulated: client.count: must be from 1 to 255"),
        "{}",
        screen.text()
    );
    screen.keys("w");
    assert!(screen.effects.iter().all(|effect| !matches!(effect, Effect::Write { .. })));
    assert!(screen.shows("not written"), "{}", screen.text());
    screen.keys("u");
    assert!(said(&screen).contains("keepalive timed out"));
}

#[test]
fn a_field_takes_what_it_shows_and_what_can_be_typed() {
    let mut screen = plain();
    let typed = [
        (Field::Stack, "freebsd"),
        (Field::Preset, "go"),
        (Field::Peer, "windows-10-1709"),
        (Field::Answers, "one_octet"),
        (Field::Fate, "unplugged"),
        (Field::FateAt, "3m"),
        (Field::Return, "10m"),
        (Field::Box, "aws-nlb"),
        (Field::BoxIdle, "100s"),
        (Field::Loss, "0.5%"),
        (Field::Jitter, "3ms"),
        (Field::Rtt, "80ms"),
        (Field::Data, "2s every 30s"),
        (Field::Keepalive, "on"),
        (Field::Uptime, "17s"),
        (Field::UserTimeout, "40s"),
        (Field::Length, "20m"),
    ];
    for (field, value) in typed {
        set(&mut screen, field, value);
        assert_eq!(screen.simulation().problem, None, "{field:?}");
        assert_eq!(screen.model.overlay, None, "{field:?} {value}");
    }
    let scenario = &screen.simulation().scenario;
    assert_eq!(scenario.client.preset.as_deref(), Some("go"));
    assert_eq!(path::rtt(scenario), Span::from_millis(80));
    assert_eq!(path::timeout(scenario).0, Some(Span::from_secs(100)));
    assert_eq!(Fate::of(&scenario.server), (Fate::Unplugged, Some(Span::from_secs(180))));
    assert_eq!(scenario.server.silent_until, Some(Span::from_secs(600)));
    let read = Scenario::read(&scenario.to_toml(), &[]).expect("what is written can be read");
    assert_eq!(read.scenario, *scenario);
    // What is shown as said can be typed again and changes nothing.
    for field in Field::all(scenario) {
        let before = screen.simulation().scenario.clone();
        let typed = edit::typed(screen.simulation(), field);
        set(&mut screen, field, &typed);
        assert_eq!(screen.model.overlay, None, "{field:?} does not take its own {typed:?}");
        assert_eq!(screen.simulation().scenario, before, "{field:?} {typed:?}");
    }
}

#[test]
fn windows_sets_its_options_by_calls() {
    let mut screen = plain_with(Field::Stack, "windows 8.1");
    let calls = |screen: &Screen| {
        let windows = screen.simulation().scenario.client.windows.clone().expect("Windows");
        windows.calls.iter().map(|call| call.call.name()).collect::<Vec<_>>()
    };
    assert_eq!(calls(&screen), ["SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"]);
    // It has no TCP_KEEPIDLE yet: the calls fail, and the defaults stay.
    assert!(said(&screen).contains("WSAENOPROTOOPT"), "{}", said(&screen));
    set(&mut screen, Field::SetBy, "SIO_KEEPALIVE_VALS");
    assert_eq!(calls(&screen), ["SIO_KEEPALIVE_VALS"]);
    let settings = screen.simulation().current().expect("a prediction").run.ends[0].settings;
    let settings = settings.expect("settings");
    assert_eq!((settings.idle, settings.interval), (Span::from_secs(60), Span::from_secs(10)));
    set(&mut screen, Field::Idle, "1500ms");
    assert_eq!(
        screen.simulation().scenario.client.windows.as_ref().unwrap().calls[0].keepalivetime,
        Some(1500)
    );
    set(&mut screen, Field::SetBy, "SO_KEEPALIVE");
    set(&mut screen, Field::RegistryTime, "30000");
    set(&mut screen, Field::RegistryInterval, "1000");
    let figures = screen.simulation().current().expect("a prediction").figures.clone();
    assert!(figures.probes > 0, "{figures:?}");
    // And back to another stack with what was set.
    set(&mut screen, Field::Stack, "linux");
    assert!(screen.simulation().scenario.client.windows.is_none());
    assert_eq!(screen.simulation().problem, None);
}

#[test]
fn boxes_come_and_go_and_the_round_trip_stays() {
    for name in choices() {
        let mut screen = Screen::simulate(name, 100, 30, COLOR);
        let rtt = path::rtt(&screen.simulation().scenario);
        set(&mut screen, Field::Box, "conntrack");
        assert_eq!(screen.simulation().problem, None, "{name}");
        set(&mut screen, Field::Box, "none");
        assert_eq!(screen.simulation().problem, None, "{name}: {:?}", screen.simulation().scenario.path);
        assert_eq!(path::rtt(&screen.simulation().scenario), rtt, "{name}");
        assert!(screen.simulation().scenario.boxes.len() <= 1);
    }
}

/// Every stack and every box can be stepped to from any field, and nothing fails.
#[test]
fn every_step_of_every_field_leaves_something_that_can_be_said() {
    for name in ["plain", "windows-keepalive-vals", "proxy-in-between", "lossy-path"] {
        let mut screen = Screen::simulate(name, 100, 30, COLOR);
        for field in Field::all(&screen.simulation().scenario) {
            if !Field::all(&screen.simulation().scenario).contains(&field) {
                continue;
            }
            go(&mut screen, field);
            for key in [">", ">", "<", "<", "<"] {
                screen.keys(key);
                screen.draw();
                let simulation = screen.simulation();
                assert!(
                    simulation.problem.is_some() || simulation.current().is_some(),
                    "{name} {field:?} {key}"
                );
            }
        }
    }
    let mut screen = plain();
    set(&mut screen, Field::Length, "2m");
    for (field, count) in
        [(Field::Stack, edit::host_names(true).len()), (Field::Box, path::box_kinds().len())]
    {
        go(&mut screen, field);
        let first = screen.simulation().scenario.clone();
        for _ in 0..count {
            screen.keys(">");
            assert_eq!(screen.simulation().problem.is_some(), screen.simulation().scenario.plan().is_err());
        }
        if field == Field::Box {
            assert_eq!(screen.simulation().scenario.boxes, first.boxes, "round and round");
        }
    }
}

#[test]
fn time_goes_by_in_a_simulation_as_in_a_replay() {
    let mut screen = plain();
    assert!(screen.session().player.is_at_end(&screen.session().store), "first it shows what becomes of it");
    screen.key(Key::Home);
    assert_eq!(screen.session().player.at.rows, 1);
    screen.keys(":131s");
    screen.key(Key::Enter);
    assert_eq!(screen.seconds(), 131.0);
    assert!(screen.shows("now; what follows is predicted"), "{}", screen.text());
    assert!(screen.shows("[PROBING"), "{}", screen.text());
    screen.keys("{");
    let event = screen.seconds();
    assert!(event < 131.0);
    screen.keys("{{");
    assert!((0.0..=event).contains(&screen.seconds()));
    // Where the server loses its power there is no packet, but something happens.
    screen.keys(":99s");
    screen.key(Key::Enter);
    screen.keys("}");
    assert_eq!(screen.seconds(), 100.0);
    assert!(screen.shows("!! server loses its power"), "{}", screen.text());
    screen.keys(" ");
    screen.tick(Span::from_secs(10));
    screen.tick(Span::from_secs(11));
    assert!(screen.seconds() > 100.0, "{}", screen.seconds());
    // A change stays at the moment that is shown.
    screen.keys(" :120s");
    screen.key(Key::Enter);
    go(&mut screen, Field::Count);
    screen.keys(">");
    assert_eq!(screen.seconds(), 120.0);
    screen.key(Key::Tab);
    assert_eq!(screen.model.choices.focus, Panel::Ladder);
    screen.key(Key::Right);
    assert_eq!(screen.seconds(), 121.0, "beside the form the arrows go through time");
}

#[test]
fn scenarios_are_chosen_from_a_list_and_from_the_start_screen() {
    let mut screen = Screen::start(100, 30, COLOR);
    screen.keys("jjj");
    screen.key(Key::Enter);
    assert_eq!(screen.model.screen, Which::Simulate);
    assert!(matches!(screen.model.overlay, Some(Overlay::Scenarios(0))));
    screen.keys("G");
    screen.key(Key::Enter);
    assert_eq!(screen.simulation().name, choices().last().unwrap());
    screen.keys("p");
    screen.key(Key::Esc);
    assert_eq!(screen.simulation().name, choices().last().unwrap(), "nothing is lost by looking");
    screen.keys("0");
    assert_eq!(screen.model.screen, Which::Start);
    screen.keys("3");
    assert_eq!(screen.model.screen, Which::Simulate);
    // Files by name, also ones that are wrong.
    screen.keys("omine.toml");
    screen.key(Key::Enter);
    assert!(matches!(screen.effects.pop(), Some(Effect::ReadScenario(_))));
    let text = "title = \"mine\"\nlength = \"3m\"\n[client]\nidle = \"20s\"\n";
    screen.send(keepscope::dashboard::message::Message::Scenario("mine.toml".into(), text.to_owned()));
    assert_eq!(screen.simulation().scenario.title, "mine");
    screen.send(keepscope::dashboard::message::Message::Scenario("bad.toml".into(), "length = 3".to_owned()));
    assert!(screen.shows("bad.toml"), "{}", screen.text());
    assert_eq!(screen.simulation().scenario.title, "mine", "it stays");
    screen.keys("y");
    assert!(matches!(screen.effects.pop(), Some(Effect::Copy(words)) if words.contains("client: open")));
}
