"""The machine of an execution: the code of its flow, in either language, over its log."""

from __future__ import annotations

from collections.abc import Sequence

from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.fdl.states import StateMachine
from nbflow.services.cloudflow.fdl.steps import OldFlow
from nbflow.services.cloudflow.interpret.api import (
    Close,
    Command,
    Event,
    ExecutionInfo,
    RunTask,
    StartFlow,
)
from nbflow.services.cloudflow.interpret.states import flow_code
from nbflow.services.cloudflow.interpret.steps import old_flow_code
from nbflow.services.cloudflow.interpret.strands import Loom

_ENDS = frozenset({"Succeeded", "Failed", "Stopped", "TimedOut"})


class Machine:
    """Says what to do next for an execution, given its log.

    Args:
        definition: The flow.
        execution: What is known from the start.

    Example:
        >>> machine = Machine(FlowDefinition.parse(text), info)
        >>> machine.apply(Event(id=1, type="ExecutionStarted", time=0.0))
        >>> machine.next()
        [Record(type='StepEntered', step='load', ...)]
    """

    def __init__(self, definition: FlowDefinition, execution: ExecutionInfo) -> None:
        self._flow, self._execution = definition.flow, execution
        self._loom = Loom()
        self._closed = False

    def apply(self, event: Event) -> None:
        """Take in the next event of the log."""
        if event.type == "ExecutionStarted":
            self._loom.now = event.time
            self._begin()
        elif event.type.removeprefix("Execution") in _ENDS and event.type.startswith("Execution"):
            self._closed = True
        else:
            self._loom.apply(event)

    def _begin(self) -> None:
        if isinstance(self._flow, StateMachine):
            self._loom.begin(flow_code(self._flow, self._execution))
        elif isinstance(self._flow, OldFlow):
            self._loom.begin(old_flow_code(self._flow, self._execution))

    def next(self) -> Sequence[Command]:
        """Give what is to be done now and was not given before; nothing if it waits."""
        if self._closed:
            return []
        commands = self._loom.take()
        if self._loom.over:
            self._closed = True
            commands.append(self._close())
        return commands

    def _close(self) -> Close:
        failure = self._loom.failure
        if failure is not None:
            return Close(status="Failed", error=failure.code, cause=failure.detail)
        return Close(status="Succeeded", output=self._loom.result)

    @property
    def open(self) -> Sequence[tuple[int, RunTask | StartFlow]]:
        """What the log has begun and not ended: the calls; timers come with `next` again."""
        return [] if self._closed else self._loom.open
