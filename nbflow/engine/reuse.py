"""Answers calls of ``cache=True`` activities by the results of earlier runs.

Making a key may hash much and read files, so it happens on threads of its own. The owner of the
run hands over a call that is ready and gets an answer: a result, or why there is none. An error
here never fails a call: it is a miss that says so.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from queue import SimpleQueue
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.errors import NbflowError
from nbflow.core.events import CallMissed, CallReused, CallSucceeded
from nbflow.core.extras import Extras
from nbflow.core.keys import Stand, Unkeyable, digest_of, preview
from nbflow.core.payload import Blob, Stored
from nbflow.core.reach import Part, Reached, code_of, reach
from nbflow.core.reasons import Key, Reason, changes, likeness
from nbflow.store.base import Store
from nbflow.store.cached import CacheRow, Earlier

_log = logging.getLogger("nbflow")

THREADS: Final = 2
HIDDEN: Final = "(hidden)"
_NEAREST: Final = 50
_HINT: Final = {
    "argument": "pass what it is made of, and make it in the activity",
    "code": "make it in the activity, or pass as an argument what it is made of",
}

Results = Mapping[str, Stored]
"""The stored results of the calls that an argument refers to."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a lookup came to.

    Attributes:
        key: What the call is; None where that cannot be told.
        row: The earlier result that answers it, or None.
        reasons: Why there is none.
        replace: Whether the result that this call will have takes the place of a kept one.
    """

    key: Key | None = None
    row: CacheRow | None = None
    reasons: tuple[Reason, ...] = ()
    replace: bool = False

    def event(self, seq: int, at: float, call: str) -> CallReused | CallMissed:
        """Give the event that records it."""
        row = self.row
        if row is None:
            key = self.key.text if self.key is not None else ""
            return CallMissed(seq, at, call, key, tuple(map(str, self.reasons)))
        source = f"{row.run}/{row.call}"
        return CallReused(seq, at, call, row.key, source, row.result, row.at, row.run_ns)


class Lookup:
    """Makes keys and looks for results under them, for one run. For any thread.

    What an activity's code reaches is found once: a run works with the code it was started with.

    Args:
        run: Its id; results of its own are not what its calls are compared with.
        store: Where results are kept.
    """

    def __init__(self, run: str, store: Store) -> None:
        self._run = run
        self._store = store
        self._extras = Extras()
        self._lock = threading.Lock()
        self._reached: dict[int, tuple[object, Reached | Unkeyable]] = {}
        self._codes: dict[int, tuple[object, str | None]] = {}

    def look(self, state: CallState, results: Results, *, anew: bool = False) -> Found:
        """Look for the result of a call.

        Args:
            state: The call; all that it depends on has succeeded.
            results: The stored results of those.
            anew: Find nothing: somebody wants it to run.
        """
        try:
            key = self.key(state, results)
        except Unkeyable as error:
            return Found(reasons=(Reason("never", str(error)),))
        except Exception as error:  # noqa: BLE001 - looking at values runs the user's own code
            text = f"its key cannot be made: {type(error).__name__}: {error}"
            return Found(reasons=(Reason("never", text),))
        if anew:
            return Found(key, None, (Reason("again", "it was asked to run anew"),), replace=True)
        try:
            return self._found(key, state.id)
        except NbflowError as error:
            return Found(key, None, (Reason("lost", f"the cache cannot be read: {error}"),))

    def _found(self, key: Key, call: str) -> Found:
        row = self._store.cache.get(key.text)
        if row is None:
            notes = [Reason("note", note) for note in key.notes]
            return Found(key, None, (*self._compared(key, call), *notes))
        if getattr(row.result, "refused", ""):
            source = f"the result of {row.call} in {row.run} is kept, but is not this user's own"
            return Found(key, None, (Reason("lost", source),), replace=True)
        if isinstance(row.result, Blob):
            try:
                self._store.get(row.result.digest)
            except NbflowError as error:
                source = f"the result of {row.call} in {row.run} is kept, but {error}"
                return Found(key, None, (Reason("lost", source),), replace=True)
        return Found(key, row)

    def _compared(self, key: Key, call: str) -> list[Reason]:
        """Say what differs from the nearest earlier call of the activity."""
        earlier = self._store.cache.near(key.activity, key.inputs_digest, self._run, _NEAREST)
        nearest = _nearest(earlier, key, call)
        if nearest is None:
            return [Reason("first", f"no earlier result of {key.activity} is kept")]
        found = changes(nearest, key)
        return found or [Reason("code", "keys are made in another way since nbflow was upgraded")]

    # ------------------------------------------------------------ keys

    def key(self, state: CallState, results: Results) -> Key:
        """Make the key of a call.

        Raises:
            Unkeyable: Something that counts has no value to compare; the message names it.
        """
        activity = state.activity
        assert activity is not None  # noqa: S101 - workflow code has asked for it
        reached = self._reach(activity)
        declared = activity.settings.cache_key
        code = {**reached.parts, "version": _part(activity.settings.version)}
        if declared.version is not None:
            code["version of cache_key"] = _part(declared.version)
        inputs, values = self._arguments(state, activity, results)
        inputs |= self._extras.parts(declared, values)
        hidden = declared.hidden
        return Key(
            activity.name, _masked(code, hidden), _masked(inputs, hidden), tuple(reached.notes)
        )

    def _reach(self, activity: Activity[..., Any]) -> Reached:
        with self._lock:
            known = self._reached.get(id(activity))
            if known is None:
                found: Reached | Unkeyable
                try:
                    found = reach(activity)
                except Unkeyable as error:
                    found = _explained(error, "code", "")
                known = self._reached[id(activity)] = activity, found
        if isinstance(known[1], Unkeyable):
            raise Unkeyable(known[1].reason, known[1].path)
        return known[1]

    def _arguments(
        self, state: CallState, activity: Activity[..., Any], results: Results
    ) -> tuple[dict[str, Part], dict[str, Any]]:
        """Give a part for each parameter, defaults included, and the values."""
        bound = activity.signature.bind(*state.args, **(state.kwargs or {}))
        bound.apply_defaults()
        parts: dict[str, Part] = {}
        values: dict[str, Any] = {}
        for name, stored in bound.arguments.items():
            used: dict[str, None] = {}
            value = values[name] = self._value(name, stored, results, used)
            try:
                found = digest_of(value, self._code)
            except Unkeyable as error:
                raise _explained(error, "argument", name) from None
            parts[name] = Part(found, preview(value), ", ".join(used))
        return parts, values

    def _value(self, name: str, stored: Any, results: Results, used: dict[str, None]) -> Any:
        """Give the value of an argument; a large result in it stands for itself by its digest."""

        def result_of(call: str) -> Any:
            used[call] = None
            result = results[call]
            if isinstance(result, Blob):
                return Stand(result.digest)
            return payload.unpack(result, result_of, self._store.get)

        def one(item: Any) -> Any:
            return payload.unpack(item, result_of, self._store.get)

        try:
            if type(stored) is tuple:
                return tuple(one(item) for item in stored)
            if type(stored) is dict:
                return {key: one(item) for key, item in stored.items()}
            return one(stored)
        except Exception as error:  # noqa: BLE001 - reading values back runs code of their classes
            reason = f"it cannot be read back ({type(error).__name__}: {error})"
            raise Unkeyable(reason, f"argument {name}") from None

    def _code(self, thing: object) -> str | None:
        if type(thing) in {list, tuple, dict, set}:
            return None
        known = self._codes.get(id(thing))
        if known is None or known[0] is not thing:
            try:
                found = code_of(thing)
            except Unkeyable as error:
                raise Unkeyable(f"its code reaches {error.path}, and {error.reason}") from None
            if found is None:
                return None
            known = self._codes[id(thing)] = thing, found
        return known[1]


def _part(value: object) -> Part:
    return Part(digest_of(value), preview(value))


def _masked(parts: dict[str, Part], hidden: Collection[str]) -> dict[str, Part]:
    """Write nothing of what is not to be shown."""
    for name in hidden:
        for shown in (name, f"environment {name}"):
            if shown in parts:
                parts[shown] = parts[shown]._replace(text=HIDDEN)
    return parts


def _explained(error: Unkeyable, kind: str, name: str) -> Unkeyable:
    what = f"argument {name}" if kind == "argument" else "global "
    return Unkeyable(f"{error.reason}: {_HINT[kind]}", f"{what}{error.path}")


def _nearest(earlier: list[Earlier], key: Key, call: str) -> Key | None:
    """Give the latest earlier call of the same inputs, else the one that has most in common."""
    alike = [row for row in earlier if row.inputs == key.inputs_digest]
    if alike:
        best = max(alike, key=lambda row: (row.call == call, row.at))
        return Key.of_json(key.activity, best.parts)
    others = [(row, Key.of_json(key.activity, row.parts)) for row in earlier]
    return max(
        others,
        key=lambda other: (likeness(other[1], key), other[0].call == call, other[0].at),
        default=(None, None),
    )[1]


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


Tell = Callable[[CallState, Found], None]


class Reuse:
    """What the owner of a run has to do with the cache. For the owner alone.

    Args:
        run: Id of the run.
        store: Where results are kept.
        tell: Is given the answer for a call, on another thread.

    Attributes:
        bypass: Calls that are to run whatever is kept.
        keys: By call, under what its result will be kept.
        fresh: Results that are in the turn that is being written, to be kept once it is.
    """

    def __init__(self, run: str, store: Store, tell: Tell) -> None:
        self._lookup = Lookup(run, store)
        self._run = run
        self._store = store
        self._tell = tell
        self._asked: set[str] = set()
        self.bypass: frozenset[str] = frozenset()
        self.keys: dict[str, Found] = {}
        self.fresh: list[tuple[Found, CallSucceeded]] = []

    def ask(self, state: CallState, results: Results) -> bool:
        """Have a call looked up that is ready; False if it was already, and is to run now."""
        if state.id in self._asked:
            return False
        self._asked.add(state.id)
        anew = state.id in self.bypass
        _threads(os.getpid()).do(partial(self._look, state, results, anew=anew))
        return True

    def _look(self, state: CallState, results: Results, *, anew: bool) -> None:
        try:
            found = self._lookup.look(state, results, anew=anew)
        except BaseException as error:  # noqa: BLE001 - whatever happens, the call must go on
            _log.exception("nbflow: %s could not be looked up", state.id)
            found = Found(reasons=(Reason("lost", f"{type(error).__name__}: {error}"),))
        self._tell(state, found)

    def ended(self, event: CallSucceeded) -> None:
        """Note that a call gave a result, if it is one to be kept."""
        found = self.keys.pop(event.call, None)
        if found is not None:
            self.fresh.append((found, event))

    def keep(self) -> None:
        """Keep the results of the turn that was written. That it fails costs a later miss only."""
        fresh, self.fresh = self.fresh, []
        for found, event in fresh:
            try:
                self._store.cache.add(self._row(found, event), replace=found.replace)
            except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
                _log.warning("nbflow: the result of %s is not kept: %s", event.call, error)

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
