//! Existing configuration, through the binary: safe, unsafe or unknown, with the line, the reason and what mends it.

use std::path::PathBuf;

use serde_json::Value;

use super::{recommended, said};
use crate::common::{keepscope, scratch, text};

/// A file of that name with that content.
fn file(test: &str, name: &str, content: &str) -> PathBuf {
    let path = scratch(&format!("advice-audit-{test}")).join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// The judgements of a file, and the exit code.
fn judged(test: &str, name: &str, content: &str, more: &[&str]) -> (Vec<Value>, i32) {
    let path = file(test, name, content);
    let arguments = [&["audit", "--format", "json", text(&path)], more].concat();
    let output = keepscope(&arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.stderr.is_empty(), "{name}: {complaint}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    let items = document["items"].as_array().expect("items").clone();
    (items, output.status.code().expect("an exit code"))
}

/// Verdict, line and value of each item.
fn short(items: &[Value]) -> Vec<(&str, Option<u64>, &str)> {
    items
        .iter()
        .map(|item| {
            (
                item["verdict"].as_str().expect("a verdict"),
                item["line"].as_u64(),
                item["value"].as_str().expect("a value"),
            )
        })
        .collect()
}

#[test]
fn sysctls_are_judged_together_and_the_last_counts() {
    let text = "# comment\nnet.ipv4.tcp_keepalive_intvl = 75\nnet.ipv4.tcp_keepalive_probes = 9\n\
                net.ipv4.tcp_keepalive_time = 7200\n-net/ipv4/tcp_keepalive_time=60\nvm.swappiness = 1\n";
    let (items, code) = judged("sysctl", "sysctl.conf", text, &["--timeout", "350s"]);
    assert_eq!((short(&items), code), (vec![("safe", Some(5), "60 / 75 / 9")], 0));
    let (items, code) = judged("sysctl", "sysctl.conf", text, &["--timeout", "70s"]);
    assert_eq!((short(&items), code), (vec![("unsafe", Some(5), "60 / 75 / 9")], 1));
    let bsd = "net.inet.tcp.keepidle: 7200000\nnet.inet.tcp.keepintvl: 75000\n";
    let (items, code) = judged("sysctl", "bsd.txt", bsd, &["--timeout", "350s", "--stack", "freebsd"]);
    assert_eq!((short(&items), code), (vec![("unsafe", Some(1), "7200000 / 75000")], 1));
    assert_eq!(items[0]["settings"]["idle_s"].as_f64(), Some(7200.0));
    let (items, code) = judged("sysctl", "bsd.txt", bsd, &["--timeout", "350s"]);
    assert_eq!((short(&items)[0].0, code), ("unknown", 4), "these are not Linux's");
    let (items, code) =
        judged("sysctl", "sysctl.conf", "net.ipv4.tcp_keepalive_time = x\n", &["--timeout", "350s"]);
    assert_eq!((short(&items), code), (vec![("unknown", Some(1), "x")], 4));
    let (items, code) = judged("sysctl", "sysctl.conf", "vm.swappiness = 1\n", &["--timeout", "350s"]);
    assert_eq!((items.len(), code), (0, 4));
}

#[test]
fn postgresql_is_read_with_units_quotes_and_defaults() {
    for (content, verdict, line, idle) in [
        ("tcp_keepalives_idle = 60\n", "safe", Some(1), 60.0),
        ("TCP_KEEPALIVES_IDLE '2min' # two\n", "safe", Some(1), 120.0),
        ("tcp_keepalives_idle = 60\ntcp_keepalives_idle = 1h\n", "unsafe", Some(2), 3600.0),
        ("#tcp_keepalives_idle = 60\nport = 5432\n", "unsafe", None, 7200.0),
        ("tcp_keepalives_idle = 0\n", "unsafe", Some(1), 7200.0),
        // 100 s and 30 s, and a user timeout that ends it with the first probe that is lost.
        (
            "tcp_keepalives_idle=100\ntcp_keepalives_interval=30\ntcp_user_timeout=100s\n",
            "unsafe",
            Some(1),
            100.0,
        ),
    ] {
        let (items, code) = judged("postgresql", "postgresql.conf", content, &["--timeout", "350s"]);
        assert_eq!(items.len(), 1);
        assert_eq!(
            (short(&items)[0].0, items[0]["line"].as_u64()),
            (verdict, line),
            "{content}: {}",
            items[0]
        );
        assert_eq!(items[0]["settings"]["idle_s"].as_f64(), Some(idle), "{content}");
        assert_eq!(code, i32::from(verdict == "unsafe"));
    }
    let (items, code) =
        judged("postgresql", "postgresql.conf", "tcp_keepalives_idle = soon\n", &["--timeout", "350s"]);
    assert_eq!((short(&items), code), (vec![("unknown", Some(1), "soon")], 4));
}

#[test]
fn redis_is_judged_with_what_it_makes_of_its_value() {
    for (content, timeout, verdict, line) in [
        ("tcp-keepalive 60\n", "350s", "safe", Some(1)),
        // In time by itself, and lost with one lost probe: 300 s and then 100 s.
        ("port 6379\ntcp-keepalive 300\n", "350s", "unsafe", Some(2)),
        ("port 6379\n", "240s", "unsafe", None),
        ("port 6379\n", "600s", "safe", None),
        ("tcp-keepalive 0\n", "600s", "unsafe", Some(1)),
    ] {
        let (items, code) = judged("redis", "redis.conf", content, &["--timeout", timeout]);
        assert_eq!(
            (short(&items)[0].0, items[0]["line"].as_u64()),
            (verdict, line),
            "{content}: {}",
            items[0]
        );
        assert_eq!(code, i32::from(verdict == "unsafe"));
    }
    // Without a loss to survive, its default is good enough behind 350 s.
    let (items, _) =
        judged("redis", "redis.conf", "port 6379\n", &["--timeout", "350s", "--lost-probes", "0"]);
    assert_eq!(short(&items)[0].0, "safe", "{}", items[0]);
    let reason = items[0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("300 s / 100 s / 3"), "{reason}");
}

#[test]
fn nginx_is_read_by_its_statements() {
    let content = "# listen 1;\nhttp {\n  server {\n    listen 80;\n    listen [::]:80 so_keepalive=on;\n  }\n\
                   server { listen\n 443 ssl so_keepalive=2m::10 ; location / { proxy_pass http://x; } }\n\
                   server { listen 443 ssl; listen unix:/run/x; listen 443 udp; }\n  \
                   server { listen \"8443\" so_keepalive=off; listen 9 so_keepalive=1:2:3:4; } }\n";
    let (items, code) = judged("nginx", "nginx.conf", content, &["--timeout", "350s"]);
    assert_eq!(code, 1);
    let what: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["what"].as_str().expect("a name"),
                item["line"].as_u64(),
                item["verdict"].as_str().expect("a verdict"),
            )
        })
        .collect();
    assert_eq!(
        what,
        [
            ("listen 80", Some(4), "unsafe"),
            ("listen [::]:80", Some(5), "unsafe"),
            ("listen 443", Some(7), "safe"),
            // Said for the same address elsewhere.
            ("listen 443", Some(9), "safe"),
            ("listen 8443", Some(10), "unsafe"),
            ("listen 9", Some(10), "unknown"),
            ("proxy_pass", Some(8), "unsafe"),
        ]
    );
    let on = "server { listen 1 so_keepalive=1m; proxy_pass x; proxy_socket_keepalive on; }";
    let (items, _) = judged("nginx", "nginx.conf", on, &["--timeout", "3h"]);
    let verdicts: Vec<_> = short(&items).iter().map(|item| item.0).collect();
    assert_eq!(
        verdicts,
        ["unknown", "safe"],
        "1m is no idle:interval:count; the system's 7200 s hold for 3 h"
    );
}

#[test]
fn haproxy_is_read_with_its_defaults() {
    let content = "global\n    maxconn 9\ndefaults one\n    option clitcpka\n    clitcpka-idle 2m\n    clitcpka-intvl 30s\n\
                   frontend f from one\n    bind :80\nfrontend g\n    no option clitcpka\nlisten both\n    bind :81\n    \
                   option srvtcpka\n    srvtcpka-idle 60 # s\nbackend b\n    server s 192.0.2.1:80\n\
                   backend c\n    option tcpka\n    srvtcpka-idle soon\n";
    let (items, code) = judged("haproxy", "haproxy.cfg", content, &["--timeout", "350s"]);
    assert_eq!(code, 1);
    let what: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["what"].as_str().expect("a name"),
                item["line"].as_u64(),
                item["verdict"].as_str().expect("a verdict"),
            )
        })
        .collect();
    assert_eq!(
        what,
        [
            ("frontend f, its clients", Some(5), "safe"),
            ("frontend g, its clients", Some(10), "unsafe"),
            ("listen both, its clients", Some(5), "safe"),
            ("listen both, its servers", Some(14), "safe"),
            ("backend b, its servers", Some(15), "unsafe"),
            ("backend c, its servers", Some(19), "unknown"),
        ]
    );
}

#[test]
fn kubernetes_manifests_are_judged_pod_by_pod() {
    let content = "apiVersion: v1\nkind: List\nitems:\n- kind: Deployment\n  metadata: {name: web}\n  spec:\n    template:\n      \
                   spec:\n        securityContext:\n          sysctls:\n          - {name: net.ipv4.tcp_keepalive_time, \
                   value: \"60\"}\n        containers: []\n- kind: CronJob\n  metadata: {name: job}\n  spec: {jobTemplate: \
                   {spec: {template: {spec: {containers: []}}}}}\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \
                   \"metadata\": {\"name\": \"host\"}, \"spec\": {\"hostNetwork\": true, \"containers\": []}}\n";
    let (items, code) = judged("kubernetes", "all.yaml", content, &["--timeout", "350s"]);
    assert_eq!(code, 1);
    let what: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["what"].as_str().expect("a name"),
                item["line"].as_u64(),
                item["verdict"].as_str().expect("a verdict"),
            )
        })
        .collect();
    assert_eq!(
        what,
        [
            ("Deployment web", Some(11), "safe"),
            ("CronJob job", Some(15), "unsafe"),
            ("Pod host", Some(17), "unknown"),
        ]
    );
    let (out, err, code) = said(&[
        "audit",
        "--timeout",
        "350s",
        text(&file("kubernetes", "bad.yaml", "apiVersion: v1\na: [b\nc: d\n")),
    ]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("bad.yaml: line 3: no YAML"), "{err}");
}

#[test]
fn ssh_is_judged_by_its_messages_or_by_the_stack() {
    for (name, content, verdict, line) in [
        ("ssh_config", "Host a\n  ServerAliveInterval 30\n", "safe", Some(2)),
        ("sshd_config", "ClientAliveInterval=1h30m\n", "unsafe", Some(1)),
        ("sshd_config", "clientaliveinterval 5m\n", "safe", Some(1)),
        ("sshd_config", "Port 22\n", "unsafe", None),
        ("sshd_config", "ClientAliveInterval 0\nTCPKeepAlive no\n", "unsafe", Some(1)),
        ("sshd_config", "ClientAliveInterval never\n", "unknown", Some(1)),
    ] {
        let (items, _) = judged("ssh", name, content, &["--timeout", "350s"]);
        assert_eq!(
            (short(&items)[0].0, items[0]["line"].as_u64()),
            (verdict, line),
            "{content}: {}",
            items[0]
        );
    }
    // Messages count for a proxy, keepalives do not.
    let (items, code) = judged("ssh", "ssh_config", "ServerAliveInterval 30\n", &["--behind", "aws-alb"]);
    assert_eq!((short(&items)[0].0, code), ("safe", 0));
    let (items, code) = judged("ssh", "redis.conf", "tcp-keepalive 10\n", &["--behind", "aws-alb"]);
    assert_eq!((short(&items)[0].0, code), ("unsafe", 1));
    assert!(items[0]["mend"].is_null(), "nothing that is set there would help");
}

/// What the system has, from another file, holds for what leaves its times to the system.
#[test]
fn sysctls_of_one_file_hold_for_the_others() {
    let folder = scratch("advice-audit-both");
    let (sysctls, nginx) = (folder.join("sysctl.txt"), folder.join("nginx.conf"));
    std::fs::write(&sysctls, "net.ipv4.tcp_keepalive_time = 100\nnet.ipv4.tcp_keepalive_intvl = 20\n")
        .expect("a file");
    std::fs::write(&nginx, "server { listen 80 so_keepalive=on; }\n").expect("a file");
    let (out, _, code) = said(&["audit", "--timeout", "350s", text(&nginx)]);
    assert!(out.contains("UNSAFE"), "{out}");
    assert_eq!(code, 1);
    for files in [[text(&sysctls), text(&nginx)], [text(&nginx), text(&sysctls)]] {
        let (out, _, code) = said(&[&["audit", "--timeout", "350s"][..], &files].concat());
        assert!(out.contains("2 items: 2 safe"), "{out}");
        assert!(super::flat(&out).contains("are the system's, from"), "{out}");
        assert_eq!(code, 0);
    }
}

/// What is recommended is safe, and so is what an audit says to set instead.
#[test]
fn what_is_recommended_and_what_mends_is_safe() {
    for (name, kind, unsafe_) in [
        ("sysctl", "sysctl", "net.ipv4.tcp_keepalive_time = 7200\n"),
        ("postgresql", "postgresql", "port = 1\n"),
        ("redis", "redis", "tcp-keepalive 3000\n"),
        ("nginx", "nginx", "listen 8080 so_keepalive=on;\n"),
        ("haproxy", "haproxy", "frontend f\n    option clitcpka\n"),
        ("kubernetes", "kubernetes", "spec: {containers: []}\n"),
        ("openssh", "ssh", "Host *\n"),
        ("sshd", "sshd", "Port 22\n"),
    ] {
        for timeout in ["60s", "350s"] {
            let more = ["--timeout", timeout, "--hz", "250", "--kind", kind];
            let document = recommended(&["--timeout", timeout, "--hz", "250", "--for", name]);
            let mut text = document["snippets"][0]["text"].as_str().expect("a text").to_owned();
            if name == "haproxy" {
                text.push_str("frontend f\nbackend b\n");
            }
            let (items, code) = judged("round", "recommended", &text, &more);
            assert_eq!(code, 0, "{name} {timeout}: {items:?}\n{text}");
        }
        let more = ["--timeout", "60s", "--hz", "250", "--kind", kind];
        let (items, code) = judged("round", "unsafe", unsafe_, &more);
        assert_eq!(code, 1, "{name}");
        let mend = items[0]["mend"].as_str().expect("lines");
        let mended = match name {
            "nginx" => format!("listen 8080 {};", mend.split(' ').next().expect("a parameter")),
            "haproxy" => format!("frontend f\n{mend}\n"),
            "kubernetes" => {
                let inner: String = mend.lines().map(|line| format!("  {line}\n")).collect();
                format!("spec:\n{inner}  containers: []\n")
            }
            _ => mend.to_owned(),
        };
        let (items, code) = judged("round", "mended", &mended, &more);
        assert_eq!(code, 0, "{name}: {items:?}\n{mended}");
    }
}

#[test]
fn kinds_are_told_by_name_or_by_content() {
    use keepscope::advice::config::Kind;
    for (path, content, kind) in [
        ("/etc/postgresql/15/main/postgresql.conf", "", Some(Kind::Postgresql)),
        ("/etc/redis/redis.conf", "", Some(Kind::Redis)),
        ("/etc/ssh/sshd_config", "", Some(Kind::Sshd)),
        ("/etc/ssh/ssh_config", "", Some(Kind::Ssh)),
        ("/etc/nginx/nginx.conf", "", Some(Kind::Nginx)),
        ("haproxy.cfg", "", Some(Kind::Haproxy)),
        ("/etc/sysctl.conf", "", Some(Kind::Sysctl)),
        ("/etc/sysctl.d/90-x.conf", "net.ipv4.ip_forward = 1\n", Some(Kind::Sysctl)),
        ("-", "abi.vsyscall32 = 1\nnet.ipv4.tcp_keepalive_time = 1\n", Some(Kind::Sysctl)),
        ("-", "listen_addresses = '*'\nmax_connections = 9\n", Some(Kind::Postgresql)),
        ("site", "server {\n    listen 80;\n}\n", Some(Kind::Nginx)),
        ("x", "defaults\n    mode tcp\nfrontend a\n    bind :1\n", Some(Kind::Haproxy)),
        ("x.yaml", "---\napiVersion: v1\nkind: Pod\n", Some(Kind::Kubernetes)),
        ("x.json", "{\n  \"apiVersion\": \"v1\"\n}\n", Some(Kind::Kubernetes)),
        ("x", "PermitRootLogin no\n", Some(Kind::Sshd)),
        ("x", "Host *\n    ServerAliveInterval 3\n", Some(Kind::Ssh)),
        ("x", "protected-mode yes\ntcp-backlog 511\n", Some(Kind::Redis)),
        ("x", "hello\n", None),
        ("x", "", None),
    ] {
        assert_eq!(Kind::recognise(path, content), kind, "{path}: {content}");
    }
}

#[test]
fn what_cannot_be_read_is_one_line() {
    let path = scratch("advice-audit-bad").join("bad.conf");
    for (content, says) in
        [(&b"\xff\xfe"[..], "no text in UTF-8"), (b"hello\n", "say --kind"), (b"", "say --kind")]
    {
        std::fs::write(&path, content).expect("a file");
        let (out, err, code) = said(&["audit", "--timeout", "350s", text(&path)]);
        assert_eq!((out.as_str(), code), ("", 2));
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains(says), "{err}");
    }
    // Nothing of a file reaches the terminal as it is.
    std::fs::write(&path, "frontend \u{1b}[31mred\u{7}\n").expect("a file");
    let (out, ..) = said(&["audit", "--timeout", "350s", "--kind", "haproxy", text(&path)]);
    assert!(!out.contains('\u{1b}') && !out.contains('\u{7}'), "{out:?}");
}
