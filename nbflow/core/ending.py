"""Executes a workflow's code and tells its hooks: the same for whoever drives a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nbflow.core.errors import Cancelled, Continued, NondeterminismError, StoreError, Suspended
from nbflow.core.hooks import Hook, HookContext, Hooks, hook_context

if TYPE_CHECKING:
    from nbflow.core.child import WorkflowOptions
    from nbflow.core.interpreter import Interpreter
    from nbflow.core.payload import Stored

_log = logging.getLogger("nbflow")
Status = Literal["completed", "failed", "cancelled", "continued"]


@dataclass(slots=True)
class Ending:
    """How an execution of a workflow's code has ended.

    Attributes:
        status: As of a run that is closed.
        result: What the code gives, stored.
        error: What it failed with; of one that is cancelled, what its cleaning up failed with.
        new: How it goes on, if it does so in a new run.
    """

    interpreter: Interpreter
    hooks: Hooks
    status: Status
    result: Stored = None
    error: BaseException | None = None
    new: Continued | None = None

    def tell(self) -> None:
        """Call the hook for how it has ended; that of a cancel was called with the code."""
        if self.status == "completed" and self.hooks.on_completed is not None:
            self._call("on_completed", self.hooks.on_completed)
        elif self.status == "failed" and self.hooks.on_failure is not None:
            self._call("on_failure", self.hooks.on_failure)

    def closed(self, status: str | None = None) -> None:
        """Call the hook for a run that is closed, and say how, if that was otherwise."""
        if self.hooks.after_closed is not None:
            self._call("after_closed", self.hooks.after_closed, status)

    def _call(self, name: str, hook: Hook, status: str | None = None) -> None:
        _call(self.interpreter, name, hook, lambda: self._context(status or self.status))

    def _context(self, status: str) -> HookContext:
        own = status == self.status
        result = self.interpreter.unpack(self.result) if status == "completed" else None
        stopped = self.interpreter.cancelled
        reason = str(stopped) if status == "cancelled" and stopped is not None else ""
        error = self.error if own else None
        return hook_context(self.interpreter, status, error=error, result=result, reason=reason)


def perform(
    interpreter: Interpreter,
    fn: Callable[..., Any],
    rules: WorkflowOptions,
    args: Iterable[Any],
    kwargs: dict[str, Any],
) -> Ending:
    """Execute code to its end as its workflow's options say, and call the hooks around it.

    Raises:
        Suspended: It needs what is not there yet.
        NondeterminismError: It does not agree with the log.
        StoreError: The log could not be written.
    """
    fn, hooks = opened(fn, rules.hooks)
    interpreter.hooks, interpreter.limit = hooks, rules.max_events
    _around(interpreter, "before_replay", hooks.before_replay)
    try:
        ending = _ended(interpreter, fn, hooks, args, kwargs)
    finally:
        _around(interpreter, "after_replay", hooks.after_replay)
    ending.tell()
    return ending


def opened(fn: Callable[..., Any], hooks: Hooks) -> tuple[Callable[..., Any], Hooks]:
    """Give the code of one execution and its hooks, which a class has in a new instance."""
    begin = getattr(fn, "begin", None)
    if begin is None:
        return fn, hooks
    made = begin(hooks)
    return made, made.hooks


def _ended(
    interpreter: Interpreter,
    fn: Callable[..., Any],
    hooks: Hooks,
    args: Iterable[Any],
    kwargs: dict[str, Any],
) -> Ending:
    try:
        result = interpreter.execute(fn, args, kwargs)
    except Cancelled as stopped:
        return Ending(interpreter, hooks, "cancelled", error=stopped.__cause__)
    except Continued as new:
        return Ending(interpreter, hooks, "continued", new=new)
    except (NondeterminismError, StoreError, Suspended):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a user's code raises fails the run
        return Ending(interpreter, hooks, "failed", error=error)
    return Ending(interpreter, hooks, "completed", result)


def _around(interpreter: Interpreter, name: str, hook: Hook | None) -> None:
    if hook is not None:
        _call(interpreter, name, hook, lambda: hook_context(interpreter, "running"))


def _call(
    interpreter: Interpreter, name: str, hook: Hook, context: Callable[[], HookContext]
) -> None:
    """Call a hook. One that fails is reported, and changes nothing."""
    try:
        interpreter.awaited(hook(context()))
    except BaseException:  # noqa: BLE001 - a user's own function may even exit
        _log.exception("nbflow: %s failed for run %s, which takes no harm", name, interpreter.run)
