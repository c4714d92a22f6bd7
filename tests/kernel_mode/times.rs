//! Probes and the end come when the settings and the timer wheel say, over IPv4 and IPv6.

use crate::net::SERVER;
use crate::{World, attempts, check, rule, silence};

#[test]
fn a_live_peer_is_probed_as_was_set() {
    for (server, name) in [(SERVER[0], "IPv4"), (SERVER[1], "IPv6")] {
        attempts(|| {
            let Some(world) = World::new(server) else { return Ok(()) };
            let ended = world.probe("--idle 2s --interval 1s --count 3 --rounds 2").end();
            let last = ended.last_line();
            let said = format!("{name}: {}{}", ended.out, ended.complaints);
            check(ended.code == Some(0), &said)?;
            check(last["verdict"] == "alive" && last["probes"] == 2 && last["answers"] == 2, &said)?;
            let settings = last["settings"].as_array().expect("settings");
            let in_force = |option: &str| {
                settings.iter().find(|one| one["option"] == option).map(|one| one["in_force"].to_string())
            };
            assert_eq!(in_force("SO_KEEPALIVE").as_deref(), Some("true"));
            assert_eq!(in_force("TCP_KEEPIDLE").as_deref(), Some("2.0"));
            assert_eq!(in_force("TCP_KEEPINTVL").as_deref(), Some("1.0"));
            assert_eq!(in_force("TCP_KEEPCNT").as_deref(), Some("3"));
            // The counters, the prediction, the packets and the rules all agree.
            check(last["prediction"]["outcome"] == "pass", &said)?;
            for kept in ["idle_not_early", "idle_not_late", "probe_form", "rfc9293_shld_12"] {
                check(rule(&last, kept) == "pass", format!("{kept}: {said}"))?;
            }
            let found = &last["analysis"]["connections"][0];
            check(found["outcome"] == "alive" && found["probers"][0]["answered"] == 2, &said)?;
            world.accepting.one();
            Ok(())
        });
    }
}

/// The peer falls silent as soon as it is connected: each probe and the end within what every phase of the wheel
/// allows, by TCP_INFO and by the packets.
fn gives_up(idle: u32, interval: u32, count: u32, more: &str) {
    attempts(|| {
        let Some(world) = World::new(SERVER[0]) else { return Ok(()) };
        let options = format!("--idle {idle}s --interval {interval}s --count {count} --rounds 9 {more}");
        let mut program = world.probe(&options);
        program.wait_for("\"opened\"");
        silence(&world.net);
        let ended = program.end();
        let last = ended.last_line();
        let said = format!("{options}: {}{}", ended.out, ended.complaints);
        check(ended.code == Some(1) && last["verdict"] == "timed_out", &said)?;
        check(last["error"].as_str().is_some_and(|error| error.contains("timed out")), &said)?;
        check(last["answers"] == 0, &said)?;
        check(last["prediction"]["outcome"] == "pass", &said)?;
        let steps = last["prediction"]["steps"].as_array().expect("steps");
        let end = steps.last().expect("an end");
        check(end["what"] == "give_up" && end["outcome"] == "pass", &said)?;
        check(rule(&last, "give_up") == "pass", &said)?;
        check(last["verification"]["outcome"] == "pass", &said)?;
        if more.is_empty() {
            check(last["probes"] == count, &said)?;
            check(rule(&last, "count") == "pass" && rule(&last, "interval_not_late") == "pass", &said)?;
            check(rule(&last, "interval_not_early") == "pass", &said)?;
        }
        let outcome = &last["analysis"]["connections"][0]["outcome"];
        check(outcome == "timed_out", &said)
    });
}

#[test]
fn a_silent_peer_is_given_up_after_5_2_3() {
    gives_up(5, 2, 3, "");
}

#[test]
fn a_silent_peer_is_given_up_after_7_3_4() {
    gives_up(7, 3, 4, "");
}

/// At the first firing past it, after one probe, whatever the count says.
#[test]
fn a_user_timeout_takes_the_place_of_the_count() {
    gives_up(2, 1, 9, "--user-timeout 3500ms");
}

/// The steady gap of 7 s is a multiple of one granule: 7.168 s at HZ=250 and 1000, 7.040 s or 7.680 s at HZ=100. So a
/// promise for another kernel is seen to be broken.
#[test]
fn a_prediction_for_another_kernel_is_not_kept() {
    let Some(world) = World::new(SERVER[0]) else { return };
    let wrong = if keepscope::live::doctor::hz() == Some(250) { "100" } else { "250" };
    let mut program = world.probe(&format!("--idle 1s --interval 7s --count 2 --rounds 9 --hz {wrong}"));
    program.wait_for("\"opened\"");
    silence(&world.net);
    let ended = program.end();
    let last = ended.last_line();
    assert_eq!(last["hz"].to_string(), wrong);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert_eq!(last["verification"]["outcome"], "fail", "{}", ended.out);
}
