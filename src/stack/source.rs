//! The sources that the table rests on.
//!
//! Owns what each tag means: which file at which commit, which page, which section, measured on what.

use super::cell::Source;

macro_rules! sources {
    ($($name:ident = $tag:literal, $reference:literal;)+) => {
        $(pub(super) const $name: Source = Source { tag: $tag, reference: $reference };)+
    };
}

sources! {
    L_TIMER = "L-timer", "Linux net/ipv4/tcp_timer.c, 6.x (CachyOS/linux @19599a29487d)";
    L_IN = "L-in", "Linux net/ipv4/tcp_input.c, 6.x (CachyOS/linux @19599a29487d)";
    L_OUT = "L-out", "Linux net/ipv4/tcp_output.c, 6.x (CachyOS/linux @12f5c524c259)";
    L_H = "L-h", "Linux include/net/tcp.h, 6.x: helpers and constants";
    L_WHEEL = "L-wheel", "Linux kernel/time/timer.c: calc_index, calc_wheel_index, LVL_START";
    L_MEASURED = "L-measured", "measured on Linux 6.18.44, HZ=250, against a scripted peer behind a TUN device";
    F_TIMER = "F-timer", "FreeBSD main sys/netinet/tcp_timer.c (freebsd-src @2d614aa2fe3e)";
    F_H = "F-h", "FreeBSD main sys/netinet/tcp_timer.h (freebsd-src @2d614aa2fe3e)";
    F_SUBR = "F-subr", "FreeBSD main sys/netinet/tcp_subr.c: tcp_respond, tcp_drop";
    F_USR = "F-usr", "FreeBSD main sys/netinet/tcp_usrreq.c";
    F_IN = "F-in", "FreeBSD main sys/netinet/tcp_input.c";
    X_TIMER = "X-timer", "XNU bsd/netinet/tcp_timer.c and .h (apple-oss-distributions/xnu @e3723e1f1766)";
    X_SUBR = "X-subr", "XNU bsd/netinet/tcp_subr.c: tcp_respond, tcp_fillheaders (xnu @e3723e1f1766)";
    X_IN = "X-in", "XNU bsd/netinet/tcp_input.c (xnu @e3723e1f1766)";
    X_OUT = "X-out", "XNU bsd/netinet/tcp_output.c (xnu @e3723e1f1766)";
    X_USR = "X-usr", "XNU bsd/netinet: TCP_KEEPALIVE and its like, TCP_CONN_KEEPIDLE (xnu @e3723e1f1766)";
    O_TIMER = "O-timer", "OpenBSD sys/netinet/tcp_timer.c and .h (openbsd/src @00007ca37eaf)";
    O_SUBR = "O-subr", "OpenBSD sys/netinet/tcp_subr.c: tcp_respond, tcp_drop (openbsd/src @00007ca37eaf)";
    O_IN = "O-in", "OpenBSD sys/netinet/tcp_input.c (openbsd/src @00007ca37eaf)";
    N_TIMER = "N-timer", "NetBSD sys/netinet/tcp_timer.c and .h (NetBSD/src @01298e0dd111)";
    N_SUBR = "N-subr", "NetBSD sys/netinet/tcp_subr.c: tcp_respond, tcp_drop (NetBSD/src @01298e0dd111)";
    N_IN = "N-in", "NetBSD sys/netinet/tcp_input.c, indexed copy";
    N_USR = "N-usr", "NetBSD sys/netinet/tcp_usrreq.c: change_keepalive, indexed copy";
    N_OPTIONS = "N-options", "NetBSD sys/netinet, TCP_KEEPIDLE and its like (NetBSD/src @01298e0dd111)";
    D_USR = "D-usr", "DragonFly sys/netinet/tcp_usrreq.c, indexed copy";
    I_TIMER = "I-timer", "illumos inet/tcp/tcp_timers.c: tcp_keepalive_timer (illumos-gate @4047c26b1901)";
    I_TUNABLES = "I-tunables", "illumos inet/tcp/tcp_tunables.c (illumos-gate @1751ed28289a)";
    I_OPTIONS = "I-options", "illumos inet/tcp/tcp_opt_data.c, indexed copy";
    MS_VALS = "MS-vals", "Microsoft Learn, SIO_KEEPALIVE_VALS control code";
    MS_TIME = "MS-time", "Microsoft Learn, KeepAliveTime and KeepAliveInterval (Windows 2000/2003 registry)";
    LIBUV_WIN = "libuv-win", "libuv src/win/tcp.c @6179e7af, and golang/go pull request 65817";
    UIP_558 = "contiki-558", "contiki-os/contiki issue 558: what Windows sends and uIP answers, a field report";
    XMRIG_3300 = "xmrig-3300", "xmrig issue 3300: a Windows SYN in the field";
    GVISOR = "gv", "gVisor pkg/tcpip/transport/tcp (google/gvisor @3c5eee17dc45)";
    GVISOR_OPTIONS = "gv-options", "gVisor pkg/sentry/socket/netstack/netstack.go:2301-2325 (@3c5eee17dc45)";
    SMOLTCP = "smol", "smoltcp src/socket/tcp.rs and its tests (smoltcp-rs/smoltcp @5393f8853a9e)";
    LWIP = "lwip", "lwIP src/core/tcp.c, tcp_out.c, tcp_priv.h (lwip @3d896ba0a37f)";
    LWIP_SOCKETS = "lwip-sockets", "lwIP src/api/sockets.c:3660-3681 (lwip @3d896ba0a37f)";
    FREERTOS = "frt", "FreeRTOS-Plus-TCP @27a96812e844, FreeRTOS_TCP_Transmission.c:949-988 and headers";
    PICOTCP = "pico", "picotcp @46120abecc9f, pico_tcp.c:1003-1036 and tcp_send_probe";
    NUTTX_17888 = "nuttx-17888", "apache/nuttx pull request 17888 (January 2026)";
    IBM_ZVM = "ibm-zvm", "IBM z/VM TCP/IP, KEEPALIVEOPTIONS statement";
    PYTCP_29 = "pytcp-29", "PyTCP issue 29";
    BELIEVED = "believed", "generally believed; no source was read";
}
