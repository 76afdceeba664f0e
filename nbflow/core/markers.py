"""The part of the interpreter behind the helpers: time, chance and values from outside.

What a helper gives is either derived from the log, as the time and random numbers are, or written
to the log before the code gets it, as side effects, patches and timers are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nbflow.core.call import CallState
from nbflow.core.describe import error_of
from nbflow.core.driver import Driver
from nbflow.core.events import MarkerFailed, MarkerRecorded
from nbflow.core.failure import Failure
from nbflow.core.fingerprint import digest
from nbflow.core.future import current
from nbflow.core.keys import Unkeyable, digest_of
from nbflow.core.payload import Stored, pack, spill
from nbflow.core.recall import PATCHED, Recall

if TYPE_CHECKING:
    from nbflow.core.history import History


class Marker:
    """A value from outside that the code asks for, and that is to be written to the log.

    Attributes:
        name: See `MarkerRecorded`.
        of: See `MarkerRecorded`.
        turn: See `MarkerRecorded`.
        after: See `MarkerRecorded`.
        make: Gives the value; None if it is True, whoever asks.
        raised: What `make` raised.
    """

    __slots__ = ("after", "make", "name", "of", "raised", "turn")

    def __init__(
        self,
        name: str,
        make: Callable[[], object] | None,
        of: str,
        turn: int,
        after: tuple[str, ...],
    ) -> None:
        self.name, self.make, self.of = name, make, of
        self.turn, self.after = turn, after
        self.raised: Exception | None = None

    def event(
        self, seq: int = 0, at: float = 0.0, put: Callable[[bytes], str] | None = None
    ) -> MarkerRecorded | MarkerFailed:
        """Make the value, and give the event that records it.

        Args:
            seq: Number of the event.
            at: Its time.
            put: Keeps the bytes of a large value.
        """
        if self.make is None:
            return MarkerRecorded(seq, at, self.name, True, self.of, self.turn, self.after)  # noqa: FBT003
        token = current.set(None)  # what it calls is not workflow code
        try:
            value: Stored = pack(self.make(), f"the value of {self.name} ({self.of})")
            if put is not None:
                value = spill(value, put)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            self.raised = error
            failure = Failure.of(error, skip=1)
            return MarkerFailed(seq, at, self.name, failure, self.of, self.turn, self.after)
        finally:
            current.reset(token)
        return MarkerRecorded(seq, at, self.name, value, self.of, self.turn, self.after)


class Marking:
    """What an interpreter does for the helpers."""

    __slots__ = ()

    if TYPE_CHECKING:
        history: History
        driver: Driver
        recall: Recall
        run: str
        position: int
        _counts: dict[str, int]
        _randoms: dict[tuple[str, str], random.Random]
        _patches: dict[str, bool]
        _noted: dict[tuple[str, str], Stored]
        _read: dict[str, None]
        _turn: int

        def unpack(self, stored: Stored) -> Any: ...  # noqa: D102 - the interpreter has it
        def _until(self, state: CallState) -> None: ...

    def seen_at(self) -> float:
        """Give the time of the latest event that the code has seen, in seconds of the epoch."""
        started = self.history.started
        at = max(self.recall.clock, started.at if started is not None else 0.0)
        if self.position:
            outcome = self.history.settled[self.position - 1].outcome
            at = max(at, outcome.at if outcome is not None else 0.0)
        self.recall.clock = at  # it never goes back, even where the clock of the machine did
        return at

    def sleep(self, seconds: float) -> None:
        """Wait for a timer of its own."""
        self._until(self.timer(seconds, f"nbflow.sleep({seconds:g})"))

    def random(self, kind: str, scope: str) -> random.Random:
        """Give the generator of a kind and scope, which goes on where it was."""
        found = self._randoms.get((kind, scope))
        if found is None:
            started = self.history.started
            seed = (started.seed if started is not None else "") or self.run
            number = int(digest(kind, seed, scope), 16)
            found = self._randoms[kind, scope] = random.Random(number)
        return found

    def mark(self, make: Callable[[], object], of: str) -> Any:
        """Give the value of a side effect: from the log, or made now and written first."""
        state, marker = self._side_effect(make, of)
        self._until(state)
        if isinstance(state.outcome, MarkerRecorded):
            return self.unpack(state.outcome.value)
        error = error_of(state)
        raised = marker.raised if marker is not None else None
        raise error.with_traceback(raised.__traceback__ if raised is not None else None)

    def note(self, make: Callable[[], object], of: str) -> CallState:
        """Have a side effect made and written, and do not wait for that."""
        return self._side_effect(make, of, waits=False)[0]

    def record_marker(self, name: str, details: object) -> None:
        """See `nbflow.record_marker`."""
        known = (name, _same_details(details, len(self._noted)))
        if known in self._noted:
            return
        stored = self._noted[known] = pack(details, f"the details of marker {name}")
        number = self._counts["marker"] = self._counts.get("marker", 0) + 1
        id_ = f"marker-{number}"
        if self.recall.reordered is not None:
            id_ = self.recall.reordered.marker(id_, name, stored)
        self._counts[f"marker:{name}"] = int(id_.rpartition("-")[2])
        state = self.history.calls.get(id_)
        if state is None or state.outcome is None:
            text = f"nbflow.record_marker({name!r})"
            self._record(id_, lambda: details, name, text, waits=False)
            return
        if isinstance(state.outcome, MarkerRecorded | MarkerFailed) and state.outcome.of != name:
            self.recall.otherwise(state, name)
        self.recall.again(id_)

    def markers(self) -> list[tuple[str, object]]:
        """Give the names and details of what the code has recorded, in order."""
        return [(name, self.unpack(stored)) for (name, _), stored in self._noted.items()]

    def _side_effect(
        self, make: Callable[[], object], of: str, *, waits: bool = True
    ) -> tuple[CallState, Marker | None]:
        number = self._counts["side_effect"] = self._counts.get("side_effect", 0) + 1
        name = f"side_effect-{number}"
        if self.recall.reordered is not None:
            name = self.recall.reordered.side_effect(name, of)
        state = self.history.calls.get(name)
        known = state is not None and state.outcome is not None
        if state is not None and isinstance(state.outcome, MarkerRecorded | MarkerFailed):
            if state.outcome.of != of:
                self.recall.otherwise(state, of)
            self.recall.again(name)
        if state is None or not known:
            return self._record(name, make, of, f"nbflow.side_effect({of})", waits=waits)
        return state, None

    def patched(self, name: str) -> bool:
        """Tell whether the new code of a change is to be taken."""
        if name not in self._patches:
            self._patches[name] = self._patch(name)
        return self._patches[name]

    def _patch(self, name: str) -> bool:
        marker = f"{PATCHED}{name}"
        state = self.history.calls.get(marker)
        if state is None or state.outcome is None:
            # Where the code has been before, it has been without the change.
            if self.recall.owed or (self.recall.strict and self.history.closed is not None):
                return False
            state, _ = self._record(marker, None, "", f"nbflow.patched({name!r})")
        self._until(state)
        return True

    def _record(
        self,
        name: str,
        make: Callable[[], object] | None,
        of: str,
        text: str,
        *,
        waits: bool = True,
    ) -> tuple[CallState, Marker]:
        """Have the driver write a marker."""
        turn, after = self.standing()
        marker = Marker(name, make, of, turn, after)
        state = self.history.calls.get(name) or CallState(name, "")
        behind = self.recall.fresh(name, text)
        if self.recall.error is not None or (behind and waits):
            self.recall.block(state, self.position)
        if behind:
            self.recall.hold(partial(self.driver.mark, state, marker))
        else:
            self.driver.mark(state, marker)
        return state, marker

    def timer(self, seconds: float, text: str) -> CallState:
        """Start the next timer; `text` is what code writes for it, "" for a time limit."""
        number = self._counts["timer"] = self._counts.get("timer", 0) + 1
        name = f"timer-{number}"
        state = self.history.calls.get(name)
        if state is not None and state.outcome is None and state.retry_at is None:
            state.turn, state.after = self.standing()  # it is to be started anew
        if state is None:
            state = CallState(name, "")
            state.turn, state.after = self.standing()
            # The time limit of a wait that is over at once may never have been recorded.
            if self.recall.fresh(name, text) if text else self.recall.owed:
                self.recall.hold(partial(self.driver.timer, state, seconds))
                return state
        else:
            self.recall.again(name)
        self.driver.timer(state, seconds)
        return state

    def standing(self) -> tuple[int, tuple[str, ...]]:
        """Give the turn that the code is in, and the calls that it read before it."""
        return self._turn + bool(self._read), tuple(self._read)


def _same_details(details: object, number: int) -> str:
    """Give what equal details have in common; what cannot be compared is like nothing else."""
    try:
        return digest_of(details)
    except Unkeyable:
        return f"number {number}"
