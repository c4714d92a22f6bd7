"""Tagged frames."""

from bench import sockets, trunk
from bench.registry import capture
from bench.truth import connection, prober

TAKEN = "tcpdump on a veth pair that is a VLAN trunk, tags put on by the lab itself"
TUN = ("/dev/net/tun",)


def _tagged(lab, number, tags):
    link = trunk.Trunk(lab, tags)
    lab.later(link.close)
    link.start()
    lab.tap(lab.r, trunk.SPAN, filter="")
    pair = lab.connect(number, trunk.HOSTS)
    pair.say(b"hello")
    lab.count_from_here()
    sockets.keepalive(pair.client, 2, 1, 3)
    lab.probed(by_client=3)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=2, interval=1, count=3)),
    ]  # fmt: skip


@capture("Every frame carries an 802.1Q tag (VLAN 7), ARP among them.", taken=TAKEN, needs=TUN)
def vlan(lab):
    return _tagged(lab, 91, [(0x8100, 7)])


@capture("Every frame carries two tags, 802.1ad (100) outside and 802.1Q (7) inside.", taken=TAKEN, needs=TUN)
def qinq(lab):
    return _tagged(lab, 92, [(0x88A8, 100), (0x8100, 7)])
