"""How the code of a run gets to its deciders and workers.

A run's first event has the code that it was started with, so that it is decided and worked on by
that, whatever becomes of the notebook. Code that can be imported goes by its name; what was
defined in a notebook goes as a pickle, signed as every pickle of the run is. A pickle is good for
one version of Python and of cloudpickle, which stand in front of it: others refuse to load it.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.activity import Activity
from nbflow.core.capture import Captured, from_notebook
from nbflow.core.definition import Definition, definition, is_workflow_class
from nbflow.core.errors import NbflowError, PickleRefused, Unserialisable
from nbflow.core.events import Event, RunStarted
from nbflow.core.fingerprint import global_chains
from nbflow.core.payload import Packed, Stored
from nbflow.core.recorded import python
from nbflow.core.redact import holds_secret, redact
from nbflow.core.workflow import WorkflowFunction
from nbflow.services.swf.codec.texts import Note
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.wire import TypeName

_NAMED: Final = "import "
_OURS: Final = "nbflow"
_UNCHANGED: Final = "The run is as it was, and goes on where its code is to be had"


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a run.

    Attributes:
        definition: Its workflow.
        activities: The activities that it reaches, by their types.
        workflows: The workflows that it reaches, itself among them, likewise.
    """

    definition: Definition
    activities: dict[TypeName, Activity[..., Any]]
    workflows: dict[TypeName, Definition]

    @classmethod
    def of(cls, target: Any, more: Iterable[Activity[..., Any]] = ()) -> Code:
        """Give that of a workflow, with activities that its code does not name besides."""
        found = list(reached(target))
        activities = [a for a in (*more, *found) if isinstance(a, Activity)]
        flows = [definition(w) for w in found if not isinstance(w, Activity)]
        return cls(
            definition(target),
            {TypeName(a.name, a.settings.version): a for a in activities},
            {TypeName(d.name, d.version): d for d in flows},
        )


def words() -> str:
    """Give what stands in front of a run's first event: what its pickles are good for."""
    return f"run {python()} cloudpickle-{_cloudpickle()}"


def _cloudpickle() -> str:
    import cloudpickle  # noqa: PLC0415 - not needed before there is something to send

    return str(cloudpickle.__version__)


def program(frozen: Captured) -> Stored:
    """Give what the first event of a run has as its code.

    Returns:
        ``import module:name``, or a pickle of the workflow, its activities and its cells.

    Raises:
        Invalid: It cannot be sent; the message names what stands in the way.
    """
    name = name_of(frozen.target)
    own = definition(frozen.target).settings
    if name and frozen.definition.settings.changed({"tags": own.tags}) != own:
        raise Invalid(
            f"{name} is imported by deciders, who know it with the options that it has there: give "
            "it these options where it is defined. Nothing was started"
        )
    if name:
        return f"{_NAMED}{name}"
    if not payload.pickles_allowed():
        raise Invalid(f"the code of {frozen.definition.name} cannot be sent: {payload.JSON_ONLY}")
    cells = {f: "".join(e[2]) for f in frozen.files if (e := _cell(f)) is not None}
    found = [a for a in reached(frozen.target) if isinstance(a, Activity)]
    bundle = (frozen.target, found, cells, frozen.definition.settings)
    try:
        data = payload.dumps(bundle, f"the code of {frozen.definition.name}")
    except Unserialisable as error:
        said = f"{error}. So other processes cannot run it; nothing was started"
        raise Invalid(said) from error
    if holds_secret(data):
        raise Invalid(
            f"the code of {frozen.definition.name} holds the value of a secret, which would stand "
            "in the history: hand it over as an nbflow.Secret. Nothing was started"
        )
    return Packed("pickle", data)


def shipped(event: RunStarted, frozen: Captured) -> RunStarted:
    """Give the first event of a run with the code that it is started with.

    Raises:
        Invalid: The code cannot be sent.
    """
    return event._replace(
        code=frozen.code,
        source=redact(frozen.source),
        captured=frozen.names,
        program=program(frozen),
        python=python(),
    )


def _cell(name: str) -> Any:
    entry = linecache.cache.get(name)
    return entry if entry is not None and len(entry) > 1 and entry[1] is None else None


def name_of(target: Any) -> str:
    """Give the name that a workflow is imported by, as ``module:name``; "" if it has none."""
    thing = inspect.unwrap(target.fn) if isinstance(target, WorkflowFunction) else target
    if from_notebook(thing):
        return ""
    module = sys.modules[thing.__module__]
    names = [thing.__qualname__, *vars(module)]
    return next((f"{module.__name__}:{n}" for n in names if _found(module, n) is target), "")


def _found(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def imported(name: str) -> Any:
    """Import a workflow by ``module:name``.

    Raises:
        Invalid: There is none.
    """
    module, _, attribute = name.partition(":")
    try:
        found = _found(importlib.import_module(module), attribute)
    except ImportError as error:
        raise Invalid(f"workflow {name} cannot be imported here: {error}. {_UNCHANGED}") from error
    if found is None:
        raise Invalid(f"module {module} has no {attribute} here. {_UNCHANGED}")
    return found


def code_of(note: Note, known: Iterable[str]) -> Code | None:
    """Give the code that a run was started with; None if its first event has none.

    Args:
        note: The text with its first event.
        known: The names that may be imported. A history is written by whoever may use the domain,
            so what it names is not imported unless somebody here said so.

    Raises:
        Invalid: It is for another version of Python or cloudpickle, or may not be imported.
        PickleRefused: Nothing shows that it is this user's own.
    """
    started: Event = note.events[0]
    assert isinstance(started, RunStarted)  # noqa: S101 - every run begins with it
    given = started.program
    if isinstance(given, str) and given.startswith(_NAMED):
        name = given.removeprefix(_NAMED)
        if name not in set(known):
            raise Invalid(
                f"the run is one of {name}, which this process was not told to import: name it "
                f"when deciders and workers are started. {_UNCHANGED}"
            )
        return Code.of(imported(name))
    if not isinstance(given, Packed):
        return None
    if not given.refused:
        _check(note.words, started.python)
    return _unpacked(given)


def _check(found: tuple[str, ...], made_by: str) -> None:
    mine = tuple(words().split(" "))
    theirs = found if len(found) == len(mine) else (mine[0], made_by or mine[1], *mine[2:])
    if theirs != mine:
        raise Invalid(
            f"the code of the run was pickled by {' and '.join(theirs[1:])}, and this is "
            f"{' and '.join(mine[1:])}: pickles are good for one version alone. {_UNCHANGED}"
        )


def _unpacked(given: Packed) -> Code:
    try:
        target, activities, cells, settings = payload.unpack(given, _no_call, _no_blob)
    except PickleRefused as error:
        raise PickleRefused(f"the code of the run: {error}. {_UNCHANGED}") from None
    for name, text in cells.items():
        # So tracebacks have the lines of cells that this process has not executed.
        lines = text.splitlines(keepends=True)
        linecache.cache.setdefault(name, (len(text), None, lines, name))
    code = Code.of(target, activities)
    return replace(code, definition=replace(code.definition, settings=settings))


def _no_call(call: str) -> object:
    raise NbflowError(f"the code of a run refers to {call}")


def _no_blob(digest: str) -> bytes:
    raise NbflowError(f"the code of a run refers to {digest}")


def reached(target: Any) -> Iterator[Any]:
    """Find the activities and workflows that a workflow's code reaches by names, at any depth.

    That is by globals, closures, attributes of modules, and what is in lists, tuples and dicts
    of them. Code of libraries is not looked through.
    """
    return _Search(_package(target)).all(target)


def _package(target: Any) -> str:
    code = target.fn if isinstance(target, WorkflowFunction) else target
    return str(getattr(code, "__module__", "") or "").partition(".")[0]


def _itself(thing: Any) -> Any:
    return thing


class _Search:
    """A walk through what code reaches."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._seen: set[int] = set()
        self._todo: list[Any] = []

    def all(self, target: Any) -> Iterator[Any]:
        self._todo = [target]
        while self._todo:
            thing = self._todo.pop()
            if id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            # What stands for an activity, as programs for other libraries have it, says which.
            thing = getattr(type(thing), "__activity__", _itself)(thing)
            if isinstance(thing, Activity | WorkflowFunction) or is_workflow_class(thing):
                yield thing
            self._todo += self._next(thing)

    def _next(self, thing: Any) -> Iterable[Any]:
        match thing:
            case WorkflowFunction():
                return (thing.fn, *(f for f in (thing.settings.on_task_failure,) if f))
            case Activity():
                return ()
            case FunctionType() if self._is_own(thing):
                return self._reached(thing)
            case type() if is_workflow_class(thing):
                own = vars(thing).values()
                return (*thing.__bases__, *(getattr(v, "__func__", v) for v in own))
            case list() | tuple() | set() | frozenset():
                return thing
            case dict():
                return thing.values()
        return ()

    def _is_own(self, fn: FunctionType) -> bool:
        package = (fn.__module__ or "").partition(".")[0]
        return package == self._package or (package != _OURS and from_notebook(fn))

    def _reached(self, fn: FunctionType) -> Iterator[Any]:
        for chain in global_chains(fn.__code__):
            found: Any = fn.__globals__.get(chain[0])
            for name in chain[1:]:
                if not isinstance(found, ModuleType):
                    break
                found = getattr(found, name, None)
            yield found
        for cell in fn.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue  # assigned later, or never
        yield from fn.__defaults__ or ()
        yield from (fn.__kwdefaults__ or {}).values()
