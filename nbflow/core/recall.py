"""Holds workflow code against what its log says that it asked for.

While code catches up with its log, nothing that is new is given to the driver: it is held until
the code has asked again for everything that it *owes*. So when the two disagree, nothing that
follows from the disagreement has been executed.

It owes the calls that succeeded, and its side effects, as far as nothing that it may have seen
before was taken back since. A failed call is not owed: whoever mends the code may well leave it
out. In a strict comparison, which executes nothing in any case, everything is owed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

from nbflow.core import difference, place
from nbflow.core.call import SUCCESSES, CallState
from nbflow.core.describe import describe, same
from nbflow.core.difference import Difference
from nbflow.core.driver import Driver
from nbflow.core.errors import NondeterminismError
from nbflow.core.events import MarkerRecorded
from nbflow.core.history import History
from nbflow.core.payload import Fetch
from nbflow.core.reordered import Reordered

PATCHED = "patched:"
"""What the names of the markers of `patched` begin with."""


class New(NamedTuple):
    """Something that the code asks for and its log does not have.

    Attributes:
        id: Its id.
        text: As code writes it.
        where: Where the code is.
    """

    id: str
    text: str
    where: str


class Recall:
    """What the code of one execution has asked for, held against the log.

    Args:
        history: The run.
        driver: Takes what the code asks for, and waits.
        run: The run's id, for messages.
        strict: Whether all has to be as it was recorded.

    Attributes:
        ask: Takes a call: `Driver.ask`, once the code has caught up.
        block: Waits: `Driver.block`, once the code has caught up.
        owed: What the code has still to ask for again, with the events that recorded it.
        new: The first thing that it asked for meanwhile and that the log does not have.
        error: Where it was found to differ.
        code: Digest of the code as it is now, "" where it is not known.
        captured: What the code takes from the notebook now, as in `RunStarted`.
        clock: The latest time that the code was told, in seconds of the epoch.
        reordered: Where what is asked for may have another number than it asks for it by; None
            where the order is that of before.
    """

    __slots__ = (
        "_driver",
        "_fn",
        "_held",
        "ask",
        "block",
        "captured",
        "clock",
        "code",
        "error",
        "head",
        "history",
        "new",
        "owed",
        "reordered",
        "run",
        "strict",
    )

    def __init__(
        self, history: History, driver: Driver, run: str = "", *, strict: bool = False
    ) -> None:
        self.history = history
        self.run = run
        self.strict = strict
        self.head = f"run {run} cannot continue" if run else "the run cannot continue"
        self.ask: Callable[[CallState], object] = self._noted if strict else driver.ask
        self.block: Callable[[CallState | None, int], object] = driver.block
        self.owed: dict[str, int] = {}
        self.new: New | None = None
        self.error: NondeterminismError | None = None
        self.clock = 0.0
        self.code = ""
        self.captured: tuple[str, ...] = ()
        self._driver = driver
        self._held: list[Callable[[], object]] = []
        self._fn: Callable[..., Any] | None = None
        self.reordered: Reordered | None = None

    def begin(self, fn: Callable[..., Any], fetch: Fetch) -> None:
        """Begin an execution of the workflow's code; `fetch` gives the bytes of a blob."""
        self._fn = fn
        self.reordered = Reordered.of(self.history, fetch)
        self.owed = {call: seq for call, seq in self.history.recorded.items() if self._owes(call)}
        if self.owed:
            self.ask, self.block = self._hold, self._missing

    def _owes(self, call: str) -> bool:
        # Asked for after an outcome that was taken back, by code that may have seen it.
        lapsed = self.history.forgot < self.history.recorded[call] <= self.history.lapsed
        if lapsed or call.startswith(PATCHED):
            return False
        if call in self.history.repeats:
            return False  # it was not the code that asked for it
        outcome = type(self.history.calls[call].outcome)
        kept = self.history.calls[call].ignored
        return self.strict or kept or outcome in SUCCESSES or outcome is MarkerRecorded

    def known(self, state: CallState, asked: CallState) -> CallState:
        """Take a call that the log knows. Gives what is to be asked of the driver.

        Raises:
            NondeterminismError: It is asked for otherwise than it was recorded.
        """
        if same(state, asked):
            state.activity = asked.activity
            asked = state
        elif self.strict or type(state.outcome) in SUCCESSES or state.ignored:
            self._differs(state, asked)
        self.again(state.id)
        return asked

    def again(self, call: str) -> None:
        """Note that the code asks again for something; with the last of it, it has caught up."""
        if self.owed.pop(call, None) is None or self.owed:
            return
        self.ask = self._noted if self.strict else self._driver.ask
        self.block = self._driver.block
        held, self._held = self._held, []
        for fn in held:
            fn()

    def fresh(self, call: str, text: str) -> bool:
        """Note something that the log does not have; give whether the code has yet to catch up."""
        if self.new is None and (self.owed or self.strict):
            self.new = New(call, text, place.asking())
        return bool(self.owed)

    def hold(self, fn: Callable[[], object]) -> None:
        """Keep something to be done once the code has caught up."""
        self._held.append(fn)

    def give_up(self, state: CallState, reason: str) -> None:
        """Give up a call or a timer, after it was asked for."""
        if self.owed:
            self._held.append(partial(self._driver.cancel, state, reason))
        else:
            self._driver.cancel(state, reason)

    def let_go(self) -> None:
        """Owe nothing any more: the run is to be cancelled, and its code only cleans up."""
        if self.owed and not self.strict:
            self.owed.clear()
            self._held.clear()
            self.ask, self.block = self._driver.ask, self._driver.block

    def _noted(self, state: CallState) -> None:
        if state.id not in self.history.calls:
            self.fresh(state.id, describe(state))
        self._driver.ask(state)

    def _hold(self, state: CallState) -> None:
        if state.id not in self.history.calls:
            self.fresh(state.id, describe(state))
        self._held.append(partial(self._driver.ask, state))

    # ------------------------------------------------------------ where it differs

    def _differs(self, state: CallState, asked: CallState) -> NoReturn:
        """Refuse a call that is asked for otherwise."""
        self._fail(
            state.id, describe(asked), what=difference.between(state, asked), where=place.asking()
        )

    def otherwise(self, state: CallState, of: str) -> NoReturn:
        """Refuse a side effect that is of another function than the recorded one."""
        now = difference.marker_text(state.id, of)
        self._fail(state.id, now, what=("the function",), where=place.asking())

    def _missing(self, state: CallState | None, position: int) -> NoReturn:  # noqa: ARG002
        """Refuse to wait while something is owed: as it was recorded, it was asked for before."""
        new = self.new
        call = next(iter(self.owed))
        if new is not None:
            self._fail(call, new.text, where=new.where)
        waits = f"for {state.id}" if state is not None else "for others"
        self._fail(call, f"not asked for: the code waits {waits}", where=place.asking())

    def end(self, how: str = "the code ends without it") -> None:
        """Refuse to end while something is owed, or, if it was strict, with something new.

        Raises:
            NondeterminismError: It is so.
        """
        if self.error is not None:
            raise self.error
        new = self.new
        if self.owed:
            call = next(iter(self.owed))
            now = f"{new.text}, then {how}" if new is not None else f"not asked for: {how}"
            self._fail(call, now, where=new.where if new is not None else "")
        closed = self.history.closed
        if self.strict and new is not None and closed is not None:
            recorded = f"nothing: the run has {closed.status} without it"
            self._fail(new.id, new.text, recorded=recorded, event=closed.seq, where=new.where)

    def _fail(
        self,
        call: str,
        now: str,
        *,
        what: tuple[str, ...] = (),
        where: str = "",
        recorded: str = "",
        event: int = 0,
    ) -> NoReturn:
        history = self.history
        state = history.calls.get(call)
        started = history.started
        line = 0
        if state is not None and not recorded and started is not None:
            line = difference.line_of(started.source, *difference.names_of(state))
        found = Difference(
            call=call,
            recorded=recorded or (difference.written(state) if state is not None else "nothing"),
            now=now,
            event=event or history.recorded.get(call, 0),
            where=where,
            line=line,
            what=what,
            likely=self.causes(call),
        )
        self.error = difference.error(self.run, found, self.head)
        # Whatever the code makes of the exception, it gets no further.
        self.ask = self.block = self._refuse
        self._held.clear()
        raise self.error

    def causes(self, call: str) -> tuple[str, ...]:
        """Say what may be the cause of a difference."""
        return difference.causes(self._fn, self.history, call, (self.code, self.captured))

    def _refuse(self, *_: object) -> NoReturn:
        assert self.error is not None  # noqa: S101 - it is what set this
        raise self.error
