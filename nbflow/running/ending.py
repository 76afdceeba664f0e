"""How a run, or one call of it, is cancelled for somebody who types: what is done, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nbflow.running.run import Run

_SETTLED: Final = frozenset({"done", "failed", "cancelled", "skipped"})


def cancel(run: Run[Any], call: str | None, reason: str, title: str = "") -> str:
    """Cancel a run or one call of it, and say so; what is over already stays as it is.

    Args:
        run: The run, of this process, of another one of this machine, or on a service.
        call: Id of the call; None for the whole run.
        reason: To be noted in the log.
        title: What the run is called in the answer, by default ``run ID``.

    Returns:
        One line for whoever asked.

    Raises:
        RunError: It has no such call, no process drives it, or its service cancels no calls.
        StoreError: The process that drives it could not be told.

    Example:
        >>> cancel(run, "fetch-2", "too slow")
        'run revenue-1f0c: cancel of fetch-2 requested'
    """
    title = title or f"run {run.id}"
    over = run.done()
    if call is None and over:
        return f"{title} is over: {run.status}"
    if call is None:
        run.cancel(reason)
        return f"{title}: cancel requested"
    run._check_call(call)  # noqa: SLF001 - the handle's own actions
    view = run.calls[call]
    if over or view.status in _SETTLED:
        return f"{call} of {title} is over: {view.status}"
    view.cancel(reason)
    return f"{title}: cancel of {call} requested"
