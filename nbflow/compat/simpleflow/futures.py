"""Futures whose result, state and error are attributes.

To read ``future.result`` waits: nothing is executed again for it. What is `finished` is what the
workflow's code has seen so far, so that it is the same when a run is resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nbflow.compat.simpleflow.exceptions import ExecutionBlocked, of_task
from nbflow.core.describe import error_of

if TYPE_CHECKING:
    import nbflow

FIRST_COMPLETED: Final = "FIRST_COMPLETED"
FIRST_EXCEPTION: Final = "FIRST_EXCEPTION"
ALL_COMPLETED: Final = "ALL_COMPLETED"
PENDING: Final = "PENDING"
RUNNING: Final = "RUNNING"
CANCELLED: Final = "CANCELLED"
CANCELLED_AND_NOTIFIED: Final = "CANCELLED_AND_NOTIFIED"
FINISHED: Final = "FINISHED"


class Future:
    """The result of something that was submitted."""

    def __init__(self) -> None:
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[], object]] = []

    def wait(self) -> Any:
        """Wait until it is done, and give its result.

        Raises:
            ExecutionBlocked: Nobody knows when that will be.
        """
        raise ExecutionBlocked

    @property
    def result(self) -> Any:
        """Its result, which is waited for; None if it failed and does not raise."""
        return self._result if self.done else self.wait()

    @property
    def exception(self) -> BaseException | None:
        """What it failed with, or None; it is waited for."""
        if self.state != FINISHED:
            self.wait()
        return self._exception

    @property
    def state(self) -> str:
        """One of ``PENDING RUNNING CANCELLED FINISHED``."""
        return self._state

    def cancel(self) -> bool:
        """Give it up, unless it is finished; tell whether that was so."""
        if self.finished:
            return False
        self._state = CANCELLED
        return True

    @property
    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self.state == CANCELLED

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.state == RUNNING

    @property
    def finished(self) -> bool:
        """Whether it has come to an end."""
        return self.state == FINISHED

    @property
    def pending(self) -> bool:
        """Whether it has not begun."""
        return self.state == PENDING

    @property
    def done(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in {CANCELLED, FINISHED}

    def set_running(self) -> None:
        """Note that it is under way."""
        self._state = RUNNING

    def set_finished(self, result: Any) -> None:
        """Give it a result."""
        self._state, self._result = FINISHED, result

    def set_exception(self, exception: BaseException | None) -> None:
        """Note what it failed with."""
        self._state, self._exception = FINISHED, exception

    def set_cancelled(self) -> None:
        """Note that it was given up."""
        self._state = CANCELLED

    # ------------------------------------------------------------ for groups

    def peek(self) -> tuple[Any, BaseException | None]:
        """Give result and error of one that is done, without looking at it in the code's name."""
        return self._result, self._exception

    def when_done(self, fn: Callable[[], object]) -> None:
        """Call a function once it is done, as far as the code has seen."""
        if self.done:
            fn()
        else:
            self._callbacks.append(fn)

    def _tell(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for fn in callbacks:
            fn()

    def __repr__(self) -> str:
        """Give where it stands."""
        return f"<{type(self).__name__} state={self.state.lower()}>"


class Asked(Future):
    """The future of something that the run has been asked for.

    Args:
        future: That of nbflow.
        name: Of the task, for errors.
        raises: Whether to read the result of one that failed raises what it failed with.
    """

    def __init__(self, future: nbflow.Future[Any], name: str, *, raises: bool) -> None:
        super().__init__()
        self.future, self.name, self.raises = future, name, raises

    @property
    def state(self) -> str:
        """As far as the code has seen."""
        if self._state == CANCELLED:
            return CANCELLED
        if not self.future.seen:
            return RUNNING
        return CANCELLED if self._call_state.status == "cancelled" else FINISHED

    @property
    def named(self) -> bool:
        """Whether it is of a call, rather than of a signal or a timer."""
        return bool(self._call_state.name)

    @property
    def _call_state(self) -> Any:
        return self.future._state  # noqa: SLF001 - the other half of it

    @property
    def result(self) -> Any:
        """Its result, which is waited for; None if it failed and does not raise."""
        error = self.exception
        if error is not None and self.raises:
            raise error
        return None if error is not None or self.cancelled else self.future.result()

    @property
    def exception(self) -> BaseException | None:
        """What it failed with, or None; it is waited for."""
        if self._state == CANCELLED:
            return None
        error = self.future.exception()
        return None if error is None else of_task(self.name, error)

    def cancel(self) -> bool:
        """Give it up, unless it is finished; tell whether that was so."""
        if self.done:
            return self.cancelled
        self.future.abandon()
        return super().cancel()

    def peek(self) -> tuple[Any, BaseException | None]:
        """Give result and error, without looking at it in the code's name."""
        state = self._call_state
        if self.cancelled:
            return None, None
        if state.failed:
            return None, of_task(self.name, error_of(state))
        return self.future.result(), None

    def when_done(self, fn: Callable[[], object]) -> None:
        """Call a function once it is done, as far as the code has seen."""
        self.future.add_done_callback(lambda _: fn())


def wait(*fs: Future) -> list[Any]:
    """Wait for all, and give their results.

    Example:
        >>> first, second = futures.wait(self.submit(fetch, 1), self.submit(fetch, 2))
    """
    return [future.result for future in fs]


def get_result_or_raise(future: Future) -> Any:
    """Give the result of one, waiting for it."""
    return future.result


def raw(value: Any) -> Any:
    """Give a value with nbflow's own futures in it, at any depth of lists, tuples and dicts."""
    if isinstance(value, Asked):
        return None if value.cancelled else value.future
    if isinstance(value, Future):
        return value.result
    if type(value) in {list, tuple}:
        return type(value)(raw(item) for item in value)
    if type(value) is dict:
        return {key: raw(item) for key, item in value.items()}
    return value


def plain(value: Any) -> Any:
    """Give a value with the results of futures in it, waiting for them."""
    if isinstance(value, Future):
        return value.result
    if type(value) in {list, tuple}:
        return type(value)(plain(item) for item in value)
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    return value


def finished(result: Any = None) -> Future:
    """Give one that is finished."""
    made = Future()
    made.set_finished(result)
    return made
