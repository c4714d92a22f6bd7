//! Source code that sets the options of one socket: languages with a runtime of their own.

use super::code::WITH_OPTIONS;
use super::source::{DOTNET, GO, GRPC, GRPC_SOURCE, JDK, LIBUV, RAN};
use super::{Language, Means, Parameter, Snippet};
use crate::advice::shape::{CountOf, IntervalOf, Shape};
use crate::stack::Cell;
use crate::stack::value::{Role, Unit};
use crate::time::Span;

pub(super) const ALL: &[Snippet] = &[GO_NET, JAVA, CSHARP, NODE, GRPC_GO];

/// Windows has the three options too, since 1709.
const ANYWHERE: &[&str] = &["linux", "windows-10-1709", "freebsd", "macos", "netbsd"];

const GO_NET: Snippet = Snippet {
    name: "go",
    title: "Go 1.23 and later",
    aliases: &["golang"],
    stacks: ANYWHERE,
    language: Language::Go,
    place: "net.Dialer for clients, net.ListenConfig for servers",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "Idle",
            Role::Idle,
            Cell::verified(Unit::Duration, &[GO, RAN]),
            Cell::verified("15 s", &[GO, RAN]).note("keepalives are on without asking"),
        ),
        Parameter::new(
            "Interval",
            Role::Interval,
            Cell::verified(Unit::Duration, &[GO, RAN]),
            Cell::verified("15 s", &[GO, RAN]),
        ),
        Parameter::new(
            "Count",
            Role::Count,
            Cell::verified(Unit::Probes, &[GO, RAN]),
            Cell::verified("9", &[GO, RAN]),
        ),
    ],
    text: "package keepalive

import (
	\"net\"
	\"time\"
)

var config = net.KeepAliveConfig{
	Enable:   true,
	Idle:     @idle@ * time.Second,
	Interval: @interval@ * time.Second,
	Count:    @count@,
}

var Dialer = net.Dialer{KeepAliveConfig: config}
var ListenConfig = net.ListenConfig{KeepAliveConfig: config}
",
    note: "Before 1.23 there is KeepAlive only, one time for idle and interval. What Go sets by itself (15 s) holds too.",
};

const JAVA: Snippet = Snippet {
    name: "java",
    title: "Java 11 and later",
    aliases: &["jdk", "jvm"],
    stacks: WITH_OPTIONS,
    language: Language::Java,
    place: "with any Socket, before or after connect",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "TCP_KEEPIDLE",
            Role::Idle,
            Cell::verified(Unit::Seconds, &[JDK]),
            Cell::verified("the system's", &[JDK]).note("keepalives are off until SO_KEEPALIVE is set"),
        ),
        Parameter::new(
            "TCP_KEEPINTERVAL",
            Role::Interval,
            Cell::verified(Unit::Seconds, &[JDK]),
            Cell::verified("the system's", &[JDK]),
        ),
        Parameter::new(
            "TCP_KEEPCOUNT",
            Role::Count,
            Cell::verified(Unit::Probes, &[JDK]),
            Cell::verified("the system's", &[JDK]),
        ),
    ],
    text: "import java.io.IOException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import jdk.net.ExtendedSocketOptions;

final class KeepAlive {
    static void on(Socket socket) throws IOException {
        socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, @idle@); // seconds
        socket.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, @interval@); // seconds
        socket.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, @count@); // probes
    }
}
",
    note: "Drivers that only turn keepalives on (pgjdbc's tcpKeepAlive, Connector/J's) leave the times to the system.",
};

const CSHARP: Snippet = Snippet {
    name: "dotnet",
    title: ".NET Core 3.0 and later",
    aliases: &["csharp", "c#"],
    stacks: ANYWHERE,
    language: Language::CSharp,
    place: "with any Socket; for HttpClient in SocketsHttpHandler.ConnectCallback",
    means: Means::Keepalive(Shape::FREE),
    parameters: &[
        Parameter::new(
            "TcpKeepAliveTime",
            Role::Idle,
            Cell::verified(Unit::Seconds, &[DOTNET, RAN]),
            Cell::verified("the system's", &[DOTNET, RAN]).note("keepalives are off until KeepAlive is set"),
        ),
        Parameter::new(
            "TcpKeepAliveInterval",
            Role::Interval,
            Cell::verified(Unit::Seconds, &[DOTNET, RAN]),
            Cell::verified("the system's", &[DOTNET, RAN]),
        ),
        Parameter::new(
            "TcpKeepAliveRetryCount",
            Role::Count,
            Cell::verified(Unit::Probes, &[DOTNET, RAN]),
            Cell::verified("the system's", &[DOTNET, RAN]),
        ),
    ],
    text: "using System.Net.Sockets;

static class KeepAlive
{
    public static void On(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, @idle@); // seconds
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, @interval@); // seconds
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, @count@); // probes
    }
}
",
    note: "",
};

/// libuv sets the other two itself.
const LIBUV_SHAPE: Shape =
    Shape { interval: IntervalOf::Fixed(Span::from_secs(1)), count: CountOf::Fixed(10) };

const NODE: Snippet = Snippet {
    name: "node",
    title: "Node.js",
    aliases: &["nodejs", "libuv"],
    stacks: ANYWHERE,
    language: Language::JavaScript,
    place: "with any net.Socket; for http with the option of http.Agent that is shown",
    means: Means::Keepalive(LIBUV_SHAPE),
    parameters: &[Parameter::new(
        "initialDelay",
        Role::Idle,
        Cell::verified(Unit::Milliseconds, &[LIBUV]),
        Cell::verified("0: the system's", &[LIBUV]).note("keepalives are off until setKeepAlive"),
    )],
    text: "const http = require('http');

function keepAlive(socket) {
  socket.setKeepAlive(true, @idle_ms@); // milliseconds
}

const agent = new http.Agent({ keepAlive: true, keepAliveMsecs: @idle_ms@ });

module.exports = { keepAlive, agent };
",
    note: "The interval is 1 s and the count 10, set by libuv; neither can be chosen.",
};

const GRPC_GO: Snippet = Snippet {
    name: "grpc",
    title: "gRPC, in Go; other languages have the same under the name GRPC_ARG_KEEPALIVE_TIME_MS",
    aliases: &["grpc-go"],
    stacks: &[],
    language: Language::Go,
    place: "options of grpc.NewClient, and of grpc.NewServer at the other end",
    means: Means::Ping,
    parameters: &[
        Parameter::new(
            "Time",
            Role::Idle,
            Cell::verified(Unit::Duration, &[GRPC, GRPC_SOURCE]),
            Cell::verified("off", &[GRPC, GRPC_SOURCE]),
        ),
        Parameter::new(
            "MinTime",
            Role::Idle,
            Cell::verified(Unit::Duration, &[GRPC, GRPC_SOURCE]),
            Cell::verified("5 min", &[GRPC, GRPC_SOURCE])
                .note("a client that pings more often is told too_many_pings"),
        ),
    ],
    text: "package keepalive

import (
	\"time\"

	\"google.golang.org/grpc\"
	\"google.golang.org/grpc/keepalive\"
)

var Client = grpc.WithKeepaliveParams(keepalive.ClientParameters{
	Time:                @idle@ * time.Second,
	Timeout:             20 * time.Second,
	PermitWithoutStream: true,
})

// Without it a server takes no pings more often than every 5 minutes and closes with too_many_pings.
var Server = grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
	MinTime:             @interval@ * time.Second / 2,
	PermitWithoutStream: true,
})
",
    note: "PINGs of HTTP/2. What watches packets counts them; a proxy of HTTP answers them itself, and some \
           (AWS ALB) do not count them as activity. In Go a client pings every 10 s at most.",
};
