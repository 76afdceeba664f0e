"""Which of the runs that are kept are listed: for ``nbflow runs`` and ``%nbflow runs`` alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nbflow.store.base import RunRow


def selected(
    rows: Sequence[RunRow],
    *,
    status: Collection[str] = (),
    workflow: str | None = None,
    last: int | None = None,
) -> list[RunRow]:
    """Give those that fit, in their order.

    Args:
        rows: Runs, the latest first.
        status: Statuses that fit; all do if there is none.
        workflow: The name of their workflow; by default any.
        last: How many at most; by default all. It counts those that fit.

    Example:
        >>> selected([], status={"failed"}, last=3)
        []
    """
    fitting = [
        row
        for row in rows
        if (not status or row.status in status) and workflow in {None, row.workflow}
    ]
    return fitting[:last]


def none_fits(rows: Sequence[RunRow], where: str) -> str:
    """Say that no run is listed, and whether there are others.

    Args:
        rows: All runs.
        where: The store that they are kept in.
    """
    return f"none of the {len(rows)} runs in {where}" if rows else f"no runs in {where} yet"
