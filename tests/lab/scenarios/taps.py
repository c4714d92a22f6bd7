"""Other ways of capturing: link types, cut frames, file formats."""

import gzip as gz

from bench import sockets, taps
from bench.netns import command
from bench.registry import capture
from bench.truth import connection, prober


def _answered(lab, number, idle, interval, count, probes, data=b"hello"):
    pair = lab.connect(number)
    pair.say(data)
    pair.say(data, sender="server")
    lab.count_from_here()
    sockets.keepalive(pair.client, idle, interval, count)
    lab.probed(by_client=probes)
    sockets.switch_off(pair.client)
    lab.stop_taps()
    return [
        connection(pair, "alive", prober(
            "client", lab.client_counters.keepalives, {"ack": lab.answers_by_server()},
            idle=idle, interval=interval, count=count)),
    ]  # fmt: skip


@capture(
    "Every packet twice, as it comes into the router and as it leaves (SLL2).",
    taken="tcpdump -i any in the router",
)
def any_(lab):
    lab.tap(lab.r, "any")
    return _answered(lab, 31, 2, 1, 3, 3)


@capture(
    "Every packet twice, in the older cooked format (SLL).",
    taken="tcpdump -i any -y LINUX_SLL in the router",
)
def any_sll(lab):
    lab.tap(lab.r, "any", options=["-y", "LINUX_SLL"])
    return _answered(lab, 32, 1, 3, 4, 2)


@capture(
    "Frames cut after 54 octets, inside the TCP options: data segments hold no data in the file.",
    taken="tcpdump -s 54 on the client's interface c0",
)
def snaplen54(lab):
    lab.tap(options=["-s", "54"])
    return _answered(lab, 33, 1, 2, 3, 3, data=b"twenty octets or so.")


@capture(
    "pcapng in nanoseconds with two interfaces: every packet on both sides of the router.",
    taken="dumpcap on the router's interfaces r0 and r1",
    file="two_interfaces.pcapng",
    needs=("dumpcap",),
)
def two_interfaces(lab):
    lab.tap(lab.r, "r0 r1", kind=taps.TwoInterfaces)
    return _answered(lab, 34, 2, 1, 4, 3)


@capture("pcap with nanosecond time stamps.", taken="tcpdump --time-stamp-precision=nano on the client's interface c0")
def nanoseconds(lab):
    lab.tap(options=["--time-stamp-precision=nano"])
    return _answered(lab, 35, 1, 1, 5, 4)


@capture("A capture compressed with gzip.", file="gzip.pcap.gz")
def gzip(lab):
    plain = lab.path.with_suffix("")
    lab.tap(path=plain)
    found = _answered(lab, 36, 3, 2, 4, 2)
    lab.path.write_bytes(gz.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    return found


@capture("A capture compressed with zstd.", file="zstd.pcap.zst", needs=("zstd",))
def zstd(lab):
    plain = lab.path.with_suffix("")
    lab.tap(path=plain)
    found = _answered(lab, 37, 2, 3, 6, 2)
    command("zstd", "-q", "-19", "-f", "--rm", plain, "-o", lab.path)
    return found
