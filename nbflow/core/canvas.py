"""Calls composed before they are asked for: groups side by side, chains one after another.

    >>> Chain(extract, Group((load, "eu"), (load, "us"), max_parallel=1), (tell, "done"))

Submitted in workflow code, a composition becomes a `CanvasFuture`, whose result is the list of
the results of its items. What it still has to ask for, it asks when workflow code has seen that
what it needs is settled: so the order of asking is that of the log, in a replay as in a first run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, overload

from nbflow.core.activity import Activity
from nbflow.core.composed import CanvasFuture, Item
from nbflow.core.errors import DefinitionError, FutureMisuse
from nbflow.core.future import Future, current

if TYPE_CHECKING:
    from nbflow.core.interpreter import Interpreter
    from nbflow.core.workflow import WorkflowFunction

P = ParamSpec("P")
T = TypeVar("T")

SEPARATOR: Final = "/"
"""Stands between the names of groups in `CallScheduled.group`, outermost first."""


class Canvas(ABC):
    """What groups, chains and late groups have in common. Not to be made itself."""

    kind = "canvas"

    def __init__(self, *, raises_on_failure: bool | None, name: str) -> None:
        if raises_on_failure not in {None, True, False}:
            message = f"raises_on_failure is True, False or None, not {raises_on_failure!r:.60}"
            raise DefinitionError(message)
        given: Any = name
        if not isinstance(given, str) or SEPARATOR in given:
            message = f"the name of a {self.kind} is text without {SEPARATOR!r}, not {name!r:.60}"
            raise DefinitionError(message)
        self.raises_on_failure = raises_on_failure
        self.name = name

    def submit(self) -> CanvasFuture:
        """Ask for it in workflow code, and give the future of all of its results.

        Raises:
            FutureMisuse: It is not workflow code.
        """
        interpreter = current.get()
        if interpreter is None:
            message = (
                f"a {self.kind} is submitted in workflow code, where its calls belong to a run"
            )
            raise FutureMisuse(message)
        return self._begin(interpreter, (), raises=True)

    def __call__(self) -> CanvasFuture:
        """Do as `submit` does."""
        return self.submit()

    @abstractmethod
    def _begin(
        self, interpreter: Interpreter, extra: tuple[Any, ...], *, raises: bool
    ) -> CanvasFuture:
        """Ask for what can be asked for at once; `extra` are results handed on by a chain."""

    def _says(self, *, inherited: bool) -> bool:
        """Tell whether a failure of it counts, given what the composition around it says."""
        return inherited if self.raises_on_failure is None else self.raises_on_failure

    def _path(self, interpreter: Interpreter) -> str:
        """Give the names of the groups around it and its own."""
        name = self.name or f"{self.kind}-{interpreter.number('canvas:' + self.kind)}"
        around = interpreter.group
        return f"{around}{SEPARATOR}{name}" if around else name


class _Items(Canvas):
    """A composition of items that are known from the start."""

    def __init__(self, items: Iterable[Any], *, raises_on_failure: bool | None, name: str) -> None:
        super().__init__(raises_on_failure=raises_on_failure, name=name)
        self.items: list[Item] = [read_item(one) for one in items]

    def append(self, target: Any, *args: Any, **kwargs: Any) -> Self:
        """Add an item, with its arguments."""
        self.items.append(read_item(target, args, kwargs))
        return self

    def extend(self, items: Iterable[Any]) -> Self:
        """Add items as the constructor takes them."""
        self.items.extend([read_item(one) for one in items])
        return self

    def __iadd__(self, items: Iterable[Any]) -> Self:
        """Add items as the constructor takes them."""
        return self.extend(items)

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)

    def __repr__(self) -> str:
        """Give what kind it is of and how many items it has."""
        return f"<{type(self).__name__} {self.name or self.kind} of {len(self.items)}>"


class Group(_Items):
    """Items that run side by side.

    Args:
        items: Activities, workflows and compositions; one with arguments is a tuple, as in
            ``(fetch, "eu")``.
        max_parallel: How many items may be under way at once; None for all.
        raises_on_failure: False: a failure leaves None in the result, and does not fail the run.
            None: as the composition around it says, True for the outermost.
        name: What pictures call it; a number by default.
        future_class: Of what ``submit`` gives: a subclass of `CanvasFuture`.

    Raises:
        DefinitionError: An item cannot be asked for, or an option makes no sense.

    Example:
        >>> parts = Group(*[(fetch, region) for region in regions], max_parallel=4).submit()
        >>> parts.result()
    """

    kind = "group"

    def __init__(
        self,
        *items: Any,
        max_parallel: int | None = None,
        raises_on_failure: bool | None = None,
        name: str = "",
        future_class: type[CanvasFuture] = CanvasFuture,
    ) -> None:
        super().__init__(items, raises_on_failure=raises_on_failure, name=name)
        self.future_class = check_future_class(future_class)
        if max_parallel is not None and (type(max_parallel) is not int or max_parallel < 1):
            message = f"max_parallel is a number from 1, or None for no limit: {max_parallel!r:.60}"
            raise DefinitionError(message)
        self.max_parallel = max_parallel

    def _begin(
        self, interpreter: Interpreter, extra: tuple[Any, ...], *, raises: bool
    ) -> CanvasFuture:
        return self.future_class(
            interpreter,
            self._path(interpreter),
            [item._replace(args=(*item.args, *extra)) for item in self.items],
            ask_for,
            raises=self._says(inherited=raises),
            most=self.max_parallel,
        )


class Chain(_Items):
    """Items that run one after another.

    Args:
        items: As of a `Group`.
        send_result: Hand each item the result of the one before, as its last argument.
        break_on_failure: Stop at the first failure. The result then ends there.
        raises_on_failure: As of a `Group`.
        name: What pictures call it; a number by default.
        future_class: Of what ``submit`` gives: a subclass of `CanvasFuture`.

    Raises:
        DefinitionError: An item cannot be asked for, or an option makes no sense.

    Example:
        >>> Chain((fetch, "eu"), convert, store, send_result=True).submit().result()[-1]
    """

    kind = "chain"

    def __init__(
        self,
        *items: Any,
        send_result: bool = False,
        break_on_failure: bool = True,
        raises_on_failure: bool | None = None,
        name: str = "",
        future_class: type[CanvasFuture] = CanvasFuture,
    ) -> None:
        super().__init__(items, raises_on_failure=raises_on_failure, name=name)
        self.future_class = check_future_class(future_class)
        if send_result and not break_on_failure:
            message = "send_result needs break_on_failure: after a failure there is nothing to send"
            raise DefinitionError(message)
        self.send_result, self.break_on_failure = send_result, break_on_failure

    def _begin(
        self, interpreter: Interpreter, extra: tuple[Any, ...], *, raises: bool
    ) -> CanvasFuture:
        items = list(self.items)
        if items:
            items[0] = items[0]._replace(args=(*items[0].args, *extra))
        return self.future_class(
            interpreter,
            self._path(interpreter),
            items,
            ask_for,
            raises=self._says(inherited=raises),
            most=1,
            chained=True,
            send=self.send_result,
            breaks=self.break_on_failure,
        )


class FuncGroup(Canvas):
    """A composition that is made when its turn comes, by a function of the workflow's code.

    In a chain with ``send_result`` the function gets the result before it, as a value.

    Args:
        func: Gives a composition, an activity, a tuple of one with its arguments, or a list of
            these, which becomes a `Group`.
        args: What it is called with.
        allow_none: Let it give None for nothing to do.
        raises_on_failure: As of a `Group`.
        name: What pictures call it; a number by default.
        kwargs: What it is called with.

    Example:
        >>> Chain(list_files, FuncGroup(lambda files: [(load, f) for f in files]), send_result=True)
    """

    kind = "func"

    def __init__(
        self,
        func: Callable[..., Any],
        *args: Any,
        allow_none: bool = False,
        raises_on_failure: bool | None = None,
        name: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(raises_on_failure=raises_on_failure, name=name)
        given: Any = func
        if not callable(given) or isinstance(given, Activity | Canvas):
            message = f"FuncGroup takes a function that gives a group, not {func!r:.60}"
            raise DefinitionError(message)
        self.func, self.args, self.kwargs, self.allow_none = func, args, kwargs, allow_none

    def _begin(
        self, interpreter: Interpreter, extra: tuple[Any, ...], *, raises: bool
    ) -> CanvasFuture:
        values = [e.result() if isinstance(e, Future) else e for e in extra]
        path = self._path(interpreter)
        with interpreter.grouped(path):
            made = self.func(*self.args, *values, **self.kwargs)
            if made is None and self.allow_none:
                made = Group(name="nothing")
            elif isinstance(made, list):
                made = Group(*made)
            canvas = made if isinstance(made, Canvas) else Group(read_item(made))
            return canvas._begin(interpreter, (), raises=self._says(inherited=raises))  # noqa: SLF001


def check_future_class(given: Any) -> type[CanvasFuture]:
    """Give the class of a composition's future.

    Raises:
        DefinitionError: It is none.
    """
    if isinstance(given, type) and issubclass(given, CanvasFuture):
        return given
    message = f"future_class is a subclass of nbflow.CanvasFuture, not {given!r:.60}"
    raise DefinitionError(message)


@overload
def submit(target: Activity[..., T], *args: Any, **kwargs: Any) -> Future[T]: ...
@overload
def submit(target: WorkflowFunction[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
@overload
def submit(target: Any, *args: Any, **kwargs: Any) -> Future[Any]: ...
def submit(target: Any, *args: Any, **kwargs: Any) -> Future[Any]:
    """Ask for an activity, a workflow or a composition in workflow code.

    Raises:
        DefinitionError: It is none of these.
        FutureMisuse: It is not workflow code.

    Example:
        >>> future = nbflow.submit(Group((fetch, "eu"), (fetch, "us")))
    """
    interpreter = current.get()
    if interpreter is None:
        message = "submit() is for workflow code. To begin a run, write start(...) on a workflow"
        raise FutureMisuse(message)
    return ask_for(interpreter, read_item(target, args, kwargs), (), True)  # noqa: FBT003


def ask_for(
    interpreter: Interpreter,
    item: Item,
    extra: tuple[Any, ...],
    raises: bool,  # noqa: FBT001 - as `Ask` has it
) -> Future[Any]:
    """Ask for an item, as `Ask` has it."""
    target = item.target
    if isinstance(target, Canvas):
        return target._begin(interpreter, (*item.args, *extra), raises=raises)  # noqa: SLF001
    ask = target.submit if isinstance(target, Activity) else target.start
    return ask(*item.args, *extra, **item.kwargs)


def read_item(one: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Item:
    """Give what is to be asked for.

    Raises:
        DefinitionError: It is nothing that can be.
    """
    if isinstance(one, Item):
        return one
    if type(one) is tuple and one and not args and not kwargs:
        return read_item(one[0], one[1:])
    if isinstance(one, Canvas):
        if args or kwargs:
            message = f"a {one.kind} takes no arguments: its items have them"
            raise DefinitionError(message)
        return Item(one)
    if isinstance(one, Activity) or callable(getattr(one, "start", None)):
        return Item(one, args, kwargs or {})
    message = (
        f"an item is an activity, a workflow, a group, or a tuple of one and its arguments, "
        f"not {one!r:.60}"
    )
    raise DefinitionError(message)
