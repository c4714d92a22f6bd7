"""What lies between the ends: NAT, a router that refuses, VLANs."""

from bench import sockets, wait
from bench.counters import Tally
from bench.registry import capture
from bench.truth import connection, prober


@capture(
    "The client is behind a NAT whose mapping has expired: the server's first probe "
    "meets none, and the router answers it with a RST.",
    taken="tcpdump on the router's interface r1, beyond the NAT",
)
def nat(lab):
    lab.r.nft(
        "table ip nat { chain post { type nat hook postrouting priority srcnat;"
        ' oifname "r1" masquerade;\n }\n }\n'
    )
    lab.r.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 2)
    lab.tap(lab.r, "r1")
    pair = lab.connect(61)
    pair.client_at = "198.51.100.1:40061"
    pair.say(b"hello")
    lab.count_from_here()
    router = Tally(lab.r)
    sockets.keepalive(pair.server, 4, 1, 3)
    lab.failed(pair.server)
    lab.stop_taps()
    return [
        connection(pair, "reset", prober(
            "server", lab.server_counters.keepalives, {"reset": router["Tcp.OutRsts"]},
            idle=4, interval=1, count=3)),
    ]  # fmt: skip


@capture(
    "The router refuses the client's probes with ICMP host unreachable; "
    "the client gives up after the whole count all the same."
)
def icmp_unreachable(lab):
    lab.r.sysctl("net.ipv4.icmp_ratelimit", 0)
    lab.tap(filter="tcp or icmp")
    pair = lab.connect(62)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 1, 2, 3)
    lab.r.nft(
        "table ip refuse { chain forward { type filter hook forward priority 0;"
        " ip saddr 192.0.2.2 reject with icmp type host-unreachable;\n }\n }\n"
    )
    router = Tally(lab.r)
    wait.until(lambda: router["Icmp.OutDestUnreachs"] >= 3, "ICMP errors")
    refused = router["Icmp.OutDestUnreachs"]
    lab.failed(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "timed_out", prober(
            "client", lab.client_counters.keepalives, {"icmp": refused},
            idle=1, interval=2, count=3)),
    ]  # fmt: skip

