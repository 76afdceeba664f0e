"""The events of a run as a whole. See `nbflow.core.events`."""

from __future__ import annotations

from typing import Final, NamedTuple

from nbflow.core.failure import Failure
from nbflow.core.payload import Stored

RULES: Final = 1
"""The version of the scheduling rules that new runs are started with."""


class RunStarted(NamedTuple):
    """A run was created.

    Attributes:
        workflow: Name of the workflow.
        args: Its positional arguments, stored.
        kwargs: Its keyword arguments, stored.
        on: Where its calls run unless an activity says otherwise.
        rules: The scheduling rules it obeys.
        code: Digest of the workflow's source and of what it reaches.
        source: The workflow's source text, where it is to be had.
        captured: Names of the notebook's globals that were copied for this run, as
            ``name: description``.
        seed: What the random numbers of the workflow's code are derived from.
        parent: The run that called the workflow, "" if none did.
        call: The call of the parent that this run is.
        tags: Words that it is found by.
        continues: The run that it goes on from, see `RunContinued`.
        program: Its code, pickled; or text that says why it is not kept; None in older logs. See
            `nbflow.core.recorded`.
        python: The kind of Python that this was pickled by.
        options: Options in the place of the workflow's own, stored. See `nbflow.core.chosen`.
        unkept: Names of those that could not be stored.
    """

    seq: int
    at: float
    workflow: str
    args: tuple[Stored, ...]
    kwargs: dict[str, Stored]
    on: str = "threads"
    rules: int = RULES
    code: str = ""
    source: str = ""
    captured: tuple[str, ...] = ()
    seed: str = ""
    parent: str = ""
    call: str = ""
    tags: tuple[str, ...] = ()
    continues: str = ""
    program: Stored = None
    python: str = ""
    options: dict[str, Stored] | None = None
    unkept: tuple[str, ...] = ()


class RunResumed(NamedTuple):
    """A run that had stopped is driven again; calls that failed or were cancelled run anew.

    Attributes:
        reason: Why, as far as somebody said.
        again: Calls that run anew though they may have succeeded, in call order.
        allowed: Those of them that somebody asked for by name: they may run once more even if
            they are ``once=True`` and had begun, or had been running when the process died.
        code: With which code: ``new``, as it was then, or ``recorded``, that of `RunStarted`.
    """

    seq: int
    at: float
    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    code: str = "new"


class RunContinued(NamedTuple):
    """The workflow ends here and goes on in a new run, with these arguments and an empty log.

    Attributes:
        run: Id of the new run.
        args: Its positional arguments, stored.
        kwargs: Its keyword arguments, stored.
        unread: Ids of the signals that go along.
    """

    seq: int
    at: float
    run: str
    args: tuple[Stored, ...] = ()
    kwargs: dict[str, Stored] | None = None
    unread: tuple[str, ...] = ()


class CancelRequested(NamedTuple):
    """Somebody asked that the run be cancelled."""

    seq: int
    at: float
    reason: str = ""


class CancelRefused(NamedTuple):
    """The workflow's code was asked whether the run may be cancelled, and refused."""

    seq: int
    at: float
    reason: str = ""


class RunClosed(NamedTuple):
    """The run ended.

    Attributes:
        status: ``completed``, ``failed`` or ``cancelled``.
        result: The workflow's result, stored.
        error: What a failed run failed with.
        call: The call whose error that was; "" where the workflow's own code raised it.
    """

    seq: int
    at: float
    status: str
    result: Stored = None
    error: Failure | None = None
    call: str = ""
