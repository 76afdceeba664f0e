"""What hooks and executors can be asked about a run's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbflow.core.call import CallState
    from nbflow.core.history import History as Log


class History:
    """A look at the log of a run as it is now.

    Args:
        log: nbflow's own fold of it; None for an empty one.
    """

    def __init__(self, log: Log | None) -> None:
        self._log = log

    @property
    def last_event_id(self) -> int:
        """Number of the latest event."""
        return self._log.last if self._log is not None else 0

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody wants the run to be cancelled."""
        return self._log is not None and self._log.cancelling is not None

    @property
    def activities(self) -> dict[str, dict[str, Any]]:
        """The calls of activities by id, with their state."""
        return self._calls(children=False)

    @property
    def child_workflows(self) -> dict[str, dict[str, Any]]:
        """The child runs by the ids of their calls, with their state."""
        return self._calls(children=True)

    def _calls(self, *, children: bool) -> dict[str, dict[str, Any]]:
        log = self._log
        if log is None:
            return {}
        known = [s for s in log.calls.values() if s.name and (s.id in log.children) is children]
        return {state.id: _entry(state) for state in known}


def _entry(state: CallState) -> dict[str, Any]:
    words = {"done": "completed", "running": "started", "cancelled": "canceled"}
    return {
        "type": "activity",
        "id": state.id,
        "name": state.name,
        "state": words.get(state.status, state.status),
        "retry": max(0, state.attempt - 1),
    }
