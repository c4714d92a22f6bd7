//! Two hosts in namespaces, what they run, and tcpdump as a witness.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use keepscope::live::netns::NetNs;
use socket2::{Domain, Socket, Type};

use crate::common::skip;

/// Two hosts, each a namespace, joined by a veth pair `c0` – `s0`. They go away with the value.
pub struct Net {
    /// The name of the client's namespace.
    pub client: String,
    /// The name of the server's namespace.
    pub server: String,
    worker: mpsc::Sender<Work>,
}

/// The client's addresses.
pub const CLIENT: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
/// The server's addresses.
pub const SERVER: [&str; 2] = ["192.0.2.2", "2001:db8:1::2"];

impl Net {
    /// Makes them; none, with a word about it, where this machine does not allow it.
    pub fn new() -> Option<Net> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for program in ["ip", "tcpdump"] {
            let run =
                Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if run.is_err() {
                skip(&format!("{program} is not installed"));
                return None;
            }
        }
        let unique = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Net { client: format!("kwc{unique}"), server: format!("kws{unique}"), worker: worker() };
        for name in [&net.client, &net.server] {
            let made = Command::new("ip").args(["netns", "add", name]).output().expect("ip");
            if !made.status.success() {
                skip(&format!("no network namespaces: {}", String::from_utf8_lossy(&made.stderr).trim()));
                return None;
            }
        }
        let (client, server) = (net.client.as_str(), net.server.as_str());
        ip(&format!("-n {client} link add c0 type veth peer name s0 netns {server}"));
        for (host, device, addresses) in [(client, "c0", CLIENT), (server, "s0", SERVER)] {
            ip(&format!("-n {host} addr add {}/24 dev {device}", addresses[0]));
            ip(&format!("-n {host} addr add {}/64 dev {device} nodad", addresses[1]));
            ip(&format!("-n {host} link set {device} up"));
            ip(&format!("-n {host} link set lo up"));
        }
        Some(net)
    }

    /// Runs something on a host, on a thread with all rights, whatever the caller gave up.
    pub fn on<T: Send + 'static>(&self, host: &str, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let host = NetNs::Name(host.to_owned());
        let (say, hear) = mpsc::channel();
        let job = move || {
            host.enter().expect("the namespace");
            // Whoever does not wait for it does not want it.
            let _ = say.send(work());
        };
        self.worker.send(Box::new(job)).expect("a thread that works");
        Job(hear)
    }

    /// Gives the server's firewall a rule.
    pub fn nft(&self, rule: &str) {
        let output =
            Command::new("ip").args(["netns", "exec", &self.server, "nft", rule]).output().expect("nft");
        assert!(output.status.success(), "{rule}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `ip` on a host.
    pub fn ip(&self, host: &str, arguments: &'static str) {
        self.on(host, move || ip(arguments)).result();
    }

    /// Opens an ordinary connection from a host.
    pub fn connect(&self, host: &str, address: SocketAddr) -> TcpStream {
        self.on(host, move || TcpStream::connect(address).expect("a connection")).result()
    }

    /// Accepts connections on a host, as many as are asked for, and hands them over; they are held until dropped.
    pub fn listen_for(&self, host: &str, address: &str, count: usize) -> (SocketAddr, Job<Vec<TcpStream>>) {
        let address = address.parse::<IpAddr>().expect("an address");
        let (say, hear) = mpsc::channel();
        let accepting = self.on(host, move || {
            let listener = listener((address, 0).into());
            say.send(listener.local_addr().expect("an address")).expect("a test that waits");
            (0..count).map(|_| listener.accept().expect("a connection").0).collect()
        });
        (hear.recv().expect("a listener"), accepting)
    }

    /// Accepts one connection on a host.
    pub fn listen(&self, host: &str, address: &str) -> (SocketAddr, Job<Vec<TcpStream>>) {
        self.listen_for(host, address, 1)
    }
}

/// Something that is done on a host.
pub struct Job<T>(mpsc::Receiver<T>);

impl<T> Job<T> {
    /// What came of it.
    pub fn result(self) -> T {
        self.0.recv_timeout(Duration::from_secs(60)).expect("work that ends well")
    }
}

impl Job<Vec<TcpStream>> {
    /// The one connection.
    pub fn one(self) -> TcpStream {
        self.result().pop().expect("a connection")
    }
}

/// A listener that takes hundreds of connections before one is accepted; the standard library's takes 128 and
/// leaves the others half open.
fn listener(address: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.bind(&address.into()).expect("an address");
    socket.listen(1024).expect("a listener");
    socket.into()
}

type Work = Box<dyn FnOnce() + Send>;

/// A thread that starts others, so that they have the rights that it has.
fn worker() -> mpsc::Sender<Work> {
    let (sender, receiver) = mpsc::channel::<Work>();
    std::thread::spawn(move || {
        for work in receiver {
            std::thread::spawn(work);
        }
    });
    sender
}

impl Net {
    /// Joins the hosts by a device without a link layer, too; nothing, with a word about it, where this machine
    /// has none.
    pub fn tun(&self) -> Option<Tun> {
        if !std::path::Path::new("/dev/net/tun").exists() {
            skip("there is no /dev/net/tun");
            return None;
        }
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live_wire/tun.py");
        let spawned = Command::new("python3")
            .arg(script)
            .args([&self.client, &self.server, "t0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            skip("python3 is not installed");
            return None;
        };
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut said).expect("a line");
        assert_eq!(said, "ready\n");
        for (host, addresses) in [(&self.client, TUN_CLIENT), (&self.server, TUN_SERVER)] {
            ip(&format!("-n {host} addr add {}/24 dev t0", addresses[0]));
            ip(&format!("-n {host} addr add {}/64 dev t0 nodad", addresses[1]));
            ip(&format!("-n {host} link set t0 up"));
        }
        Some(Tun(child))
    }
}

/// The client's addresses on the TUN device.
pub const TUN_CLIENT: [&str; 2] = ["198.51.100.1", "2001:db8:2::1"];
/// The server's addresses on the TUN device.
pub const TUN_SERVER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

/// TUN devices that go away with the value.
pub struct Tun(Child);

impl Drop for Tun {
    fn drop(&mut self) {
        // Its standard input is closed.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in [&self.client, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// Runs `ip`.
fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a test's work on a thread of its own: rights and namespaces belong to threads.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// A packet as tcpdump saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Nanoseconds since 1970.
    pub nanos: i64,
    /// The frame.
    pub octets: Vec<u8>,
}

/// tcpdump on an interface, read from a pipe: nothing is waited for but packets.
pub struct Tcpdump {
    child: Child,
    pipe: BufReader<ChildStdout>,
}

impl Tcpdump {
    /// Listens already when it returns.
    pub fn on(host: &str, interface: &str, filter: &str) -> Tcpdump {
        let mut child = Command::new("ip")
            .args(["netns", "exec", host, "timeout", "60", "tcpdump", "-i", interface])
            // Its ring has a place of the snapshot's length for each packet.
            .args(["--time-stamp-precision=nano", "--immediate-mode", "-U", "-n", "-s", "2000", "-B", "8192"])
            .args(["-w", "-", filter])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).expect("a line") > 0, "tcpdump ended");
        }
        // It must not be stopped by a full pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let mut pipe = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut header = [0; 24];
        pipe.read_exact(&mut header).expect("a file header");
        assert_eq!(header[..4], 0xa1b2_3c4d_u32.to_ne_bytes(), "pcap with nanoseconds");
        Tcpdump { child, pipe }
    }

    /// The next packets.
    pub fn packets(&mut self, count: usize) -> Vec<Witnessed> {
        let mut packets = Vec::new();
        for _ in 0..count {
            let mut header = [0; 16];
            self.pipe.read_exact(&mut header).expect("a packet");
            let mut octets = vec![0; word(&header[8..]) as usize];
            self.pipe.read_exact(&mut octets).expect("a packet");
            let nanos = i64::from(word(&header)) * 1_000_000_000 + i64::from(word(&header[4..]));
            packets.push(Witnessed { nanos, octets });
        }
        packets
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        // The end of `timeout` ends what it runs.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn word(octets: &[u8]) -> u32 {
    u32::from_ne_bytes(octets[..4].try_into().expect("four octets"))
}
