//! A program of our own: each combination of what its listener has and what it sets on what it accepts.

use std::net::{SocketAddr, TcpStream};

use crate::common::python::Python;
use crate::common::{scratch, skip, text};
use crate::net::{Net, SERVER};
use crate::program::Program;
use crate::{audit, hosts, only, short, times};

/// It runs. It ends with the value.
struct Listening(Python);

impl Listening {
    /// Started by these words before `python3`, of which the first is a host.
    fn by(words: &[&str], arguments: &[&str]) -> Listening {
        let mut python = Python::run(words, "listeners/listen.py", arguments);
        python.says("ready");
        Listening(python)
    }

    /// On a host.
    fn on(host: &str, arguments: &[&str]) -> Listening {
        Listening::by(&[host], arguments)
    }

    /// A connection that it accepted, with keepalives of these times if there are some.
    fn accept(&mut self, net: &Net, address: &str, port: u16, times: &str) -> TcpStream {
        let address = SocketAddr::new(address.parse().expect("an address"), port);
        let connection = net.connect(&net.client, address);
        self.0.tell(&format!("accept {times}"), "accepted");
        connection
    }
}

#[test]
fn connections_count_and_before_there_is_one_what_it_would_inherit() {
    let Some(net) = hosts() else { return };
    let cases: [(&[&str], &str, _, _); 6] = [
        (&[], "", ("unknown", "nothing", 4), ("unsafe", "accepted", 1)),
        (&[], "150 30 4", ("unknown", "nothing", 4), ("safe", "accepted", 0)),
        (&[], "340 30 4", ("unknown", "nothing", 4), ("unsafe", "accepted", 1)),
        (&["150", "30", "4"], "", ("safe", "inherited", 0), ("safe", "accepted", 0)),
        (&["150", "30", "4"], "7200 75 9", ("safe", "inherited", 0), ("unsafe", "accepted", 1)),
        (&["340", "30", "4"], "100 20 5", ("unsafe", "inherited", 1), ("safe", "accepted", 0)),
    ];
    for (number, (own, accepts, idle, used)) in (0_u16..).zip(cases) {
        let (address, port) = (SERVER[usize::from(number % 2)], 8000 + number);
        let shown = port.to_string();
        let mut program = Listening::on(&net.server, &[&[address, &shown], own].concat());
        let keepalive = if own.is_empty() { "off" } else { "on" };
        let (listener, code) = only(&audit(&net.server, &[]));
        assert_eq!(
            (short(&listener), code),
            ((idle.0, idle.1, keepalive, 0), idle.2),
            "{number}: {listener}"
        );
        if let Some(wanted) = own.first() {
            assert_eq!(times(&listener)[0], wanted.parse().ok(), "{listener}");
            assert_eq!(times(&listener)[1..], [Some(30.0), Some(4.0)], "{listener}");
        }
        assert_eq!(listener["processes"][0]["pid"], program.0.pid());
        let _connection = program.accept(&net, address, port, accepts);
        let (listener, code) = only(&audit(&net.server, &["--port", &shown]));
        assert_eq!(
            (short(&listener), code),
            ((used.0, used.1, keepalive, 1), used.2),
            "{number}: {listener}"
        );
        let accepted = &listener["accepted"][0];
        let inherited = own.join(" ");
        let wanted = if accepts.is_empty() { &inherited } else { accepts };
        let wanted: Vec<Option<f64>> = wanted.split_whitespace().map(|one| one.parse().ok()).collect();
        if wanted.is_empty() {
            assert_eq!(accepted["keepalive"], "off", "{listener}");
        } else {
            assert_eq!(times(accepted)[..], wanted, "{listener}");
        }
        assert_eq!(listener["mend"].is_null(), used.0 == "safe", "{listener}");
    }
}

#[test]
fn a_connection_belongs_to_the_listener_that_fits_best_and_one_bad_is_enough() {
    let Some(net) = hosts() else { return };
    // What the wildcard of IPv6 accepts of IPv4 is its own; what the address accepts is not.
    let mut wide = Listening::on(&net.server, &["::", "80"]);
    let mut narrow = Listening::on(&net.server, &[SERVER[1], "80", "150", "30", "4"]);
    let _one = wide.accept(&net, SERVER[0], 80, "150 30 4");
    let _two = narrow.accept(&net, SERVER[1], 80, "");
    let ended = audit(&net.server, &[]);
    let document = ended.document();
    assert_eq!((ended.code, &document["safe"]), (Some(0), &2.into()), "{document}");
    let listeners = document["listeners"].as_array().expect("listeners");
    for (listener, local) in listeners.iter().zip(["[::]:80".to_owned(), format!("[{}]:80", SERVER[1])]) {
        assert_eq!((&listener["local"], short(listener).3), (&local.as_str().into(), 1), "{document}");
    }
    let _three = wide.accept(&net, SERVER[0], 80, "");
    let ended = audit(&net.server, &[]);
    let document = ended.document();
    assert_eq!((ended.code, &document["unsafe"]), (Some(1), &1.into()), "{document}");
    let reason = document["listeners"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("1 of 2 accepted connections unsafe"), "{reason}");
}

/// A container: namespaces of network and processes of its own, looked at from outside.
#[test]
fn a_container_is_looked_at_by_a_process_of_it() {
    let Some(net) = hosts() else { return };
    let words = [net.server.as_str(), "unshare", "--net", "--pid", "--fork", "--kill-child"];
    let program = Listening::by(&words, &["0.0.0.0", "80", "150", "30", "4"]);
    let children = format!("/proc/{0}/task/{0}/children", program.0.pid());
    let Ok(children) = std::fs::read_to_string(children) else {
        return skip("this kernel does not tell of children");
    };
    let pid = children.split_whitespace().next().expect("the program").to_owned();
    let (listener, code) = only(&audit(&pid, &[]));
    assert_eq!((short(&listener), code), (("safe", "inherited", "on", 0), 0), "{listener}");
    assert_eq!(listener["processes"][0]["pid"].as_u64(), pid.parse().ok());
    let arguments = ["audit", "--timeout", "350s", "--listeners", "--pid", &pid, "--format", "json"];
    let ended = Program::keepscope(&arguments).end();
    assert_eq!(only(&ended), (listener, 0));
    assert!(ended.complaints.contains("in another network namespace"), "{}", ended.complaints);
    assert_eq!(audit(&net.server, &[]).document()["listeners"], serde_json::json!([]));
}

#[test]
fn without_rights_it_is_unknown_unless_a_connection_shows_it() {
    let Some(net) = hosts() else { return };
    let run = |port: &str| {
        let arguments = ["audit", "--timeout", "350s", "--listeners", "--port", port, "--format", "json"];
        only(&Program::without_rights(&net.server, &arguments).end())
    };
    let mut program = Listening::on(&net.server, &[SERVER[0], "80", "150", "30", "4"]);
    let (listener, code) = run("80");
    assert_eq!((short(&listener), code), (("unknown", "nothing", "not_told", 0), 4), "{listener}");
    let why = listener["not_told"].as_str().expect("a reason");
    // Who is root already is not sent to sudo.
    assert!(why.contains("CAP_SYS_PTRACE: root does not have it here"), "{why}");
    assert_eq!(listener["settings"], serde_json::Value::Null);
    let _connection = program.accept(&net, SERVER[0], 80, "");
    // That its timer runs is told to everybody, and what it is set to is not.
    let (listener, code) = run("80");
    assert_eq!((short(&listener), code), (("unknown", "nothing", "not_told", 1), 4), "{listener}");
    assert_eq!(listener["accepted"][0]["keepalive"], "on");
    let mut program = Listening::on(&net.server, &[SERVER[0], "81"]);
    let _connection = program.accept(&net, SERVER[0], 81, "");
    let (listener, code) = run("81");
    assert_eq!((short(&listener), code), (("unsafe", "accepted", "not_told", 1), 1), "{listener}");
}

#[test]
fn files_and_listeners_are_judged_together_and_loopback_is_left_out() {
    let Some(net) = hosts() else { return };
    let _far = Listening::on(&net.server, &[SERVER[0], "80", "150", "30", "4"]);
    let _near = Listening::on(&net.server, &["127.0.0.1", "81", "7200", "75", "9"]);
    let sysctl = scratch("listeners-files").join("sysctl.conf");
    std::fs::write(&sysctl, "net.ipv4.tcp_keepalive_time = 7200\n").expect("a file");
    let ended = audit(&net.server, &[]);
    assert_eq!((short(&only(&ended).0).0, ended.code), ("safe", Some(0)));
    assert_eq!(ended.document()["loopback_left_out"], 1);
    let ended = audit(&net.server, &["--port", "81"]);
    assert_eq!((short(&only(&ended).0).0, ended.code), ("unsafe", Some(1)));
    let ended = audit(&net.server, &[text(&sysctl)]);
    let document = ended.document();
    assert_eq!(document["items"][0]["verdict"], "unsafe");
    assert_eq!((&document["safe"], &document["unsafe"], ended.code), (&1.into(), &1.into(), Some(1)));
    let shown = Program::keepscope(&[
        "audit",
        "--timeout",
        "350s",
        "--listeners",
        "--netns",
        &net.server,
        text(&sysctl),
    ]);
    let shown = shown.end().out;
    for words in [
        "UNSAFE   ",
        "SAFE     192.0.2.2:80  python3[",
        "1 listener on loopback",
        "1 item and 1 listener: 1 safe",
    ] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    for (options, complaint) in [
        (vec!["--port", "99"], "there is no such listener"),
        (vec!["--stack", "freebsd"], "this host's Linux"),
    ] {
        let ended = audit(&net.server, &options);
        assert_eq!(ended.code, Some(2), "{options:?}");
        assert!(ended.complaints.contains(complaint), "{}", ended.complaints);
    }
    let ended = Program::keepscope(&["audit", "--timeout", "350s", "--port", "80", text(&sysctl)]).end();
    assert_eq!(ended.code, Some(2), "{}", ended.complaints);
    assert!(ended.complaints.contains("--listeners"), "{}", ended.complaints);
}
