"""Answers calls of ``cache=True`` activities by the results of earlier runs.

Making a key may hash much and read files, so it happens on threads of its own. The owner of the
run hands over a call that is ready and gets an answer: a result, or why there is none. Where the
latest calls were all answered, the owner itself looks for those whose keys take no time, a whole
turn of them at once: a hand-off to a thread costs more than they do. An error here never fails a
call: it is a miss that says so.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from typing import Final

from nbflow.core.call import CallState
from nbflow.core.events import CallSucceeded
from nbflow.core.reasons import Reason
from nbflow.engine.lookup import Found, Lookup, Results, Wanted
from nbflow.store.base import Store
from nbflow.store.cached import CacheRow

_log = logging.getLogger("nbflow")

THREADS: Final = 2
_MANY: Final = 128
"""So many calls are looked for in one reading, at most."""
_NAMED: Final = 3


class _Threads:
    """Threads that end with the process.

    A pool of the standard library takes nothing more once a script has come to its end, while
    runs that it has started may still be under way.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._number = 0

    def do(self, what: Callable[[], None]) -> None:
        """Have one of them do something; here and now if there can be no threads any more."""
        try:
            with self._lock:
                while self._number < THREADS:
                    name = f"nbflow-cache-{self._number + 1}"
                    threading.Thread(target=self._run, name=name, daemon=True).start()
                    self._number += 1
        except RuntimeError:
            if not self._number:
                what()
                return
        self._work.put(what)

    def _run(self) -> None:
        while True:
            self._work.get()()


@cache
def _threads(pid: int) -> _Threads:  # noqa: ARG001 - a forked process has none of its parent's
    return _Threads()


Tell = Callable[[list[tuple[CallState, Found]]], None]


class Reuse:
    """What the owner of a run has to do with the cache. For the owner alone.

    Args:
        run: Id of the run.
        store: Where results are kept.
        tell: Is given the answers for some calls, on another thread.

    Attributes:
        bypass: Calls that are to run whatever is kept.
        hits: Whether there was a result for each of the calls that a thread looked for last.
        keys: By call, under what its result will be kept.
        fresh: Results that are in the turn that is being written, to be kept once it is.
    """

    def __init__(self, run: str, store: Store, tell: Tell) -> None:
        self._lookup = Lookup(run, store)
        self._run = run
        self._store = store
        self._tell = tell
        self._asked: set[str] = set()
        self._new: list[Wanted] = []
        self._wanted: deque[Wanted] = deque()
        self._lock = threading.Lock()
        self._lookers = 0
        self.bypass: frozenset[str] = frozenset()
        self.hits = False
        self.keys: dict[str, Found] = {}
        self.fresh: list[tuple[Found, CallSucceeded]] = []

    def ask(self, state: CallState, results: Results) -> bool:
        """Have a call looked up that is ready; False if it was already, and is to run now.

        It is by the next call of `answers`.
        """
        if state.id in self._asked:
            return False
        self._asked.add(state.id)
        self._new.append(Wanted(state, results, state.id in self.bypass))
        return True

    def answers(self) -> list[tuple[CallState, Found]]:
        """Give the answers that are at hand to what was asked in this turn; `tell` has the rest."""
        new, self._new = self._new, []
        if not new:
            return []
        found = self._lookup.at_hand(new) if self.hits else {}
        rest = [one for one in new if one.state.id not in found] if found else new
        if rest:
            self._hand_over(rest)
        return [(one.state, found[one.state.id]) for one in new if one.state.id in found]

    def _hand_over(self, wanted: list[Wanted]) -> None:
        with self._lock:
            self._wanted.extend(wanted)
            more = min(THREADS, len(self._wanted)) - self._lookers
            self._lookers += max(0, more)
        for _ in range(more):
            _threads(os.getpid()).do(self._look)

    def _look(self) -> None:
        """Look for what is wanted, many at once where many are, until nothing is any more."""
        while True:
            with self._lock:
                # Half of them at most, so that one that is slow does not hold up all.
                number = min(_MANY, -(-len(self._wanted) // 2))
                some = [self._wanted.popleft() for _ in range(number)]
                if not some:
                    self._lookers -= 1
                    return
            try:
                found = self._lookup.look(some)
            except BaseException as error:  # noqa: BLE001 - whatever happens, calls must go on
                _log.exception("nbflow: %d calls could not be looked up", len(some))
                reasons = (Reason("lost", f"{type(error).__name__}: {error}"),)
                found = [Found(reasons=reasons)] * len(some)
            self.hits = all(each.row is not None for each in found)
            self._tell([(one.state, each) for one, each in zip(some, found, strict=True)])

    def ended(self, event: CallSucceeded) -> None:
        """Note that a call gave a result, if it is one to be kept."""
        found = self.keys.pop(event.call, None)
        if found is not None:
            self.fresh.append((found, event))

    def keep(self) -> None:
        """Keep the results of the turn that was written. That it fails costs a later miss only."""
        fresh, self.fresh = self.fresh, []
        if not fresh:
            return
        cache = self._store.cache
        try:
            cache.extend([self._row(*one) for one in fresh if not one[0].replace])
            for one in fresh:
                if one[0].replace:
                    cache.add(self._row(*one), replace=True)
        except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
            calls = ", ".join(event.call for _, event in fresh[:_NAMED])
            more = f" and {len(fresh) - _NAMED} more" if len(fresh) > _NAMED else ""
            _log.warning("nbflow: the result of %s%s is not kept: %s", calls, more, error)

    def _row(self, found: Found, event: CallSucceeded) -> CacheRow:
        key = found.key
        assert key is not None  # noqa: S101 - only those that have one are noted
        return CacheRow(
            key=key.text,
            activity=key.activity,
            code=key.code_digest,
            inputs=key.inputs_digest,
            run=self._run,
            call=event.call,
            at=event.at,
            run_ns=event.run_ns,
            size=event.size,
            result=event.result,
            parts=key.to_json(),
        )
