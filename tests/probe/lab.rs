//! Three hosts in namespaces: client `c0` – `r0` router `r1` – `s0` server, and what runs on the server.

use std::io::Read;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use keepscope::live::netns::NetNs;

use crate::common::skip;

/// The server's addresses.
pub const SERVER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The namespaces; they go away with the value.
pub struct Lab {
    pub client: String,
    pub router: String,
    pub server: String,
}

impl Lab {
    /// Makes them; none, with a word about it, where this machine does not allow it.
    pub fn new() -> Option<Lab> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for (program, argument) in [("ip", "-V"), ("tcpdump", "--version"), ("nft", "--version")] {
            let run =
                Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if run.is_err() {
                skip(&format!("{program} is not installed"));
                return None;
            }
        }
        let unique = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let [client, router, server] = ["c", "r", "s"].map(|host| format!("kp{host}{unique}"));
        let lab = Lab { client, router, server };
        for name in [&lab.client, &lab.router, &lab.server] {
            let made = Command::new("ip").args(["netns", "add", name]).output().expect("ip");
            if !made.status.success() {
                skip(&format!("no network namespaces: {}", String::from_utf8_lossy(&made.stderr).trim()));
                return None;
            }
            ip(&format!("-n {name} link set lo up"));
        }
        lab.wire();
        Some(lab)
    }

    fn wire(&self) {
        let Lab { client, router, server } = self;
        ip(&format!("-n {client} link add c0 type veth peer name r0 netns {router}"));
        ip(&format!("-n {server} link add s0 type veth peer name r1 netns {router}"));
        self.run(router, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        for (host, device, v4, v6) in [
            (client, "c0", "192.0.2.1", "2001:db8:1::1"),
            (router, "r0", "192.0.2.254", "2001:db8:1::fe"),
            (router, "r1", "198.51.100.254", "2001:db8:2::fe"),
            (server, "s0", SERVER[0], SERVER[1]),
        ] {
            ip(&format!("-n {host} addr add {v4}/24 dev {device}"));
            ip(&format!("-n {host} addr add {v6}/64 dev {device} nodad"));
            ip(&format!("-n {host} link set {device} up"));
        }
        for (host, v4, v6) in
            [(client, "192.0.2.254", "2001:db8:1::fe"), (server, "198.51.100.254", "2001:db8:2::fe")]
        {
            ip(&format!("-n {host} route add default via {v4}"));
            ip(&format!("-n {host} -6 route add default via {v6}"));
        }
        // The first packet over IPv6 may wait until the links are up and the neighbours known.
        let client = NetNs::Name(client.clone());
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

    /// Runs a program on a host; returns what it says.
    pub fn run(&self, host: &str, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        exec(host, &words)
    }

    /// Adds rules to a host.
    pub fn nft(&self, host: &str, rules: &[&str]) {
        for rule in rules {
            exec(host, &["nft", rule]);
        }
    }

    /// Drops everything that comes to a host.
    pub fn silence(&self, host: &str) {
        self.nft(
            host,
            &[
                "add table inet q",
                "add chain inet q in { type filter hook input priority 0 ; }",
                "add rule inet q in meta l4proto tcp drop",
            ],
        );
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in [&self.client, &self.router, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

fn exec(host: &str, words: &[&str]) -> String {
    let output =
        Command::new("ip").args(["netns", "exec", host]).args(words).output().expect("ip netns exec");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {complaint}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs `ip`.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until something is so.
#[expect(clippy::disallowed_methods, reason = "waiting for other programs")]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Accepts connections on the server, on one port of both IP versions, and closes those that the peer closes.
pub struct Server {
    pub port: u16,
    held: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    pub fn on(lab: &Lab) -> Server {
        let host = NetNs::Name(lab.server.clone());
        let held = Arc::new(Mutex::new(Vec::new()));
        let (say, hear) = mpsc::channel();
        let accepted = Arc::clone(&held);
        // Namespaces belong to threads; this one goes away with the process.
        std::thread::spawn(move || {
            host.enter().expect("the namespace");
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a listener");
            say.send(listener.local_addr().expect("an address").port()).expect("a test that waits");
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let mut reads = stream.try_clone().expect("a descriptor");
                accepted.lock().expect("the connections").push(stream);
                let accepted = Arc::clone(&accepted);
                std::thread::spawn(move || {
                    let end = reads.peer_addr();
                    while reads.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
                    let _ = reads.shutdown(std::net::Shutdown::Both);
                    let other = |stream: &TcpStream| stream.peer_addr().ok() != end.as_ref().ok().copied();
                    accepted.lock().expect("the connections").retain(other);
                });
            }
        });
        Server { port: hear.recv().expect("a listener"), held }
    }

    /// Where it listens, as an argument: IPv4 or IPv6.
    pub fn target(&self, version: usize) -> String {
        SocketAddr::new(SERVER[version].parse().expect("an address"), self.port).to_string()
    }

    /// Waits for a connection.
    fn accepted(&self) {
        until("a connection", || !self.held.lock().expect("the connections").is_empty());
    }

    /// Sends data on all connections.
    pub fn say(&self, data: &[u8]) {
        use std::io::Write;
        self.accepted();
        for stream in self.held.lock().expect("the connections").iter_mut() {
            stream.write_all(data).expect("data can be sent");
        }
    }

    /// Closes all connections by FIN.
    pub fn close(&self) {
        self.accepted();
        for stream in self.held.lock().expect("the connections").iter() {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    /// Forgets all connections: nobody hears of it, as when a host starts again.
    pub fn forget(&self, lab: &Lab) {
        self.accepted();
        lab.nft(
            &lab.server,
            &[
                "add table inet f",
                "add chain inet f out { type filter hook output priority 0 ; }",
                "add rule inet f out tcp flags & (fin|rst) != 0 drop",
            ],
        );
        for stream in self.held.lock().expect("the connections").drain(..) {
            let socket = socket2::SockRef::from(&stream);
            socket.set_linger(Some(Duration::ZERO)).expect("linger");
            // Whoever reads from it has it, too, until that ends.
            stream.shutdown(std::net::Shutdown::Both).expect("it is open");
        }
        let name = format!(":{}", self.port);
        until("the connection is forgotten", || {
            let sockets = lab.run(&lab.server, "ss -tanH");
            !sockets.lines().any(|line| line.contains(&name) && !line.starts_with("LISTEN"))
        });
        lab.nft(&lab.server, &["delete table inet f"]);
    }
}
