"""What actors are asked, and how failures are told."""

from __future__ import annotations

import json
import threading
import traceback
from dataclasses import dataclass, field
from typing import Final

from nbflow.services.swf.events import HistoryEvent
from nbflow.services.swf.wire import ExecutionName, TypeName

REASON: Final = 256
"""How long a reason may be."""
DETAILS: Final = 32_768
"""How long details, an input or a result may be."""
_CUT: Final = "... (cut)"


class TaskCancelled(Exception):
    """Raised by `ActivityWorker.perform` when it has given up as it was asked to.

    Its text, if it has one, becomes the details of the ``ActivityTaskCanceled`` event.
    """


@dataclass(frozen=True, slots=True)
class DecisionTask:
    """What a decider is asked.

    Attributes:
        token: What the answer is sent with.
        execution: Workflow id and run id.
        type: Name and version of the workflow type.
        started: The number of the event that handed this task out.
        previous: The same of the latest task that was answered, 0 if there is none.
        events: The history, as far as it goes for this task; all of it unless asked otherwise.
    """

    token: str
    execution: ExecutionName
    type: TypeName
    started: int
    previous: int
    events: list[HistoryEvent]

    @property
    def new(self) -> list[HistoryEvent]:
        """The events since the latest task that was answered."""
        return [event for event in self.events if event.id > self.previous]


@dataclass(slots=True)
class ActivityTask:
    """What a worker is asked.

    Attributes:
        token: What the answer is sent with.
        id: The activity id.
        type: Name and version of the activity type.
        execution: Workflow id and run id.
        started: The number of the event that handed this task out.
        input: What it is given, a text.
        cancel_requested: Set once somebody asked that it be given up.
        gone: Set once the service no longer waits for it: it timed out, or its execution ended.
    """

    token: str
    id: str
    type: TypeName
    execution: ExecutionName
    started: int
    input: str | None = None
    cancel_requested: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def stopping(self) -> bool:
        """Whether going on is of no use: cancelled, or nobody waits."""
        return self.cancel_requested.is_set() or self.gone.is_set()


def told(error: Exception) -> tuple[str, str]:
    """Give reason and details of what an activity raised."""
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's exception may fail at saying what it is
        text = "(it cannot be shown)"
    whole = {
        "error": kind,
        "message": text,
        "traceback": "".join(traceback.format_exception(error))[-DETAILS // 2 :],
    }
    return f"{kind}: {text}", json.dumps(whole)


def shortened(text: str, most: int) -> str:
    """Give a text that has at most so many characters, with a mark where it was cut.

    Example:
        >>> shortened("abcdefghijklmno", 12)
        'abc... (cut)'
    """
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT
