"""How attempts travel: what is to be done, and what came of it, as events with signatures.

An attempt is the event that asked for its call, its code, and the results that it takes; what
came of it is the event that a log has for that, and before it what the attempt wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.errors import NbflowError
from nbflow.core.events import CallFailed, CallScheduled, CallSucceeded, CallWrote, Event, Report
from nbflow.core.eventtext import decode, encode
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Stored, spill
from nbflow.engine.job import Answer, Code, Job
from nbflow.services.cloudflow.dynamic.sealing import KeySeal
from nbflow.services.cloudflow.dynamic.values import Values

_CODE: Final = "its code"
_SEAL: Final = KeySeal()


def fitting(data: dict[str, Any], values: Values, most: int) -> dict[str, Any]:
    """Give data as the service takes them: as they are, or where they are kept if too long."""
    text = json.dumps(data)
    return data if len(text) <= most else {"ref": values.put(text.encode())}


def fitted(data: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Give what `fitting` was given.

    Raises:
        StoreError: It is kept elsewhere, and not there.
    """
    if "ref" not in data:
        return dict(data)
    found: dict[str, Any] = json.loads(values.get(str(data["ref"])))
    return found


class Codes:
    """The code of activities among the values: each is kept once.

    Args:
        values: Where.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._kept: dict[int, tuple[Code, Blob]] = {}

    def kept(self, code: Code) -> Blob:
        """Keep the code of an activity.

        Raises:
            Unserialisable: It cannot be sent.
        """
        found = self._kept.get(id(code))
        if found is None:
            data = code.blob()
            found = self._kept[id(code)] = code, Blob("pickle", self._values.put(data), len(data))
        return found[1]


def written(name: str, job: Job, codes: Codes, values: Values) -> str:
    """Write an attempt.

    Args:
        name: What its execution is called: signatures are good for it alone.
        job: The attempt.
        codes: Keeps its code.
        values: Keeps what is large.

    Raises:
        NbflowError: Something that it takes cannot be sent.
    """
    args = tuple(_sent(value, job, values) for value in job.args)
    kwargs = {key: _sent(value, job, values) for key, value in (job.kwargs or {}).items()}
    events: list[Event] = [
        CallScheduled(0, 0.0, job.call, job.code.name, args, kwargs),
        CallSucceeded(0, 0.0, _CODE, job.attempt, codes.kept(job.code), "", 0.0),
    ]
    for call, result in (job.inputs or {}).items():
        given = _sent(result, job, values)
        events.append(CallSucceeded(0, 0.0, call, 1, given, "", 0.0))
    return encode(events, name, _SEAL)


def _sent(value: Stored, job: Job, values: Values) -> Stored:
    if isinstance(value, Held):
        value = payload.shipped(value, f"what {job.call} takes of a persist=False activity")
    return spill(value, values.put)


Load = Callable[[Blob], Callable[..., Any]]
"""Gives the function that code stands for."""


def read(name: str, run: str, text: str, values: Values, load: Load) -> Job:
    """Read an attempt, as a worker does.

    Args:
        name: What its execution is called.
        run: Its run.
        text: What `written` gave.
        values: Where large values are.
        load: Loads code.

    Raises:
        NbflowError: It cannot be read, or nothing shows that it is this user's own.
    """
    try:
        asked, code, *inputs = decode(text, name, _SEAL)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NbflowError(f"what {name} is to do cannot be read: {error}") from error
    if not isinstance(asked, CallScheduled) or not isinstance(code, CallSucceeded):
        raise NbflowError(f"what {name} is to do is no attempt of nbflow's")
    given = code.result
    if not isinstance(given, Blob):
        raise NbflowError(f"what {name} is to do has no code")
    return Job(
        run=run,
        call=asked.call,
        attempt=code.attempt,
        code=Code(asked.activity, load(given)),
        args=asked.args,
        kwargs=asked.kwargs,
        inputs={e.call: e.result for e in inputs if isinstance(e, CallSucceeded)},
        live=None,
        timeout=None,
        fetch=values.get,
    )


def answered(
    name: str, job: Job, answer: Answer, wrote: Iterable[tuple[str, str]], values: Values
) -> str:
    """Write what came of an attempt.

    Args:
        name: What its execution is called.
        job: The attempt.
        answer: What came of it.
        wrote: What it printed and logged: channels and texts.
        values: Keeps a large result.
    """
    events: list[Event] = [CallWrote(0, 0.0, job.call, job.attempt, *piece) for piece in wrote]
    if answer.error is None:
        try:
            result = spill(answer.result, values.put)
        except NbflowError as error:
            error.add_note("The activity ran to its end, so its side effects have happened.")
            answer = Answer(answer.report, error=Failure.of(error))
        else:
            done = CallSucceeded(0, 0.0, job.call, job.attempt, result, *answer.report)
            return encode([*events, done], name, _SEAL)
    assert answer.error is not None  # noqa: S101 - it is one or the other
    failed = CallFailed(0, 0.0, job.call, job.attempt, answer.error, None, answer.report)
    return encode([*events, failed], name, _SEAL)


def refused(name: str, call: str, attempt: int, error: BaseException, worker: str) -> str:
    """Write that an attempt could not even begin."""
    failed = CallFailed(0, 0.0, call, attempt, Failure.of(error), None, Report(worker, 0.0))
    return encode([failed], name, _SEAL)


def outcome(name: str, text: str) -> tuple[Answer, list[tuple[str, str]]]:
    """Read what came of an attempt: the answer, and what it wrote.

    Raises:
        NbflowError: It cannot be read.
    """
    try:
        *wrote, last = decode(text, name, _SEAL)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NbflowError(f"what came of {name} cannot be read: {error}") from error
    pieces = [(event.channel, event.text) for event in wrote if isinstance(event, CallWrote)]
    if isinstance(last, CallSucceeded):
        return Answer(last.report, last.result), pieces
    if isinstance(last, CallFailed):
        return Answer(last.report or Report("", 0.0), error=last.error), pieces
    raise NbflowError(f"what came of {name} is no answer of nbflow's")
