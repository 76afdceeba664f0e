"""Makes runs, and takes up again those that nobody drives."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbflow.core.capture import Captured, capture
from nbflow.core.chosen import stored_options
from nbflow.core.definition import is_workflow_class
from nbflow.core.errors import (
    DefinitionError,
    RunError,
    StoreConflict,
)
from nbflow.core.events import RunResumed, RunStarted
from nbflow.core.history import History
from nbflow.core.payload import Blob, Packed, Stored, pack, spill
from nbflow.core.payload import check as check_pickle
from nbflow.core.recorded import WhichCode, python, record
from nbflow.core.redact import redact
from nbflow.core.seals import is_pickled
from nbflow.core.workflow import Place, Target, WorkflowFunction
from nbflow.engine.clock import clock
from nbflow.running.config import settings
from nbflow.running.nesting import depth_here
from nbflow.running.origin import BY_HAND, Origin, changed_options, create_as
from nbflow.running.session import Session, known, sessions
from nbflow.store.base import Store
from nbflow.store.ids import new_id
from nbflow.store.unbroken import Unbroken

_PACKED = frozenset({Packed, Blob})
MOST_RESUMES = 100
"""A run that was resumed so often is not resumed again unasked."""


def start(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    origin: Origin = BY_HAND,
) -> Session:
    """Create a run and begin it; see `create`. In an activity, see `depth_here`."""
    depth = depth_here(sessions, str(getattr(target, "name", "a workflow")))
    with Unbroken():  # else there might be a run that nobody drives, and nobody else may
        session = create(target, place, args, kwargs, origin, settings.open_store())
        session.depth = depth
        if not session.inline:
            session.begin()
    if session.inline:
        session.begin()
    return session


def create(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    origin: Origin,
    store: Store,
    frozen: Captured | None = None,
) -> Session:
    """Create a run, to be driven by this process.

    Raises:
        DefinitionError: `target` is no workflow, or the place makes no sense.
        TypeError: The arguments do not fit its signature.
        Unserialisable: An argument cannot be stored.
        StoreConflict: There is a run of that id.
        StoreError: The run cannot be written. Nothing has run.
    """
    frozen = changed_options(frozen or capture(target), origin.changes)
    frozen.definition.check(args, kwargs)
    executor = settings.executor(place)
    name = frozen.definition.name
    tags = frozen.definition.tags_of(args, kwargs) if origin.tags is None else origin.tags
    chosen = origin.run or frozen.definition.run_id_of(args, kwargs)
    options, unkept = stored_options(origin.changes, store.put)
    event = RunStarted(
        seq=1,
        at=clock.time(),
        workflow=name,
        args=tuple(_stored(store, a, f"argument {n} of {name}") for n, a in enumerate(args)),
        kwargs={k: _stored(store, v, f"argument {k} of {name}") for k, v in kwargs.items()},
        on=executor.name,
        code=frozen.code,
        source=redact(frozen.source),
        captured=frozen.names,
        seed=chosen,
        parent=origin.parent,
        call=origin.call,
        tags=tags,
        continues=origin.continues,
        program=spill(record(frozen), store.put),
        python=python(),
        options=options or None,
        unkept=unkept,
    )
    if chosen:
        create_as(store, chosen, event, by_hand=not origin.run)
    run = chosen or _create(store, name, event)
    session = Session(run, target, frozen, store, place)
    session.claim()
    return session


@dataclass(frozen=True, slots=True)
class Anew:
    """How a run goes on.

    Attributes:
        reason: Why, to be noted in the log.
        again: Calls that run anew though they may have succeeded.
        allowed: Those of them that were asked for by name, see `RunResumed.allowed`.
        given: Results that are known of calls that have none.
        force: Take it from a process that drives it, or go on in spite of many crashes.
        code: With which code, to be noted in the log.
    """

    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    given: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    code: WhichCode = "new"


def resume(
    run: str,
    target: Target,
    store: Store,
    place: Place,
    how: Anew,
    history: History | None = None,
) -> Session:
    """Go on with a run where its log ends, with what `target` is now; see `reopen`."""
    with Unbroken():
        session = reopen(run, target, store, place, how, history=history)
        if not session.inline:
            session.begin()
    if session.inline:
        session.begin()
    return session


def reopen(
    run: str,
    target: Target,
    store: Store,
    place: Place,
    how: Anew,
    frozen: Captured | None = None,
    history: History | None = None,
) -> Session:
    """Take a run to be driven by this process from where its log ends.

    Args:
        run: Its id.
        target: The workflow.
        store: Where its log is.
        place: Where its calls run.
        how: How it goes on.
        frozen: The workflow, if it was frozen before.
        history: As much of the log as was read before, which is not read again. It is the
            session's from now on.

    Raises:
        RunError: It is being driven, by this process or another, or was resumed too often.
        DefinitionError: `target` is another workflow.
        PickleRefused: It has pickled values that nothing shows to be this user's own.
        Unserialisable: A given result cannot be stored.
    """
    old = known(run, store)
    if old is not None and not old.done.done():
        message = f"run {run} is under way: wait for it, or cancel it first"
        raise RunError(message)
    by_hand, frozen = frozen is None, frozen or capture(target)
    given = {c: _stored(store, value, f"the result of {c}") for c, value in how.given.items()}
    session = Session(run, target, frozen, store, place, history)
    try:
        session.claim(force=how.force)
        _check(session, frozen.definition.name, how)
        if by_hand:
            session.as_started()
        session.live.resumed(
            RunResumed(0, 0.0, how.reason, how.again, how.allowed, how.code), given
        )
    except BaseException:
        session.abandon()
        raise
    return session


def _check(session: Session, name: str, how: Anew) -> None:
    """Refuse what cannot be resumed so."""
    started = session.history.started
    if started is None or started.workflow != name:
        found = started.workflow if started else "?"
        message = f"run {session.run} is one of workflow {found}, not of {name}"
        raise DefinitionError(message)
    for call in session.history.calls.values():
        _check_pickles(call.args)
        if call.kwargs:
            _check_pickles(call.kwargs.values())
        if call.outcome is not None:
            _check_pickles((getattr(call.outcome, "result", None),))
    for given in (started.args, started.kwargs.values(), (started.options or {}).values()):
        _check_pickles(given)
    if session.history.resumed >= MOST_RESUMES and not how.force:
        message = (
            f"run {session.run} was resumed {session.history.resumed} times and is still not "
            "over: look for what stops it, then run.resume(force=True)"
        )
        raise RunError(message)


def _check_pickles(values: Iterable[Stored]) -> None:
    for stored in values:
        if type(stored) in _PACKED and is_pickled(stored):
            check_pickle(stored.refused)  # type: ignore[union-attr]


def _stored(store: Store, value: object, what: str) -> Stored:
    return spill(pack(value, what, put=store.put), store.put)


def _create(store: Store, workflow: str, event: RunStarted) -> str:
    while True:
        run = new_id(workflow)
        try:
            store.create(run, event._replace(seed=run))
        except StoreConflict:
            continue
        return run


def _names(cls: Any) -> tuple[str, str]:
    """Give what a workflow that is written as a class may be called."""
    return cls.name or cls.__name__, f"{cls.__module__}.{cls.__name__}"


def find_target(workflow: str) -> Target:
    """Find a workflow of that name among those defined in the notebook or script.

    Raises:
        DefinitionError: There is none.
    """
    for found in vars(sys.modules["__main__"]).values():
        if isinstance(found, WorkflowFunction) and found.name == workflow:
            return found
        if is_workflow_class(found) and workflow in _names(found):
            return found  # type: ignore[no-any-return]
    message = (
        f"workflow {workflow} is not defined here: run the cell that defines it, pass it, as in "
        f"run.resume(workflow={workflow}), or go on with the code that the run was started with: "
        "run.resume(code='recorded')"
    )
    raise DefinitionError(message)
