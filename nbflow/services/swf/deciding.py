"""One decision: the code is told what is new, and what it asks for becomes decisions."""

from __future__ import annotations

import logging
from typing import Final

from nbflow.core import decide as core
from nbflow.core.errors import NbflowError
from nbflow.core.events import CallFailed, Event
from nbflow.core.sequel import Failed, Sequel, sequel
from nbflow.services.swf.codec.writing import Writer
from nbflow.services.swf.decisions import Decision
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.kept import FIRST, KeptCode

_log = logging.getLogger(__name__)
_ENDS: Final = (core.Close, core.Continue)


def decided(code: KeptCode, writer: Writer) -> list[Decision]:
    """Decide until nothing is to be written first; give all decisions.

    What is written into the history by the decider itself (values from outside, what is given up,
    what becomes of a failure) may be what the code waits for: so it is told of it, and goes on.

    Raises:
        Invalid: Something cannot be had on SWF, or is too long for it.
        NondeterminismError: The code does not agree with the history.
    """
    written: list[Decision] = []
    while True:
        commands = code.commands(writer.reader.now)
        first = [command for command in commands if isinstance(command, FIRST)]
        for command in first:
            events, decisions = writer.note(command, code.length + 1)
            for event in events:
                code.note(event)
            written += decisions
        if first:
            continue
        if any(isinstance(command, _ENDS) for command in commands):
            return [*written, *writer.write(commands)]
        judged = _judged_all(code, writer)
        written += [writer.failure(found.event) for found in judged]
        aborted = next((found.event for found in judged if found.abort), None)
        if isinstance(aborted, CallFailed):
            return [*written, *writer.aborted(aborted.error)]
        if not judged:
            return [*written, *(_onward(code, writer) or writer.write(commands))]


def _judged_all(code: KeptCode, writer: Writer) -> list[Sequel]:
    """Say what becomes of failures that the workflow, or a function of its activity, decides."""
    found = []
    for call, failed in list(writer.reader.failing.items()):
        made = _judged(code, writer.reader.now, failed)
        if made is None:
            continue
        del writer.reader.failing[call]
        if isinstance(made.event, CallFailed):
            writer.reader.want(made.event)
        code.note(made.event)
        found.append(made)
        if made.abort:
            break
    return found


def _judged(code: KeptCode, now: float, failed: CallFailed) -> Sequel | None:
    state = code.history.calls[failed.call]
    if state.activity is None or state.outcome is not None:
        return None
    case = Failed(
        state, failed.attempt, failed.error, failed.report, failed.abandoned, failed.timeout
    )
    made = sequel(case, state.activity, code.rules.on_task_failure, lambda: now, _no_store)
    return made._replace(event=made.event._replace(seq=code.length + 1))


def _onward(code: KeptCode, writer: Writer) -> list[Decision]:
    """Go on in a new execution, if the history is long and nothing is under way."""
    if not (writer.full and writer.quiet):
        return []
    reader = writer.reader
    log: list[Event] = [*reader.log, *code.noted.values()]
    try:
        return [writer.carried_on(log)]
    except Invalid as error:
        _log.warning(
            "run %s has %s events, and SWF ends it at 25,000: it cannot go on in a new execution, "
            "since %s",
            reader.texts.run,
            reader.last,
            error,
        )
        writer.reader.stays = True
        return []


def _no_store(data: bytes) -> str:
    message = f"a result of {len(data)} bytes was decided for a failed call: it is too long"
    raise NbflowError(message)
