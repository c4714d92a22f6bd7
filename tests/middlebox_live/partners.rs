//! Partners that are none, or not as they should be: a clear word, and an end.

use std::time::Duration;

use crate::lab::{Lab, Running, clock, until};
use crate::servers::Server;
use crate::{Case, PORT, Run, TOKEN, at, command, partner, search, search_with_partner, side_by_side};

/// It ended soon, with usage as the reason and these words.
fn refused(run: &Run, words: &str) {
    assert_eq!(run.code, 2, "{}", run.complaint);
    assert!(run.complaint.contains(words), "{}", run.complaint);
    assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
}

fn a_web_server() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_says(&lab, b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m");
    let run = search_with_partner(&lab, &at(0, server.port), &[]);
    refused(&run, "is not `keepscope respond`");
    assert!(!run.complaint.contains('\x1b'), "nothing a terminal would obey");
}

fn a_server_without_a_word() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_holds(&lab);
    refused(&search_with_partner(&lab, &at(1, server.port), &[]), "is that `keepscope respond`?");
}

fn a_server_that_hangs_up() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_hangs_up(&lab);
    refused(&search_with_partner(&lab, &at(0, server.port), &[]), "keepscope respond");
}

fn nobody() {
    let Some(lab) = Lab::new(1) else { return };
    refused(&search_with_partner(&lab, &at(0, 9), &[]), "nothing listens there");
    let run = search(&lab, &at(0, 9), &[]);
    let out = run.direction("out");
    assert_eq!((&out["verdict"], &out["why"], run.code), (&"inconclusive".into(), &"cannot_open".into(), 4));
}

fn another_secret() {
    let Some(lab) = Lab::new(1) else { return };
    let _partner = partner(&lab);
    let target = at(0, PORT);
    let mut other = command(&lab, &target, &[]);
    let output = other.env("KEEPSCOPE_TOKEN", "not the same at all").output().expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("the partner has another secret"), "{complaint}");
    assert!(output.stdout.is_empty(), "there is no result");
    // None at all.
    refused(&search(&lab, &target, &["--partner"]), "the partner has a secret");
}

/// It ends in the midst of a search: what is known is told, and that it is gone.
fn one_that_stops() {
    let Some(lab) = Lab::new(1) else { return };
    let partner = partner(&lab);
    let target = at(0, PORT);
    let mut searching = command(&lab, &target, &["--min", "3s", "--max", "60s", "--format", "json"]);
    let searching = searching.env("KEEPSCOPE_TOKEN", TOKEN);
    let child = searching
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    let name = format!(":{PORT}");
    until("some connections", || {
        let open = crate::lab::run(&lab.server, "ss -tnH state established");
        open.lines().filter(|line| line.contains(&name)).count() > 10
    });
    drop::<Running>(partner);
    let begun = clock();
    let output = child.wait_with_output().expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{complaint}");
    assert!(
        complaint.contains("control connection") || complaint.contains("ended the session"),
        "{complaint}"
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["directions"][0]["verdict"], "inconclusive", "{document:#}");
    assert!(document["partner_lost"].is_string());
}

/// What it says is what it was told.
fn one_that_echoes() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_echoes(&lab);
    refused(&search_with_partner(&lab, &at(0, server.port), &[]), "is not `keepscope respond`");
}

#[test]
fn partners_that_are_none_get_a_clear_word() {
    let cases: &[Case] = &[
        ("a_web_server", a_web_server),
        ("a_server_without_a_word", a_server_without_a_word),
        ("a_server_that_hangs_up", a_server_that_hangs_up),
        ("nobody", nobody),
        ("another_secret", another_secret),
        ("one_that_stops", one_that_stops),
        ("one_that_echoes", one_that_echoes),
    ];
    side_by_side(cases);
}
