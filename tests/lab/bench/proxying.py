"""Connections through a real HAProxy, which stands on the router.

The client connects to the router at port 7100+n, where HAProxy listens with the
timeouts of plan n and connects to the server at port 7200+n. A plan is an object:

  client_ms, server_ms   timeout client, timeout server
  speaks     list of [seconds, "client" or "server", octets]
  idle       seconds of TCP_KEEPIDLE and TCP_KEEPINTVL of both ends, or null
  ends       null, or [seconds, "client" or "server", "close" or "reset"]

All plans run at once; `hold` returns when HAProxy closed them or `longest` is over.
"""

import select
import socket
import struct
import time

from . import taps, wait
from .lab import IPV4

ROUTER = "192.0.2.1"


def configuration(plans):
    lines = ["global", " maxconn 200", "defaults", " mode tcp", " timeout connect 5s", " retries 0"]
    for number, plan in enumerate(plans):
        lines += [
            f"listen plan{number}",
            f" bind {ROUTER}:{7100 + number}",
            f" timeout client {plan['client_ms']}ms",
            f" timeout server {plan['server_ms']}ms",
            f" server s {IPV4[1]}:{7200 + number}",
        ]
    return "\n".join(lines) + "\n"


def start(lab, plans):
    path = lab.temporary_folder() / "haproxy.cfg"
    path.write_text(configuration(plans))
    proxy = taps.start(lab.r, ["haproxy", "-db", "-f", str(path)])
    lab.later(taps.end, proxy)

    def listens():
        if proxy.poll() is not None:
            raise RuntimeError("haproxy ended")
        with lab.r.inside(), open("/proc/thread-self/net/tcp") as file:
            ports = {int(line.split()[1].split(":")[1], 16) for line in file if " 0A " in line}
        return all(7100 + number in ports for number in range(len(plans)))

    wait.until(listens, "haproxy to listen")


def keep_alive(sock, seconds):
    if seconds:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def end(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Pair:
    """Both ends of a plan, to either side of HAProxy."""

    def __init__(self, lab, number, plan):
        listener = lab.listen(7200 + number)
        client = lab.socket(lab.c)
        client.bind((IPV4[0], 41000 + number))
        client.connect((ROUTER, 7100 + number))
        server, _ = listener.accept()
        lab.later(server.close)
        self.ends = {"client": client, "server": server}
        for sock in self.ends.values():
            keep_alive(sock, plan["idle"])
            sock.setblocking(False)
        self.todo = sorted([[*speech, None] for speech in plan["speaks"]], key=lambda speech: speech[0])
        self.ending = plan["ends"]
        self.begun = time.monotonic()

    def act(self):
        """Does what is due; whether anybody is still there."""
        passed = time.monotonic() - self.begun
        while self.todo and self.todo[0][0] <= passed:
            _, who, octets, _ = self.todo.pop(0)
            if who in self.ends:
                self.ends[who].send(b"x" * octets)
        if self.ending and self.ending[0] <= passed:
            _, who, how = self.ending
            self.ending = None
            if who in self.ends:
                end(self.ends.pop(who), how)
        return bool(self.ends)

    def hear(self, ready):
        for who, sock in list(self.ends.items()):
            if sock in ready:
                try:
                    heard = sock.recv(65536)
                except ConnectionError:
                    heard = b""
                if not heard:
                    # An end that hears of the close closes too.
                    self.ends.pop(who).close()


def hold(lab, plans, longest):
    start(lab, plans)
    pairs = [Pair(lab, number, plan) for number, plan in enumerate(plans)]
    until = time.monotonic() + longest
    while any([pair.act() for pair in pairs]) and time.monotonic() < until:
        socks = [sock for pair in pairs for sock in pair.ends.values()]
        ready, _, _ = select.select(socks, [], [], 0.01)
        for pair in pairs:
            pair.hear(ready)
    time.sleep(0.2)
