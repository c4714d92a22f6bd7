//! Two hosts in namespaces, what they run, and tcpdump as a witness.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use keepscope::live::netns::NetNs;

use crate::common::skip;

/// Two hosts, each a namespace, joined by a veth pair `c0` – `s0`. They go away with the value.
pub struct Net {
    /// The name of the client's namespace.
    pub client: String,
    /// The name of the server's namespace.
    pub server: String,
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
        let net = Net { client: format!("kwc{unique}"), server: format!("kws{unique}") };
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

    /// Runs a program in a namespace; returns what it says.
    pub fn run(&self, host: &str, command: &str) -> String {
        let output = Command::new("ip")
            .args(["netns", "exec", host])
            .args(command.split_whitespace())
            .output()
            .expect("ip netns exec");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {complaint}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Accepts one connection on a host and hands it over; it is held until dropped.
    pub fn listen(&self, host: &str, address: &str) -> (SocketAddr, JoinHandle<TcpStream>) {
        let (host, address) = (NetNs::Name(host.to_owned()), address.parse::<IpAddr>().expect("an address"));
        let (say, hear) = mpsc::channel();
        let accepting = std::thread::spawn(move || {
            host.enter().expect("the namespace");
            let listener = TcpListener::bind((address, 0)).expect("a listener");
            say.send(listener.local_addr().expect("an address")).expect("a test that waits");
            listener.accept().expect("a connection").0
        });
        (hear.recv().expect("a listener"), accepting)
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
pub fn ip(arguments: &str) {
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
            .args(["--time-stamp-precision=nano", "--immediate-mode", "-U", "-n", "-w", "-", filter])
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
