"""Connections that follow a plan step by step, all at once in one thread.

A plan is a list of connections; each has a number (its ports are 40000+number
and 7000+number), options to set `before` it is made (of the connecting or the
listening socket), and steps `{"at": seconds, "end": "client", "do": ...}`:

    set option value   keepalive, idle, interval, count (s, s, -), user_timeout (ms)
    send octets        writes that many
    shut               sends a FIN
    forget             closes without a word; later segments meet no socket
    mute, unmute       the server's host drops what this connection sends and gets
    inject octets age  a probe (0 or 1 octet below RCV.NXT of the client) beside the
                       server's own kernel, with a TSval `age` ms old
    follow octets back the same with a TSval `back` ms older than that of the probe before

What was done is noted with CLOCK_MONOTONIC before and after each step.
"""

import errno
import heapq
import socket
import struct
import time

from . import sockets
from .lab import IPV4

OPTIONS = {
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    "interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    "count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    "user_timeout": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
}
TCP_TIMESTAMP = 24
TCP_REPAIR_OFF_NO_WP = -1
TCP_RECV_QUEUE = 1
EARLY = 0.003


def _sum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _queues(sock):
    """SND.NXT and RCV.NXT of a quiet connection. Nothing is sent."""
    sock.setsockopt(socket.IPPROTO_TCP, sockets.TCP_REPAIR, 1)
    found = []
    for queue in (sockets.TCP_SEND_QUEUE, TCP_RECV_QUEUE):
        sock.setsockopt(socket.IPPROTO_TCP, sockets.TCP_REPAIR_QUEUE, queue)
        number = sock.getsockopt(socket.IPPROTO_TCP, sockets.TCP_QUEUE_SEQ)
        found.append(number & 0xFFFFFFFF)
    sock.setsockopt(socket.IPPROTO_TCP, sockets.TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
    return found


class Injector:
    """Sends probes of a server's address that its kernel knows nothing of."""

    def __init__(self, lab):
        with lab.s.inside():
            self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        lab.later(self._raw.close)

    def probe(self, pair, number, octets, stamp):
        sent, received = _queues(pair.server)
        source, target = socket.inet_aton(IPV4[1]), socket.inet_aton(IPV4[0])
        options = struct.pack("!BBBBII", 1, 1, 8, 10, stamp & 0xFFFFFFFF, 0)
        header = struct.pack(
            "!HHIIBBHHH", 7000 + number, 40000 + number, (sent - 1) & 0xFFFFFFFF, received,
            8 << 4, 0x10, 512, 0, 0,
        )  # fmt: skip
        segment = header + options + b"\0" * octets
        pseudo = source + target + struct.pack("!BBH", 0, 6, len(segment))
        segment = segment[:16] + struct.pack("!H", _sum(pseudo + segment)) + segment[18:]
        total = 20 + len(segment)
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, source, target)
        self._raw.sendto(packet + segment, (IPV4[0], 0))


class Muter:
    """Makes the server's host deaf and dumb on single ports."""

    def __init__(self, lab):
        self._host = lab.s
        self._host.nft(
            "table inet mute {\n"
            " set muted { type inet_service; }\n"
            " chain hear { type filter hook input priority 0; tcp dport @muted drop;\n }\n"
            " chain say { type filter hook output priority 0; tcp sport @muted drop;\n }\n"
            "}\n"
        )

    def __call__(self, what, port):
        self._host.nft(f"{what} element inet mute muted {{ {port} }}\n")


def _apply(sock, settings):
    for option, value in settings:
        sock.setsockopt(*OPTIONS[option], value)


def _drain(sock):
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


class Conversation:
    def __init__(self, lab, plan, injector, muter):
        self._number = plan["number"]
        self._inject, self._mute = injector, muter
        self._stamp = None
        self.journal = {"name": plan["name"], "number": self._number, "steps": []}
        listener = lab.listen(7000 + self._number)
        _apply(listener, plan.get("listener", []))
        before = lambda sock: _apply(sock, plan.get("before", []))  # noqa: E731
        self._pair = lab.connect(self._number, listener=listener, prepare=before)
        self._pair.client.setblocking(False)
        self._pair.server.setblocking(False)
        self.start = time.monotonic()

    def run(self, step):
        error = None
        began = time.monotonic_ns()
        try:
            self._do(step)
        except OSError as problem:
            error = errno.errorcode.get(problem.errno, str(problem))
        ended = time.monotonic_ns()
        self.journal["steps"].append(step | {"began": began, "ended": ended, "error": error})

    def _do(self, step):
        sock = getattr(self._pair, step["end"])
        match step["do"]:
            case "set":
                sock.setsockopt(*OPTIONS[step["option"]], step["value"])
            case "send":
                sock.send(b"x" * step["octets"])
            case "shut":
                sock.shutdown(socket.SHUT_WR)
            case "forget":
                sockets.forget(sock)
            case "mute":
                self._mute("add", 7000 + self._number)
            case "unmute":
                self._mute("delete", 7000 + self._number)
            case "inject":
                now = self._pair.server.getsockopt(socket.IPPROTO_TCP, TCP_TIMESTAMP)
                self._stamp = now - step["age"]
                self._inject.probe(self._pair, self._number, step["octets"], self._stamp)
            case "follow":
                self._stamp -= step["back"]
                self._inject.probe(self._pair, self._number, step["octets"], self._stamp)
            case other:
                raise ValueError(f"no step is called {other!r}")

    def read_all(self):
        _drain(self._pair.client)
        _drain(self._pair.server)


def hold(lab, plans):
    """Makes the connections and does every step at its time; returns the journals."""
    injector, muter = Injector(lab), Muter(lab)
    conversations, agenda = [], []
    for plan in plans:
        conversation = Conversation(lab, plan, injector, muter)
        index = len(conversations)
        conversations.append(conversation)
        for number, step in enumerate(plan["steps"]):
            heapq.heappush(agenda, (conversation.start + step["at"], index, number, step))
        heapq.heappush(agenda, (conversation.start + plan["until"], index, len(plan["steps"]), None))
    while agenda:
        due, index, _, step = heapq.heappop(agenda)
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            if left > EARLY:
                for conversation in conversations:
                    conversation.read_all()
        if step is None:
            conversations[index].journal["until"] = time.monotonic_ns()
        else:
            conversations[index].run(step)
    return [conversation.journal for conversation in conversations]
