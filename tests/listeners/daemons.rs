//! Redis, nginx and sshd, as Debian packages them.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{run, scratch, skip, text};
use crate::net::{Net, SERVER};
use crate::{audit, hosts, only, short, times};

/// Longest that a program may take to begin or to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs. It ends with the value, by SIGTERM, for some end their children then.
struct Daemon(Child);

impl Daemon {
    fn on(host: &str, words: &[&str]) -> Daemon {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", host]).args(words).stdin(Stdio::null()).stdout(Stdio::null());
        Daemon(command.stderr(Stdio::null()).spawn().expect("ip"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Where a program of the system is; nothing, with a word about it, if it is not installed.
fn installed(path: &str) -> Option<&str> {
    let found = Path::new(path).exists();
    if !found {
        skip(&format!("{path} is not installed"));
    }
    found.then_some(path)
}

/// What there is, as soon as it is there.
#[expect(clippy::disallowed_methods, reason = "other programs take real time")]
fn until<T>(mut found: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match found() {
            Ok(found) => return found,
            Err(problem) => assert!(start.elapsed() < PATIENCE, "{problem}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A connection from the client's host, as soon as there is somebody who takes it.
fn connected(net: &Net, port: u16) -> TcpStream {
    let address = SocketAddr::new(SERVER[0].parse().expect("an address"), port);
    let attempt = move || TcpStream::connect(address).map_err(|error| format!("{address}: {error}"));
    net.on(&net.client, move || until(attempt)).result()
}

/// The listener at a port, and the exit code, as soon as it is as wanted: a program may set its options some time
/// after it accepted.
fn settled(net: &Net, port: u16, wanted: impl Fn(&Value) -> bool) -> (Value, i32) {
    let port = port.to_string();
    until(|| {
        let (listener, code) = only(&audit(&net.server, &["--port", &port]));
        if wanted(&listener) { Ok((listener, code)) } else { Err(listener.to_string()) }
    })
}

fn has_keepalive(listener: &Value) -> bool {
    listener["accepted"][0]["keepalive"] == "on"
}

#[test]
fn redis_sets_keepalives_on_what_it_accepts() {
    let (Some(net), Some(redis)) = (hosts(), installed("/usr/bin/redis-server")) else { return };
    for (port, value, verdict, code) in [(6379, 60.0, "safe", 0), (6380, 300.0, "unsafe", 1)] {
        let folder = scratch(&format!("listeners-redis-{port}"));
        let (shown, set) = (port.to_string(), value.to_string());
        let place = ["--dir", text(&folder), "--bind", SERVER[0], "--port", &shown, "--protected-mode", "no"];
        let more = ["--save", "", "--tcp-keepalive", &set];
        let _redis = Daemon::on(&net.server, &[&[redis][..], &place, &more].concat());
        let _connection = connected(&net, port);
        // A third of it as interval, three probes (anet.c, anetKeepAlive), set one by one.
        let times_of = |listener: &Value| times(&listener["accepted"][0]);
        let wanted = [Some(value), Some(value / 3.0), Some(3.0)];
        let (listener, found) = settled(&net, port, |listener| times_of(listener) == wanted);
        assert_eq!((short(&listener), found), ((verdict, "accepted", "off", 1), code), "{listener}");
    }
}

#[test]
fn nginx_sets_them_on_its_listeners() {
    let (Some(net), Some(nginx)) = (hosts(), installed("/usr/sbin/nginx")) else { return };
    let folder = scratch("listeners-nginx");
    let (place, server) = (text(&folder), SERVER[0]);
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = kinds.map(|kind| format!("{kind}_temp_path {place}/{kind};")).concat();
    let config = folder.join("nginx.conf");
    let content = format!(
        "daemon off; user root; worker_processes 2; pid {place}/pid; error_log {place}/error.log;\nevents {{}}\n\
         http {{ access_log off; {temporary}\n\
         server {{ listen {server}:80 so_keepalive=150s:30s:4; }}\n\
         server {{ listen {server}:81; }}\n\
         server {{ listen {server}:82 reuseport so_keepalive=on; }} }}\n"
    );
    std::fs::write(&config, content).expect("a file");
    let log = folder.join("error.log");
    let _nginx = Daemon::on(&net.server, &[nginx, "-c", text(&config), "-p", place, "-e", text(&log)]);
    let _first = connected(&net, 80);
    let _second = connected(&net, 81);
    let (listener, code) = settled(&net, 80, |listener| short(listener).3 == 1);
    assert_eq!((short(&listener), code), (("safe", "accepted", "on", 1), 0), "{listener}");
    assert_eq!(times(&listener), [Some(150.0), Some(30.0), Some(4.0)], "{listener}");
    assert_eq!(times(&listener), times(&listener["accepted"][0]), "{listener}");
    assert!(
        listener["processes"].as_array().expect("processes").len() >= 2,
        "master and workers: {listener}"
    );
    let (listener, code) = settled(&net, 81, |listener| short(listener).3 == 1);
    assert_eq!((short(&listener), code), (("unsafe", "accepted", "off", 1), 1), "{listener}");
    // A socket for each worker, and the system's times.
    let ended = audit(&net.server, &["--port", "82"]);
    let document = ended.document();
    let listeners = document["listeners"].as_array().expect("listeners");
    assert_eq!((listeners.len(), ended.code), (2, Some(1)), "{document}");
    for listener in listeners {
        assert_eq!(short(listener), ("unsafe", "inherited", "on", 0), "{listener}");
        assert_eq!(times(listener), [Some(7200.0), Some(75.0), Some(9.0)], "{listener}");
    }
}

#[test]
fn sshd_sets_them_in_the_child_that_has_the_session() {
    let (Some(net), Some(sshd)) = (hosts(), installed("/usr/sbin/sshd")) else { return };
    let folder = scratch("listeners-sshd");
    let (key, config) = (folder.join("key"), folder.join("sshd_config"));
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", text(&key)]);
    let content =
        format!("HostKey {}\nListenAddress {}\nPort 22\nLoginGraceTime 10m\n", text(&key), SERVER[0]);
    std::fs::write(&config, content).expect("a file");
    std::fs::create_dir_all("/run/sshd").expect("a folder");
    let _sshd = Daemon::on(&net.server, &[sshd, "-D", "-f", text(&config)]);
    let mut session = connected(&net, 22);
    session.read_exact(&mut [0; 4]).expect("a greeting");
    let (listener, code) = settled(&net, 22, has_keepalive);
    assert_eq!((short(&listener), code), (("unsafe", "accepted", "off", 1), 1), "{listener}");
    let accepted = &listener["accepted"][0];
    assert_eq!(times(accepted), [Some(7200.0), Some(75.0), Some(9.0)], "{listener}");
    assert_ne!(accepted["process"]["pid"], listener["processes"][0]["pid"], "a child's: {listener}");
}
