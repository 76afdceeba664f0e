"""What can be submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbflow.compat.simpleflow.executor import Executor
    from nbflow.compat.simpleflow.futures import Future


class Submittable:
    """Something that an executor takes as it is: a task, and not an activity."""

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it."""


class SubmittableContainer:
    """Something that submits others: a group, a chain."""

    def submit(self, executor: Executor) -> Future:
        """Submit what is in it."""
        raise NotImplementedError

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it."""
