"""Freezes the code of a run: notebook functions and the globals they reach, as they are now.

A cell that is edited later must not change a run that is under way, on any executor, threads
included. So a run executes copies of its notebook functions, whose globals are a namespace of
their own. What can be imported is left alone: other processes find it by name.
"""

from __future__ import annotations

import builtins
import sys
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.child import WorkflowOptions
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
                thing: Any = value
                self.names[name] = str(type(thing).__name__)
                self._digests[key] = digest(name, str(thing.__name__))
                return value
        return self._data(name, value)

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
        copy.fn = self._function(value.name, fn)
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

    def _workflow_class(self, cls: type[Workflow]) -> type[Workflow]:
        """Make the class anew, its notebook bases too, with frozen methods."""
        bases = tuple(
            self.value("", base) if issubclass(base, Workflow) else base for base in cls.__bases__
        )
        own = {n: v for n, v in vars(cls).items() if n not in {"__dict__", "__weakref__"}}
        copy: type[Workflow] = type(cls)(cls.__name__, bases, own)  # type: ignore[misc]
        self._memo[id(cls)] = copy
        self._keep.append(copy)
        reached = [id(base) for base in cls.__bases__]
        for name, found in own.items():
            frozen = self._method(name, found)
            if frozen is not None:
                setattr(copy, name, frozen)
                reached.append(id(getattr(found, "__func__", found)))
        self._reached[id(copy)] = self._reached[id(cls)] = reached
        return copy

    def _method(self, name: str, found: object) -> object | None:
        if isinstance(found, FunctionType):
            return self._function(name, found)
        if isinstance(found, staticmethod | classmethod) and isinstance(
            found.__func__, FunctionType
        ):
            return type(found)(self._function(name, found.__func__))
        return None

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


def _no_ref(call: str) -> object:
    raise AssertionError(call)


def _no_blob(name: str) -> bytes:
    raise AssertionError(name)
