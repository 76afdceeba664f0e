"""Calls in words: how they are written, what they failed with, where they differ."""

from __future__ import annotations

import re

from nbflow.core.call import CallState
from nbflow.core.errors import ActivityCancelled, NondeterminismError
from nbflow.core.events import CallCancelled, CallFailed
from nbflow.core.payload import Packed, Ref, Stored, spill

_SHORT = 60
_REF = re.compile(r'\{"\$ref":"([^"]*)"\}')
"""A reference to a call, as a stored argument writes it."""


def error_of(state: CallState) -> BaseException:
    """Give the exception to raise for a call that has no result.

    Its attribute ``nbflow_call`` names the call, so that a run that it ends can tell which it was.
    """
    origin = state.because or state
    match origin.outcome:
        case CallFailed() as failed:
            error = failed.error.rebuild()
            attempts = f", attempt {failed.attempt}" if failed.attempt > 1 else ""
            error.add_note(f"in {origin.id}{attempts}")
        case CallCancelled() as cancelled:
            reason = f": {cancelled.reason}" if cancelled.reason else ""
            error = ActivityCancelled(f"{origin.id} was cancelled{reason}")
        case _:
            message = f"{state.id} has not failed"
            raise AssertionError(message)
    error.__dict__["nbflow_call"] = origin.id
    if origin is not state:
        error.add_note(f"{state.id} did not run: {origin.id}, which it needs, gave no result")
    return error


def same(known: CallState, asked: CallState) -> bool:
    """Whether a call is asked for as the log says it was."""
    if known.name != asked.name or known.deps != asked.deps:
        return False
    return _opaque(known) or (_values(known) == _values(asked))


def _values(state: CallState) -> list[tuple[object, type, Stored]]:
    """Give the arguments for comparing: by place, type and value, so that 1 is not True."""
    named: list[tuple[object, Stored]] = [*enumerate(state.args), *(state.kwargs or {}).items()]
    return [(where, type(a), a) for where, s in named for a in (spill(s),)]


def _opaque(state: CallState) -> bool:
    """Whether an argument is pickled: equal values may have unequal pickles."""
    stored = (*state.args, *(state.kwargs or {}).values())
    return any(getattr(s, "codec", "") == "pickle" for s in stored)


def compare(run: str, known: CallState, asked: CallState) -> None:
    """Raise unless a call is asked for as it was recorded.

    Raises:
        NondeterminismError: It is not; the message shows both.
    """
    if not same(known, asked):
        message = (
            f"run {run} cannot continue: call {asked.id} differs.\n"
            f"  recorded: {describe(known)}\n"
            f"  now:      {describe(asked)}\n"
            "Nothing was executed. You can go back to the code that the run was started with "
            "and resume it, or start a new run."
        )
        raise NondeterminismError(message)


def describe(state: CallState) -> str:
    """Give a call as it is written in code, its arguments cut short."""
    parts = [_short(a) for a in state.args]
    parts += [f"{k}={_short(a)}" for k, a in (state.kwargs or {}).items()]
    return f"{state.name}({', '.join(parts)})"


def _short(stored: Stored) -> str:
    match stored:
        case Ref():
            return stored.call
        case Packed(codec="json"):
            text = _REF.sub(r"\1", str(stored.data)[:1000])
        case Packed() | None:
            text = "None" if stored is None else f"<{stored.size} bytes>"
        case str() | bool() | int() | float():
            text = repr(stored)
        case _:
            text = f"<{stored.size} bytes>"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
