"""Calls in words: how they are written, what they failed with, where they differ."""

from __future__ import annotations

import re

from nbflow.core.call import CallState
from nbflow.core.errors import ActivityCancelled
from nbflow.core.events import CallCancelled, CallFailed, MarkerFailed
from nbflow.core.held import Held
from nbflow.core.payload import Packed, Ref, Stored, spill
from nbflow.core.redact import redact

_SHORT = 60
_REF = re.compile(r'\{"\$ref":"([^"]*)"\}')
"""A reference to a call, as a stored argument writes it."""
_SECRET = re.compile(r'\{"\$secret":"\w+:([^"]*)"\}')


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
        case MarkerFailed() as marker:
            error = marker.error.rebuild()
            error.add_note(f"in {origin.id}, nbflow.side_effect({marker.of})")
            return error
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
    return parts(known) == parts(asked)


def parts(state: CallState) -> dict[int | str, object]:
    """Give the arguments by place or name, for comparing: by type and value, so 1 is not True.

    One that is pickled counts as such only, since equal values may have unequal pickles.
    """
    named: list[tuple[int | str, Stored]] = [
        *enumerate(state.args),
        *(state.kwargs or {}).items(),
    ]
    return {where: _comparable(stored) for where, stored in named}


def _comparable(stored: Stored) -> object:
    if getattr(stored, "codec", "") == "pickle":
        return "pickle"
    kept = spill(stored)
    # Of two NaN neither equals the other.
    return type(kept), repr(kept) if type(kept) is float else kept


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
            text = _REF.sub(r"\1", redact(str(stored.data))[:1000])
            text = _SECRET.sub(r"Secret(\1)", text)
        case Packed() | None:
            text = "None" if stored is None else f"<{stored.size} bytes>"
        case str() | bool() | int() | float():
            text = redact(repr(stored))
        case Held():
            text = "<not kept>"
        case _:
            text = f"<{stored.size} bytes>"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
