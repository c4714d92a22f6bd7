"""The captures, in the order they are listed and made."""

from . import plain, endings, midstream, windows, taps, sequence, paths, delays, vlans, stacks  # noqa: F401
