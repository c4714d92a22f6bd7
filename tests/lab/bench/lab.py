"""The lab of one capture: client c0 - r0 router r1 - s0 server."""

import errno
import os
import signal
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import sockets, taps, wait
from .counters import Tally
from .netns import Namespace

IPV4 = ("192.0.2.2", "198.51.100.2")
IPV6 = ("2001:db8:1::2", "2001:db8:2::2")


def endpoint(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass
class Pair:
    """Both ends of one established connection."""

    client: socket.socket
    server: socket.socket
    client_at: str
    server_at: str

    def say(self, octets, sender="client"):
        """Sends, receives at the other end, waits for the acknowledgement."""
        a, b = (self.client, self.server) if sender == "client" else (self.server, self.client)
        a.sendall(octets)
        sockets.receive(b, len(octets))
        wait.until(lambda: sockets.unacknowledged(a) == 0, "an acknowledgement")


class Lab:
    """Three hosts in namespaces, gone when the block is left."""

    def __init__(self, path):
        self.path = path
        self._stack = ExitStack()
        self._taps = []
        self.notes = {}

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        # A second signal must not cut the clearing up short.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._stack.close()

    def _namespace(self, letter):
        namespace = Namespace(f"keepscope-{os.getpid()}-{letter}")
        self._stack.callback(namespace.remove)
        namespace.ip("link", "set", "lo", "up")
        return namespace

    def _build(self):
        self.c, self.r, self.s = (self._namespace(letter) for letter in "crs")
        self.r.sysctl("net.ipv4.ip_forward", 1)
        self.r.sysctl("net.ipv6.conf.all.forwarding", 1)
        self._wire(self.c, "c0", "r0", "192.0.2", "2001:db8:1")
        self._wire(self.s, "s0", "r1", "198.51.100", "2001:db8:2")
        self.count_from_here()

    def count_from_here(self):
        """The counters of both ends start at zero again."""
        self.client_counters = Tally(self.c)
        self.server_counters = Tally(self.s)

    def answers_by_server(self):
        """What the server sent besides its own probes. Right while nobody
        sends data: then every other segment answers a probe."""
        return self.server_counters.sent - self.server_counters.keepalives

    def answers_by_client(self):
        return self.client_counters.sent - self.client_counters.keepalives

    def _wire(self, host, near, far, net4, net6):
        host.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.r.name)
        for namespace, interface, last in ((host, near, 2), (self.r, far, 1)):
            namespace.ip("addr", "add", f"{net4}.{last}/24", "dev", interface)
            namespace.ip("addr", "add", f"{net6}::{last}/64", "dev", interface, "nodad")
            namespace.ip("link", "set", interface, "up")
        host.ip("route", "add", "default", "via", f"{net4}.1")
        host.ip("-6", "route", "add", "default", "via", f"{net6}::1")

    def meet_over_ipv6(self):
        """Lets neighbour discovery happen before anything is measured."""

        def refused():
            probe = self.socket(self.c, socket.AF_INET6)
            probe.settimeout(1)
            try:
                return probe.connect_ex((IPV6[1], 9)) == errno.ECONNREFUSED
            finally:
                probe.close()

        wait.until(refused, "IPv6")
        self.count_from_here()

    def temporary_folder(self):
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def later(self, action, *arguments):
        """To be done before the namespaces go."""
        self._stack.callback(action, *arguments)

    def socket(self, namespace, family=socket.AF_INET):
        with namespace.inside():
            sock = socket.socket(family, socket.SOCK_STREAM)
        self.later(sock.close)
        sock.settimeout(20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock

    def listen(self, port, host=IPV4[1], receive_buffer=None):
        listener = self.socket(self.s, socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.bind((host, port))
        listener.listen()
        return listener

    def connect(self, number, hosts=IPV4, listener=None, prepare=None, receive_buffer=None):
        """Connects port 40000+number of the client to 7000+number of the server."""
        here, there = (hosts[0], 40000 + number), (hosts[1], 7000 + number)
        listener = listener or self.listen(there[1], there[0], receive_buffer)
        client = self.socket(self.c, listener.family)
        client.bind(here)
        if prepare:
            prepare(client)
        client.connect(there)
        server, _ = listener.accept()
        self.later(server.close)
        server.settimeout(20)
        for sock in (client, server):
            sockets.no_delay(sock)
        return Pair(client, server, endpoint(*here), endpoint(*there))

    def tap(self, namespace=None, interface="c0", filter="tcp", options=(), kind=taps.Tap, path=None):
        """Starts capturing, by default at the client."""
        tap = kind(namespace or self.c, interface, path or self.path, filter, options)
        self.later(tap.abandon)
        self._taps.append(tap)
        return tap

    def stop_taps(self):
        for tap in self._taps:
            tap.stop()
        self._taps = []

    def probed(self, by_client=0, by_server=0):
        """Waits until the kernels have sent so many keepalive probes."""
        for counters, wanted in ((self.client_counters, by_client), (self.server_counters, by_server)):
            wait.until(lambda: counters.keepalives >= wanted, f"{wanted} probes", 60)

    def failed(self, sock, seconds=60):
        """Waits until the kernel has given a connection up."""
        wait.until(lambda: sockets.state(sock) == 7, "the end of the connection", seconds)
