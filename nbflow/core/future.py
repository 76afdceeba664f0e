"""The value that a call will have. Passing it on makes an edge; ``result()`` waits for it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Sequence
from contextvars import Context, ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from nbflow.core.errors import FutureMisuse

if TYPE_CHECKING:
    from nbflow.core.call import CallState
    from nbflow.core.interpreter import Interpreter

T = TypeVar("T")
_SHOWN = 3

current: ContextVar[Interpreter | None] = ContextVar("nbflow_interpreter", default=None)
"""The interpreter that runs the workflow code of this context."""


class Future(Generic[T]):
    """The result of a call that may not have happened yet.

    Hand it to another call to make a data edge, put it into the workflow's result, or write
    ``future.result()`` where the code needs the value itself. Two futures are equal only if they
    are the same one, so they can live in sets and as keys.
    """

    __slots__ = ("__weakref__", "_interpreter", "_state")

    def __init__(self, state: CallState, interpreter: Interpreter) -> None:
        self._state = state
        self._interpreter = interpreter

    @property
    def call(self) -> str:
        """Id of the call, ``name-N``."""
        return self._state.id

    @property
    def seen(self) -> bool:
        """Whether it is settled as far as its workflow's code has seen: the same in a replay."""
        return 0 <= self._state.index < self._interpreter.position

    def result(self) -> T:
        """Give the call's result, waiting for it; raise the activity's own error if it failed.

        Raises:
            FutureMisuse: Asked from outside its workflow before it is settled.
        """
        return self._interpreter.value(self._state)  # type: ignore[no-any-return]

    def exception(self) -> BaseException | None:
        """Give the error that the call ended with, waiting for it, or None if it succeeded."""
        return self._interpreter.exception(self._state)

    def done(self) -> bool:
        """Whether the call is settled. For use outside its workflow, and in coroutines.

        In an ``async def`` workflow it is whether the code has seen that, as for asyncio's own
        futures.

        Raises:
            FutureMisuse: Asked by other workflow code, whose path must not depend on timing.
        """
        if current.get() is self._interpreter:
            if self._interpreter.loop is not None:
                return self.seen
            message = (
                f"{self.call}.done() would let timing decide what the workflow does, so that it "
                "could not be resumed: write nbflow.wait([...], return_when='FIRST_COMPLETED') or "
                "nbflow.as_completed([...])"
            )
            raise FutureMisuse(message)
        return self._state.index >= 0

    def cancelled(self) -> bool:
        """Whether it was cancelled; to be asked where `done` may be."""
        return self.done() and self._state.status == "cancelled"

    def add_done_callback(
        self,
        fn: Callable[[Future[T]], object],
        *,
        context: Context | None = None,
    ) -> None:
        """Call ``fn(future)`` once it is settled, in the workflow's own thread.

        It is called when the workflow next waits for something, in the order in which calls were
        settled, so that a replay does the same.

        Args:
            fn: The function.
            context: The context variables that it sees; those of whoever waits by default.
        """
        call: Callable[..., object] = fn if context is None else within(context, fn)
        self._interpreter.on_settled(self._state, partial(call, self))

    def remove_done_callback(self, fn: Callable[[Future[T]], object]) -> int:
        """Drop what `add_done_callback` was given; give how often it was."""
        return self._interpreter.off_settled(self._state, fn)

    def abandon(self) -> None:
        """Give up the call, since the code that awaited it is cancelled."""
        self._interpreter.give_up(self._state)

    def __hash__(self) -> int:
        """Hash by the call's id, so that a set of futures has the same order in a replay."""
        return zlib.crc32(self.call.encode())

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for it in an ``async def`` workflow.

        Raises:
            FutureMisuse: This is no coroutine of a workflow.
        """
        interpreter = current.get()
        if interpreter is None or interpreter.loop is None:
            message = (
                f"await {self.call} is for an async def workflow: write future.result() in any "
                "other, and await run for a whole run"
            )
            raise FutureMisuse(message)
        return (yield from interpreter.loop.awaiting(self))  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """Give the call's id and where it stands, to its own workflow only as far as it has seen.

        A text that workflow code makes of it may become an argument: timing must not show there.
        """
        if current.get() is self._interpreter and not self.seen:
            return f"<Future {self.call}>"
        return f"<Future {self.call} {self._state.status}>"

    def __format__(self, spec: str) -> str:
        """Give what ``repr`` does; teach whoever wants to format the value."""
        return self._teach() if spec else repr(self)

    def __getattr__(self, name: str) -> NoReturn:
        """Teach: attributes belong to the value."""
        if name.startswith("_"):
            raise AttributeError(name)
        message = (
            f"the Future of {self.call} has no attribute {name!r}. If it belongs to the value, "
            f"write future.result().{name}"
        )
        raise AttributeError(message)

    def __reduce__(self) -> NoReturn:
        """Refuse: a Future means something in its own run only."""
        message = f"the Future of {self.call} cannot be stored: hand it to an activity as it is"
        raise FutureMisuse(message)

    def _teach(self, *_: object) -> NoReturn:
        message = (
            f"the Future of {self.call} has no value yet: write future.result() to wait for it, "
            "or pass the Future itself to an activity"
        )
        raise FutureMisuse(message)

    __bool__ = __iter__ = __len__ = __getitem__ = __contains__ = __call__ = _teach
    __lt__ = __le__ = __gt__ = __ge__ = _teach
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = _teach
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _teach
    __divmod__ = __rdivmod__ = __pow__ = __rpow__ = __lshift__ = __rshift__ = _teach
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _teach
    __neg__ = __pos__ = __abs__ = __invert__ = _teach
    __int__ = __float__ = __complex__ = __index__ = __round__ = __enter__ = _teach


class Gathered(Future[list[T]]):
    """Several futures as one, whose result is the list of theirs. Made by `gather`."""

    __slots__ = ("_waiting", "futures")

    def __init__(self, futures: Sequence[Future[T]]) -> None:
        self.futures = list(futures)
        self._waiting: list[Callable[..., object]] = []

    @property
    def call(self) -> str:
        """What it stands for, in messages."""
        shown = [future.call for future in self.futures[:_SHOWN]]
        more = ["…"] if len(self.futures) > _SHOWN else []
        return f"gather({', '.join(shown + more)})"

    def result(self) -> list[T]:
        """Give all results in order, waiting for them; raise the first error in that order."""
        interpreter = current.get()
        if interpreter is not None:
            return interpreter.values(self.futures)
        return [future.result() for future in self.futures]

    def exception(self) -> BaseException | None:
        """Give the first error in order, waiting for all, or None."""
        errors = [future.exception() for future in self.futures]
        return next((error for error in errors if error is not None), None)

    def leaves(self) -> list[Future[Any]]:
        """Give the futures of all its calls."""
        return [leaf for future in self.futures for leaf in leaves(future)]

    @property
    def seen(self) -> bool:
        """Whether all are, see `Future.seen`."""
        return all(future.seen for future in self.futures)

    def done(self) -> bool:
        """Whether all are settled, where `Future.done` may be asked."""
        return all(future.done() for future in self.futures)

    def cancelled(self) -> bool:
        """Whether one of them was cancelled."""
        return any(future.cancelled() for future in self.futures)

    def abandon(self) -> None:
        """Give up those that are not settled."""
        for future in self.futures:
            future.abandon()

    def add_done_callback(
        self, fn: Callable[[Future[list[T]]], object], *, context: Context | None = None
    ) -> None:
        """Call ``fn(self)`` once all are settled."""
        left = len(self.futures)
        self._waiting.append(fn)
        if not left:
            fn(self)

        def one(_: object) -> None:
            nonlocal left
            left -= 1
            if not left and fn in self._waiting:
                fn(self)

        for future in self.futures:
            future.add_done_callback(one, context=context)

    def remove_done_callback(self, fn: Callable[[Future[list[T]]], object]) -> int:
        """Drop what `add_done_callback` was given; give how often it was."""
        before = len(self._waiting)
        self._waiting = [one for one in self._waiting if one != fn]
        return before - len(self._waiting)

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Future[T]]]]:  # type: ignore[override]
        """Store it as the list of its futures."""
        return list, (self.futures,)

    def __repr__(self) -> str:
        """Give what it stands for."""
        return f"<{self.call}>"


def within(context: Context, fn: Callable[..., object]) -> Callable[..., object]:
    """Have a function called with context variables of its own."""

    def call(*args: object) -> object:
        return context.run(fn, *args)

    return call


def leaves(future: Future[Any]) -> list[Future[Any]]:
    """Give the futures of calls that a future stands for."""
    return future.leaves() if isinstance(future, Gathered) else [future]


def call_id(value: object) -> str | None:
    """Give the call id of a Future and None for anything else, for `payload.pack`."""
    return value.call if type(value) is Future else None
