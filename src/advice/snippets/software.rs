//! Servers and clients that have settings of their own: databases and shells.

use super::source::{LINUX, MYSQL, OPENSSH, PG_LIBPQ, PG_SERVER, PROGRAM, REDIS};
use super::{Language, Means, Parameter, Snippet};
use crate::advice::shape::{CountOf, IntervalOf, Shape};
use crate::stack::Cell;
use crate::stack::value::{Role, Unit};

pub(super) const ALL: &[Snippet] = &[POSTGRESQL, LIBPQ, MYSQL_OS, REDIS_SERVER, SSH, SSHD];

const POSTGRESQL: Snippet = Snippet {
    name: "postgresql",
    title: "PostgreSQL server",
    aliases: &["postgres", "pg"],
    stacks: &[],
    language: Language::Configuration,
    place: "postgresql.conf, then reload; for connections made afterwards",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "tcp_keepalives_idle",
            Role::Idle,
            Cell::measured(Unit::Seconds, &[PG_SERVER, PROGRAM]),
            Cell::verified("0: the system's", &[PG_SERVER]),
        ),
        Parameter::new(
            "tcp_keepalives_interval",
            Role::Interval,
            Cell::measured(Unit::Seconds, &[PG_SERVER, PROGRAM]),
            Cell::verified("0: the system's", &[PG_SERVER]),
        ),
        Parameter::new(
            "tcp_keepalives_count",
            Role::Count,
            Cell::measured(Unit::Probes, &[PG_SERVER, PROGRAM]),
            Cell::verified("0: the system's", &[PG_SERVER]),
        ),
    ],
    text: "tcp_keepalives_idle = @idle@
tcp_keepalives_interval = @interval@
tcp_keepalives_count = @count@
",
    note: "tcp_user_timeout is better left at 0: on Linux it takes the place of the count.",
};

const LIBPQ: Snippet = Snippet {
    name: "libpq",
    title: "PostgreSQL clients on libpq (psql, psycopg, PHP, Ruby)",
    aliases: &["psql", "psycopg"],
    stacks: &[],
    language: Language::Configuration,
    place: "the connection string, or the part after ? of a postgresql:// address",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "keepalives_idle",
            Role::Idle,
            Cell::measured(Unit::Seconds, &[PG_LIBPQ, PROGRAM]),
            Cell::verified("0: the system's", &[PG_LIBPQ]).note("keepalives are on"),
        ),
        Parameter::new(
            "keepalives_interval",
            Role::Interval,
            Cell::measured(Unit::Seconds, &[PG_LIBPQ, PROGRAM]),
            Cell::verified("0: the system's", &[PG_LIBPQ]),
        ),
        Parameter::new(
            "keepalives_count",
            Role::Count,
            Cell::measured(Unit::Probes, &[PG_LIBPQ, PROGRAM]),
            Cell::verified("0: the system's", &[PG_LIBPQ]).note("Windows ignores it"),
        ),
    ],
    text: "keepalives=1 keepalives_idle=@idle@ keepalives_interval=@interval@ keepalives_count=@count@
",
    note: "",
};

const MYSQL_OS: Snippet = Snippet {
    name: "mysql",
    title: "MySQL and MariaDB, server on Linux",
    aliases: &["mysqld", "mariadb", "connector-j"],
    stacks: &["linux"],
    language: Language::Configuration,
    place: "/etc/sysctl.d/90-tcp-keepalive.conf, then sysctl --system",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "net.ipv4.tcp_keepalive_time",
            Role::Idle,
            Cell::verified(Unit::Seconds, &[LINUX]),
            Cell::verified("7200", &[LINUX]),
        ),
        Parameter::new(
            "net.ipv4.tcp_keepalive_intvl",
            Role::Interval,
            Cell::verified(Unit::Seconds, &[LINUX]),
            Cell::verified("75", &[LINUX]),
        ),
        Parameter::new(
            "net.ipv4.tcp_keepalive_probes",
            Role::Count,
            Cell::verified(Unit::Probes, &[LINUX]),
            Cell::verified("9", &[LINUX]),
        ),
        Parameter::new(
            "tcpKeepAlive (Connector/J)",
            Role::Enable,
            Cell::reported(Unit::Flag, &[MYSQL]),
            Cell::reported("true", &[MYSQL]),
        ),
    ],
    text: "# mysqld turns keepalives on for every client and has no times of its own.
net.ipv4.tcp_keepalive_time = @idle@
net.ipv4.tcp_keepalive_intvl = @interval@
net.ipv4.tcp_keepalive_probes = @count@
",
    note: "The server closes an idle session itself after wait_timeout (28800 s). Connector/J has tcpKeepAlive and no \
           times: set the same on the client's system.",
};

/// redis-server makes the other two out of the one value it is given.
const REDIS_SHAPE: Shape = Shape { interval: IntervalOf::Share(3), count: CountOf::Fixed(3) };

const REDIS_SERVER: Snippet = Snippet {
    name: "redis",
    title: "Redis server",
    aliases: &["redis-server", "valkey"],
    stacks: &[],
    language: Language::Configuration,
    place: "redis.conf, or CONFIG SET; for connections made afterwards",
    means: Means::Keepalive(REDIS_SHAPE),
    parameters: &[Parameter::new(
        "tcp-keepalive",
        Role::Idle,
        Cell::measured(Unit::Seconds, &[REDIS, PROGRAM]),
        Cell::verified("300", &[REDIS]).note("0 turns keepalives off"),
    )],
    text: "tcp-keepalive @idle@
",
    note: "The interval is a third of it and the count 3; neither can be chosen.",
};

const SSH: Snippet = Snippet {
    name: "openssh",
    title: "OpenSSH client",
    aliases: &["ssh", "ssh_config"],
    stacks: &[],
    language: Language::Configuration,
    place: "~/.ssh/config or /etc/ssh/ssh_config",
    means: Means::Heartbeat,
    parameters: &[
        Parameter::new(
            "ServerAliveInterval",
            Role::Idle,
            Cell::measured(Unit::Seconds, &[OPENSSH, PROGRAM]),
            Cell::verified("0: off", &[OPENSSH]),
        ),
        Parameter::new(
            "ServerAliveCountMax",
            Role::Count,
            Cell::verified(Unit::Probes, &[OPENSSH]),
            Cell::verified("3", &[OPENSSH]),
        ),
    ],
    text: "Host *
    ServerAliveInterval @idle@
    ServerAliveCountMax @count@
",
    note: "Encrypted messages that ask for an answer: data for everything on the path, so proxies count them. \
           TCPKeepAlive is the stack's keepalive with the system's times.",
};

const SSHD: Snippet = Snippet {
    name: "sshd",
    title: "OpenSSH server",
    aliases: &["openssh-server", "sshd_config"],
    place: "/etc/ssh/sshd_config, then reload; for connections made afterwards",
    parameters: &[
        Parameter::new(
            "ClientAliveInterval",
            Role::Idle,
            Cell::measured(Unit::Seconds, &[OPENSSH, PROGRAM]),
            Cell::verified("0: off", &[OPENSSH]),
        ),
        Parameter::new(
            "ClientAliveCountMax",
            Role::Count,
            Cell::verified(Unit::Probes, &[OPENSSH]),
            Cell::verified("3", &[OPENSSH]),
        ),
    ],
    text: "ClientAliveInterval @idle@
ClientAliveCountMax @count@
",
    ..SSH
};
