//! Names of namespaces and interfaces, which their host chooses: they do nothing to the terminal of who looks.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use keepscope::printable::is_harmful;

use crate::common::{keepscope, scratch, skip, text};
use crate::screen::check;

/// An interface, of 15 octets at most. Linux takes everything but spaces, slashes and colons.
const INTERFACE: &str = "k\x1b[2J\u{202e}\u{9b}1m";

/// A namespace with such a name and such an interface, which is up; it goes away with the value.
struct Host(String);

impl Host {
    /// Makes it; none, with a word about it, where this machine does not allow it.
    fn new() -> Option<Host> {
        // Tests of one process run beside each other, each in a namespace of its own.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("kh{}-{number}\x1b[2J\u{202e}\u{9b}31m", std::process::id());
        match Command::new("ip").args(["netns", "add", &name]).output() {
            Err(_) => skip("ip is not installed"),
            Ok(made) if !made.status.success() => {
                skip(&format!("no network namespaces: {}", String::from_utf8_lossy(&made.stderr).trim()));
            }
            Ok(_) => {
                let host = Host(name);
                host.ip(&["link", "add", INTERFACE, "type", "veth", "peer", "name", "k1"]);
                for interface in [INTERFACE, "k1", "lo"] {
                    host.ip(&["link", "set", interface, "up"]);
                }
                host.ip(&["addr", "add", "192.0.2.1/24", "dev", INTERFACE]);
                return Some(host);
            }
        }
        None
    }

    fn ip(&self, arguments: &[&str]) {
        let output = Command::new("ip").args(["-n", &self.0]).args(arguments).output().expect("ip");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a command there; what it says is fit for a terminal.
    fn says(&self, command: &str, options: &[&str]) -> (Option<i32>, String) {
        let output = keepscope(&[&[command, "--netns", &self.0], options].concat());
        check(&format!("{command} {options:?}"), &output);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("UTF-8"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

#[test]
fn names_of_namespaces_and_interfaces() {
    let Some(host) = Host::new() else { return };
    let recording = scratch("hostile_live").join("all.pcapng");
    for format in ["text", "jsonl"] {
        for more in [&["--interface", INTERFACE][..], &["--write", text(&recording), "--force"]] {
            let options = [&["--for", "200ms", "--format", format], more].concat();
            let (code, said) = host.says("watch", &options);
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("[2J"), "it names the interface: {said}");
        }
        check("the recording", &keepscope(&["analyze", "--all", "--format", format, text(&recording)]));
    }
    for format in ["text", "json"] {
        let (_, said) = host.says("doctor", &["--format", format]);
        assert!(said.contains("[2J"), "it lists the interface: {said}");
        host.says("check", &["--format", format]);
    }
    // Nobody is there, and the address does not answer ARP.
    let nobody = ["--connect-timeout", "200ms", "192.0.2.77:9"];
    for options in [&["--plain"][..], &["--kernel"], &["--interface", INTERFACE, "--plain"]] {
        host.says("probe", &[options, &nobody].concat());
    }
    host.says("middlebox", &[&["--plain", "--own-target"][..], &nobody].concat());
    let (code, said) = host.says("watch", &["--interface", "k2", "--for", "200ms"]);
    assert!(code == Some(2) && said.contains("[2J"), "it says which there are: {said}");
    host.ip(&["link", "set", INTERFACE, "down"]);
    let (code, said) = host.says("watch", &["--interface", INTERFACE, "--for", "200ms"]);
    assert!(code == Some(2) && said.contains("[2J"), "it says which is down: {said}");
}

#[test]
fn an_interface_that_goes_away() {
    let Some(host) = Host::new() else { return };
    let mut watch = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["watch", "--plain", "--netns", &host.0, "--interface", INTERFACE])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepscope");
    let mut complaints = BufReader::new(watch.stderr.take().expect("a pipe"));
    let mut line = String::new();
    complaints.read_line(&mut line).expect("UTF-8");
    assert!(line.contains("watching"), "{line}");
    host.ip(&["link", "del", INTERFACE]);
    let said = watch.wait_with_output().expect("its end");
    let mut rest = String::new();
    while complaints.read_line(&mut rest).expect("UTF-8") > 0 {}
    assert!(rest.contains("[2J"), "it says which went: {rest}");
    let said = line + &rest + &String::from_utf8(said.stdout).expect("UTF-8");
    assert!(said.lines().all(|line| !line.contains(is_harmful)), "{said:?}");
}

#[test]
fn what_is_no_namespace() {
    for command in ["watch", "check", "probe", "doctor", "middlebox"] {
        for name in ["\x1b[2J\u{202e}\nkeepscope: error: forged", "/x\x1b[2J\u{202e}", "\u{9b}31m"] {
            let mut arguments = vec![command, "--netns", name];
            if matches!(command, "probe" | "middlebox") {
                arguments.push("192.0.2.77:9");
            }
            check(&format!("{arguments:?}"), &keepscope(&arguments));
        }
    }
}
