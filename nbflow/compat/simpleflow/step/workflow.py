"""What a workflow with steps has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import nbflow
from nbflow.compat.simpleflow.step.submittable import Step
from nbflow.compat.simpleflow.task import NativeTask

if TYPE_CHECKING:
    from nbflow.core.stepnotes import Verdict


class WorkflowStepMixin:
    """Steps of a workflow: which are done is noted in nbflow's store, in the place of a bucket."""

    if TYPE_CHECKING:
        get_run_context: Any
        _steps: nbflow.Steps

    def step(self, *args: Any, **kwargs: Any) -> Step:
        """Make a step, to be submitted; takes what `Step` does."""
        return Step(*args, **kwargs)

    def get_step_bucket(self) -> str:
        """Give the first part of what the notes are kept by."""
        return ""

    def get_step_path_prefix(self) -> str:
        """Give the second part: by default all runs of a workflow have their steps in common."""
        return f"{self.get_run_context()['name']}/steps/"

    def get_step_activity_params(self) -> dict[str, Any]:
        """Give nothing: notes are read and written without activities."""
        return {}

    def add_forced_steps(self, steps: Iterable[str], reason: str | None = None) -> None:
        """Have steps done that are begun from now on, though they are done; ``*`` is all."""
        self._all_steps().force(*steps, reason=reason or "the workflow")

    def add_skipped_steps(self, steps: Iterable[str], reason: str | None = None) -> None:
        """Have steps skipped that are begun from now on."""
        self._all_steps().skip(*steps, reason=reason or "the workflow")

    def get_steps_done(self) -> list[str]:
        """Give the names of the steps that are done."""
        return sorted(self._all_steps().done)

    def step_verdict(self, name: str, *, force: bool) -> Verdict:
        """Tell whether a step is to be done, and why."""
        return self._all_steps().verdict(name, force=force)

    def step_done(self, name: str, verdict: Verdict) -> NativeTask:
        """Make what notes that a step is done, to be submitted."""
        note = partial(self._all_steps().note, name, "completed", verdict, marks=True)
        return NativeTask(f"step {name}", note)

    def _all_steps(self) -> nbflow.Steps:
        found = vars(self).get("_steps")
        if found is None:
            path = "/".join(p for p in (self.get_step_bucket(), self.get_step_path_prefix()) if p)
            found = self._steps = nbflow.Steps(path)
        return found
