"""The live panel: a widget that shows what a `Follower` tells it, and passes on what people ask."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from nbflow.viz.board import State
from nbflow.viz.palette import LOOK

_STATIC: Final = Path(__file__).parent / "static"

WIDGET: Final = "application/vnd.jupyter.widget-view+json"


class Panel(anywidget.AnyWidget):
    """A run under a cell, live: the kernel's side of docs/panel.md.

    Attributes:
        state: All there is to see, see `Board.whole`; sent now and then, and at the end.
        look: Colours and icons.
        token: Tells this panel from others on the page.
        actions: What can be done to the run from here.
        on_message: Is given what the browser sends, whatever it is.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    state = traitlets.Dict().tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    token = traitlets.Unicode().tag(sync=True)
    actions = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self) -> None:
        self.on_message: Callable[[object], None] = lambda _: None
        super().__init__(look=LOOK, token=secrets.token_hex(6))
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

    def tell(self, message: State, buffers: list[bytes]) -> None:
        """Show what changed, or an answer."""
        self.send(message, buffers=buffers)

    def allow(self, actions: list[str]) -> None:
        """Have buttons for these actions."""
        self.actions = actions

    # ------------------------------------------------------------------ the rest

    def _heard(self, _: object, content: object, __: object = None) -> None:
        self.on_message(content)

    def bundle(self) -> dict[str, Any]:
        """Give the data to display it by; nothing is to be seen where there are no widgets."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {WIDGET: view, "text/plain": ""}
