//! How it starts, or refuses to, and how it ends.

use std::net::TcpStream;
use std::process::Command;

use keepscope::partner::client::{ClientError, Options, Told};
use keepscope::partner::message::OverReason;
use keepscope::partner::secret::Secret;

use crate::common::{scratch, text};
use crate::near::{Near, all_that_comes};
use crate::program::Program;
use crate::{Responding, SECRET, secret_file};

/// Runs it to its end with an environment of one variable; its exit code and what it complained of.
fn refused(token: Option<&str>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.env_remove("KEEPSCOPE_TOKEN").arg("respond").args(arguments);
    if let Some(token) = token {
        command.env("KEEPSCOPE_TOKEN", token);
    }
    let output = command.output().expect("keepscope runs");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn others_may_reach_it_only_with_a_secret() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7440"] {
        let (code, said) = refused(None, &["--listen", "127.0.0.1:0", "--listen", address]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(address) && said.contains("KEEPSCOPE_TOKEN"), "{said}");
    }
    // An empty variable is none.
    assert_eq!(refused(Some(""), &["--listen", "0.0.0.0:0"]).0, Some(2));
    let (code, said) = refused(Some("short"), &["--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("KEEPSCOPE_TOKEN: a secret of 5 octets is too short"), "{said}");
}

#[test]
fn a_secret_that_everybody_can_read_is_none() {
    let folder = scratch("respond-token");
    let file = folder.join("token");
    for mode in [0o604, 0o644, 0o602] {
        secret_file(&file, mode);
        let (code, said) = refused(None, &["--token-file", text(&file)]);
        assert_eq!(code, Some(2), "{mode:o}");
        assert!(said.contains("chmod 600"), "{said}");
    }
    let missing = folder.join("missing");
    assert_eq!(refused(None, &["--token-file", text(&missing)]).0, Some(2));
    let (code, said) = refused(None, &["--token", SECRET, "--token-file", text(&file)]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_secret_in_the_arguments_works_and_is_warned_of() {
    let arguments = ["respond", "--listen", "127.0.0.1:0", "--token", SECRET, "--format", "jsonl", "--once"];
    let mut responding = Responding::of(Program::keepscope(&arguments));
    responding.program.wait_for_complaint("warning: --token shows the secret");
    Near::at(responding.address).bye();
    assert_eq!(responding.program.end().code, Some(0));
}

#[test]
fn without_a_secret_it_is_for_this_host() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.env_remove("KEEPSCOPE_TOKEN");
    command.args(["respond", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--format", "jsonl"]);
    let mut responding = Responding::of(Program::start(command));
    responding.program.wait_for_complaint("without a secret");
    let address = responding.address;
    let open = move || TcpStream::connect(address).expect("a connection");
    let near = Near::open(Secret::none(), Options::default(), open).expect("a session");
    // A client that was given one does not go on without.
    let wrong = Near::open(crate::near::secret(), Options::default(), open).err();
    assert_eq!(wrong, Some(ClientError::NoSecretThere));
    near.bye();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let responding = Responding::new(&[]);
    let address = responding.address.to_string();
    let (code, said) = refused(None, &["--listen", &address]);
    assert_eq!(code, Some(2));
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn a_signal_ends_it_in_order() {
    for signal in ["TERM", "INT"] {
        let mut responding = Responding::new(&["--sessions", if signal == "INT" { "2" } else { "3" }]);
        let mut near = Near::at(responding.address);
        let mut tested = near.join(1);
        responding.told("joined");
        responding.program.signal(signal);
        assert_eq!(near.next(), Told::Failed(ClientError::Over(OverReason::Stopped)));
        assert!(all_that_comes(&mut tested.stream).is_empty());
        drop((near, tested));
        let ended = responding.program.end();
        assert_eq!(ended.code, Some(0), "{}", ended.complaints);
        let summary = ended.last_line();
        assert_eq!((&summary["type"], &summary["sessions"]), (&"summary".into(), &1.into()));
        assert!(ended.out.contains(r#""reason":"stopped","connections":1"#), "{}", ended.out);
    }
}

#[test]
fn the_document_and_the_text_say_what_it_did() {
    for format in ["json", "text"] {
        let arguments =
            ["respond", "--listen", "127.0.0.1:0", "--token", SECRET, "--once", "--format", format];
        let mut program = Program::keepscope(&arguments);
        let line = program.wait_for_complaint("listening on ");
        let address = line.split("listening on ").nth(1).and_then(|rest| rest.split(';').next());
        let address = address.and_then(|text| text.parse().ok()).expect("an address");
        // Somebody else first.
        drop(TcpStream::connect(address).expect("a connection"));
        let mut near = Near::at(address);
        let mut tested = near.join(7);
        tested.arm();
        let (id, _) =
            near.ask(7, keepscope::partner::message::Form::Data(2), keepscope::time::Span::from_secs(5));
        near.back(id);
        near.bye();
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{}", ended.complaints);
        if format == "json" {
            let document = ended.document();
            assert_eq!(document["schema"], "keepscope.respond/1");
            assert_eq!(document["turned_away"]["left"], 1);
            let session = &document["sessions"][0];
            assert_eq!((&session["reason"], &session["octets"]), (&"bye".into(), &2.into()), "{document}");
            assert_eq!(document["acknowledged"], 1);
        } else {
            for said in ["session 1 #7 joined from 127.0.0.1:", "sent 2 octets after", "acknowledged in"] {
                assert!(ended.out.contains(said), "{}", ended.out);
            }
            assert!(ended.out.contains("1 session: 1 connection, 1 of 1 question sent (2 octets), 1"));
            assert!(ended.out.ends_with("turned away: 1 left\n"), "{}", ended.out);
        }
    }
}
