"""When Python may look for garbage in cycles: not while a great many values are made that all stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
