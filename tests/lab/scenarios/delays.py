"""Paths that take time or change the order of frames."""

from bench import sockets, trunk, wait
from bench.registry import capture
from bench.truth import connection, prober

TAKEN = "tcpdump on the client's end of a TAP device with a delay behind it"
TUN = ("/dev/net/tun",)


def _path(lab, interface="cv0", delay=0.0):
    link = trunk.Trunk(lab)
    link.delay = delay
    lab.later(link.close)
    link.start()
    lab.tap(lab.s if interface == "sv0" else lab.c, interface)
    return link


def _arrived(lab):
    """Both ends have received all that the other has sent."""
    client, server = lab.client_counters, lab.server_counters
    wait.until(lambda: client.received == server.sent and server.received == client.sent, "late frames")


@capture("A round trip of 300 ms; all probes are answered.", taken=TAKEN, needs=TUN)
def slow_path(lab):
    _path(lab, delay=0.15)
    pair = lab.connect(101, trunk.HOSTS)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 2, 3)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    _arrived(lab)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=2, count=3)),
    ]  # fmt: skip


@capture(
    "Both ends probe in the same moment over a round trip of 400 ms: seen from the client, "
    "the server's probe arrives between the client's own and its answer.",
    taken=TAKEN,
    needs=TUN,
)
def crossing(lab):
    _path(lab, delay=0.2)
    pair = lab.connect(102, trunk.HOSTS)
    pair.say(b"hello")
    lab.count_from_here()
    for end in (pair.client, pair.server):
        sockets.keepalive(end, 2, 2, 4)
    lab.probed(by_client=3, by_server=3)
    for end in (pair.client, pair.server):
        sockets.switch_off(end)
    _arrived(lab)
    lab.stop_taps()
    return [
        connection(
            pair, "alive",
            prober("client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
                   idle=2, interval=2, count=4),
            prober("server", lab.server_counters.keepalives, {"ack": lab.answers_by_client()},
                   idle=2, interval=2, count=4),
        ),
    ]  # fmt: skip


@capture(
    "The round trip (1.4 s) is longer than the interval (1 s): the next probe leaves "
    "before the answer to the one before it has come.",
    taken=TAKEN,
    needs=TUN,
)
def late_answers(lab):
    link = _path(lab)
    pair = lab.connect(103, trunk.HOSTS)
    pair.say(b"hello")
    link.delay = 0.7
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 1, 5)
    lab.probed(by_client=5)
    sockets.switch_off(pair.client)
    wait.until(lambda: lab.answers_by_server() == lab.client_counters.keepalives, "answers")
    _arrived(lab)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=1, count=5)),
    ]  # fmt: skip


@capture(
    "Twice a bare acknowledgement of the client is overtaken, by a segment of one octet and "
    "by a FIN, and then looks like a probe. SO_KEEPALIVE is off.",
    taken="tcpdump on the server's end of a TAP device, behind a path that swaps two frames",
    needs=TUN,
)
def reordered(lab):
    link = _path(lab, "sv0")
    pair = lab.connect(104, trunk.HOSTS)
    pair.say(b"hello")
    for last in (False, True):
        sockets.acknowledge_at_once(pair.client)
        link.swap_next()
        pair.server.sendall(b"your turn")
        sockets.receive(pair.client, 9)
        if last:
            pair.client.shutdown(1)
        else:
            pair.client.sendall(b"!")
        wait.until(link.swapped, "the swap")
        wait.until(lambda: sockets.unacknowledged(pair.client) == 0, "an acknowledgement")
    lab.stop_taps()
    assert lab.client_counters.keepalives == 0
    return [connection(pair, "no_keepalive")]
