"""The kernel's own counters of one namespace: the source of ground truth.

TcpExt.TCPKeepAlive counts the keepalive probes sent, TcpExt.TCPWinProbe the
zero-window probes, Tcp.InSegs and Tcp.OutSegs all segments (retransmitted ones
only in Tcp.RetransSegs), Icmp.OutDestUnreachs the ICMP errors.
"""


def read(namespace):
    values = {}
    with namespace.inside():
        for name in ("netstat", "snmp"):
            with open(f"/proc/thread-self/net/{name}") as file:
                lines = [line.split() for line in file]
            for keys, numbers in zip(lines[::2], lines[1::2]):
                group = keys[0].rstrip(":")
                for key, number in zip(keys[1:], numbers[1:]):
                    values[f"{group}.{key}"] = int(number)
    return values


class Tally:
    """What the counters of a namespace gained since this was made."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._start = read(namespace)

    def __getitem__(self, name):
        return read(self._namespace)[name] - self._start[name]

    @property
    def keepalives(self):
        return self["TcpExt.TCPKeepAlive"]

    @property
    def window_probes(self):
        return self["TcpExt.TCPWinProbe"]

    @property
    def sent(self):
        return self["Tcp.OutSegs"]

    @property
    def received(self):
        return self["Tcp.InSegs"]
