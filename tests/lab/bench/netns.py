"""Network namespaces: making them, being inside one, removing them."""

import ctypes
import json
import os
import subprocess
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(Exception):
    """A command the lab needs ended with an error."""


def command(*argv, stdin=None):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(
        [str(a) for a in argv], input=stdin, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"setns: {os.strerror(errno)}")


class Namespace:
    """One network namespace with a name, removed by `remove`."""

    def __init__(self, name):
        command("ip", "netns", "add", name)
        self.name = name
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def remove(self):
        os.close(self._fd)
        os.close(self._home)
        command("ip", "netns", "del", self.name)

    @contextmanager
    def inside(self):
        """Sockets opened, files of /proc/net read and processes started in
        the block belong to this namespace."""
        _enter(self._fd)
        try:
            yield self
        finally:
            _enter(self._home)

    def run(self, *argv, stdin=None):
        with self.inside():
            return command(*argv, stdin=stdin)

    def ip(self, *argv):
        return command("ip", "-n", self.name, *argv)

    def nft(self, rules):
        return self.run("nft", "-f", "-", stdin=rules)

    def sysctl(self, name, value):
        with self.inside():
            with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
                file.write(str(value))

    def silence(self):
        """The host neither hears nor says TCP from now on."""
        self.nft(
            "table inet silence {\n"
            " counter unheard { }\n"
            " chain hear { type filter hook input priority 0;"
            " tcp flags & rst == 0 counter name unheard; meta l4proto tcp drop;\n }\n"
            " chain say { type filter hook output priority 0; meta l4proto tcp drop;\n }\n"
            "}\n"
        )

    def unheard(self):
        """How many segments but RSTs have arrived since the silence began."""
        said = self.run("nft", "-j", "list", "counter", "inet", "silence", "unheard")
        return json.loads(said)["nftables"][-1]["counter"]["packets"]

    def unsilence(self):
        self.nft("delete table inet silence\n")
