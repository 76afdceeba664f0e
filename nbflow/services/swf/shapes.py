"""What SWF accepts and gives, by botocore's own model of it, and the rules that stand beside it.

botocore checks types, required members and least lengths before it sends something. What is too
long, no member of an enumeration or a forbidden name it sends, and the first to see it is the
service: a whole decision may be refused for one letter too much. So everything is checked here,
against the same model; what SWF's documentation says of names and durations is added.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

try:
    import botocore.loaders
    import botocore.model
except ImportError as missing:
    raise ImportError(
        "Amazon SWF needs boto3, which is not installed: pip install 'jupyter-nbflow[swf]'"
    ) from missing

Data: TypeAlias = dict[str, Any]
"""A structure of the service, as it goes over the wire."""

_SHOWN: Final = 40
_DURATION: Final = re.compile(r"\d+|NONE")
_PRIORITY: Final = re.compile(r"-?\d{1,10}")
_FORBIDDEN: Final = re.compile(r"[:/|\x00-\x1f\x7f-\x9f]")
_NAMED: Final = {
    ("ScheduleActivityTaskDecisionAttributes", "activityId"),
    ("StartChildWorkflowExecutionDecisionAttributes", "workflowId"),
    ("StartTimerDecisionAttributes", "timerId"),
    ("StartWorkflowExecutionInput", "workflowId"),
    ("RegisterActivityTypeInput", "name"),
    ("RegisterActivityTypeInput", "version"),
    ("RegisterDomainInput", "name"),
    ("RegisterWorkflowTypeInput", "name"),
    ("RegisterWorkflowTypeInput", "version"),
    ("TaskList", "name"),
}
"""Members whose text may not hold what separates the parts of a resource's name."""
_NAME_RULE: Final = (
    "Member must not contain ':', '/', '|' or control characters, begin or end with white space, "
    "or be 'arn'"
)


class Problem(NamedTuple):
    """One thing that the model forbids.

    Attributes:
        path: Where, with list members counted from 1: ``decisions.1.member.decisionType``.
        value: What stands there; None if nothing does.
        rule: What should be, in the service's own way of saying it.
    """

    path: str
    value: object
    rule: str

    def __str__(self) -> str:
        """Say it as the service does."""
        return (
            f"Value {_shown(self.value)} at '{self.path}' failed to satisfy constraint: {self.rule}"
        )


Check: TypeAlias = Callable[[Any, str, list[Problem]], None]


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = value if isinstance(value, str) else f"<{type(value).__name__}>"
    return f"'{text[:_SHOWN]}...'" if len(text) > _SHOWN else f"'{text}'"


@cache
def service() -> Any:
    """Give botocore's model of SWF, read once in a process."""
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model("swf", "service-2"), "swf")


@cache
def operations() -> Mapping[str, tuple[str, str | None]]:
    """Give the name of the request's and the answer's shape of each of the 39 operations."""
    model = service()
    found = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        answer = operation.output_shape
        found[name] = (operation.input_shape.name, answer.name if answer else None)
    return found


def enumeration(shape: str) -> tuple[str, ...]:
    """Give the values of an enumeration: ``enumeration("EventType")`` has 54."""
    return tuple(service().shape_for(shape).enum)


def members(shape: str) -> Mapping[str, str]:
    """Give the members of a structure, each with the name of its own shape."""
    return {name: member.name for name, member in service().shape_for(shape).members.items()}


def required(shape: str) -> tuple[str, ...]:
    """Give the members that a structure must have."""
    return tuple(service().shape_for(shape).required_members)


def attributes_member(kind: str, suffix: str) -> str:
    """Give the member that holds the attributes of an event or a decision.

    Example:
        >>> attributes_member("TimerFired", "Event")
        'timerFiredEventAttributes'
    """
    return f"{kind[0].lower()}{kind[1:]}{suffix}Attributes"


def problems(shape: str, value: Any, path: str = "") -> list[Problem]:
    """Give everything that the model forbids about a value, none if it is as it should be.

    Args:
        shape: Name of a shape of the model, such as ``StartWorkflowExecutionInput``.
        value: What is to be looked at; timestamps may be numbers or `datetime.datetime`.
        path: What its members' places begin with.

    Example:
        >>> [str(p) for p in problems("TaskList", {"name": ""})]
        ["Value '' at 'name' failed to satisfy constraint: Member must have length greater than or \
equal to 1"]
    """
    found: list[Problem] = []
    _check_of(shape)(value, path, found)
    return found


def message(found: list[Problem]) -> str:
    """Say what is wrong in one line, as the service does."""
    count = len(found)
    return f"{count} validation error{'s' * (count > 1)} detected: " + "; ".join(map(str, found))


@cache
def _check_of(name: str) -> Check:
    shape = service().shape_for(name)
    return _MAKERS[shape.type_name](shape)


def _structure(shape: Any) -> Check:
    name, needed = shape.name, tuple(shape.required_members)
    parts = {
        member: (inner.name, (name, member) in _NAMED) for member, inner in shape.members.items()
    }

    def check(value: Any, path: str, found: list[Problem]) -> None:
        if not isinstance(value, dict):
            found.append(Problem(path, value, "Member must be a structure"))
            return
        prefix = f"{path}." if path else ""
        found.extend(
            Problem(f"{prefix}{member}", None, "Member must not be null")
            for member in needed
            if value.get(member) is None
        )
        for member, inner in value.items():
            if member not in parts:
                found.append(Problem(f"{prefix}{member}", inner, f"{name} has no such member"))
            elif inner is not None:
                kind, named = parts[member]
                _check_of(kind)(inner, prefix + member, found)
                if named and isinstance(inner, str) and not _is_name(inner):
                    found.append(Problem(prefix + member, inner, _NAME_RULE))

    return check


def _is_name(text: str) -> bool:
    return not _FORBIDDEN.search(text) and text == text.strip() and text != "arn"


def _list(shape: Any) -> Check:
    inner, most = shape.member.name, shape.metadata.get("max")

    def check(value: Any, path: str, found: list[Problem]) -> None:
        if not isinstance(value, list | tuple):
            found.append(Problem(path, value, "Member must be a list"))
            return
        if most is not None and len(value) > most:
            found.append(Problem(path, value, _length("less", most)))
        of_member = _check_of(inner)
        for number, member in enumerate(value, 1):
            of_member(member, f"{path}.{number}.member", found)

    return check


def _length(word: str, bound: int) -> str:
    return f"Member must have length {word} than or equal to {bound}"


def _string(shape: Any) -> Check:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    values = frozenset(shape.enum)
    listed = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern, form = _FORMS.get(shape.name, (None, ""))

    def check(value: Any, path: str, found: list[Problem]) -> None:
        if not isinstance(value, str):
            found.append(Problem(path, value, "Member must be a string"))
        elif values and value not in values:
            found.append(Problem(path, value, listed))
        elif len(value) < least:
            found.append(Problem(path, value, _length("greater", least)))
        elif most is not None and len(value) > most:
            found.append(Problem(path, value, _length("less", most)))
        elif pattern and value and not pattern.fullmatch(value):
            found.append(Problem(path, value, form))

    return check


_SECONDS: Final = (_DURATION, "Member must be a number of seconds or NONE")
_FORMS: Final = {
    "DurationInSeconds": _SECONDS,
    "DurationInSecondsOptional": _SECONDS,
    "DurationInDays": (_DURATION, "Member must be a number of days or NONE"),
    "TaskPriority": (_PRIORITY, "Member must be an integer"),
}


def _integer(shape: Any) -> Check:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any, path: str, found: list[Problem]) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            found.append(Problem(path, value, "Member must be an integer"))
        elif least is not None and value < least:
            found.append(Problem(path, value, f"Member must be at least {least}"))
        elif most is not None and value > most:
            found.append(Problem(path, value, f"Member must be at most {most}"))

    return check


def _boolean(shape: Any) -> Check:  # noqa: ARG001 - made like the others
    def check(value: Any, path: str, found: list[Problem]) -> None:
        if not isinstance(value, bool):
            found.append(Problem(path, value, "Member must be true or false"))

    return check


def _timestamp(shape: Any) -> Check:  # noqa: ARG001 - made like the others
    def check(value: Any, path: str, found: list[Problem]) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | dt.datetime):
            found.append(Problem(path, value, "Member must be a timestamp"))

    return check


_MAKERS: Final[dict[str, Callable[[Any], Check]]] = {
    "structure": _structure,
    "list": _list,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
    "timestamp": _timestamp,
}
