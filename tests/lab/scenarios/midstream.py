"""Captures that begin in the middle of a connection, or see one side of it."""

from bench import sockets
from bench.registry import capture
from bench.truth import connection, prober


@capture("Begun while the connection is idle: the first frames are probes and their answers.")
def midstream(lab):
    pair = lab.connect(21)
    pair.say(b"said before the capture")
    lab.tap()
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 2, 5)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=2, interval=2, count=5), start="midstream"),
    ]  # fmt: skip


@capture("Begun when the server is silent already: nothing but probes, then the client's RST.")
def midstream_silent(lab):
    pair = lab.connect(22)
    pair.say(b"said before the capture")
    lab.s.silence()
    lab.tap()
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 2, 3)
    lab.failed(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "timed_out", prober(
            "client", lab.client_counters.keepalives, idle=1, interval=2, count=3),
            start="midstream"),
    ]  # fmt: skip


@capture(
    "Only the client's frames were captured; the server answered all four probes, unseen.",
    taken="tcpdump on the client's interface c0 with a filter on the source address",
)
def one_way(lab):
    lab.tap(filter="tcp and src host 192.0.2.2")
    pair = lab.connect(23)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 7)
    lab.probed(by_client=4)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "inconclusive", prober(
            "client", lab.client_counters.keepalives, idle=2, interval=1, count=7)),
    ]  # fmt: skip
