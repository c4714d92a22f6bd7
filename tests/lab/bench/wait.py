"""Waiting for a condition instead of for a time."""

import time


class Late(Exception):
    """A condition did not come true in time."""


def until(condition, what, seconds=30.0, step=0.01):
    """Polls `condition` until it is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"waited {seconds:g} s in vain for: {what}")
        time.sleep(step)


def quiet(measure, seconds):
    """Returns once `measure` has not changed for so many seconds."""
    last, since = measure(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.02)
        now = measure()
        if now != last:
            last, since = now, time.monotonic()
    return last


def hold(seconds):
    """Silence that is itself part of a capture."""
    time.sleep(seconds)
