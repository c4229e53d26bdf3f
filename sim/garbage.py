"""When Python may look for garbage in cycles: not while a great many values are made that all stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MADE_BETWEEN = 50_000
"""So many more objects than the last time, and cycles are looked for: usually 700 are enough."""


@contextmanager
def looked_for_rarely() -> Iterator[None]:
    """For what makes a great many values and few cycles: to look for them as often as usual costs a tenth of it."""
    usual = gc.get_threshold()
    gc.set_threshold(MADE_BETWEEN, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def kept() -> Iterator[None]:
    """While this lasts nothing is collected; what has no cycles goes as always.

    Around a whole function, as its decorator, what it made for itself is gone before the next collection.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
