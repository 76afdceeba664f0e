"""The new language: ``Type: StateMachine``, a list of states that name what comes next.

Source: help.aliyun.com, documents 2412487 (flow), 2412568 (Choice), 2412619 (Parallel), 2500862
(errors), 2851868 and 2851869 (Map); the other states in the pages named after them.
"""

# ruff: noqa: RUF009 - `key` makes a dataclass field

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from nbflow.services.cloudflow.fdl.fields import (
    Part,
    flag,
    key,
    many,
    mapping,
    number,
    one_of,
    reading,
    text,
    words,
)
from nbflow.services.cloudflow.fdl.source import Source

MAX_BRANCHES: Final = 50
MAX_CONCURRENCY: Final = 40
MAX_WAIT: Final = 300
MAX_TIMEOUT: Final = 604_800
MAX_INTERVAL: Final = 86_400
MODES: Final = ("RequestComplete", "WaitForSystemCallback", "WaitForCustomCallback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Part):
    """A rule on when a failed state is run again; `max_attempts` counts the further ones."""

    errors: tuple[str, ...] = key("Errors", many(text), needed=True)
    max_attempts: int | str = key("MaxAttempts", number(0), needed=True)
    description: str | None = key("Description", words)
    interval: int | str | None = key("IntervalSeconds", number(0, MAX_INTERVAL))
    backoff: float | str | None = key("BackoffRate", number(0, whole=False))
    max_interval: int | str | None = key("MaxBackoffSeconds", number(0, MAX_INTERVAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch(Part):
    """A rule on where a flow goes on after an error."""

    errors: tuple[str, ...] = key("Errors", many(text), needed=True)
    next: str = key("Next", text, needed=True)
    description: str | None = key("Description", words)
    output: dict[str, Any] | None = key("OutputConstructor", mapping)


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Part):
    """What all states have."""

    name: str = key("Name", text, needed=True)
    type: str = key("Type", text, needed=True)
    description: str | None = key("Description", words)
    input: dict[str, Any] | None = key("InputConstructor", mapping)
    output: dict[str, Any] | None = key("OutputConstructor", mapping)
    globals: dict[str, Any] | None = key("GlobalConstructor", mapping)
    next: str | None = key("Next", text)
    end: bool | None = key("End", flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled(State):
    """What states have whose errors can be handled."""

    retry: tuple[Retry, ...] | None = key("Retry", many(reading(Retry), 0))
    catch: tuple[Catch, ...] | None = key("Catch", many(reading(Catch), 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Handled):
    """Calls something outside the flow."""

    action: str = key("Action", text, needed=True)
    mode: str | None = key("TaskMode", one_of(*MODES))
    parameters: dict[str, Any] | None = key("Parameters", mapping)
    timeout: int | str | None = key("Timeout", number(0, MAX_TIMEOUT))
    timeout_from: str | None = key("Timeout.$", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    """Reshapes data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """Waits for some seconds: 1 to 300, in an express flow 1 to 20."""

    seconds: int | str | None = key("Seconds", number(1, MAX_WAIT))
    seconds_from: str | None = key("Seconds.$", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way(Part):
    """A way out of a Choice."""

    condition: str = key("Condition", text, needed=True)
    next: str = key("Next", text, needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """Goes on at the first branch whose condition holds, else at `default`."""

    branches: tuple[Way, ...] = key("Branches", many(reading(Way)), needed=True)
    default: str = key("Default", text, needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    """Ends the scope that it stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    """Ends the whole flow with an error."""

    code: str | None = key("Code", words)
    detail: str | None = key("Detail", words)


def read_state(source: Source) -> State:
    """Read a state of any type.

    Raises:
        FdlError: There is no such type, or the state lacks something or has a wrong value.
    """
    kind = mapping(source).get("Type")
    if kind is None:
        raise source.fault("a state needs Type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = ", ".join(_READERS)
        raise source.part("Type").fault(f"there is no state type {kind!r:.80}; there are {known}")
    return reader(source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope(Part):
    """States that run one after the other, from `start`: a branch, or what a Map does."""

    start: str = key("StartAt", text, needed=True)
    states: tuple[State, ...] = key("States", many(read_state), needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Handled):
    """Runs branches at the same time; its output has them as ``Branch0``, ``Branch1`` ..."""

    branches: tuple[Scope, ...] = key(
        "Branches", many(reading(Scope), 1, MAX_BRANCHES), needed=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(Handled):
    """Runs the same states for each item, inline or each as an execution of its own."""

    processor: Scope = key("Processor", reading(Scope), needed=True)
    items: str | None = key("ItemsPath", text)
    concurrency: int | str | None = key("MaxConcurrency", number(1))
    concurrency_misspelt: int | str | None = key("MaxConcuccency", number(1))
    reader: dict[str, Any] | None = key("ItemReader", mapping)
    batcher: dict[str, Any] | None = key("ItemBatcher", mapping)
    item: dict[str, Any] | None = key("ItemConstructor", mapping)
    writer: dict[str, Any] | None = key("ResultWriter", mapping)
    max_items: int | str | None = key("MaxItems", number(1))
    tolerated: int | str | None = key("ToleratedFailedCount", number(0))
    tolerated_percentage: float | str | None = key(
        "ToleratedFailedPercentage", number(0, 100, whole=False)
    )

    @property
    def distributed(self) -> bool:
        """Whether each item gets an execution of its own, as far as the known keys tell."""
        given = (self.reader, self.batcher, self.item, self.writer, self.max_items)
        return any(value is not None for value in given) or bool(self.processor.extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine(Scope):
    """A flow of the new language."""

    type: str = key("Type", one_of("StateMachine"), needed=True)
    version: str = key("SpecVersion", one_of("v1"), needed=True)
    name: str = key("Name", text, needed=True)
    description: str | None = key("Description", words)
    timeout: int | str | None = key("Timeout", number(0))


_READERS: Final = {
    cls.__name__: reading(cls) for cls in (Task, Pass, Wait, Choice, Parallel, Map, Succeed, Fail)
}
