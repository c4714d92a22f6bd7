//! The other program, whose connection is looked at.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A Python program with one connection. It ends with the value.
pub struct Other {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// The port of its end.
    pub port: u16,
}

impl Other {
    fn start(host: &str, arguments: &[&str]) -> Other {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/idle.py");
        let mut child = Command::new("ip")
            .args(["netns", "exec", host, "python3"])
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Other { child, stdin, stdout, port: 0 }
    }

    /// Two of them with a connection between them: the client's, then the server's.
    pub fn pair(client: &str, server: &str, address: &str) -> (Other, Other) {
        let mut serving = Other::start(server, &["serve", address]);
        let port = serving.says("port");
        let mut connecting = Other::start(client, &["connect", address, &port]);
        for one in [&mut connecting, &mut serving] {
            one.port = one.says("open").parse().expect("a port");
        }
        (connecting, serving)
    }

    /// Waits until it says that; what follows in the line.
    fn says(&mut self, word: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        let said = line.strip_prefix(word).unwrap_or_else(|| panic!("{line:?} instead of {word}"));
        said.trim().to_owned()
    }

    /// Tells it to do something; what it answers.
    pub fn tell(&mut self, command: &str, answer: &str) -> String {
        writeln!(self.stdin, "{command}").expect("it lives");
        self.says(answer)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.child.kill().expect("it lives");
        self.child.wait().expect("its end");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves data both ways.
pub fn talk(client: &mut Other, server: &mut Other, word: &str) {
    for (from, to) in [(&mut *client, &mut *server), (&mut *server, &mut *client)] {
        from.tell(&format!("send {word}"), "sent");
        assert_eq!(to.tell(&format!("hear {}", word.len()), "heard"), word);
    }
}

/// What `ss` shows of the connections of a host, one string for each.
pub fn ss(host: &str) -> Vec<String> {
    let output = Command::new("ip")
        .args(["netns", "exec", host, "ss", "-tinpeHO", "state", "established"])
        .output()
        .expect("ss");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// The value after a name in a line of `ss`.
pub fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
    found.map(|value| value.trim_end_matches(')'))
}

/// The windows at both ends, as their kernels know them.
pub fn windows(hosts: [&str; 2], address: SocketAddr) -> Vec<String> {
    let port = format!(":{}", address.port());
    let of = |host: &str| {
        let lines = ss(host);
        let line = lines.iter().find(|line| line.contains(&port)).expect("the connection").clone();
        field(&line, "snd_wnd").expect("a window").to_owned()
    };
    hosts.map(of).to_vec()
}
