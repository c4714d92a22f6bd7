"""How connections end, or begin to: silence, RST, FIN, the same ports again."""

from bench import sockets, wait
from bench.registry import capture
from bench.truth import connection, prober


def _given_up(lab, number, idle, interval, count, user_timeout_ms=None):
    lab.tap()
    pair = lab.connect(number)
    pair.say(b"hello")
    lab.s.silence()
    lab.count_from_here()
    sockets.keepalive(pair.client, idle, interval, count, user_timeout_ms)
    lab.failed(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "timed_out", prober(
            "client", lab.client_counters.keepalives,
            idle=idle, interval=interval, count=count, user_timeout_ms=user_timeout_ms)),
    ]  # fmt: skip


@capture("The server falls silent; after the whole count of unanswered probes the client resets.")
def vanish(lab):
    return _given_up(lab, 11, 3, 2, 4)


@capture("The server falls silent; TCP_USER_TIMEOUT (3 s) ends the connection long before the count.")
def user_timeout(lab):
    return _given_up(lab, 12, 2, 2, 9, 3000)


@capture("Two probes answered, then the server is silent and the capture ends before the client gives up.")
def unanswered(lab):
    lab.tap()
    pair = lab.connect(13)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 8)
    lab.probed(by_client=2)
    wait.until(lambda: lab.answers_by_server() == 2, "answers")
    lab.s.silence()
    lab.probed(by_client=4)
    sockets.switch_off(pair.client)
    wait.hold(1.5)
    lab.stop_taps()
    return [
        connection(pair, "unanswered", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=2, interval=1, count=8)),
    ]  # fmt: skip


@capture("Two probes are lost between answered ones; the connection lives on.")
def lossy(lab):
    lab.tap()
    pair = lab.connect(14)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 6)
    lab.probed(by_client=2)
    wait.until(lambda: lab.answers_by_server() == 2, "answers")
    lab.s.silence()
    lab.probed(by_client=4)
    lab.s.unsilence()
    lab.probed(by_client=7)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=2, interval=1, count=6)),
    ]  # fmt: skip


@capture(
    "Seen beside the server: it answers every probe, but nothing gets back to the client, "
    "which resets after its whole count.",
    taken="tcpdump on the server's interface s0",
)
def answers_lost(lab):
    lab.tap(lab.s, "s0")
    pair = lab.connect(18)
    pair.say(b"hello")
    lab.r.nft(
        "table ip loss { chain forward { type filter hook forward priority 0;"
        " ip daddr 192.0.2.2 drop;\n }\n }\n"
    )
    lab.count_from_here()
    sockets.keepalive(pair.client, 3, 1, 3)
    lab.failed(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "timed_out", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=3, interval=1, count=3)),
    ]  # fmt: skip


@capture("The server's host has forgotten the connection: the third probe is answered by a RST.")
def reset_by_peer(lab):
    lab.tap()
    pair = lab.connect(15)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 2, 4)
    lab.probed(by_client=2)
    wait.until(lambda: lab.answers_by_server() == 2, "answers")
    sockets.forget(pair.server)
    lab.failed(pair.client)
    lab.stop_taps()
    resets = lab.server_counters["Tcp.OutRsts"]
    return [
        connection(pair, "reset", prober(
            "client", lab.client_counters.keepalives,
            {"ack": lab.answers_by_server() - resets, "reset": resets},
            idle=1, interval=2, count=4)),
    ]  # fmt: skip


@capture("Keepalives, more data, keepalives, then an orderly close begun by the server.")
def closed(lab):
    lab.tap()
    pair = lab.connect(16)
    pair.say(b"hello")
    probes = answers = 0
    sockets.keepalive(pair.client, 2, 1, 3)
    for last in (False, True):
        lab.count_from_here()
        lab.probed(by_client=2)
        if last:
            sockets.switch_off(pair.client)
        wait.until(lambda: lab.answers_by_server() == 2, "answers")
        probes += lab.client_counters.keepalives
        answers += lab.answers_by_server()
        pair.say(b"more", sender="server")
    pair.server.close()
    wait.until(lambda: sockets.state(pair.client) == 8, "CLOSE-WAIT")
    pair.client.close()
    lab.stop_taps()
    return [
        connection(pair, "closed", prober(
            "client", probes, {"ack": answers}, idle=2, interval=1, count=3)),
    ]  # fmt: skip


@capture(
    "The same ports three times, with keepalives in each life: the first ends by "
    "the server's RST, the second by FINs, the third is alive at the end."
)
def reused_port(lab):
    lab.tap()
    listener = lab.listen(7017)
    found = []
    for outcome in ("reset", "closed", "alive"):
        pair = lab.connect(17, listener=listener)
        pair.say(outcome.encode())
        lab.count_from_here()
        sockets.keepalive(pair.client, 1, 2, 3)
        lab.probed(by_client=2)
        sockets.switch_off(pair.client)
        wait.until(lambda: lab.answers_by_server() == 2, "answers")
        found.append(connection(pair, outcome, prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=2, count=3)))  # fmt: skip
        if outcome == "reset":
            sockets.abort(pair.server)
            lab.failed(pair.client)
            pair.client.close()
        elif outcome == "closed":
            pair.server.close()
            wait.until(lambda: sockets.state(pair.client) == 8, "CLOSE-WAIT")
            pair.client.close()
    lab.stop_taps()
    return found
