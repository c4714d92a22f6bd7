//! The defaults of a whole system.

use super::source::{FREEBSD, LINUX, MS_TIME, XNU};
use super::{Language, Means, Parameter, Snippet};
use crate::advice::shape::{CountOf, IntervalOf, Shape};
use crate::stack::value::{Role, Unit};
use crate::stack::{Cell, Source};

pub(super) const ALL: &[Snippet] = &[SYSCTL, SYSCTL_FREEBSD, SYSCTL_MACOS, WINDOWS_REGISTRY];

/// Only sockets that ask for keepalives, and set nothing themselves, use the system's values.
const WHO: &str = "Holds for sockets that turn SO_KEEPALIVE on and set no times of their own.";

const fn seconds(name: &'static str, sets: Role, default: &'static str) -> Parameter {
    let from: &[Source] = &[LINUX];
    Parameter::new(name, sets, Cell::verified(Unit::Seconds, from), Cell::verified(default, from))
}

const SYSCTL: Snippet = Snippet {
    name: "sysctl",
    title: "Linux, for the whole network namespace",
    aliases: &["linux-sysctl", "linux"],
    stacks: &["linux"],
    language: Language::Configuration,
    place: "/etc/sysctl.d/90-tcp-keepalive.conf, then sysctl --system",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        seconds("net.ipv4.tcp_keepalive_time", Role::Idle, "7200"),
        seconds("net.ipv4.tcp_keepalive_intvl", Role::Interval, "75"),
        Parameter::new(
            "net.ipv4.tcp_keepalive_probes",
            Role::Count,
            Cell::verified(Unit::Probes, &[LINUX]),
            Cell::verified("9", &[LINUX]),
        ),
    ],
    text: "net.ipv4.tcp_keepalive_time = @idle@
net.ipv4.tcp_keepalive_intvl = @interval@
net.ipv4.tcp_keepalive_probes = @count@
",
    note: WHO,
};

const fn milliseconds(
    name: &'static str,
    sets: Role,
    default: &'static str,
    from: &'static [Source],
) -> Parameter {
    Parameter::new(name, sets, Cell::verified(Unit::Milliseconds, from), Cell::verified(default, from))
}

const BSD: &str = "net.inet.tcp.keepidle=@idle_ms@
net.inet.tcp.keepintvl=@interval_ms@
net.inet.tcp.keepcnt=@count@
";

const SYSCTL_FREEBSD: Snippet = Snippet {
    name: "sysctl-freebsd",
    title: "FreeBSD, for the whole system",
    aliases: &["freebsd-sysctl", "freebsd"],
    stacks: &["freebsd"],
    language: Language::Configuration,
    place: "/etc/sysctl.conf; net.inet.tcp.always_keepalive=1 (the default) turns keepalives on for every connection",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        milliseconds("net.inet.tcp.keepidle", Role::Idle, "7200000", &[FREEBSD]),
        milliseconds("net.inet.tcp.keepintvl", Role::Interval, "75000", &[FREEBSD]),
        Parameter::new(
            "net.inet.tcp.keepcnt",
            Role::Count,
            Cell::verified(Unit::Probes, &[FREEBSD]),
            Cell::verified("8", &[FREEBSD]),
        ),
    ],
    text: BSD,
    note: "",
};

const SYSCTL_MACOS: Snippet = Snippet {
    name: "sysctl-macos",
    title: "macOS, for the whole system",
    aliases: &["macos-sysctl", "macos"],
    stacks: &["macos"],
    place: "sysctl -w each; gone after a restart",
    parameters: &[
        milliseconds("net.inet.tcp.keepidle", Role::Idle, "7200000", &[XNU]),
        milliseconds("net.inet.tcp.keepintvl", Role::Interval, "75000", &[XNU]),
        Parameter::new(
            "net.inet.tcp.keepcnt",
            Role::Count,
            Cell::verified(Unit::Probes, &[XNU]),
            Cell::verified("8", &[XNU]),
        ),
    ],
    note: WHO,
    ..SYSCTL_FREEBSD
};

/// The registry has no value for the count.
const TEN_PROBES: Shape = Shape { interval: IntervalOf::Choice, count: CountOf::Fixed(10) };

const WINDOWS_REGISTRY: Snippet = Snippet {
    name: "windows-registry",
    title: "Windows, for the whole system",
    aliases: &["registry", "windows"],
    stacks: &["windows-10-1709", "windows-vista"],
    language: Language::Configuration,
    place: "a .reg file; takes effect after a restart",
    means: Means::Keepalive(TEN_PROBES),
    parameters: &[
        milliseconds("KeepAliveTime", Role::Idle, "7200000", &[MS_TIME]),
        milliseconds("KeepAliveInterval", Role::Interval, "1000", &[MS_TIME]),
    ],
    text: "Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters]
\"KeepAliveTime\"=dword:@idle_hex@
\"KeepAliveInterval\"=dword:@interval_hex@
",
    note: "DWORDs in milliseconds, written in hexadecimal. The count is 10 and has no value here. Holds for \
           sockets that turn SO_KEEPALIVE on and set no times of their own.",
};
