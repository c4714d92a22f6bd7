//! tcpdump beside a program, which sees the same packets and knows none of our rules.

use std::path::Path;
use std::process::Command;

use crate::common::text;
use crate::net::Net;
use crate::program::Program;
use crate::server::until;

/// tcpdump that writes to a file.
pub struct Witness(Program);

impl Witness {
    /// On the client's interface, with so many octets of each packet; it listens already.
    pub fn on(net: &Net, file: &Path, octets: u32) -> Witness {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &net.client, "tcpdump", "-i", "c0", "-Z", "root", "-n", "-U"]);
        command.args(["--immediate-mode", "-B", "65536", "--time-stamp-precision=nano"]);
        command.args(["-s", &octets.to_string(), "-w", text(file), "tcp"]);
        let mut tcpdump = Program::start(command);
        tcpdump.wait_for_complaint("listening on");
        Witness(tcpdump)
    }

    /// Ends it once it has what is waited for: what is in its ring when it is asked to end is lost.
    pub fn end_when(self, it_has: impl FnMut() -> bool) {
        until("tcpdump has what was seen", it_has);
        self.0.signal("INT");
        let ended = self.0.end();
        assert!(ended.complaints.contains("0 packets dropped by kernel"), "{}", ended.complaints);
    }
}
