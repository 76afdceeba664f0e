"""A workflow as flows of the new language: parts beside each other and after each other.

Each state writes its result as a value of ``$Global``, from where any later state reads it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from nbflow.core.capture import from_notebook
from nbflow.core.errors import DefinitionError
from nbflow.core.retry import Retry
from nbflow.core.workflow import Target
from nbflow.services.cloudflow.export.order import Beside, Series, Tree, calls_of, guesses, ordered
from nbflow.services.cloudflow.export.trace import Traced, trace
from nbflow.services.cloudflow.export.values import argument, named, references, template
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.fdl.states import MAX_BRANCHES, MAX_INTERVAL, MAX_TIMEOUT

MOST_CALLS: Final = 600
"""Calls of an execution: with about eight events a call, more would pass its 5,000."""
_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST: Final = 100

State = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How a workflow is written as flows.

    Attributes:
        function: The function of Function Compute that runs activities: its resource name.
        queue: A queue of MNS to send calls to instead, as callback tasks; "" for none.
        flows: What the names of sub-flows' resources begin with.
        name: The flow's name; "" for the workflow's.
        most_calls: Calls of one execution; more are put into sub-flows.
        seconds: How long calls take, by their ids or by activities, as far as that is known: calls
            are put after each other so that little time is lost.

    Raises:
        ValueError: Fewer than two calls are allowed, or times are no numbers of seconds.
    """

    function: str = "acs:fc:cn-hangzhou:1:functions/nbflow/LATEST"
    queue: str = ""
    flows: str = "acs:fnf:cn-hangzhou::flow/"
    name: str = ""
    most_calls: int = MOST_CALLS
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.most_calls < 2:  # noqa: PLR2004 - a flow of one call would hold itself
            raise ValueError(f"most_calls is at least 2, not {self.most_calls}")
        for name, value in self.seconds.items():
            number: Any = value
            if not isinstance(number, int | float) or not 0 <= number < math.inf:
                raise ValueError(f"seconds of {name} is {value!r:.40}, and is a number from 0 on")


@dataclass(frozen=True, slots=True)
class Exported:
    """A workflow as flows.

    Attributes:
        definition: The flow to start.
        flows: The flows that it starts, by name; create them first.
    """

    definition: FlowDefinition
    flows: dict[str, FlowDefinition] = field(default_factory=dict)

    def save(self, directory: str | Path) -> list[Path]:
        """Write each flow to a file of its name; give the files, the flow to start last.

        Args:
            directory: Where to; it is made.
        """
        where = Path(directory)
        where.mkdir(parents=True, exist_ok=True)
        written = []
        for name, definition in [*self.flows.items(), (self.definition.name, self.definition)]:
            written.append(where / f"{name}.yaml")
            written[-1].write_text(definition.to_yaml(), "utf-8")
        return written

    def __str__(self) -> str:
        """Give the text of the flow to start."""
        return self.definition.to_yaml()


def to_fdl(target: Target, /, *args: Any, export: Export | None = None, **kwargs: Any) -> Exported:
    """Write a workflow as a flow of CloudFlow.

    The workflow's own code is run, and nothing else. Its calls become states that run beside each
    other where they can; the output of the flow is ``{"result": ...}``.

    Args:
        target: The workflow.
        args: Its positional arguments, plain data.
        export: How it is written.
        kwargs: Its keyword arguments, plain data.

    Raises:
        TypeError: The arguments do not fit its signature.
        DefinitionError: It is no fixed graph of activities in modules, with plain data.

    Example:
        >>> nbflow.to_fdl(revenue, ["eu", "us"]).save("flows")
    """
    name, calls, result = trace(target, args, kwargs)
    return _Writer(export or Export(), name, calls).written(result)


class _Writer:
    """Writes the states of a workflow's calls."""

    def __init__(self, export: Export, workflow: str, calls: list[Traced]) -> None:
        self.export, self.calls = export, calls
        self.name = _NAME.sub("_", export.name or workflow)[:_LONGEST]
        if not self.name[:1].isalpha():
            self.name = f"_{self.name}"
        self.keys = {call.id: f"c{n}_{_clean(call.id)}" for n, call in enumerate(calls)}
        self.numbers = {call.id: n for n, call in enumerate(calls)}
        self.flows: dict[str, FlowDefinition] = {}
        self._count = 0

    def written(self, result: Any) -> Exported:
        """Write all flows."""
        asked = template(result, self.keys, "what the workflow gives")
        last: State = {"Type": "Pass", "Name": "result", "OutputConstructor": named(asked)}
        states: list[list[State]] = []
        if self.calls:
            needs = [[self.numbers[n] for n in call.needs] for call in self.calls]
            tree = ordered(needs, self._draws())
            shown = set(references(result))
            states = self._row(self._fitted(tree, {self.numbers[c] for c in shown}))
        return Exported(self._flow(self.name, [*states, [last]]), self.flows)

    def _draws(self) -> list[list[float]]:
        """Give how long calls may take: what is known, and guesses of the same size for the rest.

        Raises:
            DefinitionError: Times are given of none of the calls.
        """
        known = self.export.seconds
        given = [known.get(c.id, known.get(c.activity.name)) for c in self.calls]
        times = [value for value in given if value is not None]
        if known and not times:
            called = ", ".join(dict.fromkeys(call.activity.name for call in self.calls))
            raise DefinitionError(
                f"seconds has times of {', '.join(known)}, and {self.name} has no such call or "
                f"activity: it calls {called}"
            )
        if len(times) == len(given):
            return [times]
        size = (fmean(times) if times else 1.0) or 1.0
        return [
            [
                size * guess if value is None else value
                for value, guess in zip(given, drawn, strict=True)
            ]
            for drawn in guesses(len(given))
        ]

    def _flow(self, name: str, rows: list[list[State]]) -> FlowDefinition:
        head = {"Type": "StateMachine", "SpecVersion": "v1", "Name": name}
        return FlowDefinition.of({**head, **_linked(rows)})

    # Sub-flows

    def _fitted(self, tree: Tree, shown: set[int]) -> Tree | _Sub:
        """Put parts of a tree into flows of their own until few enough calls are left."""
        if isinstance(tree, int) or _size(tree) <= self.export.most_calls:
            return tree
        # States that start flows count as calls, so parts are put together until few are left.
        parts: list[Any] = [p if isinstance(p, int) else self._fitted(p, shown) for p in tree.parts]
        while sum(map(_size, parts)) > self.export.most_calls:
            bundles = _bundled(parts, self.export.most_calls)
            parts = [
                self._sub(type(tree)(tuple(b)), shown) if _size_of(b) > 1 else b[0] for b in bundles
            ]
        return type(tree)(tuple(parts)) if len(parts) > 1 else parts[0]

    def _sub(self, tree: Any, shown: set[int]) -> _Sub:
        """Write a part as a flow of its own."""
        inside = set(_calls(tree))
        taken = {self.numbers[n] for c in inside for n in self.calls[c].needs} - inside
        used = {
            self.numbers[n]
            for c, call in enumerate(self.calls)
            if c not in inside
            for n in call.needs
        }
        given = inside & (used | shown)
        self._count += 1
        name = f"{self.name}_{self._count}"
        keys = [self.keys[call.id] for call in self.calls]
        first = {
            "Type": "Pass",
            "Name": "values",
            "OutputConstructor": {},
            "GlobalConstructor": {f"{keys[n]}.$": f"$Input.{keys[n]}" for n in sorted(taken)},
        }
        outputs = {f"{keys[n]}.$": f"$Global.{keys[n]}" for n in sorted(given)}
        last = {"Type": "Pass", "Name": "result", "OutputConstructor": outputs}
        self.flows[name] = self._flow(name, [[first], *self._row(tree), [last]])
        return _Sub(name, tuple(sorted(inside)), tuple(sorted(taken)), tuple(sorted(given)))

    # States

    def _row(self, tree: Any) -> list[list[State]]:
        """Give what runs one after the other: each the states of a call, or one Parallel."""
        if isinstance(tree, Series):
            return [states for part in tree.parts for states in self._row(part)]
        if isinstance(tree, Beside):
            return [[self._beside([self._row(part) for part in tree.parts])]]
        if isinstance(tree, _Sub):
            return [[self._started(tree)]]
        return [self._task(self.calls[tree])]

    def _beside(self, branches: list[list[list[State]]]) -> State:
        """Put branches beside each other, in groups where there are more than a state may have."""
        while len(branches) > MAX_BRANCHES:
            groups = [branches[n : n + MAX_BRANCHES] for n in range(0, len(branches), MAX_BRANCHES)]
            branches = [[[self._beside(group)]] if len(group) > 1 else group[0] for group in groups]
        self._count += 1
        return {
            "Type": "Parallel",
            "Name": f"beside_{self._count}",
            "Branches": [_linked(branch) for branch in branches],
            "OutputConstructor": {},
        }

    def _started(self, sub: _Sub) -> State:
        keys = [self.keys[call.id] for call in self.calls]
        return {
            "Type": "Task",
            "Name": sub.name,
            "Action": "FNF:StartExecution",
            "TaskMode": "WaitForSystemCallback",
            "Parameters": {
                "resourceArn": f"{self.export.flows}{sub.name}",
                "input": {f"{keys[n]}.$": f"$Global.{keys[n]}" for n in sub.taken},
            },
            "OutputConstructor": {},
            "GlobalConstructor": {f"{keys[n]}.$": f"$Output.{keys[n]}" for n in sub.given},
        }

    def _task(self, call: Traced) -> list[State]:
        key = self.keys[call.id]
        body = {
            "activity": _importable(call),
            "args": [argument(value, self.keys, call.id) for value in call.args],
            "kwargs": {n: argument(v, self.keys, call.id) for n, v in call.kwargs.items()},
        }
        state: State = {"Type": "Task", "Name": key, **self._called(body)}
        limit = _seconds(call)
        if limit:
            state["Timeout"] = limit
        rule = _retry(call)
        if rule:
            state["Retry"] = [rule]
        source = "$Output.value" if self.export.queue else "$Output.Body.value"
        state |= {"OutputConstructor": {}, "GlobalConstructor": {f"{key}.$": source}}
        if call.activity.settings.raises_on_failure:
            return [state]
        state["Catch"] = [
            {"Description": "no result", "Errors": ["FnF.ALL"], "Next": f"{key}_none"}
        ]
        constants = {"OutputConstructor": {}, "GlobalConstructor": {key: None}}
        return [state, {"Type": "Pass", "Name": f"{key}_none", **constants}]

    def _called(self, body: dict[str, Any]) -> State:
        if not self.export.queue:
            where = {"resourceArn": self.export.function, "invocationType": "Sync"}
            return {"Action": "FC:InvokeFunction", "Parameters": {**where, "body": body}}
        message = {"taskToken.$": "$Context.Current.TaskToken", **body}
        return {
            "Action": "MNS:SendMessage",
            "TaskMode": "WaitForCustomCallback",
            "Parameters": {"resourceArn": self.export.queue, "message": message},
        }


@dataclass(frozen=True, slots=True)
class _Sub:
    """A part of a workflow that is a flow of its own."""

    name: str
    inside: tuple[int, ...]
    taken: tuple[int, ...]
    given: tuple[int, ...]


def _size(part: Any) -> int:
    """Count the states that call something."""
    if isinstance(part, int | _Sub):
        return 1
    return sum(map(_size, part.parts))


def _size_of(parts: Iterable[Any]) -> int:
    return sum(map(_size, parts))


def _calls(part: Any) -> list[int]:
    if isinstance(part, _Sub):
        return list(part.inside)
    if isinstance(part, int):
        return list(calls_of(part))
    return [call for inner in part.parts for call in _calls(inner)]


def _bundled(parts: list[Any], most: int) -> list[list[Any]]:
    """Put neighbours together, as many as fit."""
    bundles: list[list[Any]] = [[]]
    for part in parts:
        if bundles[-1] and _size_of(bundles[-1]) + _size(part) > most:
            bundles.append([])
        bundles[-1].append(part)
    return bundles


def _linked(rows: list[list[State]]) -> dict[str, Any]:
    """Have each part go on with the next, and the last one end."""
    states: list[State] = []
    for number, row in enumerate(rows):
        more = number + 1 < len(rows)
        way = {"Next": rows[number + 1][0]["Name"]} if more else {"End": True}
        states += [{**state, **way} for state in row]
    return {"StartAt": rows[0][0]["Name"], "States": states}


def _clean(text: str) -> str:
    return _NAME.sub("_", text).replace("-", "_")[:_LONGEST]


def _importable(call: Traced) -> str:
    fn: Any = call.activity.fn
    known = getattr(fn, "__qualname__", "")
    if not known or "<" in known or from_notebook(fn):
        raise DefinitionError(
            f"{call.id} runs {call.activity.name}, which is in no module: a function in the cloud "
            "imports its activities, so move it to a module"
        )
    return f"{fn.__module__}:{known}"


def _retry(call: Traced) -> State | None:
    policy: Retry = call.activity.settings.retry
    if policy.when is not None:
        raise DefinitionError(f"{call.activity.name} decides on retries by a function of its own")
    if policy.attempts <= 1:
        return None
    names = [kind.__name__ for kind in policy.on]
    catches_all = any(issubclass(Exception, kind) for kind in policy.on)
    return {
        "Description": f"up to {policy.attempts} attempts",
        "Errors": ["FnF.ALL"] if catches_all else names,
        "MaxAttempts": policy.attempts - 1,
        "IntervalSeconds": min(math.ceil(policy.wait), MAX_INTERVAL),
        "BackoffRate": policy.factor,
        "MaxBackoffSeconds": min(math.ceil(policy.cap), MAX_INTERVAL),
    }


def _seconds(call: Traced) -> int:
    settings = call.activity.settings
    whole = settings.schedule_to_close_timeout
    if whole is not None or settings.heartbeat_timeout or settings.schedule_to_start_timeout:
        raise DefinitionError(
            f"{call.activity.name} has a time limit that a flow cannot have: only timeout is one"
        )
    seconds = math.ceil(settings.timeout or 0)
    if seconds > MAX_TIMEOUT:
        raise DefinitionError(f"timeout of {call.activity.name} is over {MAX_TIMEOUT:,} seconds")
    return seconds
