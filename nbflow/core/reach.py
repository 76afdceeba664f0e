"""What a function reaches: helpers, classes, globals, defaults, closures and modules.

It is a list of named parts, each with a digest, so that two lists can be compared and the part
that differs can be named. What is the user's own counts by its source and its values; what is
installed counts by its version.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import EnumType
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final, NamedTuple

from nbflow.core.activity import Activity
from nbflow.core.classes import own_class
from nbflow.core.fingerprint import digest, global_chains, imports, normal_form
from nbflow.core.keys import Unkeyable, digest_of, preview
from nbflow.core.origin import is_own, module_digest, package, version
from nbflow.core.workflow import WorkflowFunction

_SKIPPED: Final = frozenset(
    {
        *("__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__slotnames__"),
        *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
        *("__dataclass_fields__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
    }
)
"""What classes have that does not decide what their objects do."""
_PLAIN: Final = frozenset({list, tuple, dict, set, frozenset})
_MISSING: Final = object()
_lru_cache: Final = type(functools.lru_cache(len))


class Part(NamedTuple):
    """One thing that counts.

    Attributes:
        digest: Of it.
        text: What to show of it: a short value, ``code`` for code, or the version of a package.
        source: The calls that it comes from, for an argument, with commas between them.
    """

    digest: str
    text: str
    source: str = ""


@dataclass(slots=True)
class Reached:
    """All that a function reaches.

    Attributes:
        parts: By name, as ``RATE``, ``clean()``, ``default rows of fetch()`` or ``numpy``.
        notes: What was not quite as it should be, such as code without source.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of all parts."""
        return digest(
            *[text for name in sorted(self.parts) for text in (name, self.parts[name][0])]
        )


def reach(thing: object) -> Reached:
    """Find all that a function, class or module reaches.

    Raises:
        Unkeyable: Something that it reaches has no value to compare; `path` names it.

    Example:
        >>> sorted(reach(convert).parts)
        ['RATE', 'clean()', 'convert()', 'python']
    """
    walk = _Walk()
    walk.label(thing)
    walk.finish()
    return walk.reached


def code_of(thing: object) -> str | None:
    """Give what a function, class or module is with all that it reaches; None for plain values.

    Raises:
        Unkeyable: As for `reach`.
    """
    walk = _Walk()
    label = walk.label(thing)
    if label is None:
        return None
    walk.finish()
    return f"{label} {walk.reached.digest}"


class _Walk:
    """A walk along what code reads. Each thing gets a label once, and is looked at once."""

    def __init__(self) -> None:
        self.reached = Reached()
        self.reached.parts["python"] = Part(version("python"), version("python"))
        self._labels: dict[object, str] = {}
        self._taken: set[str] = set()
        self._todo: list[tuple[str, Callable[[str, Any], None], Any]] = []
        self._keep: list[object] = []

    def finish(self) -> None:
        """Look at all that has a label and was not looked at."""
        while self._todo:
            label, look, thing = self._todo.pop()
            look(label, thing)

    # ------------------------------------------------------------ labels

    def label(self, thing: Any) -> str | None:
        """Give what a function, class or module counts as: its label. None for plain values."""
        if type(thing) in _PLAIN:
            return None
        if isinstance(thing, FunctionType):
            cls = own_class(thing)
            if cls is not None:  # what calls it is ours, and the same for every class
                return f"instances of {self.label(cls)}"
            return self._code(thing, f"{thing.__qualname__}()", self._function)
        if isinstance(thing, type):
            return self._code(thing, thing.__qualname__, self._class)
        if isinstance(thing, ModuleType):
            return self._module(thing)
        return self._callable(thing)

    def _callable(self, thing: Any) -> str | None:
        """Give what wraps a function, or is one in C, counts as."""
        if isinstance(thing, Activity | WorkflowFunction):
            return self.label(thing.fn) or f"value {self._digest(thing.fn)}"
        if isinstance(thing, BuiltinFunctionType) and isinstance(thing.__self__, ModuleType | None):
            return self._code(thing, thing.__qualname__, self._opaque)
        if isinstance(thing, _lru_cache):
            return f"cached {self.label(thing.__wrapped__)}"
        if isinstance(thing, MethodType):
            return f"method {thing.__func__.__qualname__} of {self._digest(thing.__self__)}"
        return None

    def _code(self, thing: Any, name: str, look: Callable[[str, Any], None]) -> str:
        module = getattr(thing, "__module__", None) or "builtins"
        if not is_own(module):
            return f"{module}.{name} of {self._package(module)}"
        return self._labelled(thing, _prefix(module) + name, look)

    def _labelled(self, thing: Any, name: str, look: Callable[[str, Any], None]) -> str:
        known = self._labels.get(id(thing))
        if known is None:
            known = self._labels[id(thing)] = self._free(name)
            self._keep.append(thing)
            self._todo.append((known, look, thing))
        return known

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name} #{number}"
        self._taken.add(free)
        return free

    def _package(self, module: str) -> str:
        name = package(module)
        if name not in self.reached.parts:
            self.reached.parts[name] = Part(version(name), version(name))
        return name

    def _module(self, module: ModuleType) -> str:
        name = module.__name__
        if not is_own(name):
            return f"module {name} of {self._package(name)}"
        return self._labelled(module, f"module {name}", self._whole)

    def _whole(self, label: str, module: ModuleType) -> None:
        """Look at a module that code uses as a whole: all of its source counts."""
        self.reached.parts[label] = Part(module_digest(module.__name__), "code")

    def _opaque(self, label: str, thing: Any) -> None:
        """Look at a function in C of the user's own: the file of its module counts."""
        self.reached.parts[label] = Part(module_digest(thing.__module__), "code")

    # ------------------------------------------------------------ functions

    def _function(self, label: str, fn: FunctionType) -> None:
        form = normal_form(fn.__code__)
        if not form.source and not fn.__code__.co_filename.startswith("<string>"):
            self.reached.notes.append(f"{label} has no source: its compiled code counts")
        edges = [form.digest]
        for chain in sorted(global_chains(fn.__code__)):
            edges += [".".join(chain), self._global(fn, chain)]
        for name, level, names in imports(fn.__code__):
            edges += [name, *names, *self._imported(fn, name, level, names)]
        for where, value in _held(label, fn):
            edges += [where, self._value(where, value, (id(fn), where))]
        self.reached.parts[label] = Part(digest(*edges), "code")

    def _global(self, fn: FunctionType, chain: tuple[str, ...]) -> str:
        """Follow a global and the attributes read of it as far as they are modules of the user."""
        space = fn.__globals__
        if chain[0] not in space:
            return "builtin"
        value, used, home = space[chain[0]], 1, id(space)
        while isinstance(value, ModuleType) and is_own(value.__name__) and used < len(chain):
            home, value = id(vars(value)), getattr(value, chain[used], _MISSING)
            used += 1
        if value is _MISSING:
            return "missing"
        name = _prefix(space.get("__name__", "__main__")) + ".".join(chain[:used])
        return self._value(name, value, (home, chain[used - 1]))

    def _imported(
        self, fn: FunctionType, name: str, level: int, names: tuple[str, ...]
    ) -> Iterator[str]:
        """Look at what a function imports when it runs."""
        home = fn.__globals__.get("__package__") or ""
        full = importlib.util.resolve_name("." * level + name, home) if level else name
        if not is_own(full):
            yield self._package(full)
            return
        module = sys.modules.get(full)
        if module is None or not names or "*" in names:
            yield module_digest(full)
            return
        for wanted in names:
            value = getattr(module, wanted, _MISSING)
            if value is _MISSING:
                yield "missing"
            else:
                yield self._value(f"{full}.{wanted}", value, (id(vars(module)), wanted))

    # ------------------------------------------------------------ values

    def _value(self, name: str, value: Any, key: tuple[object, ...]) -> str:
        """Give what a name stands for: the label of code, or that of a part made for the value."""
        label = self.label(value)
        if label is not None:
            return label
        known = self._labels.get(key)
        if known is None:
            known = self._labels[key] = self._free(name)
            self.reached.parts[known] = Part(self._digest(value, known), preview(value))
        return known

    def _digest(self, value: object, name: str = "") -> str:
        try:
            return digest_of(value, self.label)
        except Unkeyable as error:
            raise Unkeyable(error.reason, name + error.path) from None

    # ------------------------------------------------------------ classes

    def _class(self, label: str, cls: type) -> None:
        edges = [self.label(base) or "" for base in (type(cls), *cls.__bases__)]
        for name, value in sorted(_members(cls), key=lambda member: member[0]):
            where = f"{label}.{name}"
            try:
                edges += [name, self._member(where, value)]
            except Unkeyable:
                if not name.startswith("__"):
                    raise  # what a library keeps on a class for itself follows from the rest
        self.reached.parts[label] = Part(digest(*edges), "code")

    def _member(self, where: str, value: Any) -> str:
        if isinstance(value, staticmethod | classmethod):
            return f"{type(value).__name__} {self._value(where, value.__func__, (id(value),))}"
        if isinstance(value, property):
            parts = enumerate((value.fget, value.fset, value.fdel))
            own = [f"{n} {self._value(where, part, (id(value), n))}" for n, part in parts if part]
            return " ".join(own)
        if isinstance(value, functools.cached_property):
            return f"cached {self._value(where, value.func, (id(value),))}"
        if isinstance(value, MappingProxyType):
            value = dict(value)
        label = self.label(value)
        return label if label is not None else self._value(where, value, (where,))


def _prefix(module: str) -> str:
    """Give what a name is written after: nothing in a notebook, whose names have no other home."""
    found = sys.modules.get(module)
    outside = module == "__main__" or getattr(found, "__file__", None) is None
    return "" if outside else f"{module}."


def _held(label: str, fn: FunctionType) -> Iterator[tuple[str, Any]]:
    """Give the values that a function holds: defaults, closure, attributes of its own."""
    code: CodeType = fn.__code__
    given = fn.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
    defaults = {**dict(zip(names, given, strict=True)), **(fn.__kwdefaults__ or {})}
    for name, value in sorted(defaults.items()):
        yield f"default {name} of {label}", value
    for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=True):
        if name == "repr_running":
            continue  # where reprlib notes who is at work: dataclasses have it
        try:
            yield f"{name} in {label}", cell.cell_contents
        except ValueError:
            continue  # assigned later, or never
    for name, value in sorted(fn.__dict__.items()):
        if name != "__wrapped__":
            yield f"{label}.{name}", value


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    """Give what a class's own body defines."""
    if isinstance(cls, EnumType):
        for name, member in dict[str, Any](cls.__members__).items():
            yield name, member._value_
    for name, value in vars(cls).items():
        if name in _SKIPPED or isinstance(value, MemberDescriptorType | GetSetDescriptorType):
            continue
        if isinstance(cls, EnumType) and not _own_method(cls, value):
            continue
        yield name, value


def _own_method(cls: type, value: object) -> bool:
    """Whether an enumeration has this of its own body, not of its machinery."""
    value = getattr(value, "__func__", getattr(value, "fget", value))
    return isinstance(value, FunctionType) and value.__module__ == cls.__module__
