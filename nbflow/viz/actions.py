"""What people do to a run from its panel: carried out beside everything else, and told how it went.

Who can cancel or resume a run is no business of pictures: whoever shows one gives an `Actions`.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from nbflow.viz.wording import clean

_log = logging.getLogger("nbflow")

_WORDS: Final = {
    "cancel": "not cancelled",
    "cancel_call": "not cancelled",
    "retry": "not tried again",
    "resume": "not resumed",
}
_REASON: Final = 2000


class Actions(Protocol):
    """What can be done to one run from this process.

    Each may raise, and say why it cannot; one that gives text has it shown in the panel.
    """

    def possible(self, status: str) -> Sequence[str]:
        """Name what can be done to a run of that status: ``cancel``, ``cancel_call``, ``retry``...

        Args:
            status: As the panel shows it; ``stopped`` where nobody drives the run any more.
        """

    def cancel(self) -> object:
        """Cancel the run."""

    def cancel_call(self, call: str) -> object:
        """Cancel one call, by its id."""

    def retry(self) -> object:
        """Run the failed calls again; text that it gives is shown."""

    def resume(self) -> object:
        """Go on with a run that has stopped."""


class Nothing:
    """Says that nothing can be done: the run belongs to somebody else."""

    def possible(self, _: str) -> Sequence[str]:
        """Name nothing."""
        return ()

    def cancel(self, _: str = "") -> object:
        """Refuse."""
        message = "this run is not driven from here"
        raise LookupError(message)

    cancel_call = retry = resume = cancel


class Deeds:
    """Carries out actions, each in a thread of its own, and tells how they went.

    Where a message from the browser is heard may be the kernel's main thread, and to cancel or to
    resume a run may take a moment.

    Args:
        run: The run's id.
        actions: What can be done to it.
        tell: Takes messages to the browser; may be called from any thread.
    """

    def __init__(self, run: str, actions: Actions, tell: Callable[[dict[str, Any]], None]) -> None:
        self._run = run
        self._actions = actions
        self._tell = tell
        self._busy: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def do(self, action: str, *arguments: str) -> None:
        """Begin an action; a second click while it is carried out does nothing."""
        deed = (action, *arguments)
        with self._lock:
            if deed in self._busy:
                return
            self._busy.add(deed)
        context = contextvars.copy_context()
        name = f"nbflow {action} {self._run}"
        work = threading.Thread(
            target=context.run, args=(self._carry_out, deed), name=name, daemon=True
        )
        work.start()

    def _carry_out(self, deed: tuple[str, ...]) -> None:
        action, *arguments = deed
        ok, said = True, None
        try:
            said = getattr(self._actions, action)(*arguments)
        except BaseException as error:  # noqa: BLE001 - a click must not raise where nobody sees it
            ok = False
            _log.warning("run %s: %s failed", self._run, action, exc_info=True)
            reason = clean(str(error) or type(error).__name__, _REASON)
            text = f"{_WORDS[action]}: {reason}"
            self._tell({"kind": "note", "action": action, "text": text})
        finally:
            with self._lock:
                self._busy.discard(deed)
        self._tell({"kind": "done", "action": action, "ok": ok})
        if isinstance(said, str) and said:
            self._tell({"kind": "note", "action": action, "text": clean(said, _REASON)})
