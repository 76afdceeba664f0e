"""Workflows called by workflows: a child run is a call, whose executor starts a run.

So it is asked for, waits for what it takes, is tried again, cancelled, skipped and drawn as any
other call. Its run has a log of its own, under the id ``<parent>/<call>``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from nbflow.core.activity import Activity
from nbflow.core.errors import DefinitionError, RunError
from nbflow.core.fingerprint import fingerprint
from nbflow.core.hooks import HOOKS, NO_HOOKS, Hooks
from nbflow.core.options import PRIORITY_NOT_SET, Options, Priority
from nbflow.core.retry import NO_RETRY, Retry
from nbflow.core.stepnotes import FORCE, SKIP

if TYPE_CHECKING:
    from nbflow.core.future import Future
    from nbflow.core.history import History
    from nbflow.core.interpreter import Interpreter

CHILD: Final = "child run"
"""The ``executor`` of calls that are runs."""
MOST_DEEP: Final = 32
"""A run that is the child of a child, so many times, has no children."""
CLEAN_UP_TIMEOUT: Final = 60.0
"""Seconds that code may go on after a cancel, where it does not say."""
ParentClose = Literal["terminate", "cancel", "abandon"]
_FLAGS: Final = frozenset({"raises_on_failure", "idempotent", "propagate_signals_to_parent"})
_COUNTS: Final = frozenset({"max_open_activity_count", "max_events"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """How runs of a workflow behave, most of it as children of others.

    Attributes:
        tags: Words that its runs are found by; a child that has none inherits its parent's.
        task_priority: Of its calls that have none of their own.
        retry: When a child run that failed is resumed, so that what failed runs anew.
        raises_on_failure: Whether ``result()`` of a child raises what it failed with.
        idempotent: Whether calls as a child with equal arguments are one call within a run.
        parent_close: What becomes of a child that is under way when its parent ends:
            ``terminate`` ends it at once, ``cancel`` lets its code clean up, ``abandon`` lets it
            go on.
        max_open_activity_count: How many calls of a run may be under way at once.
        max_events: How many events the log of a run may have: see `continue_as_new`.
        clean_up_timeout: Seconds that the code may go on once it has heard of a cancel.
        propagate_signals_to_parent: Whether a signal that is to be passed on goes to the run
            that called this one, too.
        on_task_failure: Is asked what to do about a call that failed, see
            `nbflow.FailureContext`.
        hooks: The functions that are told of its runs.
    """

    tags: tuple[str, ...] = ()
    task_priority: Priority = PRIORITY_NOT_SET
    retry: Retry = NO_RETRY
    raises_on_failure: bool = True
    idempotent: bool = False
    parent_close: ParentClose = "terminate"
    max_open_activity_count: int | None = None
    max_events: int | None = None
    clean_up_timeout: float = CLEAN_UP_TIMEOUT
    propagate_signals_to_parent: bool = True
    on_task_failure: Callable[..., Any] | None = None
    hooks: Hooks = NO_HOOKS

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Give these options with others in their place.

        Raises:
            DefinitionError: There is no such option, or it makes no sense.
        """
        given = self._steps_tagged(given)
        known = [name for name in WorkflowOptions.__dataclass_fields__ if name != "hooks"]
        unknown = sorted(set(given) - {*known, *HOOKS})
        if unknown:
            message = (
                f"unknown option {', '.join(unknown)} of a workflow: use "
                f"{', '.join([*known, *HOOKS])}"
            )
            raise DefinitionError(message)
        own = {name: _checked(name, given[name]) for name in given if name not in HOOKS}
        told = {name: given[name] for name in given if name in HOOKS}
        if told:
            before = {name: getattr(self.hooks, name) for name in HOOKS}
            own["hooks"] = Hooks.of({**before, **told})
        return replace(self, **own)

    def _steps_tagged(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give steps to force and to skip as tags, which are in the log of a run."""
        heads = {"force_steps": FORCE, "skip_steps": SKIP}
        if not heads.keys() & given.keys():
            return given
        tags = list(_tags(given.get("tags", self.tags)))
        for option, head in heads.items():
            tags += [f"{head}{step}" for step in _tags(given.get(option, ()), option)]
        return {**{k: v for k, v in given.items() if k not in heads}, "tags": tags}

    def of_child(self, task_list: str, version: str) -> Options:
        """Give them as the options of the call that the child run is."""
        options = Options(
            retry=self.retry,
            executor=CHILD,
            version=version,
            task_list=task_list,
            task_priority=self.task_priority,
            raises_on_failure=self.raises_on_failure,
            idempotent=self.idempotent,
        )
        object.__setattr__(options, "special", True)
        return options


def _checked(name: str, value: Any) -> Any:
    if name == "tags":
        return _tags(value)
    if name == "retry":
        return Retry.of(value)
    if name in _FLAGS and type(value) is not bool:
        message = f"{name} is True or False, not {value!r:.60}"
        raise DefinitionError(message)
    if name == "parent_close" and value not in get_args(ParentClose):
        message = f"parent_close is one of {', '.join(get_args(ParentClose))}, not {value!r:.60}"
        raise DefinitionError(message)
    if name in _COUNTS and value is not None and not _is_count(value):
        message = f"{name} is a whole number from 1, or None for any, not {value!r:.60}"
        raise DefinitionError(message)
    if name == "on_task_failure" and value is not None and not callable(value):
        message = f"on_task_failure is a function of a FailureContext, not {value!r:.60}"
        raise DefinitionError(message)
    if name == "clean_up_timeout" and not _is_time(value):
        message = f"clean_up_timeout is a number of seconds from 0, not {value!r:.60}"
        raise DefinitionError(message)
    return value


def _is_time(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value < math.inf  # type: ignore[operator]


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _tags(value: Any, what: str = "tags") -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        message = f"{what} are a list of words, not {value!r:.60}"
        raise DefinitionError(message)
    found = tuple(value)
    if not all(isinstance(tag, str) and tag.strip() for tag in found):
        message = f"{what} are words, and not {found!r:.60}"
        raise DefinitionError(message)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Child:
    """The workflow of a child call, and where it runs: what its executor starts a run of.

    Attributes:
        target: The workflow.
        place: Where its calls run; None is where the parent's do.
        settings: Its options.
        start: Starts a run of it outside a workflow, with the arguments of the call.
        signature: Of its arguments.
        changes: The options that this call has in the place of its own.
    """

    target: Any
    place: Any
    settings: WorkflowOptions
    start: Callable[..., Any] = field(compare=False)
    signature: inspect.Signature = field(compare=False)
    changes: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def __signature__(self) -> inspect.Signature:
        """What its activity is called with."""
        return self.signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it by itself and give its result: what `reproduce` of the call does."""
        return self.start(*args, **kwargs).result()


def ask(
    interpreter: Interpreter,
    child: Child,
    name: str,
    options: Options,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Future[Any]:
    """Ask for a child run in workflow code.

    Raises:
        RunError: The run is too deep in others for that.
        TypeError: The arguments do not fit.
    """
    depth = deep(interpreter.history)
    if depth >= MOST_DEEP:
        message = (
            f"run {interpreter.run} is the child of a child {depth} times over, so it cannot have "
            f"a child {name}: does a workflow call itself without end?"
        )
        raise RunError(message)
    body = getattr(child.target, "fn", None) or child.target.run
    call: Activity[..., Any] = Activity(name, child, options, fingerprint(body))
    return call.submit(*args, **kwargs)


def deep(history: History) -> int:
    """Tell how many runs there are around one."""
    parent = history.started.parent if history.started is not None else ""
    return parent.count("/") + 1 if parent else 0
