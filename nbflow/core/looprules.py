"""What the event loop of workflows refuses, and what it says to write instead.

This module loads asyncio, as `eventloop` does.
"""

from __future__ import annotations

import sys
from asyncio import tasks as _tasks
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NoReturn

from nbflow.core.errors import FutureMisuse, NbflowError

_ACTIVITY = "put it into an activity, and await its call"
_OWN = "the run drives this loop itself"
_REFUSED: Final = {
    "run_in_executor": f"threads and processes: {_ACTIVITY}",
    "set_default_executor": f"threads and processes: {_ACTIVITY}",
    "shutdown_default_executor": f"threads and processes: {_ACTIVITY}",
    "call_soon_threadsafe": (
        "being woken by another thread: tell the run something by run.signal(name, value), and "
        "await nbflow.wait_signal(name)"
    ),
    "add_signal_handler": (
        "signals of the system. Cancelling the run raises asyncio.CancelledError where the code "
        "waits"
    ),
    "remove_signal_handler": "signals of the system",
    "subprocess_shell": "other programs: make an activity of them by nbflow.execute.program",
    "subprocess_exec": "other programs: make an activity of them by nbflow.execute.program",
    "set_task_factory": "tasks of others: asyncio.create_task makes those that can be replayed",
    **dict.fromkeys(("run_forever", "run_until_complete", "stop", "close"), _OWN),
}
_FOREIGN: Final = ("Task got bad yield", "attached to a different loop")
_NETWORK: Final = f"networks, pipes and files: {_ACTIVITY}"


def refusal(name: str) -> Callable[..., NoReturn]:
    """Make the method of a loop that refuses what has that name."""
    instead = _REFUSED.get(name, _NETWORK)

    def refuse(*_: object, **__: object) -> NoReturn:
        message = f"a workflow's event loop has no {name}(). It cannot replay {instead}"
        if instead == _OWN:
            message = f"a workflow's event loop has no {name}(): {instead}"
        raise FutureMisuse(message)

    refuse.__name__ = name
    return refuse


def refuse_unordered(coroutine: Any) -> None:
    """Refuse coroutines that asyncio takes out of a set: their order is that of addresses."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - whoever asks asyncio
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    own = getattr(code, "co_filename", "") == _tasks.__file__
    while frame is not None and frame.f_globals.get("__name__") == "asyncio.tasks":
        if frame.f_code.co_name in {"as_completed", "__init__"} and not own:
            coroutine.close()
            message = (
                "asyncio.as_completed() begins coroutines in no certain order, so that the run "
                "could not be resumed: make tasks of them first, [asyncio.create_task(c) for c in "
                "...], or write nbflow.as_completed([...]) for the futures of calls"
            )
            raise FutureMisuse(message)
        frame = frame.f_back


def foreign(error: RuntimeError) -> NbflowError | None:
    """Give what to say of a coroutine that awaits something of another library's loop."""
    if not any(words in str(error) for words in _FOREIGN):
        return None
    message = (
        "a workflow can await the futures of its own calls, nbflow's and asyncio's own things, and "
        f"coroutines of these. As for the rest: {_ACTIVITY}"
    )
    return FutureMisuse(message)
