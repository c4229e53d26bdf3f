"""Blocking code on the kernel's thread: it waits in simulated time, in a fixed order, and cannot block for real."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drycell.sim.cell.greenlets import Fiber, ReallyBlocksError
from drycell.sim.kernel import Kernel, ns

HERE = Path(__file__).parent


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


def fly(kernel: Kernel, seconds: float = 100.0) -> None:
    kernel.run(asyncio.sleep(seconds))


class Story:
    """Fibers that write down what they do, and when."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lines: list[tuple[float, str]] = []
        self.ends: list[BaseException | None] = []

    def say(self, text: str) -> None:
        self.lines.append((self.kernel.now_ns / 1e9, text))

    def fiber(self, body: Callable[[Fiber], None]) -> Fiber:
        made: list[Fiber] = []
        fiber = Fiber(self.kernel, lambda: body(made[0]), home=HERE, on_end=self.ends.append)
        made.append(fiber)
        fiber.wake()
        return fiber


def test_a_wait_lets_time_pass_and_others_run_in_the_order_of_their_instants(kernel: Kernel) -> None:
    story = Story(kernel)

    def every(period_s: float, name: str) -> Callable[[Fiber], None]:
        def body(fiber: Fiber) -> None:
            for _ in range(2):
                fiber.wait(ns(period_s))
                story.say(name)

        return body

    story.fiber(every(1.0, "slow"))
    story.fiber(every(0.5, "fast"))
    fly(kernel)
    assert story.lines == [(0.5, "fast"), (1.0, "slow"), (1.0, "fast"), (2.0, "slow")]
    assert story.ends == [None, None]


def test_a_wait_ends_when_it_is_woken_and_not_again_at_its_time(kernel: Kernel) -> None:
    story = Story(kernel)

    def body(fiber: Fiber) -> None:
        fiber.wait(ns(10))
        story.say("woken")
        fiber.wait(ns(20))
        story.say("over")

    fiber = story.fiber(body)
    kernel.later(ns(3), fiber.wake)
    fly(kernel)
    assert story.lines == [(3.0, "woken"), (23.0, "over")]


def test_a_frozen_fiber_goes_on_when_it_is_thawed(kernel: Kernel) -> None:
    story = Story(kernel)

    def body(fiber: Fiber) -> None:
        fiber.wait(ns(2))
        story.say("on")

    fiber = story.fiber(body)
    kernel.later(ns(1), fiber.freeze)
    kernel.later(ns(5), fiber.thaw)
    fly(kernel)
    assert story.lines == [(5.0, "on")]


def test_an_abandoned_fiber_runs_no_line_any_more(kernel: Kernel) -> None:
    story = Story(kernel)

    def body(fiber: Fiber) -> None:
        try:
            fiber.wait(ns(2))
        finally:
            story.say("finally")

    fiber = story.fiber(body)
    kernel.later(ns(1), fiber.abandon)
    fly(kernel)
    assert (story.lines, story.ends) == ([], [])


BLOCKERS: list[Callable[[], object]] = [
    lambda: time.sleep(0),
    lambda: threading.Thread(target=print).start(),
    lambda: subprocess.Popen([sys.executable, "-c", ""]),
    lambda: __import__("socket").socket().connect(("127.0.0.1", 9)),
]


@pytest.mark.parametrize("block", BLOCKERS)
def test_what_would_really_block_is_refused_naming_the_line(kernel: Kernel, block: Callable[[], object]) -> None:
    story = Story(kernel)
    story.fiber(lambda fiber: block() and None)
    fly(kernel)
    (error,) = story.ends
    assert isinstance(error, ReallyBlocksError)
    assert str(error).startswith(f"test_fibers.py, line {block.__code__.co_firstlineno}: ")


def test_an_except_clause_of_the_author_does_not_catch_it(kernel: Kernel) -> None:
    story = Story(kernel)

    def body(fiber: Fiber) -> None:
        try:
            time.sleep(1)
        except Exception:
            story.say("caught")

    story.fiber(body)
    fly(kernel)
    assert story.lines == [] and isinstance(story.ends[0], ReallyBlocksError)


def test_outside_of_fibers_everything_is_as_it_was(kernel: Kernel) -> None:
    real, kept = time.sleep, []
    story = Story(kernel)
    story.fiber(lambda fiber: kept.append(time.sleep))
    fly(kernel)
    assert time.sleep is real
    kept[0](0)  # what an author's import has kept works too, once nobody waits for simulated time


def test_ctrl_c_in_a_fiber_ends_the_run(kernel: Kernel) -> None:
    def body(fiber: Fiber) -> None:
        raise KeyboardInterrupt

    story = Story(kernel)
    story.fiber(body)
    with pytest.raises(KeyboardInterrupt):
        fly(kernel)


def test_what_the_body_raises_is_told(kernel: Kernel) -> None:
    def body(fiber: Fiber) -> None:
        raise ValueError("a bug")

    story = Story(kernel)
    story.fiber(body)
    fly(kernel)
    assert repr(story.ends[0]) == "ValueError('a bug')"
