"""Which of the runs that are kept are listed: for ``nbflow runs`` and ``%nbflow runs`` alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import islice

from nbflow.core.errors import NbflowError
from nbflow.core.events import RunStarted
from nbflow.running.starting import attach
from nbflow.store.base import RunRow


def tags_of(row: RunRow) -> tuple[str, ...]:
    """Give the tags that a run was started with; none if its log cannot be read."""
    try:
        first = next(iter(attach(row.run, drive=False).events()), None)
    except NbflowError:
        return ()
    return first.tags if isinstance(first, RunStarted) else ()


def selected(
    rows: Sequence[RunRow],
    *,
    status: Collection[str] = (),
    workflow: str | None = None,
    tags: Collection[str] = (),
    tagged: Callable[[RunRow], Collection[str]] = tags_of,
    last: int | None = None,
) -> list[RunRow]:
    """Give those that fit, in their order.

    Args:
        rows: Runs, the latest first.
        status: Statuses that fit; all do if there is none.
        workflow: The name of their workflow; by default any.
        tags: Tags that all are to have been started with.
        tagged: Gives the tags of a run. It is asked only of those that fit else.
        last: How many at most; by default all. It counts those that fit.

    Example:
        >>> selected([], status={"failed"}, last=3)
        []
    """
    wanted = frozenset(tags)
    fitting = (
        row
        for row in rows
        if (not status or row.status in status)
        and workflow in {None, row.workflow}
        and (not wanted or wanted.issubset(tagged(row)))
    )
    return list(islice(fitting, last))


def none_fits(rows: Sequence[RunRow], where: str) -> str:
    """Say that no run is listed, and whether there are others.

    Args:
        rows: All runs.
        where: The store that they are kept in.
    """
    return f"none of the {len(rows)} runs in {where}" if rows else f"no runs in {where} yet"
