"""Activities that fail, hang and die as told, in whatever process they run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from nbflow.core.errors import ActivityCancelled
from nbflow.engine.context import context
from nbflow.testing.checks import PATIENCE, eventually

_POLL = 0.003


@dataclass(frozen=True, slots=True)
class Gate:
    """Holds up whoever comes to it until it is opened, in any process.

    It is a directory, so it can be an argument of an activity, or be reached by it from outside.

    Attributes:
        directory: Where it leaves its notes; made if it is missing.

    Example:
        >>> gate = Gate(tmp_path / "gate")
        >>> @nbflow.activity
        ... def slow():
        ...     gate.enter()
        >>> run = flow.start()
        >>> gate.wait_for(1)  # until the activity is there
        >>> gate.open()
    """

    directory: Path

    def __post_init__(self) -> None:
        """Make the directory."""
        object.__setattr__(self, "directory", Path(self.directory))  # text is taken as well
        self.directory.mkdir(parents=True, exist_ok=True)

    def enter(self) -> None:
        """Stay until the gate is open.

        Raises:
            TimeoutError: Nobody opened it in time: a test that fails must not leave threads behind.
        """
        end = self._arrive()
        while not self._is_open(end):
            time.sleep(_POLL)
        self._note("left")

    async def enter_async(self) -> None:
        """Stay until the gate is open, holding up no event loop."""
        end = self._arrive()
        while not self._is_open(end):  # noqa: ASYNC110 - whoever opens it is in another process
            await asyncio.sleep(_POLL)
        self._note("left")

    def open(self) -> None:
        """Let everybody go on, now and later."""
        (self.directory / "open").touch()

    def entered(self) -> int:
        """Count who has come."""
        return len(self.pids())

    def left(self) -> int:
        """Count who has gone on."""
        return len(list(self.directory.glob("left-*")))

    def pids(self) -> list[int]:
        """Give the processes in which somebody came, one for each, in no order."""
        return [int(path.name.split("-")[1]) for path in self.directory.glob("entered-*")]

    def wait_for(self, number: int, seconds: float = PATIENCE) -> None:
        """Wait until so many have come.

        Raises:
            AssertionError: They did not come in time.
        """
        eventually(lambda: self.entered() >= number, f"{number} arrive at the gate", seconds)

    def _arrive(self) -> float:
        self._note("entered")
        return time.monotonic() + PATIENCE

    def _is_open(self, end: float) -> bool:
        if (self.directory / "open").exists():
            return True
        if time.monotonic() > end:
            message = f"nobody opened the gate {self.directory} in {PATIENCE:g} s"
            raise TimeoutError(message)
        return False

    def _note(self, what: str) -> None:
        _claim(self.directory, f"{what}-{os.getpid()}")


@dataclass(frozen=True, slots=True)
class Die:
    """Ends the process, as a crash in C code or the kernel's out-of-memory killer does.

    Attributes:
        code: Its exit code.
        signal: The signal that ends it instead, as in ``signal.SIGKILL``; 0 for none.
    """

    code: int = 3
    signal: int = 0

    def act(self) -> NoReturn:
        """End this process."""
        if self.signal:
            os.kill(os.getpid(), self.signal)
        os._exit(self.code)


@dataclass(frozen=True, slots=True)
class Hang:
    """Does not come back, as an activity that waits for a server which is gone.

    It ends when nobody waits for its attempt any more: with that, time limits, lost heartbeats
    and cancellation can be tested.

    Attributes:
        beats: Whether it gives signs of life meanwhile. Without them a ``heartbeat_timeout`` is
            passed.
        seconds: Go on as if nothing had been after so long, in real time; None: never.
    """

    beats: bool = False
    seconds: float | None = None

    def act(self) -> None:
        """Stay.

        Raises:
            ActivityCancelled: Nobody waits for the attempt any more.
            TimeoutError: Nobody gave it up: a test that fails must not leave threads behind.
            RuntimeError: This is no activity that a run is executing.
        """
        attempt = context()
        end = time.monotonic() + (PATIENCE if self.seconds is None else self.seconds)
        while time.monotonic() < end:
            if self.beats:
                attempt.heartbeat()
            elif attempt.cancelled:
                message = f"{attempt.call} was given up while it hung"
                raise ActivityCancelled(message)
            time.sleep(_POLL)
        if self.seconds is None:
            message = f"{attempt.call} was to hang, and nobody gave it up in {PATIENCE:g} s"
            raise TimeoutError(message)


Act = BaseException | Die | Gate | Hang | None
"""What an invocation does: raise, die, wait at a gate, hang, or (None) nothing special."""


@dataclass(frozen=True, slots=True)
class FaultTable:
    """Says for each input how each invocation behaves, and counts the real invocations.

    Invocations are counted in files, so they are counted right in any number of processes, and
    beyond the death of any of them.

    Attributes:
        directory: Where the count is kept; made if it is missing.
        plan: For each input, by its ``str()``, what its first, second... invocation does.
            After the last entry, and for inputs without any, nothing special happens.

    Example:
        >>> faults = FaultTable(tmp_path, {"eu": [OSError("away"), None]})
        >>> @nbflow.activity(retry=1)
        ... def fetch(region):
        ...     faults.act(region)
        ...     return region.upper()
        >>> run = flow.start(["eu", "us"])
        >>> run.result()
        ['EU', 'US']
        >>> faults.count("eu"), faults.count("us")
        (2, 1)
    """

    directory: Path
    plan: Mapping[str, Sequence[Act]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the directory."""
        object.__setattr__(self, "directory", Path(self.directory))  # text is taken as well
        self.directory.mkdir(parents=True, exist_ok=True)

    def act(self, key: object) -> int:
        """Count an invocation with that input, and do what the plan says of it.

        Returns:
            Which invocation it is, from 1.
        """
        number = _claim(self.directory, f"ran-{str(key).encode().hex()}")
        acts = self.plan.get(str(key), ())
        act = acts[number - 1] if number <= len(acts) else None
        match act:
            case BaseException():
                raise act
            case Die() | Hang():
                act.act()
            case Gate():
                act.enter()
        return number

    def count(self, key: object) -> int:
        """Give how often that input has come."""
        return len(list(self.directory.glob(f"ran-{str(key).encode().hex()}-*")))

    def total(self) -> int:
        """Give how many invocations there were in all."""
        return len(list(self.directory.glob("ran-*")))


def _claim(directory: Path, name: str) -> int:
    """Make the next file ``name-N``, which nobody else gets, and give its number."""
    number = 1
    while True:
        try:
            (directory / f"{name}-{number}").touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return number
