//! A server that takes every connection, reads what comes, and closes what the peer closes.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::net::Net;

/// Serves on the server's host until the test ends; returns where.
pub fn serve(net: &Net, address: &str) -> SocketAddr {
    let address: SocketAddr = format!("{address}:0").parse().expect("an address");
    let (say, hear) = mpsc::channel();
    let _serving = net.on(&net.server, move || {
        let listener = TcpListener::bind(address).expect("a listener");
        say.send(listener.local_addr().expect("an address")).expect("a test that waits");
        for stream in listener.incoming() {
            // Who was reset before it was accepted is nobody.
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {});
        }
    });
    hear.recv().expect("a listener")
}

/// A number from the environment, for campaigns.
pub fn number(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[expect(clippy::disallowed_methods, reason = "waiting for other programs")]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
