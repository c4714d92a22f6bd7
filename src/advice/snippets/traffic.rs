//! What stands in front of servers and around them: proxies and containers.

use super::source::{DOCKER, ENVOY, HAPROXY, ISTIO, KUBERNETES, LINUX, NGINX, PROGRAM};
use super::{Language, Means, Parameter, Snippet};
use crate::advice::shape::Shape;
use crate::stack::Cell;
use crate::stack::value::{Role, Unit};

pub(super) const ALL: &[Snippet] =
    &[NGINX_LISTEN, HAPROXY_BOTH, ENVOY_BOTH, ISTIO_RULE, KUBERNETES_POD, DOCKER_RUN, DOCKER_COMPOSE];

const NGINX_LISTEN: Snippet = Snippet {
    name: "nginx",
    title: "nginx, its clients",
    aliases: &["so_keepalive"],
    stacks: &[],
    language: Language::Configuration,
    place: "in server { }, of http or stream",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[Parameter::new(
        "so_keepalive=idle:interval:count",
        Role::Idle,
        Cell::measured(Unit::Seconds, &[NGINX, PROGRAM]).note("or with a unit, as in 2m"),
        Cell::verified("off", &[NGINX]).note("a part that is left out is the system's"),
    )],
    text: "listen 8080 so_keepalive=@idle@s:@interval@s:@count@;
",
    note: "Of several server blocks with the same listen, one says it for all. Connections to upstream servers have \
           proxy_socket_keepalive on, with the system's times (--for sysctl). keepalive_timeout is another matter: \
           nginx itself closes an idle HTTP connection after it.",
};

const fn haproxy(name: &'static str, sets: Role, unit: Unit) -> Parameter {
    Parameter::new(
        name,
        sets,
        Cell::measured(unit, &[HAPROXY, PROGRAM]),
        Cell::verified("the system's", &[HAPROXY]),
    )
}

const HAPROXY_BOTH: Snippet = Snippet {
    name: "haproxy",
    title: "HAProxy 2.3 and later, its clients and its servers",
    aliases: &["clitcpka", "srvtcpka"],
    stacks: &[],
    language: Language::Configuration,
    place: "haproxy.cfg, in defaults, or in the frontends (cli) and backends (srv) that need it",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "option clitcpka, option srvtcpka",
            Role::Enable,
            Cell::measured(Unit::Flag, &[HAPROXY, PROGRAM]),
            Cell::verified("off", &[HAPROXY]),
        ),
        haproxy("clitcpka-idle, srvtcpka-idle", Role::Idle, Unit::Seconds),
        haproxy("clitcpka-intvl, srvtcpka-intvl", Role::Interval, Unit::Seconds),
        haproxy("clitcpka-cnt, srvtcpka-cnt", Role::Count, Unit::Probes),
    ],
    text: "defaults
    option clitcpka
    clitcpka-idle @idle@s
    clitcpka-intvl @interval@s
    clitcpka-cnt @count@
    option srvtcpka
    srvtcpka-idle @idle@s
    srvtcpka-intvl @interval@s
    srvtcpka-cnt @count@
",
    note: "timeout client, timeout server and timeout tunnel still close what carries no data.",
};

const fn envoy(name: &'static str, sets: Role, unit: Unit) -> Parameter {
    Parameter::new(name, sets, Cell::reported(unit, &[ENVOY]), Cell::reported("the system's", &[ENVOY]))
}

const ENVOY_BOTH: Snippet = Snippet {
    name: "envoy",
    title: "Envoy on Linux, its upstream clusters and its listeners",
    aliases: &["contour", "emissary"],
    stacks: &["linux"],
    language: Language::Yaml,
    place: "fields of a cluster, and of a listener",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        envoy("keepalive_time", Role::Idle, Unit::Seconds),
        envoy("keepalive_interval", Role::Interval, Unit::Seconds),
        envoy("keepalive_probes", Role::Count, Unit::Probes),
    ],
    text: "clusters:
  - name: example
    upstream_connection_options:
      tcp_keepalive:
        keepalive_time: @idle@
        keepalive_interval: @interval@
        keepalive_probes: @count@
listeners:
  - name: example
    socket_options: # numbers of Linux
      - { level: 1, name: 9, int_value: 1, description: SO_KEEPALIVE }
      - { level: 6, name: 4, int_value: @idle@, description: TCP_KEEPIDLE }
      - { level: 6, name: 5, int_value: @interval@, description: TCP_KEEPINTVL }
      - { level: 6, name: 6, int_value: @count@, description: TCP_KEEPCNT }
",
    note: "Its own idle timeouts do not count keepalives.",
};

const ISTIO_RULE: Snippet = Snippet {
    name: "istio",
    title: "Istio, towards a service (the upstream leg only)",
    aliases: &["destinationrule"],
    stacks: &["linux"],
    place: "a DestinationRule",
    parameters: &[
        Parameter::new(
            "time",
            Role::Idle,
            Cell::reported(Unit::Duration, &[ISTIO]),
            Cell::reported("the system's", &[ISTIO]),
        ),
        Parameter::new(
            "interval",
            Role::Interval,
            Cell::reported(Unit::Duration, &[ISTIO]),
            Cell::reported("the system's", &[ISTIO]),
        ),
        Parameter::new(
            "probes",
            Role::Count,
            Cell::reported(Unit::Probes, &[ISTIO]),
            Cell::reported("the system's", &[ISTIO]),
        ),
    ],
    text: "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: example
spec:
  host: example.default.svc.cluster.local
  trafficPolicy:
    connectionPool:
      tcp:
        tcpKeepalive:
          time: @idle@s
          interval: @interval@s
          probes: @count@
",
    note: "The client's connection to the sidecar is another one; see envoy for listeners.",
    ..ENVOY_BOTH
};

const fn in_a_namespace(name: &'static str, sets: Role, unit: Unit, default: &'static str) -> Parameter {
    Parameter::new(name, sets, Cell::verified(unit, &[LINUX]), Cell::verified(default, &[LINUX]))
}

const NAMESPACED: [Parameter; 3] = [
    in_a_namespace("net.ipv4.tcp_keepalive_time", Role::Idle, Unit::Seconds, "7200"),
    in_a_namespace("net.ipv4.tcp_keepalive_intvl", Role::Interval, Unit::Seconds, "75"),
    in_a_namespace("net.ipv4.tcp_keepalive_probes", Role::Count, Unit::Probes, "9"),
];

const KUBERNETES_POD: Snippet = Snippet {
    name: "kubernetes",
    title: "Kubernetes, one pod",
    aliases: &["k8s", "pod"],
    stacks: &["linux"],
    language: Language::Yaml,
    place: "securityContext of a pod (not of a container)",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        NAMESPACED[0],
        NAMESPACED[1],
        NAMESPACED[2],
        Parameter::new(
            "securityContext.sysctls",
            Role::Enable,
            Cell::reported(Unit::Flag, &[KUBERNETES]).note("before 1.29 the kubelet must allow them"),
            Cell::reported("none: the kernel's defaults, not the node's", &[KUBERNETES]),
        ),
    ],
    text: "apiVersion: v1
kind: Pod
metadata:
  name: example
spec:
  securityContext:
    sysctls:
      - name: net.ipv4.tcp_keepalive_time
        value: \"@idle@\"
      - name: net.ipv4.tcp_keepalive_intvl
        value: \"@interval@\"
      - name: net.ipv4.tcp_keepalive_probes
        value: \"@count@\"
  containers:
    - name: example
      image: example
",
    note: "Holds for sockets that turn SO_KEEPALIVE on and set no times of their own. The node's sysctls do not reach \
           into pods.",
};

const DOCKER_RUN: Snippet = Snippet {
    name: "docker",
    title: "Docker, one container",
    aliases: &["podman"],
    stacks: &["linux"],
    language: Language::Shell,
    place: "on the command line",
    parameters: &[
        NAMESPACED[0],
        NAMESPACED[1],
        NAMESPACED[2],
        Parameter::new(
            "--sysctl",
            Role::Enable,
            Cell::reported(Unit::Flag, &[DOCKER]),
            Cell::reported("none: the kernel's defaults, not the host's", &[DOCKER]),
        ),
    ],
    text: "docker run \\
    --sysctl net.ipv4.tcp_keepalive_time=@idle@ \\
    --sysctl net.ipv4.tcp_keepalive_intvl=@interval@ \\
    --sysctl net.ipv4.tcp_keepalive_probes=@count@ \\
    example
",
    note: "Not with --network host. Holds for sockets that turn SO_KEEPALIVE on and set no times of their own.",
    ..KUBERNETES_POD
};

const DOCKER_COMPOSE: Snippet = Snippet {
    name: "docker-compose",
    title: "Docker Compose and Swarm, one service",
    aliases: &["compose", "swarm"],
    language: Language::Yaml,
    place: "compose.yaml",
    text: "services:
  example:
    image: example
    sysctls:
      net.ipv4.tcp_keepalive_time: @idle@
      net.ipv4.tcp_keepalive_intvl: @interval@
      net.ipv4.tcp_keepalive_probes: @count@
",
    note: "In a Swarm the service's virtual IP is IPVS, which forgets after 900 s; endpoint_mode: dnsrr avoids it.",
    ..DOCKER_RUN
};
