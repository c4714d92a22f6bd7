//! How a watch ends: its time, the user, interfaces that go away, missing rights, readers that have seen enough.

use crate::common::{has, scratch, text};
use crate::net::SERVER;
use crate::program::Program;
use crate::{Probed, watch, world};

#[test]
fn its_time_is_over() {
    let Some(net) = world() else { return };
    let ended = watch(&net.client, &["--for", "300ms", "--format", "json"]).end();
    assert_eq!(ended.code, Some(0), "{}", ended.complaints);
    assert_eq!(ended.document()["connections"].as_array().map(Vec::len), Some(0));
}

#[test]
fn an_interface_that_goes_away_ends_the_watch_of_it_alone() {
    let Some(net) = world() else { return };
    let alone = watch(&net.client, &["--interface", "c0", "--format", "jsonl"]);
    let mut both = watch(&net.client, &["--format", "jsonl"]);
    net.ip(&net.client, "link del c0");
    let ended = alone.end();
    assert_eq!(ended.code, Some(2), "{}", ended.complaints);
    let wanted = "error: the interface c0 went away, and nothing is left to watch";
    assert!(ended.complaints.contains(wanted), "{}", ended.complaints);
    both.wait_for_complaint("note: the interface c0 went away; the others are still watched");
    both.signal("INT");
    let ended = both.end();
    assert_eq!(ended.code, Some(130), "{}", ended.complaints);
}

#[test]
fn an_interface_that_comes_back_is_seen_again() {
    let Some(net) = world() else { return };
    let mut program = watch(&net.client, &["--interface", "c0", "--format", "jsonl"]);
    net.ip(&net.client, "link set c0 down");
    program.wait_for_complaint("note: the interface c0 went down; it is seen again when it is up");
    net.ip(&net.client, "link set c0 up");
    let probed = Probed::new(&net, SERVER[0], 1, 1, 2);
    let line = program.wait_for("\"opened\"");
    assert!(line.contains(&probed.address.to_string()), "{line}");
}

#[test]
fn without_rights_one_line_says_what_to_do() {
    if !has("setpriv") {
        return;
    }
    let Some(net) = world() else { return };
    let file = scratch("watch-no-rights").join("none.pcapng");
    let ended = Program::without_rights(&net.client, &["watch", "--write", text(&file)]).end();
    assert_eq!(ended.code, Some(3), "{}", ended.complaints);
    assert_eq!(ended.complaints.lines().count(), 1, "{}", ended.complaints);
    assert!(ended.complaints.contains("setcap cap_net_raw+ep"), "{}", ended.complaints);
    assert!(ended.out.is_empty() && !file.exists());
}

#[test]
fn what_cannot_be_watched_is_named() {
    let Some(net) = world() else { return };
    let options = ["watch", "--netns", &net.client, "--interface", "c7"];
    let ended = Program::keepscope(&options).end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.complaints.contains("there is no interface c7; there are"), "{}", ended.complaints);
    let ended = Program::keepscope(&["watch", "--netns", "no-such-namespace"]).end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.complaints.contains("no network namespace no-such-namespace"), "{}", ended.complaints);
}

/// What was recorded until the program is killed is in the file.
#[test]
fn a_watch_that_is_killed_leaves_a_whole_recording() {
    let Some(net) = world() else { return };
    let file = scratch("watch-killed").join("seen.pcap");
    let mut program = watch(&net.client, &["--interface", "c0", "--write", text(&file), "--format", "jsonl"]);
    let probed = Probed::new(&net, SERVER[0], 1, 1, 2);
    program.wait_for("\"type\":\"answer\"");
    program.signal("KILL");
    let ended = program.end();
    assert_eq!(ended.code, None);
    let document = crate::common::analyze_json(&[text(&file)]);
    let prober = &document["connections"][0]["probers"][0];
    assert_eq!((&prober["sent"], &prober["answered"]), (&1.into(), &1.into()), "{document}");
    assert_eq!(document["connections"][0]["server"], probed.address.to_string());
}
