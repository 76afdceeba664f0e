"""Finds again what code asks for in another order than before a resumption.

Ids are numbers in the order of asking. A resumption that takes outcomes back (a failure, what was
cancelled) lets the code see the rest without them, so code that asks as results come in asks in
another order, and the numbers of before do not fit any more. What it asked for from then on is
found by what it is, an activity with its arguments or a side effect with its function, and only
what is not found gets a number of its own.

What is found follows from the log alone, and goes on to as the log grows: of equal ones the one
that was recorded first is taken first, which is the one that was asked for first. The numbers of
the lost outcomes' time are not used for anything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from nbflow.core.call import CallState
from nbflow.core.describe import same
from nbflow.core.events import MarkerFailed, MarkerRecorded, SignalSent
from nbflow.core.keys import Stand, digest_of
from nbflow.core.payload import spill, unpack

if TYPE_CHECKING:
    from nbflow.core.history import History
    from nbflow.core.payload import Fetch, Stored


class Reordered:
    """What the code of one execution may ask for under another number than the log has it by.

    Args:
        history: The run.
        fetch: Gives the bytes of a blob.
    """

    __slots__ = ("_by_key", "_fetch", "_first_free", "_history", "_loose", "_taken")

    def __init__(self, history: History, fetch: Fetch) -> None:
        self._history, self._fetch = history, fetch
        self._taken: set[str] = set()
        self._first_free: dict[str, int] = {}
        self._by_key: dict[Hashable, deque[str]] = {}
        self._loose = {call for call, seq in history.recorded.items() if seq > history.forgot}
        for call in sorted(self._loose, key=history.recorded.__getitem__):
            key = self._key_of(history.calls[call])
            if key is not None:
                self._by_key.setdefault(key, deque()).append(call)

    @classmethod
    def of(cls, history: History, fetch: Fetch) -> Reordered | None:
        """Give what may have another number; None if nothing has, as in most runs."""
        if not history.forgot:
            return None
        found = cls(history, fetch)
        return found if found._loose else None

    def call(self, asked: CallState) -> str:
        """Give the id of a call that the code asks for, whose own is that of its number."""
        if not _is_numbered(asked):
            return asked.id  # the code gave it, or it follows from the arguments
        return self._id(self._key_of_call(asked), asked.name, asked.id, asked)

    def side_effect(self, id_: str, of: str) -> str:
        """Give the id of a side effect, by its function."""
        return self._id(("side_effect", of), "side_effect", id_)

    def marker(self, id_: str, name: str, details: Stored) -> str:
        """Give the id of a marker, by its name and its stored details."""
        return self._id(("marker", name, self._content(details)), "marker", id_)

    def signal(self, id_: str, name: str, to: str) -> str:
        """Give the id of a signal that is sent, by its name and who gets it."""
        return self._id(("signal", name, to), "signal", id_)

    def _id(self, key: Hashable, name: str, numbered: str, asked: CallState | None = None) -> str:
        """Give an id that nothing else of this execution has."""
        if numbered in self._history.calls and not self._is_anyones(numbered):
            found = numbered  # asked for before all that: by its number, as ever
        else:
            found = self._recorded(key) or self._unused(name, numbered, asked)
        self._taken.add(found)
        return found

    def _recorded(self, key: Hashable) -> str:
        """Give the first recorded one of a key that is left; "" if there is none."""
        known = self._by_key.get(key)
        while known:
            found = known.popleft()
            if found not in self._taken:  # else it was replaced by something else
                return found
        return ""

    def _is_anyones(self, call: str) -> bool:
        """Whether an id may stand for something that has another number now."""
        return call in self._loose or call in self._taken

    def _unused(self, name: str, numbered: str, asked: CallState | None) -> str:
        """Give the id of a number, or, where that is something else's, the first that is free."""
        if numbered not in self._taken and not self._is_kept(numbered, asked):
            return numbered
        for number in self._numbers(name):
            found = f"{name}-{number}"
            if found not in self._taken and found not in self._history.calls:
                return found
        raise AssertionError  # pragma: no cover - numbers do not end

    def _numbers(self, name: str) -> Iterator[int]:
        """Give numbers, none of which a name needs to be tried with again."""
        number = self._first_free.get(name, 1)
        while True:
            self._first_free[name] = number
            yield number
            number += 1

    def _is_kept(self, call: str, asked: CallState | None) -> bool:
        """Whether an id stays with something else; a call that came to nothing gives its up."""
        if call not in self._loose:
            return False
        state = self._history.calls[call]
        if asked is None or state.outcome is not None or call in self._history.children:
            return True
        # It would be taken for the recorded one: what is pickled is not compared there.
        return same(state, asked)

    # ------------------------------------------------------------ what is alike

    def _key_of(self, state: CallState) -> Hashable:
        """Give what is asked for alike; None for what goes by its number alone, as timers do."""
        if state.name:
            return self._key_of_call(state) if _is_numbered(state) else None
        outcome = state.outcome
        if isinstance(outcome, SignalSent):
            return "signal", outcome.signal, outcome.to
        if not isinstance(outcome, MarkerRecorded | MarkerFailed):
            return None
        if state.id.startswith("side_effect-"):
            return "side_effect", outcome.of
        if not state.id.startswith("marker-"):
            return None
        value = outcome.value if isinstance(outcome, MarkerRecorded) else None
        return "marker", outcome.of, self._content(value)

    def _key_of_call(self, state: CallState) -> Hashable:
        named = ((name, self._content(stored)) for name, stored in (state.kwargs or {}).items())
        return state.name, state.deps, tuple(map(self._content, state.args)), frozenset(named)

    def _content(self, stored: Stored) -> Hashable:
        """Give what equal values have in common. Their pickles may differ, so those are opened."""
        kept = spill(stored)
        if getattr(kept, "codec", "") != "pickle":
            return type(kept), repr(kept)
        try:
            return digest_of(unpack(stored, Stand, self._fetch))
        except Exception:  # noqa: BLE001 - a user's class may do anything as it is loaded
            return repr(kept)


def _is_numbered(state: CallState) -> bool:
    """Whether its id is made of its name and a number."""
    head, _, number = state.id.rpartition("-")
    return head == state.name and number.isdigit()
