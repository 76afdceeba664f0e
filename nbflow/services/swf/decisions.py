"""The thirteen decisions, each a class that is checked when it is made.

A decision that SWF would refuse costs the whole decision task, so one cannot be made: texts that
are too long, forbidden names and missing members raise `Invalid` here. Durations are seconds, or
``"NONE"``; task lists are their names.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Final, Self, TypeAlias

from nbflow.services.swf import shapes
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.shapes import Data, attributes_member
from nbflow.services.swf.wire import TypeName, camel, read, structure

Seconds: TypeAlias = float | str | None


def _check(kind: str, attributes: Data) -> None:
    found = shapes.problems(f"{kind}DecisionAttributes", attributes)
    if found:
        raise Invalid(f"{kind}: {shapes.message(found)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something that a decider wants done.

    Attributes:
        closing: Whether it ends the execution, and so has to be the last one of its response.
    """

    closing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            Invalid: SWF would refuse it.
        """
        _check(self.type, self._attributes())

    @property
    def type(self) -> str:
        """The service's name of it."""
        return type(self).__name__

    def _attributes(self) -> Data:
        return structure({field.name: getattr(self, field.name) for field in fields(self)})

    def wire(self) -> Data:
        """Give it as it goes over the wire."""
        return {
            "decisionType": self.type,
            attributes_member(self.type, "Decision"): self._attributes(),
        }

    @classmethod
    def of(cls, attributes: Data) -> Self:
        """Make one of the attributes that went over the wire."""
        names = {camel(field.name): field.name for field in fields(cls)}
        unknown = sorted(set(attributes) - set(names))
        if unknown:
            raise Invalid(f"{cls.__name__} has no {', '.join(unknown)}")
        _check(cls.__name__, attributes)
        return cls(**{names[name]: read(value) for name, value in attributes.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleActivityTask(Decision):
    """Have an activity run. What is None is as the activity's type was registered."""

    activity_type: TypeName
    activity_id: str
    input: str | None = None
    control: str | None = None
    task_list: str | None = None
    task_priority: int | str | None = None
    schedule_to_start_timeout: Seconds = None
    schedule_to_close_timeout: Seconds = None
    start_to_close_timeout: Seconds = None
    heartbeat_timeout: Seconds = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelActivityTask(Decision):
    """Ask that an activity be given up; one that nobody has begun is cancelled at once."""

    activity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteWorkflowExecution(Decision):
    """End the execution with a result."""

    closing: ClassVar[bool] = True
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailWorkflowExecution(Decision):
    """End the execution as failed; `reason` has at most 256 characters."""

    closing: ClassVar[bool] = True
    reason: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWorkflowExecution(Decision):
    """End the execution as cancelled."""

    closing: ClassVar[bool] = True
    details: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueAsNewWorkflowExecution(Decision):
    """End the execution, and go on in a new one with an empty history."""

    closing: ClassVar[bool] = True
    input: str | None = None
    execution_start_to_close_timeout: Seconds = None
    task_start_to_close_timeout: Seconds = None
    task_list: str | None = None
    task_priority: int | str | None = None
    child_policy: str | None = None
    tag_list: tuple[str, ...] | None = None
    workflow_type_version: str | None = None
    lambda_role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMarker(Decision):
    """Write something into the history."""

    marker_name: str
    details: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer(Decision):
    """Be woken after so many seconds."""

    timer_id: str
    start_to_fire_timeout: float | str
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer(Decision):
    """Not be woken after all."""

    timer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalExternalWorkflowExecution(Decision):
    """Tell another execution something."""

    workflow_id: str
    signal_name: str
    run_id: str | None = None
    input: str | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelExternalWorkflowExecution(Decision):
    """Ask another execution to cancel itself."""

    workflow_id: str
    run_id: str | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChildWorkflowExecution(Decision):
    """Start an execution that this one hears of."""

    workflow_type: TypeName
    workflow_id: str
    input: str | None = None
    control: str | None = None
    execution_start_to_close_timeout: Seconds = None
    task_start_to_close_timeout: Seconds = None
    task_list: str | None = None
    task_priority: int | str | None = None
    child_policy: str | None = None
    tag_list: tuple[str, ...] | None = None
    lambda_role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLambdaFunction(Decision):
    """Have a Lambda function run. The execution needs a `lambda_role` for that."""

    id: str
    name: str
    input: str | None = None
    control: str | None = None
    start_to_close_timeout: Seconds = None


DECISIONS: Final[dict[str, type[Decision]]] = {
    kind.__name__: kind
    for kind in (
        ScheduleActivityTask,
        RequestCancelActivityTask,
        CompleteWorkflowExecution,
        FailWorkflowExecution,
        CancelWorkflowExecution,
        ContinueAsNewWorkflowExecution,
        RecordMarker,
        StartTimer,
        CancelTimer,
        SignalExternalWorkflowExecution,
        RequestCancelExternalWorkflowExecution,
        StartChildWorkflowExecution,
        ScheduleLambdaFunction,
    )
}
"""The classes by the service's names."""


def parse(wire: Data) -> Decision:
    """Make a decision of what went over the wire.

    Raises:
        Invalid: It is none, or one that SWF would refuse.
    """
    kind = DECISIONS.get(wire.get("decisionType", ""))
    if kind is None:
        raise Invalid(f"there is no decision {wire.get('decisionType')!r}")
    return kind.of(wire.get(attributes_member(kind.__name__, "Decision")) or {})
