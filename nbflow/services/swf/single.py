"""A worker that runs one activity and is done: for machines that are started for one."""

from __future__ import annotations

import base64
import binascii
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

from nbflow.services.swf.crew import Crew, CrewWorker
from nbflow.services.swf.errors import Invalid

if TYPE_CHECKING:
    from nbflow.services.swf.shapes import Data
    from nbflow.services.swf.tasks import ActivityTask


class SingleWorker(CrewWorker):
    """Runs one activity in this very process.

    Args:
        crew: Where it looks, and how long it may be silent.
        answer: The answer to a poll that somebody else has made; None: it polls.
    """

    def __init__(self, crew: Crew, answer: Data | None = None) -> None:
        super().__init__(crew, lambda _: None)
        self._answer = answer

    def poll(self) -> ActivityTask | None:
        """See `ActivityWorker.poll`."""
        if self._answer is None:
            return super().poll()
        answer, self._answer = self._answer, None
        return self.given(answer)

    def run(self) -> None:
        """Run one activity, waiting for it as long as it takes."""

        def once() -> bool:
            if not self.step():
                return False
            self.stop()
            return True

        self.repeat(once)

    def _end(self) -> NoReturn:
        # Its group is that of whoever started it.
        os._exit(1)


def answer_of(text: str) -> Data:
    """Read the answer to a poll: JSON in base64.

    Raises:
        Invalid: It is none.
    """
    try:
        found: Any = json.loads(base64.b64decode(text, validate=True))
        token, _ = found["taskToken"], found["activityId"]
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise Invalid(f"that is no answer to a poll, as JSON in base64: {error}") from None
    if not token:
        raise Invalid("that answer to a poll has no task")
    return dict(found)
