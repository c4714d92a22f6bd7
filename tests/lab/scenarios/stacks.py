"""Probers that are not Linux."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

from bench import sockets, taps, wait
from bench.netns import command
from bench.registry import capture
from bench.truth import connection, prober

PROBER = Path(__file__).resolve().parent.parent / "smoltcp-prober"
HOST, STACK = "203.0.113.1", "203.0.113.2"


def _smoltcp(lab, number, interval_ms):
    """A smoltcp stack behind a TAP device of the server, connected to it."""
    command("cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", PROBER / "Cargo.toml")
    target = Path(os.environ.get("CARGO_TARGET_DIR", PROBER / "target"))
    lab.s.ip("tuntap", "add", "tap0", "mode", "tap")
    lab.s.ip("addr", "add", f"{HOST}/24", "dev", "tap0")
    lab.s.ip("link", "set", "tap0", "up")
    lab.tap(lab.s, "tap0")
    listener = lab.listen(7000 + number, HOST)
    process = taps.start(
        lab.s,
        [str(target / "release" / "smoltcp-prober"), "tap0", STACK, str(40000 + number),
         HOST, str(7000 + number), str(interval_ms)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    lab.later(taps.end, process)
    server, _ = listener.accept()
    lab.later(server.close)
    server.settimeout(20)
    sockets.receive(server, len("hello from smoltcp"))
    return process, SimpleNamespace(
        server=server, client_at=f"{STACK}:{40000 + number}", server_at=f"{HOST}:{7000 + number}"
    )


@capture(
    "A smoltcp stack probes a Linux server with one octet every 1.5 s; "
    "the answers carry a D-SACK.",
    taken="tcpdump on the TAP device between them",
    needs=("cargo",),
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
    needs=("cargo",),
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
