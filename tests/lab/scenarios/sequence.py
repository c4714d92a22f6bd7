"""Sequence numbers around 2^32."""

from bench import sockets, wait
from bench.registry import capture
from bench.truth import connection, prober


def _pair(lab, number, first, octets):
    """The SYN carries `first`, then so many octets of data follow."""
    pair = lab.connect(number, prepare=lambda sock: sockets.first_sequence(sock, first))
    if octets:
        pair.say(b"x" * octets)
    return pair


def _probe(lab, pair, idle, interval, count, probes):
    """One connection after the other, so that the counter tells them apart."""
    lab.count_from_here()
    sockets.keepalive(pair.client, idle, interval, count)
    lab.probed(by_client=probes)
    sockets.switch_off(pair.client)
    wait.until(lambda: lab.answers_by_server() == probes, "answers")
    return prober(
        "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
        idle=idle, interval=interval, count=count,
    )  # fmt: skip


@capture(
    "The client's next sequence number stands at 0 (40041, probes at 0xffffffff), "
    "at 1 (40042, probes at 0), at 0xffffffff (40043) and beyond data that "
    "crossed the wrap (40044)."
)
def wrap(lab):
    lab.tap()
    pairs = [
        _pair(lab, 41, 0xFFFFFFFB, 4),
        _pair(lab, 42, 0xFFFFFFFB, 5),
        _pair(lab, 43, 0xFFFFFFFB, 3),
        _pair(lab, 44, 0xFFFFFFF0, 100),
    ]
    found = [connection(pair, "alive", _probe(lab, pair, 1, 1, 3, 3)) for pair in pairs]
    lab.stop_taps()
    return found


@capture("Begun midstream, with the client's next sequence number at 0: the first frame is a probe at 0xffffffff.")
def wrap_midstream(lab):
    pair = _pair(lab, 45, 0xFFFFFFFB, 4)
    lab.tap()
    found = [connection(pair, "alive", _probe(lab, pair, 1, 2, 2, 3), start="midstream")]
    lab.stop_taps()
    return found
