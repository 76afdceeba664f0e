"""The least that any system in Python with futures has to do: a thread pool and callbacks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from shapes import SHAPES


class Later:
    """A call that is submitted when its inputs are done; its inputs are futures or others of it."""

    __slots__ = ("_callbacks", "_fn", "_future", "_gate", "_inputs", "_missing", "_pool")

    def __init__(self, pool: Pool, fn: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self._pool = pool
        self._fn = fn
        self._inputs = inputs
        self._missing = len(inputs)
        self._future: Future[Any] | None = None
        self._gate: threading.Event | None = None
        self._callbacks: list[Callable[[Any], None]] = []
        for handle in inputs:
            handle.add_done_callback(self._fed)

    def _fed(self, _: object) -> None:
        with self._pool.lock:
            self._missing -= 1
            if self._missing:
                return
        values = [handle.result() for handle in self._inputs]
        self._pool.submit(self._fn, *values).add_done_callback(self._done)

    def _done(self, future: Future[Any]) -> None:
        with self._pool.lock:
            self._future = future
        turn = self._pool.turns.mine
        if turn.busy:
            turn.over.append(self)  # it was over before it was asked about: see `Turn`
            return
        turn.busy = True
        try:
            self._tell()
            while turn.over:
                turn.over.popleft()._tell()
        finally:
            turn.busy = False

    def _tell(self) -> None:
        for fn in self._callbacks:
            fn(self)
        if self._gate is not None:
            self._gate.set()

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        with self._pool.lock:
            if self._future is None:
                self._callbacks.append(fn)
                return
        fn(self)

    def result(self) -> Any:
        if self._future is None:
            with self._pool.lock:
                gate = self._gate = None if self._future else threading.Event()
            if gate is not None:
                gate.wait()
        return self._future.result()


class Turn:
    """What one thread has to pass on.

    A callback that submits a call is told at once if that one is over by then, and may so submit
    the next: one within the other, until Python's stack is full, and the pool drops that error.
    """

    __slots__ = ("busy", "over")

    def __init__(self) -> None:
        self.busy = False
        self.over: deque[Later] = deque()


class Turns(threading.local):
    """The turns of all threads."""

    def __init__(self) -> None:
        self.mine = Turn()


class Pool(ThreadPoolExecutor):
    """A thread pool, and the one lock of the calls that wait.

    Args:
        workers: How many threads.
        noted: Whether every completion is told to a callback, as whoever drives a graph needs;
            without, only those are that another call waits for.
    """

    def __init__(self, workers: int, *, noted: bool) -> None:
        super().__init__(workers)
        self.lock = threading.Lock()
        self.turns = Turns()
        self.noted = noted
        self.done: list[Future[Any]] = []

    def call(self, fn: Callable[..., Any], *args: Any) -> Future[Any] | Later:
        """Submit now if all arguments are plain values, else when they are there."""
        if args and type(args[0]) is not int:
            return Later(self, fn, args)
        future = self.submit(fn, *args)
        if self.noted:
            future.add_done_callback(self.done.append)
        return future


class System:
    def __init__(self, workers: int, noted: str = "") -> None:
        self._pool = Pool(workers, noted=bool(noted))

    def prepare(self) -> None:
        """Let go of the run before."""
        self._pool.done.clear()

    def run(self, shape: str, n: int) -> int:
        fn, build = SHAPES[shape]
        call = self._pool.call
        return sum(handle.result() for handle in build(lambda *args: call(fn, *args), n))

    def check(self, n: int) -> None:
        """There is no log to look at."""

    def close(self) -> None:
        self._pool.shutdown()
