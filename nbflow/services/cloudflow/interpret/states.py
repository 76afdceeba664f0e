"""What the states of the new language do.

Source: the pages that nbflow.services.cloudflow.fdl.states names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from nbflow.services.cloudflow.errors import EvaluationError
from nbflow.services.cloudflow.fdl import states
from nbflow.services.cloudflow.fdl.evaluate import Scope, construct, evaluate, holds
from nbflow.services.cloudflow.fdl.fields import plain
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
_START: Final = "fnf:startexecution"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a state sees: the execution, its globals, and what it is about.

    Attributes:
        info: The execution.
        globals: ``$Global``, shared by all states.
        parent: The event that states of this scope follow from.
        item: ``$Item`` in a distributed Map.
    """

    info: ExecutionInfo
    globals: dict[str, Any]
    parent: int = 1
    item: Any = None


def flow_code(flow: states.StateMachine, info: ExecutionInfo) -> Code:
    """Give the code of a flow."""
    return (yield from _scope(flow, info.input, Frame(info, {})))


def _scope(scope: states.Scope, data: Any, frame: Frame) -> Code:
    by_name = {state.name: state for state in scope.states}
    name: str | None = scope.start
    while name is not None:
        data, name = yield from _state(by_name[name], data, frame)
    return data


class _Here:
    """A state that runs: what its expressions read."""

    def __init__(self, state: states.State, entered: Event, data: Any, frame: Frame) -> None:
        self.state, self.entered, self.frame = state, entered, frame
        self.input, self.retries = data, 0
        self.error: FlowError | None = None

    @property
    def token(self) -> str:
        """What stands for the token of a call, until it is known."""
        return f"nbflow-token-{self.entered.id}-{self.retries}"

    def scope(self, output: Any = None) -> Scope:
        info, error = self.frame.info, self.error
        current = {
            "Name": self.state.name,
            "Input": self.input,
            "RetryCount": self.retries,
            "TaskToken": self.token,
            **({"Output": output} if output is not None else {}),
            **({"Error": {"Code": error.code, "Detail": error.detail}} if error else {}),
        }
        execution = {"Name": info.name, "Input": info.input, "RoleArn": info.role}
        variables = {
            "$Context": {"Execution": execution, "Current": current},
            "$Input": self.input,
            "$Global": self.frame.globals,
            **({"$Output": output} if output is not None else {}),
            **({"$Item": self.frame.item} if self.frame.item is not None else {}),
        }
        return Scope(variables, self._chance())

    def _chance(self) -> Random:
        """Chance that follows from the log: a replay draws the same."""
        text = f"{self.frame.info.flow}/{self.frame.info.name}/{self.frame.info.started}"
        seed = f"{text}/{self.entered.id}/{self.retries}"
        return Random(hashlib.sha256(seed.encode()).digest())

    def built(self, template: Any, output: Any = None) -> Any:
        return _evaluated(lambda: construct(template, self.scope(output)))

    def record(self, kind: str, detail: Mapping[str, Any]) -> Record:
        return Record(
            type=kind, step=self.state.name, schedule=self.entered.id, detail=dict(detail)
        )


def _evaluated(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except EvaluationError as error:
        raise FlowError(error.code, str(error)) from error


def _state(state: states.State, data: Any, frame: Frame) -> Code:
    """Run a state; gives its output, and the name of the next state or None."""
    detail = {"input": data}
    entered = yield Record(
        type="StepEntered", step=state.name, schedule=frame.parent, detail=detail
    )
    here = _Here(state, entered, data, frame)
    if isinstance(state, states.Fail):
        raise Ended(state.code or "FnF.Fail", state.detail or "")
    try:
        output, after = yield from _worked(state, here)
    except FlowError as error:
        failed = {"error": error.code, "cause": error.detail}
        yield here.record("StepFailed", failed)
        caught = _caught(state, error)
        if caught is None:
            raise
        here.error = error
        output, after = data, caught.next
        if caught.output is not None:
            output = here.built(caught.output)
    yield here.record("StepExited", {"output": output})
    return output, after


def _worked(state: states.State, here: _Here) -> Code:
    if state.input is not None:
        here.input = here.built(state.input)
    while True:
        try:
            raw, after = yield from _raw(state, here)
            output = raw if state.output is None else here.built(state.output, raw)
            if state.globals is not None:
                here.frame.globals.update(here.built(state.globals, raw))
        except FlowError as error:
            rule = _retried(state, error, here.retries)
            if rule is None:
                raise
            here.error = error
            here.retries += 1
            yield from _pause(rule, here)
        else:
            return output, after


def _retried(state: states.State, error: FlowError, retries: int) -> states.Retry | None:
    rules = state.retry or () if isinstance(state, states.Handled) else ()
    rule = next((rule for rule in rules if _fits(rule.errors, error)), None)
    return rule if rule is not None and retries < int(rule.max_attempts) else None


def _caught(state: states.State, error: FlowError) -> states.Catch | None:
    rules = state.catch or () if isinstance(state, states.Handled) else ()
    return next((rule for rule in rules if _fits(rule.errors, error)), None)


def _fits(names: tuple[str, ...], error: FlowError) -> bool:
    return _ALL in names or error.code in names


def _pause(rule: states.Retry, here: _Here) -> Code:
    wait = float(rule.interval or 0) * float(rule.backoff or 1) ** (here.retries - 1)
    if rule.max_interval is not None:
        wait = min(wait, float(rule.max_interval))
    then = here.record("StepStarted", {"retry": here.retries})
    error = here.error
    said = {"error": error.code, "cause": error.detail} if error else {}
    failed = yield here.record("StepFailed", {**said, "retry": here.retries, "seconds": wait})
    yield StartTimer(due=failed.time + wait, then=then)


def _raw(state: states.State, here: _Here) -> Code:
    """Do what a state is for; gives its raw output, and the next state."""
    after = None if state.end else state.next
    if isinstance(state, states.Task):
        return (yield from _task(state, here)), after
    if isinstance(state, states.Wait):
        yield from _wait(state, here)
        return here.input, after
    if isinstance(state, states.Choice):
        return here.input, _chosen(state, here)
    if isinstance(state, states.Parallel):
        return (yield from _parallel(state, here)), after
    if isinstance(state, states.Map):
        return (yield from _map(state, here)), after
    return here.input, after


def _wait(state: states.Wait, here: _Here) -> Code:
    seconds: Any = state.seconds
    if state.seconds_from is not None:
        seconds = _evaluated(lambda: evaluate(state.seconds_from or "", here.scope()))
    wait = _number(seconds, "Seconds", states.MAX_WAIT)
    then = here.record("StepSucceeded", {})
    yield StartTimer(due=here.entered.time + wait, then=then)


def _number(value: Any, name: str, most: float) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found <= most:
        raise FlowError("FnF.RuntimeError", f"{name} is {value!r:.40}, and may be 0 to {most:g}")
    return found


def _chosen(state: states.Choice, here: _Here) -> str:
    for way in state.branches:
        if _holds(way.condition, here):
            return way.next
    return state.default


def _holds(condition: str, here: _Here) -> bool:
    return bool(_evaluated(lambda: holds(condition, here.scope())))


def _task(state: states.Task, here: _Here) -> Code:
    given = here.built(state.parameters or {})
    seconds: Any = state.timeout
    if state.timeout_from is not None:
        seconds = _evaluated(lambda: evaluate(state.timeout_from or "", here.scope()))
    timeout = _number(seconds or 0, "Timeout", states.MAX_TIMEOUT)
    mode = state.mode or REQUEST
    outcome = yield Call(_command(state.action, given, mode, here), timeout or None)
    return _result(outcome)


def _command(action: str, given: dict[str, Any], mode: str, here: _Here) -> RunTask | StartFlow:
    token = here.token if mode == CUSTOM else ""
    common: dict[str, Any] = {
        "step": here.state.name,
        "schedule": here.entered.id,
        "mode": mode,
        "token": token,
        "detail": {"action": action, "input": given},
    }
    resource = str(given.get("resourceArn") or "")
    if action.lower() == _START:
        return StartFlow(
            flow=resource.rpartition("/")[2],
            execution=str(given.get("executionName") or ""),
            input=_object(given.get("input")),
            qualifier=str(given.get("qualifier") or ""),
            **common,
        )
    return RunTask(action=action, resource=resource, payload=given, **common)


def _object(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _result(outcome: Event) -> Any:
    if outcome.type == "TaskSucceeded":
        return outcome.detail.get("output")
    if outcome.type == "TaskTimedOut":
        raise FlowError("FnF.TaskTimeout", "the task took longer than it may")
    detail = outcome.detail
    raise FlowError(str(detail.get("error") or "FnF.RuntimeError"), str(detail.get("cause") or ""))


def _branch(scope: states.Scope, here: _Here, index: int, data: Any, kind: str) -> Code:
    begun = yield here.record(f"{kind}Entered", {"index": index})
    output = yield from _scope(scope, data, replace(here.frame, parent=begun.id))
    yield here.record(f"{kind}Exited", {"index": index, "output": output})
    return output


def _parallel(state: states.Parallel, here: _Here) -> Code:
    parts = [
        _branch(scope, here, index, here.input, "Branch")
        for index, scope in enumerate(state.branches)
    ]
    outputs = yield Together(parts)
    return {f"Branch{index}": output for index, output in enumerate(outputs)}


def _items(state: states.Map, here: _Here) -> list[Any]:
    items = _evaluated(lambda: evaluate(state.items or "$Input", here.scope()))
    if not isinstance(items, list):
        raise FlowError("FnF.RuntimeError", f"ItemsPath of {state.name} leads to no array")
    return items[: int(state.max_items)] if state.max_items else items


def _map(state: states.Map, here: _Here) -> Code:
    unknown = {
        "ItemReader": state.reader,
        "ItemBatcher": state.batcher,
        "ResultWriter": state.writer,
    }
    for key, given in unknown.items():
        if given is not None:
            raise FlowError("FnF.ActionNotSupported", f"{key} of {state.name} is not carried out")
    items = _items(state, here)
    most = int(state.concurrency or state.concurrency_misspelt or 0)
    if state.distributed:
        return (yield from _distributed(state, here, items, most))
    most = min(most or states.MAX_CONCURRENCY, states.MAX_CONCURRENCY)
    parts = [
        _branch(state.processor, here, index, item, "Iteration") for index, item in enumerate(items)
    ]
    return {"Items": (yield Together(parts, most))}


def _distributed(state: states.Map, here: _Here, items: list[Any], most: int) -> Code:
    share = float(state.tolerated_percentage or 0) * len(items) / 100
    tolerated = max(int(state.tolerated or 0), int(share))
    said = {
        "total": len(items),
        "concurrency": most,
        "toleratedFailedCount": int(state.tolerated or 0),
        "toleratedFailedPercentage": float(state.tolerated_percentage or 0),
    }
    parts = [_item(state, here, index, item, said) for index, item in enumerate(items)]
    outputs = yield Together(parts, most, tolerated, state.name)
    return {"Items": [None if isinstance(o, FlowError) else o for o in outputs]}


def _item(state: states.Map, here: _Here, index: int, item: Any, said: dict[str, Any]) -> Code:
    """An item of a distributed Map: an execution of its own, that sees nothing of this one."""
    data = item
    if state.item is not None:
        frame = replace(here.frame, item=item)
        data = _Here(state, here.entered, here.input, frame).built(state.item)
    processor = plain(state.processor)
    known = {"Type": "StateMachine", "SpecVersion": "v1", "Name": here.frame.info.flow}
    inline = {**known, **{name: processor[name] for name in ("StartAt", "States")}}
    command = StartFlow(
        step=state.name,
        schedule=here.entered.id,
        flow=here.frame.info.flow,
        execution=f"{here.frame.info.name[:80]}-{here.entered.id}-{index}",
        input=data,
        mode=SYSTEM,
        map_run=state.name,
        inline=json.dumps(inline),
        detail={**said, "index": index},
    )
    return _result((yield Call(command)))
