"""The part of the interpreter behind coroutines: what they wait for, and what they give up."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from nbflow.core.call import CallState
from nbflow.core.errors import FutureMisuse

if TYPE_CHECKING:
    from nbflow.core.eventloop import LogLoop
    from nbflow.core.history import History
    from nbflow.core.interpreter import Interpreter
    from nbflow.core.recall import Recall

_FOR_EVER = (
    "the code waits for ever: no call, timer or signal is to come that could wake up one of its "
    "coroutines. Does it await a queue, event or future that nothing fills?"
)


class Awaiting:
    """What an interpreter does for ``async def`` workflows."""

    __slots__ = ()

    if TYPE_CHECKING:
        history: History
        loop: LogLoop | None
        recall: Recall
        _asked: list[CallState]
        _callbacks: dict[CallState, list[Callable[[], object]]]

        def _seen(self, state: CallState) -> bool: ...
        def _step(self) -> None: ...

    def awaited(self, result: Any) -> Any:
        """Run what code gives to its end, if that is a coroutine, on a loop of its own."""
        if not inspect.iscoroutine(result):
            return result
        from nbflow.core.eventloop import LogLoop  # noqa: PLC0415 - loads asyncio

        made = LogLoop(cast("Interpreter", self))  # type: ignore[abstract] # refuses the rest
        outer, self.loop = self.loop, made  # type: ignore[misc] # a slot of the interpreter
        try:
            return self.loop.drive(result)
        finally:
            self.loop = outer  # type: ignore[misc] # as above

    def see_next(self) -> None:
        """See one more settled call for the sake of coroutines, all of which wait.

        Raises:
            FutureMisuse: There is none to come, so they would wait for ever.
        """
        if self.history.cancelling is None and not self.outstanding():
            raise FutureMisuse(_FOR_EVER)
        self._step()

    def outstanding(self) -> bool:
        """Whether something that the code asked for has yet to be seen settled."""
        return bool(self._callbacks) or not all(map(self._seen, self._asked))

    def forget(self, state: CallState) -> None:
        """Stop a timer that the code needs no more."""
        self._callbacks.pop(state, None)
        if state.outcome is None:
            self.recall.give_up(state, "")

    def give_up(self, state: CallState) -> None:
        """Give up a call or a timer that the code awaits no more."""
        if state.name and state.outcome is None:
            self.recall.give_up(state, "the code gave it up")
        elif state.id.startswith("timer-"):
            self.forget(state)

    def off_settled(self, state: CallState, fn: Callable[..., object]) -> int:
        """Drop what `on_settled` was to call, where that is a partial of `fn`; give how often."""
        known = self._callbacks.get(state, [])
        left = [one for one in known if getattr(one, "func", one) != fn]
        if known and not left:
            del self._callbacks[state]
        elif known:
            self._callbacks[state] = left
        return len(known) - len(left)
