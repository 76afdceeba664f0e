"""Waiting in a thread that interrupts come to."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

import nbflow
from nbflow.running.bell import Bell

SECONDS = 30.0


def test_it_rings_for_all_who_wait_and_who_come_later() -> None:
    """Each of many threads that wait is woken, and nobody waits for a bell that has rung."""
    bell, woken = Bell(), threading.Semaphore(0)

    def sleeper() -> None:
        if bell.wait(SECONDS):
            woken.release()

    threads = [threading.Thread(target=sleeper) for _ in range(20)]
    for thread in threads[:10]:
        thread.start()
    ringing = threading.Thread(target=bell.ring)
    ringing.start()
    for thread in threads[10:]:
        thread.start()
    for thread in (*threads, ringing):
        thread.join(SECONDS)
    assert all(woken.acquire(timeout=SECONDS) for _ in threads)
    assert bell.wait()
    bell.ring()  # once more does no harm


def test_a_wait_may_end_before_it_rings() -> None:
    """Within its seconds it has not rung; and it can be waited for again."""
    bell = Bell()
    assert not bell.wait(0.0)
    assert not bell.wait(0.01)
    bell.ring()
    assert bell.wait(0.0)


@nbflow.activity
def held(gate: Any) -> int:
    return int(gate.wait(SECONDS))


@nbflow.workflow
def holding(gate: Any) -> int:
    return held(gate).result()


class _At:
    """Raises an interrupt at the n-th line that the main thread begins in the given files."""

    def __init__(self, number: int, *files: str) -> None:
        self.left, self._files = number, files

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "call":
            return self if frame.f_code.co_filename.endswith(self._files) else None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


GATES: dict[str, threading.Event] = {}


class Gate:
    """Stands for an event that no log can hold."""

    def wait(self, seconds: float) -> bool:
        return GATES["open"].wait(seconds)


@pytest.mark.timeout(120)
def test_an_interrupt_at_any_line_of_the_wait_is_felt_as_one() -> None:
    """Whichever line of the wait it meets, it is a KeyboardInterrupt, and the run goes on."""
    GATES["open"] = threading.Event()
    run = holding.start(Gate())
    files = ("running/bell.py", "running/awaiting.py", "running/watching.py", "threading.py")
    felt = 0
    for number in range(1, 200):
        tracer = _At(number, *files, "concurrent/futures/_base.py")
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            run.wait(0.01)
        except KeyboardInterrupt:
            felt += 1
        except TimeoutError:
            pass
        finally:
            sys.settrace(before)
        if tracer.left > 0:
            break  # the wait has no more lines than that
    else:
        pytest.fail("the wait has no end")
    assert felt >= number - 1
    assert felt > 10
    GATES["open"].set()
    assert run.result() == 1
    assert [call.attempt for call in run.calls.values()] == [1]
