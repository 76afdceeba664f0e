"""A program that is run, with an interrupt before each line of what runs it in turn.

Prints how many interrupts were felt before the program ran to its end.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import uuid
from pathlib import Path

from nbflow.execute import process
from nbflow.execute.process import Command
from nbflow.testing.checks import eventually
from tests.interrupting import interrupted

MOST = 200


def left(mark: str) -> list[int]:
    """Give the processes whose environment has this mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
    return found


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def main() -> None:
    """Interrupt before every line; after each, no process and no open file is left."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    mark = f"nbflow-test-{uuid.uuid4()}"
    files = open_files()
    command = Command(("sleep", "0.05"), env={"NBFLOW_TEST_MARK": mark})
    file = str(process.__file__)
    for number in range(1, MOST):
        if not interrupted(number, (file,), lambda: process.run(command))[0]:
            break
        eventually(lambda: not left(mark), "no process is left")
        eventually(lambda: open_files() <= files, "no file is left open")
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        sys.exit("what an interrupt does is not what it did")
    print(number - 1)


if __name__ == "__main__":
    main()
