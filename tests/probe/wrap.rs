//! Sequence numbers of the peer's kernel around 2^32. Those of our own end cannot be chosen on a connection that
//! the kernel opens; `tests/engine` has them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::common::has;
use crate::lab::{Lab, SERVER};
use crate::probe_watched;

const PORT: u16 = 777;

/// A peer whose first sequence number is chosen.
struct Wrapped {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Wrapped {
    fn on(lab: &Lab, iss: u32) -> Wrapped {
        // The kernel would reset what it does not know yet.
        lab.nft(
            &lab.server,
            &[
                "add table inet w",
                "add chain inet w out { type filter hook output priority 0 ; }",
                "add rule inet w out tcp sport 777 tcp flags & rst != 0 drop",
            ],
        );
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/wrapped");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &lab.server])
            .arg(program)
            .args([SERVER[0], &PORT.to_string(), &iss.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut peer = Wrapped { child, said };
        peer.says("listening");
        peer
    }

    fn says(&mut self, what: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), what);
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn the_peers_numbers_may_stand_at_the_wrap_or_cross_it() {
    if !has("python3") {
        return;
    }
    for (iss, data) in [(u32::MAX, ""), (u32::MAX - 1, ""), (u32::MAX - 2, "hello")] {
        let Some(lab) = Lab::new() else { return };
        let mut peer = Wrapped::on(&lab, iss);
        let target = format!("{}:{PORT}", SERVER[0]);
        let run = probe_watched(&lab, &target, &["--rounds", "4"], || {
            peer.says("open");
            if !data.is_empty() {
                let stdin = peer.child.stdin.as_mut().expect("a pipe");
                stdin.write_all(data.as_bytes()).and_then(|()| stdin.write_all(b"\n")).expect("data");
            }
        });
        run.expect("alive", 0);
        assert_eq!(run.verdict()["negotiated"]["server_isn"], iss);
        let probes = run.probes();
        let (first, last) = (&probes[0], &probes[probes.len() - 1]);
        assert_eq!(first["ack"], iss.wrapping_add(1));
        assert_eq!(last["ack"], iss.wrapping_add(1 + data.len() as u32));
        assert!(probes.iter().all(|probe| probe["answer"]["kind"] == "ack"), "{probes:#?}");
    }
}
