"""Which captures there are, and making one of them."""

import os
import platform
import shutil
import time
from dataclasses import dataclass
from typing import Callable

from .lab import Lab
from .netns import CommandFailed, command

CAPTURES = {}
CLOCK_MONOTONIC_COARSE = 6


class Skip(Exception):
    """This machine lacks something the lab needs."""


@dataclass
class Capture:
    name: str
    file: str
    about: str
    taken: str
    needs: tuple
    script: Callable

    @property
    def make(self):
        return f"tests/lab/make {self.name} OUTDIR"


def capture(about, taken="tcpdump on the client's interface c0", file=None, needs=()):
    """Registers a function that makes a capture and returns its connections.

    Braces in `about` may name attributes the script sets on `lab.notes`."""

    def register(script):
        name = script.__name__.rstrip("_")
        CAPTURES[name] = Capture(name, file or f"{name}.pcap", about, taken, needs, script)
        return script

    return register


def hertz():
    """The tick rate of this kernel: the coarse clock steps by 1/HZ."""
    return round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))


def origin(taken):
    release = ".".join(platform.release().split(".")[:2])
    return f"Linux {release}, HZ={hertz()}, {taken}"


def present(need):
    """A program in the path, or a file by its full name."""
    return os.path.exists(need) if need.startswith("/") else shutil.which(need)


def check(needs):
    """Raises Skip with one line that says what is missing."""
    if os.geteuid() != 0:
        raise Skip("the lab makes network namespaces and needs root")
    missing = [tool for tool in ("ip", "nft", "tcpdump", "unshare", *needs) if not present(tool)]
    if missing:
        raise Skip(f"not installed: {', '.join(missing)}")
    try:
        command("unshare", "--net", "--mount", "true")
    except CommandFailed:
        raise Skip("no right to make network namespaces") from None


def make(name, outdir):
    """Makes one capture in a folder and returns its entry for INDEX.toml."""
    wanted = CAPTURES[name]
    check(wanted.needs)
    outdir.mkdir(parents=True, exist_ok=True)
    with Lab(outdir / wanted.file) as lab:
        connections = wanted.script(lab)
        lab.stop_taps()
        about = wanted.about.format(**lab.notes)
    return {
        "file": wanted.file,
        "about": about,
        "origin": origin(wanted.taken),
        "make": wanted.make,
        "connection": connections,
    }
