//! Source code that sets the options of one socket: C, and the languages nearest to it.

use super::source::{LINUX, MS_VALS, SOCKET2, XNU};
use super::{Language, Means, Parameter, Snippet};
use crate::advice::shape::{CountOf, IntervalOf, Shape};
use crate::stack::value::{Role, Unit};
use crate::stack::{Cell, Source};

pub(super) const ALL: &[Snippet] = &[C, C_WINDOWS, SIO_KEEPALIVE_VALS, PYTHON, RUST];

/// Stacks with the three options.
pub(super) const WITH_OPTIONS: &[&str] =
    &["linux", "freebsd", "macos", "netbsd", "gvisor", "illumos", "lwip"];

/// The three options, in seconds; each is the system's where it is not set.
const fn three(sources: &'static [Source]) -> [Parameter; 3] {
    [
        Parameter::new(
            "TCP_KEEPIDLE",
            Role::Idle,
            Cell::verified(Unit::Seconds, sources),
            Cell::verified("the system's", sources).note("keepalives are off until SO_KEEPALIVE is set"),
        ),
        Parameter::new(
            "TCP_KEEPINTVL",
            Role::Interval,
            Cell::verified(Unit::Seconds, sources),
            Cell::verified("the system's", sources),
        ),
        Parameter::new(
            "TCP_KEEPCNT",
            Role::Count,
            Cell::verified(Unit::Probes, sources),
            Cell::verified("the system's", sources),
        ),
    ]
}

const OPTIONS: [Parameter; 3] = three(&[LINUX, XNU]);

const C: Snippet = Snippet {
    name: "c",
    title: "C, one socket",
    aliases: &["setsockopt", "posix"],
    stacks: WITH_OPTIONS,
    language: Language::C,
    place: "before connect() or listen(); sockets from accept() inherit it",
    means: Means::Keepalive(Shape::FREE),
    parameters: &OPTIONS,
    text: "#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Returns 0, or -1 with errno. */
int keep_alive(int fd)
{
    int on = 1, idle = @idle@, interval = @interval@, count = @count@; /* seconds, seconds, probes */

#ifdef __APPLE__
    const int idle_option = TCP_KEEPALIVE;
#else
    const int idle_option = TCP_KEEPIDLE;
#endif
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) ||
        setsockopt(fd, IPPROTO_TCP, idle_option, &idle, sizeof idle) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count))
        return -1;
    return 0;
}
",
    note: "",
};

const WINDOWS_OPTIONS: [Parameter; 3] = three(&[MS_VALS]);

const C_WINDOWS: Snippet = Snippet {
    name: "c-windows",
    title: "C on Windows 10 1709 and later, one socket",
    aliases: &["winsock"],
    stacks: &["windows-10-1709"],
    place: "after socket()",
    parameters: &WINDOWS_OPTIONS,
    text: "#include <winsock2.h>
#include <ws2tcpip.h>

/* Returns 0, or SOCKET_ERROR with WSAGetLastError(). */
int keep_alive(SOCKET s)
{
    DWORD on = 1, idle = @idle@, interval = @interval@, count = @count@; /* seconds, seconds, probes */

    if (setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, (const char *)&on, sizeof on) ||
        setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, (const char *)&idle, sizeof idle) ||
        setsockopt(s, IPPROTO_TCP, TCP_KEEPINTVL, (const char *)&interval, sizeof interval) ||
        setsockopt(s, IPPROTO_TCP, TCP_KEEPCNT, (const char *)&count, sizeof count))
        return SOCKET_ERROR;
    return 0;
}
",
    ..C
};

const TEN_PROBES: Shape = Shape { interval: IntervalOf::Choice, count: CountOf::Fixed(10) };

const SIO_KEEPALIVE_VALS: Snippet = Snippet {
    name: "sio-keepalive-vals",
    title: "C on any Windows since Vista, one socket",
    aliases: &["sio"],
    stacks: &["windows-10-1709", "windows-vista"],
    language: Language::C,
    place: "after socket()",
    means: Means::Keepalive(TEN_PROBES),
    parameters: &[
        Parameter::new(
            "keepalivetime",
            Role::Idle,
            Cell::verified(Unit::Milliseconds, &[MS_VALS]),
            Cell::verified("7200000", &[MS_VALS]),
        ),
        Parameter::new(
            "keepaliveinterval",
            Role::Interval,
            Cell::verified(Unit::Milliseconds, &[MS_VALS]),
            Cell::verified("1000", &[MS_VALS]),
        ),
    ],
    text: "#include <winsock2.h>
#include <mstcpip.h> /* struct tcp_keepalive, SIO_KEEPALIVE_VALS */

/* Returns 0, or SOCKET_ERROR with WSAGetLastError(). Turns keepalives on, too. */
int keep_alive(SOCKET s)
{
    struct tcp_keepalive values;
    DWORD returned = 0;

    values.onoff = 1;
    values.keepalivetime = @idle_ms@;     /* milliseconds */
    values.keepaliveinterval = @interval_ms@; /* milliseconds */
    return WSAIoctl(s, SIO_KEEPALIVE_VALS, &values, sizeof values, NULL, 0, &returned, NULL, NULL);
}
",
    note: "Include winsock2.h, never ws2def.h by itself. The count is 10 and cannot be set by this call.",
};

const PYTHON: Snippet = Snippet {
    name: "python",
    title: "Python, one socket",
    aliases: &["py"],
    stacks: WITH_OPTIONS,
    language: Language::Python,
    place: "with any connected socket.socket",
    means: Means::Keepalive(Shape::FREE),
    parameters: &OPTIONS,
    text: "import socket


def keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS has the idle time under the name TCP_KEEPALIVE, 0x10.
    idle = getattr(socket, \"TCP_KEEPIDLE\", 0x10)
    sock.setsockopt(socket.IPPROTO_TCP, idle, @idle@)  # seconds
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, @interval@)  # seconds
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, @count@)  # probes
",
    note: "",
};

const RUST: Snippet = Snippet {
    name: "rust",
    title: "Rust, one socket (crate socket2)",
    aliases: &["socket2"],
    stacks: WITH_OPTIONS,
    language: Language::Rust,
    place: "with any connected stream, of std or tokio",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "with_time",
            Role::Idle,
            Cell::verified(Unit::Duration, &[SOCKET2]),
            Cell::verified("the system's", &[SOCKET2]).note("keepalives are off until set_tcp_keepalive"),
        ),
        Parameter::new(
            "with_interval",
            Role::Interval,
            Cell::verified(Unit::Duration, &[SOCKET2]),
            Cell::verified("the system's", &[SOCKET2]),
        ),
        Parameter::new(
            "with_retries",
            Role::Count,
            Cell::verified(Unit::Probes, &[SOCKET2]),
            Cell::verified("the system's", &[SOCKET2]).note("needs socket2's feature \"all\""),
        ),
    ],
    text: include_str!("texts/rust.txt"),
    note: "",
};
