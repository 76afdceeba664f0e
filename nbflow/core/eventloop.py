"""The event loop of ``async def`` workflows: what wakes up which coroutine follows from the log.

It has no thread, socket, signal or clock. It runs what is ready, in the order in which it became
so; when nothing is, the code sees one more settled call, and that wakes up who waits for it. So a
replay wakes them up in the same order, whatever the timing was. The time is that of the log, and
a delay is a timer in the log. Whatever cannot be so is refused, with the name of what can.

This module loads asyncio, so it is imported where an ``async def`` is first run.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio import events as _events
from asyncio import tasks as _tasks
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import Cancelled, Continued, Suspended
from nbflow.core.future import Future, Gathered
from nbflow.core.looprules import foreign, refusal, refuse_unordered

if TYPE_CHECKING:
    from nbflow.core.call import CallState
    from nbflow.core.interpreter import Interpreter

_log = logging.getLogger("nbflow")
_STOPPING = (Suspended, Continued, Cancelled)
ROUNDS: Final = 10_000
"""So many rounds of what is ready may pass before code that polls gets to see something new."""
_SLEEPS: Final = "_set_result_unless_cancelled"
"""The callback by which `asyncio.sleep` ends."""


class _Numbered:
    """Hashes by its number: sets of such things have the same order in each process."""

    _number: int

    def __hash__(self) -> int:
        return self._number


class LogTask(_Numbered, asyncio.Task[Any]):
    """A task of a workflow's code."""

    def __init__(self, number: int, coroutine: Any, loop: LogLoop, **options: Any) -> None:
        self._number = number
        super().__init__(coroutine, loop=loop, **options)


class LogFuture(_Numbered, asyncio.Future[Any]):
    """A future of a workflow's code, which is told if whoever awaits it is cancelled."""

    def __init__(
        self, number: int, loop: LogLoop, given_up: Callable[[], object] | None = None
    ) -> None:
        self._number = number
        self._given_up = given_up
        super().__init__(loop=loop)

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, as `asyncio.Future.cancel`."""
        done = super().cancel(msg)
        if done and self._given_up is not None:
            self._given_up()
        return done


class LogLoop(asyncio.AbstractEventLoop):
    """Drives the coroutines of one execution of a workflow's code.

    Args:
        interpreter: Tells what the code may see.

    Attributes:
        fatal: What stops the code as a whole, whichever coroutine it came up in.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self.fatal: BaseException | None = None
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: dict[int, CallState] = {}
        self._awaited: dict[int, int] = {}
        self._open: dict[LogTask, None] = {}
        self._failed: list[LogTask] = []
        self._generators: list[AsyncGeneratorType[Any, Any]] = []
        self._main: LogTask | None = None
        self._numbers = 0
        self._rounds = 0
        self._debug = self._closed = False

    # ------------------------------------------------------------ driving

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine, and the tasks that it makes, to the end.

        Raises:
            BaseException: What it raised, or a task whose error nobody looked at.
        """
        with self._running():
            try:
                self._main = self.create_task(coroutine, name="workflow")
                self._go(self._main)
                self._wind_up()
            except BaseException:
                self._abandon()
                raise
            finally:
                self._closed = True
        return self._outcome(self._main)

    def _outcome(self, main: LogTask) -> Any:
        """Give what came of it; an error that nobody looked at counts, as that of a call does."""
        try:
            result = main.result()
        except RuntimeError as error:
            other = foreign(error)
            if other is None:
                raise
            raise other from error
        for task in self._failed:
            if task._log_traceback:  # noqa: SLF001 - nobody looked
                task.result()
        return result

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Be this thread's running loop, which may be within another one: a notebook's."""
        outer = _events._get_running_loop()  # noqa: SLF001 - the one way, for loops
        task = _tasks.current_task(outer) if outer is not None else None
        if outer is not None and task is not None:
            _tasks._leave_task(outer, task)  # noqa: SLF001 - else it could not run others
        hooks = sys.get_asyncgen_hooks()
        _events._set_running_loop(self)  # noqa: SLF001
        sys.set_asyncgen_hooks(self._generators.append, lambda _: None)  # type: ignore[arg-type] # it is one
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _events._set_running_loop(outer)  # noqa: SLF001
            if outer is not None and task is not None:
                _tasks._enter_task(outer, task)  # noqa: SLF001

    def _go(self, task: LogTask) -> None:
        while not task.done():
            self._turn()

    def _turn(self) -> None:
        """Run what is ready; where nothing is, see one more settled call."""
        interpreter = self._interpreter
        if self._ready:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - what loops do
                error = self.fatal or interpreter.recall.error
                if error is not None:
                    raise error
            self._rounds += 1
            # Code that asks again and again whether something is done would never see it.
            if self._rounds < ROUNDS or not interpreter.outstanding():
                return
        self._rounds = 0
        interpreter.see_next()

    def _wind_up(self) -> None:
        """Cancel the tasks that are left when the workflow's own code has ended."""
        left = list(self._open)
        for task in left:
            task.cancel()
        for task in left:
            self._go(task)
        for generator in self._generators:
            if generator.ag_frame is not None and not generator.ag_running:
                self._go(self.create_task(generator.aclose()))
        if self._ready:
            self._turn()  # what is said of tasks that have just ended

    def _abandon(self) -> None:
        """Let go of coroutines that are to run no further, without asking them to clean up."""
        _events._set_running_loop(None)  # noqa: SLF001
        for task in [*self._open, *self._failed]:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
            task._log_traceback = False  # noqa: SLF001
        for task in reversed(self._open):
            coroutine: Any = task.get_coro()
            with suppress(BaseException):  # whatever its `finally` does: it may not act any more
                coroutine.close()

    def stop_main(self, reason: str) -> None:
        """Cancel the workflow's own coroutine, as a cancel of the run does."""
        if self._main is not None:
            self._main.cancel(reason)

    def cancelled(self, reason: str) -> asyncio.CancelledError:
        """Make what coroutines are cancelled by."""
        return asyncio.CancelledError(reason)

    @property
    def within(self) -> bool:
        """Whether it is a task's code that runs just now."""
        return _tasks.current_task(self) is not None

    # ------------------------------------------------------------ waiting for calls

    def awaiting(self, future: Future[Any]) -> Generator[Any, Any, Any]:
        """Wait for a future of a call, as a coroutine does, and give its result."""
        if type(future) is not Gathered:
            yield from self._seeing(future, future)
            return future.result()
        results = []
        for part in future.futures:
            yield from self._seeing(part, future)
            results.append(part.result())
        return results

    def _seeing(self, part: Future[Any], whole: Future[Any]) -> Generator[Any, Any, None]:
        if part.seen:
            return
        key = id(part._state) if type(part) is Future else id(part)  # noqa: SLF001
        self._awaited[key] = self._awaited.get(key, 0) + 1
        waiter = self._future(partial(self._given_up, key, whole))
        part.add_done_callback(partial(_wake, waiter))
        try:
            yield from waiter
        finally:
            self._awaited[key] -= 1

    def _given_up(self, key: int, future: Future[Any]) -> None:
        """Give up what was awaited by code that is cancelled, unless others await it, too."""
        if self._awaited[key] == 1:
            future.abandon()

    # ------------------------------------------------------------ what asyncio asks of a loop

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return self._future()

    def _future(self, given_up: Callable[[], object] | None = None) -> LogFuture:
        self._numbers += 1
        return LogFuture(self._numbers, self, given_up)

    def create_task(self, coro: Any, *, name: str | None = None, **options: Any) -> LogTask:
        """Have a coroutine run, which begins in its turn."""
        refuse_unordered(coro)
        self._numbers += 1
        task = LogTask(self._numbers, coro, self, name=name or f"task-{self._numbers}", **options)
        if not task.done():
            self._open[task] = None
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        assert isinstance(task, LogTask)  # noqa: S101 - `create_task` makes them
        self._open.pop(task, None)
        if task.cancelled():
            return
        error = task._exception  # noqa: SLF001 - not the same as looking at it
        if error is not None:
            self._failed.append(task)
        if isinstance(error, _STOPPING):
            self.fatal = self.fatal or error

    def call_soon(  # type: ignore[override] # as the arguments are
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Have something called in its turn."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # as the arguments are
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have something called after so many seconds, by a timer in the log."""
        handle = asyncio.TimerHandle(self.time() + delay, callback, args, self, context)
        if delay <= 0:
            self._ready.append(handle)
            return handle
        sleeps = getattr(callback, "__name__", "") == _SLEEPS
        seconds = round(delay, 6)  # what is left of it once a point of time was made of it
        state = self._interpreter.timer(seconds, f"asyncio.sleep({seconds:g})" if sleeps else "")
        handle._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - so it says if it is cancelled
        self._timers[id(handle)] = state
        self._interpreter.on_settled(state, partial(self._fire, handle))
        return handle

    def call_at(  # type: ignore[override] # as the arguments are
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have something called at a time of this loop."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def _fire(self, handle: asyncio.TimerHandle) -> None:
        self._timers.pop(id(handle), None)
        self._ready.append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        state = self._timers.pop(id(handle), None)
        if state is not None:
            self._interpreter.forget(state)

    def time(self) -> float:
        """Give the time of what the code has seen last, in seconds of the epoch."""
        return self._interpreter.seen_at()

    def is_running(self) -> bool:
        """Whether it drives coroutines."""
        return not self._closed

    def is_closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    def get_debug(self) -> bool:
        """Whether asyncio is to keep more for messages."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's own signature
        """Say whether asyncio is to keep more for messages."""
        self._debug = enabled

    def get_task_factory(self) -> None:
        """Give None: tasks are its own."""
        return

    async def shutdown_asyncgens(self) -> None:
        """Close nothing yet: that is done when the code has ended."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Take an error that has nobody to go to."""
        error = context.get("exception")
        if isinstance(error, _STOPPING):
            self.fatal = self.fatal or error
        elif not self._closed:
            _log.error("nbflow: %s", context.get("message"), exc_info=error)

    default_exception_handler = call_exception_handler


def _wake(waiter: LogFuture, _: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(LogLoop):
        setattr(LogLoop, _name, refusal(_name))
