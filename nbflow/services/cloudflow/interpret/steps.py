"""What the steps of the old language do.

Source: help.aliyun.com, documents 122492 to 122499.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any, Final

from nbflow.services.cloudflow.errors import EvaluationError
from nbflow.services.cloudflow.fdl import steps
from nbflow.services.cloudflow.fdl.evaluate import Scope, evaluate, holds, is_path, mapped
from nbflow.services.cloudflow.interpret.api import (
    CUSTOM,
    REQUEST,
    SYSTEM,
    Event,
    ExecutionInfo,
    Record,
    RunTask,
    StartFlow,
    StartTimer,
)
from nbflow.services.cloudflow.interpret.strands import Call, Code, Ended, FlowError, Together

_ALL: Final = "FnF.ALL"
_MODES: Final = {"requestResponse": REQUEST, "sync": SYSTEM, "waitForCallback": CUSTOM}
_LONGEST: Final = 2 * 86_400
_MOST: Final = 100
_TRIES, _INTERVAL, _MULTIPLIER = 3, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a step: the execution, the event above, and its parent's data."""

    info: ExecutionInfo
    parent: int
    input: dict[str, Any]
    local: dict[str, Any]


def old_flow_code(flow: steps.OldFlow, info: ExecutionInfo) -> Code:
    """Give the code of a flow."""
    given = _object(info.input)
    above = {"$input": given, "$local": {}, "$context": _context(info, 1, "")}
    data = given if flow.inputs is None else _mapped(flow.inputs, Scope(above))
    local = yield from _scope(flow.steps, Around(info, 1, data, {}))
    if flow.outputs is None:
        return local
    return _mapped(flow.outputs, Scope({**above, "$input": data, "$local": local}))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _context(info: ExecutionInfo, event: int, token: str) -> dict[str, Any]:
    return {
        "task": {"token": token},
        "execution": {"name": info.name},
        "flow": {"name": info.flow},
        "step": {"eventId": event},
    }


def _mapped(mappings: Iterable[steps.Mapping], scope: Scope) -> dict[str, Any]:
    return _evaluated(lambda: mapped([(m.target, m.source) for m in mappings], scope))  # type: ignore[no-any-return]


def _evaluated(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except EvaluationError as error:
        raise FlowError(error.code, str(error)) from error


def _scope(row: tuple[steps.Step, ...], around: Around) -> Code:
    """Run steps one after the other; gives what they gave together."""
    places = {step.name: index for index, step in enumerate(row)}
    index = 0
    while index < len(row):
        step = row[index]
        output, goto = yield from _step(step, around)
        around.local.update(output)
        if goto:
            index = places[goto]
        elif step.end or isinstance(step, steps.SucceedStep):
            break
        else:
            index += 1
    return around.local


class _Here:
    """A step that runs: its input, and what its mappings read."""

    def __init__(self, step: steps.Step, entered: Event, around: Around) -> None:
        self.step, self.entered, self.around = step, entered, around
        self.retries = 0
        self.input: dict[str, Any] = {**around.input, **around.local}

    def take_in(self) -> None:
        """Apply the step's own mappings of its input; they read what is around it."""
        if self.step.inputs is not None:
            around = self.around
            above = {"$input": around.input, "$local": around.local, "$": self.input}
            scope = Scope({**above, "$context": self.context}, self.chance)
            self.input = _mapped(self.step.inputs, scope)

    @property
    def token(self) -> str:
        """What stands for the token of a call, until it is known."""
        return f"nbflow-token-{self.entered.id}-{self.retries}"

    @property
    def context(self) -> dict[str, Any]:
        return _context(self.around.info, self.entered.id, self.token)

    @property
    def chance(self) -> Random:
        """Chance that follows from the log: a replay draws the same."""
        info = self.around.info
        text = f"{info.flow}/{info.name}/{info.started}/{self.entered.id}/{self.retries}"
        return Random(hashlib.sha256(text.encode()).digest())

    def scope(self, local: Any) -> Scope:
        seen = {"$": self.input, "$input": self.input, "$local": local}
        return Scope({**seen, "$context": self.context}, self.chance)

    def value(self, source: Any) -> Any:
        if isinstance(source, str) and source.startswith("$") and is_path(source):
            return _evaluated(lambda: evaluate(source, self.scope({})))
        if isinstance(source, str) and (source == "$" or source.startswith("$.")):
            return _evaluated(lambda: evaluate(source, self.scope({})))
        return source

    def record(self, kind: str, detail: dict[str, Any]) -> Record:
        return Record(type=kind, step=self.step.name, schedule=self.entered.id, detail=detail)


def _step(step: steps.Step, around: Around) -> Code:
    """Run a step; gives its output, and the name of the step to go to or None."""
    detail = {"input": around.input, "local": around.local.copy()}
    entered = yield Record(
        type="StepEntered", step=step.name, schedule=around.parent, detail=detail
    )
    here = _Here(step, entered, around)
    try:
        here.take_in()
        output, goto = yield from _worked(step, here)
    except FlowError as error:
        failed = {"error": error.code, "cause": error.detail}
        said = {"step": step.name, "schedule": entered.id, "detail": failed}
        yield Record(type="StepFailed", **said)
        rule = next((r for r in step.catch or () if _fits(r.errors, error)), None)
        if rule is None:
            raise
        output, goto = _told(step, here, failed), rule.goto
    yield Record(type="StepExited", step=step.name, schedule=entered.id, detail={"output": output})
    return output, goto


def _told(step: steps.Step, here: _Here, failed: dict[str, Any]) -> dict[str, Any]:
    mappings = getattr(step, "errors", None)
    return _mapped(mappings, here.scope(failed)) if mappings else {}


def _fits(names: tuple[str, ...], error: FlowError) -> bool:
    return _ALL in names or error.code in names


def _worked(step: steps.Step, here: _Here) -> Code:
    while True:
        try:
            local, goto = yield from _raw(step, here)
            return _output(step, here, local), goto
        except FlowError as error:
            rule = next((r for r in step.retry or () if _fits(r.errors, error)), None)
            most = _TRIES if rule is None or rule.max_attempts is None else int(rule.max_attempts)
            if rule is None or here.retries >= most:
                raise
            here.retries += 1
            failed = {"error": error.code, "cause": error.detail}
        yield from _pause(rule, here, failed)


def _output(step: steps.Step, here: _Here, local: Any) -> dict[str, Any]:
    if step.outputs is not None:
        return _mapped(step.outputs, here.scope(local))
    # An array of what branches gave has no names: it leaves by mappings only.
    return local if isinstance(local, dict) else {}


def _pause(rule: steps.OldRetry, here: _Here, failed: dict[str, Any]) -> Code:
    interval = _INTERVAL if rule.interval is None else float(rule.interval)
    multiplier = _MULTIPLIER if rule.multiplier is None else float(rule.multiplier)
    wait = interval * multiplier ** (here.retries - 1)
    if rule.max_interval is not None:
        wait = min(wait, float(rule.max_interval))
    said = {**failed, "retry": here.retries, "seconds": wait}
    event = yield here.record("StepFailed", said)
    then = here.record("StepStarted", {"retry": here.retries})
    yield StartTimer(due=event.time + wait, then=then)


def _raw(step: steps.Step, here: _Here) -> Code:
    """Do what a step is for; gives its local data, and the step to go to or None."""
    if isinstance(step, steps.TaskStep):
        return (yield from _task(step, here)), None
    if isinstance(step, steps.WaitStep):
        yield from _wait(step, here)
    elif isinstance(step, steps.ChoiceStep):
        return (yield from _choice(step, here))
    elif isinstance(step, steps.ParallelStep):
        return (yield from _parallel(step, here)), None
    elif isinstance(step, steps.ForeachStep):
        return (yield from _foreach(step, here)), None
    elif isinstance(step, steps.FailStep):
        raise Ended(str(here.value(step.error) or "FnF.Fail"), str(here.value(step.cause) or ""))
    return {}, None


def _wait(step: steps.WaitStep, here: _Here) -> Code:
    begun = here.entered.time
    try:
        if step.timestamp is not None:
            due = datetime.fromisoformat(str(here.value(step.timestamp))).timestamp()
        else:
            due = begun + float(here.value(step.duration))
    except (TypeError, ValueError) as error:
        raise FlowError("FnF.RuntimeError", f"{step.name} waits for no time: {error}") from error
    if due - begun > _LONGEST:
        raise FlowError("FnF.RuntimeError", f"{step.name} waits for more than two days")
    yield StartTimer(due=max(due, begun), then=here.record("StepSucceeded", {}))


def _inside(
    row: tuple[steps.Step, ...], here: _Here, parent: int, more: dict[str, Any] | None = None
) -> Code:
    around = replace(here.around, parent=parent, input={**here.input, **(more or {})}, local={})
    return (yield from _scope(row, around))


def _choice(step: steps.ChoiceStep, here: _Here) -> Code:
    ways: list[steps.OldWay | steps.OldDefault] = []
    for way in step.choices:
        if _holds(way.condition, here):
            ways.append(way)
            break
    else:
        ways += [step.default] if step.default else []
    if not ways:
        return {}, None
    local = {}
    if ways[0].steps:
        local = yield from _inside(ways[0].steps, here, here.entered.id)
    return local, ways[0].goto


def _holds(condition: str, here: _Here) -> bool:
    return bool(_evaluated(lambda: holds(condition, here.scope({}))))


def _branch(
    row: tuple[steps.Step, ...], here: _Here, kind: str, index: int, more: dict[str, Any]
) -> Code:
    begun = yield here.record(f"{kind}Entered", {"index": index})
    local = yield from _inside(row, here, begun.id, more)
    yield here.record(f"{kind}Exited", {"index": index, "output": local})
    return local


def _parallel(step: steps.ParallelStep, here: _Here) -> Code:
    parts = [_branch(b.steps, here, "Branch", i, {}) for i, b in enumerate(step.branches)]
    return (yield Together(parts))


def _foreach(step: steps.ForeachStep, here: _Here) -> Code:
    names = step.iteration
    items = here.value(names.collection)
    if not isinstance(items, list):
        raise FlowError("FnF.RuntimeError", f"{names.collection} of {step.name} is no array")
    parts = []
    for index, item in enumerate(items):
        more = {names.item: item, **({names.index: index} if names.index else {})}
        parts.append(_branch(step.steps, here, "Iteration", index, more))
    return (yield Together(parts, _MOST))


def _task(step: steps.TaskStep, here: _Here) -> Code:
    payload: Any = here.input
    if step.parameters is not None:
        payload = {name: here.value(source) for name, source in step.parameters.items()}
    try:
        timeout = float(step.timeout or 0)
    except ValueError as error:
        raise FlowError("FnF.RuntimeError", f"timeoutSeconds of {step.name}: {error}") from error
    outcome = yield Call(_command(step, payload, here), timeout or None)
    if outcome.type == "TaskSucceeded":
        return _local(step, outcome.detail.get("output"))
    if outcome.type == "TaskTimedOut":
        raise FlowError("FnF.TaskTimeout", "the task took longer than it may")
    said = outcome.detail
    raise FlowError(str(said.get("error") or "FnF.RuntimeError"), str(said.get("cause") or ""))


def _local(step: steps.TaskStep, output: Any) -> dict[str, Any]:
    if output is None:
        return {}
    if not isinstance(output, dict):
        raise FlowError("FnF.InvalidLocal", f"{step.name} gave no JSON object")
    return output


def _command(step: steps.TaskStep, payload: Any, here: _Here) -> RunTask | StartFlow:
    mode = _MODES[step.pattern or "requestResponse"]
    resource = step.resource or ""
    action = step.action or ""
    common: dict[str, Any] = {
        "step": step.name,
        "schedule": here.entered.id,
        "mode": mode,
        "token": here.token if mode == CUSTOM else "",
        "detail": {"resource": resource or action, "input": payload},
    }
    given = payload if isinstance(payload, dict) else {}
    if resource.startswith("acs:fnf:") or action.lower() == "fnf:startexecution":
        return StartFlow(
            flow=str(given.get("FlowName") or resource.rpartition("/")[2]),
            execution=str(given.get("ExecutionName") or ""),
            input=given.get("Input", given),
            qualifier="",
            **common,
        )
    return RunTask(action=action, resource=resource, payload=payload, **common)
