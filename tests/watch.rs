//! `keepscope watch` in network namespaces: what it shows of other programs' keepalives, and how it ends.

mod common;
#[path = "watch/ends.rs"]
mod ends;
#[path = "watch/kept.rs"]
mod kept;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;
#[path = "watch/shows.rs"]
mod shows;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use net::Net;
use program::Program;
use socket2::{SockRef, TcpKeepalive};

/// A world; none where this machine does not allow it.
fn world() -> Option<Net> {
    if common::has("nft") { Net::new() } else { None }
}

/// Another program's connection from the client, with its kernel's keepalives.
struct Probed {
    client: TcpStream,
    server: TcpStream,
    address: SocketAddr,
}

impl Probed {
    fn new(net: &Net, server: &str, idle: u64, interval: u64, count: u32) -> Probed {
        let (address, accepting) = net.listen(&net.server, server);
        let client = net.connect(&net.client, address);
        let server = accepting.one();
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs(interval))
            .with_retries(count);
        SockRef::from(&client).set_tcp_keepalive(&keepalive).expect("keepalives");
        Probed { client, server, address }
    }
}

/// Watches in a namespace; listens already when it returns.
fn watch(host: &str, options: &[&str]) -> Program {
    let mut program = Program::keepscope(&[&["watch", "--netns", host], options].concat());
    program.wait_for_complaint("watching");
    program
}

/// The server neither hears nor says anything from now on.
fn silence(net: &Net) {
    net.nft("add table inet silence");
    for hook in ["input", "output"] {
        net.nft(&format!(
            "add chain inet silence {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
        ));
    }
}
