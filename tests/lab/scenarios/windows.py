"""Closed windows and single octets: what looks like a keepalive and is none."""

from bench import sockets, wait
from bench.registry import capture
from bench.truth import connection, prober


def _lose_single_octets(lab):
    """Two of every three segments of the client with one octet are lost."""
    # 53 octets: IPv4 and TCP headers, time stamps and one octet of data.
    lab.r.nft(
        "table ip loss { chain forward { type filter hook forward priority 0;"
        " ip saddr 192.0.2.2 ip length 53 numgen inc mod 3 < 2 drop;\n }\n }\n"
    )


def _fill(pair):
    """Writes exactly what the server's window takes, until it is closed."""

    def settled():
        return sockets.unacknowledged(pair.client) == 0 and sockets.unsent(pair.client) == 0

    written = 0
    while window := sockets.peer_window(pair.client):
        written += pair.client.send(b"z" * min(window, 1000))
        wait.until(settled, "an acknowledgement")
    return written


@capture(
    "The server's window closes with data waiting: {window_probes} zero-window probes of "
    "Linux, of the same form as keepalives, then the window opens. SO_KEEPALIVE is off."
)
def zero_window(lab):
    lab.tap()
    pair = lab.connect(51, receive_buffer=4096)
    written = _fill(pair)
    lab.count_from_here()
    pair.client.sendall(b"w" * 700)
    wait.until(lambda: lab.client_counters.window_probes >= 4, "window probes")
    sockets.receive(pair.server, written)
    sockets.receive(pair.server, 700)
    lab.notes["window_probes"] = lab.client_counters.window_probes
    lab.stop_taps()
    assert lab.client_counters.keepalives == 0
    return [connection(pair, "no_keepalive")]


@capture(
    "The server's window is closed, but the client has nothing left to send: "
    "its probes are keepalives, answered with a window of 0."
)
def zero_window_keepalive(lab):
    lab.tap()
    pair = lab.connect(52, receive_buffer=4096)
    written = _fill(pair)
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 3)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    wait.until(lambda: lab.answers_by_server() == 3, "answers")
    probes, answers = lab.client_counters.keepalives, lab.answers_by_server()
    assert lab.client_counters.window_probes == 0
    sockets.receive(pair.server, written)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", probes, {"ack": answers}, idle=2, interval=1, count=3)),
    ]  # fmt: skip


@capture(
    "Both kinds on one connection: with data waiting before a closed window Linux sends "
    "{window_probes} window probes although SO_KEEPALIVE is on with an idle time of 1 s; "
    "keepalives follow once the window has opened and the data is through."
)
def window_probes_then_keepalives(lab):
    lab.tap()
    pair = lab.connect(54, receive_buffer=4096)
    written = _fill(pair)
    lab.count_from_here()
    pair.client.sendall(b"w" * 700)
    sockets.keepalive(pair.client, 1, 1, 9)
    wait.until(lambda: lab.client_counters.window_probes >= 4, "window probes")
    early = lab.client_counters.keepalives
    lab.notes["window_probes"] = lab.client_counters.window_probes
    assert early == 0
    sockets.receive(pair.server, written)
    sockets.receive(pair.server, 700)
    wait.until(lambda: sockets.unacknowledged(pair.client) == 0, "an acknowledgement")
    lab.count_from_here()
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=1, count=9)),
    ]  # fmt: skip


@capture(
    "An application writes single octets now and then, two of every three such segments "
    "are lost on the way and sent again ({resent} retransmissions). SO_KEEPALIVE is off."
)
def one_octet_writes(lab):
    _lose_single_octets(lab)
    lab.tap()
    pair = lab.connect(53)
    pair.say(b"ready")
    lab.count_from_here()
    for letter in b"abcd":
        pair.say(bytes([letter]))
        wait.hold(1)
    lab.notes["resent"] = lab.client_counters["Tcp.RetransSegs"]
    lab.stop_taps()
    assert lab.client_counters.keepalives == 0
    return [connection(pair, "no_keepalive")]


@capture(
    "Keepalives and single octets, lost and sent again, on one connection "
    "({resent} retransmissions)."
)
def one_octet_between_keepalives(lab):
    _lose_single_octets(lab)
    lab.tap()
    pair = lab.connect(55)
    pair.say(b"ready")
    resent = probes = answers = 0
    sockets.keepalive(pair.client, 1, 1, 6)
    for letter in b"abc":
        lab.count_from_here()
        pair.say(bytes([letter]))
        resent += lab.client_counters["Tcp.RetransSegs"]
        lab.count_from_here()
        lab.probed(by_client=2)
        if letter == b"c"[0]:
            sockets.switch_off(pair.client)
        wait.until(lambda: lab.answers_by_server() == 2, "answers")
        probes += lab.client_counters.keepalives
        answers += lab.answers_by_server()
    lab.notes["resent"] = resent
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", probes, {"ack": answers}, idle=1, interval=1, count=6)),
    ]  # fmt: skip
