//! The other program, whose connection is looked at.

use std::net::SocketAddr;
use std::process::Command;

use crate::common::python::Python;

/// A Python program with one connection. It ends with the value.
pub struct Other {
    python: Python,
    /// The port of its end.
    pub port: u16,
}

impl Other {
    fn start(host: &str, arguments: &[&str]) -> Other {
        Other { python: Python::run(&[host], "check/idle.py", arguments), port: 0 }
    }

    /// Two of them with a connection between them: the client's, then the server's.
    pub fn pair(client: &str, server: &str, address: &str) -> (Other, Other) {
        let mut serving = Other::start(server, &["serve", address]);
        let port = serving.python.says("port");
        let mut connecting = Other::start(client, &["connect", address, &port]);
        for one in [&mut connecting, &mut serving] {
            one.port = one.python.says("open").parse().expect("a port");
        }
        (connecting, serving)
    }

    /// Tells it to do something; what it answers.
    pub fn tell(&mut self, command: &str, answer: &str) -> String {
        self.python.tell(command, answer)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.python.pid()
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.python.kill();
    }
}

/// Moves data both ways.
pub fn talk(client: &mut Other, server: &mut Other, word: &str) {
    let say = |from: &mut Other, to: &mut Other| {
        from.tell(&format!("send {word}"), "sent");
        assert_eq!(to.tell(&format!("hear {}", word.len()), "heard"), word);
    };
    say(client, server);
    say(server, client);
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
