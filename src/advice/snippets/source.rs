//! The sources that the table of snippets rests on.

use crate::stack::Source;

macro_rules! sources {
    ($($name:ident = $tag:literal, $reference:literal;)+) => {
        $(pub(super) const $name: Source = Source { tag: $tag, reference: $reference };)+
    };
}

sources! {
    LINUX = "linux", "Linux Documentation/networking/ip-sysctl.rst, include/net/tcp.h; tcp(7)";
    FREEBSD = "freebsd", "FreeBSD main sys/netinet/tcp_timer.c and tcp_usrreq.c";
    XNU = "xnu", "XNU bsd/netinet/tcp_timer.c, tcp.h (TCP_KEEPALIVE)";
    MS_TIME = "ms-time", "Microsoft Learn, KeepAliveTime and KeepAliveInterval";
    MS_VALS = "ms-vals", "Microsoft Learn, SIO_KEEPALIVE_VALS control code";
    GO = "go", "Go 1.23 net: KeepAliveConfig; golang/go issue 62254";
    SOCKET2 = "socket2", "socket2 0.6 TcpKeepalive";
    JDK = "jdk", "JDK 11 java.net.StandardSocketOptions, jdk.net.ExtendedSocketOptions";
    DOTNET = "dotnet", ".NET System.Net.Sockets.SocketOptionName";
    LIBUV = "libuv", "libuv src/unix/tcp.c, uv_tcp_keepalive; nodejs/node pull request 38313";
    PG_SERVER = "pg-server", "PostgreSQL documentation, Connections and Authentication: TCP Settings";
    PG_LIBPQ = "pg-libpq", "PostgreSQL documentation, libpq: Parameter Key Words";
    MYSQL = "mysql", "MySQL sql_connect.cc (vio_keepalive); Connector/J's tcpKeepAlive as is believed";
    REDIS = "redis", "Redis anet.c (anetKeepAlive) and config.c @4f8cdc2a1ea5";
    NGINX = "nginx", "nginx ngx_http_core_module.c, ngx_connection.c @3f6f7824d";
    HAPROXY = "haproxy", "HAProxy src/proto_tcp.c @50872daa6; configuration manual, clitcpka-idle and its like";
    ENVOY = "envoy", "Envoy API, core.v3.TcpKeepalive and SocketOption, as third parties describe it";
    ISTIO = "istio", "Istio reference, DestinationRule: ConnectionPoolSettings.TCPSettings.TcpKeepalive";
    OPENSSH = "openssh", "OpenSSH readconf.c and servconf.c @0ef0f5a83; ssh_config(5), sshd_config(5)";
    GRPC_SOURCE = "grpc-go", "grpc-go 1.33 keepalive/keepalive.go, internal/transport/defaults.go; what is printed compiles with it";
    GRPC = "grpc", "gRPC doc/keepalive.md and proposals A8, A9, A18; the limit of 5 minutes as is believed";
    KUBERNETES = "kubernetes", "Kubernetes documentation, Using sysctls; safe since 1.29, as is believed";
    DOCKER = "docker", "Docker documentation, run --sysctl and Compose sysctls";
    RAN = "ran", "measured: compiled and run on Linux 6 by Go 1.27, .NET Core 3.1; the options read back from the kernel";
    PROGRAM = "program", "measured: the program of Debian 12 on Linux 6, its sockets as the kernel shows them";
}
