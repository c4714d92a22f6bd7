//! Hosts in a row, each a namespace: client – box – … – server, and what runs on them.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use keepscope::live::netns::NetNs;

use crate::common::skip;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The networks from the client to the server where there are so many boxes between, by what is before the last part
/// of an address.
const NETWORKS: [(&str, &str); 3] =
    [("192.0.2.", "2001:db8:1::"), ("203.0.113.", "2001:db8:3::"), ("198.51.100.", "2001:db8:2::")];

/// The server's addresses.
pub const SERVER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

/// The namespaces; they go away with the value. On each, `left` is towards the client and `right` towards the server.
pub struct Lab {
    pub client: String,
    pub boxes: Vec<String>,
    pub server: String,
}

impl Lab {
    /// Makes them, with one box between client and server or two; none, with a word about it, where this machine does
    /// not allow it.
    pub fn new(boxes: usize) -> Option<Lab> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for (program, argument) in [("ip", "-V"), ("nft", "--version"), ("ss", "-V")] {
            let run =
                Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if run.is_err() {
                skip(&format!("{program} is not installed"));
                return None;
            }
        }
        let unique = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = |host: &str| format!("km{host}{unique}");
        let lab = Lab {
            client: name("c"),
            boxes: (0..boxes).map(|number| name(&format!("b{number}"))).collect(),
            server: name("s"),
        };
        for host in lab.hosts() {
            let made = Command::new("ip").args(["netns", "add", host]).output().expect("ip");
            if !made.status.success() {
                skip(&format!("no network namespaces: {}", String::from_utf8_lossy(&made.stderr).trim()));
                return None;
            }
            ip(&format!("-n {host} link set lo up"));
        }
        lab.wire();
        Some(lab)
    }

    fn hosts(&self) -> Vec<&str> {
        let boxes = self.boxes.iter().map(String::as_str);
        [self.client.as_str()].into_iter().chain(boxes).chain([self.server.as_str()]).collect()
    }

    fn wire(&self) {
        let hosts = self.hosts();
        let links = hosts.len() - 1;
        let networks: Vec<_> = if links == 2 { vec![NETWORKS[0], NETWORKS[2]] } else { NETWORKS.to_vec() };
        assert_eq!(networks.len(), links, "one box or two");
        for (link, (v4, v6)) in networks.iter().enumerate() {
            let (left, right) = (hosts[link], hosts[link + 1]);
            ip(&format!("-n {left} link add right type veth peer name left netns {right}"));
            for (host, device, end) in [(left, "right", 1), (right, "left", 2)] {
                ip(&format!("-n {host} addr add {v4}{end}/24 dev {device}"));
                ip(&format!("-n {host} addr add {v6}{end}/64 dev {device} nodad"));
                ip(&format!("-n {host} link set {device} up"));
            }
        }
        for (place, host) in hosts.iter().enumerate() {
            if place < links {
                let (v4, v6) = networks[place];
                ip(&format!("-n {host} route add default via {v4}2"));
                ip(&format!("-n {host} -6 route add default via {v6}2"));
            }
            for (v4, v6) in networks.iter().take(place.saturating_sub(1)) {
                let (before_v4, before_v6) = networks[place - 1];
                ip(&format!("-n {host} route add {v4}0/24 via {before_v4}1"));
                ip(&format!("-n {host} -6 route add {v6}/64 via {before_v6}1"));
            }
        }
        for host in &self.boxes {
            run(host, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        }
        // The first packet over IPv6 may wait until the links are up and the neighbours known.
        let client = NetNs::Name(self.client.clone());
        let trying = std::thread::spawn(move || {
            client.enter().expect("the namespace");
            let nobody = SocketAddr::new(SERVER[1].parse().expect("an address"), 9);
            until("the server refuses over IPv6", || {
                let tried = TcpStream::connect_timeout(&nobody, Duration::from_secs(1));
                tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
            });
        });
        trying.join().expect("the way to the server");
    }

    /// Sets how long a box keeps an idle connection.
    pub fn forgets_after(&self, number: usize, seconds: u32) {
        let setting = format!("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established={seconds}");
        run(&self.boxes[number], &setting);
    }

    /// Gives a box rules.
    pub fn rules(&self, number: usize, rules: &[&str]) {
        for rule in rules {
            exec(&self.boxes[number], &["nft", rule]);
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in self.hosts() {
            let _ = Command::new("ip").args(["netns", "del", host]).output();
        }
    }
}

/// A program on a host that goes away with the value. Made before the lab's namespaces are dropped.
pub struct Running(pub Child);

impl Running {
    /// Starts it.
    pub fn on(host: &str, words: &[&str]) -> Running {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", host]).args(words);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Running(quiet.spawn().expect("ip netns exec"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until somebody listens on a port of a host.
pub fn until_listening(host: &str, port: u16) {
    let name = format!(":{port}");
    until("a listener", || run(host, "ss -tlnH").split_whitespace().any(|word| word.ends_with(&name)));
}

/// Runs a program on a host; returns what it says.
pub fn run(host: &str, command: &str) -> String {
    exec(host, &command.split_whitespace().collect::<Vec<_>>())
}

fn exec(host: &str, words: &[&str]) -> String {
    let output =
        Command::new("ip").args(["netns", "exec", host]).args(words).output().expect("ip netns exec");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The time, by which other programs run.
#[expect(clippy::disallowed_methods, reason = "other programs take real time")]
pub fn clock() -> Instant {
    Instant::now()
}

/// Waits until something is so.
#[expect(clippy::disallowed_methods, reason = "waiting for other programs")]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = clock();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
