"""What became of attempts while nobody drove their run: they went on, and are taken up again.

An attempt has the name of its execution by how often its call has failed, so whoever drives the
run next asks for the same one: what runs, or has ended since, is not run again.
"""

from __future__ import annotations

from nbflow.core.history import History
from nbflow.services.cloudflow.client.errors import DoesNotExist
from nbflow.services.cloudflow.dynamic.names import attempt_name
from nbflow.services.cloudflow.dynamic.store import ServiceSide


def going_on(side: ServiceSide, run: str, history: History) -> list[str]:
    """Give the calls that go on though nobody has driven their run.

    Of a call that may begin but once, and that the log has as begun, that is known only where it
    has an execution: it may have run in the process that is gone.

    Args:
        side: Where the log is.
        run: The run, which nobody drives now.
        history: The fold of its log.

    Raises:
        NbflowError: The service cannot be had.
    """
    found = []
    for state in history.calls.values():
        if not state.name or state.started is None or state.outcome is not None:
            continue
        if state.started.worker or _is_there(side, run, state.id):
            found.append(state.id)
    return found


def _is_there(side: ServiceSide, run: str, call: str) -> bool:
    name = attempt_name(run, run, call, side.logs.attempt(run, call), side.logs.epoch(run))
    try:
        side.client.describe_execution(side.flows.activity, name)
    except DoesNotExist:
        return False
    return True
