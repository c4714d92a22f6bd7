"""Probes that are answered, from one end or both, between data or alone."""

from bench import sockets, wait
from bench.lab import IPV4, IPV6
from bench.registry import capture
from bench.truth import connection, prober


@capture("A client probes a silent server four times and is answered each time.")
def answered(lab):
    lab.tap()
    pair = lab.connect(1)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 2, 3)
    lab.probed(by_client=4)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=2, count=3)),
    ]  # fmt: skip


@capture("The server probes; the client never does.")
def server_prober(lab):
    lab.tap()
    pair = lab.connect(2)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.server, 3, 1, 5)
    lab.probed(by_server=3)
    sockets.switch_off(pair.server)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "server", lab.server_counters.keepalives, {"ack": lab.answers_by_client()},
            idle=3, interval=1, count=5)),
    ]  # fmt: skip


@capture(
    "Both ends probe, switched on in the same moment with the same settings, "
    "so that their probes cross on the wire.",
    taken="tcpdump on the router's interface r1",
)
def both(lab):
    lab.tap(lab.r, "r1")
    pair = lab.connect(3)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 2, 3)
    sockets.keepalive(pair.server, 2, 2, 3)
    lab.probed(by_client=4, by_server=4)
    sockets.switch_off(pair.client)
    sockets.switch_off(pair.server)
    lab.stop_taps()
    return [
        connection(
            pair, "alive",
            prober("client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
                   idle=2, interval=2, count=3),
            prober("server", lab.server_counters.keepalives, {"ack": lab.answers_by_client()},
                   idle=2, interval=2, count=3),
        ),
    ]  # fmt: skip


@capture("Keepalives over IPv6, answered, then an orderly end.")
def ipv6(lab):
    lab.meet_over_ipv6()
    lab.tap()
    pair = lab.connect(4, IPV6)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 3, 4)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    wait.until(lambda: lab.answers_by_server() == lab.client_counters.keepalives, "answers")
    probes, answers = lab.client_counters.keepalives, lab.answers_by_server()
    pair.client.close()
    pair.server.close()
    lab.stop_taps()
    return [
        connection(pair, "closed", prober(
            "client", probes, {"ack": answers}, idle=2, interval=3, count=4)),
    ]  # fmt: skip


@capture(
    "Keepalives between bursts of data in both directions; the server reads "
    "late, so the first answer after a burst carries another window than the "
    "acknowledgement of the data did."
)
def between_data(lab):
    lab.tap()
    pair = lab.connect(5, receive_buffer=4096)
    client, server = pair.client, pair.server
    lab.count_from_here()
    sockets.keepalive(client, 1, 1, 6)
    probes = answers = 0
    for burst in range(3):
        for _ in range(3):
            client.sendall(b"request " * 125)
            wait.until(lambda: sockets.unacknowledged(client) == 0, "an acknowledgement")
        # Reading opens the window by too little for an update of its own.
        sockets.receive(server, 3000)
        lab.count_from_here()
        lab.probed(by_client=2)
        wait.until(lambda: lab.answers_by_server() == 2, "answers")
        probes += lab.client_counters.keepalives
        answers += lab.answers_by_server()
        pair.say(b"answer " * (50 * (burst + 1)), sender="server")
    lab.count_from_here()
    lab.probed(by_client=1)
    sockets.switch_off(client)
    wait.until(lambda: lab.answers_by_server() == lab.client_counters.keepalives, "answers")
    probes += lab.client_counters.keepalives
    answers += lab.answers_by_server()
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", probes, {"ack": answers}, idle=1, interval=1, count=6)),
    ]  # fmt: skip


def _without(lab, option, number):
    for host in (lab.c, lab.s):
        host.sysctl(option, 0)
    lab.tap()
    pair = lab.connect(number)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 2)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=2, interval=1, count=2)),
    ]  # fmt: skip


@capture("Neither end has TCP timestamps; probes are answered.")
def no_timestamps(lab):
    return _without(lab, "net.ipv4.tcp_timestamps", 6)


@capture("Neither end offers selective acknowledgement; probes are answered.")
def no_sack(lab):
    return _without(lab, "net.ipv4.tcp_sack", 7)


@capture(
    "Two connections closed in one direction only. 40008: the client has sent its "
    "FIN and goes on probing. 40009: the client has sent its FIN and the server probes."
)
def half_closed(lab):
    lab.tap()
    first, second = lab.connect(8), lab.connect(9)
    for pair in (first, second):
        pair.say(b"hello")
        pair.client.shutdown(1)
        wait.until(lambda: sockets.state(pair.client) == 5, "FIN-WAIT-2")
    lab.count_from_here()
    sockets.keepalive(first.client, 1, 2, 3)
    sockets.keepalive(second.server, 2, 1, 3)
    lab.probed(by_client=3, by_server=3)
    sockets.switch_off(first.client)
    sockets.switch_off(second.server)
    lab.stop_taps()
    return [
        connection(first, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=2, count=3)),
        connection(second, "alive", prober(
            "server", lab.server_counters.keepalives, {"ack": lab.answers_by_client()},
            idle=2, interval=1, count=3)),
    ]  # fmt: skip


@capture("Not one octet of data: the probes carry the sequence number of the SYN.")
def no_data(lab):
    lab.tap()
    pair = lab.connect(10)
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 1, 2)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=1, interval=1, count=2)),
    ]  # fmt: skip


@capture(
    "Seven connections at once, IPv4 and IPv6, with different settings; "
    "two are probed by the server, one by nobody."
)
def many(lab):
    settings = [(1, 1, 3), (1, 2, 3), (2, 1, 4), None, (3, 1, 5), (2, 2, 2), (1, 3, 6)]
    lab.meet_over_ipv6()
    lab.tap()
    pairs = [lab.connect(81 + i, (IPV4, IPV6)[i % 2]) for i in range(len(settings))]
    for pair in pairs:
        pair.say(b"hello")
    # The socket's own count of segments: while nobody sends data, one for each
    # probe at the end that probes and one for each answer at the other.
    sent = {sock: sockets.segments_sent(sock) for pair in pairs for sock in (pair.client, pair.server)}
    lab.count_from_here()
    ends = [("server" if i > 4 else "client") for i in range(len(settings))]
    probing = [getattr(pair, end) for pair, end in zip(pairs, ends)]
    for sock, setting in zip(probing, settings):
        if setting:
            sockets.keepalive(sock, *setting)
    lab.probed(by_client=10, by_server=4)
    for sock in probing:
        sockets.switch_off(sock)
    lab.stop_taps()
    gained = {sock: sockets.segments_sent(sock) - before for sock, before in sent.items()}
    probes = sum(gained[sock] for sock in probing)
    assert probes == lab.client_counters.keepalives + lab.server_counters.keepalives
    found = []
    for pair, end, setting in zip(pairs, ends, settings):
        if not setting:
            found.append(connection(pair, "no_keepalive"))
            continue
        mine, other = (pair.client, pair.server) if end == "client" else (pair.server, pair.client)
        idle, interval, count = setting
        found.append(connection(pair, "alive", prober(
            end, gained[mine], {"ack": gained[other]}, idle=idle, interval=interval, count=count)))  # fmt: skip
    return found
