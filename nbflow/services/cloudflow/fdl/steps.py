"""The old language: ``type: flow``, steps one below the other, with mappings and goto.

Source: help.aliyun.com, documents 122492 to 122499.
"""

# ruff: noqa: RUF009 - `key` makes a dataclass field

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from nbflow.services.cloudflow.fdl.fields import (
    Part,
    anything,
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

MAX_BRANCHES: Final = 100
MAX_INTERVAL: Final = 86_400
PATTERNS: Final = ("requestResponse", "sync", "waitForCallback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping(Part):
    """Where a value goes, and the path or constant that it comes from."""

    target: str = key("target", text, needed=True)
    source: Any = key("source", anything, needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRetry(Part):
    """A rule on when a failed step is run again."""

    errors: tuple[str, ...] = key("errors", many(text), needed=True)
    interval: int | str | None = key("intervalSeconds", number(0, MAX_INTERVAL))
    max_attempts: int | str | None = key("maxAttempts", number(0))
    multiplier: float | str | None = key("multiplier", number(0, whole=False))
    max_interval: int | str | None = key("maxIntervalSeconds", number(0, MAX_INTERVAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCatch(Part):
    """A rule on where a flow goes on after an error."""

    errors: tuple[str, ...] = key("errors", many(text), needed=True)
    goto: str = key("goto", text, needed=True)


_MAPPINGS = many(reading(Mapping), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Part):
    """What all steps have."""

    type: str = key("type", text, needed=True)
    name: str = key("name", text, needed=True)
    end: bool | None = key("end", flag)
    inputs: tuple[Mapping, ...] | None = key("inputMappings", _MAPPINGS)
    outputs: tuple[Mapping, ...] | None = key("outputMappings", _MAPPINGS)
    retry: tuple[OldRetry, ...] | None = key("retry", many(reading(OldRetry), 0))
    catch: tuple[OldCatch, ...] | None = key("catch", many(reading(OldCatch), 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStep(Step):
    """Calls something outside the flow: a resource, or an action of a product."""

    resource: str | None = key("resourceArn", text)
    action: str | None = key("action", text)
    pattern: str | None = key("pattern", one_of(*PATTERNS))
    timeout: int | str | None = key("timeoutSeconds", number(0))
    parameters: dict[str, Any] | None = key("serviceParams", mapping)
    errors: tuple[Mapping, ...] | None = key("errorMappings", _MAPPINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassStep(Step):
    """Reshapes data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep(Step):
    """Waits for some seconds or until a time, at most two days."""

    duration: int | str | None = key("duration", anything)
    timestamp: str | None = key("timestamp", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedStep(Step):
    """Ends the scope that it stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailStep(Step):
    """Ends the whole flow with an error."""

    error: str | None = key("error", words)
    cause: str | None = key("cause", words)


def read_step(source: Source) -> Step:
    """Read a step of any type.

    Raises:
        FdlError: There is no such type, or the step lacks something or has a wrong value.
    """
    kind = mapping(source).get("type")
    if kind is None:
        raise source.fault("a step needs type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = ", ".join(_READERS)
        raise source.part("type").fault(f"there is no step type {kind!r:.80}; there are {known}")
    return reader(source)


_STEPS = many(read_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldWay(Part):
    """A way out of a choice: steps of its own, then perhaps a goto to one beside the choice."""

    condition: str = key("condition", text, needed=True)
    steps: tuple[Step, ...] | None = key("steps", _STEPS)
    goto: str | None = key("goto", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDefault(Part):
    """The way out of a choice whose conditions do not hold."""

    steps: tuple[Step, ...] | None = key("steps", _STEPS)
    goto: str | None = key("goto", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceStep(Step):
    """Takes the first way whose condition holds, else `default`, else goes on."""

    choices: tuple[OldWay, ...] = key("choices", many(reading(OldWay)), needed=True)
    default: OldDefault | None = key("default", reading(OldDefault))


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Part):
    """Steps of a parallel step."""

    steps: tuple[Step, ...] = key("steps", _STEPS, needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelStep(Step):
    """Runs branches at the same time."""

    branches: tuple[Branch, ...] = key(
        "branches", many(reading(Branch), 1, MAX_BRANCHES), needed=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration(Part):
    """What a foreach step goes through, and what its steps find an item and its index under."""

    collection: str = key("collection", text, needed=True)
    item: str = key("item", text, needed=True)
    index: str | None = key("index", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeachStep(Step):
    """Runs the same steps for each item of an array."""

    iteration: Iteration = key("iterationMapping", reading(Iteration), needed=True)
    steps: tuple[Step, ...] = key("steps", _STEPS, needed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFlow(Part):
    """A flow of the old language."""

    type: str = key("type", one_of("flow"), needed=True)
    version: str = key("version", one_of("v1", "v1beta1"), needed=True)
    steps: tuple[Step, ...] = key("steps", _STEPS, needed=True)
    name: str | None = key("name", text)
    inputs: tuple[Mapping, ...] | None = key("inputMappings", _MAPPINGS)
    outputs: tuple[Mapping, ...] | None = key("outputMappings", _MAPPINGS)
    timeout: int | str | None = key("timeoutSeconds", number(0))


_READERS: Final = {
    "task": reading(TaskStep),
    "pass": reading(PassStep),
    "wait": reading(WaitStep),
    "choice": reading(ChoiceStep),
    "parallel": reading(ParallelStep),
    "foreach": reading(ForeachStep),
    "succeed": reading(SucceedStep),
    "fail": reading(FailStep),
}
