"""Worker processes that take tasks, and are killed and replaced when one takes too long or dies.

Wall time decides only when a worker is given up; it decides nothing about what is found.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import orjson

from drycell.sim.errors import DrycellError

Task = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """``answer`` to ``task``; None when no worker could give one, and ``trouble`` says why."""

    task: Task
    answer: dict[str, Any] | None
    trouble: str = ""


class Crew(Protocol):
    """Who does the tasks."""

    def free(self) -> bool:
        """Whether one more task can be taken on now."""

    def take_on(self, task: Task, limit_s: float | None) -> None:
        """Begin ``task``, which may take ``limit_s`` of wall time."""

    def wait(self, patience_s: float) -> list[Done]:
        """What is done, after ``patience_s`` at most."""

    def close(self) -> None:
        """End everything, whatever it does."""


@dataclass
class Here:
    """The crew that does each task in this process, at once. ``do`` answers a task; ``end`` is called at the end."""

    do: Callable[[Task], dict[str, Any]]
    end: Callable[[], None]
    _done: list[Done] = field(default_factory=list)

    def free(self) -> bool:
        """Whether the last answer was fetched."""
        return not self._done

    def take_on(self, task: Task, limit_s: float | None) -> None:
        """Do it now; ``limit_s`` cannot be kept here."""
        self._done.append(Done(task, self.do(task)))

    def wait(self, patience_s: float) -> list[Done]:
        """The last answer."""
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """End what tasks have left."""
        self.end()


class _Worker:
    """One process; :attr:`task` is what it works at."""

    def __init__(self, settings: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "drycell.sim.explore.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self.connection = Connection(ours.detach())
        self.connection.send_bytes(settings)
        self.task: Task | None = None
        self.deadline_s = float("inf")

    def begin(self, task: Task, limit_s: float | None) -> None:
        self.task, self.deadline_s = task, float("inf") if limit_s is None else time.monotonic() + limit_s
        self.connection.send_bytes(orjson.dumps(task))

    def kill(self) -> int:
        """End it and all its children that stayed in its session; returns its exit code."""
        self.connection.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()


class Pool:
    """``jobs`` workers, started with ``settings`` (plan and store, as JSON)."""

    def __init__(self, settings: dict[str, Any], jobs: int) -> None:
        self._settings = orjson.dumps(settings)
        self._workers = [_Worker(self._settings) for _ in range(jobs)]

    def free(self) -> bool:
        """Whether a worker has nothing to do."""
        return any(worker.task is None for worker in self._workers)

    def take_on(self, task: Task, limit_s: float | None) -> None:
        """Give ``task`` to a worker that has nothing to do."""
        worker = next(worker for worker in self._workers if worker.task is None)
        try:
            worker.begin(task, limit_s)
        except OSError:  # it died while it had nothing to do
            self._replace(worker).begin(task, limit_s)

    def wait(self, patience_s: float) -> list[Done]:
        """What is done, what was given up, after ``patience_s`` at most. Raises DrycellError for a refused plan."""
        busy = [worker for worker in self._workers if worker.task is not None]
        if not busy:
            return []
        nearest_s = min(worker.deadline_s for worker in busy) - time.monotonic()
        ready = wait([worker.connection for worker in busy], max(0.0, min(patience_s, nearest_s)))
        found = [self._answer(worker) for worker in busy if worker.connection in ready]
        late = [worker for worker in busy if worker.task is not None and time.monotonic() >= worker.deadline_s]
        return found + [self._gave_up(worker, "took too long and was killed") for worker in late]

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def _answer(self, worker: _Worker) -> Done:
        assert worker.task is not None
        try:
            answer = orjson.loads(worker.connection.recv_bytes())
        except (EOFError, OSError):
            return self._gave_up(worker, "died")
        if "refused" in answer:
            raise DrycellError(answer["refused"])
        done, worker.task = Done(worker.task, answer), None
        return done

    def _gave_up(self, worker: _Worker, why: str) -> Done:
        task = worker.task
        assert task is not None
        code = self._replace_code(worker)
        return Done(task, None, f"the worker {why} (exit code {code})")

    def _replace_code(self, worker: _Worker) -> int:
        code = worker.kill()
        self._workers[self._workers.index(worker)] = _Worker(self._settings)
        return code

    def _replace(self, worker: _Worker) -> _Worker:
        index = self._workers.index(worker)
        self._replace_code(worker)
        return self._workers[index]
