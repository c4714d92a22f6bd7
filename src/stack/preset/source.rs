//! The sources that the table of applications rests on.

use crate::stack::cell::Source;

macro_rules! sources {
    ($($name:ident = $tag:literal, $reference:literal;)+) => {
        $(pub(super) const $name: Source = Source { tag: $tag, reference: $reference };)+
    };
}

sources! {
    GO = "go", "Go net/dial.go, constants; golang/go issues 62254 and 31510";
    CHROMIUM = "chromium", "Chromium tcp_socket_posix.cc and tcp_socket_win.cc: kTCPKeepAliveSeconds";
    FIREFOX = "firefox", "Firefox preferences network.http.tcp_keepalive.* and network.tcp.keepalive.*";
    CURL = "curl", "curl src/config2setopts.c and lib/url.c (curl/curl @5c61e168698a)";
    LIBCURL = "libcurl", "curl lib/url.c:406-409 (curl/curl @5c61e168698a)";
    LIBPQ = "libpq", "PostgreSQL documentation of libpq, keepalives; pqSetKeepalivesWin32";
    POSTGRES = "postgresql", "PostgreSQL config.sgml, tcp_keepalives_* (text of a patch of 2023-05-31)";
    PGJDBC = "pgjdbc", "pgjdbc PGProperty.TCP_KEEP_ALIVE (@3a699d57d)";
    MYSQL = "mysql", "MySQL sql_connect.cc: vio_keepalive";
    REDIS = "redis", "Redis anet.c and config.c:3160 (redis/redis @4f8cdc2a1ea5)";
    REDIS_CLI = "redis-cli", "Redis redis-cli.c:56 and hiredis/net.c (@4f8cdc2a1ea5)";
    MONGODB = "mongodb", "MongoDB drivers specification, DRIVERS-383; pymongo pool_shared.py:85-87";
    MONGODB_NODE = "mongodb-node", "MongoDB NODE-5190, the text of the ticket";
    NGINX = "nginx", "nginx ngx_http_core_module.c and ngx_connection.c (@3f6f7824d)";
    NGINX_PROXY = "nginx-proxy", "nginx ngx_http_proxy_module.c: proxy_socket_keepalive (@3f6f7824d)";
    HAPROXY = "haproxy", "HAProxy proto_tcp.c:405-421 and proxy.c (@50872daa6)";
    ENVOY = "envoy", "Contour and Emissary documentation of Envoy's TcpKeepalive";
    OPENSSH = "openssh", "OpenSSH readconf.c:2903, sshconnect.c:561, sshd-session.c:1171 (@0ef0f5a83)";
    NODE = "node", "Node.js net documentation, pull request 38313; libuv uv_tcp_keepalive @6179e7af";
    NODE_HTTP = "node-http", "Node.js http documentation: Agent keepAliveMsecs";
    LIBUV = "libuv", "libuv src/unix/tcp.c:591 (@6179e7af)";
    URLLIB3 = "urllib3", "urllib3 connection.py (@6a8536b6)";
    BOTOCORE = "botocore", "botocore args.py:586-593 (@0e6e2404b)";
    HYPER_UTIL = "hyper-util", "hyper-util connect/http.rs (@4684c71)";
    REQWEST = "reqwest", "reqwest client.rs:303-307 (@065a5ae5)";
    DOTNET = "dotnet", "dotnet/runtime issue 31267; documentation of ConnectCallback";
    WINHTTP = "winhttphandler", "Microsoft Learn, WinHttpHandler";
    GRPC = "grpc", "gRPC proposal A18; grpc-go 6834, 5219, 6250";
    KUMOMTA = "kumomta", "KumoMTA documentation";
    CONTOUR = "contour", "Contour documentation";
    BELIEVED = "believed", "generally believed; no source was read";
}
