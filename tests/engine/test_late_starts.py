"""What an attempt that begins late is told as, while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import nbflow
from nbflow.engine.watched import TICK

WAIT = 30.0


def eventually(what: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_call_that_waits_long_for_a_worker_is_shown_as_running_once_it_does() -> None:
    """Nothing else happens in its run meanwhile: another run has the worker."""
    gates = {name: threading.Event() for name in ("first", "second")}
    begun: list[str] = []

    @nbflow.activity
    def hold(name: str) -> str:
        begun.append(name)
        assert gates[name].wait(WAIT)
        return name

    @nbflow.workflow
    def holding(name: str) -> str:
        return hold(name).result()

    place = holding.on("threads", max_workers=1)
    first = place.start("first")
    eventually(lambda: begun == ["first"])
    second = place.start("second")
    threading.Event().wait(6 * TICK)  # so long that nobody is in a hurry to look any more
    gates["first"].set()
    try:
        assert first.result(timeout=WAIT) == "first"
        eventually(lambda: begun == ["first", "second"])
        eventually(lambda: second.calls["hold-1"].status == "running")
    finally:
        gates["second"].set()
    assert second.result(timeout=WAIT) == "second"
    kinds = [type(event).__name__ for event in second.events()]
    assert kinds.index("CallStarted") < kinds.index("CallSucceeded")
