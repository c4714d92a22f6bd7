"""Ground truth of a capture, and its file INDEX.toml."""

import tomllib


def prober(endpoint, probes, answers=None, octets=0, idle=None, interval=None, count=None, user_timeout_ms=None):
    """One end that probes. `answers` counts by kind: ack, data, reset, icmp."""
    answers = {kind: number for kind, number in (answers or {}).items() if number}
    entry = {
        "endpoint": endpoint,
        "octets": octets,
        "idle_s": idle,
        "interval_s": interval,
        "count": count,
        "user_timeout_ms": user_timeout_ms,
        "probes": probes,
        "answered": sum(answers.values()),
        "answer_kinds": answers,
    }
    return {key: value for key, value in entry.items() if value is not None}


def connection(pair, outcome, *probers, start="seen"):
    return {
        "client": pair.client_at,
        "server": pair.server_at,
        "start": start,
        "outcome": outcome,
        "prober": list(probers),
    }


def _value(value):
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(name, entry, children):
    lines = [f"[[{name}]]"]
    lines += [f"{key} = {_value(value)}" for key, value in entry.items() if key not in children]
    for child in children:
        for item in entry.get(child, []):
            lines += ["", *_table(f"{name}.{child}", item, ["prober"] if child == "connection" else [])]
    return lines


HEADER = """\
# What is in each capture of this folder. None of it comes from an analyzer: it
# is what the lab set, and what the kernels counted in their own namespaces.
# Written by tests/lab/make; tests/lab/README.md says what each field means.
"""


def merge(path, entries, order):
    """Puts new entries into an INDEX.toml, in place of those of the same file."""
    old = []
    if path.exists():
        with open(path, "rb") as file:
            old = tomllib.load(file).get("capture", [])
    by_make = {entry["make"]: entry for entry in old} | {entry["make"]: entry for entry in entries}
    known = [make for make in order if make in by_make]
    lines = [HEADER.rstrip()]
    for make in known + [make for make in by_make if make not in order]:
        lines += ["", *_table("capture", by_make[make], ["connection"])]
    path.write_text("\n".join(lines) + "\n")
