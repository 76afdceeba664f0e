"""Puts two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbflow.running.run import Run
from nbflow.running.starting import attach
from nbflow.store.base import RunRow, Store

if TYPE_CHECKING:
    from nbflow.viz.compare_views import ComparisonView


def compare(
    a: Run[Any] | RunRow | str, b: Run[Any] | RunRow | str, store: Store | None = None
) -> ComparisonView:
    """Put two runs side by side: what took longer, what waited longer, what ended otherwise.

    Calls are matched by id, and those of which only one run has the id by activity and order.
    A run that is under way is compared as far as it is.

    Args:
        a: The run to compare with: a handle, an id or its beginning, or a row of `nbflow.runs()`.
        b: The run to compare, likewise.
        store: Where runs given by id are; by default the configured store.

    Raises:
        RunNotFound: There is no run of that id; the message names the nearest ones.
        TypeError: One of them is nothing that names a run.

    Example:
        >>> nbflow.compare("revenue-5f0c", run)              # a picture
        >>> nbflow.compare(before, after).to_pandas().head()
    """
    from nbflow.viz.compare import Half  # noqa: PLC0415 - pictures only when asked for
    from nbflow.viz.compare_views import ComparisonView  # noqa: PLC0415

    first, second = _handle(a, store), _handle(b, store)
    return ComparisonView(Half(first.id, first.events()), Half(second.id, second.events()))


def _handle(run: object, store: Store | None) -> Run[Any]:
    if isinstance(run, Run):
        return run
    if isinstance(run, RunRow):
        return attach(run.run, store)
    if isinstance(run, str):
        return attach(run, store)
    message = f"compare takes runs or their ids, not {type(run).__name__}"
    raise TypeError(message)
