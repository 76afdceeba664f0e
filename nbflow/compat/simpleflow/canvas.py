"""Groups side by side, chains one after another, and groups that are made late."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nbflow.compat.simpleflow import futures
from nbflow.compat.simpleflow.activity import Activity
from nbflow.compat.simpleflow.base import Submittable, SubmittableContainer
from nbflow.compat.simpleflow.exceptions import AggregateException
from nbflow.compat.simpleflow.task import ActivityTask, WorkflowTask
from nbflow.core.future import current

if TYPE_CHECKING:
    from nbflow.compat.simpleflow.executor import Executor


class GroupFuture(futures.Future):
    """The results of a group, in the order of its items; they may be submitted bit by bit."""

    kind: ClassVar[str] = "group"

    def __init__(
        self,
        activities: list[Any],
        workflow: Any,
        max_parallel: int | None = None,
        bubbles_exception_on_failure: bool | None = True,  # noqa: FBT001, FBT002 - as known
    ) -> None:
        super().__init__()
        self.activities, self.workflow = activities, workflow
        self.max_parallel = max_parallel
        self.bubbles_exception_on_failure = bubbles_exception_on_failure
        self._begin()

    def _begin(self) -> None:
        self.futures: list[futures.Future] = []
        self._has_failed = self._going = False
        self._path = _path(self.kind)
        self._advance()

    def _advance(self) -> None:
        """Submit what may be submitted now, and say so if all is done."""
        if self._going or self.state == futures.FINISHED:
            return  # what was submitted was done at once: the loop below goes on
        self._going = True
        try:
            while self._may_submit():
                self._submit(self.activities[len(self.futures)])
        finally:
            self._going = False
        self.sync_state()
        if self.done:
            self._tell()

    def _may_submit(self) -> bool:
        limit = self.max_parallel or len(self.activities)
        return len(self.futures) < len(self.activities) and self._under_way < limit

    def _submit(self, item: Any) -> None:
        with _grouped(self._path):
            future = self.workflow.submit(item) or futures.finished()
        self.futures.append(future)
        future.when_done(self._advance)

    @property
    def _under_way(self) -> int:
        return sum(not future.done for future in self.futures)

    def sync_state(self) -> None:
        """Note how far it is."""
        whole = len(self.futures) == len(self.activities) or self._has_failed
        if whole and not self._under_way:
            self._state = futures.FINISHED
        elif self.futures:
            self._state = futures.RUNNING

    def wait(self) -> None:
        """Wait until all is done."""
        interpreter = current.get()
        while not self.done:
            if interpreter is None:
                super().wait()
            else:
                interpreter.step()

    @property
    def result(self) -> list[Any]:
        """All results, which are waited for; None for a failure that does not raise."""
        self.wait()
        return [future.result for future in self.futures]

    @property
    def exception(self) -> BaseException | None:
        """All errors as one, None if there is none or it is nobody else's business."""
        self.wait()
        for future in self.futures:
            _ = future.exception  # it was looked at
        return self.peek()[1]

    def peek(self) -> tuple[Any, BaseException | None]:
        """Give results and errors, without looking at them in the code's name."""
        found = [future.peek() for future in self.futures]
        errors = [error for _, error in found]
        bubbles = self.bubbles_exception_on_failure is not False and any(errors)
        return [value for value, _ in found], AggregateException(errors) if bubbles else None

    @property
    def count_finished_activities(self) -> int:
        """How many of its items are done."""
        return sum(future.finished for future in self.futures)


class ChainFuture(GroupFuture):
    """The results of a chain, as far as it came."""

    kind: ClassVar[str] = "chain"

    def __init__(
        self,
        activities: list[Any],
        workflow: Any,
        bubbles_exception_on_failure: bool | None,  # noqa: FBT001 - as known
        send_result: bool,  # noqa: FBT001 - as known
        break_on_failure: bool,  # noqa: FBT001 - as known
    ) -> None:
        self._sends, self._breaks = send_result, break_on_failure
        super().__init__(activities, workflow, 1, bubbles_exception_on_failure)

    def _may_submit(self) -> bool:
        last = self.futures[-1] if self.futures else None
        if last is not None and last.done and self._breaks and last.peek()[1] is not None:
            self._has_failed = True
        return not self._has_failed and super()._may_submit()

    def _submit(self, item: Any) -> None:
        if self.futures:
            before = self.futures[-1]
            _follow(before)
            if self._sends:
                item = _with_argument(item, before)
        super()._submit(item)


def _with_argument(item: Any, before: futures.Future) -> Any:
    """Give an item that has the result before it as its last argument."""
    if isinstance(item, ActivityTask):
        made = ActivityTask(item.activity, *item.args, before, **item.kwargs)
        made.raises_on_failure = item.raises_on_failure
        return made
    if not isinstance(getattr(item, "args", None), list):
        message = f"{item!r:.60} in a chain with send_result takes no result"
        raise TypeError(message)
    if isinstance(item, FuncGroup):
        return item.given(before.result)
    item.args.append(before)
    return item


def _path(kind: str) -> str:
    interpreter = current.get()
    if interpreter is None:
        return ""
    name = f"{kind}-{interpreter.number(f'canvas:{kind}')}"
    return f"{interpreter.group}/{name}" if interpreter.group else name


def _grouped(path: str) -> AbstractContextManager[None]:
    interpreter = current.get()
    return nullcontext() if interpreter is None else interpreter.grouped(path)


def _follow(before: futures.Future) -> None:
    """Have an arrow from what a chain had before to what it submits now."""
    interpreter = current.get()
    if interpreter is None:
        return
    if isinstance(before, futures.Asked) and before.named:
        interpreter.after(before.future)
    for inner in getattr(before, "futures", ()):
        _follow(inner)


class Group(SubmittableContainer):
    """Items that run side by side.

    Args:
        activities: Activities, workflows, tasks, groups, or tuples of an activity and arguments.
        max_parallel: How many may be under way at once.
        raises_on_failure: Of all that is in it.
        bubbles_exception_on_failure: Whether its failures are those of what is around it.
        future_class: Of what submitting it gives.
    """

    default_future_class: ClassVar[type[GroupFuture]] = GroupFuture

    def __init__(self, *activities: Any, **options: Any) -> None:
        self.activities: list[Any] = []
        self.max_parallel = options.pop("max_parallel", None)
        self.raises_on_failure = options.pop("raises_on_failure", None)
        self.bubbles_exception_on_failure = options.pop("bubbles_exception_on_failure", True)
        self.future_class: Callable[..., GroupFuture] = options.pop(
            "future_class", self.default_future_class
        )
        if options:
            message = f"{type(self).__name__} has no option {', '.join(sorted(options))}"
            raise TypeError(message)
        self.extend(activities)

    def append(self, submittable: Any, *args: Any, **kwargs: Any) -> None:
        """Add an item, with its arguments."""
        if isinstance(submittable, Submittable | SubmittableContainer):
            if args or kwargs:
                message = f"{submittable!r:.60} has its arguments: it takes no others"
                raise ValueError(message)
        elif isinstance(submittable, Activity):
            submittable = ActivityTask(submittable, *args, **kwargs)
        elif isinstance(submittable, type) and issubclass(submittable, Submittable):
            submittable = WorkflowTask(None, submittable, *args, **kwargs)
        else:
            message = f"an item is a task, a group, an activity or a workflow: {submittable!r:.60}"
            raise ValueError(message)  # noqa: TRY004 - the class that programs know
        if self.raises_on_failure is not None:
            submittable.propagate_attribute("raises_on_failure", self.raises_on_failure)
        self.activities.append(submittable)

    def extend(self, iterable: Iterable[Any]) -> None:
        """Add items; a tuple is one with its arguments."""
        for item in iterable:
            self.append(*(item if isinstance(item, tuple) else (item,)))

    def __iadd__(self, iterable: Iterable[Any]) -> Self:
        """Add items."""
        self.extend(iterable)
        return self

    def submit(self, executor: Executor) -> GroupFuture:
        """Submit what is in it."""
        return self.future_class(
            list(self.activities),
            executor.workflow,
            self.max_parallel,
            self.bubbles_exception_on_failure,
        )

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it, in all that is in it."""
        for item in self.activities:
            item.propagate_attribute(attr, val)

    def __repr__(self) -> str:
        """Give its items."""
        return f"<{type(self).__name__} of {self.activities!r}>"


class Chain(Group):
    """Items that run one after another.

    Args:
        activities: As of a `Group`.
        send_result: Hand each item the result before it, as its last argument.
        break_on_failure: End at the first failure.
        raises_on_failure: As of a `Group`; False keeps failures from what is around it, too.
        bubbles_exception_on_failure: As of a `Group`.
        future_class: As of a `Group`.
    """

    default_future_class: ClassVar[type[GroupFuture]] = ChainFuture

    def __init__(self, *activities: Any, **options: Any) -> None:
        self.send_result = options.pop("send_result", False)
        self.break_on_failure = options.pop("break_on_failure", True)
        if self.send_result and not self.break_on_failure:
            message = "send_result needs break_on_failure: after a failure there is nothing to send"
            raise ValueError(message)
        if options.get("raises_on_failure") is False:
            options.setdefault("bubbles_exception_on_failure", False)
        super().__init__(*activities, **options)

    def submit(self, executor: Executor) -> GroupFuture:
        """Submit the first item; the others follow."""
        return self.future_class(
            list(self.activities),
            executor.workflow,
            bubbles_exception_on_failure=self.bubbles_exception_on_failure,
            send_result=self.send_result,
            break_on_failure=self.break_on_failure,
        )


class FuncGroup(SubmittableContainer):
    """What a function gives when its turn comes: a group, a chain or a task.

    Args:
        func: The function.
        args: What it is called with.
        kwargs: The same by name; ``raises_on_failure``, of all that it gives; ``_allow_none``:
            whether it may give None, for nothing to do.
    """

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.func, self.args = func, list(args)
        self.raises_on_failure = kwargs.pop("raises_on_failure", None)
        self.allow_none = kwargs.pop("_allow_none", False)
        self.kwargs = kwargs
        self.activities: Any = None

    def given(self, value: Any) -> FuncGroup:
        """Give the same with one argument more."""
        made = FuncGroup(self.func, *self.args, value, **self.kwargs)
        made.raises_on_failure, made.allow_none = self.raises_on_failure, self.allow_none
        return made

    def submit(self, executor: Executor) -> futures.Future:
        """Call the function, and submit what it gives."""
        found = self.activities = self.func(*self.args, **self.kwargs)
        if found is None and self.allow_none:
            return futures.finished()
        if not isinstance(found, Submittable | SubmittableContainer):
            message = f"a FuncGroup's function gives a group or a task, not {found!r:.60}"
            raise TypeError(message)
        if self.raises_on_failure is not None:
            found.propagate_attribute("raises_on_failure", self.raises_on_failure)
        return executor.workflow.submit(found)  # type: ignore[no-any-return]

    def propagate_attribute(self, attr: str, val: Any) -> None:
        """Have an option of the group around it."""
        setattr(self, attr, val)
