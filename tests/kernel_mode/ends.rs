//! The other ways in which a connection ends, and the user who ends the run.

use std::time::Duration;

use socket2::SockRef;

use crate::net::{CLIENT, SERVER};
use crate::program::Program;
use crate::{World, attempts, check, silence};

/// The process is gone and its host remembers nothing: the next probe is answered by a RST.
#[test]
fn a_peer_that_is_gone_answers_by_reset() {
    attempts(|| {
        let Some(world) = World::new(SERVER[0]) else { return Ok(()) };
        let mut program = world.probe("--idle 2s --interval 1s --count 3 --rounds 9");
        program.wait_for("\"answer\"");
        // Closed by a RST that nobody hears.
        silence(&world.net);
        let stream = world.accepting.one();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
        drop(stream);
        world.net.nft("delete table inet silence");
        let ended = program.end();
        let last = ended.last_line();
        let said = format!("{}{}", ended.out, ended.complaints);
        check(ended.code == Some(1) && last["verdict"] == "reset", &said)?;
        check(last["error"].as_str().is_some_and(|error| error.contains("reset by peer")), &said)?;
        let steps = last["prediction"]["steps"].as_array().expect("steps");
        let end = steps.iter().find(|step| step["what"] == "reset_by_peer").expect("a RST");
        check(end["outcome"] == "pass", &said)?;
        check(last["analysis"]["connections"][0]["outcome"] == "reset", &said)
    });
}

#[test]
fn a_peer_that_closes_is_not_probed_any_more() {
    let Some(world) = World::new(SERVER[1]) else { return };
    let mut program = world.probe("--idle 1s --rounds 9");
    program.wait_for("\"answer\"");
    drop(world.accepting.one());
    let ended = program.end();
    assert_eq!(
        (ended.code, &ended.last_line()["verdict"]),
        (Some(1), &"closed_by_peer".into()),
        "{}",
        ended.out
    );
}

#[test]
fn a_connection_that_cannot_be_opened_says_why() {
    let Some(world) = World::new(SERVER[0]) else { return };
    for (target, verdict) in [
        // Nobody listens; nobody is there; no way.
        (format!("{}:9", SERVER[0]), "refused"),
        ("192.0.2.77:9".to_owned(), "unreachable"),
        ("198.51.100.1:9".to_owned(), "unreachable"),
    ] {
        let arguments = ["probe", "--kernel", &target, "--netns", &world.net.client, "--format", "json"];
        let ended = Program::keepscope(&arguments).end();
        let document = ended.document();
        assert_eq!((ended.code, &document["verdict"]), (Some(1), &verdict.into()), "{target}: {}", ended.out);
        assert_eq!(document["established"], serde_json::Value::Null);
    }
}

#[test]
fn ctrl_c_ends_with_what_is_known() {
    let Some(world) = World::new(SERVER[0]) else { return };
    let mut program = world.probe("--idle 1s --interval 1s --count 3 --rounds 1000");
    program.wait_for("\"answer\"");
    program.signal("INT");
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.complaints);
    let last = ended.last_line();
    assert_eq!(last["type"], "final");
    assert_eq!(last["verdict"], "alive");
}

#[test]
fn a_run_that_is_too_short_for_a_probe_is_inconclusive() {
    let Some(world) = World::new(SERVER[0]) else { return };
    let source = format!("--idle 60s --for 300ms --interface c0 --source {}", CLIENT[0]);
    let ended = world.probe(&source).end();
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.complaints);
    assert_eq!(ended.last_line()["verdict"], "inconclusive");
    assert!(ended.last_line()["local"].as_str().is_some_and(|local| local.starts_with(CLIENT[0])));
}

#[test]
fn what_the_system_refuses_is_said_in_one_line_and_nothing_is_connected() {
    let Some(world) = World::new(SERVER[0]) else { return };
    for (options, wanted) in [
        (
            "--idle 40000s",
            "TCP_KEEPIDLE was refused: Invalid argument (os error 22); the system takes 1s to 32767s",
        ),
        ("--count 128", "TCP_KEEPCNT was refused: Invalid argument (os error 22); the system takes 1 to 127"),
        ("--interval 1500ms", "--interval: the system counts it in whole seconds"),
    ] {
        let ended = world.probe(options).end();
        assert_eq!(ended.code, Some(2), "{options}: {}", ended.out);
        assert_eq!(ended.complaints, format!("keepscope: error: {wanted}\n"));
        assert!(!ended.out.contains("opened"), "{}", ended.out);
    }
}
