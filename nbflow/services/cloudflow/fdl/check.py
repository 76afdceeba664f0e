"""What a definition must fulfil beyond the form of its parts: names, ways, expressions, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbflow.services.cloudflow.errors import FdlError
from nbflow.services.cloudflow.fdl import states, steps
from nbflow.services.cloudflow.fdl.evaluate import (
    OLD_VARIABLES,
    VARIABLES,
    check_expression,
    is_path,
)
from nbflow.services.cloudflow.fdl.fields import Part, parts

MAX_OLD_WAIT: Final = 2 * 86_400
"""The longest `duration` of a wait step, in seconds."""


def check(flow: states.StateMachine | steps.OldFlow) -> None:
    """See that a flow of either language can run.

    Raises:
        FdlError: Two names are the same, a way leads nowhere, an expression cannot be read, or a
            limit of the service is passed; the message has the line.
    """
    for part in parts(flow):
        if isinstance(part, steps.OldWay | steps.Mapping | steps.Iteration | steps.Step):
            _old_part(part)
        else:
            _part(part)
    for beside in _scopes(flow):
        _steps(beside)


def _part(part: Part) -> None:
    match part:
        case states.Scope():
            _scope(part)
        case states.State():
            _state(part)
        case states.Catch():
            _template(part.output, part, "OutputConstructor")
        case states.Way():
            _expression(part.condition, part, "Condition")


def _old_part(part: steps.OldWay | steps.Mapping | steps.Iteration | steps.Step) -> None:
    match part:
        case steps.OldWay():
            _expression(part.condition, part, "condition", OLD_VARIABLES)
        case steps.Mapping():
            _source(part.source, part, "source")
        case steps.Iteration():
            _source(part.collection, part, "collection")
        case steps.Step():
            _step(part)


def notes(flow: states.StateMachine | steps.OldFlow) -> tuple[str, ...]:
    """Say what is allowed but may be a slip: keys that are not known, states never reached."""
    found = [
        f"line {part.line}: {type(part).__name__} has {name}, which is not known here; it is kept"
        for part in parts(flow)
        for name in part.extra
    ]
    for part in parts(flow):
        if isinstance(part, states.Scope):
            reached = {part.start, *(to for state in part.states for to in targets(state))}
            found += [
                f"line {state.line}: nothing leads to {state.name}"
                for state in part.states
                if state.name not in reached
            ]
    return tuple(found)


def targets(state: states.State) -> Iterator[str]:
    """Give the names of the states that may come after one."""
    if state.next is not None:
        yield state.next
    if isinstance(state, states.Choice):
        yield from (way.next for way in state.branches)
        yield state.default
    if isinstance(state, states.Handled):
        yield from (rule.next for rule in state.catch or ())


def _fault(part: Part, said: str) -> FdlError:
    name = getattr(part, "name", None)
    return FdlError(said, part.line, str(name) if name else "")


def _scope(scope: states.Scope) -> None:
    names = _once(scope.states)
    for state in scope.states:
        for target in targets(state):
            if target not in names:
                raise _fault(state, f"there is no state {target!r} beside it to go on with")
    if scope.start not in names:
        raise _fault(scope, f"StartAt names {scope.start!r}, which is not among its states")


def _once(beside: Iterable[states.State | steps.Step]) -> set[str]:
    found: Counter[str] = Counter()
    for part in beside:
        found[part.name] += 1
        if found[part.name] > 1:
            raise _fault(part, "another one beside it has the same name")
    return set(found)


def _state(state: states.State) -> None:
    _ways(state)
    for template, words in (
        (state.input, "InputConstructor"),
        (state.output, "OutputConstructor"),
        (state.globals, "GlobalConstructor"),
    ):
        _template(template, state, words)
    match state:
        case states.Task():
            _template(state.parameters, state, "Parameters")
            _either(state, state.timeout, state.timeout_from, "Timeout", needed=False)
        case states.Wait():
            _either(state, state.seconds, state.seconds_from, "Seconds", needed=True)
        case states.Map():
            _map(state)


def _ways(state: states.State) -> None:
    if isinstance(state, states.Choice):
        if state.next is not None or state.end is not None:
            raise _fault(state, "a Choice has neither Next nor End: its branches say what follows")
    elif isinstance(state, states.Succeed | states.Fail):
        if state.next is not None:
            raise _fault(state, f"a {state.type} ends its scope, so it cannot have Next")
    elif (state.next is not None) is bool(state.end):
        raise _fault(state, "it needs either Next or End: true")


def _either(
    state: states.State, given: object, computed: str | None, words: str, *, needed: bool
) -> None:
    if given is not None and computed is not None:
        raise _fault(state, f"it has both {words} and {words}.$; only one may be there")
    if needed and given is None and computed is None:
        raise _fault(state, f"it needs {words} or {words}.$")
    if computed is not None:
        _expression(computed, state, f"{words}.$")


def _map(state: states.Map) -> None:
    if state.items is not None:
        _expression(state.items, state, "ItemsPath")
    elif state.reader is None:
        raise _fault(state, "a Map needs ItemsPath, or ItemReader if it is distributed")
    _template(state.item, state, "ItemConstructor")
    for given in (state.concurrency, state.concurrency_misspelt):
        if given is not None and int(given) > states.MAX_CONCURRENCY and not state.distributed:
            most = states.MAX_CONCURRENCY
            raise _fault(state, f"an inline Map runs at most {most} items at a time, not {given}")


def _expression(text: object, part: Part, words: str, variables: Iterable[str] = VARIABLES) -> None:
    try:
        check_expression(text, variables)
    except FdlError as error:
        raise _fault(part, f"{words}: {error.said}") from None


def _source(source: Any, part: Part, words: str) -> None:
    if is_path(source):
        _expression(source, part, words, OLD_VARIABLES)


def _template(template: Any, part: Part, words: str) -> None:
    if isinstance(template, list):
        for item in template:
            _template(item, part, words)
    if not isinstance(template, dict):
        return
    for name, value in template.items():
        if not name.endswith(".$"):
            _template(value, part, f"{words}.{name}")
            continue
        if name.removesuffix(".$") in template:
            raise _fault(part, f"{words} has both {name.removesuffix('.$')} and {name}")
        _expression(value, part, f"{words}.{name}")


def _step(step: steps.Step) -> None:
    match step:
        case steps.TaskStep():
            if (step.resource is None) is (step.action is None):
                raise _fault(step, "a task needs either resourceArn or action")
            if step.errors and not step.catch:
                raise _fault(step, "errorMappings are used by catch, which is missing")
        case steps.WaitStep():
            _wait(step)


def _wait(step: steps.WaitStep) -> None:
    if (step.duration is None) is (step.timestamp is None):
        raise _fault(step, "a wait needs either duration or timestamp")
    _source(step.duration, step, "duration")
    _source(step.timestamp, step, "timestamp")
    if step.duration is None or is_path(step.duration):
        return
    try:
        right = 0 < int(step.duration) <= MAX_OLD_WAIT
    except (TypeError, ValueError):
        right = False
    if not right:
        raise _fault(step, f"duration is 1 to {MAX_OLD_WAIT} seconds, or a path, such as $.delay")


def _scopes(flow: states.StateMachine | steps.OldFlow) -> Iterator[tuple[steps.Step, ...]]:
    for part in parts(flow):
        inner = getattr(part, "steps", None)
        if inner:
            yield inner


def _steps(beside: tuple[steps.Step, ...]) -> None:
    names = _once(beside)
    for step in beside:
        for target in gotos(step):
            if target not in names:
                raise _fault(step, f"there is no step {target!r} beside it to go to")


def gotos(step: steps.Step) -> Iterator[str]:
    """Give the names of the steps that a step may jump to."""
    yield from (rule.goto for rule in step.catch or ())
    if isinstance(step, steps.ChoiceStep):
        ways: list[steps.OldWay | steps.OldDefault] = [*step.choices]
        if step.default:
            ways.append(step.default)
        yield from (way.goto for way in ways if way.goto is not None)
