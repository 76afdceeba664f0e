"""Whether the events of a log follow from each other: what a row alone does not show."""

from __future__ import annotations

import graphlib

from nbflow.core.errors import StoreUnusable
from nbflow.core.events import CallReused, CallScheduled, CallSucceeded, Event
from nbflow.core.history import History

_SHOWN = 6
"""Calls of a circle that are named."""


class Following:
    """The fold of a log, as whoever attaches to the run makes it, without the values in it.

    Example:
        >>> following = Following()
        >>> [flaw for event in events if (flaw := following.take(event))]
        []
        >>> following.circle()
        ''
    """

    def __init__(self) -> None:
        self._history = History()
        self._changed = False
        self._broken = False

    def take(self, event: Event) -> str:
        """Take the next event; say what is wrong with its place, "" if nothing is.

        After the first flaw nothing more is said: what comes later may be amiss because of it.
        """
        if self._broken:
            return ""
        if isinstance(event, CallScheduled):
            self._changed = self._changed or event.call in self._history.recorded
        try:
            self._history.apply(_bare(event))
        except StoreUnusable as error:
            self._broken = True
            kind = type(event).__name__
            return f"event {event.seq} ({kind}) needs {error.__cause__}, which is not before it"
        return ""

    def stop(self) -> None:
        """Look no further: what was there is lost."""
        self._broken = True

    def circle(self) -> str:
        """Say which calls wait for each other in a circle; "" if none do.

        Only a call that was asked for a second time can close one: the others take the results of
        calls that were asked for before them.
        """
        if self._broken or not self._changed:
            return ""
        calls = self._history.calls.values()
        try:
            graphlib.TopologicalSorter({c.id: c.deps for c in calls if c.deps}).prepare()
        except graphlib.CycleError as error:
            way = error.args[1]
            more = [f"… {len(way) - _SHOWN:,} more", way[-1]] if len(way) > _SHOWN else []
            shown = [*way[: _SHOWN - 1], *more] if more else way
            return f"its calls wait for each other in a circle: {' <- '.join(shown)}"
        return ""


def _bare(event: Event) -> Event:
    """Leave out what may be large and says nothing of the order."""
    if isinstance(event, CallScheduled):
        return event._replace(args=(), kwargs=None)
    if isinstance(event, CallSucceeded | CallReused):
        return event._replace(result=None)
    return event
