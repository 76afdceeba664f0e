"""Freezes the code of a run: notebook functions and the globals they reach, as they are now.

A cell that is edited later must not change a run that is under way, on any executor, threads
included. So a run executes copies of its notebook functions, whose globals are a namespace of
their own. What can be imported is left alone: other processes find it by name.
"""

from __future__ import annotations

import builtins
import sys
from abc import ABCMeta
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CellType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.child import WorkflowOptions
from nbflow.core.classes import belong, class_digest, own_class
from nbflow.core.errors import Unserialisable
from nbflow.core.fingerprint import digest, fingerprint, global_names
from nbflow.core.hooks import HOOKS
from nbflow.core.parsing import source_of
from nbflow.core.redact import redact
from nbflow.core.workflow import Definition, Workflow, WorkflowFunction, definition

LARGE_BYTES = 1024 * 1024
"""Captured values above this size are reported as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A workflow, frozen.

    Attributes:
        definition: The workflow to execute.
        names: The notebook's globals it reaches, as ``name: what it is``.
        shared: Names among them that cannot be copied, so that later changes do reach the run.
        large: Names of values above a megabyte, with their size in bytes.
        code: Digest of all of its code.
        source: The workflow's own source text, "" where it is not to be had.
        target: The workflow itself, as whoever defined it has it, but frozen.
        files: The files, or cells, that its code of the notebook is in.
    """

    definition: Definition
    names: tuple[str, ...]
    shared: tuple[str, ...]
    large: dict[str, int]
    code: str
    source: str
    target: Any
    files: tuple[str, ...]


def capture(target: object) -> Captured:
    """Freeze a workflow and everything of the notebook that it reaches."""
    snapshot = _Snapshot()
    frozen = snapshot.value("", target)
    snapshot.sign()
    found = definition(frozen)
    return Captured(
        definition=found,
        names=tuple(f"{name}: {what}" for name, what in snapshot.names.items() if name),
        shared=tuple(snapshot.shared),
        large=snapshot.large,
        code=snapshot.digest_of(frozen),
        source=_source(target),
        target=frozen,
        files=tuple(snapshot.files),
    )


def _source(target: object) -> str:
    thing: Any = target.fn if isinstance(target, WorkflowFunction) else target
    try:
        return source_of(thing)
    except (OSError, TypeError):
        return ""


def from_notebook(thing: FunctionType | type) -> bool:
    """Whether a function or class lives in a notebook or script, so that nobody can import it."""
    module = sys.modules.get(thing.__module__ or "")
    return (
        module is None or module.__name__ == "__main__" or getattr(module, "__file__", None) is None
    )


@dataclass(slots=True)
class _Snapshot:
    """The copies made so far, by the identity of what they are copies of."""

    names: dict[str, str] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    large: dict[str, int] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    _memo: dict[int, Any] = field(default_factory=dict)
    _keep: list[Any] = field(default_factory=list)
    _shown: set[int] = field(default_factory=set)
    """What the run's code has as it is, though a copy could have been made of it."""
    _spaces: dict[int, dict[str, Any]] = field(default_factory=dict)
    _reached: dict[int, list[int]] = field(default_factory=dict)
    _digests: dict[int, str] = field(default_factory=dict)
    _activities: list[Activity[..., Any]] = field(default_factory=list)

    def value(self, name: str, value: Any) -> Any:
        """Give the frozen form of the value of a global."""
        key = id(value)
        if key in self._memo:
            return self._memo[key]
        self._keep.append(value)  # its identity must not be given to something else meanwhile
        match value:
            case Activity() | WorkflowFunction():
                return self._wrapper(value)
            case FunctionType():
                return self._function(name, value)
            case type() if issubclass(value, Workflow) and from_notebook(value):
                return self._workflow_class(value)
            case type() | ModuleType() | BuiltinFunctionType():
                self.names[name] = str(type(value).__name__)
                return self._as_it_is(name, value)
        return self._data(name, value)

    def _as_it_is(self, name: str, value: Any) -> Any:
        self._shown.add(id(value))
        self._digests[id(value)] = digest(name, str(value.__name__))
        return value

    def _wrapper(self, value: Activity[..., Any] | WorkflowFunction[..., Any]) -> Any:
        fn = value.fn
        if not isinstance(fn, FunctionType) or not from_notebook(fn):
            self._memo[id(value)] = value
            self._digests[id(value)] = fingerprint(fn)
            return value
        copy: Any
        if isinstance(value, Activity):
            copy = Activity(value.name, fn, value.settings, value.digest)
            self._activities.append(copy)
        else:
            copy = WorkflowFunction(
                value.name, fn, value.version, value.task_list, self._options(value)
            )
        self._memo[id(value)] = self._memo[id(copy)] = copy
        self._keep.append(copy)
        cls = own_class(fn)
        frozen = self._activity_class(value.name, cls) if cls is not None else None
        copy.fn = self._function(value.name, fn)
        if frozen is not None:
            belong(copy.fn, frozen)
        self._reached[id(copy)] = self._reached[id(value)] = [id(fn)]
        return copy

    def _options(self, value: WorkflowFunction[..., Any]) -> WorkflowOptions:
        """Give a workflow's options, the functions among them frozen too."""
        settings = value.settings
        given = {"on_task_failure": settings.on_task_failure}
        given |= {name: getattr(settings.hooks, name) for name in HOOKS}
        return settings.changed(
            {
                name: self._function(fn.__name__, fn)
                for name, fn in given.items()
                if isinstance(fn, FunctionType)
            }
        )

    def _function(self, name: str, fn: FunctionType) -> FunctionType:
        if id(fn) in self._memo:
            return self._memo[id(fn)]  # type: ignore[no-any-return]
        self._digests[id(fn)] = fingerprint(fn)
        if not from_notebook(fn):
            self._memo[id(fn)] = fn
            return fn
        self.names.setdefault(name, "function")
        self.files[fn.__code__.co_filename] = None
        space = self._spaces.setdefault(
            id(fn.__globals__),
            {"__name__": fn.__globals__.get("__name__", "__main__"), "__builtins__": builtins},
        )
        cells = tuple(CellType() for _ in fn.__closure__ or ())
        copy = FunctionType(fn.__code__, space, fn.__name__, fn.__defaults__, cells or None)
        copy.__kwdefaults__ = fn.__kwdefaults__
        copy.__qualname__, copy.__module__, copy.__doc__ = (
            fn.__qualname__,
            fn.__module__,
            fn.__doc__,
        )
        copy.__dict__.update(fn.__dict__)
        copy.__annotations__ = fn.__annotations__
        self._memo[id(fn)] = copy
        self._keep.append(fn)
        self._reach(fn, copy, space)
        return copy

    def _reach(self, fn: FunctionType, copy: FunctionType, space: dict[str, Any]) -> None:
        """Freeze the globals and the closure that a function's code uses."""
        reached = self._reached.setdefault(id(fn), [])
        for name in global_names(fn.__code__):
            if name in fn.__globals__:
                value = fn.__globals__[name]
                space[name] = self.value(name, value)
                reached.append(id(value))
        for name, old, new in zip(
            fn.__code__.co_freevars, fn.__closure__ or (), copy.__closure__ or (), strict=True
        ):
            try:
                value = old.cell_contents
            except ValueError:
                continue  # assigned later, or never
            new.cell_contents = self.value(name, value)
            reached.append(id(value))

    def _class(self, cls: type, bases: tuple[type, ...]) -> type:
        """Make a class anew, with frozen methods."""
        own = {n: v for n, v in vars(cls).items() if not _made_by_type(n, v)}
        copy: type = type(cls)(cls.__name__, bases, own)
        self._memo[id(cls)] = copy
        self._keep.append(copy)
        reached = [id(base) for base in cls.__bases__]
        for name, found in own.items():
            frozen = self._method(f"{cls.__name__}.{name}", found)
            if frozen is not None:
                setattr(copy, name, frozen)
                reached += [id(fn) for fn in _functions_of(found)]
            elif type(found) in payload.SCALARS:
                reached.append(self._attribute(cls, name, found))
        self._reached[id(copy)] = self._reached[id(cls)] = reached
        return copy

    def _attribute(self, cls: type, name: str, value: object) -> int:
        """Have the value of an attribute of a class count; it is found by the class and name."""
        key = (cls, name)
        self._keep.append(key)
        self._digests[id(key)] = digest("attribute", name, type(value).__name__, repr(value))
        return id(key)

    def _workflow_class(self, cls: type[Workflow]) -> type[Workflow]:
        """Make the class anew, its notebook bases too."""
        bases = [
            self.value("", base) if issubclass(base, Workflow) else base for base in cls.__bases__
        ]
        return self._class(cls, tuple(bases))

    def _activity_class(self, name: str, cls: type) -> type:
        """Freeze the class of an activity, with the notebook's classes that it inherits from.

        One that the run's code has got as it is stays so: there is one form of it in a run.
        """
        if id(cls) in self._memo:
            return self._memo[id(cls)]  # type: ignore[no-any-return]
        if id(cls) in self._shown or not from_notebook(cls):
            return self._as_it_is(cls.__name__, cls)  # type: ignore[no-any-return]
        self._keep.append(cls)
        for method in _methods(cls):
            self.files.setdefault(method.__code__.co_filename, None)
        if _observed(cls):
            self.names[name] = "class, shared: what it inherits from looks at new classes"
            self.shared.append(name)
            self._digests[id(cls)] = class_digest(cls)
            self._memo[id(cls)] = cls
            return cls
        self.names.setdefault(name, "class")
        self._digests[id(cls)] = digest("class", cls.__qualname__)
        return self._class(cls, tuple(self._activity_class(b.__name__, b) for b in cls.__bases__))

    def _method(self, name: str, found: Any) -> object | None:
        functions = [self._function(name, fn) for fn in _functions_of(found)]
        if not functions:
            return None
        if isinstance(found, FunctionType):
            return functions[0]
        if isinstance(found, property):
            parts = (found.fget, found.fset, found.fdel)
            return property(*(part and self._memo.get(id(part), part) for part in parts))
        return type(found)(functions[0])  # type: ignore[no-any-return]

    def _data(self, name: str, value: object) -> object:
        kind = type(value)
        if kind in payload.SCALARS:
            self.names[name] = redact(repr(value))[:60]
            self._digests[id(value)] = digest(kind.__name__, repr(value))
            return value
        try:
            stored = payload.pack(value, name, kept=False)
            if getattr(stored, "codec", "") == "pickle":
                copy = payload.loads(stored.data)  # type: ignore[union-attr, arg-type]
            else:
                copy = payload.unpack(stored, _no_ref, _no_blob)
        except Unserialisable:
            self.names[name] = f"{kind.__name__}, shared: it cannot be copied"
            self.shared.append(name)
            self._digests[id(value)] = digest("opaque", kind.__qualname__)
            copy = value
        else:
            size = stored.size if isinstance(stored, payload.Packed) else 0
            self.names[name] = f"{kind.__name__}, {size} bytes"
            if size > LARGE_BYTES:
                self.large[name] = size
            self._digests[id(value)] = digest(kind.__qualname__, repr(stored))
        self._memo[id(value)] = copy
        return copy

    def sign(self) -> None:
        """Give each frozen activity the digest of its code and of everything it reaches."""
        for activity in self._activities:
            activity.digest = self.digest_of(activity)

    def digest_of(self, thing: object) -> str:
        """Give the digest of all that a frozen thing reaches."""
        found: dict[int, None] = {}
        todo = [id(thing)]
        while todo:
            key = todo.pop()
            if key not in found:
                found[key] = None
                todo.extend(self._reached.get(key, ()))
        return digest(*sorted(self._digests[key] for key in found if key in self._digests))


def _functions_of(member: object) -> list[FunctionType]:
    """Give the functions that something in the body of a class is made of."""
    found: list[object]
    match member:
        case property():
            found = [member.fget, member.fset, member.fdel]
        case staticmethod() | classmethod():
            found = [member.__func__]
        case _:
            found = [member]
    return [fn for fn in found if isinstance(fn, FunctionType)]


def _methods(cls: type) -> list[FunctionType]:
    return [fn for member in vars(cls).values() for fn in _functions_of(member)]


def _made_by_type(name: str, member: object) -> bool:
    """Whether a class has this because it is one, so that each copy gets its own."""
    return name in {"__dict__", "__weakref__"} or isinstance(member, MemberDescriptorType)


def _observed(cls: type) -> bool:
    """Whether code of somebody's runs when a class is made that inherits from the same ones."""
    hooked = any("__init_subclass__" in vars(base) for base in cls.__mro__[:-1])
    return hooked or type(cls) not in {type, ABCMeta}


def _no_ref(call: str) -> object:
    raise AssertionError(call)


def _no_blob(name: str) -> bytes:
    raise AssertionError(name)
