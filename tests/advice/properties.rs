//! Whatever stands in a file, it is read or refused, and nothing else happens.

use keepscope::advice::config::{Kind, Meaning};
use keepscope::advice::path::Path;
use proptest::prelude::*;

/// Words of all these files, and some of none.
const WORDS: &[&str] = &[
    "net.ipv4.tcp_keepalive_time",
    "net.inet.tcp.keepidle",
    "tcp_keepalives_idle",
    "tcp_user_timeout",
    "tcp-keepalive",
    "listen",
    "so_keepalive=",
    "proxy_socket_keepalive",
    "proxy_pass",
    "on",
    "off",
    "defaults",
    "frontend",
    "backend",
    "option",
    "no option",
    "clitcpka",
    "clitcpka-idle",
    "srvtcpka-cnt",
    "from",
    "apiVersion:",
    "kind: Pod",
    "spec:",
    "containers:",
    "- name:",
    "sysctls:",
    "securityContext:",
    "value:",
    "ServerAliveInterval",
    "ClientAliveInterval",
    "TCPKeepAlive",
    "Host",
    "=",
    ":",
    ";",
    "{",
    "}",
    "[",
    "]",
    "#",
    "\"",
    "'",
    "\\",
    "\n",
    "\n  ",
    "\t",
    "300",
    "0",
    "-1",
    "99999999999999999999",
    "5m",
    "1h30m",
    "9223372036854775807s",
    "10d10d",
    "::",
    "1:2:3:4",
    "&a",
    "*a",
    "|",
    ">",
    "---",
    "!!",
    "%",
    "\u{feff}",
    "é",
    "\u{0}",
];

fn soup() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        8 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<char>().prop_map(String::from),
    ];
    let space = prop_oneof![3 => Just(" "), 1 => Just(""), 2 => Just("\n")];
    proptest::collection::vec((word, space), 0..60)
        .prop_map(|words| words.into_iter().flat_map(|(word, space)| [word, space.to_owned()]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_read_or_refuse_any_text(text in soup()) {
        let lines = u32::try_from(text.lines().count()).expect("few lines").max(1);
        for kind in Kind::ALL {
            match kind.read(&text) {
                Ok(items) => {
                    for item in items {
                        // A parser may call the end of the text a line.
                        prop_assert!(item.line.is_none_or(|line| line >= 1 && line <= lines + 1), "{item:?}");
                        if let Meaning::Keepalive(asked) | Meaning::System(asked) = item.meaning {
                            prop_assert!(asked.idle.is_none_or(|idle| idle.as_nanos() > 0));
                            prop_assert!(asked.count != Some(0));
                        }
                    }
                }
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
        let _ = Kind::recognise("", &text);
        let _ = Kind::recognise(&text, "");
        let _ = Path::of_result(&text);
    }

    #[test]
    fn any_number_is_read_or_refused(number in any::<i64>(), unit in "[a-zA-Z]{0,3}") {
        for (kind, line) in [
            (Kind::Sysctl, "net.ipv4.tcp_keepalive_time = "),
            (Kind::Postgresql, "tcp_keepalives_idle = "),
            (Kind::Redis, "tcp-keepalive "),
            (Kind::Ssh, "ServerAliveInterval "),
            (Kind::Haproxy, "frontend f\n option clitcpka\n clitcpka-idle "),
        ] {
            let text = format!("{line}{number}{unit}\n");
            prop_assert!(kind.read(&text).is_ok(), "{text}");
        }
        let text = format!("listen 1 so_keepalive={number}{unit}:;");
        prop_assert!(Kind::Nginx.read(&text).is_ok(), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(100_000), "{a: ".repeat(50_000), "- ".repeat(50_000), "? ".repeat(50_000)] {
        assert!(Kind::Kubernetes.read(&text).is_err());
    }
}
