"""Keys of calls, and what is kept under them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any, Final, NamedTuple

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.errors import NbflowError
from nbflow.core.events import CallMissed, CallReused
from nbflow.core.extras import Extras
from nbflow.core.fingerprint import digest, digest_after
from nbflow.core.keys import Stand, Unkeyable, digest_of, preview
from nbflow.core.payload import Blob, Stored
from nbflow.core.reach import Part, Reached, code_of, reach
from nbflow.core.reasons import Key, Reason, digest_of_parts, texts_of
from nbflow.engine.nearest import Missed, Nearest
from nbflow.store.base import Store
from nbflow.store.cached import CacheRow
from nbflow.store.reading import BlobReader

HIDDEN: Final = "(hidden)"
_SCALAR: Final = payload.SCALARS.issuperset
_HINT: Final = {
    "argument": "pass what it is made of, and make it in the activity",
    "code": "make it in the activity, or pass as an argument what it is made of",
}

Results = Mapping[str, Stored]
"""The stored results of the calls that an argument refers to."""


class Found(NamedTuple):
    """What a lookup came to.

    Attributes:
        key: What the call is; None where that cannot be told, or need not since there is a row.
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


class Wanted(NamedTuple):
    """A call to look for.

    Attributes:
        state: The call.
        results: The stored results of the calls that it depends on.
        anew: Find nothing: somebody wants it to run.
    """

    state: CallState
    results: Results
    anew: bool = False


class _Coded(NamedTuple):
    """What all calls of an activity have in common.

    Attributes:
        parts: Those of its code.
        digest: Of these.
        notes: What was not quite as it should be.
        key: Gives the text of the key of a call by the digest of its inputs.
        names: Its parameters, if all may be given by position.
        text: Gives the text of the key of a call that is given one value for each of these, small
            scalars all, and for which nothing else counts. None: other things count, too.
    """

    parts: dict[str, Part]
    digest: str
    notes: tuple[str, ...]
    key: Callable[[str], str]
    names: tuple[str, ...]
    text: Callable[[tuple[Any, ...]], str] | None


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
        self._codings: dict[int, tuple[object, _Coded]] = {}
        self._nearest = Nearest(run, store)

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Look for the results of calls, all in one reading. No error comes out of this.

        Args:
            wanted: The calls; all that they depend on has succeeded.

        Returns:
            What each came to.
        """
        keys: list[Key | Reason | None] = []
        texts = []
        for one in wanted:
            text = self._text(one)
            key = None if text else self._key_or_reason(one)
            texts.append(key.text if isinstance(key, Key) else text)
            keys.append(key)
        rows: dict[str, CacheRow] | Reason
        try:
            rows = self._store.cache.find([text for text in texts if text])
        except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
            rows = _unread(error)
        each = zip(wanted, keys, texts, strict=True)
        found = [self._come_to(one, key, text, rows) for one, key, text in each]
        return self._with_reasons(found)

    def at_hand(self, wanted: Sequence[Wanted]) -> dict[str, Found]:
        """Look for the results of calls as `look` does, but run no code of the user's for it.

        Returns:
            What was found, by call: not for calls whose keys are to be made, nor for misses.
        """
        texts = {one.state.id: text for one in wanted if (text := self._text(one))}
        try:
            rows = self._store.cache.find(list(texts.values()))
        except Exception:  # noqa: BLE001 - `look` will say so
            return {}
        scalars, get = payload.SCALARS, rows.get
        return {
            call: Found(None, row)
            for call, text in texts.items()
            if (row := get(text)) is not None and type(row.result) in scalars
        }

    def _with_reasons(self, found: list[Found | Missed]) -> list[Found]:
        """Say of the calls that nothing is kept for why they run."""
        missed = [each for each in found if isinstance(each, Missed)]
        try:
            reasons = iter(self._nearest.reasons(missed) if missed else ())
        except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
            reasons = iter([[_unread(error)]] * len(missed))
        return [
            Found(each.key, None, (*next(reasons), *_notes(each.key)))
            if isinstance(each, Missed)
            else each
            for each in found
        ]

    def _text(self, one: Wanted) -> str:
        """Give the text of a call's key if that is simple; else "", and the key is to be made."""
        state = one.state
        known = self._codings.get(id(state.activity))
        if known is None or one.anew or state.kwargs:
            return ""
        _, coded = known
        args = state.args
        if coded.text is None or len(args) != len(coded.names) or not _SCALAR(map(type, args)):
            return ""
        return coded.text(args)

    def _key_or_reason(self, one: Wanted) -> Key | Reason:
        try:
            return self._key(one)
        except Unkeyable as error:
            return Reason("never", str(error))
        except Exception as error:  # noqa: BLE001 - looking at values runs the user's own code
            text = f"its key cannot be made: {type(error).__name__}: {error}"
            return Reason("never", text)

    def _come_to(
        self, one: Wanted, key: Key | Reason | None, text: str, rows: dict[str, CacheRow] | Reason
    ) -> Found | Missed:
        if key is None:
            row = rows.get(text) if type(rows) is dict else None
            if row is not None and type(row.result) in payload.SCALARS:
                return Found(None, row)
            key = self._key_or_reason(one)
        if isinstance(key, Reason):
            return Found(reasons=(key,))
        if one.anew:
            anew = Reason("again", "it was asked to run anew")
            return Found(key, None, (anew,), replace=True)
        if isinstance(rows, Reason):
            return Found(key, None, (rows,))
        try:
            return self._found(key, one.state.id, rows.get(text))
        except Exception as error:  # noqa: BLE001 - as above
            return Found(key, None, (_unread(error),))

    def _found(self, key: Key, call: str, row: CacheRow | None) -> Found | Missed:
        if row is None:
            return Missed(key, call)
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

    # ------------------------------------------------------------ keys

    def _key(self, one: Wanted) -> Key:
        """Make the key of a call.

        Raises:
            Unkeyable: Something that counts has no value to compare; the message names it.
        """
        activity = one.state.activity
        assert activity is not None  # noqa: S101 - workflow code has asked for it
        coded = self._coded(activity)
        declared = activity.settings.cache_key
        inputs, values = self._arguments(_bound(one.state, coded.names), one.results)
        if declared.files or declared.env:
            inputs |= self._extras.parts(declared, values)
        inputs = _masked(inputs, declared.hidden)
        given = digest_of_parts(inputs)
        text = coded.key(given)
        return Key(activity.name, coded.parts, inputs, coded.notes, coded.digest, given, text)

    def _coded(self, activity: Activity[..., Any]) -> _Coded:
        """Give what all calls of an activity have in common; made once."""
        with self._lock:
            known = self._codings.get(id(activity))
        if known is not None:
            return known[1]
        reached = self._reach(activity)
        declared = activity.settings.cache_key
        code = {**reached.parts, "version": _part(activity.settings.version)}
        if declared.version is not None:
            code["version of cache_key"] = _part(declared.version)
        code = _masked(code, declared.hidden)
        names, coded = _by_position(activity.signature), digest_of_parts(code)
        simple = bool(names) and not (declared.files or declared.env or declared.hidden)
        key = texts_of(activity.name, coded)
        text = _texts(names, key) if simple else None
        found = _Coded(code, coded, tuple(reached.notes), key, names, text)
        with self._lock:
            self._codings[id(activity)] = activity, found
        return found

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
        self, arguments: Mapping[str, Any], results: Results
    ) -> tuple[dict[str, Part], dict[str, Any]]:
        """Give a part for each argument, and the values."""
        parts: dict[str, Part] = {}
        values: dict[str, Any] = {}
        for name, stored in arguments.items():
            if type(stored) in payload.SCALARS:
                values[name] = stored
                parts[name] = Part(digest_of(stored), preview(stored))
                continue
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
            return payload.unpack(result, result_of, BlobReader(self._store))

        def one(item: Any) -> Any:
            return payload.unpack(item, result_of, BlobReader(self._store))

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


def _texts(names: tuple[str, ...], text: Callable[[str], str]) -> Callable[[tuple[Any, ...]], str]:
    """Give `_Coded.text`: the same as `Key.text`, without what is only needed to compare keys."""
    if len(names) == 1:
        alone = digest_after(*names)
        return lambda args: text(alone(digest_of(args[0])))
    order = sorted((name, n) for n, name in enumerate(names))

    def of(args: tuple[Any, ...]) -> str:
        return text(digest(*[part for name, n in order for part in (name, digest_of(args[n]))]))

    return of


def _by_position(signature: Signature) -> tuple[str, ...]:
    """Give the names of parameters, if all may be given by position; else none."""
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    plain = kinds <= {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
    return tuple(signature.parameters) if plain else ()


def _bound(state: CallState, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Give the arguments of a call by parameter, defaults included."""
    if names and not state.kwargs and len(state.args) == len(names):
        return dict(zip(names, state.args, strict=True))  # as below, in a tenth of the time
    activity = state.activity
    assert activity is not None  # noqa: S101 - workflow code has asked for it
    bound = activity.signature.bind(*state.args, **(state.kwargs or {}))
    bound.apply_defaults()
    return bound.arguments


def _unread(error: Exception) -> Reason:
    return Reason("lost", f"the cache cannot be read: {error}")


def _notes(key: Key) -> list[Reason]:
    return [Reason("note", note) for note in key.notes]


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
