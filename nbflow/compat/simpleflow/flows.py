"""Makes workflows of nbflow of workflow classes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

import nbflow
from nbflow.compat.simpleflow.activity import Activity, known
from nbflow.compat.simpleflow.exceptions import ExecutionBlocked, of_task
from nbflow.compat.simpleflow.executor import Executor
from nbflow.compat.simpleflow.futures import Future, raw
from nbflow.compat.simpleflow.history import History
from nbflow.compat.simpleflow.task import ActivityTask, Task, TaskFailureContext, WorkflowTask
from nbflow.compat.simpleflow.workflow import Workflow
from nbflow.core.activity import Activity as Native
from nbflow.core.definition import Definition, definition
from nbflow.core.errors import DefinitionError
from nbflow.core.future import current
from nbflow.core.handling import Decision, FailureContext
from nbflow.core.options import PRIORITY_NOT_SET
from nbflow.core.retry import Retry

_made: WeakKeyDictionary[type[Workflow], type[nbflow.Workflow]] = WeakKeyDictionary()
_POLICIES: Final = {
    None: "terminate",
    "TERMINATE": "terminate",
    "REQUEST_CANCEL": "cancel",
    "ABANDON": "abandon",
}
_TELLS: Final = ("before_replay", "after_replay", "on_completed", "on_canceled", "after_closed")


def flow_of(cls: type[Workflow]) -> type[nbflow.Workflow]:
    """Give the workflow of nbflow that executes a workflow class.

    Raises:
        DefinitionError: An attribute of the class makes no sense.

    Example:
        >>> flow_of(Basic).on("processes").start(1)
    """
    found = _made.get(cls)
    if found is None or found.__attributes__ != _attributes(cls):  # type: ignore[attr-defined]
        found = _made[cls] = _flow(cls)
    return found


def _flow(cls: type[Workflow], *, alone: bool = False) -> type[nbflow.Workflow]:
    """Make a class whose instances execute the code of one of the given class.

    Args:
        cls: The class.
        alone: See `nbflow.compat.simpleflow.executor.Executor`.
    """
    given = _attributes(cls)
    body: dict[str, Any] = {
        "__doc__": cls.__doc__,
        "__module__": __name__,
        "run": _code_of(cls, alone=alone),
    }
    body |= given | {name: _asked(cls, name) for name in _ASKED if hasattr(cls, name)}
    body |= {"__init__": _begin_of(cls, alone=alone), "__attributes__": given}
    body |= {"__activity_named__": staticmethod(lambda name: _activity_named(cls, name))}
    body |= {} if alone else {"__alone__": staticmethod(lambda: _alone(cls))}
    body |= {name: _teller(name) for name in _TELLS if _is_own(cls, name)}
    body |= {n: fn for n, fn in _DECIDERS.items() if _is_own(cls, n)}
    return type(cls.__name__, (nbflow.Workflow,), body, lint=False)


def _attributes(cls: type[Workflow]) -> dict[str, Any]:
    """Give the attributes of the class as nbflow has them."""
    tags = getattr(cls, "tag_list", None)
    priority = cls.task_priority
    policy = getattr(cls, "child_policy", None)
    if policy not in _POLICIES:
        message = f"child_policy is one of {', '.join(filter(None, _POLICIES))}, not {policy!r:.60}"
        raise DefinitionError(message)
    retry = cls.retry
    given = {
        "name": cls.name if isinstance(cls.name, str) else f"{cls.__module__}.{cls.__name__}",
        "version": str(cls.version or "default"),
        "task_list": cls.task_list or "default",
        "tag_list": _tags(tags),
        # A property is asked for each activity that is submitted, see `Executor`.
        "task_priority": priority if isinstance(priority, int) else PRIORITY_NOT_SET,
        "retry": Retry(attempts=retry + 1, wait=0, jitter=0) if isinstance(retry, int) else retry,
        "raises_on_failure": bool(cls.raises_on_failure),
        "idempotent": bool(getattr(cls, "idempotent", False)),
        "parent_close": _POLICIES[policy],
    }
    for name in ("max_open_activity_count", "propagate_signals_to_parent"):
        if hasattr(cls, name):
            given[name] = getattr(cls, name)
    return given


def _activity_named(cls: type[Workflow], name: str) -> Native[..., Any] | None:
    """Give the activity that code has made of a function of its module; None if there is none.

    A worker has no other way to it than its name, as in simpleflow.
    """
    module = sys.modules[cls.__module__]
    found = getattr(module, name, None)
    if found is None or getattr(found, "__module__", "") != module.__name__:
        return None
    return Activity(found).__activity__() if isinstance(found, FunctionType | type) else None


def _alone(cls: type[Workflow]) -> Definition:
    """Give the definition for a run with processes of its own."""
    return definition(_flow(cls, alone=True))


def _begin_of(cls: type[Workflow], *, alone: bool) -> Callable[..., Any]:
    def begin(self: Any) -> None:
        self.executor, self.log = Executor(cls, alone=alone), None

    return begin


def _code_of(cls: type[Workflow], *, alone: bool) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        interpreter = current.get()
        assert interpreter is not None  # noqa: S101 - this is workflow code
        self.log = interpreter.history
        while True:
            try:
                result = raw(self.executor.workflow.run(*args, **kwargs))
            except ExecutionBlocked:
                interpreter.step()
                interpreter.afresh()
                self.executor = Executor(cls, alone=alone)
            else:
                self.executor.end(_futures(result))
                return result

    code: Any = cls.run
    run.__signature__ = inspect.signature(code)  # type: ignore[attr-defined]
    return run


def _futures(value: Any) -> set[int]:
    """Give the futures in a result, which is waited for, by their identity."""
    if isinstance(value, nbflow.Future):
        return {id(value)}
    inner = value.values() if type(value) is dict else value if type(value) in {list, tuple} else ()
    return set().union(*map(_futures, inner)) if inner else set()


# ---------------------------------------------------------------- what runs are called


def _asked(cls: type[Workflow], name: str) -> Any:
    """Make a class method that asks the class, once, and reads what programs may give."""

    def ask(_: type, *args: Any, **kwargs: Any) -> Any:
        return _ASKED[name](getattr(cls, name)(*args, **kwargs))

    return classmethod(ask)


def _tags(given: Any) -> tuple[str, ...]:
    inherits = given is None or given == Workflow.INHERIT_TAG_LIST
    return () if inherits else tuple(map(str, given))


_ASKED: Final[dict[str, Callable[[Any], Any]]] = {
    "get_tag_list": _tags,
    "get_workflow_id": lambda given: given or "",
    "get_task_list": lambda given: given or "default",
}


# ---------------------------------------------------------------- what they are told


def _is_own(cls: type[Workflow], name: str) -> bool:
    return getattr(cls, name) is not getattr(Workflow, name)


def _history(self: Any) -> History:
    """Give what hooks are told: they may be called when the code has ended."""
    return History(self.log)


def _teller(name: str) -> Callable[..., Any]:
    def tell(self: Any, ended: nbflow.HookContext) -> Any:  # noqa: ARG001 - there it is the history
        return getattr(self.executor.workflow, name)(_history(self))

    tell.__name__ = name
    return tell


def _on_failure(self: Any, ended: nbflow.HookContext) -> None:
    self.executor.workflow.on_failure(_history(self), ended.reason, ended.details or None)


def _should_cancel(self: Any, ended: nbflow.HookContext) -> bool:  # noqa: ARG001 - as above
    return bool(self.executor.workflow.should_cancel(_history(self)))


def _on_task_failure(self: Any, failure: FailureContext) -> Decision | None:
    """Ask the workflow, in its own words."""
    error = failure.exception
    task, future = _task(failure.activity), Future()
    future.set_exception(of_task(task.name, error))
    event = {"id": failure.call, "name": task.name, "retry": failure.attempt - 1}
    context = TaskFailureContext(task, {**event, "state": "failed"}, future, type(error))
    given = self.executor.workflow.on_task_failure(context)
    decided = given if isinstance(given, TaskFailureContext) else context
    return _decision(failure, decided)


def _task(name: str) -> Task:
    """Give the task that failed, as far as its failure tells: its arguments are not known."""
    activity = known.get(name)
    if activity is not None:
        return ActivityTask(activity)
    return WorkflowTask(None, next(cls for cls in _made if _attributes(cls)["name"] == name))


def _decision(failure: FailureContext, context: TaskFailureContext) -> Decision | None:
    kind = TaskFailureContext.Decision
    match context.decision:
        case kind.abort:
            return failure.decide_abort()
        case kind.ignore:
            return failure.decide_ignore()
        case kind.cancel:
            return failure.decide_cancel()
        case kind.retry_now | kind.retry_later:
            return failure.decide_retry(float(context.retry_wait_timeout or 0))
        case kind.handled:
            future = context.future
            done = future is not None and future.finished and future.exception is None
            return failure.decide_handled(future.result if done and future is not None else None)
    return None


_DECIDERS: Final[dict[str, Any]] = {
    "on_failure": _on_failure,
    "should_cancel": _should_cancel,
    "on_task_failure": _on_task_failure,
}
