"""What a machine and its host say to each other. Pure: no clock, no thread, no file.

The log of an execution is a list of events, as GetExecutionHistory answers them. The host appends
and applies them one after the other, and after each asks the machine what to do next::

    machine = Machine(definition, info)
    for event in log:  # after a restart
        machine.apply(event)
    for number, command in machine.open:  # calls that the log has begun and not ended
        host.go_on(number, command)
    while commands := machine.next():
        for command in commands:
            host.carry_out(command)  # appends at least one event and applies it

A log says everything: the same log gives the same commands. The first event of a log is
``ExecutionStarted``, which the host appends by itself, as it does ``ExecutionStopped`` and
``ExecutionTimedOut``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

REQUEST, SYSTEM, CUSTOM = "RequestComplete", "WaitForSystemCallback", "WaitForCustomCallback"
"""The modes of a task, in either language: go on when it was accepted and answered, when what it
started is over, when somebody reports its token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInfo:
    """What is known of an execution from its start.

    Attributes:
        flow: The flow's name.
        name: The execution's.
        input: Plain data.
        role: The role that the flow runs as.
        started: Seconds since the epoch.
        express: Whether its mode is Express.
    """

    flow: str
    name: str
    input: Any
    started: float
    role: str = ""
    express: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        id: Its number, from 1.
        type: Such as ``TaskScheduled``.
        time: Seconds since the epoch.
        step: The state or step that it is of; "" for the execution.
        schedule: The event that it follows from: of what becomes of a task its ``TaskScheduled``,
            else the ``StepEntered`` (or what else the machine says in `Record.schedule`).
        detail: Plain data: ``output`` of a success, ``error`` and ``cause`` of a failure.
    """

    id: int
    type: str
    time: float
    step: str = ""
    schedule: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Append this event; nothing else is to be done."""

    type: str
    step: str = ""
    schedule: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """Call something outside the flow.

    The host appends ``TaskScheduled`` with this `step`, `schedule` and `detail`; its number names
    the task from then on, and all that becomes of it has that as `Event.schedule`. Then follow,
    by the host, ``TaskStarted``, ``TaskSubmitted`` or ``TaskSubmitFailed``, and one of
    ``TaskSucceeded``, ``TaskFailed``. With `mode` CUSTOM a token is issued for it: `token` is what
    stands for it in `payload`, and the host puts the token in its place.

    Attributes:
        step: The state or step.
        schedule: The event that it follows from.
        action: Such as ``FC:InvokeFunction``; in the old language that of the resource.
        resource: The resource's name, "" if there is none.
        payload: The parameters, evaluated.
        mode: One of the three.
        token: The text in `payload` that stands for the token.
        timeout: Seconds until it is timed out, which the machine sees to by a `StartTimer`.
        detail: What the event ``TaskScheduled`` says.
    """

    step: str
    schedule: int
    action: str
    resource: str
    payload: Any
    mode: str = REQUEST
    token: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow:
    """Start another flow. Events are those of `RunTask`.

    Attributes:
        step: The state or step.
        schedule: The event that it follows from.
        flow: The flow's name.
        execution: The name of the new execution; "" for any.
        input: Plain data.
        mode: One of the three; with SYSTEM its end is the task's.
        token: As in `RunTask`.
        qualifier: A version or an alias.
        map_run: The name of the map run that it belongs to; "" for none.
        inline: The definition to run in the place of a flow's: of a distributed Map's item.
        detail: What the event ``TaskScheduled`` says.
    """

    step: str
    schedule: int
    flow: str
    execution: str = ""
    input: Any = None
    mode: str = REQUEST
    token: str = ""
    qualifier: str = ""
    map_run: str = ""
    inline: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """Append an event when its time has come, unless the machine cancels that before.

    A wait's is its ``StepSucceeded``, a time limit's ``TaskTimedOut``, a retry's ``StepStarted``.
    It needs no event of its own: after a replay, `Machine.next` gives it again.

    Attributes:
        due: Seconds since the epoch.
        then: What to append.
    """

    due: float
    then: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Give up what is open: tasks by the number of their ``TaskScheduled``, or a timer's event.

    Attributes:
        task: The task to give up; what it still says is dropped. 0 for none.
        timer: The event that is not wanted any more.
    """

    task: int = 0
    timer: Record | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The execution is over: append ``ExecutionSucceeded``, ``ExecutionFailed``.

    Attributes:
        status: ``Succeeded``, ``Failed`` or ``TimedOut``.
        output: Plain data of a success.
        error: The error's name.
        cause: What happened.
    """

    status: str
    output: Any = None
    error: str = ""
    cause: str = ""


Command: TypeAlias = Record | RunTask | StartFlow | StartTimer | Cancel | Close


class MachineLike(Protocol):
    """What a machine can be asked."""

    def apply(self, event: Event) -> None:
        """Take in the next event of the log."""

    def next(self) -> Sequence[Command]:
        """Give what is to be done now and was not given before; nothing if it waits."""

    @property
    def open(self) -> Sequence[tuple[int, RunTask | StartFlow]]:
        """The calls that the log has begun and not ended, with their numbers."""
