//! A client and a server in namespaces with a router between them that translates addresses: the box.
//!
//! ```text
//! client c0 192.0.2.1 ── r0 192.0.2.2 [router: masquerade] r1 198.51.100.1 ── s0 198.51.100.2 server
//! ```

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use keepscope::live::netns::NetNs;

use crate::common::{has, skip};

/// The namespaces; they go away with the value.
pub struct Far {
    pub client: String,
    pub router: String,
    pub server: String,
}

/// The outer side of the router.
pub const ROUTER: [&str; 2] = ["198.51.100.1", "2001:db8:2::1"];
/// The server.
pub const SERVER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Far {
    /// Makes them with a rule for what leaves by `r1`; none, with a word about it, where this machine does not allow
    /// it.
    pub fn new(masquerade: &str) -> Option<Far> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !has("nft") || !has("conntrack") || !has("tcpdump") {
            return None;
        }
        let unique = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let far = Far {
            client: format!("krc{unique}"),
            router: format!("krr{unique}"),
            server: format!("krs{unique}"),
        };
        for name in [&far.client, &far.router, &far.server] {
            let made = Command::new("ip").args(["netns", "add", name]).output().expect("ip");
            if !made.status.success() {
                skip(&format!("no network namespaces: {}", String::from_utf8_lossy(&made.stderr).trim()));
                return None;
            }
            ip(&format!("-n {name} link set lo up"));
        }
        let (client, router, server) = (&far.client, &far.router, &far.server);
        ip(&format!("-n {client} link add c0 type veth peer name r0 netns {router}"));
        ip(&format!("-n {server} link add s0 type veth peer name r1 netns {router}"));
        let ends = [
            (client, "c0", ["192.0.2.1", "2001:db8:1::1"]),
            (router, "r0", ["192.0.2.2", "2001:db8:1::2"]),
            (router, "r1", ROUTER),
            (server, "s0", SERVER),
        ];
        for (host, device, addresses) in ends {
            ip(&format!("-n {host} addr add {}/24 dev {device}", addresses[0]));
            ip(&format!("-n {host} addr add {}/64 dev {device} nodad", addresses[1]));
            ip(&format!("-n {host} link set {device} up"));
        }
        for (host, v4, v6) in [(client, "192.0.2.2", "2001:db8:1::2"), (server, ROUTER[0], ROUTER[1])] {
            ip(&format!("-n {host} route add default via {v4}"));
            ip(&format!("-n {host} -6 route add default via {v6}"));
        }
        far.in_router("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        far.nft("add table inet box");
        far.nft("add chain inet box post { type nat hook postrouting priority srcnat; }");
        far.nft(&format!("add rule inet box post oifname r1 meta l4proto tcp {masquerade}"));
        Some(far)
    }

    /// Runs a program in the router.
    pub fn in_router(&self, words: &str) {
        let arguments = ["netns", "exec", &self.router].into_iter().chain(words.split_whitespace());
        let output = Command::new("ip").args(arguments).output().expect("ip");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Gives the router a rule.
    pub fn nft(&self, rule: &str) {
        let output =
            Command::new("ip").args(["netns", "exec", &self.router, "nft", rule]).output().expect("nft");
        assert!(output.status.success(), "{rule}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The router forgets a connection of this client's port, as after its time-out.
    pub fn forget(&self, port: u16) {
        self.in_router(&format!("conntrack -D -p tcp --orig-port-src {port}"));
    }

    /// The same over IPv6.
    pub fn forget_v6(&self, port: u16) {
        self.in_router(&format!("conntrack -D -f ipv6 -p tcp --orig-port-src {port}"));
    }

    /// What opens connections from the client, each on a thread that goes there.
    pub fn connector(&self, address: SocketAddr) -> impl Fn() -> TcpStream + 'static {
        let host = NetNs::Name(self.client.clone());
        move || {
            let host = host.clone();
            let connect = move || {
                host.enter().expect("the namespace");
                TcpStream::connect(address).expect("a connection")
            };
            std::thread::spawn(connect).join().expect("a connection")
        }
    }

    /// An address of the server as `--listen` takes it, with a port that the system chooses.
    pub fn listen(address: &str) -> String {
        SocketAddr::new(address.parse::<IpAddr>().expect("an address"), 0).to_string()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        for name in [&self.client, &self.router, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}
