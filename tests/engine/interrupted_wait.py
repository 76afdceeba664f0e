"""A wait for a run that is interrupted before each of its lines in turn.

Prints how many interrupts were felt as one, and how many lines the wait has.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading

import nbflow
from tests.interrupting import interrupted

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


@nbflow.activity
def held() -> int:
    return int(GATE.wait(SECONDS))


@nbflow.workflow
def holding() -> int:
    return held().result()


def main() -> None:
    """Interrupt before every line, and see the run to its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nbflow.configure(on="threads", store=":memory:")
    run = holding.start()

    def wait() -> None:
        with contextlib.suppress(TimeoutError):
            run.wait(0.01)

    felt = lines = 0
    for number in range(1, MOST):
        was_felt, was_there = interrupted(number, FILES, wait)
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
