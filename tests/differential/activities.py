"""The activities of programs. Every process can import them."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import nbflow
from nbflow.testing import FaultTable


@nbflow.activity
def inc(x: int = 0) -> int:
    """Add one."""
    return x + 1


@nbflow.activity
def double(x: int) -> int:
    """Take it twice."""
    return 2 * x


@nbflow.activity
def add(*values: Any) -> int:
    """Add up; what is no number counts as nothing."""
    return sum(value for value in values if isinstance(value, int))


@nbflow.activity
def give(x: Any) -> Any:
    """Give what it is given."""
    return x


@nbflow.activity
async def later(x: int) -> int:
    """Add one after another coroutine had its turn."""
    await asyncio.sleep(0)
    return x + 1


@nbflow.activity
def fail(x: Any = 0) -> int:
    """Fail, always."""
    message = f"refused {x}"
    raise ValueError(message)


@nbflow.activity(raises_on_failure=False)
def shrug(x: int = 0) -> int:
    """Fail, always, and have None for a result."""
    message = f"refused {x}"
    raise ValueError(message)


SOON = nbflow.Retry(attempts=3, wait=0, jitter=0)


@nbflow.activity(retry=SOON)
def shaky(x: int = 0) -> int:
    """Fail at the first two attempts of three."""
    attempt = nbflow.context().attempt
    if attempt < 3:
        message = f"attempt {attempt}"
        raise OSError(message)
    return x


@nbflow.activity
def unstorable() -> Any:
    """Give what cannot be stored."""
    return threading.Lock()


@nbflow.activity
def stuck() -> None:
    """Run until nobody waits for it."""
    wait_in_vain()


def wait_in_vain() -> None:
    """Wait until the attempt is given up, as a thread learns it; a process is killed."""
    context = nbflow.context()
    while not context.cancelled:
        time.sleep(0.003)


@nbflow.activity
def faulty(directory: str, key: str, errors: int) -> str:
    """Fail at so many invocations, whichever attempt or drive of the run they belong to."""
    plan = {key: [OSError(f"away {number}") for number in range(1, errors + 1)]}
    number = FaultTable(Path(directory) / "faults", plan).act(key)
    return f"{key} at invocation {number}"


def invocations(directory: str, key: str) -> int:
    """Tell how often `faulty` really ran for a key."""
    return FaultTable(Path(directory) / "faults").count(key)


@nbflow.activity
class Box:
    """An activity that is a class."""

    def __init__(self, x: int, unit: str = "") -> None:
        self.x, self.unit = x, unit

    def execute(self) -> list[Any]:
        """Give what the context and the arguments are."""
        context: Any = self.context  # type: ignore[attr-defined]
        return [context["workflow_id"], context["activity_id"], f"{self.x + 1}{self.unit}"]

    def post_execute(self, result: list[Any]) -> None:
        """See the result of `execute`."""
        assert result[2].startswith(str(self.x + 1))
