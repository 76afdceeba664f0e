"""How an activity is run: its options, and what is wrong with those that make no sense."""

from __future__ import annotations

import difflib
import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn, Self

from nbflow.core.cachekey import CacheKey
from nbflow.core.errors import DefinitionError
from nbflow.core.retry import NO_RETRY, Retry


class Unset(enum.Enum):
    """The kind of `PRIORITY_NOT_SET`."""

    PRIORITY = "not set"

    def __repr__(self) -> str:
        """Give the name it is imported by."""
        return "PRIORITY_NOT_SET"


PRIORITY_NOT_SET: Final = Unset.PRIORITY
"""No priority of its own; None says that there is to be none."""
Priority = int | None | Unset

_TIMES: Final = (
    "timeout",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "heartbeat_timeout",
)
_FLAGS: Final = ("once", "cache", "raises_on_failure", "idempotent", "copy", "persist")
_TEXTS: Final = ("version", "task_list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an activity is run.

    Attributes:
        retry: When a failed attempt is followed by another.
        timeout: Seconds that one attempt may take, from its start; None: as long as it needs.
        executor: Where it runs, by name or as an object, when not where the run's calls do.
        version: Told apart from other versions of the same name on a service.
        once: Whether a call is never begun twice: that it begins is on the disk before it does,
            and if its process is lost then, it fails instead of running again.
        cache: Whether a call is answered by the result of an earlier one that was the same, of
            this run or another.
        cache_key: What its result depends on besides its code and its arguments.
        task_list: Where a service's workers look for its calls.
        task_priority: Of calls that could start, those with the highest go first.
        raises_on_failure: Whether ``result()`` raises what a call failed with; else it is None.
        schedule_to_close_timeout: Seconds that an attempt may take from when it could start.
        schedule_to_start_timeout: Seconds until an attempt must have started since it could.
        heartbeat_timeout: Seconds that may pass without a heartbeat.
        idempotent: Whether calls with equal arguments are one call within a run.
        meta: What services and tools may want to know of it; nbflow does not look at it.
        max_running: How many of its calls may run at once, in one run and in this process.
        copy: Whether each consumer gets a copy of its result, however large.
        persist: Whether its results are stored; else they are in memory only, and computed again
            if the run is resumed and needs them.
        special: Whether a call needs a look before it is started: derived.
        timed: Whether there is a time limit besides `timeout`: derived.
        limit: `timeout`; endless if there is none but another limit, so that executors tell at
            once that an attempt begins: derived.
    """

    retry: Retry = NO_RETRY
    timeout: float | None = None
    executor: Any = None
    version: str = "1"
    once: bool = False
    cache: bool = False
    cache_key: CacheKey = field(default_factory=CacheKey)
    task_list: str = "default"
    task_priority: Priority = PRIORITY_NOT_SET
    raises_on_failure: bool = True
    schedule_to_close_timeout: float | None = None
    schedule_to_start_timeout: float | None = None
    heartbeat_timeout: float | None = None
    idempotent: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)
    max_running: int | None = None
    copy: bool = False
    persist: bool = True
    special: bool = field(init=False, repr=False, compare=False)
    timed: bool = field(init=False, repr=False, compare=False)
    limit: float | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive what the engine asks for each call."""
        limits = (
            self.schedule_to_close_timeout,
            self.schedule_to_start_timeout,
            self.heartbeat_timeout,
        )
        timed = any(limit is not None for limit in limits)
        prior = self.task_priority is not PRIORITY_NOT_SET
        object.__setattr__(self, "timed", timed)
        endless = math.inf if timed else None
        object.__setattr__(self, "limit", endless if self.timeout is None else self.timeout)
        special = self.cache or timed or prior or self.max_running is not None
        object.__setattr__(self, "special", special)

    @property
    def start_to_close_timeout(self) -> float | None:
        """Another name of `timeout`."""
        return self.timeout

    @property
    def rank(self) -> int:
        """The priority as a number; 0 where there is none."""
        return self.task_priority if isinstance(self.task_priority, int) else 0

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Give these options with others in their place.

        Raises:
            DefinitionError: There is no such option, or it makes no sense.
        """
        made = replace(self, **_normal(given))
        if made.once and made.retry != NO_RETRY:
            refuse("once=True and retry exclude each other: a second attempt begins the call twice")
        if not made.persist and made.once:
            refuse(
                "persist=False and once=True exclude each other: what is in memory only has to be "
                "computed again when its run is resumed, and once=True forbids that"
            )
        if not made.persist and made.cache:
            refuse(
                "persist=False and cache=True exclude each other: the cache is there to keep "
                "results, and these are not to be kept"
            )
        return made


_DERIVED: Final = {"special", "timed", "limit"}
NAMES: Final = (
    *(name for name in Options.__dataclass_fields__ if name not in _DERIVED),
    "start_to_close_timeout",
)
"""The options that people can give, besides ``name``."""


def refuse(reason: str) -> NoReturn:
    """Raise DefinitionError."""
    raise DefinitionError(reason)


def _normal(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give options as `Options` keeps them.

    Raises:
        DefinitionError: One is unknown, or has a value that makes no sense.
    """
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        refuse(_unknown(unknown))
    found = dict(given)
    if "start_to_close_timeout" in found:
        other = found.pop("start_to_close_timeout")
        if found.get("timeout") is not None and _seconds("timeout", found["timeout"]) != _seconds(
            "start_to_close_timeout", other
        ):
            refuse("timeout and start_to_close_timeout are one option: give one of them")
        found["timeout"] = other
    if "retry" in found:
        found["retry"] = Retry.of(found["retry"])
    if "cache_key" in found:
        found["cache_key"] = CacheKey.of(found["cache_key"])
    return {name: _value(name, value) for name, value in found.items()}


def _value(name: str, value: Any) -> Any:
    """Check one option, and give it in its one form."""
    if name in _TIMES:
        return _seconds(name, value)
    if name in _FLAGS and type(value) is not bool:
        refuse(f"{name} is True or False, not {value!r:.60}")
    if name in _TEXTS and not (isinstance(value, str) and value.strip()):
        refuse(f"{name} is a text, not {value!r:.60}")
    if name == "task_priority" and not _is_priority(value):
        refuse(f"task_priority is a whole number, or None for none, not {value!r:.60}")
    if name == "max_running" and value is not None and (not _is_int(value) or value < 1):
        refuse(f"max_running is a whole number from 1, or None for any, not {value!r:.60}")
    if name == "meta":
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            refuse(f"meta is a dict with texts for keys, not {value!r:.60}")
        return dict(value)
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_priority(value: object) -> bool:
    return value is None or value is PRIORITY_NOT_SET or _is_int(value)


def _seconds(name: str, value: Any) -> float | None:
    """Read a number of seconds, also where it is a text, as it is with SWF."""
    if value is None:
        return None
    number: Any = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = 0
    fits = isinstance(number, int | float) and not isinstance(number, bool)
    if not (fits and number > 0 and math.isfinite(number)):
        refuse(f"{name} is a number of seconds above 0, not {value!r:.60}")
    return number  # type: ignore[no-any-return]


def _unknown(names: list[str]) -> str:
    known = ("name", *NAMES)
    close = difflib.get_close_matches(names[0], known, 1)
    hint = f". Did you mean {close[0]!r}?" if close else f": use {', '.join(known)}"
    return f"unknown option {', '.join(names)}{hint}"
