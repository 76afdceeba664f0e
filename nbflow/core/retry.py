"""When a failed attempt is tried again. One policy, the same on every executor and service."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from nbflow.core.errors import DefinitionError
from nbflow.core.failure import Failure

When = Callable[[BaseException, int], "bool | float | None"]
"""``when(error, attempt)``: False or None to give up, True for the usual wait, or seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, how soon and after which errors an attempt is followed by another.

    The wait before attempt ``n + 1`` is ``wait * factor ** (n - 1)`` seconds, at most `cap`,
    taken at random from the last `jitter` part of itself, so that many calls that failed
    together do not come back together.

    Attributes:
        attempts: How many attempts there may be in all, the first included.
        wait: Seconds before the second attempt.
        factor: What each further wait is multiplied by.
        cap: The longest wait, in seconds.
        jitter: Which part of a wait is random, 0 (none) to 1 (all).
        on: Retry only after errors of these classes.
        when: A function that decides alone, in the place of `on`.

    Example:
        >>> Retry(attempts=3, wait=1, jitter=0).delay(Failure.of(OSError("gone")), attempt=2)
        2.0
    """

    attempts: int = 3
    wait: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: float = 0.5
    on: tuple[type[BaseException], ...] = (Exception,)
    when: When | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, naming the field."""
        if self.attempts < 1:
            _refuse(f"attempts must be at least 1, not {self.attempts}")
        if min(self.wait, self.cap) < 0 or self.factor < 1:
            _refuse("wait and cap must not be negative, and factor at least 1")
        if not 0 <= self.jitter <= 1:
            _refuse(f"jitter is a part of the wait, from 0 to 1, not {self.jitter}")
        kinds: object = self.on
        if isinstance(kinds, type):
            object.__setattr__(self, "on", (kinds,))

    @classmethod
    def of(cls, value: object) -> Retry:
        """Read the ``retry=`` option: a policy, a number of retries, or a function."""
        match value:
            case Retry():
                return value
            case None:
                return NO_RETRY
            case bool():
                return _refuse("retry takes a number of retries, a Retry or a function, not a bool")
            case int():
                return cls(attempts=value + 1)
            case _ if callable(value):
                return cls(attempts=1_000_000, when=value)
        return _refuse(f"retry takes a number of retries, a Retry or a function, not {value!r}")

    def delay(
        self, failure: Failure, attempt: int, rng: Callable[[], float] = random.random
    ) -> float | None:
        """Give the seconds to wait after `attempt` failed, or None to give up."""
        if attempt >= self.attempts:
            return None
        answer: bool | float | None = any(failure.matches(kind) for kind in self.on)
        if self.when is not None:
            answer = self.when(failure.rebuild(), attempt)
        if answer is None or answer is False:
            return None
        if answer is not True:
            return max(0.0, float(answer))
        # Past 64 doublings any wait is over the cap: no float overflow for long-lived retries.
        wait = min(self.cap, self.wait * self.factor ** min(attempt - 1, 64))
        return wait * (1 - self.jitter * rng())


def _refuse(reason: str) -> Retry:
    raise DefinitionError(reason)


NO_RETRY = Retry(attempts=1)
