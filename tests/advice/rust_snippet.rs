//! What `keepscope recommend --timeout 350s --for rust` prints, compiled and used.

#[path = "as_printed.rs"]
mod as_printed;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

#[test]
fn the_rust_snippet_sets_the_options() {
    let printed = super::snippet_text(&["--timeout", "350s", "--for", "rust"]);
    assert_eq!(printed, include_str!("as_printed.rs").replace("pub(crate) ", ""));
    let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let stream = TcpStream::connect(server.local_addr().expect("an address")).expect("a connection");
    as_printed::keep_alive(&stream).expect("options");
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().expect("SO_KEEPALIVE"));
    assert_eq!(socket.tcp_keepalive_time().expect("TCP_KEEPIDLE"), Duration::from_secs(170));
    assert_eq!(socket.tcp_keepalive_interval().expect("TCP_KEEPINTVL"), Duration::from_secs(30));
    assert_eq!(socket.tcp_keepalive_retries().expect("TCP_KEEPCNT"), 4);
}
