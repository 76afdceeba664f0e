"""When a failed attempt is tried again, as plain data that travels with the first attempt."""

from __future__ import annotations

import base64
import json
import random
from typing import NamedTuple, Self

from nbflow.core.activity import Activity
from nbflow.core.failure import Failure
from nbflow.core.retry import Retry


class Rule(NamedTuple):
    """What becomes of a call whose attempt failed.

    Attributes:
        ignored: A call that failed for good has None as its result.
        attempts: See `nbflow.Retry`, as the next four.
        wait: Seconds.
        factor: What each further wait is multiplied by.
        cap: Seconds.
        jitter: From 0 to 1.
        on: Names of the classes of errors.
    """

    ignored: bool = False
    attempts: int = 1
    wait: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: float = 0.5
    on: tuple[str, ...] = ("Exception",)

    @classmethod
    def of(cls, activity: Activity[..., object]) -> Self:
        """Make the one of an activity's options.

        Where its retry option is a function it is not asked by this: a decider asks it, see
        `nbflow.services.swf.codec.records.JUDGED`.
        """
        retry = activity.settings.retry
        names = tuple(
            kind.__qualname__
            if kind.__module__ == "builtins"
            else f"{kind.__module__}.{kind.__qualname__}"
            for kind in retry.on
        )
        ignored = not activity.settings.raises_on_failure
        return cls(
            ignored, retry.attempts, retry.wait, retry.factor, retry.cap, retry.jitter, names
        )

    def write(self) -> str:
        """Give it as one word."""
        return base64.urlsafe_b64encode(json.dumps(self).encode()).decode()

    @classmethod
    def read(cls, word: str) -> Self:
        """Read what `write` wrote."""
        fields = json.loads(base64.urlsafe_b64decode(word))
        return cls._make([*fields[:-1], tuple(fields[-1])])

    def delay(self, error: Failure, attempt: int, seed: str) -> float | None:
        """Give the seconds until the next attempt; None: there is none.

        The same failure of the same attempt always gives the same: what is random in it is
        derived from `seed`.
        """
        if not set(self.on) & set(error.bases):
            return None
        chance = random.Random(f"{seed} {attempt}").random
        policy = Retry(
            attempts=self.attempts,
            wait=self.wait,
            factor=self.factor,
            cap=self.cap,
            jitter=self.jitter,
            on=(BaseException,),
        )
        return policy.delay(error, attempt, chance) if "BaseException" in error.bases else None
