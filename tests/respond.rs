//! `keepscope respond` over real sockets: on loopback, and behind a real translation in network namespaces.

mod common;
#[path = "respond/far.rs"]
mod far;
#[path = "respond/guests.rs"]
mod guests;
#[path = "respond/near.rs"]
mod near;
#[path = "live_wire/net.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod net;
#[path = "respond/paths.rs"]
mod paths;
#[path = "live_wire/program.rs"]
#[allow(dead_code, reason = "shared with other tests, and not all of it is used here")]
mod program;
#[path = "respond/sessions.rs"]
mod sessions;
#[path = "respond/start.rs"]
mod start;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use program::Program;

/// The secret of these tests.
const SECRET: &str = "correct horse battery staple";

/// `keepscope respond` with a secret, listening already; it writes what happens as JSON lines.
struct Responding {
    program: Program,
    address: SocketAddr,
}

impl Responding {
    /// On loopback, at a port that was free.
    fn new(options: &[&str]) -> Responding {
        Responding::on("127.0.0.1:0", options)
    }

    /// At an address, with a secret.
    fn on(listen: &str, options: &[&str]) -> Responding {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = common::scratch(&format!("respond-{number}")).join("token");
        secret_file(&file, 0o600);
        let arguments =
            ["respond", "--listen", listen, "--format", "jsonl", "--token-file", common::text(&file)];
        Responding::of(Program::keepscope(&[&arguments, options].concat()))
    }

    /// A program that begins to respond.
    fn of(mut program: Program) -> Responding {
        let line = program.wait_for(r#""type":"respond""#);
        let begin: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(begin["schema"], "keepscope.respond/1");
        let address = begin["listen"][0].as_str().expect("an address").parse().expect("an address");
        Responding { program, address }
    }

    /// Waits until it tells something of a kind; returns the line.
    fn told(&mut self, kind: &str) -> serde_json::Value {
        let line = self.program.wait_for(&format!(r#"{{"type":"{kind}""#));
        serde_json::from_str(&line).expect("JSON")
    }
}

/// A file with the secret in it.
fn secret_file(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("{SECRET}\n")).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}
