"""The code of a run as it was when the run was started, kept in its log.

What a notebook defines cannot be imported later: its cells are edited, its kernel ends. So the
functions that `nbflow.core.capture` has frozen are pickled into the first event of the run, with
the text of their cells, which tracebacks and the cache look at. Code that can be imported stays
where it is, and is found by its name.
"""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

from nbflow.core import payload
from nbflow.core.capture import Captured, from_notebook
from nbflow.core.errors import PickleRefused, RunError, Unserialisable
from nbflow.core.events import RunStarted
from nbflow.core.payload import Fetch, Packed, Stored
from nbflow.core.redact import holds_secret, redact
from nbflow.core.workflow import Target, WorkflowFunction

WhichCode = Literal["new", "recorded"]
"""With which code a run goes on: as it is now, or as it was when the run was started."""

MOST_BYTES: Final = 16 * 1024 * 1024
"""Code that takes more than this from the notebook is not recorded."""
_CONTINUE: Final = "Nothing was executed. run.resume() goes on with the code as it is now"


def python() -> str:
    """Give the kind of Python that compiled code is good for: ``cpython-312``."""
    return sys.implementation.cache_tag or sys.version.split()[0]


def checked(code: str) -> WhichCode:
    """Give which code was asked for.

    Raises:
        RunError: There is no such choice.
    """
    if code in get_args(WhichCode):
        return code  # type: ignore[return-value]
    message = (
        f"code is 'new', as it is now, or 'recorded', as it was when the run was started, "
        f"and not {code!r:.60}"
    )
    raise RunError(message)


def record(captured: Captured) -> Stored:
    """Give what the log keeps of a workflow's code.

    Returns:
        The pickle; or, where there is none, text that says why: it is shown to whoever asks for
        that code later.

    Example:
        >>> event = RunStarted(..., program=record(capture(revenue)), python=python())
    """
    thing = _code_of(captured.target)
    if not from_notebook(thing):
        return (
            f"it is imported from {thing.__module__}, and only code of notebooks and scripts is "
            "recorded: check that module out as it was"
        )
    if not payload.pickles_allowed():
        return payload.JSON_ONLY
    if sum(captured.large.values()) > MOST_BYTES:
        names = ", ".join(captured.large)
        return f"what it takes from the notebook is too large to be kept with each run: {names}"
    return _pickled(captured)


def _pickled(captured: Captured) -> Stored:
    try:
        data = payload.dumps((captured.target, _cells(captured.files)), "the code of the run")
    except Unserialisable as error:
        return str(error)
    if len(data) > MOST_BYTES:
        return f"it takes {len(data):,} bytes, which is too much to be kept with each run"
    if holds_secret(data):
        return "it holds the value of a secret: hand that over as an nbflow.Secret"
    return Packed("pickle", data)


def _code_of(target: Target) -> Any:
    return inspect.unwrap(target.fn) if isinstance(target, WorkflowFunction) else target


def _cells(files: Iterable[str]) -> dict[str, str]:
    """Give the text of cells, without secrets. That of real files is not kept."""
    found = {}
    for name in files:
        entry = linecache.cache.get(name)
        if entry is not None and len(entry) > 1 and entry[1] is None:
            found[name] = redact("".join(entry[2]))
    return found


def recorded(run: str, started: RunStarted, fetch: Fetch) -> Target:
    """Bring the recorded code of a run to life.

    Args:
        run: Its id, for messages.
        started: Its first event.
        fetch: Gives the bytes of a large value.

    Raises:
        RunError: There is none, or it is that of another version of Python.
        PickleRefused: Nothing shows that it is this user's own.
    """
    program = started.program
    head = f"run {run} cannot go on with the code that it was started with"
    if not isinstance(program, Packed | payload.Blob):
        reason = program or "it was started by an nbflow that did not record it"
        message = f"{head}: {reason}. {_CONTINUE}"
        raise RunError(message)
    if not program.refused and started.python != python():
        message = f"{head}: that was compiled by {started.python}, and this is {python()}. "
        raise RunError(message + _CONTINUE)
    try:
        target, cells = payload.unpack(program, _no_call, fetch)
    except PickleRefused as error:
        message = f"{head}: {error}. {_CONTINUE}"
        raise PickleRefused(message) from None
    except Unserialisable as error:
        message = f"{head}: {error}. {_CONTINUE}"
        raise RunError(message) from error
    _show(cells)
    return target  # type: ignore[no-any-return]


def _show(cells: dict[str, str]) -> None:
    """Let tracebacks have the lines of cells that this process has not executed."""
    for name, text in cells.items():
        # Without a time of change, as IPython notes cells: nobody looks for a file of that name.
        linecache.cache.setdefault(name, (len(text), None, text.splitlines(keepends=True), name))


def _no_call(call: str) -> object:
    message = f"the code of a run refers to {call}"
    raise Unserialisable(message)
