//! With rights the packets are seen and can be recorded; without, the counters are all there is.

use crate::common::{analyze_json, has, scratch, text};
use crate::net::SERVER;
use crate::program::Program;
use crate::{World, attempts, check, silence};

#[test]
fn without_rights_the_counters_tell_the_same() {
    if !has("setpriv") {
        return;
    }
    attempts(|| {
        let Some(world) = World::new(SERVER[0]) else { return Ok(()) };
        let address = world.address.to_string();
        let arguments = ["probe", "--kernel", &address, "--idle", "2s", "--interval", "1s", "--count", "2"];
        let arguments = [&arguments[..], &["--format", "jsonl"]].concat();
        let mut program = Program::without_rights(&world.net.client, &arguments);
        program.wait_for("\"answer\"");
        silence(&world.net);
        let ended = program.end();
        let last = ended.last_line();
        let said = format!("{}{}", ended.out, ended.complaints);
        check(ended.code == Some(1) && last["verdict"] == "timed_out", &said)?;
        check(last["probes"] == 3 && last["answers"] == 1, &said)?;
        check(last["prediction"]["outcome"] == "pass", &said)?;
        assert!(last["analysis"].is_null() && last["verification"].is_null());
        assert!(last["limits"].as_array().is_some_and(|limits| limits.len() == 2), "{said}");
        assert!(ended.complaints.contains("setcap cap_net_raw+ep"), "{}", ended.complaints);
        Ok(())
    });
}

#[test]
fn without_rights_nothing_can_be_recorded() {
    if !has("setpriv") {
        return;
    }
    let Some(world) = World::new(SERVER[0]) else { return };
    let (folder, address) = (scratch("kernel-mode-no-rights"), world.address.to_string());
    let file = folder.join("none.pcapng");
    let arguments = ["probe", "--kernel", &address, "--write", text(&file)];
    let ended = Program::without_rights(&world.net.client, &arguments).end();
    assert_eq!(ended.code, Some(3), "{}{}", ended.out, ended.complaints);
    assert_eq!(ended.complaints.lines().count(), 1, "{}", ended.complaints);
    assert!(ended.complaints.contains("setcap cap_net_raw+ep"), "{}", ended.complaints);
    assert!(!file.exists());
}

#[test]
fn the_recording_shows_what_was_said() {
    let Some(world) = World::new(SERVER[1]) else { return };
    let folder = scratch("kernel-mode-recording");
    let file = folder.join("run.pcapng");
    let options = format!("--idle 1s --interval 1s --count 3 --rounds 2 --write {}", text(&file));
    let ended = world.probe(&options).end();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.complaints);
    let (live, recorded) = (&ended.last_line()["analysis"], analyze_json(&[text(&file)]));
    let (live, recorded) = (&live["connections"][0], &recorded["connections"][0]);
    for field in ["client", "server", "start", "outcome", "reason", "probers"] {
        assert_eq!(live[field], recorded[field], "{field}");
    }
    assert_eq!(live["probers"][0]["sent"], 2);
}
