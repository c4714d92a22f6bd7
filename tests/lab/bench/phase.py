"""Where the jiffies counter stands, read from the kernel and not fitted.

The counter steps on a grid of CLOCK_MONOTONIC: every TICK nanoseconds, at the
times at which the tick of CPU 0 expires. Two things are read from
/proc/timer_list (as root):

* The grid. `.last_tick` of CPU 0 is an expiry of its tick, and so is the one of
  `tick_nohz_handler` (`tick_sched_timer` in older kernels) where it stands
  among the active timers. Both are exact to the nanosecond. Other CPUs may be
  shifted (skew_tick); CPU 0 never is.
* The number. `jiffies` is printed at some time after the file was opened and
  before it was read to its end. The counter is never ahead of its grid, but may
  lag behind it while every CPU sleeps. So the number that belongs to the last
  step before the end of a reading is at least the one printed, and the greatest
  of many readings is the true one as soon as one of them had no step between.
"""

import re
import time
from collections import Counter

READINGS = 60
CLOCK_MONOTONIC_COARSE = 6


class Unreadable(Exception):
    """This kernel does not tell where its counter stands."""


def hertz():
    return round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))


def _read():
    try:
        with open("/proc/timer_list") as file:
            text = file.read()
    except OSError as error:
        raise Unreadable(f"/proc/timer_list: {error.strerror}") from None
    return text, time.monotonic_ns()


def read():
    """`tick_at` (CLOCK_MONOTONIC, ns) is when the counter reached `jiffies`."""
    hz = hertz()
    tick = (1_000_000_000 + hz // 2) // hz
    expiries, numbers = [], []
    for _ in range(READINGS):
        text, end = _read()
        number = re.search(r"^jiffies: (\d+)$", text, re.M)
        cpu_0 = text.split("\ncpu: 1\n")[0]
        at = re.search(r"tick_(?:nohz_handler|sched_timer).*\n # expires at (\d+)-", cpu_0)
        at = at or re.search(r"\.last_tick +: ([1-9]\d*) nsecs", cpu_0)
        if not number or not at:
            raise Unreadable("/proc/timer_list shows no tick")
        expiries.append(int(at[1]))
        numbers.append((int(number[1]), end))
        time.sleep(0.0007)
    # A CPU that is about to sleep or wake is now and then read between two writes.
    phase, times = Counter(at % tick for at in expiries).most_common(1)[0]
    if times < READINGS * 2 // 3:
        raise Unreadable(f"only {times} of {READINGS} ticks of CPU 0 lie on one grid")
    grid = next(at for at in expiries if at % tick == phase)
    offsets = {number - (end - grid) // tick for number, end in numbers}
    return {"hz": hz, "tick_at": grid, "jiffies": max(offsets)}


def realtime_minus_monotonic():
    """Nanoseconds; the closest of some readings."""
    best = None
    for _ in range(50):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, real - (before + after) // 2)
    return best[1]
