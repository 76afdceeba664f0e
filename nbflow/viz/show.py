"""Puts a run under a cell: live where somebody is looking, as a picture where nobody is.

In a live notebook a run takes three outputs. The first is a style sheet that sees to it that of
the next two only one is seen. The second is the panel. The third is a picture of the run, which
is hidden while the panel is there, and is what a saved notebook shows: on a page without
widgets, in a kernel that has been restarted, on a code host.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.store.base import Log
from nbflow.viz.actions import Actions
from nbflow.viz.details import AboutCall, nothing
from nbflow.viz.drawn import size_of
from nbflow.viz.live import Follower
from nbflow.viz.summary import static_views
from nbflow.viz.text import graph_text, profile_text
from nbflow.viz.wording import clean

_log = logging.getLogger("nbflow")

_STYLE: Final = """<style data-nbflow-panel="{token}">
.jp-OutputArea-child:has(> * > [data-nbflow-panel="{token}"]),
.jp-OutputArea-child:has(> * > [data-nbflow-panel="{token}"])
  + .jp-OutputArea-child:has(> .jp-OutputArea-output:not([data-mime-type])):not(:has(.nbf)),
.jp-OutputArea-child:has(> * > [data-nbflow-panel="{token}"])
  + .jp-OutputArea-child:has(.nbf) + .jp-OutputArea-child {{ display: none }}
.jp-OutputArea-child:has(> * > [data-nbflow-panel="{token}"])
  + .jp-OutputArea-child + .jp-OutputArea-child img {{ max-width: 100%; height: auto }}
</style>"""
"""Hides itself; the widget's place while no panel is in it; the picture while one is."""


def show(
    log: Log,
    run: str,
    *,
    actions: Actions | None = None,
    halted: Callable[[], str] = str,
    about: AboutCall = nothing,
) -> None:
    """Show a run in the best way there is here; returns at once where somebody is looking.

    Args:
        log: Where its events are.
        run: Its id.
        actions: What can be done to it from here.
        halted: Says why nobody drives the run any more, "" while somebody does or may.
        about: Tells what is known here of a call's code.
    """
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        sys.stdout.write(describe(log, run, halted=bool(halted())) + "\n")
    elif unattended(kernel):
        still = Still(run)
        follower = Follower(log, run, picture=still.update, halted=halted)
        follower.start()
        follower.finished.wait()
    else:
        _live(log, run, actions, halted, about)


def describe(log: Log, run: str, *, halted: bool = False) -> str:
    """Write a run as text, for terminals and files.

    Args:
        log: Where its events are.
        run: Its id.
        halted: Whether nobody drives it any more, though it may not be over.
    """
    graph, profile = Graph(), Profile()
    graph.halted = halted
    for event in log.events(run):
        graph.apply(event)
        profile.apply(event)
    return _words(graph, profile)


def _words(graph: Graph, profile: Profile) -> str:
    return f"{graph_text(graph, lines=30, profile=profile)}\n\n{profile_text(profile, lines=30)}"


class Still:
    """A picture among a cell's outputs that is renewed in its place."""

    def __init__(self, run: str) -> None:
        text = {"text/plain": f"nbflow run {clean(run)}: running when this was saved"}
        self._handle = _put(text, display_id=True)

    def update(self, graph: Graph, profile: Profile) -> None:
        """Draw the run as it stands."""
        try:
            data = static_views(graph, profile)
        except Exception:  # noqa: BLE001 - what is said of the run must be true all the same
            _log.warning("the run could not be drawn; its text is kept", exc_info=True)
            data = {"text/plain": _words(graph, profile)}
        metadata = {}
        if "image/png" in data:
            metadata["image/png"] = size_of(data["image/png"])
        self._handle.update(data, raw=True, metadata=metadata)


def _live(
    log: Log, run: str, actions: Actions | None, halted: Callable[[], str], about: AboutCall
) -> None:
    try:
        from nbflow.viz.panel import Panel  # noqa: PLC0415 - needs widgets
    except ImportError:
        _log.info("no anywidget here: a picture is shown in the place of the panel")
        follower = Follower(log, run, picture=Still(run).update, halted=halted)
        follower.start()
        return
    panel = Panel()
    style = _STYLE.format(token=panel.token)
    _put({"text/html": style, "text/plain": ""})
    _put(panel.bundle())
    still = Still(run)
    follower = Follower(
        log,
        run,
        sink=panel,
        picture=still.update,
        halted=halted,
        actions=actions,
        about=about,
    )
    panel.on_message = follower.hear
    follower.start()


def _put(data: dict[str, Any], **how: Any) -> Any:
    """Display data by MIME type; give the handle to renew it by, where one is asked for."""
    from IPython import display

    put: Any = display.display
    return put(data, raw=True, **how)


def unattended(kernel: object) -> bool:
    """Whether nobody is looking: papermill, nbconvert and the like, which allow no questions."""
    wanted = os.environ.get("NBFLOW_WAIT", "")
    if wanted in {"0", "1"}:
        return wanted == "1"
    return getattr(kernel, "_allow_stdin", True) is False
