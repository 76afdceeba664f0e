"""What a value is, as a digest that tells types apart and is the same in every process.

Two values have one digest if an activity that gets either of them sees the same: ``1``, ``"1"``,
``True`` and ``1.0`` differ, as do ``(1, 2)`` and ``[1, 2]``, ``0.0`` and ``-0.0``, and dicts with
their items in another order, which a loop over them would show. Sets have no order. An object is
what pickle would make of it: its class and its state, each in turn a value.

What has no value to compare (a lock, a connection, a generator) has no digest: `Unkeyable` says
which part of the value that is.
"""

from __future__ import annotations

import copyreg
import struct
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from nbflow.core import tables
from nbflow.core.redact import holds_secret, redact
from nbflow.core.secret import Secret

CodeOf = Callable[[object], str | None]
"""Gives what a function, class or module counts as, and None for anything else."""

_REVISITS: Final = 100_000
_SIZE: Final = 16


class Unkeyable(Exception):
    """A value, or a part of it, cannot be compared with that of another run.

    Attributes:
        path: Where in the value, as ``[2].conn``; "" is the value itself.
        reason: Why not.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class Stand(NamedTuple):
    """Stands in a value for another one of which only the digest is known."""

    digest: str


def no_code(_: object) -> None:
    """Know no code: for values without functions and classes of anybody's."""


def digest_of(value: object, code: CodeOf = no_code) -> str:
    """Give the digest of a value.

    Args:
        value: Any value, however deep; it may contain itself.
        code: Says what functions, classes and modules in it count as.

    Raises:
        Unkeyable: It has none.

    Example:
        >>> digest_of({"a": [1, 2]}) == digest_of({"a": [1, 2]})
        True
        >>> digest_of(1) == digest_of(True)
        False
    """
    leaf = _LEAVES.get(type(value))
    if leaf is not None:  # as most arguments are: what the walk would write, in one piece
        return blake2b(_WHOLE + leaf(value), digest_size=_SIZE).hexdigest()
    return _Digester(code).run(value).hex()


def token(tag: str, data: bytes = b"") -> bytes:
    """Write a tag and data so that they cannot be taken for any others."""
    return b"%s:%d:%s" % (tag.encode(), len(data), data)


def _int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


_LEAVES: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: token("none"),
    type(...): lambda _: token("ellipsis"),
    type(NotImplemented): lambda _: token("notimplemented"),
    bool: lambda v: token("bool", b"1" if v else b"0"),
    int: lambda v: token("int", _int(v)),
    float: lambda v: token("float", struct.pack(">d", v)),
    complex: lambda v: token("complex", struct.pack(">dd", v.real, v.imag)),
    str: lambda v: token("str", _text(v)),
    bytes: lambda v: token("bytes", v),
    bytearray: lambda v: token("bytearray", bytes(v)),
    Secret: lambda v: token("secret", _text(v.reference)),
    Stand: lambda v: token("stand", v.digest.encode()),
}
"""What is written at once, by exact type: a subclass is another kind of value."""
_WHOLE: Final = token("value")
"""What comes before a value itself."""


class Parts(NamedTuple):
    """What a value is made of.

    Attributes:
        tag: Its kind.
        items: Where each part is, and the part.
        ordered: Whether their order counts.
        data: What else counts, written out.
    """

    tag: str
    items: Iterable[tuple[object, object]]
    ordered: bool = True
    data: bytes = b""


class _Frame:
    """A value whose parts are being digested."""

    __slots__ = ("depth", "hasher", "id", "items", "low", "step", "tokens")

    def __init__(self, id: int, parts: Parts, depth: int) -> None:  # noqa: A002 - natural name
        self.id = id
        self.items = iter(parts.items)
        self.depth = self.low = depth
        self.step: object = ""
        self.tokens: list[bytes] | None = None if parts.ordered else []
        self.hasher = blake2b(token(parts.tag, parts.data), digest_size=_SIZE)

    def add(self, part: bytes) -> None:
        if self.tokens is None:
            self.hasher.update(part)
        else:
            self.tokens.append(part)

    def close(self) -> bytes:
        for part in sorted(self.tokens or ()):
            self.hasher.update(part)
        return token("of", self.hasher.digest())


class _Digester:
    """One walk over a value, without recursion: values may be deeper than the stack."""

    def __init__(self, code: CodeOf) -> None:
        self._code = code
        self._done: dict[int, bytes] = {}
        self._open: dict[int, _Frame] = {}
        self._keep: list[object] = []  # ids must stay those of the parts that were seen
        self._revisits = 0

    def run(self, value: object) -> bytes:
        root = _Frame(0, Parts("value", [("", value)]), 0)
        stack = [root]
        try:
            while True:
                frame = stack[-1]
                if self._advance(frame, stack):
                    continue
                stack.pop()
                if not stack:
                    return frame.hasher.digest()
                self._finish(frame, stack[-1])
        except Unkeyable as error:
            raise Unkeyable(error.reason, _path(stack) + error.path) from None
        except Exception as error:  # noqa: BLE001 - walking an object runs code of its class
            raise Unkeyable(f"it cannot be looked through ({_line(error)})", _path(stack)) from None

    def _advance(self, frame: _Frame, stack: list[_Frame]) -> bool:
        """Take parts until one has parts of its own, which comes on the stack; else False."""
        for step, value in frame.items:
            frame.step = step
            leaf = _LEAVES.get(type(value))
            if leaf is not None:
                frame.add(leaf(value))
            elif (known := self._known(value, frame)) is not None:
                frame.add(known)
            else:
                opened = _Frame(id(value), parts_of(value), len(stack))
                self._open[opened.id] = opened
                self._keep.append(value)
                stack.append(opened)
                return True
        return False

    def _known(self, value: object, frame: _Frame) -> bytes | None:
        found = self._code(value)
        if found is not None:
            return token("code", _text(found))
        if (done := self._done.get(id(value))) is not None:
            return done
        around = self._open.get(id(value))
        if around is None:
            return None
        frame.low = min(frame.low, around.depth)
        return token("cycle", _int(frame.depth - around.depth))

    def _finish(self, frame: _Frame, parent: _Frame) -> None:
        done = frame.close()
        del self._open[frame.id]
        if frame.low >= frame.depth:
            self._done[frame.id] = done
        else:  # it refers to something around it: elsewhere it would be another value
            parent.low = min(parent.low, frame.low)
            self._revisits += 1
            if self._revisits > _REVISITS:
                raise Unkeyable("it refers to itself in too many places")
        parent.add(done)


def _path(stack: list[_Frame]) -> str:
    steps = [frame.step for frame in stack[1:]]
    return "".join(f"[{step}]" if type(step) is int else str(step) for step in steps)


def parts_of(value: Any) -> Parts:
    """Take a value apart by one level.

    Raises:
        Unkeyable: It cannot be.
    """
    kind = type(value)
    if kind is list or kind is tuple:
        return Parts(kind.__name__, enumerate(value))
    if kind is dict:
        return Parts("dict", _items(value))
    if kind is set or kind is frozenset:
        return Parts(kind.__name__, (("", item) for item in value), ordered=False)
    found = tables.parts_of(value)
    return Parts(*found) if found is not None else _reduced(value)


def _items(value: dict[Any, Any]) -> Iterator[tuple[object, object]]:
    for key, item in value.items():
        yield "", key
        yield f"[{key!r:.30}]" if type(key) in {str, int, bool} else "", item


def _reduced(value: object) -> Parts:
    """Take an object apart as pickle does, so that all counts that reaches an activity."""
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        found = reducer(value) if reducer else value.__reduce_ex__(4)
    except Exception as error:  # noqa: BLE001 - it runs code of the value's own class
        kind = type(value).__qualname__
        raise Unkeyable(f"a {kind} has no value to compare ({_line(error)})") from None
    if isinstance(found, str):
        module = getattr(value, "__module__", None) or type(value).__module__
        return Parts("global", [], data=_text(f"{module}.{found}"))
    return Parts("object", _pieces(*found))


def _line(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if type(error) is not TypeError else str(error)
    return text.splitlines()[0][:120]


def _pieces(
    make: object,
    args: tuple[object, ...],
    state: object = None,
    items: Iterable[object] | None = None,
    pairs: Iterable[tuple[object, object]] | None = None,
    setter: object = None,
) -> Iterator[tuple[object, object]]:
    yield "", make
    yield "", len(args)
    yield from (("", arg) for arg in args)
    yield from _state(state)
    yield "", "items"
    for place, item in enumerate(items or ()):
        yield place, item
    yield "", "pairs"
    for key, item in pairs or ():
        yield "", key
        yield f"[{key!r:.30}]" if type(key) in {str, int} else "", item
    yield "", setter


def _state(state: object) -> Iterator[tuple[object, object]]:
    """Give attributes by name: the order in which they were set is no part of an object."""
    halves = state if type(state) is tuple and len(state) == 2 else (state,)  # noqa: PLR2004
    for half in halves:
        if type(half) is dict and all(type(name) is str for name in half):
            yield "", "attributes"
            for name in sorted(half):
                yield "", name
                yield f".{name}", half[name]
        else:
            yield "", half


# ---------------------------------------------------------------- words

_LONG: Final = 40
_ENOUGH: Final = 10_000
_FEW: Final = 6
_SHOWN: Final = frozenset({type(None), bool, float, complex, Secret})
"""Types that are shown as they are."""


def preview(value: object) -> str:
    """Write a value in a few characters, without running any code of the user's.

    Example:
        >>> preview([1, 2]), preview("x" * 99)[:5], preview(range(3))
        ('[1, 2]', "'xxxx", 'range')
    """
    kind = type(value)
    if kind in _SHOWN:
        return repr(value)
    if kind is int:
        return _cut(repr(value)) if abs(value) < 1 << 1000 else "a long int"  # type: ignore[arg-type]
    if kind is str:
        return _cut(repr(redact(value[:_ENOUGH])[: _LONG + 1]))  # type: ignore[index]
    if kind is bytes:
        return "bytes" if holds_secret(value) else _cut(repr(value[: _LONG + 1]))  # type: ignore[arg-type, index]
    if kind in {list, tuple, dict, set, frozenset}:
        return _collection(value)
    return tables.preview(value) or kind.__qualname__


def _collection(value: Any) -> str:
    whole = f"{type(value).__name__} of {len(value)}"
    if len(value) > _FEW or isinstance(value, set | frozenset):
        return whole
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    if not all(type(item) in {type(None), bool, int, float, str} for item in inner):
        return whole
    if any(type(item) is str and len(item) > _LONG for item in inner):
        return whole
    if any(type(item) is int and abs(item) >> 200 for item in inner):
        return whole
    text = redact(repr(value))
    return text if len(text) <= _LONG else whole


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}\N{HORIZONTAL ELLIPSIS}"
