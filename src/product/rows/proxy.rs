//! Proxies that somebody runs, or lets run.

use super::{idle, reported_idle};
use crate::product::source;
use crate::product::value::{AtExpiry, Configurable, Idle};
use crate::product::{Expiry, Product, Refresh, Timers};
use crate::stack::Cell;

pub(super) const HAPROXY: Product = Product {
    name: "haproxy",
    title: "HAProxy",
    aliases: &[],
    timers: Timers {
        idle: Cell::measured(Idle::AsConfigured, &[source::HAPROXY_MEASURED])
            .note("timeout client, timeout server, timeout tunnel; it warns where they are missing"),
        configurable: Cell::measured(Configurable::Yes, &[source::HAPROXY_MEASURED]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::measured(AtExpiry::FinThenReset, &[source::HAPROXY_MEASURED])
            .note("a RST follows only if timeout server is not the longer one"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::measured(false, &[source::HAPROXY_MEASURED])),
    ..Product::PROXY
};

pub(super) const NGINX: Product = Product {
    name: "nginx",
    title: "nginx, HTTP",
    aliases: &["ingress-nginx"],
    timers: Timers {
        idle: reported_idle(75, &[source::BOUNDARY_3133])
            .note("keepalive_timeout; proxy_read_timeout 60 while a response is waited for"),
        configurable: Cell::reported(Configurable::Yes, &[source::BOUNDARY_3133]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Fin, &[source::BOUNDARY_3133]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(
        Cell::reported(false, &[source::BOUNDARY_3133]).note("a proxy by construction"),
    ),
    ..Product::PROXY
};

pub(super) const NGINX_STREAM: Product = Product {
    name: "nginx-stream",
    title: "nginx, stream",
    aliases: &["proxy-stream"],
    timers: Timers {
        idle: reported_idle(600, &[source::BOUNDARY_3133]).note("proxy_timeout, proxy-stream-timeout"),
        ..NGINX.timers
    },
    ..NGINX
};

pub(super) const ENVOY: Product = Product {
    name: "envoy",
    title: "Envoy, Istio",
    aliases: &["istio"],
    timers: Timers {
        idle: idle(3600, &[source::ENVOY]).note("of HTTP; tcp_proxy has 3600 too, as is believed"),
        configurable: Cell::verified(Configurable::Yes, &[source::ENVOY]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Fin, &[source::ENVOY]).note("HTTP/2: drains with GOAWAY"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(
        Cell::verified(false, &[source::ENVOY]).note("\"independent of TCP keepalive\""),
    ),
    ..Product::PROXY
};

pub(super) const CLOUDFLARE: Product = Product {
    name: "cloudflare",
    title: "Cloudflare, proxied",
    aliases: &[],
    timers: Timers {
        idle: reported_idle(400, &[source::BELIEVED]).note("of HTTP; it waits 100 for an origin"),
        ..Timers::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(false, &[source::BELIEVED])),
    ..Product::PROXY
};
