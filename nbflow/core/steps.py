"""Steps: parts of a workflow that are done once and for all, over any number of runs.

That a step is done is noted in the store, under a scope that the user names: a later run of the
same scope skips it, unless it is forced. What was read there is a marker in the log, so a replay
takes the same way whatever has been noted since.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nbflow.core.canvas import Canvas, Group, ask_for, read_item
from nbflow.core.composed import CanvasFuture, Item
from nbflow.core.errors import AggregateException, DefinitionError, FutureMisuse
from nbflow.core.future import Future, current, leaves
from nbflow.core.stepnotes import FORCE, NEW, NOTE, PLAYED, SKIP, Mark, Verdict, Wish, site_of

if TYPE_CHECKING:
    from nbflow.core.interpreter import Interpreter

_LONGEST: Final = 80
"""Characters of a name: files are called by it."""


class Steps:
    """The steps of a scope, in workflow code.

    Args:
        scope: What the steps are done for, over any number of runs: ``f"nightly/{day}"``.
        force: Steps to run though they are done. ``load`` is that step and all below it
            (``load.eu``), ``*.eu`` a pattern, ``*`` all.
        skip: Steps not to run though they are not done. What is forced is not skipped.

    Attributes:
        scope: See above.
        done: The steps that were done when the run began, and by which run.

    Raises:
        FutureMisuse: It is not workflow code.
        DefinitionError: The scope or a name is none.

    Example:
        >>> steps = nbflow.Steps(f"nightly/{day}")
        >>> loaded = steps.step("load", *[(load, region) for region in regions]).submit()
        >>> loaded.result()
    """

    def __init__(self, scope: str, *, force: Iterable[str] = (), skip: Iterable[str] = ()) -> None:
        self._interpreter = _interpreter("Steps")
        self.scope = _named("scope", scope)
        interpreter = self._interpreter
        found = interpreter.mark(partial(_read, interpreter.run, scope), f"steps of {scope}")
        self.done = {name: Mark(*mark) for name, mark in found["done"].items()}
        started = interpreter.history.started
        tags = started.tags if started is not None else ()
        self._force = _tagged(tags, FORCE) + _wished(found["force"], "the environment")
        self._skip = _tagged(tags, SKIP) + _wished(found["skip"], "the environment")
        self.force(*_several("force", force))
        self.skip(*_several("skip", skip))

    def step(
        self,
        name: str,
        *items: Any,
        force: bool = False,
        activities_if_step_already_done: Any = None,
        emit_signal: bool = False,
        force_steps_if_executed: Iterable[str] = (),
        raises_on_failure: bool | None = None,
    ) -> Step:
        """Make a step, to be submitted or to be an item of a group or a chain.

        Args:
            name: Its name; dots make a hierarchy, as in ``load.eu``.
            items: What it does, as of a `Group`: side by side.
            force: Run it though it is done.
            activities_if_step_already_done: An item to ask for in its place when it is skipped.
            emit_signal: Tell the run the signal ``step.<name>`` once it is done or skipped, with
                what became of it; child runs that are under way hear it, too.
            force_steps_if_executed: Steps to force from then on if this one runs.
            raises_on_failure: As of a `Group`.

        Raises:
            DefinitionError: An item cannot be asked for, or an option makes no sense.
        """
        return Step(
            self,
            name,
            items,
            force=force,
            otherwise=activities_if_step_already_done,
            emit_signal=emit_signal,
            then_force=_several("force_steps_if_executed", force_steps_if_executed),
            raises_on_failure=raises_on_failure,
        )

    def force(self, *steps: str, reason: str = "the workflow") -> None:
        """Have steps run that are begun from now on, though they are done."""
        self._force += _wished(steps, reason)

    def skip(self, *steps: str, reason: str = "the workflow") -> None:
        """Have steps that are begun from now on not run."""
        self._skip += _wished(steps, reason)

    def verdict(self, name: str, *, force: bool = False) -> Verdict:
        """Tell whether a step would run if it were begun now, and why."""
        forced = [f"forced by {wish.reason}" for wish in self._force if wish.of(name)]
        if force:
            forced.append("forced by the step itself")
        if forced:
            return Verdict(runs=True, forced=True, reasons=tuple(forced))
        skipped = tuple(f"skipped by {wish.reason}" for wish in self._skip if wish.of(name))
        if skipped:
            return Verdict(runs=False, forced=False, reasons=skipped)
        if name in self.done:
            return Verdict(runs=False, forced=False, reasons=(PLAYED,))
        return Verdict(runs=True, forced=False, reasons=(NEW,))

    def now_done(self, name: str) -> None:
        """Take note that this run has done a step."""
        interpreter = self._interpreter
        self.done[name] = Mark(interpreter.run, interpreter.seen_at())

    def note(self, name: str, status: str, verdict: Verdict, *, marks: bool) -> Future[None]:
        """Have it written what became of a step; with `marks`, that it is done, for later runs."""
        return _Note(self, name, status, verdict, marks=marks).start(self._interpreter)

    def __repr__(self) -> str:
        """Give the scope and how much of it is done."""
        return f"<steps of {self.scope}: {len(self.done)} done>"


class Step(Canvas):
    """A part of a workflow that is done once for a scope. Made by `Steps.step`."""

    kind = "step"

    def __init__(
        self,
        steps: Steps,
        name: str,
        items: tuple[Any, ...],
        *,
        force: bool,
        otherwise: Any,
        emit_signal: bool,
        then_force: tuple[str, ...],
        raises_on_failure: bool | None,
    ) -> None:
        super().__init__(raises_on_failure=raises_on_failure, name=_named("name of a step", name))
        self._steps, self._force, self._emits = steps, force, emit_signal
        self._then_force = then_force
        one = len(items) == 1 and isinstance(items[0], Canvas)
        self._body: Canvas = items[0] if one else _Body(*items)
        self._otherwise = None if otherwise is None else read_item(otherwise)

    def _begin(
        self, interpreter: Interpreter, extra: tuple[Any, ...], *, raises: bool
    ) -> StepFuture:
        verdict = self._steps.verdict(self.name, force=self._force)
        if verdict.runs:
            self._steps.force(*self._then_force, reason=f"step {self.name}, which has run")
            items = [Item(self._body, extra), self._note("completed", verdict, marks=True)]
            first = "scheduled"
        else:
            items = [] if self._otherwise is None else [self._otherwise]
            first = "skipped"
        self._note(first, verdict).target.start(interpreter)
        if self._emits:
            items.append(Item(_Signal(self.name, "completed" if verdict.runs else "skipped")))
        return StepFuture(
            interpreter, self._path(interpreter), items, verdict, self._says(inherited=raises)
        )

    def _note(self, status: str, verdict: Verdict, *, marks: bool = False) -> Item:
        return Item(_Note(self._steps, self.name, status, verdict, marks=marks))


class _Body(Group):
    """The items of a step, which are no group of their own within it."""

    def _path(self, interpreter: Interpreter) -> str:
        return interpreter.group


class _Note:
    """Writes to the log, and once it is done to the store, what became of a step."""

    def __init__(
        self, steps: Steps, name: str, status: str, verdict: Verdict, *, marks: bool
    ) -> None:
        self._steps, self._name, self._status = steps, name, status
        self._verdict, self._marks = verdict, marks

    def start(self, interpreter: Interpreter) -> _NoteFuture:
        """Have it written; gives when it is."""
        if self._marks:
            self._steps.now_done(self._name)
        make = partial(self._write, interpreter.run, interpreter.seen_at())
        state = interpreter.note(make, f"{NOTE}{self._name} {self._status}")
        return _NoteFuture(state, interpreter)

    def _write(self, run: str, at: float) -> dict[str, Any]:
        if self._marks:
            site_of(run).mark(self._steps.scope, self._name, Mark(run, at))
        return {
            "scope": self._steps.scope,
            "step": self._name,
            "status": self._status,
            "forced": self._verdict.forced,
            "reasons": list(self._verdict.reasons),
        }


class _Signal(NamedTuple):
    """Tells the run what became of a step."""

    name: str
    status: str

    def start(self, interpreter: Interpreter) -> Future[Any]:
        """Send it."""
        return interpreter.send_signal(f"step.{self.name}", self.status, None, propagate=True)


class _NoteFuture(Future[None]):
    """That a note is written."""

    __slots__ = ()

    def result(self) -> None:
        """Wait for it; raise what went wrong."""
        error = self.exception()
        if error is not None:
            raise error


class StepFuture(CanvasFuture):
    """What comes of a step: the results of its items, or of what was asked for in its place.

    Attributes:
        verdict: Whether it runs, and why.
    """

    __slots__ = ("verdict",)

    def __init__(
        self,
        interpreter: Interpreter,
        path: str,
        items: list[Item],
        verdict: Verdict,
        raises: bool,  # noqa: FBT001 - made in one place
    ) -> None:
        self.verdict = verdict
        super().__init__(interpreter, path, items, _asked, raises=raises, most=1, breaks=True)

    @property
    def skipped(self) -> bool:
        """Whether it was skipped."""
        return not self.verdict.runs

    def result(self) -> Any:
        """Give the results of its items in order, waiting for them and for the note of it.

        Returns:
            None where it was skipped and nothing was asked for in its place.

        Raises:
            AggregateException: Some failed, unless ``raises_on_failure`` is False.
        """
        self.settle()
        error = self.exception() if self._raises else None
        if error is not None:
            raise error
        body = self._body()
        return None if body is None else body.result()

    def error(self) -> AggregateException | None:
        """Give the errors so far as one, or None."""
        first = self._errors.get(0)
        return first if isinstance(first, AggregateException) else super().error()

    @property
    def futures(self) -> list[Any]:  # type: ignore[override]
        """The futures of its items, once all were asked for."""
        body = self._asked_for()
        if body is None:
            return []
        return body.futures if isinstance(body, CanvasFuture) else [body]

    def leaves(self) -> list[Future[Any]]:
        """Give the futures of all its calls."""
        body = self._asked_for()
        return [] if body is None else leaves(body)

    def _asked_for(self) -> Future[Any] | None:
        while self._items:
            self._interpreter.step()
        return self._body()

    def _body(self) -> Future[Any] | None:
        first = self.members[0] if self.members else None
        own = isinstance(first, _NoteFuture) or (first is not None and not _has_call(first))
        return None if own else first


def _has_call(future: Future[Any]) -> bool:
    """Whether it is of a call or a composition, and not of a signal."""
    return isinstance(future, CanvasFuture) or bool(future._state.name)  # noqa: SLF001


def _asked(
    interpreter: Interpreter,
    item: Item,
    extra: tuple[Any, ...],
    raises: bool,  # noqa: FBT001 - as `Ask` has it
) -> Future[Any]:
    if isinstance(item.target, _Note | _Signal):
        return item.target.start(interpreter)
    return ask_for(interpreter, item, extra, raises)


# -------------------------------------------------------------------- what is read and checked


def _read(run: str, scope: str) -> dict[str, Any]:
    site = site_of(run)
    force, skip = site.wishes()
    done = {name: list(mark) for name, mark in site.done(scope).items()}
    return {"done": done, "force": force, "skip": skip}


def _interpreter(what: str) -> Interpreter:
    found = current.get()
    if found is None:
        message = f"nbflow.{what} is for workflow code: what it reads belongs to the log of a run"
        raise FutureMisuse(message)
    return found


def _tagged(tags: Iterable[str], head: str) -> list[Wish]:
    return [Wish(tag.removeprefix(head), f"tag {tag}") for tag in tags if tag.startswith(head)]


def _wished(steps: Iterable[str], reason: str) -> list[Wish]:
    return [Wish(_named("name of a step", one), reason) for one in steps]


def _several(what: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        message = f"{what} is a list of names of steps, not {given!r:.60}"
        raise DefinitionError(message)
    return tuple(given)


def _named(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or len(name.encode()) > _LONGEST:
        message = f"a {what} is text of 1 to {_LONGEST} characters, not {name!r:.100}"
        raise DefinitionError(message)
    return name
