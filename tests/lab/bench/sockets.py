"""TCP sockets: keepalive settings, sequence numbers, silent death."""

import socket
import struct

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_SEND_QUEUE = 2


def keepalive(sock, idle, interval, count, user_timeout_ms=None):
    """Sets the timers, then switches keepalive on."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    if user_timeout_ms is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
    switch_on(sock)


def switch_on(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def switch_off(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def no_delay(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_at_once(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def first_sequence(sock, number):
    """The SYN of this not yet connected socket will carry this number."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("=I", number))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)


def forget(sock):
    """Closes without a word: nothing is sent, later segments meet no socket."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.close()


def abort(sock):
    """Closes with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _info(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)


def state(sock):
    """1 established, 5 FIN-WAIT-2, 7 closed, 8 CLOSE-WAIT."""
    return _info(sock)[0]


def unacknowledged(sock):
    """Segments in flight (`tcpi_unacked`)."""
    return struct.unpack_from("=I", _info(sock), 24)[0]


def unsent(sock):
    """Octets written and not yet sent (`tcpi_notsent_bytes`)."""
    return struct.unpack_from("=I", _info(sock), 144)[0]


def segments_sent(sock):
    """All segments this connection has sent (`tcpi_segs_out`)."""
    return struct.unpack_from("=I", _info(sock), 136)[0]


def peer_window(sock):
    """The window the peer last offered, in octets (`tcpi_snd_wnd`)."""
    return struct.unpack_from("=I", _info(sock), 228)[0]


def error(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def receive(sock, count):
    """Reads exactly so many octets."""
    got = b""
    while len(got) < count:
        octets = sock.recv(count - len(got))
        if not octets:
            raise EOFError(f"{len(got)} of {count} octets")
        got += octets
    return got
