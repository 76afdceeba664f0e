"""What a panel can do to a run that this process drives, or can drive again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbflow.core.activity import Activity
from nbflow.core.parsing import source_of
from nbflow.running import session as _session
from nbflow.running.leases import holder_of

if TYPE_CHECKING:
    from nbflow.running.run import Run
    from nbflow.running.session import Session
    from nbflow.store.base import Store
    from nbflow.viz.details import About


class RunActions:
    """The actions of one run's panel, see `nbflow.viz.actions.Actions`.

    Args:
        run: The handle of the run.
        store: Where its log is.
    """

    def __init__(self, run: Run[Any], store: Store) -> None:
        self._run = run
        self._store = store
        self._alone = False
        self._ending: Session | None = None

    def possible(self, status: str) -> Sequence[str]:
        """Name what can be done; while another process drives the run, it can be asked to cancel.

        A run that is not over though no process drives it any more can be resumed. That it is not
        over has to be seen once more after nobody was seen to drive it: it may just have ended.

        Args:
            status: The run's status, ``stopped`` where its driver has given it up.
        """
        session = _session.known(self._run.id, self._store)
        driven = session is not None and not session.done.done()
        alone, self._alone = self._alone, False
        if status == "running" and not driven:
            if holder_of(self._store, self._run.id):
                there = getattr(self._store, "mail", None) is not None
                return ("cancel", "cancel_call") if there else ()
            self._alone = True
            return ("resume",) if alone else ()
        if status == "running":
            return ("cancel", "cancel_call")
        if session is not None and driven:
            self._look_again(session)
            return ()
        again = {"failed": ("retry",), "cancelled": ("resume",), "stopped": ("resume",)}
        return again.get(status, ())

    def _look_again(self, session: Session) -> None:
        """Have panels look once more when a run is let go of: its log has its end before that."""
        if session is not self._ending:
            self._ending = session
            session.done.add_done_callback(lambda _: wake_panels(session.run))

    def cancel(self) -> None:
        """Cancel the run."""
        self._run.cancel("in its panel")

    def cancel_call(self, call: str) -> None:
        """Cancel one call."""
        self._run.calls[call].cancel("in the run's panel")

    def retry(self) -> object:
        """Run the calls that failed again, and what needs them."""
        return self._run.resume(reason="tried again in its panel")

    def resume(self) -> object:
        """Go on with the run."""
        return self._run.resume(reason="resumed in its panel")

    def halted(self) -> str:
        """Say why nobody drives the run any more, be it over or not; "" if somebody may."""
        session = _session.known(self._run.id, self._store)
        if session is None:
            gone = self._run._let_go()  # noqa: SLF001 - the handle's own actions
            return "the process that drove it is gone; what succeeded is kept" if gone else ""
        error = session.error
        return f"{type(error).__name__}: {error}" if error is not None else ""

    def about(self, call: str) -> About:
        """Tell what is known here of a call's code: nothing, for a run of another process."""
        from nbflow.viz.details import About  # noqa: PLC0415 - pictures only when asked for

        session = _session.known(self._run.id, self._store)
        state = session.history.calls.get(call) if session is not None else None
        activity = state.activity if state is not None else None
        return About() if activity is None else About(_parameters(activity), _source(activity))


def _parameters(activity: Activity[..., Any]) -> tuple[str, ...]:
    """Name the positional parameters, with a ``*`` before the one that takes all others."""
    found: list[str] = []
    for parameter in activity.signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return (*found, f"*{parameter.name}")
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            found.append(parameter.name)
    return tuple(found)


def _source(activity: Activity[..., Any]) -> str:
    try:
        return source_of(activity.fn)
    except (OSError, TypeError):
        return ""


def wake_panels(run: str) -> None:
    """Let panels that show a run know that it goes on."""
    live = sys.modules.get("nbflow.viz.live")  # there are no panels unless somebody loaded it
    if live is not None:
        live.resumed(run)
