"""Sending planned packets through a router with netfilter, and what became of them.

A plan is a JSON object:

  sysctls     of the router's namespace, by name
  nat         "masquerade", "masquerade random" or null
  input       "drop" if the router drops TCP for itself, else null
  invalid     "drop" if it drops what conntrack calls invalid, else null
  opens       "inside" if only the client may open connections, else null
  rounds      seconds to wait after each round before the next
  flows       a list of flows, each a list of packets by round (null for none);
              a packet has from ("client" or "server"), seq, ack, flags ("SAFRPU"),
              window, octets, ttl, and with a SYN perhaps mss, scale and sack

Flow n goes from client port 40000+n to server port 7000+n. The server answers to
the port that it saw last. No kernel has a connection here: both hosts drop what
comes in, after it was seen.

The journal holds for each round what was sent when, what arrived where, and the
router's conntrack entries with the time at which they were read.
"""

import os
import re
import shutil
import socket
import struct
import time

from . import wait
from .lab import IPV4
from .netns import command

CLIENT_PORT = 40000
SERVER_PORT = 7000
OUTGOING = 4
SETTLE = 0.15
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
ENTRY = re.compile(
    r"tcp\s+6\s+(\d+)\s+(?:\S+\s+)?(\w+)\s+src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(.*)"
)


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def options(packet):
    """As Linux writes those of a SYN."""
    out = b""
    if packet.get("mss"):
        out += struct.pack("!BBH", 2, 4, packet["mss"])
    if packet.get("sack"):
        out += b"\x01\x01\x04\x02"
    if packet.get("scale") is not None:
        out += struct.pack("!BBBB", 1, 3, 3, packet["scale"])
    return out


def octets_of(packet, source, destination):
    """The packet with its IPv4 header."""
    (here, sport), (there, dport) = source, destination
    extra = options(packet)
    flags = sum(BITS[letter] for letter in packet["flags"])
    data = b"\0" * packet["octets"]
    fields = (sport, dport, packet["seq"], packet["ack"], (20 + len(extra)) // 4 << 4, flags)
    tcp = struct.pack("!HHIIBBHHH", *fields, packet["window"], 0, 0) + extra + data
    addresses = socket.inet_aton(here) + socket.inet_aton(there)
    pseudo = addresses + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, packet["ttl"], 6, 0)
    header += addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + tcp


def tcp_of(octets):
    """The TCP fields of an IPv4 packet, as far as they are there."""
    at = (octets[0] & 15) * 4
    length = struct.unpack_from("!H", octets, 2)[0]
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", octets, at)
    return {
        "source": [socket.inet_ntoa(octets[12:16]), sport],
        "destination": [socket.inet_ntoa(octets[16:20]), dport],
        "seq": seq,
        "ack": ack,
        "flags": "".join(letter for letter, bit in BITS.items() if flags & bit),
        "window": window,
        "octets": length - at - (offset >> 4) * 4,
        "ttl": octets[8],
    }


def read(octets):
    """What a packet is; `None` if it is neither TCP nor an ICMP error about TCP."""
    if octets[0] >> 4 != 4:
        return None
    if octets[9] == 6:
        return tcp_of(octets)
    at = (octets[0] & 15) * 4
    quoted = octets[at + 8 :]
    if octets[9] != 1 or octets[at] not in (3, 11) or quoted[9] != 6:
        return None
    return {
        "icmp": [octets[at], octets[at + 1]],
        "source": [socket.inet_ntoa(octets[12:16]), 0],
        "destination": [socket.inet_ntoa(octets[16:20]), 0],
        "ttl": octets[8],
        "about": tcp_of(quoted),
    }


class Host:
    """One end of all flows."""

    def __init__(self, lab, namespace, interface):
        namespace.nft(
            "table inet quiet {\n"
            " chain hear { type filter hook input priority 0; meta l4proto tcp drop;\n }\n}\n"
        )
        with namespace.inside():
            self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
            self.tap.bind((interface, 0x0800))
        self.tap.setblocking(False)
        lab.later(self.out.close)
        lab.later(self.tap.close)

    def send(self, octets):
        self.out.sendto(octets, (socket.inet_ntoa(octets[16:20]), 0))

    def arrived(self):
        """What has arrived since it was last asked."""
        found = []
        while True:
            try:
                octets, address = self.tap.recvfrom(65536)
            except BlockingIOError:
                return found
            packet = read(octets) if address[2] != OUTGOING else None
            if packet:
                found.append(packet)


class Router:
    """The router's rules and what it remembers."""

    def __init__(self, namespace, plan):
        self.namespace = namespace
        rules = ["table ip passage {"]
        if plan["nat"]:
            rules.append(
                " chain after { type nat hook postrouting priority srcnat;"
                f' oifname "r1" {plan["nat"]};\n }}'
            )
        rules.append(" chain through { type filter hook forward priority 0;")
        rules.append(f"  ct state invalid counter{' drop' if plan['invalid'] == 'drop' else ''};")
        if plan["opens"] == "inside":
            rules.append('  iifname "r1" ct state new drop;')
        rules.append(" }")
        if plan["input"] == "drop":
            rules.append(" chain hear { type filter hook input priority 0; meta l4proto tcp drop;\n }")
        rules.append("}")
        namespace.nft("\n".join(rules) + "\n")
        for name, value in plan["sysctls"].items():
            namespace.sysctl(name, value)

    def entries(self):
        """The entries of conntrack by flow."""
        with self.namespace.inside():
            try:
                with open("/proc/thread-self/net/nf_conntrack") as file:
                    listing = file.read()
            except FileNotFoundError:
                listing = command("conntrack", "-L", "-p", "tcp")
        found = {}
        for line in listing.splitlines():
            if matched := ENTRY.search(line):
                left, state, source, destination, sport, dport, rest = matched.groups()
                # What the server sends to the router itself is no flow.
                if IPV4[0] not in (source, destination):
                    continue
                flow = int(dport if source == IPV4[0] else sport) - SERVER_PORT
                found[flow] = {"left": int(left), "state": state, "assured": "[ASSURED]" in rest}
        return found


def lacking():
    """What this machine lacks, if anything."""
    if not os.path.exists("/proc/net/nf_conntrack") and not shutil.which("conntrack"):
        return "neither /proc/net/nf_conntrack nor conntrack"
    return None


def meet(lab):
    """Address resolution happens before anything is measured."""
    for namespace, peer in ((lab.c, IPV4[1]), (lab.s, IPV4[0])):
        with namespace.inside():
            knock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        lab.later(knock.close)
        knock.connect((peer, 9))

        def refused(knock=knock):
            try:
                knock.send(b"?")
                time.sleep(0.02)
                knock.send(b"?")
            except ConnectionRefusedError:
                return True
            return False

        wait.until(refused, "an answer from the other host")


def send_all(plan, number, hosts, ports):
    """Sends the packets of a round; returns what was sent when."""
    sent = []
    for flow, packets in enumerate(plan["flows"]):
        packet = packets[number] if number < len(packets) else None
        if packet is None:
            continue
        client, server = (IPV4[0], CLIENT_PORT + flow), (IPV4[1], SERVER_PORT + flow)
        if packet["from"] == "client":
            ends = (client, server)
        else:
            ends = (server, ports.get(flow, client))
        octets = octets_of(packet, *ends)
        time_ns = time.monotonic_ns()
        hosts[packet["from"]].send(octets)
        sent.append({"flow": flow, "time_ns": time_ns, "destination": list(ends[1])})
    return sent


def drive(lab, plan):
    """Carries a plan out; returns its journal."""
    hosts = {"client": Host(lab, lab.c, "c0"), "server": Host(lab, lab.s, "s0")}
    meet(lab)
    router = Router(lab.r, plan)
    ports, journal = {}, []
    for host in hosts.values():
        host.arrived()
    for number, pause in enumerate(plan["rounds"]):
        sent = send_all(plan, number, hosts, ports)
        time.sleep(SETTLE)
        arrived = {side: host.arrived() for side, host in hosts.items()}
        for packet in arrived["server"]:
            translated = packet["source"][0] != IPV4[0] or plan["nat"] is None
            if "icmp" not in packet and translated:
                ports[packet["destination"][1] - SERVER_PORT] = tuple(packet["source"])
        before = time.monotonic_ns()
        entries = router.entries()
        journal.append(
            {"sent": sent, "arrived": arrived, "read_ns": [before, time.monotonic_ns()], "entries": entries}
        )
        time.sleep(pause)
    return journal
