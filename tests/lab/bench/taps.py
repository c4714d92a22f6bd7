"""Capturing: tcpdump and dumpcap on an interface of a namespace."""

import ctypes
import re
import signal
import struct
import subprocess
import threading

from . import wait

PR_SET_PDEATHSIG = 1

# Packets that may come between the moment all is quiet and the end of a capture.
TAIL = 3
_libc = ctypes.CDLL(None)


class Lossy(Exception):
    """The capture is not complete."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(namespace, argv, **options):
    """Starts a process inside a namespace that cannot outlive this one."""
    with namespace.inside():
        return subprocess.Popen(argv, preexec_fn=_die_with_parent, text=True, **options)


def end(process, how=signal.SIGTERM):
    """Ends a process that `start` started, if it still runs."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def frames(path):
    """How many whole frames a pcap or pcapng file holds so far."""
    with open(path, "rb") as file:
        octets = file.read()
    count = 0
    if octets[:4] == b"\x0a\x0d\x0d\x0a":
        at = 0
        while at + 8 <= len(octets):
            kind, length = struct.unpack_from("<II", octets, at)
            at += length
            count += kind == 6 and at <= len(octets)
        return count
    at = 24
    while at + 16 <= len(octets):
        at += 16 + struct.unpack_from("<I", octets, at + 8)[0]
        count += at <= len(octets)
    return count


class Tap:
    """A running capture; `stop` ends it once nothing more comes in."""

    READY = "listening on"

    def __init__(self, namespace, interface, path, filter, options=()):
        self.path = path
        self._stderr = []
        self._ready = threading.Event()
        self._process = start(
            namespace, self.argv(interface, path, filter, options), stderr=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(10):
            self.abandon()
            raise Lossy(f"no capture on {interface}: {''.join(self._stderr)}")

    def argv(self, interface, path, filter, options):
        # The ring has a slot of full length for each frame: room for some hundred.
        return [
            "tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-s", "65535", "-B", "16384",
            "-i", interface, "-w", str(path), *options, filter,
        ]  # fmt: skip

    def _read(self):
        for line in self._process.stderr:
            self._stderr.append(line)
            if self.READY in line:
                self._ready.set()

    def frames(self):
        return frames(self.path)

    def stop(self):
        wait.quiet(self.frames, 0.3)
        end(self._process, signal.SIGINT)
        self._reader.join(5)
        self.check("".join(self._stderr))

    def check(self, said):
        numbers = {
            what: int(number)
            for number, what in re.findall(r"(\d+) packets? (captured|received|dropped by kernel)", said)
        }
        # With nothing dropped, what was received and not captured came while the capture ended: it is the
        # tail, in order. Whoever needs just that packet finds that it is missing.
        left = numbers["received"] - numbers["captured"]
        if numbers["dropped by kernel"] or not 0 <= left <= TAIL:
            raise Lossy(f"{self.path.name}: {numbers}")
        if numbers["captured"] != self.frames():
            raise Lossy(f"{self.path.name}: {self.frames()} written, {numbers}")

    def abandon(self):
        end(self._process)


def _without_options(body, fixed, unwanted):
    """The body of a pcapng block without some of the options at its end."""
    kept, at = body[:fixed], fixed
    while at + 4 <= len(body):
        code, length = struct.unpack_from("<HH", body, at)
        end = at + 4 + (length + 3) // 4 * 4
        if code not in unwanted:
            kept += body[at:end]
        at = end
    return kept


def forget_machine(path):
    """Takes the names of processor and system out of a pcapng file."""
    octets, blocks, at = path.read_bytes(), [], 0
    while at + 12 <= len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        body = octets[at + 8 : at + length - 4]
        if kind == 0x0A0D0D0A:
            body = _without_options(body, 16, (2, 3))
        elif kind == 1:
            body = _without_options(body, 8, (12, 15))
        whole = struct.pack("<I", len(body) + 12)
        blocks.append(struct.pack("<I", kind) + whole + body + whole)
        at += length
    path.write_bytes(b"".join(blocks))


class TwoInterfaces(Tap):
    """dumpcap on several interfaces at once: pcapng."""

    READY = "File:"

    def argv(self, interface, path, filter, options):
        argv = ["dumpcap", "-q", "-w", str(path)]
        for name in interface.split():
            argv += ["-i", name, "-f", filter]
        return argv + list(options)

    def check(self, said):
        for received, dropped in re.findall(r"received/dropped on interface '.*?': (\d+)/(\d+)", said):
            if int(dropped):
                raise Lossy(f"{self.path.name}: {received} received, {dropped} dropped")
        forget_machine(self.path)
        self.path.chmod(0o644)
