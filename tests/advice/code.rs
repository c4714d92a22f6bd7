//! Snippets that are code compile; documents parse.

use std::process::Command;

use saphyr_parser::{Event, Parser};

use super::{recommended, snippet_text};
use crate::common::{has, scratch, text};

/// As much of the Windows headers as Microsoft documents for these calls: enough to find a wrong name or type.
const WINSOCK2: &str = "#ifndef WINSOCK2\n#define WINSOCK2\n#include <stddef.h>\n\
typedef unsigned long long SOCKET;\ntypedef unsigned long DWORD, *LPDWORD;\ntypedef unsigned long ULONG;\n\
#define SOCKET_ERROR (-1)\n#define SOL_SOCKET 0xffff\n#define SO_KEEPALIVE 8\n#define IPPROTO_TCP 6\n\
int setsockopt(SOCKET, int, int, const char *, int);\n\
int WSAIoctl(SOCKET, DWORD, void *, DWORD, void *, DWORD, LPDWORD, void *, void *);\n#endif\n";
const MSTCPIP: &str = "#ifndef WINSOCK2\n#error winsock2.h comes first\n#endif\n\
struct tcp_keepalive { ULONG onoff; ULONG keepalivetime; ULONG keepaliveinterval; };\n\
#define SIO_KEEPALIVE_VALS 0x98000004UL\n";
const WS2TCPIP: &str = "#ifndef WINSOCK2\n#error winsock2.h comes first\n#endif\n\
#define TCP_KEEPIDLE 3\n#define TCP_KEEPCNT 16\n#define TCP_KEEPINTVL 17\n";

#[test]
fn windows_c_compiles_and_includes_what_it_must() {
    let folder = scratch("advice-windows");
    for (name, header) in [("winsock2.h", WINSOCK2), ("mstcpip.h", MSTCPIP), ("ws2tcpip.h", WS2TCPIP)] {
        std::fs::write(folder.join(name), header).expect("a header");
    }
    for name in ["sio-keepalive-vals", "c-windows"] {
        let source = snippet_text(&["--timeout", "350s", "--stack", "windows", "--for", name]);
        let first = source.lines().find(|line| line.starts_with("#include")).expect("an include");
        assert_eq!(first, "#include <winsock2.h>", "{name}");
        assert!(!source.contains("ws2def.h"), "{name}");
        std::fs::write(folder.join("snippet.c"), &source).expect("a source");
        if !has("gcc") {
            return;
        }
        let output = Command::new("gcc")
            .args([
                "-std=c99",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
                "-fsyntax-only",
                "-I",
                text(&folder),
            ])
            .arg(folder.join("snippet.c"))
            .output()
            .expect("gcc");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let source = snippet_text(&["--timeout", "350s", "--stack", "windows", "--for", "sio-keepalive-vals"]);
    assert!(source.contains("#include <mstcpip.h>"));
    assert!(source.contains("keepalivetime = 170000;"), "{source}");
    assert!(source.contains("keepaliveinterval = 30000;"), "{source}");
}

/// As much of System.Net.Sockets as Microsoft documents for these calls; Mono has no such options.
const SOCKETS: &str = "namespace System.Net.Sockets
{
    public enum SocketOptionLevel { Tcp = 6, Socket = 65535 }
    public enum SocketOptionName { KeepAlive = 8, TcpKeepAliveTime = 3, TcpKeepAliveInterval = 17, TcpKeepAliveRetryCount = 16 }
    public class Socket
    {
        public void SetSocketOption(SocketOptionLevel level, SocketOptionName name, bool value) {}
        public void SetSocketOption(SocketOptionLevel level, SocketOptionName name, int value) {}
    }
}
";

#[test]
fn csharp_compiles() {
    if !has("mcs") {
        return;
    }
    let folder = scratch("advice-csharp");
    let source = snippet_text(&["--timeout", "350s", "--for", "dotnet"]);
    for (value, name) in [("170", "Time"), ("30", "Interval"), ("4", "RetryCount")] {
        assert!(source.contains(&format!("TcpKeepAlive{name}, {value});")), "{name}: {source}");
    }
    for (name, content) in [("Sockets.cs", SOCKETS), ("KeepAlive.cs", &source)] {
        std::fs::write(folder.join(name), content).expect("a source");
    }
    let library = format!("-out:{}", text(&folder.join("KeepAlive.dll")));
    let output = Command::new("mcs")
        // Mono has types of these names as well, and takes ours.
        .args(["-target:library", "-warnaserror+", "-nowarn:436", &library])
        .args(["Sockets.cs", "KeepAlive.cs"].map(|name| folder.join(name)))
        .output()
        .expect("mcs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_registry_file_holds_milliseconds() {
    let text = snippet_text(&["--timeout", "350s", "--stack", "windows", "--for", "windows-registry"]);
    assert!(
        text.starts_with("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\"),
        "{text}"
    );
    let value = |name: &str| {
        let line =
            text.lines().find(|line| line.starts_with(&format!("\"{name}\"=dword:"))).expect("a value");
        let hex = line.split_once("dword:").expect("a number").1;
        assert_eq!(hex.len(), 8);
        u32::from_str_radix(hex, 16).expect("hexadecimal")
    };
    assert_eq!((value("KeepAliveTime"), value("KeepAliveInterval")), (170_000, 30_000));
}

/// What each document that is YAML holds for a key, by its name.
#[test]
fn yaml_parses_and_shell_is_shell() {
    let document = recommended(&["--timeout", "350s", "--for", "all"]);
    let mut seen = Vec::new();
    for snippet in document["snippets"].as_array().expect("snippets") {
        let (name, source) =
            (snippet["name"].as_str().expect("a name"), snippet["text"].as_str().expect("a text"));
        assert!(!source.contains('@'), "{name}: a blank was left: {source}");
        match snippet["language"].as_str().expect("a language") {
            "yaml" => {
                let events: Vec<Event> = Parser::new_from_str(source)
                    .map(|event| event.unwrap_or_else(|error| panic!("{name}: {error}\n{source}")).0)
                    .collect();
                let has = |word: &str| {
                    events.iter().any(|event| matches!(event, Event::Scalar(value, ..) if value.trim_end_matches('s') == word))
                };
                assert!(has("170") && has("30") && has("4"), "{name}: {source}");
                seen.push(name.to_owned());
            }
            "shell" if has("bash") => {
                let output = Command::new("bash").args(["-n", "-c", source]).output().expect("bash");
                assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
                seen.push(name.to_owned());
            }
            _ => {}
        }
    }
    assert_eq!(seen, ["envoy", "istio", "kubernetes", "docker", "docker-compose"]);
}
