//! Interfaces that go away, signals, clocks that are set, rights that are missing or given up.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::rc::Rc;

use keepscope::live::clock::{Clock, SystemClock};
use keepscope::live::netns::NetNs;
use keepscope::live::privilege;
use keepscope::live::system::{Need, OpenError, Options, System};
use keepscope::live::wire::{Arrival, Wire};
use keepscope::time::Span;

use crate::net::{Net, SERVER, apart};
use crate::world::{PATIENCE, Told, World, options};

#[test]
fn an_interface_that_goes_down_or_away_is_told_once_and_nothing_hangs() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen_for(&net.server, SERVER[0], 2);
    apart(|| {
        let mut world = World::open(&options(&net.client));
        world.connect(address);
        net.ip(&net.client, "link set c0 down");
        assert_eq!(world.told(), Told::Lost("c0".to_owned()));
        let before = world.frames.len();
        world.quiet(Span::from_millis(50));
        // It comes back, and packets with it.
        net.ip(&net.client, "link set c0 up");
        world.connect(address);
        assert!(world.frames.len() >= before + 3);
        net.ip(&net.client, "link del c0");
        assert_eq!(world.told(), Told::Lost("c0".to_owned()));
        world.quiet(Span::from_millis(50));
        drop(accepting);
    });
}

#[test]
fn interfaces_that_cannot_be_listened_to_are_named() {
    let Some(net) = Net::new() else { return };
    net.ip(&net.client, "link add down0 type veth peer name down1");
    let open = |interface: &str| {
        let wanted = Options { interfaces: vec![interface.to_owned()], ..options(&net.client) };
        apart(|| match System::open(&wanted) {
            Ok(_) => panic!("{interface} can be listened to"),
            Err(error) => (error.to_string(), error.lacks_rights()),
        })
    };
    let (missing, rights) = open("nope0");
    assert!(
        missing.starts_with("there is no interface nope0; there are ") && missing.contains("c0"),
        "{missing}"
    );
    assert!(!rights);
    assert_eq!(open("down0").0, "the interface down0 is down: sudo ip link set down0 up");
}

/// Rights are gone from every set when the first packet is read, and cannot come back.
#[test]
fn all_rights_are_given_up() {
    let Some(net) = Net::new() else { return };
    apart(|| {
        let world = World::open(&options(&net.client));
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("a status");
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            u64::from_str_radix(line.trim(), 16).expect("a number")
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(value(set), 0, "{set}");
        }
        assert_eq!(value("NoNewPrivs:"), 1);
        assert!(world.system.sniffs() && world.system.sends());
        // Nor can another system be opened.
        match System::open(&Options { netns: None, ..options(&net.client) }) {
            Err(error @ OpenError::RightsMissing(_)) => assert!(error.lacks_rights()),
            other => panic!("{:?}", other.err()),
        }
    });
}

#[test]
fn without_rights_a_line_says_what_to_do() {
    apart(|| {
        privilege::give_up().expect("rights that can be given up");
        let required = Options { sniff: Need::Required, ..Options::default() };
        let error = System::open(&required).err().expect("no rights");
        let program = std::env::current_exe().expect("a program");
        assert_eq!(
            error.to_string(),
            format!(
                "seeing packets needs CAP_NET_RAW: sudo setcap cap_net_raw+ep {}, or run it by sudo",
                program.display()
            )
        );
        let sending = Options { send: Need::Required, ..Options::default() };
        assert!(
            System::open(&sending).err().expect("no rights").to_string().starts_with("sending raw packets ")
        );

        // Where they are not required, connections are there without them.
        let allowed = Options { sniff: Need::IfAllowed, send: Need::IfAllowed, ..Options::default() };
        let system = System::open(&allowed).expect("no rights are needed");
        assert!(!system.sniffs() && !system.sends());
    });
}

#[test]
fn a_namespace_that_cannot_be_entered_is_named() {
    let missing = NetNs::Name("no-such-namespace".to_owned());
    let open = |netns: NetNs| {
        apart(|| {
            System::open(&Options { netns: Some(netns), ..Options::default() }).err().expect("no namespace")
        })
    };
    let error = open(missing);
    assert_eq!(
        error.to_string(),
        "there is no network namespace no-such-namespace (ip netns list shows them)"
    );
    assert!(!error.lacks_rights());
    let denied = apart(|| {
        privilege::give_up().expect("rights that can be given up");
        NetNs::Process(std::process::id()).enter().expect_err("no rights")
    });
    assert!(denied.to_string().contains("CAP_SYS_ADMIN"), "{denied}");
}

/// The namespace of a process is that of its name.
#[test]
fn a_namespace_is_entered_by_a_process_too() {
    let Some(net) = Net::new() else { return };
    let (address, accepting) = net.listen(&net.server, SERVER[0]);
    let mut inside =
        Command::new("ip").args(["netns", "exec", &net.client, "sleep", "60"]).spawn().expect("a process");
    // `ip` has entered the namespace when it has become `sleep`.
    let name = format!("/proc/{}/comm", inside.id());
    while std::fs::read_to_string(&name).expect("a process").trim() != "sleep" {
        std::thread::yield_now();
    }
    apart(|| {
        let mut world =
            World::open(&Options { netns: Some(NetNs::Process(inside.id())), ..options(&net.client) });
        world.connect(address);
    });
    drop(accepting);
    inside.kill().expect("a process");
    inside.wait().expect("its end");
}

#[test]
fn a_signal_is_told() {
    let Some(net) = Net::new() else { return };
    apart(|| {
        let mut world = World::open(&Options { signals: true, ..options(&net.client) });
        // Sent to this very process: nothing else in it takes signals.
        let sent =
            Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().expect("kill");
        assert!(sent.success());
        assert_eq!(world.told(), Told::Interrupted);
        world.quiet(Span::from_millis(20));
    });
}

/// The machine's clocks, and what a test adds to the one that may be set.
#[derive(Clone)]
struct Set(Rc<Cell<i64>>);

impl Clock for Set {
    fn since_boot(&self) -> i64 {
        SystemClock.since_boot()
    }

    fn real(&self) -> i64 {
        SystemClock.real() + self.0.get()
    }
}

#[test]
fn a_step_of_the_clock_is_told_once_and_time_goes_on() {
    let Some(net) = Net::new() else { return };
    apart(|| {
        let clock = Set(Rc::new(Cell::new(0)));
        let mut system = System::open_with(&options(&net.client), clock.clone()).expect("a system");
        let before = system.now();
        clock.0.set(-3_600_000_000_000);
        let until = before.plus(PATIENCE);
        match system.next(Some(until)).expect("a world that goes on") {
            Arrival::ClockStepped { nanos } => {
                assert!((nanos + 3_600_000_000_000).abs() < 1_000_000, "{nanos}")
            }
            other => panic!("{other:?}"),
        }
        let now = system.now();
        assert!(now >= before && now.since(before) < PATIENCE);
        let soon = now.plus(Span::from_millis(5));
        assert!(matches!(system.next(Some(soon)), Ok(Arrival::Deadline)));
        assert!(system.now() >= soon);
    });
}

/// Deadlines are met, and what has passed already is told at once.
#[test]
fn deadlines_are_told_when_they_have_come() {
    let Some(net) = Net::new() else { return };
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let start = world.system.now();
        for millis in [0, 1, 3, 2, 40, 40] {
            let until = start.plus(Span::from_millis(millis));
            assert!(matches!(world.system.next(Some(until)), Ok(Arrival::Deadline)));
            assert!(world.system.now() >= until);
        }
        // The time at which nothing hangs any more; how late deadlines are is measured by a benchmark.
        assert!(world.system.now().since(start) < PATIENCE);
    });
}

/// The doctor as a program, as somebody else.
fn doctor_as_nobody(arguments: &[&str]) -> Output {
    // A copy that nobody may read and run, wherever the build is.
    let folder = std::env::temp_dir().join(format!("keepscope-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let copy = folder.join("keepscope");
    std::fs::copy(env!("CARGO_BIN_EXE_keepscope"), &copy).expect("a copy");
    // Who becomes another user keeps the environment: a home that may not be looked into.
    let home = folder.join("home");
    std::fs::create_dir(&home).expect("a folder");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&home, closed).expect("the owner");
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(&copy)
        .arg("doctor")
        .env_remove("XDG_CONFIG_HOME")
        .env("HOME", &home)
        .args(arguments)
        .output()
        .expect("setpriv");
    std::fs::remove_dir_all(&folder).expect("a folder");
    output
}

#[test]
fn the_doctor_says_what_is_missing_and_what_mends_it() {
    let Some(net) = Net::new() else { return };
    let examine = |arguments: &[&str]| {
        let all: Vec<&str> = ["doctor", "--format", "json"].iter().chain(arguments).copied().collect();
        let output = crate::common::keepscope(&all);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
        (output.status.code(), document)
    };
    net.on(&net.client, || {
        std::fs::write("/proc/sys/net/ipv4/tcp_keepalive_time", "321").expect("a setting")
    })
    .result();
    let (code, document) = examine(&["--netns", &net.client]);
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "keepscope.doctor/1");
    assert_eq!(document["probing"], "works");
    assert_eq!(document["settings"]["keepalive_idle_s"], 321);
    let interfaces = document["interfaces"].as_array().expect("interfaces");
    let c0 = interfaces.iter().find(|interface| interface["name"] == "c0").expect("c0");
    assert_eq!((&c0["up"], &c0["kind"], &c0["mtu"]), (&true.into(), &"ethernet".into(), &1500.into()));
    assert!(c0["addresses"].as_array().expect("addresses").contains(&"192.0.2.1/24".into()));

    net.ip(&net.client, "link set c0 down");
    net.ip(&net.client, "link set lo down");
    let (code, document) = examine(&["--netns", &net.client]);
    assert_eq!((code, &document["probing"]), (Some(1), &"unusable".into()));
    assert_eq!(document["lacks"][0]["mend"], "sudo ip link set lo up");

    let output = doctor_as_nobody(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["probing"], "rights_missing");
    assert_eq!(document["sockets"]["packet"], "denied");
    let mend = document["lacks"][0]["mend"].as_str().expect("a command");
    assert!(mend.starts_with("sudo setcap cap_net_raw+ep /") && mend.ends_with("/keepscope"), "{mend}");
    let output = doctor_as_nobody(&["--netns", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}

/// Addresses are as `SocketAddr` writes them, so that nothing here depends on a resolver.
#[test]
fn link_local_peers_are_reached_through_their_interface() {
    let Some(net) = Net::new() else { return };
    net.ip(&net.client, "addr add fe80::c/64 dev c0 nodad");
    net.ip(&net.server, "addr add fe80::5/64 dev s0 nodad");
    let (say, hear) = std::sync::mpsc::channel();
    let accepting = net.on(&net.server, move || {
        let scope = pnet::datalink::interfaces().iter().find(|one| one.name == "s0").expect("s0").index;
        let address = std::net::SocketAddrV6::new("fe80::5".parse().expect("an address"), 0, 0, scope);
        let listener = std::net::TcpListener::bind(address).expect("a listener");
        say.send(listener.local_addr().expect("an address").port()).expect("a test that waits");
        listener.accept().expect("a connection").0
    });
    let port = hear.recv().expect("a port");
    apart(|| {
        let mut world = World::open(&options(&net.client));
        let scope = world.system.listening().find(|one| one.name() == "c0").expect("c0").index();
        let peer = std::net::SocketAddrV6::new("fe80::5".parse().expect("an address"), port, 0, scope);
        world.connect(SocketAddr::V6(peer));
        let _peer = accepting.result();
        world.probe(0, b"\0");
        assert_eq!(world.frames(5)[4].segment().ack, world.frames[0].segment().seq.plus(1));
    });
}
