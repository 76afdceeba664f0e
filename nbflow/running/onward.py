"""Runs that go on in a new run, with an empty log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbflow.core.decide import continued as decided
from nbflow.core.errors import Continued, InternalError, StoreConflict
from nbflow.core.events import RunContinued, SignalReceived
from nbflow.core.payload import spill, unpack
from nbflow.engine.family import onward_id as onward_id  # noqa: PLC0414 - of this module, too
from nbflow.running.origin import Origin

if TYPE_CHECKING:
    from nbflow.running.session import Session


def continued(session: Session, new: Continued) -> RunContinued:
    """Give the event that ends a run which goes on as new.

    Raises:
        TypeError: The arguments do not fit the workflow.
        Unserialisable: They cannot be stored.
    """
    session.frozen.definition.check(new.given, new.named)
    command, put = decided(new), session.store.put
    args = tuple(spill(stored, put) for stored in command.args)
    kwargs = {k: spill(stored, put) for k, stored in command.kwargs.items()}
    return RunContinued(0, 0.0, onward_id(session.run), args, kwargs, command.unread)


def take_over(session: Session, event: RunContinued) -> Session:
    """Make the run that another one goes on in, to be driven by this process.

    If it is there already, since the process ended when it had just been made, it is taken up.
    """
    from nbflow.running.opening import Anew, create, reopen  # noqa: PLC0415 - sessions go on

    started, store = session.history.started, session.store
    if started is None:
        message = f"the log of run {session.run} does not begin with RunStarted"
        raise InternalError(message)

    def value(stored: Any) -> Any:
        return unpack(stored, _no_ref, store.get)

    origin = Origin(
        run=event.run,
        parent=started.parent,
        call=started.call,
        tags=started.tags,
        continues=session.run,
        changes={name: value(stored) for name, stored in (started.options or {}).items()},
    )
    args = tuple(value(stored) for stored in event.args)
    kwargs = {k: value(stored) for k, stored in (event.kwargs or {}).items()}
    target, place, frozen = session.target, session.place, session.frozen
    try:
        found = create(target, place, args, kwargs, origin, store, frozen)
    except StoreConflict:
        found = reopen(event.run, target, store, place, Anew("taken up"), frozen)
    found.surround(session.carried)
    for name in event.unread:
        told = session.history.calls[name].outcome
        if isinstance(told, SignalReceived):
            found.live.signalled(told._replace(id=told.id or name))
    return found


def _no_ref(call: str) -> object:
    message = f"the arguments of a run refer to {call}"
    raise InternalError(message)
