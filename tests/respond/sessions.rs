//! Sessions on loopback: what is asked is sent, and what comes back is told.

use std::process::Command;
use std::time::Duration;

use keepscope::partner::client::{Options, Told};
use keepscope::partner::message::{Back, Ending, Form, NotSent, Number};
use keepscope::time::Span;
use socket2::SockRef;

use crate::near::{Near, all_that_comes, secret, uptime};
use crate::program::Program;
use crate::{Responding, common};

const WATCH: Span = Span::from_secs(10);

/// The timer of the responder's side of a connection, as the kernel shows it: 00 is none, 02 keepalive.
fn timer(local: u16, remote: u16) -> String {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let (local, remote) = (format!(":{local:04X}"), format!(":{remote:04X}"));
    let line = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut of_it = line.filter(|fields| fields[1].ends_with(&local) && fields[2].ends_with(&remote));
    of_it.next().expect("the connection")[5][..2].to_owned()
}

#[test]
fn octets_come_when_they_are_asked_for() {
    let mut responding = Responding::new(&["--once"]);
    let mut near = Near::at(responding.address);
    let mut tested = near.join(4);
    let own = tested.stream.local_addr().expect("an address");
    let ends = (tested.joined.seen.local.to_string(), tested.joined.seen.remote.to_string());
    assert_eq!(ends, (responding.address.to_string(), own.to_string()));
    let joined = responding.told("joined");
    assert_eq!((&joined["number"], &joined["remote"]), (&4.into(), &own.to_string().into()));
    tested.arm();
    let (id, idle) = near.ask(4, Form::Data(3), WATCH);
    tested.probes(3);
    let Back::Acknowledged { after } = near.back(id) else { panic!("nothing came back") };
    assert!(after < Span::from_secs(5) && idle < Span::from_secs(5), "{after} {idle}");
    // Later, and silent until then.
    let later =
        near.client.ask(Number(4), Form::Data(1), Span::from_millis(1_200), WATCH).expect("a session");
    let before = uptime();
    near.write();
    tested.probes(1);
    let waited = uptime() - before;
    assert!(waited > Duration::from_millis(1_000), "{waited:?}");
    let Told::Sent { ask, idle, .. } = near.next() else { panic!("it left") };
    assert!(ask.id == later && idle >= Span::from_secs(1), "{idle}");
    assert!(matches!(near.back(later), Back::Acknowledged { .. }));
    // No timer runs between: nothing would ever leave by itself.
    assert_eq!(timer(responding.address.port(), own.port()), "00");
    near.bye();
    assert!(all_that_comes(&mut tested.stream).is_empty());
    let ended = responding.program.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains(r#""reason":"bye""#), "{}", ended.out);
}

#[test]
fn the_ends_of_connections_are_told_as_they_are() {
    let mut responding = Responding::new(&[]);
    let mut near = Near::at(responding.address);
    // A FIN, a RST, and octets that make no sense.
    let fin = near.join(1);
    drop(fin);
    let ended = |told: Told| match told {
        Told::Ended { number, how, .. } => (number.0, how),
        other => panic!("{other:?}"),
    };
    assert_eq!(ended(near.next()), (1, Ending::Fin));
    let rst = near.join(2);
    SockRef::from(&rst.stream).set_linger(Some(Duration::ZERO)).expect("a linger");
    drop(rst);
    assert_eq!(ended(near.next()), (2, Ending::Reset));
    let mut strange = near.join(3);
    std::io::Write::write_all(&mut strange.stream, b"GET / HTTP/1.1\r\n").expect("written");
    assert_eq!(ended(near.next()), (3, Ending::Strange));
    assert!(all_that_comes(&mut strange.stream).is_empty());
    let told = [responding.told("ended"), responding.told("ended"), responding.told("ended")];
    assert_eq!(told.map(|line| line["how"].clone()), ["fin", "reset", "strange"]);
    // What was closed by request.
    let mut closed = near.join(4);
    near.client.close(Number(4), false);
    near.write();
    assert!(all_that_comes(&mut closed.stream).is_empty());
    let id = near.client.ask(Number(4), Form::Data(1), Span::ZERO, WATCH).expect("a session");
    let Told::NotSent { ask, why } = near.next() else { panic!("there is no such connection") };
    assert_eq!((ask.id, why), (id, NotSent::NoConnection));
    near.bye();
}

#[test]
fn without_rights_the_kernel_sends_its_own_keepalive_probe() {
    if !common::has("setpriv") {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--", env!("CARGO_BIN_EXE_keepscope")]);
    command.args(["respond", "--listen", "127.0.0.1:0", "--format", "jsonl"]);
    let mut responding = Responding::of(Program::start(command));
    let address = responding.address;
    let open = move || std::net::TcpStream::connect(address).expect("a connection");
    let none = keepscope::partner::secret::Secret::none();
    let mut near = Near::open(none, Options::default(), open).expect("a session");
    let abilities = near.client.welcome().expect("a session").abilities;
    assert!(abilities.keepalive && !abilities.garbage && !abilities.strays, "{abilities:?}");
    let mut tested = near.join(1);
    tested.arm();
    // Its timer takes a second of silence; only a machine that was slow for that long is not too early.
    let id = near.client.ask(Number(1), Form::Keepalive(0), Span::ZERO, WATCH).expect("a session");
    match near.next() {
        Told::NotSent { ask, why: NotSent::Refused } => assert_eq!(ask.id, id),
        Told::Sent { idle, .. } if idle >= Span::from_secs(1) => drop(near.back(id)),
        other => panic!("{other:?}"),
    }
    for _ in 0..2 {
        let wait = Span::from_millis(1_500);
        let id = near.client.ask(Number(1), Form::Keepalive(0), wait, WATCH).expect("a session");
        let Told::Sent { ask, idle, .. } = near.next() else { panic!("it left") };
        assert!(ask.id == id && idle >= Span::from_secs(1) && idle < Span::from_secs(20), "{idle}");
        assert!(matches!(near.back(id), Back::Acknowledged { .. }));
    }
    let own = tested.stream.local_addr().expect("an address");
    assert_eq!(timer(address.port(), own.port()), "00", "the kernel's timer is off again");
    let id = near.client.ask(Number(1), Form::Keepalive(1), Span::ZERO, WATCH).expect("a session");
    let Told::NotSent { ask, why: NotSent::NotAble } = near.next() else { panic!("without rights") };
    assert_eq!(ask.id, id);
    // The connection still works.
    let (id, _) = near.ask(1, Form::Data(1), WATCH);
    tested.probes(1);
    assert!(matches!(near.back(id), Back::Acknowledged { .. }));
    assert_eq!(responding.told("sent")["form"], "keepalive");
    near.bye();
}

#[test]
fn a_session_whose_client_stops_is_closed_as_a_whole() {
    let mut responding = Responding::new(&["--expire", "2s"]);
    let options = Options { fresh: Span::from_millis(500), ..Options::default() };
    let address = responding.address;
    let open = move || std::net::TcpStream::connect(address).expect("a connection");
    let mut near = Near::open(secret(), options, open).expect("a session");
    let mut tested = [near.join(1), near.join(2)];
    // From here on nobody pings.
    let over = responding.told("session_over");
    assert_eq!((&over["reason"], &over["connections"]), (&"expired".into(), &2.into()));
    for one in &mut tested {
        assert!(all_that_comes(&mut one.stream).is_empty());
    }
    assert!(!all_that_comes(&mut near.control).is_empty(), "it says why");
    // Another session begins as if nothing had been.
    Near::at(address).bye();
}

#[test]
fn many_connections_of_a_session_each_get_their_own() {
    let responding = Responding::new(&[]);
    let mut near = Near::at(responding.address);
    let mut tested: Vec<_> = (0..66).map(|number| near.join(number)).collect();
    tested.iter_mut().for_each(|one| one.arm());
    for number in 0..66 {
        near.client.ask(Number(number), Form::Data(1), Span::ZERO, WATCH).expect("a session");
    }
    let (mut sent, mut back) = (Vec::new(), Vec::new());
    while back.len() < 66 {
        match near.next() {
            Told::Sent { ask, .. } => sent.push(ask.number.0),
            Told::Back { ask, back: Back::Acknowledged { .. }, .. } => back.push(ask.number.0),
            other => panic!("{other:?}"),
        }
    }
    tested.iter_mut().for_each(|one| one.probes(1));
    back.sort_unstable();
    assert_eq!(sent, (0..66).collect::<Vec<_>>());
    assert_eq!(back, sent);
    near.bye();
}
