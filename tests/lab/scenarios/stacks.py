"""Probers that are not Linux."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

from bench import sockets, taps, wait
from bench.netns import command
from bench.registry import capture
from bench.truth import connection, prober

SMOLTCP = Path(__file__).resolve().parent.parent / "smoltcp-prober"
LWIP = Path(__file__).resolve().parent.parent / "lwip-prober"
HOST, STACK = "203.0.113.1", "203.0.113.2"


def _wire(lab, number):
    """A TAP device of the server's host, on which the other stack will live."""
    lab.s.ip("tuntap", "add", "tap0", "mode", "tap")
    lab.s.ip("addr", "add", f"{HOST}/24", "dev", "tap0")
    lab.s.ip("link", "set", "tap0", "up")
    lab.tap(lab.s, "tap0")
    return lab.listen(7000 + number, HOST)


def _meet(lab, listener, number, argv, hello, environment=None):
    """Starts the other stack, which connects and says hello."""
    process = taps.start(
        lab.s, argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    lab.later(taps.end, process)
    server, _ = listener.accept()
    lab.later(server.close)
    server.settimeout(20)
    sockets.receive(server, len(hello))
    return process, SimpleNamespace(
        server=server, client_at=f"{STACK}:{40000 + number}", server_at=f"{HOST}:{7000 + number}"
    )


def _smoltcp(lab, number, interval_ms):
    command("cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", SMOLTCP / "Cargo.toml")
    target = Path(os.environ.get("CARGO_TARGET_DIR", SMOLTCP / "target"))
    listener = _wire(lab, number)
    argv = [
        str(target / "release" / "smoltcp-prober"), "tap0", STACK, str(40000 + number),
        HOST, str(7000 + number), str(interval_ms),
    ]  # fmt: skip
    return _meet(lab, listener, number, argv, "hello from smoltcp")


def _lwip(lab, number, idle, interval, count):
    folder = lab.temporary_folder()
    program = folder / "lwip-prober"
    command("cc", "-O2", "-Wall", "-o", program, LWIP / "main.c", "-I/usr/include/lwip", "-llwip")
    listener = _wire(lab, number)
    argv = [
        str(program), STACK, str(40000 + number), HOST, str(7000 + number),
        str(idle), str(interval), str(count),
    ]  # fmt: skip
    environment = os.environ | {"PRECONFIGURED_TAPIF": "tap0"}
    return _meet(lab, listener, number, argv, "hello from lwIP", environment)


@capture(
    "A smoltcp stack probes a Linux server with one octet every 1.5 s; "
    "the answers carry a D-SACK.",
    taken="tcpdump on the TAP device between them",
    needs=("cargo", "/dev/net/tun"),
)
def smoltcp(lab):
    process, pair = _smoltcp(lab, 71, 1500)
    probed = lambda: lab.server_counters["TcpExt.TCPDSACKOldSent"]  # noqa: E731
    wait.until(lambda: probed() >= 5, "probes")
    taps.end(process)
    lab.stop_taps()
    return [connection(pair, "alive", prober("client", probed(), {"ack": probed()}, octets=1))]


@capture(
    "A smoltcp stack probes with one octet every 2 s a Linux server without SACK, "
    "which falls silent after three answers; smoltcp has no count and never gives up.",
    taken="tcpdump on the TAP device between them",
    needs=("cargo", "/dev/net/tun"),
)
def smoltcp_unanswered(lab):
    lab.s.sysctl("net.ipv4.tcp_sack", 0)
    process, pair = _smoltcp(lab, 72, 2000)
    lab.count_from_here()
    wait.until(lambda: lab.server_counters.sent >= 3, "answers")
    lab.s.silence()
    wait.until(lambda: lab.s.unheard() >= 2, "probes", step=0.05)
    wait.hold(1.5)
    taps.end(process)
    lab.stop_taps()
    probes = lab.server_counters.received + lab.s.unheard()
    return [
        connection(pair, "unanswered", prober(
            "client", probes, {"ack": lab.server_counters.sent}, octets=1)),
    ]  # fmt: skip


@capture(
    "An lwIP stack (idle 2 s, interval 1 s, count 3, on a clock of 500 ms) probes without "
    "data; after two answers the server falls silent and lwIP resets.",
    taken="tcpdump on the TAP device between them",
    needs=("cc", "/dev/net/tun", "/usr/include/lwip/lwip/tcpip.h"),
)
def lwip(lab):
    process, pair = _lwip(lab, 73, 2, 1, 3)
    lab.count_from_here()
    wait.until(lambda: lab.server_counters.sent >= 2, "answers")
    lab.s.silence()
    wait.until(lambda: process.poll() is not None, "the end of the connection")
    lab.stop_taps()
    probes = lab.server_counters.received + lab.s.unheard()
    return [
        connection(pair, "timed_out", prober(
            "client", probes, {"ack": lab.server_counters.sent})),
    ]  # fmt: skip
