"""A wire between client and server whose two ends are a thread of this process.

Kernels may lack VLAN devices and delay, so it is done here: each host has a TAP
device, and between the two runs a veth pair in the router's namespace. Frames
can be tagged on the veth pair, delayed, and put in another order.

    c cv0 =tap= thread =t0====veth====t1= thread =tap= sv0 s
"""

import fcntl
import os
import selectors
import socket
import struct
import threading
import time

HOSTS = ("203.0.113.1", "203.0.113.2")
SPAN = "t0"
TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x1002
ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
TAG_TYPES = (b"\x81\x00", b"\x88\xa8")


def _tap(host, name, address):
    with host.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP_NO_PI))
    host.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
    host.ip("addr", "add", f"{address}/24", "dev", name)
    host.ip("link", "set", name, "up")
    return fd


def _packet_socket(namespace, name):
    with namespace.inside():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((name, ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    return sock


def tagged(frame, tags):
    """`tags` from the outermost on: pairs of type and VLAN number."""
    middle = b"".join(struct.pack("!HH", kind, number) for kind, number in tags)
    return frame[:12] + middle + frame[12:]


def untagged(frame):
    """A packet socket has taken the outermost tag off already."""
    while frame[12:14] in TAG_TYPES:
        frame = frame[:12] + frame[16:]
    return frame


class Trunk:
    """Carries frames between cv0 and sv0 until `close`.

    `delay` in seconds holds for each direction and may change at any time.
    After `swap_next` the client's next frame follows the one after it."""

    def __init__(self, lab, tags=()):
        lab.r.ip("link", "add", "t0", "type", "veth", "peer", "name", "t1")
        for name in ("t0", "t1"):
            lab.r.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
            lab.r.ip("link", "set", name, "up")
        self._tags = tags
        self.delay = 0
        self._due = []
        self._swap = threading.Event()
        self._held = None
        self._wires = [_packet_socket(lab.r, "t0"), _packet_socket(lab.r, "t1")]
        self._taps = [_tap(lab.c, "cv0", HOSTS[0]), _tap(lab.s, "sv0", HOSTS[1])]
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def start(self):
        self._thread.start()

    def close(self):
        os.write(self._stopped, b".")
        self._thread.join(5)
        for wire in self._wires:
            wire.close()
        for fd in (*self._taps, self._stop, self._stopped):
            os.close(fd)

    def swap_next(self):
        self._swap.set()

    def swapped(self):
        """Whether the two frames have passed."""
        return not self._swap.is_set() and self._held is None

    def _carry(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ, None)
            for tap, wire in zip(self._taps, self._wires):
                selector.register(tap, selectors.EVENT_READ, (tap, wire))
                selector.register(wire, selectors.EVENT_READ, (tap, wire))
            while True:
                for key, _ in selector.select(self._until_due()):
                    if key.data is None:
                        return
                    tap, wire = key.data
                    if key.fileobj is wire:
                        os.write(tap, untagged(wire.recv(65536)))
                    else:
                        self._order(wire, tagged(os.read(tap, 65536), self._tags))
                while self._due and self._due[0][0] <= time.monotonic():
                    _, wire, frame = self._due.pop(0)
                    wire.send(frame)

    def _until_due(self):
        return max(0, self._due[0][0] - time.monotonic()) if self._due else None

    def _order(self, wire, frame):
        if wire is not self._wires[0]:
            self._send(wire, frame)
        elif self._swap.is_set():
            self._held = frame
            self._swap.clear()
        else:
            self._send(wire, frame)
            if self._held is not None:
                self._send(wire, self._held)
                self._held = None

    def _send(self, wire, frame):
        if self.delay:
            self._due.append((time.monotonic() + self.delay, wire, frame))
        else:
            wire.send(frame)
