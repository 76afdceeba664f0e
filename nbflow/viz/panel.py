"""The live panel: a widget that shows what a `Follower` tells it."""

from __future__ import annotations

import contextvars
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from nbflow.viz.board import State
from nbflow.viz.palette import (
    ACTIVITY_COLORS,
    DASHED,
    ICONS,
    OTHER_COLOR,
    STATUS_COLORS,
)

_log = logging.getLogger("nbflow")
_STATIC: Final = Path(__file__).parent / "static"

WIDGET: Final = "application/vnd.jupyter.widget-view+json"

LOOK: Final[dict[str, Any]] = {
    "colors": STATUS_COLORS,
    "icons": {status: ICONS[status] for status in ICONS},
    "dashed": sorted(DASHED),
    "activities": [*ACTIVITY_COLORS, OTHER_COLOR],
}
"""What the panel shares with every other picture."""


class Panel(anywidget.AnyWidget):
    """A run under a cell, live.

    Attributes:
        state: All there is to see, see `Board.state`; sent now and then, and at the end.
        look: Colours and icons.
        token: Tells this panel from others on the page.
        cancellable: Whether it has a Cancel button.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    state = traitlets.Dict().tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    token = traitlets.Unicode().tag(sync=True)
    cancellable = traitlets.Bool().tag(sync=True)

    def __init__(self, cancel: Callable[[], None] | None = None) -> None:
        self._cancel = cancel
        self.on_ask: Callable[[], None] = lambda: None
        super().__init__(look=LOOK, token=secrets.token_hex(6), cancellable=cancel is not None)
        self.on_msg(self._heard)
        self._let_clicks_through()

    def _let_clicks_through(self) -> None:
        """Have clicks handled while a cell runs.

        From 7.4 on, ipykernel answers a comm where it last sent from, which is the main thread
        that the cell holds up; without this hook it uses the comm's own subshell, as before.
        """
        comm = self.comm
        if comm is not None and hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = None  # noqa: SLF001 - ipykernel has no public way

    # ------------------------------------------------------------------ Sink

    def full(self, state: State) -> None:
        """Show a whole state."""
        self.state = state

    def delta(self, delta: State) -> None:
        """Show what changed."""
        self.send({"kind": "delta", **delta})

    # ------------------------------------------------------------------ what the browser says

    def _heard(self, _: object, content: object, __: object = None) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ask":
            self.on_ask()
        elif kind == "cancel" and self._cancel is not None:
            # Not here: this may be the kernel's main thread, and cancelling may take a moment.
            run = contextvars.copy_context().run
            threading.Thread(target=run, args=(self._try_cancel,), daemon=True).start()

    def _try_cancel(self) -> None:
        assert self._cancel is not None  # noqa: S101 - `_heard` looked
        try:
            self._cancel()
        except Exception as error:  # noqa: BLE001 - it is told in the panel
            _log.warning("the run could not be cancelled", exc_info=True)
            self.send({"kind": "note", "text": f"not cancelled: {error}"})

    def bundle(self) -> dict[str, Any]:
        """Give the data to display it by; nothing is to be seen where there are no widgets."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {WIDGET: view, "text/plain": ""}
