"""The future of a composition: what it still has to ask for, and what has come of it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nbflow.core.describe import error_of
from nbflow.core.errors import AggregateException, FutureMisuse, NondeterminismError, StoreError
from nbflow.core.future import Future, Gathered, current, leaves, within

if TYPE_CHECKING:
    from nbflow.core.interpreter import Interpreter


class Item(NamedTuple):
    """One thing to be asked for, with its arguments: an activity, a workflow or a composition."""

    target: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - never changed


Ask = Callable[[Any, Item, tuple[Any, ...], bool], Future[Any]]
"""Asks for an item, with arguments behind its own; and whether its failure counts."""


class CanvasFuture(Gathered[Any]):
    """The results of a composition, which may not all be there or even asked for yet.

    Made by `Canvas.submit`. Its result is the list of those of its items, in their order.
    """

    __slots__ = (
        "_asks",
        "_breaks",
        "_callbacks",
        "_chained",
        "_errors",
        "_going",
        "_items",
        "_late",
        "_most",
        "_open",
        "_path",
        "_raises",
        "_send",
        "members",
    )

    def __init__(  # noqa: PLR0913 - what its composition says
        self,
        interpreter: Interpreter,
        path: str,
        items: list[Item],
        ask: Ask,
        *,
        raises: bool,
        most: int | None,
        chained: bool = False,
        send: bool = False,
        breaks: bool = False,
    ) -> None:
        self._interpreter = interpreter
        self._path, self._items, self._asks = path, items, ask
        self._raises, self._most = raises, most
        self._chained, self._send, self._breaks = chained, send, breaks
        self._open = 0
        self._going = self._late = False
        self._errors: dict[int, BaseException] = {}
        self._callbacks: list[Callable[[], object]] = []
        self.members: list[Future[Any]] = []
        """The futures of the items that were asked for."""
        self._go()
        self._late = True

    # ------------------------------------------------------------ asking

    def _go(self) -> None:
        """Ask for what may be asked for now."""
        if self._going:
            return  # an item was settled at once: the loop below goes on
        self._going = True
        try:
            while self._items and (self._most is None or self._open < self._most):
                item, self._items = self._items[0], self._items[1:]
                self._ask(item)
        finally:
            self._going = False
        if self.complete:
            callbacks, self._callbacks = self._callbacks, []
            for fn in callbacks:
                fn()

    def _ask(self, item: Item) -> None:
        interpreter, index = self._interpreter, len(self.members)
        before = self.members[-1] if self.members and self._chained else None
        extra = (before,) if before is not None and self._send else ()
        if before is not None:
            interpreter.after(before)
        try:
            with interpreter.grouped(self._path):
                member = self._asks(interpreter, item, extra, self._raises)
        except (NondeterminismError, StoreError):
            raise
        except Exception as error:
            if not self.members and not self._late:
                raise  # where it was submitted: there is the code that is at fault
            member = Broken(error, f"{self._path}[{index}]")
        self.members.append(member)
        self._open += 1
        member.add_done_callback(lambda _: self._settled(index, member))

    def _settled(self, index: int, member: Future[Any]) -> None:
        self._open -= 1
        error = _error(member)
        if error is not None:
            self._errors[index] = error
            if not self._raises:
                _forgive(member)
            if self._breaks:
                self._items = []
        self._go()

    # ------------------------------------------------------------ seeing

    @property
    def complete(self) -> bool:
        """Whether everything was asked for and workflow code has seen it settled."""
        return not self._items and not self._open and not self._going

    @property
    def call(self) -> str:
        """What it stands for, in messages."""
        return self._path

    @property
    def futures(self) -> list[Any]:  # type: ignore[override]
        """Its items' futures, once all were asked for; None for a failure that counts for none."""
        while self._items:
            self._interpreter.step()
        return [None if i in self._errors and not self._raises else m for i, m in self._numbered()]

    def _numbered(self) -> list[tuple[int, Future[Any]]]:
        return list(enumerate(self.members))

    def leaves(self) -> list[Future[Any]]:
        """Give the futures of all its calls, those of compositions in it too, as `futures` does."""
        while self._items:
            self._interpreter.step()
        return [leaf for m in self.members for leaf in leaves(m)]

    def settle(self) -> None:
        """Wait until it is complete."""
        if current.get() is not self._interpreter and not self.complete:
            message = f"{self.call} is not complete, and only its own workflow can wait for it"
            raise FutureMisuse(message)
        while not self.complete:
            self._interpreter.step()

    def result(self) -> list[Any]:
        """Give all results in order, waiting for them.

        Raises:
            AggregateException: Some failed, unless ``raises_on_failure`` is False: then None
                stands for them.
        """
        self.settle()
        error = self.exception() if self._raises else None
        if error is not None:
            raise error
        return [None if i in self._errors else m.result() for i, m in self._numbered()]

    def exception(self) -> AggregateException | None:
        """Give all errors as one, waiting for all, or None if there is none."""
        self.settle()
        for index in self._errors:
            self.members[index].exception()  # it was looked at
        return self.error()

    def error(self) -> AggregateException | None:
        """Give the errors so far as one, or None."""
        if not self._errors:
            return None
        errors = [self._errors.get(i) for i in range(len(self.members))]
        return AggregateException.of(f"of {self._path}", errors)

    @property
    def bubbles(self) -> bool:
        """Whether its failures are failures of what is around it."""
        return self._raises

    @property
    def seen(self) -> bool:
        """Whether workflow code has seen that it is complete."""
        return self.complete

    def done(self) -> bool:
        """Whether all of it is settled, where `Future.done` may be asked."""
        return not self._items and all(member.done() for member in self.members)

    def abandon(self) -> None:
        """Ask for nothing more, and give up what is not settled."""
        self._items = []
        for member in self.members:
            member.abandon()

    @property
    def finished(self) -> int:
        """How many of its items workflow code has seen settled."""
        return len(self.members) - self._open

    def add_done_callback(
        self, fn: Callable[[Future[Any]], object], *, context: Context | None = None
    ) -> None:
        """Call ``fn(self)`` once it is complete."""
        call: Callable[..., object] = fn if context is None else within(context, fn)
        if self.complete:
            call(self)
        else:
            self._callbacks.append(partial(call, self))

    def remove_done_callback(self, fn: Callable[[Future[Any]], object]) -> int:
        """Drop what `add_done_callback` was given; give how often it was."""
        left = [one for one in self._callbacks if getattr(one, "func", one) != fn]
        dropped = len(self._callbacks) - len(left)
        self._callbacks = left
        return dropped


class Broken(Gathered[Any]):
    """The future of an item that could not be asked for: it has failed with that error."""

    __slots__ = ("_name", "problem")

    def __init__(self, problem: Exception, name: str) -> None:
        super().__init__([])
        self.problem, self._name = problem, name

    @property
    def call(self) -> str:
        """What it stands for, in messages."""
        return self._name

    def result(self) -> list[Any]:
        """Raise why it could not be asked for."""
        raise self.problem

    def exception(self) -> BaseException | None:
        """Give why it could not be asked for."""
        return self.problem


def _error(member: Future[Any]) -> BaseException | None:
    """Give what a settled item failed with, without looking at it in the code's name."""
    if isinstance(member, Broken):
        return member.problem
    if isinstance(member, CanvasFuture):
        return member.error() if member.bubbles else None
    state = member._state  # noqa: SLF001 - the other half of Future
    return error_of(state) if state.failed and not state.ignored else None


def _forgive(member: Future[Any]) -> None:
    """Let the failures of an item not fail the run."""
    for leaf in leaves(member):
        state = leaf._state  # noqa: SLF001 - the other half of Future
        if state.failed:
            state.seen = True
            if state.because is not None:
                state.because.seen = True
