"""A part of a workflow that is done once, over any number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbflow.compat.simpleflow.base import SubmittableContainer
from nbflow.compat.simpleflow.canvas import Chain

if TYPE_CHECKING:
    from nbflow.compat.simpleflow.executor import Executor
    from nbflow.compat.simpleflow.futures import Future


class Step(SubmittableContainer):
    """A step: what it does, unless it is done or somebody says otherwise.

    Args:
        step_name: Its name; dots make a hierarchy.
        activities: What it does: a group or a task.
        force: Do it though it is done.
        activities_if_step_already_done: What to do in its place when it is skipped.
        emit_signal: Send the signal ``step.<name>`` at its end.
        force_steps_if_executed: Steps to force from then on if this one is done.
        bubbles_exception_on_failure: Whether its failures are those of what is around it.
    """

    def __init__(
        self,
        step_name: str,
        activities: Any,
        force: bool = False,  # noqa: FBT001, FBT002 - as programs know it
        activities_if_step_already_done: Any = None,
        emit_signal: bool = False,  # noqa: FBT001, FBT002 - as above
        force_steps_if_executed: Sequence[str] | None = None,
        bubbles_exception_on_failure: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> None:
        self.step_name, self.activities, self.force = step_name, activities, force
        self.activities_if_step_already_done = activities_if_step_already_done
        self.emit_signal = emit_signal
        self.force_steps_if_executed = list(force_steps_if_executed or ())
        self.bubbles_exception_on_failure = bubbles_exception_on_failure

    def submit(self, executor: Executor) -> Future:
        """Submit what is to be done, which may be nothing."""
        workflow: Any = executor.workflow
        verdict = workflow.step_verdict(self.step_name, force=self.force)
        marker = {
            "step": self.step_name,
            "forced": verdict.forced,
            "reasons": list(verdict.reasons),
        }
        chain = Chain(bubbles_exception_on_failure=self.bubbles_exception_on_failure)
        if verdict.runs:
            workflow.add_forced_steps(self.force_steps_if_executed, f"Dep of {self.step_name}")
            chain += (
                workflow.record_marker("log.step", {**marker, "status": "scheduled"}),
                self.activities,
                workflow.step_done(self.step_name, verdict),
                workflow.record_marker("log.step", {**marker, "status": "completed"}),
            )
        else:
            if self.activities_if_step_already_done:
                chain.append(self.activities_if_step_already_done)
            chain.append(workflow.record_marker("log.step", {**marker, "status": "skipped"}))
        if self.emit_signal:
            chain.append(workflow.signal(f"step.{self.step_name}", propagate=False))
        return workflow.submit(chain)  # type: ignore[no-any-return]

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it, in what it does."""
        self.activities.propagate_attribute(attr, val)
