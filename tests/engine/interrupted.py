"""A wait for a run that is interrupted at each of its lines in turn.

Prints how many interrupts were felt as one, and how many lines the wait has.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

import nbflow

SECONDS = 30.0
MOST = 200
FILES = (
    "running/bell.py",
    "running/awaiting.py",
    "running/watching.py",
    "threading.py",
    "concurrent/futures/_base.py",
)
GATE = threading.Event()


class At:
    """Raises an interrupt at the n-th line that the main thread begins in those files."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "call":
            return self if frame.f_code.co_filename.endswith(FILES) else None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


@nbflow.activity
def held() -> int:
    return int(GATE.wait(SECONDS))


@nbflow.workflow
def holding() -> int:
    return held().result()


def interrupted(run: nbflow.Run[int], number: int) -> tuple[bool, bool]:
    """Interrupt the wait at that line; give whether that was felt, and whether there is one."""
    tracer = At(number)
    sys.settrace(tracer)
    try:
        run.wait(0.01)
    except KeyboardInterrupt:
        return True, True
    except TimeoutError:
        pass
    finally:
        sys.settrace(None)
    return False, tracer.left <= 0


def main() -> None:
    """Interrupt every line, and see the run to its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nbflow.configure(on="threads", store=":memory:")
    run = holding.start()
    felt = lines = 0
    for number in range(1, MOST):
        was_felt, was_there = interrupted(run, number)
        if not was_there:
            break
        felt, lines = felt + was_felt, lines + 1
    else:
        sys.exit("the wait has no end")
    GATE.set()
    if run.result() != 1 or [call.attempt for call in run.calls.values()] != [1]:
        sys.exit("the run did not go on as it was")
    print(felt, lines)


if __name__ == "__main__":
    main()
